"""Preview and commit."""

import threading

import numpy as np
import pytest

from napari_swin_litemedsam.plugin import results
from napari_swin_litemedsam.plugin.carrying import Route
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.session import Session

from .conftest import answer, axial
from .test_edits import Desk

BOX, OTHER = (5.0, 5.0, 15.0, 15.0), (10.0, 10.0, 20.0, 20.0)


@pytest.fixture
def session(predictor):
    return Session(np.zeros((4, 30, 40)), (4, 30, 40), LazyPredictor(lambda: predictor))


def draw(session, box=BOX, z=1):
    item = session.add_box(axial(z), box)
    request = session.next_request(None)
    answer(session, request)
    return item


def carry(session):
    steps, _ = session.carry(Route(axial(0), 0, 3), None)
    for step in steps():
        session.accept_step(step)


class TestCommit:
    def test_writes_all_slices_whatever_the_range_of_a_run(self, session):
        item = draw(session)
        carry(session)
        assert item.stage == "propagated"
        assert session.commit([1]) == [1]
        assert session.result.any(axis=(1, 2)).all()
        assert (session.result[1] == 1).sum() == 121
        assert item.stage == "committed"
        assert session.current is None

    def test_keeps_what_is_there(self, session):
        draw(session)
        draw(session, OTHER)
        session.commit([1, 2], "keep")
        assert session.result[1, 12, 12] == 1
        assert session.result[1, 18, 18] == 2

    def test_or_overwrites_it(self, session):
        draw(session)
        draw(session, OTHER)
        session.commit([1, 2], "overwrite")
        assert session.result[1, 12, 12] == 2

    def test_asks_only_if_something_overlaps(self, session):
        asked = []

        def ask(labels):
            asked.append(labels)
            return "overwrite"

        draw(session)
        session.commit([1], ask)
        draw(session, OTHER)
        assert asked == []
        session.commit([2], ask)
        assert asked == [{1}]
        assert session.result[1, 12, 12] == 2

    def test_of_nothing_if_the_answer_is_none(self, session):
        draw(session)
        session.commit([1])
        draw(session, OTHER)
        assert session.commit([2], lambda _: None) == []
        assert session.objects[2].stage == "previewed"
        assert 2 not in session.result

    def test_leaves_out_what_waits(self, session):
        session.add_box(axial(1), BOX)
        assert session.commit([1]) == []
        assert session.result is None

    def test_takes_hand_edits_along(self, session):
        draw(session)
        labels = np.zeros((30, 40), np.uint16)
        session.draw_masks(labels, axial(1))
        labels[25, 30] = 1
        session.read_masks(labels, axial(1))
        assert session.objects[1].stage == "edited"
        session.commit([1])
        assert session.result[1, 25, 30] == 1

    def test_again_replaces_the_old_pixels(self, session):
        draw(session)
        carry(session)
        session.commit([1])
        session.reopen([1])
        assert session.current == 1
        session.move_box(1, axial(1), OTHER)
        request = session.next_request(None)
        answer(session, request)
        session.commit([1])
        assert session.result[1, 6, 6] == 0
        assert session.result[1, 18, 18] == 1

    def test_leaves_labels_that_were_there_before(self, session):
        session.adopt_result(np.full((4, 30, 40), 3, np.uint16))
        item = draw(session)
        assert item.id == 4
        session.commit([4])
        assert (session.result == 3).all()
        session.objects[4].committed = False
        session.commit([4], "overwrite")
        assert (session.result == 4).sum() == 121

    def test_refuses_slices_that_come_later(self, session):
        draw(session)
        steps, _ = session.carry(Route(axial(0), 0, 3), None)
        stream = steps()
        session.accept_step(next(stream))
        session.commit([1])
        assert list(stream) == []


class TestUndo:
    def test_takes_a_commit_back(self, session):
        draw(session)
        draw(session, OTHER)
        session.commit([1, 2], "overwrite")
        committed = session.result.copy()
        session.undo()
        assert not session.result.any()
        assert session.open_objects.keys() == {1, 2}
        session.redo()
        np.testing.assert_array_equal(session.result, committed)
        assert not session.open_objects

    def test_leaves_what_the_user_has_painted_since(self, session):
        draw(session)
        session.commit([1])
        session.result[1, 6, 6] = 9
        session.undo()
        assert session.result[1, 6, 6] == 9
        assert (session.result != 0).sum() == 1

    def test_brings_a_deleted_object_back_to_the_result(self, session):
        draw(session)
        session.commit([1])
        session.remove(1)
        assert not session.result.any()
        session.undo()
        assert (session.result[1] == 1).sum() == 121
        assert session.objects[1].stage == "committed"


class TestPixelsThatTwoMasksHold:
    @pytest.fixture(params=["keep", "overwrite"])
    def session(self, session, request):
        draw(session)
        draw(session, OTHER)
        session.commit([1], request.param)
        session.commit([2], request.param)
        return session

    def test_go_to_the_one_that_is_left_when_the_other_is_deleted(self, session):
        for gone, left in ((1, 2), (2, 1)):
            session.remove(gone)
            assert (session.result == left).sum() == 121
            assert (session.result == gone).sum() == 0
            session.undo()

    def test_are_not_taken_for_erased_by_the_user(self, session):
        session.remove(1)
        session.reopen([2])
        assert session.objects[2].masks[axial(1)].full().sum() == 121
        assert not session.objects[2].hand


class TestLayers:
    def test_what_is_committed_moves_from_the_preview_to_the_result(self, predictor):
        desk = Desk(predictor, (4, 30, 40))
        desk.draw(BOX)
        desk.run()
        layers = desk.layers
        desk.session.commit([1])
        assert desk.edited
        layers.ensure()
        assert (layers.result.data[1] == 1).sum() == 121
        assert layers.result.data is desk.session.result
        assert not layers.masks.data.any()
        assert not layers.scribble.data.any()
        assert len(layers.points.data) == len(layers.boxes.data) == 0
        desk.draw(OTHER)
        assert list(desk.session.objects) == [1, 2]
        desk.session.undo()
        desk.session.undo()
        assert (layers.masks.data[1] == 1).sum() == 121
        assert not layers.result.data.any()
        assert layers.boxes.features["object"].tolist() == [1]
        assert desk.session.next_request(None) is None


class TestPaintOnTheResult:
    @pytest.fixture
    def desk(self, predictor):
        desk = Desk(predictor, (4, 30, 40))
        desk.draw(BOX)
        desk.run()
        desk.viewer.dims.set_point(0, 1)
        desk.session.commit([1])
        desk.run()
        desk.layers.result.brush_size = 1
        return desk

    def test_outlives_another_edit_of_the_object(self, desk):
        result = desk.layers.result
        result.paint((1, 25, 30), 1)
        result.paint((1, 10, 10), 0)
        painted = result.data.copy()
        desk.session.reopen([1])
        assert desk.layers.masks.data[1, 25, 30] == 1
        assert desk.layers.masks.data[1, 10, 10] == 0
        desk.session.commit([1])
        np.testing.assert_array_equal(result.data, painted)
        desk.session.undo()
        desk.session.undo()
        assert desk.session.objects[1].committed
        assert not desk.session.objects[1].hand

    def test_outlives_a_second_commit(self, desk):
        desk.layers.result.paint((1, 10, 10), 0)
        painted = desk.layers.result.data.copy()
        assert desk.session.commit([1], "overwrite") == []
        np.testing.assert_array_equal(desk.layers.result.data, painted)
        assert desk.session.history.undo_name == "commit"

    @pytest.mark.parametrize("z", [0, 3])
    def test_comes_along_from_slices_without_a_mask(self, desk, z):
        result = desk.layers.result
        result.paint((z, 25, 30), 1)
        painted = result.data.copy()
        desk.session.reopen([1])
        assert desk.layers.masks.data[z, 25, 30] == 1
        desk.session.commit([1])
        np.testing.assert_array_equal(result.data, painted)
        desk.session.undo()
        desk.session.undo()
        assert list(desk.session.objects[1].masks) == [axial(1)]
        np.testing.assert_array_equal(result.data, painted)

    def test_keeps_its_label_for_itself(self, desk):
        result = desk.layers.result
        result.selected_label = 2
        result.paint((3, 25, 30), 2)
        desk.draw(OTHER)
        desk.run()
        assert list(desk.session.objects) == [1, 3]


def test_opening_a_mere_result_has_a_name_to_be_undone_by(session):
    session.replace_all([], np.ones((4, 30, 40), np.uint16), None)
    assert session.history.undo_name == "open session"


def test_labels_are_looked_through_in_a_thread(session, monkeypatch):
    threads = []
    monkeypatch.setattr(results, "_ids_in", lambda labels: threads.append(threading.current_thread()) or {7})
    session.adopt_result(np.zeros((4, 30, 40), np.uint16))
    assert draw(session).id == 8
    assert threads
    assert threading.main_thread() not in threads
