"""Devices are used where one frame proves them; else a line says why not, and software does it."""

from __future__ import annotations

from pathlib import Path

import pictures
import pytest
import streams
from piping import standard_input

from streamct import Settings, transfer_video
from streamct.errors import SettingsError, UsageError
from streamct.media import encoders, hardware
from streamct.media.hardware import decoder_of, hardware_codec
from streamct.media.output import resolve_output
from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.settings import OutputSettings

AWAY = "FFmpeg was built without it"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streams.write_rich(tmp_path_factory.mktemp("hardware") / "a.mp4", frames=5)


@pytest.mark.parametrize(
    ("name", "software", "codec"),
    [
        ("h264_nvenc", "libx264", "h264"),
        ("hevc_nvenc", "libx265", "hevc"),
        ("AV1_NVENC", "libsvtav1", "av1"),
        ("h264_qsv", "libx264", "h264"),
        ("hevc_videotoolbox", "libx265", "hevc"),
        ("av1_vaapi", "libsvtav1", "av1"),
    ],
)
def test_an_encoder_that_does_not_run_is_replaced_by_software_of_its_codec(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, software: str, codec: str
) -> None:
    monkeypatch.setattr(encoders, "hardware_codec", lambda encoder: _not_here(encoder))
    preset = "p4" if "nvenc" in name.lower() else None
    plan = resolve_output(probe(path), tmp_path / "b.mp4", OutputSettings(codec=name, encoder_preset=preset))
    assert (plan.encoder, plan.codec) == (software, codec)
    (line,) = [note for note in plan.notes if "can't be used here" in note]
    assert line.startswith(f"{name.lower()} can't be used here (")
    assert line.endswith(f"); {software} encodes {codec} in software")


def _not_here(encoder: str) -> str | None:
    """A machine without devices, wherever this runs."""
    if hardware_codec(encoder) is not None:
        raise ValueError("no such device")
    return None


def test_an_encoder_is_proven_by_a_frame_and_then_used(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A software encoder under a device's name stands for a device that works."""
    monkeypatch.setattr(hardware, "_MAKERS", ("ks", *hardware._MAKERS))
    encoded: list[str] = []
    monkeypatch.setattr(encoders, "hardware_codec", lambda name: encoded.append(name) or hardware_codec(name))
    plan = resolve_output(probe(path), tmp_path / "b.mov", OutputSettings(codec="prores_ks"))
    assert plan.encoder == "prores_ks"
    assert encoded == ["prores_ks"]
    assert not any("can't be used here" in note for note in plan.notes)


def test_planar_samples_are_handed_to_a_device_in_its_own_layout() -> None:
    assert encoders._SEMI_PLANAR["p010le"] == "yuv420p10le"
    assert encoders._SEMI_PLANAR["nv12"] == "yuv420p"


def test_a_misspelt_device_is_an_error_that_names_the_nearest(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such encoder"):
        resolve_output(probe(path), tmp_path / "b.mp4", OutputSettings(codec="h264_nvnec"))
    with pytest.raises(UsageError, match=r"--hwaccel cudda: no such device \(did you mean 'cuda'\?\)"):
        decoder_of(probe(path), "cudda")


@pytest.mark.parametrize("kind", ["vaapi", "videotoolbox"])
def test_a_decoder_that_does_not_run_is_said_and_software_gives_the_same_frames(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
    settings = Settings().updated(palette__size=4, palette__proxy_size=32, time__radius=60, output__codec="ffv1")
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    report = transfer_video(path, reference, tmp_path / "b.mkv", settings, hwaccel=kind)
    assert report.warnings[0] == (f"--hwaccel {kind} can't be used here: {AWAY} (it has cuda); decoding in software")
    plain = transfer_video(path, reference, tmp_path / "c.mkv", settings)
    assert streams.packet_hashes(report.output, ("video",)) == streams.packet_hashes(plain.output, ("video",))


def test_a_device_that_does_not_start_gives_its_reason(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(kind: str, **more: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(hardware, "HWAccel", failing)
    monkeypatch.setattr(hardware, "hwdevices_available", lambda: ["cuda"])
    device, line = decoder_of(probe(path), "cuda")
    assert device is None
    assert line == (
        "--hwaccel cuda can't be used here: it does not start (Operation not permitted); decoding in software"
    )


def test_a_pipe_is_decoded_in_software(path: Path, tmp_path: Path) -> None:
    clip = streams.write_rich(tmp_path / "a.mkv", frames=3)
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    with standard_input(clip.read_bytes()):
        report = transfer_video(DASH, reference, tmp_path / "b.mkv", Settings(), hwaccel="cuda")
    assert "--hwaccel cuda: what comes from a pipe is decoded in software" in report.warnings
