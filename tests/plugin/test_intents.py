"""What the panel's buttons refuse or ask, and that nothing is lost by it."""

from threading import Event

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_swin_litemedsam.plugin import side_jobs

from .conftest import axial

BOX, OVERLAPPING = (10, 20, 30, 50), (20, 30, 40, 60)


@pytest.fixture
def widget(volume, open_widget):
    return open_widget()


@pytest.fixture
def objects(widget, draw, settle):
    """Two objects that overlap, on the slice in view, the second one chosen and the first committed."""
    for box in (BOX, OVERLAPPING):
        draw(widget, box, axial(2))
    settle(widget)
    widget._work.session.commit([1])
    widget.intents.choose(2)
    return widget


@pytest.mark.parametrize("tool", ["positive", "negative", "paint", "erase"])
def test_prompts_need_a_box_first(widget, warnings_shown, tool):
    widget.intents.use_tool(tool)
    assert "Draw a box first" in str(warnings_shown[-1].message)


@pytest.mark.parametrize("action", ["positive", "paint", "regenerate", "reset_prompts", "forget_edits", "anchor"])
def test_a_committed_object_is_not_edited(objects, warnings_shown, action):
    objects.intents.choose(1)
    objects.intents.do(action)
    assert "Object 1 is committed" in str(warnings_shown[-1].message)
    assert objects._work.session.objects[1].committed


def test_a_tool_shows_its_layer_in_two_dimensions(viewer, objects):
    layers = objects._work.layers
    layers.boxes.visible = layers.points.visible = False
    viewer.dims.ndisplay = 3
    for tool, layer, mode in (("box", layers.boxes, "add_rectangle"), ("positive", layers.points, "add")):
        objects.intents.use_tool(tool)
        assert viewer.dims.ndisplay == 2
        assert layer.visible
        assert layer.mode == mode


def test_a_tool_ends_grid_mode_where_boxes_lie_beside_the_image(viewer, widget, settle, warnings_shown):
    viewer.grid.enabled = True
    assert not warnings_shown
    widget.intents.use_tool("box")
    assert not viewer.grid.enabled
    assert "Grid mode is off now" in widget.panel.status.text()
    viewer.grid.enabled = True
    assert "In grid mode" in str(warnings_shown[-1].message)
    settle(widget)
    widget.shut_down()
    viewer.grid.enabled = False
    viewer.grid.enabled = True
    assert len(warnings_shown) == 1


def test_a_commit_leaves_the_view_in_three_dimensions(viewer, objects):
    objects.panel.table.selectRow(1)
    viewer.dims.ndisplay = 3
    objects.intents.commit()
    assert objects._work.session.objects[2].committed
    assert viewer.dims.ndisplay == 3
    assert objects.panel.status.text() == "In the result now: 2."


def test_what_is_committed_is_not_committed_again(objects, warnings_shown):
    objects.intents.choose(1)
    objects.intents.commit()
    assert objects.panel.status.text().startswith("Committed already: 1.")
    assert not warnings_shown
    assert 2 in objects._work.session.open_objects


def test_without_live_the_panel_tells_to_press_run(widget, draw, settle):
    widget.panel.live.click()
    draw(widget, BOX, axial(2))
    settle(widget)
    assert widget.panel.status.text() == "Live is off: press Run for a new mask."
    widget.intents.do("run")
    settle(widget)
    assert widget.panel.status.text().startswith("Drag a point")


def test_nothing_to_commit_is_told(widget, warnings_shown):
    widget.intents.commit()
    assert "Nothing was committed" in str(warnings_shown[-1].message)


@pytest.mark.parametrize(
    ("answer", "committed", "shared"), [("Keep them", True, 1), ("Overwrite them", True, 2), ("Cancel", False, 1)]
)
def test_who_gets_shared_pixels_is_asked(objects, monkeypatch, warnings_shown, answer, committed, shared):
    asked = []

    def click(box):
        asked.append(box.text())
        (button,) = (b for b in box.buttons() if b.text().replace("&", "") == answer)
        button.click()

    monkeypatch.setattr(QMessageBox, "exec", click)
    objects.panel.overlap.setCurrentText("ask")
    objects.panel.table.selectRow(1)
    objects.intents.commit()
    assert asked == ["The masks lie on objects of the result: 1."]
    result = objects._work.session.result
    assert result[2, 25, 40] == shared
    assert result[2, 38, 58] == (2 if committed else 0)
    # calling it off is no mistake
    assert not warnings_shown
    assert (objects.panel.status.text() == "Nothing was committed.") != committed


def test_a_box_on_the_slice_of_the_current_one_is_not_added(objects):
    objects.intents.anchor()
    assert "current one already" in objects.panel.status.text()
    assert not objects._work.session.objects[2].anchors


def test_a_box_of_another_direction_is_refused(viewer, objects, warnings_shown):
    viewer.dims.order = (1, 0, 2)
    objects.intents.anchor()
    assert "lie in another view; go back there" in str(warnings_shown[-1].message)
    assert not objects._work.session.objects[2].anchors


def test_an_image_without_slices_is_not_propagated(viewer, open_widget, warnings_shown):
    viewer.add_image(np.zeros((48, 64)))
    open_widget().intents.propagate()
    assert "Only volumes" in str(warnings_shown[-1].message)


def test_percentiles_that_cannot_be_measured_yet_are_told(widget, volume, settle, monkeypatch):
    allowed = Event()
    monkeypatch.setattr(side_jobs, "percentile_window", lambda *_: allowed.wait(10) and (0.1, 0.9))
    presets = widget.panel.window_section.presets
    presets.setCurrentIndex(presets.count() - 1)
    presets.activated.emit(presets.count() - 1)
    presets.activated.emit(presets.count() - 1)
    assert "still runs" in widget.panel.status.text()
    allowed.set()
    settle(widget)


def test_percentiles_that_cannot_be_measured_are_told(widget, volume, monkeypatch, qtbot, warnings_shown):
    def fail(*_):
        raise OSError("the file is gone")

    monkeypatch.setattr(side_jobs, "percentile_window", fail)
    limits = tuple(volume.contrast_limits)
    presets = widget.panel.window_section.presets
    presets.setCurrentIndex(presets.count() - 1)
    presets.activated.emit(presets.count() - 1)
    qtbot.waitUntil(lambda: bool(warnings_shown))
    assert "the file is gone" in str(warnings_shown[-1].message)
    assert tuple(volume.contrast_limits) == limits


def test_an_image_of_one_intensity_keeps_its_window(viewer, open_widget, settle, warnings_shown):
    image = viewer.add_image(np.full((48, 64), 7.0), name="flat")
    widget = open_widget()
    limits, presets = tuple(image.contrast_limits), widget.panel.window_section.presets
    presets.setCurrentIndex(presets.count() - 1)
    presets.activated.emit(presets.count() - 1)
    settle(widget)
    assert "one intensity" in str(warnings_shown[-1].message)
    assert tuple(image.contrast_limits) == limits
    assert presets.currentIndex() == 0
