"""torch's threads on a CPU: as many as a job may use, and asleep while they wait.

By default OpenMP's threads spin where they wait for each other. Beside other work on the same cores, such as our own
decoder and encoder, the one that is waited for can't run because another spins: on two busy cores a picture took
5.4 s instead of 0.2 s.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from streamct.work import cores

_POLICY, _ASLEEP = "OMP_WAIT_POLICY", "PASSIVE"


def load_torch() -> None:
    """Import torch so that its waiting threads sleep, unless the user says otherwise in OMP_WAIT_POLICY.

    OpenMP reads the variable once, when it is loaded, so it is set for that moment alone. Where torch is imported
    already, whoever did that has decided.
    """
    if "torch" in sys.modules or _POLICY in os.environ:
        return
    os.environ[_POLICY] = _ASLEEP
    try:
        import torch  # noqa: F401
    finally:
        del os.environ[_POLICY]


@contextmanager
def own_threads() -> Iterator[None]:
    """In the block torch uses no more threads than the cores of the job that asks, and no more than before.

    torch keeps the number for each thread that calls it, so the others, perhaps not ours, are left alone.
    """
    import torch

    before = torch.get_num_threads()
    wanted = min(before, cores())
    if wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
