import dask.array as da
import numpy as np
import pytest

from napari_swin_litemedsam.plugin.images import GEOMETRY

from .conftest import SECOND, answer, draw_box, filled, run_on


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
    answer(session, request)
    assert layers.missing == ["masks", "scribble", "points", "carried"]
    layers.add("masks")
    assert layers.scribble is None
    assert layers.masks.data[1].sum() == 8 * 10


class TestResultsOfTheUser:
    """Labels that are named as our result, from before the panel was opened."""

    @pytest.fixture
    def commit(self, open_widget, settle):
        def do():
            widget = open_widget()
            draw_box(widget, plane=SECOND)
            settle(widget)
            widget.panel.buttons["commit"].click()
            settle(widget)
            return widget

        return do

    @pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, ">u2", "read-only"])
    def test_are_committed_to(self, viewer, volume, commit, kind):
        labels = np.zeros((6, 48, 64), np.uint16 if kind == "read-only" else kind)
        labels[0, 0, 0] = 3
        labels.flags.writeable = kind != "read-only"
        theirs = viewer.add_labels(labels, name="scan result", scale=volume.scale)
        widget = commit()
        assert widget._work.layers.result is theirs
        np.testing.assert_array_equal(theirs.data[1] == 4, filled((10, 20, 30, 50)))
        assert theirs.data[0, 0, 0] == 3

    @pytest.mark.parametrize("kind", ["dask", "multiscale", "elsewhere", "of another size"])
    def test_are_left_alone_if_nothing_can_be_put_in_its_place(self, viewer, volume, commit, kind, warnings_shown):
        labels = np.zeros((5 if kind == "of another size" else 6, 48, 64), np.uint16)
        labels[0, 0, 0] = 3
        data = {"dask": da.from_array(labels), "multiscale": [labels, labels[:, ::2, ::2]]}.get(kind, labels)
        where = (0, 5, 5) if kind == "elsewhere" else (0, 0, 0)
        theirs = viewer.add_labels(data, name="scan result", scale=volume.scale, translate=where)
        widget = commit()
        assert "'scan result' is left alone" in str(warnings_shown[0].message)
        assert not (labels == 1).any()
        ours = widget._work.layers.result
        assert ours is not theirs
        np.testing.assert_array_equal(ours.data[1] == 1, filled((10, 20, 30, 50)))

    @pytest.mark.parametrize(("label", "id"), [(70000, 1), (65535, 1), (65534, 65535), (7, 8)])
    def test_new_objects_get_ids_that_masks_can_hold(self, viewer, volume, commit, label, id):
        labels = np.zeros((6, 48, 64), np.int32)
        labels[0, 0, 0] = label
        theirs = viewer.add_labels(labels, name="scan result", scale=volume.scale)
        widget = commit()
        assert list(widget._work.session.objects) == [id]
        np.testing.assert_array_equal(theirs.data[1] == id, filled((10, 20, 30, 50)))
        assert theirs.data[0, 0, 0] == label

    def test_what_is_replaced_by_labels_that_are_too_narrow_is_made_wide(self, viewer, volume, commit, settle):
        widget = commit()
        small = np.zeros((6, 48, 64), np.uint8)
        small[0, 0, 0] = 255
        viewer.layers["scan result"].data = small
        draw_box(widget, plane=SECOND)
        settle(widget)
        widget.panel.buttons["commit"].click()
        settle(widget)
        np.testing.assert_array_equal(viewer.layers["scan result"].data[1] == 256, filled((10, 20, 30, 50)))


def test_labels_that_happen_to_have_the_name_of_our_masks_are_not_drawn_over(viewer, volume, open_widget, settle):
    theirs = np.ones((6, 48, 64), np.uint16)
    viewer.add_labels(theirs, name="scan masks", scale=volume.scale)
    widget = open_widget()
    draw_box(widget, plane=SECOND)
    settle(widget)
    assert (theirs == 1).all()
    np.testing.assert_array_equal(widget._work.layers.masks.data[1] == 1, filled((10, 20, 30, 50)))


def test_another_image_of_an_old_name_does_not_get_the_layers(viewer, volume, open_widget, settle):
    widget = open_widget()
    draw_box(widget, plane=SECOND)
    settle(widget)
    viewer.layers["scan points"].name = "my points"
    volume.name = "first"
    other = viewer.add_image(volume.data.copy(), name="scan")
    widget.image = other
    settle(widget)
    first, second = widget._works.values()
    assert first.layers.boxes.name == "first boxes"
    assert first.layers.points.name == "my points"
    assert second.layers.boxes is not first.layers.boxes
    assert list(first.session.objects) == [1]
    assert not second.session.objects


class TestClosedAndOpenedAgain:
    def test_all_is_as_it_was(self, viewer, volume, open_widget, settle, predictor):
        widget = open_widget()
        for z in (1, 2):
            draw_box(widget, plane=SECOND.moved(z))
        settle(widget)
        viewer.layers["scan masks"].paint((2, 44, 5), 2)
        settle(widget)
        widget.session.commit([1])
        hand = widget._work.session.objects[2].hand
        widget.shut_down()
        again = open_widget()
        settle(again)
        session = again._work.session
        assert session.objects[1].committed
        assert session.objects[2].hand == hand
        assert session.history.undo_name == "commit"
        assert len(predictor.calls) == 2
        assert again.session.reopen([1]) == [1]
        assert len(viewer.layers["scan boxes"].data) == 2

    def test_what_was_done_meanwhile_counts(self, viewer, volume, open_widget, settle):
        widget = open_widget()
        draw_box(widget, plane=SECOND)
        settle(widget)
        widget.shut_down()
        viewer.layers["scan masks"].paint((1, 44, 5), 1)
        viewer.layers["scan boxes"].add_rectangles(SECOND.moved(3).rectangle((10, 20, 30, 50)))
        again = open_widget()
        settle(again)
        first, second = again._work.session.objects.values()
        assert first.hand[SECOND].added.full()[44, 5]
        assert second.masks.keys() == {SECOND.moved(3)}

    def test_without_its_boxes_it_begins_anew(self, viewer, volume, open_widget, settle):
        widget = open_widget()
        draw_box(widget, plane=SECOND)
        settle(widget)
        widget.shut_down()
        viewer.layers.remove("scan boxes")
        again = open_widget()
        settle(again)
        assert not again._work.session.objects
