"""Draw the figures of the documentation into docs/images; sizes and names in them are read off the code itself.

python scripts/draw_figures.py
"""

from html import escape
from pathlib import Path

import torch

from napari_swin_litemedsam import prompts as prompt_strategies
from napari_swin_litemedsam.backends import Backend
from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.preprocessing import FRAME_SIZE, Frame
from napari_swin_litemedsam.propagation import Options

IMAGE, PROMPT, MASK = "#4477aa", "#228833", "#aa3377"
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def shapes_of(network: SwinLiteMedSAM) -> dict[str, str]:
    """Shape of what each module puts out, by its name, for one image and a box with four points and a scribble."""
    shapes: dict[str, str] = {}

    def remember(name: str):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor) and output.ndim == 4 and name:
                shapes[name] = " × ".join(str(n) for n in output.shape[1:])

        return hook

    for name, module in network.named_modules():
        module.register_forward_hook(remember(name))
    with torch.inference_mode():
        features = network.encode_image(torch.zeros(1, 3, FRAME_SIZE, FRAME_SIZE))
        points, labels = torch.zeros(1, 4, 2), torch.ones(1, 4, dtype=torch.int64)
        scribble = torch.zeros(1, 1, FRAME_SIZE, FRAME_SIZE)
        logits, _ = network.decode(features, points, labels, torch.zeros(1, 4), scribble)
    shapes["logits"] = " × ".join(str(n) for n in logits.shape[1:])
    return shapes


def millions(module: torch.nn.Module) -> str:
    """Number of parameters."""
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters"


def _words(x: float, y: float, words: str, size: int = 13, colour: str = "#222", weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="middle" font-size="{size}" font-weight="{weight}" '
        f'fill="{colour}">{escape(words)}</text>'
    )


def _part(x: float, y: float, width: float, lines: list[str], colour: str) -> str:
    height = 22 + 16 * len(lines)
    first, *others = lines
    text = _words(x + width / 2, y + 22, first, weight="bold")
    text += "".join(_words(x + width / 2, y + 40 + 16 * i, line, 12) for i, line in enumerate(others))
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{colour}" fill-opacity="0.14" '
        f'stroke="{colour}"/>{text}'
    )


def _arrow(*points: tuple[float, float]) -> str:
    path = " L".join(f"{x} {y}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="#555" stroke-width="1.5" marker-end="url(#head)"/>'


def model() -> str:
    """The network, as SVG text."""
    network = SwinLiteMedSAM().eval()
    shapes = shapes_of(network)
    encoder, prompts, decoder = network.image_encoder, network.prompt_encoder, network.mask_decoder
    parts = [
        _words(20 + 75, 24, "once per image", 12, IMAGE),
        _part(20, 36, 150, ["image", f"3 × {FRAME_SIZE} × {FRAME_SIZE}"], IMAGE),
        _part(20, 126, 150, ["patch embedding", "two 1×1 convolutions", shapes["image_encoder.patch_embed"]], IMAGE),
        _arrow((95, 90), (95, 124)),
        _arrow((95, 196), (95, 214)),
    ]
    for number, stage in enumerate(encoder.stages):
        y = 216 + 92 * number
        blocks = f"{len(stage.blocks)} Swin blocks"
        parts.append(
            _part(20, y, 150, [f"stage {number + 1}", blocks, shapes[f"image_encoder.stages.{number}"]], IMAGE)
        )
        parts.append(_arrow((95, y + 70), (95, y + 90)))
    parts += [
        _part(20, 584, 150, ["neck", shapes["image_encoder.neck"], "image embedding"], IMAGE),
        _words(95, 678, "image encoder", 13, IMAGE, "bold"),
        _words(95, 696, millions(encoder), 12, IMAGE),
        # the skip connections
        _part(260, 400, 170, ["skip neck", "stages 2, 3 and 4", shapes["mask_decoder.skip_neck"]], IMAGE),
        *(_arrow((170, 216 + 92 * n + 40), (215, 216 + 92 * n + 40), (215, 440), (258, 440)) for n in (1, 2, 3)),
        # prompts
        _words(590, 24, "once per prompt", 12, PROMPT),
        _part(500, 36, 180, ["box, points, scribble", f"in the frame of {FRAME_SIZE}"], PROMPT),
        _part(500, 126, 180, ["prompt encoder", "tokens and a dense map", millions(prompts)], PROMPT),
        _arrow((590, 90), (590, 124)),
        # decoder
        _part(500, 584, 180, ["two-way transformer", "tokens and image", "attend to each other"], MASK),
        _arrow((170, 619), (498, 619)),
        _arrow((680, 161), (720, 161), (720, 619), (682, 619)),
        _part(500, 404, 180, ["join and enlarge", shapes["mask_decoder.deep_up"]], MASK),
        _arrow((590, 584), (590, 462)),
        _arrow((430, 435), (498, 435)),
        _part(500, 286, 180, ["join and enlarge", shapes["mask_decoder.shallow_up"]], MASK),
        _arrow((590, 404), (590, 344)),
        _arrow((170, 256), (440, 256), (440, 310), (498, 310)),
        _words(305, 248, "stage 1", 12, "#555"),
        _part(750, 286, 140, ["mask", f"logits {shapes['logits']}", "predicted IoU"], MASK),
        _arrow((680, 320), (748, 320)),
        _words(590, 678, "mask decoder", 13, MASK, "bold"),
        _words(590, 696, millions(decoder), 12, MASK),
        _words(820, 390, "in all", 12),
        _words(820, 408, millions(network), 12, "#222", "bold"),
    ]
    return _figure(712, "The network: image encoder, prompt encoder and mask decoder", parts)


def flow() -> str:
    """The data flow from pixels and boxes to masks, as SVG text."""

    def name(function) -> str:
        return function.__qualname__

    strategies = prompt_strategies.inference_points, prompt_strategies.inference_scribble
    parts = [
        _part(20, 20, 160, ["image", "pixels and window"], IMAGE),
        _part(305, 20, 180, ["input", f"3 × {FRAME_SIZE} × {FRAME_SIZE}"], IMAGE),
        _part(640, 20, 190, ["features of the image", "made once a slice, kept"], IMAGE),
        _arrow((180, 47), (303, 47)),
        _words(242, 38, name(Frame.input), 12),
        _arrow((485, 47), (638, 47)),
        _words(562, 38, name(Backend.encode), 12),
        _arrow((735, 74), (735, 188)),
        _words(790, 132, name(Backend.decode), 12),
        # prompts
        _part(20, 190, 160, ["box", "in image pixels"], PROMPT),
        _part(305, 190, 180, ["points, scribble", "in image pixels"], PROMPT),
        _arrow((180, 217), (303, 217)),
        *(_words(242, 190 + 16 * i, strategy.__name__, 12) for i, strategy in enumerate(strategies)),
        _words(395, 132, "the user's edits", 13, PROMPT, "bold"),
        _arrow((395, 140), (395, 188)),
        _arrow((485, 217), (638, 217)),
        _words(562, 190, name(Frame.to_frame), 12),
        _words(562, 206, name(Frame.mask_to_frame), 12),
        _arrow((140, 244), (140, 290), (680, 290), (680, 246)),
        _words(400, 282, name(Frame.box_to_frame), 12),
        # masks
        _part(640, 190, 190, ["logits, predicted IoU", f"{FRAME_SIZE} × {FRAME_SIZE}"], MASK),
        _arrow((735, 244), (735, 348)),
        _words(805, 320, name(Frame.logits_to_image), 12),
        _part(640, 350, 190, ["mask", "in image pixels"], MASK),
        _arrow((640, 377), (60, 377), (60, 246)),
        _words(350, 368, f"propagation: its bounds and {Options.margin:g} px of the frame give the next box", 12),
        _arrow((735, 404), (735, 438)),
        _words(735, 456, "Labels layer, files, scores", 13, "#222", "bold"),
    ]
    return _figure(470, "From pixels and boxes to masks", parts)


def _figure(height: int, label: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 910 {height}" xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" role="img" '
        f'aria-label="{escape(label)}">'
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs><rect width="910" height="{height}" fill="#fff"/>'
        + "\n".join(parts)
        + "</svg>\n"
    )


if __name__ == "__main__":
    for figure in (model, flow):
        (IMAGES / f"{figure.__name__}.svg").write_text(figure(), encoding="utf-8")
