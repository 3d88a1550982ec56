"""One pass over standard input for all who want something of it.

A file is opened anew by each of its readers, so that none waits for another. A pipe can be read once: packets of
the graded stream go to the decoder as they come, those of all others wait in a queue until their time has been
encoded. Nothing is laid down on disk, so a stream without an end can be graded while it comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import cast

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamct.errors import InputError, NoVideoError
from streamct.media.ebml import declared_bytes
from streamct.media.movie import ends_with_header
from streamct.media.pipes import STDIN, StandardInput, passing_on
from streamct.media.probe import choose, describe, reason
from streamct.media.restarts import Restarts, restarts_of
from streamct.model import Clip

_MOST_WAITING = 1 << 29
"""Bytes of packets that may wait for the graded stream: an hour of sound, with a wide margin."""


class Demuxer:
    """Standard input, opened and probed: `clip` tells what it holds. Use as a context manager.

    stream: index of the video stream to grade; None: the best one. threading: of the decoder, as PyAV calls it.

    Raises:
        InputError, NoVideoError: nothing comes, or no video that can be read without seeking.
        UsageError: standard input is a terminal.
    """

    def __init__(self, stream: int | None = None, threading: str = "AUTO") -> None:
        self._source = StandardInput()
        self._begun: deque[Packet] = deque()
        self._waiting: deque[Packet] = deque()
        self._bytes = 0
        try:
            with passing_on(self._source):
                self.container = self._open()
                self.clip = self._look(stream, threading)
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> Demuxer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.container.close()
        self._source.close()

    def stop(self) -> None:
        """End a read that waits for input, from any thread."""
        self._source.stop()

    def missing_bytes(self) -> int:
        """How much of a Matroska stream that tells its size has not come, when it has ended."""
        size = declared_bytes(self._source.head)
        return 0 if size is None else max(0, size - self._source.reached)

    def video(self) -> Iterator[Packet[VideoStream]]:
        """Packets of the graded stream; those of the others are laid aside.

        Raises:
            av.FFmpegError: the input is damaged.
            InputError: too much of the other streams comes before the graded one.
        """
        while self._begun:
            packet = self._begun.popleft()
            if self._is_ours(packet):
                yield cast("Packet[VideoStream]", packet)
        for packet in self._packets:
            if self._is_ours(packet):
                yield cast("Packet[VideoStream]", packet)

    def other(self) -> Packet | None:
        """The next packet of the other streams, None if none has come yet."""
        try:
            packet = self._waiting.popleft()
        except IndexError:
            return None
        self._bytes -= packet.size
        return packet

    def begun(self, index: int) -> Packet | None:
        """The first packet of a stream, if it came before the first picture could be decoded."""
        return next((packet for packet in self._begun if packet.stream.index == index and packet.size), None)

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(self._source, "r", metadata_errors="replace")
        except (av.FFmpegError, OSError) as cause:
            raise InputError(
                f"{STDIN}: can't be read as a video ({reason(cause)}). Nothing came, or it is damaged, or it is of a "
                "kind that needs a file. Pipe Matroska, NUT, Y4M or MPEG-TS; MP4 only made with -movflags +faststart."
            ) from cause

    def _look(self, stream: int | None, threading: str) -> Clip:
        try:
            chosen = choose(self.container, STDIN, stream)
            chosen.thread_type = threading
            self.restarts: Restarts | None = restarts_of(self.container, chosen)
            self._packets: Iterator[Packet] = self.container.demux()
            if self.restarts is not None:
                self._packets = self.restarts.steady(self._packets)
            clip = describe(self.container, chosen, STDIN, self._first(chosen.index))
            chosen.codec_context.flush_buffers()  # what it saw comes again
            return clip
        except NoVideoError as cause:
            self.container.close()
            if ends_with_header(self._source.head):
                raise InputError(
                    f"{STDIN}: is MP4 or MOV whose header comes at its end, which can't be read from a pipe. Name the "
                    "file, make it with -movflags +faststart, or pipe it as Matroska."
                ) from cause
            raise
        except BaseException:
            self.container.close()
            raise

    def _first(self, index: int) -> Iterator[Packet]:
        for packet in self._packets:
            self._begun.append(packet)
            if packet.stream.index == index:
                yield packet

    def _is_ours(self, packet: Packet) -> bool:
        """Whether it is of the graded stream. If not, it is laid aside."""
        if packet.stream.index == self.clip.stream:
            return True
        if packet.size:
            self._bytes += packet.size
            if self._bytes > _MOST_WAITING:
                raise InputError(
                    f"{STDIN}: {_MOST_WAITING >> 20} MiB of its other streams come before the pictures of the same "
                    "time. Save it as a file and grade that."
                )
            self._waiting.append(packet)
        return False
