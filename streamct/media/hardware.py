"""Encoders and decoders of graphics devices: used where one frame proves them, else the software of the same codec."""

from __future__ import annotations

import difflib

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from streamct.errors import UsageError
from streamct.media.probe import reason, video_stream
from streamct.model import Clip

_MAKERS = ("nvenc", "qsv", "videotoolbox", "vaapi", "amf", "v4l2m2m", "mf", "vulkan")
_DEVICES = ("cuda", "qsv", "vaapi", "videotoolbox", "vulkan", "d3d11va", "dxva2", "drm", "amf")
SOFTWARE = {
    "h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9", "prores": "prores_ks",
    "mjpeg": "mjpeg",
}  # fmt: skip
"""The software encoder of a codec."""


def hardware_codec(name: str) -> str | None:
    """The codec of a hardware encoder's name, such as h264 of h264_nvenc; None for other names."""
    codec, _, maker = name.lower().rpartition("_")
    return codec if maker in _MAKERS and codec in SOFTWARE else None


def encoders_by(maker: str) -> list[str]:
    """Encoders of a kind of device, such as those of `nvenc`; none for other names."""
    maker = maker.lower()
    return [f"{codec}_{maker}" for codec in ("h264", "hevc", "av1")] if maker in _MAKERS else []


def decoder_of(clip: Clip, kind: str) -> tuple[HWAccel | None, str | None]:
    """A device that decodes this clip, proven by its first frame; else None and a line that says why.

    Raises:
        UsageError: no device is called so.
    """
    if kind not in _DEVICES:
        close = difflib.get_close_matches(kind, _DEVICES, n=1, cutoff=0.0)
        raise UsageError(
            f"--hwaccel {kind}: no such device (did you mean {close[0]!r}?). Known: {', '.join(_DEVICES)}."
        )
    why = f"FFmpeg was built without it (it has {', '.join(sorted(hwdevices_available())) or 'none'})"
    if kind in hwdevices_available():
        try:
            device = HWAccel(kind, allow_software_fallback=False)
            with av.open(str(clip.path), "r", metadata_errors="replace", hwaccel=device) as container:
                stream = video_stream(container, clip.stream)
                for _ in container.decode(stream):
                    if stream.codec_context.is_hwaccel:
                        return device, None
                    break
            why = f"it does not decode {clip.codec}"
        except (av.FFmpegError, OSError, RuntimeError, NotImplementedError, ValueError) as cause:
            why = f"it does not start ({reason(cause)})"
    return None, f"--hwaccel {kind} can't be used here: {why}; decoding in software"
