"""Jobs on a Ray cluster, or on a private instance on this machine. Only the files `ray_*.py` know Ray.

Actors of one kind do jobs, one at a time each; actors of another kind hold networks and segment proxies for all of
them. Frames never travel: jobs, results and proxies do. Ray retries nothing by itself: a job whose actor dies comes
back as `WorkerLostError`, another actor takes the dead one's place, and `streamct.execute.schedule` decides.

Jobs and results are sent as pickles of ours: what Ray itself unpacks from its store holds read-only arrays, for which
every kernel would be compiled a second time.
"""

from __future__ import annotations

import os
import pickle
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamct.errors import ClusterError, ExecutionError, StreamctError, WorkerLostError
from streamct.execute import Job, Outcome, Shared
from streamct.execute.pool_size import cores_a_worker, segmenters_that_fit, workers_that_fit
from streamct.execute.ray_actors import CpuWorker, Seer, Slot
from streamct.execute.ray_cluster import Connection, out_of_memory
from streamct.execute.ray_metrics import Metrics
from streamct.execute.storage import Storage
from streamct.work import machine_cores

_PROGRESS_SECONDS = 0.5
_COUNT_SECONDS = 3.0
_STOP_SECONDS = 0.6
_NAMED = 3
_STARTS = 3
"""How often in a row a worker may die before it is ready."""
_HELD = 32
"""Shared values that are kept in the object store."""


@dataclass(slots=True)
class _Hand:
    """One actor and what it does. node, pid: where it runs, "" until it is ready. ref: of its job, or of its start."""

    number: int
    actor: Any
    ref: Any
    node: str = ""
    pid: int = 0
    job: Job | None = None
    began: float = 0.0
    told: Any = None
    done: int = 0
    born: int = 1
    failed: int = 0

    @property
    def label(self) -> str:
        return f"cpu {self.number}"


@dataclass(slots=True)
class _Segmenter:
    """One actor that holds networks. ref: of its start, None once it is ready."""

    number: int
    actor: Any
    ref: Any


@dataclass(slots=True)
class _Sent:
    """A shared value and its place in the object store; the value is kept so that its `id` stays its own."""

    value: Any
    ref: Any = field(default=None)


class RayExecutor:
    """An `Executor` over Ray actors.

    address: of a cluster; None: a private instance on this machine, which ends with us. cpu_workers: actors that do
    jobs; None: one for two cores. gpu_workers: actors that hold networks on GPUs, None: as many as there is room for,
    0: one on a CPU. gpus_per_worker: share of a GPU that each gets, 1 if None. segmenting: networks will be needed.
    paths: files and folders that every machine has to see under the same name; outputs: folders that it writes to,
    made if need be. named: what gave the address.

    Workers begin as soon as they have room. Where it is not said how many, machines that come later get some too;
    where it is said, those that don't fit wait for room, and an autoscaler makes it.

    Raises:
        ClusterError: the cluster can't be reached, or does not let us in.
        OutputError: a folder of outputs can't be written to.
    """

    name = "ray"

    def __init__(
        self,
        address: str | None = None,
        cpu_workers: int | None = None,
        gpu_workers: int | None = None,
        gpus_per_worker: float | None = None,
        segmenting: bool = False,
        paths: Sequence[Path] = (),
        outputs: Sequence[Path] = (),
        named: str = "--address",
    ) -> None:
        self._closed = False
        self._storage = Storage(paths, outputs if address is not None else ())
        try:
            self._connection = Connection(address, named, cpu_workers or 0)
        except BaseException:
            self._storage.close()
            raise
        self._ray = self._connection.ray
        self._hands: list[_Hand] = []
        self._segmenters: list[_Segmenter] = []
        self._gpus = gpus_per_worker or 1.0
        self._grows = address is not None and cpu_workers is None
        self._grows_segmenters = False
        try:
            machines = self._connection.machines()
            self._share = cores_a_worker(machines, cpu_workers)
            self._worker = self._ray.remote(CpuWorker)
            self._metrics = Metrics()
            self._queue: deque[Job] = deque()
            self._early: list[Outcome] = []
            self._shared: OrderedDict[int, _Sent] = OrderedDict()
            self._polled = self._counted = time.monotonic()
            if segmenting:
                self._hire_segmenters(segmenters_that_fit(machines, self._gpus), gpu_workers)
            self._fit = workers_that_fit(machines, self._share)
            self._hands = [self._hired(number, 1) for number in range(cpu_workers or max(1, self._fit))]
        except self._ray.exceptions.RayError as cause:
            self.close()
            raise self._connection.refused(cause) from cause
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def workers(self) -> int:
        """How many jobs run at the same time."""
        return len(self._hands)

    @property
    def alive(self) -> int:
        """How many actors are ready or at work."""
        return sum(bool(hand.node) for hand in self._hands)

    @property
    def described(self) -> str:
        """Sizes of the pools, for the user."""
        told = f"{_counted(len(self._hands), 'CPU worker')} of {_counted(self._share, 'core')} each"
        if self._fit < len(self._hands):
            told += f", of which {self._fit} fit now and the others wait for room"
        if not self._segmenters:
            return told
        told += f", {len(self._segmenters)} for segmentation"
        if self._fit_segmenters < len(self._segmenters):
            told += f", of which {self._fit_segmenters} fit now"
        return told

    @property
    def lacking(self) -> str:
        """What workers wait for themselves."""
        said = []
        away = sum(not hand.node for hand in self._hands)
        if away:
            said.append(
                f"{_counted(away, 'CPU worker')} of {_counted(self._share, 'core')} each: add machines, or ask for "
                "fewer with --cpu-workers"
            )
        waiting = [segmenter.number for segmenter in self._segmenters if segmenter.ref is not None]
        if waiting and self._on_gpus:
            numbers = ", ".join(map(str, waiting[:_NAMED])) + (" and more" if len(waiting) > _NAMED else "")
            each = ", each of" if len(waiting) > 1 else ","
            said.append(
                f"segmenter{'s' if len(waiting) > 1 else ''} {numbers}{each} which needs {self._gpus:g} GPU"
                f"{'s' if self._gpus > 1 else ''}: add machines with GPUs, or ask for fewer with --gpu-workers or for "
                "less with --gpus-per-worker"
            )
        elif waiting:
            said.append("the segmenter to load")
        return "; ".join(said)

    def submit(self, job: Job) -> None:
        """Begin a job as soon as an actor is free."""
        if self._closed:
            raise ExecutionError(f"{job.name}: can't be begun, because the executor is closed.")
        self._queue.append(job)
        self._assign()

    def wait(self, seconds: float) -> list[Outcome]:
        """The outcomes since the last call, waiting for one for so long.

        Raises:
            ClusterError: a machine does not see the files, or Ray has ended on this one.
        """
        self._connection.check()
        found, self._early = self._early, []
        refs: dict[Any, _Hand | _Segmenter] = {hand.ref: hand for hand in self._hands if hand.ref is not None}
        refs |= {segmenter.ref: segmenter for segmenter in self._segmenters if segmenter.ref is not None}
        if refs:
            ready, _ = self._waited(list(refs), num_returns=1, timeout=0 if found else seconds)
            if ready:
                ready, _ = self._waited(list(refs), num_returns=len(refs), timeout=0)
            self._connection.check()
            for ref in ready:
                ended = refs[ref]
                if isinstance(ended, _Segmenter):
                    self._begun(ended)
                elif (outcome := self._ended(ended)) is not None:
                    found.append(outcome)
        else:
            time.sleep(seconds)
        self._recount()
        self._assign()
        self._ask()
        return found

    def progress(self) -> Mapping[str, int]:
        """Frames done so far by the jobs that are running, as last heard."""
        return {hand.job.name: hand.done for hand in self._hands if hand.job is not None}

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        """In Ray's metrics."""
        self._metrics.tell(frames, running, waiting, retries)

    def close(self) -> None:
        """Stop what is running, end all actors, and the instance if it is ours."""
        if self._closed:
            return
        self._closed = True
        hands = self._hands
        there = not self._connection.ended
        busy = [hand for hand in hands if hand.job is not None and hand.node and there]
        with _quietly(self._ray):
            for hand in busy:
                hand.actor.stop.remote()
            if busy:
                self._waited([hand.ref for hand in busy], num_returns=len(busy), timeout=_STOP_SECONDS)
        if there and not self._connection.private:
            for actor in (*(hand.actor for hand in hands), *(segmenter.actor for segmenter in self._segmenters)):
                with _quietly(self._ray):
                    self._ray.kill(actor)
        self._connection.close()
        self._storage.close()

    def _waited(self, refs: list[Any], **options: Any) -> tuple[list[Any], list[Any]]:
        """`ray.wait`; what a signal raises meanwhile comes out of it as itself."""
        try:
            found: tuple[list[Any], list[Any]] = self._ray.wait(refs, **options)
            return found
        except SystemError as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, Exception):
                raise error.__cause__ from None
            raise

    def _hired(self, number: int, born: int, failed: int = 0) -> _Hand:
        """A new actor, on its way. failed: how many before it died before they were ready."""
        name = f"streamct cpu {number}" + (f" ({born})" if born > 1 else "")
        self._storage.renew()
        options = {"num_cpus": self._share, "name": name, "max_restarts": 0, "max_task_retries": 0}
        actor = self._worker.options(**options, max_concurrency=2, scheduling_strategy="SPREAD").remote(
            self._share, os.getcwd(), self._storage.files
        )
        return _Hand(number, actor, actor.ready.options(name=f"{name}: start").remote(), born=born, failed=failed)

    def _hire_segmenters(self, fit: int, wanted: int | None) -> None:
        """fit: how many have room on GPUs. wanted: None for all of these."""
        if self._connection.private and wanted is not None and wanted > fit:
            raise ClusterError(
                f"--gpu-workers {wanted}: with {self._gpus:g} GPUs each there is room for {fit} on this machine. Lower "
                "--gpus-per-worker, or ask for fewer."
            )
        count = fit if wanted is None else wanted
        self._on_gpus = count > 0
        self._grows_segmenters = self._on_gpus and wanted is None and not self._connection.private
        self._fit_segmenters = fit if self._on_gpus else 1
        self._segmenters = [self._segmenter(number) for number in range(max(1, count))]

    def _segmenter(self, number: int) -> _Segmenter:
        options: dict[str, Any] = {"max_restarts": -1, "max_task_retries": 3, "max_concurrency": 4, "num_cpus": 0}
        if self._on_gpus:
            options["num_gpus"] = self._gpus
        name = f"streamct segment {number}"
        threads = 1 if self._on_gpus else max(1, machine_cores() // 2)
        actor = self._ray.remote(Seer).options(**options, name=name).remote(threads)
        return _Segmenter(number, actor, actor.ready.options(name=f"{name}: start").remote())

    def _begun(self, segmenter: _Segmenter) -> None:
        """A segmenter is ready."""
        try:
            self._ray.get(segmenter.ref)
        except self._ray.exceptions.RayError as cause:
            raise self._connection.no_worker(f"segment {segmenter.number}", cause) from cause
        segmenter.ref = None
        self._connection.note("", 0)

    def _recount(self) -> None:
        """Now and then: machines that have come get workers."""
        now = time.monotonic()
        if not (self._grows or self._grows_segmenters) or now - self._counted < _COUNT_SECONDS:
            return
        self._counted = now
        with _quietly(self._ray):
            machines = self._connection.machines()
            if self._grows:
                more = range(len(self._hands), workers_that_fit(machines, self._share))
                self._hands += [self._hired(number, 1) for number in more]
            if self._grows_segmenters:
                more = range(len(self._segmenters), segmenters_that_fit(machines, self._gpus))
                self._segmenters += [self._segmenter(number) for number in more]

    def _assign(self) -> None:
        seers = [segmenter.actor for segmenter in self._segmenters if segmenter.ref is None]
        if self._segmenters and not seers:
            return
        for hand in self._hands:
            if not self._queue:
                return
            if hand.node and hand.job is None:
                job = self._queue.popleft()
                blob, held = self._packed(job)
                hand.job, hand.began, hand.done = job, time.monotonic(), 0
                hand.told = None  # an answer still on its way is about the job before
                seer = seers[hand.number % len(seers)] if seers else None
                hand.ref = hand.actor.run.options(name=job.name).remote(blob, seer, *held)

    def _packed(self, job: Job) -> tuple[bytes, list[Any]]:
        """The job as bytes, and the places of its shared arguments."""
        held: list[Any] = []
        arguments: list[Any] = []
        for argument in job.arguments:
            if isinstance(argument, Shared):
                arguments.append(Slot(len(held)))
                held.append(self._stored(argument.value))
            else:
                arguments.append(argument)
        return self._ray.cloudpickle.dumps((job.call, arguments)), held

    def _stored(self, value: Any) -> Any:
        """Its reference, in a list: so Ray passes it on as it is."""
        sent = self._shared.get(id(value))
        if sent is None:
            self._connection.check()
            sent = self._shared[id(value)] = _Sent(value, self._ray.put(self._ray.cloudpickle.dumps(value)))
            while len(self._shared) > _HELD:
                self._shared.popitem(last=False)
        self._shared.move_to_end(id(value))
        return [sent.ref]

    def _ended(self, hand: _Hand) -> Outcome | None:
        """What became of an actor's job; None where only its start ended."""
        job, began = hand.job, hand.began
        starting = not hand.node
        try:
            result = self._ray.get(hand.ref)
        except self._ray.exceptions.RayTaskError as cause:  # of ours it catches all: this is the start's
            if isinstance(cause.cause, StreamctError):  # Ray's own holds a trace as its text
                raise cause.cause from None
            raise self._connection.no_worker(hand.label, cause.cause) from cause
        except self._ray.exceptions.RayError as cause:
            error = self._lost(hand, cause)
            failed = hand.failed + 1 if starting and not error.node else 0
            if failed == _STARTS:
                raise self._connection.no_worker(hand.label, cause) from cause
            try:
                another = self._hired(hand.number, hand.born + 1, failed)
            except self._ray.exceptions.RaySystemError as refused:
                raise self._connection.no_worker(hand.label, refused) from refused
            self._hands[self._hands.index(hand)] = another
            if job is None:
                return None
            return Outcome(job, None, error, time.monotonic() - began, hand.label)
        hand.ref, hand.job = None, None
        if starting:
            hand.node, hand.pid = result
            self._connection.note(hand.node, hand.pid)
            return None
        value, fault, seconds, frames = pickle.loads(result)
        assert job is not None
        return Outcome(job, value, fault, seconds, hand.label, frames=frames)

    def _lost(self, hand: _Hand, cause: Exception) -> WorkerLostError:
        told = " ".join(str(cause).split())
        node = "node" in told and ("has died" in told or "is dead" in told or "terminated" in told)
        with _quietly(self._ray):
            there = {entry["NodeID"] for entry in self._ray.nodes() if entry["Alive"]}
            node = bool(hand.node) and hand.node not in there
        why = "its machine is gone" if node else "killed, out of memory or crashed"
        if out_of_memory(cause):
            why = "its machine ran out of memory"
        return WorkerLostError(f"the worker {hand.label} ended ({why})", node)

    def _ask(self) -> None:
        """Hear now and then how far the jobs are."""
        now = time.monotonic()
        for hand in self._hands:
            if hand.told is None:
                continue
            with _quietly(self._ray):
                ready, _ = self._waited([hand.told], timeout=0)
                if ready:
                    told, hand.told = hand.told, None
                    hand.done = max(hand.done, self._ray.get(told))
        if now - self._polled < _PROGRESS_SECONDS:
            return
        self._polled = now
        for hand in self._hands:
            if hand.job is not None and hand.told is None:
                hand.told = hand.actor.done.remote()


class _quietly(suppress):  # noqa: N801  (reads as a statement)
    """What Ray says of actors that are dead anyway does not matter."""

    def __init__(self, ray: Any) -> None:
        super().__init__(ray.exceptions.RayError, ValueError, RuntimeError)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
