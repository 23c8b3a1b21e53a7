import numpy as np
import pytest

from napari_swin_litemedsam.plugin.images import GEOMETRY

from .conftest import SECOND, run_on


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
    run_on(layers)
    assert len(layers.own()) == 5
    for layer in layers.own():
        np.testing.assert_allclose(layer.data_to_world((1, 5, 7)), layers.image.data_to_world((1, 5, 7)))
        for name in GEOMETRY[-2:]:
            assert getattr(layer, name) == getattr(layers.image, name)


def test_labels_have_the_shape_without_colour(make):
    layers = make((4, 20, 30, 3), rgb=True)
    layers.ensure()
    assert layers.masks.data.shape == layers.scribble.data.shape == (4, 20, 30)


def test_a_forgotten_layer_is_made_again_with_what_it_showed(make, model):
    layers = make()
    run_on(layers)
    model.layers.remove("scan masks")
    layers.forget(layers.masks)
    assert layers.ensure()
    assert layers.masks.data[1].sum() == 8 * 10


def test_each_layer_shows_what_there_is_from_the_moment_it_is_there(make):
    layers = make()
    session = layers.session
    session.add_box(SECOND, (2.0, 3.0, 9.0, 12.0))
    request = session.next_request(None)
    session.accept(request, session.compute(request))
    assert layers.missing == ["masks", "scribble", "points", "carried"]
    layers.add("masks")
    assert layers.scribble is None
    assert layers.masks.data[1].sum() == 8 * 10
