"""Print, for each video of a data folder, what a grade kept: codec and format, frames, times, streams, tags, HDR data.

    python scripts/fidelity.py DATA [NAME ...]

DATA holds clips/, odd/ and refs/ (see CONTRIBUTING.md). NAME: only files whose name contains it. Every file is
graded with the preset draft into a scratch folder and compared with its source; one that is refused is listed with
the reason. also: alpha, order of fields (tt: both from the top, tb: woven, ...), cover pictures. HDR: luminance of the
mastering display and MaxCLL/MaxFALL, in cd/m2. meta: the file's own entries, such as its title. What differs is right
only where the run said so, and metadata only where the output is another kind of file. The last line counts the
verdicts; the exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import struct
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from streamct import StreamctError, load_settings, transfer_video

_CLOCK_MS = {"matroska,webm": 1.0, "mpegts": 1 / 90}
_FIELDS = {0: "", 1: "", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}  # of AVFieldOrder
_MADE_ANEW = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}
_OF_TRACKS = ("timecode", "reel_name")
_WRITTEN_AGAIN = ("data",)  # timecode and chapter tracks, which the muxer makes anew


@dataclass
class Seen:
    """What one decode and one packet scan of a file tell."""

    times: list[Fraction]
    tags: tuple[str, ...]
    hdr: tuple[str, ...]
    shape: str
    streams: tuple[str, ...]
    sound: tuple[str, ...]
    container: str
    codec: str
    format: str
    also: tuple[str, ...]
    entries: dict[str, str]


def hdr_data(frame: av.VideoFrame) -> tuple[str, ...]:
    """Luminance of the mastering display, MaxCLL and MaxFALL, and the display's colours, of what the frame has."""
    try:
        held = {item.type.name: bytes(item) for item in frame.side_data.keys()}  # noqa: SIM118
    except ValueError:  # PyAV does not know one of the kinds
        return ()
    found = []
    if "MASTERING_DISPLAY_METADATA" in held:
        numbers = struct.unpack_from("=22i", held["MASTERING_DISPLAY_METADATA"])
        values = [n / d if d else 0.0 for n, d in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
        found += [f"{values[8]:g}-{values[9]:g}", " ".join(f"{value:.4f}" for value in values[:8])]
    if "CONTENT_LIGHT_LEVEL" in held:
        found.insert(1, "/".join(map(str, struct.unpack_from("=2I", held["CONTENT_LIGHT_LEVEL"]))))
    return tuple(found)


def best_video(path: Path) -> int:
    """Index of the stream that is graded."""
    with av.open(str(path), metadata_errors="replace") as container:
        return container.streams.best("video").index


def look(path: Path, index: int) -> Seen:
    """Decode the graded stream, hash the sound."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams[index]
        frames = list(container.decode(stream))
        first, context = frames[0], stream.codec_context
        rgb = first.format.is_rgb
        tags = tuple(str(int(tag)) for tag in (context.colorspace, context.color_primaries, context.color_trc))
        full = "full" if int(first.color_range) == 2 or first.format.name.startswith("yuvj") or rgb else "limited"
        shape = f"{first.width}x{first.height} {stream.sample_aspect_ratio or 1} {first.rotation}"
        times = [frame.pts * frame.time_base for frame in frames]
        kinds = tuple(s.type for s in container.streams if s.type not in _WRITTEN_AGAIN)
        name = container.format.name
        covers = sum(bool(s.disposition & av.stream.Disposition.attached_pic) for s in container.streams.video)
        alpha = any(component.is_alpha for component in first.format.components)
        order = _FIELDS[int(context.field_order)] or ("woven" if first.interlaced_frame else "")
        also = tuple(word for word in ("alpha" if alpha else "", order, f"covers:{covers}" if covers else "") if word)
        entries = {key.lower().split("-")[0]: value for key, value in container.metadata.items()}
        for held in container.streams:  # of the file or of a track, as the container has it
            entries |= {key: held.metadata[key] for key in _OF_TRACKS if key in held.metadata}
    with av.open(str(path), metadata_errors="replace") as container:
        sounds = {s.index: hashlib.sha256() for s in container.streams if s.type == "audio"}
        if sounds:
            for packet in container.demux(*(container.streams[index] for index in sounds)):
                if packet.size:
                    sounds[packet.stream.index].update(bytes(packet))
    return Seen(
        times, (*tags, full), hdr_data(first), shape, kinds, tuple(h.hexdigest()[:12] for h in sounds.values()), name,
        context.codec.canonical_name, first.format.name, also,
        {key: value for key, value in entries.items() if key not in _MADE_ANEW},
    )  # fmt: skip


def spelled(key: str, value: str | None) -> object:
    """An entry, as numbers where it is a time or a place, which containers write in more than one way."""
    if value is None or key not in ("creation_time", "location"):
        return value
    return [float(number) for number in re.findall(r"[+-]?[0-9]+(?:\.[0-9]+)?", value)]


def unsaid(before: Seen, after: Seen, said: list[str]) -> list[str]:
    """What differs, of that which a run may change if it says so."""
    told = " ".join(said)
    named = [line.lower() for line in said if "metadata are left out" in line and before.container != after.container]
    lost = [key for key in before.entries if spelled(key, before.entries[key]) != spelled(key, after.entries.get(key))]
    plain = after.format.replace("yuvj", "yuv") == before.format.replace("yuvj", "yuv")
    others = any(words in told for words in ("alpha is", "alpha:", "fields", "cover art"))
    checks = {
        "codec": after.codec == before.codec or f"{before.codec} video becomes {after.codec}" in told,
        "format": plain
        or f"output is {after.format}" in told
        or any(f"{word} {after.format}" in told for word in ("becomes", "read as")),
        "alpha, fields or covers": after.also == before.also or others,
        "meta": all(any(key in line for line in named) for key in lost),
    }
    return [name for name, right in checks.items() if not right]


def compare(source: Path, target: Path, said: list[str]) -> tuple[list[str], str]:
    """The table's cells, and what is wrong ("" if nothing is). said: by the run."""
    gone = [int(line.split()[1]) for line in said if ") is left out:" in line]
    index, left_out = best_video(source), len(gone)
    before, after = look(source, index), look(target, index - sum(number < index for number in gone))
    shift = after.times[0] - before.times[0] if after.container in _CLOCK_MS else 0  # these may begin elsewhere
    error = max((abs(b - a - shift) for a, b in zip(before.times, after.times, strict=False)), default=Fraction(0))
    milliseconds = float(error) * 1000
    wrong = unsaid(before, after, said)
    if len(before.times) != len(after.times):
        wrong.append("frames")
    if milliseconds > _CLOCK_MS.get(after.container, 0.001):
        wrong.append("times")
    if len(before.streams) != len(after.streams) + left_out:
        wrong.append("streams")
    if [s for s in after.sound if s not in before.sound] or (not left_out and before.sound != after.sound):
        wrong.append("sound")
    if before.tags != after.tags:
        wrong.append("tags")
    if before.hdr != after.hdr:
        wrong.append("HDR data")
    if before.shape != after.shape:
        wrong.append("shape")
    cells = [
        f"{before.codec} {before.format}",
        f"{after.codec} {after.format}",
        f"{len(before.times)}/{len(after.times)}",
        f"{milliseconds:.3f}",
        f"{len(before.streams)}/{len(after.streams)}",
        " ".join(before.tags),
        " ".join(after.tags),
        " ".join(before.hdr[:2]) or "-",
        " ".join(after.hdr[:2]) or "-",
        f"{' '.join(before.also) or '-'}/{' '.join(after.also) or '-'}",
        f"{len(before.entries)}/{sum(key in after.entries for key in before.entries)}",
    ]
    return cells, ", ".join(wrong)


def main() -> None:
    """Grade and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("names", metavar="NAME", nargs="*")
    asked = parser.parse_args()
    data, wanted = asked.data, asked.names
    for folder in ("clips", "odd", "refs"):
        if not (data / folder).is_dir():
            parser.error(f"{data}: has no folder {folder} (CONTRIBUTING.md says what DATA holds)")
    reference = data / "refs" / "jr-ocean_sunset.jpg"
    files = [f for folder in ("clips", "odd") for f in sorted((data / folder).iterdir())]
    files = [f for f in files if not wanted or any(word in f.name for word in wanted)]
    head = (
        "file", "video in", "video out", "frames", "pts ms", "streams", "tags in", "tags out", "HDR in", "HDR out",
        "also in/out", "meta", "verdict",
    )  # fmt: skip
    widths = (38, 18, 18, 9, 7, 7, 13, 13, 16, 16, 11, 4, 0)
    print(" ".join(h.ljust(w) for h, w in zip(head, widths, strict=True)))
    verdicts: Counter[str] = Counter()
    for file in files:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            suffix = file.suffix if file.suffix in (".mp4", ".mov", ".mkv") else ".mkv"
            try:
                report = transfer_video(file, reference, Path(folder) / f"out{suffix}", load_settings("draft"))
            except StreamctError as error:
                verdicts["refused"] += 1
                print(f"{file.name:38} refused: {error}", flush=True)
                continue
            cells, wrong = compare(file, report.output, list(report.warnings))
        verdict = f"WRONG: {wrong}" if wrong else "right"
        verdicts["wrong" if wrong else "right"] += 1
        said = "; ".join(line for line in report.warnings if not line.startswith("compiling"))
        row = [file.name, *cells, f"{verdict} ({time.monotonic() - began:.1f} s) {said}"]
        print(" ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)), flush=True)
    print(", ".join(f"{count} {name}" for name, count in sorted(verdicts.items())))
    raise SystemExit(1 if verdicts["wrong"] else 0)


if __name__ == "__main__":
    main()
