"""A case as a picture: the image, and the outlines of truth and predictions over it, as SVG."""

import base64
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import find_contours

TRUTH = "#19d419"
PREDICTIONS = ("#ff3df2", "#ffb000")
_SIDE = 240
# a picture reaches this share of the objects' extent beyond them, and at least so many pixels in all
_MARGIN = 0.25
_SMALLEST = 64
_LARGEST = 2 * _SIDE  # more pixels would be seen by nobody


def picture(image: NDArray | None, truth: NDArray, predictions: list[NDArray | None], label: str) -> str:
    """Draw the part of a case that its objects lie in.

    Parameters
    ----------
    image : array or None
        ``(H, W)``, ``(H, W, 3)`` or, for a volume, ``(Z, H, W)``; None leaves the ground grey.
    truth : array
        Label ids, ``(H, W)`` or ``(Z, H, W)``; a volume is shown at the slice with the most errors.
    predictions : list of arrays or None
        Label ids of the same shape; None draws nothing.
    label : str
        For readers who see no picture.
    """
    found = [p for p in predictions if p is not None]
    if truth.ndim == 3:
        wrong = sum((np.count_nonzero(truth != p, axis=(1, 2)) for p in found), np.zeros(len(truth), int))
        z = int((wrong if wrong.any() else np.count_nonzero(truth, axis=(1, 2))).argmax())
        image = None if image is None else image[z]
        truth, predictions = truth[z], [None if p is None else p[z] for p in predictions]
    rows, columns = _window([truth, *(p for p in predictions if p is not None)])
    step = -(-max(rows.stop - rows.start, columns.stop - columns.start) // _LARGEST)
    rows, columns = slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
    ground = np.full(truth.shape, 96, np.uint8) if image is None else _displayed(image)
    height, width = truth[rows, columns].shape
    layers: list[tuple[NDArray | None, str, str]] = [(truth, TRUTH, "")]
    layers += [(p, colour, ' stroke-dasharray="5 3"') for p, colour in zip(predictions, PREDICTIONS, strict=False)]
    outlines = "".join(
        f'<path d="{_outline(labels[rows, columns])}" fill="none" stroke="{colour}"{dashes} stroke-width="1.6" '
        'vector-effect="non-scaling-stroke"/>'
        for labels, colour, dashes in layers
        if labels is not None
    )
    return (
        f'<svg viewBox="-0.5 -0.5 {width} {height}" width="{_SIDE}" height="{_SIDE}" role="img" '
        f'aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
        f'<image x="-0.5" y="-0.5" width="{width}" height="{height}" href="{_data_url(ground[rows, columns])}"/>'
        f"{outlines}</svg>"
    )


def _window(labels: list[NDArray]) -> tuple[slice, slice]:
    """Rows and columns around whatever is labelled."""
    labelled = np.logical_or.reduce([ids != 0 for ids in labels])
    spans = []
    for axis in (1, 0):
        index = np.flatnonzero(labelled.any(axis=axis))
        size = labelled.shape[1 - axis]
        low, high = (index[0], index[-1] + 1) if len(index) else (0, size)
        margin = max(_MARGIN * (high - low), (_SMALLEST - (high - low)) / 2)
        spans.append(slice(max(0, int(low - margin)), min(size, int(np.ceil(high + margin)))))
    return spans[0], spans[1]


def _displayed(image: NDArray) -> NDArray[np.uint8]:
    if image.dtype == np.uint8:
        return image[..., :3] if image.ndim == 3 else image
    pixels = np.nan_to_num(image[..., :3] if image.ndim == 3 else image).astype(np.float32)
    low, high = np.quantile(pixels, [0.005, 0.995])
    return np.clip((pixels - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)


def _data_url(pixels: NDArray[np.uint8]) -> str:
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _outline(labels: NDArray) -> str:
    """Path of every label's outline, in pixels (x, y)."""
    path = []
    for value in np.unique(labels[labels != 0]):
        for contour in find_contours(np.pad(labels == value, 1).astype(float), 0.5):
            path.append("M" + "L".join(f"{x - 1:.1f} {y - 1:.1f}" for y, x in contour))
    return "".join(path)
