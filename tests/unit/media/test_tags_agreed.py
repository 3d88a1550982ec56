"""What a file's header and its pictures say of their colours, read together and written into both."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import streams
from rewrite import rewrite

from streamct.media.probe import probe, tags_of
from streamct.media.tags import agreed, contradictions, reported
from streamct.model import ColorTags

NOTHING = ColorTags(2, 2, 2, 0)
HD, PQ, SD = ColorTags(1, 1, 1, 1), ColorTags(9, 9, 16, 1), ColorTags(6, 6, 6, 1)


@pytest.mark.parametrize("codec", ["h264", "prores"])
@pytest.mark.parametrize(("header", "pictures"), [(PQ, NOTHING), (NOTHING, PQ), (PQ, PQ)])
def test_where_one_says_nothing_the_other_is_followed(header: ColorTags, pictures: ColorTags, codec: str) -> None:
    assert agreed(header, pictures, codec) == (PQ, None)


def test_untagged_stays_untagged() -> None:
    assert agreed(NOTHING, NOTHING, "h264") == (NOTHING, None)


def test_pictures_are_followed_but_in_codecs_to_edit_with_the_header_is_and_that_is_said() -> None:
    assert agreed(HD, SD, "h264") == (SD, None)
    assert agreed(HD, SD, "prores") == (HD, SD)
    (line,) = contradictions(HD, SD)
    assert "matrix 6, primaries 6, transfer 6" in line
    assert "matrix 1, primaries 1, transfer 1" in line
    assert contradictions(HD, None) == []


def test_matrices_that_a_codec_cannot_name_are_reported_as_unsaid() -> None:
    assert reported(ColorTags(4, 9, 16, 1), "vp9") == ColorTags(2, 9, 16, 1)
    assert reported(PQ, "vp9") == reported(PQ, "prores") == PQ


def both(path: Path) -> tuple[ColorTags, ColorTags]:
    """What the header and the first picture of a file say."""
    with av.open(str(path)) as container:
        header = tags_of(container.streams.video[0].codec_context)
        return header, tags_of(next(container.decode(video=0)))


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (9, 9, 16, 1), (9, 9, 18, 1), (6, 6, 6, 1)])
@pytest.mark.parametrize("codec", ["prores_ks", "dnxhd"])
def test_codecs_to_edit_with_say_their_colours_in_header_and_pictures(
    tmp_path: Path, codec: str, tags: tuple[int, int, int, int]
) -> None:
    # FFmpeg's encoders ask the pictures, which say nothing here: only the file's header is tagged.
    frames = [streams.random_planes("yuv422p10le", 256, 128, seed) for seed in range(2)]
    options = {"profile": "dnxhr_hqx"} if codec == "dnxhd" else {}
    source = streams.write_planes(
        tmp_path / "a.mov", "yuv422p10le", frames, (256, 128), codec=codec, tags=tags, options=options
    )
    assert probe(source).tags == ColorTags(*tags)
    plan, _ = rewrite(source)
    header, pictures = both(plan.path)
    assert header == ColorTags(*tags)
    if codec == "prores_ks":
        assert pictures == header
    else:  # the picture's header has a number for BT.709's and BT.2020's matrix
        assert pictures.matrix == (tags[0] if tags[0] in (1, 9) else header.matrix)
