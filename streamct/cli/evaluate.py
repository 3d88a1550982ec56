"""`streamct evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamct.cli import options as o
from streamct.cli.report import Display

if TYPE_CHECKING:
    from streamct.evaluation import Evaluation
    from streamct.metrics.motion import Flicker

Row = tuple[str, str, str]


def evaluate(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="The picture or video that was graded, or frame_%05d.png.")
    ],
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="What came out; same size, same frames.")],
    reference: Annotated[
        Path | None,
        typer.Option("--ref", help="A reference that is a picture: also measure the distance to its colours."),
    ] = None,
    cuts: Annotated[
        Path | None, typer.Option("--cuts", help="Where a video's shots begin, as for `video`. Else found.")
    ] = None,
    iqa: Annotated[
        bool, typer.Option("--iqa", help="Also BRISQUE, CLIP-IQA+, CNNIQA, DBCNN, MUSIQ, NIMA (needs pyiqa).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of a table.")] = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """Measure a graded picture or video: the paper's figures, contours, clipping, lost detail, flicker.

    Videos need OpenCV for optical flow: pip install opencv-python-headless. A file does not hold its grades, so their
    drift is told from the colours that neighbouring frames share: half to nine tenths of it, and the encoder's.

    Example:  streamct evaluate in.mp4 graded.mp4 --ref ref.jpg
    """
    from streamct.evaluation import evaluate as measure

    with Display("frame", quiet=quiet, as_json=False) as display:
        found = measure(source, result, reference, cuts=cuts, iqa=iqa, progress=display)
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
        return
    typer.echo(_table(found))


def _table(found: Evaluation) -> str:
    head = f"{found.result} against {found.source}"
    if found.frames > 1:
        head += f": {found.frames} frames, {found.stills} of them measured as stills"
    rows = _still_rows(found) + _flicker_rows(found)
    wide, mid = (max(len(row[c]) for row in rows) for c in (0, 1))
    lines = [f"{name:{wide}}  {value:>{mid}}  {meaning}".rstrip() for name, value, meaning in rows]
    return "\n".join([head, *lines, *(f"note: {note}" for note in found.notes)])


def _still_rows(found: Evaluation) -> list[Row]:
    d = found.difference
    over = " over all frames" if found.flicker is not None else ""
    rows = [
        ("edit", f"{d.edit:.4f}", f"mean |result - source| of R'G'B'{over}; CIEDE2000 {d.delta_e:.2f}"),
        ("consistency L", f"{d.consistency_l:.3e}", "lower is better"),
        ("consistency RGB", f"{d.consistency_rgb:.1f}", "lower is better"),
        ("fading a", f"{d.fading_a:.2e}", f"as published; of |a| {d.fading_abs_a:.2e}"),
        ("fading b", f"{d.fading_b:.2e}", f"as published; of |b| {d.fading_abs_b:.2e}"),
        ("banding", f"{d.banding:.4f}", f"source {d.banding_source:.4f}"),
        ("new clipping", f"{d.new_clipping:.3%}", f"at L* <= 1 or >= 99: {d.new_extremes:.3%}"),
        ("structure", f"{d.structure:.4f}", "1: nothing lost"),
    ]
    if found.distance is not None:
        s = found.distance
        for name, value, share, own in (
            ("distance ab", s.ab, s.ab_share, s.ab_source), ("distance Lab", s.lab, s.lab_share, s.lab_source)
        ):  # fmt: skip
            rows.append((name, f"{value:.2f}", f"{'-' if share is None else f'{share:.2f}'} of the source's {own:.2f}"))
    if found.iqa is not None:
        from streamct.metrics.iqa import IQA_METRICS

        for name, (before, after) in found.iqa.items():
            rows.append((IQA_METRICS[name], f"{after:.4g}", f"source {before:.4g}"))
    return rows


def _flicker_rows(found: Evaluation) -> list[Row]:
    f = found.flicker
    if f is None:
        return []
    where = f"at frame {f.max_jump_frame}" if f.max_jump_frame is not None else ""
    gain = "-" if f.noise_gain is None else f"{f.noise_gain:.3f}"
    cuts = ", ".join(map(str, f.cuts)) or "none"
    drift = "-" if f.drift_seen is None else f"{f.drift_seen:.5f}"
    told = (
        "no two frames share colours"
        if f.drift_seen_share is None
        else (f"{f.drift_seen_share:.4f} of the edit, by colours that both frames show; an encoder adds to it")
    )
    return [
        ("drift", drift, told),
        ("edit-warp", f"{f.edit_warp:.4f}", f"{f.edit_warp_share:.3f} of the edit"),
        ("max jump", f"{f.max_jump:.4f}", where),
        ("noise gain", gain, _no_gain(f)),
        ("warp error", f"{f.warp_error:.2e}", f"source {f.warp_error_source:.2e}"),
        ("pairs of frames", str(f.pairs), f"cuts left out: {cuts}"),
    ]


def _no_gain(found: Flicker) -> str:
    """Why there is no gain of noise."""
    if found.noise_gain is not None:
        return ""
    from streamct.metrics.motion import TRIPOD_SHARE

    if found.still is None:
        return "no shot is long enough"
    return "no noise" if found.still >= TRIPOD_SHARE else "not a tripod shot"
