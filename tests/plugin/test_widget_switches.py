"""Live and manual runs, what the model sees, commit, and correcting a mask made elsewhere."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_swin_litemedsam.plugin.patches import Patch

BOX = (10, 20, 30, 50)


@pytest.fixture
def widget(viewer, open_widget, settle, draw):
    viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")
    widget = open_widget()
    draw(widget, BOX)
    settle(widget)
    return widget


def test_manual_runs_wait_for_the_button(widget, settle, predictor):
    panel = widget.panel
    assert "Live is on" in panel.buttons["run"].toolTip()
    panel.live.click()
    before = len(predictor.calls)
    widget._work.layers.points.add([[25, 40]])
    settle(widget)
    assert len(predictor.calls) == before
    panel.buttons["run"].click()
    settle(widget)
    assert len(predictor.calls) == before + 1
    assert len(predictor.calls[-1]["points"]) == 5


def test_the_model_can_be_shown_less(widget, settle, predictor):
    widget.panel.use_scribble.click()
    settle(widget)
    assert predictor.calls[-1]["scribble"] is False
    widget.panel.use_points.click()
    settle(widget)
    assert len(predictor.calls[-1]["points"]) == 0


def test_reset_returns_to_the_first_prompts(widget, settle, predictor):
    first = widget._work.layers.points.data.copy()
    widget.panel.buttons["regenerate"].click()
    settle(widget)
    assert not np.array_equal(widget._work.layers.points.data, first)
    widget.panel.buttons["reset_prompts"].click()
    settle(widget)
    np.testing.assert_array_equal(widget._work.layers.points.data, first)


@pytest.mark.window
def test_commit_moves_the_mask_to_the_result_and_readies_a_box(widget, viewer, settle):
    widget.panel.buttons["commit"].click()
    settle(widget)
    assert (widget._work.session.result[10:31, 20:51] == 1).all()
    assert widget.panel.table.item(0, 4).text() == "committed"
    assert viewer.layers.selection.active == widget._work.layers.boxes
    assert widget._work.layers.boxes.mode == "add_rectangle"
    assert [layer.name for layer in viewer.layers][:3] == ["picture", "picture result", "picture masks"]
    assert viewer.layers[-1].name == "picture boxes"


def test_a_commit_that_the_user_calls_off_is_no_mistake(widget, viewer, settle, monkeypatch, warnings_shown):
    widget._work.session.adopt_result(np.full((48, 64), 7, np.uint16))
    monkeypatch.setattr(widget.intents, "_ask_rule", lambda others: None)
    widget.panel.overlap.setCurrentText("ask")
    widget.panel.buttons["commit"].click()
    assert widget.panel.status.text() == "Nothing was committed."
    assert not warnings_shown


def test_a_result_without_objects_is_shown_too(widget, viewer, settle):
    result = np.zeros((48, 64), np.uint16)
    result[5:9, 5:9] = 4
    widget._work.session.replace_all([], result, None)
    settle(widget)
    np.testing.assert_array_equal(viewer.layers["picture result"].data, result)


def test_our_own_labels_are_not_offered_as_a_reference(widget, settle):
    widget.panel.buttons["commit"].click()
    settle(widget)
    assert not widget._references.choices


def test_a_label_of_another_layer_is_corrected(widget, viewer, settle, warnings_shown):
    truth = np.zeros((48, 64), np.uint8)
    truth[35:42, 5:20] = 3
    reference = viewer.add_labels(truth, name="truth")
    widget.panel.buttons["correct"].click()
    settle(widget)
    assert "has the label 1" in str(warnings_shown[-1].message)
    reference.selected_label = 3
    widget.panel.buttons["correct"].click()
    settle(widget)
    assert widget._work.session.objects[2].box == (35, 5, 41, 19)
    assert widget.panel.status.text() == "Label 3 of 'truth' is object 2 now: correct its mask."
    np.testing.assert_array_equal(widget._work.layers.masks.data == 2, truth == 3)


@pytest.mark.parametrize("action", ["correct", "compare"])
def test_a_reference_that_lies_elsewhere_is_told(widget, viewer, settle, warnings_shown, action):
    viewer.add_labels(np.ones((48, 64), np.uint8), name="truth", translate=(5, 0))
    widget.panel.buttons[action].click()
    settle(widget)
    assert "'truth' does not lie where the image is" in str(warnings_shown[0].message)


@pytest.mark.parametrize(("shift", "message"), [((10, 20), ""), ((10.5, 20), "(8, 9)"), ((45, 20), "(8, 9)")])
def test_labels_of_a_part_of_the_image_are_taken_at_their_place(widget, viewer, settle, warnings_shown, shift, message):
    widget._work.layers.image.scale = (2, 3)
    # as programs save segmentations that leave out what is empty
    labels = viewer.add_labels(np.ones((8, 9), np.uint8), name="part", scale=(2, 3))
    labels.translate = np.multiply(shift, (2, 3))
    widget.panel.buttons["correct"].click()
    settle(widget)
    if message:
        assert message in str(warnings_shown[-1].message)
        assert 2 not in widget._work.session.objects
        return
    assert not warnings_shown
    truth = np.zeros((48, 64), bool)
    truth[10:18, 20:29] = True
    np.testing.assert_array_equal(widget._work.layers.masks.data == 2, truth)
    widget.panel.buttons["compare"].click()
    settle(widget)
    assert "1.000" in widget.panel.review_section.scores.text()


def test_labels_to_be_corrected_are_looked_through_in_a_thread(widget, viewer, settle, monkeypatch):
    threads = []

    def masks(labels, shape, label, plane):
        threads.append(threading.current_thread())
        return {plane: Patch.cut(np.asarray(labels) == label)}

    monkeypatch.setattr("napari_swin_litemedsam.plugin.side_jobs.label_masks", masks)
    viewer.add_labels(np.ones((48, 64), np.uint8), name="truth")
    widget.panel.buttons["correct"].click()
    settle(widget)
    assert 2 in widget._work.session.objects
    assert threading.main_thread() not in threads


def test_hand_edits_are_forgotten_on_request_and_undo_brings_them_back(widget, settle):
    masks, button = widget._work.layers.masks, widget.panel.buttons["forget_edits"]
    assert "nothing was painted" in button.toolTip()
    masks.data_setitem((np.array([40, 41]), np.array([5, 5])), 1)
    settle(widget)
    assert button.isEnabled()
    button.click()
    assert masks.data[40, 5] == 0
    assert (masks.data[10:31, 20:51] == 1).all()
    assert not button.isEnabled()
    widget.panel.buttons["undo"].click()
    assert masks.data[40, 5] == 1
    assert button.isEnabled()


@pytest.mark.parametrize(("tool", "switch"), [("negative", "use_points"), ("paint", "use_scribble")])
def test_a_tool_lets_the_model_see_what_it_makes(widget, settle, predictor, tool, switch):
    getattr(widget.panel, switch).click()
    settle(widget)
    widget.panel.buttons[tool].click()
    settle(widget)
    assert getattr(widget.panel, switch).isChecked()
    call = predictor.calls[-1]
    assert call["points"] is None
    assert call["scribble"] is None


def test_a_tool_shows_the_object_that_it_edits(widget, settle):
    widget.panel.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    widget.panel.buttons["positive"].click()
    settle(widget)
    assert widget.panel.table.item(0, 0).checkState() == Qt.CheckState.Checked
    assert widget._work.layers.points.shown.all()


def test_what_waits_for_a_mask_is_told_when_committed(widget, settle, warnings_shown):
    widget.panel.live.click()
    widget._work.layers.points.add([[25, 40]])
    settle(widget)
    widget.panel.table.selectRow(0)
    widget.panel.buttons["commit"].click()
    assert "Without a mask yet: 1" in warnings_shown[-1].message
