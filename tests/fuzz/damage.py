"""Whole files of every format, and ways to damage them."""

import gzip
import io
import pickle
import struct
import sys
import tempfile
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

# numbers that break sums, sizes and signs
_EXTREMES = [0, 1, -1, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**62, 2**63 - 1]
_WORDS = [b"999999999", b"-1", b"nan", b"1e308", b"(2147483647, 2147483647)", b"|O", b"\x00" * 16, b"%n%s", b"../../x"]


class Trap:
    """Touches a file if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one to four places of a file: bits, lengths, numbers, words, order."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        # headers come first and are what readers believe, so they are hit more often
        end = len(changed) if rng.random() < 0.4 else min(len(changed), 400)
        at = int(rng.integers(0, max(end, 1)))
        kind = rng.integers(0, 7)
        if kind == 0 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del changed[at:]
        elif kind == 2:
            value = int(rng.choice(_EXTREMES[:-2])) if rng.random() < 0.8 else _EXTREMES[-1]
            size = int(rng.choice([1, 2, 4, 8]))
            order = "<" if rng.random() < 0.7 else ">"
            packed = struct.pack(order + "Q", value % 2**64)
            changed[at : at + size] = packed[:size] if order == "<" else packed[-size:]
        elif kind == 3:
            word = _WORDS[rng.integers(len(_WORDS))]
            changed[at : at + len(word)] = word
        elif kind == 4:
            changed[at:at] = rng.bytes(int(rng.integers(1, 64)))
        elif kind == 5:
            del changed[at : at + int(rng.integers(1, 64))]
        else:
            other = int(rng.integers(0, max(len(changed), 1)))
            changed[at:at] = changed[other : other + int(rng.integers(1, 128))]
    return bytes(changed)


def damage_inside(data: bytes, rng: np.random.Generator) -> bytes:
    """Change what is packed in a gzip or zip file, whose own checksums would reveal any damage to the outside."""
    if data[:2] == b"\x1f\x8b":
        return gzip.compress(damage(gzip.decompress(data), rng), mtime=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as after:
        members = before.namelist()
        chosen = members[rng.integers(len(members))]
        for member in members:
            content = before.read(member)
            after.writestr(member, damage(content, rng) if member == chosen else content)
    return packed.getvalue()


@cache
def whole_files() -> dict[str, tuple[bytes, ...]]:
    """Bytes of undamaged files, by the ending of their names."""
    from napari_swin_litemedsam.geometry import Geometry
    from napari_swin_litemedsam.io import write_labels

    rng = np.random.default_rng(0)
    volume, plane = (
        rng.integers(0, 256, (5, 16, 18)).astype(np.uint8),
        rng.integers(0, 256, (16, 18, 3)).astype(np.uint8),
    )
    files: dict[str, tuple[bytes, ...]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".nii", ".nii.gz", ".nrrd", ".mha", ".tif", ".png"):
            path = Path(folder) / f"a{suffix}"
            write_labels(
                path,
                volume[0] if suffix == ".png" else volume,
                Geometry.make((2, 1, 1)[-2 if suffix == ".png" else -3 :]),
            )
            files[suffix] = (path.read_bytes(),)
        files[".dcm"] = (_dicom(Path(folder) / "a.dcm", volume[0]),)
        if find_spec("highdicom"):
            files[".seg.dcm"] = (_dicom_seg(Path(folder), volume),)
    boxes, deep = np.array([[1, 2, 10, 12]]), np.array([[1, 2, 0, 10, 12, 3]])
    files[".npz"] = (
        _npz(imgs=plane, boxes=boxes, gts=plane[..., 0]),
        _npz(imgs=volume, boxes=deep, spacing=np.array([1.0, 1, 2]), gts=volume),
        _npz(np.savez, imgs=volume.astype(np.int16), boxes=deep),
    )
    files[".safetensors"], files[".pth"] = _checkpoints()
    return files


def _npz(save=np.savez_compressed, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def _dicom(path, pixels):
    import pydicom
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    header = pydicom.Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID, header.SeriesInstanceUID = CTImageStorage, generate_uid(), generate_uid()
    header.Modality, header.Rows, header.Columns = "CT", *pixels.shape
    header.PixelSpacing, header.SliceThickness = [1, 1], 2
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
    header.RescaleIntercept, header.RescaleSlope = -1024, 1
    header.PixelData = pixels.astype(np.uint16).tobytes()
    header.save_as(path, enforce_file_format=True)
    return path.read_bytes()


def _dicom_seg(folder, volume):
    # beside this folder, where a script does not look by itself
    sys.path.append(str(Path(__file__).parents[1]))
    from napari_swin_litemedsam.io import read_scan, write_labels
    from scan_files import save_series

    series = folder / "series"
    series.mkdir()
    scan = read_scan(save_series(series, volume=volume))
    write_labels(folder / "seg.dcm", np.uint8(volume > 128) * (1 + volume % 3), scan.geometry, [], scan.files)
    return (folder / "seg.dcm").read_bytes()


def _checkpoints():
    import torch
    from safetensors.torch import save

    tensors = {f"image_encoder.stages.{i}.merge.weight": torch.full((8, 4, 2, 2), float(i)) for i in range(3)}
    plain, nested, legacy, trapped = (io.BytesIO() for _ in range(4))
    torch.save(tensors, plain)
    torch.save({"model": tensors, "step": 3}, nested)
    torch.save(tensors, legacy, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(trapped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Trap("sprung")))
        archive.writestr("archive/version", "3\n")
    return (save(tensors),), tuple(file.getvalue() for file in (plain, nested, legacy, trapped))
