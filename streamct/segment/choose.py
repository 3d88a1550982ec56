"""Which segmenter a run gets: decided once, before anything is decoded, the same for all who work on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamct.errors import SegmenterError, UsageError
from streamct.segment.classes import VOC_CLASSES, class_numbers
from streamct.segment.threads import load_torch
from streamct.settings import SegmentSettings

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab


class Server(Protocol):
    """Where networks run that this process asks: in other processes, for many that ask."""

    def resolve(self, settings: SegmentSettings, note: Callable[[str], None]) -> tuple[SegmentSettings, str | None]:
        """See `resolve`."""

    def load(self, settings: SegmentSettings) -> DeepLab:
        """See `load`; what comes has a `DeepLab`'s attributes."""


_server: Server | None = None


def ask(server: Server | None) -> None:
    """From now on have `server` run the networks of this process; None: run them here."""
    global _server
    _server = server


SIZES = {"cuda": 520, "cpu": 384}
EVERY = {"cuda": 1, "cpu": 4}
"""By kind of device, fixed: never timed, so that a clip comes out the same on a busy machine."""
_AUTO = {"cuda": "deeplabv3-resnet101", "cpu": "deeplabv3-mobilenet"}


def resolve(settings: SegmentSettings, note: Callable[[str], None]) -> tuple[SegmentSettings, str | None]:
    """Settings that leave nothing open (segmenter, device, size, every), and why there is no network or None.

    `auto` takes resnet101 on a GPU and mobilenet on a CPU, or what --weights fits; where the weights can't be had
    it becomes `none`, the paper's own rule for pictures without a clear split, and what comes second says why.
    note: is told of a download.

    Raises:
        SegmenterError: a segmenter asked for by name, a device or a weights file can't be had.
        UsageError: see `check_none`.
        SettingsError: a class that torchvision's weights can't tell.
    """
    if settings.segmenter == "none":
        check_none(settings)
        return settings, None
    if _server is not None:
        return _server.resolve(settings, note)
    device = _device(settings.device)
    name: str = settings.segmenter
    if settings.weights is not None:
        if name == "auto":
            from streamct.segment.weights import architecture_of, read_state

            name = architecture_of(read_state(settings.weights), settings.weights)
    else:
        from streamct.segment.weights import FETCHED_AGAIN, fetched, read_state

        class_numbers(settings.classes, len(VOC_CLASSES))  # what is wrong should not wait for a download
        try:
            wanted = _AUTO[device] if name == "auto" else name
            path = fetched(wanted, note)
            if name == "auto":
                read_state(path, FETCHED_AGAIN)  # what is torn should be known before anything hangs on it
        except SegmenterError as cause:
            if name != "auto":
                raise
            return SegmentSettings(radius=settings.radius), str(cause)
        name = wanted
    filled = {
        "segmenter": name,
        "device": device,
        "size": settings.size or SIZES[device],
        "every": settings.every or EVERY[device],
    }
    return settings.model_copy(update=filled), None


def check_none(settings: SegmentSettings) -> None:
    """Refuse what only a network could follow, where none is asked for.

    Raises:
        UsageError: weights, classes, a size, a stride or a device, without a segmenter.
    """
    if settings.segmenter != "none":
        return
    for flag, given in (
        ("--weights", settings.weights is not None),
        ("--classes", settings.classes),
        ("--segment-size", settings.size is not None),
        ("--segment-every", settings.every is not None),
        ("--segment-device", settings.device != "auto"),
    ):
        if given:
            raise UsageError(f"{flag} needs a network. Add --segmenter auto, or the network's name.")


def load(settings: SegmentSettings) -> DeepLab:
    """The segmenter of settings that `resolve` has filled in; the one loaded last is kept.

    Raises:
        SegmenterError: its weights are gone or wrong.
        SettingsError: a class that it can't tell.
    """
    if _server is not None:
        return _server.load(settings)
    from streamct.segment.weights import FETCHED_AGAIN, SAVED, cached, check_file, identity

    path, remedy = settings.weights, SAVED
    if path is None:
        path, remedy = cached(settings.segmenter), FETCHED_AGAIN
    check_file(path)
    size = settings.size or 0
    return _loaded(settings.segmenter, path, identity(path), settings.classes, settings.device, size, remedy)


@lru_cache(maxsize=1)
def _loaded(
    name: str,
    path: Path,
    identity: tuple[str, int, int],
    classes: tuple[str, ...],
    device: str,
    size: int,
    remedy: str,
) -> DeepLab:
    from streamct.segment.deeplab import DeepLab

    return DeepLab.from_checkpoint(name, path, classes=classes, device=device, size=size, remedy=remedy)


def _device(wanted: str) -> str:
    load_torch()
    import torch

    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise SegmenterError("--segment-device cuda (segment.device): torch sees no GPU here. Use auto or cpu.")
    return "cuda" if there and wanted != "cpu" else "cpu"
