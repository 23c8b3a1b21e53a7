import copy
import subprocess
import sys
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from napari_swin_litemedsam.backends import PADDING, make_backend
from napari_swin_litemedsam.backends.model import tensors_of
from napari_swin_litemedsam.backends.probe import EACH_GROUP, difference, picture, prompts

ov = pytest.importorskip("openvino")
from napari_swin_litemedsam.backends.openvino import OpenVINOBackend, backend  # noqa: E402
from napari_swin_litemedsam.backends.openvino.backend import compile_half  # noqa: E402
from napari_swin_litemedsam.backends.openvino.calibration import RangeRecorder  # noqa: E402
from napari_swin_litemedsam.backends.openvino.rewriting import rewritten  # noqa: E402


@pytest.fixture(scope="module")
def single(reference_model):
    """In float32."""
    return OpenVINOBackend(lambda: tensors_of(reference_model), half=False)


@pytest.fixture(scope="module")
def images(exact_features, single):
    """Features of the same picture by both."""
    return exact_features, single.encode(picture())


def test_answers_as_torch_does(exact, single, images):
    (expected, expected_iou), (logits, iou) = (
        exact.decode(images[0], *prompts(2)),
        single.decode(images[1], *prompts(2)),
    )
    # features are kept in half precision by both
    assert difference(logits, expected) < 1e-3
    np.testing.assert_allclose(iou, expected_iou, atol=1e-3)


def test_every_combination_of_prompts_is_answered_as_torch_does(exact, single, images):
    points, labels, boxes, scribbles = prompts(3)
    labels = np.array([[1, 0, 1, PADDING], [0, PADDING, PADDING, PADDING], [1, 1, 0, 0]])
    none = points[:, :0], labels[:, :0]
    for given in (
        (points, labels, boxes, scribbles),
        (points, labels, boxes, None),
        (*none, boxes, scribbles),
        (*none, boxes, None),
        (points, labels, boxes, np.zeros_like(scribbles)),
    ):
        assert difference(single.decode(images[1], *given)[0], exact.decode(images[0], *given)[0]) < 2e-3


@pytest.mark.parametrize("half", [False, True])
def test_prompts_are_answered_in_any_number_as_one_by_one(reference_model, half):
    backend = OpenVINOBackend(lambda: tensors_of(reference_model), half=half)
    features = backend.encode(picture())
    points, labels, boxes, scribbles = prompts(9)
    shift = np.arange(9, dtype=np.float32)
    many = points + shift[:, None, None], labels, boxes + shift[:, None], scribbles
    alone = [backend.decode(features, *(part[i : i + 1] for part in many)) for i in range(9)]
    logits, iou = (np.concatenate(parts) for parts in zip(*alone, strict=True))
    for count in (2, 5, 9):
        answers = backend.decode(features, *(part[:count] for part in many))
        # other groups of layers round to bfloat16 at other places
        np.testing.assert_allclose(answers[0], logits[:count], atol=(0.02 if half else 1e-4) * logits.std())
        np.testing.assert_allclose(answers[1], iou[:count], atol=1e-2 if half else 1e-5)
    assert np.abs(np.diff(logits, axis=0)).max(axis=(1, 2)).min() > 1e-2


def test_a_network_is_copied_as_it_is_when_the_backend_is_made(reference_model):
    network = copy.deepcopy(reference_model)
    backend = make_backend(network, "openvino")
    features = backend.encode(picture())
    alone, _ = backend.decode(features, *prompts())
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    # for two there is no decoder yet
    both, _ = backend.decode(features, *prompts(2))
    np.testing.assert_allclose(both, np.repeat(alone, 2, axis=0), atol=0.02 * alone.std())


def test_the_first_choice_tries_every_decoder():
    groups = backend._groups(EACH_GROUP)
    assert {group.stop - group.start for group in groups} == set(backend._SIZES)


def test_cached_features_are_never_written_to(single, images):
    before = [x.copy() for x in images[1]]
    for count in (1, 4, 1):
        single.decode(images[1], *prompts(count))
    single.encode(np.zeros_like(picture()))
    for x, y in zip(images[1], before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_half_precision_stays_close(exact, reference_model, images):
    half = OpenVINOBackend(lambda: tensors_of(reference_model), half=True)
    assert "bfloat16" in half.description
    logits, _ = half.decode(half.encode(picture()), *prompts())
    assert difference(logits, exact.decode(images[0], *prompts())[0]) < 0.1


@pytest.fixture(scope="module")
def ranges(reference_model):
    """Of the picture, and of the picture and a darker one."""
    recorder = RangeRecorder(tensors_of(reference_model))
    recorder.decode(recorder.encode(picture()), *prompts())
    of_one = dict(recorder.ranges)
    recorder.decode(recorder.encode(0.1 * picture()), *prompts())
    return of_one, recorder.ranges


def test_ranges_are_what_enters_the_layers(ranges):
    of_one, of_both = ranges
    assert all(of_both[name] >= value > 0 for name, value in of_one.items())
    # what was normalised over 320 channels cannot exceed sqrt(319)
    assert 1 < of_one["image_encoder.stages.3.blocks.0.mlp.fc1"] < 18
    assert not [name for name in of_one if "stages.0" in name or "stages.1" in name]
    assert {"mask_decoder.deep_conv.prompt", "mask_decoder.shallow_up"} <= set(of_one)


def test_eight_bits_stay_close(exact, reference_model, images, ranges):
    small = OpenVINOBackend(lambda: tensors_of(reference_model), ranges=ranges[0])
    assert (small.name, small.description.count("int8")) == ("openvino-int8", 1)
    logits, _ = small.decode(small.encode(picture()), *prompts())
    assert 1e-3 < difference(logits, exact.decode(images[0], *prompts())[0]) < 0.1


def test_what_was_compiled_is_kept_on_disk(tmp_path, monkeypatch, reference_model, single):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    calls = []

    def tensors():
        calls.append(1)
        return tensors_of(reference_model)

    OpenVINOBackend(tensors, "digest", half=False)
    assert len(calls) == len(list(tmp_path.glob("digest-*.blob"))) == 3
    again = OpenVINOBackend(tensors, "digest", half=False)
    assert len(calls) == 3
    np.testing.assert_array_equal(again.encode(picture())[0], single.encode(picture())[0])


def test_other_ranges_are_compiled_anew(monkeypatch):
    names = []
    monkeypatch.setattr(backend, "compile_half", lambda core, build, precision, name: names.append(name) or Mock())
    for most in (1.0, 2.0, 2.0):
        OpenVINOBackend(dict, "digest", ranges={"mask_decoder.deep_up": most})
    first, second, third = np.reshape(names, (3, -1))
    assert not set(first) & set(second)
    np.testing.assert_array_equal(second, third)


def test_rewritten_operations_calculate_the_same():
    numbers = np.linspace(-40, 40, 16001, dtype=np.float32)
    x = ov.opset13.parameter(numbers.shape, np.float32)
    limits = [np.float32(v) for v in (-4, 3.96875) * 2]
    answers = [ov.opset13.gelu(x, "erf"), ov.opset13.fake_quantize(x, *limits, 256)]
    exact = ov.compile_model(ov.Model(answers, [x]), "CPU")(numbers)
    rewritten_model = rewritten(ov.Model(answers, [x]))
    assert not [node for node in rewritten_model.get_ops() if node.get_type_name() == "Gelu"]
    gelu, rounded = ov.compile_model(rewritten_model, "CPU")(numbers).values()
    assert 0 < np.abs(gelu - exact[0]).max() < 4e-3
    assert np.abs(gelu - exact[0])[np.abs(numbers) < 4].max() < 4e-4
    np.testing.assert_array_equal(rounded, exact[1])


@pytest.fixture
def doubled():
    """Compile a model that doubles three numbers; what it makes of 1, 2, 3, and whether it was built anew."""

    def compiled(name, precision="f32"):
        built = []

        def build():
            built.append(1)
            numbers = ov.opset13.parameter([3], np.float32)
            return ov.Model([ov.opset13.multiply(numbers, np.float32(2))], [numbers])

        model = compile_half(ov.Core(), build, precision, name)
        return model(np.array([1, 2, 3], np.float32))[0].tolist(), bool(built)

    return compiled


def test_only_the_same_whole_file_is_taken_from_disk(tmp_path, monkeypatch, doubled):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    answer = [2, 4, 6]
    assert doubled("a") == (answer, True)
    assert doubled("a") == (answer, False)
    assert doubled("b") == (answer, True)
    assert doubled("a", "bf16") == (answer, True)
    for path in tmp_path.glob("a-*.blob"):
        path.write_bytes(b"broken")
    assert doubled("a") == (answer, True)
    assert doubled("a") == (answer, False)
    assert doubled(None) == (answer, True)


def test_a_damaged_file_is_compiled_anew(tmp_path, monkeypatch, doubled):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    doubled("a")
    (path,) = tmp_path.glob("a-*.blob")
    whole = path.read_bytes()
    # OpenVINO itself would take these weights for weights
    other = whole.replace(np.float32(2).tobytes(), np.float32(3).tobytes())
    for damaged in (other, b"", whole[:-1], whole[:-100] + bytes(100), bytes(len(whole))):
        assert damaged != whole
        path.write_bytes(damaged)
        assert doubled("a") == ([2, 4, 6], True)
        assert path.read_bytes() != damaged
        assert doubled("a") == ([2, 4, 6], False)


def test_works_without_a_cache_folder(tmp_path, monkeypatch, doubled):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path / "file" / "folder"))
    assert doubled("a") == ([2, 4, 6], True)


def test_a_mask_needs_no_torch():
    code = """
import sys
import numpy as np
from napari_swin_litemedsam import Predictor, load_model
predictor = Predictor(load_model(), backend="openvino")
predictor.set_image(np.eye(64))
print(predictor.predict((10, 10, 50, 50)).mask.shape)
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "(64, 64)"), done.stderr
