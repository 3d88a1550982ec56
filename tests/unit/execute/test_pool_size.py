"""Workers are counted machine by machine and GPU by GPU."""

from __future__ import annotations

import pytest

from streamct.execute.pool_size import Machine, cores_a_worker, segmenters_that_fit, workers_that_fit


@pytest.mark.parametrize(
    ("cores", "wanted", "share", "fit"),
    [
        ([2], None, 2, 1),
        ([3], None, 3, 1),
        ([16], None, 2, 8),
        ([3, 3], None, 3, 2),  # one each: a third would need a core of both
        ([3, 16], None, 2, 9),
        ([1, 1, 1], None, 1, 3),
        ([0, 16], None, 2, 8),
        ([3, 3], 3, 1, 6),
        ([3, 3], 2, 3, 2),
        ([8], 2, 4, 2),
        ([2], 3, 2, 1),  # the others wait for machines
        ([0], None, 2, 0),  # all do
        ([], 4, 2, 0),
    ],
)
def test_a_worker_lies_on_one_machine(cores: list[int], wanted: int | None, share: int, fit: int) -> None:
    machines = [Machine(number) for number in cores]
    assert cores_a_worker(machines, wanted) == share
    assert workers_that_fit(machines, share) == fit


@pytest.mark.parametrize(
    ("gpus", "share", "fit"),
    [
        ([1], 1, 1),
        ([4], 0.6, 4),  # not six: 0.6 fits once into a GPU
        ([1, 1], 0.5, 4),
        ([2], 0.1, 20),
        ([1, 1], 2, 0),
        ([4, 2, 0], 2, 3),
    ],
)
def test_a_segmenter_lies_on_one_gpu_or_on_several_of_one_machine(gpus: list[int], share: float, fit: int) -> None:
    assert segmenters_that_fit([Machine(8, number) for number in gpus], share) == fit
