"""Images that are not in memory: what is read of them, and where."""

import sys
from threading import current_thread, main_thread

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_swin_litemedsam.plugin.layers import SessionLayers
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.planes import blank_labels
from napari_swin_litemedsam.predictor import Predictor

from .conftest import FakePredictor, answer, axial, draw_box

SHAPE = (6, 48, 64)
BOX = (10.0, 20.0, 30.0, 50.0)


class Stored:
    """An array on a disk: it notes what is read, and by which thread."""

    shape, dtype, ndim = SHAPE, np.dtype(float), 3

    def __init__(self):
        self.read = []

    def __getitem__(self, index):
        self.read.append((index, current_thread()))
        return np.ones(SHAPE)[index]


@pytest.fixture
def stored(viewer):
    data = Stored()
    viewer.add_image(data, name="scan", contrast_limits=(0, 2))
    viewer.dims.set_point(0, 4)
    return data


def test_only_the_plane_is_read_and_never_in_the_gui_thread(stored, open_widget, settle):
    widget = open_widget()
    stored.read.clear()
    draw_box(widget, BOX, axial(4))
    settle(widget)
    assert widget._work.layers.masks.data[4].any()
    assert [index for index, _ in stored.read] == [axial(4).index]
    assert main_thread() not in [thread for _, thread in stored.read]


def test_nothing_is_read_again_while_its_features_are_known(reference_model):
    data = Stored()
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros(SHAPE), name="scan")
    session = SessionLayers(viewer, image, LazyPredictor(lambda: Predictor(reference_model))).session
    session.image_changed(data)
    session.add_box(axial(4), BOX)
    for _ in range(2):
        request = session.next_request((0.0, 2.0))
        answer(session, request)
        session.edit_points(1, [[15, 30]], [1])
    assert len(data.read) == 1


def test_the_finest_of_several_scales_is_segmented():
    viewer, fake = ViewerModel(), FakePredictor()
    scales = [da.ones(SHAPE, chunks=(1, 48, 64)), da.ones((6, 24, 32), chunks=(1, 24, 32))]
    image = viewer.add_image(scales, multiscale=True, name="scan", contrast_limits=(0, 1), scale=(3, 1, 1))
    layers = SessionLayers(viewer, image, LazyPredictor(lambda: fake))
    layers.ensure()
    item = layers.session.add_box(axial(4), BOX)
    request = layers.session.next_request(None)
    answer(layers.session, request)
    assert fake.images[-1][0].shape == (48, 64)
    assert item.masks[axial(4)].box == BOX
    assert layers.masks.data.shape == SHAPE
    np.testing.assert_allclose(layers.masks.data_to_world((4, 40, 60)), image.data_to_world((4, 40, 60)))


def test_labels_of_a_huge_image_take_no_room():
    # 51 GB of label ids; on Windows, where they do take room, little more than what is kept in memory
    depth = 900 if sys.platform == "win32" else 40000
    shape = (depth, 800, 800)
    viewer = ViewerModel()
    image = viewer.add_image(da.zeros(shape, chunks=(1, 800, 800)), name="huge", contrast_limits=(0, 1))
    layers = SessionLayers(viewer, image, LazyPredictor(FakePredictor))
    layers.ensure()
    item = layers.session.add_box(axial(depth - 1), BOX)
    request = layers.session.next_request(None)
    answer(layers.session, request)
    for plane in item.masks:
        layers.session.draw_masks(layers.masks.data[plane.index], plane)
    assert layers.masks.data.shape == shape
    assert np.count_nonzero(layers.masks.data[depth - 1]) == 21 * 31
    assert not layers.masks.data[depth // 2].any()


def test_small_labels_are_in_memory():
    assert blank_labels((3, 4)).flags.owndata
