"""The shape of pixels comes through every container that can hold it, and what can't is said before the first frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import piping
import pytest
import streams
from rewrite import rewrite

from streamct.media.aspect import held_aspect
from streamct.media.matroska import Told, chroma_site, tell, with_told
from streamct.media.output import resolve_output
from streamct.media.pipes import DASH, standard_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.writer import Writer
from streamct.model import MasteringDisplay
from streamct.settings import OutputSettings

NARROW = Fraction(224, 225)
"""Half a pixel of 64: a display size in whole pixels would not tell it from square."""

UNTOLD = " hold no pixel aspect for {} video: players may show pixels of 224/225 square"


def source(path: Path, aspect: Fraction | None, codec: str = "libx264", size: tuple[int, int] = (64, 48)) -> Path:
    frames = [streams.moving_planes(n, *size) for n in range(4)]
    return streams.write_planes(path, "yuv420p", frames, size, codec=codec, aspect=aspect)


def strictly_read(path: Path) -> int:
    """How many pictures a reader finds that compares every check sum in a file's headers."""
    with av.open(str(path), options={"err_detect": "crccheck+explode"}) as container:
        container.seek(0)
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("aspect", [NARROW, Fraction(10, 11), Fraction(2), Fraction(40_001, 40_000), Fraction(1)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("b.mkv", "ffv1"), ("b.mkv", "prores"), ("b.mkv", "h264"), ("b.mp4", "h264"), ("b.mov", "prores"), ("b.y4m", "")],
)
def test_the_pixel_aspect_is_kept_exactly(tmp_path: Path, name: str, codec: str, aspect: Fraction) -> None:
    path = source(tmp_path / "a.mp4", aspect)
    _, notes = rewrite(path, tmp_path / name, codec=codec or "auto")
    assert probe(tmp_path / name).sample_aspect == aspect
    assert not [note for note in notes if "aspect" in note]
    assert strictly_read(tmp_path / name) == 4


@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(10, 11)])
@pytest.mark.parametrize("name", ["b.mkv", "b.webm"])
@pytest.mark.parametrize("mode", ["left_right", "top_bottom", "bottom_top", "right_left"])
def test_two_views_in_a_picture_keep_their_order_and_their_aspect(
    tmp_path: Path, mode: str, name: str, aspect: Fraction
) -> None:
    path = tmp_path / "a.mkv"
    frames = [streams.moving_planes(n, 88, 48) for n in range(2)]
    streams.write_planes(path, "yuv420p", frames, (88, 48), codec="libx264", aspect=aspect, stereo=mode)
    tell(path, [Told(aspect)])
    assert (probe(path).sample_aspect, told_stereo(path)) == (aspect, mode)
    _, notes = rewrite(path, tmp_path / name, codec="vp9" if name == "b.webm" else "h264")
    assert (probe(tmp_path / name).sample_aspect, told_stereo(tmp_path / name)) == (aspect, mode)
    assert not [note for note in notes if "aspect" in note or "views" in note]


def test_where_two_views_can_not_be_told_apart_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    frames = [streams.moving_planes(n, 64, 48) for n in range(2)]
    streams.write_planes(path, "yuv420p", frames, (64, 48), codec="libx264", stereo="left_right")
    _, notes = rewrite(path, tmp_path / "b.mp4")
    assert ".mp4 files do not tell here that pictures hold two views (left_right)" in notes


def told_stereo(path: Path) -> str | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].metadata.get("stereo_mode")


def test_an_unknown_pixel_aspect_stays_unknown(tmp_path: Path) -> None:
    rewrite(source(tmp_path / "a.mkv", None, "ffv1"), tmp_path / "b.mkv")
    assert probe(tmp_path / "b.mkv").sample_aspect is None


@pytest.mark.parametrize(
    ("name", "codec", "held", "said"),
    [
        ("b.webm", "vp9", Fraction(1), ".webm files hold the pixel aspect 224/225 of vp9 video as 1"),
        ("b.avi", "ffv1", None, ".avi files" + UNTOLD.format("ffv1")),
        ("b.nut", "ffv1", None, ".nut files" + UNTOLD.format("ffv1")),
        ("b.avi", "mjpeg", NARROW, None),
        ("b.ts", "hevc", NARROW, None),
        ("b.flv", "h264", NARROW, None),
    ],
)
def test_what_a_container_can_not_hold_is_said_before_the_first_frame(
    tmp_path: Path, name: str, codec: str, held: Fraction | None, said: str | None
) -> None:
    path = source(tmp_path / "a.mp4", NARROW)
    plan = resolve_output(probe(path), tmp_path / name, OutputSettings(codec=codec))
    told = [note for note in plan.notes if "aspect" in note]
    assert told == ([] if said is None else [said])
    rewrite(path, tmp_path / name, codec=codec)
    assert (probe(tmp_path / name).sample_aspect or 1) == (held or 1)


def test_codecs_hold_as_much_as_their_headers_have_room_for() -> None:
    fine = Fraction(100_003, 50_000)
    assert held_aspect(fine, "mp4", "mpeg4", 64, 48) == fine
    assert held_aspect(fine, "avi", "mpeg4", 64, 48) == 2
    assert held_aspect(1 / fine, "flv", "h264", 64, 48) == Fraction(1, 2)
    assert held_aspect(Fraction(10, 11), "webm", "vp9", 64, 48) == Fraction(58, 64)
    assert held_aspect(Fraction(40, 30), "mpegts", "mpeg2video", 720, 576) == Fraction(64, 45)
    assert held_aspect(fine, "avi", "rawvideo", 64, 48) is None
    assert held_aspect(None, "avi", "rawvideo", 64, 48) is None


@pytest.mark.parametrize("kind", ["matroska", "y4m"])
def test_what_goes_into_a_pipe_tells_the_pixel_aspect_too(tmp_path: Path, kind: str) -> None:
    clip = probe(source(tmp_path / "a.mp4", NARROW))
    codec = "ffv1" if kind == "matroska" else "auto"
    plan = resolve_output(clip, DASH, OutputSettings(pipe_format=kind, codec=codec))  # type: ignore[arg-type]
    got = bytearray()
    with (
        piping.standard_output(got), standard_output() as pipe,
        Reader(clip) as reader, Writer(clip, plan, pipe) as writer,
    ):  # fmt: skip
        for frame in reader:
            writer.write(frame)
        writer.close()
    out = tmp_path / f"b.{'mkv' if kind == 'matroska' else kind}"
    out.write_bytes(got)
    assert probe(out).sample_aspect == NARROW
    assert strictly_read(out) == 4


def test_a_copied_video_keeps_its_own_pixel_aspect(tmp_path: Path) -> None:
    both = tmp_path / "a.mp4"
    paths = [source(tmp_path / "1.mp4", NARROW), source(tmp_path / "2.mp4", Fraction(4, 3))]
    with av.open(str(paths[0])) as one, av.open(str(paths[1])) as two, av.open(str(both), "w") as out:
        pairs = [(part, out.add_stream_from_template(part.streams.video[0], opaque=True)) for part in (one, two)]
        for part, stream in pairs:
            for packet in part.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    rewrite(both, tmp_path / "b.mkv", codec="ffv1")
    with av.open(str(tmp_path / "b.mkv")) as container:
        assert [stream.sample_aspect_ratio for stream in container.streams.video] == [NARROW, Fraction(4, 3)]
    assert strictly_read(tmp_path / "b.mkv") == 4


@pytest.mark.parametrize("length", [0, 3, 40, 60, 200, 300])
def test_a_header_that_is_not_all_there_is_not_changed_yet(tmp_path: Path, length: int) -> None:
    path = source(tmp_path / "a.mkv", None, "ffv1")
    assert with_told(path.read_bytes()[:length], [Told(NARROW)]) is None


def test_writing_the_aspect_moves_nothing_behind_the_header(tmp_path: Path) -> None:
    path = source(tmp_path / "a.mkv", None, "ffv1")
    before = path.read_bytes()
    tell(path, [Told(NARROW)])
    after = path.read_bytes()
    cluster = bytes.fromhex("1f43b675")
    assert len(after) == len(before)
    assert after[after.index(cluster) :] == before[before.index(cluster) :]
    assert probe(path).sample_aspect == NARROW
    for again in (Fraction(4, 3), NARROW, Fraction(1)):
        tell(path, [Told(again)])
        assert probe(path).sample_aspect == again
        assert strictly_read(path) == 4


@pytest.mark.parametrize("space", ["0", "16", "300"])
def test_chapters_fonts_and_tags_are_found_behind_a_changed_header(tmp_path: Path, space: str) -> None:
    """Room before the tracks, behind them, or none at all: what lies around is read as before."""
    rich = streams.write_rich(tmp_path / "a.mkv", attachment=True)
    path = tmp_path / "b.mkv"
    with (
        av.open(str(rich)) as before,
        av.open(str(path), "w", container_options={"metadata_header_padding": space}) as after,
    ):
        pairs = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        after.metadata.update(before.metadata)
        after.set_chapters(before.chapters())
        for packet in before.demux([stream for stream in before.streams if stream.type != "attachment"]):
            if packet.size:
                packet.stream = pairs[packet.stream.index]
                after.mux(packet)
    size = path.stat().st_size
    display = MasteringDisplay(((Fraction(1, 4),) * 2,) * 3, (Fraction(1, 3),) * 2, (Fraction(0), Fraction(1000)))
    tell(path, [Told(NARROW, display, (1000, 400), 3)])
    told = probe(path)
    assert path.stat().st_size == size
    assert (told.light == (1000, 400)) == (space == "300")
    assert chroma_site(path, 0) == (3 if space == "300" else 1)
    with av.open(str(path), options={"err_detect": "crccheck+explode"}) as container:
        assert container.metadata["title"] == "A day at sea"
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio", "attachment"]
        assert len(container.chapters()) == 2
        container.seek(0)
        assert sum(1 for _ in container.decode(video=0)) == 20
