"""AAC without a header of its own, as in MPEG-TS, gets one where it goes into a pipe."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pictures
import pytest
import streams
from piping import standard_input, standard_output

from streamct import Settings, transfer_video
from streamct.media.adts import header_of, lacks_header
from streamct.media.pipes import DASH

QUICK = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, time__knot_spacing=60, mapping__transport_iterations=10,
    output__codec="ffv1",
)  # fmt: skip


@pytest.mark.parametrize("piped", [False, True])
def test_sound_of_a_transport_stream_comes_through_a_matroska_pipe(tmp_path: Path, piped: bool) -> None:
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    source = streams.write_rich(tmp_path / "a.ts", frames=12, audios=("aac", "aac"), chapters=False)
    out = bytearray()
    with standard_output(out):
        if piped:
            with standard_input(source.read_bytes()):
                transfer_video(DASH, reference, DASH, QUICK)
        else:
            transfer_video(source, reference, DASH, QUICK)
    target = tmp_path / "out.mkv"
    target.write_bytes(out)
    filed = transfer_video(source, reference, tmp_path / "filed.mkv", QUICK).output
    for number in range(2):
        sound = samples(target, number)
        assert np.array_equal(sound, samples(source, number))
        assert streams.packet_times(target, "audio", number) == streams.packet_times(filed, "audio", number)
    assert streams.packet_hashes(target) == streams.packet_hashes(filed)


def samples(path: Path, number: int) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=number)], axis=-1)


@pytest.mark.parametrize(("rate", "layout"), [(48_000, "mono"), (44_100, "stereo"), (22_050, "5.1")])
def test_the_header_is_that_of_the_encoder(tmp_path: Path, rate: int, layout: str) -> None:
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout=layout)
        channels = stream.codec_context.channels
        for start in range(0, 8192, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((channels, 1024), np.float32), "fltp", layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        wanted = bytes(stream.codec_context.extradata or b"")[:2]
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert lacks_header(stream)
        packet = next(bytes(packet) for packet in container.demux(stream) if packet.size)
        assert header_of(stream, packet) == header_of(stream, None) == wanted


def test_channels_that_only_packets_describe_are_not_guessed(tmp_path: Path) -> None:
    source = streams.write_rich(tmp_path / "a.ts", audios=("aac",), chapters=False)
    with av.open(str(source)) as container:
        stream = container.streams.audio[0]
        packet = bytearray(next(bytes(packet) for packet in container.demux(stream) if packet.size))
        packet[2] &= 0xFE
        packet[3] &= 0x3F
        assert header_of(stream, bytes(packet)) is None
