"""R'G'B' of any coding as an SDR screen shows it: for eyes, and for networks that were trained on such pictures."""

from __future__ import annotations

import numpy as np

from streamct.color.gamut import compress
from streamct.color.lab import coded_to_lab, lab_to_srgb
from streamct.model import Coding, FloatArray

_KNEE, _ROOM = 80.0, 20.0
"""L* up to which nothing is toned down, and what there is above it: L* 100 becomes 90, 181 (HLG's white) 96.7."""


def shown(rgb: FloatArray, coding: Coding) -> FloatArray:
    """sRGB (..., 3), 0..1 nominal, of R'G'B' (..., 3) of a coding.

    SDR in BT.709 primaries is returned as it is. HDR is toned down in L* with its chroma in proportion, and what
    lies outside the gamut of sRGB is drawn back into it.
    """
    if coding.transfer == "srgb" and coding.primaries == "bt709":
        return rgb
    lab = coded_to_lab(rgb, coding).reshape(-1, 3)
    if coding.transfer != "srgb":
        above = np.maximum(lab[:, 0] - _KNEE, 0)
        toned = np.minimum(lab[:, 0], _KNEE) + _ROOM * above / (_ROOM + above)
        lab[:, 1:] *= np.where(above > 0, toned / np.maximum(lab[:, 0], _KNEE), 1.0)[:, None]
        lab[:, 0] = toned
    out = lab_to_srgb(lab)
    compress(out, np.clip(out, 0, 1))
    return out.reshape(rgb.shape)
