"""What runs in the processes of a Ray cluster: workers that do jobs, and those that segment for them."""

from __future__ import annotations

import os
import pickle
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamct.errors import StreamctError, WorkerLostError
from streamct.execute.memory import give_back, hold_together
from streamct.execute.storage import Files
from streamct.execute.warm import grade_a_little
from streamct.work import Work, at_work

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab
    from streamct.settings import SegmentSettings

_HELD = 4
"""Shared values that a worker keeps unpacked."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands for a shared argument."""

    number: int


class CpuWorker:
    """An actor that does jobs, one at a time; a second thread of it answers meanwhile.

    cores: its share. folder: that the user is in. files: that must be here.
    """

    def __init__(self, cores: int, folder: str, files: Files) -> None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # networks run elsewhere; Ray does not hide GPUs from us
        hold_together()
        self._cores = cores
        self._folder = folder
        self._files = files
        self._work: Work | None = None
        self._held: OrderedDict[str, Any] = OrderedDict()

    def ready(self) -> tuple[str, int]:
        """Get ready; gives the node's id and the process's.

        Raises:
            ClusterError: the files are not seen from here.
        """
        import ray

        Files(((self._folder, None),)).check()
        self._files.check()
        os.chdir(self._folder)
        grade_a_little()
        return str(ray.get_runtime_context().get_node_id()), os.getpid()

    def run(self, blob: bytes, seer: Any, *held: Any) -> bytes:
        """Do a job; gives value, error, seconds and finished frames, pickled. seer: who segments for it, or None."""
        began = time.monotonic()
        self._work = work = Work(self._cores)
        value: Any = None
        error: BaseException | None = None
        try:
            if seer is not None:
                from streamct.segment.choose import ask

                ask(_Asking(seer))
            call, arguments = pickle.loads(blob)
            shared = [self._value(references[0]) for references in held]
            with at_work(work):
                value = call(*(shared[a.number] if isinstance(a, Slot) else a for a in arguments))
        except BaseException as caught:
            error = caught
        finally:
            self._work = None
        if work.done:
            give_back()
        return _answer(value, error, time.monotonic() - began, work.done)

    def done(self) -> int:
        """Frames of the job under way."""
        work = self._work
        return 0 if work is None else work.done

    def stop(self) -> None:
        """End the job under way."""
        work = self._work
        if work is not None:
            work.stop.set()

    def _value(self, reference: Any) -> Any:
        import ray

        key = reference.hex()
        if key not in self._held:
            self._held[key] = pickle.loads(ray.get(reference))
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[key]


def _answer(value: Any, error: BaseException | None, seconds: float, frames: int) -> bytes:
    try:
        answer = pickle.dumps((value, error, seconds, frames))
        pickle.loads(answer)
        return answer
    except Exception:
        told = StreamctError(f"{type(error).__name__}: {error}" if error is not None else f"{value!r} can't be sent")
        return pickle.dumps((None, told, seconds, frames))


class Seer:
    """An actor that holds networks and segments proxies for many. threads: of torch on a CPU."""

    def __init__(self, threads: int) -> None:
        from streamct.segment.threads import load_torch

        load_torch()
        import torch

        torch.set_num_threads(threads)
        self._warm: DeepLab | None = None

    def ready(self) -> None:
        """Answers as soon as the actor runs."""

    def resolve(self, settings: SegmentSettings) -> tuple[SegmentSettings, str | None, list[str]]:
        """See `streamct.segment.choose.resolve`; gives its notes too."""
        from streamct.segment.choose import resolve

        notes: list[str] = []
        return *resolve(settings, notes.append), notes

    def load(self, settings: SegmentSettings) -> dict[str, Any]:
        """What there is to know of a network, which is loaded now, and on a GPU warmed up."""
        network = self._network(settings)
        if network is not self._warm and network.device != "cpu":
            network.warm_up(network.size, network.size)
        self._warm = network
        told = {name: getattr(network, name) for name in ("name", "device", "size", "batch", "precision")}
        return told | {"memory": network.memory()}

    def segment(self, settings: SegmentSettings, proxies: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `DeepLab.segment`."""
        return self._network(settings).segment(np.array(proxies))  # of the store's own, which may not be written

    def told(self, settings: SegmentSettings) -> list[str]:
        """See `DeepLab.told`; whoever asks first is told."""
        return self._network(settings).told()

    def _network(self, settings: SegmentSettings) -> DeepLab:
        from streamct.segment.choose import load

        return load(settings)


class _Asking:
    """Has a `Seer` run the networks of this process."""

    def __init__(self, seer: Any) -> None:
        self._seer = seer

    def resolve(self, settings: SegmentSettings, note: Callable[[str], None]) -> tuple[SegmentSettings, str | None]:
        filled, warning, notes = _asked(self._seer.resolve.remote(settings))
        for line in notes:
            note(line)
        return filled, warning

    def load(self, settings: SegmentSettings) -> DeepLab:
        network: Any = _Remote(self._seer, settings, _asked(self._seer.load.remote(settings)))
        return network  # type: ignore[no-any-return]


class _Remote:
    """A network elsewhere, with a `DeepLab`'s attributes."""

    def __init__(self, seer: Any, settings: SegmentSettings, told: dict[str, Any]) -> None:
        self._seer = seer
        self._settings = settings
        self._told = told
        self.name, self.device, self.size, self.batch, self.precision = (
            told[name] for name in ("name", "device", "size", "batch", "precision")
        )

    def segment(self, proxies: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `DeepLab.segment`."""
        return np.array(_asked(self._seer.segment.remote(self._settings, proxies)))

    def told(self) -> list[str]:
        """See `DeepLab.told`. It has many users, of which one is told."""
        return list(_asked(self._seer.told.remote(self._settings)))

    def memory(self) -> int:
        """Bytes that it takes where it is."""
        return int(self._told["memory"])


def _asked(reference: Any) -> Any:
    """What a `Seer` answers; an error of ours as itself."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as cause:
        if isinstance(cause.cause, StreamctError):
            raise cause.cause from None
        raise
    except ray.exceptions.RayActorError as cause:
        raise WorkerLostError("the worker that segments ended") from cause
