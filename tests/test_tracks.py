import numpy as np
import pytest

from napari_swin_litemedsam.tracks import Track, tracks_of_boxes

FLAT = (5, 5, 9, 9)


def test_a_3d_box_begins_in_its_middle():
    track = Track.of_box((7, 5, 6, 3, 20, 30))
    assert (track.first, track.last) == (3, 7)
    assert list(track.boxes) == [5]
    np.testing.assert_array_equal(track.bounds, (5, 6, 20, 30))


def test_slices_that_are_known_do_not_count():
    mask = np.ones((20, 20), bool)
    assert Track({4: FLAT}, 2, 8).count(20) == 7
    assert Track({4: FLAT}, 2, 8, masks={4: mask, 12: mask}, done={4, 5}).count(20) == 5
    assert Track({4: FLAT}).count(20) == 20


@pytest.mark.parametrize(
    ("track", "message"),
    [
        (Track({}), "no box"),
        (Track({4: FLAT}, 8, 2), "reversed"),
        (Track({4: FLAT}, -1, 5), "outside 0..19"),
        (Track({4: FLAT}, 3, 20), "outside 0..19"),
        (Track({20: FLAT}), "slice 20 is outside 0..19"),
    ],
)
def test_what_does_not_lie_in_the_volume_is_refused(track, message):
    with pytest.raises(ValueError, match=message):
        track.check(20)


def test_errors_name_the_box():
    with pytest.raises(ValueError, match=r"box 1: slice 9 is outside its range 2\.\.8"):
        tracks_of_boxes([(2, *FLAT[:2], 8, *FLAT[2:])] * 2, starts=[3, 9])


@pytest.mark.parametrize("side", [np.nan, np.inf])
def test_the_sides_of_a_box_are_numbers(side):
    with pytest.raises(ValueError, match="box 0: its sides are not all finite"):
        tracks_of_boxes([(side, *FLAT[:2], 8, *FLAT[2:])])


def test_each_box_has_a_seed_and_a_start():
    for given in ({"seeds": [1]}, {"starts": [3, 4, 5]}):
        with pytest.raises(ValueError, match="2 boxes have"):
            tracks_of_boxes([(2, *FLAT[:2], 8, *FLAT[2:])] * 2, **given)
