"""What decoding and encoding alone cost in a process like ours: python scripts/bench_floor.py CLIP OUTPUT

PyAV decodes in one thread and encodes in another, with the encoder settings of `streamct video`; nothing lies between.
"""

from __future__ import annotations

import argparse
import queue
import threading
from pathlib import Path

import av

from streamct.stream import decoder_threads, encoder_threads


def floor(source: Path, output: Path) -> None:
    """Transcode the video stream of a clip."""
    waiting: queue.Queue[av.VideoFrame | None] = queue.Queue(4)
    with av.open(str(source)) as given, av.open(str(output), "w") as made:
        stream = given.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", decoder_threads()

        def decode() -> None:
            for frame in given.decode(stream):
                waiting.put(frame)
            waiting.put(None)

        out = made.add_stream("libx264", rate=stream.average_rate, options={"crf": "16", "preset": "veryfast"})
        out.width, out.height, out.pix_fmt = stream.width, stream.height, stream.pix_fmt
        context = out.codec_context
        context.time_base, context.gop_size = stream.time_base, 300
        context.thread_type, context.thread_count = "FRAME", encoder_threads("libx264") or 0
        thread = threading.Thread(target=decode)
        thread.start()
        while (frame := waiting.get()) is not None:
            frame.pict_type = av.video.frame.PictureType.NONE
            made.mux(out.encode(frame))
        made.mux(out.encode(None))
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    floor(asked.clip, asked.output)
