import numpy as np
import pytest
from napari.components import ViewerModel

from napari_swin_litemedsam.plugin.images import GEOMETRY
from napari_swin_litemedsam.plugin.layers import SessionLayers
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.objects import Change

from .conftest import axial

BOX = (2.0, 3.0, 9.0, 12.0)
SLICE = axial(1)


@pytest.fixture
def model():
    return ViewerModel()


@pytest.fixture
def make(model, predictor):
    def do(shape=(4, 20, 30), rgb=False, **geometry):
        image = model.add_image(np.zeros(shape), name="scan", rgb=rgb, **geometry)
        return SessionLayers(model, image, LazyPredictor(lambda: predictor))

    return do


def run(layers, plane=SLICE, box=BOX):
    session = layers.session
    session.changed.connect(layers.show, unique=True)
    item = session.add_box(plane, box)
    layers.ensure()
    request = session.next_request(None)
    session.accept(request, session.compute(request))
    return item


def carry(layers, item, z, box=BOX):
    item.carried[axial(z)] = box
    layers.show(Change(frozenset({item.id}), frozenset({axial(z)}), False))


def test_boxes_come_first_and_stay_on_top(make, model):
    layers = make()
    assert [layer.name for layer in model.layers] == ["scan", "scan boxes"]
    assert layers.ensure()
    assert [layer.name for layer in model.layers][-1] == "scan boxes"
    assert not layers.ensure()


def test_adding_layers_keeps_the_selection(make, model):
    layers = make()
    model.layers.selection.active = layers.boxes
    layers.ensure()
    assert model.layers.selection.active == layers.boxes


@pytest.mark.parametrize(
    "geometry",
    [
        {"scale": (3, -0.5, -0.5), "translate": (1, 2, 3)},
        {"rotate": (10, 20, 30), "units": ("mm", "mm", "mm"), "axis_labels": ("z", "y", "x")},
        {"affine": np.array([[0, 0, 2, 5], [0, 3, 0, 6], [-4, 0, 0, 7], [0, 0, 0, 1]]), "shear": (0.1, 0, 0.2)},
    ],
)
def test_all_lie_where_the_image_lies(make, geometry):
    layers = make(**geometry)
    item = run(layers)
    carry(layers, item, 2)
    assert len(layers.own()) == 5
    for layer in layers.own():
        np.testing.assert_allclose(layer.data_to_world((1, 5, 7)), layers.image.data_to_world((1, 5, 7)))
        for name in GEOMETRY[-2:]:
            assert getattr(layer, name) == getattr(layers.image, name)


def test_labels_have_the_shape_without_colour(make):
    layers = make((4, 20, 30, 3), rgb=True)
    layers.ensure()
    assert layers.masks.data.shape == layers.scribble.data.shape == (4, 20, 30)


def test_a_run_is_shown_on_its_slice(make):
    layers = make()
    item = run(layers)
    np.testing.assert_array_equal(layers.points.data, np.insert(item.points, 0, 1, axis=1))
    assert set(layers.points.features["kind"]) == {"positive"}
    np.testing.assert_array_equal(layers.scribble.data[1] == 1, item.scribble.full())
    assert layers.masks.data[1].sum() == 8 * 10
    assert not layers.masks.data[[0, 2, 3]].any()


def test_points_keep_their_colours(make):
    layers = make()
    item = run(layers)
    layers.session.edit_points(item.id, [[4, 4], [5, 5]], [0, 1])
    red, green = layers.points.face_color
    assert red[0] > red[1]
    assert green[1] > green[0]


def test_other_objects_keep_their_points(make):
    layers = make()
    first, second = run(layers), run(layers, axial(2), (1, 1, 8, 8))
    layers.session.edit_points(first.id, first.points + 1, first.point_labels)
    assert sorted(layers.points.features["object"]) == [1] * 4 + [2] * 4
    assert set(layers.points.data[layers.points.features["object"] == second.id][:, 0]) == {2}


def test_carried_boxes_are_shown_once_a_slice(make):
    layers = make()
    item = run(layers)
    for box in (BOX, (4.0, 4.0, 8.0, 8.0)):
        carry(layers, item, 2, box)
    np.testing.assert_array_equal(layers.carried.data, [axial(2).rectangle(box)])
    assert not layers.carried.editable


def test_a_removed_object_leaves_nothing(make):
    layers = make()
    run(layers)
    item = run(layers, axial(2), (1, 1, 8, 8))
    carry(layers, item, 3)
    layers.session.remove(2)
    assert len(layers.boxes.data) == 1
    assert set(np.unique(layers.masks.data)) == {0, 1}
    assert set(np.unique(layers.scribble.data)) == {0, 1}
    assert set(layers.points.features["object"]) == {1}
    assert len(layers.carried.data) == 0


def test_a_forgotten_layer_is_made_again_with_what_it_showed(make, model):
    layers = make()
    run(layers)
    model.layers.remove("scan masks")
    layers.forget(layers.masks)
    assert layers.ensure()
    assert layers.masks.data[1].sum() == 8 * 10


def test_new_points_and_strokes_belong_to_the_current_object(make):
    layers = make()
    run(layers)
    run(layers, axial(2), (1, 1, 8, 8))
    layers.session.select(1)
    layers.choose_kind("negative")
    assert layers.scribble.selected_label == 1
    layers.points.add([[1, 5, 5]])
    assert layers.points.features.iloc[-1].tolist() == [1, "negative"]
    assert layers.colour_of(1) is not None
