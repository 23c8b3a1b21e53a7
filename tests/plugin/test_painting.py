"""What the user paints on the masks stays, whatever runs later."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Route
from napari_swin_litemedsam.plugin.edits import Edits
from napari_swin_litemedsam.plugin.layers import SessionLayers

from .conftest import FLAT, axial
from .test_edits import Desk

BOX = (10.0, 20.0, 30.0, 50.0)


@pytest.fixture
def desk(predictor):
    desk = Desk(predictor, (4, 48, 64))
    desk.viewer.dims.set_point(0, 1)
    desk.draw(BOX)
    desk.run()
    return desk


def stroke(desk, drag, mode, *positions):
    masks = desk.layers.masks
    masks.mode, masks.brush_size = mode, 1
    drag(masks, *positions)
    desk.edits.catch_up()


def carry(desk):
    session = desk.session
    steps, _ = session.carry(Route(axial(0), 0, 3), None)
    for step in steps():
        desk.edits.read_prompts(step.plane)
        session.accept_step(step)


def test_paint_outlives_edits_of_prompts_and_propagation(desk, drag):
    masks = desk.layers.masks
    stroke(desk, drag, "paint", (1, 40, 5), (1, 40, 15))
    stroke(desk, drag, "erase", (1, 20, 25), (1, 20, 45))
    painted = masks.data[1].copy()
    assert (painted[40, 5:16] == 1).all()
    assert not painted[20, 25:46].any()
    desk.layers.points.add([[1, 25, 40]])
    desk.run()
    np.testing.assert_array_equal(masks.data[1], painted)
    carry(desk)
    np.testing.assert_array_equal(masks.data[1], painted)
    assert masks.data[2].any()


def test_a_slice_painted_by_hand_is_left_alone_and_gone_on_from(desk, drag):
    desk.viewer.dims.set_point(0, 2)
    stroke(desk, drag, "paint", (2, 40, 5), (2, 40, 15))
    carry(desk)
    masks = desk.layers.masks.data
    assert np.argwhere(masks[2] == 1).tolist() == [[40, x] for x in range(5, 16)]
    assert (masks[3, 40, 5:16] == 1).all()
    assert not masks[3, :30].any()


def test_undo_takes_a_stroke_back_at_once(desk, drag):
    masks = desk.layers.masks
    before = masks.data.copy()
    stroke(desk, drag, "paint", (1, 40, 5), (1, 40, 10), (1, 44, 15))
    after = masks.data.copy()
    desk.edits.undo()
    np.testing.assert_array_equal(masks.data, before)
    desk.edits.redo()
    np.testing.assert_array_equal(masks.data, after)
    assert desk.session.next_request(None) is None


def test_undo_takes_a_stroke_back_at_once_though_a_run_ended_within(desk, drag):
    masks = desk.layers.masks
    before = masks.data.copy()
    masks.mouse_drag_callbacks.append(lambda *_: desk.edits.read_prompts(axial(1)))
    stroke(desk, drag, "paint", (1, 40, 5), (1, 40, 10), (1, 44, 15))
    desk.edits.undo()
    np.testing.assert_array_equal(masks.data, before)


def test_naparis_undo_leaves_no_trace(desk, drag):
    item = desk.session.objects[1]
    stroke(desk, drag, "erase", (1, 20, 25), (1, 20, 45))
    assert item.hand
    desk.layers.masks.undo()
    assert not item.hand
    desk.layers.masks.redo()
    assert item.hand[axial(1)].removed.full()[20, 25:46].all()


def test_naparis_undo_makes_no_hole_in_an_answer_that_came_after_the_stroke(desk, drag):
    masks, item = desk.layers.masks, desk.session.objects[1]
    stroke(desk, drag, "paint", (1, 35, 25), (1, 35, 45))
    desk.session.move_box(1, axial(1), (10.0, 20.0, 40.0, 50.0))
    desk.run()
    assert masks.mode == "paint"
    masks.undo()
    desk.edits.catch_up()
    assert not item.hand[axial(1)].removed
    assert (masks.data[1, 10:41, 20:51] == 1).all()
    # strokes after that can be taken back as ever
    stroke(desk, drag, "erase", (1, 38, 25), (1, 38, 45))
    masks.undo()
    assert (masks.data[1, 10:41, 20:51] == 1).all()
    assert not item.hand[axial(1)].removed


@pytest.mark.parametrize("meanwhile", ["another object", "undone", "forgotten"])
def test_naparis_undo_makes_no_hole_whatever_became_of_the_stroke(desk, drag, meanwhile):
    masks = desk.layers.masks
    stroke(desk, drag, "paint", (1, 35, 25), (1, 35, 45))
    if meanwhile == "another object":
        desk.draw((32.0, 20.0, 40.0, 50.0))
    else:
        if meanwhile == "undone":
            desk.edits.undo()
        else:
            desk.session.forget_hand_edits(1)
        desk.session.move_box(1, axial(1), (10.0, 20.0, 40.0, 50.0))
    desk.run()
    masks.undo()
    desk.edits.catch_up()
    assert not any(hand.removed for item in desk.session.objects.values() for hand in item.hand.values())


def test_a_locked_layer_stays_locked(desk, drag):
    masks = desk.layers.masks
    stroke(desk, drag, "paint", (1, 35, 25), (1, 35, 45))
    masks.editable = False
    desk.session.move_box(1, axial(1), (10.0, 20.0, 40.0, 50.0))
    desk.run()
    assert not masks.editable


def test_paint_is_forgotten_on_request(desk, drag):
    masks = desk.layers.masks
    before = masks.data.copy()
    stroke(desk, drag, "erase", (1, 20, 25), (1, 20, 45))
    desk.session.forget_hand_edits(1)
    np.testing.assert_array_equal(masks.data, before)


def test_fill_counts_too(desk, drag):
    desk.layers.masks.selected_label = 0
    stroke(desk, drag, "fill", (1, 20, 25))
    desk.layers.points.add([[1, 25, 40]])
    desk.run()
    assert not desk.layers.masks.data[1].any()


def test_paint_of_no_object_is_told_and_stays(desk, drag):
    desk.layers.masks.selected_label = 7
    stroke(desk, drag, "paint", (1, 40, 5))
    assert "label 7" in desk.warnings[-1]
    desk.layers.points.add([[1, 25, 40]])
    desk.run()
    assert desk.layers.masks.data[1, 40, 5] == 7


def test_paint_in_a_coronal_view_reaches_the_slices(desk):
    item = desk.session.objects[1]
    desk.viewer.dims.order = (1, 0, 2)
    desk.viewer.dims.set_point(1, 40)
    desk.layers.masks.data_setitem((np.array([0, 1, 2]), np.full(3, 40), np.full(3, 5)), 1)
    desk.edits.catch_up()
    assert item.hand.keys() == {axial(0), axial(1), axial(2)}
    assert item.masks[axial(2)].full()[40, 5]


def test_paint_on_a_picture(predictor, drag):
    desk = Desk(predictor, (48, 64))
    desk.draw(BOX, FLAT)
    desk.run()
    stroke(desk, drag, "paint", (40, 5), (40, 15))
    desk.session.regenerate(1)
    desk.run()
    assert (desk.layers.masks.data[40, 5:16] == 1).all()


def test_masks_from_before_are_taken_over(desk):
    masks = desk.layers.masks.data
    masks[2, 5:9, 5:9] = 1
    desk.edits.stop()
    layers = SessionLayers(desk.viewer, desk.image, desk.session.predictor)
    Edits(layers, lambda: None, desk.warnings.append)
    item = layers.session.objects[1]
    assert item.masks.keys() == {axial(1), axial(2)}
    assert not item.hand
    assert (masks[2, 5:9, 5:9] == 1).all()


def test_naparis_undo_counts_on_slices_out_of_view(desk, drag):
    item = desk.session.objects[1]
    for z in (1, 2):
        desk.viewer.dims.set_point(0, z)
        stroke(desk, drag, "paint", (z, 40, 5), (z, 40, 15))
    desk.viewer.dims.set_point(0, 3)
    desk.layers.masks.undo()
    assert item.hand.keys() == {axial(1)}
    desk.layers.masks.undo()
    assert not item.hand
    desk.layers.masks.redo()
    assert item.hand.keys() == {axial(1)}


def test_paint_of_a_committed_object_is_told(desk, drag):
    desk.session.commit([1])
    desk.layers.masks.selected_label = 1
    stroke(desk, drag, "paint", (1, 40, 5))
    assert "Object 1 is committed" in desk.warnings[-1]
    assert not desk.session.objects[1].hand
