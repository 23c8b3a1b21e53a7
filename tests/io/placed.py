"""Images at known places, and what SimpleITK says of them."""

import os

import numpy as np
import SimpleITK as sitk

from napari_swin_litemedsam.geometry import Geometry


def rotation(seed, handed):
    """A random direction matrix: right-handed for 1, left-handed for -1."""
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    matrix[:, 0] *= handed * np.sign(np.linalg.det(matrix))
    return matrix


GEOMETRIES = {
    "straight": Geometry.make((1, 1, 1)),
    "anisotropic": Geometry.make((5, 0.7, 0.3), (-100.5, 20.25, 3)),
    "flipped": Geometry.make((2, 1, 0.5), (10, 20, 30), np.diag([1, -1, -1])),
    "negative determinant": Geometry.make((2, 1, 0.5), (10, 20, 30), np.diag([-1, 1, 1])),
    "sagittal": Geometry.make((4, 0.5, 0.6), (7, 8, 9), [[0, -1, 0], [0, 0, 1], [1, 0, 0]]),
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
