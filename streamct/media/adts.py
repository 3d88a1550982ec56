"""The header of AAC sound that comes without one: in MPEG-TS each packet has its own (ADTS), Matroska has one for all.

The muxer of Matroska takes ADTS headers off, and learns from the first of them what its own has to say: too late for
what is written into a pipe, where nothing can be added at the beginning.
"""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.stream import Stream

_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350)
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7}
"""Configurations by how many channels there are, of the usual layouts (ISO/IEC 14496-3, table 1.19)."""
_LC = 2  # audio object type
_HEADER = 7


def lacks_header(stream: Stream) -> bool:
    """Whether a stream is AAC without a header of its own."""
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        return False
    return stream.codec_context.codec.canonical_name == "aac" and not stream.codec_context.extradata


def header_of(stream: AudioStream, packet: bytes | None) -> bytes | None:
    """The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of such a stream, None if nothing tells it.

    packet: one of it with its ADTS header (1.A.2.2); None: what probing the stream found is used, if it is AAC-LC.
    """
    if packet is not None and len(packet) >= _HEADER and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0:
        kind = (packet[2] >> 6) + 1
        rate, channels = (packet[2] >> 2) & 15, (packet[2] & 1) << 2 | packet[3] >> 6
    else:
        context = stream.codec_context
        if context.profile != "LC" or context.sample_rate not in _RATES or context.channels not in _CHANNELS:
            return None
        kind, rate, channels = _LC, _RATES.index(context.sample_rate), _CHANNELS[context.channels]
    if channels == 0:  # told inside of the packets
        return None
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
