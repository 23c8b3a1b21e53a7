"""What the plugin needs to know of an image layer; the layer itself is never changed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import SAME_PIXELS
from .grid import placement_of
from .objects import Window
from .planes import Plane

if TYPE_CHECKING:
    import napari
    from napari.components import Dims

_CHANNELS = {"c", "ch", "channel", "channels"}  # names of axes
_FEW = 8  # channels, at most, that an axis without such a name is taken to hold
GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def pixels_of(image: "napari.layers.Image") -> Any:
    """The layer's array; of a multiscale image the finest."""
    return image.data[0] if image.multiscale else image.data


def spatial_shape(image: "napari.layers.Image") -> tuple[int, ...]:
    """Shape of an image layer without its colour axis."""
    return tuple(int(side) for side in pixels_of(image).shape[: image.ndim])


def shown_axes(layer: "napari.layers.Layer", dims: "Dims") -> tuple[int, int]:
    """The two axes of a layer that the canvas shows, in the layer's own order; in a 3D view the last two of three."""
    first = dims.ndim - layer.ndim
    rows, columns = sorted([axis - first for axis in dims.order if axis >= first][-2:])
    return rows, columns


def channel_axes(image: "napari.layers.Image") -> dict[int, tuple[str, int]]:
    """The axes that may hold channels, each with its name and length: those that are named so, and short ones."""
    if image.rgb or image.ndim < 3:
        return {}
    # without a name napari calls an axis by its number from the end
    names = ["" if name == str(axis - image.ndim) else name for axis, name in enumerate(image.axis_labels)]
    axes = {axis: told for axis, told in enumerate(zip(names, spatial_shape(image), strict=True)) if told[1] > 1}
    named = {axis: told for axis, told in axes.items() if _is_channel(told[0])}
    return named or {axis: told for axis, told in axes.items() if told[1] <= _FEW}


def _is_channel(name: str) -> bool:
    return name.strip().lower() in _CHANNELS


def channel_of(image: "napari.layers.Image") -> int | None:
    """The axis that is named as one of channels."""
    return next((axis for axis, (name, _) in channel_axes(image).items() if _is_channel(name)), None)


def plane_in_view(image: "napari.layers.Image", dims: "Dims", channel: int | None = None) -> Plane:
    """The plane of an image that the canvas shows; `channel` is the axis that holds channels."""
    spans = shown_axes(image, dims)
    hidden, matrix, offset = _hidden_axes(image, dims, spans)
    position = np.zeros(image.ndim)
    position[hidden] = matrix @ np.array(dims.point[-image.ndim :])[hidden] + offset
    return Plane.of(spatial_shape(image), spans, position, channel)


def show_plane(image: "napari.layers.Image", dims: "Dims", plane: Plane) -> None:
    """Let the canvas show a plane of an image."""
    first = dims.ndim - image.ndim
    if shown_axes(image, dims) != plane.spans:
        last = [first + axis for axis in plane.spans]
        dims.order = (*(axis for axis in dims.order if axis not in last), *last)
    hidden, matrix, offset = _hidden_axes(image, dims, plane.spans)
    position = np.array([plane.at[axis] for axis in hidden], float)
    for axis, place in zip(hidden, np.linalg.solve(matrix, position - offset), strict=True):
        dims.set_point(first + axis, place)


def turn_from(image: "napari.layers.Image", dims: "Dims", axis: int) -> None:
    """Let the canvas show other axes of an image than this one."""
    if axis in shown_axes(image, dims):
        away = dims.ndim - image.ndim + axis
        dims.order = (away, *(other for other in dims.order if other != away))


def slices_out_of_reach(image: "napari.layers.Image", dims: "Dims") -> int:
    """How many slices of a volume that lies askew no step of the slider shows."""
    hidden, matrix, offset = _hidden_axes(image, dims, shown_axes(image, dims))
    if len(hidden) != 1:
        return 0
    depth, ends = spatial_shape(image)[hidden[0]], np.array(dims.range[dims.ndim - image.ndim + hidden[0]][:2])
    low, high = np.sort(matrix[0, 0] * ends + offset[0])
    within = np.arange(depth)
    return int(depth - ((within > low - 0.5) & (within < high + 0.5)).sum())


def _hidden_axes(
    image: "napari.layers.Image", dims: "Dims", spans: tuple[int, int]
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """The axes that a view hides, and how the sliders' positions on them become positions in the image.

    As napari cuts layers: what a rotation or shear would mix in from the axes in view is left out.
    """
    hidden = [axis for axis in range(image.ndim) if axis not in spans]
    matrix, offset = linear_map(image.world_to_data, image.ndim)
    if dims.units is not None:
        # the viewer's units need not be the layer's
        matrix *= [(1 * own).to(unit).m for own, unit in zip(dims.units[-image.ndim :], image.units, strict=True)]
    return hidden, matrix[np.ix_(hidden, hidden)], offset[hidden]


def linear_map(function: Callable[[Any], Any], ndim: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset of a map between coordinates, such as napari's from data to world."""
    offset = np.array(function(np.zeros(ndim)))
    return np.stack([function(unit) - offset for unit in np.eye(ndim)], axis=1), offset


def through_world(positions: ArrayLike, source: Any, target: Any) -> NDArray[np.float64]:
    """Positions in a layer, ``(N, ndim)``, as positions in another one, through the world."""
    positions = np.asarray(positions, float).reshape(-1, target.ndim)
    matrix, offset = linear_map(lambda position: target.world_to_data(source.data_to_world(position)), target.ndim)
    carried = positions @ matrix.T + offset
    # a layer that lies where the other lies adds rounding errors and nothing else
    return positions if np.allclose(carried, positions, atol=1e-6) else carried


def shift_of(layer: Any, image: "napari.layers.Image") -> NDArray[np.int_] | None:
    """The pixel of an image where a layer of as many axes begins; None if its pixels are not the image's."""
    # an affine map is known by where it leads one corner and its neighbours
    corners = np.vstack([np.zeros(layer.ndim), np.diag(np.array(pixels_of(layer).shape) - 1)])
    moved = through_world(corners, layer, image) - corners
    first = np.rint(moved[0]).astype(int)
    return first if np.abs(moved - first).max() <= SAME_PIXELS else None


def part_of(layer: Any, image: "napari.layers.Image", shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Where in an image of this shape the pixels of a smaller layer lie; None if they are no pixels of the image."""
    size = np.array(pixels_of(layer).shape)
    first = shift_of(layer, image) if len(size) == len(shape) == image.ndim else None
    if first is None or (first < 0).any() or (first + size > shape).any():
        return None
    return tuple(slice(start, start + side) for start, side in zip(first.tolist(), size.tolist(), strict=True))


def geometry_of(image: "napari.layers.Image") -> dict[str, Any]:
    """Everything that places a layer in the world and its file, for another layer to lie in the same place."""
    return {name: getattr(image, name) for name in GEOMETRY} | {"metadata": placement_of(image)}


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


def spacing_of(image: "napari.layers.Image") -> NDArray[np.float64]:
    """Distance in the world between neighbouring pixels, along each axis of an image."""
    matrix, _ = linear_map(image.data_to_world, image.ndim)
    return np.linalg.norm(matrix, axis=0)


def spacing_around(image: "napari.layers.Image", plane: Plane) -> tuple[float, ...] | None:
    """Distance of a plane to its neighbours, of its rows and of its columns; None where the neighbours are of time."""
    assert plane.axis is not None, "an image without depth has one plane"
    axes = plane.axis, *plane.spans
    depth, rows, _ = (image.units[axis] for axis in axes)
    if not depth.is_compatible_with(rows):
        return None
    spacing = spacing_of(image)
    return tuple(float((spacing[axis] * image.units[axis]).to(rows).m) for axis in axes)
