"""Frames written before lend their memory to later ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct.media.output import resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.writer import Writer
from streamct.settings import OutputSettings


@pytest.mark.parametrize("codec", ["ffv1", "h264", "hevc", "mjpeg"])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_encoded_does_not_change_with_the_memory_it_came_from(
    codec: str, threads: int, tmp_path: Path
) -> None:
    clip = probe(write_clip(tmp_path / "in.mp4", moving_picture(30), tags=(1, 1, 1, 2)))
    plan = resolve_output(clip, tmp_path / "out.mkv", OutputSettings(codec=codec))
    written, owners = [], set()
    with Reader(clip) as reader, Writer(clip, plan, plan.path, threads) as writer:
        for index, frame in enumerate(reader):
            target = writer.allocate(frame)
            for plane, copy in zip(frame.planes, target.planes, strict=True):
                copy[...] = plane
            target.planes[0][...] = 16 + 7 * index  # a picture of its own, also after lossy encoding
            written.append(16 + 7 * index)
            owners.add(id(target.owner))
            writer.write(target)
        writer.close()
    found = decoded(plan.path)
    assert [pts for pts, _ in found] == sorted(pts for pts, _ in found)
    assert [round(float(np.mean(planes[0]))) for _, planes in found] == pytest.approx(written, abs=2)
    assert len(owners) == 1
