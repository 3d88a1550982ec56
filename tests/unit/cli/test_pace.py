"""Lines of progress where there is no terminal: sparse, and with what is left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamct.batch import BatchState
from streamct.cli import pace
from streamct.cli.batch_display import BatchDisplay
from streamct.cli.report import Display
from streamct.model import Event


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds go by."""
    now = [0.0]
    monkeypatch.setattr(pace, "monotonic", lambda: now[0])

    def go_by(seconds: float) -> None:
        now[0] += seconds

    return go_by


def test_lines_come_further_and_further_apart(after: Callable[[float], None]) -> None:
    found, lines = pace.Pace(), list[int]()
    for second in range(1, 8 * 3600):
        after(1)
        if found.due():
            found.tell(second)
            lines.append(second)
    assert lines[:8] == [5, 15, 35, 75, 155, 315, 615, 915]
    assert len(lines) < 110, "a night's work fits on some screens"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (99, "99 s"), (99.6, "2 min"), (725, "12 min"), (12000, "3 h 20 min")]
)
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert pace.spelled(seconds) == said


def state(files: int, share: float, frames: int) -> Event:
    told = BatchState(files, 40, share, frames, 20.0, 3, 5, 2, 1, {"render": 7.0})
    return Event("status", data={"state": told})


@pytest.mark.parametrize("verbose", [False, True])
def test_a_batch_tells_files_frames_percent_pace_and_what_is_left(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    with BatchDisplay(quiet=False, verbose=verbose, as_json=False) as display:
        display(Event("start", total=40))
        for seconds, event in ((1, state(0, 0.0, 0)), (4, state(1, 0.01, 90)), (9, state(4, 0.1, 800))):
            after(seconds)
            display(event)
        after(1)
        display(state(5, 0.11, 900))
    more = "; 3 jobs in flight, 5 waiting, 2 workers, 1 retries; render 7.0 s" if verbose else ""
    assert capsys.readouterr().err.splitlines() == [
        f"1 of 40 files, 90 frames, 1%, 20.0 frames/s, 8 min left{more}",
        f"5 of 40 files, 900 frames, 11%, 20.0 frames/s, 89 s left{more}",
    ]


def test_a_video_tells_frames_percent_pace_and_what_is_left(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with Display("frame", quiet=False, as_json=False) as display:
        display(Event("start", total=6000))
        for done in (10, 20, 1500):
            display(Event("progress", done=done, total=6000))
            after(3)
        display(Event("progress", done=1800, total=6000))
    assert capsys.readouterr().err == "1500 of 6000 frames, 25%, 250.0 frames/s, 18 s left\n"
