"""A passage of a clip -> its Frames, numbered and timed as in the whole clip."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.packet import Packet
from av.video.stream import VideoStream

from streamct.errors import DamagedInputError
from streamct.media.probe import reason
from streamct.media.reader import Reader, plane_views, timecode
from streamct.media.timeline import Passage
from streamct.model import Clip, Frame


class PassageReader(Reader):
    """Decodes a passage. Use as a context manager and iterate once.

    threads: of the decoder, None for its own choice.

    Raises (while iterating):
        DamagedInputError: the frames that come are not those that the packets announce, or corrupt.
    """

    _from_beginning = False

    def __init__(self, clip: Clip, passage: Passage, threads: int | None = None) -> None:
        super().__init__(clip, threads)
        self._passage = passage

    def __iter__(self) -> Iterator[Frame]:
        clip, passage = self._clip, self._passage
        wanted = passage.pts.tolist()
        count = 0
        for decoded in self._decoded():
            if decoded.pts is not None and decoded.pts < wanted[0]:
                continue  # shown before the key frame, and made from what was not decoded
            at = timecode(float(wanted[count] * clip.time_base))
            index = passage.first + count
            if decoded.pts != wanted[count]:
                raise self._damaged(f"frame {index} at {at} did not come where its packet lies")
            if decoded.is_corrupt or decoded.pts in self._broken or self._lacks(decoded):
                raise self._damaged(f"frame {index} at {at} is corrupt")
            if index >= passage.begin:
                frame = self._direct(decoded)
                yield Frame(
                    plane_views(frame, clip.format), clip.format, index, wanted[count], clip.time_base,
                    decoded.duration or 0, bool(decoded.key_frame), False, frame,
                )  # fmt: skip
            count += 1
            if count == len(wanted):
                return
        at = timecode(float(wanted[count] * clip.time_base))
        raise self._damaged(f"frame {passage.first + count} at {at} could not be decoded")

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        key = int(self._passage.pts[0])
        try:
            for time in self._passage.seeks:
                self._container.seek(time, stream=self._stream)
                self._stream.codec_context.flush_buffers()
                packets = self._container.demux(self._stream)
                for packet in packets:
                    if packet.pts == key:
                        yield packet
                        yield from packets
                        return
                    if packet.dts is not None and packet.dts > self._passage.seeks[0]:
                        break  # it lies behind us
        except (av.FFmpegError, OSError) as cause:
            raise self._damaged(f"reading stopped ({reason(cause)})") from cause
        raise self._unsearchable()

    def _unsearchable(self) -> DamagedInputError:
        at = timecode(float(int(self._passage.pts[0]) * self._clip.time_base))
        return DamagedInputError(
            f"{self._clip.path}: the key frame at {at} can't be found by seeking. Convert it to MP4, or grade it whole "
            "with --spans 1."
        )
