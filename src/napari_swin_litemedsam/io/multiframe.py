"""Enhanced DICOM: several images in one file, each with the place and the scale that the file gives it."""

from typing import Any

# where enhanced files keep what plain ones hold at the top, for all images or for each
_GROUPS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
)
_COMMON = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "PixelRepresentation"),
    *("SOPClassUID", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept"),
)


def frame_count(header: Any) -> int:
    """Number of images that a file says it holds."""
    return int(header.get("NumberOfFrames", 1) or 1)


def is_enhanced(header: Any) -> bool:
    """Whether a file describes its images one by one, or would have to."""
    return "PerFrameFunctionalGroupsSequence" in header or frame_count(header) > 1


def frames_of(header: Any) -> list[Any]:
    """Headers of a file's images, as if each were a file of its own.

    Raises
    ------
    ValueError
        If the file describes another number of images than it holds.
    """
    from pydicom import Dataset

    described = header.get("PerFrameFunctionalGroupsSequence") or []
    if len(described) != frame_count(header):
        raise ValueError(f"{frame_count(header)} images in one file, of which {len(described)} are described")
    shared = header.get("SharedFunctionalGroupsSequence") or []
    frames = []
    for own in described:
        frame = Dataset()
        frame.update({header[name].tag: header[name] for name in _COMMON if name in header})
        for group in (*shared[:1], own):
            for item in (group[name].value[0] for name in _GROUPS if group.get(name)):
                frame.update(item)
        frames.append(frame)
    return frames
