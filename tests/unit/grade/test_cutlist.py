"""Lists of cuts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from streamct.errors import TrackError
from streamct.grade.cutlist import read_cuts
from streamct.grade.cuts import ListedCuts
from streamct.model import Clip, Coding, ColorTags, PixelFormat

CLIP = Clip(
    Path("in.mp4"), 0, 64, 36, Fraction(1, 24000), 300, Fraction(24000, 1001), "h264", "mp4", "yuv420p",
    PixelFormat("yuv420p", 8, 1, 1), Coding("bt709", False), ColorTags(), Fraction(300 * 1001, 24000),
)  # fmt: skip
EDL = """TITLE: two reels
FCM: NON-DROP FRAME

001  AX       V     C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: ONE
001  AX       A     C        00:00:00:00 00:00:02:00 01:00:01:00 01:00:02:00
002  REEL2    V     D    012 00:00:10:00 00:00:12:00 01:00:02:00 01:00:04:00
003  REEL2    B     C        00:00:10:00 00:00:12:00 01:00:04:05 01:00:06:00
"""


def listed(tmp_path: Path, text: str, clip: Clip = CLIP, start: int = 0) -> ListedCuts:
    path = tmp_path / "cuts.txt"
    path.write_text(text)
    return read_cuts(path, clip, start)


def test_frame_numbers_are_taken_as_they_are(tmp_path: Path) -> None:
    assert listed(tmp_path, "# reel 1\n24\n\n100  # the door\n") == ListedCuts(frozenset({24, 100}))


def test_timecodes_with_frames_count_at_the_clips_nominal_rate(tmp_path: Path) -> None:
    assert listed(tmp_path, "00:00:01:00\n00:00:02:05").frames == {24, 53}


def test_drop_frame_timecodes_leave_out_two_numbers_a_minute_but_every_tenth(tmp_path: Path) -> None:
    ntsc = replace(CLIP, rate=Fraction(30000, 1001), frames=None, duration=None)
    # SMPTE ST 12: 00:01:00;02 follows 00:00:59;29, which is frame 1799; 00:10:00;00 is frame 17982.
    assert listed(tmp_path, "00:01:00;02\n00:10:00;00", ntsc).frames == {1800, 17982}


@pytest.mark.parametrize("text", ["00:00:01.001", "00:00:01,001000", "00:00:01.0015"])
def test_times_are_the_first_frame_from_then_on_give_or_take_their_rounding(text: str, tmp_path: Path) -> None:
    (tick,) = listed(tmp_path, text).ticks
    assert 23 * 1001 < tick <= 24 * 1001  # frame 24 is presented at 1.001 s


def test_times_count_from_the_clips_first_frame(tmp_path: Path) -> None:
    assert listed(tmp_path, "00:00:00.000\n00:00:02.000", start=90_000).ticks == {90_000, 90_000 + 2 * 24_000 - 24}


def test_an_edl_tells_cuts_by_its_picture_events_record_in(tmp_path: Path) -> None:
    assert listed(tmp_path, EDL).frames == {0, 48, 4 * 24 + 5}


@pytest.mark.parametrize("channels", ["B", "AA/V", "A2/V", "AV", "V1", "VA1", "aa/v"])
def test_every_event_with_a_picture_counts_whatever_it_brings_along(channels: str, tmp_path: Path) -> None:
    assert listed(tmp_path, EDL.replace("REEL2    B ", f"REEL2 {channels} ")).frames == {0, 48, 4 * 24 + 5}


@pytest.mark.parametrize("channels", ["A", "A2", "AA", "NONE"])
def test_events_of_sound_alone_begin_no_shot(channels: str, tmp_path: Path) -> None:
    assert listed(tmp_path, EDL.replace("REEL2    B ", f"REEL2 {channels} ")).frames == {0, 48}


@pytest.mark.parametrize("reel", ["MY REEL", "A V C", "", "12 24"])
def test_a_reels_name_may_hold_spaces_or_be_missing(reel: str, tmp_path: Path) -> None:
    assert listed(tmp_path, EDL.replace("  AX       V ", f"  {reel}  V ")).frames == {0, 48, 4 * 24 + 5}


def test_an_edl_that_says_drop_frame_counts_so_with_colons_too(tmp_path: Path) -> None:
    ntsc = replace(CLIP, rate=Fraction(30000, 1001), frames=None, duration=None)
    event = "{:03}  AX  V  C  00:00:00:00 00:00:02:00 {} 02:00:00:00\n"
    text = event.format(1, "01:00:00:00") + event.format(2, "01:01:00:02")
    assert listed(tmp_path, "FCM: DROP FRAME\n" + text, ntsc).frames == {0, 1800}
    assert listed(tmp_path, "FCM: NON-DROP FRAME\n" + text, ntsc).frames == {0, 1802}
    assert listed(tmp_path, text, ntsc).frames == {0, 1802}


def test_timecodes_of_half_a_frame_rate_count_up_to_the_next_whole_one(tmp_path: Path) -> None:
    half = replace(CLIP, rate=Fraction(25, 2), duration=None)
    assert listed(tmp_path, "00:00:01:00\n00:00:00:12", half).frames == {13, 12}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            EDL.replace("00:00:10:00 00:00:12:00 01:00:02:00", "00:00:12:00 01:00:02:00"),
            "line 7: '002 .*no event",
        ),
        (EDL.replace("REEL2    V     D    012", "REEL2"), "line 7: '002 .* is no event of an EDL"),
        (EDL.replace("01:00:04:05", "01:00:04.05"), r"line 8: '01:00:04\.05': is no cut"),
        (EDL.replace("NON-DROP", "DROP"), "line 4: '01:00:00:00': is drop-frame, which only 29.97"),
        ("TITLE: sound\n001  AX  A  C  00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00", "without an event of the"),
    ],
)
def test_an_event_that_can_not_be_read_is_named_and_never_left_out(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrackError, match=message):
        listed(tmp_path, text)


def test_numbers_that_drop_frame_leaves_out_are_refused(tmp_path: Path) -> None:
    ntsc = replace(CLIP, rate=Fraction(30000, 1001), frames=None, duration=None)
    with pytest.raises(TrackError, match="'00:01:00;00': is no timecode: drop-frame leaves"):
        listed(tmp_path, "00:01:00;00", ntsc)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("24\nhello", r"cuts\.txt: line 2: 'hello': is no cut\. Write a frame number"),
        ("-3", "line 1: '-3': is no cut"),
        ("1\n2\n300", r"line 3: is frame 300, but in\.mp4 has 300 frames"),
        ("00:00:20.000", "line 1: .* lies after the clip's end"),
        ("00:00:01:24", "is no timecode at 23.976 frames/s"),
        ("00:61:01:00", "is no timecode"),
        (EDL.replace("01:00:04:05", "02:00:04:05"), "line 8: is frame"),
        (EDL.replace("01:00:04:05", "00:59:00:00"), "line 8: its record-in lies before"),
    ],
)
def test_a_line_that_is_no_cut_of_the_clip_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrackError, match=message):
        listed(tmp_path, text)


def test_timecodes_of_a_clip_without_a_rate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="frame rate is unknown"):
        listed(tmp_path, "00:00:01:00", replace(CLIP, rate=None))


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="no such list of cuts"):
        read_cuts(tmp_path / "none", CLIP)
    (tmp_path / "raw").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(TrackError, match="can't be read as a list of cuts"):
        read_cuts(tmp_path / "raw", CLIP)
