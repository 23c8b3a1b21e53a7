import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_swin_litemedsam.geometry import Geometry, Scan
from napari_swin_litemedsam.plugin.grid import place, restore
from napari_swin_litemedsam.plugin.images import geometry_of

SHAPE = (4, 5, 6)


def scan_of(direction, array=None):
    geometry = Geometry.make((3, 0.7, 0.4), (-100, 22.5, 7), direction)
    return Scan(np.arange(120).reshape(SHAPE) if array is None else array, geometry)


def layer_of(scan):
    array, options = place(scan)
    return Image(array, rgb=scan.is_colour, **options)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_every_voxel_of_a_layer_lies_where_it_is_in_the_patient(seed):
    scan = scan_of(np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0])
    layer = layer_of(scan)
    for index in ((0, 0, 0), (3, 1, 5)):
        found = np.argwhere(layer.data == scan.array[index])[0]
        np.testing.assert_allclose(layer.data_to_world(found), scan.geometry.to_world(index), atol=1e-9)
    assert sorted(layer.scale) == [0.4, 0.7, 3]
    assert all(str(unit) == "millimeter" for unit in layer.units)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_labels_go_back_onto_the_grid_of_the_scan(seed, with_metadata):
    scan = scan_of(np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0])
    image = layer_of(scan)
    options = geometry_of(image)
    if not with_metadata:
        # a layer that napari made, of which only the transform tells
        del options["metadata"]
    labels = Labels(image.data.copy(), **options)
    array, geometry, _ = restore(*labels.as_layer_data_tuple()[:2])
    if with_metadata:
        np.testing.assert_array_equal(array, scan.array)
        assert geometry == scan.geometry
    else:
        index = np.argwhere(array == 77)[0]
        np.testing.assert_allclose(geometry.to_world(index), scan.geometry.to_world(np.argwhere(scan.array == 77)[0]))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_scans_of_other_planes_are_turned_so_that_napari_can_slice_them(axes):
    layer = layer_of(scan_of(np.diag([1, -1, 1])[list(axes)]))
    assert np.count_nonzero(layer.affine.linear_matrix - np.diag(np.diag(layer.affine.linear_matrix))) == 0
    assert sorted(layer.data.shape) == [4, 5, 6]


def test_a_straight_scan_needs_no_matrix():
    layer = layer_of(scan_of(np.eye(3)))
    assert layer.scale.tolist() == [3, 0.7, 0.4]
    assert layer.translate.tolist() == [-100, 22.5, 7]
    np.testing.assert_array_equal(layer.affine.affine_matrix, np.eye(4))


def test_a_layer_that_was_moved_is_saved_where_it_lies_now():
    labels = Labels(np.zeros(SHAPE, int), **geometry_of(layer_of(scan_of(np.eye(3)[::-1]))))
    labels.translate = (1, 2, 3)
    _, geometry, files = restore(*labels.as_layer_data_tuple()[:2])
    np.testing.assert_allclose(geometry.to_world([0, 0, 0]), labels.data_to_world([0, 0, 0]))
    assert files == ()


def test_rotated_sheared_and_flipped_layers_keep_their_place():
    labels = Labels(np.zeros(SHAPE, int), scale=(2, -1, 1), rotate=(10, 20, 30), shear=(0.1, 0, 0), translate=(1, 2, 3))
    _, geometry, _ = restore(*labels.as_layer_data_tuple()[:2])
    np.testing.assert_allclose(geometry.to_world([3, 1, 2]), labels.data_to_world([3, 1, 2]))


@pytest.mark.parametrize(("unit", "factor"), [("um", 0.001), ("cm", 10), ("mm", 1), ("pixel", 1)])
def test_other_units_are_saved_in_mm(unit, factor):
    labels = Labels(np.zeros((4, 5), int), scale=(2, 3), units=(unit, unit))
    _, geometry, _ = restore(*labels.as_layer_data_tuple()[:2])
    np.testing.assert_allclose(geometry.spacing, np.array([2, 3]) * factor)


def test_colours_and_pictures_without_a_place():
    scan = scan_of(np.eye(3)[[2, 0, 1]], np.zeros((*SHAPE, 3), np.uint8))
    layer = layer_of(Scan(scan.array, scan.geometry, is_colour=True))
    assert layer.rgb
    assert layer.ndim == 3
    array, geometry, _ = restore(
        *Labels(np.eye(5, dtype=int), **geometry_of(layer_of(Scan(np.zeros((5, 5)))))).as_layer_data_tuple()[:2]
    )
    assert geometry.spacing == (1, 1)
    assert array.shape == (5, 5)
