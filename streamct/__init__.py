"""streamct: give a whole video, or a picture, the colours of a reference picture.

    >>> import streamct
    >>> report = streamct.transfer_video("in.mp4", "ref.jpg", "out.mp4")   # doctest: +SKIP

Everything is imported when first used; torch and ray only where a run needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Palette",
    "Report",
    "Settings",
    "StreamctError",
    "evaluate",
    "extract_palette",
    "load_settings",
    "transfer_image",
    "transfer_picture",
    "transfer_video",
]

_HOMES = {
    "Palette": ("streamct.model", "Palette"),
    "Report": ("streamct.model", "Report"),
    "Settings": ("streamct.settings", "Settings"),
    "StreamctError": ("streamct.errors", "StreamctError"),
    "evaluate": ("streamct.evaluation", "evaluate"),
    "extract_palette": ("streamct.pipeline", "extract_palette"),
    "load_settings": ("streamct.settings", "load"),
    "transfer_image": ("streamct.pipeline", "transfer_image"),
    "transfer_picture": ("streamct.pipeline", "grade_picture"),
    "transfer_video": ("streamct.pipeline", "grade_video"),
}

if TYPE_CHECKING:
    from streamct.errors import StreamctError
    from streamct.evaluation import evaluate
    from streamct.model import Palette, Report
    from streamct.pipeline import extract_palette, transfer_image
    from streamct.pipeline import grade_picture as transfer_picture
    from streamct.pipeline import grade_video as transfer_video
    from streamct.settings import Settings
    from streamct.settings import load as load_settings


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamct' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
