"""Undo and redo through a session: everything that the plugin does, there and back."""

import gc
import tracemalloc

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Route
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.objects import State
from napari_swin_litemedsam.plugin.session import Session

from .conftest import FLAT, answer, axial

BOX = (10.0, 20.0, 30.0, 50.0)


@pytest.fixture
def session(predictor):
    return Session(np.zeros((5, 48, 64)), (5, 48, 64), LazyPredictor(lambda: predictor))


@pytest.fixture
def picture(predictor):
    return Session(np.zeros((48, 64)), (48, 64), LazyPredictor(lambda: predictor))


def run(session):
    request = session.next_request(None)
    return answer(session, request)


def carry(session):
    steps, _ = session.carry(Route(axial(0), 0, 4), None)
    for step in steps():
        session.accept_step(step)


def state(session):
    """All of a session that a user can see."""
    return {
        id: (
            item.plane,
            item.box,
            item.seed,
            item.points.tolist(),
            item.point_labels.tolist(),
            item.scribble and item.scribble.full().tobytes(),
            item.iou,
            item.state,
            {plane: mask.full().tobytes() for plane, mask in item.masks.items()},
            dict(item.carried),
        )
        for id, item in session.objects.items()
    }


class TestUndo:
    def test_goes_back_to_the_beginning_and_forth_again(self, session):
        def draw(box):
            return lambda: session.add_box(axial(1), box)

        negative = np.array([[12.0, 22.0], [14.0, 40.0]])
        scribble = np.zeros((48, 64), bool)
        scribble[40, 10:20] = True
        actions = [
            draw(BOX),
            draw((5, 5, 20, 30)),
            lambda: session.move_box(1, axial(1), (12, 20, 30, 50)),
            lambda: session.move_box(1, axial(2), (12, 20, 30, 50)),
            lambda: session.edit_points(2, negative, [1, 0]),
            lambda: session.edit_scribble(1, scribble),
            lambda: session.regenerate(2),
            lambda: carry(session),
            lambda: session.remove(1),
            draw((0, 0, 9, 9)),
        ]
        states = [state(session)]
        for act in actions:
            act()
            while (request := session.next_request(None)) is not None:
                answer(session, request)
            states.append(state(session))
        for expected in states[-2::-1]:
            assert session.undo()
            assert state(session) == expected
            assert session.next_request(None) is None
        assert not session.undo()
        for expected in states[1:]:
            assert session.redo()
            assert state(session) == expected
            assert session.next_request(None) is None
        assert not session.redo()

    def test_takes_back_what_runs(self, session):
        session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [0])
        request = session.next_request(None)
        session.undo()
        assert answer(session, request) is None
        assert session.objects[1].state is State.DONE
        assert len(session.objects[1].points) == 4

    def test_edits_that_were_not_answered_between_are_one_step(self, session):
        session.add_box(axial(1), BOX)
        run(session)
        for x in range(22, 27):
            session.edit_points(1, [[12, x]], [1])
        run(session)
        session.undo()
        assert len(session.objects[1].points) == 4
        session.undo()
        assert not session.objects

    def test_propagation_is_one_step_though_edits_come_between(self, session):
        item = session.add_box(axial(2), BOX)
        run(session)
        steps, _ = session.carry(Route(axial(0), 0, 4), None)
        for number, step in enumerate(steps()):
            session.accept_step(step)
            if number == 1:
                session.add_box(axial(0), (1, 1, 9, 9))
        assert item.masks.keys() == {axial(z) for z in range(5)}
        session.undo()
        assert item.masks.keys() == {axial(z) for z in range(5)}
        session.undo()
        assert item.masks.keys() == {axial(2)}
        assert not item.carried

    def test_stops_a_propagation(self, session):
        item = session.add_box(axial(2), BOX)
        run(session)
        steps, _ = session.carry(Route(axial(0), 0, 4), None)
        taken = []
        for step in steps():
            taken.append(session.accept_step(step))
            if len(taken) == 2:
                session.undo()
        assert len(taken) == 2
        assert item.masks.keys() == {axial(2)}

    def test_several_edits_can_be_one_step(self, session):
        told = []
        session.changed.connect(told.append)
        with session.together():
            for _ in range(3):
                session.add_box(axial(1), BOX)
        assert [sorted(change.ids) for change in told] == [[1, 2, 3]]
        session.undo()
        assert not session.objects
        assert session.current is None

    def test_tells_what_changed_and_lets_nothing_run(self, session):
        session.add_box(axial(1), BOX)
        run(session)
        session.move_box(1, axial(3), BOX)
        told = []
        session.changed.connect(told.append)
        session.undo()
        assert told[0].ids == {1}
        assert {axial(1), axial(3)} <= told[0].planes
        assert not told[0].waits

    def test_lets_run_what_had_no_answer_yet(self, session):
        session.add_box(axial(1), BOX)
        session.next_request(None)
        session.move_box(1, axial(1), (12, 20, 30, 50))
        run(session)
        told = []
        session.changed.connect(told.append)
        session.undo()
        assert told[0].waits
        assert run(session).box == BOX

    @pytest.mark.parametrize("again", ["for another window", "without points"])
    @pytest.mark.parametrize("last", ["propagate", "edit again"])
    def test_takes_a_later_run_back_with_the_edit_before_it(self, session, last, again):
        item = session.add_box(axial(2), BOX)
        run(session)
        before = item.iou, item.answers[axial(2)]
        if last == "propagate":
            carry(session)
        else:
            session.commit([1])
            session.reopen([1])
        if again == "without points":
            session.switch_prompts(points=False)
        else:
            session.run_again(1)
        run(session)
        assert session.history.undo_name == last
        session.undo()
        assert (item.iou, item.answers[axial(2)]) == before
        assert item.state is State.DONE
        assert session.next_request(None) is None
        session.redo()
        assert item.state is State.DONE

    def test_memory_does_not_grow(self, picture):
        rng = np.random.default_rng(0)
        for _ in range(200):
            y, x = rng.integers(0, 30, 2)
            picture.add_box(FLAT, (y, x, y + 15, x + 15))
            run(picture)
        for _ in range(50):
            picture.undo()
        for _ in range(50):
            picture.redo()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        steps = picture.history.nbytes
        for _ in range(50):
            picture.undo()
            picture.redo()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert len(picture.objects) == 200
        assert grown < 50_000
        assert picture.history.nbytes == steps < 2**20
