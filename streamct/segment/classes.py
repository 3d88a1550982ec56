"""The classes of Pascal VOC, which torchvision's DeepLabV3 weights tell apart."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from streamct.errors import SettingsError

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def class_numbers(names: Sequence[str], count: int) -> tuple[int, ...]:
    """Numbers of the classes `names` of a network that tells `count` classes apart, ascending, each once.

    A name is one of `VOC_CLASSES` where there are 21 classes, or a number 1..count-1. No names: every class but
    background, class 0.

    Raises:
        SettingsError: an unknown name or number, or background.
    """
    if not names:
        return tuple(range(1, count))
    known = VOC_CLASSES[1:] if count == len(VOC_CLASSES) else tuple(str(number) for number in range(1, count))
    numbers = set()
    for name in names:
        word = name.strip().lower()
        if word.isdigit() and 1 <= int(word) < count:
            numbers.add(int(word))
        elif word in known:
            numbers.add(known.index(word) + 1)
        else:
            if count != len(VOC_CLASSES):
                raise SettingsError(
                    f"--classes (segment.classes): no class {name!r}; this network's have numbers: {', '.join(known)}"
                )
            close = difflib.get_close_matches(word, known, n=1, cutoff=0.0)
            raise SettingsError(
                f"--classes (segment.classes): no class {name!r} (did you mean {close[0]!r}?); "
                f"known: {', '.join(known)}"
            )
    return tuple(sorted(numbers))
