"""When a line of progress is due where there is no terminal, and how long the rest will take."""

from __future__ import annotations

from time import monotonic

_FIRST_SECONDS = 5.0
_MOST_SECONDS = 300.0


class Pace:
    """Lines that come further and further apart: soon at first, every five minutes of a long run."""

    def __init__(self) -> None:
        self._interval = _FIRST_SECONDS
        self._told = monotonic()
        self._done = 0.0

    def due(self) -> bool:
        """Whether it is time for a line."""
        return monotonic() - self._told >= self._interval

    def tell(self, done: float) -> float:
        """A line is told; gives what was done a second since the last one: starting up would spoil the average."""
        now = monotonic()
        rate = (done - self._done) / (now - self._told)
        self._told, self._done = now, done
        self._interval = min(2 * self._interval, _MOST_SECONDS)
        return rate


def spelled(seconds: float) -> str:
    """A time as it is said: 45 s, 12 min, 3 h 20 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
