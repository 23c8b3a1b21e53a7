"""Prompts per second of stage 2: this package's way against the plain loop.

    OMP_NUM_THREADS=2 python benchmarks/training.py DATA/train [--pairs 3]

The plain loop shows the network one prompt an image, in float32, with nothing corrected. This package's way is that of
`swin-litemedsam train` by default: six prompts an image, bf16 where the processor is fast at it, half of the prompts
corrected by clicks first. Both train the same network on as many images a step, with the same loss and optimiser,
drawing of the batch included. Both have freed memory kept, which a process has for all or nothing. Steps alternate.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from napari_swin_litemedsam.backends import bundled_weights
from napari_swin_litemedsam.backends.torch_backend import has_fast_bf16
from napari_swin_litemedsam.model import load_checkpoint
from napari_swin_litemedsam.training.allocator import keep_freed_memory
from napari_swin_litemedsam.training.batches import draw_batch, source_weights
from napari_swin_litemedsam.training.data import find_pairs, read_all
from napari_swin_litemedsam.training.loop import stage2_loss
from napari_swin_litemedsam.training.losses import stage2_losses

PROMPTS = {"plain": 1, "here": 6}


def plain_loss(network, batch):
    """Losses of a batch, every prompt with its points and scribble."""
    features = network.encode_image(batch.image)
    logits, iou = network.decode(features, batch.points, batch.labels, batch.boxes, batch.scribbles)
    return stage2_losses(logits, iou, batch.truth)


class Trainer:
    """A network in training, one way or the other."""

    def __init__(self, way, samples, images, size):
        self.prompts, self.is_plain = PROMPTS[way], way == "plain"
        self.samples, self.images, self.size = samples, images, size
        self.shares = source_weights(samples)
        self.network = load_checkpoint(bundled_weights()).train()
        self.network.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 1e-5)

    def seconds(self, step):
        """Take a step."""
        start = time.perf_counter()
        batch = draw_batch(self.samples, self.shares, self.images, self.prompts, self.size, [0, step])
        with torch.autocast("cpu", torch.bfloat16, enabled=not self.is_plain and has_fast_bf16()):
            losses = (plain_loss if self.is_plain else stage2_loss)(self.network, batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - start


def throughput(data, pairs=3, images=4, size=256, cases=48):
    """Prompts per second, ``{"plain": ..., "here": ...}``, over `pairs` steps of each way after one to warm up."""
    warnings.simplefilter("ignore")
    keep_freed_memory()
    found = find_pairs(data)
    samples, _ = read_all([found[i] for i in np.linspace(0, len(found) - 1, min(cases, len(found))).astype(int)])
    trainers = {way: Trainer(way, samples, images, size) for way in PROMPTS}
    seconds = dict.fromkeys(PROMPTS, 0.0)
    for step in range(pairs + 1):
        for way, trainer in trainers.items():
            taken = trainer.seconds(step)
            seconds[way] += taken if step else 0
    return {way: pairs * images * count / seconds[way] for way, count in PROMPTS.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="training images, as `swin-litemedsam train` reads them")
    parser.add_argument("--pairs", type=int, default=3, help="steps of each way (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4, help="images a step (default: %(default)s)")
    parser.add_argument("--size", type=int, default=256, help="input side (default: %(default)s)")
    args = parser.parse_args(argv)
    rates = throughput(args.data, args.pairs, args.images, args.size)
    print("| | prompts a second |\n|---|---|")
    for way, rate in rates.items():
        print(f"| {way} | {rate:.3g} |")
    print(f"| ratio | {rates['here'] / rates['plain']:.1f} |")


if __name__ == "__main__":
    main()
