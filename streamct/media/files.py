"""Files appear under their final name whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamct.errors import OutputError
from streamct.media.pipes import STDOUT

_END_BYTES = 1 << 16
HOST = re.sub(r"\W", "_", socket.gethostname()) or "host"
"""This machine, in names of temporary files: several may write to one folder, and number their processes alike."""


def check_target(target: Path, sources: tuple[Path, ...], overwrite: bool) -> None:
    """Refuse a target that is one of the sources, exists without leave, or can't be written to.

    Raises:
        OutputError: any of these.
    """
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise OutputError(f"{target}: is an input of this run; an input is never overwritten. Name another output.")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder. Name a file.")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already. Pass --overwrite (-y) to replace it, or name another output.")
    check_folder(target)


def check_folder(target: Path) -> None:
    """Refuse a target whose folder is missing or can't be written to.

    Raises:
        OutputError: so it is.
    """
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"{target}: the folder {folder} does not exist. Create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target}: the folder {folder} can't be written to. Check its permissions.")


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

    Leftovers of processes that no longer live are removed first.

    Raises:
        OutputError: no space, or the folder can't be written to.
    """
    _sweep(target)
    temporary = target.with_name(f".{target.stem}.{HOST}-{os.getpid()}.partial{target.suffix}")
    try:
        with writing(target):
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)
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


def _sweep(target: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.stem)}\.(?:(\w+)-)?(\d+)\.partial{re.escape(target.suffix)}")
    with suppress(OSError):
        for entry in target.parent.iterdir():
            match = pattern.fullmatch(entry.name)
            if match and match[1] in (None, HOST) and not alive(int(match[2])):
                entry.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
