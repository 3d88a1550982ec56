"""One worker on Ray gives what three give, and what one run over the whole clip gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct.execute.ray_pool import RayExecutor
from streamct.media.image import save_png
from streamct.pipeline import grade_asked
from streamct.prepare import Request
from streamct.settings import Settings
from streamct.spanned import grade_in_spans

SETTINGS = Settings().updated(output__codec="ffv1", time__radius=4)
FRAMES, CUT = 64, 24


@pytest.fixture(scope="module")
def alone() -> Iterator[RayExecutor]:
    with RayExecutor(cpu_workers=1) as executor:
        assert executor.workers == 1
        yield executor


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots, a reference, and the clip graded in one piece."""
    folder = tmp_path_factory.mktemp("film")
    first, second = moving_picture(CUT, seed=1), moving_picture(FRAMES - CUT, seed=3)
    pictures = [*first, *(255 - picture[:, ::-1] for picture in second)]
    write_clip(folder / "in.mkv", pictures, codec="ffv1", pix_fmt="yuv420p")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    grade_asked(Request(folder / "in.mkv", folder / "ref.png", folder / "whole.mkv", SETTINGS))
    return folder


@pytest.mark.parametrize("spans", [1, 2, 5, 8])  # of 8, one begins at the cut
def test_the_same_pixels_come_from_one_worker_and_any_number_of_spans(
    alone: RayExecutor, film: Path, tmp_path: Path, spans: int
) -> None:
    asked = Request(film / "in.mkv", film / "ref.png", tmp_path / "out.mkv", SETTINGS)
    report = grade_in_spans(asked, alone, count=spans)
    assert (report.frames, report.details["spans"], report.details["workers"]) == (FRAMES, spans, 1)
    found, wanted = decoded(tmp_path / "out.mkv"), decoded(film / "whole.mkv")
    assert [pts for pts, _ in found] == [pts for pts, _ in wanted]
    for (_, ours), (_, theirs) in zip(found, wanted, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
