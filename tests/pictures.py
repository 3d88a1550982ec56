"""Still pictures and colour profiles that tests make for themselves."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from streamct.media import icc

Colorants = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]

# Red, green and blue under D50, as the published profiles carry them.
DISPLAY_P3: Colorants = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB: Colorants = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB: Colorants = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
ADOBE_GAMMA = 563 / 256


def gradient(height: int, width: int, top: int = 255, bands: int = 3) -> NDArray[Any]:
    """(h, w, bands) codes 0..top that use many values, smooth enough for lossy formats."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x / max(width - 1, 1), y / max(height - 1, 1)
    planes = [across, down, 1 - across, 0.25 + 0.5 * (across + down) / 2][:bands]
    return np.rint(np.stack(planes, axis=-1) * top).astype(np.uint8 if top == 255 else np.uint16)


def save(path: Path, codes: NDArray[Any], profile: bytes | None = None, **options: Any) -> Path:
    """Write (h, w, bands) codes. options: of the saver; `fields`: metadata as name -> (kind, value)."""
    bands, deep = codes.shape[2], codes.dtype == np.uint16
    fields = options.pop("fields", {})
    image = pyvips.Image.new_from_array(np.ascontiguousarray(codes))
    grey = "grey16" if deep else "b-w"
    image = image.copy(interpretation=grey if bands < 3 else "rgb16" if deep else "srgb")
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    for name, (kind, value) in fields.items():
        image.set_type(kind, name, value)
    image.write_to_file(str(path), **options)
    return path


def orientation(number: int) -> dict[str, tuple[int, Any]]:
    """The EXIF orientation as a metadata field, with a camera's name beside it."""
    camera = (pyvips.GValue.gstr_type, "Testcam (Testcam, ASCII, 8 components, 8 bytes)")
    return {"orientation": (pyvips.GValue.gint_type, number), "exif-ifd0-Make": camera}


def rgb_profile(colorants: Colorants, gamma: float | None = None) -> bytes:
    """A matrix profile (ICC.1:2022). gamma: of the curve; None: the sRGB curve."""
    if gamma is None:
        srgb = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(v * 65536) for v in srgb))
    else:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {name: _xyz(values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma: float) -> bytes:
    """A grey profile with a power curve."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return _profile(b"GRAY", {b"kTRC": curve})


def scanner_profile() -> bytes:
    """An input profile: a look-up table (lut8Type, two nodes a channel) to Lab, and no way back."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness = corners @ (0.2, 0.7, 0.1) * 255
    table = np.stack([lightness, 128 + 60 * (corners[:, 0] - corners[:, 1]), np.full(8, 128)], axis=-1)
    ramp = bytes(range(256)) * 3
    matrix = struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))
    lut = b"mft1" + bytes(4) + bytes((3, 3, 2, 0)) + matrix + ramp + table.astype(np.uint8).tobytes() + ramp
    return _profile(b"RGB ", {b"A2B0": lut}, kind=b"scnr", pcs=b"Lab ")


def printer_profile(nodes: int = 25) -> bytes:
    """Look-up tables (lut16Type) both ways between sRGB and Lab."""
    rgb = np.stack(np.meshgrid(*[np.linspace(0, 1, nodes)] * 3, indexing="ij"), axis=-1)
    units = np.stack(np.meshgrid(*[np.linspace(0, 65535, nodes)] * 3, indexing="ij"), axis=-1)
    lab = (units - (0, 32768, 32768)) / (652.8, 256, 256)
    to_lab = np.clip(icc.srgb_to_lab(rgb) * (652.8, 256, 256) + (0, 32768, 32768), 0, 65535)
    to_rgb = np.clip(icc.lab_to_srgb(lab), 0, 1) * 65535
    ramp = struct.pack(">6H", *[0, 65535] * 3)
    matrix = struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))
    head = b"mft2" + bytes(4) + bytes((3, 3, nodes, 0)) + matrix + struct.pack(">2H", 2, 2) + ramp
    tags = {
        name: head + np.rint(t).astype(">u2").tobytes() + ramp for name, t in ((b"A2B0", to_lab), (b"B2A0", to_rgb))
    }
    return _profile(b"RGB ", tags, kind=b"prtr", pcs=b"Lab ")


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def _profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", pcs: bytes = b"XYZ ") -> bytes:
    text = "test".encode("utf-16-be")
    words = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": words, b"cprt": words, b"wtpt": _xyz((0.9642, 1.0, 0.8249)), **tags}
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        body += bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(tag))
        body += tag
    body += bytes(-len(body) % 4)
    head = bytearray(128)
    head[8:12] = b"\x04\x30\x00\x00"
    head[12:24] = kind + space + pcs
    head[36:40] = b"acsp"
    head[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    head[0:4] = struct.pack(">I", start + len(body))
    return bytes(head) + struct.pack(">I", len(tags)) + table + body
