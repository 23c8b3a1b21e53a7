from collections import Counter

import numpy as np
import pytest
import torch

from napari_swin_litemedsam.model import PointLabel
from napari_swin_litemedsam.training import batches
from napari_swin_litemedsam.training.batches import draw_batch, draw_carried_view, source_weights
from napari_swin_litemedsam.training.data import DataError, Pair, Sample


def test_sources_are_drawn_by_the_square_root_of_their_size(make_sample):
    samples = [make_sample(str(n), "CT/spleen" if n < 4 else "CT/liver") for n in range(5)]
    weights = source_weights(samples)
    assert weights.sum() == pytest.approx(1)
    assert weights[:4].sum() == pytest.approx(2 * weights[4])


def test_a_modality_of_many_sources_is_drawn_by_the_square_root_of_their_number(make_sample):
    sources = ["CT/spleen", "CT/liver", "CT/kidney", "CT/aorta", "PET/tumour"]
    weights = source_weights([make_sample(str(n), source) for n, source in enumerate(sources)])
    assert weights[:4].sum() == pytest.approx(2 * weights[4])


def test_what_is_favoured_is_drawn_so_many_times_as_often(make_sample):
    sources = ["CT/spleen", "CT/liver", "PET/tumour"]
    samples = [make_sample(str(n), source) for n, source in enumerate(sources)]
    plain, favouring = source_weights(samples), source_weights(samples, {"CT/liver": 4, "PET": 2})
    np.testing.assert_allclose((favouring / favouring[0]) / (plain / plain[0]), [1, 4, 2])
    with pytest.raises(
        ValueError, match=r"no image to train on is of CT/live; there are images of CT/liver, CT/spleen, PET/tumour"
    ):
        source_weights(samples, {"CT/live": 2})


def test_a_batch_depends_on_its_seed_alone_and_fits_together(samples):
    weights = source_weights(samples)
    first, again, other = (draw_batch(samples, weights, 2, 4, 128, seed) for seed in ([0, 1], [0, 1], [0, 2]))
    for name, tensor in vars(first).items():
        assert torch.equal(tensor, getattr(again, name))
    assert not torch.equal(first.image, other.image)
    assert first.image.shape == (2, 3, 128, 128)
    assert first.truth.shape == (8, 128, 128)
    assert 0 <= first.image.min() < first.image.max() <= 1
    for tensor in (first.points, first.boxes):
        assert tensor.min() >= 0
        assert tensor.max() <= 127


def test_most_boxes_are_as_drawn_and_those_in_haste_too_large_or_cut_a_little(flat):
    batch = draw_batch(flat, source_weights(flat), 16, 4, 128, [0])
    assert batch.truth.flatten(1).any(1).all()
    shown = [np.argwhere(truth)[:, ::-1] for truth in batch.truth.numpy()]
    low, high = (np.stack([end(pixels, axis=0) for pixels in shown]) for end in (np.min, np.max))
    boxes = batch.boxes.numpy()
    excess = np.hstack([low - boxes[:, :2], boxes[:, 2:] - high])
    # 5 pixels of the 256 frame on each side
    as_drawn = ((excess >= 0) & (excess <= 2.5)).all(axis=1)
    assert 0.55 < as_drawn.mean() < 0.9
    assert (excess > 10).any()
    share = excess / np.tile(high - low, 2)
    assert -0.16 < share.min() < -0.05


def test_boxes_of_a_volume_are_often_those_of_a_slice_nearby(make_sample):
    cone = make_sample("cone", "CT/cone")
    rows, columns = np.ogrid[:64, :64]
    radii = [6, 12, 18, 24]
    labels = np.stack([(rows - 32) ** 2 + (columns - 32) ** 2 <= radius**2 for radius in radii]).astype(np.uint8)
    cone = Sample(cone.pair, np.zeros(labels.shape, np.uint8), labels)
    grows = shrinks = 0
    rng = np.random.default_rng(0)
    for _ in range(30):
        view = draw_carried_view(cone, 128, rng)
        for before, here in view[1] if view else ():
            assert before.any()
            if here.any():
                smaller, larger = sorted((before, here), key=np.sum)
                # they were turned and cut alike, so one holds the other but for the pixels at its rim
                assert (smaller & larger).sum() > 0.9 * smaller.sum()
                assert larger.sum() > 1.2 * smaller.sum()
                grows, shrinks = grows + (here is larger), shrinks + (here is smaller)
    assert grows > 2
    assert shrinks > 2


def test_boxes_of_a_volume_are_carried_of_all_objects_that_share_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "random_view", lambda image, labels, size, rng: (np.zeros((3, size, size)), labels))
    labels = np.zeros((5, 64, 64), np.uint8)
    labels[:, 10:30, 10:30] = 1
    labels[:, 11:29, 11:29] = 2
    eye = Sample(Pair("OCT", tmp_path / "a", tmp_path / "a", ((1, 2), (2,))), labels, labels)
    rng = np.random.default_rng(0)
    views = [draw_carried_view(eye, 64, rng) for _ in range(20)]
    assert {int(before.sum()) for view in views if view for before, _ in view[1]} == {20**2, 18**2}


def test_slices_beyond_an_object_s_end_have_prompts_and_no_mask(samples):
    batch = draw_batch(samples, source_weights(samples), 24, 2, 64, [0])
    gone = ~batch.truth.flatten(1).any(1)
    assert 0.1 < gone.float().mean() < 0.5
    assert ((batch.boxes[gone, 2:] - batch.boxes[gone, :2]) > 2).all()


def test_images_whose_objects_are_too_small_are_passed_over(flat, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "LOOKS", 3)
    specks = np.zeros((1, 300, 300), np.uint8)
    specks[0, ::40, ::40] = 1
    small = Sample(Pair("CT", tmp_path / "specks", tmp_path / "specks"), specks, specks)
    both = [small, flat[0]]
    assert draw_batch(both, np.array([0.6, 0.4]), 3, 2, 64, [0]).truth.flatten(1).any(1).all()
    with pytest.raises(DataError, match="specks: no object is large enough in frames of 64"):
        draw_batch([small], np.ones(1), 1, 2, 64, [0])


def test_a_wall_is_drawn_more_often_than_what_it_encloses(tmp_path):
    labels = np.zeros((1, 100, 100), np.uint8)
    y, x = np.indices(labels.shape[1:]) - 50
    labels[0, y**2 + x**2 < 34**2] = 1
    labels[0, y**2 + x**2 < 28**2] = 2
    heart = Sample(Pair("MR", tmp_path / "heart", tmp_path / "heart"), labels * 80, labels)
    batch = draw_batch([heart], np.ones(1), 4, 24, 64, [0])
    centres = ((batch.boxes[:, :2] + batch.boxes[:, 2:]) / 2).long()
    hollow = [not truth[y - 2 : y + 3, x - 2 : x + 3].any() for truth, (x, y) in zip(batch.truth, centres, strict=True)]
    assert 0.55 < np.mean(hollow) < 0.95


def test_corrected_points_are_labelled_by_the_truth(flat):
    found = 0
    for seed in range(12):
        batch = draw_batch(flat, source_weights(flat), 1, 6, 128, [seed])
        for truth, points, labels in zip(batch.truth, batch.points, batch.labels, strict=True):
            if (labels == PointLabel.NEGATIVE).any():
                found += 1
                for (x, y), label in zip(points.int().tolist(), labels.tolist(), strict=True):
                    if label != PointLabel.PADDING:
                        assert truth[y, x] == label
    assert found > 3


def test_points_that_a_user_would_place_are_told_twice(flat):
    generated = corrected = 0
    for seed in range(12):
        batch = draw_batch(flat, source_weights(flat), 1, 6, 128, [seed])
        for points, labels in zip(batch.points, batch.labels, strict=True):
            told = Counter((x, y, label) for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True))
            negative = [times for (*_, label), times in told.items() if label == PointLabel.NEGATIVE]
            assert all(times % 2 == 0 for times in negative)
            corrected += len(negative) > 0
            generated += 1 in [times for (*_, label), times in told.items() if label == PointLabel.POSITIVE]
    assert generated > 20
    assert corrected > 3
