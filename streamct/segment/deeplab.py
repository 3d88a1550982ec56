"""torchvision's DeepLabV3 (Chen et al. 2017) as a segmenter, on a GPU or a CPU.

On CUDA in half precision, on a CPU in float32, on both channels-last: a CPU takes a fifth less time so. Half is
float16 from compute capability 7.0 on: it is as fast as bfloat16 and keeps three bits more. A network that overflows it
goes on in float32. torch.compile is not used: its minutes do not pay within a clip. On a CPU there are no more threads
than the job that asks has cores.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamct.errors import SegmenterError
from streamct.segment import Probabilities
from streamct.segment.classes import class_numbers
from streamct.segment.threads import load_torch, own_threads
from streamct.segment.weights import SAVED, first_sentence, network_of, read_state

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's R'G'B', by which torchvision's weights want their input normalised."""
_BATCH = {"cuda": 8, "cpu": 1}
_HALF_FROM = 7
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "not enough memory")
"""What torch, cuBLAS and cuDNN say where memory is short, each in an exception of its own."""


class DeepLab:
    """Holds one network: loaded once, then asked from any thread, one batch after another.

    name: the segmenter's. network: torchvision's DeepLabV3, in eval mode. classes: which are foreground, see
    `class_numbers`. device: "cpu" or "cuda" (or "cuda:1"). size: long edge of its input.

    Raises:
        SegmenterError: the GPU does not take it.
    """

    def __init__(
        self, name: str, network: nn.Module, *, classes: Sequence[str] = (), device: str = "cpu", size: int = 384
    ) -> None:
        load_torch()
        import torch

        self.name, self.size, self.device = name, size, device
        self._lock = threading.Lock()
        self._said: list[str] = []
        numbers = class_numbers(classes, _class_count(network))
        with self._reported():
            self._place = torch.device(f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device)
            self.batch = _BATCH[self._place.type]
            dtype, self.device = torch.float32, str(self._place)
            if self._place.type == "cuda":
                self.device = f"{self._place} ({torch.cuda.get_device_name(self._place)})"
                if torch.cuda.get_device_capability(self._place)[0] >= _HALF_FROM:
                    dtype = torch.float16
            self._network = network.to(self._place).to(memory_format=torch.channels_last)
            self._set_precision(dtype)
            self._foreground = torch.tensor(numbers, device=self._place)
            self._mean, self._std = (torch.tensor(v, device=self._place).view(1, 3, 1, 1) for v in (_MEAN, _STD))

    @classmethod
    def from_checkpoint(
        cls,
        name: str,
        path: Path,
        *,
        classes: Sequence[str] = (),
        device: str = "cpu",
        size: int = 384,
        remedy: str = SAVED,
    ) -> DeepLab:
        """Load a state dict of the architecture that `name` says. remedy: see `read_state`.

        Raises:
            SegmenterError: the file is missing, no checkpoint, or another network's; the GPU does not take it.
            SettingsError: `classes` names one that it can't tell.
        """
        network = network_of(name, read_state(path, remedy), path)
        return cls(name, network, classes=classes, device=device, size=size)

    def segment(self, proxies: NDArray[np.uint8]) -> Probabilities:
        """Foreground probabilities (n, h, w) of upright sRGB proxies (n, h, w, 3), in batches of `batch`.

        Where the GPU's memory does not hold a batch, it is halved from then on.

        Raises:
            SegmenterError: not even one proxy fits, the GPU fails, or the network gives no finite numbers.
        """
        import torch

        out = np.empty(proxies.shape[:3], np.float32)
        with self._lock, torch.inference_mode(), self._threads():
            done = 0
            while done < len(proxies):
                part = proxies[done : done + self.batch]
                found = self._tried(part)
                if found is None:
                    torch.cuda.empty_cache()  # only now nothing holds what the failed try had made
                elif np.isfinite(found).all():
                    out[done : done + len(part)] = found
                    done += len(part)
                elif self._dtype == torch.float32:
                    raise SegmenterError(f"{self.name}: its probabilities are not finite. Pass other weights.")
                else:
                    self._set_precision(torch.float32)
        return out

    def told(self) -> list[str]:
        """What has happened since the last call that the user should know of."""
        with self._lock:
            said, self._said = self._said, []
        return said

    def _tried(self, part: NDArray[np.uint8]) -> Probabilities | None:
        """Probabilities of a batch; None where memory did not hold it, and a smaller one may do."""
        with self._reported():
            try:
                return self._infer(part)
            except RuntimeError as cause:
                if not any(words in str(cause) for words in _NO_MEMORY):
                    raise
                if len(part) == 1:
                    freed = "" if self._place.type == "cpu" else ", or free the GPU"
                    raise SegmenterError(
                        f"{self.name}: {self.device} has no memory for one picture of "
                        f"{part.shape[2]}x{part.shape[1]}. Pass a smaller --segment-size{freed}."
                    ) from cause
                self.batch = len(part) // 2
                self._said.append(
                    f"{self.name}: {self.device} has no memory for {len(part)} pictures at once; "
                    f"it goes on with {self.batch}"
                )
                return None

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """What a GPU can't do comes out as an error of ours."""
        try:
            yield
        except (RuntimeError, AssertionError) as cause:
            if not self.device.startswith("cuda"):
                raise
            raise SegmenterError(
                f"{self.name}: {self.device} fails ({first_sentence(cause)}). "
                "Free it or mend its driver, or segment without it: --segment-device cpu."
            ) from cause

    def _threads(self) -> AbstractContextManager[None]:
        return own_threads() if self._place.type == "cpu" else nullcontext()

    def _set_precision(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._network = with_convolutions_in(dtype, self._network)
        self.precision = str(dtype).removeprefix("torch.")

    def _infer(self, proxies: NDArray[np.uint8]) -> Probabilities:
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(proxies))
        if self._place.type == "cuda":
            batch = batch.pin_memory().to(self._place, non_blocking=True)
        values = (batch.permute(0, 3, 1, 2).float() / 255 - self._mean) / self._std
        values = values.to(self._dtype).contiguous(memory_format=torch.channels_last)
        scores: Tensor = self._network(values)["out"]
        foreground = scores.float().softmax(1).index_select(1, self._foreground).sum(1).clamp_(0, 1)
        if self._place.type == "cuda":
            host = torch.empty(foreground.shape, dtype=torch.float32, pin_memory=True)
            host.copy_(foreground, non_blocking=True)
            torch.cuda.current_stream(self._place).synchronize()
            foreground = host
        return np.asarray(foreground.numpy())

    def warm_up(self, width: int, height: int) -> None:
        """Run one full batch of black pictures, so that the first real one does not wait for set-up."""
        self.segment(np.zeros((self.batch, height, width, 3), np.uint8))

    def memory(self) -> int:
        """Bytes: on CUDA the most that was held so far, on a CPU what the network's tensors take."""
        import torch

        if self._place.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._place))
        return sum(value.numel() * value.element_size() for value in self._network.state_dict().values())


def with_convolutions_in(dtype: torch.dtype, network: nn.Module) -> nn.Module:
    """`network` with its convolutions in `dtype`; batch norms keep their statistics in float32, which costs nothing
    and is where the precision would be lost."""
    import torch

    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(dtype=dtype)
    return network


def _class_count(network: Any) -> int:
    return int(network.classifier[-1].out_channels)
