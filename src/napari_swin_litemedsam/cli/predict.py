"""``swin-litemedsam predict``: boxes of challenge files to label files."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..io.files import replacing
from ..io.npz import Case, CaseError, read_case, write_segmentation
from ._model import add_model_options, load_predictor

if TYPE_CHECKING:
    from ..predictor import Predictor

_COLOURS = np.array(
    [(255, 64, 64), (64, 224, 64), (80, 128, 255), (255, 208, 0), (0, 224, 224), (255, 96, 255), (255, 144, 32)],
    np.uint8,
)


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("predict", help="segment the boxes of challenge npz files")
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="IN", help="npz files (imgs, boxes), or folders of them"
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder for npz files (segs)")
    add_model_options(parser)
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="also write PNG pictures with contours there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Segment every input; returns 1 if some of them failed."""
    paths = find_inputs(args.inputs, args.output)
    if args.output.exists() and not args.output.is_dir():
        raise ValueError(f"{args.output}: the output must be a folder")
    predictor = load_predictor(args)
    failed = 0
    for path in paths:
        start = time.perf_counter()
        try:
            case = read_case(path)
            labels = segment_case(case, predictor)
            write_segmentation(args.output / path.name, labels)
            if args.overlay:
                write_overlay(args.overlay / f"{path.stem}.png", case, labels)
        except (ValueError, OSError) as error:
            failed += 1
            told = " ".join(str(error).split())
            print(told if str(path) in told else f"{path}: {told}", file=sys.stderr)
            continue
        count = 0 if case.boxes is None else len(case.boxes)
        print(f"{path.stem}: {count} objects, {time.perf_counter() - start:.2f} s", flush=True)
    if failed:
        print(f"{failed} of {len(paths)} cases failed", file=sys.stderr)
    return 1 if failed else 0


def find_inputs(inputs: Sequence[Path], output: Path) -> list[Path]:
    """List the files to read, those in folders sorted by name.

    Raises
    ------
    ValueError
        If there are none, or if two of them, or one and its own result, would share a file in `output`.
    """
    paths: list[Path] = []
    for path in inputs:
        if path.is_dir():
            paths += sorted(path.glob("*.npz"))
        elif len(inputs) == 1 and not path.exists():
            raise CaseError(f"{path}: no such file or folder")
        else:
            # one missing file among many is reported when its turn comes
            paths.append(path)
    if not paths or not any(path.exists() for path in paths):
        raise CaseError(f"no npz files found in {', '.join(map(str, inputs))}")
    targets: dict[str, Path] = {}
    for path in paths:
        other = targets.setdefault(path.name, path)
        if other is not path:
            raise ValueError(f"{other} and {path} would be written to the same file")
        if path.resolve() == (output / path.name).resolve():
            raise ValueError(f"{path}: the result would replace its input; choose another output folder")
    return paths


def segment_case(case: Case, predictor: "Predictor") -> NDArray[np.integer]:
    """Label map of a case: object i, in the order of its boxes, becomes i + 1 and covers earlier ones.

    Raises
    ------
    ValueError
        If the case has no boxes or one of them lies outside the image.
    """
    if case.boxes is None:
        raise CaseError("holds no array 'boxes'")
    from ..propagation import label_dtype, segment_volume

    if case.is_volume:
        return segment_volume(case.image, volume_boxes(case), predictor)
    labels = np.zeros(case.image.shape[:2], label_dtype(len(case.boxes)))
    predictor.set_image(case.image)
    # x_min, y_min, x_max, y_max -> y0, x0, y1, x1
    boxes = case.boxes[:, [1, 0, 3, 2]]
    for i, result in enumerate(predictor.predict_each(list(boxes)), 1):
        labels[result.mask] = i
    return labels


def volume_boxes(case: Case) -> NDArray[np.float64]:
    """Boxes (z0, y0, x0, z1, y1, x1) with both ends included.

    Raises
    ------
    CaseError
        If a box covers no slice of the volume.
    """
    assert case.boxes is not None
    corners = case.boxes.reshape(-1, 2, 3)
    low, high = corners.min(axis=1)[:, ::-1], corners.max(axis=1)[:, ::-1].copy()
    # the file's z_max is the slice after the last
    high[:, 0] = np.minimum(np.ceil(high[:, 0]), len(case.image)) - 1
    low[:, 0] = np.maximum(np.floor(low[:, 0]), 0)
    empty = np.flatnonzero(low[:, 0] > high[:, 0])
    if len(empty):
        raise CaseError(f"box {empty[0] + 1} covers no slice of the volume: {case.boxes[empty[0]].tolist()}")
    return np.hstack([low, high])


def write_overlay(path: Path, case: Case, labels: NDArray[np.integer]) -> None:
    """Write a PNG of the image, or of the volume's slice with the most labels, with every object's contour."""
    from skimage.io import imsave
    from skimage.segmentation import find_boundaries

    image = case.image
    if case.is_volume:
        z = int(np.count_nonzero(labels, axis=(1, 2)).argmax())
        image, labels = image[z], labels[z]
    image = image.astype(np.float32)
    low, high = (0, 255) if case.image.dtype == np.uint8 else (np.nanmin(image), np.nanmax(image))
    picture = np.clip((np.nan_to_num(image) - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    picture = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture[..., :3].copy()
    # inside, so that touching objects keep their own colours
    contour = find_boundaries(labels, mode="inner")
    picture[contour] = _COLOURS[(labels[contour].astype(int) - 1) % len(_COLOURS)]
    with replacing(path) as unfinished:
        imsave(unfinished, picture, check_contrast=False)
