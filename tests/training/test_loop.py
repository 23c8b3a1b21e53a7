import csv
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_swin_litemedsam.model import PointLabel, SwinLiteMedSAM, load_checkpoint
from napari_swin_litemedsam.training import batches, loop
from napari_swin_litemedsam.training.batches import draw_batch, draw_carried_view, source_weights
from napari_swin_litemedsam.training.data import DataError, Pair, Sample
from napari_swin_litemedsam.training.loop import Settings, fit, stage2_loss
from napari_swin_litemedsam.training.losses import dice_loss, distillation_loss, stage2_losses, true_iou
from napari_swin_litemedsam.training.state import load_state, save_state
from napari_swin_litemedsam.training.validation import boxed_objects, mean_dice


def sample(name, source, tmp_path):
    rng = np.random.default_rng(len(name))
    labels = np.zeros((3, 90, 120), np.uint8)
    labels[1, 20:60, 30:80] = 1
    labels[1, 65:85, 90:110] = 2
    image = (labels * 80 + rng.integers(0, 20, labels.shape)).astype(np.uint8)
    return Sample(Pair(source, tmp_path / name, tmp_path / name), image, labels)


@pytest.fixture
def samples(tmp_path):
    return [sample(n, s, tmp_path) for n, s in (("a", "CT"), ("bb", "CT"), ("ccc", "CT"), ("dddd", "CT"), ("e", "MR"))]


@pytest.fixture
def flat(samples):
    """The same of one slice each, which no object ends before."""
    return [Sample(s.pair, s.image[1:2], s.labels[1:2]) for s in samples]


def test_sources_are_drawn_by_the_square_root_of_their_size(tmp_path):
    samples = [sample(str(n), "CT/spleen" if n < 4 else "CT/liver", tmp_path) for n in range(5)]
    weights = source_weights(samples)
    assert weights.sum() == pytest.approx(1)
    assert weights[:4].sum() == pytest.approx(2 * weights[4])


def test_a_modality_of_many_sources_is_drawn_by_the_square_root_of_their_number(tmp_path):
    sources = ["CT/spleen", "CT/liver", "CT/kidney", "CT/aorta", "PET/tumour"]
    weights = source_weights([sample(str(n), source, tmp_path) for n, source in enumerate(sources)])
    assert weights[:4].sum() == pytest.approx(2 * weights[4])


def test_what_is_favoured_is_drawn_so_many_times_as_often(tmp_path):
    sources = ["CT/spleen", "CT/liver", "PET/tumour"]
    samples = [sample(str(n), source, tmp_path) for n, source in enumerate(sources)]
    plain, favouring = source_weights(samples), source_weights(samples, {"CT/liver": 4, "PET": 2})
    np.testing.assert_allclose((favouring / favouring[0]) / (plain / plain[0]), [1, 4, 2])
    with pytest.raises(ValueError, match=r"no image is of CT/live; there are CT/liver, CT/spleen, PET/tumour"):
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


def test_boxes_of_a_volume_are_often_those_of_a_slice_nearby(tmp_path):
    cone = sample("cone", "CT/cone", tmp_path)
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


def test_where_there_is_no_object_only_the_predicted_iou_is_wrong():
    logits = torch.full((2, 8, 8), 1.0, requires_grad=True)
    iou = torch.tensor([0.9, 0.9], requires_grad=True)
    truth = torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])
    sum(stage2_losses(logits, iou, truth).values()).backward()
    assert logits.grad[0].any()
    assert not logits.grad[1].any()
    assert iou.grad[1] > 0


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


def test_losses_are_zero_for_the_truth_and_grow_with_the_error():
    truth = torch.zeros(2, 16, 16)
    truth[:, 4:12, 4:12] = 1
    right, wrong = (truth - 0.5) * 60, (0.5 - truth) * 60
    assert sum(stage2_losses(right, torch.ones(2), truth).values()) < 1e-3
    assert (dice_loss(wrong, truth) > 0.9).all()
    assert true_iou(wrong, truth).tolist() == [0, 0]
    assert true_iou(right, truth).tolist() == [1, 1]


def test_distillation_counts_in_units_of_the_teacher_and_skips_free_maps():
    teacher = torch.randn(1, 4, 8, 8)
    assert distillation_loss([teacher, teacher], [teacher, None]) == 0
    assert distillation_loss([teacher + teacher.std()], [teacher]) == pytest.approx(1, abs=1e-4)


def test_validation_boxes_hold_their_objects_and_are_always_the_same(samples):
    found, again = list(boxed_objects(samples[0])), list(boxed_objects(samples[0]))
    assert len(found) == 2
    for (mask, box), (_, same) in zip(found, again, strict=True):
        np.testing.assert_array_equal(box, same)
        rows, columns = np.nonzero(mask)
        assert box[0] <= rows.min() <= rows.max() <= box[2]
        assert box[1] <= columns.min() <= columns.max() <= box[3]


def test_validation_is_a_percentage(samples):
    torch.manual_seed(0)
    assert 0 <= mean_dice(SwinLiteMedSAM(), samples[:1]) <= 100


def settings(**changes):
    small = {"steps": 2, "images": 1, "prompts": 2, "sizes": (64,), "save_minutes": 99, "warm_up": 1}
    return Settings(**small | changes)


def test_a_resumed_run_equals_an_uninterrupted_one(samples, tmp_path):
    def start():
        torch.manual_seed(0)
        return SwinLiteMedSAM()

    whole = fit(start(), samples, tmp_path / "whole", settings())
    # the first part must follow the schedule of the whole, so it is cut off rather than shorter
    stop_after(1, lambda: fit(start(), samples, tmp_path / "cut", settings()))
    resumed = fit(start(), samples, tmp_path / "cut", settings())
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    rows = list(csv.DictReader((tmp_path / "cut" / "log.csv").open()))
    assert [r["step"] for r in rows][-1] == "2"
    load_checkpoint(tmp_path / "cut" / "last.safetensors")


@pytest.fixture
def quick(monkeypatch):
    """Steps that move two tensors alone."""
    monkeypatch.setattr(
        loop,
        "stage2_loss",
        lambda model, *_: {"loss": model.mask_decoder.iou_token.sum() + model.image_encoder.stages[0].merge.bias.sum()},
    )


@pytest.mark.usefixtures("quick")
def test_a_resumed_run_takes_the_rates_given_then(samples, tmp_path):
    # the rate falls to a fiftieth at the last step
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1, rate=1e-3, encoder_rate=0))
    before = load_state(tmp_path)["model"]["image_encoder.stages.0.merge.bias"]
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(rate=4e-4, encoder_rate=0.5))
    rows = [row for row in csv.DictReader((tmp_path / "log.csv").open()) if row["rate"]]
    assert float(rows[-1]["rate"]) == pytest.approx(4e-4 / 50)
    assert load_state(tmp_path)["step"] == 2
    assert not torch.equal(load_state(tmp_path)["model"]["image_encoder.stages.0.merge.bias"], before)


@pytest.mark.parametrize(("state", "message"), [(b"", "state.pt: is damaged"), (None, "holds another run")])
def test_a_run_that_cannot_be_gone_on_with_is_told(samples, tmp_path, state, message):
    save_state(tmp_path, step=3)
    if state is not None:
        (tmp_path / "state.pt").write_bytes(state)
    with pytest.raises(DataError, match=message):
        fit(SwinLiteMedSAM(), samples, tmp_path, settings())


def test_numbers_that_are_not_finite_do_not_reach_the_weights(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "stage2_loss", lambda model, *_: {"loss": model.mask_decoder.iou_token.sum() * np.nan})
    with pytest.raises(DataError, match="step 1: the gradient is not finite"):
        fit(SwinLiteMedSAM(), samples, tmp_path, settings())
    assert not (tmp_path / "state.pt").exists()
    assert not (tmp_path / "last.safetensors").exists()


@pytest.mark.usefixtures("quick")
def test_an_interrupt_while_validating_loses_no_step(samples, tmp_path):
    def impatient(model):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1), impatient)
    assert load_state(tmp_path)["step"] == 1
    # going on makes up for it
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1), lambda model: 3.0)
    assert load_state(tmp_path)["best"] == 3
    assert (tmp_path / "best.safetensors").exists()


@pytest.mark.usefixtures("quick")
def test_what_was_just_saved_is_not_validated_again(samples, tmp_path):
    scores = iter([3.0])
    fit(
        SwinLiteMedSAM(),
        samples,
        tmp_path,
        settings(steps=1, save_minutes=0, device="cpu:0"),
        lambda model: next(scores),
    )
    assert load_state(tmp_path)["best"] == 3


def test_a_full_disk_is_told_and_the_state_before_kept(tmp_path, monkeypatch):
    def full(parts, path):
        path.write_bytes(b"half of it")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 904064 vs 904016")

    save_state(tmp_path, step=3)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"state\.pt: cannot be written; is the disk full"):
        save_state(tmp_path, step=4)
    assert load_state(tmp_path) == {"step": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def stop_after(steps, run):
    """Send the interrupt of Ctrl-C while a given step is computed."""
    calls = []
    original = loop.draw_batch

    def draw(*args):
        calls.append(1)
        if len(calls) == steps:
            signal.raise_signal(signal.SIGINT)
        return original(*args)

    loop.draw_batch = draw
    try:
        run()
    finally:
        loop.draw_batch = original
    assert len(calls) == steps


def test_sizes_take_turns_and_the_smaller_holds_more_images(samples, tmp_path, monkeypatch):
    shapes, original = [], loop.draw_batch

    def draw(*args):
        batch = original(*args)
        shapes.append(tuple(batch.image.shape))
        return batch

    monkeypatch.setattr(loop, "draw_batch", draw)
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(sizes=(128, 64)))
    assert sorted(shapes) == [(1, 3, 128, 128), (4, 3, 64, 64)]


def test_training_lowers_the_loss(samples, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = SwinLiteMedSAM().train()
    batch = draw_batch(samples[:1], source_weights(samples[:1]), 1, 2, 64, [0])
    # the same batch again and again, so that few steps are enough
    monkeypatch.setattr(loop, "draw_batch", lambda *_: batch)

    @torch.no_grad()
    def loss_of(model):
        return float(sum(stage2_loss(model, batch).values()))

    before = loss_of(model)
    trained = fit(model, samples[:1], tmp_path, settings(steps=4, rate=3e-4, ema=0, fixed_norm=False))
    assert loss_of(trained.train()) < 0.95 * before


@pytest.mark.parametrize("share", [0, 0.1, 1])
def test_the_encoder_learns_at_its_own_rate(samples, tmp_path, share):
    torch.manual_seed(0)
    model = SwinLiteMedSAM()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained = fit(model, samples, tmp_path, settings(steps=1, rate=1e-3, ema=0, encoder_rate=share)).state_dict()

    def moved(name):
        return float((trained[name] - before[name]).abs().max())

    # the first step of Adam is as long as the rate, at the warm-up's beginning a hundredth of it
    assert moved("mask_decoder.deep_up.bias") == pytest.approx(1e-5, rel=0.1)
    assert moved("image_encoder.stages.0.merge.bias") == pytest.approx(share * 1e-5, rel=0.1)


@pytest.mark.parametrize("fixed", [True, False])
def test_statistics_of_the_images_are_kept_or_taken_anew(samples, tmp_path, fixed):
    trained = fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1, fixed_norm=fixed))
    statistics = trained.state_dict()["image_encoder.patch_embed.0.norm.running_mean"]
    assert bool((statistics == 0).all()) == fixed


def test_the_distance_from_a_teacher_counts_by_its_weight(samples):
    batch = draw_batch(samples, source_weights(samples), 1, 2, 64, [0])
    model = SwinLiteMedSAM().eval()

    def teacher(image):
        embedding, skips = model.image_encoder(image)
        return [skips[0] + skips[0].std(), None, None, None, embedding]

    losses = stage2_loss(model, batch, teacher, 3.0)
    # one map of two is one standard deviation away
    assert float(losses["distillation"].detach()) == pytest.approx(1.5, rel=1e-2)
    assert losses.keys() - stage2_loss(model, batch).keys() == {"distillation"}


def test_the_best_checkpoint_is_that_of_the_highest_score(samples, tmp_path):
    scores = iter([3.0])
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1, schedule="plateau"), lambda model: next(scores))
    assert (tmp_path / "best.safetensors").exists()
    assert list(csv.DictReader((tmp_path / "log.csv").open()))[-1]["dsc"] == "3.00"


def test_corrected_prompts_still_train_the_decoder_in_bf16(flat):
    batch = replace(draw_batch(flat, source_weights(flat), 1, 2, 64, [0]), rounds=torch.tensor([2, 1]))
    model = SwinLiteMedSAM().train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = stage2_loss(model, batch)
    torch.stack(list(losses.values())).sum().backward()
    for name in ("deep_conv.weight", "transformer.final_attention.q_proj.weight", "mask_heads.0.0.weight"):
        assert model.mask_decoder.get_parameter(name).grad.abs().sum() > 0
