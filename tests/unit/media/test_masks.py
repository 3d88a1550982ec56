from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamct.errors import OutputError
from streamct.media.masks import check_mask_folder, mask_folder, mask_name, save_mask
from streamct.segment.matte import Matte


def test_saved_masks_read_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 256, (9, 13), np.uint8) for _ in range(3)]
    masks[0].ravel()[:] = np.resize(np.arange(256), masks[0].size)
    with mask_folder(tmp_path / "masks") as folder:
        for index, mask in enumerate(masks):
            save_mask(folder / mask_name(index), mask)
        assert not (tmp_path / "masks").exists()
    matte = Matte(tmp_path / "masks")
    matte.begin(3, 13, 9)
    for index, mask in enumerate(masks):
        assert np.array_equal(matte.mask(index, 13, 9), mask)


def test_a_failed_run_leaves_no_folder_and_keeps_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "masks"
    old.mkdir()
    (old / "00000.png").write_bytes(b"old")
    with pytest.raises(ValueError, match="broken"), mask_folder(old) as folder:  # noqa: PT012
        save_mask(folder / mask_name(0), np.zeros((2, 2), np.uint8))
        raise ValueError("broken")
    assert [p.name for p in tmp_path.iterdir()] == ["masks"]
    assert (old / "00000.png").read_bytes() == b"old"


def test_a_whole_run_replaces_the_old_masks(tmp_path: Path) -> None:
    old = tmp_path / "masks"
    old.mkdir()
    (old / "00007.png").write_bytes(b"old")
    with mask_folder(old) as folder:
        save_mask(folder / mask_name(0), np.zeros((2, 2), np.uint8))
    assert [p.name for p in old.iterdir()] == ["00000.png"]


def test_a_folder_of_other_things_is_refused_even_with_leave_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"holds other things than masks, such as letter\.txt"):
        check_mask_folder(tmp_path, overwrite=True)


def test_a_folder_of_masks_is_only_replaced_with_leave(tmp_path: Path) -> None:
    (tmp_path / "00000.png").write_bytes(b"")
    with pytest.raises(OutputError, match=r"holds masks already.*--overwrite"):
        check_mask_folder(tmp_path, overwrite=False)
    check_mask_folder(tmp_path, overwrite=True)


def test_a_file_or_a_missing_parent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="is a file"):
        check_mask_folder(tmp_path / "file", overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        check_mask_folder(tmp_path / "no" / "masks", overwrite=False)
    check_mask_folder(tmp_path / "new", overwrite=False)
