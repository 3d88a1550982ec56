"""Memory between two jobs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np

from streamct.execute import Job
from streamct.execute.local import LocalExecutor
from streamct.work import tell

BLOCKS, BLOCK = 3000, 100_000  # too small for the C library to get each from the machine, and 300 MB together


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def greedy(held: list[np.ndarray]) -> int:
    """Fills memory in a thread of its own, and keeps the block that was allocated last."""

    def fill() -> None:
        blocks = [np.ones(BLOCK, np.uint8) for _ in range(BLOCKS)]
        held.append(blocks[-1])

    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
    tell(1)
    return resident()


def test_a_worker_gives_back_what_a_job_has_freed() -> None:
    held: list[np.ndarray] = []
    before = resident()
    with LocalExecutor(1) as executor:
        executor.submit(Job(greedy, (held,), "greedy"))
        outcomes = []
        while not outcomes:
            outcomes = executor.wait(1)
        assert outcomes[0].error is None
        assert resident() - before < BLOCKS * BLOCK // 4
