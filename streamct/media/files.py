"""Files appear under their final name whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamct.errors import OutputError
from streamct.media.pipes import STDOUT

_END_BYTES = 1 << 16
_LONGEST = 128
"""Bytes of a name that is part of a temporary one; file systems take 255."""
_STALE = 6 * 3600.0
"""Seconds without a change after which a temporary file of another machine counts as left over."""
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?:(?P<host>\w+)-)?(?P<process>\d+)\.(?:partial(?P<ending>\.[^.]+)?|parts)")


def _host() -> str:
    """The machine's name, and what tells its start and the numbering of processes here from any other: containers may
    share the name of their machine and still count their processes from 1."""
    facts = ""
    with suppress(OSError):
        facts += Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        facts += os.readlink("/proc/self/ns/pid")
    name = re.sub(r"\W", "_", socket.gethostname()) or "host"
    return f"{name}_{hashlib.sha256(facts.encode()).hexdigest()[:8]}" if facts else name


HOST = _host()
"""Where process numbers mean what they mean here, in names of temporary files: several may write to one folder."""


def check_target(target: Path, sources: tuple[Path, ...], overwrite: bool) -> None:
    """Refuse a target that is one of the sources, exists without leave, is no file, or can't be written to.

    Raises:
        OutputError: any of these.
    """
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise OutputError(f"{target}: is an input of this run; an input is never overwritten. Name another output.")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder. Name a file.")
    _check_kind(target)
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already. Pass --overwrite (-y) to replace it, or name another output.")
    check_folder(followed(target))


def followed(target: Path) -> Path:
    """The file that a link leads to, whether that exists or not; what is no link as it is."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def _check_kind(target: Path) -> None:
    """Refuse what a finished file would replace, though it is none: only a file can appear whole."""
    try:
        mode = target.stat().st_mode
    except OSError:
        return
    if stat.S_ISFIFO(mode):
        raise OutputError(
            f"{target}: is a named pipe, and a file would take its place. Name a file, or write a video into the pipe "
            f"with -o - > {target}"
        )
    if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise OutputError(f"{target}: is a device or a socket, and a file would take its place. Name a file.")


def check_folder(target: Path) -> None:
    """Refuse a target whose folder is missing or can't be written to.

    Raises:
        OutputError: so it is.
    """
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"{target}: the folder {folder} does not exist. Create it first.")
    check_writable(folder, target)


def check_writable(folder: Path, target: Path) -> None:
    """Refuse a target for which nothing may be made in a folder.

    Raises:
        OutputError: so it is.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target}: the folder {folder} can't be written to. Check its permissions.")


def check_room(folder: Path, remedy: str) -> None:
    """Refuse a folder that nothing can be written to, told by writing a little: permissions say nothing of a full disk.
    It is made where it is missing. remedy: a sentence for the user.

    Raises:
        OutputError: so it is.
    """
    temporary = beside(folder / "room")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputError(f"{folder}: can't be made into a folder ({cause.strerror}). {remedy}") from cause
    try:
        with open(temporary, "wb") as file:
            file.write(bytes(_END_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as cause:
        raise OutputError(f"{folder}: can't be written to ({cause.strerror}). {remedy}") from cause
    finally:
        with suppress(OSError):
            temporary.unlink()


def tells_case(folder: Path) -> bool:
    """Whether names that differ in case alone are two files in a folder that is there or will be. It is tried with a
    temporary file; where none can be made, they are taken for one."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.is_dir()), folder)
    with suppress(OSError), tempfile.NamedTemporaryFile(prefix=".Case", dir=there) as tried:
        return not Path(tried.name).with_name(Path(tried.name).name.swapcase()).exists()
    return False


def fingerprint(path: Path) -> str:
    """What tells one file from another without reading all of it: SHA-256 of its length, first and last 64 KiB.

    Raises:
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(size - _END_BYTES, 0)):
            file.seek(start)
            digest.update(file.read(_END_BYTES))
    return digest.hexdigest()


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """A temporary name beside `target`; renamed to it when the block ends well, removed when it does not.

    Leftovers of processes that no longer live are removed first. Of a link, the file that it leads to is the target.

    Raises:
        OutputError: no space, the folder can't be written to, or the target is no file but a pipe or a device.
    """
    _check_kind(target)
    ending, target = target.suffix, followed(target)
    sweep(target.parent, target)
    temporary = beside(target, ending=ending)
    try:
        with writing(target):
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
            sync_folder(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn the system's errors while `target` is written into our own."""
    try:
        yield
    except BrokenPipeError:
        raise  # who reads what is printed has gone; the file is not at fault
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            where = "where it goes to" if target == STDOUT else f"in {target.parent}"
            raise OutputError(f"{target}: no space left {where}. Free some, or write elsewhere with -o.") from cause
        if cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(
                f"{target}: the folder {target.parent} can't be written to ({cause.strerror})."
            ) from cause
        raise OutputError(f"{target}: can't be written ({cause}).") from cause


def beside(target: Path, *, ending: str = "", kind: str = "partial") -> Path:
    """A temporary name for what becomes `target`, in its folder, which tells whose it is. ending: the target's own,
    where that says how it is written. kind: "partial", or "parts" for a folder of them. Of a long name a digest
    stands in it."""
    name = _short(target.name.removesuffix(ending))
    return target.with_name(f".{name}.{HOST}-{os.getpid()}.{kind}{ending}")


def _short(name: str) -> str:
    whole = os.fsencode(name)
    return name if len(whole) <= _LONGEST else hashlib.sha256(whole).hexdigest()[:32]


def sweep(folder: Path, target: Path | None = None) -> None:
    """Remove temporary files in `folder` that no process writes to any more. target: only those of this file."""
    with suppress(OSError):
        for entry in folder.iterdir():
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None:
                continue
            if target is not None and found["name"] not in (
                _short(target.name), _short(target.name.removesuffix(found["ending"] or ""))
            ):  # fmt: skip
                continue
            with suppress(OSError):
                if _left_over(entry, found["host"], int(found["process"])):
                    _remove(entry)


def _left_over(entry: Path, host: str | None, process: int) -> bool:
    """host: whose process it is, None where the name does not tell. Of another machine, or of this one before it was
    started anew, nobody here knows what lives, so that time has to tell."""
    if host == HOST:
        return not alive(process)
    times: list[float] = [path.lstat().st_mtime for path in (entry, *(entry.rglob("*") if entry.is_dir() else ()))]
    return time.time() - max(times) > _STALE


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether there is a process of this number that can still do something."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    with suppress(OSError):  # one that has ended keeps its number until its parent looks
        return b") Z " not in Path(f"/proc/{process}/stat").read_bytes()
    return True


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, where its file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those folders, innermost first, in which nothing came to lie."""
    for folder in folders:
        with suppress(OSError):  # of those that hold something
            folder.rmdir()
