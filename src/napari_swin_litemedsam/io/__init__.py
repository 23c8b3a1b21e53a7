"""Files: images and boxes in, labels out."""

from .files import CaseError
from .npz import Case, read_case, write_segmentation
from .scans import read_labels, read_scan, read_segments, write_labels
from .segments import Segment

__all__ = [
    "Case",
    "CaseError",
    "Segment",
    "read_case",
    "read_labels",
    "read_scan",
    "read_segments",
    "write_labels",
    "write_segmentation",
]
