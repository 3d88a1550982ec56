"""What an actor that holds networks tells those who ask it, without Ray in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import RedIsForeground

from streamct.execute import ray_actors
from streamct.execute.ray_actors import Seer, _Asking
from streamct.segment import choose
from streamct.settings import SegmentSettings

ASKED = SegmentSettings(segmenter="deeplabv3-mobilenet", size=64)
HALVED = "cuda:0 has no memory for 8 pictures at once; it goes on with 4"


class Network(RedIsForeground):
    """Stands for a network on a GPU."""

    precision = "float16"

    def __init__(self, device: str) -> None:
        super().__init__(size=64)
        self.device = device
        self.said = [HALVED]

    def warm_up(self, width: int, height: int) -> None:
        self.segment(np.zeros((1, height, width, 3), np.uint8))

    def memory(self) -> int:
        return 1

    def told(self) -> list[str]:
        said, self.said = self.said, []
        return said


class Called:
    """Calls a method as Ray's handles do; the answer is the reference to it."""

    def __init__(self, held: Any) -> None:
        self._held = held

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._held, name)
        return type("Method", (), {"remote": staticmethod(method)})


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> _Asking:
    monkeypatch.setattr(ray_actors, "_asked", lambda answer: answer)
    return _Asking(Called(Seer(1)))


@pytest.mark.parametrize(("device", "batches"), [("cuda:0 (a GPU)", 1), ("cpu", 0)])
def test_a_network_on_a_gpu_is_warmed_up_once_when_it_is_loaded(
    asking: _Asking, monkeypatch: pytest.MonkeyPatch, device: str, batches: int
) -> None:
    network = Network(device)
    monkeypatch.setattr(choose, "load", lambda settings: network)
    for _ in range(3):
        assert asking.load(ASKED).device == device
    assert len(network.batches) == batches


def test_what_a_network_met_with_is_told_to_one_of_its_users(asking: _Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network("cuda:0")
    monkeypatch.setattr(choose, "load", lambda settings: network)
    first, second = asking.load(ASKED), asking.load(ASKED)
    assert (first.told(), second.told()) == ([HALVED], [])


def test_the_note_of_a_download_reaches_who_asks(asking: _Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(settings: SegmentSettings, note: Callable[[str], None]) -> tuple[SegmentSettings, str | None]:
        note("fetching the weights")
        return settings, "a warning"

    monkeypatch.setattr(choose, "resolve", resolve)
    said: list[str] = []
    assert asking.resolve(ASKED, said.append) == (ASKED, "a warning")
    assert said == ["fetching the weights"]
