"""Compare streamct with other methods: the figures of the paper's Tables 1, 3 and 5, more of them, and pictures.

    python scripts/compare.py DATA --out DIR [--pairs FILE] [--doc FILE]
                              [--color-matcher PYTHON] [--folder NAME=PATH ...] [--export PATH] [--clips N]

DATA holds clips/ and refs/ (see CONTRIBUTING.md); the pairs are listed in scripts/pairs.txt. DIR gets table.md,
pairs.csv, one picture for each marked pair and a sheet of all of them. --doc puts the table between the marks in
a Markdown file. Needs the extra `compare`.

Reinhard: means and deviations in Lab (Reinhard et al. 2001), a few lines below. GMM: Tai et al. 2005 without their
spatial smoothing, on scikit-learn's GaussianMixture. MKL: Monge-Kantorovich linear (Pitie & Kokaram 2007) of the
package color-matcher, which is under the GPL: install it into an environment of its own and name that one's
interpreter; it runs as a separate process. --folder takes another method's results: PATH/PAIR.png, of the pictures
that --export PATH writes to PATH/PAIR/source.png and reference.png.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from flicker import Footage, Movement, footage, measure
from numpy.typing import NDArray

from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.color.proxy import picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.metrics import Difference, Distance, Flicker, FlickerMeter, difference
from streamct.metrics.distance import content, distance_of, spread
from streamct.model import FloatArray
from streamct.pipeline import transfer_image
from streamct.settings import load

EDGE = 640
"""Pictures are compared at this size: every method works on the same pixels, 8 bits in and out."""
COMPONENTS, SAMPLES = 5, 20_000
CLIPS = (
    "davis-blackswan.mp4", "davis-dance-twirl.mp4", "intel-car-detection.mp4", "mdn-flower.mp4",
    "oh-street-1080p.mp4", "sam2-01_dog.mp4", "sam2-bedroom.mp4", "tc-nasa_13013.mp4",
)  # fmt: skip
CLIP_REFERENCE, CLIP_FRAMES = "jr-ocean_sunset.jpg", 48
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

Codes = NDArray[np.uint8]
Method = Callable[[Codes, Codes], Codes]


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and a reference, by name and as pictures."""

    source_name: str
    reference_name: str
    shown: bool
    source: Codes
    reference: Codes

    @property
    def name(self) -> str:
        clean = self.source_name.removeprefix("clips/").replace(":", "").replace("@", "-at-")
        return f"{clean}--{self.reference_name}"


def codes(rgb: NDArray[np.floating]) -> Codes:
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def read_pairs(listing: Path, data: Path, edge: int = EDGE) -> list[Pair]:
    """The listed pairs, pictures scaled to `edge` pixels."""
    lines = [line.replace("*", "* ").split() for line in listing.read_text().splitlines() if line[:1] not in ("#", "")]
    split = [(line[0] == "*", *line[-2:]) for line in lines]
    pictures = {name: picture(data / "refs" / name, edge) for _, *names in split for name in names if "@" not in name}
    for clip in {name.split("@")[0] for _, name, _ in split if "@" in name}:
        times = {name.split("@")[1] for _, name, _ in split if name.startswith(f"{clip}@")}
        pictures |= {f"{clip}@{time}": found for time, found in frames_at(data / clip, times, edge).items()}
    return [Pair(s, r, shown, pictures[s], pictures[r]) for shown, s, r in split]


def picture(path: Path, edge: int = EDGE) -> Codes:
    rgb = read_picture(path).rgb
    return codes(picture_proxy_rgb(rgb, *proxy_size(rgb.shape[1], rgb.shape[0], edge)))


def frames_at(path: Path, times: set[str], edge: int) -> dict[str, Codes]:
    def seconds(time: str) -> Fraction:
        hours, minutes, rest = time.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest)

    clip, found = probe(path), {}
    left = sorted(times, key=seconds)
    with Reader(clip, threads=1) as reader:
        for frame in reader:
            while left and frame.pts * frame.time_base >= seconds(left[0]):
                size = proxy_size(clip.width, clip.height, edge)
                found[left.pop(0)] = codes(planes_proxy_rgb(frame.planes, clip.format, clip.coding, *size))
            if not left:
                break
    return found


def reinhard_map(source: FloatArray, reference: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Of L*a*b* pixels (n, 3): the means and deviations of the reference."""
    scale = reference.std(axis=0) / np.maximum(source.std(axis=0), 1e-6)
    return lambda lab: (lab - source.mean(axis=0)) * scale + reference.mean(axis=0)


def reinhard(source: Codes, reference: Codes) -> Codes:
    lab, wanted = srgb_to_lab(source / 255), srgb_to_lab(reference / 255)
    return codes(lab_to_srgb(reinhard_map(lab.reshape(-1, 3), wanted.reshape(-1, 3))(lab)))


def mixture(source: Codes, reference: Codes) -> Codes:
    """Tai et al.: a Gaussian mixture of each picture's Lab colours; each component of the source takes mean and
    deviation of the reference's that is nearest in lightness; pixels blend by their membership."""
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(0)
    lab, wanted = (srgb_to_lab(p / 255).reshape(-1, 3) for p in (source, reference))
    fits = []
    for colours in (lab, wanted):
        some = colours[rng.choice(len(colours), min(SAMPLES, len(colours)), replace=False)]
        fits.append(GaussianMixture(COMPONENTS, random_state=0, reg_covar=1e-2).fit(some))
    own, other = fits
    share = own.predict_proba(lab)
    out = np.zeros_like(lab)
    for i in range(COMPONENTS):
        j = int(np.abs(other.means_[:, 0] - own.means_[i, 0]).argmin())
        scale = np.sqrt(np.diag(other.covariances_[j]) / np.diag(own.covariances_[i]))
        out += share[:, i : i + 1] * ((lab - own.means_[i]) * scale + other.means_[j])
    return codes(lab_to_srgb(out.reshape(source.shape)))


_MATCHER = """
import sys, numpy as np
from color_matcher import ColorMatcher
given = np.load(sys.argv[1])
out = {}
for name in {key.split("/")[0] for key in given}:
    result = ColorMatcher().transfer(src=given[name + "/source"], ref=given[name + "/reference"], method="mkl")
    out[name] = np.rint(np.clip(np.real(result), 0, 255)).astype(np.uint8)
np.savez(sys.argv[2], **out)
"""


def color_matcher(python: Path, pairs: list[Pair]) -> dict[str, Codes]:
    """Results of color-matcher's `mkl`, by pair, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "in.npz", Path(folder) / "out.npz"
        arrays = {f"{i}/source": pair.source for i, pair in enumerate(pairs)}
        arrays |= {f"{i}/reference": pair.reference for i, pair in enumerate(pairs)}
        np.savez(given, **arrays)
        subprocess.run([python, "-c", _MATCHER, given, taken], check=True)
        with np.load(taken) as results:
            return {pair.name: results[str(i)] for i, pair in enumerate(pairs)}


def all_methods(
    pairs: list[Pair], matcher: Path | None, folders: dict[str, Path]
) -> dict[str, Callable[[Pair], Codes]]:
    paper, film = load("paper"), load("film")
    methods: dict[str, Callable[[Pair], Codes]] = {
        "untouched": lambda pair: pair.source,
        "streamct film": lambda pair: transfer_image(pair.source, pair.reference, film),
        "streamct paper": lambda pair: transfer_image(pair.source, pair.reference, paper),
        "Reinhard": lambda pair: reinhard(pair.source, pair.reference),
    }
    if matcher is not None:
        results = color_matcher(matcher, pairs)
        methods["MKL"] = lambda pair: results[pair.name]
    methods["GMM (Tai)"] = lambda pair: mixture(pair.source, pair.reference)
    for name, path in folders.items():
        methods[name] = lambda pair, path=path: codes(read_picture(path / f"{pair.name}.png").rgb)  # type: ignore[misc]
    return methods


FIGURES: dict[str, tuple[str, Callable[[Difference, Distance], float]]] = {
    "L consistency": (".2e", lambda d, s: d.consistency_l),
    "RGB consistency": (".1f", lambda d, s: d.consistency_rgb),
    "fading a": (".2e", lambda d, s: d.fading_a),
    "fading b": (".2e", lambda d, s: d.fading_b),
    "fading \\|a\\|": (".2e", lambda d, s: d.fading_abs_a),
    "fading \\|b\\|": (".2e", lambda d, s: d.fading_abs_b),
    "distance ab": (".3f", lambda d, s: s.ab_share),
    "distance Lab": (".3f", lambda d, s: s.lab_share),
    "banding": (".4f", lambda d, s: d.banding),
    "new clipping": (".2%", lambda d, s: d.new_clipping),
    "structure": (".4f", lambda d, s: d.structure),
    "edit": (".4f", lambda d, s: d.edit),
}


def flicker_table(data: Path, count: int) -> list[str]:
    """Flicker of the methods that have a meaning over time."""
    columns: dict[str, list[tuple[float, float, float]]] = {}
    for name in CLIPS[:count]:
        shown = footage(probe(data / "clips" / name), most=CLIP_FRAMES)
        reference = data / "refs" / CLIP_REFERENCE
        movement = Movement()
        modes = {"streamct film (window)": "window", "streamct film (shot)": "shot", "streamct paper (off)": "off"}
        for title, mode in modes.items():
            row = measure(shown, movement, CLIP_FRAMES, reference, mode)
            columns.setdefault(title, []).append((row.warp or 0.0, row.jump, row.edit))
        wanted = srgb_to_lab(picture(reference) / 255).reshape(-1, 3)
        some = [srgb_to_lab(shown.rgb(frame)).reshape(-1, 3) for frame in list(shown.frames.values())[::4]]
        whole = reinhard_map(np.concatenate(some), wanted)
        for title, fixed in (("Reinhard per frame", None), ("Reinhard per clip", whole)):
            found = reinhard_flicker(shown, movement, wanted, fixed)
            columns.setdefault(title, []).append((found.edit_warp_share, found.max_jump, found.edit))
        print(f"flicker: {name} done", flush=True)
    lines = [
        f"Flicker over {CLIP_FRAMES} frames each of {count} clips, in passages of 8, graded with {CLIP_REFERENCE}, "
        "256-pixel proxies, means (jump: the worst):",
        "",
        "| method | edit-warp / edit | max jump | edit |",
        "|---|---|---|---|",
    ]
    for title, rows in columns.items():
        values = np.array(rows)
        lines.append(f"| {title} | {values[:, 0].mean():.4f} | {values[:, 1].max():.4f} | {values[:, 2].mean():.4f} |")
    return lines


def reinhard_flicker(
    shown: Footage, movement: Movement, wanted: FloatArray, fixed: Callable[[FloatArray], FloatArray] | None
) -> Flicker:
    """Of each frame mapped by itself, or of all by one fixed map."""
    meter = FlickerMeter(movement.again())
    for number, frame in shown.frames.items():
        if number in shown.begins:
            meter.gap()
        source = shown.rgb(frame)
        lab = srgb_to_lab(source)
        mapping = fixed or reinhard_map(lab.reshape(-1, 3), wanted)
        meter.push(source, np.clip(lab_to_srgb(mapping(lab)), 0, 1))
    return meter.finish()


def montage(pictures: list[tuple[str, Codes]], width: int, columns: int) -> Codes:
    """Pictures scaled to one width, in rows, each row as high as its highest."""
    gap, rows = 6, []
    for start in range(0, len(pictures), columns):
        tiles = []
        for _, shown in pictures[start : start + columns]:
            height = max(1, round(shown.shape[0] * width / shown.shape[1]))
            tiles.append(codes(picture_proxy_rgb((shown / 255).astype(np.float32), width, height)))
        tall = max(tile.shape[0] for tile in tiles)
        row = np.full((tall + gap, columns * (width + gap), 3), 255, np.uint8)
        for i, tile in enumerate(tiles):
            row[: tile.shape[0], i * (width + gap) : i * (width + gap) + width] = tile
        rows.append(row)
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, default=Path(__file__).with_name("pairs.txt"))
    parser.add_argument("--doc", type=Path)
    parser.add_argument("--color-matcher", type=Path, metavar="PYTHON")
    parser.add_argument("--folder", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--clips", type=int, default=len(CLIPS), help="how many clips the flicker table covers")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs(options.pairs, options.data)
    if options.export is not None:
        export(pairs, options.export)
        return
    folders = {name: Path(path) for name, _, path in (item.partition("=") for item in options.folder)}
    methods = all_methods(pairs, options.color_matcher, folders)
    rows: dict[str, list[list[float]]] = {title: [] for title in methods}
    sheet: list[tuple[str, Codes]] = []
    with open(options.out / "pairs.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["source", "reference", "method", *FIGURES])
        for number, pair in enumerate(pairs, 1):
            results = {title: method(pair) for title, method in methods.items()}
            source, area = pair.source / 255, content(pair.source / 255)
            before, wanted = spread(source, area), spread(pair.reference / 255)
            for title, result in results.items():
                d, s = difference(source, result / 255), distance_of(before, spread(result / 255, area), wanted)
                values = [figure(d, s) for _, figure in FIGURES.values()]
                rows[title].append(values)
                table.writerow([pair.source_name, pair.reference_name, title, *(f"{v:.6g}" for v in values)])
            if pair.shown:
                shown = [("source", pair.source), ("reference", pair.reference)]
                shown += [(title, result) for title, result in results.items() if title != "untouched"]
                save_png(options.out / f"{len(sheet) // len(shown) + 1:02d}-{pair.name}.png", montage(shown, EDGE, 4))
                sheet += shown
            print(f"{number} of {len(pairs)} pairs", flush=True)
    across = len(methods) + 1
    save_png(options.out / "sheet.png", montage(sheet, 256, across))
    lines = [
        f"Means over {len(pairs)} pairs at {EDGE} pixels; distance: share of the source's own. Sheet, left to right: "
        f"source, reference, {', '.join(t for t in methods if t != 'untouched')}.",
        "",
        f"| method | {' | '.join(FIGURES)} |",
        "|---" * (len(FIGURES) + 1) + "|",
    ]
    for title, values in rows.items():
        means = np.mean(values, axis=0)
        cells = (format(mean, form) for mean, (form, _) in zip(means, FIGURES.values(), strict=True))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    if options.clips:
        lines += ["", *flicker_table(options.data, options.clips)]
    text = "\n".join(lines)
    (options.out / "table.md").write_text(text + "\n")
    if options.doc is not None:
        head, rest = options.doc.read_text().split(BEGIN)
        options.doc.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    print(text)


def export(pairs: list[Pair], folder: Path) -> None:
    for pair in pairs:
        (folder / pair.name).mkdir(parents=True, exist_ok=True)
        save_png(folder / pair.name / "source.png", pair.source)
        save_png(folder / pair.name / "reference.png", pair.reference)


if __name__ == "__main__":
    main()
