"""One slice of a volume, read when it is first needed: not at all if what is made of it is still known."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .appearance import brightness, span


class Slice:
    """A slice's pixels and intensities.

    Parameters
    ----------
    volume : array-like
        ``(Z, H, W)`` or ``(Z, H, W, C)``, or of more axes.
    index : int or tuple
        What of it is the slice.
    window : (low, high), optional
        Intensities outside are cut off.
    """

    def __init__(self, volume: Any, index: Any, window: tuple[float, float] | None = None):
        self._volume, self._index, self._window = volume, index, window

    @cached_property
    def pixels(self) -> NDArray:
        """``(H, W)`` or ``(H, W, C)``, as they are."""
        return np.asarray(self._volume[self._index])

    @cached_property
    def intensities(self) -> NDArray:
        """``(H, W)``, as the window shows them."""
        pixels = brightness(self.pixels)
        return pixels if self._window is None else np.clip(pixels, *self._window)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Ends of the window; without one the smallest and the largest intensity."""
        if self._window is None:
            return span(self.intensities)
        low, high = self._window
        return low, high

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        # NumPy 1 knows no copy=None
        return np.asarray(self.pixels, dtype) if copy is None else np.array(self.pixels, dtype, copy=copy)
