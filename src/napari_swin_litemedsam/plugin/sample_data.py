"""Three small openly licensed images (see ``data/CREDITS.md``)."""

from importlib.resources import as_file, files
from typing import Any

from ..io import Case, read_case
from .reader import LayerData, case_layers

_CREDITS = {
    "skin_lesion": "ISIC 2018 challenge, task 1, case ISIC_0000029 (CC0)",
    "fetal_ultrasound": "HC18, case 013_HC, doi:10.5281/zenodo.1327317 (CC BY 4.0)",
    "thigh_mr": "TCIA Soft-tissue-Sarcoma, case STS_029, doi:10.7937/K9/TCIA.2015.7GO2GSKS (CC BY 3.0)",
}


def skin_lesion() -> list[LayerData]:
    """Dermoscopy of a skin lesion: 2D, RGB."""
    return _sample("skin_lesion", "Skin lesion")


def fetal_ultrasound() -> list[LayerData]:
    """Ultrasound of a fetal head: 2D, grey."""
    return _sample("fetal_ultrasound", "Fetal ultrasound")


def thigh_mr() -> list[LayerData]:
    """MR of a thigh with a tumour: a volume."""
    return _sample("thigh_mr", "Thigh MR")


def _sample(key: str, name: str) -> list[LayerData]:
    with as_file(files(__package__) / "data" / f"{key}.npz") as path:
        case = read_case(path)
    image, options, kind = case_layers(case, name)[0]
    # a box that fits the object, for the demo and for trying things out
    options["metadata"] |= {"credit": _CREDITS[key], **_example_box(case)}
    return [(image, options, kind)]


def _example_box(case: Case) -> dict[str, Any]:
    """Corners (y0, x0, y1, x1) of the sample's box, in a volume those of the middle slice, and that slice."""
    assert case.boxes is not None, "every sample holds a box"
    if not case.is_volume:
        x0, y0, x1, y1 = case.boxes[0]
        return {"box": (y0, x0, y1, x1), "slice": None}
    _, _, z0, _, _, z1 = case.boxes[0]
    z = int(z0 + z1 - 1) // 2
    assert case.truth is not None, "every sample holds its outline"
    rows, columns = case.truth[z].nonzero()
    margin = 2
    return {
        "box": (rows.min() - margin, columns.min() - margin, rows.max() + margin, columns.max() + margin),
        "slice": z,
    }
