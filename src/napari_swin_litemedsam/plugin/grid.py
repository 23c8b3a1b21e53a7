"""Between scans and layers: where a layer lies in the world, and how its labels get back into the scan's own grid.

The world's axes are (z, y, x) in mm: superior, posterior, left. napari shows the first axis through its slider, and
can only show planes that lie nearly along the world's. So a scan that was taken in another plane is turned, without
copying, to the axes that its own are nearest to.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from ..geometry import Geometry, Scan

KEY = "scan"  # in a layer's metadata


@dataclass(frozen=True)
class Placement:
    """What a layer's metadata keep of its scan, so that labels are saved on the same grid.

    Parameters
    ----------
    geometry : Geometry or None
        Of the scan as it is in its file.
    order : tuple of int
        The file's axes in the order of the layer's.
    files : tuple of Path
        Of the scan.
    """

    geometry: Geometry | None
    order: tuple[int, ...]
    files: tuple[Path, ...]


def place(scan: Scan) -> tuple[NDArray, dict[str, Any]]:
    """The array of a scan in the order of the world's axes, and what places a layer of it."""
    if scan.geometry is None:
        return scan.array, {"metadata": {KEY: Placement(None, tuple(range(2 + scan.is_volume)), scan.files)}}
    order = scan.geometry.anatomical_order()
    colours = tuple(range(scan.geometry.ndim, scan.array.ndim))
    placement = Placement(scan.geometry, order, scan.files)
    return scan.array.transpose(order + colours), transforms(scan.geometry.transposed(order)) | {
        "metadata": {KEY: placement}
    }


def transforms(geometry: Geometry) -> dict[str, Any]:
    """Scale, translation or, if it points elsewhere than the world's axes, affine matrix of a layer."""
    options: dict[str, Any] = {"scale": geometry.spacing, "units": ("mm",) * geometry.ndim}
    if geometry.is_straight:
        return options | {"translate": geometry.origin}
    rigid = Geometry((1.0,) * geometry.ndim, geometry.origin, geometry.direction)
    return options | {"affine": rigid.affine}


def placement_of(layer: Any) -> dict[str, Any]:
    """The part of a layer's metadata that labels drawn on it need."""
    return {KEY: layer.metadata[KEY]} if KEY in layer.metadata else {}


def file_of(layer: Any) -> str:
    """The file or folder that a layer was read from; empty if nothing tells."""
    placement = layer.metadata.get(KEY)
    files = placement.files if isinstance(placement, Placement) else ()
    # napari knows only of what its own readers have opened
    path = str(layer.source.path or next(iter(files), ""))
    # as typed in a terminal it would be another file in another folder
    return os.path.abspath(path) if path and "://" not in path else path


def restore(labels: NDArray, meta: dict[str, Any]) -> tuple[NDArray, Geometry | None, tuple[Path, ...]]:
    """Labels on the grid of the scan that they were drawn on, its geometry and its files.

    Parameters
    ----------
    labels : array
        As the layer has them.
    meta : dict
        The layer's attributes, as napari gives them to writers. If they hold no placement, or the layer was moved
        since, its own transform counts.
    """
    geometry = _geometry(meta)
    placement = meta.get("metadata", {}).get(KEY)
    if not isinstance(placement, Placement) or len(placement.order) != labels.ndim:
        return labels, geometry, ()
    back = np.argsort(placement.order)
    if placement.geometry is None:
        return labels.transpose(back), geometry, placement.files
    if not placement.geometry.transposed(placement.order).near(geometry):
        return labels, geometry, ()
    return labels.transpose(back), placement.geometry, placement.files


def _geometry(meta: dict[str, Any]) -> Geometry:
    own = Affine(**{name: meta[name] for name in ("scale", "translate", "rotate", "shear")})
    matrix = np.asarray(meta["affine"]) @ own.affine_matrix
    matrix[:-1] *= np.array([_mm(unit) for unit in meta["units"]])[:, None]
    return Geometry.from_affine(matrix)


def _mm(unit: Any) -> float:
    """Length of a unit in mm; a pixel, or what is no length, counts as one."""
    return float((1 * unit).to("mm").magnitude) if unit.is_compatible_with("mm") else 1.0
