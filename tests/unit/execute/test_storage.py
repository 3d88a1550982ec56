"""Machines that see other files than the one that began the run are found out before anything is written."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from streamct.errors import ClusterError, OutputError
from streamct.execute import storage
from streamct.execute.storage import Storage

HINT = (
    "Inputs and outputs have to lie on storage that every machine of the cluster mounts at the same place, such as NFS."
)


@pytest.fixture(autouse=True)
def _without_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_PAUSE", 0)


def elsewhere(kept: Storage, here: Path, there: Path) -> storage.Files:
    """What another machine is asked, on which a folder of its own lies in the place of `here`."""

    def moved(entries: tuple[tuple[str, object], ...]) -> tuple[tuple[str, object], ...]:
        return tuple((name.replace(str(here), str(there)), value) for name, value in entries)

    return replace(kept.files, inputs=moved(kept.files.inputs), tokens=moved(kept.files.tokens))  # type: ignore[arg-type]


def test_where_all_is_seen_nothing_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"film")
    kept = Storage([tmp_path / "in.mp4", tmp_path], [tmp_path / "new" / "out"])
    kept.files.check()
    kept.close()
    assert list((tmp_path / "new" / "out").iterdir()) == []


def test_a_folder_of_outputs_on_the_machine_s_own_disk_is_named_though_it_is_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    kept = Storage((), [here])
    with pytest.raises(ClusterError) as caught:
        elsewhere(kept, here, there).check()
    assert str(caught.value) == (
        f"{there}: is another folder on the node {socket.gethostname()}, which does not see what was written into it "
        f"elsewhere. {HINT}"
    )


def test_what_an_earlier_run_left_there_is_not_taken_for_the_token(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    kept = Storage((), [here])
    (name,) = [Path(name).name for name, _ in kept.files.tokens]
    (there / name).write_text("another")
    with pytest.raises(ClusterError, match="is another folder"):
        elsewhere(kept, here, there).check()


def test_inputs_that_are_missing_or_of_another_length_are_named(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (here / "in.mp4").write_bytes(b"film")
    files = elsewhere(Storage([here / "in.mp4"]), here, there)
    with pytest.raises(ClusterError, match=re.escape(f"{there / 'in.mp4'}: is not seen from the node")):
        files.check()
    (there / "in.mp4").write_bytes(b"other")
    with pytest.raises(ClusterError, match=r"in\.mp4: is another file on the node .*, of 5 bytes instead of 4\."):
        files.check()


def test_a_token_that_was_taken_for_left_over_is_written_again(tmp_path: Path) -> None:
    kept = Storage((), [tmp_path])
    for entry in tmp_path.iterdir():
        entry.unlink()
    kept.renew()
    kept.files.check()


def test_a_folder_that_can_t_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/out: can't be written to"):
        Storage((), [tmp_path / "file" / "out"])
