"""Pictures of HEVC that are missing though others are made from them: FFmpeg's decoder only logs that.

Every picture lists, by their order of presentation, the pictures that it may be made from, and those that later ones
may be (reference picture sets, ITU-T H.265, 8.3.2). One of the former that did not come is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from av.packet import Packet

from streamct.media.missing import MissingPictures
from streamct.media.units import Bits, after_start_codes, units

_SLICES = range(32)
"""Kinds of units that are slices (7.4.2.2, Table 7-1)."""
_RASL, _RADL, _BLA, _IDR, _CRA = (8, 9), (6, 7), (16, 17, 18), (19, 20), 21
_ANCHORED = range(16, 24)
_UNREFERENCED = range(0, 15, 2)
"""Kinds that no picture of the same layer is made from."""
_SPS, _PPS, _END = 33, 34, 36
_I = 2
_HEAD = 512
"""Bytes of a slice that hold its reference picture sets."""
_PARAMETERS = 4096
_ARRAYS_AT = 22

Set = tuple[tuple[int, bool], ...]
"""Distances to other pictures, and whether the picture itself may be made from them; see `_short_term`."""


class LostInHevc(MissingPictures):
    """Those of HEVC. Until the first picture at which decoding may begin nothing is judged."""

    def __init__(self, extradata: bytes | None) -> None:
        self._sps: dict[int, _Sequence] = {}
        self._pps: dict[int, _Picture] = {}
        self._known: dict[int, bool] = {}  # pictures by their order, and whether something in them is missing
        self._base: int | None = None
        self._ended = True
        self._skipping = False
        super().__init__(extradata)

    def _look(self, packet: Packet) -> None:
        for unit in units(packet, self._length):
            if len(unit) < 3 or (unit[0] & 1) << 5 | unit[1] >> 3:  # of another layer
                continue
            kind = unit[0] >> 1
            if kind in (_SPS, _PPS):
                self._add(kind, bytes(unit[:_PARAMETERS]))
            elif kind == _END:
                self._ended = True
            elif kind in _SLICES and unit[2] & 128:  # the first slice of its picture
                try:
                    self._picture(kind, unit, packet)
                except (ValueError, KeyError, IndexError):  # it can't be read: begin anew
                    self._base, self._ended, self._known = None, True, {}

    def _picture(self, kind: int, unit: memoryview, packet: Packet) -> None:
        bits = Bits(bytes(unit[2:_HEAD]))
        bits.flag()
        if kind in _ANCHORED:
            bits.flag()
        pps = self._pps[bits.unsigned()]
        sps = self._sps[pps.sequence]
        bits.read(pps.extra)
        shape = bits.unsigned()
        bits.read(pps.output + 2 * sps.separate)
        anew = kind in _BLA or kind in _IDR or (kind in _ANCHORED and self._ended)
        if anew:
            self._known = {}
            self._skipping = kind not in _IDR
            self._ended = False
        elif kind == _CRA:
            self._skipping = False
        if self._base is None and not anew:
            return
        low = 0 if kind in _IDR else bits.read(sps.order_bits)
        order = low if anew or self._base is None else _nearest(low, self._base, sps.order_bits)
        if kind in _RASL and self._skipping:  # which no decoder shows
            return
        if (unit[1] & 7) == 1 and kind not in (*_RASL, *_RADL) and kind not in _UNREFERENCED:
            self._base = order
        used, kept = ([], []) if kind in _IDR else self._references(bits, sps, order)
        if anew:
            used, kept = [], []
        known = self._known
        missing = [other for other in used if other not in known] if shape != _I else []
        lacking = shape != _I and (bool(missing) or any(known.get(other, False) for other in used))
        known = {other: known[other] for other in {*used, *kept} if other in known}
        known |= dict.fromkeys(missing, True)
        known[order] = lacking
        self._known = known
        if lacking and not packet.is_discard:
            self._found(packet, len(missing))

    def _references(self, bits: Bits, sps: _Sequence, order: int) -> tuple[list[int], list[int]]:
        """Orders of the pictures that one is made from, and of the others that have to stay (8.3.2)."""
        if bits.flag():
            many = len(sps.sets)
            short = sps.sets[bits.read((many - 1).bit_length()) if many > 1 else 0]
        else:
            short = _short_term(bits, sps.sets, in_slice=True)
        used = [order + distance for distance, now in short if now]
        kept = [order + distance for distance, now in short if not now]
        if not sps.long_term:
            return used, kept
        listed = len(sps.long)
        of_sps = bits.unsigned() if listed else 0
        cycles = 0
        for number in range(of_sps + bits.unsigned()):
            if number < of_sps:
                low, now = sps.long[bits.read((listed - 1).bit_length()) if listed > 1 else 0]
            else:
                low, now = bits.read(sps.order_bits), bits.flag()
            if number in (0, of_sps):
                cycles = 0
            if bits.flag():
                cycles += bits.unsigned()
                found = order - (cycles << sps.order_bits) - (order & ((1 << sps.order_bits) - 1)) + low
            else:
                same = [other for other in self._known if other % (1 << sps.order_bits) == low]
                found = same[0] if same else _nearest(low, order, sps.order_bits)
            (used if now else kept).append(found)
        return used, kept

    def _add(self, kind: int, unit: bytes) -> None:
        try:
            if kind == _SPS:
                sps = _sequence(unit)
                self._sps[sps.id] = sps
            elif kind == _PPS:
                pps = _parameters(unit)
                self._pps[pps.id] = pps
        except (ValueError, IndexError):
            return

    def _configure(self, extradata: bytes) -> None:
        if extradata[:1] == b"\x01" and len(extradata) > _ARRAYS_AT:  # ISO/IEC 14496-15, 8.3.3.1
            self._length = (extradata[21] & 3) + 1
            at = _ARRAYS_AT + 1
            for _ in range(extradata[_ARRAYS_AT]):
                count = int.from_bytes(extradata[at + 1 : at + 3], "big")
                at += 3
                for _ in range(count):
                    size = int.from_bytes(extradata[at : at + 2], "big")
                    self._own(extradata[at + 2 : at + 2 + size])
                    at += 2 + size
        else:
            self._length = 0
            for unit in after_start_codes(extradata):
                self._own(bytes(unit[:_PARAMETERS]))

    def _own(self, unit: bytes) -> None:
        if len(unit) > 2 and not ((unit[0] & 1) << 5 | unit[1] >> 3):
            self._add(unit[0] >> 1, unit)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What is needed of a sequence parameter set (7.3.2.2). sets: short-term; long: low bits of an order, and whether
    the picture itself may be made from it."""

    id: int
    separate: bool
    order_bits: int
    sets: tuple[Set, ...]
    long_term: bool
    long: tuple[tuple[int, bool], ...]


@dataclass(frozen=True, slots=True)
class _Picture:
    """What is needed of a picture parameter set (7.3.2.3)."""

    id: int
    sequence: int
    output: bool
    extra: int


def _nearest(low: int, base: int, bits: int) -> int:
    """The order with these low bits that lies nearest to `base` (8.3.1)."""
    whole = 1 << bits
    high = base - base % whole
    if low < base % whole and base % whole - low >= whole // 2:
        high += whole
    elif low > base % whole and low - base % whole > whole // 2:
        high -= whole
    return high + low


def _parameters(unit: bytes) -> _Picture:
    bits = Bits(unit[2:])
    id, sequence = bits.unsigned(), bits.unsigned()
    bits.flag()
    return _Picture(id, sequence, bits.flag(), bits.read(3))


def _sequence(unit: bytes) -> _Sequence:
    bits = Bits(unit[2:])
    bits.read(4)
    layers = bits.read(3)
    bits.flag()
    _skip_profile(bits, layers)
    id, separate = bits.unsigned(), False
    if bits.unsigned() == 3:
        separate = bits.flag()
    bits.unsigned(), bits.unsigned()
    if bits.flag():
        for _ in range(4):
            bits.unsigned()
    bits.unsigned(), bits.unsigned()
    order_bits = bits.unsigned() + 4
    for _ in range(layers + 1 if bits.flag() else 1):
        bits.unsigned(), bits.unsigned(), bits.unsigned()
    for _ in range(6):
        bits.unsigned()
    if bits.flag() and bits.flag():
        _skip_scaling(bits)
    bits.flag(), bits.flag()
    if bits.flag():
        bits.read(8), bits.unsigned(), bits.unsigned(), bits.flag()
    sets: list[Set] = []
    for _ in range(bits.unsigned()):
        sets.append(_short_term(bits, sets))
    long: list[tuple[int, bool]] = []
    long_term = bits.flag()
    if long_term:
        long = [(bits.read(order_bits), bits.flag()) for _ in range(bits.unsigned())]
    return _Sequence(id, separate, order_bits, tuple(sets), long_term, tuple(long))


def _skip_profile(bits: Bits, layers: int) -> None:
    """Profile, tier and level (7.3.3)."""
    bits.read(96)
    told = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for profile, level in told:
        bits.read(88 * profile + 8 * level)


def _skip_scaling(bits: Bits) -> None:
    """Scaling lists (7.3.4)."""
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.flag():
                bits.unsigned()
                continue
            if size > 1:
                bits.signed()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.signed()


def _short_term(bits: Bits, sets: Sequence[Set], in_slice: bool = False) -> Set:
    """A short-term reference picture set (7.3.7, 7.4.8): earlier pictures, the nearest first, then later ones.

    sets: those before it.
    """
    if sets and bits.flag():
        back = bits.unsigned() + 1 if in_slice else 1
        negative = bits.flag()
        shift = (bits.unsigned() + 1) * (-1 if negative else 1)
        others = (*sets[len(sets) - back], (0, True))
        found = []
        for distance, _ in others:
            now = bits.flag()
            if now or bits.flag():
                found.append((distance + shift, now))
        earlier = sorted((one for one in found if one[0] < 0), reverse=True)
        later = sorted(one for one in found if one[0] > 0)
        return (*earlier, *later)
    before, after = bits.unsigned(), bits.unsigned()
    result: list[tuple[int, bool]] = []
    for count, sign in ((before, -1), (after, 1)):
        distance = 0
        for _ in range(count):
            distance += sign * (bits.unsigned() + 1)
            result.append((distance, bits.flag()))
    return tuple(result)
