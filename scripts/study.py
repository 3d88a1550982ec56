"""Print what each setting of the mapping does to the figures, over the pairs of scripts/pairs.txt.

    python scripts/study.py DATA [--every N] [--pairs FILE] [--only TEXT]

DATA holds clips/ and refs/ (see CONTRIBUTING.md). Each row changes the preset film in the settings that it names.
Figures are printed, nothing is asserted. Needs the extra `compare`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from compare import read_pairs

from streamct.metrics import Difference, Distance, difference
from streamct.metrics.distance import content, distance_of, spread
from streamct.pipeline import transfer_image
from streamct.settings import load

VARIANTS: dict[str, dict[str, Any]] = {
    "film": {},
    "neutrals free": {"mapping__keep_neutrals": 0.0},
    "no reach": {"mapping__reach": None},
    "no reach, blur 10, neutrals free": {
        "mapping__reach": None, "mapping__transport_blur": 10.0, "mapping__keep_neutrals": 0.0,
    },
    "reach 60": {"mapping__reach": 60.0},
    "reach 30": {"mapping__reach": 30.0},
    "blur 10": {"mapping__transport_blur": 10.0},
    "blur 15": {"mapping__transport_blur": 15.0},
    "peaks 3, smoothing 2": {"palette__peak_radius": 3, "palette__smoothing": 2},
    "softness 12": {"mapping__softness": 12.0},
    "strength 0.8": {"mapping__strength": 0.8},
    "alpha 0.5": {"mapping__alpha": 0.5},
    "skin held": {"mapping__protect_skin": True},
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--pairs", type=Path, default=Path(__file__).with_name("pairs.txt"))
    parser.add_argument("--every", type=int, default=1, help="take only every N-th pair")
    parser.add_argument("--only", default="", help="only rows whose name holds this text")
    options = parser.parse_args()
    pairs = read_pairs(options.pairs, options.data, edge=320)[:: options.every]
    prepared = [(content(p.source / 255), p) for p in pairs]
    print(f"{len(pairs)} pairs at 320 pixels, means; p90: of the pairs, nine in ten lie below")
    print(
        "| setting | distance ab | RGB consistency | banding | \\|a\\| | \\|b\\| | structure | clipping | p90 | edit |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, change in VARIANTS.items():
        if options.only not in name:
            continue
        settings = load("film").updated(**change)
        found: list[tuple[Difference, Distance]] = []
        for area, pair in prepared:
            source = pair.source / 255
            result = transfer_image(pair.source, pair.reference, settings) / 255
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
