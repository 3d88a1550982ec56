"""Packets at a file's beginning that nothing can be made of: a recording that begins inside a group of pictures.

What is broadcast is usually recorded so. Decoders leave out, without a word, what is made from pictures before the
first key frame.
"""

from __future__ import annotations

from av.packet import Packet


class Beginning:
    """Counts the first packets that no frame comes of, for pictures they are made from are not in the file."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._untimed = 0
        self._key: int | None = None
        self._keyed = False
        self._begun = False

    def look(self, packet: Packet) -> None:
        """See the next packet, before it is decoded."""
        if self._begun or not packet.size:
            return
        if packet.is_keyframe and not self._keyed:
            self._keyed, self._key = True, packet.pts
        if packet.is_discard:  # by an edit list
            return
        if packet.pts is not None:
            self._times.append(packet.pts)
        elif not self._keyed:
            self._untimed += 1

    def decoded(self, pts: int | None) -> None:
        """See the next frame that came."""
        if not self._begun:
            self._begun = True
            known = [time for time in (pts, self._key) if time is not None]
            self._times = [time for time in self._times if known and time < min(known)]
            if pts is None or not self._keyed:
                self._untimed = 0
        elif pts in self._times:  # times that run backwards
            self._times.remove(pts)

    @property
    def waits(self) -> bool:
        """Whether no key frame and no frame has come yet: a decoder that knows no headers may fail until then."""
        return not (self._keyed or self._begun)

    @property
    def lost(self) -> int:
        """How many there are."""
        return len(self._times) + self._untimed if self._begun else 0

    @property
    def said(self) -> str:
        """A line about them."""
        if self.lost == 1:
            return (
                "the first packet can't be decoded and is left out: it needs a picture from before the file's beginning"
            )
        return (
            f"the first {self.lost} packets can't be decoded and are left out: they need a picture from before the "
            "file's beginning"
        )
