"""A DeepLabV3 that was really trained, for a minute, from the checkpoint on disk to the graded clip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, write_clip
from networks import SCENE_WIDTH, drawn, iou, looks, moving_scene, scene, train

from streamct.grade.mattes import Segmented
from streamct.media.image import save_png
from streamct.segment.deeplab import DeepLab
from streamct.segment.matte import read_matte

pytestmark = pytest.mark.slow

STEPS = 160
NAME = "deeplabv3-mobilenet"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    train(STEPS, path)
    return path


@pytest.fixture(scope="module")
def network(checkpoint: Path) -> DeepLab:
    return DeepLab.from_checkpoint(NAME, checkpoint, size=SCENE_WIDTH)


def test_a_trained_checkpoint_finds_the_foreground_of_scenes_it_has_not_seen(network: DeepLab) -> None:
    rng = np.random.default_rng(1234)
    pictures, masks = zip(*[scene(rng) for _ in range(24)], strict=True)
    found = network.segment(np.stack(pictures)) > 0.5
    assert np.mean([iou(f, m) for f, m in zip(found, masks, strict=True)]) >= 0.9


def test_its_mattes_of_a_still_scene_breathe_a_fifth_as_much(network: DeepLab) -> None:
    rng = np.random.default_rng(8)
    still: Any = (128, 96, np.array([0.5, 0.6, 0.4]), np.full((3, 2), 0.1), (60, 50), 34.0, 1.1, np.full(3, 0.8))
    seen = looks([drawn(rng, *still)[0] for _ in range(40)])

    def breathing(radius: int) -> float:
        mattes = Segmented(network, radius=radius, every=1)
        out = [mask for look in seen for _, mask in mattes.push(look)] + [mask for _, mask in mattes.finish()]
        areas = [float(mask.mean()) for mask in out if mask is not None][5:-5]
        return float(np.abs(np.diff(areas)).mean())

    plain = breathing(0)
    assert plain > 0  # noise makes the network's own mattes breathe
    assert breathing(3) <= plain / 5


@pytest.mark.parametrize("segmenter", [NAME, "auto"])
def test_the_command_line_grades_foreground_and_background_apart_with_it(
    checkpoint: Path, tmp_path: Path, segmenter: str
) -> None:
    pictures, masks = moving_scene(16)
    clip = write_clip(tmp_path / "in.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    reference, part = scene(np.random.default_rng(77))
    save_png(tmp_path / "ref.png", reference)
    command = [
        sys.executable, "-c", "from streamct.cli import main; main()", "video", clip, tmp_path / "ref.png",
        "-o", tmp_path / "out.mkv", "--codec", "ffv1", "--segmenter", segmenter, "--weights", checkpoint,
        "--segment-size", str(SCENE_WIDTH), "--segment-every", "2", "--segment-device", "cpu",
        "--save-masks", tmp_path / "masks", "--json",
    ]  # fmt: skip
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    report = [json.loads(line) for line in done.stdout.splitlines()][-1]["report"]
    assert report["segmenter"] == NAME
    assert report["details"]["network"]["size"] == SCENE_WIDTH
    files = sorted((tmp_path / "masks").iterdir())
    assert np.mean([iou(read_matte(f)[0] > 127, m) for f, m in zip(files, masks, strict=True)]) >= 0.9
    wanted = [reference[part].mean(axis=0), reference[~part].mean(axis=0)]
    for index, (_, (green, blue, red)) in enumerate(decoded(tmp_path / "out.mkv", "gbrp")):
        graded = np.stack([red, green, blue], axis=-1).astype(float)
        for side, where in enumerate((masks[index], ~masks[index])):
            before = np.abs(pictures[index][where].mean(axis=0) - wanted[side]).sum()
            after = np.abs(graded[where].mean(axis=0) - wanted[side]).sum()
            assert after < 0.7 * before
