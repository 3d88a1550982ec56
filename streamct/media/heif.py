"""HEIC through the optional `pillow-heif`: libvips' wheels can't decode HEVC."""

from __future__ import annotations

import struct

import numpy as np
import pyvips

_HEVC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")


class NoDecoderError(Exception):
    """The optional decoder is not installed, or refuses the file."""


def is_hevc(data: bytes) -> bool:
    """Whether a file's bytes begin like a HEIF picture coded with HEVC."""
    if data[4:8] != b"ftyp":
        return False
    box = data[8 : min(struct.unpack(">I", data[:4])[0], 256)]
    return any(box[i : i + 4] in _HEVC_BRANDS for i in range(0, len(box), 4))


def load(data: bytes) -> pyvips.Image:
    """The primary picture, upright, 8 or 16 bits a sample, with its profile, EXIF and XMP as libvips holds them.

    Raises:
        NoDecoderError: `pillow-heif` is missing, or can't decode the picture.
    """
    try:
        import pillow_heif  # type: ignore[import-not-found,unused-ignore]
    except ImportError as cause:
        raise NoDecoderError(
            "HEIC needs a decoder that is not installed. Run `pip install pillow-heif`, or convert the picture "
            "to AVIF, PNG or JPEG."
        ) from cause
    try:
        picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        pixels = np.asarray(picture)
    except (ValueError, OSError, EOFError, RuntimeError) as cause:
        raise NoDecoderError(f"the picture is damaged or incomplete ({cause}). Copy or export it again.") from cause
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    grey = image.bands < 3
    deep = image.format == "ushort"
    image = image.copy(interpretation=("grey16" if deep else "b-w") if grey else ("rgb16" if deep else "srgb"))
    exif = picture.info.get("exif")
    if exif:
        _take_exif(image, exif)
    for name, key in (("icc-profile-data", "icc_profile"), ("xmp-data", "xmp")):
        if picture.info.get(key):
            image.set_type(pyvips.GValue.blob_type, name, picture.info[key])
    return image


def _take_exif(image: pyvips.Image, exif: bytes) -> None:
    """libvips keeps only tags that it has parsed itself, and it parses them when it opens a file."""
    exif = exif if exif.startswith(b"Exif\0\0") else b"Exif\0\0" + exif
    blank = pyvips.Image.black(1, 1).jpegsave_buffer()
    if len(exif) > 65533:
        return
    carrier = pyvips.Image.new_from_buffer(
        blank[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + blank[2:], ""
    )
    for name in carrier.get_fields():
        if name == "exif-data" or (name.startswith("exif-ifd") and not name.endswith("Orientation")):
            image.set_type(carrier.get_typeof(name), name, carrier.get(name))
