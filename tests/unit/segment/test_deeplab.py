"""What a network does where the machine is short of something: memory, a GPU that works, cores."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import RedIsForeground, looks, moving_scene, random_network

from streamct.errors import SegmenterError
from streamct.grade.mattes import Segmented
from streamct.segment.deeplab import DeepLab
from streamct.segment.threads import own_threads
from streamct.work import Work, at_work

NAME = "deeplabv3-mobilenet"


class Small(DeepLab):
    """A network whose memory holds `room` pictures at once; takes the red channel as the probability."""

    room = 2
    error: type[RuntimeError] = torch.cuda.OutOfMemoryError
    words = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ..."

    def _infer(self, proxies: Any) -> Any:
        if len(proxies) > self.room:
            raise self.error(self.words)
        return proxies[..., 0].astype(np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def network() -> Any:
    return random_network(NAME)


def proxies(count: int) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, 8, 12, 3), np.uint8)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.cuda.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
        (RuntimeError, "CUDA error: out of memory"),
        (RuntimeError, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_where_memory_does_not_hold_a_batch_it_is_halved_once_and_said(
    network: Any, error: type[RuntimeError], words: str
) -> None:
    small = Small(NAME, network)
    small.error, small.words, small.batch, small.room = error, words, 8, 4
    asked = proxies(19)
    np.testing.assert_array_equal(small.segment(asked), asked[..., 0].astype(np.float32) / np.float32(255))
    assert small.batch == 4
    assert small.told() == [f"{NAME}: cpu has no memory for 8 pictures at once; it goes on with 4"]
    small.segment(asked)
    assert small.told() == []


def test_where_not_even_one_picture_fits_it_says_what_to_do(network: Any) -> None:
    small = Small(NAME, network)
    small.batch, small.room = 4, 0
    with pytest.raises(SegmenterError, match=r"cpu has no memory for one picture of 12x8\. Pass a smaller --segment"):
        small.segment(proxies(9))


def test_other_faults_are_not_taken_for_a_lack_of_memory(network: Any) -> None:
    broken = Small(NAME, network)
    broken.room, broken.error, broken.words = 0, RuntimeError, "shapes do not match"
    with pytest.raises(RuntimeError, match="shapes do not match"):
        broken.segment(proxies(1))


def test_a_gpu_that_fails_is_named_with_a_way_round(network: Any) -> None:
    broken = Small(NAME, network)
    broken.room, broken.error = 0, RuntimeError
    broken.device, broken.words = "cuda:0 (A GPU)", "CUDA error: no kernel image is available. CUDA kernel errors ..."
    told = r"cuda:0 \(A GPU\) fails \(CUDA error: no kernel image is available\)\. .* --segment-device cpu\."
    with pytest.raises(SegmenterError, match=told):
        broken.segment(proxies(1))


def test_a_network_for_a_gpu_that_is_not_there_is_an_error_of_ours(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(torch.cuda, "current_device", fail)
    with pytest.raises(SegmenterError, match=r"cuda fails \(Torch not compiled with CUDA enabled\)"):
        DeepLab(NAME, network, device="cuda")


def test_a_batch_that_shrinks_on_the_way_holds_no_mask_back() -> None:
    class Shrinking(RedIsForeground):
        def segment(self, proxies: Any) -> Any:
            self.batch = 2
            return super().segment(proxies)

    pictures = moving_scene(60, width=24, height=16)[0]
    mattes = Segmented(Shrinking(batch=5), radius=1, every=1)
    came = 0
    for pushed, look in enumerate(looks(pictures), start=1):
        came += len(list(mattes.push(look)))
        assert pushed - came <= mattes.delay
    assert came + len(list(mattes.finish())) == 60


def test_torch_keeps_to_the_cores_of_the_job_and_gives_the_others_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with at_work(Work(cores=2)), own_threads():
            assert torch.get_num_threads() == 2
        with at_work(Work(cores=8)), own_threads():
            assert torch.get_num_threads() == 3  # what the user said goes before
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_network_that_works_in_a_thread_of_its_own_keeps_to_the_share_of_its_job() -> None:
    seen = []

    class Watched(RedIsForeground):
        def segment(self, proxies: Any) -> Any:
            torch.set_num_threads(3)
            with own_threads():
                seen.append(torch.get_num_threads())
            return super().segment(proxies)

    before = torch.get_num_threads()
    with at_work(Work(cores=1)):
        mattes = Segmented(Watched(batch=2), radius=0, every=1)

    def analyse() -> None:  # as in a pass over a clip: a thread that knows nothing of the job
        for look in looks(moving_scene(6, width=24, height=16)[0]):
            list(mattes.push(look))
        list(mattes.finish())

    thread = threading.Thread(target=analyse)
    thread.start()
    thread.join()
    torch.set_num_threads(before)
    assert set(seen) == {1}


@pytest.mark.parametrize(("given", "wanted"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(tmp_path: Path, given: str | None, wanted: str) -> None:
    """A torch that only notes what it would have seen when it was loaded."""
    (tmp_path / "torch.py").write_text("import os\nseen = os.environ.get('OMP_WAIT_POLICY')\n")
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from streamct.segment.threads import load_torch\nload_torch()\n"
        "import torch; print(torch.seen, os.environ.get('OMP_WAIT_POLICY'))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == [wanted, str(given)]
