"""Segment one box with exported models: ONNX or OpenVINO, no torch.

    swin-litemedsam export MODELS
    python examples/run_exported.py MODELS image.png 40 30 120 150 mask.png

The box is y0 x0 y1 x1 in pixels. Here it is the only prompt; points and a scribble would be given likewise.
"""

import sys
from pathlib import Path

import numpy as np
from skimage.io import imread, imsave

from napari_swin_litemedsam.preprocessing import Frame

FEATURES = ("embedding", "deep", "shallow")


def load(folder, name):
    """One half, as a function from arrays by name to arrays by name."""
    if (folder / f"{name}.onnx").exists():
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        names = [output.name for output in session.get_outputs()]
        return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
    import openvino

    # on some processors the default is half precision
    model = openvino.compile_model(folder / f"{name}.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: {output.any_name: array for output, array in model(inputs).items()}


def segment(folder, image, box):
    """Mask of a box (y0, x0, y1, x1), ``(H, W)`` bool."""
    frame = Frame(*image.shape[:2])
    features = load(folder, "image")({"image": frame.input(image)[None]})
    y0, x0, y1, x1 = frame.box_to_frame(np.asarray(box, float))
    masks = load(folder, "prompt")(
        {
            **{name: features[name] for name in FEATURES},
            # one row for each prompt; (x, y) in pixels of the 256 frame
            "boxes": np.array([[x0, y0, x1, y1]], np.float32),
            "points": np.zeros((1, 0, 2), np.float32),
            "labels": np.zeros((1, 0), np.int64),
            "scribbles": np.zeros((1, 1, 256, 256), np.float32),
            "has_scribble": np.zeros(1, np.float32),
        }
    )
    return frame.logits_to_image(masks["logits"])[0] > 0


if __name__ == "__main__":
    folder, image, *box, output = sys.argv[1:]
    mask = segment(Path(folder), imread(image), box)
    imsave(output, np.uint8(255) * mask, check_contrast=False)
