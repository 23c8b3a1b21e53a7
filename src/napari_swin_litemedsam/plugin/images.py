"""What the plugin needs to know of an image layer; the layer itself is never changed."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .objects import Window

if TYPE_CHECKING:
    import napari

GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


class UnsupportedImageError(ValueError):
    """An image layer that the plugin cannot work on; the message says why."""


def pixels_of(image: "napari.layers.Image") -> Any:
    """The layer's array; of a multiscale image the finest."""
    return image.data[0] if image.multiscale else image.data


def spatial_shape(image: "napari.layers.Image") -> tuple[int, ...]:
    """Shape of an image layer without its colour axis.

    Raises
    ------
    UnsupportedImageError
        Unless it has two or three axes.
    """
    shape = tuple(int(side) for side in pixels_of(image).shape)
    shape = shape[:-1] if image.rgb else shape
    if len(shape) not in (2, 3):
        raise UnsupportedImageError(
            f"'{image.name}' has {len(shape)} axes; only images (y, x) and volumes (z, y, x) can be segmented. "
            "To take it apart, right-click it in the layer list and choose Split Stack."
        )
    return shape


def geometry_of(image: "napari.layers.Image") -> dict[str, Any]:
    """Everything that places a layer in the world, for another layer to lie in the same place."""
    return {name: getattr(image, name) for name in GEOMETRY}


def window_of(image: "napari.layers.Image") -> Window:
    """The intensities that the layer shows, for the model to see the same.

    None, the whole range, for colour and for 8-bit images shown in all their 256 greys.
    """
    if image.rgb:
        return None
    low, high = (float(limit) for limit in image.contrast_limits)
    if np.dtype(image.dtype) == np.uint8 and low <= 0 and high >= 255:
        return None
    return low, high
