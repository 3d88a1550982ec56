"""Pictures of H.264 that are missing though others are made from them: FFmpeg's decoder only logs that.

Every picture says its `frame_num`: that of the reference picture before it in coding order, or one more (ITU-T H.264,
7.4.3). Where it says another one, pictures have been lost, and all that follows is made from what the decoder puts in
their place, until a picture begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from av.packet import Packet

from streamct.media.lost_hevc import LostInHevc
from streamct.media.missing import MissingPictures
from streamct.media.units import Bits, after_start_codes, units

_SLICE, _SLICE_A, _IDR, _SPS, _PPS = 1, 2, 5, 7, 8
_HEAD = 48
"""Bytes of a slice that hold its `frame_num`."""
_MARKING = 512
"""Bytes of a slice that hold all of its header."""
_PARAMETERS = 1024
"""Bytes of a parameter set that hold what is read of it."""
_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
"""Profiles whose parameters tell the chroma format (7.3.2.1.1)."""
_P, _B, _I, _SP, _SI = range(5)


def looks_for_lost(codec: str, extradata: bytes | None) -> MissingPictures | None:
    """What looks for missing pictures in a stream of this codec, None where nothing tells of them."""
    if codec == "hevc":
        return LostInHevc(extradata)
    return LostPictures(extradata) if codec == "h264" else None


class LostPictures(MissingPictures):
    """Those of H.264."""

    def __init__(self, extradata: bytes | None) -> None:
        self._sps: dict[int, _Sequence] = {}
        self._pps: dict[int, _Picture] = {}
        self._previous: int | None = None
        self._marking: tuple[bytes, _Sequence, _Picture] | None = None
        self._pending = 0
        self._damaged = False
        self._clean: int | None = None
        super().__init__(extradata)

    def _look(self, packet: Packet) -> None:
        missing, fresh, intra = self._slices(packet)
        if fresh:
            self._pending, self._damaged = 0, False
        elif intra and packet.is_keyframe:  # what is shown from it on is whole; what is shown before is not
            self._damaged = (self._damaged or missing > 0) and packet.pts is not None
            self._clean = packet.pts
            self._pending += missing
        elif missing:
            self._damaged, self._clean = True, None
            self._pending += missing
        pts = packet.pts
        if not self._damaged or packet.is_discard:
            return
        if pts is not None and self._clean is not None and pts >= self._clean:
            return
        self._found(packet, self._pending)
        self._pending = 0

    def _slices(self, packet: Packet) -> tuple[int, bool, bool]:
        """How many pictures are missing before those in a packet, and whether it begins anew or is made from itself."""
        missing, fresh, intra = 0, False, False
        for unit in units(packet, self._length):
            kind = unit[0] & 31
            if kind == _SPS:
                self._add(_sequence(bytes(unit[:_PARAMETERS])))
            elif kind == _PPS:
                self._add(_picture(bytes(unit[:_PARAMETERS])))
            elif kind in (_SLICE, _SLICE_A, _IDR) and len(unit) > 1 and unit[1] & 128:  # the first of its picture
                found = self._head(unit)
                if found is None:
                    self._previous = None
                    continue
                number, shape, sps, pps = found
                if kind == _IDR:
                    fresh, self._previous = True, number
                elif self._previous is None and not packet.is_keyframe:
                    continue
                else:
                    missing += self._missing(number, sps)
                    intra = shape in (_I, _SI)
                    if self._previous is None or unit[0] & 96:
                        self._previous = number
                if unit[0] & 96:
                    self._marking = (bytes(unit[:_MARKING]), sps, pps)
                if sps.frames_only:  # no second field follows
                    break
        return missing, fresh, intra

    def _missing(self, number: int, sps: _Sequence) -> int:
        """How many pictures are missing, at least, before one of this number."""
        previous = self._previous
        if previous is None or number in (previous, (previous + 1) % sps.numbers):
            return 0
        if number <= 1 and self._marking is not None and _begins_counting(*self._marking):
            self._previous, self._marking = 0, None
            return 0
        self._previous = (number - 1) % sps.numbers
        if sps.gaps:
            return 0
        return number - previous - 1 if number > previous else 1  # an IDR picture is among the latter

    def _head(self, unit: memoryview) -> tuple[int, int, _Sequence, _Picture] | None:
        """`frame_num`, the kind of slice, and the parameters that it refers to; None where it can't be read."""
        bits = Bits(bytes(unit[1:_HEAD]))
        try:
            bits.unsigned()
            shape = bits.unsigned() % 5
            pps = self._pps[bits.unsigned()]
            sps = self._sps[pps.sequence]
            if sps.separate:
                bits.read(2)
            return bits.read(sps.number_bits), shape, sps, pps
        except (ValueError, KeyError):
            return None

    def _add(self, parameters: _Sequence | _Picture | None) -> None:
        if isinstance(parameters, _Sequence):
            self._sps[parameters.id] = parameters
        elif parameters is not None:
            self._pps[parameters.id] = parameters

    def _configure(self, extradata: bytes) -> None:
        if extradata[:1] == b"\x01" and len(extradata) > 6:  # ISO/IEC 14496-15, 5.3.3.1
            self._length = (extradata[4] & 3) + 1
            at = 5
            for mask, parse in ((31, _sequence), (255, _picture)):
                count = extradata[at] & mask if at < len(extradata) else 0
                at += 1
                for _ in range(count):
                    size = int.from_bytes(extradata[at : at + 2], "big")
                    self._add(parse(extradata[at + 2 : at + 2 + size]))
                    at += 2 + size
        else:
            self._length = 0
            for unit in after_start_codes(extradata):
                self._add(_sequence(bytes(unit[:_PARAMETERS])) if unit[0] & 31 == _SPS else None)
                self._add(_picture(bytes(unit[:_PARAMETERS])) if unit[0] & 31 == _PPS else None)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What is needed of a sequence parameter set (7.3.2.1.1)."""

    id: int
    separate: bool
    chroma: bool
    number_bits: int
    order: int
    order_bits: int
    order_fixed: bool
    gaps: bool
    frames_only: bool

    @property
    def numbers(self) -> int:
        return 1 << self.number_bits


@dataclass(frozen=True, slots=True)
class _Picture:
    """What is needed of a picture parameter set (7.3.2.2). references: usual lengths of both lists. bare: it has no
    groups of slices, which are not read."""

    id: int
    sequence: int
    bottom: bool
    bare: bool
    references: tuple[int, int] = (0, 0)
    weighted: bool = False
    weighted_both: int = 0
    redundant: bool = False


def _sequence(unit: bytes) -> _Sequence | None:
    bits = Bits(unit[1:])
    try:
        profile = bits.read(8)
        bits.read(16)
        id = bits.unsigned()
        separate, chroma = False, 1
        if profile in _WITH_CHROMA:
            chroma = bits.unsigned()
            separate = chroma == 3 and bits.flag()
            bits.unsigned(), bits.unsigned(), bits.flag()
            if bits.flag():
                for index in range(12 if chroma == 3 else 8):
                    if bits.flag():
                        _skip_scaling(bits, 16 if index < 6 else 64)
        number_bits = bits.unsigned() + 4
        order, order_bits, fixed = bits.unsigned(), 0, False
        if order == 0:
            order_bits = bits.unsigned() + 4
        elif order == 1:
            fixed = bits.flag()
            bits.signed(), bits.signed()
            for _ in range(bits.unsigned()):
                bits.signed()
        bits.unsigned()
        gaps = bits.flag()
        bits.unsigned(), bits.unsigned()
        frames_only = bits.flag()
    except ValueError:
        return None
    return _Sequence(
        id, separate, chroma > 0 and not separate, number_bits, order, order_bits, fixed, gaps, frames_only
    )


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
            last = following or last


def _picture(unit: bytes) -> _Picture | None:
    bits = Bits(unit[1:])
    try:
        id, sequence, _, bottom = bits.unsigned(), bits.unsigned(), bits.flag(), bits.flag()
        if bits.unsigned():
            return _Picture(id, sequence, bottom, False)
        references = (bits.unsigned() + 1, bits.unsigned() + 1)
        weighted, both = bits.flag(), bits.read(2)
        bits.signed(), bits.signed(), bits.signed(), bits.read(2)
        return _Picture(id, sequence, bottom, True, references, weighted, both, bits.flag())
    except ValueError:
        return None


def _begins_counting(unit: bytes, sps: _Sequence, pps: _Picture) -> bool:
    """Whether a reference picture has all before it forgotten, and its own number taken for 0 (7.4.3, 8.2.1: memory
    management control operation 5); also where its header can't be read."""
    bits = Bits(unit[1:])
    try:
        if not pps.bare:
            return True
        if unit[0] & 31 == _IDR:
            return False
        bits.unsigned()
        shape = bits.unsigned() % 5
        bits.unsigned()
        bits.read(2 if sps.separate else 0)
        bits.read(sps.number_bits)
        field = not sps.frames_only and bits.flag()
        if field:
            bits.flag()
        if sps.order == 0:
            bits.read(sps.order_bits)
        deltas = (sps.order == 0 and pps.bottom and not field) or (sps.order == 1 and not sps.order_fixed)
        for _ in range(deltas * (2 if sps.order == 1 and pps.bottom and not field else 1)):
            bits.signed()
        if pps.redundant:
            bits.unsigned()
        _skip_references(bits, shape, sps, pps)
        if not bits.flag():
            return False
        while operation := bits.unsigned():
            if operation == 5:
                return True
            for _ in range(2 if operation == 3 else 1):
                bits.unsigned()
        return False
    except ValueError:
        return True


def _skip_references(bits: Bits, shape: int, sps: _Sequence, pps: _Picture) -> None:
    """Read over the lists of references and their weights (7.3.3.1, 7.3.3.2)."""
    if shape == _B:
        bits.flag()
    if shape in (_I, _SI):
        return
    lists = 2 if shape == _B else 1
    lengths = pps.references[:lists]
    if bits.flag():
        lengths = tuple(bits.unsigned() + 1 for _ in range(lists))
    for _ in range(lists):
        if bits.flag():
            while bits.unsigned() != 3:
                bits.unsigned()
    if (pps.weighted and shape != _B) or (pps.weighted_both == 1 and shape == _B):
        bits.unsigned()
        if sps.chroma:
            bits.unsigned()
        for length in lengths:
            for _ in range(length):
                for numbers in (2, 4) if sps.chroma else (2,):
                    if bits.flag():
                        for _ in range(numbers):
                            bits.signed()
