"""Is the written file what it should be? Asked before it gets its name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from streamct.errors import OutputError
from streamct.media.output import OutputPlan
from streamct.media.probe import video_stream
from streamct.model import Clip

_CLOCKS = {
    "matroska": Fraction(1, 1000),
    "webm": Fraction(1, 1000),
    "mpegts": Fraction(1, 90_000),
    "flv": Fraction(1, 1000),
}


def verify(clip: Clip, plan: OutputPlan, written: Path, index: int, times: list[int]) -> None:
    """Count packets and compare times, tags and size; decode the first and the last group of pictures.

    index: of the graded stream in the written file. times: the pts that were written, in the clip's time base.
    A container with a fixed clock may round each to its nearest tick; a constant offset, which some containers
    demand, is no error.

    Raises:
        OutputError: naming what differs.
    """

    def wrong(what: str) -> OutputError:
        return OutputError(f"{plan.path}: the written file did not pass its check: {what}. Nothing was replaced.")

    try:
        with av.open(str(written)) as container:
            if index >= len(container.streams) or container.streams[index].type != "video":
                raise wrong("its video stream is missing")
            stream = video_stream(container, index)
            context = stream.codec_context
            if (context.width, context.height) != (clip.width, clip.height):
                raise wrong(f"{context.width}x{context.height} instead of {clip.width}x{clip.height} pixels")
            tags = (int(context.colorspace), int(context.color_primaries), int(context.color_trc))
            expected = (clip.tags.matrix, clip.tags.primaries, clip.tags.transfer)
            for found, wanted, name in zip(tags, expected, ("matrix", "primaries", "transfer"), strict=True):
                if wanted != 2 and found not in (wanted, 2):
                    raise wrong(f"the colour {name} tag is {found} instead of {wanted}")
            base = stream.time_base
            assert base is not None
            found_times = sorted(p.pts * base for p in container.demux(stream) if p.size and p.pts is not None)
            wanted_times = [t * clip.time_base for t in times]
            if len(found_times) != len(wanted_times):
                raise wrong(f"{len(found_times)} instead of {len(wanted_times)} frames")
            slack = max(_CLOCKS.get(plan.container, Fraction(0)), base)
            offset = found_times[0] - wanted_times[0]
            worst = max(abs(f - w - offset) for f, w in zip(found_times, wanted_times, strict=True))
            if worst > slack:
                raise wrong(f"frame times differ by up to {float(worst) * 1000:.1f} ms")
        _decode_ends(written, index)
    except (av.FFmpegError, OSError) as cause:
        raise wrong(f"it can't be read back ({cause})") from cause


def _decode_ends(path: Path, index: int) -> None:
    with av.open(str(path)) as container:
        stream = video_stream(container, index)
        next(container.decode(stream))
    with av.open(str(path)) as container:
        stream = video_stream(container, index)
        if stream.duration:
            start = stream.start_time or 0
            container.seek(start + max(stream.duration - 1, 0), stream=stream)
        for _ in container.decode(stream):
            pass
