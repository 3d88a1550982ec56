"""LUT files of real frames, applied by FFmpeg and OpenColorIO, against our own map."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from lut3d import through_lut3d
from ocio import through_opencolorio

from streamct.color.lab import srgb_to_lab
from streamct.lut_files import write_luts
from streamct.media.image import read_picture, save_png
from streamct.metrics.delta_e import delta_e_2000
from streamct.pipeline import transfer_image


@pytest.mark.parametrize(
    ("clip", "reference"),
    [
        ("mdn-flower.mp4", "jr-ocean_sunset.jpg"),
        ("sam2-bedroom.mp4", "jr-storm.jpg"),
        ("davis-blackswan.mp4", "mdn-ice-cream.jpg"),
    ],
)
def test_a_cube_elsewhere_comes_within_0_3_of_our_own_map(
    data: Path, tmp_path: Path, clip: str, reference: str
) -> None:
    with av.open(str(data / "clips" / clip)) as container:
        frame = next(container.decode(video=0))
        save_png(tmp_path / "in.png", frame.reformat(480, 270, "rgb24").to_ndarray())
    write_luts(tmp_path / "in.png", data / "refs" / reference, tmp_path / "look.cube")
    source = np.rint(read_picture(tmp_path / "in.png").rgb * 65535).astype(np.uint16)
    wanted = np.rint(read_picture(data / "refs" / reference).rgb * 65535).astype(np.uint16)
    own = srgb_to_lab(transfer_image(source, wanted) / 65535)
    found = srgb_to_lab(through_lut3d(source, tmp_path / "look.cube") / 65535)
    assert delta_e_2000(found, own).mean() <= 0.3
    found = srgb_to_lab(through_opencolorio(source / np.float32(65535), tmp_path / "look.cube"))
    assert delta_e_2000(found, own).mean() <= 0.3
