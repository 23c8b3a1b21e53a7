"""The widget as a user meets it: draw, drag, paint, propagate, cancel."""

import dask.array as da
import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

from .conftest import FLAT, axial

BOX = (10, 20, 30, 50)


@pytest.fixture
def picture(viewer):
    return viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")


@pytest.fixture
def volume(viewer):
    layer = viewer.add_image(np.random.default_rng(0).random((6, 48, 64)), name="scan", scale=(3, 0.5, 0.5))
    viewer.dims.set_point(0, 3 * 2)
    return layer


def draw(widget, box=BOX, plane=FLAT):
    widget._work.layers.boxes.add_rectangles(plane.rectangle(box))


def filled(box, shape=(48, 64)):
    mask = np.zeros(shape, bool)
    y0, x0, y1, x1 = box
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


class TestDrawingABox:
    @pytest.mark.window
    def test_makes_points_scribble_and_mask(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        assert [layer.name for layer in viewer.layers] == ["picture", "picture boxes"]
        draw(widget)
        settle(widget)
        names = ["picture", "picture masks", "picture scribble", "picture points", "picture boxes"]
        assert [layer.name for layer in viewer.layers] == names
        layers = widget._work.layers
        np.testing.assert_array_equal(layers.masks.data == 1, filled(BOX))
        assert len(layers.points.data) == 4
        assert (layers.scribble.data == 1).sum() == 27

    @pytest.mark.window
    def test_by_mouse_in_a_volume(self, viewer, volume, open_widget, settle, drag):
        widget = open_widget()
        widget.panel.buttons["box"].click()
        layers = widget._work.layers
        assert viewer.layers.selection.active == layers.boxes
        drag(layers.boxes, (6, 10, 25), (6, 8, 15), (6, 5, 10))
        settle(widget)
        assert widget._work.session.objects[1].plane == axial(2)
        np.testing.assert_array_equal(layers.masks.data[2] == 1, filled((10, 20, 20, 50)))
        assert not layers.masks.data[[0, 1, 3, 4, 5]].any()
        assert viewer.layers.selection.active == layers.boxes

    def test_several_boxes_make_several_objects(self, picture, open_widget, settle):
        widget = open_widget()
        draw(widget)
        draw(widget, (35, 2, 40, 10))
        settle(widget)
        np.testing.assert_array_equal(np.unique(widget._work.layers.masks.data), [0, 1, 2])
        assert widget._work.layers.boxes.features["object"].tolist() == [1, 2]
        assert widget.panel.table.rowCount() == 2

    def test_of_any_shape_counts_as_its_bounds(self, picture, open_widget, settle):
        widget = open_widget()
        widget._work.layers.boxes.add_polygons(np.array([[10, 30], [20, 50], [30, 40], [20, 20]]))
        settle(widget)
        assert widget._work.session.objects[1].box == BOX

    def test_on_colour(self, viewer, open_widget, settle, predictor):
        viewer.add_image(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), name="rgb")
        widget = open_widget()
        draw(widget)
        settle(widget)
        assert widget._work.layers.masks.data.shape == (48, 64)
        assert predictor.images[-1][1] is None

    def test_shows_the_model_what_is_on_the_screen(self, picture, open_widget, settle, predictor):
        picture.contrast_limits = (0.2, 0.7)
        widget = open_widget()
        draw(widget)
        settle(widget)
        assert predictor.images[-1][1] == (0.2, 0.7)

    def test_reads_only_its_slice_of_a_lazy_volume(self, viewer, open_widget, settle, predictor):
        read = []

        def load(block_info=None):
            read.append(block_info[None]["chunk-location"][0])
            return np.ones((1, 48, 64))

        lazy = da.map_blocks(load, chunks=((1,) * 6, (48,), (64,)), dtype=float, meta=np.zeros((0, 0, 0)))
        viewer.add_image(lazy, name="lazy", contrast_limits=(0, 1))
        viewer.dims.set_point(0, 4)
        widget = open_widget()
        read.clear()
        draw(widget, plane=axial(4))
        settle(widget)
        assert set(read) == {4}
        assert predictor.images[-1][0].shape == (48, 64)

    def test_leaves_the_image_as_it_was(self, volume, open_widget, settle):
        before, scale = volume.data.copy(), tuple(volume.scale)
        widget = open_widget()
        draw(widget, plane=axial(2))
        settle(widget)
        np.testing.assert_array_equal(volume.data, before)
        assert tuple(volume.scale) == scale


class TestEditing:
    @pytest.fixture
    def widget(self, picture, open_widget, settle):
        widget = open_widget()
        draw(widget)
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
        draw(widget, (35, 2, 40, 12))
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

    def test_points_go_to_the_chosen_object(self, widget, settle, drag):
        draw(widget, (35, 2, 40, 12))
        settle(widget)
        widget.panel.table.selectRow(0)
        widget.panel.buttons["positive"].click()
        drag(widget._work.layers.points, (25, 40))
        settle(widget)
        assert len(widget._work.session.objects[1].points) == 5
        assert len(widget._work.session.objects[2].points) == 4
        assert widget._work.layers.scribble.selected_label == 1


class TestPropagating:
    @pytest.fixture
    def widget(self, volume, open_widget, settle):
        widget = open_widget()
        draw(widget, plane=axial(2))
        settle(widget)
        return widget

    def test_fills_all_slices(self, widget, settle):
        assert widget.panel.last.value() == 5
        widget.panel.buttons["propagate"].click()
        settle(widget)
        layers = widget._work.layers
        assert layers.masks.data.any(axis=(1, 2)).all()
        np.testing.assert_array_equal(layers.carried.features["slice"], [3, 4, 5, 1, 0])
        assert "0 (end of range), 5 (end of range)" in widget.panel.status.text()
        assert widget.panel.table.item(0, 4).text() == "propagated"

    def test_keeps_to_the_range(self, widget, settle):
        widget.panel.first.setValue(1)
        widget.panel.last.setValue(3)
        widget.panel.buttons["propagate"].click()
        settle(widget)
        np.testing.assert_array_equal(np.flatnonzero(widget._work.layers.masks.data.any(axis=(1, 2))), [1, 2, 3])

    @pytest.mark.window
    def test_shows_slice_after_slice(self, widget, settle, viewer, qtbot, predictor):
        seen = []
        viewer.dims.events.current_step.connect(lambda event: seen.append(viewer.dims.current_step[0]))
        widget.panel.buttons["propagate"].click()
        assert widget.panel.buttons["cancel"].isEnabled()
        settle(widget)
        assert seen == [3, 4, 5, 1, 0]
        assert not widget.panel.buttons["cancel"].isEnabled()

    @pytest.mark.window
    def test_cancel_keeps_what_is_done(self, widget, settle, predictor, qtbot):
        predict = predictor.predict

        def stop_at_third(*args, **options):
            if len(predictor.calls) == 3:
                predictor.allowed.clear()
            return predict(*args, **options)

        predictor.predict = stop_at_third
        widget.panel.buttons["propagate"].click()
        masks = widget._work.layers.masks
        qtbot.waitUntil(lambda: masks.data[3].any())
        widget.panel.buttons["cancel"].click()
        predictor.allowed.set()
        settle(widget)
        done = np.flatnonzero(masks.data.any(axis=(1, 2)))
        assert {2, 3} <= set(done) < set(range(6))
        assert widget.panel.status.text().startswith("Stopped after")
        assert widget.panel.buttons["propagate"].isEnabled()

    def test_starts_from_an_edited_mask(self, widget, settle, drag):
        widget.panel.buttons["negative"].click()
        drag(widget._work.layers.points, (6, 10, 15))
        settle(widget)
        edited = widget._work.layers.masks.data[2].copy()
        assert not edited[:20].any()
        widget.panel.buttons["propagate"].click()
        settle(widget)
        masks = widget._work.layers.masks.data
        np.testing.assert_array_equal(masks[2], edited)
        assert not masks[3, :19].any()
        assert masks[3, 20:31, 20:51].all()

    def test_an_edit_during_the_run_waits_and_is_not_lost(self, widget, settle, predictor, qtbot):
        predictor.allowed.clear()
        widget.panel.buttons["propagate"].click()
        qtbot.waitUntil(lambda: widget._runner.busy)
        draw(widget, (35, 2, 40, 12), plane=axial(1))
        predictor.allowed.set()
        settle(widget)
        assert (widget._work.layers.masks.data[1] == 2).any()
        assert widget._work.layers.masks.data.any(axis=(1, 2)).all()

    def test_says_that_boxes_outside_stay(self, widget, settle, warnings_shown):
        widget.panel.first.setValue(3)
        widget.panel.buttons["propagate"].click()
        assert any("3 to 5" in str(note.message) for note in warnings_shown)
        assert not widget._runner.busy

    @pytest.mark.window
    def test_can_be_closed_while_it_runs(self, widget, viewer, predictor, qtbot):
        predictor.allowed.clear()
        widget.panel.buttons["propagate"].click()
        qtbot.waitUntil(lambda: widget._runner.busy)
        viewer.window.remove_dock_widget(widget)
        predictor.allowed.set()
        assert QThreadPool.globalInstance().waitForDone(5000)
        qtbot.wait(20)
        assert not widget._works
        draws_nothing = len(predictor.calls)
        viewer.layers["scan boxes"].add_rectangles(axial(1).rectangle(BOX))
        qtbot.wait(100)
        assert len(predictor.calls) == draws_nothing


class TestUndo:
    def test_takes_back_a_box_and_what_came_of_it(self, picture, open_widget, settle, predictor):
        widget = open_widget()
        draw(widget)
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
        draw(widget)
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

    def test_takes_back_a_stroke_apart_from_naparis_history(self, picture, open_widget, settle, drag):
        widget = open_widget()
        draw(widget)
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
        draw(widget)
        draw(widget, (35, 2, 40, 12))
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

    def test_takes_back_a_propagation_at_once(self, volume, open_widget, settle):
        widget = open_widget()
        draw(widget, plane=axial(2))
        settle(widget)
        widget.panel.buttons["propagate"].click()
        settle(widget)
        layers = widget._work.layers
        widget.intents.undo()
        assert np.flatnonzero(layers.masks.data.any(axis=(1, 2))).tolist() == [2]
        assert len(layers.carried.data) == 0
        widget.intents.redo()
        assert layers.masks.data.any(axis=(1, 2)).all()
        assert sorted(layers.carried.features["slice"]) == [0, 1, 3, 4, 5]


class TestBadInput:
    def test_a_box_outside_the_image(self, picture, open_widget, settle, warnings_shown):
        widget = open_widget()
        draw(widget)
        settle(widget)
        draw(widget, (100, 100, 120, 120))
        settle(widget)
        assert widget._work.session.objects[2].state == "failed"
        assert any("covers nothing" in str(note.message) for note in warnings_shown)
        np.testing.assert_array_equal(widget._work.layers.masks.data == 1, filled(BOX))

    def test_a_box_without_area(self, picture, open_widget, settle, warnings_shown):
        widget = open_widget()
        draw(widget, (10, 20, 10, 40))
        settle(widget)
        assert widget._work.session.objects[1].state == "failed"
        assert len(warnings_shown) == 1

    def test_no_image(self, viewer, open_widget, warnings_shown):
        widget = open_widget()
        assert not widget.panel.buttons["box"].isEnabled()
        widget.intents.use_tool("box")
        assert "no image" in str(warnings_shown[-1].message)
        assert len(viewer.layers) == 0

    @pytest.mark.window
    def test_the_image_is_removed_during_a_run(self, viewer, picture, open_widget, predictor, qtbot):
        widget = open_widget()
        predictor.allowed.clear()
        draw(widget)
        qtbot.waitUntil(lambda: widget._runner.busy)
        viewer.layers.remove("picture")
        predictor.allowed.set()
        qtbot.waitUntil(lambda: not widget._runner.busy)
        assert widget._work is None
        assert "picture boxes" in viewer.layers
        assert len(viewer.layers["picture boxes"].data) == 1

    @pytest.mark.window
    def test_a_removed_layer_is_made_again(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        draw(widget)
        settle(widget)
        viewer.layers.remove("picture masks")
        viewer.layers.remove("picture points")
        draw(widget, (35, 2, 40, 12))
        settle(widget)
        np.testing.assert_array_equal(np.unique(viewer.layers["picture masks"].data), [0, 1, 2])
        assert len(viewer.layers["picture points"].data) == 8

    def test_a_model_that_does_not_load(self, picture, open_widget, settle, warnings_shown):
        def load():
            raise FileNotFoundError("no weights")

        widget = open_widget(load)
        draw(widget)
        settle(widget)
        assert widget._work.session.objects[1].message == "no weights"
        assert any("no weights" in str(note.message) for note in warnings_shown)


class TestSeveralImages:
    def test_each_keeps_its_own_boxes(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        draw(widget)
        settle(widget)
        other = viewer.add_image(np.ones((30, 30)), name="other")
        widget.image = other
        draw(widget, (2, 2, 9, 9))
        settle(widget)
        assert widget.panel.table.rowCount() == 1
        widget.image = picture
        assert widget._work.session.objects[1].box == BOX
        assert viewer.layers["other masks"].data.sum() == 64

    def test_an_unused_layer_of_boxes_goes(self, viewer, picture, open_widget):
        widget = open_widget()
        widget.image = viewer.add_image(np.ones((30, 30)), name="other")
        assert [layer.name for layer in viewer.layers] == ["picture", "other", "other boxes"]

    def test_an_image_opened_later_is_taken(self, viewer, open_widget, qtbot):
        widget = open_widget()
        viewer.add_image(np.ones((30, 30)), name="late")
        qtbot.waitUntil(lambda: "late boxes" in viewer.layers)
        assert widget._work.session.shape == (30, 30)


class TestTakingOver:
    def test_boxes_of_a_file(self, viewer, picture, open_widget, settle):
        boxes = viewer.add_shapes([FLAT.rectangle(BOX), FLAT.rectangle((35, 2, 40, 12))], name="picture boxes")
        widget = open_widget()
        settle(widget)
        assert boxes.features["object"].tolist() == [1, 2]
        np.testing.assert_array_equal(np.unique(viewer.layers["picture masks"].data), [0, 1, 2])

    @pytest.mark.window
    def test_what_a_closed_widget_left(self, viewer, volume, open_widget, settle, predictor):
        widget = open_widget()
        draw(widget, (1, 1, 5, 5), plane=axial(2))
        draw(widget, plane=axial(2))
        settle(widget)
        widget.intents.remove([1])
        viewer.layers["scan points"].add([[2, 20, 30]])
        settle(widget)
        names, points = [layer.name for layer in viewer.layers], viewer.layers["scan points"].data.copy()
        scribble = viewer.layers["scan scribble"].data.copy()
        viewer.window.remove_dock_widget(widget)
        again = open_widget()
        settle(again)
        assert [layer.name for layer in viewer.layers] == names
        assert list(again._work.session.objects) == [2]
        np.testing.assert_array_equal(viewer.layers["scan points"].data, points)
        np.testing.assert_array_equal(viewer.layers["scan scribble"].data, scribble)
        np.testing.assert_array_equal(predictor.calls[-1]["points"], points[:, 1:])
