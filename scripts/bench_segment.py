"""Print how fast the parts of a run are on this machine.

    python scripts/bench.py segment [--segmenters NAME ...] [--device cpu|cuda ...] [--size N] [--frames N]

`segment`: frames/s of each network (random weights: they cost what trained ones do), and beside it the floor, the
network's operations over the rate of a large matrix product in the same precision on the same device.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from streamct.segment.threads import load_torch

load_torch()  # as a run does, before anyone else

import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import segmentation

from streamct.segment.choose import SIZES
from streamct.segment.deeplab import DeepLab
from streamct.segment.weights import ARCHITECTURES

ASPECT = 9 / 16


def segment(arguments: argparse.Namespace) -> None:
    there = torch.cuda.is_available()
    devices = arguments.device or (["cpu", "cuda"] if there else ["cpu"])
    if "cuda" in devices and not there:
        raise SystemExit("--device cuda: torch sees no GPU here. Leave it out.")
    head = f"{'segmenter':22}{'device':8}{'input':>10}{'batch':>7}{'frames/s':>10}{'floor':>9}{'share':>7}{'MB':>7}"
    print(head)
    for device in devices:
        size = arguments.size or SIZES[device]
        height = round(size * ASPECT)
        for name in arguments.segmenters:
            network = random_network(name)
            operations = flops(network, size, height)
            segmenter = DeepLab(name, network, device=device, size=size)
            if arguments.batch:
                segmenter.batch = arguments.batch
            segmenter.warm_up(size, height)
            batch = np.random.default_rng(0).integers(0, 256, (segmenter.batch, height, size, 3), np.uint8)
            rounds = max(1, arguments.frames // segmenter.batch)
            rate = segmenter.batch / np.median(seconds(lambda s=segmenter, b=batch: s.segment(b), rounds))
            floor = peak(device, getattr(torch, segmenter.precision)) / operations
            print(
                f"{name:22}{device:8}{f'{size}x{height}':>10}{segmenter.batch:7}{rate:10.2f}{floor:9.1f}"
                f"{rate / floor:7.0%}{segmenter.memory() / 1e6:7.0f}"
            )
        if device == "cuda":
            print(f"cuda is {torch.cuda.get_device_name()}, {segmenter.precision}")
        else:
            print(f"cpu is {torch.get_num_threads()} threads, float32")


def random_network(name: str) -> torch.nn.Module:
    """A network with its 21 classes and random weights."""
    return getattr(segmentation, ARCHITECTURES[name][0])(weights=None, weights_backbone=None).eval()


def flops(network: torch.nn.Module, width: int, height: int) -> int:
    """Floating point operations for one picture, a multiplication and an addition counted as two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, height, width))
    return counter.get_total_flops()


def peak(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, at its best: the machine may have other work."""
    n = 8192 if device == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))

    def product() -> None:
        torch.mm(a, b)
        if device == "cuda":
            torch.cuda.synchronize()

    product()
    return 2 * n**3 / min(seconds(product, 20))


def seconds(work: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each round."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="PART")
    part = commands.add_parser("segment", help="the networks")
    part.add_argument("--segmenters", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    part.add_argument("--device", nargs="+", choices=["cpu", "cuda"])
    part.add_argument("--size", type=int)
    part.add_argument("--batch", type=int)
    part.add_argument("--frames", type=int, default=40)
    part.set_defaults(run=segment)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
