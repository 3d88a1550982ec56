"""Print the scene cuts that streamct finds, beside those of PySceneDetect's detectors and the known ones.

    python scripts/cuts.py DATA [--scenedetect PYTHON] [--clips NAME ...]

DATA holds clips/ (see CONTRIBUTING.md). PySceneDetect (package scenedetect) is no dependency: install it into an
environment of its own and name that one's interpreter; its detectors run there with their defaults. Figures are
printed, nothing is asserted. missed, false: against the known cuts, where the list below has them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from streamct.grade.cuts import Cuts
from streamct.grade.sample import Sampler
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.settings import Settings

KNOWN = {
    "cosmos-30s.mp4": (286, 348, 372, 523, 573, 610, 624),
    "psd-testvideo.mp4": (30, 180),
    "tc-nasa_13013.mp4": (240,),
}
"""All cuts of these clips, seen by eye; the other clips are one shot each."""

_DETECTORS = """
import json, sys
from scenedetect import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector, detect
found = {}
for detector in (AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector):
    scenes = detect(sys.argv[1], detector())
    found[detector.__name__] = [start.get_frames() for start, _ in scenes[1:]]
print(json.dumps(found))
"""


def ours(path: Path) -> list[int]:
    clip = probe(path)
    sampler = Sampler(clip.format, clip.coding, Settings().palette)
    with Reader(clip, threads=1) as reader:
        looks = {frame.index: sampler.look(frame) for frame in reader}
    cuts = Cuts()
    return [i for i in looks if i > 0 and cuts.at(i, looks)]


def theirs(path: Path, python: Path) -> dict[str, list[int]]:
    run = subprocess.run([python, "-c", _DETECTORS, path], check=True, capture_output=True, text=True)
    found: dict[str, list[int]] = json.loads(run.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--scenedetect", type=Path, metavar="PYTHON")
    parser.add_argument("--clips", nargs="+", help="names in clips/; all by default")
    options = parser.parse_args()
    names = options.clips or sorted(path.name for path in (options.data / "clips").iterdir())
    total: dict[str, list[int]] = {}
    print(f"{'clip':28}{'detector':20}{'missed':>7}{'false':>7}  cuts")
    for name in names:
        path = options.data / "clips" / name
        found = {"streamct": ours(path)}
        if options.scenedetect is not None:
            found |= theirs(path, options.scenedetect)
        known = set(KNOWN.get(name, ()))
        for detector, cuts in found.items():
            missed, false = len(known - set(cuts)), len(set(cuts) - known)
            sums = total.setdefault(detector, [0, 0])
            sums[0], sums[1] = sums[0] + missed, sums[1] + false
            print(f"{name:28}{detector:20}{missed:7}{false:7}  {' '.join(map(str, cuts))}", flush=True)
    for detector, (missed, false) in total.items():
        print(f"{'all':28}{detector:20}{missed:7}{false:7}")


if __name__ == "__main__":
    main()
