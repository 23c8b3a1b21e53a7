"""The widget as a user meets it: boxes drawn on images of all kinds, bad input, several images."""

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from .conftest import BOX, FLAT, axial, draw_box, filled


class TestDrawingABox:
    @pytest.mark.window
    def test_makes_points_scribble_and_mask(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        draw_box(widget)
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
        draw_box(widget)
        draw_box(widget, (35, 2, 40, 10))
        settle(widget)
        np.testing.assert_array_equal(np.unique(widget._work.layers.masks.data), [0, 1, 2])
        assert widget._work.layers.boxes.features["object"].tolist() == [1, 2]
        assert widget.panel.table.rowCount() == 2

    def test_of_any_shape_counts_as_its_bounds(self, picture, open_widget, settle):
        widget = open_widget()
        widget.intents.use_tool("box")
        widget._work.layers.boxes.add_polygons(np.array([[10, 30], [20, 50], [30, 40], [20, 20]]))
        settle(widget)
        assert widget._work.session.objects[1].box == BOX

    @pytest.mark.parametrize("mode", ["add_rectangle", "add_ellipse", "add_line"])
    def test_a_click_makes_none(self, picture, open_widget, settle, drag, warnings_shown, mode):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        boxes = widget._work.layers.boxes
        boxes.mode = mode
        drag(boxes, (35, 10), (36, 11))
        QApplication.processEvents()
        settle(widget)
        assert list(widget._work.session.objects) == [1]
        assert len(boxes.data) == 1
        assert "a click makes none" in str(warnings_shown[-1].message)

    def test_a_polygon_is_drawn_by_several_clicks(self, picture, open_widget, settle, drag):
        widget = open_widget()
        draw_box(widget, (35, 2, 40, 10))
        settle(widget)
        boxes = widget._work.layers.boxes
        boxes.mode = "add_polygon"
        for corner in ((10, 30), (20, 50), (30, 40), (20, 20)):
            drag(boxes, corner)
            # whatever is left for the next turn of the event loop
            settle(widget)
            QApplication.processEvents()
        assert len(widget._work.session.objects) == 1
        boxes.mode = "select"
        settle(widget)
        assert boxes.shape_type == ["rectangle", "polygon"]
        assert widget._work.session.objects[2].box == BOX

    def test_on_colour(self, viewer, open_widget, settle, predictor):
        viewer.add_image(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), name="rgb")
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        assert widget._work.layers.masks.data.shape == (48, 64)
        assert predictor.images[-1][1] is None

    def test_shows_the_model_what_is_on_the_screen(self, picture, open_widget, settle, predictor):
        picture.contrast_limits = (0.2, 0.7)
        widget = open_widget()
        draw_box(widget)
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
        draw_box(widget, plane=axial(4))
        settle(widget)
        assert set(read) == {4}
        assert predictor.images[-1][0].shape == (48, 64)

    def test_leaves_the_image_as_it_was(self, volume, open_widget, settle):
        before, scale = volume.data.copy(), tuple(volume.scale)
        widget = open_widget()
        draw_box(widget, plane=axial(2))
        settle(widget)
        np.testing.assert_array_equal(volume.data, before)
        assert tuple(volume.scale) == scale


class TestBadInput:
    def test_a_box_outside_the_image(self, picture, open_widget, settle, warnings_shown):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        draw_box(widget, (100, 100, 120, 120))
        settle(widget)
        assert widget._work.session.objects[2].state == "failed"
        assert any("covers nothing" in str(note.message) for note in warnings_shown)
        np.testing.assert_array_equal(widget._work.layers.masks.data == 1, filled(BOX))

    def test_a_box_without_area(self, picture, open_widget, settle, warnings_shown):
        widget = open_widget()
        draw_box(widget, (10, 20, 10, 40))
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
        draw_box(widget)
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
        draw_box(widget)
        settle(widget)
        viewer.layers.remove("picture masks")
        viewer.layers.remove("picture points")
        draw_box(widget, (35, 2, 40, 12))
        settle(widget)
        np.testing.assert_array_equal(np.unique(viewer.layers["picture masks"].data), [0, 1, 2])
        assert len(viewer.layers["picture points"].data) == 8

    def test_a_model_that_does_not_load(self, picture, open_widget, settle, warnings_shown):
        def load():
            raise FileNotFoundError("no weights")

        widget = open_widget(load)
        draw_box(widget)
        settle(widget)
        assert widget._work.session.objects[1].message == "no weights"
        assert any("no weights" in str(note.message) for note in warnings_shown)


class TestSeveralImages:
    def test_each_keeps_its_own_boxes(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        other = viewer.add_image(np.ones((30, 30)), name="other")
        widget.image = other
        draw_box(widget, (2, 2, 9, 9))
        settle(widget)
        assert widget.panel.table.rowCount() == 1
        widget.image = picture
        assert widget.panel.status.text() == "Objects of 'picture': 1."
        assert widget._work.session.objects[1].box == BOX
        assert viewer.layers["other masks"].data.sum() == 64

    def test_an_unused_layer_of_boxes_goes(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        widget.intents.use_tool("box")
        settle(widget)
        assert "picture boxes" in viewer.layers
        widget.image = viewer.add_image(np.ones((30, 30)), name="other")
        assert [layer.name for layer in viewer.layers] == ["picture", "other"]

    def test_layers_that_hold_something_stay(self, viewer, picture, open_widget, settle):
        kinds = ("result", "masks", "scribble")
        before = [viewer.add_labels(np.ones((48, 64), np.uint16), name=f"picture {kind}") for kind in kinds]
        widget = open_widget()
        widget.image = viewer.add_image(np.ones((30, 30)), name="other")
        settle(widget)
        assert all(layer in viewer.layers for layer in before)
        assert "picture boxes" not in viewer.layers

    def test_what_was_deleted_comes_back_after_a_look_at_another_one(self, viewer, picture, open_widget, settle):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        widget.intents.remove([1])
        widget.image = viewer.add_image(np.ones((30, 30)), name="other")
        widget.image = picture
        widget.intents.undo()
        np.testing.assert_array_equal(viewer.layers["picture masks"].data == 1, filled(BOX))

    def test_an_image_opened_later_is_taken(self, viewer, open_widget, qtbot):
        widget = open_widget()
        viewer.add_image(np.ones((30, 30)), name="late")
        qtbot.waitUntil(lambda: widget._work is not None)
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
        draw_box(widget, (1, 1, 5, 5), plane=axial(2))
        draw_box(widget, plane=axial(2))
        settle(widget)
        widget.intents.remove([1])
        viewer.layers["scan points"].add([[2, 20, 30]])
        settle(widget)
        names, points = [layer.name for layer in viewer.layers], viewer.layers["scan points"].data.copy()
        scribble = viewer.layers["scan scribble"].data.copy()
        viewer.window.remove_dock_widget(widget.parentWidget())
        again = open_widget()
        settle(again)
        assert [layer.name for layer in viewer.layers] == names
        assert list(again._work.session.objects) == [2]
        np.testing.assert_array_equal(viewer.layers["scan points"].data, points)
        np.testing.assert_array_equal(viewer.layers["scan scribble"].data, scribble)
        np.testing.assert_array_equal(predictor.calls[-1]["points"], points[:, 1:])

    def test_what_was_drawn_while_it_was_closed_counts_whatever_points_do_not(
        self, viewer, volume, open_widget, settle, warnings_shown
    ):
        widget = open_widget()
        draw_box(widget, plane=axial(2))
        settle(widget)
        layers = widget._work.layers
        widget.shut_down()
        layers.boxes.data = [np.add(corners, [0, 8, 0]) for corners in layers.boxes.data]
        layers.boxes.add_rectangles([axial(4).rectangle((2, 2, 20, 18))])
        layers.points.add([[4, 10, 10]])
        again = open_widget()
        settle(again)
        assert [item.box for item in again._work.session.objects.values()] == [(18, 20, 38, 50), (2, 2, 20, 18)]
        told = str(warnings_shown[-1].message)
        assert "count only on its box's slice" in told
        assert "press Box here, too" in told

    def test_paint_on_the_masks_is_not_run_over(self, viewer, picture, open_widget, settle, predictor, drag):
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        masks = viewer.layers["picture masks"]
        masks.mode, masks.brush_size = "paint", 1
        drag(masks, (40, 20), (40, 30))
        settle(widget)
        painted = masks.data.copy()
        assert (painted[40, 20:31] == 1).all()
        widget.shut_down()
        again = open_widget()
        settle(again)
        np.testing.assert_array_equal(masks.data, painted)
        assert len(predictor.calls) == 1
        assert again._work.session.objects[1].state == "done"

    def test_a_result_with_the_highest_label_that_it_can_hold(self, viewer, picture, open_widget, settle):
        result = viewer.add_labels(np.zeros((48, 64), np.uint8), name="picture result")
        result.data[0] = 255
        widget = open_widget()
        draw_box(widget)
        settle(widget)
        widget.panel.buttons["commit"].click()
        settle(widget)
        np.testing.assert_array_equal(result.data == 256, filled(BOX))
        assert (result.data[0] == 255).all()
