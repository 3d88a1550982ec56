"""One run at a time works on an output: a lock that the system gives back when its holder ends, however that ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from streamct.errors import OutputError

_locks: Any = None
_limits: Any = None
with suppress(ImportError):  # of a system without such locks
    _locks, _limits = import_module("fcntl"), import_module("resource")


@contextmanager
def held(lock: Path, target: Path) -> Iterator[None]:
    """Hold `lock`, a file that is made for it and goes with the block. target: the output that it stands for.

    Where the file system has no locks, or too many files are open, the block runs without one.

    Raises:
        OutputError: another run holds it, or the file can't be made.
    """
    descriptor = _taken(lock, target)
    try:
        yield
    finally:
        if descriptor is not None:
            lock.unlink(missing_ok=True)  # first: who gets hold of what has no name looks again
            os.close(descriptor)


def _taken(lock: Path, target: Path) -> int | None:
    """The lock as an open file, None where there are no locks."""
    if _locks is None or not _affordable():
        return None
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as cause:
            raise OutputError(f"{lock}: can't be made ({cause.strerror}). See --work-dir.") from cause
        try:
            _locks.flock(descriptor, _locks.LOCK_EX | _locks.LOCK_NB)
        except BlockingIOError as cause:
            who = os.pread(descriptor, 300, 0).decode(errors="replace")
            os.close(descriptor)
            raise OutputError(
                f"{target}: is being graded by another run{f' ({who})' if who else ''}. "
                "Wait until that has ended, and run the command again."
            ) from cause
        except OSError:
            lock.unlink(missing_ok=True)
            os.close(descriptor)
            return None
        if _is_still(lock, descriptor):
            with suppress(OSError):  # of a full disk; only the message is poorer then
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return descriptor
        os.close(descriptor)


def _affordable() -> bool:
    """Whether the process may keep one more file open and still have some for all else: the driver of a large cluster
    holds thousands. Its limit is raised on the way, as far as it may be."""
    descriptor = os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free
    os.close(descriptor)
    now, most = _limits.getrlimit(_limits.RLIMIT_NOFILE)
    if now != _limits.RLIM_INFINITY and descriptor > now // 2 and now != most:
        with suppress(OSError, ValueError):
            _limits.setrlimit(_limits.RLIMIT_NOFILE, (4 * now if most == _limits.RLIM_INFINITY else most, most))
        now, _ = _limits.getrlimit(_limits.RLIMIT_NOFILE)
    return bool(now == _limits.RLIM_INFINITY or descriptor < now * 3 // 4)


def _is_still(lock: Path, descriptor: int) -> bool:
    """Whether the file that is locked is the one of this name: its last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(lock))
    except FileNotFoundError:
        return False
