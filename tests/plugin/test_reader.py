import numpy as np
import pytest
from napari.layers import Layer

from napari_swin_litemedsam.plugin.reader import get_reader


@pytest.fixture
def save(tmp_path):
    def do(**arrays):
        path = tmp_path / "case.npz"
        np.savez_compressed(path, **arrays)
        return str(path)

    return do


def layers(path):
    return [Layer.create(*data) for data in get_reader(path)(path)]


def test_a_volume_with_boxes_and_truth(save):
    truth = np.zeros((5, 8, 9), np.uint8)
    truth[2, 3:5, 3:5] = 1
    path = save(
        imgs=np.zeros((5, 8, 9), np.uint8),
        gts=truth,
        boxes=np.array([[1, 2, 0, 7, 6, 5]]),
        spacing=np.array([0.5, 0.6, 3]),
    )
    image, labels, boxes = layers(path)
    assert image.name == "case"
    assert tuple(image.scale) == (3, 0.6, 0.5)
    np.testing.assert_array_equal(labels.data, truth)
    np.testing.assert_array_equal(boxes.data[0].min(axis=0), [2, 2, 1])
    np.testing.assert_array_equal(boxes.data[0].max(axis=0), [2, 6, 7])
    assert tuple(labels.scale) == tuple(boxes.scale) == tuple(image.scale)


def test_a_picture_with_boxes(save):
    image, boxes = layers(save(imgs=np.zeros((8, 9, 3), np.uint8), boxes=np.array([[1, 2, 7, 6], [0, 0, 3, 4]])))
    assert image.rgb
    assert len(boxes.data) == 2
    np.testing.assert_array_equal(boxes.data[0], [[2, 1], [2, 7], [6, 7], [6, 1]])


def test_an_image_alone(save):
    (image,) = layers(save(imgs=np.arange(72).reshape(8, 9)))
    assert image.data[1, 0] == 9


def test_other_files_are_left_to_others(save, tmp_path):
    assert get_reader(save(segs=np.zeros((3, 3), int))) is None
    assert get_reader(str(tmp_path / "missing.npz")) is None
    assert get_reader("image.tif") is None
    assert get_reader(["a.npz", "b.npz"]) is None
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK not really")
    assert get_reader(str(broken)) is None


def test_a_broken_case_says_why(save):
    path = save(imgs=np.zeros(4))
    with pytest.raises(ValueError, match="'imgs' is no image"):
        get_reader(path)(path)
