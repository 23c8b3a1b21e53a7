"""NRRD and MetaImage (MHA, MHD) files, read and written by SimpleITK; 3D Slicer's names and colours in NRRD."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry, Scan
from .files import CaseError, check_claim, native, replacing, require_file, telling
from .segments import Segment

SUFFIXES = (".nrrd", ".nhdr", ".seg.nrrd", ".mha", ".mhd")
_NRRD = (".nrrd", ".nhdr")
# that of a thousand segments is shorter, and ITK takes minutes over long ones
_HEADER_BYTES = 2**20


def read_itk(path: str | os.PathLike) -> Scan:
    """Read an image, a colour picture or a volume of one channel.

    Raises
    ------
    CaseError
        If the file is none, is cut off, or holds a volume of colours or more than three axes.
    """
    path = require_file(path)
    reader = _open(path)
    import SimpleITK as sitk

    with telling(path, RuntimeError):
        image = reader.Execute()
        array = native(sitk.GetArrayFromImage(image))
        geometry = Geometry.make(
            image.GetSpacing()[::-1],
            image.GetOrigin()[::-1],
            np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)[::-1, ::-1],
        )
    return Scan(array, geometry, (path,), is_colour=image.GetNumberOfComponentsPerPixel() > 1)


def read_slicer_segments(path: str | os.PathLike) -> list[Segment]:
    """Read the names and colours that 3D Slicer, or `write_itk`, keeps in a NRRD file.

    Raises
    ------
    CaseError
        If the file is none, or its segments are no labels.
    """
    path = require_file(path)
    reader = _open(path)
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys() if key.startswith("Segment")}
    segments = []
    with telling(path):
        for number in sorted(int(m.group(1)) for key in fields if (m := re.fullmatch(r"Segment(\d+)_Name", key))):
            prefix = f"Segment{number}_"
            id = int(fields.get(f"{prefix}LabelValue", number + 1))
            colour = fields.get(f"{prefix}Color", "").split()
            name = fields[f"{prefix}Name"]
            segments.append(Segment.of_rgb(id, name, map(float, colour)) if len(colour) == 3 else Segment(id, name))
    return segments


def write_itk(
    path: str | os.PathLike,
    labels: NDArray[np.unsignedinteger],
    geometry: Geometry,
    segments: Sequence[Segment] = (),
) -> None:
    """Write label ids in the smallest type; the file appears only when complete.

    Names and colours go into the fields of 3D Slicer if it is a NRRD file, and are left out otherwise.

    Raises
    ------
    ValueError
        If the file's name is no text.
    OSError
        If the file cannot be written.
    """
    import SimpleITK as sitk

    check_name(path)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin[::-1])
    image.SetDirection(np.asarray(geometry.direction)[::-1, ::-1].ravel().tolist())
    nrrd = str(path).lower().endswith(_NRRD)
    if nrrd and segments:
        for key, value in _slicer_fields(labels, segments).items():
            image.SetMetaData(key, value)
    with replacing(path) as unfinished:
        try:
            sitk.WriteImage(image, str(unfinished), useCompression=True)
        except RuntimeError as error:
            raise OSError(f"{path}: cannot be written ({str(error).strip().splitlines()[-1]})") from error
        # ITK says nothing if the last bytes of a NRRD file, written when it is closed, find no room on the disk
        if nrrd and not _ends_with_size(unfinished, labels.nbytes):
            raise OSError(f"{path}: cannot be written whole; is the disk full?")


def _ends_with_size(path: Path, size: int) -> bool:
    """Whether a file ends as a gzip stream of so many bytes does."""
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return file.read() == (size % 2**32).to_bytes(4, "little")


def check_name(path: str | os.PathLike) -> None:
    """Check that ITK can open a file of this name; of one that is no text it ends the process.

    Raises
    ------
    CaseError
        If it cannot.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise CaseError(f"{path}: NRRD and MetaImage need a name in UTF-8; rename it") from error


def _slicer_fields(labels: NDArray, segments: Iterable[Segment]) -> dict[str, str]:
    fields = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    extent = " ".join(f"0 {side - 1}" for side in labels.shape[::-1])
    for number, segment in enumerate(segments):
        values = {
            "ID": f"Segment_{segment.id}",
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{part:.6g}" for part in segment.rgb),
            "ColorAutoGenerated": "0",
            "LabelValue": str(segment.id),
            "Layer": "0",
            "Extent": extent,
            "Tags": "|",
        }
        fields |= {f"Segment{number}_{key}": value for key, value in values.items()}
    return fields


def _open(path: Path) -> Any:
    """A reader that has read the header, the pixels being known to be there."""
    import SimpleITK as sitk

    check_name(path)
    nrrd = path.suffix.lower() in _NRRD
    data, available, compressed, text = _nrrd_data(path) if nrrd else _meta_data(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if nrrd else "MetaImageIO")
    with telling(path, RuntimeError):
        reader.ReadImageInformation()
        pixel, components = reader.GetPixelID(), reader.GetNumberOfComponents()
        shape, ndim = reader.GetSize()[::-1], reader.GetDimension()
        if ndim == 4 and shape[0] == 1:
            # a single volume: of no length is the axis that goes
            reader.SetExtractSize((*reader.GetSize()[:3], 0))
            shape, ndim = shape[1:], 3
        if components > 1 and any(key.startswith("Segmentation_") for key in reader.GetMetaDataKeys()):
            raise CaseError(f"{path}: its segments overlap, in {components} layers; save them as one labelmap")
        if ndim not in (2, 3):
            raise CaseError(f"{path}: has {ndim} axes {shape}; only images and volumes can be read, so split it")
        if components > 1 and (ndim == 3 or components not in (3, 4)):
            raise CaseError(f"{path}: holds {components} values per pixel; volumes of one channel can be read")
        name = sitk.GetPixelIDValueAsString(pixel)
        dtype = _dtype(name)
        if dtype is None:
            raise CaseError(f"{path}: holds pixels of type '{name}', which are no intensities")
    if text:
        # written out, every number takes a digit at least
        dtype = np.dtype(np.uint8)
    full = (*shape, components) if components > 1 else shape
    check_claim(data, full, dtype, available, compressed)
    return reader


def _dtype(name: str) -> np.dtype | None:
    """NumPy's type for SimpleITK's name of a pixel type, such as "vector of 16-bit signed integer"."""
    found = re.fullmatch(r"(?:vector of )?(\d+)-bit (signed integer|unsigned integer|float)", name)
    if not found:
        return None
    kind = {"signed integer": "i", "unsigned integer": "u", "float": "f"}[found.group(2)]
    return np.dtype(f"{kind}{int(found.group(1)) // 8}")


def _nrrd_data(path: Path) -> tuple[Path, int, bool, bool]:
    """Where the pixels are, in how many bytes, whether compressed, and whether as text."""
    with open(path, "rb") as file:
        if file.read(4) != b"NRRD":
            raise CaseError(f"{path}: not a NRRD file")
        fields: dict[str, str] = {}
        for line in iter(lambda: file.readline(_HEADER_BYTES), b""):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                break
            if file.tell() > _HEADER_BYTES:
                raise CaseError(f"{path}: not a NRRD file; its header does not end")
            key, found, value = text.partition(": ")
            if found and not text.startswith("#"):
                fields[key.lower().replace(" ", "")] = value.strip()
        start = file.tell()
    encoding = fields.get("encoding", "raw").lower()
    compressed, text_ = encoding in ("gzip", "gz", "bzip2", "bz2"), encoding in ("text", "txt", "ascii", "hex")
    if (named := fields.get("datafile")) is None:
        return path, path.stat().st_size - start, compressed, text_
    data = _beside(path, named)
    return data, data.stat().st_size, compressed, text_


def _meta_data(path: Path) -> tuple[Path, int, bool, bool]:
    with open(path, "rb") as file:
        fields: dict[str, str] = {}
        while "elementdatafile" not in fields:
            line = file.readline(4096)
            key, found, value = line.decode("utf-8", "replace").partition("=")
            if not found or file.tell() > _HEADER_BYTES:
                raise CaseError(f"{path}: not a MetaImage file")
            fields[key.strip().lower()] = value.strip()
        start = file.tell()
    compressed, text = (fields.get(key, "").lower() == "true" for key in ("compresseddata", "binarydata"))
    text = "binarydata" in fields and not text
    named = fields["elementdatafile"]
    if named.lower() == "local":
        return path, path.stat().st_size - start, compressed, text
    data = _beside(path, named)
    return data, data.stat().st_size, compressed, text


def _beside(path: Path, named: str) -> Path:
    """The file of the pixels that a header names."""
    if named.lower().startswith("list") or "%" in named:
        raise CaseError(f"{path}: its pixels are spread over several files, which cannot be read")
    data = path.parent / named
    # isfile, unlike is_file, takes a name that no file can have
    if not os.path.isfile(data):
        raise CaseError(f"{path}: its pixels should be in {named!r}, which is no file")
    return data
