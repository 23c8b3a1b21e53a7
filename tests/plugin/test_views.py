"""Segmenting what the canvas shows: coronal and sagittal views, time points, colour volumes."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.planes import Plane

from .conftest import FLAT, axial

SHAPE = (20, 24, 28)


@pytest.fixture
def volume(viewer):
    data = np.random.default_rng(0).random(SHAPE)
    return viewer.add_image(data, name="scan", scale=(3, 0.5, 0.5), translate=(10, 0, 0))


@pytest.fixture
def widget(volume, open_widget):
    return open_widget()


@pytest.fixture
def draw(viewer, drag, settle):
    """Turn the view and drag a box, given in pixels of the image."""

    def do(widget, order, *corners):
        viewer.dims.order = order
        image = widget.image
        corners = [image.data_to_world(corner) for corner in corners]
        for axis in viewer.dims.not_displayed:
            viewer.dims.set_point(axis, corners[0][axis])
        widget.panel.buttons["box"].click()
        middle = np.mean(corners, axis=0)
        drag(widget._work.layers.boxes, corners[0], middle, corners[1], displayed=viewer.dims.displayed)
        settle(widget)

    return do


@pytest.mark.window
@pytest.mark.parametrize("order", [(1, 0, 2), (1, 2, 0)])
def test_a_coronal_box(widget, draw, order, predictor, volume):
    draw(widget, order, (3, 12, 4), (15, 12, 20))
    item = widget._work.session.objects[1]
    assert item.plane == Plane((None, 12, None), axis=1)
    assert item.box == (3, 4, 15, 20)
    np.testing.assert_array_equal(predictor.images[-1][0], volume.data[:, 12])
    layers = widget._work.layers
    expected = np.zeros(SHAPE, int)
    expected[3:16, 12, 4:21] = 1
    np.testing.assert_array_equal(layers.masks.data, expected)
    assert set(layers.points.data[:, 1]) == {12}
    assert layers.scribble.data[:, 12].any()
    assert np.count_nonzero(layers.scribble.data) == np.count_nonzero(layers.scribble.data[:, 12])


def test_a_sagittal_box_is_carried_along_its_own_axis(widget, draw, settle, viewer):
    draw(widget, (2, 0, 1), (3, 4, 14), (15, 20, 14))
    widget.panel.first.setValue(12)
    assert widget.panel.last.value() == 27
    widget.panel.last.setValue(15)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    masks, carried = widget._work.layers.masks.data, widget._work.layers.carried
    np.testing.assert_array_equal(np.flatnonzero(masks.any(axis=(0, 1))), [12, 13, 14, 15])
    assert {int(corners[0, 2]) for corners in carried.data} == {12, 13, 15}
    # the viewer went along
    assert widget._work.edits.plane_in_view() == Plane((None, None, 12), axis=2)


@pytest.mark.window
def test_prompts_are_edited_in_the_view_of_the_box(widget, draw, settle, predictor, viewer, volume, drag):
    draw(widget, (1, 0, 2), (3, 12, 4), (15, 12, 20))
    widget.panel.buttons["negative"].click()
    drag(widget._work.layers.points, volume.data_to_world((8.4, 12, 9)), displayed=(0, 2))
    settle(widget)
    np.testing.assert_allclose(predictor.calls[-1]["points"][-1], (8.4, 9))
    assert not widget._work.layers.masks.data[:8].any()
    widget.panel.buttons["paint"].click()
    widget._work.layers.scribble.brush_size = 1
    drag(widget._work.layers.scribble, volume.data_to_world((18, 12, 9)), displayed=(0, 2))
    settle(widget)
    assert predictor.calls[-1]["scribble"][18, 9]
    assert widget._work.layers.masks.data[18, 12, 9] == 1


@pytest.mark.window
def test_boxes_of_several_views_live_together(widget, draw, settle, viewer):
    draw(widget, (0, 1, 2), (9, 4, 4), (9, 20, 20))
    draw(widget, (1, 0, 2), (3, 12, 4), (15, 12, 24))
    masks = widget._work.layers.masks.data
    assert (masks[9, 12, 4:25] == 2).all()
    widget.panel.buttons["delete"].click()
    # the line that they shared is the first one's again
    assert (masks[9, 4:21, 4:21] == 1).all()
    assert np.count_nonzero(masks) == 17 * 17
    # and only boxes of the view in sight are carried
    viewer.dims.order = (1, 0, 2)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    assert np.count_nonzero(masks) == 17 * 17
    assert "stay where they are" in widget.panel.status.text() or "Draw a box" in widget.panel.status.text()


def test_objects_belong_to_their_time_point(viewer, open_widget, draw, settle, predictor):
    movie = viewer.add_image(np.random.default_rng(0).random((3, *SHAPE)), name="movie", scale=(1, 3, 1, 1))
    widget = open_widget()
    draw(widget, (0, 1, 2, 3), (2, 5, 4, 4), (2, 5, 20, 20))
    assert widget._work.session.objects[1].plane == Plane((2, 5, None, None), axis=1)
    np.testing.assert_array_equal(predictor.images[-1][0], movie.data[2, 5])
    assert widget.panel.last.value() == SHAPE[0] - 1
    widget.panel.buttons["propagate"].click()
    settle(widget)
    masks = widget._work.layers.masks.data
    assert masks.shape == movie.data.shape
    assert masks[2].any(axis=(1, 2)).all()
    assert not masks[:2].any()
    # at another time point there is nothing to carry
    viewer.dims.set_point(0, 0)
    draw(widget, (0, 1, 2, 3), (0, 5, 4, 4), (0, 5, 20, 20))
    assert masks[0, 5, 10, 10] == 2
    assert masks[2, 5, 10, 10] == 1


@pytest.mark.window
@pytest.mark.parametrize("colours", [3, 4])
def test_volumes_in_colour(viewer, open_widget, draw, predictor, colours):
    data = np.random.default_rng(0).integers(0, 255, (*SHAPE, colours), np.uint8)
    viewer.add_image(data, name="cryo", rgb=True)
    widget = open_widget()
    draw(widget, (1, 0, 2), (3, 12, 4), (15, 12, 20))
    np.testing.assert_array_equal(predictor.images[-1][0], data[:, 12])
    assert widget._work.layers.masks.data[3:16, 12, 4:21].all()


def test_a_picture_beside_a_volume(viewer, volume, open_widget, draw):
    picture = viewer.add_image(np.random.default_rng(0).random((30, 40)), name="picture", translate=(5, 5))
    widget = open_widget()
    widget.image = picture
    draw(widget, (1, 0, 2), (3, 4), (15, 20))
    assert widget._work.session.objects[1].plane == FLAT
    assert np.count_nonzero(widget._work.layers.masks.data[3:16, 4:21]) == 13 * 17


def test_choosing_an_object_turns_the_view_to_it(widget, draw, viewer):
    draw(widget, (0, 1, 2), (9, 4, 4), (9, 20, 20))
    draw(widget, (1, 0, 2), (3, 12, 4), (15, 12, 24))
    widget.panel.table.selectRow(0)
    assert widget._work.edits.plane_in_view() == axial(9)
    widget.panel.table.selectRow(1)
    assert widget._work.edits.plane_in_view() == Plane((None, 12, None), axis=1)


@pytest.mark.parametrize(("tilt", "lost"), [(0, 0), (0.05, 0), (0.6, 20)])
def test_slices_of_a_tilted_scan_that_napari_cannot_show_are_told(viewer, open_widget, warnings_shown, tilt, lost):
    turn = np.eye(4)
    turn[np.ix_([0, 2], [0, 2])] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    # a shoulder lies beside the middle of the scanner
    turn[:3, 3] = turn[:3, :3] @ [0, 0, 150 if lost else 0]
    viewer.add_image(np.ones(SHAPE), name="shoulder", scale=(3.5, 0.5, 0.5), affine=turn)
    open_widget()
    told = [str(warning.message) for warning in warnings_shown if "lies askew" in str(warning.message)]
    assert len(told) == bool(lost)
    assert all(f"cannot show {lost} of its slices" in message for message in told)
