import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Reach, Route, boxes_of, ends_of
from napari_swin_litemedsam.plugin.ends import unasked_ends
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.planes import Plane
from napari_swin_litemedsam.plugin.session import Session
from napari_swin_litemedsam.propagation import Options

from .conftest import answer

BOX = (10.0, 20.0, 30.0, 50.0)
OTHER = (20.0, 20.0, 40.0, 50.0)


def axial(z):
    return Plane((z, None, None), axis=0)


@pytest.fixture
def session(predictor):
    data = np.ones((12, 48, 64))
    data[:, 0] = 0
    return Session(data, data.shape, LazyPredictor(lambda: predictor))


def run(session):
    request = session.next_request(None)
    answer(session, request)


def boxed(session, z=5, box=BOX):
    item = session.add_box(axial(z), box)
    run(session)
    return item


def carry(session, first=0, last=11, reach=Reach.SLICES, most=None, **options):
    """Carry; the slices that were visited, at most so many."""
    steps, total = session.carry(Route(axial(0), first, last, reach, Options(**options)), None)
    visited = []
    if total:
        for step in steps():
            session.accept_step(step)
            visited.append(step.step.z)
            if len(visited) == most:
                break
    return visited


class TestResuming:
    def test_does_what_is_missing(self, session):
        item = boxed(session)
        before = carry(session, 2, 9, most=3)
        after = carry(session, 2, 9)
        assert sorted(before + after) == list(range(2, 10))
        assert len(item.masks) == 8

    def test_a_wider_range_gives_what_it_gives_at_once(self, session, predictor):
        item = boxed(session)
        carry(session, 3, 7)
        # boxes got smaller towards the end that is none any more
        assert sorted(carry(session, 3, 10)) == [6, 7, 8, 9, 10]
        at_once = Session(session.data, session.data.shape, LazyPredictor(lambda: predictor))
        other = boxed(at_once)
        carry(at_once, 3, 10)
        assert {plane: mask.box for plane, mask in item.masks.items()} == {
            plane: mask.box for plane, mask in other.masks.items()
        }

    @pytest.mark.parametrize("reach", [Reach.SLICES, Reach.OPEN])
    def test_after_slices_on_both_sides_gives_what_it_gives_at_once(self, session, predictor, reach):
        # an object that masks would grow over, and that looks different on the last two slices
        session.data[:, 10:31, 20:51] = 10
        session.data[:2, 10:31, 20:51] = 5
        item = boxed(session)
        assert carry(session, reach=reach, most=9)[-2:] == [4, 3]
        carry(session, reach=reach)
        at_once = Session(session.data, session.data.shape, LazyPredictor(lambda: predictor))
        other = boxed(at_once)
        carry(at_once, reach=reach)
        boxes, boxes_at_once = (
            {plane: mask.box if mask else None for plane, mask in each.masks.items()} for each in (item, other)
        )
        assert boxes == boxes_at_once
        assert boxes[axial(2)] == BOX
        assert ends_of(item) == ends_of(other)

    def test_when_nothing_is_missing_all_is_done_again(self, session):
        boxed(session)
        carry(session, 4, 6)
        assert sorted(carry(session, 4, 6)) == [4, 5, 6]

    def test_what_is_done_again_can_be_resumed_too(self, session):
        boxed(session)
        carry(session, 4, 8)
        carry(session, 4, 8, most=2)
        assert len(carry(session, 4, 8)) == 3

    def test_another_box_has_all_done_again(self, session):
        boxed(session)
        carry(session, 4, 8)
        session.move_box(1, axial(5), OTHER)
        run(session)
        assert sorted(carry(session, 4, 8)) == [4, 5, 6, 7, 8]


class TestReach:
    def test_open_ends_have_reasons(self, session):
        session.data[9:] = 0
        item = boxed(session)
        assert max(carry(session, reach=Reach.OPEN)) == 9
        assert ends_of(item) == [(0, "end of volume"), (9, "outside the body")]
        assert not item.masks[axial(9)]

    def test_an_end_that_was_found_stays_one(self, session):
        session.data[9:] = 0
        boxed(session)
        before = carry(session, reach=Reach.OPEN, most=6)
        after = carry(session, reach=Reach.OPEN)
        assert sorted(before + after) == list(range(10))

    def test_an_end_before_the_way_back_is_none_yet(self, session):
        session.data[9:] = 0
        item = boxed(session)
        # the way up, and the end, but not the slices on the way back
        carry(session, reach=Reach.OPEN, most=10, consistent=True)
        assert axial(9) not in item.carried
        carry(session, reach=Reach.OPEN, consistent=True)
        assert ends_of(item)[-1] == (9, "outside the body")
        carry(session, reach=Reach.OPEN, consistent=True)
        assert ends_of(item)[-1] == (9, "outside the body")

    def test_the_end_of_a_range_is_none_for_whoever_goes_on(self, session):
        item = boxed(session)
        carry(session, 4, 6)
        boxed(session, 5, OTHER)
        carry(session, reach=Reach.OPEN)
        assert {plane.position for plane in item.masks} == set(range(12))
        assert ends_of(item) == [(0, "end of volume"), (11, "end of volume")]

    def test_a_wider_range_forgets_where_the_narrower_one_ended(self, session):
        item = boxed(session)
        carry(session, 4, 6)
        carry(session, 4, 8)
        assert ends_of(item) == [(4, "end of range"), (8, "end of range")]
        session.undo()
        assert ends_of(item) == [(4, "end of range"), (6, "end of range")]

    def test_a_range_goes_on_where_a_rule_has_ended_the_object_too_early(self, session):
        session.data[8:] = 0
        item = boxed(session)
        carry(session, reach=Reach.OPEN)
        session.data[8:] = 1
        assert carry(session) == [8, 9, 10, 11]
        assert item.masks[axial(8)]

    def test_what_looks_different_within_a_range_is_told(self, session):
        session.data[:, 10:31, 20:51] = 10
        session.data[8:, 10:31, 20:51] = 1
        item = boxed(session)
        carry(session, 3, 9)
        assert not item.masks[axial(8)]
        assert unasked_ends(item) == [(8, "nothing left")]
        carry(session, 3, 9, alike=False)
        assert item.masks[axial(8)]
        assert unasked_ends(item) == []

    def test_masks_beyond_a_range_that_ends_with_nothing_stay(self, session):
        session.data[:, 10:31, 20:51] = 10
        session.data[8, 10:31, 20:51] = 1
        item = boxed(session)
        carry(session, alike=False)
        carry(session, 3, 8)
        assert not item.masks[axial(8)]
        assert all(item.masks[axial(z)] for z in (9, 10, 11))

    def test_an_end_beyond_a_range_stays_one(self, session):
        session.data[:2] = session.data[9:] = 0
        item = boxed(session)
        carry(session, reach=Reach.OPEN)
        session.place_box(1, axial(7), BOX)
        run(session)
        assert carry(session, reach=Reach.BOXES) == [6]
        assert ends_of(item) == [(1, "outside the body")]

    def test_masks_beyond_a_new_end_go(self, session):
        item = boxed(session)
        carry(session, 0, 11)
        session.data[8:] = 0
        carry(session, reach=Reach.OPEN)
        assert axial(7) in item.masks
        assert axial(10) not in item.masks

    def test_between_boxes(self, session):
        boxed(session, 3)
        session.place_box(1, axial(8), OTHER)
        run(session)
        boxed(session, 6)
        assert sorted(carry(session, reach=Reach.BOXES)) == [4, 5, 6, 7]


class TestAnchors:
    @pytest.fixture
    def item(self, session):
        item = boxed(session, 2)
        carry(session, 0, 11)
        session.place_box(1, axial(8), OTHER)
        run(session)
        return item

    def test_boxes_between_are_interpolated(self, session, item):
        carry(session)
        assert item.carried[axial(5)][0] == pytest.approx(15)
        assert item.masks[axial(5)].box == (15, 20, 35, 50)

    def test_only_slices_as_far_as_the_next_box_are_done_again(self, session, item):
        assert sorted(carry(session)) == [3, 4, 5, 6, 7, 9, 10, 11]

    def test_correcting_one_leaves_the_other_side_alone(self, session, item):
        carry(session)
        session.place_box(1, axial(5), BOX)
        run(session)
        assert sorted(carry(session)) == [3, 4, 6, 7]
        assert item.masks[axial(2)].box == BOX
        assert item.masks[axial(8)].box == OTHER

    def test_turning_back_to_a_box_keeps_both(self, session, item):
        session.place_box(1, axial(2), BOX)
        assert item.plane == axial(2)
        assert item.anchors == {axial(8): OTHER}

    def test_removing_the_current_one_turns_to_the_other(self, session, item):
        session.remove_box(1, axial(8))
        assert (item.plane, item.box, item.anchors) == (axial(2), BOX, {})

    def test_without_one_its_surroundings_are_done_again(self, session, item):
        carry(session)
        session.remove_box(1, axial(2))
        assert set(range(8)) <= set(carry(session))

    def test_undo_takes_a_box_back(self, session, item):
        session.undo()
        assert (item.plane, item.anchors) == (axial(2), {})
        session.redo()
        assert item.anchors == {axial(2): BOX}


class TestCorrectedByHand:
    @pytest.fixture
    def item(self, session):
        item = boxed(session, 2)
        carry(session)
        self.paint(session, 6)
        return item

    def paint(self, session, z):
        labels = np.zeros((48, 64), np.uint16)
        session.draw_masks(labels, axial(z))
        labels[:20] = 0
        assert session.read_masks(labels, axial(z))

    def test_only_slices_as_far_as_the_next_known_one_are_done_again(self, session, item):
        self.paint(session, 9)
        assert sorted(carry(session)) == [3, 4, 5, 7, 8, 10, 11]
        assert item.masks[axial(6)].box == (20, *item.masks[axial(6)].box[1:])

    def test_the_next_slices_go_on_from_it(self, session, item):
        carry(session)
        assert item.carried[axial(7)][0] == pytest.approx(20, abs=2)
        assert item.carried[axial(3)][0] < item.carried[axial(5)][0]

    def test_it_bounds_the_stretch_between_boxes(self, session, item):
        assert sorted(carry(session, reach=Reach.BOXES)) == [3, 4, 5]

    def test_given_back_to_the_model_it_is_done_again_too(self, session, item):
        session.forget_hand_edits(item.id)
        assert sorted(carry(session)) == list(range(3, 12))

    def test_undo_brings_back_what_was_carried(self, session, item):
        session.undo()
        assert sorted(plane.position for plane in item.carried) == list(range(12))

    def test_wiped_out_it_is_no_start(self, session, item):
        session.read_masks(np.zeros((48, 64), np.uint16), axial(6))
        assert sorted(boxes_of(item)) == [axial(2)]


def test_every_second_slice_is_interpolated(session, predictor):
    item = boxed(session, 4)
    asked = len(predictor.calls)
    carry(session, 2, 8, every=2)
    assert len(predictor.calls) - asked == 4
    assert len(item.masks) == 7
