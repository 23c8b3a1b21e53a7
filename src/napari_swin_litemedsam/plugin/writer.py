"""Saving a labels layer as the challenge's segmentation file."""

from typing import Any

import numpy as np

from ..io import write_segmentation


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as array ``segs`` of an npz file.

    Parameters
    ----------
    path : str
        The file; ``.npz`` is added if it is missing.
    data : array
        Label ids in 0..65535.
    meta : dict
        The layer's attributes, of which the format keeps none.

    Returns
    -------
    list of str
        The one file that was written.
    """
    path = str(path)
    if not path.lower().endswith(".npz"):
        path += ".npz"
    write_segmentation(path, np.asarray(data))
    return [path]
