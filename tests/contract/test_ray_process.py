"""A run on Ray as a process: what it says, how it ends, and that nothing of Ray outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from clips import moving_picture, write_clip
from ray.cluster_utils import Cluster

from streamct.execute.ray_pool import RayExecutor
from streamct.media.image import save_png

pytestmark = pytest.mark.slow
MAIN = "from streamct.cli import main; main()"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip that takes a while, and a reference."""
    folder = tmp_path_factory.mktemp("film")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    return write_clip(folder / "in.mp4", moving_picture(600, 480, 320)), folder / "ref.png"


def begun(film: tuple[Path, Path], out: Path) -> subprocess.Popen[str]:
    files = ("video", str(film[0]), str(film[1]), "-o", str(out))
    options = ("--codec", "ffv1", "--engine", "ray", "--spans", "4", "--json")
    command = [sys.executable, "-c", MAIN, *files, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def below(pid: int) -> dict[int, str]:
    """Processes that a process has begun, and those have, with their command lines."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in map(int, task.read_text().split()):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found |= below(child)
        except OSError:  # it ended meanwhile
            continue
    return found


def opened(pid: int) -> list[str]:
    """Files that a process has open."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def until(process: subprocess.Popen[str], reached: Callable[[dict[int, str]], bool]) -> dict[int, str]:
    while True:
        assert process.poll() is None
        found = below(process.pid)
        if reached(found):
            return found
        time.sleep(0.05)


def at_work(found: dict[int, str]) -> list[int]:
    """Workers that render a span."""
    return [pid for pid, line in found.items() if line.startswith("ray::") and " [" in line]


def gone(found: dict[int, str]) -> bool:
    """All of them are, as soon as the system has cleared them away."""
    while any(map(lives, found)):
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_with_its_own_code_and_one_line(
    film: tuple[Path, Path], tmp_path: Path, number: signal.Signals
) -> None:
    process = begun(film, tmp_path / "out.mkv")
    found = until(process, lambda found: bool(at_work(found)))
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 128 + number
    cause = "Ctrl-C" if number == signal.SIGINT else number.name
    assert said.splitlines()[-1] == f"stopped ({cause}); nothing was written"
    assert [
        line for line in said.splitlines() if not line.startswith(("note: ", "stopped")) and "frames/s" not in line
    ] == []
    assert gone(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("reached", ["gcs_server", "raylet/raylet", "python-core-driver"])
def test_a_signal_while_ray_starts_ends_it_alike_and_leaves_no_process(
    film: tuple[Path, Path], tmp_path: Path, number: signal.Signals, reached: str
) -> None:
    process = begun(film, tmp_path / "out.mkv")
    found = until(process, lambda found: any(reached in line for line in (*found.values(), *opened(process.pid))))
    process.send_signal(number)
    _, said = process.communicate()
    cause = "Ctrl-C" if number == signal.SIGINT else number.name
    assert (process.returncode, said) == (128 + number, f"stopped ({cause}); nothing was written\n")
    assert gone(found)


def test_an_instance_of_our_own_leaves_no_token_behind_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with RayExecutor():
        assert os.environ["RAY_AUTH_MODE"] == "token"
        assert (token := os.environ["RAY_AUTH_TOKEN"])
    assert [name for name in os.environ if name.startswith("RAY_AUTH")] == []
    with RayExecutor():
        assert os.environ["RAY_AUTH_TOKEN"] != token
    assert not (tmp_path / ".ray").exists()


ENDED = (
    "Ray has ended on this machine: its process raylet was killed, stopped, or out of memory. What is finished is "
    "kept; run the same command again to go on."
)


def test_a_video_whose_raylet_ends_says_so_and_leaves_nothing(film: tuple[Path, Path], tmp_path: Path) -> None:
    process = begun(film, tmp_path / "out.mkv")
    found = until(process, lambda found: bool(at_work(found)))
    os.kill(next(pid for pid, line in found.items() if "raylet/raylet" in line), signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.splitlines()[-1] == f"error: {ENDED}"
    assert list(tmp_path.iterdir()) == []
    assert gone(found)


@pytest.mark.parametrize("address", [False, True])
def test_a_batch_whose_raylet_ends_has_its_report_and_can_go_on(
    film: tuple[Path, Path], tmp_path: Path, address: bool
) -> None:
    """The process has lost its parent, as behind `nohup`, which Ray by itself takes for the end of the raylet."""
    cluster = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False}) if address else None
    options = ["--codec", "ffv1", "--spans", "4", "--report", str(tmp_path / "report.json")]
    options += ["--engine", "ray"] if cluster is None else ["--address", cluster.address]
    command = [sys.executable, "-c", MAIN, "batch", *map(str, film), "-o", str(tmp_path / "out"), *options]
    with (tmp_path / "said").open("w") as said:
        orphaned = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], stdout=2).pid)"
        started = subprocess.run(
            [sys.executable, "-c", orphaned, *command], stdout=subprocess.PIPE, stderr=said, check=True
        )
    number = int(started.stdout)
    try:
        raylet, workers = 0, list[int]()
        while not (raylet and workers):
            assert lives(number), (tmp_path / "said").read_text()
            found = below(number) if cluster is None else below(os.getpid())
            raylet = next((pid for pid, line in found.items() if "raylet/raylet" in line), 0)
            workers = at_work(found)
            time.sleep(0.05)
        os.kill(raylet, signal.SIGKILL)
        while lives(number):
            time.sleep(0.05)
    finally:
        if cluster is not None:
            cluster.shutdown()
    lines = (tmp_path / "said").read_text().splitlines()
    assert [line for line in lines if "Ray" in line and "engine" not in line] == [f"failed: {ENDED}"]
    assert lines[-1].startswith("0 graded, 1 failed; ")
    (told,) = json.loads((tmp_path / "report.json").read_text())["files"]
    assert (told["status"], told["error"]) == ("failed", ENDED)
    left = [path.name for path in tmp_path.rglob("*") if path.suffix == ".lock" or ".partial" in path.name]
    assert left == []


def test_a_killed_worker_puts_no_word_of_ray_between_the_events(film: tuple[Path, Path], tmp_path: Path) -> None:
    process = begun(film, tmp_path / "out.mkv")
    found = until(process, lambda found: bool(at_work(found)))
    os.kill(at_work(found)[0], signal.SIGKILL)
    told, said = process.communicate()
    assert process.returncode == 0
    assert [json.loads(line)["event"] for line in told.splitlines()][-1] == "done"
    assert "ray" not in said.replace("note: engine: ray (--engine)", "").lower()
