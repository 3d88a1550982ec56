"""File -> Picture, through libvips: 8 and 16 bits, profiles, EXIF orientation, alpha.

What libvips can't read goes through FFmpeg (`streamct.media.image_av`).

In between a picture is *extended sRGB*: R'G'B' with the sRGB curve, 0..1 inside the sRGB gamut and beyond it
where the picture's own profile is wider.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from streamct.errors import DamagedInputError, InputError, StreamctError
from streamct.media import heif, icc, image_av

pyvips.cache_set_max(0)  # libvips' cache of results would hold whole pictures
logging.getLogger("pyvips").setLevel(logging.WARNING)

WRITABLE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif")
"""Endings of the formats that a picture can be written in."""
PICTURE_EXTENSIONS = (*WRITABLE_EXTENSIONS, ".gif", ".heic", ".heif", *image_av.ENDINGS)
"""Endings by which a file is taken for a picture."""

_CARRIED = ("xmp-data", "iptc-data", "exif-data", "resolution-unit")
_HARMLESS = re.compile(r"extraneous bytes|Invalid SOS|Adobe color transform|Inconsistent progression|thumbnail")
_TOPS = {"uchar": 255, "ushort": 65535}
_SHORTEST, _STILL = 10, 100
_FROM_FLOAT = "floating point is written as integers of the sRGB curve, clipped to 0..1"
_LUMA_BANDS = ("b-w", "grey16", "multiband", "histogram", "matrix")
_RGB_BANDS = ("srgb", "rgb", "rgb16", "scrgb")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A still picture, upright.

    rgb: (h, w, 3) float32 extended sRGB, contiguous. alpha: (h, w) float32 0..1, or None. depth: 8 or 16,
    bits a sample of the file (10, 12 bits and floating point count as 16). profile: its ICC profile where
    that describes RGB, to be written back. fields: EXIF, XMP, IPTC and resolution, as libvips names and
    types them. lost: what a written copy can't have, each a phrase.
    """

    path: Path
    rgb: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    depth: int
    profile: bytes | None = None
    fields: dict[str, tuple[int, Any]] | None = None
    lost: tuple[str, ...] = ()


def read_picture(path: Path, error: type[StreamctError] = InputError) -> Picture:
    """Read a picture: EXIF orientation applied, profile converted (relative colorimetric, without black point
    compensation), of an animation or a multi-page file the first.

    Without a profile R'G'B' is sRGB; floating point without one is linear light. Floating point with one is
    clipped to 0..1.

    error: what to raise, so that a reference or a mask is named as such.

    Raises:
        error: missing, a folder, empty, unreadable, not a picture, damaged or truncated.
    """
    data = _bytes(path, error)
    try:
        if (codec := image_av.codec_for(path, data)) is not None:
            return _raw(path, image_av.load(codec, data))
        if heif.is_hevc(data):
            image = heif.load(data)
        else:
            _refuse_damage(data)
            image = pyvips.Image.new_from_buffer(data, "", memory=True, fail_on="error")
        return _decoded(path, image.autorot())
    except pyvips.Error as cause:
        raise error(_explain(path, cause)) from cause
    except image_av.RawDamageError as cause:
        raise error(f"{path}: the picture is damaged or incomplete ({cause}). Copy or export it again.") from cause
    except heif.NoDecoderError as cause:
        raise error(f"{path}: {cause}") from cause
    except _UnusableError as cause:
        raise error(f"{path}: {cause} Export it as a PNG, TIFF or JPEG of 8 or 16 bits.") from cause


class _UnusableError(Exception):
    """Readable, but not as colours."""


def _bytes(path: Path, error: type[StreamctError]) -> bytes:
    try:
        if path.is_dir():
            raise error(f"{path}: is a folder, not a picture. Give one file.")
        data = path.read_bytes()
    except FileNotFoundError as cause:
        raise error(f"{path}: no such file. Check the path.") from cause
    except PermissionError as cause:
        raise error(f"{path}: may not be read. Check its permissions.") from cause
    except OSError as cause:
        raise error(f"{path}: can't be read ({cause.strerror or cause}).") from cause
    if not data:
        raise error(f"{path}: is empty (0 bytes). Copy or export it again.")
    return data


def _refuse_damage(data: bytes) -> None:
    """libjpeg calls both broken scans and harmless oddities warnings: raise for the former only."""
    if data[:2] != b"\xff\xd8":
        return
    try:
        pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="warning").avg()
    except pyvips.Error as cause:
        lines = [line for line in str(cause.detail).splitlines() if line.startswith("VipsJpeg:")]
        if not lines or any(not _HARMLESS.search(line) for line in lines):
            raise


def _explain(path: Path, cause: pyvips.Error) -> str:
    text = str(cause.detail or cause.message)
    if "not in a known format" in text or "unsupported" in text.lower():
        return f"{path}: is not a picture that can be read. Give a JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP, EXR or PPM."
    lines = [line.strip() for line in text.splitlines() if line.strip() and "bad seek" not in line]
    reason = lines[0].split(": ", 1)[-1] if lines else "unknown reason"
    return f"{path}: the picture is damaged or incomplete ({reason}). Copy or export it again."


def _decoded(path: Path, image: pyvips.Image) -> Picture:
    names = image.get_fields()
    fields = {n: (image.get_typeof(n), image.get(n)) for n in names if n in _CARRIED or n.startswith("exif-ifd")}
    for name, value in (("xres", image.xres), ("yres", image.yres)):
        fields[name] = (pyvips.GValue.gdouble_type, value)
    data = image.get("icc-profile-data") if "icc-profile-data" in names else None
    lost = []
    if "n-pages" in names and image.get("n-pages") > 1:
        lost.append(f"only the first of its {image.get('n-pages')} pictures is used")
    depth = 8 if image.format == "uchar" else 16

    colour = image
    alpha = None
    if image.hasalpha():
        first = 3 if image.interpretation in _RGB_BANDS else image.bands - 1
        colour = image.extract_band(0, n=first)
        alpha = _alpha(image.extract_band(first))
    if image.format in ("float", "double") and image.interpretation in (*_LUMA_BANDS, *_RGB_BANDS):
        lost.append(_FROM_FLOAT)
        if data is not None:
            colour = (colour.cast("double") * 65535).rint().cast("ushort")
            colour = colour.copy(interpretation="rgb16" if colour.bands >= 3 else "grey16")
    if image.interpretation == "cmyk":
        lost.append("CMYK is written as sRGB")
        rgb, data = _managed(colour, data), None
    elif image.interpretation in (*_LUMA_BANDS, *_RGB_BANDS):
        rgb, data, trouble = _profiled(colour, data)
        lost += trouble
    else:
        lost.append(f"{image.interpretation} is written as sRGB")
        rgb, data = icc.srgb_encode(_three(colour.colourspace("scrgb"))).astype(np.float32), None
    rgb, alpha, unknown = _numbers(rgb, alpha)
    return Picture(path, np.ascontiguousarray(rgb), alpha, depth, data, fields, (*lost, *unknown))


def _raw(path: Path, raw: image_av.RawPicture) -> Picture:
    samples = raw.samples
    lost: tuple[str, ...] = ()
    if samples.dtype == np.float32:
        lost = (_FROM_FLOAT,)
        rgb = icc.srgb_encode(samples[..., :3].astype(np.float64)).astype(np.float32)
        alpha = np.clip(samples[..., 3], 0, 1) if samples.shape[-1] == 4 else None
    else:
        scaled = samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
        rgb, alpha = scaled[..., :3], scaled[..., 3] if samples.shape[-1] == 4 else None
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha)
    depth = 8 if samples.dtype == np.uint8 else 16
    rgb, alpha, unknown = _numbers(rgb, alpha)
    return Picture(path, np.ascontiguousarray(rgb), alpha, depth, lost=(*lost, *unknown))


def _numbers(
    rgb: NDArray[np.float32], alpha: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, tuple[str, ...]]:
    """Both with black and opaque where floats hold no numbers, and a line that says so if there are any."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(rgb).all(axis=2))
    if alpha is not None:
        known &= np.isfinite(alpha)
    if known.all():
        return rgb, alpha, ()
    count = int((~known).sum())
    said = (
        f"{count} pixels that hold no numbers (NaN, infinity) count as black"
        if count > 1
        else ("1 pixel that holds no numbers (NaN, infinity) counts as black")
    )
    opaque = None if alpha is None else np.where(known, alpha, np.float32(1))
    return np.where(known[..., None], rgb, np.float32(0)), opaque, (said,)


def _profiled(image: pyvips.Image, data: bytes | None) -> tuple[NDArray[np.float32], bytes | None, list[str]]:
    """Extended sRGB of a grey or RGB image, the profile to write back, and what goes wrong in doing so."""
    pixels = _three(image)
    if image.format in ("float", "double"):
        return icc.srgb_encode(pixels.astype(np.float64)).astype(np.float32), None, []
    if image.format not in _TOPS:
        raise _UnusableError(f"its samples are of type {image.format}, which has no agreed range.")
    pixels, top = _true_codes(image, pixels)
    plain = pixels.astype(np.float32) / np.float32(top)
    if data is None:
        return plain, None, []
    profile = icc.parse(data)
    if profile is None and icc.has_tables(data) and image.bands >= 3:
        try:
            return _managed(image, data), data, []
        except pyvips.Error:
            return plain, None, ["its colour profile can't be used, it is taken for sRGB"]
    if profile is None or (profile.grey and image.bands >= 3):
        return plain, None, ["its colour profile does not fit the picture, it is taken for sRGB"]
    if profile.is_srgb:
        return plain, data, []
    codes = pixels.astype(np.uint16) * np.uint16(257) if top == 255 else np.rint(plain * 65535).astype(np.uint16)
    return profile.decode(codes), None if profile.grey else data, []


def _managed(image: pyvips.Image, data: bytes | None) -> NDArray[np.float32]:
    """Extended sRGB of an image whose profile is a look-up table, through libvips' colour management."""
    # L*a*b*, since libvips scales XYZ to a white of D65
    lab = image.icc_import(pcs="lab", intent="relative", embedded=data is not None)
    return icc.lab_to_srgb(np.asarray(lab.numpy(), np.float64)).astype(np.float32)


def _true_codes(image: pyvips.Image, pixels: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Samples of 10 and 12 bits, which libvips shifts up, and their largest value."""
    bits = _bits(image)
    return (pixels, _TOPS[image.format]) if bits is None else (pixels >> (16 - bits), (1 << bits) - 1)


def _bits(image: pyvips.Image) -> int | None:
    names = image.get_fields()
    if "heif-compression" not in names or image.format != "ushort" or "bits-per-sample" not in names:
        return None
    return int(image.get("bits-per-sample"))


def _alpha(band: pyvips.Image) -> NDArray[np.float32]:
    pixels = band.numpy()
    pixels = pixels.reshape(band.height, band.width)
    if band.format not in _TOPS:
        return np.asarray(np.clip(pixels.astype(np.float32), 0, 1))
    pixels, top = _true_codes(band, pixels)
    return np.ascontiguousarray(pixels.astype(np.float32) / np.float32(top))


def _three(image: pyvips.Image) -> NDArray[Any]:
    pixels = image.numpy().reshape(image.height, image.width, image.bands)
    return pixels[..., :3] if image.bands >= 3 else np.repeat(pixels[..., :1], 3, axis=2)


class Animation:
    """An animated picture, decoded picture by picture. durations: of each in milliseconds.

    Durations of 10 ms and less are 100 ms, as browsers show them.

    Raises:
        InputError: see `read_picture`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        data = _bytes(path, InputError)
        try:
            self._image = pyvips.Image.new_from_buffer(data, "", n=-1, fail_on="error")
        except pyvips.Error as cause:
            raise InputError(_explain(path, cause)) from cause
        names = self._image.get_fields()
        count = self._image.get("n-pages") if "n-pages" in names else 1
        delays = list(self._image.get("delay")) if "delay" in names else []
        delays = (delays + [_STILL] * count)[:count]
        self.durations: list[int] = [int(delay) if delay > _SHORTEST else _STILL for delay in delays]

    def read(self, index: int) -> Picture:
        """One of its pictures.

        Raises:
            DamagedInputError: it can't be decoded.
        """
        height = self._image.height // len(self.durations)
        try:
            page = self._image.crop(0, index * height, self._image.width, height).copy()
            page.set_type(pyvips.GValue.gint_type, "n-pages", 1)
            return _decoded(self._path, page)
        except pyvips.Error as cause:
            raise DamagedInputError(_explain(self._path, cause)) from cause


def list_pictures(folder: Path) -> list[Path]:
    """The pictures in `folder` by their ending, hidden files left out, numbers in names in numeric order.

    Raises:
        InputError: the folder is missing or can't be read.
    """
    try:
        found = [f for f in folder.iterdir() if f.suffix.lower() in PICTURE_EXTENSIONS and f.name[0] != "."]
    except OSError as cause:
        raise InputError(f"{folder}: can't be read as a folder ({cause.strerror}). Check the path.") from cause
    return sorted((f for f in found if f.is_file()), key=_natural)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name
