"""Parts on disk, and outputs joined of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import moving_picture
from hypothesis import given
from hypothesis import strategies as st
from streams import write_rich

from streamct.errors import OutputError
from streamct.execute.local import LocalExecutor
from streamct.media.image import save_png
from streamct.media.join import decoding_times
from streamct.media.parts import check_part, open_part
from streamct.media.probe import probe
from streamct.media.timeline import passage, timeline_of
from streamct.model import Span
from streamct.pipeline import grade_asked
from streamct.prepare import Request
from streamct.settings import Settings
from streamct.span_jobs import divide, render_span
from streamct.spanned import grade_in_spans

FRAMES = 30


@given(st.integers(0, 6), st.lists(st.integers(1, 90), min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_decoding_times_rise_and_never_lie_behind_the_time_of_showing(delay: int, steps: list[int], rng: Any) -> None:
    shown = np.cumsum(np.array(steps, np.int64))
    order = sorted(range(len(shown)), key=lambda i: i + rng.uniform(0, delay + 1))
    pts = shown[order]
    dts = decoding_times(pts, pts)
    assert (np.diff(dts) > 0).all()
    assert (dts <= pts).all()


def test_without_reordering_frames_are_decoded_when_they_are_shown() -> None:
    pts = np.array([5, 9, 10, 30], np.int64)
    assert decoding_times(pts, pts).tolist() == pts.tolist()


def test_several_runs_are_numbered_like_one() -> None:
    one_run = np.array([0, 3, 1, 2, 6, 4, 5, 7], np.int64)  # as an encoder with B frames gives them
    assert decoding_times(one_run, np.array([-1, 0, 1, 2, 3, 4, 5, 6])).tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]
    two_runs = np.array([0, 3, 1, 2, 4, 7, 5, 6], np.int64)
    assert decoding_times(two_runs, np.array([-1, 0, 1, 2, 3, 4, 5, 6])).tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with all that a clip may hold beside its pictures, and a reference."""
    found = tmp_path_factory.mktemp("parts")
    write_rich(found / "in.mp4", frames=FRAMES, subtitle="mov_text", options={"bf": "2", "g": "12"})
    write_rich(found / "in.mkv", frames=FRAMES, video="ffv1", options={"g": "1"}, subtitle="subrip", attachment=True)
    write_rich(found / "plain.mkv", frames=FRAMES, video="ffv1", options={"g": "1"}, audios=(), chapters=False)
    save_png(found / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return found


def facts(path: Path) -> dict[str, Any]:
    """All that a run in one piece and one in spans should have in common, for any encoder."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        context = video.codec_context
        told: dict[str, Any] = {
            "streams": [(s.type, dict(s.metadata), s.time_base, int(s.disposition)) for s in container.streams],
            "picture": (context.name, context.profile, context.pix_fmt, context.width, context.height),
            "tags": (context.colorspace, context.color_primaries, context.color_trc, context.color_range),
            "clip": (dict(container.metadata), container.duration, container.start_time),
            "chapters": [(c["start"], c["end"], c["metadata"]) for c in container.chapters()],
        }
        graded = video.index
        packets = [(p.stream.index, p.pts, p.dts, p.duration) for p in container.demux() if p.size]
    told["pts"] = sorted(pts for index, pts, _, _ in packets if index == graded)
    told["dts"] = [dts for index, _, dts, _ in packets if index == graded]
    told["lengths"] = sorted((pts, length) for index, pts, _, length in packets if index == graded)
    told["others"] = sorted(packet for packet in packets if packet[0] != graded)
    with av.open(str(path)) as container:
        frames = [(frame.pts, frame.is_corrupt) for frame in container.decode(video=0)]
    told["sound frames"] = [pts for pts, corrupt in frames if not corrupt]
    return told


JOINED = [
    ("in.mp4", ".mp4", "h264"), ("in.mp4", ".mp4", "hevc"), ("in.mp4", ".mov", "prores"), ("in.mkv", ".mkv", "ffv1"),
    ("in.mkv", ".mkv", "h264"), ("in.mkv", ".mkv", "mjpeg"), ("in.mp4", ".ts", "h264"), ("in.mp4", ".ts", "hevc"),
    ("plain.mkv", ".webm", "vp9"), ("in.mkv", ".mkv", "av1"), ("in.mp4", ".mp4", "av1"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "ending", "codec"), JOINED)
def test_what_is_joined_has_the_times_tags_and_streams_of_a_run_in_one_piece(
    folder: Path, tmp_path: Path, source: str, ending: str, codec: str
) -> None:
    settings = Settings().updated(output__codec=codec, palette__size=8)
    whole, joined = tmp_path / f"whole{ending}", tmp_path / f"joined{ending}"
    grade_asked(Request(folder / source, folder / "ref.png", whole, settings))
    with LocalExecutor(1) as executor:
        report = grade_in_spans(Request(folder / source, folder / "ref.png", joined, settings), executor, count=3)
    assert report.details["spans"] == 3
    wanted, found = facts(whole), facts(joined)
    assert len(found["sound frames"]) == FRAMES
    assert found == wanted


@pytest.fixture(scope="module")
def part(folder: Path) -> tuple[Path, Any, list[int]]:
    """One part, its recipe, and its times."""
    settings = Settings().updated(output__codec="h264", palette__size=8)
    asked = Request(folder / "in.mp4", folder / "ref.png", folder / "out.mp4", settings)
    recipe = divide(asked, 3).recipe
    timeline = timeline_of(recipe.clip)
    assert timeline is not None
    span = Span(10, 20)
    assert not render_span(recipe, span, passage(timeline, 0, FRAMES), folder / "a.part").reused
    return folder / "a.part", recipe, timeline.pts[10:20].tolist()


def test_a_part_that_is_there_is_checked_and_not_made_again(folder: Path, part: tuple[Path, Any, list[int]]) -> None:
    path, recipe, _ = part
    timeline = timeline_of(probe(folder / "in.mp4"))
    assert timeline is not None
    before = path.stat().st_mtime_ns
    assert render_span(recipe, Span(10, 20), passage(timeline, 0, FRAMES), path).reused
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_part_that_is_cut_off_is_known_and_made_again(
    folder: Path, part: tuple[Path, Any, list[int]], tmp_path: Path, share: float
) -> None:
    path, recipe, _ = part
    data = path.read_bytes()
    cut = tmp_path / "cut.part"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(OutputError, match=r"cut\.part: is not a whole part"):
        open_part(cut)
    timeline = timeline_of(recipe.clip)
    assert timeline is not None
    assert not render_span(recipe, Span(10, 20), passage(timeline, 0, FRAMES), cut).reused
    assert list(open_part(cut).read())


def test_a_part_with_a_changed_byte_is_known(part: tuple[Path, Any, list[int]], tmp_path: Path) -> None:
    path, recipe, times = part
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.part"
    changed.write_bytes(data)
    with pytest.raises(OutputError, match="is not a whole part"):
        check_part(changed, recipe.clip, recipe.plan, times)


def test_a_part_of_other_frames_is_known(part: tuple[Path, Any, list[int]]) -> None:
    path, recipe, times = part
    with pytest.raises(OutputError, match="its frames have other times"):
        check_part(path, recipe.clip, recipe.plan, [time + 1 for time in times])
    with pytest.raises(OutputError, match="10 instead of 9 frames"):
        check_part(path, recipe.clip, recipe.plan, times[1:])
