import numpy as np
import pytest
from napari.components import ViewerModel

from napari_swin_litemedsam.plugin.edits import Edits
from napari_swin_litemedsam.plugin.layers import SessionLayers
from napari_swin_litemedsam.plugin.loading import LazyPredictor

from .conftest import FLAT, answer, axial

BOX = (2.0, 3.0, 9.0, 12.0)
SLICE = axial(1)


class Desk:
    """Layers with someone listening; `run` answers what was asked."""

    def __init__(self, predictor, shape=(4, 20, 30), **geometry):
        self.viewer = ViewerModel()
        self.image = self.viewer.add_image(np.zeros(shape), name="scan", **geometry)
        self.layers = SessionLayers(self.viewer, self.image, LazyPredictor(lambda: predictor))
        self.layers.add("boxes")
        self.session = self.layers.session
        self.edited, self.warnings = [], []
        self.edits = Edits(self.layers, lambda: self.edited.append(1), self.warnings.append)

    def run(self):
        self.layers.ensure()
        self.edits.listen()
        while (request := self.session.next_request(None)) is not None:
            answer(self.session, request)
        self.edited.clear()

    def draw(self, box=BOX, plane=SLICE):
        self.layers.boxes.add_rectangles(plane.rectangle(box))


def press(layer, key):
    """Do what napari does for a key in a layer."""
    next(do for name, do in layer.class_keymap.items() if str(name) == key)(layer)


@pytest.fixture
def desk(predictor):
    desk = Desk(predictor)
    desk.draw()
    desk.run()
    desk.viewer.dims.set_point(0, 1)
    return desk


class TestBoxes:
    def test_one_becomes_an_object_with_its_number(self, predictor):
        desk = Desk(predictor)
        desk.draw()
        assert desk.session.objects[1].plane == axial(1)
        assert desk.session.objects[1].box == BOX
        assert desk.layers.boxes.features["object"].tolist() == [1]
        assert len(desk.edited) == 1

    def test_a_copy_becomes_an_object_of_its_own(self, desk):
        boxes = desk.layers.boxes
        boxes.selected_data = {0}
        desk.draw((5.0, 5.0, 15.0, 15.0))
        assert boxes.features["object"].tolist() == [1, 2]
        assert desk.session.objects[1].box == BOX

    def test_nothing_moved_is_no_edit(self, desk):
        desk.layers.boxes.data = desk.layers.boxes.data
        assert not desk.edited

    def test_one_across_slices_counts_on_the_middle_one(self, desk):
        desk.layers.boxes.add_rectangles(np.array([[0, 2, 5], [0, 9, 5], [2, 9, 8], [2, 2, 8]]))
        assert desk.session.objects[2].plane == axial(1)
        assert "several" in desk.warnings[0]

    def test_one_off_the_volume_counts_on_its_nearest_slice(self, desk):
        desk.draw(plane=axial(9))
        assert desk.session.objects[2].plane == axial(3)

    def test_positions_go_through_the_world(self, predictor):
        desk = Desk(predictor, scale=(3, 2, 2), translate=(0, 10, 20))
        # a user may place the boxes' layer elsewhere
        desk.layers.boxes.scale = (3, 1, 1)
        desk.layers.boxes.translate = (0, 0, 0)
        desk.draw((14.0, 26.0, 28.0, 44.0))
        np.testing.assert_allclose(desk.session.objects[1].box, BOX)

    def test_the_selected_one_is_current(self, desk):
        desk.draw((5.0, 5.0, 15.0, 15.0))
        desk.layers.boxes.selected_data = {0}
        assert desk.session.current == 1


class TestPoints:
    def test_out_of_the_slice_do_not_count(self, desk):
        desk.layers.points.add([[3, 5, 5]])
        assert len(desk.session.objects[1].points) == 4
        assert "slice, 1" in desk.warnings[0]

    def test_that_do_not_count_go_and_are_told_of_once(self, desk):
        desk.layers.points.add([[3, 5, 5]])
        assert len(desk.layers.points.data) == 4
        desk.edits.read_points()
        assert len(desk.warnings) == 1

    def test_of_a_committed_object_are_told(self, desk):
        desk.session.commit([1])
        desk.layers.points.feature_defaults = {"object": 1, "kind": "positive"}
        desk.layers.points.add([[1, 5, 5]])
        assert "Object 1 is committed" in desk.warnings[0]
        assert not len(desk.layers.points.data)

    def test_of_no_object_do_not_count(self, desk):
        desk.layers.points.feature_defaults = {"object": 9, "kind": "positive"}
        desk.layers.points.add([[1, 5, 5]])
        assert len(desk.session.objects[1].points) == 4
        assert not desk.edited

    def test_pasted_are_an_edit(self, predictor):
        # napari itself pastes none in volumes
        desk = Desk(predictor, shape=(20, 30))
        desk.draw(plane=FLAT)
        desk.run()
        points = desk.layers.points
        points.selected_data = {2}
        press(points, "Ctrl+C")
        press(points, "Ctrl+V")
        assert len(desk.session.objects[1].points) == 5
        assert desk.edited

    def test_all_deleted_is_none_given(self, desk):
        desk.layers.points.data = np.zeros((0, 3))
        request = desk.session.next_request(None)
        assert request.points.shape == (0, 2)


class TestScribble:
    def paint(self, desk, z=1, label=1):
        desk.layers.scribble.paint((z, 15, 15), label)
        desk.edits.catch_up()

    def test_painting_is_an_edit(self, desk):
        self.paint(desk)
        assert desk.session.objects[1].scribble.full()[15, 15]
        assert desk.session.objects[1].scribble_edited
        assert desk.edited

    def test_painting_counts_even_if_the_user_scrolls_on(self, desk):
        desk.layers.scribble.paint((1, 15, 15), 1)
        desk.viewer.dims.set_point(0, 2)
        desk.edits.catch_up()
        assert desk.session.objects[1].scribble_edited

    def test_scrolling_is_not(self, desk):
        for z in (0, 2, 1):
            desk.viewer.dims.set_point(0, z)
        assert not desk.edited

    def test_undo_is_an_edit(self, desk):
        before = desk.session.objects[1].scribble.full()
        self.paint(desk)
        desk.edited.clear()
        desk.layers.scribble.undo()
        np.testing.assert_array_equal(desk.session.objects[1].scribble.full(), before)
        assert desk.edited

    def test_undo_counts_on_slices_out_of_view(self, desk):
        before = desk.session.objects[1].scribble.full()
        self.paint(desk)
        for z in (2, 3):
            desk.viewer.dims.set_point(0, z)
        desk.layers.scribble.undo()
        np.testing.assert_array_equal(desk.session.objects[1].scribble.full(), before)

    def test_of_a_committed_object_is_told(self, desk):
        desk.session.commit([1])
        desk.layers.scribble.selected_label = 1
        self.paint(desk)
        assert "Object 1 is committed" in desk.warnings[0]

    def test_on_another_slice_is_told(self, desk):
        desk.viewer.dims.set_point(0, 2)
        self.paint(desk, z=2)
        assert not desk.session.objects[1].scribble_edited
        assert "object 1 is 1" in desk.warnings[0]

    def test_of_no_object_is_told(self, desk):
        desk.layers.scribble.selected_label = 5
        self.paint(desk, label=5)
        assert not desk.session.objects[1].scribble_edited
        assert "label 5" in desk.warnings[0]

    def test_its_label_chooses_the_object(self, desk):
        desk.draw((5.0, 5.0, 15.0, 15.0))
        desk.run()
        desk.layers.scribble.selected_label = 1
        assert desk.session.current == 1


class TestImage:
    def test_layers_follow_it(self, desk):
        desk.image.scale = (5, 2, 2)
        desk.image.translate = (1, 2, 3)
        for layer in desk.layers.own():
            np.testing.assert_allclose(layer.scale, (5, 2, 2))
            np.testing.assert_allclose(layer.translate, (1, 2, 3))

    def test_new_pixels_are_encoded_anew(self, desk):
        desk.session.regenerate(1)
        before = desk.session.next_request(None).key
        desk.image.data = np.ones((4, 20, 30))
        desk.session.regenerate(1)
        assert desk.session.next_request(None).key != before
        assert desk.session.data.max() == 1

    def test_another_size_is_not_taken(self, desk):
        desk.image.data = np.ones((4, 10, 10))
        assert desk.layers.outdated
        assert desk.session.data.shape == (4, 20, 30)


def test_nothing_is_heard_after_the_end(desk):
    desk.edits.stop()
    desk.draw((5.0, 5.0, 15.0, 15.0))
    desk.layers.points.add([[1, 5, 5]])
    assert not desk.edited
    assert list(desk.session.objects) == [1]


def test_what_was_left_for_later_is_shown_at_the_end(desk):
    desk.run()
    item = desk.session.objects[1]
    with desk.session.consequence(None, 1, goes_on=True):
        item.carried[axial(2)] = BOX
    desk.edits.stop()
    assert len(desk.layers.carried.data) == 1
