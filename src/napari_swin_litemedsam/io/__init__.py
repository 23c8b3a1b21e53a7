"""Files: images and boxes in, labels out."""

from .npz import Case, CaseError, read_case, read_labels, write_segmentation

__all__ = ["Case", "CaseError", "read_case", "read_labels", "write_segmentation"]
