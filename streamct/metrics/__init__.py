"""Numbers that say how good a grade is: what the paper measures, and what it does not.

`difference` compares a result with its source, pixel by pixel; `distance` a picture's colours with the
reference's; `motion` judges how a result changes from frame to frame.
"""

from streamct.metrics.delta_e import delta_e_2000
from streamct.metrics.difference import (
    Difference,
    banding,
    consistency_lightness,
    consistency_rgb,
    difference,
    edit_size,
    fading,
    new_clipping,
    new_extremes,
)
from streamct.metrics.distance import Distance, distance, sliced_wasserstein
from streamct.metrics.drift import DriftMeter
from streamct.metrics.flow import Motion, motion_between, warp
from streamct.metrics.motion import Flicker, FlickerMeter
from streamct.metrics.structure import structure

__all__ = [
    "Difference",
    "Distance",
    "DriftMeter",
    "Flicker",
    "FlickerMeter",
    "Motion",
    "banding",
    "consistency_lightness",
    "consistency_rgb",
    "delta_e_2000",
    "difference",
    "distance",
    "edit_size",
    "fading",
    "motion_between",
    "new_clipping",
    "new_extremes",
    "sliced_wasserstein",
    "structure",
    "warp",
]
