"""`streamct video` between other programs: what goes to stdout, what to stderr, and how it ends."""

from __future__ import annotations

import fcntl
import io
import json
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import av
import pictures
import pytest
import streams

SCRIPT = [sys.executable, "-W", "error", "-c", "from streamct.cli import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    streams.write_rich(folder / "a.mkv", frames=10, audios=("aac",))
    pictures.save(folder / "ref.png", pictures.gradient(20, 20))
    return folder


def test_stdout_is_the_stream_and_nothing_else(folder: Path) -> None:
    command = [*SCRIPT, "video", "-", str(folder / "ref.png"), "-o", "-", "--json", "--codec", "ffv1"]
    run = subprocess.run(command, input=(folder / "a.mkv").read_bytes(), capture_output=True, check=True)
    with av.open(io.BytesIO(run.stdout)) as container:
        assert container.format.name == "matroska,webm"
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert len(list(container.decode(video=0))) == 10
    assert run.stdout.startswith(b"\x1a\x45\xdf\xa3")
    events = [json.loads(line) for line in run.stderr.splitlines() if line.startswith(b"{")]
    assert events[-1]["event"] == "done"
    assert events[-1]["report"]["output"] == "-"


def test_apply_reads_and_writes_pipes_too(folder: Path) -> None:
    (folder / "same.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n")
    command = [*SCRIPT, "apply", "-", str(folder / "same.cube"), "-o", "-", "--codec", "ffv1", "-q"]
    run = subprocess.run(command, input=(folder / "a.mkv").read_bytes(), capture_output=True, check=True)
    with av.open(io.BytesIO(run.stdout)) as container:
        assert len(list(container.decode(video=0))) == 10
    assert run.stderr == b""


def test_a_reader_that_has_enough_is_no_error_worth_a_word(folder: Path) -> None:
    planes = [streams.random_planes("yuv420p", 320, 240, seed) for seed in range(8)]
    clip = streams.write_planes(folder / "noise.mkv", "yuv420p", planes, (320, 240))
    command = [*SCRIPT, "video", str(clip), str(folder / "ref.png"), "-o", "-", "--codec", "ffv1", "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert len(process.stdout.read(1000)) == 1000
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said == b""


def test_format_is_refused_for_a_file(folder: Path, tmp_path: Path) -> None:
    command = [*SCRIPT, "video", str(folder / "a.mkv"), str(folder / "ref.png"), "--format", "nut"]
    run = subprocess.run([*command, "-o", str(tmp_path / "b.mkv")], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "--format is for standard output (-o -)" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_standard_output_is_said_in_a_whole_sentence(folder: Path) -> None:
    command = [*SCRIPT, "video", str(folder / "a.mkv"), str(folder / "ref.png"), "-o", "-", "-q"]
    with open("/dev/full", "wb") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 1
    assert (
        run.stderr
        == b"error: standard output: no space left where it goes to. Free some, or write elsewhere with -o.\n"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whose_reader_takes_nothing(folder: Path, number: signal.Signals) -> None:
    planes = [streams.random_planes("yuv420p", 320, 240, seed) for seed in range(8)]
    clip = streams.write_planes(folder / "stalled.mkv", "yuv420p", planes, (320, 240))
    command = [*SCRIPT, "video", str(clip), str(folder / "ref.png"), "-o", "-", "--codec", "ffv1", "-q"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"\x1a"
    held, seen = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)), b""
    while held != seen:  # until no more comes: the pipe is full
        held, seen = fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)), held
        time.sleep(0.2)
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert process.stderr is not None
    assert process.stderr.read().startswith(b"stopped (")
    process.stdout.close()
    process.stderr.close()
