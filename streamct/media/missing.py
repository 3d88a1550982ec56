"""Pictures of a stream that are missing though others are made from them: what is found, whatever the codec."""

from __future__ import annotations

from abc import ABC, abstractmethod

from av.packet import Packet


class MissingPictures(ABC):
    """Looks at the packets of a stream, in coding order, from wherever on; `look` takes the next one.

    extradata: of the stream. lost: how many pictures are missing, at least. first: pts of the first packet that lacks
    one. spoilt: pts of all packets that may be made from what is missing, as far as they have one.
    """

    def __init__(self, extradata: bytes | None) -> None:
        self.lost = 0
        self.first: int | None = None
        self.spoilt: set[int] = set()
        self._length = 0  # of the numbers before each unit; 0: start codes
        self._configure(extradata or b"")

    def look(self, packet: Packet) -> None:
        """The next packet."""
        if packet.has_sidedata("new_extradata"):
            self._configure(bytes(packet.get_sidedata("new_extradata")))
        if packet.size:
            self._look(packet)

    def _found(self, packet: Packet, missing: int) -> None:
        """Count so many pictures that a packet lacks, or that are missing before it."""
        if missing:
            self.lost += missing
            self.first = self.first if self.first is not None else packet.pts
        if packet.pts is not None:
            self.spoilt.add(packet.pts)

    @abstractmethod
    def _look(self, packet: Packet) -> None: ...

    @abstractmethod
    def _configure(self, extradata: bytes) -> None:
        """Take the parameters that a file's header holds."""
