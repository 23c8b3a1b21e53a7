"""Images at known places, what SimpleITK says of them, and DICOM series."""

import os

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from napari_swin_litemedsam.geometry import Geometry


def rotation(seed, handed):
    """A random direction matrix: right-handed for 1, left-handed for -1."""
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    matrix[:, 0] *= handed * np.sign(np.linalg.det(matrix))
    return matrix


# of an object in a boxes file of VOLUME
BOX = {"name": "liver", "label": 4, "colour": "#102030", "box": [1, 2, 3, 3, 4, 5]}
GEOMETRIES = {
    "straight": Geometry.make((1, 1, 1)),
    "anisotropic": Geometry.make((5, 0.7, 0.3), (-100.5, 20.25, 3)),
    "flipped": Geometry.make((2, 1, 0.5), (10, 20, 30), np.diag([1, -1, -1])),
    "negative determinant": Geometry.make((2, 1, 0.5), (10, 20, 30), np.diag([-1, 1, 1])),
    "sagittal": Geometry.make((4, 0.5, 0.6), (7, 8, 9), [[0, -1, 0], [0, 0, 1], [-1, 0, 0]]),
    "oblique": Geometry.make((3, 0.8, 0.9), (-7, 88, -120.125), rotation(1, 1)),
    "oblique, left-handed": Geometry.make((3, 0.8, 0.9), (-7, 88, -120.125), rotation(2, -1)),
}


def itk_image(array, geometry):
    """What SimpleITK makes of an array; its own conventions are written out here once more, for the tests."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin[::-1])
    image.SetDirection(np.array(geometry.direction)[::-1, ::-1].ravel().tolist())
    return image


def assert_same_place(image, other):
    """Two SimpleITK images have the same pixels at the same places, as far as NIfTI's float32 can tell."""
    assert image.GetSize() == other.GetSize()
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(image, name)(), getattr(other, name)(), rtol=1e-5, atol=2e-6, err_msg=name)


def assert_nothing_left(folder, *names):
    assert sorted(os.listdir(folder)) == sorted(names)


STUDY, FRAME = generate_uid(), generate_uid()
VOLUME = np.random.default_rng(0).integers(0, 2000, (5, 6, 7)).astype(np.int16)
RIGHT_HANDED = {name: g for name, g in GEOMETRIES.items() if np.linalg.det(g.direction) > 0}


def dicom_image(pixels, **fields):
    """A file of one slice with all that a series and a segmentation need."""
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.FrameOfReferenceUID, data.SeriesInstanceUID = STUDY, FRAME, "1.2.3"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "7", "Nobody", "", ""
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber, data.ReferringPhysicianName = ("",) * 5
    data.Modality, data.SeriesNumber, data.SeriesDescription, data.InstanceNumber = "CT", 2, "Abdomen", 1
    data.PixelSpacing, data.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [0, 0, 0]
    data.set_pixel_data(pixels, "RGB" if pixels.ndim == 3 else "MONOCHROME2", 8 * pixels.itemsize)
    for name, value in fields.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def save_series(folder, geometry=GEOMETRIES["straight"], volume=VOLUME, skip=(), name="IM", **fields):
    """Slices under names that tell nothing of their order."""
    direction = np.array(geometry.direction)[::-1]
    for z in set(range(len(volume))) - set(skip):
        values = {
            "PixelSpacing": list(geometry.spacing[1:]),
            "ImageOrientationPatient": [round(v, 12) for v in (*direction[:, 2], *direction[:, 1])],
            "ImagePositionPatient": [round(v, 9) for v in geometry.to_world([z, 0, 0])[::-1]],
            "InstanceNumber": 1,
        }
        dicom_image(volume[z], **values | fields).save_as(
            folder / f"{name}{z * 7919 % 101:03d}", enforce_file_format=True
        )
    return folder


def save_enhanced(path, geometry=GEOMETRIES["anisotropic"], volume=VOLUME, order=None, **fields):
    """One file of several images, in any order, with what is the same for all of them told once."""
    order = range(len(volume)) if order is None else order
    alone = dict.fromkeys(("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"))
    data = dicom_image(volume[0], **alone)
    data.set_pixel_data(volume[list(order)], "MONOCHROME2", 16)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedCTImageStorage
    direction = np.array(geometry.direction)[::-1]
    orientation = [round(v, 12) for v in (*direction[:, 2], *direction[:, 1])]
    shared = _group("PixelMeasuresSequence", PixelSpacing=list(geometry.spacing[1:]))
    shared.update(_group("PlaneOrientationSequence", ImageOrientationPatient=orientation))
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = []
    for z in order:
        frame = _group("PlanePositionSequence", ImagePositionPatient=geometry.to_world([z, 0, 0])[::-1].tolist())
        frame.update(_group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1000 - z))
        data.PerFrameFunctionalGroupsSequence.append(frame)
    for name, value in fields.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def _group(name, **fields):
    group, item = pydicom.Dataset(), pydicom.Dataset()
    for field, value in fields.items():
        setattr(item, field, value)
    setattr(group, name, [item])
    return group
