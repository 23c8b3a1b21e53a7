from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_swin_litemedsam.answers import Prediction
from napari_swin_litemedsam.propagation import Options, Stop, Track, follow, segment_volume

SHAPE = (7, 32, 32)
BOX = (4.0, 4.0, 27.0, 27.0)


def disc(radius, middle=(15, 15)):
    y, x = np.indices(SHAPE[1:])
    return np.hypot(y - middle[0], x - middle[1]) <= radius


class Scripted:
    """Stands in for the predictor: answers with given probabilities, those of the second time being others."""

    def __init__(self, there, back=None):
        self.there, self.back = there, back or {}
        self.images, self.asked = [], []

    def set_image(self, image, window=None, key=None, zoom=None):
        self.z = int(np.asarray(image).max()) - 101
        self.images.append((self.z, key))

    def predict_each(self, boxes, seeds=None):
        results = []
        for box in boxes:
            given = self.back if self.z in self.asked and self.z in self.back else self.there
            probability = np.float32(given[self.z])
            self.asked.append(self.z)
            mask = probability > 0.5
            results.append(
                Prediction(mask, probability, 0.8, np.zeros((0, 2)), np.zeros(0), mask, np.asarray(box, float))
            )
        return results


@pytest.fixture
def volume():
    """A body in front of nothing; each slice's maximum tells its index."""
    volume = np.zeros(SHAPE, np.uint8)
    volume[:, 4:28, 4:28] = 100
    volume[:, 4, 4] = np.arange(101, 108)
    return volume


def run(volume, track, predictor, **options):
    return list(follow(volume, [track], predictor, options=Options(consistent=True, **options)))


def test_where_the_two_ways_differ_the_surer_one_counts(volume):
    there = {z: 0.9 * disc(8) for z in range(7)}
    sure, unsure = 0.95 * disc(4), 0.9 * disc(8) + 0.3 * (disc(11) & ~disc(8))
    back = {4: sure, 5: unsure}
    steps = run(volume, Track({3: BOX}, 2, 6), Scripted(there, back))
    final = {step.z: step.prediction for step in steps if not step.draft}
    assert (final[4].mask == disc(4)).all(), "0.9 and 0 make less than a half"
    assert (final[5].mask == disc(8)).all()
    assert final[5].probability[15, 25] == pytest.approx(0.15, abs=0.01)
    back[4] = 0.95 * disc(4) + 0.2 * (disc(8) & ~disc(4))
    steps = run(volume, Track({3: BOX}, 2, 6), Scripted(there, back))
    final = {step.z: step.prediction for step in steps if not step.draft}
    assert (final[4].mask == disc(8)).all(), "0.9 and 0.2 make more than a half"
    assert final[4].iou == pytest.approx(0.8)


def test_the_way_back_takes_its_boxes_from_the_end(volume):
    predictor = Scripted({z: 1.0 * disc(4 + z) for z in range(7)})
    steps = run(volume, Track({2: BOX}, 2, 6), predictor, margin=0)
    assert predictor.asked == [2, 3, 4, 5, 6, 5, 4, 3]
    drafts = {step.z: step.prediction.box for step in steps if step.draft}
    final = {step.z: step.prediction.box for step in steps if not step.draft}
    for z in (3, 4, 5):
        assert final[z][2] - final[z][0] > drafts[z][2] - drafts[z][0]
    np.testing.assert_allclose(final[5], (5, 5, 25, 25))


def test_slices_are_kept_for_the_way_back(volume):
    predictor = Scripted({z: 1.0 * disc(5) for z in range(7)})
    run(volume, Track({3: BOX}, 0, 6), predictor)
    keys = {}
    for z, key in predictor.images:
        assert key is not None
        assert keys.setdefault(z, key) == key


def test_reasons_stay_with_their_slices(volume):
    there = {z: 1.0 * disc(6) for z in range(7)}
    there[5] = np.zeros(SHAPE[1:])
    steps = run(volume, Track({2: BOX}), Scripted(there))
    final = {step.z: (bool(step.prediction.mask.any()), step.stop) for step in steps if not step.draft}
    assert final[5] == (False, Stop.EMPTY)
    assert final[0] == (True, Stop.VOLUME)
    assert final[4] == (True, None)
    assert 6 not in final


def test_an_object_that_vanishes_goes_back_from_where_it_was_seen_last(volume):
    there = {z: 1.0 * disc(6) for z in range(7)}
    there[5] = there[6] = np.zeros(SHAPE[1:])
    predictor = Scripted(there)
    steps = run(volume, Track({2: BOX}, 2, 6), predictor)
    assert predictor.asked == [2, 3, 4, 5, 6, 3]
    final = {step.z: step for step in steps if not step.draft}
    assert [z for z in sorted(final) if final[z].prediction.mask.any()] == [2, 3, 4]
    assert final[6].stop is Stop.RANGE


def test_masks_between_that_the_model_did_not_make_are_halfway(volume):
    there = {z: 1.0 * disc(6) for z in range(7)}
    steps = run(volume, Track({0: BOX}, 0, 6), Scripted(there, {3: 1.0 * disc(10)}), every=3)
    final = {step.z: step.prediction.mask for step in steps if not step.draft}
    assert (final[3] == disc(6)).all() or final[3].sum() == disc(10).sum()
    for z in (4, 5):
        assert disc(6).sum() < final[z].sum() < disc(9).sum()


def test_the_slice_of_the_box_tells_on_the_way_back_too_what_the_object_looks_like(volume):
    volume[volume == 100] = 30
    volume[:, disc(5)] = 90
    # at the end, something else in surroundings that look like the object
    volume[6][volume[6] < 90] = 90
    volume[6][disc(8)] = 65
    there = {z: 0.9 * disc(5 if z < 4 else 8) for z in range(7)}
    steps = run(volume, Track({3: BOX}, 3, 6), Scripted(there))
    final = {step.z: step.prediction.mask for step in steps if not step.draft}
    for z in (4, 5):
        np.testing.assert_array_equal(final[z], disc(5))


def test_labels_are_made_of_what_is_final(volume):
    there = {z: 1.0 * disc(8) for z in range(7)}
    predictor = Scripted(there, {z: 1.0 * disc(4) for z in there})
    labels = segment_volume(volume, [(1, *BOX[:2], 5, *BOX[2:])], predictor, options=Options(consistent=True))
    areas = np.count_nonzero(labels, axis=(1, 2)).tolist()
    small, large = int(disc(4).sum()), int(disc(8).sum())
    assert areas == [0, large, small, large, small, large, 0]


@pytest.mark.parametrize("seed", range(60))
def test_each_slice_has_one_final_step_after_its_draft(volume, seed):
    rng = np.random.default_rng(seed)
    predictor = Scripted({z: disc(rng.integers(0, 9)) * rng.random() for z in range(7)})
    tracks = []
    for _ in range(int(rng.integers(1, 4))):
        slices = rng.choice(7, rng.integers(1, 3), replace=False).tolist()
        known = {int(z): disc(6) for z in rng.choice(7, rng.integers(0, 3), replace=False)}
        done = set(rng.choice(7, rng.integers(0, 2), replace=False).tolist())
        span = (None, None) if rng.random() < 0.5 else (0, 6)
        tracks.append(Track(dict.fromkeys(slices, BOX), *span, known, done))
    options = Options(every=int(rng.integers(1, 4)))
    once = {(s.object, s.z) for s in follow(volume, tracks, predictor, options=options)}
    options = replace(options, consistent=True)
    steps = list(follow(volume, tracks, predictor, options=options))
    assert len(steps) <= options.count(tracks, 7)
    final = Counter((s.object, s.z) for s in steps if not s.draft)
    assert set(final) == once
    assert set(final.values()) <= {1}
    seen = set()
    for step in steps:
        if step.draft:
            assert (step.object, step.z) not in seen
        seen.add((step.object, step.z))
    for number, track in enumerate(tracks):
        for z in track.boxes:
            assert not any(s.draft for s in steps if (s.object, s.z) == (number, z))


def test_a_box_beside_the_range(volume):
    steps = run(volume, Track({1: BOX}, 3, 5), Scripted({z: 0.9 * disc(8) for z in range(7)}))
    assert sorted(step.z for step in steps if not step.draft) == [3, 4, 5]
