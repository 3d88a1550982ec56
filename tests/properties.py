"""How property tests run: few examples, the same ones every time, no clock."""

from __future__ import annotations

from hypothesis import settings

few = settings(max_examples=25, derandomize=True, deadline=None)
