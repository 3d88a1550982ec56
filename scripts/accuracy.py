"""Print how exact the grade is on real pictures: the paper's equations, Lut against map, identity, banding, letterbox.

    python scripts/accuracy.py DATA [PART ...] [SHEET.png]

DATA holds clips/, odd/ and refs/ (see CONTRIBUTING.md). Parts: paper, luts, clips, identity, contours, stretch,
letterbox; all of them by default. Figures are printed, nothing is asserted; the sheet of the letterboxed clip goes to
SHEET.png.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from streamct.color.apply import PlaneGrader
from streamct.color.coding import code_to_rgb, rgb_to_code
from streamct.color.colormap import color_map
from streamct.color.correspondence import correspond
from streamct.color.gamut import EASE, compress, ease
from streamct.color.histogram import Counter
from streamct.color.lab import coded_to_lab, lab_to_coded, lab_to_srgb, srgb_to_lab
from streamct.color.lut import CHROMA_NODES, LUMA_NODES, ONE, LutGrid
from streamct.color.palette import extract
from streamct.color.proxy import box_means
from streamct.grade.regions import add_colours
from streamct.grade.sample import Sampler
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.metrics import banding, delta_e_2000
from streamct.model import Clip, Coding, FloatArray, Frame, PixelFormat, Plane
from streamct.pipeline import extract_palette, grade_video, reference_palettes, transfer_image
from streamct.settings import Settings, load

PAIRS = [
    ("jr-ocean_day.jpg", "jr-ocean_sunset.jpg"),
    ("jr-ocean_sunset.jpg", "jr-autumn.jpg"),
    ("jr-woods.jpg", "jr-autumn.jpg"),
    ("jr-storm.jpg", "still-sintel-orange.jpg"),
    ("jr-fallingwater.jpg", "jr-woods.jpg"),
    ("mdn-ice-cream.jpg", "pb-sunset.jpg"),
    ("ski-astronaut.png", "ski-coffee.png"),
    ("voc-2011_000003.jpg", "mdn-leopard.jpg"),
    ("still-bbb-cartoon.jpg", "jr-storm.jpg"),
    ("capvst-04.jpg", "capvst-05.jpg"),
]


CLIPS = [
    "clips/davis-dance-twirl.mp4",
    "clips/mdn-flower.mp4",
    "clips/oh-street-1080p.mp4",
    "clips/sam2-01_dog.mp4",
    "clips/cosmos-30s.mp4",
    "odd/tc-h264_10bits.mp4",
    "odd/ax-hlg10-color-test.mp4",
    "odd/tc-nasa_13013_hdr.mp4",
    "odd/tc-bt2020_10bit.mp4",
]
_SLACK = 0.05
CLIP_REFERENCES = ["jr-autumn.jpg", "jr-ocean_sunset.jpg"]


def _twins() -> ModuleType:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import naive

    return naive


def paper_against_twin(refs: Path) -> None:
    """The preset `paper` against a plain float64 program written from the equations (tests/naive.py)."""
    naive = _twins()
    print("Preset paper against the float64 twin of Eq. 1-12, before rounding, every fourth pixel each way")
    print(f"{'source':26}{'reference':26}{'palette dE':>11}{'within 0.01':>13}{'largest dE':>12}")
    settings = load("paper")
    for source, reference in PAIRS:
        pictures = [read_picture(refs / name).rgb for name in (source, reference)]
        palettes = [extract_palette(rgb, settings) for rgb in pictures]
        twins = [_twin_palette(naive, rgb) for rgb in pictures]
        apart = max(
            np.abs(own.colours - twin).max() if own.colours.shape == twin.shape else np.inf
            for own, (twin, _) in zip(palettes, twins, strict=True)
        )
        pixels = pictures[0][::4, ::4].reshape(-1, 3).astype(np.float64)
        ours = color_map(correspond(*palettes, settings.mapping), settings.mapping)(srgb_to_lab(pixels))
        (colours, weights), (other, _) = twins
        targets = naive.nearest_targets(colours, weights, other, propagation="absolute")
        lab = naive.srgb_to_lab(pixels)
        theirs = np.array([naive.mapped(c, colours, targets, sigma=0, neutral_blacks=False) for c in lab])
        difference = np.linalg.norm(ours - theirs, axis=1)
        within = (difference <= 0.01).mean()
        print(f"{source:26}{reference:26}{apart:11.1e}{within:13.4%}{difference.max():12.1e}")
    print()


def _twin_palette(naive: ModuleType, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = rgb.shape[:2]
    scale = min(1.0, 256 / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    proxy = np.stack([naive.box_means(rgb[..., c], *size) for c in range(3)], axis=-1)
    # Black bars are left out: the boxes that lie wholly between the first and the last line with a picture.
    bright = (rgb.mean(axis=1) > 3 / 255) | ((rgb > 10 / 255).mean(axis=1) > 0.015)
    lit = np.flatnonzero(bright.any(axis=1))
    first, last = -(-lit[0] * size[1] // height), (lit[-1] + 1) * size[1] // height
    proxy = proxy[first:last].reshape(-1, 3)
    return naive.palette(naive.srgb_to_lab(proxy), np.ones(len(proxy), int), ranges=None, bins=(100,) * 3)


def lut_against_map(refs: Path) -> None:
    from scipy.interpolate import RegularGridInterpolator

    print("Lut against the exact map, preset film, BT.709 limited, before rounding")
    print(f"{'source':26}{'reference':26}{'mean dE':>9}{'99% dE':>9}{'99% codes':>11}")
    grid = LutGrid(Coding("bt709", full_range=False), 8)
    settings = Settings()
    worst = np.zeros(3)
    for source, reference in PAIRS:
        rgb = read_picture(refs / source).rgb[::2, ::2].reshape(-1, 3).astype(np.float64)
        own = extract_palette(read_picture(refs / source).rgb)
        other = extract_palette(read_picture(refs / reference).rgb)
        mapping = color_map(correspond(own, other, settings.mapping), settings.mapping)
        units = np.rint(rgb_to_code(rgb, grid.coding, 8))
        coded = code_to_rgb(units, grid.coding, 8)
        exact = lab_to_srgb(mapping(srgb_to_lab(coded)))
        compress(exact, coded)
        table = grid.bake(mapping).table.transpose(0, 1, 3, 2) / ONE
        looked_up = RegularGridInterpolator((CHROMA_NODES, CHROMA_NODES, LUMA_NODES), table)(units[:, [1, 2, 0]])
        difference = delta_e_2000(srgb_to_lab(exact), srgb_to_lab(code_to_rgb(looked_up, grid.coding, 8)))
        codes = np.abs(looked_up - rgb_to_code(exact, grid.coding, 8)).max(axis=1)
        row = np.array([difference.mean(), np.quantile(difference, 0.99), np.quantile(codes, 0.99)])
        worst = np.maximum(worst, row)
        print(f"{source:26}{reference:26}{row[0]:9.3f}{row[1]:9.3f}{row[2]:11.3f}")
    print(f"{'worst':52}{worst[0]:9.3f}{worst[1]:9.3f}{worst[2]:11.3f}\n")


CONVERTED = CLIPS[:5]
AS_DEEP = {
    "SDR": Coding("bt709", full_range=False),
    "HLG": Coding("bt2020", full_range=False, transfer="hlg", primaries="bt2020"),
    "PQ": Coding("bt2020", full_range=False, transfer="pq", primaries="bt2020"),
}


def clips_against_map(data: Path) -> None:
    """Planes of real clips through the kernel, a float64 evaluation of the Lut, and the map through R'G'B' and Lab.

    Those of 8 bits also as the same picture in 10 bits: SDR, HLG and PQ, the latter with white at 203 cd/m2.
    Percentiles are of samples whose R'G'B' lies in -0.05..1.05, where the map is evaluated. Those beyond, which are no
    colours, move as the nearest of these on their way to grey does, and are counted apart.
    """
    naive = _twins()
    print(
        "Kernel against float64 (largest), and against the exact map (rounded to codes), preset film, centre of a frame"
    )
    print(
        f"{'clip':26}{'reference':24}{'bits':>5}{'Lut':>6}{'99%':>6}{'99.9%':>7}{'mean dE':>9}{'99% dE':>8}"
        f"{'beyond':>9}{'99.9%':>7}"
    )
    for name in CLIPS:
        for reference in CLIP_REFERENCES:
            _clip_against_map(naive, data / name, data / "refs" / reference)
    for label, coding in AS_DEEP.items():
        for name in CONVERTED:
            for reference in CLIP_REFERENCES:
                _clip_against_map(naive, data / name, data / "refs" / reference, label, coding)
    print()


def _as_coding(frame: Frame, clip: Clip, coding: Coding) -> Frame:
    """The same picture in another coding, 10 bits, 4:4:4, half its size each way."""
    height, width = frame.planes[1].shape
    units = np.stack([box_means(p, width, height) for p in frame.planes[:3]], axis=-1) / (1 << (clip.format.depth - 8))
    rgb = np.clip(code_to_rgb(units, clip.coding, clip.format.depth), 0, 1)
    codes = np.rint(rgb_to_code(lab_to_coded(coded_to_lab(rgb, clip.coding), coding), coding, 10) * 4)
    planes = tuple(np.ascontiguousarray(np.clip(codes[..., c], 0, 1023).astype(np.uint16)) for c in range(3))
    return replace(frame, planes=planes, format=PixelFormat("yuv444p10le", 10, 0, 0))


def _clip_against_map(
    naive: ModuleType, path: Path, reference: Path, label: str = "", target: Coding | None = None
) -> None:
    settings = Settings()
    clip = probe(path)
    coding, layout = clip.coding, clip.format
    with Reader(clip) as reader:
        frame = next(frame for frame in reader if frame.index == 8)
        if target is not None:
            frame, coding = _as_coding(frame, clip, target), target
            layout = frame.format
    grid, sampler = LutGrid(coding, layout.depth), Sampler(layout, coding, settings.palette)
    sample = sampler.sample(frame)
    own = extract(add_colours([sample.regions.whole], [1], Counter()), settings.palette)
    other = reference_palettes(reference, settings).whole
    mapping = color_map(correspond(own, other, settings.mapping), settings.mapping)
    lut = grid.bake(mapping)

    def exact(units: FloatArray) -> FloatArray:
        rgb = code_to_rgb(np.asarray(units, np.float64), coding, layout.depth).reshape(-1, 3)
        lab = coded_to_lab(rgb, coding)
        mapped = lab_to_coded(mapping(lab), coding, lab)
        if coding.transfer in EASE:
            ease(mapped, rgb, EASE[coding.transfer])
        compress(mapped, rgb)
        return rgb_to_code(mapped, coding, layout.depth).reshape(units.shape)

    planes = _centre(frame.planes[:3], layout)
    graded = tuple(np.empty_like(plane) for plane in planes)
    PlaneGrader(layout).apply(planes, graded, (lut,))
    shape = (layout.depth, layout.sub_x, layout.sub_y)
    looked_up = naive.graded_planes(planes, *shape, [naive.lut_function(lut.table, LUMA_NODES, CHROMA_NODES)])
    wanted = naive.graded_planes(planes, *shape, [exact])
    off = max(np.abs(a - b).max() for a, b in zip(graded, looked_up, strict=True))
    codes = np.concatenate([np.abs(a - np.rint(b)).reshape(-1) for a, b in zip(graded, wanted, strict=True)])
    outside = np.concatenate([part.reshape(-1) for part in _beyond(planes, layout, coding)])
    inside, away = codes[~outside], codes[outside]
    one, two = (_lab_of(part, layout, coding) for part in (graded, wanted))
    apart = delta_e_2000(one, two)
    print(
        f"{f'{path.stem[:20]} {label}':26}{reference.name:24}{layout.depth:5}{off:6.2f}{np.quantile(inside, 0.99):6.1f}"
        f"{np.quantile(inside, 0.999):7.1f}{apart.mean():9.3f}{np.quantile(apart, 0.99):8.3f}"
        f"{outside.mean():9.2%}{np.quantile(away, 0.999) if len(away) else 0:7.1f}",
        flush=True,
    )


def _beyond(planes: tuple[Plane, ...], layout: PixelFormat, coding: Coding) -> tuple[np.ndarray, ...]:
    """Which samples of each plane are of pixels that are no colour."""
    height, width = planes[0].shape
    tall, wide = 1 << layout.sub_y, 1 << layout.sub_x
    chroma = [np.repeat(np.repeat(p, tall, 0), wide, 1)[:height, :width] for p in planes[1:]]
    units = np.stack([planes[0], *chroma], axis=-1) / (1 << (layout.depth - 8))
    rgb = code_to_rgb(units.astype(np.float64), coding, layout.depth)
    pixels = ((rgb < -_SLACK) | (rgb > 1 + _SLACK)).any(axis=-1)
    padded = np.zeros((planes[1].shape[0] * tall, planes[1].shape[1] * wide), bool)
    padded[:height, :width] = pixels
    blocks = padded.reshape(planes[1].shape[0], tall, planes[1].shape[1], wide).any(axis=(1, 3))
    return pixels, blocks, blocks


def _centre(planes: tuple[Plane, ...], layout: PixelFormat) -> tuple[Plane, ...]:
    """The middle 384 x 216 samples."""
    height, width = planes[0].shape
    top, left = (max(0, (size - most) // 2) // 4 * 4 for size, most in ((height, 216), (width, 384)))
    out = []
    for index, plane in enumerate(planes):
        y, x = (layout.sub_y, layout.sub_x) if index else (0, 0)
        out.append(np.ascontiguousarray(plane[top >> y : (top + 216) >> y, left >> x : (left + 384) >> x]))
    return tuple(out)


def _lab_of(planes, layout, coding):  # type: ignore[no-untyped-def]
    height, width = planes[0].shape
    full = [planes[0]]
    full += [np.repeat(np.repeat(p, 1 << layout.sub_y, 0), 1 << layout.sub_x, 1)[:height, :width] for p in planes[1:]]
    units = np.stack(full, axis=-1).astype(np.float64) / (1 << (layout.depth - 8))
    return coded_to_lab(code_to_rgb(units, coding, layout.depth), coding)


def identity(refs: Path) -> None:
    print("A picture graded with itself, preset film: mean Delta E 2000")
    for name in sorted({pair[0] for pair in PAIRS}):
        rgb = read_picture(refs / name).rgb
        codes = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
        same = transfer_image(codes, codes)
        still = delta_e_2000(srgb_to_lab(codes / 255), srgb_to_lab(same / 255)).mean()
        print(f"  {name:26} still {still:.4f}   video {_video_identity(refs / name, codes):.4f}")
    print()


def _video_identity(path: Path, codes: np.ndarray) -> float:
    import av

    height, width = (codes.shape[0] // 2 * 2, codes.shape[1] // 2 * 2)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "still.mkv"
        with av.open(str(clip), "w") as container:
            stream = container.add_stream("ffv1", rate=24, width=width, height=height)
            stream.pix_fmt = "yuv444p"
            stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
            units = np.rint(rgb_to_code(codes[:height, :width] / 255, Coding("bt709", full_range=False), 8))
            for _ in range(6):
                frame = av.VideoFrame(width, height, "yuv444p")
                for index, plane in enumerate(frame.planes):
                    view = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
                    view[:, :width] = units[..., index]
                frame.colorspace, frame.color_range = 1, 1
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        out = Path(folder) / "out.mkv"
        grade_video(clip, path, out, Settings().updated(output__codec="ffv1"))
        return float(np.mean([delta_e_2000(a, b).mean() for a, b in zip(_labs(clip), _labs(out), strict=True)]))


def _labs(path: Path) -> list[np.ndarray]:
    clip = probe(path)
    with Reader(clip) as reader:
        frames = [np.stack([np.array(plane) for plane in frame.planes], axis=-1) for frame in reader]
    return [srgb_to_lab(code_to_rgb(frame.astype(np.float64), clip.coding, 8)) for frame in frames]


def contours(refs: Path) -> None:
    print("Banding on a clear sky (jr-ocean_sunset as source), 99.9th percentile of the output step")
    source = read_picture(refs / "jr-ocean_sunset.jpg").rgb
    print(f"  untouched {banding(source, source):.4f}")
    for reference in ("jr-autumn.jpg", "jr-storm.jpg", "jr-ocean_day.jpg"):
        other = read_picture(refs / reference).rgb
        figures = []
        for assignment in ("hard", "soft"):
            settings = Settings().updated(mapping__assignment=assignment)
            figures.append(banding(source, transfer_image(source, other, settings)))
        print(f"  {reference:22} hard {figures[0]:.4f}   soft {figures[1]:.4f}")
    print()


def stretch(data: Path) -> None:
    """How far the default grade stretches luma, over the pairs of scripts/pairs.txt: where rounding to 8 bits could
    add steps to those that a source has."""
    from compare import read_pairs

    settings = Settings()
    grid = LutGrid(Coding("bt709", full_range=False), 8)
    shares = []
    for pair in read_pairs(Path(__file__).with_name("pairs.txt"), data):
        source, reference = (codes.astype(np.float32) / 255 for codes in (pair.source, pair.reference))
        palettes = extract_palette(source, settings), extract_palette(reference, settings)
        lut = grid.bake(color_map(correspond(*palettes, settings.mapping), settings.mapping))
        slopes = np.diff(lut.table[:, :, 0].astype(float), axis=-1) / ONE / np.diff(LUMA_NODES)
        units = rgb_to_code(source.reshape(-1, 3).astype(float), grid.coding, 8)
        place = [np.clip(np.searchsorted(nodes, units[:, c], side="right") - 1, 0, len(nodes) - 2)
                 for c, nodes in enumerate((LUMA_NODES, CHROMA_NODES, CHROMA_NODES))]  # fmt: skip
        slope = slopes[place[1], place[2], place[0]]
        shares.append([(slope > least).mean() for least in (1.25, 1.5)])
    mean, most = np.mean(shares, axis=0), np.max(shares, axis=0)
    print(f"\nLuma stretched by the default grade, share of the pixels of {len(shares)} pairs (of the worst pair)")
    for k, least in enumerate((1.25, 1.5)):
        print(f"more than {least}: {mean[k]:.1%} ({most[k]:.1%})")


def letterbox(data: Path, sheet: Path | None) -> None:
    print("Letterbox of cosmos-30s, lossless: differing samples in the bars; chroma of blacks (L* < 3, chroma <= 2)")
    source = data / "clips" / "cosmos-30s.mp4"
    rows = []
    for reference in ("jr-ocean_sunset.jpg", "jr-autumn.jpg", "jr-storm.jpg"):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.mkv"
            grade_video(source, data / "refs" / reference, out, Settings().updated(output__codec="ffv1"))
            wrong, own, dark, lines = _compare_bars(source, out)
        rows.append(np.concatenate(lines, axis=1))
        print(f"  {reference:22} bars differ in {wrong} samples; largest chroma of blacks {dark:.2f}, before {own:.2f}")
    if sheet is not None:
        save_png(sheet, np.concatenate(rows, axis=0))
        print(f"  sheet: {sheet}")
    print()


def _compare_bars(source: Path, graded: Path) -> tuple[int, float, float, list[np.ndarray]]:
    first, second = probe(source), probe(graded)
    wrong, own, dark, lines = 0, 0.0, 0.0, []
    top, bottom = 56, 424
    with Reader(first) as a, Reader(second) as b:
        for before, after in zip(a, b, strict=True):
            for bar in (slice(0, top), slice(bottom, None)):
                wrong += int((before.planes[0][bar] != after.planes[0][bar]).sum())
            if before.index % 60 == 30:
                labs = [srgb_to_lab(_rgb(frame, first.coding)) for frame in (before, after)]
                black = (labs[0][..., 0] < 3) & (np.hypot(labs[0][..., 1], labs[0][..., 2]) <= 2)
                # Of 4:2:0 four pixels share one chroma sample: black are those whose three others are black too.
                black = np.repeat(np.repeat(black.reshape(240, 2, 427, 2).all(axis=(1, 3)), 2, 0), 2, 1)
                if black.any():
                    chroma = [float(np.hypot(lab[..., 1], lab[..., 2])[black].max()) for lab in labs]
                    own, dark = max(own, chroma[0]), max(dark, chroma[1])
            if before.index in (60, 330, 400, 560):
                for frame in (before, after):
                    rgb = np.clip(_rgb(frame, first.coding), 0, 1)[::2, ::2]
                    lines.append(np.rint(rgb * 255).astype(np.uint8))
    return wrong, own, dark, lines


def _rgb(frame, coding):  # type: ignore[no-untyped-def]
    planes = [np.asarray(plane, np.float64) for plane in frame.planes]
    height, width = planes[0].shape
    full = [planes[0]] + [np.repeat(np.repeat(p, 2, 0), 2, 1)[:height, :width] for p in planes[1:]]
    return code_to_rgb(np.stack(full, axis=-1), coding, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("words", metavar="PART | SHEET.png", nargs="*")
    given = parser.parse_args()
    data: Path = given.data
    sheet = next((word for word in given.words if word.endswith(".png")), None)
    parts = {
        "paper": lambda: paper_against_twin(data / "refs"),
        "luts": lambda: lut_against_map(data / "refs"),
        "clips": lambda: clips_against_map(data),
        "identity": lambda: identity(data / "refs"),
        "contours": lambda: contours(data / "refs"),
        "stretch": lambda: stretch(data),
        "letterbox": lambda: letterbox(data, Path(sheet) if sheet else None),
    }
    asked = [word for word in given.words if word != sheet] or list(parts)
    if unknown := set(asked) - set(parts):
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Parts: {', '.join(parts)}")
    for folder in ("clips", "odd", "refs"):
        if not (data / folder).is_dir():
            parser.error(f"{data}: has no folder {folder} (CONTRIBUTING.md says what DATA holds)")
    for part in asked:
        try:
            parts[part]()
        except ModuleNotFoundError as missing:
            extra = "compare" if missing.name in ("cv2", "sklearn") else "test"
            sys.exit(f"{part}: needs {missing.name}. Install it with pip install 'streamct[{extra}]'")


if __name__ == "__main__":
    main()
