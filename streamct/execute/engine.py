"""Which executor a run gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamct.errors import UsageError
from streamct.execute import Executor
from streamct.execute.local import LocalExecutor
from streamct.execute.memory import hold_together
from streamct.work import machine_cores

ENGINES = ("auto", "local", "ray")
_A_CORE = 4
_LEAST = 16
"""Workers of one machine: beyond so many a core, and so many in all, more do nothing but take memory."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What the user says of it. name: `auto`, `local` or `ray`. address: of a cluster. cpu_workers, gpu_workers: how
    many, None for as many as there is room for. gpus_per_worker: share of a GPU that each of the latter gets."""

    name: str = "auto"
    address: str | None = None
    cpu_workers: int | None = None
    gpu_workers: int | None = None
    gpus_per_worker: float | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UsageError(f"--engine {self.name}: no such engine. Known: {', '.join(ENGINES)}.")
        if self.name == "local":
            for flag, value in (("--address", self.address), ("--gpu-workers", self.gpu_workers)):
                if value is not None:
                    raise UsageError(f"{flag} {value}: --engine local uses no cluster. Leave one of them out.")
        if self.cpu_workers is not None and self.cpu_workers < 1:
            raise UsageError(f"--cpu-workers {self.cpu_workers}: at least one is needed.")
        if self.gpu_workers is not None and self.gpu_workers < 0:
            raise UsageError(f"--gpu-workers {self.gpu_workers}: can't be negative; 0 segments on CPUs.")
        share = self.gpus_per_worker
        if share is not None and not 0 < share <= 64:
            raise UsageError(f"--gpus-per-worker {share:g}: must be above 0, such as 1 or 0.25.")
        if share is not None and share > 1 and share != int(share):
            raise UsageError(f"--gpus-per-worker {share:g}: beyond 1 only whole GPUs can be given, such as 2.")

    @property
    def where(self) -> str | None:
        """The cluster's address: that given, or else `RAY_ADDRESS`."""
        return self.address or os.environ.get("RAY_ADDRESS") or None

    @property
    def named(self) -> str:
        """What gave it."""
        return "--address" if self.address else "RAY_ADDRESS"


def chosen(engine: Engine, many: bool = False) -> tuple[str, str]:
    """`local` or `ray`, and why. many: there is more than one file."""
    if engine.name != "auto":
        return engine.name, "--engine"
    if engine.address:
        return "ray", f"--address {engine.address}"
    if engine.where:
        return "ray", f"RAY_ADDRESS {engine.where}"
    if (gpus := visible_gpus()) > 1:
        return "ray", f"{gpus} GPUs"
    return ("local", "one machine") if many else ("local", "one file, one machine")


def unused(engine: Engine, name: str, segmenting: bool) -> Iterator[str]:
    """Lines about what is asked for and changes nothing where the engine `name` runs."""
    for flag, value in (("--gpu-workers", engine.gpu_workers), ("--gpus-per-worker", engine.gpus_per_worker)):
        if value is not None and name == "local":
            yield f"{flag} {value:g}: is for --engine ray and changes nothing here"
        elif value is not None and not segmenting:
            yield f"{flag} {value:g}: changes nothing, because no network segments; see --segmenter"


def visible_gpus() -> int:
    """NVIDIA GPUs that this process may use, told without loading a library."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return sum(part.strip() not in ("", "-1") for part in named.split(","))
    try:
        return sum(entry.name.removeprefix("nvidia").isdecimal() for entry in Path("/dev").glob("nvidia*"))
    except OSError:
        return 0


def open_executor(
    engine: Engine,
    note: Callable[[str], None],
    *,
    many: bool = False,
    local_workers: int = 1,
    segmenting: bool = False,
    paths: Sequence[Path] = (),
    outputs: Sequence[Path] = (),
) -> Executor:
    """The executor that the user asked for; one line says which. To be closed.

    local_workers: threads of a local one, unless --cpu-workers says. segmenting: networks will be needed. paths: files
    and folders that every machine has to see. outputs: folders that all write to, and have to share.

    Raises:
        UsageError: more workers than make sense on one machine.
        ClusterError: the cluster can't be reached or does not let us in.
        OutputError: a folder of outputs can't be written to.
    """
    name, why = chosen(engine, many)
    hold_together()
    if (name == "local" or engine.where is None) and engine.cpu_workers is not None:
        _check_workers(engine.cpu_workers, note)
    if name == "local":
        workers = engine.cpu_workers or local_workers
        note(f"engine: local ({why}), {workers} worker{'' if workers == 1 else 's'}")
        return LocalExecutor(workers)
    from streamct.execute.ray_pool import RayExecutor

    executor = RayExecutor(
        engine.where, engine.cpu_workers, engine.gpu_workers, engine.gpus_per_worker, segmenting, tuple(paths),
        tuple(outputs), engine.named,
    )  # fmt: skip
    note(f"engine: ray ({why}), {executor.described}")
    return executor


def _check_workers(wanted: int, note: Callable[[str], None]) -> None:
    """Of this machine alone; a cluster may grow."""
    here = machine_cores()
    most = max(_LEAST, _A_CORE * here)
    cores = f"{here} core{'' if here == 1 else 's'}"
    if wanted > most:
        raise UsageError(
            f"--cpu-workers {wanted}: this machine has {cores}, and at most {most} workers are begun on it. Ask for "
            "fewer, or leave it out."
        )
    if wanted > here:
        note(f"--cpu-workers {wanted}: this machine has {cores}, which they share")
