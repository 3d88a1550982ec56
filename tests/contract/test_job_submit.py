"""A batch handed to a cluster's own job queue, as `ray job submit` does."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import decoded, moving_picture, write_clip

from streamct.media.image import save_png
from streamct.pipeline import grade_video
from streamct.settings import Settings

pytestmark = pytest.mark.slow
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
OPEN = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
SECONDS = 120.0


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the job queue of a cluster of this machine."""
    port, board = free_ports(2)
    command = [*RAY, "start", "--head", "--block", "--num-cpus", "2", "--object-store-memory", "100000000"]
    command += ["--port", str(port), "--dashboard-port", str(board)]
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # paths of sockets have to be short
    log = tmp_path_factory.mktemp("cluster") / "log"
    with log.open("w") as out:
        head = subprocess.Popen(
            [*command, "--temp-dir", folder], env={**os.environ, **OPEN}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        ends = time.monotonic() + SECONDS
        while True:
            assert head.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", board)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{board}"
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_submitted_batch_uses_the_cluster_it_runs_on(queue: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, seed in (("a", 0), ("b", 1)):
        write_clip(tmp_path / "in" / f"{name}.mp4", moving_picture(12, seed=seed))
    save_png(tmp_path / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    batch = ["batch", str(tmp_path / "in"), str(tmp_path / "ref.png"), "-o", str(tmp_path / "out"), "--codec", "ffv1"]
    job = [sys.executable, "-c", "from streamct.cli import main; main()", *batch]
    ends = time.monotonic() + SECONDS
    while True:  # the queue answers before there is anybody to give a job to
        submitted = subprocess.run(
            [*RAY, "job", "submit", "--address", queue, "--", *job],
            env={**os.environ, **OPEN}, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        said = submitted.stdout + submitted.stderr
        if "No available agent" not in said or time.monotonic() > ends:
            break
        time.sleep(0.5)
    assert submitted.returncode == 0, said
    assert "engine: ray (RAY_ADDRESS " in said, said
    lossless = Settings().updated(output__codec="ffv1")
    for name in ("a", "b"):
        grade_video(tmp_path / "in" / f"{name}.mp4", tmp_path / "ref.png", tmp_path / f"{name}.mkv", lossless)
        (made,) = (tmp_path / "out").glob(f"{name}.*")
        for (_, ours), (_, theirs) in zip(decoded(made), decoded(tmp_path / f"{name}.mkv"), strict=True):
            assert all((mine == other).all() for mine, other in zip(ours, theirs, strict=True))
