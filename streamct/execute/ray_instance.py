"""Processes of a private Ray instance, and how they end with us: also while they start, also if a signal cuts in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


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

    def end(self) -> None:
        """End what is left of all that was noted."""
        for process in self._seen.values():
            with suppress(Exception):  # gone
                process.kill()
        self._seen = {}


def _children() -> list[Any]:
    with suppress(Exception):
        import psutil  # type: ignore[import-untyped, unused-ignore]  # Ray brings it

        return list(psutil.Process().children())
    return []


def _below(process: Any) -> list[Any]:
    with suppress(Exception):
        return list(process.children(recursive=True))
    return []


def _is_ray(process: Any) -> bool:
    """Whether it runs what Ray's package holds; those that have not begun yet have our own command line."""
    with suppress(Exception):
        return any("/ray/" in word or word.startswith("ray::") for word in process.cmdline())
    return False
