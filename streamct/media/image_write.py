"""Picture -> file: the depth, profile, alpha and metadata of the source, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from streamct.errors import OutputError
from streamct.media import icc
from streamct.media.files import written_whole
from streamct.media.image_read import WRITABLE_EXTENSIONS, Picture

DEEP_ENDINGS = (".png", ".tif", ".tiff", ".avif")
"""Endings of formats that hold more than 8 bits a sample."""
_FULL_CHROMA_QUALITY = 90
_LOSSLESS = 100
_AVIF_DEEP_BITS = 12
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8]")


def check_writable(path: Path) -> None:
    """Whether the ending names a format that can be written.

    Raises:
        OutputError: it does not; the message names those that can.
    """
    if path.suffix.lower() not in WRITABLE_EXTENSIONS:
        known = ", ".join(WRITABLE_EXTENSIONS)
        raise OutputError(f"{path}: {path.suffix or 'a name without an ending'} can't be written. Use one of {known}.")


def default_output(source: Path) -> Path:
    """`<stem>.graded<ending>` beside `source`; PNG where its format can't be written."""
    ending = source.suffix if source.suffix.lower() in WRITABLE_EXTENSIONS else ".png"
    return source.with_name(f"{source.stem}.graded{ending}")


def write_picture(path: Path, rgb: NDArray[np.float32], like: Picture, quality: int) -> tuple[str, ...]:
    """Write rgb (h, w, 3), extended sRGB, with the depth, alpha, profile and metadata of `like`.

    The format follows the ending. Values are rounded to the nearest code and clipped to the profile's gamut
    (no profile: sRGB). quality: 1..100 for JPEG, WebP and AVIF; 100 is lossless in the latter two.

    Returns: lines that tell the user what the format could not keep.

    Raises:
        OutputError: an ending or a size that can't be written, no folder, no space, or no permission. An older
            file of that name is untouched.
    """
    data, notes = picture_bytes(path, rgb, like, quality)
    _save(path, data)
    return notes


def picture_bytes(path: Path, rgb: NDArray[np.float32], like: Picture, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """What `write_picture` writes under `path`, and its lines for the user.

    Raises:
        OutputError: an ending or a size that can't be written.
    """
    check_writable(path)
    ending = path.suffix.lower()
    depth = like.depth if ending in DEEP_ENDINGS else 8
    notes = [f"{like.path.name}: {phrase}" for phrase in like.lost]
    if depth < like.depth:
        notes.append(f"{path.name}: {ending} holds 8 bits a sample, the source has more; PNG and TIFF keep them")
    bits = _AVIF_DEEP_BITS if ending == ".avif" and depth == 16 else depth
    image = _image(rgb, like.profile, bits, notes)
    if like.alpha is not None and ending in (".jpg", ".jpeg"):
        if like.alpha.min() < 1:
            notes.append(f"{path.name}: JPEG has no transparency; PNG, TIFF, WebP and AVIF keep it")
    elif like.alpha is not None:
        kind = image.interpretation
        image = image.bandjoin(pyvips.Image.new_from_array(_codes(like.alpha, bits))).copy(interpretation=kind)
    image = _with_fields(image, like)
    if ending in (".tif", ".tiff") and any(name.startswith("exif-ifd") for name in like.fields or ()):
        notes.append(f"{path.name}: EXIF is not kept in TIFF; PNG, JPEG, WebP and AVIF keep it")
    try:
        data = image.write_to_buffer(ending, keep=_kept(like), **_options(ending, quality, bits, image))
    except pyvips.Error as cause:
        lines = str(cause.detail or cause.message).strip().splitlines()
        raise OutputError(
            f"{path}: a picture of {image.width}x{image.height} can't be written as {ending} "
            f"({lines[0] if lines else 'unknown reason'}). Use PNG or TIFF."
        ) from cause
    return bytes(data), tuple(notes)


def encode_png(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """The bytes of a PNG of rgb (h, w, 3), of 8 or 16 bits."""
    kind = "srgb" if rgb.dtype == np.uint8 else "rgb16"
    image = pyvips.Image.new_from_array(np.ascontiguousarray(rgb)).copy(interpretation=kind)
    return bytes(image.pngsave_buffer(compression=6))


def save_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write rgb (h, w, 3) as a PNG.

    Raises:
        OutputError: no folder, no space or no permission. An older file of that name is untouched.
    """
    _save(path, encode_png(rgb))


def _save(path: Path, data: bytes) -> None:
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def _image(rgb: NDArray[np.float32], profile: bytes | None, bits: int, notes: list[str]) -> pyvips.Image:
    """Codes in the profile's own space, the profile attached."""
    parsed = None if profile is None else icc.parse(profile)
    if profile is not None and parsed is None:
        try:
            pixels = _managed(rgb, profile, bits)
        except pyvips.Error:
            notes.append("its colour profile serves for reading only (a scanner's or camera's); written as sRGB")
            pixels, profile = rgb, None
    elif parsed is not None and not parsed.is_srgb:
        pixels = parsed.encode(rgb)
    else:
        pixels = rgb
    image = pyvips.Image.new_from_array(_codes(pixels, bits)).copy(interpretation="srgb" if bits == 8 else "rgb16")
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _managed(rgb: NDArray[np.float32], profile: bytes, bits: int) -> NDArray[np.float32]:
    """Coded values 0..1 of a profile with look-up tables, through libvips' colour management."""
    image = pyvips.Image.new_from_array(icc.srgb_to_lab(rgb).astype(np.float32)).copy(interpretation="lab")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    depth = 8 if bits == 8 else 16
    pixels = image.icc_export(pcs="lab", intent="relative", depth=depth).numpy()
    return np.asarray(pixels.astype(np.float32) / np.float32((1 << depth) - 1))


def _codes(values: NDArray[np.float32], bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """0..1 to the nearest code of `bits`; more than 8 bits stand at the top of 16, as libvips wants them."""
    scaled = values * np.float32((1 << bits) - 1)
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, (1 << bits) - 1, out=scaled)
    if bits == 8:
        return scaled.astype(np.uint8)
    return scaled.astype(np.uint16) << np.uint16(16 - bits)


def _with_fields(image: pyvips.Image, like: Picture) -> pyvips.Image:
    fields = dict(like.fields or {})
    resolution = {name: fields.pop(name)[1] for name in ("xres", "yres") if name in fields}
    if all(0 < value != 1 for value in resolution.values()):  # 1 is libvips' word for unknown
        image = image.copy(**resolution)
    for name, (kind, value) in fields.items():
        if name == "xmp-data":
            value = _XMP_ORIENTATION.sub(rb"\g<1>1", value)
        image.set_type(kind, name, value)
    if "exif-data" in fields:  # else libvips writes the source's orientation, out of the copied EXIF block
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    return image


def _kept(like: Picture) -> int:
    """Kinds of metadata to write: no EXIF, which libvips would make of the resolution, where there was none."""
    kinds = pyvips.enums.ForeignKeep
    return int(kinds.ALL if "exif-data" in (like.fields or {}) else kinds.ALL & ~kinds.EXIF)


def _options(ending: str, quality: int, bits: int, image: pyvips.Image) -> dict[str, Any]:
    full_chroma = "off" if quality >= _FULL_CHROMA_QUALITY else "on"
    if ending in (".jpg", ".jpeg"):
        return {"Q": quality, "subsample_mode": full_chroma, "optimize_coding": True}
    if ending == ".png":
        return {"compression": 6}
    if ending in (".tif", ".tiff"):
        size = image.width * image.height * image.bands * (1 if bits == 8 else 2)
        return {"compression": "deflate", "predictor": "horizontal", "bigtiff": size >= 1 << 32}
    lossless = quality == _LOSSLESS
    if ending == ".webp":
        return {"Q": quality, "lossless": lossless, "exact": True, "smart_subsample": True}
    # effort 4, libvips' own choice, takes six times as long for a file 7% smaller
    return {
        "Q": quality, "lossless": lossless, "compression": "av1", "bitdepth": bits,
        "subsample_mode": full_chroma, "effort": 2,
    }  # fmt: skip
