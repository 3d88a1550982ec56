"""GIF, APNG and animated WebP become videos with their pictures' own times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pictures
import pytest
import pyvips
import streams
from clips import decoded

from streamct import Settings, transfer_video
from streamct.errors import InputError, UsageError

SAME = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, mapping__strength=0, mapping__transport_iterations=10
)
DELAYS = [100, 50, 200, 30]
STARTS = [Fraction(n, 1000) for n in (0, 100, 150, 350)]
COLOURS = [(40 * n, 20, 99) for n in range(4)]


def animation(path: Path, delays: list[int], **options: object) -> Path:
    pages = [np.full((24, 32, 3), colour, np.uint8) for colour in COLOURS[: len(delays)]]
    image = pyvips.Image.new_from_array(np.concatenate(pages)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "page-height", 24)
    image.set_type(pyvips.GValue.array_int_type, "delay", delays)
    image.write_to_file(str(path), **options)
    return path


def apng(path: Path) -> Path:
    with av.open(str(path), "w", format="apng") as container:
        stream = container.add_stream("apng", rate=10, width=32, height=24, time_base=Fraction(1, 1000))
        stream.pix_fmt = "rgb24"
        for start, delay, colour in zip(STARTS, DELAYS, COLOURS, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), colour, np.uint8), "rgb24")
            frame.pts, frame.duration, frame.time_base = int(start * 1000), delay, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("kind", ["gif", "webp", "apng"])
def test_an_animation_keeps_pictures_and_times_to_the_end_of_the_last(tmp_path: Path, kind: str) -> None:
    made = {
        "gif": lambda: animation(tmp_path / "a.gif", DELAYS),
        "webp": lambda: animation(tmp_path / "a.webp", DELAYS, lossless=True),
        "apng": lambda: apng(tmp_path / "a.apng"),
    }
    path = made[kind]()
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    report = transfer_video(path, reference, None, SAME)
    assert report.output == tmp_path / "a.graded.mp4"
    assert any("--pix-fmt yuv420p" in line for line in report.warnings)
    assert streams.packet_times(report.output, "video") == STARTS
    if kind != "apng":  # whose writer here gives the last picture the length of the one before
        with av.open(str(report.output)) as container:
            ends = [(p.pts + p.duration) * p.time_base for p in container.demux(video=0) if p.size]
        assert max(ends) == Fraction(380, 1000)
    for (_, (green, blue, red)), colour in zip(decoded(report.output, "gbrp"), COLOURS, strict=True):
        assert np.abs(np.subtract((red[12, 16], green[12, 16], blue[12, 16]), colour, dtype=int)).max() <= 4


def test_delays_too_short_for_a_browser_are_those_that_it_takes(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", [10, 0, 40], lossless=True)
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    report = transfer_video(path, reference, tmp_path / "b.mkv", SAME)
    assert streams.packet_times(report.output, "video") == [0, Fraction(1, 10), Fraction(2, 10)]


def test_a_broken_webp_is_refused(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", DELAYS, lossless=True)
    path.write_bytes(path.read_bytes()[:60])
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    with pytest.raises(InputError, match=r"a\.webp: .*(damaged|is not a picture)"):
        transfer_video(path, reference, tmp_path / "b.mp4", SAME)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif", "a.gif", "a.avif"])
def test_a_single_picture_is_no_video(tmp_path: Path, name: str) -> None:
    path = pictures.save(tmp_path / name, pictures.gradient(24, 32))
    with pytest.raises(UsageError, match=rf"a{name[1:]}: is a picture, not a video\. Grade it with `streamct image`"):
        transfer_video(path, path, tmp_path / "out.mp4", SAME)
    assert not (tmp_path / "out.mp4").exists()
