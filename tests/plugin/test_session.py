import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Route
from napari_swin_litemedsam.plugin.editing import label_masks
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


def run(session, window=None):
    request = session.next_request(window)
    return answer(session, request)


def carry(session, first=0, last=4):
    steps, total = session.carry(Route(axial(0), first, last), None)
    carried = list(steps())
    assert len(carried) == total
    for step in carried:
        session.accept_step(step)
    return carried


class TestObjects:
    def test_ids_count_from_one(self, session):
        assert [session.add_box(axial(1), BOX).id for _ in range(3)] == [1, 2, 3]
        assert session.current == 3

    def test_ids_in_use_are_not_given_again(self, session):
        for _ in range(3):
            session.add_box(axial(1), BOX)
        session.remove(1)
        assert session.add_box(axial(1), BOX).id == 4

    def test_an_old_id_comes_back_if_it_is_free(self, session):
        assert session.add_box(axial(1), BOX, 5).id == 5
        assert session.add_box(axial(1), BOX, 5).id == 6

    def test_removing_the_current_one_turns_to_another(self, session):
        session.add_box(axial(1), BOX)
        session.add_box(axial(1), BOX)
        session.remove(2)
        assert session.current == 1
        session.remove(1)
        assert session.current_object is None


class TestRequests:
    def test_none_without_edits(self, session):
        assert session.next_request(None) is None
        session.add_box(axial(1), BOX)
        run(session)
        assert session.next_request(None) is None

    def test_the_current_object_comes_first(self, session):
        session.add_box(axial(1), BOX)
        session.add_box(axial(1), BOX)
        session.current = 1
        assert session.next_request(None).id == 1

    def test_generated_prompts_are_kept(self, session):
        item = session.add_box(axial(1), BOX)
        run(session)
        assert item.state is State.DONE
        assert item.iou == 0.9
        assert len(item.points) == 4
        assert item.scribble.full()[20, 30]
        assert item.masks[axial(1)].box == BOX

    def test_edited_prompts_are_passed_as_given(self, session):
        session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        request = session.next_request(None)
        assert request.points.tolist() == [[12, 22]]
        assert request.scribble is None

    def test_an_outdated_answer_is_refused(self, session):
        item = session.add_box(axial(1), BOX)
        request = session.next_request(None)
        session.move_box(1, axial(1), (0, 0, 5, 5))
        assert answer(session, request) is None
        assert item.state is State.WAITING
        assert not item.masks

    def test_a_small_object_is_shown_at_the_first_of_two_looks(self, session, predictor):
        predictor.small = True
        item = session.add_box(axial(1), BOX)
        request = session.next_request(None)
        first, second = session.compute(request)
        assert session.accept(request, *first) is item
        assert item.masks[axial(1)].box == (10, 20, 29, 50)
        assert item.state is State.RUNNING
        assert session.commit([1]) == [], "its mask is not the last"
        assert session.accept(request, *second) is item
        assert item.masks[axial(1)].box == (10, 20, 30, 50)
        assert item.state is State.DONE
        assert session.undo()
        assert not session.objects
        assert session.redo()
        assert session.objects[1].masks[axial(1)].box == (10, 20, 30, 50)

    def test_an_edit_after_the_first_look_comes_before_the_second(self, session, predictor):
        predictor.small = True
        item = session.add_box(axial(1), BOX)
        request = session.next_request(None)
        answers = session.compute(request)
        session.accept(request, *next(answers))
        session.edit_points(1, [[12, 22]], [0])
        assert list(answers) == [], "nobody waits for it any more"
        assert len(predictor.calls) == 1
        assert item.state is State.WAITING
        assert item.masks[axial(1)].box == (10, 20, 29, 50)

    def test_an_answer_to_a_removed_object_is_refused(self, session):
        session.add_box(axial(1), BOX)
        request = session.next_request(None)
        session.remove(1)
        assert answer(session, request) is None
        assert session.fail(request, "gone") is None

    def test_a_failure_keeps_the_old_mask(self, session):
        item = session.add_box(axial(1), BOX)
        run(session)
        session.move_box(1, axial(1), (90, 90, 99, 99))
        session.fail(session.next_request(None), "outside")
        assert item.state is State.FAILED
        assert item.masks[axial(1)].box == BOX

    def test_the_window_is_handed_on(self, picture, predictor):
        picture.add_box(FLAT, BOX)
        run(picture, (1.0, 2.0))
        assert predictor.images[-1][1] == (1.0, 2.0)

    def test_slices_and_states_of_an_image_have_their_own_names(self, session, picture):
        session.add_box(axial(1), BOX)
        session.add_box(axial(2), BOX)
        picture.add_box(FLAT, BOX)
        keys = {session.next_request(None).key, session.next_request(None).key, picture.next_request(None).key}
        session.image_changed(np.ones((5, 48, 64)))
        session.regenerate(1)
        assert len(keys | {session.next_request(None).key}) == 4


class TestEdits:
    def test_without_a_difference_is_none(self, session):
        item = session.add_box(axial(1), BOX)
        run(session)
        assert not session.move_box(1, axial(1), BOX)
        assert not session.edit_points(1, item.points, item.point_labels)
        assert not session.edit_scribble(1, item.scribble.full())
        assert item.state is State.DONE
        assert not item.edited

    def test_resizing_keeps_edited_prompts(self, session):
        item = session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        session.move_box(1, axial(1), (5, 15, 30, 50))
        assert item.points_edited

    def test_prompts_that_the_user_left_do_not_become_his_with_another_box(self, session, predictor):
        item = session.add_box(axial(1), BOX)
        run(session)
        drawn = item.scribble.full()
        stroke = np.zeros_like(drawn)
        stroke[12, 22:30] = True
        # the first is dragged, the last added
        session.edit_points(1, [item.points[0] + 1, *item.points[1:], (20, 30)], [1, 1, 1, 1, 1])
        session.edit_scribble(1, drawn | stroke)
        session.move_box(1, axial(1), (5, 15, 30, 50))
        run(session)
        call = predictor.calls[-1]
        assert call["placed"].tolist() == [True, False, False, False, True]
        np.testing.assert_array_equal(call["painted"], stroke)
        np.testing.assert_array_equal(call["scribble"], drawn | stroke)

    @pytest.mark.parametrize(("plane", "box"), [(axial(1), (40, 55, 45, 60)), (axial(2), BOX)])
    def test_moving_off_drops_them(self, session, plane, box):
        item = session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        scribble = item.scribble.full()
        scribble[12] = True
        session.edit_scribble(1, scribble)
        session.move_box(1, plane, box)
        assert not item.edited

    def test_regenerating_drops_them_and_takes_the_next_seed(self, session, predictor):
        session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        session.regenerate(1)
        run(session)
        assert predictor.calls[-1]["seed"] == 1
        assert predictor.calls[-1]["points"] is None


class TestScribbles:
    def test_crossing_ones_do_not_cut_each_other(self, picture):
        for box in ((10, 10, 20, 40), (5, 20, 25, 30)):
            picture.add_box(FLAT, box)
            run(picture)
        labels = np.zeros((48, 64), np.uint16)
        picture.draw_scribbles(labels, FLAT)
        assert not picture.read_scribbles(labels, FLAT)
        labels[40, 10] = 2
        assert picture.read_scribbles(labels, FLAT)
        assert picture.objects[2].scribble_edited
        assert not picture.objects[1].scribble_edited

    def test_strokes_of_no_object_stay(self, picture):
        picture.add_box(FLAT, BOX)
        run(picture)
        labels = np.full((48, 64), 7, np.uint16)
        picture.draw_scribbles(labels, FLAT)
        assert labels[0, 0] == 7
        assert labels[20, 30] == 1


class TestPropagation:
    def test_covers_the_range(self, session):
        item = session.add_box(axial(2), BOX)
        run(session)
        carry(session, 1, 3)
        assert set(item.masks) == {axial(1), axial(2), axial(3)}
        assert set(item.carried) == {axial(1), axial(2), axial(3)}

    def test_reuses_what_was_encoded(self, session, predictor):
        session.add_box(axial(2), BOX)
        run(session)
        drawn = predictor.images[-1][2]
        carry(session, 2, 3)
        assert [key for *_, key in predictor.images][1] == drawn

    def test_leaves_boxes_outside_the_range(self, session):
        session.add_box(axial(0), BOX)
        assert Route(axial(1), 1, 3).objects(session.objects.values()) == []

    def test_a_box_beside_the_image_keeps_no_other_object_waiting(self, session):
        session.add_box(axial(2), BOX)
        beside = session.add_box(axial(2), (60.0, 70.0, 70.0, 80.0))
        session.fail(session.next_request(None), "the first has no answer either")
        session.fail(session.next_request(None), "covers nothing")
        assert {step.id for step in carry(session)} == {1}
        assert not beside.masks

    def test_refuses_slices_of_a_changed_object(self, session):
        session.add_box(axial(2), BOX)
        run(session)
        steps, _ = session.carry(Route(axial(0), 0, 4), None)
        session.move_box(1, axial(2), (0, 0, 9, 9))
        assert all(session.accept_step(step) is None for step in steps())

    def test_starts_with_the_mask_of_edited_prompts(self, session):
        item = session.add_box(axial(2), BOX)
        run(session)
        session.edit_points(1, [*item.points, [20, 30]], [1, 1, 1, 1, 0])
        run(session)
        assert sorted(c.step.z for c in carry(session)) == [0, 1, 3, 4]
        assert item.masks[axial(2)].box == (20, 20, 30, 50)
        assert item.masks[axial(3)].box[0] == pytest.approx(20, abs=1.5)

    def test_at_the_end_of_the_volume(self, session):
        item = session.add_box(axial(4), BOX)
        run(session)
        session.edit_points(1, item.points[:1], [1])
        run(session)
        assert [c.step.z for c in carry(session)] == [3, 2, 1, 0]

    def test_with_nowhere_to_go(self, session):
        item = session.add_box(axial(4), BOX)
        run(session)
        session.edit_points(1, item.points[:1], [1])
        run(session)
        assert carry(session, 4, 4) == []

    def test_what_is_to_be_carried_again_is_told_of_once(self, session):
        for _ in range(3):
            session.add_box(axial(1), BOX)
            run(session)
        carry(session)
        before = {id: dict(item.carried) for id, item in session.objects.items()}
        told = []
        session.changed.connect(told.append)
        session.carry(Route(axial(0), 0, 4), None)
        assert [change.ids for change in told] == [{1, 2, 3}]
        assert not any(item.carried for item in session.objects.values())
        session.undo()
        assert {id: item.carried for id, item in session.objects.items()} == before


class TestSwitches:
    def test_points_and_scribble_can_be_left_out(self, session, predictor):
        item = session.add_box(axial(1), BOX)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        run(session)
        session.switch_prompts(points=False, scribble=False)
        run(session)
        assert predictor.calls[-1]["points"].shape == (0, 2)
        assert predictor.calls[-1]["scribble"] is False
        assert item.points.tolist() == [[12, 22]]
        session.switch_prompts(points=True)
        run(session)
        assert predictor.calls[-1]["points"].tolist() == [[12, 22]]
        assert predictor.calls[-1]["scribble"] is False

    def test_switching_to_the_same_runs_nothing(self, session):
        session.add_box(axial(1), BOX)
        run(session)
        session.switch_prompts(points=True, scribble=True)
        assert session.next_request(None) is None

    def test_edits_collect_until_the_user_asks(self, session):
        session.live = False
        session.add_box(axial(1), BOX)
        assert session.next_request(None) is None
        session.ask()
        run(session)
        for x in (22, 23):
            session.edit_points(1, [[12, x]], [1])
        assert session.next_request(None) is None
        session.undo()
        assert session.objects[1].points.tolist() == [[12, 22]]
        session.redo()
        session.ask()
        assert session.next_request(None).points.tolist() == [[12, 23]]

    def test_reset_goes_back_to_the_first_prompts(self, session, predictor):
        item = session.add_box(axial(1), BOX)
        run(session)
        first = item.points.copy()
        session.regenerate(1)
        run(session)
        session.edit_points(1, [[12, 22]], [1])
        run(session)
        session.reset_prompts(1)
        run(session)
        assert predictor.calls[-1]["seed"] == 0
        np.testing.assert_array_equal(item.points, first)
        session.undo()
        assert item.points.tolist() == [[12, 22]]


class TestLabelsFromElsewhere:
    @pytest.fixture
    def labels(self):
        labels = np.zeros((5, 48, 64), np.uint8)
        labels[1:4, 10:31, 20:51] = 7
        labels[2, 0, 0] = 3
        return labels

    def test_start_with_their_mask_and_prompts_on_it(self, session, labels, predictor):
        item = session.add_masks(label_masks(labels, session.shape, 7, axial(2)), axial(2))
        assert item.box == BOX
        assert item.masks.keys() == {axial(1), axial(2), axial(3)}
        np.testing.assert_array_equal(item.masks[axial(2)].full(), labels[2] == 7)
        assert len(item.points) == 4
        assert labels[2][tuple(item.points.astype(int).T)].tolist() == [7] * 4
        assert (labels[2][item.scribble.full()] == 7).all()
        assert session.next_request(None) is None
        assert not predictor.calls
        session.edit_points(item.id, [*item.points, [20, 30]], [1, 1, 1, 1, 0])
        run(session)
        assert item.masks[axial(2)].full().sum() < 21 * 31
        session.undo()
        session.undo()
        assert not session.objects

    def test_are_not_run_until_a_prompt_is_edited(self, session, labels, predictor):
        item = session.add_masks(label_masks(labels, session.shape, 7, axial(2)), axial(2))
        assert item.given
        session.switch_prompts(points=False)
        assert session.next_request(None) is None
        session.move_box(item.id, axial(2), (9.0, 20.0, 30.0, 50.0))
        run(session)
        assert not item.given
        session.switch_prompts(points=True)
        assert session.next_request(None) is not None

    def test_that_do_not_fit_are_refused(self, session, labels):
        with pytest.raises(ValueError, match="the image is"):
            label_masks(labels[0], session.shape, 7, axial(2))
        with pytest.raises(ValueError, match="label 7"):
            label_masks(labels, session.shape, 7, axial(0))
        assert not session.objects
