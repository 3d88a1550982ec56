"""Streams of an output that were copied, and where they are found when it is read again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

from streamct.media.probe import is_cover


@dataclass(slots=True)
class CopiedStream:
    """A stream in the output that was copied: its index there, how many packets, when the first is due.

    index: as it is found when the file is read; negative: from the end, where -1 is the last one. first: smallest
    presentation time in seconds, None without packets. size: of all packets in bytes. recut: it is raw samples, which
    come in other packets when the file is read again.
    """

    index: int
    kind: str
    packets: int = 0
    first: Fraction | None = None
    size: int = 0
    recut: bool = False

    def count(self, packet: Packet) -> None:
        """One more packet of it."""
        self.packets += 1
        self.size += packet.size
        if packet.pts is not None:
            time = packet.pts * packet.time_base
            self.first = time if self.first is None else min(self.first, time)

    @property
    def is_empty(self) -> bool:
        """Whether nothing came of it: an attachment has no packets."""
        return not self.packets and self.kind != "attachment"


class CopiedStreams:
    """By the input's indices. films: the output is MP4 or MOV. dropped: indices in the output of those that the muxer
    has not written."""

    def __init__(self, films: bool) -> None:
        self.by_source: dict[int, CopiedStream] = {}
        self.dropped: list[int] = []
        self._films = films
        self._covers: list[int] = []

    def add(self, source: Stream, index: int, packets: int = 0) -> None:
        """One that is going to be copied, to `index` in the output. packets: that it has already."""
        self.by_source[source.index] = CopiedStream(index, source.type, packets, recut=_is_recut(source))
        if is_cover(source):
            self._covers.append(index)

    def settle(self) -> list[tuple[int, CopiedStream]]:
        """All packets have come: what the muxer does not write goes, and is returned by the input's indices; the others
        have the index from now on under which they are found. A film has no track without packets."""
        empty = [(source, told) for source, told in self.by_source.items() if self._films and told.is_empty]
        for source, told in empty:
            self.dropped.append(told.index)
            del self.by_source[source]
        for told in self.by_source.values():
            told.index = self.found_at(told.index)
        return empty

    def found_at(self, index: int) -> int:
        """The index under which a stream of the output is found when that is read again, as `CopiedStream` has it.

        A film's tracks without packets are not written, and its cover art is no track: it comes last, behind the tracks
        that the muxer makes of chapters and timecode.
        """
        if not self._films:
            return index
        covers = [cover for cover in self._covers if cover not in self.dropped]
        if index in covers:
            return covers.index(index) - len(covers)
        return index - sum(other < index for other in (*self.dropped, *covers))


def _is_recut(stream: Stream) -> bool:
    return stream.codec_context is not None and stream.codec_context.codec.canonical_name.startswith("pcm_")
