"""What a container can hold, found by writing a small one in memory: before the first frame is decoded."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream

_MPEGTS = frozenset({
    "mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "cavs", "dirac", "vc1",
    "mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd", "opus", "s302m",
    "dvb_subtitle", "dvb_teletext",
})  # fmt: skip
"""Codecs that MPEG-TS has a number for; its muxer writes others as data that nobody knows."""
_ONLY_ON_BLURAY = frozenset({"hdmv_pgs_subtitle", "pcm_bluray"})
_OF_MOVIES = {"mp4", "mov", "3gp"}
_NAMED = {"movflags": "use_metadata_tags"}
_TIMECODE = "timecode"
"""What the muxers of films turn into a track of its own."""


def takes(container: str, ending: str, source: Stream) -> bool:
    """Whether a stream can be copied into a container as it is. ending: of the file's name, such as `.m2ts`."""
    codec = source.codec_context.codec.canonical_name if source.codec_context is not None else ""
    if container == "mpegts":
        return codec in _MPEGTS or (ending.lower() == ".m2ts" and codec in _ONLY_ON_BLURAY)
    try:
        with av.open(io.BytesIO(), "w", format=container) as scratch:
            scratch.add_stream_from_template(source, opaque=True)
            scratch.start_encoding()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def held_keys(container: str, metadata: Mapping[str, str], films: bool) -> tuple[dict[str, str], list[str]]:
    """Options by which a muxer writes a film's metadata, and which of their keys are lost nevertheless.

    Players look for a title and its like in places of their own, which is how FFmpeg writes them and drops all else.
    Only where that loses something of another film all of them are written under their own names (`mdta`), as cameras
    do. films: they come from one.
    """
    if container == "mpegts":
        return {}, sorted(metadata)
    if container not in _OF_MOVIES or not metadata:
        return {}, []
    own = {key: value for key, value in metadata.items() if key.lower() != _TIMECODE}
    lost = _lost(container, own, {})
    if not lost or container == "3gp" or not films:
        return {}, lost
    named = _lost(container, own, _NAMED)
    return (_NAMED, named) if len(named) < len(lost) else ({}, lost)


def _lost(container: str, metadata: Mapping[str, str], options: dict[str, str]) -> list[str]:
    memory = io.BytesIO()
    with av.open(memory, "w", format=container, container_options=options) as scratch:
        scratch.metadata.update(metadata)
        text = scratch.add_mux_stream("mov_text", time_base=Fraction(1, 1000))
        packet = Packet(b"\0\1.")
        packet.pts = packet.dts = 0
        packet.duration, packet.time_base, packet.stream = 1, Fraction(1, 1000), text
        scratch.mux(packet)
    memory.seek(0)
    with av.open(memory, metadata_errors="replace") as scratch:
        held = {key.lower() for key in scratch.metadata}
    return sorted(key for key in metadata if key.lower() not in held and key.lower().split("-")[0] not in held)
