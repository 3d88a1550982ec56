"""Standard input and output as the files that FFmpeg reads and writes.

PyAV drops what is not an `Exception` when it comes out of a file's methods, such as the end of the program that a
signal asks for. So both classes keep it in `interrupted` and fail in another way; `passing_on` raises it.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from streamct.errors import ClosedOutputError, UsageError
from streamct.media.ebml import HEAD

DASH = Path("-")
"""What stands for standard input as an input, and for standard output as an output."""
STDIN = Path("standard input")
STDOUT = Path("standard output")
"""Their names in messages."""


class StandardInput:
    """Standard input for `av.open`. `stop`, from any thread, ends a read that waits for a writer.

    It can be sought in where it is a regular file that is read from its beginning (`< in.mp4`). head: its first
    `HEAD` bytes or more. reached: how many bytes it has given, of a regular file all that it has.

    Raises:
        UsageError: it is a terminal or closed.
    """

    seek: Any
    tell: Any

    def __init__(self) -> None:
        try:
            self._source = sys.__stdin__.fileno() if sys.__stdin__ is not None else 0
            status = os.fstat(self._source)
        except (OSError, ValueError) as cause:
            raise UsageError(f"-: {STDIN} is closed. Pipe a video into it, or name a file.") from cause
        if os.isatty(self._source):
            raise UsageError(f"-: {STDIN} is a terminal. Pipe a video into it, or name a file.")
        self.head, self.reached = b"", 0
        self._flows = not stat.S_ISREG(status.st_mode) or os.lseek(self._source, 0, os.SEEK_CUR) != 0
        if not self._flows:
            self.reached = status.st_size
            self.seek = lambda offset, whence=os.SEEK_SET: os.lseek(self._source, offset, whence)
            self.tell = lambda: os.lseek(self._source, 0, os.SEEK_CUR)
        self._wake, self._waker = os.pipe()
        self._stopped = False
        self.interrupted: BaseException | None = None
        self._poll = select.poll()
        self._poll.register(self._source, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end or after `stop`."""
        try:
            while not self._stopped:
                ready = [descriptor for descriptor, _ in self._poll.poll()]
                if self._source in ready and not self._stopped:
                    return self._noted(os.read(self._source, size))
        except Exception:
            raise
        except BaseException as signal:
            self.interrupted, self._stopped = signal, True
        return b""

    def _noted(self, data: bytes) -> bytes:
        if len(self.head) < HEAD:  # read in one go, before FFmpeg seeks
            self.head += data
        if self._flows:
            self.reached += len(data)
        return data

    def stop(self) -> None:
        """Make this and every later read end at once."""
        if not self._stopped:
            self._stopped = True
            os.write(self._waker, b"!")

    def close(self) -> None:
        """Give back what waking takes; standard input itself stays open. No read may be going on."""
        if self._wake >= 0:
            self._stopped = True
            os.close(self._wake)
            os.close(self._waker)
            self._wake = -1


class StandardOutput:
    """Standard output for `av.open`. `stop`, from any thread, ends a write that waits for a reader.

    Raises:
        UsageError: it is a terminal or closed.
    """

    def __init__(self) -> None:
        self.interrupted: BaseException | None = None
        try:
            self._target = sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
            flows = not stat.S_ISREG(os.fstat(self._target).st_mode)
        except (OSError, ValueError) as cause:
            raise UsageError(f"-o -: {STDOUT} is closed. Name an output file.") from cause
        if os.isatty(self._target):
            raise UsageError(f"-o -: {STDOUT} is a terminal. Pipe it into a program, or name an output file.")
        self._own, self._most = -1, None if not flows else select.PIPE_BUF
        if flows:
            with suppress(OSError):  # opened anew: not to wait holds for us alone, not for who else has the same pipe
                self._own = os.open(f"/proc/self/fd/{self._target}", os.O_WRONLY | os.O_NONBLOCK)
                self._target, self._most = self._own, None
        self._wake, self._waker = os.pipe()
        self._stopped = False
        self._poll = select.poll()
        self._poll.register(self._target, select.POLLOUT)
        self._poll.register(self._wake, select.POLLIN)

    def stop(self) -> None:
        """Make this and every later write fail at once."""
        if not self._stopped:
            self._stopped = True
            os.write(self._waker, b"!")

    def close(self) -> None:
        """Give back what waking takes; standard output itself stays open. No write may be going on."""
        for descriptor in (self._wake, self._waker, self._own):
            if descriptor >= 0:
                os.close(descriptor)
        self._wake = self._waker = self._own = -1

    def write(self, data: bytes) -> int:
        """Write all of it.

        Raises:
            ClosedOutputError: nobody reads any more, or `stop` was called.
        """
        left = memoryview(data)
        try:
            while len(left):
                self._poll.poll()
                if self._stopped:
                    raise ClosedOutputError(f"{STDOUT}: writing was stopped.")
                with suppress(BlockingIOError):
                    left = left[os.write(self._target, left[: self._most]) :]
        except BrokenPipeError as cause:
            raise ClosedOutputError(f"{STDOUT}: was closed by the program that read it.") from cause
        except Exception:
            raise
        except BaseException as signal:
            self.interrupted = signal
            raise ClosedOutputError(f"{STDOUT}: writing was interrupted.") from signal
        return len(data)


@contextmanager
def passing_on(pipe: StandardInput | StandardOutput) -> Iterator[None]:
    """Raise what interrupted reading or writing in the block."""
    try:
        yield
    finally:
        if pipe.interrupted is not None:
            raise pipe.interrupted


@contextmanager
def standard_output() -> Iterator[StandardOutput]:
    """Standard output, open for a graded stream in the block; what interrupts writing to it is raised.

    Raises:
        UsageError: it is a terminal or closed.
    """
    pipe = StandardOutput()
    try:
        with passing_on(pipe):
            yield pipe
    finally:
        pipe.close()
