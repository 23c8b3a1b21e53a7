"""Images with channels: which axis holds them, and which channel is segmented."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.planes import Plane

from .conftest import BOX, draw_box, filled


@pytest.fixture
def scan(viewer, request):
    """Two channels, behind the slices as many microscopes store them."""
    pixels = np.random.default_rng(0).random((5, 2, 48, 64))
    pixels[:, 1] += 10
    viewer.add_image(pixels, name="scan", **getattr(request, "param", {}))
    viewer.dims.set_point(0, 3)


NAMED = pytest.mark.parametrize("scan", [{"axis_labels": ("z", "C", "y", "x")}], indirect=True)


@NAMED
def test_an_axis_that_is_named_so_is_taken(scan, open_widget):
    row = open_widget().panel.channels
    assert not row.isHidden()
    assert [row.axes.itemText(place) for place in range(row.axes.count())] == ["none", "C (2)"]
    assert row.axes.currentData() == 1
    assert row.channel.maximum() == 1


@NAMED
def test_boxes_are_carried_through_slices_and_not_through_channels(scan, open_widget, settle, predictor):
    widget = open_widget()
    assert widget.panel.last.value() == 4
    widget.panel.channels.channel.setValue(1)
    assert widget.viewer.dims.current_step[:2] == (3, 1)
    draw_box(widget, plane=Plane((3, 1, None, None), axis=0))
    settle(widget)
    assert predictor.images[-1][0].min() >= 10
    np.testing.assert_array_equal(widget._work.layers.masks.data[3, 1] == 1, filled(BOX))
    widget.panel.buttons["propagate"].click()
    settle(widget)
    assert widget._work.layers.masks.data.any(axis=(2, 3)).T.tolist() == [[False] * 5, [True] * 5]
    assert len(widget._work.session.objects) == 1


@NAMED
def test_it_widens_no_panel(scan, open_widget):
    panel = open_widget().panel
    assert panel.channels.minimumSizeHint().width() <= panel.window_section.minimumSizeHint().width()


@NAMED
def test_the_slider_and_the_panel_say_the_same(scan, open_widget, viewer):
    widget = open_widget()
    viewer.dims.set_current_step(1, 1)
    assert widget.panel.channels.channel.value() == 1


def test_an_axis_without_a_name_can_be_chosen_until_there_are_boxes(scan, open_widget, settle, viewer):
    widget = open_widget()
    row = widget.panel.channels
    assert [row.axes.itemText(place) for place in range(3)] == ["none", "axis 0 (5)", "axis 1 (2)"]
    assert row.channel.isHidden()
    assert widget.panel.last.value() == 1
    row.axes.setCurrentIndex(2)
    row.axes.activated.emit(2)
    assert widget.panel.last.value() == 4
    assert not row.channel.isHidden()
    draw_box(widget, BOX, Plane((3, 0, None, None)))
    settle(widget)
    assert widget._work.session.objects[1].plane == Plane((3, 0, None, None), axis=0)
    assert not row.axes.isEnabled()
    assert "boxes already" in row.axes.toolTip()


def test_the_view_turns_away_from_the_axis_that_is_chosen(viewer, open_widget):
    viewer.add_image(np.zeros((48, 64, 5)), name="picture")
    widget = open_widget()
    axes = widget.panel.channels.axes
    axes.setCurrentIndex(1)
    axes.activated.emit(1)
    assert viewer.dims.order == (2, 0, 1)
    assert widget._work.edits.plane_in_view() == Plane((None, None, 2))
    assert widget.panel.sections["volume"].isHidden()


def test_a_picture_with_channels_is_no_volume(viewer, open_widget):
    viewer.add_image(np.zeros((3, 48, 64)), name="picture", axis_labels=("channel", "y", "x"))
    widget = open_widget()
    assert widget.panel.sections["volume"].isHidden()
    widget.panel.channels.channel.setValue(2)
    assert widget._work.edits.plane_in_view() == Plane((2, None, None))


@pytest.mark.parametrize(("shape", "rgb"), [((48, 64), False), ((48, 64, 3), True), ((20, 48, 64), False)])
def test_it_is_hidden_where_there_are_none(viewer, open_widget, shape, rgb):
    viewer.add_image(np.zeros(shape), rgb=rgb)
    assert open_widget().panel.channels.isHidden()


@pytest.fixture
def saved_with_channels(scan, open_widget, tmp_path):
    """A widget whose image has no axis of channels, and a session saved with one."""
    widget = open_widget()
    widget.intents.take_channels(1)
    widget.session.add_box(BOX, slice=3)
    widget.session.wait()
    widget.session.save(tmp_path / "mine.session")
    widget.session.remove(1)
    widget.intents.take_channels(None)
    return widget, tmp_path / "mine.session"


@pytest.mark.parametrize("scan", [{}], indirect=True)
def test_a_saved_session_brings_its_axis_back(saved_with_channels):
    widget, path = saved_with_channels
    widget.session.open(path)
    assert widget._work.session.channel == 1
    assert len(widget._work.layers.boxes.data) == 1
    assert widget.session.objects[1].plane == Plane((3, 0, None, None), axis=0)


@pytest.mark.parametrize("scan", [{}], indirect=True)
def test_undo_of_opening_brings_the_axis_back_with_the_objects(saved_with_channels, settle, viewer):
    widget, path = saved_with_channels
    viewer.dims.set_current_step(1, 1)
    draw_box(widget, plane=Plane((3, 1, None, None), axis=1))
    settle(widget)
    before = widget._work.layers.masks.data.copy()
    panel, seen = widget.panel, []
    clicks = [panel.buttons[name].click for name in ("undo", "redo", "undo")]
    for act in (lambda: widget.session.open(path), *clicks):
        act()
        settle(widget)
        (item,) = widget._work.session.objects.values()
        seen.append((widget._work.session.channel, item.plane, panel.channels.axes.currentData(), panel.last.value()))
        assert len(widget._work.layers.boxes.data) == 1
        np.testing.assert_array_equal(widget._work.layers.masks.data[item.plane.index] == 1, filled(BOX))
    opened, undone = (1, Plane((3, 0, None, None), axis=0), 1, 4), (None, Plane((3, 1, None, None), axis=1), None, 1)
    assert seen == [opened, undone, opened, undone]
    np.testing.assert_array_equal(widget._work.layers.masks.data, before)


@pytest.mark.parametrize("scan", [{}], indirect=True)
def test_undo_goes_back_over_the_choice_of_an_axis(saved_with_channels, settle):
    widget, _ = saved_with_channels
    widget.panel.buttons["undo"].click()
    assert widget._work.session.channel == 1
    widget.panel.buttons["undo"].click()
    settle(widget)
    assert widget._work.session.objects[1].plane == Plane((3, 0, None, None), axis=0)
    assert len(widget._work.layers.boxes.data) == 1
