"""Random views of an image and its labels, in the network's frame."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.transform import resize

from ..preprocessing import Frame, check_image, finite, normalise, resize_area

Rng = np.random.Generator


def crop_around(labels: NDArray, rng: Rng) -> tuple[slice, slice]:
    """A window around a random pixel of an object: between 1.5 times the object and the whole image."""
    ids = np.unique(labels)
    rows, columns = np.nonzero(labels == rng.choice(ids[ids > 0]))
    side = 1.5 * max(int(np.ptp(rows)), int(np.ptp(columns)), 8) + 1
    whole = max(labels.shape)
    side = side * (whole / side) ** rng.random() if side < whole else whole
    window = []
    for index, length in ((rows, labels.shape[0]), (columns, labels.shape[1])):
        centre = (index.min() + index.max()) / 2 + rng.uniform(-0.15, 0.15) * side
        start = int(np.clip(centre - side / 2, 0, max(0, length - side)))
        window.append(slice(start, min(length, int(start + side) + 1)))
    return window[0], window[1]


def dihedral(image: NDArray, labels: NDArray, rng: Rng) -> tuple[NDArray, NDArray]:
    """One of the eight flips and transpositions of a square."""
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if rng.random() < 0.3:
        image, labels = image[::-1], labels[::-1]
    if rng.random() < 0.3:
        image, labels = image.swapaxes(0, 1), labels.T
    return image, labels


def smooth_field(shape: tuple[int, int], rng: Rng) -> NDArray[np.float64]:
    """A random surface with a few hills, mean about 0, spread about 1."""
    coarse = rng.normal(size=rng.integers(4, 8, 2))
    return resize(coarse, shape, order=3, mode="edge", anti_aliasing=False)


def warp(image: NDArray, labels: NDArray, rng: Rng) -> tuple[NDArray, NDArray]:
    """Rotate, scale and shear about the middle, keeping the size, and sometimes bend."""
    angle = rng.uniform(-0.6, 0.6)
    scale = np.exp(rng.uniform(-0.25, 0.25)) * np.exp(rng.uniform(-0.15, 0.15) * np.array([1, -1]))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.diag(scale) @ np.array([[1, rng.uniform(-0.1, 0.1)], [0, 1]])
    middle = (np.array(labels.shape) - 1) / 2
    places = np.tensordot(matrix, np.indices(labels.shape) - middle[:, None, None], 1) + middle[:, None, None]
    if rng.random() < 0.4:  # bodies differ by more than their pose
        strength = rng.uniform(0.005, 0.02) * max(labels.shape)
        places += strength * np.stack([smooth_field(labels.shape, rng) for _ in range(2)])
    channels = [map_coordinates(c, places, order=1) for c in np.moveaxis(image, -1, 0)]
    return np.stack(channels, axis=-1), map_coordinates(labels, places, order=0)


def recolour(image: NDArray, rng: Rng) -> NDArray:
    """Give the grey levels of ``(H, W, 1)`` in 0..1 others, as other sequences and coils of MR would."""
    if rng.random() < 0.3:  # brighter here than there
        field = np.exp(rng.uniform(0.1, 0.4) * smooth_field(image.shape[:2], rng))
        image = np.clip(image * field[..., None], 0, 1)
    kind = rng.random()
    if kind < 0.26:  # another curve from dark to bright, or, less often, one that goes up and down
        knots = np.linspace(0, 1, rng.integers(4, 8))
        levels = np.cumsum(rng.gamma(2.5, size=len(knots))) if kind < 0.2 else rng.random(len(knots))
        levels = (levels - levels.min()) / max(np.ptp(levels), 1e-3)
        # what is black around the body stays so
        levels[0] = 0
        image = np.interp(image, knots, levels)
    return image


def intensity(image: NDArray, rng: Rng) -> NDArray:
    """Change the grey levels of ``(H, W, C)`` in 0..1 as other scanners, windows and cameras would."""
    grey = image.shape[2] == 1
    if grey:
        image = recolour(image, rng)
    if rng.random() < 0.3:  # another window
        low, high = np.quantile(image, [rng.uniform(0, 0.05), rng.uniform(0.9, 1)])
        image = np.clip((image - low) / max(high - low, 1e-3), 0, 1)
    if rng.random() < 0.4:
        image = image ** np.exp(rng.uniform(-0.7, 0.7))
    if grey and rng.random() < 0.08:
        image = 1 - image
    if not grey and rng.random() < 0.5:
        image = np.clip(image * rng.uniform(0.8, 1.25, 3), 0, 1)
    if not grey and rng.random() < 0.1:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.3:
        image = image * rng.uniform(0.6, 1.1) + rng.uniform(-0.1, 0.2)
    if rng.random() < 0.15:
        image = gaussian_filter(image, (rng.uniform(0.3, 1.2),) * 2 + (0,))
    if rng.random() < 0.1:  # low resolution
        step = int(rng.integers(2, 4))
        height, width = image.shape[:2]
        image = resize_area(resize_area(image, (-(-height // step), -(-width // step))), (height, width))
    if rng.random() < 0.2:
        image = image + rng.normal(0, rng.uniform(0.01, 0.08), image.shape)
    return image


def random_view(image: NDArray, labels: NDArray, size: int, rng: Rng) -> tuple[NDArray, NDArray]:
    """Draw an augmented view.

    Parameters
    ----------
    image, labels : array
        ``(H, W)`` or ``(H, W, C)`` and ``(H, W)``.
    size : int
        Side of the frame.
    rng : Generator
        Source of randomness.

    Returns
    -------
    image : array
        ``(3, size, size)`` float32 in 0..1.
    labels : array
        ``(size, size)``, as the labels given.
    """
    image = finite(check_image(image))
    if rng.random() < 0.5:
        window = crop_around(labels, rng)
        image, labels = image[window], labels[window]
    image, labels = dihedral(image, labels, rng)
    frame = Frame(labels.shape[0], labels.shape[1], size)
    height, width = frame.resized
    resized = normalise(resize_area(image, (height, width)))
    resized = resized.reshape(height, width, -1)
    # a frame pixel's centre may lie between two pixels: rounded always one way, masks would lie beside the image
    rows, columns = (
        np.clip(((np.arange(n) + 0.5) * s / n - 0.5 + rng.random()).astype(int), 0, s - 1)
        for n, s in zip((height, width), labels.shape, strict=True)
    )
    labels = labels[np.ix_(rows, columns)]
    if rng.random() < 0.5:
        resized, labels = warp(resized, labels, rng)
    resized = normalise(intensity(resized, rng))
    view = np.zeros((3, size, size), np.float32)
    view[:, :height, :width] = resized.transpose(2, 0, 1)
    framed = np.zeros((size, size), labels.dtype)
    framed[:height, :width] = labels
    return view, framed
