import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.geometry import Geometry, Scan


def rotation(seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_positions_are_those_of_itk_read_backwards(seed):
    rng = np.random.default_rng(seed)
    # by chance left-handed
    geometry = Geometry.make(rng.uniform(0.1, 5, 3), rng.normal(size=3) * 100, rotation(seed))
    image = sitk.Image(4, 5, 6, sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin[::-1])
    image.SetDirection(np.array(geometry.direction)[::-1, ::-1].ravel().tolist())
    index = rng.integers(0, 4, 3)
    expected = image.TransformIndexToPhysicalPoint(index[::-1].tolist())[::-1]
    np.testing.assert_allclose(geometry.to_world(index), expected, atol=1e-9)
    np.testing.assert_allclose(geometry.to_index(expected), index, atol=1e-9)
    np.testing.assert_allclose((geometry.affine @ [*index, 1])[:3], expected, atol=1e-9)
    assert Geometry.from_affine(geometry.affine).near(geometry)


def test_transposing_moves_no_pixel():
    geometry = Geometry.make((3, 2, 1), (5, 6, 7), rotation(3))
    turned = geometry.transposed((2, 0, 1))
    np.testing.assert_allclose(turned.to_world([9, 1, 4]), geometry.to_world([1, 4, 9]))
    assert turned.transposed((1, 2, 0)) == geometry


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_arrays_are_brought_into_the_order_of_the_patients_axes(order):
    # as of a scan that was taken in another plane, a little oblique and partly backwards
    tilt = np.array([[0.98, -0.17, 0.02], [0.17, 0.98, 0], [-0.02, 0, -1]])
    geometry = Geometry.make((3, 2, 1), direction=tilt[:, order])
    direction = np.abs(geometry.transposed(geometry.anatomical_order()).direction)
    assert direction.argmax(axis=0).tolist() == [0, 1, 2]


def test_straight_and_sheared():
    assert Geometry.make((3, 1, 1), (5, 5, 5)).is_straight
    assert not Geometry.make((1, 1, 1), direction=np.diag([1, -1, 1])).is_straight
    sheared = Geometry.from_affine([[1, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    assert sheared.spacing == (1, np.hypot(1, 0.5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 0, 1),), "positive"),
        (((1, -1, 1),), "positive"),
        (((1, np.nan, 1),), "NaN"),
        (((1, 1, 1), (0, np.inf, 0)), "NaN or infinite"),
        (((1, 1, 1), (0, 0)), "dimension"),
        (((1, 1, 1), (0, 0, 0), np.diag([1, 1, 0])), "span"),
    ],
)
def test_impossible_geometries_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Geometry.make(*arguments)


def test_an_axis_without_direction_is_refused():
    with pytest.raises(ValueError, match="no direction"):
        Geometry.from_affine(np.diag([1, 0, 1, 1]))


def test_scans_tell_volumes_from_colours():
    assert Scan(np.zeros((5, 6, 3))).is_volume
    assert not Scan(np.zeros((5, 6, 3)), is_colour=True).is_volume
    assert not Scan(np.zeros((5, 6))).is_volume
