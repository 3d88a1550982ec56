"""Numbered pictures in and out: numbers, depth, alpha and times kept, and all of them or none."""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pictures
import pytest
import streams
from clips import decoded, moving_picture, write_clip
from faults import little_space
from numpy.typing import NDArray

from streamct import Settings, transfer_video
from streamct.errors import DamagedInputError, InputError, OutputError, UsageError
from streamct.media.files import HOST
from streamct.media.image import read_picture
from streamct.media.probe import probe
from streamct.media.sequence import frames_a_second, pattern_of
from streamct.model import Report

QUICK = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, time__knot_spacing=60, mapping__transport_iterations=10,
)  # fmt: skip
SAME = QUICK.updated(mapping__strength=0)


def sequence(
    folder: Path, name: str, first: int, count: int, top: int = 255, bands: int = 3
) -> list[NDArray[np.generic]]:
    """Pictures of noise under a pattern's names; their codes."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    kind = np.uint8 if top == 255 else np.uint16
    codes = [rng.integers(0, top + 1, (24, 32, bands)).astype(kind) for _ in range(count)]
    for number, picture in enumerate(codes, first):
        pictures.save(folder / (name % number), picture)
    return codes


def grade(source: Path, target: Path | None, settings: Settings = SAME, **more: object) -> Report:
    reference = source.parent.parent / "ref.png"
    pictures.save(reference, pictures.gradient(20, 20))
    return transfer_video(source, reference, target, settings, **more)  # type: ignore[arg-type]


def codes_of(path: Path, top: int) -> NDArray[np.generic]:
    return np.rint(read_picture(path).rgb * top).astype(int)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize(("name", "first", "bands"), [("f_%05d.png", 997, 3), ("f.%d.tif", 8, 3), ("%02d.png", 0, 4)])
def test_8_bit_pictures_come_back_code_by_code_under_their_numbers(
    tmp_path: Path, name: str, first: int, bands: int
) -> None:
    codes = sequence(tmp_path / "in", name, first, 4, bands=bands)
    (tmp_path / "out").mkdir()
    report = grade(tmp_path / "in" / name, tmp_path / "out" / name)
    assert (report.frames, report.output) == (4, tmp_path / "out" / name)
    assert names(tmp_path / "out") == sorted(name % number for number in range(first, first + 4))
    for number, wanted in enumerate(codes, first):
        found = read_picture(tmp_path / "out" / (name % number))
        assert found.depth == 8
        np.testing.assert_array_equal(np.rint(found.rgb * 255), wanted[..., :3])
        if bands == 4:
            assert found.alpha is not None
            np.testing.assert_array_equal(np.rint(found.alpha * 255), wanted[..., 3])


@pytest.mark.parametrize("name", ["f_%03d.png", "f_%03d.tiff"])
def test_16_bit_pictures_stay_16_bit_exact_to_12_which_is_said(tmp_path: Path, name: str) -> None:
    codes = sequence(tmp_path / "in", name, 1, 3, top=65535)
    report = grade(tmp_path / "in" / name, None)
    assert report.output == tmp_path / "in" / name.replace("d.", "d.graded.")
    assert "pictures of more than 8 bits a sample are graded at 12 bits a sample" in report.warnings
    for number, wanted in enumerate(codes, 1):
        path = tmp_path / "in" / (str(report.output.name) % number)
        assert read_picture(path).depth == 16
        assert np.abs(codes_of(path, 65535) - wanted.astype(int)).max() <= 65535 / 4095 / 2 + 1


def test_pictures_become_a_video_at_their_rate_and_the_default_is_said(tmp_path: Path) -> None:
    codes = sequence(tmp_path / "in", "f_%05d.png", 1, 5)
    report = grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a.mkv", SAME.updated(output__codec="ffv1"))
    assert any("5 pictures from" in line and "at 24 frames/s; --rate sets another" in line for line in report.warnings)
    for (_, (green, blue, red)), wanted in zip(decoded(tmp_path / "a.mkv", "gbrp"), codes, strict=True):
        np.testing.assert_array_equal(np.stack([red, green, blue], axis=-1), wanted)
    report = grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a.mov", rate="23.976")
    assert not any("--rate sets another" in line for line in report.warnings)
    assert streams.packet_times(tmp_path / "a.mov", "video") == [Fraction(n * 1001, 24000) for n in range(5)]


def test_jpegs_are_read_and_written(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, picture in enumerate(moving_picture(3), 1):
        pictures.save(folder / f"f{number}.jpg", picture, Q=98, subsample_mode="off")
    grade(folder / "f%d.jpg", folder / "g%d.jpg")
    for number in range(1, 4):
        before, after = codes_of(folder / f"f{number}.jpg", 255), codes_of(folder / f"g{number}.jpg", 255)
        assert np.abs(before - after).mean() < 2


@pytest.mark.parametrize(
    ("pix_fmt", "tags"), [("yuv444p", (1, 1, 1, 1)), ("yuv444p10le", (9, 9, 14, 1)), ("yuv444p", (6, 6, 6, 2))]
)
def test_a_video_becomes_pictures_by_its_own_matrix_and_range(
    tmp_path: Path, pix_fmt: str, tags: tuple[int, int, int, int]
) -> None:
    """Against the equations of ITU-T H.273 in float64."""
    (tmp_path / "in").mkdir()
    planes = [streams.random_planes(pix_fmt, 32, 24, seed) for seed in range(2)]
    clip = streams.write_planes(tmp_path / "in" / "a.mkv", pix_fmt, planes, (32, 24), tags=tags)
    depth = 10 if "10" in pix_fmt else 8
    report = grade(clip, tmp_path / "in" / "p_%02d.png")
    assert any("pictures hold neither sound nor times (25 frames/s here)" in line for line in report.warnings)
    kr, kb = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 6: (0.299, 0.114)}[tags[0]]
    unit, top = 2 ** (depth - 8), 2**depth - 1
    for number, (luma, blue_difference, red_difference) in enumerate(planes, 1):
        y, cb, cr = (p.astype(np.float64) for p in (luma, blue_difference, red_difference))
        y, scale = (y / top, top) if tags[3] == 2 else ((y - 16 * unit) / (219 * unit), 224 * unit)
        pb, pr = (cb - 128 * unit) / scale, (cr - 128 * unit) / scale
        red, blue = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
        green = (y - kr * red - kb * blue) / (1 - kr - kb)
        found = read_picture(tmp_path / "in" / f"p_{number:02d}.png")
        assert found.depth == (16 if depth > 8 else 8)
        code = 65535 if depth > 8 else 255
        wanted = np.clip(np.stack([red, green, blue], axis=-1), 0, 1) * code
        assert np.abs(np.rint(found.rgb * np.float64(code)) - wanted).max() <= 0.51  # float32 before rounding


def test_subsampled_video_becomes_pictures_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    clip = write_clip(tmp_path / "in" / "a.mkv", [np.full((24, 32, 3), (200, 40, 90), np.uint8)] * 2)
    grade(clip, tmp_path / "in" / "p_%d.png")
    assert np.abs(codes_of(tmp_path / "in" / "p_2.png", 255) - (200, 40, 90)).max() <= 3


def test_a_gap_names_the_missing_number(tmp_path: Path) -> None:
    sequence(tmp_path / "in", "f_%05d.png", 5, 6)
    (tmp_path / "in" / "f_00007.png").unlink()
    with pytest.raises(InputError, match=r"f_00007\.png is missing, of f_00005\.png to f_00010\.png\. Restore it"):
        grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a.mkv")
    (tmp_path / "in" / "f_00008.png").unlink()
    with pytest.raises(InputError, match=r"f_00007\.png is missing and 1 more"):
        grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a.mkv")


def test_what_fits_no_file_or_is_no_picture_is_said(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=r"no file fits this pattern, such as f_00001\.png"):
        grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a.mkv")
    with pytest.raises(InputError, match=r"no pictures by this ending are known\. Use \.jpg"):
        grade(tmp_path / "in" / "f_%05d.psd", tmp_path / "a.mkv")
    sequence(tmp_path / "in", "f_%05d.png", 1, 1)
    with pytest.raises(OutputError, match="can't be written"):
        grade(tmp_path / "in" / "f_%05d.png", tmp_path / "a_%d.exr")


def test_a_damaged_picture_is_named_and_on_demand_the_one_before_takes_its_place(tmp_path: Path) -> None:
    codes = sequence(tmp_path / "in", "f_%d.png", 1, 5)
    for number in (3, 4):
        bad = tmp_path / "in" / f"f_{number}.png"
        bad.write_bytes(bad.read_bytes()[:400])
    with pytest.raises(DamagedInputError, match=r"f_3\.png: .*damaged or incomplete.*--tolerate-corrupt"):
        grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png")
    assert names(tmp_path / "in") == [f"f_{n}.png" for n in range(1, 6)]
    report = grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png", tolerate_corrupt=True)
    assert report.frames == 5
    written = [tmp_path / "in" / f"g_{number}.png" for number in range(1, 6)]
    for path, number in zip(written, (1, 2, 2, 2, 5), strict=True):
        assert np.array_equal(codes_of(path, 255), codes[number - 1])
    said = [line for line in report.warnings if line.endswith("The picture before it takes its place.")]
    assert [f"f_{number}.png: " in line for number, line in zip((3, 4), said, strict=True)] == [True, True]
    again = grade(tmp_path / "in" / "g_%d.png", tmp_path / "a.mkv")
    assert again.frames == 5


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    sequence(tmp_path / "in", "f_%d.png", 1, 3)
    pictures.save(tmp_path / "in" / "f_2.png", pictures.gradient(10, 10))
    with pytest.raises(InputError, match=r"f_2\.png: is 10x10, the first picture 32x24\. Scale them"):
        grade(tmp_path / "in" / "f_%d.png", tmp_path / "a.mkv")


def test_existing_pictures_are_refused_without_leave_and_inputs_always(tmp_path: Path) -> None:
    sequence(tmp_path / "in", "f_%d.png", 1, 3)
    (tmp_path / "in" / "g_2.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"g_2\.png exists already\. Pass --overwrite \(-y\)"):
        grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png")
    for target in ("f_%d.png", "f_%01d.png"):
        with pytest.raises(OutputError, match=r"f_1\.png: is an input of this run"):
            grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / target, overwrite=True)
    with pytest.raises(OutputError, match=r"nowhere does not exist\. Create it first"):
        grade(tmp_path / "in" / "f_%d.png", tmp_path / "nowhere" / "g_%d.png")
    assert (tmp_path / "in" / "g_2.png").read_bytes() == b"precious"
    grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png", overwrite=True)
    assert (tmp_path / "in" / "g_2.png").read_bytes()[:4] == b"\x89PNG"
    assert len(names(tmp_path / "in")) == 6


def test_pictures_of_an_earlier_longer_run_are_kept_and_said(tmp_path: Path) -> None:
    sequence(tmp_path / "in", "f_%d.png", 1, 3)
    for number in (2, 7, 8):
        (tmp_path / "in" / f"g_{number}.png").write_bytes(b"older")
    report = grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png", overwrite=True)
    assert report.warnings[-1] == f"{tmp_path / 'in'}: g_7.png and 1 more are not of this run"
    assert (tmp_path / "in" / "g_7.png").read_bytes() == b"older"


def test_no_space_leaves_no_part_of_the_pictures_and_the_old_ones_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(1, 6):
        pictures.save(tmp_path / "in" / f"f_{number}.png", rng.integers(0, 256, (80, 80, 3)).astype(np.uint8))
    folder = tmp_path / "disk"
    folder.mkdir()
    with little_space(folder, 16):
        (folder / "g_1.png").write_bytes(b"precious")
        with pytest.raises(OutputError, match=r"no space left in .*disk"):
            grade(tmp_path / "in" / "f_%d.png", folder / "g_%d.png", overwrite=True)
        assert names(folder) == ["g_1.png"]
        assert (folder / "g_1.png").read_bytes() == b"precious"


def test_if_one_picture_can_not_take_its_place_all_others_give_theirs_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence(tmp_path / "in", "f_%d.png", 1, 4)
    for number in (1, 2):
        (tmp_path / "in" / f"g_{number}.png").write_bytes(b"precious")
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if Path(target) == tmp_path / "in" / "g_3.png":
            raise OSError(errno.EIO, "Input/output error")
        replace(source, target)

    monkeypatch.setattr("streamct.media.picture_writer.os.replace", failing)
    with pytest.raises(OutputError, match="Input/output error"):
        grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png", overwrite=True)
    assert [name for name in names(tmp_path / "in") if name[0] != "f"] == ["g_1.png", "g_2.png"]
    assert (tmp_path / "in" / "g_1.png").read_bytes() == b"precious"


def test_litter_of_a_killed_run_is_cleared(tmp_path: Path) -> None:
    sequence(tmp_path / "in", "f_%d.png", 1, 2)
    litter = tmp_path / "in" / f".g_%d.png.{HOST}-999999999.partial"
    litter.mkdir()
    (litter / "g_1.png").write_bytes(b"")
    grade(tmp_path / "in" / "f_%d.png", tmp_path / "in" / "g_%d.png")
    assert not litter.exists()


@pytest.mark.parametrize(
    ("text", "rate"),
    [(None, 24), ("25", 25), ("23.976", Fraction(24000, 1001)), ("30000/1001", Fraction(30000, 1001)), ("12.5", 12.5)],
)
def test_rates_are_read_as_people_write_them(text: str | None, rate: Fraction) -> None:
    assert frames_a_second(text) == rate


@pytest.mark.parametrize("text", ["many", "0", "-24", "1/0", "2000", "nan"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--rate"):
        frames_a_second(text)


def test_a_rate_for_what_has_times_of_its_own_and_a_codec_for_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    clip = write_clip(tmp_path / "in" / "a.mp4", moving_picture(2))
    with pytest.raises(UsageError, match=r"--rate: is for numbered pictures"):
        grade(clip, tmp_path / "b.mp4", rate=24)
    with pytest.raises(UsageError, match=r"pictures have no --codec"):
        grade(clip, tmp_path / "b_%d.png", SAME.updated(output__codec="ffv1"))


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    clip = write_clip(tmp_path / "in" / "100%d.mp4", moving_picture(2))
    assert pattern_of(clip) is not None
    assert grade(clip, tmp_path / "b.mp4").frames == 2
    assert probe(tmp_path / "b.mp4").frames == 2
