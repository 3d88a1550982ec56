"""Print what each setting of the mapping does to the figures, over the pairs of scripts/pairs.txt.

    python scripts/study.py DATA [--every N] [--pairs FILE] [--only TEXT]

DATA holds clips/ and refs/ (see CONTRIBUTING.md). Each row changes the preset film in the settings that it names. Rows
with `+ compress` bend results back into the gamut instead of clipping them, which the mapping itself does not do: they
show what that would give. Figures are printed, nothing is asserted. Needs the extra `compare`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from compare import Pair, codes, read_pairs

from streamct.color.colormap import color_map
from streamct.color.correspondence import correspond
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.metrics import Difference, Distance, difference
from streamct.metrics.distance import content, distance_of, spread
from streamct.model import FloatArray
from streamct.pipeline import extract_palette
from streamct.settings import Settings, load

_PEAK_KNEE, _DEPTH_KNEE, _END = 0.95, 0.8, 0.99

VARIANTS: dict[str, dict[str, Any]] = {
    "film": {},
    "reach 80": {"mapping__reach": 80.0},
    "reach 40": {"mapping__reach": 40.0},
    "reach 20": {"mapping__reach": 20.0},
    "strength 0.8": {"mapping__strength": 0.8},
    "strength 0.6": {"mapping__strength": 0.6},
    "softness 12": {"mapping__softness": 12.0},
    "softness 16": {"mapping__softness": 16.0},
    "softness 16, reach 40": {"mapping__softness": 16.0, "mapping__reach": 40.0},
    "blur 20": {"mapping__transport_blur": 20.0},
    "alpha 0.15": {"mapping__alpha": 0.15},
    "alpha 0": {"mapping__alpha": 0.0},
}
COMPRESSED = ("film", "reach 40", "softness 16", "strength 0.8", "softness 16, reach 40", "blur 20")


def grade(pair: Pair, settings: Settings, compress: bool) -> FloatArray:
    """The result in R'G'B', 8 bits."""
    own, wanted = extract_palette(pair.source, settings), extract_palette(pair.reference, settings)
    mapping = color_map(correspond(own, wanted, settings.mapping), settings.mapping)
    source = np.asarray(pair.source / 255)
    mapped = lab_to_srgb(mapping(srgb_to_lab(source)))
    return codes(compressed(mapped, source) if compress else mapped) / 255


def compressed(rgb: FloatArray, source: FloatArray) -> FloatArray:
    """R'G'B' bent back into 0..1: first the largest channel, all three alike; then each channel's distance to it, as
    ACES' gamut compression does. Nothing is bent further in than the source was."""
    peak, peak_before = (np.maximum(x.max(axis=-1, keepdims=True), 1e-6) for x in (rgb, source))
    top = bent(peak, peak_before, _PEAK_KNEE)
    depth, depth_before = 1 - rgb / peak, 1 - source / peak_before
    return np.asarray(top * (1 - bent(depth, depth_before, _DEPTH_KNEE)))


def bent(value: FloatArray, before: FloatArray, knee: float) -> FloatArray:
    """Unchanged up to `knee`, from there towards `_END`, never beyond; not below `before` where that lay higher."""
    over = np.maximum(value - knee, 0) / (_END - knee)
    soft = np.where(value > knee, knee + (_END - knee) * (1 - np.exp(-over)), value)
    return np.maximum(soft, np.minimum(value, np.minimum(before, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--pairs", type=Path, default=Path(__file__).with_name("pairs.txt"))
    parser.add_argument("--every", type=int, default=1, help="take only every N-th pair")
    parser.add_argument("--only", default="", help="only rows whose name holds this text")
    options = parser.parse_args()
    pairs = read_pairs(options.pairs, options.data, edge=320)[:: options.every]
    runs = [(name, change, False) for name, change in VARIANTS.items()]
    runs += [(f"{name} + compress", VARIANTS[name], True) for name in COMPRESSED]
    prepared = [(content(p.source / 255), p) for p in pairs]
    print(f"{len(pairs)} pairs at 320 pixels, means; p90: of the pairs, nine in ten lie below")
    print(
        "| setting | distance ab | RGB consistency | banding | \\|a\\| | \\|b\\| | structure | clipping | p90 | edit |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, change, compress in runs:
        if options.only not in name:
            continue
        settings = load("film").updated(**change)
        found: list[tuple[Difference, Distance]] = []
        for area, pair in prepared:
            source, result = pair.source / 255, grade(pair, settings, compress)
            spreads = spread(source, area), spread(result, area), spread(pair.reference / 255)
            found.append((difference(source, result), distance_of(*spreads)))
        d, s = zip(*found, strict=True)
        clipping = [x.new_clipping for x in d]

        def mean(field: str, of: tuple[Difference, ...] = d) -> float:
            return float(np.mean([getattr(x, field) for x in of]))

        print(
            f"| {name} | {np.mean([x.ab_share for x in s]):.3f} | {mean('consistency_rgb'):.1f} "
            f"| {mean('banding'):.4f} | {mean('fading_abs_a'):.2e} | {mean('fading_abs_b'):.2e} "
            f"| {mean('structure'):.4f} | {np.mean(clipping):.2%} | {np.quantile(clipping, 0.9):.2%} "
            f"| {mean('edit'):.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
