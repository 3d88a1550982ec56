"""Clocks that begin again in the middle, as where MPEG files were put behind each other: made to go on.

What follows a restart is moved so that its first picture comes one frame after the last one before it, and every other
stream by as much: sound stays with its pictures. Where it then overlaps what was before, it is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

_RESTARTING = {"mpegts", "mpeg"}
"""Containers whose clock may begin again."""
_BACK = Fraction(1)
"""Seconds by which a stream has to go back."""


def restarts_of(container: av.container.InputContainer, stream: VideoStream) -> Restarts | None:
    """What looks for restarts in a file or pipe, by its video stream; None for kinds that have none."""
    return Restarts(stream) if container.format.name in _RESTARTING else None


class Restarts:
    """Gives packets of a file, in its order, times that go on.

    first: the time in seconds, as it goes on, of the first picture after the first restart. left_out: by stream, how
    many packets overlapped.
    """

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.average_rate or stream.guessed_rate
        self._video = stream.index
        self._step = 1 / Fraction(rate) if rate else None
        self._offsets = [Fraction(0)]
        self._last: dict[int, Fraction] = {}
        self._run: dict[int, int] = {}
        self._ends: dict[int, Fraction] = {}
        self._shown: Fraction | None = None
        self._turn = Fraction(0)
        self._held: list[Packet] = []
        self.first: Fraction | None = None
        self.left_out: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How often the clock began again."""
        return len(self._offsets) - 1

    def steady(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets with their new times. Where other streams restart before the pictures, they wait for these."""
        for packet in packets:
            time = packet.dts if packet.dts is not None else packet.pts
            if not packet.size or time is None:
                yield packet
                continue
            if packet.stream.index == self._video:
                if self._look(packet, time * packet.time_base):
                    held, self._held = self._held, []
                    for waiting in held:
                        yield from self._moved(waiting, self.count)
                yield from self._moved(packet, self.count)
            else:
                run = self._run_of(packet.stream.index, time * packet.time_base)
                if run > self.count:
                    self._held.append(packet)
                else:
                    yield from self._moved(packet, run)
        for packet in self._held:  # no picture followed
            yield from self._moved(packet, self.count)

    def _look(self, packet: Packet[Any], time: Fraction) -> bool:
        """Follow the pictures; whether they begin again with this packet."""
        base = packet.time_base
        last = self._last.get(self._video)
        self._last[self._video] = time
        again = last is not None and time < last - _BACK
        shown = time if packet.pts is None else packet.pts * base
        if again and self._shown is not None and last is not None:
            self._turn = last
            length = self._step or (packet.duration or 1) * base
            self._offsets.append(self._shown + length - shown)
            if self.first is None:
                self.first = self._shown + length
        now = shown + self._offsets[-1]
        self._shown = now if self._shown is None else max(self._shown, now)
        return again

    def _run_of(self, index: int, time: Fraction) -> int:
        """Between which restarts a packet of another stream lies."""
        last, run = self._last.get(index), self._run.get(index, 0)
        self._last[index] = time
        if last is not None and time < last - _BACK:
            run += 1
        elif run < self.count and abs(time - self._last[self._video]) < abs(time - self._turn):
            run = self.count
        self._run[index] = run
        return run

    def _moved(self, packet: Packet[Any], run: int) -> Iterator[Packet[Any]]:
        offset, base = self._offsets[run], packet.time_base
        ticks = round(offset / base)
        if ticks:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        index = packet.stream.index
        time = packet.dts if packet.dts is not None else packet.pts
        assert time is not None
        if run and index != self._video and time * base < self._ends.get(index, -math.inf):
            self.left_out[index] = self.left_out.get(index, 0) + 1
            return
        self._ends[index] = (time + Fraction(packet.duration or 0) / 2) * base  # half of it may overlap
        yield packet
