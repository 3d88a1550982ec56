"""What a stream says of itself, carried over."""

from __future__ import annotations

from typing import Any

from av.stream import Disposition, Stream

_STREAM_KEYS = {"encoder", "duration", "bps", "number_of_frames", "number_of_bytes"}
_SPOKEN_IN_MOV = {
    "deu": "ger", "fre": "fra", "nld": "dut", "swe": "sve", "isl": "ice", "ell": "gre", "cze": "ces", "slo": "slk",
    "rum": "ron", "mkd": "mac", "zho": "chi", "sqi": "alb",
}  # fmt: skip
"""Other names of languages, under which FFmpeg finds the number that MOV has for them."""


def copy_tags(source: Stream, target: Stream, container: str) -> None:
    """Language, title, role and all else, but for what the muxer says itself. container: of `target`."""
    kept: dict[str, Any] = {
        key: value
        for key, value in source.metadata.items()
        if key.lower().split("-")[0] not in _STREAM_KEYS and not key.lower().startswith("_statistics")
    }
    if "name" in kept and "title" not in kept:  # as a film's track calls its title
        kept["title"] = kept.pop("name")
    if container == "mov" and kept.get("language") in _SPOKEN_IN_MOV:
        kept["language"] = _SPOKEN_IN_MOV[kept["language"]]
    target.metadata.update(kept)
    target.disposition = Disposition(source.disposition)
