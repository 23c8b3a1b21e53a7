"""Where a small object is looked at again, in a part of the image that fills the network's frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .preprocessing import FRAME_SIZE

# longest side of an object in pixels of the frame
_SMALL = 48  # below, it is looked at again
_ENOUGH = 32  # as large it is to be then; more would take more tiles for the objects of an image, and gains nothing
_LEAST = 32  # pixels of the image; smaller tiles would show too little of what is around an object
_NEARLY_ALL = 0.9


class Tile(NamedTuple):
    """A part of an image: its first row and column, and those after its last."""

    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Index of the part."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def origin(self) -> NDArray[np.int64]:
        """The first pixel, (y, x)."""
        return np.array([self.y0, self.x0])


def tile_around(box: ArrayLike, shape: tuple[int, int]) -> Tile | None:
    """The part of an image that shows a small object twice as large, or, if that is too little, four times and so on.

    Tiles of a size lie on a grid and overlap by half, so that objects near each other, and an object whose box is
    moved a little, share one, which is encoded once.

    Parameters
    ----------
    box : array
        (y0, x0, y1, x1) in pixels of the image, inside it.
    shape : (height, width)
        Of the image.

    Returns
    -------
    Tile or None
        A part with the whole box in it; None if the object is large enough in the frame of the image, or the image too
        small for it to matter.
    """
    low, high = np.split(np.asarray(box, float), 2)
    whole = max(shape)
    longest = max(*(high - low), 1) * FRAME_SIZE / whole
    times = 2 ** max(1, np.ceil(np.log2(_ENOUGH / longest)))
    side = max(_LEAST, int(np.ceil(whole / times)))
    if longest > _SMALL or side > _NEARLY_ALL * whole:
        return None
    step = side / 2
    start = step * np.rint(((low + high) / 2 - step) / step)
    start = np.clip(start, 0, np.maximum(0, np.array(shape) - side)).astype(int)
    return Tile(*start.tolist(), *np.minimum(start + side, shape).tolist())
