import csv
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_swin_litemedsam.model import SwinLiteMedSAM, load_checkpoint
from napari_swin_litemedsam.plugin.loading import finished_trainings
from napari_swin_litemedsam.training import loop
from napari_swin_litemedsam.training.batches import draw_batch, source_weights
from napari_swin_litemedsam.training.data import DataError
from napari_swin_litemedsam.training.loop import Settings, fit, stage2_loss
from napari_swin_litemedsam.training.state import CsvLog, load_state, save_state


def settings(**changes):
    small = {"steps": 2, "images": 1, "prompts": 2, "sizes": (64,), "save_minutes": 99, "warm_up": 1}
    return Settings(**small | changes)


def test_a_resumed_run_equals_an_uninterrupted_one(samples, tmp_path, capsys):
    def start():
        torch.manual_seed(0)
        return SwinLiteMedSAM()

    whole = fit(start(), samples, tmp_path / "whole", settings())
    # the first part must follow the schedule of the whole, so it is cut off rather than shorter
    stop_after(1, lambda: fit(start(), samples, tmp_path / "cut", settings()))
    assert "interrupted: saving step 1, from which the same command goes on" in capsys.readouterr().err.splitlines()
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


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_only_what_a_plateau_has_lowered_stays_low(samples, tmp_path, schedule):
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1, schedule=schedule, rate=1e-3))
    saved = load_state(tmp_path)
    for group in saved["optimizer"]["param_groups"]:
        group["lr"] = 0.02 * group["initial_lr"]
    save_state(tmp_path, **saved)
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(schedule="plateau", rate=4e-4))
    rates = [group["lr"] for group in load_state(tmp_path)["optimizer"]["param_groups"]]
    assert rates == pytest.approx(2 * [4e-4 * (0.02 if schedule == "plateau" else 1)])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("before", "now", "kept"), [("A", "A", True), ("", "B", True), ("A", "B", False)])
def test_scores_of_other_images_are_no_measure(samples, tmp_path, capsys, before, now, kept):
    plan = {"schedule": "plateau"}
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1, **plan), lambda model: 80.0, before)
    # states of before know nothing of images
    state = load_state(tmp_path)
    if not before:
        del state["validated_on"]
    save_state(tmp_path, **state)
    # without validation what there was stays
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=2))
    assert load_state(tmp_path)["best"] == 80
    save_state(tmp_path, **load_state(tmp_path) | {"scheduler": state["scheduler"]})
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=3, **plan), lambda model: 60.0, now)
    state = load_state(tmp_path)
    assert (state["best"], state["validated_on"]) == (80 if kept else 60, now)
    assert state["scheduler"]["best"] == state["best"]
    assert ("validate on are others" in capsys.readouterr().err) != kept


@pytest.mark.usefixtures("quick")
def test_the_panel_offers_what_a_training_ended_with(samples, tmp_path):
    for steps, validate, offered in (
        (1, lambda model: 80.0, "best"),
        (2, lambda model: 60.0, "best"),
        (3, None, "last"),
    ):
        fit(SwinLiteMedSAM(), samples, tmp_path / "run", settings(steps=steps), validate)
        assert finished_trainings(tmp_path) == [tmp_path / "run" / f"{offered}.safetensors"]


@pytest.mark.usefixtures("quick")
def test_the_best_weights_are_made_anew_once_they_are_moved_away(samples, tmp_path):
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=1), lambda model: 80.0)
    (tmp_path / "best.safetensors").unlink()
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=2), lambda model: 60.0)
    assert load_state(tmp_path)["best"] == 60
    load_checkpoint(tmp_path / "best.safetensors")


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_weights_without_a_state_are_not_replaced(samples, tmp_path, name):
    (tmp_path / name).write_bytes(b"of yesterday")
    with pytest.raises(DataError, match=f"{name}: weights without a state.pt"):
        fit(SwinLiteMedSAM(), samples, tmp_path, settings())
    assert (tmp_path / name).read_bytes() == b"of yesterday"


def test_a_log_that_is_open_elsewhere_is_written_later(tmp_path, monkeypatch):
    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    log = CsvLog(tmp_path / "log.csv", ["step", "loss"])
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.open", locked)
        log.write({"step": 1})
        # at the start it is told
        with pytest.raises(PermissionError):
            CsvLog(tmp_path / "log.csv", ["step", "loss"])
    log.write({"step": 2, "loss": 0.5})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,loss", "1,", "2,0.5"]


def test_a_log_goes_on_with_the_columns_that_it_has(tmp_path):
    CsvLog(tmp_path / "log.csv", ["step", "loss"]).write({"step": 1, "loss": 0.5})
    CsvLog(tmp_path / "log.csv", ["step", "clicks", "loss"]).write({"step": 2, "clicks": 0.1, "loss": 0.25})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,loss", "1,0.5", "2,0.25"]


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


@pytest.mark.usefixtures("quick")
def test_the_best_checkpoint_is_that_of_the_highest_score(samples, tmp_path):
    best, scores, before = tmp_path / "best.safetensors", iter([3.0, 2.0, 4.0]), []

    def validate(model):
        before.append(best.read_bytes() if best.exists() else b"")
        return next(scores)

    # saved after each step
    fit(SwinLiteMedSAM(), samples, tmp_path, settings(steps=3, schedule="plateau", save_minutes=-1), validate)
    nothing, after_3, after_2 = before
    assert nothing == b""
    assert after_3 == after_2 != best.read_bytes()
    rows = csv.DictReader((tmp_path / "log.csv").open())
    assert [row["dsc"] for row in rows if row["dsc"]] == ["3.00", "2.00", "4.00"]


def test_corrected_prompts_still_train_the_decoder_in_bf16(flat):
    batch = replace(draw_batch(flat, source_weights(flat), 1, 2, 64, [0]), rounds=torch.tensor([2, 1]))
    model = SwinLiteMedSAM().train()
    with torch.autocast("cpu", torch.bfloat16):
        losses = stage2_loss(model, batch)
    torch.stack(list(losses.values())).sum().backward()
    for name in ("deep_conv.weight", "transformer.final_attention.q_proj.weight", "mask_heads.0.0.weight"):
        assert model.mask_decoder.get_parameter(name).grad.abs().sum() > 0
