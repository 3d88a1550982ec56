"""Every stream but the graded one: copied packet by packet into the output."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from typing import cast

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from streamct.errors import DamagedInputError, OutputError
from streamct.media.adts import header_of, lacks_header
from streamct.media.copied import CopiedStream, CopiedStreams
from streamct.media.demuxer import Demuxer
from streamct.media.output import Y4M, OutputPlan, supported_codecs
from streamct.media.priming import Priming, SampleClock, cut_at_end, primed, primings, sample_clock
from streamct.media.probe import is_cover, open_input, reason
from streamct.media.restarts import Restarts, restarts_of
from streamct.media.roles import lost_roles
from streamct.media.stream_tags import copy_tags
from streamct.media.timed_text import NAMES, TEXTS, Rewrite, as_mov_text, plain_text, without_gaps
from streamct.media.trim import Trim
from streamct.media.trim_streams import StreamTrim
from streamct.media.tryout import held_keys, takes
from streamct.model import Clip

_CONTAINER_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_MATROSKA = {"matroska", "webm"}
"""Containers that tell how many samples of a sound are not to be heard."""
_FILMS = {"mp4", "mov"}
"""Containers with edit lists, in which a sound's clock counts samples."""
_FINEST_CLOCK = 10_000_000

_COVERS = {
    "mjpeg": ("image/jpeg", "jpg"), "png": ("image/png", "png"), "gif": ("image/gif", "gif"),
    "tiff": ("image/tiff", "tif"),
}  # fmt: skip
"""Kinds of pictures that Matroska's readers take for cover art, and the usual ending of their names."""

_FILM_COVERS = {"mjpeg", "png", "bmp"}
"""Those that MP4 has a number for."""


class Passthrough:
    """The other streams of a clip. `attach` adds them to the output; `advance` copies what is due.

    `notes` tells which streams the container can't take.
    tolerate: damaged ones are copied as far as they can be read. demuxer: what to take them from instead of the file.
    alone: there are none. trim: the part of the clip that they are cut to.

    Raises:
        OutputError (from `attach`): all sound would be lost where another container keeps it.
        DamagedInputError (from `advance`): the input can't be read to its end.
    """

    def __init__(
        self,
        clip: Clip,
        plan: OutputPlan,
        tolerate: bool = False,
        demuxer: Demuxer | None = None,
        alone: bool = False,
        trim: Trim | None = None,
    ) -> None:
        self._clip = clip
        self._trim = None if trim is None else StreamTrim(trim)
        self._tolerate = tolerate
        self._plan = plan
        self._demuxer = demuxer
        self._input = None if alone else open_input(clip.path) if demuxer is None else demuxer.container
        self._targets: dict[int, tuple[Stream, Rewrite | None]] = {}
        self._copied = CopiedStreams(plan.container in _FILMS)
        self._primings: dict[int, Priming] = {}
        self._hidden: dict[int, int] = {}
        self._clocks: dict[int, SampleClock] = {}
        self._packets: Iterator[Packet] | None = None
        self._held: Packet | None = None
        self.notes: list[str] = []

    def attach(self, output: av.container.OutputContainer, video: Callable[[], VideoStream]) -> VideoStream:
        """Add all streams in the input's order, the graded one made by `video`; copy tags and chapters."""
        if self._input is None:
            self._packets = iter(())
            return video()
        graded: VideoStream | None = None
        covers: list[Stream] = []
        if self._plan.container not in _FILMS:  # which have edit lists of their own
            self._primings = primings(self._clip.path, self._demuxer)
        for source in self._file.streams:
            if source.index == self._clip.stream:
                graded = video()
                copy_tags(source, graded, self._plan.container)
                views = source.metadata.get("stereo_mode", "mono")
                if views != "mono" and self._plan.container not in _MATROSKA:
                    self.notes.append(f"{self._plan.kind} do not tell here that pictures hold two views ({views})")
                self._name_reel(graded)
                if self._trim is not None:
                    self._trim.retime(graded, self._clip)
                continue
            if is_cover(source):
                covers.append(source)
                if self._plan.container == "matroska":
                    continue
            added = self._add(output, source)
            if added is not None:
                self._hide(source)
                if roles := lost_roles(self._plan.container, Disposition(source.disposition)):
                    self.notes.append(
                        f"stream {source.index} ({source.type}) loses its role: {self._plan.kind} have no place for "
                        f"{', '.join(roles)}"
                    )
                copy_tags(source, added[0], self._plan.container)
                self._targets[source.index] = added
                self._copied.add(source, added[0].index)
                clock = sample_clock(source) if self._plan.container in _FILMS else None
                if clock is not None:
                    self._clocks[source.index] = clock
        assert graded is not None
        self._check_sound()
        if self._plan.container == "matroska":  # where they are attachments, and those come last
            for source in covers:
                self._attach_cover(output, source)
        kept, (_, lost) = self._metadata
        output.metadata.update(kept)
        if lost:
            hold = "have no usual place for" if self._plan.container in _FILMS else "hold no"
            self.notes.append(f"metadata are left out: {self._plan.kind} {hold} {', '.join(lost)}")
        chapters = self._file.chapters()
        if self._trim is not None:
            chapters = self._trim.chapters(chapters)
        if chapters:
            output.set_chapters(chapters)
        self._packets = self._demuxed()
        return graded

    def advance(self, output: av.container.OutputContainer, until: Fraction | None) -> None:
        """Copy packets up to the time `until` in seconds; None: all that are left."""
        while (packet := self._held or self._next()) is not None:
            self._held = None
            time = packet.dts if packet.dts is not None else packet.pts
            if until is not None and time is not None and time * packet.time_base > until:
                self._held = packet
                return
            self._copy(output, packet)
        if until is None:
            if self._demuxer is not None and self._demuxer.restarts is not None:
                self._overlapping(self._demuxer.restarts)
            if self._trim is not None:
                self.notes += [
                    f"stream {source} ({told.kind}) has nothing between --from and --to that can be copied"
                    for source, told in self._copied.by_source.items()
                    if told.is_empty
                ]
            for source, told in self._copied.settle():
                if self._trim is None:
                    self.notes.append(f"stream {source} ({told.kind}) is left out: it is empty")

    def _next(self) -> Packet | None:
        while (packet := self._following()) is not None:
            if self._trim is None or self._trim.keep(packet, is_cover(packet.stream)):
                return packet
            if self._demuxer is None and self._trim.is_over([self._file.streams[i] for i in self._targets]):
                return None
        return None

    def _following(self) -> Packet | None:
        if self._demuxer is None:
            assert self._packets is not None
            return next(self._packets, None)
        while (packet := self._demuxer.other()) is not None:
            if packet.stream.index in self._targets:
                return packet
        return None

    @cached_property
    def _metadata(self) -> tuple[dict[str, str], tuple[dict[str, str], list[str]]]:
        """The file's own metadata, and how the output holds them."""
        kept = {key: value for key, value in self._file.metadata.items() if key.lower() not in _CONTAINER_KEYS}
        films = self._file.format.name.startswith("mov")
        return kept, held_keys(self._plan.container, kept, films)

    @property
    def options(self) -> dict[str, str]:
        """Of the muxer, so that it takes all that is copied."""
        return {} if self._input is None else self._metadata[1][0]

    def _name_reel(self, graded: VideoStream) -> None:
        """A film's timecode track, which is made anew from what the graded one tells, also names the reel."""
        for source in self._file.streams.data:
            if "reel_name" in source.metadata and source.metadata.get("timecode") == graded.metadata.get("timecode"):
                graded.metadata.setdefault("reel_name", source.metadata["reel_name"])

    @property
    def clock(self) -> int:
        """Ticks a second in which the start of every stream is exact, for containers with a clock for all."""
        if self._input is None:
            return self._clip.time_base.denominator
        bases = [s.time_base.denominator for s in self._file.streams if s.time_base]
        if self._plan.container in _FILMS:
            bases += [s.sample_rate for s in self._file.streams.audio if s.codec_context is not None and s.sample_rate]
        exact = math.lcm(*bases) if bases else 1
        return exact if exact <= _FINEST_CLOCK else max(1000, *bases)

    @property
    def copied(self) -> tuple[CopiedStream, ...]:
        """What has been copied so far, one entry a stream."""
        return tuple(self._copied.by_source.values())

    @property
    def field_order(self) -> int:
        """What the graded stream's headers say of its fields, as AVFieldOrder; 0: nothing."""
        if self._input is None:
            return 0
        context = self._file.streams[self._clip.stream].codec_context
        return int(getattr(context, "field_order", 0))

    @property
    def aspects(self) -> dict[int, Fraction | None]:
        """Pixel aspects of the copied video streams, by their index in the output."""
        return {
            target.index: source.sample_aspect_ratio or None
            for index, (target, _) in self._targets.items()
            if isinstance(source := self._file.streams[index], VideoStream)
        }

    def found_at(self, index: int) -> int:
        """See `CopiedStreams`."""
        return self._copied.found_at(index)

    def close(self) -> None:
        """Close the input."""
        if self._demuxer is None and self._input is not None:
            self._input.close()

    @property
    def _file(self) -> av.container.InputContainer:
        assert self._input is not None
        return self._input

    def _demuxed(self) -> Iterator[Packet]:
        streams = [self._file.streams[index] for index in self._targets]
        graded = self._file.streams[self._clip.stream]
        assert isinstance(graded, VideoStream)
        restarts = restarts_of(self._file, graded)
        try:
            if restarts is None or not streams:
                packets: Iterator[Packet] = self._file.demux(*streams) if streams else iter(())
            else:  # by the pictures, as when these are read
                packets = restarts.steady(self._file.demux(*streams, graded))
            for packet in packets:
                if packet.size and packet.stream.index in self._targets:
                    yield packet
            if restarts is not None:
                self._overlapping(restarts)
        except (av.FFmpegError, OSError) as cause:
            what = f"its other streams can't be read to the end ({reason(cause)})"
            if not self._tolerate:
                raise DamagedInputError(
                    f"{self._clip.path}: {what}. Export or copy it again, "
                    "or grade what is there with --tolerate-corrupt."
                ) from cause
            self.notes.append(what)

    def _overlapping(self, restarts: Restarts) -> None:
        for index, count in sorted(restarts.left_out.items()):
            self.notes.append(
                f"stream {index} ({self._file.streams[index].type}): {count} packets are left out that overlap where "
                "the clock begins again"
            )

    def _hide(self, source: Stream) -> None:
        """Have the packets left out that an edit list hides, where the output would let them be heard."""
        priming = self._primings.get(source.index)
        if priming is not None and priming.left_out and self._trim is None:
            self._hidden[source.index] = priming.left_out
            self.notes.append(
                f"stream {source.index} ({source.type}): {priming.left_out} packets are left out at its beginning that "
                "an edit list hides"
            )

    def _copy(self, output: av.container.OutputContainer, packet: Packet) -> None:
        if self._hidden.get(packet.stream.index, 0) > 0:
            self._hidden[packet.stream.index] -= 1
            return
        target, rewrite = self._targets[packet.stream.index]
        if rewrite is not None:
            payload = rewrite(bytes(packet))
            if payload is None:
                return
            fresh = Packet(payload)
            fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
            fresh.time_base = packet.time_base
            source, packet = packet.stream.index, fresh
        else:
            source = packet.stream.index
        if source in self._clocks:
            self._clocks[source].retime(packet)
        told = self._copied.by_source[source]
        if told.kind == "audio" and self._file.format.name.startswith("mov"):
            cut_at_end(packet)
        told.count(packet)
        packet.stream = target
        output.mux_one(packet)

    def _add(self, output: av.container.OutputContainer, source: Stream) -> tuple[Stream, Rewrite | None] | None:
        container = self._plan.container
        if self._is_empty(source):
            self.notes.append(f"stream {source.index} ({source.type}) is left out: it is empty")
            return None
        if source.type == "attachment":
            if container in _MATROSKA:
                return output.add_stream_from_template(source), None
            self._left_out(source, "attachments")
            return None
        if source.type == "data":
            if source.metadata.get("timecode") and container in ("mp4", "mov", "matroska"):
                return None  # the muxer writes it again, from the video stream's tag
            if self._is_chapter_track(source):
                return None  # written again from the chapters
            self._left_out(source, "data streams")
            return None
        if is_cover(source) and (container != "mp4" or source.codec_context.codec.canonical_name not in _FILM_COVERS):
            self._left_out(source, "cover art")
            return None
        if source.type == "video" and not is_cover(source):
            self.notes.append(
                f"video stream {self._clip.stream} is graded; stream {source.index} is copied (--stream chooses)"
            )
        name = source.codec_context.name if source.codec_context is not None else ""
        codec = source.codec_context.codec.canonical_name if source.codec_context is not None else ""
        if source.type == "subtitle" and codec in TEXTS:
            return self._add_text(output, source, codec)
        known = container == "mpegts" or codec in supported_codecs(container)
        if not known or not takes(container, self._plan.path.suffix, source):
            what = "subtitles" if source.type == "subtitle" else "streams"
            self._left_out(source, f"{codec or name or 'unknown'} {what}")
            return None
        try:
            if source.index in self._primings and container in _MATROSKA:
                with primed(source, self._primings[source.index].samples) as template:
                    return output.add_stream_from_template(template, opaque=True), None
            added = output.add_stream_from_template(source, opaque=True)
        except ValueError:
            self._left_out(source, f"{name} streams")
            return None
        if container == "matroska" and self._plan.piped and lacks_header(source):
            assert isinstance(source, AudioStream)
            header = header_of(source, self._first_packet(source))
            if header is not None:
                added.codec_context.extradata = header
        return added, None

    def _attach_cover(self, output: av.container.OutputContainer, source: Stream) -> None:
        codec = source.codec_context.codec.canonical_name
        kind, ending = _COVERS.get(codec, ("", ""))
        data = self._first_packet(source) if kind else None
        if data is None:
            self._left_out(source, f"{codec} cover art")
            return
        name = source.metadata.get("filename") or f"cover.{ending}"
        added = output.add_attachment(name, source.metadata.get("mimetype") or kind, data)
        self._copied.add(source, added.index, packets=1)

    def _first_packet(self, source: Stream) -> bytes | None:
        if self._demuxer is not None:
            packet = self._demuxer.begun(source.index)
            return None if packet is None else bytes(packet)
        with open_input(self._clip.path) as beside:
            try:
                return next((bytes(p) for p in beside.demux(beside.streams[source.index]) if p.size), None)
            except (av.FFmpegError, OSError):
                return None

    def _add_text(
        self, output: av.container.OutputContainer, source: Stream, codec: str
    ) -> tuple[Stream, Rewrite | None] | None:
        container = self._plan.container
        if codec in supported_codecs(container):
            if codec == "mov_text":
                return output.add_stream_from_template(source, opaque=True), without_gaps
            return output.add_stream_from_template(source, opaque=True), None
        if codec == "mov_text" and container == "matroska":
            self.notes.append(f"subtitle stream {source.index} becomes plain text (SubRip): Matroska has no mov_text")
            return output.add_mux_stream("subrip", time_base=source.time_base), plain_text
        if container in _FILMS:
            self.notes.append(
                f"subtitle stream {source.index} ({NAMES[codec]}) becomes mov_text, all that {self._plan.kind} take; "
                "it keeps bold and italics, not places and other styles"
            )
            return as_mov_text(output, source)
        self._left_out(source, f"{codec} subtitles")
        return None

    def _is_empty(self, source: Stream) -> bool:
        listed = source.frames or len(source.index_entries) or source.disposition & Disposition.attached_pic
        return self._file.format.name.startswith("mov") and not listed

    def _is_chapter_track(self, source: Stream) -> bool:
        chapters = len(self._file.chapters())
        return chapters > 0 and self._file.format.name.startswith("mov") and source.frames == chapters

    def _left_out(self, source: Stream, what: str) -> None:
        other = ""
        if source.type in ("audio", "subtitle") and self._elsewhere(source):
            other = "; --format matroska does" if self._plan.piped else "; .mkv files do"
        self.notes.append(f"stream {source.index} ({source.type}) is left out: {self._plan.kind} take no {what}{other}")

    def _elsewhere(self, source: Stream) -> bool:
        """Whether Matroska takes what the output's container does not, which is not Y4M, that is all picture."""
        return self._plan.container not in ("matroska", Y4M) and takes("matroska", ".mkv", source)

    def _check_sound(self) -> None:
        """A film is not to lose all of its sound where it need not.

        Raises:
            OutputError: the container takes none of it, and Matroska would.
        """
        sounds = [source for source in self._file.streams.audio if not self._is_empty(source)]
        if any(source.index in self._targets for source in sounds):
            return
        better = [source for source in sounds if self._elsewhere(source)]
        if better:
            names = ", ".join(sorted({source.codec_context.codec.canonical_name for source in better}))
            advice = "Choose --format matroska" if self._plan.piped else "Name the output .mkv"
            raise OutputError(
                f"{self._plan.path}: {self._plan.kind} take no {names} sound, and the video has no other: all of it "
                f"would be lost. {advice}, which takes it as it is."
            )


def left_out(clip: Clip, plan: OutputPlan) -> tuple[str, ...]:
    """What `Passthrough.attach` will say of the other streams, before anything is written."""
    with av.open(os.devnull, "w", format=plan.container) as scratch:
        others = Passthrough(clip, plan)
        try:
            others.attach(scratch, lambda: cast("VideoStream", scratch.add_stream(plan.encoder)))
        finally:
            others.close()
    return tuple(others.notes)
