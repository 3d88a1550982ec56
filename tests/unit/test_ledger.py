"""What a ledger takes for done, and what not; what is left when a run dies at the worst moment."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import faults
import pytest

from streamct.errors import OutputError
from streamct.ledger import Ledger, content, digest_of, input_identity, span_digest

FACTS = {"frames": 3}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "out" / ".work")
    made.open()
    return made


def kept(ledger: Ledger, digest: str, data: bytes = b"pictures") -> None:
    ledger.part(digest, ".mkv").write_bytes(data)
    ledger.keep(digest, ".mkv", FACTS)


def test_a_digest_depends_on_every_fact_and_not_on_their_order() -> None:
    assert digest_of({"a": 1, "b": [2, 3]}) == digest_of({"b": [2, 3], "a": 1})
    others = [{"a": 1}, {"a": 2, "b": [2, 3]}, {"a": 1, "b": [3, 2]}, {"a": "1", "b": [2, 3]}]
    assert len({digest_of(facts) for facts in others}) == len(others)
    assert span_digest("w", 0, 10) != span_digest("w", 0, 11) != span_digest("v", 0, 11)


def test_an_input_is_another_when_its_length_time_or_either_end_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(300_000))
    os.utime(path, ns=(10, 10))
    before = input_identity(path)
    assert input_identity(path) == before
    for change in ("mtime", "head", "tail", "size"):
        data = bytearray(300_000 + (change == "size"))
        data[0] = change == "head"
        data[-1] = change == "tail"
        path.write_bytes(data)
        os.utime(path, ns=(10, 11 if change == "mtime" else 10))
        assert input_identity(path) != before, change


def test_the_content_of_a_folder_is_that_of_its_files_and_their_names(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "0.png").write_bytes(b"a")
    before = content(masks)
    (masks / "0.png").rename(masks / "1.png")
    renamed = content(masks)
    (masks / "1.png").write_bytes(b"bb")
    assert len({before, renamed, content(masks)}) == 3
    assert content(None) is None


def test_a_part_counts_only_with_its_note_and_unchanged(ledger: Ledger) -> None:
    ledger.part("d", ".mkv").write_bytes(b"pictures")
    assert ledger.kept("d", ".mkv") is None, "no note yet: it may be half a part"
    ledger.keep("d", ".mkv", FACTS)
    found = ledger.kept("d", ".mkv")
    assert found is not None
    assert found.facts == FACTS
    assert ledger.kept("e", ".mkv") is None
    ledger.part("d", ".mkv").write_bytes(b"pictur")
    assert ledger.kept("d", ".mkv") is None, "truncated"
    ledger.part("d", ".mkv").write_bytes(b"Pictures")
    assert ledger.kept("d", ".mkv") is None, "of the same length, but other bytes"


def test_a_note_that_is_torn_or_of_another_format_counts_for_nothing(ledger: Ledger) -> None:
    kept(ledger, "d")
    note = ledger.folder / "d.part.json"
    whole = note.read_text()
    for text in (whole[:40], "", "[]", whole.replace('"format": 1', '"format": 0'), '{"format": 1}'):
        note.write_text(text)
        assert ledger.kept("d", ".mkv") is None, text


def test_a_part_becomes_the_output_and_leaves_a_record(ledger: Ledger, tmp_path: Path) -> None:
    kept(ledger, "d")
    root = tmp_path / "out"
    ledger.place("d", ".mkv", root, "sub/a.mkv")
    assert (root / "sub" / "a.mkv").read_bytes() == b"pictures"
    assert sorted(p.name for p in ledger.folder.iterdir()) == ["d.done"]
    done = ledger.done("d", root)
    assert done is not None
    assert (done.name, done.facts) == ("sub/a.mkv", FACTS)


def test_an_output_that_was_changed_or_removed_is_not_done_and_a_copy_of_it_is(ledger: Ledger, tmp_path: Path) -> None:
    kept(ledger, "d")
    root = tmp_path / "out"
    ledger.place("d", ".mkv", root, "a.mkv")
    os.utime(root / "a.mkv", ns=(5, 5))
    assert ledger.done("d", root) is not None, "restored from a backup: the same bytes at another time"
    (root / "a.mkv").write_bytes(b"Pictures")
    assert ledger.done("d", root) is None
    (root / "a.mkv").unlink()
    assert ledger.done("d", root) is None


def test_a_run_that_dies_between_record_and_name_is_finished_by_the_next(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(ledger, "d")
    root = tmp_path / "out"
    (root / "a.mkv").write_bytes(b"older")
    rename = os.replace

    def dies(source: Path, target: Path) -> None:
        if Path(target) == root / "a.mkv":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        ledger.place("d", ".mkv", root, "a.mkv")
    monkeypatch.undo()
    assert (root / "a.mkv").read_bytes() == b"older"
    assert ledger.done("d", root) is None
    assert ledger.kept("d", ".mkv") is not None
    ledger.place("d", ".mkv", root, "a.mkv")
    assert (root / "a.mkv").read_bytes() == b"pictures"
    assert ledger.done("d", root) is not None


def test_parts_in_another_file_system_are_copied_with_their_times(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(ledger, "d")
    root = tmp_path / "out"
    part = ledger.part("d", ".mkv")
    os.utime(part, ns=(7, 7))
    rename = os.replace

    def apart(source: Path, target: Path) -> None:
        if Path(source) == part:
            raise OSError(errno.EXDEV, "other file system")
        rename(source, target)

    monkeypatch.setattr(os, "replace", apart)
    ledger.place("d", ".mkv", root, "a.mkv")
    assert (root / "a.mkv").read_bytes() == b"pictures"
    assert (root / "a.mkv").stat().st_mtime_ns == 7
    assert ledger.done("d", root) is not None
    assert not part.exists()
    assert [p.name for p in root.iterdir() if "partial" in p.name] == []


def test_a_full_disk_at_the_last_step_leaves_the_older_output_and_the_part(ledger: Ledger, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    kept(ledger, "d", bytes(300_000))
    with faults.little_space(small, 64):
        (small / "a.mkv").write_bytes(b"older")
        with pytest.raises(OutputError, match="no space left"):
            ledger.place("d", ".mkv", small, "a.mkv")
        assert (small / "a.mkv").read_bytes() == b"older"
        assert [p.name for p in small.iterdir()] == ["a.mkv"]
    assert ledger.kept("d", ".mkv") is not None
    assert not list(ledger.folder.glob("*.done")), "of what never came there is no record"


def test_what_was_recorded_of_an_output_stays_where_another_can_not_take_its_place(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "out"
    kept(ledger, "d", b"older")
    before = ledger.place("d", ".mkv", root, "a.mkv")
    kept(ledger, "d", b"newer")
    rename = os.replace

    def full(source: Path, target: Path) -> None:
        if Path(target) == root / "a.mkv":
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="no space left"):
        ledger.place("d", ".mkv", root, "a.mkv")
    assert ledger.done("d", root) == before


def test_outputs_of_one_name_in_two_folders_have_a_record_each(ledger: Ledger, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "two")]
    for root in roots:
        here = ledger.of(root / "a.mkv")
        kept(here, "d", root.name.encode())
        here.place("d", ".mkv", root, "a.mkv")
    assert all(ledger.of(root / "a.mkv").done("d", root) for root in roots)
    shutil.move(roots[0], tmp_path / "three")
    moved = ledger.of(tmp_path / "three" / "a.mkv")
    assert moved.done("d", tmp_path / "three") is None
    assert moved.moved("d", tmp_path / "three") is not None
    (tmp_path / "three" / "a.mkv").write_bytes(b"ten")
    assert moved.moved("d", tmp_path / "three") is None


def test_a_long_name_can_be_given_across_file_systems(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(ledger, "d")
    part, rename = ledger.part("d", ".mkv"), os.replace

    def apart(source: Path, target: Path) -> None:
        if Path(source) == part:
            raise OSError(errno.EXDEV, "other file system")
        rename(source, target)

    monkeypatch.setattr(os, "replace", apart)
    name = "ä" * 120 + ".mkv"
    ledger.place("d", ".mkv", tmp_path / "out", name)
    assert (tmp_path / "out" / name).read_bytes() == b"pictures"


def test_a_work_folder_that_can_not_be_is_told_with_what_sets_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="--work-dir"):
        Ledger(tmp_path / "file" / "work").open()
