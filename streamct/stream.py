"""Decode, analyse, grade and encode at the same time, in bounded memory and in order.

One thread decodes, one samples and grades, `workers` render, one encodes. Frames wait in a ring until their
grade is known: at most the grader's delay and what is in flight. The first error of any thread stops all and
is raised by `run`; so does an interrupt of the caller.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from streamct.grade.track import Grade
from streamct.model import Frame
from streamct.work import check, cores, machine_cores, tell

_DECODED_AHEAD = 4
_POLL_SECONDS = 0.1

T = TypeVar("T")
Sample = Callable[[Frame], Any]
Render = Callable[[Frame, Grade], Frame]
Write = Callable[[Frame], None]


class Grading(Protocol):
    """Takes what `sample` makes of each frame, in order, and gives one grade a frame, in the same order."""

    def push(self, sample: Any, /) -> Iterable[Grade]:
        """Take the next frame's; gives the grades that are now determined."""

    def finish(self) -> Iterable[Grade]:
        """The clip has ended: gives the remaining grades."""


class _StoppedError(Exception):
    """Another thread has failed; this one ends quietly."""


def render_workers() -> int:
    """Render threads: half the cores, which the encoder and the decoder share with us."""
    return max(1, min(8, cores() // 2))


def decoder_threads() -> int:
    """Threads of the decoder: half the cores too. One is the stage's own, without a frame more in flight."""
    return max(1, min(16, cores() // 2))


def encoder_threads(encoder: str) -> int | None:
    """Threads of the encoder, None for its own choice: all of the machine. x264 takes one and a half times the cores if
    it may: beside our own threads that makes a frame 5-10% dearer and no frame earlier."""
    return min(cores(), 32) if encoder == "libx264" or cores() < machine_cores() else None


class Stream:
    """One pass over a clip's frames.

    frames: the source. sample, render, write: what is done to each; `render` is called from several threads.
    on_stop: called when the pass ends early, perhaps twice, from any thread; it should end a wait in `frames`.
    keep: whether a frame, once sampled, is rendered and written, None for all; `grader` gives a grade for those only.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        sample: Sample,
        grader: Grading,
        render: Render,
        write: Write,
        on_stop: Callable[[], None] = lambda: None,
        keep: Callable[[Frame], bool] | None = None,
    ) -> None:
        self._frames = frames
        self._sample = sample
        self._grader = grader
        self._render = render
        self._write = write
        self._on_stop = on_stop
        self._keep = keep
        workers = render_workers()
        self._decoded: queue.Queue[Frame | None] = queue.Queue(_DECODED_AHEAD)
        self._rendered: queue.Queue[Future[Frame] | None] = queue.Queue(2 * workers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="streamct-render")
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, on_frame: Callable[[int], None] | None = None) -> int:
        """Process all frames; returns how many. on_frame: called now and then with the number done."""
        threads = [
            threading.Thread(target=self._guarded, args=(stage,), name=f"streamct-{stage.__name__.strip('_')}")
            for stage in (self._decode, self._analyse, self._encode)
        ]
        self._done = 0
        for thread in threads:
            thread.start()
        told = 0
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_POLL_SECONDS)
                    check()
                    if self._done != told:
                        told = self._done
                        tell(told)
                        if on_frame is not None:
                            on_frame(told)
        except BaseException:
            self._stop.set()
            self._on_stop()
            raise
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error
        tell(self._done)
        return self._done

    def _guarded(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except _StoppedError:
            pass
        except BaseException as error:
            with self._lock:
                self._error = self._error or error
            self._stop.set()
            self._on_stop()

    def _decode(self) -> None:
        for frame in self._frames:
            self._put(self._decoded, frame)
        self._put(self._decoded, None)

    def _analyse(self) -> None:
        ring: deque[Frame] = deque()
        while (frame := self._get(self._decoded)) is not None:
            if self._keep is None or self._keep(frame):
                ring.append(frame)
            for grade in self._grader.push(self._sample(frame)):
                self._submit(ring.popleft(), grade)
        for grade in self._grader.finish():
            self._submit(ring.popleft(), grade)
        self._put(self._rendered, None)

    def _submit(self, frame: Frame, grade: Grade) -> None:
        try:
            future = self._pool.submit(self._render, frame, grade)
        except RuntimeError as closed:
            raise _StoppedError from closed
        self._put(self._rendered, future)

    def _encode(self) -> None:
        while (future := self._get(self._rendered)) is not None:
            self._write(future.result())
            self._done += 1

    def _put(self, target: queue.Queue[T], item: T) -> None:
        while not self._stop.is_set():
            try:
                target.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _StoppedError

    def _get(self, source: queue.Queue[T]) -> T:
        while not self._stop.is_set():
            try:
                return source.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
        raise _StoppedError
