"""What is copied beside a part of a clip: sound, subtitles, chapters, covers, attachments, timecodes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import streams
from clips import moving_picture, write_clip

from streamct.media.image import save_png
from streamct.pipeline import grade_video
from streamct.settings import Settings

PLAIN = Settings().updated(time__mode="off", mapping__strength=0.0)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ref") / "ref.png"
    save_png(path, moving_picture(1, seed=5)[0])
    return path


@pytest.mark.parametrize(("ending", "subtitle"), [("mkv", "subrip"), ("mp4", "mov_text")])
def test_subtitles_that_reach_into_the_part_are_shortened_to_it(
    reference: Path, tmp_path: Path, ending: str, subtitle: str
) -> None:
    """Lines of 0.2 s begin every 0.3 s; from 0.4 s to 1.04 s are the end of the second, the third and part of the
    fourth."""
    clip = streams.write_rich(tmp_path / f"in.{ending}", frames=50, subtitle=subtitle)
    out = tmp_path / f"out.{ending}"
    grade_video(clip, reference, out, PLAIN, start="0.4", stop="1.04")
    with av.open(str(out)) as container:
        told = [(bytes(p)[2 if subtitle == "mov_text" else 0 :].decode(), p.pts * p.time_base, p.duration * p.time_base)
                for p in container.demux(subtitles=0) if p.size > 2]  # fmt: skip
    assert [text for text, _, _ in told] == ["line 1", "line 2", "line 3"]
    assert [float(at) for _, at, _ in told] == pytest.approx([0, 0.2, 0.5], abs=0.002)
    assert [float(length) for _, _, length in told] == pytest.approx([0.1, 0.2, 0.14], abs=0.002)


def test_chapters_are_cut_and_moved(reference: Path, tmp_path: Path) -> None:
    clip = streams.write_rich(tmp_path / "in.mkv", frames=50)
    grade_video(clip, reference, tmp_path / "out.mkv", PLAIN, start="0.8", stop="1.4")
    with av.open(str(tmp_path / "out.mkv")) as container:
        told = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
                for c in container.chapters()]  # fmt: skip
        assert container.metadata["title"] == "A day at sea"
    assert told == [
        (0, Fraction(1, 5), "part 0"),
        (Fraction(1, 5), Fraction(3, 5), "part 1"),
    ]


def test_covers_and_attachments_stay(reference: Path, tmp_path: Path) -> None:
    clip = streams.write_with_cover(tmp_path / "cover.mp4", video=True)
    grade_video(clip, reference, tmp_path / "out.mp4", PLAIN, start="0.08", stop="0.2")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sorted(stream.type for stream in container.streams) == ["audio", "video", "video"]
    rich = streams.write_rich(tmp_path / "rich.mkv", attachment=True)
    grade_video(rich, reference, tmp_path / "out.mkv", PLAIN, start="0.2", stop="0.6")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert "attachment" in {stream.type for stream in container.streams}


@pytest.mark.parametrize(("audios", "ending"), [(("aac", "aac"), "mp4"), (("pcm_s16le",), "mkv"), (("aac",), "ts")])
def test_every_sound_track_keeps_its_place(
    reference: Path, tmp_path: Path, audios: tuple[str, ...], ending: str
) -> None:
    clip = streams.write_rich(tmp_path / f"in.{ending}", frames=50, audios=audios, chapters=False)
    out = tmp_path / f"out.{ending}"
    grade_video(clip, reference, out, PLAIN, start="0.6", stop="1.2")

    def packets(path: Path, number: int) -> dict[bytes, float]:
        with av.open(str(path)) as container:
            first = min(p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None)
        with av.open(str(path)) as container:
            return {bytes(p): float(p.pts * p.time_base - first) for p in container.demux(audio=number) if p.size}

    for number in range(len(audios)):
        before, after = packets(clip, number), packets(out, number)
        moved = np.array([before[data] - at for data, at in after.items()])
        assert len(moved) > 20
        assert np.abs(moved - 0.6).max() <= 0.0015


def test_another_video_begins_at_its_first_key_frame(reference: Path, tmp_path: Path) -> None:
    clip = streams.write_two_videos(tmp_path / "two.mkv")
    report = grade_video(clip, reference, tmp_path / "out.mkv", PLAIN, start="0.08")
    assert any("stream 1 (video) has nothing between --from and --to" in line for line in report.warnings)
    assert grade_video(clip, reference, tmp_path / "all.mkv", PLAIN, stop="0.16").frames == 4
    times = streams.packet_times(tmp_path / "all.mkv", "video", 1)
    assert times[:4] == [Fraction(k, 25) for k in range(4)]
    assert times[4:] == [Fraction(5, 25)], "what the frame before the end is decoded from"


@pytest.mark.parametrize(("code", "moved"), [("01:00:00:00", "01:00:00:12"), ("10:59:59:20", "11:00:00:08")])
def test_the_timecode_is_that_of_the_first_frame(reference: Path, tmp_path: Path, code: str, moved: str) -> None:
    clip = write_clip(tmp_path / "plain.mp4", moving_picture(24))
    with av.open(str(clip)) as before, av.open(str(tmp_path / "in.mov"), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0])
        stream.metadata["timecode"] = code
        for packet in before.demux(video=0):
            if packet.size:
                packet.stream = stream
                after.mux(packet)
    grade_video(tmp_path / "in.mov", reference, tmp_path / "out.mov", PLAIN, start="0.5")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.streams.video[0].metadata["timecode"] == moved
