"""How many workers a cluster has room for. A worker lies on one machine whole, so rests of machines don't add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CORES_A_WORKER = 2
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Machine:
    """What Ray counts of one."""

    cores: int
    gpus: int = 0


def cores_a_worker(machines: Sequence[Machine], wanted: int | None) -> int:
    """Cores that each worker gets: about two, or as many as let the number that is wanted run at the same time.

    wanted: None for as many as there is room for. Where more are wanted than there are cores, the rest waits for
    machines that may come, with two cores each.
    """
    largest = max((machine.cores for machine in machines), default=0)
    few = min(CORES_A_WORKER, largest) or CORES_A_WORKER
    if wanted is None:
        return min((m.cores // (m.cores // few) for m in machines if m.cores >= few), default=few)
    return next((cores for cores in range(largest, 0, -1) if workers_that_fit(machines, cores) >= wanted), few)


def workers_that_fit(machines: Sequence[Machine], cores: int) -> int:
    """How many workers of so many cores run at the same time."""
    return sum(machine.cores // cores for machine in machines)


def segmenters_that_fit(machines: Sequence[Machine], share: float) -> int:
    """How many have room that need `share` GPUs each; what needs less than one lies on one whole."""
    if share < 1:
        return sum(machine.gpus * int(1 / share + _EPSILON) for machine in machines)
    return sum(int(machine.gpus / share + _EPSILON) for machine in machines)
