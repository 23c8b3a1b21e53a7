"""Propagation as the user chooses it in the panel."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Reach

from .conftest import BOX, axial, draw_box


@pytest.fixture
def widget(viewer, open_widget, settle):
    """The widget with one box on slice 3 of a volume that is empty from slice 8 on."""
    data = np.random.default_rng(0).random((10, 48, 64))
    data[8:] = 0
    viewer.add_image(data, name="scan")
    viewer.dims.set_point(0, 3)
    widget = open_widget()
    draw_box(widget, BOX, axial(3))
    settle(widget)
    return widget


def slices(widget, id=1):
    return [int(z) for z in np.flatnonzero((widget._work.layers.masks.data == id).any(axis=(1, 2)))]


def propagate(widget, settle):
    widget.panel.buttons["propagate"].click()
    settle(widget)


def test_an_open_range_ends_with_a_reason_in_the_table(widget, settle):
    widget.panel.carry.reach = Reach.OPEN
    assert widget.panel._slices.isHidden()
    propagate(widget, settle)
    assert slices(widget) == list(range(8))
    texts = [widget.panel.table.item(0, column).text() for column in range(widget.panel.table.columnCount())]
    assert "outside the body" in texts
    tips = widget.panel.table.item(0, widget.panel.table.columnCount() - 1).toolTip()
    assert "Slice 8: the box lies outside the body." in tips
    assert "Slice 0: the volume ends." in tips
    told = "Carried 1 object. Object 1 ends: the box lies outside the body on slice 8."
    assert widget.panel.status.text() == told


def test_cancelling_and_going_on(widget, settle, qtbot, predictor):
    button = widget.panel.buttons["propagate"]
    button.click()
    qtbot.waitUntil(lambda: len(slices(widget)) >= 3, timeout=10000)
    predictor.allowed.clear()
    widget.panel.buttons["cancel"].click()
    predictor.allowed.set()
    settle(widget)
    done = slices(widget)
    if len(done) < 10:
        assert button.text() == "Resume"
        asked = len(predictor.calls)
        propagate(widget, settle)
        assert len(predictor.calls) - asked == 10 - len(done)
    assert slices(widget) == list(range(10))
    assert button.text() == "Propagate"


def test_a_second_box_of_an_object(viewer, widget, settle):
    viewer.dims.set_point(0, 7)
    widget.panel.buttons["anchor"].click()
    settle(widget)
    boxes = widget._work.layers.boxes
    assert boxes.features["object"].tolist() == [1, 1]
    assert slices(widget) == [3, 7]
    # drag the new box down by 8 pixels
    moved = [np.array(shape) for shape in boxes.data]
    row = next(row for row, shape in enumerate(moved) if shape[0, 0] == 7)
    moved[row][:, 1] += 8
    boxes.data = moved
    settle(widget)
    assert widget._work.session.objects.keys() == {1}
    widget.panel.carry.reach = Reach.BOXES
    propagate(widget, settle)
    assert slices(widget) == [3, 4, 5, 6, 7]
    tops = [int(np.flatnonzero((widget._work.layers.masks.data[z] == 1).any(axis=1))[0]) for z in (3, 5, 7)]
    assert tops == [10, 14, 18]


def test_deleting_one_of_two_boxes_keeps_the_object(viewer, widget, settle):
    viewer.dims.set_point(0, 7)
    widget.panel.buttons["anchor"].click()
    settle(widget)
    boxes = widget._work.layers.boxes
    boxes.selected_data = {next(row for row, shape in enumerate(boxes.data) if shape[0, 0] == 7)}
    boxes.remove_selected()
    settle(widget)
    item = widget._work.session.objects[1]
    assert (item.plane, item.anchors) == (axial(3), {})


def test_between_boxes_needs_two(widget, settle, warnings_shown):
    widget.panel.carry.reach = Reach.BOXES
    propagate(widget, settle)
    assert "two boxes" in warnings_shown[-1].message
    assert slices(widget) == [3]


def test_every_second_slice(widget, settle, predictor):
    asked = len(predictor.calls)
    widget.panel.carry.every.setValue(2)
    propagate(widget, settle)
    # 0, 2, 4, 6, 8 and the box's and the last slice
    assert len(predictor.calls) - asked == 7
    assert slices(widget) == list(range(10))
    assert 5 not in widget._work.session.objects[1].iou_by_position


def test_there_and_back(widget, settle, predictor):
    asked = len(predictor.calls)
    widget.panel.carry.consistent.setChecked(True)
    propagate(widget, settle)
    item = widget._work.session.objects[1]
    assert slices(widget) == list(range(10))
    assert sorted(plane.position for plane in item.carried) == list(range(10))
    assert {plane.position for plane in item.ends} == {0, 9}
    # all slices once, and those between the box and the two ends again
    assert len(predictor.calls) - asked == 10 + 7
    again = len(predictor.calls)
    widget.panel.buttons["undo"].click()
    settle(widget)
    assert slices(widget) == [3]
    assert len(predictor.calls) == again


def test_what_was_stopped_before_the_way_back_is_done_again(widget, settle, predictor, qtbot):
    widget.panel.carry.consistent.setChecked(True)
    widget.panel.buttons["propagate"].click()
    qtbot.waitUntil(lambda: len(slices(widget)) >= 3, timeout=10000)
    widget.panel.buttons["cancel"].click()
    settle(widget)
    item = widget._work.session.objects[1]
    stopped, asked = len(item.carried), len(predictor.calls)
    propagate(widget, settle)
    assert slices(widget) == list(range(10))
    assert len(item.carried) == 10
    if stopped < 3:
        # nothing but the box's slice was final
        assert len(predictor.calls) - asked == 10 - stopped + 7


def test_switches_reach_the_propagation(widget):
    widget.panel.carry.one_part.setChecked(False)
    widget.panel.carry.filled.setChecked(False)
    widget.panel.carry.alike.setChecked(False)
    assert not widget.panel.carry.options().zoom
    widget.panel.carry.zoom.setChecked(True)
    options = widget.panel.carry.options()
    assert options.zoom
    assert not options.consistent
    assert not options.one_part
    assert not options.filled
    assert not options.alike


def test_the_margin_can_follow_the_distance_of_slices(widget, settle):
    widget._work.layers.image.scale = (6, 2, 3)
    widget.panel.carry.by_spacing.setChecked(True)
    propagate(widget, settle)
    item = widget._work.session.objects[1]
    mask = np.argwhere(item.masks[axial(3)].full())
    (top, left), (bottom, right) = mask.min(axis=0), mask.max(axis=0)
    # 6 apart are 3 rows and 2 columns
    np.testing.assert_allclose(item.carried[axial(4)], (top - 3, left - 2, bottom + 3, right + 2))
