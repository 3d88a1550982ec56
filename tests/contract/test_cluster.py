"""A cluster of several machines, all of them here: what happens when one goes, and who is let in."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from streamct.errors import ClusterError, StallError
from streamct.execute import Job, Task, values
from streamct.execute.ray_pool import RayExecutor
from streamct.execute.schedule import State, run_tasks

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield found
    found.shutdown()


def until(mark: Path) -> str:
    while not mark.exists():
        time.sleep(0.05)
    return "done"


def task_of(*jobs: Job) -> Task[list[Any]]:
    return values((yield list(jobs)))


def test_a_lost_machine_without_another_is_a_stall_that_says_so_and_with_another_all_is_done(
    cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=2)
    states: list[State] = []

    def watch(state: State) -> None:
        states.append(state)
        if state.alive == 2 and state.running == 2 and node in cluster.worker_nodes and len(states) > 5:
            cluster.remove_node(node, allow_graceful=False)

    jobs = [Job(until, (tmp_path / "mark",), f"film.mp4 [{n}, {n + 1})") for n in range(2)]
    with (
        RayExecutor(cluster.address, cpu_workers=2) as executor,
        pytest.raises(StallError, match=r"0 of 2 workers are alive\. Waited for film\.mp4 \["),
    ):
        list(run_tasks(executor, [("film", task_of(*jobs))], stall_seconds=8, on_progress=watch))

    cluster.add_node(num_cpus=2)
    (tmp_path / "mark").touch()
    with RayExecutor(cluster.address, cpu_workers=2) as executor:
        assert list(run_tasks(executor, [("film", task_of(*jobs))])) == [("film", ["done", "done"])]


def test_a_machine_that_comes_in_place_of_a_lost_one_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2)
    lost: list[State] = []

    def watch(state: State) -> None:
        if state.alive == 2 and node in cluster.worker_nodes:
            cluster.remove_node(node, allow_graceful=False)
        elif not state.alive and node not in cluster.worker_nodes and not lost:
            lost.append(state)
            (tmp_path / "mark").touch()
            cluster.add_node(num_cpus=2)

    jobs = [Job(until, (tmp_path / "mark",), f"film.mp4 [{n}, {n + 1})") for n in range(2)]
    with RayExecutor(cluster.address, cpu_workers=2) as executor:
        found = list(run_tasks(executor, [("film", task_of(*jobs))], stall_seconds=60, on_progress=watch))
    assert found == [("film", ["done", "done"])]
    assert lost


def test_files_that_a_machine_does_not_see_are_named_with_a_hint(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    with (
        RayExecutor(cluster.address, cpu_workers=1, paths=[tmp_path / "not-mounted"]) as executor,
        pytest.raises(ClusterError, match=r"not-mounted: is not seen from the node .* NFS"),
    ):
        list(run_tasks(executor, [("film", task_of(Job(until, (tmp_path,), "film")))], stall_seconds=60))
