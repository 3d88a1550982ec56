"""Output files appear whole or not at all, and never over an input."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streamct.errors import OutputError
from streamct.media import files
from streamct.media.files import HOST, beside, check_target, sweep, tells_case, writing, written_whole


def test_a_finished_block_puts_the_file_under_its_name(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.mp4") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".mp4"
        temporary.write_bytes(b"new")
        assert not (tmp_path / "a.mp4").exists()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mp4", b"new")]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OutputError])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")

    def fail() -> None:
        with written_whole(tmp_path / "a.mp4") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mp4", b"old")]


def dead() -> int:
    """The number of a process that has ended."""
    ran = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(ran.stdout)


def test_leftovers_of_dead_processes_are_swept_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    gone, here = dead(), os.getppid()
    ours = tmp_path / f".a.{HOST}-{gone}.partial.mp4"
    parent = tmp_path / f".a.{HOST}-{here}.partial.mp4"
    other = tmp_path / f".b.{HOST}-{gone}.partial.mp4"
    elsewhere = tmp_path / f".a.{HOST}x-{gone}.partial.mp4"
    for path in (ours, parent, other, elsewhere):
        path.write_bytes(b"half")
    with written_whole(tmp_path / "a.mp4") as temporary:
        temporary.write_bytes(b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([parent.name, other.name, elsewhere.name, "a.mp4"]), (
        "of another machine nobody here knows whether it lives"
    )


def test_all_temporary_files_that_nobody_writes_to_are_removed_and_all_others_stay(tmp_path: Path) -> None:
    gone, here = dead(), os.getpid()
    old = [f".a.part.{gone}.partial.mkv", f".b.done.elsewhere-{gone}.partial", f".c.{gone}.partial.png"]
    litter = [*old, f".d.done.{HOST}-{gone}.partial"]
    living = [
        f".a.part.{here}.partial.mkv", f".e.done.{HOST}-{here}.partial", ".hidden.mkv", "a.partial.mkv",
        f".f.{gone}.partial.mkv", f".g.done.elsewhere-{here}.partial",
    ]  # fmt: skip
    for name in (*litter, *living):
        (tmp_path / name).write_bytes(b"")
    for name in old:
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".h.{HOST}-{gone}.parts").mkdir()
    slow = tmp_path / ".i.elsewhere-1.parts"
    slow.mkdir()
    (slow / "0.part").write_bytes(b"")
    os.utime(slow, (0, 0))
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*living, slow.name]), (
        "what another machine may write to stays, and a folder is as new as what lies in it"
    )


def test_a_process_of_another_numbering_on_a_machine_of_the_same_name_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert files._host() == HOST
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[1]")  # as in a container with its machine's network
    there = files._host()
    assert there != HOST
    path = tmp_path / f".a.{there}-{dead()}.partial.mp4"
    path.write_bytes(b"half")
    sweep(tmp_path)
    assert path.exists()


@pytest.mark.parametrize("name", ["n" * 251 + ".mp4", "ä" * 125 + ".mp4", "x" * 200])
def test_a_name_as_long_as_may_be_appears_whole_and_leftovers_of_it_go(tmp_path: Path, name: str) -> None:
    left = beside(tmp_path / name, ending=Path(name).suffix)
    left = left.with_name(left.name.replace(f"-{os.getpid()}.", f"-{dead()}."))
    left.write_bytes(b"half")
    with written_whole(tmp_path / name) as temporary:
        assert temporary.suffix in (Path(name).suffix, ".partial")
        temporary.write_bytes(b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"new")]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_as_such(number: int) -> None:
    with pytest.raises(OutputError, match=r"x/a\.mp4: no space left in x\. Free some"), writing(Path("x/a.mp4")):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_forbidden_folder_is_named_as_such(number: int) -> None:
    with pytest.raises(OutputError, match=r"the folder x can't be written to"), writing(Path("x/a.mp4")):
        raise OSError(number, os.strerror(number))


def test_an_input_is_never_a_target_by_whatever_path(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(b"x")
    (tmp_path / "link.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    for target in (source, tmp_path / "link.mp4", tmp_path / "hard.mp4", tmp_path / "." / "a.mp4"):
        with pytest.raises(OutputError, match=r"is an input of this run; an input is never overwritten"):
            check_target(target, (source,), overwrite=True)


def test_an_existing_target_needs_leave(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"exists already\. Pass --overwrite \(-y\)"):
        check_target(tmp_path / "b.mp4", (), overwrite=False)
    check_target(tmp_path / "b.mp4", (), overwrite=True)
    check_target(tmp_path / "new.mp4", (), overwrite=False)


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is a folder\. Name a file"):
        check_target(tmp_path, (), overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_named_pipe_stays_one_and_the_way_to_write_into_it_is_told(tmp_path: Path, overwrite: bool) -> None:
    pipe = tmp_path / "b.mkv"
    os.mkfifo(pipe)
    (tmp_path / "link.mkv").symlink_to(pipe)
    for target in (pipe, tmp_path / "link.mkv"):
        advice = re.escape(f"{target}: is a named pipe, and a file would take its place. Name a file, or write a video")
        with pytest.raises(OutputError, match=rf"{advice} into the pipe with -o - > {re.escape(str(target))}"):
            check_target(target, (), overwrite)
        with pytest.raises(OutputError, match=advice), written_whole(target):
            pass
    assert pipe.is_fifo()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["b.mkv", "link.mkv"]


def test_a_device_is_no_target() -> None:
    with pytest.raises(OutputError, match="/dev/null: is a device or a socket"):
        check_target(Path("/dev/null"), (), overwrite=True)


@pytest.mark.parametrize("old", [True, False])
def test_through_a_link_the_file_that_it_leads_to_is_written_and_the_link_stays(tmp_path: Path, old: bool) -> None:
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "data", tmp_path / "b.webm"
    if old:
        real.write_bytes(b"old")
    link.symlink_to(Path("far") / "data")
    check_target(link, (), overwrite=True)
    with written_whole(link) as temporary:
        assert (temporary.parent, temporary.suffix) == (real.parent, ".webm")
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert [entry.name for entry in real.parent.iterdir()] == ["data"]


def test_what_a_killed_run_left_behind_a_link_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "b.webm"
    link.symlink_to(tmp_path / "far" / "data")
    litter = tmp_path / "far" / f".data.{HOST}-{2**22 + 1}.partial.webm"
    litter.write_bytes(b"x")
    with written_whole(link) as temporary:
        temporary.write_bytes(b"new")
    assert [entry.name for entry in litter.parent.iterdir()] == ["data"]


def test_a_link_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.mkv").symlink_to(tmp_path / "nowhere" / "c.mkv")
    with pytest.raises(OutputError, match=r"nowhere does not exist\. Create it first"):
        check_target(tmp_path / "b.mkv", (), overwrite=True)


@pytest.mark.parametrize("tells", [True, False])
def test_whether_a_folder_tells_case_is_tried_where_it_will_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    exists = Path.exists

    def folding(path: Path) -> bool:
        return any(path.name.casefold() == other.name.casefold() for other in path.parent.iterdir())

    (tmp_path / "a").write_bytes(b"")
    if exists(tmp_path / "A"):
        pytest.skip("the file system of these tests tells no case")
    if not tells:
        monkeypatch.setattr(Path, "exists", folding)
    assert tells_case(tmp_path / "not" / "yet") == tells
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
