"""Probing from several threads at the same time."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
from clips import moving_picture, write_clip

from streamct.errors import InputError
from streamct.media.probe import probe


def test_ffmpeg_stays_silent_after_many_probes_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = write_clip(tmp_path / "a.mp4", moving_picture(2))
    level = av.logging.get_level()
    caplog.set_level(logging.DEBUG)
    with ThreadPoolExecutor(4) as pool:
        assert len({probed.frames for probed in pool.map(probe, [clip] * 40)}) == 1
    assert av.logging.get_level() == level
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError):
        probe(tmp_path / "text.mp4")
    assert not [record for record in caplog.records if record.name.startswith("libav")]
