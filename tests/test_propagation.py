import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
import zarr

from napari_swin_litemedsam.answers import Prediction
from napari_swin_litemedsam.predictor import Predictor, clip_box
from napari_swin_litemedsam.propagation import (
    Options,
    Stop,
    StopRules,
    Track,
    count_steps,
    follow,
    propagate,
    segment_volume,
)


@dataclass
class Threshold:
    """Stands in for the predictor: the object is what is bright inside the box."""

    encoded: list
    image = None
    iou = 1.0

    def __post_init__(self):
        self.seen = {}

    def set_image(self, image, window=None, key=None, zoom=None):
        image = np.asarray(image)
        if key is None or key not in self.seen:
            self.encoded.append(int(image.max()))
        self.seen[key] = self.image = image

    def predict_each(self, boxes, seeds=None):
        image = self.image
        for box in boxes:
            inside = np.zeros(image.shape, bool)
            y0, x0, y1, x1 = np.rint(box).astype(int)
            inside[y0 : y1 + 1, x0 : x1 + 1] = True
            mask = inside & (image > 50)
            yield Prediction(mask, mask.astype(np.float32), self.iou, np.zeros((0, 2)), np.zeros(0), mask, box)


@pytest.fixture
def volume():
    """A bright, striped square that moves by two pixels a slice; each slice's maximum tells its index."""
    volume = np.zeros((12, 64, 64), np.uint8)
    for z in range(12):
        volume[z, 10 + 2 * z : 25 + 2 * z, 20:35] = 100 + z
        volume[z, 10 + 2 * z : 25 + 2 * z, 21:35:2] = 60
    return volume


# the square on slice 6
BOX = (2, 22, 20, 10, 36, 34)


def test_the_box_follows_the_object_in_both_directions(volume):
    steps = list(propagate(volume, [BOX], Threshold([])))
    assert sorted(s.z for s in steps) == list(range(2, 11))
    # the margin of 5 px of the 256 frame is less than the two pixels of movement, so the tail is what remains
    by_slice = {s.z: s.prediction.mask for s in steps}
    np.testing.assert_array_equal(by_slice[6], volume[6] > 50)
    for z in (5, 7):
        overlap = (by_slice[z] & (volume[z] > 50)).sum() / (volume[z] > 50).sum()
        assert overlap > 0.85
    assert not by_slice[7][:22].any()


def test_each_slice_is_encoded_once_for_all_objects(volume):
    predictor = Threshold([])
    boxes = [BOX, (0, 22, 20, 11, 36, 34), (5, 22, 20, 7, 36, 34)]
    steps = list(propagate(volume, boxes, predictor, first_slices=[6, 6, 6]))
    assert sorted(predictor.encoded) == [100 + z for z in range(12)]
    assert len(steps) == count_steps(boxes) == 9 + 12 + 3


def test_different_first_slices_cover_every_range(volume):
    boxes = [BOX, (0, 22, 20, 11, 36, 34)]
    steps = list(propagate(volume, boxes, Threshold([]), first_slices=[3, 9]))
    assert len({(s.object, s.z) for s in steps}) == len(steps) == count_steps(boxes)


def test_stopping_early_reads_no_further_slice(volume):
    predictor = Threshold([])
    steps = propagate(volume, [BOX], predictor)
    assert [next(steps).z, next(steps).z] == [6, 7]
    steps.close()
    assert predictor.encoded == [106, 107]


def test_an_empty_mask_falls_back_to_the_first_box(volume):
    volume[7] = 0
    masks = {s.z: s.prediction for s in propagate(volume, [(6, 22, 20, 8, 36, 34)], Threshold([]), first_slices=[6])}
    assert not masks[7].mask.any()
    np.testing.assert_array_equal(masks[8].box, (22, 20, 36, 34))


def test_segment_volume_labels_objects_in_order(volume):
    volume[:, 50:60, 50:60] = 120
    labels = segment_volume(volume, [BOX, (4, 50, 50, 5, 59, 59)], Threshold([]))
    assert labels.dtype == np.uint8
    assert np.unique(labels[4]).tolist() == [0, 1, 2]
    assert np.unique(labels[6]).tolist() == [0, 1]
    assert (labels[5] == 2).sum() == 100


def test_no_boxes_give_no_labels(volume):
    assert not segment_volume(volume, [], Threshold([])).any()


def test_more_than_255_objects_need_16_bits():
    volume = np.full((1, 20, 20), 200, np.uint8)
    labels = segment_volume(volume, [(0, 2, 2, 0, 4, 4)] * 300, Threshold([]))
    assert labels.dtype == np.uint16
    assert labels.max() == 300


@pytest.mark.parametrize(
    ("box", "start", "message"),
    [
        ((-1, 0, 0, 3, 5, 5), 1, "outside 0..11"),
        ((2, 0, 0, 12, 5, 5), 3, "outside 0..11"),
        (BOX, 11, "outside its range"),
    ],
)
def test_bad_ranges_are_refused(volume, box, start, message):
    with pytest.raises(ValueError, match=message):
        next(propagate(volume, [box], Threshold([]), first_slices=[start]))


def test_a_box_beside_the_slices_is_told_before_anything_is_done(volume):
    predictor = Threshold([])
    for outside in ((2, 70, 20, 10, 80, 34), (2, 22, 20, 10, 22, 34)):
        with pytest.raises(ValueError, match=r"object 1: the box .* covers nothing"):
            next(propagate(volume, [BOX, outside], predictor))
    assert not predictor.encoded


def test_a_picture_is_no_volume(volume):
    with pytest.raises(ValueError, match=r"expected a volume .* got \(64, 64\)"):
        segment_volume(volume[0], [BOX], Threshold([]))


# the square on slice 6
FLAT = BOX[1:3] + BOX[4:]


def square(z):
    """The box of the object on a slice."""
    return (10 + 2 * z, 20, 24 + 2 * z, 34)


def masks_of(steps, number=0):
    return {s.z: s.prediction.mask for s in steps if s.object == number}


def stops_of(steps):
    return {s.z: s.stop for s in steps if s.stop is not None}


class TestRange:
    def test_a_closed_one_tells_its_ends(self, volume):
        steps = list(follow(volume, [Track({6: FLAT}, 4, 9)], Threshold([])))
        assert sorted(masks_of(steps)) == [4, 5, 6, 7, 8, 9]
        assert stops_of(steps) == {4: Stop.RANGE, 9: Stop.RANGE}

    def test_an_open_one_ends_with_the_volume(self, volume):
        steps = list(follow(volume, [Track({6: FLAT})], Threshold([])))
        assert sorted(masks_of(steps)) == list(range(12))
        assert stops_of(steps) == {0: Stop.VOLUME, 11: Stop.VOLUME}

    def test_an_open_one_ends_where_the_object_does(self, volume):
        volume[9:, :, :36] = 0
        volume[9:, 60:] = 200
        volume[:3] = 0
        predictor = Threshold([])
        steps = list(follow(volume, [Track({6: FLAT})], predictor))
        assert stops_of(steps) == {9: Stop.OUTSIDE, 2: Stop.OUTSIDE}
        assert not masks_of(steps)[9].any()
        # neither what lies beyond nor, for an empty slice, that one itself is encoded
        assert sorted(predictor.encoded) == [103, 104, 105, 106, 107, 108]

    def test_an_open_one_ends_where_something_else_begins(self, volume):
        volume[10:][volume[10:] > 50] = 200
        steps = list(follow(volume, [Track({6: FLAT})], Threshold([])))
        assert stops_of(steps) == {10: Stop.CHANGED, 0: Stop.VOLUME}
        assert not masks_of(steps)[10].any()

    def test_the_nearest_box_tells_what_an_object_looks_like(self, volume):
        volume[8:][volume[8:] > 50] = 200
        assert stops_of(follow(volume, [Track({6: FLAT})], Threshold([]))) == {8: Stop.CHANGED, 0: Stop.VOLUME}
        both = Track({6: FLAT, 9: FLAT})
        assert stops_of(follow(volume, [both], Threshold([]))) == {11: Stop.VOLUME, 0: Stop.VOLUME}

    def test_so_does_a_known_mask(self, volume):
        volume[8:][volume[8:] > 50] = 200
        known = Track({6: FLAT}, masks={6: volume[6] > 50})
        assert stops_of(follow(volume, [known], Threshold([]))) == {8: Stop.CHANGED, 0: Stop.VOLUME}

    def test_an_open_one_ends_where_all_that_is_found_looks_like_the_surroundings(self, volume):
        volume[6:][volume[6:] <= 50] = 250
        volume[8:] = 250
        volume[:, 0] = 0
        assert stops_of(follow(volume, [Track({6: FLAT}, 6)], Threshold([])))[8] is Stop.CHANGED

    def test_nothing_that_looks_different_ends_a_range(self, volume):
        volume[8:][volume[8:] > 50] = 200
        steps = follow(volume, [Track({6: FLAT}, 3, 10)], Threshold([]))
        assert stops_of(steps) == {10: Stop.RANGE, 3: Stop.RANGE}

    def test_open_at_one_end_only(self, volume):
        volume[2] = 0
        steps = list(follow(volume, [Track({6: FLAT}, last=7)], Threshold([])))
        assert stops_of(steps) == {7: Stop.RANGE, 2: Stop.OUTSIDE}

    def test_a_rule_ends_one_object_and_not_the_others(self, volume):
        volume[:, 2:8, 50:60] = 150
        volume[8:, 2:8, 50:60] = 0
        volume[8:, 0, 0] = 1
        steps = list(follow(volume, [Track({6: FLAT}), Track({6: (2, 50, 7, 59)})], Threshold([])))
        assert max(masks_of(steps, 0)) == 11
        assert max(masks_of(steps, 1)) == 8

    def test_the_slice_of_the_box_is_never_given_up(self, volume):
        predictor = Threshold([])
        predictor.iou = 0.1
        steps = list(follow(volume, [Track({6: FLAT})], predictor))
        assert masks_of(steps)[6].any()
        assert stops_of(steps) == {7: Stop.UNSURE, 5: Stop.UNSURE}


class TestAnchors:
    def test_boxes_between_two_are_interpolated(self, volume):
        # in between the object moves faster than a mask could be followed
        boxes = {z: square(z) for z in (2, 9)}
        steps = list(follow(volume, [Track(boxes, 2, 9)], Threshold([])))
        assert sorted(masks_of(steps)) == list(range(2, 10))
        for z, mask in masks_of(steps).items():
            np.testing.assert_array_equal(mask, volume[z] > 50)

    def test_beyond_the_outermost_the_mask_is_followed(self, volume):
        steps = list(follow(volume, [Track({4: square(4), 6: square(6)}, 3, 7)], Threshold([])))
        assert sorted(masks_of(steps)) == [3, 4, 5, 6, 7]
        assert masks_of(steps)[7][24:].any()

    def test_a_known_mask_is_gone_on_from_and_kept(self, volume):
        corrected = np.zeros((64, 64), bool)
        corrected[30:35, 20:30] = True
        track = Track({6: FLAT}, 5, 7, masks={6: corrected})
        steps = list(follow(volume, [track], Threshold([])))
        assert sorted(masks_of(steps)) == [5, 7]
        # 5 pixels of 256 around the corrected mask, which is a fifth smaller on the last slice of the range
        np.testing.assert_allclose(steps[0].prediction.box, (29.25, 19.75, 34.75, 29.25))

    def test_correcting_one_slice_leaves_what_lies_beyond_the_next(self, volume):
        boxes = {2: square(2), 5: square(5), 9: square(9)}
        track = Track(boxes, 3, 8, masks={5: volume[5] > 50})
        assert sorted(masks_of(follow(volume, [track], Threshold([])))) == [3, 4, 6, 7, 8]

    def test_nothing_is_given_beside_the_range(self, volume):
        masks = {z: volume[z] > 50 for z in (3, 10)}
        track = Track({z: square(z) for z in (3, 10)}, 5, 8, masks)
        assert sorted(masks_of(follow(volume, [track], Threshold([])))) == [5, 6, 7, 8]

    def test_a_known_mask_above_the_box_is_gone_on_from_upwards_alone(self, volume):
        track = Track({6: FLAT}, 4, 10, masks={9: volume[9] > 50})
        assert sorted(s.z for s in follow(volume, [track], Threshold([]))) == [4, 5, 6, 7, 8, 10]

    def test_between_masks_a_pixel_thin_there_are_boxes(self, volume):
        masks = {z: np.zeros((64, 64), bool) for z in (2, 6)}
        for mask in masks.values():
            mask[0, 10:30] = True
        steps = list(follow(volume, [Track(dict.fromkeys(masks, (0, 10, 0, 29)), 2, 6, masks)], Threshold([])))
        assert sorted(s.z for s in steps) == [3, 4, 5]
        for step in steps:
            assert clip_box(step.prediction.box, 64, 64)[2] <= 0.5, "the predictor takes it"

    def test_boxes_may_be_drawn_in_any_direction(self, volume):
        y0, x0, y1, x1 = square(9)
        plain, turned = (
            masks_of(follow(volume, [Track({2: square(2), 9: box}, 2, 9)], Threshold([])))
            for box in ((y0, x0, y1, x1), (y1, x1, y0, x0))
        )
        for z, mask in plain.items():
            np.testing.assert_array_equal(turned[z], mask)

    def test_masks_of_numbers_count_as_masks(self, volume):
        tracks = [Track({z: square(z) for z in (2, 8)}, 2, 8, {2: (volume[2] > 50).astype(t)}) for t in (bool, int)]
        masks, others = (masks_of(follow(volume, [t], Threshold([]), options=Options(every=4))) for t in tracks)
        assert sorted(masks) == sorted(others) == [3, 4, 5, 6, 7, 8]
        for z, mask in masks.items():
            np.testing.assert_array_equal(others[z], mask)

    def test_a_range_beside_the_anchor(self, volume):
        track = Track({4: square(4)}, 6, 8)
        assert sorted(masks_of(follow(volume, [track], Threshold([])))) == [6, 7, 8]


class TestTaper:
    """In an image that is bright all over a mask is its box, and nothing but the range makes boxes smaller."""

    FLAT = (20, 30, 79, 69)

    def sizes(self, track, **options):
        """(height, width) of boxes by slice, in pixels from edge to edge."""
        bright = np.full((21, 100, 100), 255, np.uint8)
        bright[:, 0, 0] = 0
        steps = follow(bright, [track], Threshold([]), options=Options(**{"margin": 0} | options))
        boxes = {s.z: s.prediction.box for s in steps}
        return {z: (y1 - y0 + 1, x1 - x0 + 1) for z, (y0, x0, y1, x1) in boxes.items()}

    def test_boxes_are_sections_of_an_ellipsoid(self):
        sizes = self.sizes(Track({10: self.FLAT}, 4, 16))
        for z, (height, width) in sizes.items():
            share = max(np.sqrt(1 - ((z - 10) / 6.5) ** 2), 0.8 * np.sqrt(1 - (5 / 6.5) ** 2))
            assert (height, width) == pytest.approx((60 * share, 40 * share), abs=3)
            assert sizes[20 - z] == (height, width)

    def test_by_no_more_than_a_fifth_a_slice(self):
        assert self.sizes(Track({10: self.FLAT}, 9, 11), taper=5)[11] == pytest.approx((48, 32))
        sizes = self.sizes(Track({10: self.FLAT}, 6, 14), taper=5, every=2)
        assert sizes[12] == pytest.approx((60 * 0.8**2, 40 * 0.8**2))

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("last", [16, None])
    def test_where_the_object_should_have_ended_by_a_fifth_a_slice(self, last):
        sizes = self.sizes(Track({10: self.FLAT}, 10, last, extent=(8, 12)))
        assert [sizes[z + 1][0] / sizes[z][0] for z in range(12, 16)] == pytest.approx([0.8] * 4, abs=0.03)

    @pytest.mark.parametrize(("taper", "last"), [(0.5, None), (0.5, 20), (0, 13)])
    def test_not_at_all_without_an_end_in_the_volume_or_when_switched_off(self, taper, last):
        sizes = self.sizes(Track({10: self.FLAT}, 10, last), taper=taper)
        assert sizes[13] == pytest.approx((60, 40))

    def test_not_on_the_way_to_a_known_mask(self):
        known = np.zeros((100, 100), bool)
        known[20:80, 30:70] = True
        sizes = self.sizes(Track({10: self.FLAT}, 10, 16, masks={14: known}))
        assert sizes[13] == pytest.approx((60, 40))
        assert sizes[16][0] < 45

    def test_where_a_range_only_cuts_a_3d_box_its_ends_count(self):
        box = (2, *self.FLAT[:2], 18, *self.FLAT[2:])
        whole = self.sizes(Track.of_box(box))
        cut = self.sizes(Track.of_box(box, within=(6, 14)))
        assert cut == {z: size for z, size in whole.items() if 6 <= z <= 14}
        above = self.sizes(Track.of_box(box, within=(13, 30)))
        assert sorted(above) == list(range(13, 19))
        assert above[13] == pytest.approx((60, 40)), "nothing is known of the slices before"
        with pytest.raises(ValueError, match="none of those asked for"):
            Track.of_box(box, within=(19, 20))

    def test_the_margin_is_added_to_it(self):
        sizes = self.sizes(Track({10: self.FLAT}, 9, 11), margin=2.56)
        assert sizes[11] == pytest.approx((50, 34))


class TestResuming:
    @pytest.mark.parametrize("taken", [1, 3, 5, 8])
    def test_gives_what_an_uninterrupted_run_gives(self, volume, taken):
        track = Track({6: FLAT}, 2, 10)
        whole = masks_of(follow(volume, [track], Threshold([])))
        steps = follow(volume, [track], Threshold([]))
        part = {s.z: s.prediction.mask for s, _ in zip(steps, range(taken), strict=False)}
        ends = {z: part[z] for z in part if z - 1 not in part or z + 1 not in part}
        rest = Track({6: FLAT}, 2, 10, masks=ends, done=set(part))
        predictor = Threshold([])
        resumed = masks_of(follow(volume, [rest], predictor))
        assert len(resumed) == rest.count(12) == 9 - taken
        assert len(predictor.encoded) == 9 - taken
        for z, mask in (part | resumed).items():
            np.testing.assert_array_equal(mask, whole[z])


class TestEverySecondSlice:
    def test_asks_the_model_there_alone(self, volume):
        predictor = Threshold([])
        steps = list(follow(volume, [Track({6: FLAT}, 1, 10)], predictor, options=Options(every=2)))
        assert [s.z for s in steps] == [6, 7, 8, 9, 10, 5, 4, 3, 2, 1]
        assert sorted(predictor.encoded) == [101, 102, 104, 106, 108, 110]

    def test_the_mask_in_between_moves_along(self, volume):
        boxes = {z: square(z) for z in (4, 8)}
        masks = masks_of(follow(volume, [Track(boxes, 4, 8)], Threshold([]), options=Options(every=4)))
        for z in (5, 6, 7):
            truth = volume[z] > 50
            assert 2 * (masks[z] & truth).sum() / (masks[z].sum() + truth.sum()) > 0.9

    def test_a_known_mask_on_the_way_leaves_no_gap_before_it(self, volume):
        boxes = {z: square(z) for z in (1, 5, 11)}
        track = Track(boxes, 1, 11, masks={5: volume[5] > 50})
        masks = masks_of(follow(volume, [track], Threshold([]), options=Options(every=4)))
        assert sorted(masks) == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
        for z in (6, 7):
            truth = volume[z] > 50
            assert 2 * (masks[z] & truth).sum() / (masks[z].sum() + truth.sum()) > 0.9

    def test_no_slice_is_left_out_or_given_twice(self, volume):
        rng = np.random.default_rng(0)

        def some(most):
            return [int(z) for z in rng.choice(12, rng.integers(most), replace=False)]

        for _ in range(200):
            boxes = {z: square(6) for z in some(3)} or {6: FLAT}
            masks, done = dict.fromkeys(some(4), volume[6] > 50), some(4)
            first, last = sorted(int(z) for z in rng.integers(0, 12, 2))
            options = Options(every=int(rng.integers(1, 6)))
            steps = follow(volume, [Track(boxes, first, last, masks, done)], Threshold([]), options=options)
            assert sorted(s.z for s in steps) == sorted({*range(first, last + 1)} - {*masks, *done})

    def test_boxes_that_were_drawn_count(self, volume):
        predictor = Threshold([])
        list(follow(volume, [Track({5: square(5), 7: square(7)}, 4, 8)], predictor, options=Options(every=4)))
        assert sorted(predictor.encoded) == [104, 105, 107, 108]

    def test_an_end_found_by_a_rule_lies_half_way(self, volume):
        volume[8:] = 0
        steps = list(follow(volume, [Track({4: square(4)}, 4)], Threshold([]), options=Options(every=4)))
        assert [z for z, mask in masks_of(steps).items() if mask.any()] == [4, 5, 6]
        assert stops_of(steps)[8] is Stop.OUTSIDE

    def test_must_be_a_whole_number_of_slices(self):
        with pytest.raises(ValueError, match="at least 1"):
            Options(every=0)


class TestOptions:
    def test_the_margin_is_in_millimetres_when_the_spacing_is_known(self, volume):
        options = Options(spacing=(4, 1, 2), margin_mm=0.5, taper=0)
        steps = list(follow(volume, [Track({6: FLAT}, 6, 7)], Threshold([]), options=options))
        np.testing.assert_allclose(steps[1].prediction.box, (20, 19, 38, 35))

    @pytest.mark.parametrize("spacing", [(1, 1), (1, 0, 1), (1, -1, 1)])
    def test_a_spacing_that_cannot_be_is_refused(self, spacing):
        with pytest.raises(ValueError, match="three positive spacings"):
            Options(spacing=spacing)

    def test_masks_are_tidied_up_unless_switched_off(self, volume):
        volume[6, 26:28, 24:26] = 0
        volume[6, 23, 20:35] = 0
        tidy = masks_of(propagate(volume, [BOX], Threshold([])))[6]
        assert tidy[26:28, 24:26].all()
        assert not tidy[22].any()
        raw = masks_of(propagate(volume, [BOX], Threshold([]), options=Options(one_part=False, filled=False)))[6]
        np.testing.assert_array_equal(raw, volume[6] > 50)

    def test_boxes_stay_inside_a_3d_box(self, volume):
        for step in propagate(volume, [(2, 22, 20, 10, 38, 34)], Threshold([])):
            assert (step.prediction.box >= (22, 20, 22, 20)).all()
            assert (step.prediction.box <= (38, 34, 38, 34)).all()

    def test_a_mask_beyond_the_3d_box_is_not_followed(self, volume):
        everything = np.ones((64, 64), bool)
        track = Track({6: FLAT}, 5, 7, masks={6: everything & ~np.pad(everything[:40], ((0, 24), (0, 0)))}, bounds=FLAT)
        for step in follow(volume, [track], Threshold([])):
            np.testing.assert_array_equal(step.prediction.box, FLAT)

    def test_limits_can_be_chosen(self, volume):
        volume[7, 10:24, 20:35] = 0
        volume[7, :, 36:] = 100
        strict = Options(stops=StopRules(smallest=0.99))
        steps = list(follow(volume, [Track({6: square(6)})], Threshold([]), options=strict))
        assert stops_of(steps)[7] is Stop.SHRUNK


def test_slices_that_are_not_needed_again_are_not_kept(volume):
    predictor = Threshold([])
    segment_volume(volume, [BOX], predictor)
    assert len(predictor.encoded) == 9
    assert {key[1] for key in predictor.seen if key is not None} <= {6}


def test_different_starts_encode_each_slice_once(volume):
    predictor = Threshold([])
    list(propagate(volume, [(0, *BOX[1:])] * 3, predictor, first_slices=[2, 6, 9]))
    assert sorted(predictor.encoded) == [100 + z for z in range(11)]


class Counting:
    """A volume on disk that knows which of its slices were read."""

    shape = (10_000, 64, 64)

    def __init__(self):
        self.read = []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        self.read.append(index)
        plane = np.zeros(self.shape[1:], np.uint8)
        plane[10:20, 10:20] = 200
        return plane


class BoxFiller:
    """A backend whose masks are the boxes."""

    name = description = "box filler"
    batch = 8
    encoded = 0

    def encode(self, pixels):
        self.encoded += 1
        return [np.zeros(1000, np.float16)]

    def decode(self, features, points, labels, boxes, scribbles):
        y, x = np.mgrid[:256, :256]
        inside = [(x >= x0) & (y >= y0) & (x <= x1) & (y <= y1) for x0, y0, x1, y1 in boxes]
        return np.where(inside, 1.0, -1.0).astype(np.float32), np.ones(len(boxes), np.float32)


def test_only_the_needed_slices_are_read():
    volume = Counting()
    list(follow(volume, [Track({7020: (10, 10, 19, 19)}, 7000, 7039)], Threshold([])))
    assert sorted(volume.read) == list(range(7000, 7040))


def test_zarr_is_read_slice_by_slice_from_disk(tmp_path):
    volume = zarr.create_array(tmp_path / "scan.zarr", shape=(20, 64, 64), chunks=(1, 64, 64), dtype=np.uint8)
    volume[5:9, 10:20, 10:20] = 200
    for z in (4, 9):
        chunk = tmp_path / "scan.zarr" / "c" / str(z) / "0" / "0"
        chunk.parent.mkdir(parents=True)
        chunk.write_bytes(b"whoever reads this fails")
    opened = zarr.open_array(tmp_path / "scan.zarr", mode="r")
    steps = list(follow(opened, [Track({6: (10, 10, 19, 19)}, 5, 8)], Threshold([])))
    assert {step.z: step.prediction.mask.sum() for step in steps} == dict.fromkeys(range(5, 9), 100)
    with pytest.raises(RuntimeError):
        list(follow(opened, [Track({6: (10, 10, 19, 19)}, 5, 9)], Threshold([])))


@pytest.mark.parametrize("alike", [True, False])
def test_slices_whose_features_are_known_are_read_again_for_their_intensities_only(alike):
    volume, backend = Counting(), BoxFiller()
    predictor, options = Predictor(None, backend), Options(alike=alike)
    boxes = [(7000, 10, 10, 7017, 19, 19)] * 2
    first = list(propagate(volume, boxes, predictor, first_slices=[7000, 7017], key="volume", options=options))
    assert sorted(set(volume.read)) == list(range(7000, 7018))
    again = list(propagate(volume, boxes, predictor, first_slices=[7000, 7017], key="volume", options=options))
    assert backend.encoded == 18
    assert alike or len(volume.read) == 18
    for step, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(step.prediction.mask, other.prediction.mask)


@pytest.mark.parametrize(("alike", "read"), [(True, [7000, 7002, 7003, 7004]), (False, [7002, 7003, 7004])])
def test_a_known_slice_is_read_once_if_it_is_to_tell_what_objects_look_like(alike, read):
    volume, mask = Counting(), np.zeros((64, 64), bool)
    mask[10:20, 10:20] = True
    track = Track({7000: (10, 10, 19, 19)}, 7002, 7004, masks={7000: mask, 7001: mask})
    list(follow(volume, [track] * 5, Threshold([]), options=Options(alike=alike)))
    assert sorted(volume.read) == read


@pytest.mark.parametrize("alike", [True, False])
def test_what_looks_like_the_surroundings_is_left_out(volume, alike):
    # beside the object, from slice 8 on: as bright as what surrounds the object on the slice of its box
    volume[6, :, 36:50] = 250
    volume[8:, 20:40, 34:38] = 250
    masks = masks_of(follow(volume, [Track({6: FLAT}, 6, 11)], Threshold([]), options=Options(alike=alike)))
    assert masks[9][28:38, 20:34].all()
    assert masks[9][28:38, 35:37].any() != alike


def test_masks_of_many_objects_on_a_large_slice_take_little_memory():
    volume = np.eye(1024, dtype=np.uint8)[None]
    boxes = [(0, 10 + i, 10 + i, 0, 60 + i, 60 + i) for i in range(40)]
    predictor = Predictor(None, BoxFiller())
    segment_volume(volume, boxes[:1], predictor)  # what is made once
    tracemalloc.start()
    segment_volume(volume, boxes, predictor)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # of each the mask is kept to go on from, without its probabilities
    assert peak < 40 * 2 * volume.size


def test_a_box_at_the_rim_is_carried(volume):
    labels = segment_volume(volume, [(2, 63.2, 10, 6, 80, 40)], Predictor(None, BoxFiller()))
    assert labels[2:7, 63, 12:39].all()
    assert not labels[:, :60].any()
