"""A cluster of several machines, all of them here: what happens when one goes, and who is let in."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from streamct.errors import ClusterError, StallError
from streamct.execute import Job, Outcome, Task, ray_pool, values
from streamct.execute.ray_actors import CpuWorker
from streamct.execute.ray_pool import RayExecutor
from streamct.execute.schedule import State, run_tasks
from streamct.execute.storage import Storage

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


def test_a_cluster_without_a_live_node_on_this_machine_is_refused_with_what_to_run(cluster: Cluster) -> None:
    cluster.head_node.kill_raylet()
    with pytest.raises(ClusterError) as caught:
        RayExecutor(cluster.address)
    assert str(caught.value) == (
        f"--address {cluster.address}: the cluster answers, but none of its nodes is alive on this machine, over "
        f"which a run goes in. Run `ray start --address={cluster.address}` here, or begin the run on a machine of the "
        "cluster."
    )


HINT = (
    "Inputs and outputs have to lie on storage that every machine of the cluster mounts at the same place, such as NFS."
)


def test_files_that_a_machine_does_not_see_are_named_with_a_hint(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    with (
        RayExecutor(cluster.address, cpu_workers=1, paths=[tmp_path / "not-mounted"]) as executor,
        pytest.raises(ClusterError) as caught,
    ):
        list(run_tasks(executor, [("film", task_of(Job(until, (tmp_path,), "film")))], stall_seconds=60))
    assert str(caught.value) == (
        f"{tmp_path / 'not-mounted'}: is not seen from the node {socket.gethostname()}. {HINT}"
    )


def test_a_folder_of_outputs_that_is_another_on_a_machine_ends_the_run_before_anything_is_lost(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add_node(num_cpus=1)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Storage, "renew", lambda self: None)  # what is written here is not seen there
    with (
        RayExecutor(cluster.address, cpu_workers=1, outputs=[tmp_path / "out"]) as executor,
        pytest.raises(ClusterError) as caught,
    ):
        list(run_tasks(executor, [("film", task_of(Job(until, (tmp_path,), "film")))], stall_seconds=60))
    assert str(caught.value) == (
        f"{tmp_path / 'out'}: is another folder on the node {socket.gethostname()}, which does not see what was "
        f"written into it elsewhere. {HINT}"
    )


def test_a_machine_that_comes_later_gets_workers_and_one_of_three_cores_is_not_counted_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_node(num_cpus=3)
    seen: list[tuple[int, int]] = []

    def watch(state: State) -> None:
        if state.alive and not seen:
            seen.append((executor.workers, state.alive))
            cluster.add_node(num_cpus=3)
        if state.alive == 2:
            (tmp_path / "mark").touch()

    jobs = [Job(until, (tmp_path / "mark",), f"film.mp4 [{n}, {n + 1})") for n in range(4)]
    with RayExecutor(cluster.address, outputs=[tmp_path]) as executor:
        found = list(run_tasks(executor, [("film", task_of(*jobs))], stall_seconds=60, on_progress=watch))
        assert executor.workers == executor.alive == 2
    assert seen == [(1, 1)]
    assert found == [("film", ["done"] * 4)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["mark"]


class Dying(CpuWorker):
    """Does not get as far as its first job."""

    def ready(self) -> tuple[str, int]:
        os._exit(1)


@pytest.mark.parametrize("mode", ["", "token"])
def test_workers_that_never_get_ready_end_the_run_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    cluster.add_node(num_cpus=1)
    monkeypatch.setattr(ray_pool, "CpuWorker", Dying)
    with RayExecutor(cluster.address, cpu_workers=1) as executor:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
        with pytest.raises(ClusterError) as caught:
            list(run_tasks(executor, [("film", task_of(Job(until, (Path("/"),), "film")))]))
    assert str(caught.value).startswith(
        f"the worker cpu 0 could not start on the cluster at --address {cluster.address} ("
    )
    assert ("if the cluster was started without a token, unset it" in str(caught.value)) == bool(mode)


def hungry() -> None:
    """Takes 8 MB of memory more every millisecond, up to 12 GB."""
    held = []
    for _ in range(1500):
        held.append(b"\1" * (8 << 20))
        time.sleep(0.001)
    time.sleep(60)


def test_a_job_that_eats_the_memory_of_its_machine_is_quarantined_with_that_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = dict(re.findall(r"(\w+): +(\d+) kB", Path("/proc/meminfo").read_text()))
    used = 1 - (int(known["MemAvailable"]) - (3 << 20)) / int(known["MemTotal"])  # of which 3 GB are for the job
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{used:.4f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "50")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    (tmp_path / "mark").touch()
    jobs = [Job(hungry, (), "eater.mp4"), Job(until, (tmp_path / "mark",), "film.mp4")]
    try:
        with RayExecutor(cluster.address, cpu_workers=1) as executor:
            found = dict(run_tasks(executor, [(job.name, task_of(job)) for job in jobs], stall_seconds=60))
    finally:
        cluster.shutdown()
    assert found["film.mp4"] == ["done"]
    assert str(found["eater.mp4"]) == (
        "eater.mp4: ended its worker 3 times and is not tried again; all else goes on. "
        "Last: the worker cpu 0 ended (its machine ran out of memory)"
    )


def test_workers_for_which_there_is_no_room_are_named_and_those_that_have_some_begin(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_node(num_cpus=2, num_gpus=1)
    with RayExecutor(cluster.address, 3, 2, 0.6, True) as executor:
        assert executor.described == (
            "3 CPU workers of 2 cores each, of which 1 fit now and the others wait for room, 2 for segmentation, of "
            "which 1 fit now"
        )
        while executor.alive < 1 or "segmenters" in executor.lacking:
            executor.wait(0.2)
        assert re.sub("segmenter [01],", "segmenter N,", executor.lacking) == (
            "2 CPU workers of 2 cores each: add machines, or ask for fewer with --cpu-workers; "
            "segmenter N, which needs 0.6 GPU: add machines with GPUs, or ask for fewer with --gpu-workers or "
            "for less with --gpus-per-worker"
        )
        executor.submit(Job(until, (tmp_path,), "film.mp4"))  # what has room begins
        outcomes: list[Outcome] = []
        while not outcomes:
            outcomes = executor.wait(1)
    assert outcomes[0].value == "done"
