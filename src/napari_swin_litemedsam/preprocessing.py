"""From an image to the network's input, and every coordinate between the two.

`Frame` is the one owner of the transform. Positions are pixel indices, so that a pixel's centre has whole
coordinates, as in napari; arrays and positions are in (y, x) order.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FRAME_SIZE = 256
_CHANNELS = (3, 4)
_SAMPLED = (16, 256, 256)  # about how many positions along the last axes an estimate over an image reads
# no intensity is larger, but the numbers that stand for a missing pixel are, and differences between them overflow
_LARGEST = 1e37


def _read_only(weights: NDArray[np.float64]) -> NDArray[np.float32]:
    # what the cache hands out again must not change
    result = weights.astype(np.float32)
    result.setflags(write=False)
    return result


@lru_cache(maxsize=32)
def _area_weights(source: int, target: int) -> NDArray[np.float32]:
    """Weights, ``(target, source)``, of area interpolation along one axis.

    Downwards each target pixel is the mean of what it covers. Upwards it is the interpolation between
    neighbours that OpenCV's ``INTER_AREA`` uses, which keeps every source pixel's area in place.
    """
    scale = source / target
    index = np.arange(target)
    weights = np.zeros((target, source))
    if scale >= 1:
        edges = np.arange(source)
        low = np.maximum(edges[None], (index * scale)[:, None])
        high = np.minimum(edges[None] + 1, ((index + 1) * scale)[:, None])
        weights = np.clip(high - low, 0, None)
        weights /= weights.sum(axis=1, keepdims=True)
    else:
        left = np.minimum((index * scale).astype(int), source - 1)
        fraction = index + 1 - (left + 1) / scale
        fraction = np.where(fraction <= 0, 0, fraction - np.floor(fraction))
        weights[index, left] = 1 - fraction
        weights[index, np.minimum(left + 1, source - 1)] += fraction
    return _read_only(weights)


def resize_area(image: NDArray, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize ``(H, W)`` or ``(H, W, C)`` to `shape` by area interpolation, in float32."""
    if image.ndim == 3:
        # one after the other, since an image in float32 may be four times as large as it was
        return np.stack([resize_area(channel, shape) for channel in np.moveaxis(image, -1, 0)], axis=-1)
    image = np.asarray(image, np.float32)
    if image.shape == shape:
        return image
    rows, columns = (_area_weights(*sizes) for sizes in zip(image.shape, shape, strict=True))
    return rows @ image @ columns.T


def resize_8bit(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an 8-bit image as `resize_area` does, with the rounding of OpenCV that the published model saw.

    Upwards OpenCV counts in 1/2048 and cuts each of the two rows' shares to a quarter of a grey level.
    """
    if image.shape[0] >= shape[0] and image.shape[1] >= shape[1]:
        return np.floor(resize_area(image, shape) + 0.5).astype(np.uint8)
    if image.ndim == 3:
        return np.stack([resize_8bit(channel, shape) for channel in np.moveaxis(image, -1, 0)], axis=-1)
    rows, columns = (
        np.rint(2048 * _area_weights(*sizes)).astype(np.int64) for sizes in zip(image.shape, shape, strict=True)
    )
    across = (image.astype(np.float64) @ columns.T).astype(np.int64) >> 4
    upper = (rows > 0).argmax(axis=1)
    lower = np.minimum(upper + 1, image.shape[0] - 1)
    target = np.arange(shape[0])
    upper_share = rows[target, upper][:, None] * across[upper] >> 16
    lower_share = np.where(lower > upper, rows[target, lower], 0)[:, None] * across[lower] >> 16
    return (upper_share + lower_share + 2 >> 2).astype(np.uint8)


def check_image(image: ArrayLike) -> NDArray:
    """Return a 2D image as ``(H, W)`` or ``(H, W, 3)``, its alpha channel dropped.

    Raises
    ------
    ValueError
        If it is neither grey, RGB nor RGBA, has no pixels, or does not hold real numbers.
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 3 and image.shape[2] in _CHANNELS:
        image = image[..., :3]
    elif image.ndim != 2:
        raise ValueError(f"expected an image of shape (H, W), (H, W, 3) or (H, W, 4), got {image.shape}")
    if image.size == 0:
        raise ValueError(f"the image has no pixels: its shape is {image.shape}")
    if image.dtype.kind not in "buif":
        raise ValueError(f"expected integer or floating point pixels, got {image.dtype}")
    return image


def finite(image: NDArray) -> NDArray:
    """The image with its minimum where it holds NaN or numbers that count as infinite, which is told by a warning."""
    if image.dtype.kind != "f":
        return image
    largest = min(_LARGEST, float(np.finfo(image.dtype).max))
    finite = (image >= -largest) & (image <= largest)
    if finite.all():
        return image
    # without their number, which would make a message of its own for each slice of a volume
    warnings.warn("pixels that are NaN or infinite, or beyond 1e37, count as the minimum", stacklevel=3)
    return np.where(finite, image, image[finite].min() if finite.any() else 0)


def _in_single(image: NDArray, window: tuple[float, float] | None) -> NDArray[np.float32]:
    """The image in float32, cut off at the ends of a window.

    Types with more digits are scaled to 0..1 before, since float32 has none left for small steps far from 0.
    """
    wide = not np.can_cast(image.dtype, np.float32)
    if not wide:
        image = image.astype(np.float32, copy=False)
    if window is not None:
        low, high = window
        if not low < high:
            raise ValueError(f"the window's lower end {low} must be below its upper end {high}")
        image = np.clip(image, float(low), float(high))
    elif image.dtype.kind in "iu" and wide:
        # float64 has too few digits for 64 bits; what overflows here is right again without a sign
        image = (image - image.min()).astype(f"u{image.itemsize}")
    return normalise(image) if wide else image


def normalise(image: NDArray) -> NDArray[np.float32]:
    """Scale to 0..1 by minimum and maximum; a constant image becomes all zeros."""
    low, high = float(image.min()), float(image.max())
    if high <= low:
        return np.zeros(image.shape, np.float32)
    return ((image - low) / (high - low)).astype(np.float32)


def percentile_window(
    data: Any, low: float, high: float, channel: tuple[int, int] | None = None
) -> tuple[float, float]:
    """Intensities between which most of an image lies, its background of zeros left out.

    Parameters
    ----------
    data : array-like
        Of any shape; of a large one evenly spaced parts are read.
    low, high : float
        Percentiles, 0..100.
    channel : tuple of int, optional
        An axis, and the place on it that alone counts.

    Returns
    -------
    tuple of float
        The two intensities; equal if the image is constant.
    """
    sides = [side for axis, side in enumerate(data.shape) if channel is None or axis != channel[0]]
    limits = (*(1,) * (len(sides) - 3), *_SAMPLED)[-len(sides) :]
    steps = [max(1, side // limit) for side, limit in zip(sides, limits, strict=True)]
    where: list[int | slice] = [slice(step // 2, None, step) for step in steps]
    if channel is not None:
        where.insert(*channel)
    pixels = np.asarray(data[tuple(where)], float)
    pixels = pixels[(np.abs(pixels) <= _LARGEST) & (pixels != 0)]
    if not len(pixels):
        return 0.0, 0.0
    bottom, top = np.percentile(pixels, (low, high))
    return float(bottom), float(top)


@dataclass(frozen=True)
class Frame:
    """The square input of the network laid over an image.

    The image is resized so that its longest side fills the frame, and sits at the top left; the rest is
    zero (reference: "From image to mask").

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    size : int
        Side of the frame, in pixels.
    """

    height: int
    width: int
    size: int = FRAME_SIZE

    @property
    def scale(self) -> float:
        """Frame pixels per image pixel."""
        return self.size / max(self.height, self.width)

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width of the image inside the frame."""
        height, width = (max(1, int(side * self.scale + 0.5)) for side in (self.height, self.width))
        return height, width

    @property
    def _scales(self) -> NDArray[np.float64]:
        # rounding to whole pixels makes the two axes differ by a little
        return np.array(self.resized) / (self.height, self.width)

    def to_frame(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map (y, x) positions, ``(..., 2)``, from image pixels to frame pixels."""
        return (np.asarray(points, float) + 0.5) * self._scales - 0.5

    def to_image(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map (y, x) positions, ``(..., 2)``, from frame pixels to image pixels."""
        return (np.asarray(points, float) + 0.5) / self._scales - 0.5

    @property
    def _box_growth(self) -> NDArray[np.float64]:
        # in an image coarser than the frame a pixel covers several of the frame's, and a box of pixels all of them
        edge = np.maximum(self._scales - 1, 0) / 2
        return np.stack([-edge, edge])

    def box_to_frame(self, box: ArrayLike) -> NDArray[np.float64]:
        """Map a box (y0, x0, y1, x1), ``(..., 4)``, of the first and last pixels inside, to frame pixels."""
        box = np.asarray(box, float)
        corners = self.to_frame(box.reshape(*box.shape[:-1], 2, 2)) + self._box_growth
        return corners.reshape(box.shape)

    def box_to_image(self, box: ArrayLike) -> NDArray[np.float64]:
        """Map a box as `box_to_frame` returns it back to image pixels."""
        box = np.asarray(box, float)
        corners = self.to_image(box.reshape(*box.shape[:-1], 2, 2) - self._box_growth)
        return corners.reshape(box.shape)

    def input(self, image: ArrayLike, window: tuple[float, float] | None = None) -> NDArray[np.float32]:
        """Make the network's input.

        Parameters
        ----------
        image : array
            ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` of any integer or floating point type.
        window : (low, high), optional
            Intensities outside are cut off, as on the screen. Without it the whole range counts.

        Returns
        -------
        array
            ``(3, size, size)`` float32 in 0..1.
        """
        pixels = finite(check_image(image))
        # as published, 8-bit images stay 8-bit
        if pixels.dtype == np.uint8 and window is None:
            resized = normalise(resize_8bit(pixels, self.resized))
        else:
            resized = normalise(resize_area(_in_single(pixels, window), self.resized))
        if resized.ndim == 2:
            resized = np.repeat(resized[..., None], 3, axis=-1)
        result = np.zeros((3, self.size, self.size), np.float32)
        result[:, : resized.shape[0], : resized.shape[1]] = resized.transpose(2, 0, 1)
        return result

    def mask_to_frame(self, mask: ArrayLike) -> NDArray[np.bool_]:
        """Carry a mask or scribble, ``(H, W)``, to the frame, ``(size, size)``.

        A frame pixel is set where at least half of it is covered; a stroke too thin for that keeps its
        most covered pixels, so that nothing drawn is lost.
        """
        covered = resize_area(np.asarray(mask) != 0, self.resized)
        # one source pixel covers scale**2 of a frame pixel, a thin line across it `scale`
        inside = covered >= 0.5 * min(1, self.scale)
        if not inside.any():
            inside = (covered > 0) & (covered == covered.max())
        result = np.zeros((self.size, self.size), bool)
        result[: inside.shape[0], : inside.shape[1]] = inside
        return result

    def mask_to_image(self, mask: ArrayLike) -> NDArray[np.bool_]:
        """Carry a mask or scribble from the frame, ``(size, size)``, to the image by nearest neighbour.

        In an image coarser than the frame every pixel touched is set, or a thin line would come out broken.
        """
        centres = [(np.arange(n) + 0.5) * s for n, s in zip((self.height, self.width), self._scales, strict=True)]
        rows, columns = (np.minimum(c.astype(int), n - 1) for c, n in zip(centres, self.resized, strict=True))
        inside = np.asarray(mask) != 0
        result = inside[rows][:, columns]
        if self.scale > 1:
            touched = np.rint(self.to_image(np.argwhere(inside[: self.resized[0], : self.resized[1]]))).astype(int)
            result[tuple(np.clip(touched, 0, (self.height - 1, self.width - 1)).T)] = True
        return result

    def logits_to_image(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolate logits, ``(N, size, size)``, bilinearly to the image, ``(N, height, width)``."""
        inside = logits[..., : self.resized[0], : self.resized[1]]
        if self.scale == 1:
            return inside
        rows = _bilinear_weights(self.resized[0], self.height)
        columns = _bilinear_weights(self.resized[1], self.width)
        planes = rows @ inside @ columns.T
        return planes.astype(np.float32, copy=False)


@lru_cache(maxsize=32)
def _bilinear_weights(source: int, target: int) -> NDArray[np.float32]:
    """Weights, ``(target, source)``, of bilinear interpolation between pixel centres along one axis."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    left = position.astype(int)
    right = np.minimum(left + 1, source - 1)
    weights = np.zeros((target, source))
    weights[np.arange(target), left] = 1 - (position - left)
    weights[np.arange(target), right] += position - left
    return _read_only(weights)
