"""Masks of the user's own, and saved ones given back, through whole runs: any size, any part, nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import streams
from clips import decoded, moving_picture, write_clip

from streamct.errors import MaskError, OutputError
from streamct.execute.local import LocalExecutor
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.model import Event
from streamct.pipeline import grade_picture, grade_video
from streamct.prepare import Request
from streamct.segment.matte import read_matte
from streamct.segment.upright import quarter_turns
from streamct.settings import Settings
from streamct.sheets import write_sheet
from streamct.spanned import grade_in_spans

FRAMES = 40
WIDTH, HEIGHT = 96, 64


def left(share: float, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A mask (h, w, 3) whose foreground is so much of it, on the left."""
    mask = np.zeros((height, width, 3), np.uint8)
    mask[:, : round(share * width)] = 255
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, a reference with a mask, and masks for both."""
    folder = tmp_path_factory.mktemp("given")
    write_clip(folder / "in.mp4", moving_picture(FRAMES, WIDTH, HEIGHT))
    reference = np.full((60, 80, 3), (20, 90, 60), np.uint8)
    reference[:, :40] = (240, 200, 20)
    save_png(folder / "ref.png", reference)
    save_png(folder / "ref-mask.png", left(0.5, 80, 60))
    save_png(folder / "half.png", left(0.5))
    return folder


def settings(**more: Any) -> Settings:
    return Settings().updated(output__codec="ffv1", palette__size=4, **{"time__radius": 3, **more})


def grade(folder: Path, out: Path, mask: Path | None, **more: Any) -> Any:
    chosen, clip = more.pop("settings", None) or settings(), more.pop("clip", folder / "in.mp4")
    return grade_video(clip, folder / "ref.png", out, chosen, mask=mask, ref_mask=folder / "ref-mask.png", **more)


def same(first: Path, second: Path, part: slice = slice(None)) -> bool:
    """Whether two lossless clips, the second one of them cut to a part, show the same."""
    pairs = zip(decoded(first), decoded(second)[part], strict=True)
    return all(np.array_equal(a, b) for (_, one), (_, other) in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["picture", "folder of mixed sizes", "video"])
def test_masks_smaller_than_the_frame_grade_it(folder: Path, tmp_path: Path, kind: str) -> None:
    sizes = [(WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (2 * WIDTH, HEIGHT // 2), (20, 13), (WIDTH // 2, 2 * HEIGHT)]
    if kind == "picture":
        mask = tmp_path / "mask.png"
        save_png(mask, left(0.5, *sizes[1]))
    elif kind == "video":
        mask = write_clip(tmp_path / "mask.mp4", [left(0.5, *sizes[1])] * FRAMES)
    else:
        mask = tmp_path / "masks"
        mask.mkdir()
        for n in range(FRAMES):
            save_png(mask / f"{n:03d}.png", left(0.5, *sizes[n % len(sizes)]))
    small = grade(folder, tmp_path / "small.mkv", mask)
    grade(folder, tmp_path / "full.mkv", folder / "half.png")
    assert (small.frames, small.segmenter) == (FRAMES, "matte")
    for (_, one), (_, other) in zip(
        decoded(tmp_path / "small.mkv"), decoded(tmp_path / "full.mkv"), strict=True
    ):  # away from the edge between the halves, which is softer
        difference = np.abs(one[0].astype(int) - other[0])
        assert difference[:, :40].mean() < 2
        assert difference[:, 56:].mean() < 2
    write_sheet(
        folder / "in.mp4", folder / "ref.png", tmp_path / "sheet.png", settings(), at=("0.5", "1"), mask=mask,
        ref_mask=folder / "ref-mask.png",
    )  # fmt: skip
    assert (tmp_path / "sheet.png").exists()


def numbered(folder: Path, count: int = FRAMES) -> Path:
    """Masks of an edge that wanders, one a frame."""
    folder.mkdir()
    for n in range(count):
        save_png(folder / f"{n:03d}.png", left(0.3 + 0.01 * n))
    return folder


@pytest.mark.parametrize("mode", ["window", "shot"])
@pytest.mark.parametrize(("start", "stop"), [(None, "0.5"), ("0.5", "1.0"), ("0.52", "0.97")])
def test_the_masks_saved_of_a_part_can_be_given_back_for_it(
    folder: Path, tmp_path: Path, mode: str, start: str | None, stop: str
) -> None:
    masks = numbered(tmp_path / "masks")
    part: dict[str, Any] = {"start": start, "stop": stop, "settings": settings(time__mode=mode)}
    report = grade(folder, tmp_path / "a.mkv", masks, save_masks=tmp_path / "saved", **part)
    saved = sorted((tmp_path / "saved").iterdir())
    assert len(saved) == report.frames < FRAMES
    grade(folder, tmp_path / "b.mkv", tmp_path / "saved", save_masks=tmp_path / "again", **part)
    for one, other in zip(saved, sorted((tmp_path / "again").iterdir()), strict=True):
        assert one.read_bytes() == other.read_bytes()
    for (_, one), (_, other) in zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True):
        # frames around the part had masks of their own and have the nearest now
        assert np.abs(one[0].astype(int) - other[0]).mean() < 2


def test_the_masks_of_a_still_scene_given_back_for_a_part_change_nothing(folder: Path, tmp_path: Path) -> None:
    part = {"start": "0.5", "stop": "1.0"}
    grade(folder, tmp_path / "a.mkv", folder / "half.png", save_masks=tmp_path / "saved", **part)
    grade(folder, tmp_path / "b.mkv", tmp_path / "saved", **part)
    assert same(tmp_path / "a.mkv", tmp_path / "b.mkv")


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_masks_that_fit_neither_the_clip_nor_the_part_are_refused_at_once(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    path = numbered(tmp_path / "masks", 13)
    if kind == "video":
        path = write_clip(tmp_path / "masks.mp4", [left(0.5)] * 13)
    said: list[Event] = []
    message = r"holds 13 masks, but the part between --from and --to has 12 frames and the clip 40\. Give one mask"
    with pytest.raises(MaskError, match=message):
        grade(folder, tmp_path / "out.mkv", path, start="0.5", stop="1.0", progress=said.append)
    assert all(event.kind == "note" for event in said)
    assert not (tmp_path / "out.mkv").exists()


def test_masks_of_a_part_of_unknown_length_are_counted_at_the_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamct.segment.given.timeline_of", lambda clip: None)
    with pytest.raises(MaskError, match="holds 13 masks, but the part between --from and --to has 12 frames"):
        grade(folder, tmp_path / "out.mkv", numbered(tmp_path / "masks", 13), start="0.5", stop="1.0")
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("way", ["folder", "link to the folder", "links to the files", "picture", "pattern"])
def test_masks_are_not_saved_over_what_the_run_reads(folder: Path, tmp_path: Path, way: str) -> None:
    masks = numbered(tmp_path / "masks")
    for file in masks.iterdir():
        file.rename(masks / f"{int(file.stem):05d}.png")
    before = {file.name: file.read_bytes() for file in masks.iterdir()}
    mask, target = masks, masks
    if way == "link to the folder":
        target = tmp_path / "link"
        target.symlink_to(masks)
    elif way == "links to the files":
        mask = tmp_path / "links"
        mask.mkdir()
        for file in masks.iterdir():
            (mask / file.name).symlink_to(file)
    elif way == "picture":
        mask = masks / "00003.png"
    clip = folder / "in.mp4"
    if way == "pattern":
        clip, mask = masks / "%05d.png", folder / "half.png"
    with pytest.raises(OutputError, match="is replaced as a whole, and this run uses what is in it") as error:
        grade(folder, tmp_path / "out.mkv", mask, clip=clip, save_masks=target, overwrite=True)
    assert error.value.exit_code == 1
    assert {file.name: file.read_bytes() for file in masks.iterdir()} == before
    assert not (tmp_path / "out.mkv").exists()


def test_masks_are_saved_through_a_link_to_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    grade(folder, tmp_path / "out.mkv", folder / "half.png", save_masks=tmp_path / "link", stop="0.2")
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == [f"{n:05d}.png" for n in range(5)]
    assert (tmp_path / "link").is_symlink()


NONE = "0.0% of the clip are foreground; a split needs 2% to 98%, so it is graded as one region"


@pytest.mark.parametrize("mode", ["window", "shot", "off"])
@pytest.mark.parametrize(("share", "line"), [(0, NONE), (0.011, "1.0% of the clip"), (1, "100.0% of the clip")])
def test_a_clip_without_a_split_is_said_to_be_one_region(
    folder: Path, tmp_path: Path, mode: str, share: float, line: str
) -> None:
    save_png(tmp_path / "mask.png", left(share))
    said: list[Event] = []
    report = grade(
        folder, tmp_path / "out.mkv", tmp_path / "mask.png", settings=settings(time__mode=mode), stop="0.5",
        progress=said.append,
    )  # fmt: skip
    (told,) = [event.message for event in said if event.kind == "warning"]
    assert told.startswith(line)
    assert report.warnings[-1] == told
    assert report.details["foreground"] == pytest.approx(share, abs=0.003)


def test_a_clip_with_a_split_somewhere_is_not_warned_of_and_its_share_is_told(folder: Path, tmp_path: Path) -> None:
    for n in range(FRAMES):
        save_png(tmp_path / f"{n:03d}.png", left(0.5 if n < 10 else 0))
    (tmp_path / "out").mkdir()
    report = grade(folder, tmp_path / "out" / "out.mkv", tmp_path)
    assert report.warnings == ()
    assert report.details["foreground"] == pytest.approx(0.125, abs=0.001)


def test_a_clip_that_is_all_foreground_and_then_none_is_said_to_be_one_region(folder: Path, tmp_path: Path) -> None:
    for n in range(FRAMES):
        save_png(tmp_path / f"{n:03d}.png", left(1 if n < 10 else 0))
    (tmp_path / "out").mkdir()
    report = grade(folder, tmp_path / "out" / "out.mkv", tmp_path, settings=settings(time__mode="off"))
    assert report.warnings[0].startswith("25.0% of the clip are foreground, but all or nothing of it at any time; ")


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_a_clip_in_spans_is_warned_of_as_in_one_piece(folder: Path, tmp_path: Path, mode: str) -> None:
    save_png(tmp_path / "mask.png", left(0))
    write_clip(tmp_path / "in.mkv", moving_picture(FRAMES, WIDTH, HEIGHT), gop=5)
    asked = Request(
        tmp_path / "in.mkv", folder / "ref.png", tmp_path / "out.mkv", settings(time__mode=mode, time__radius=1),
        mask=tmp_path / "mask.png", ref_mask=folder / "ref-mask.png",
    )  # fmt: skip
    with LocalExecutor(1) as executor:
        report = grade_in_spans(asked, executor, count=2)
    assert report.details["spans"] == 2
    assert report.warnings == (NONE,) if mode == "window" else report.warnings[-1] == NONE
    assert report.details["foreground"] == 0


def test_a_picture_without_a_split_is_said_to_be_one_region(folder: Path, tmp_path: Path) -> None:
    save_png(tmp_path / "mask.png", left(0, 80, 60))
    report = grade_picture(
        folder / "ref.png", folder / "ref.png", tmp_path / "out.png", mask=tmp_path / "mask.png",
        ref_mask=folder / "ref-mask.png",
    )  # fmt: skip
    assert report.warnings[-1] == NONE.replace("clip", "picture")


def upper(share: float, width: int = HEIGHT, height: int = WIDTH) -> np.ndarray:
    """A mask (h, w, 3) whose foreground is so much of it, at the top."""
    return left(share, height, width).transpose(1, 0, 2)


@pytest.fixture(scope="module")
def turned(folder: Path) -> Path:
    """The clip, stored as ever and shown turned by 90 degrees: what is stored on the left is shown at the top."""
    with av.open(str(folder / "in.mp4")) as source, av.open(str(folder / "turned.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(-90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return folder / "turned.mp4"


@pytest.mark.parametrize("kind", ["picture", "folder", "video", "turned video"])
def test_masks_of_a_turned_clip_are_taken_as_it_is_shown(folder: Path, turned: Path, tmp_path: Path, kind: str) -> None:
    assert quarter_turns(probe(turned).display_matrix) == 3
    mask = tmp_path / "mask.png"
    save_png(mask, upper(0.5))
    if kind == "folder":
        (tmp_path / "masks").mkdir()
        for n in range(FRAMES):
            (tmp_path / "masks" / f"{n:03d}.png").write_bytes(mask.read_bytes())
        mask = tmp_path / "masks"
    elif kind == "video":
        mask = write_clip(tmp_path / "mask.mkv", [upper(0.5)] * FRAMES, codec="ffv1", pix_fmt="yuv444p")
    elif kind == "turned video":
        planes = [[left(0.5)[..., 0], *[np.full((HEIGHT, WIDTH), 128, np.uint8)] * 2]] * FRAMES
        mask = streams.write_planes(
            tmp_path / "mask.mov", "yuv444p", planes, (WIDTH, HEIGHT), codec="libx264", rotation=-90,
            options={"qp": "0"}, tags=(1, 1, 1, 2),
        )  # fmt: skip
    report = grade(folder, tmp_path / "a.mkv", mask, clip=turned, save_masks=tmp_path / "saved")
    assert report.warnings == tuple(line for line in report.warnings if "mask" not in line)
    grade(folder, tmp_path / "b.mkv", folder / "half.png")
    assert same(tmp_path / "a.mkv", tmp_path / "b.mkv")
    np.testing.assert_array_equal(read_matte(tmp_path / "saved" / "00000.png")[0], upper(0.5)[..., 0])


def test_a_mask_of_another_shape_is_told_and_one_of_the_stored_picture_named(
    folder: Path, turned: Path, tmp_path: Path
) -> None:
    def told(clip: Path, mask: np.ndarray) -> list[str]:
        save_png(tmp_path / "mask.png", mask)
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.mp4"
        report = grade(folder, out, tmp_path / "mask.png", clip=clip, settings=settings().updated(output__codec="auto"))
        return [line for line in report.warnings if "mask" in line.lower()]

    assert told(folder / "in.mp4", left(0.5, 48, 32)) == []
    assert told(folder / "in.mp4", left(0.5, 20, 13)) == []  # rounded to whole samples
    (line,) = told(folder / "in.mp4", left(0.5, 64, 48))
    assert line.endswith(
        "mask.png: is 64x48, but the picture is shown as 96x64; it is stretched to fit. "
        "Masks are taken as the picture is shown, upright."
    )
    said: list[Event] = []
    write_sheet(
        folder / "in.mp4", folder / "ref.png", tmp_path / "sheet.png", settings(), at=("0.5",), progress=said.append,
        mask=tmp_path / "mask.png", ref_mask=folder / "ref-mask.png",
    )  # fmt: skip
    assert line in [event.message for event in said if event.kind == "warning"]
    (line,) = told(turned, left(0.5))
    assert "is 96x64, but the picture is shown as 64x96" in line
    assert line.endswith("It fits the picture as it is stored: turn it as the clip is turned.")


def test_a_mask_of_another_shape_than_a_picture_or_a_reference_is_told(folder: Path, tmp_path: Path) -> None:
    save_png(tmp_path / "square.png", left(0.5, 50, 50))
    report = grade_picture(
        folder / "ref.png", folder / "ref.png", tmp_path / "out.png", mask=tmp_path / "square.png",
        ref_mask=tmp_path / "square.png",
    )  # fmt: skip
    assert [line for line in report.warnings if "is 50x50, but the picture is shown as 80x60" in line] == list(
        report.warnings
    )
    assert len(report.warnings) == 2
