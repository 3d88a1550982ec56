"""Pictures that can't be read or written: one clear error of our own, and nothing changed on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pictures
import PIL.Image
import pytest
from faults import little_space, unprivileged

from streamct.errors import InputError, MaskError, OutputError, ReferenceError
from streamct.media.files import check_target
from streamct.media.image import list_pictures, read_picture, save_png, write_picture

ENDINGS = (".png", ".jpg", ".tif", ".webp", ".avif", ".gif")


def noise(size: int = 64) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_truncated_picture_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    path = pictures.save(tmp_path / f"a{ending}", noise())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"a\..*: (the picture is damaged or incomplete \(.+\)|is not a picture)"):
        read_picture(path)


def test_a_progressive_jpeg_cut_in_its_last_scan_is_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(noise()).save(tmp_path / "a.jpg", progressive=True)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[:-200])
    with pytest.raises(InputError, match="damaged or incomplete"):
        read_picture(tmp_path / "a.jpg")


def test_flipped_bytes_in_a_png_are_found_by_its_checksums(tmp_path: Path) -> None:
    path = pictures.save(tmp_path / "a.png", noise())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"a\.png: the picture is damaged"):
        read_picture(path)


def test_rubbish_after_a_jpeg_ends_is_harmless(tmp_path: Path) -> None:
    path = pictures.save(tmp_path / "a.jpg", noise())
    whole = read_picture(path).rgb
    path.write_bytes(path.read_bytes() + b"trailing" * 100)
    np.testing.assert_array_equal(read_picture(path).rgb, whole)


@pytest.mark.parametrize("error", [InputError, ReferenceError, MaskError])
def test_the_error_is_of_the_kind_that_the_caller_names(tmp_path: Path, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"no such file\. Check the path"):
        read_picture(tmp_path / "missing.png", error)
    (tmp_path / "text.png").write_text("not a picture at all, only words " * 20)
    with pytest.raises(error, match=r"text\.png: is not a picture that can be read\. Give a JPEG"):
        read_picture(tmp_path / "text.png", error)
    (tmp_path / "empty.png").touch()
    with pytest.raises(error, match=r"empty\.png: is empty \(0 bytes\)"):
        read_picture(tmp_path / "empty.png", error)
    with pytest.raises(error, match="is a folder, not a picture"):
        read_picture(tmp_path, error)


def test_a_picture_that_may_not_be_read_says_so() -> None:
    picture = noise(8)
    with unprivileged() as folder:
        path = pictures.save(folder / "a.png", picture)
        path.chmod(0)
        with pytest.raises(InputError, match=r"a\.png: may not be read\. Check its permissions"):
            read_picture(path)
        folder.chmod(0o000)
        with pytest.raises(InputError, match=r"may not be read"):
            read_picture(path)
        with pytest.raises(InputError, match=r"can't be read as a folder"):
            list_pictures(folder)


def test_a_folder_that_may_not_be_written_to_is_refused_before_and_while_writing() -> None:
    with unprivileged() as folder:
        path = pictures.save(folder / "a.png", noise(8))
        picture = read_picture(path)
        folder.chmod(0o555)
        with pytest.raises(OutputError, match=r"b\.png: the folder .* can't be written to\. Check its permissions"):
            check_target(folder / "b.png", (path,), False)
        with pytest.raises(OutputError, match=r"b\.png: the folder .* can't be written to"):
            write_picture(folder / "b.png", picture.rgb, picture, 95)


def test_no_space_leaves_the_old_output_whole_and_no_litter(tmp_path: Path) -> None:
    source = pictures.save(tmp_path / "a.png", noise(256))
    picture = read_picture(source)
    folder = tmp_path / "disk"
    folder.mkdir()
    with little_space(folder, 64):
        save_png(folder / "b.png", noise(16))
        old = (folder / "b.png").read_bytes()
        with pytest.raises(OutputError, match=r"b\.png: no space left in .*disk\. Free some, or write elsewhere"):
            write_picture(folder / "b.png", picture.rgb, picture, 95)
        assert (folder / "b.png").read_bytes() == old
        assert [p.name for p in folder.iterdir()] == ["b.png"]


def test_a_missing_output_folder_is_named(tmp_path: Path) -> None:
    picture = read_picture(pictures.save(tmp_path / "a.png", noise(8)))
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist\. Create it first"):
        check_target(tmp_path / "nowhere" / "b.png", (), False)
    with pytest.raises(OutputError, match=r"nowhere"):
        write_picture(tmp_path / "nowhere" / "b.png", picture.rgb, picture, 95)
