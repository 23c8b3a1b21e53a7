import numpy as np
import pytest

from napari_swin_litemedsam.plugin.objects import Change
from napari_swin_litemedsam.plugin.planes import Plane
from napari_swin_litemedsam.plugin.showing import choose_kind, show, show_names, show_rest

from .conftest import SECOND, axial, run_on

BOX = (2.0, 3.0, 9.0, 12.0)


def carry(layers, item, *positions, box=BOX):
    item.carried |= {axial(z): box for z in positions}
    show(layers, Change(frozenset({item.id}), frozenset(map(axial, positions)), False))


def test_a_run_is_shown_on_its_slice(make):
    layers = make()
    item = run_on(layers)
    np.testing.assert_array_equal(layers.points.data, np.insert(item.points, 0, 1, axis=1))
    assert set(layers.points.features["kind"]) == {"positive"}
    np.testing.assert_array_equal(layers.scribble.data[1] == 1, item.scribble.full())
    assert layers.masks.data[1].sum() == 8 * 10
    assert not layers.masks.data[[0, 2, 3]].any()


def test_points_keep_their_colours(make):
    layers = make()
    item = run_on(layers)
    layers.session.edit_points(item.id, [[4, 4], [5, 5]], [0, 1])
    red, green = layers.points.face_color
    assert red[0] > red[1]
    assert green[1] > green[0]


def test_other_objects_keep_their_points(make):
    layers = make()
    first, second = run_on(layers), run_on(layers, axial(2), (1, 1, 8, 8))
    layers.session.edit_points(first.id, first.points + 1, first.point_labels)
    assert sorted(layers.points.features["object"]) == [1] * 4 + [2] * 4
    assert set(layers.points.data[layers.points.features["object"] == second.id][:, 0]) == {2}


def test_carried_boxes_are_shown_once_a_slice(make):
    layers = make()
    item = run_on(layers)
    for box in (BOX, (4.0, 4.0, 8.0, 8.0)):
        carry(layers, item, 2, box=box)
    np.testing.assert_array_equal(layers.carried.data, [axial(2).rectangle(box)])
    assert not layers.carried.editable


def test_what_comes_together_is_added_in_one_piece(make):
    layers = make()
    first, second = run_on(layers), run_on(layers, axial(2), (1, 1, 8, 8))
    pieces = []
    layers.carried.events.data.connect(lambda event: pieces.append(str(event.action)))
    first.carried, second.carried = {axial(z): BOX for z in (0, 2)}, {axial(3): BOX}
    show(layers, Change(frozenset({1, 2}), frozenset(), False))
    assert pieces == ["adding", "added"]
    assert layers.carried.features.to_dict("list") == {"object": [1, 1, 2], "slice": [0, 2, 3]}
    assert [shape[0, 0] for shape in layers.carried.data] == [0, 2, 3]


def test_points_of_several_objects_are_set_at_once(make):
    layers = make()
    first, second = run_on(layers), run_on(layers, axial(2), (1, 1, 8, 8))
    pieces = []
    layers.points.events.data.connect(lambda event: pieces.append(str(event.action)))
    for item in (first, second):
        item.points = item.points[:2] + 1
        item.point_labels = item.point_labels[:2]
    show(layers, Change(frozenset({1, 2}), frozenset(), False))
    assert pieces == ["changing", "changed"]
    np.testing.assert_array_equal(layers.points.data[:, 1:], np.concatenate([first.points, second.points]))
    assert layers.points.features["object"].tolist() == [1, 1, 2, 2]


def test_amid_a_propagation_masks_are_drawn_and_boxes_come_later(make):
    layers = make()
    item = run_on(layers)
    item.carried[axial(2)], item.answers[axial(2)] = BOX, item.answers[SECOND]
    item.compose(axial(2))
    show(layers, Change(frozenset({1}), frozenset({axial(2)}), False, goes_on=True))
    assert layers.masks.data[2].sum() == 8 * 10
    assert len(layers.carried.data) == 0
    show_rest(layers)
    assert len(layers.carried.data) == 1


def test_boxes_of_crossing_views_do_not_stand_for_each_other(make):
    layers = make()
    item = run_on(layers)
    item.carried = {axial(3): BOX, Plane((None, 3, None), axis=1): BOX}
    show(layers, Change(frozenset({1}), frozenset(), False))
    assert len(layers.carried.data) == 2


def test_a_removed_object_leaves_nothing(make):
    layers = make()
    run_on(layers)
    item = run_on(layers, axial(2), (1, 1, 8, 8))
    carry(layers, item, 3)
    layers.session.remove(2)
    assert len(layers.boxes.data) == 1
    assert set(np.unique(layers.masks.data)) == {0, 1}
    assert set(np.unique(layers.scribble.data)) == {0, 1}
    assert set(layers.points.features["object"]) == {1}
    assert len(layers.carried.data) == 0


def test_new_points_and_strokes_belong_to_the_current_object(make):
    layers = make()
    run_on(layers)
    run_on(layers, axial(2), (1, 1, 8, 8))
    layers.session.select(1)
    choose_kind(layers, "negative")
    assert layers.scribble.selected_label == 1
    layers.points.add([[1, 5, 5]])
    assert layers.points.features.iloc[-1].tolist() == [1, "negative"]


@pytest.mark.parametrize("index", [{"index": [0, 5, 9]}, {}])
def test_names_leave_other_features_of_labels_alone(make, index):
    layers = make()
    layers.session.adopt_result(np.zeros((4, 20, 30), np.uint16))
    layers.ensure()
    layers.result.features = {**index, "area": [0.0, 2.5, float("nan")]}
    told = []
    layers.result.events.features.connect(lambda event: told.append(1))
    show_names(layers)
    assert not told
    item = run_on(layers)
    layers.session.rename(item.id, "lesion")
    show_names(layers)
    show_names(layers)
    features = layers.result.features
    assert features["area"].tolist()[:2] == [0, 2.5]
    assert features["name"][features["index"] == item.id].tolist() == ["lesion"]
    assert len(told) == 1
