"""The field that is shown first: read from the headers or from the pictures, written, and checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import pytest
import streams
from rewrite import rewrite

from streamct.errors import OutputError
from streamct.media.fields import field_of
from streamct.media.probe import probe
from streamct.media.verify import verify

BOTTOM_FIRST_IN_PICTURES_ONLY = [
    (".dv", "dvvideo", "yuv420p", (720, 576), {}),
    (".mov", "dvvideo", "yuv420p", (720, 576), {}),
    (".avi", "mpeg4", "yuv420p", (64, 48), {"flags": "+ildct+ilme"}),
]


@pytest.mark.parametrize("codec", ["h264", "ffv1", "prores"])
@pytest.mark.parametrize(("ending", "source", "pix_fmt", "size", "options"), BOTTOM_FIRST_IN_PICTURES_ONLY)
def test_the_order_of_fields_that_only_the_pictures_tell_is_kept(
    tmp_path: Path, codec: str, ending: str, source: str, pix_fmt: str, size: tuple[int, int], options: dict[str, str]
) -> None:
    frames = [streams.random_planes(pix_fmt, *size, seed=n) for n in range(2)]
    path = streams.write_planes(
        tmp_path / f"a{ending}", pix_fmt, frames, size, codec=source, options=options, fields="bff", untold=True
    )
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.field_order == 0
    assert probe(path).fields == "bottom"
    found, _ = rewrite(path, tmp_path / ("b.mov" if codec == "prores" else "b.mkv"), codec=codec)
    with av.open(str(found.path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.field_order == 3
        assert [field_of(frame) for frame in container.decode(stream)] == ["bottom", "bottom"]


def test_a_picture_whose_own_flags_say_another_order_than_the_header_does_not_pass_the_check(tmp_path: Path) -> None:
    path = streams.write_planes(
        tmp_path / "a.mov", "yuv422p10le", [streams.random_planes("yuv422p10le", 64, 48)], (64, 48), codec="prores_ks",
        fields="bff", options={"flags": "+ildct"},
    )  # fmt: skip
    found, _ = rewrite(path)
    clip = probe(path)
    data = found.path.read_bytes()
    found.path.write_bytes(data.replace(b"fiel\x02\x06", b"fiel\x02\x01"))
    with pytest.raises(OutputError, match="its top field does not come first any more"):
        verify(dataclasses.replace(clip, fields="top"), found, found.path, 0, [0])
