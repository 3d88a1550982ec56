"""Segmenters for tests: one that needs no network, DeepLabV3 with random or trained weights, and what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.grade.sample import Look

SCENE_WIDTH, SCENE_HEIGHT = 128, 96


class RedIsForeground:
    """Takes the red channel as the probability; remembers what it was asked."""

    name, device = "red", "cpu"

    def __init__(self, batch: int = 2, size: int = 64) -> None:
        self.batch = batch
        self.size = size
        self.batches: list[NDArray[np.uint8]] = []

    def segment(self, proxies: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(proxies)
        return proxies[..., 0].astype(np.float32) / np.float32(255)

    def told(self) -> list[str]:
        return []


def looks(pictures: Sequence[NDArray[np.uint8]], times: Sequence[int] | None = None, first: int = 0) -> list[Look]:
    """What the sampler would see of pictures (h, w, 3), their change from one to the next included."""
    out = []
    for index, picture in enumerate(pictures):
        change = 0.0
        if index:
            change = float(np.abs(picture.astype(float) - pictures[index - 1]).mean()) * 3
        size = (picture.shape[1], picture.shape[0])
        pts = times[index] if times is not None else first + index
        out.append(Look(first + index, pts, picture / 255, size, None, change if first + index else 0.0, picture))
    return out


def scene(rng: np.random.Generator, width: int = SCENE_WIDTH, height: int = SCENE_HEIGHT) -> tuple[Any, Any]:
    """A warm ellipse on a cool ground: (h, w, 3) uint8 and its mask (h, w) bool."""
    base, tilt = rng.uniform(0.05, 0.95, 3), rng.uniform(-0.2, 0.2, (3, 2))
    centre = rng.uniform(0.3, 0.7) * width, rng.uniform(0.35, 0.65) * height
    radius, stretch = rng.uniform(0.3, 0.45) * height, rng.uniform(0.7, 1.4)
    warm = rng.uniform(0.5, 1, 3)
    return drawn(rng, width, height, base, tilt, centre, radius, stretch, warm)


def drawn(
    rng: np.random.Generator,
    width: int,
    height: int,
    base: NDArray[np.float64],
    tilt: NDArray[np.float64],
    centre: tuple[float, float],
    radius: float,
    stretch: float,
    warm: NDArray[np.float64],
) -> tuple[Any, Any]:
    """The scene with everything given but its noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    ground = base + (y / height - 0.5)[..., None] * tilt[:, 0] + (x / width - 0.5)[..., None] * tilt[:, 1]
    mask = (y - centre[1]) ** 2 * stretch + (x - centre[0]) ** 2 / stretch < radius**2
    thing = warm * np.array([1.0, 0.55, 0.25]) + 0.1 * np.sin(x / 3)[..., None]
    picture = np.where(mask[..., None], thing, ground * np.array([0.35, 0.6, 1.0]))
    noisy = np.clip(picture + rng.normal(0, 0.02, picture.shape), 0, 1)
    return np.rint(noisy * 255).astype(np.uint8), mask


def moving_scene(frames: int, seed: int = 5, step: float = 1.5, **size: int) -> tuple[list[Any], list[Any]]:
    """Pictures and masks of one scene whose ellipse moves `step` pixels a frame."""
    rng = np.random.default_rng(seed)
    width, height = size.get("width", SCENE_WIDTH), size.get("height", SCENE_HEIGHT)
    base, tilt, warm = rng.uniform(0.2, 0.8, 3), rng.uniform(-0.2, 0.2, (3, 2)), rng.uniform(0.6, 1, 3)
    pairs = []
    for t in range(frames):
        centre = (0.35 * width + step * t, 0.5 * height)
        pairs.append(drawn(rng, width, height, base, tilt, centre, 0.34 * height, 1.0, warm))
    return [picture for picture, _ in pairs], [mask for _, mask in pairs]


def one_thread() -> None:
    """Let torch use one thread: on a busy machine its threads wait for each other, spinning, ten times as long."""
    import torch

    torch.set_num_threads(1)


def random_network(name: str, classes: int = 21, auxiliary: bool = False, seed: int = 0) -> Any:
    """Segmenter `name`'s network with random weights, batch norms that know scenes, and scores of a usual size."""
    import torch
    from torchvision.models import segmentation

    from streamct.segment.weights import ARCHITECTURES

    one_thread()
    torch.manual_seed(seed)
    build = getattr(segmentation, ARCHITECTURES[name][0])
    network = build(weights=None, weights_backbone=None, num_classes=classes, aux_loss=auxiliary)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    rng = np.random.default_rng(seed)
    pictures = np.stack([scene(rng, 64, 48)[0] for _ in range(3)])
    batch = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225
    with torch.no_grad():
        # the branch that sees the whole picture's mean, normalised by three of them, would drown all others
        network.classifier[0].convs[-1][2].weight.zero_()
        network.train()(batch)
        new = np.stack(moving_scene(4, width=64, height=48)[0])
        batch = (torch.from_numpy(new).permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225
        scores = network.eval()(batch)["out"]
        last = network.classifier[-1]
        last.weight *= 0.4 / scores.std(dim=(0, 2, 3))[:, None, None, None]
        last.bias[:] = 0
        last.bias[:] = -network(batch)["out"].mean(dim=(0, 2, 3))
        last.bias[0] += np.log(max(classes - 1, 1))  # about as much background as foreground
    return network


def train(steps: int, path: Path) -> None:
    """Teach DeepLabV3 on MobileNetV3 to tell the ellipses of `scene`, and save its state dict.

    Two classes. The batch norms' momentum is 0.1: with torchvision's 0.01 their running means would still be
    those of the random start, and the network in eval mode blind.
    """
    import torch
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

    one_thread()
    torch.manual_seed(0)
    network = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    rng = np.random.default_rng(0)
    network.train()
    for _ in range(steps):
        pictures, masks = zip(*[scene(rng) for _ in range(8)], strict=True)
        batch = (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255 - mean) / std
        loss = torch.nn.functional.cross_entropy(network(batch)["out"], torch.from_numpy(np.stack(masks)).long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    torch.save(network.state_dict(), path)


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((found & truth).sum() / max((found | truth).sum(), 1))
