"""Where a network's weights come from: a file of the user's, torchvision's cache, or torchvision's server."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from streamct.errors import SegmenterError
from streamct.segment.threads import load_torch

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHITECTURES = {
    "deeplabv3-resnet101": ("deeplabv3_resnet101", "DeepLabV3_ResNet101_Weights"),
    "deeplabv3-resnet50": ("deeplabv3_resnet50", "DeepLabV3_ResNet50_Weights"),
    "deeplabv3-mobilenet": ("deeplabv3_mobilenet_v3_large", "DeepLabV3_MobileNet_V3_Large_Weights"),
}
"""Segmenter -> torchvision's builder and its weights."""

PATIENCE = 10.0
"""Seconds without an answer after which a server counts as out of reach."""

_HASH = re.compile(r"-([0-9a-f]{8,})\.")
_WRAPPERS = ("model", "state_dict")
_LAST, _AUXILIARY = "classifier.4.weight", "aux_classifier."
_PARALLEL = "module."  # before every name where torch's DistributedDataParallel wrapped the network
_COUNTER = ".num_batches_tracked"  # only training needs it; old checkpoints lack it
SAVED = "It must be what torch.save(model.state_dict(), ...) writes."
FETCHED_AGAIN = "Delete it; then it is fetched again."
"""What helps where a file in torchvision's cache is torn."""
_patience = threading.Lock()


def cached(name: str) -> Path:
    """Where torchvision keeps the weights of segmenter `name` on this machine, whether or not they are there."""
    load_torch()
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(_url(name)).path).name


def fetched(name: str, note: Callable[[str], None]) -> Path:
    """The weights of segmenter `name`, from torchvision's cache or, once on a machine, its server.

    note: is told when a download begins; its bar goes to a terminal's stderr.

    Raises:
        SegmenterError: they are not here and can't be fetched.
    """
    path = cached(name)
    if path.is_file():
        return path
    import torch

    url = _url(name)
    found = _HASH.search(path.name)
    note(f"fetching the weights of {name} from {url}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _impatient():
            torch.hub.download_url_to_file(url, str(path), found[1] if found else None, progress=sys.stderr.isatty())
    except (OSError, RuntimeError, ValueError) as cause:
        raise SegmenterError(
            f"{name}: its weights are not in {path.parent} and can't be fetched from {url} ({cause}). "
            "Connect once, copy the file there from another machine, or pass a checkpoint with --weights."
        ) from cause
    return path


def _url(name: str) -> str:
    from torchvision.models import segmentation

    return str(getattr(segmentation, ARCHITECTURES[name][1]).DEFAULT.url)


@contextmanager
def _impatient() -> Iterator[None]:
    """torch.hub sets no time limit of its own; a dead connection would hang for ever."""
    with _patience:
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(PATIENCE if before is None else min(before, PATIENCE))
        try:
            yield
        finally:
            socket.setdefaulttimeout(before)


def check_file(path: Path) -> None:
    """Refuse weights that are no file.

    Raises:
        SegmenterError: so it is.
    """
    if not path.is_file():
        kind = "is a folder, not a weights file" if path.is_dir() else "no such weights file"
        raise SegmenterError(f"{path}: {kind}. Check the path of --weights.")


def read_state(path: Path, remedy: str = SAVED) -> dict[str, Tensor]:
    """The tensors of a checkpoint: a state dict, or one under "model" or "state_dict", also of a network that was
    trained in parallel. Nothing in it is run.

    remedy: what helps where it can't be read.

    Raises:
        SegmenterError: missing, unreadable, or something else than tensors by name.
    """
    load_torch()
    import torch

    check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch doubts pickles of other protocols, and then reads or refuses them
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # a torn pickle can raise nearly anything
        raise SegmenterError(f"{path}: can't be read as a checkpoint ({first_sentence(cause)}). {remedy}") from cause
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        kind = type(state).__name__
        raise SegmenterError(f"{path}: holds no tensors by name ({kind}). {remedy}")
    parallel = all(str(key).startswith(_PARALLEL) for key in state)
    return {str(key).removeprefix(_PARALLEL) if parallel else key: value for key, value in state.items()}


def first_sentence(cause: Exception) -> str:
    """The beginning of what torch says, whose messages may go on for pages."""
    lines = str(cause).strip().splitlines()
    return lines[0].split(". ")[0][:120] if lines else type(cause).__name__


def architecture_of(state: Mapping[str, Tensor], path: Path) -> str:
    """The segmenter that a checkpoint belongs to, by the names and shapes of its tensors.

    Raises:
        SegmenterError: none of ours.
    """
    for name in ARCHITECTURES:
        if _LAST in state and not _misfit(empty_network(name, state), state):
            return name
    raise SegmenterError(f"{path}: fits none of {', '.join(ARCHITECTURES)} (of torchvision). Pass another checkpoint.")


def network_of(name: str, state: Mapping[str, Tensor], path: Path) -> nn.Module:
    """Segmenter `name`'s network with a checkpoint's tensors, ready to infer, on the CPU.

    Raises:
        SegmenterError: the tensors are another network's, or not finite.
    """
    import torch

    shell = empty_network(name, state)
    wrong = _misfit(shell, state)
    if wrong:
        fits = [other for other in ARCHITECTURES if other != name and _LAST in state]
        fits = [other for other in fits if not _misfit(empty_network(other, state), state)]
        advice = f"It fits --segmenter {fits[0]}." if fits else "Check that it is a torchvision DeepLabV3 checkpoint."
        raise SegmenterError(f"{path}: is no checkpoint of {name} ({wrong}). {advice}")
    broken = [key for key, value in state.items() if not torch.isfinite(value).all()]
    if broken:
        raise SegmenterError(f"{path}: {broken[0]} holds values that are not finite. The training failed.")
    shell.load_state_dict(dict(state), assign=True)
    shell.aux_classifier = None
    network: nn.Module = shell.float().eval().requires_grad_(False)
    return network


def empty_network(name: str, state: Mapping[str, Tensor]) -> Any:
    """Segmenter `name`'s network without memory for its tensors, with as many classes as `state` tells apart."""
    import torch
    from torchvision.models import segmentation

    last = state.get(_LAST)
    classes = int(last.shape[0]) if last is not None and last.ndim == 4 else 21
    auxiliary = any(key.startswith(_AUXILIARY) for key in state)
    with torch.device("meta"):
        build = getattr(segmentation, ARCHITECTURES[name][0])
        return build(weights=None, weights_backbone=None, num_classes=classes, aux_loss=auxiliary)


def _misfit(network: Any, state: Mapping[str, Tensor]) -> str:
    """What of a checkpoint does not belong to a network; empty if all fits."""
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith(_COUNTER)]
    if missing:
        return f"{len(missing)} of {len(wanted)} tensors are missing, such as {missing[0]}"
    extra = [key for key in state if key not in wanted]
    if extra:
        return f"{len(extra)} tensors do not belong, such as {extra[0]}"
    for key, value in wanted.items():
        if key in state and state[key].shape != value.shape:
            return f"{key} has the shape {tuple(state[key].shape)}, not {tuple(value.shape)}"
    return ""


def identity(path: Path) -> tuple[str, int, int]:
    """What tells whether a file is still the one that was loaded: path, size, time of change."""
    stat = os.stat(path)
    return str(path), stat.st_size, stat.st_mtime_ns
