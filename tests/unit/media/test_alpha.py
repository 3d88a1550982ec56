"""VP8 and VP9 with alpha: it is read, graded past and written again, or its loss is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pictures
import pytest
import streams
from piping import standard_input
from rewrite import rewrite

from streamct import Settings, transfer_video
from streamct.errors import OutputError
from streamct.media.alpha import alpha_decoder, says_alpha
from streamct.media.excerpts import Excerpt, keyframes
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.verify import verify
from streamct.model import Clip
from streamct.settings import OutputSettings

SIZE = (64, 48)
FRAMES = 6
QUICK = Settings().updated(palette__size=4, palette__proxy_size=32, mapping__transport_iterations=10)


def write_alpha(path: Path, codec: str = "libvpx-vp9", announced: bool = True) -> Path:
    """A clip whose alpha is a ramp that moves."""
    with av.open(str(path), "w") as container:
        options = {"crf": "4", "b": "0", "auto-alt-ref": "0"}
        stream = container.add_stream(codec, rate=25, width=SIZE[0], height=SIZE[1], options=options)
        stream.pix_fmt = "yuva420p"
        if announced:
            stream.metadata["alpha_mode"] = "1"
        for number in range(FRAMES):
            planes = streams.moving_planes(number, *SIZE)
            frame = streams.frame_of([*planes, ramp(number)], "yuva420p", *SIZE)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ramp(number: int) -> np.ndarray:
    line = np.clip(np.arange(SIZE[0]) * 4 - 8 * number, 0, 255).astype(np.uint8)
    return np.broadcast_to(line, (SIZE[1], SIZE[0]))


def alphas(path: Path) -> list[np.ndarray]:
    with Reader(probe(path)) as reader:
        return [frame.planes[3].copy() for frame in reader]


def tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {key.lower(): value for key, value in container.streams.video[0].metadata.items()}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_alpha(tmp_path_factory.mktemp("alpha") / "a.webm")


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("b.webm", "libvpx"), ("c.mkv", "libvpx-vp9")])
def test_alpha_is_read(tmp_path: Path, name: str, codec: str) -> None:
    path = write_alpha(tmp_path / name, codec)
    assert probe(path).format.name == "yuva420p"
    found = alphas(path)
    assert len(found) == FRAMES
    for number, plane in enumerate(found):
        assert np.abs(plane.astype(int) - ramp(number)).mean() < 3
    with Excerpt(probe(path)) as excerpt:
        assert [frame.planes[3].shape for frame in keyframes(excerpt, [Fraction(0)])] == [SIZE[::-1]]


@pytest.mark.parametrize("ending", [".webm", ".mkv"])
def test_alpha_comes_through_a_grade_with_its_tag(clip: Path, tmp_path: Path, ending: str) -> None:
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    report = transfer_video(clip, reference, tmp_path / f"out{ending}", QUICK)
    assert report.details["pix_fmt"] == "yuva420p"
    assert tags(report.output)["alpha_mode"] == "1"
    assert not [line for line in report.warnings if "alpha" in line]
    for before, after in zip(alphas(clip), alphas(report.output), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 4


def test_alpha_comes_through_a_pipe(clip: Path, tmp_path: Path) -> None:
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    with standard_input(clip.read_bytes()):
        report = transfer_video("-", reference, tmp_path / "out.webm", QUICK)
    assert len(alphas(report.output)) == FRAMES


def test_a_lossless_codec_keeps_alpha_sample_for_sample(clip: Path, tmp_path: Path) -> None:
    plan, _ = rewrite(clip, tmp_path / "b.mkv", codec="ffv1")
    assert plan.pix_fmt == "yuva420p"
    assert "alpha_mode" not in tags(tmp_path / "b.mkv")  # which is for what lies beside packets
    np.testing.assert_array_equal(alphas(tmp_path / "b.mkv"), alphas(clip))


@pytest.mark.parametrize(
    ("name", "codec", "said"),
    [
        ("b.mp4", "auto", "alpha is left out: only Matroska and WebM hold that of vp9 video"),
        ("b.mkv", "h264", "libx264 does not take yuva420p; the output is yuv420p, which loses alpha"),
    ],
)
def test_alpha_that_is_lost_is_said_and_not_announced(
    clip: Path, tmp_path: Path, name: str, codec: str, said: str
) -> None:
    plan, _ = rewrite(clip, tmp_path / name, codec=codec)
    assert said in plan.notes
    assert plan.pix_fmt == "yuv420p"
    assert "alpha_mode" not in tags(tmp_path / name)


def test_announced_alpha_without_any_is_said_and_not_announced_again(tmp_path: Path) -> None:
    frames = [streams.moving_planes(n, *SIZE) for n in range(3)]
    path = streams.write_planes(tmp_path / "plain.webm", "yuv420p", frames, SIZE, codec="libvpx-vp9")
    with av.open(str(path)) as before, av.open(str(tmp_path / "a.webm"), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        stream.metadata["alpha_mode"] = "1"
        for packet in before.demux():
            if packet.size:
                packet.stream = stream
                after.mux(packet)
    assert probe(tmp_path / "a.webm").unread_alpha
    plan, _ = rewrite(tmp_path / "a.webm", tmp_path / "b.webm")
    assert "alpha is left out: nothing here decodes that of this vp9 video" in plan.notes
    assert "alpha_mode" not in tags(tmp_path / "b.webm")


def test_only_what_announces_alpha_is_decoded_for_it(clip: Path, tmp_path: Path) -> None:
    plain = streams.write_rich(tmp_path / "a.mp4", frames=3)
    for path, expected in ((clip, True), (plain, False)):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert says_alpha(stream) is expected
            assert (alpha_decoder(stream) is not None) is expected


def test_a_written_file_without_its_alpha_does_not_pass_its_check(clip: Path, tmp_path: Path) -> None:
    rewrite(clip, tmp_path / "b.webm", pix_fmt="yuv420p")
    assert "alpha_mode" not in tags(tmp_path / "b.webm")
    source = probe(clip)
    plan = resolve_output(source, tmp_path / "b.webm", OutputSettings())
    with pytest.raises(OutputError, match="its alpha is lost"):
        verify(source, plan, tmp_path / "b.webm", 0, _times(source))


def _times(clip: Clip) -> list[int]:
    with Reader(clip) as reader:
        return [frame.pts for frame in reader]


def test_mov_is_not_asked_to_hold_what_its_muxer_refuses(clip: Path, tmp_path: Path) -> None:
    found: OutputPlan = resolve_output(probe(clip), tmp_path / "b.mov", OutputSettings())
    assert found.codec == "h264"
    assert any("vp9 video becomes h264" in note for note in found.notes)
    with pytest.raises(OutputError, match=r"\.mov files can't hold vp9 video"):
        resolve_output(probe(clip), tmp_path / "b.mov", OutputSettings(codec="vp9"))
