"""Opening scans, their labels, and cases of the challenge "Segment Anything in Medical Images on Laptop" in napari."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from ..geometry import Scan
from ..io import Case, Segment, itk, nifti, read_case, read_scan, read_segments
from ..io.dicom import SUFFIXES as DICOM
from ..io.dicom import is_dicom, read_series
from ..io.files import smallest_labels
from ..io.npz import case_scan
from ..io.scans import read_label_scan, tells_labels
from ..io.segments import stem_of, suffix_of
from ..io.series import find_series
from .grid import place
from .palette import BOX_COLOUR, palette
from .series import choose_series

LayerData = tuple[Any, dict[str, Any], str]
NO_LAYER: Any = [(None,)]  # how a reader tells napari that all is well and there is nothing to show
# how many files of a folder are looked at before it counts as none of DICOM
_LOOKED_AT = 50


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Offer to read NIfTI, NRRD, MetaImage, DICOM files and folders, and npz files that hold an image ``imgs``."""
    if not isinstance(path, str):
        return read_slices if path and all(map(is_dicom, path)) else None
    if Path(path).is_dir():
        return read_folder if _holds_dicom(Path(path)) else None
    suffix = suffix_of(path)
    if suffix == ".npz":
        return read_challenge if _holds_case(path) else None
    return read_file if suffix in (*nifti.SUFFIXES, *itk.SUFFIXES, *DICOM) else None


def _holds_case(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "imgs.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _holds_dicom(folder: Path) -> bool:
    files = (path for path in folder.rglob("*") if path.is_file())
    return any(is_dicom(path) for path, _ in zip(files, range(_LOOKED_AT), strict=False))


def read_file(path: str) -> list[LayerData]:
    """Read a scan as an image layer, and a file that tells that it holds labels as a labels layer."""
    name, segments = stem_of(path), read_segments(path)
    if not segments and not tells_labels(path):
        return [image_layer(read_scan(path), name)]
    try:
        scan = read_label_scan(path)
        # what is no id tells that the name promises too much
        smallest_labels(scan.array)
    except ValueError:
        if segments:
            raise
        return [image_layer(read_scan(path), name)]
    array, options = place(scan)
    return [(array, {"name": name} | segment_options(segments) | options, "labels")]


def read_folder(path: str) -> list[LayerData]:
    """Read the series of a DICOM folder that the user chooses if there are several, each as an image layer."""
    chosen = choose_series(find_series(path))
    # modality and size are left out of the titles; descriptions may hold commas
    layers = [image_layer(read_series(series.files), series.title.rsplit(", ", 2)[0]) for series in chosen]
    return layers or NO_LAYER


def read_slices(paths: Sequence[str]) -> list[LayerData]:
    """Read DICOM files, opened together, as one volume."""
    if len(paths) == 1:
        return read_file(paths[0])
    return [image_layer(read_series(map(Path, paths)), Path(paths[0]).parent.name)]


def read_challenge(path: str) -> list[LayerData]:
    """Read a case as an image layer and, where present, its boxes (shapes) and its labels."""
    return case_layers(read_case(path), Path(path).stem, path)


def image_layer(scan: Scan, name: str) -> LayerData:
    """Lay a scan out as an image layer at its place in the world."""
    array, options = place(scan)
    return array, {"name": name, "rgb": scan.is_colour, **options}, "image"


def segment_options(segments: Sequence[Segment]) -> dict[str, Any]:
    """Names and colours of a labels layer, our colours if there are none; napari shows the name under the mouse."""
    if not segments:
        return {"colormap": palette()}
    colours: dict[Any, Any] = {None: "gray", 0: "transparent"}
    colours.update({segment.id: segment.colour for segment in segments})
    return {
        "colormap": DirectLabelColormap(color_dict=colours),
        "features": {"index": [item.id for item in segments], "name": [item.name for item in segments]},
    }


def case_layers(case: Case, name: str, path: str = "") -> list[LayerData]:
    """Lay a case out as napari layers.

    Parameters
    ----------
    case : Case
        What the file holds.
    name : str
        Of the image layer; the others' names start with it.
    path : str
        The file.
    """
    scan = case_scan(path, case)
    image = image_layer(scan, name)
    geometry: dict[str, Any] = {key: image[1][key] for key in ("scale", "units") if key in image[1]}
    layers = [image]
    if case.truth is not None:
        options: dict[str, Any] = {
            "name": f"{name} truth",
            "visible": False,
            "metadata": image[1]["metadata"],
            **geometry,
        }
        layers.append((case.truth.astype(np.int32), options, "labels"))
    if case.boxes is not None:
        ndim = 2 + scan.is_volume
        layers.append((_rectangles(case.boxes), _box_options(name, ndim) | geometry, "shapes"))
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
        "edge_color": BOX_COLOUR,
    }
