import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_swin_litemedsam.plugin.images import (
    geometry_of,
    pixels_of,
    plane_in_view,
    show_plane,
    spacing_around,
    spatial_shape,
    window_of,
)
from napari_swin_litemedsam.plugin.planes import Plane


@pytest.mark.parametrize(
    ("shape", "rgb", "expected"),
    [
        ((8, 9), False, (8, 9)),
        ((8, 9, 3), True, (8, 9)),
        ((8, 9, 4), True, (8, 9)),
        ((7, 8, 9), False, (7, 8, 9)),
        ((7, 8, 9, 3), True, (7, 8, 9)),
        ((5, 7, 8, 9), False, (5, 7, 8, 9)),
    ],
)
def test_shape_without_colour(shape, rgb, expected):
    assert spatial_shape(Image(np.zeros(shape, np.uint8), rgb=rgb)) == expected


def test_the_finest_of_several_scales_counts():
    image = Image([np.ones((16, 16)), np.ones((8, 8))], multiscale=True)
    assert spatial_shape(image) == (16, 16)
    assert pixels_of(image).shape == (16, 16)


def test_geometry_holds_whatever_places_a_layer():
    image = Image(np.zeros((4, 5)), scale=(2, 3), translate=(1, 2), rotate=30, shear=(0.1,), units=("mm", "mm"))
    other = Image(np.zeros((4, 5)), **geometry_of(image))
    np.testing.assert_allclose(other.data_to_world((1, 2)), image.data_to_world((1, 2)))
    assert other.units == image.units


class TestSpacing:
    def test_begins_with_the_axis_that_boxes_are_carried_along(self):
        image = Image(np.zeros((6, 8, 9)), scale=(5, 2, 3), units=("mm",) * 3)
        np.testing.assert_allclose(spacing_around(image, Plane((None, 3, None), axis=1)), (2, 5, 3))

    def test_is_in_one_unit(self):
        image = Image(np.zeros((6, 8, 9)), scale=(5, 2, 3), units=("um", "mm", "mm"))
        np.testing.assert_allclose(spacing_around(image, Plane((3, None, None), axis=0)), (0.005, 2, 3))

    def test_time_has_none(self):
        image = Image(np.zeros((6, 8, 9)), units=("s", "mm", "mm"))
        assert spacing_around(image, Plane((3, None, None), axis=0)) is None


class TestWindow:
    def test_is_what_the_layer_shows(self):
        image = Image(np.arange(20.0).reshape(4, 5), contrast_limits=(3, 7))
        assert window_of(image) == (3, 7)

    def test_is_none_for_colour(self):
        assert window_of(Image(np.zeros((4, 5, 3), np.uint8), rgb=True)) is None

    def test_is_none_for_all_greys_of_8_bits(self):
        image = Image(np.arange(20, dtype=np.uint8).reshape(4, 5))
        image.contrast_limits = (0, 255)
        assert window_of(image) is None
        image.contrast_limits = (0, 100)
        assert window_of(image) == (0, 100)


class TestPlanes:
    def test_sliders_in_other_units_than_the_image(self):
        viewer = ViewerModel()
        image = viewer.add_image(np.zeros((6, 8, 9)), scale=(2, 1, 1), units=("mm",) * 3)
        viewer.add_image(np.zeros((9, 9, 9)), scale=(1000,) * 3, units=("um",) * 3)
        show_plane(image, viewer.dims, Plane((4, None, None)))
        millimetres = [
            (place * unit).to("mm").m for place, unit in zip(viewer.dims.point, viewer.dims.units, strict=True)
        ]
        assert millimetres[0] == pytest.approx(8)
        assert plane_in_view(image, viewer.dims) == Plane((4, None, None), axis=0)

    def test_channels_follow_their_slider(self):
        viewer = ViewerModel()
        image = viewer.add_image(np.zeros((3, 6, 8, 9)), axis_labels=("c", "z", "y", "x"))
        viewer.dims.set_point(0, 2)
        viewer.dims.set_point(1, 5)
        assert plane_in_view(image, viewer.dims) == Plane((2, 5, None, None), axis=1)

    def test_the_view_turns_to_a_plane(self):
        viewer = ViewerModel()
        image = viewer.add_image(np.zeros((6, 8, 9)))
        show_plane(image, viewer.dims, Plane((None, 3, None)))
        assert viewer.dims.order == (1, 0, 2)
        assert plane_in_view(image, viewer.dims) == Plane((None, 3, None), axis=1)
