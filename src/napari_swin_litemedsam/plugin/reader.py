"""Opening cases of the challenge "Segment Anything in Medical Images on Laptop" in napari."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io import Case, read_case

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Offer to read an npz file that holds an image named ``imgs``; leave all others to other readers."""
    if not isinstance(path, str) or not path.lower().endswith(".npz"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return read if "imgs.npy" in archive.namelist() else None
    except (OSError, zipfile.BadZipFile):
        return None


def read(path: str) -> list[LayerData]:
    """Read a case as an image layer and, where present, its boxes (shapes) and its labels."""
    return case_layers(read_case(path), Path(path).stem)


def case_layers(case: Case, name: str) -> list[LayerData]:
    """Lay a case out as napari layers.

    Parameters
    ----------
    case : Case
        What the file holds.
    name : str
        Of the image layer; the others' names start with it.
    """
    geometry: dict[str, Any] = {}
    spatial = case.image.ndim if case.is_volume else 2
    if case.spacing is not None and len(case.spacing) >= spatial:
        # the challenge stores spacing as SimpleITK gives it: x, y, z
        geometry = {"scale": tuple(case.spacing[:spatial][::-1]), "units": ("mm",) * spatial}
    rgb = case.image.ndim == 3 and not case.is_volume
    layers: list[LayerData] = [(case.image, {"name": name, "rgb": rgb, **geometry}, "image")]
    if case.truth is not None:
        layers.append((case.truth.astype(np.int32), {"name": f"{name} truth", "visible": False, **geometry}, "labels"))
    if case.boxes is not None:
        layers.append((_rectangles(case.boxes), _box_options(name, spatial) | geometry, "shapes"))
    return layers


def _rectangles(boxes: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Corners of the challenge's boxes; a box through a volume is drawn on its middle slice."""
    if boxes.shape[1] == 4:
        return [np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]]) for x0, y0, x1, y1 in boxes]
    rectangles = []
    for x0, y0, z0, x1, y1, z1 in boxes:
        z = (z0 + z1 - 1) // 2
        rectangles.append(np.array([[z, y0, x0], [z, y0, x1], [z, y1, x1], [z, y1, x0]]))
    return rectangles


def _box_options(name: str, ndim: int) -> dict[str, Any]:
    return {
        "name": f"{name} boxes",
        "ndim": ndim,
        "shape_type": "rectangle",
        "face_color": "transparent",
        "edge_color": "yellow",
    }
