"""Processes of a private Ray instance, and how they end with us: also while they start, also if a signal cuts in."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_END_SECONDS = 1.0


@contextmanager
def our_signals(ray: Any) -> Iterator[None]:
    """Have signals go where they went before while Ray starts, at every moment of it.

    Ray takes SIGTERM for itself twice: with a handler that exits with the number of the signal, and with one below
    Python that prints a dump and ends us. The first is left out. While the second is put up the signal waits, until
    what Python knows of is back in its place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    utils, worker = ray._private.utils, ray._private.worker
    take, connect = utils.set_sigterm_handler, worker.connect

    def connect_unheard(*arguments: Any, **options: Any) -> Any:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return connect(*arguments, **options)
        finally:
            handler = signal.getsignal(signal.SIGTERM)
            if handler is not None:
                signal.signal(signal.SIGTERM, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    utils.set_sigterm_handler = lambda handler: None
    worker.connect = connect_unheard
    try:
        yield
    finally:
        utils.set_sigterm_handler, worker.connect = take, connect


class Instance:
    """What Ray starts from here on as processes below ours.

    Ray ends them in good order, but not those of which it does not know yet, and some that it knows outlive it by a
    minute, waiting for a parent that is gone.
    """

    def __init__(self) -> None:
        self._before = {process.pid for process in _children()}
        self._seen: dict[int, Any] = {}

    def look(self) -> None:
        """Note what there is: what has lost its parent is not found any more."""
        for child in _children():
            if child.pid not in self._before and _is_ray(child):
                self._seen[child.pid] = child
                self._seen |= {below.pid: below for below in _below(child)}

    def note(self, number: int) -> None:
        """Note one by its number."""
        with suppress(Exception):
            import psutil  # type: ignore[import-untyped, unused-ignore]

            process = psutil.Process(number)
            if process.cmdline()[0].startswith("ray::"):
                self._seen[number] = process

    def end(self) -> None:
        """End what is left of all that was noted."""
        for process in self._seen.values():
            with suppress(Exception):  # gone
                process.kill()
        limit = time.monotonic() + _END_SECONDS
        while any(map(_lives, self._seen.values())) and time.monotonic() < limit:
            time.sleep(0.01)
        self._seen = {}


class Raylet:
    """Ray's process on this machine, through which all goes. Where it has ended, Ray ends us too, without a word, as
    soon as its object store is needed: so who uses Ray asks first.

    A line to it is held open, for nothing but to be cut off when it ends.
    """

    def __init__(self, ray: Any) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._held = False
        with suppress(Exception):  # where Ray keeps it elsewhere one day, nothing is noticed
            self._line.connect(ray._private.worker._global_node.raylet_socket_name)
            self._line.setblocking(False)
            self._held = True

    def ended(self) -> bool:
        """Whether it is gone."""
        if not self._held:
            return False
        try:
            return self._line.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Look no more."""
        self._line.close()
        self._held = False


def _children() -> list[Any]:
    with suppress(Exception):
        import psutil  # type: ignore[import-untyped, unused-ignore]  # Ray brings it

        return list(psutil.Process().children())
    return []


def _below(process: Any) -> list[Any]:
    with suppress(Exception):
        return list(process.children(recursive=True))
    return []


def _lives(process: Any) -> bool:
    with suppress(Exception):
        return bool(process.is_running() and process.status() != "zombie")
    return False


def _is_ray(process: Any) -> bool:
    """Whether it runs what Ray's package holds; those that have not begun yet have our own command line."""
    with suppress(Exception):
        return any("/ray/" in word or word.startswith("ray::") for word in process.cmdline())
    return False
