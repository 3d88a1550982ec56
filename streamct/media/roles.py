"""Roles of streams (commentary, for the hard of hearing, ...), and which of them a container tells."""

from __future__ import annotations

from av.stream import Disposition

_TOLD = {
    "mp4": (
        Disposition.dub | Disposition.comment | Disposition.forced | Disposition.hearing_impaired
        | Disposition.visual_impaired | Disposition.captions | Disposition.descriptions
    ),
    "mov": Disposition(0),
    "matroska": (
        Disposition.dub | Disposition.original | Disposition.comment | Disposition.forced
        | Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.descriptions
    ),
    "webm": Disposition.forced | Disposition.captions | Disposition.descriptions | Disposition.metadata,
    "mpegts": Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.clean_effects,
    "avi": Disposition(0),
}  # fmt: skip
"""What FFmpeg's muxers write and its demuxers find again."""
_NO_ROLES = Disposition.default | Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def lost_roles(container: str, disposition: Disposition) -> list[str]:
    """Names of the roles that a container does not tell; which track is the first choice is none."""
    told = _TOLD.get(container)
    if told is None:
        return []
    lost = disposition & ~told & ~_NO_ROLES
    return [str(role.name) for role in Disposition if role & lost]
