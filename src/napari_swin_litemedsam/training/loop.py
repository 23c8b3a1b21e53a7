"""Stage 1 (distillation) and stage 2 (training on prompts): one resumable loop with two kinds of step."""

import math
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..model import SwinLiteMedSAM, load_checkpoint, save_checkpoint
from ..preprocessing import FRAME_SIZE
from . import BEST, LAST, LOG
from .batches import Batch, draw_batch, draw_images, source_weights
from .clicks import add_clicks
from .data import DataError, Sample
from .losses import distillation_loss, heed_loss, stage2_losses
from .state import CsvLog, Ema, load_state, save_state
from .teacher import Teach, make_teacher
from .warm_start import warm_start

WARM_START_IMAGES = 32
# weight, in stage 2, of the errors around corrective clicks
HEED = 0.3


@dataclass(frozen=True)
class Settings:
    """How to train. `stage` 1 distils the image encoder, 2 trains the whole network on prompts."""

    stage: int = 2
    steps: int = 10_000
    images: int = 6
    prompts: int = 6
    sizes: tuple[int, ...] = (256,)
    """Sides of the frame, taken in turn; `images` is meant for the largest, smaller ones hold more of them."""
    rate: float = 2e-4
    encoder_rate: float = 1.0
    """What of the rate, in stage 2, the image encoder learns at; 0 leaves it as it is. Noise from a decoder that knows
    nothing yet would destroy what the encoder knows."""
    schedule: str = "cosine"
    """``cosine``: warm-up and cosine; ``plateau``: ReduceLROnPlateau on the validation DSC, as in the paper."""
    warm_up: int = 100
    weight_decay: float = 0.01
    distill: float = 0.0
    """Weight, in stage 2, of the distance from the teacher's features."""
    fixed_norm: bool = True
    """Normalise by the statistics that the network has, and not by those of a batch: a few images of different
    modalities are no sample, and in use there is one."""
    favoured: Mapping[str, float] = field(default_factory=dict)
    """Modalities and sources that are drawn more often, and how many times as often."""
    ema: float = 0.998
    seed: int = 0
    bf16: bool = False
    save_minutes: float = 10
    device: str = "cpu"


def start_model(init: str, samples: Sequence[Sample]) -> SwinLiteMedSAM:
    """Network to start from: ``litemedsam`` (warm start, fitted to the samples), ``bundled``, ``random``, or a path."""
    if init == "random":
        return SwinLiteMedSAM()
    if init == "litemedsam":
        model = SwinLiteMedSAM()
        warm_start(model, draw_images(samples, source_weights(samples), WARM_START_IMAGES, FRAME_SIZE, [0]))
        return model
    if init == "bundled":
        from ..backends import bundled_weights

        return load_checkpoint(bundled_weights())
    return load_checkpoint(init)


def stage2_loss(
    model: SwinLiteMedSAM, batch: Batch, teacher: Teach | None = None, weight: float = 0.0
) -> dict[str, Tensor]:
    """Losses of a batch: even prompts go without, odd prompts with their scribble.

    A part of the batch is corrected first: the network sees its own errors clicked on, as in use, and what is left of
    them there counts more. With a teacher the distance from its features counts, too, `weight` times.
    """
    embedding, skips = model.image_encoder(batch.image)
    features = model.mask_decoder.image_half(embedding, skips)
    totals: dict[str, Tensor] = {}
    if teacher is not None:
        totals["distillation"] = weight * distillation_loss([*skips, embedding], teacher(batch.image))
    for start in (0, 1):
        part = slice(start, None, 2)
        scribbles = batch.scribbles[part] if start else None
        points, labels, boxes, truth = batch.points[part], batch.labels[part], batch.boxes[part], batch.truth[part]
        with torch.no_grad():
            for _ in range(int(batch.rounds[start])):
                logits, _ = model.decode(features, points, labels, boxes, scribbles)
                points, labels = add_clicks(points, labels, logits, truth)
        # autocast would go on with the weights that it cast here, which know no gradient
        torch.clear_autocast_cache()
        logits, iou = model.decode(features, points, labels, boxes, scribbles)
        terms = stage2_losses(logits, iou, truth)
        given = batch.points.shape[1]
        terms["clicks"] = HEED * heed_loss(logits, truth, points[:, given:], labels[:, given:])
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value / 2
    return totals


def _stage1_loss(model: SwinLiteMedSAM, teacher: Teach, images: Tensor) -> dict[str, Tensor]:
    embedding, skips = model.image_encoder(images)
    return {"distillation": distillation_loss([*skips, embedding], teacher(images))}


def _schedule(optimizer: torch.optim.Optimizer, settings: Settings, done: int) -> Any:
    """What changes the rates after each step or, by ``plateau``, after each validation."""
    if settings.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.9, patience=5)
    rest = max(1, settings.steps - settings.warm_up)

    def share(step: int) -> float:
        if step < settings.warm_up:
            return 0.01 + 0.99 * step / settings.warm_up
        return 0.02 + 0.98 * (1 + math.cos(math.pi * min(1, (step - settings.warm_up) / rest))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share, last_epoch=done - 1)


def _is_plateau(scheduler: Mapping[str, Any]) -> bool:
    """Whether this is the state of one that waits for validation to gain nothing."""
    return "num_bad_epochs" in scheduler


def _optimizer(model: SwinLiteMedSAM, settings: Settings, saved: dict[str, Any] | None) -> torch.optim.Optimizer:
    """The optimiser with a rate for each group of what is trained: the settings' own, also where it goes on."""
    encoder = {"params": [*model.image_encoder.parameters()], "lr": settings.rate * settings.encoder_rate}
    others = [x for part in (model.prompt_encoder, model.mask_decoder) for x in part.parameters()]
    groups = [encoder] if settings.stage == 1 else [{"params": others, "lr": settings.rate}, encoder]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    rates = [group["lr"] for group in optimizer.param_groups]
    if saved:
        optimizer.load_state_dict(saved["optimizer"])
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        # only a plateau has lowered it for good; the end of a cosine is none
        stays = saved and _is_plateau(saved["scheduler"]) and group["initial_lr"]
        lowered = group["lr"] / group["initial_lr"] if stays else 1
        group.update(lr=rate * lowered, initial_lr=rate)
    return optimizer


def fit(
    model: SwinLiteMedSAM,
    samples: Sequence[Sample],
    folder: Path,
    settings: Settings,
    validate: Callable[[SwinLiteMedSAM], float] | None = None,
    validated_on: str = "",
) -> SwinLiteMedSAM:
    """Train until the last step or an interrupt, writing checkpoints and log into `folder`.

    A folder that already holds a run goes on with it: batches depend on seed and step alone, so the order
    of samples is that of an uninterrupted run. Other settings than before count from there on.

    Parameters
    ----------
    model : SwinLiteMedSAM
        Where to start; replaced by the saved weights if there is a run to resume.
    samples : sequence of Sample
        Training data.
    folder : Path
        For ``last.safetensors`` and ``best.safetensors`` (averaged weights), ``state.pt`` and ``log.csv``.
    settings : Settings
        How to train.
    validate : callable, optional
        Gives the DSC, in per cent, of a network; called at each save.
    validated_on : str
        Tells the images of `validate` from others, whose scores are no measure of its own.

    Returns
    -------
    SwinLiteMedSAM
        With the averaged weights.

    Raises
    ------
    DataError
        If the folder's run is damaged or of another stage, or if it holds weights alone, or if training leads to
        numbers that are not finite; what was saved last stays.
    ValueError
        If there are no samples of what is favoured.
    OSError
        If something cannot be written.
    """
    weights = source_weights(samples, settings.favoured)
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to(settings.device).train()
    if settings.fixed_norm:
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    # without a gradient nothing of it is computed, and the optimiser leaves it alone
    model.image_encoder.requires_grad_(settings.encoder_rate > 0)
    average = Ema(model, settings.ema)
    done, best, seconds, anew = 0, -1.0, 0.0, False
    saved = load_state(folder)
    try:
        if saved:
            model.load_state_dict(saved["model"])
            average.load(saved["average"])
            done, best, seconds = saved["step"], saved["best"], saved["seconds"]
            before = saved.get("validated_on", "")
            anew = bool(before and validated_on and before != validated_on)
            # nor does a score count of which there are no weights
            if anew or not (folder / BEST).exists():
                best = -1.0
            validated_on = validated_on or before
        optimizer = _optimizer(model, settings, saved)
        scheduler = _schedule(optimizer, settings, done)
        if saved and not anew and settings.schedule == "plateau" and _is_plateau(saved["scheduler"]):
            scheduler.load_state_dict(saved["scheduler"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        if not saved:
            raise
        raise DataError(f"{folder} holds another run, perhaps of the other stage; choose another folder") from error
    if saved:
        print(f"{folder}: goes on after step {done}; --init does not count", file=sys.stderr)
    if anew:
        print("the images to validate on are others than before: the best score begins anew", file=sys.stderr)
    del saved  # as large as two networks
    trained = [x for group in optimizer.param_groups for x in group["params"]]
    device_type = torch.device(settings.device).type
    teacher = None
    if settings.stage == 1 or settings.distill:
        teacher = make_teacher(settings.device, torch.get_num_threads())
    columns = ["step", "seconds", "rate", "loss", "dice", "bce", "iou", "clicks", "distillation", "dsc"]
    log = CsvLog(folder / LOG, columns)
    averaged = SwinLiteMedSAM().to(settings.device)

    def keep(step: int) -> None:
        save_state(
            folder,
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            scheduler=scheduler.state_dict(),
            average=average.state,
            step=step,
            best=best,
            validated_on=validated_on,
            seconds=seconds,
        )

    def save(step: int) -> None:
        nonlocal best
        averaged.load_state_dict(average.state)
        averaged.eval()
        save_checkpoint(averaged, folder / LAST, half=True, metadata={"stage": str(settings.stage), "step": str(step)})
        # validation takes long, and who loses patience shall lose nothing else
        keep(step)
        score = validate(averaged) if validate else float("nan")
        if settings.schedule == "plateau" and validate:
            scheduler.step(score)
        if score > best:
            best = score
            save_checkpoint(averaged, folder / BEST, half=True, metadata={"step": str(step), "dsc": f"{score:.2f}"})
        log.write({"step": step, "seconds": round(seconds), "dsc": f"{score:.2f}"})
        if validate:
            keep(step)

    sums: dict[str, float] = {}
    step, last_save, since = done, time.monotonic(), 0
    is_saved = False
    with _interrupts() as interrupted:
        for step in range(done + 1, settings.steps + 1):
            started = time.monotonic()
            with torch.autocast(device_type, torch.bfloat16, enabled=settings.bf16):
                losses = _step_losses(model, teacher, samples, weights, settings, step)
            loss = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if not torch.nn.utils.clip_grad_norm_(trained, 1.0).isfinite():
                raise DataError(f"step {step}: the gradient is not finite; go on with a lower --rate")
            optimizer.step()
            if settings.schedule != "plateau":
                scheduler.step()
            average.update(model, step)
            seconds += time.monotonic() - started
            for name, value in {"loss": loss, **losses}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            since += 1
            if since == 20 or step == settings.steps:
                row = {name: f"{value / since:.4f}" for name, value in sums.items()}
                log.write({"step": step, "seconds": round(seconds), "rate": optimizer.param_groups[0]["lr"], **row})
                _progress(step, settings.steps, seconds / step, row["loss"])
                sums, since = {}, 0
            elif step == done + 1:
                # the first word after minutes, on a slow machine
                _progress(step, settings.steps, seconds / step, f"{float(loss.detach()):.4f}")
            if is_saved := time.monotonic() - last_save > 60 * settings.save_minutes:
                save(step)
                last_save = time.monotonic()
            if interrupted():
                print(f"interrupted: saving step {step}, from which the same command goes on", file=sys.stderr)
                break
    if not is_saved:
        save(step)
    return averaged


def _step_losses(
    model: SwinLiteMedSAM,
    teacher: Teach | None,
    samples: Sequence[Sample],
    weights: Any,
    settings: Settings,
    step: int,
) -> dict[str, Tensor]:
    seed = [settings.seed, step]
    if settings.stage == 2:
        size = settings.sizes[step % len(settings.sizes)]
        count = round(settings.images * (max(settings.sizes) / size) ** 2)
        batch = draw_batch(samples, weights, count, settings.prompts, size, seed)
        return stage2_loss(model, batch.to(settings.device), teacher, settings.distill)
    assert teacher is not None
    images = draw_images(samples, weights, settings.images, settings.sizes[0], seed)
    return _stage1_loss(model, teacher, images.to(settings.device))


class _interrupts:
    """Turn Ctrl-C and SIGTERM into a question, so that a step is always finished and saved."""

    def __enter__(self) -> Callable[[], bool]:
        self.caught = False

        def note(*_: Any) -> None:
            self.caught = True

        self.previous = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
        return lambda: self.caught

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def _progress(step: int, steps: int, seconds: float, loss: str) -> None:
    left = (steps - step) * seconds / 60
    print(f"step {step}/{steps}  loss {loss}  {seconds:.2f} s a step, {left:.0f} min left", file=sys.stderr)
