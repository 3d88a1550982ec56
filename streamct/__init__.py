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
    "apply_lut",
    "evaluate",
    "extract_palette",
    "load_settings",
    "preview_sheet",
    "read_cube",
    "transfer_image",
    "transfer_picture",
    "transfer_video",
    "write_luts",
]

_HOMES = {
    "Palette": ("streamct.model", "Palette"),
    "Report": ("streamct.model", "Report"),
    "Settings": ("streamct.settings", "Settings"),
    "StreamctError": ("streamct.errors", "StreamctError"),
    "apply_lut": ("streamct.lut_apply", "apply_lut"),
    "evaluate": ("streamct.evaluation", "evaluate"),
    "extract_palette": ("streamct.pipeline", "extract_palette"),
    "load_settings": ("streamct.settings", "load"),
    "preview_sheet": ("streamct.sheets", "write_sheet"),
    "read_cube": ("streamct.input_lut", "read_cube"),
    "transfer_image": ("streamct.pipeline", "transfer_image"),
    "transfer_picture": ("streamct.pipeline", "grade_picture"),
    "transfer_video": ("streamct.pipeline", "grade_video"),
    "write_luts": ("streamct.lut_files", "write_luts"),
}

if TYPE_CHECKING:
    from streamct.errors import StreamctError
    from streamct.evaluation import evaluate
    from streamct.input_lut import read_cube
    from streamct.lut_apply import apply_lut
    from streamct.lut_files import write_luts
    from streamct.model import Palette, Report
    from streamct.pipeline import extract_palette, transfer_image
    from streamct.pipeline import grade_picture as transfer_picture
    from streamct.pipeline import grade_video as transfer_video
    from streamct.settings import Settings
    from streamct.settings import load as load_settings
    from streamct.sheets import write_sheet as preview_sheet


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamct' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
