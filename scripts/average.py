"""The mean of checkpoints that were trained from the same start.

python scripts/average.py OUT.safetensors FILE FILE [FILE ...]
"""

import argparse
from pathlib import Path

import torch

from napari_swin_litemedsam.model import load_checkpoint, save_checkpoint


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("checkpoints", nargs="+", metavar="FILE")
    args = parser.parse_args(argv)
    models = [load_checkpoint(path) for path in args.checkpoints]
    mean = models[0]
    with torch.no_grad():
        for value, *others in zip(*(model.state_dict().values() for model in models), strict=True):
            # counters of batches are no weights
            if value.is_floating_point():
                value.copy_(torch.stack([value, *others]).mean(dim=0))
    save_checkpoint(mean, args.output, half=True, metadata={"mean of": str(len(models))})


if __name__ == "__main__":
    main()
