"""What the user does to boxes, points and scribbles, and takes back."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.patches import Patch
from napari_swin_litemedsam.plugin.planes import Plane

from .conftest import BOX, FLAT, draw_box, filled


class TestEditing:
    @pytest.fixture
    def widget(self, picture, open_widget, settle):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        return widget

    @pytest.mark.window
    def test_a_moved_point_runs_again(self, widget, settle, predictor, drag):
        points = widget._work.layers.points
        points.mode = "select"
        points.selected_data = {0}
        drag(points, (11, 21), (14, 26), (15, 27))
        settle(widget)
        assert len(predictor.calls) == 2
        assert predictor.calls[-1]["points"][0].tolist() == [15, 27]
        assert predictor.calls[-1]["scribble"] is None

    def test_a_negative_point_cuts_the_mask(self, widget, settle, drag):
        widget.panel.buttons["negative"].click()
        points = widget._work.layers.points
        drag(points, (18, 30))
        settle(widget)
        assert points.features["kind"].tolist() == ["positive"] * 4 + ["negative"]
        assert points.features["object"].tolist() == [1] * 5
        mask = widget._work.layers.masks.data == 1
        assert not mask[:18].any()
        assert mask[18:31, 20:51].all()

    def test_a_deleted_point_runs_again(self, widget, settle, predictor):
        widget._work.layers.points.remove([0, 1])
        settle(widget)
        assert len(predictor.calls[-1]["points"]) == 2

    @pytest.mark.window
    def test_a_painted_scribble_runs_again(self, widget, settle, predictor, drag):
        widget.panel.buttons["paint"].click()
        scribble = widget._work.layers.scribble
        scribble.brush_size = 1
        drag(scribble, (40, 20), (40, 30))
        settle(widget)
        assert len(predictor.calls) == 2
        given = predictor.calls[-1]["scribble"]
        assert given[40, 20:31].all()
        assert given[20, 22:49].all()
        assert (widget._work.layers.masks.data[40, 20:31] == 1).all()

    def test_an_erased_scribble_is_none(self, widget, settle, predictor, drag):
        widget.panel.buttons["erase"].click()
        scribble = widget._work.layers.scribble
        scribble.brush_size = 5
        drag(scribble, (20, 10), (20, 60))
        settle(widget)
        assert predictor.calls[-1]["scribble"] is False

    @pytest.mark.window
    def test_undo_of_a_stroke_runs_again(self, widget, settle, predictor, drag):
        scribble = widget._work.layers.scribble
        before = scribble.data.copy()
        scribble.mode = "paint"
        drag(scribble, (40, 20), (40, 30))
        settle(widget)
        scribble.undo()
        settle(widget)
        np.testing.assert_array_equal(predictor.calls[-1]["scribble"], before == 1)

    def test_a_moved_box_takes_its_mask_along(self, widget, settle):
        boxes = widget._work.layers.boxes
        boxes.data = [FLAT.rectangle((5, 5, 15, 15))]
        settle(widget)
        np.testing.assert_array_equal(widget._work.layers.masks.data == 1, filled((5, 5, 15, 15)))
        assert len(widget._work.session.objects) == 1

    def test_a_deleted_box_takes_everything_along(self, widget, settle):
        draw_box(widget, (35, 2, 40, 12))
        settle(widget)
        layers = widget._work.layers
        layers.boxes.selected_data = {0}
        layers.boxes.remove_selected()
        settle(widget)
        assert list(widget._work.session.objects) == [2]
        np.testing.assert_array_equal(np.unique(layers.masks.data), [0, 2])
        np.testing.assert_array_equal(np.unique(layers.scribble.data), [0, 2])
        assert set(layers.points.features["object"]) == {2}

    def test_delete_button(self, widget):
        widget.panel.buttons["delete"].click()
        assert not widget._work.session.objects
        assert len(widget._work.layers.boxes.data) == 0
        assert not widget._work.layers.masks.data.any()

    def test_other_prompts_on_request(self, widget, settle, predictor):
        before = widget._work.layers.points.data.copy()
        widget.panel.buttons["regenerate"].click()
        settle(widget)
        assert predictor.calls[-1]["seed"] == 1
        assert not np.array_equal(widget._work.layers.points.data, before)

    def test_many_edits_at_once_run_once(self, widget, settle, predictor):
        points = widget._work.layers.points
        for _ in range(5):
            points.data = np.add(points.data, [0, 1])
        settle(widget)
        assert len(predictor.calls) == 2
        np.testing.assert_array_equal(predictor.calls[-1]["points"], points.data)

    def test_the_latest_edit_wins_over_a_running_one(self, widget, settle, predictor, qtbot):
        points = widget._work.layers.points
        predictor.allowed.clear()
        points.add([[25, 40]])
        qtbot.waitUntil(lambda: widget._runner.busy)
        points.add([[26, 41]])
        qtbot.wait(100)
        predictor.allowed.set()
        settle(widget)
        assert len(points.data) == 6
        assert len(predictor.calls[-1]["points"]) == 6

    def test_a_stroke_that_goes_on_is_not_painted_over(self, widget, settle, predictor, qtbot):
        predictor.allowed.clear()
        widget._work.layers.points.add([[25, 40]])
        qtbot.waitUntil(lambda: widget._runner.busy)
        # as within a drag of the mouse, napari has not yet told of it
        widget._work.layers.scribble.data[40, 20:31] = 1
        predictor.allowed.set()
        settle(widget)
        assert (widget._work.layers.scribble.data[40, 20:31] == 1).all()
        assert predictor.calls[-1]["scribble"][40, 20:31].all()

    @pytest.fixture
    def answer(self, widget, predictor, qtbot):
        """Run object 1 again, and return what lets the answer come."""
        predictor.allowed.clear()
        widget._work.session.regenerate(1)
        qtbot.waitUntil(lambda: widget._runner.busy)

        def let_it_come():
            predictor.allowed.set()
            qtbot.waitUntil(lambda: not widget._runner.busy)
            # until all that it has changed would be shown
            qtbot.wait(100)

        return let_it_come

    def test_a_box_is_drawn_on_while_an_answer_comes(self, widget, settle, drag, answer):
        widget.panel.buttons["box"].click()
        layers = widget._work.layers
        drag(layers.boxes, (2, 2), (20, 8), (44, 16), meanwhile=answer)
        settle(widget)
        assert {id: item.box for id, item in widget._work.session.objects.items()} == {1: BOX, 2: (2, 2, 44, 16)}
        assert layers.boxes.features["object"].tolist() == [1, 2]
        # the answer that came meanwhile is shown as well
        assert layers.points.data.tolist().count([12, 21]) == 1

    def test_a_box_is_moved_on_while_an_answer_comes(self, widget, settle, drag, answer):
        boxes = widget._work.layers.boxes
        draw_box(widget, (2, 2, 44, 16))
        boxes.mode, boxes.selected_data = "select", {1}
        drag(boxes, (33, 9), (33, 20), (33, 39), meanwhile=answer)
        settle(widget)
        assert widget._work.session.objects[2].box == (2, 32, 44, 46)

    def test_a_point_is_moved_on_while_the_answer_of_another_object_comes(self, widget, settle, drag, predictor, qtbot):
        draw_box(widget, (2, 2, 44, 16))
        settle(widget)
        points = widget._work.layers.points
        predictor.allowed.clear()
        widget._work.session.regenerate(1)
        qtbot.waitUntil(lambda: widget._runner.busy)
        points.mode, points.selected_data = "select", {points.data.tolist().index([3, 3])}

        def answer():
            predictor.allowed.set()
            qtbot.waitUntil(lambda: len(predictor.calls) == 3)
            qtbot.wait(200)

        drag(points, (3, 3), (5, 5), (9, 9), meanwhile=answer)
        settle(widget)
        assert widget._work.session.objects[2].points.tolist().count([9, 9]) == 1
        assert points.data.tolist().count([9, 9]) == 1
        assert len(points.data) == 8

    def test_points_go_to_the_chosen_object(self, widget, settle, drag):
        draw_box(widget, (35, 2, 40, 12))
        settle(widget)
        widget.panel.table.selectRow(0)
        widget.panel.buttons["positive"].click()
        drag(widget._work.layers.points, (25, 40))
        settle(widget)
        assert len(widget._work.session.objects[1].points) == 5
        assert len(widget._work.session.objects[2].points) == 4
        assert widget._work.layers.scribble.selected_label == 1


class TestUndo:
    def test_takes_back_a_box_and_what_came_of_it(self, picture, open_widget, settle, predictor):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        widget.intents.undo()
        layers = widget._work.layers
        assert len(layers.boxes.data) == len(layers.points.data) == 0
        assert not layers.masks.data.any()
        assert not layers.scribble.data.any()
        assert widget.panel.table.rowCount() == 0
        widget.intents.redo()
        np.testing.assert_array_equal(layers.masks.data == 1, filled(BOX))
        assert layers.boxes.features["object"].tolist() == [1]
        assert len(layers.points.data) == 4
        settle(widget)
        assert len(predictor.calls) == 1

    def test_takes_back_a_dragged_point(self, picture, open_widget, settle, predictor, drag):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        layers = widget._work.layers
        before = layers.points.data.copy()
        layers.points.mode = "select"
        layers.points.selected_data = {0}
        drag(layers.points, (11, 21), (14, 26), (15, 27))
        settle(widget)
        widget.intents.undo()
        np.testing.assert_array_equal(layers.points.data, before)
        settle(widget)
        assert len(predictor.calls) == 2

    def test_of_what_came_during_a_run_leaves_the_answer(self, picture, open_widget, settle, predictor, qtbot):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        predictor.allowed.clear()
        widget._work.layers.points.add([[25, 40]])
        qtbot.waitUntil(lambda: widget._runner.busy)
        widget.intents.rename(1, "liver")
        predictor.allowed.set()
        settle(widget)
        widget.intents.undo()
        item = widget._work.session.objects[1]
        assert (item.name, item.state, len(item.points)) == ("", "done", 5)
        widget.intents.undo()
        assert (item.state, len(item.points)) == ("done", 4)

    def test_takes_back_a_stroke_apart_from_naparis_history(self, picture, open_widget, settle, drag):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        scribble = widget._work.layers.scribble
        before = scribble.data.copy()
        scribble.mode = "paint"
        drag(scribble, (40, 20), (40, 30))
        settle(widget)
        painted = scribble.data.copy()
        widget.intents.undo()
        np.testing.assert_array_equal(scribble.data, before)
        widget.intents.redo()
        np.testing.assert_array_equal(scribble.data, painted)
        scribble.undo()
        settle(widget)
        np.testing.assert_array_equal(scribble.data, before)
        widget.intents.undo()
        np.testing.assert_array_equal(scribble.data, painted)

    def test_takes_back_deleted_boxes_at_once(self, picture, open_widget, settle):
        widget = open_widget()
        draw_box(widget)
        draw_box(widget, (35, 2, 40, 12))
        settle(widget)
        layers = widget._work.layers
        before = layers.masks.data.copy()
        layers.boxes.selected_data = {0, 1}
        layers.boxes.remove_selected()
        settle(widget)
        assert not layers.masks.data.any()
        widget.intents.undo()
        np.testing.assert_array_equal(layers.masks.data, before)
        assert sorted(layers.boxes.features["object"]) == [1, 2]


def test_a_committed_object_can_be_edited_again(picture, open_widget, settle):
    widget = open_widget()
    draw_box(widget)
    settle(widget)
    buttons, layers = widget.panel.buttons, widget._work.layers
    assert not buttons["reopen"].isEnabled()
    buttons["commit"].click()
    settle(widget)
    widget.panel.table.selectRow(0)
    settle(widget)
    assert not layers.masks.data.any()
    buttons["reopen"].click()
    settle(widget)
    assert len(layers.boxes.data) == 1
    np.testing.assert_array_equal(layers.masks.data == 1, filled(BOX))
    np.testing.assert_array_equal(layers.result.data == 1, filled(BOX))
    # what is erased from the mask must not shine through from the result
    assert layers.result.get_color(1)[3] == 0
    assert "Back for editing: 1" in widget.panel.status.text()
    smaller = np.array([[10, 20], [10, 40], [25, 40], [25, 20]])
    layers.boxes.data = [smaller]
    settle(widget)
    buttons["commit"].click()
    settle(widget)
    np.testing.assert_array_equal(layers.result.data == 1, filled((10, 20, 25, 40)))
    assert layers.result.get_color(1)[3] == 1
    buttons["undo"].click()
    assert widget.panel.status.text() == "Undone: commit."
    buttons["redo"].click()
    assert widget.panel.status.text() == "Done again: commit."
    for _ in range(3):
        buttons["undo"].click()
        settle(widget)
    assert widget._work.session.objects[1].committed
    np.testing.assert_array_equal(layers.result.data == 1, filled(BOX))


def test_a_point_set_before_the_answer_to_a_moved_box_counts_alone(picture, open_widget, settle, predictor):
    widget = open_widget()
    draw_box(widget)
    settle(widget)
    layers = widget._work.layers
    predictor.allowed.clear()
    layers.boxes.data = [np.add(corners, [15, 0]) for corners in layers.boxes.data]
    # those of the old place are gone from the canvas, too
    assert not len(layers.points.data)
    layers.points.add([[44, 40]])
    predictor.allowed.set()
    settle(widget)
    assert predictor.calls[-1]["points"].tolist() == [[44, 40]]


def test_paint_on_another_channel_is_told_to_count_for_nothing(viewer, open_widget, settle, warnings_shown):
    viewer.add_image(np.random.default_rng(0).random((2, 48, 64)), name="cells", axis_labels=("channel", "y", "x"))
    viewer.dims.set_point(0, 0)
    widget = open_widget()
    draw_box(widget, BOX, Plane((0, None, None)))
    settle(widget)
    viewer.dims.set_point(0, 1)
    layers = widget._work.layers
    for layer in (layers.masks, layers.scribble):
        layer.selected_label = 1
        layer.paint((1, 5, 5), 1)
        settle(widget)
    layers.points.add([[1, 20, 30]])
    settle(widget)
    told = [str(warning.message) for warning in warnings_shown]
    assert len(told) == 3
    assert all("object 1" in message and "None" not in message for message in told)


def test_a_mask_made_elsewhere_outlives_another_contrast(picture, open_widget, settle):
    widget = open_widget()
    mask = filled((10, 10, 20, 20))
    widget._work.session.add_masks({FLAT: Patch.cut(mask)}, FLAT)
    settle(widget)
    picture.contrast_limits = (0.1, 0.9)
    settle(widget)
    np.testing.assert_array_equal(widget._work.session.objects[1].masks[FLAT].full(), mask)
