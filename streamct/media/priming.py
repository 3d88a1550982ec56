"""Sound to the sample, from one kind of container into another.

Encoders of sound begin with samples that are not to be heard (priming). MP4 and MOV skip them by an edit list, so
their packets have times before 0; Matroska by a track's CodecDelay (RFC 9559), which FFmpeg writes for streams that
know of their priming, as those read from MP4 do not: without it, all streams would begin that much later, and the
priming be heard. And Matroska's clock counts milliseconds: in MP4, what comes from there would jitter by 24 samples.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from streamct.media.demuxer import Demuxer
from streamct.media.ebml import with_codec_delay
from streamct.media.probe import open_input

_OWN_PRIMING = {"opus"}
"""Codecs whose headers tell."""
_NEEDED = 3
"""Packets before one that are decoded for it, and more: those of AAC overlap, those of MP3 lend each other bits."""


@dataclass(frozen=True, slots=True)
class Priming:
    """What of the beginning of a sound is not to be heard.

    samples: how many, of the packets that are copied. left_out: whole packets before those, which an edit list hides
    and no later one is decoded with.
    """

    samples: int
    left_out: int = 0


def skipped(packet: Packet) -> int:
    """How many samples of a packet and those behind it are not to be heard."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    return int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")


def primings(path: Path, demuxer: Demuxer | None) -> dict[int, Priming]:
    """Priming by stream index, of the sound of an MP4 or MOV file whose streams do not tell it.

    demuxer: of a pipe, which is asked instead of the file.
    """
    if demuxer is not None:
        if not demuxer.container.format.name.startswith("mov"):
            return {}
        begun = {
            stream.index: _priming(stream, demuxer.begun(stream.index)) for stream in demuxer.container.streams.audio
        }
        return {index: priming for index, priming in begun.items() if priming is not None}
    found = {}
    with open_input(path) as beside:
        if not beside.format.name.startswith("mov"):
            return {}
        for stream in beside.streams.audio:
            entries = stream.index_entries
            if not len(entries) or entries[0].timestamp >= 0:  # there is none, and no need to read for it
                continue
            try:
                beside.seek(entries[0].timestamp, stream=stream)
                packet = next((p for p in beside.demux(stream) if p.size), None)
            except (av.FFmpegError, OSError):  # whoever copies the stream will tell the damage
                continue
            if (priming := _priming(stream, packet)) is not None:
                found[stream.index] = priming
    return found


def _priming(stream: AudioStream, first: Packet | None) -> Priming | None:
    """What the first packet of a sound tells of its priming and its codec does not, None if there is none."""
    if first is None or first.pts is None or stream.codec_context is None:
        return None
    if stream.codec_context.codec.canonical_name in _OWN_PRIMING:
        return None
    rate = stream.codec_context.sample_rate
    before = -first.pts * first.time_base * rate
    if not 0 < before == skipped(first):
        return None
    length = round((first.duration or 0) * first.time_base * rate)
    left_out = max(0, skipped(first) // length - _NEEDED) if length else 0
    return Priming(skipped(first) - left_out * length, left_out)


def cut_at_end(packet: Packet) -> None:
    """Give the sound's packet of an MP4 or MOV file in which its edit list ends the length that is left of it."""
    end = packet.stream.duration
    if packet.pts is not None and end is not None and packet.pts < end < packet.pts + (packet.duration or 0):
        packet.duration = end - packet.pts


@contextmanager
def primed(source: Stream, samples: int) -> Iterator[Stream]:
    """A template like `source` that knows of its priming: what FFmpeg reads from a Matroska file of it that tells."""
    assert isinstance(source, AudioStream)
    room = io.BytesIO()
    with av.open(room, "w", format="matroska", container_options={"live": "1", "write_crc32": "0"}) as container:
        container.add_stream_from_template(source, opaque=True)
        empty = Packet(b"\0" * 8)
        empty.pts = empty.dts = 0
        empty.time_base, empty.stream = Fraction(1, 1000), container.streams[0]
        container.mux_one(empty)
    delay = round(Fraction(samples * 1_000_000_000, source.codec_context.sample_rate))
    with av.open(io.BytesIO(with_codec_delay(room.getvalue(), delay)), format="matroska") as told:
        yield told.streams[0]


@dataclass(slots=True)
class SampleClock:
    """Times of a sound's packets in samples, where the container they come from counts in something coarser.

    rate: samples/s. frame: samples a packet. tick: of the container they come from, in seconds.
    """

    rate: int
    frame: int
    tick: Fraction
    _due: int | None = None

    def retime(self, packet: Packet) -> None:
        """Give the next packet its time in samples: behind the one before, if its own time is no other."""
        if packet.pts is None:
            return
        told = packet.pts * packet.time_base * self.rate
        due = self._due if self._due is not None else -skipped(packet)
        if abs(due - told) > self.tick * self.rate:
            due = round(told)
        length = (packet.duration or 0) * packet.time_base * self.rate
        cut = 0 < length < self.frame - self.tick * self.rate  # the last packet
        packet.time_base = Fraction(1, self.rate)
        packet.pts = packet.dts = due
        packet.duration = round(length) if cut else self.frame
        self._due = due + self.frame


def sample_clock(source: Stream) -> SampleClock | None:
    """The clock for a sound whose packets all hold so many samples and whose container counts in coarser ticks."""
    if not isinstance(source, AudioStream) or source.codec_context is None or source.time_base is None:
        return None
    rate, frame = source.codec_context.sample_rate, source.codec_context.frame_size
    if not rate or not frame or source.time_base <= Fraction(1, rate):
        return None
    return SampleClock(rate, frame, source.time_base)
