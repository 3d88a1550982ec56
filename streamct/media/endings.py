"""What a file is by its ending, before it is opened."""

from __future__ import annotations

ANIMATIONS = (".gif", ".apng")
KEPT_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".mts", ".webm", ".avi", ".nut")
CLIP_ENDINGS = (
    *KEPT_ENDINGS, *ANIMATIONS, ".3g2", ".3gp", ".asf", ".divx", ".dv", ".f4v", ".flv", ".h264", ".hevc", ".ivf",
    ".m2v", ".mjpeg", ".mpeg", ".mpg", ".mxf", ".ogv", ".vob", ".wmv", ".y4m",
)  # fmt: skip
"""Of clips. KEPT_ENDINGS: of containers that a graded clip keeps by default."""
