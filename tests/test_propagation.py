from dataclasses import dataclass

import numpy as np
import pytest

from napari_swin_litemedsam.predictor import Prediction
from napari_swin_litemedsam.propagation import count_steps, propagate, segment_volume


@dataclass
class Threshold:
    """Stands in for the predictor: the object is what is bright inside the box."""

    encoded: list
    image = None

    def set_image(self, image, window=None, key=None):
        self.encoded.append(int(image.max()))
        self.image = image

    def predict_many(self, boxes, seeds=None):
        results = []
        for box in boxes:
            inside = np.zeros(self.image.shape, bool)
            y0, x0, y1, x1 = np.rint(box).astype(int)
            inside[y0 : y1 + 1, x0 : x1 + 1] = True
            mask = inside & (self.image > 50)
            results.append(Prediction(mask, mask.astype(np.float32), 1.0, np.zeros((0, 2)), np.zeros(0), mask, box))
        return results


@pytest.fixture
def volume():
    """A bright square that moves by two pixels a slice; each slice's maximum tells its index."""
    volume = np.zeros((12, 64, 64), np.uint8)
    for z in range(12):
        volume[z, 10 + 2 * z : 25 + 2 * z, 20:35] = 100 + z
    return volume


# the square on slice 6
BOX = (2, 22, 20, 10, 36, 34)


def test_the_box_follows_the_object_in_both_directions(volume):
    steps = list(propagate(volume, [BOX], Threshold([])))
    assert sorted(s.z for s in steps) == list(range(2, 11))
    # the margin of 3 px of the 256 frame is less than the two pixels of movement, so the tail is what remains
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
