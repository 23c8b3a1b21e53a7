"""What the user does to the list of layers, while something runs or between: nothing crashes, nothing is lost."""

import numpy as np
import pytest

from .conftest import axial, draw_box

BOX = (10, 20, 30, 50)
OTHER = (35, 2, 40, 12)


@pytest.fixture
def widget(volume, open_widget):
    return open_widget()


def draw(widget, box=BOX, z=2):
    draw_box(widget, box, axial(z))


@pytest.fixture
def run(widget, settle, predictor, qtbot):
    """Do something while a run of the first box, or a propagation of it, waits for the model."""

    def do(action, propagate=False):
        if propagate:
            draw(widget)
            settle(widget)
        predictor.allowed.clear()
        if propagate:
            widget.panel.buttons["propagate"].click()
        else:
            draw(widget)
        qtbot.waitUntil(lambda: widget._runs._runner.busy)
        action()
        predictor.allowed.set()
        settle(widget)

    return do


def layer(viewer, kind):
    return viewer.layers[f"scan {kind}"]


def mask(viewer, z=2, id=1):
    return layer(viewer, "masks").data[z] == id


def filled(box):
    expected = np.zeros((48, 64), bool)
    expected[box[0] : box[2] + 1, box[1] : box[3] + 1] = True
    return expected


@pytest.mark.parametrize("kind", ["boxes", "masks", "points", "scribble"])
def test_a_layer_removed_during_a_run_comes_back_with_the_result(viewer, widget, run, settle, kind, warnings_shown):
    draw(widget, OTHER, 1)
    settle(widget)
    run(lambda: viewer.layers.remove(f"scan {kind}"))
    assert any(f"'scan {kind}'" in str(note.message) for note in warnings_shown)
    np.testing.assert_array_equal(mask(viewer, 2, 2), filled(BOX))
    np.testing.assert_array_equal(mask(viewer, 1, 1), filled(OTHER))
    assert len(layer(viewer, "points").data) == 8
    assert layer(viewer, "scribble").data[1].any()
    assert len(layer(viewer, "boxes").data) == 2


def test_removed_boxes_come_back_with_the_tool_and_are_listened_to(viewer, widget, settle):
    draw(widget)
    settle(widget)
    viewer.layers.remove("scan boxes")
    assert widget._work.session.objects[1].box == BOX
    widget.panel.buttons["box"].click()
    boxes = layer(viewer, "boxes")
    assert boxes.features["object"].tolist() == [1]
    assert boxes.mode == "add_rectangle"
    boxes.data = [axial(2).rectangle(OTHER)]
    settle(widget)
    np.testing.assert_array_equal(mask(viewer), filled(OTHER))


def test_a_tool_brings_its_layer_back_and_the_others_follow(viewer, widget, settle):
    draw(widget)
    settle(widget)
    for kind in ("boxes", "masks", "points", "scribble"):
        viewer.layers.remove(f"scan {kind}")
    widget.panel.buttons["box"].click()
    assert [other.name for other in viewer.layers] == ["scan", "scan carried boxes", "scan boxes"]
    settle(widget)
    np.testing.assert_array_equal(mask(viewer), filled(BOX))
    assert len(layer(viewer, "points").data) == 4
    assert layer(viewer, "scribble").data[2].any()
    assert viewer.layers[-1].name == "scan boxes"


@pytest.mark.window
def test_all_removed_come_back_when_their_object_is_chosen(viewer, widget, settle):
    draw(widget)
    draw(widget, OTHER, 1)
    settle(widget)
    for kind in ("boxes", "masks", "points", "scribble", "carried boxes"):
        viewer.layers.remove(f"scan {kind}")
    assert len(viewer.layers) == 1
    widget.panel.table.selectRow(0)
    np.testing.assert_array_equal(mask(viewer), filled(BOX))
    np.testing.assert_array_equal(mask(viewer, 1, 2), filled(OTHER))
    assert len(layer(viewer, "points").data) == 8


@pytest.mark.parametrize("way", ["undo", "redo"])
def test_all_removed_come_back_with_what_undo_and_redo_bring_back(viewer, widget, settle, way):
    draw(widget)
    settle(widget)
    widget.panel.buttons["undo" if way == "redo" else "delete"].click()
    for kind in ("boxes", "masks", "points", "scribble", "carried boxes"):
        viewer.layers.remove(f"scan {kind}")
    widget.panel.buttons[way].click()
    settle(widget)
    np.testing.assert_array_equal(mask(viewer), filled(BOX))
    assert len(layer(viewer, "boxes").data) == 1


def test_objects_can_be_deleted_without_their_boxes(viewer, widget, settle):
    draw(widget)
    settle(widget)
    viewer.layers.remove("scan boxes")
    widget.panel.buttons["delete"].click()
    assert not widget._work.session.objects
    assert not mask(viewer).any()


@pytest.mark.window
def test_layers_renamed_hidden_and_moved_during_a_run(viewer, widget, run):
    def stir():
        for other in viewer.layers:
            other.visible = False
        viewer.layers["scan"].name = "brain"
        viewer.layers["brain boxes"].name = "my boxes"
        viewer.layers.move(0, len(viewer.layers))
        viewer.layers.move(len(viewer.layers) - 1, 1)

    run(stir, propagate=True)
    assert widget.panel.status.text().startswith("Carried 1 object")
    masks = viewer.layers["brain masks"].data
    assert (masks == 1).any(axis=(1, 2)).all()


@pytest.mark.window
def test_the_image_removed_during_a_propagation(viewer, widget, run, warnings_shown, qtbot):
    run(lambda: viewer.layers.remove("scan"), propagate=True)
    assert any("'scan' was removed" in str(note.message) for note in warnings_shown)
    np.testing.assert_array_equal(mask(viewer), filled(BOX))
    assert widget._work is None
    # what is left are layers like any others
    draws_nothing = len(layer(viewer, "boxes").data)
    layer(viewer, "boxes").add_rectangles(axial(1).rectangle(OTHER))
    qtbot.wait(100)
    assert len(layer(viewer, "boxes").data) == draws_nothing + 1
    assert not mask(viewer, 1, 2).any()


def test_an_image_removed_while_another_one_is_chosen(viewer, widget, run, predictor):
    other = viewer.add_image(np.ones((30, 30)), name="other")

    def leave():
        widget.image = other
        viewer.layers.remove("scan")

    run(leave, propagate=True)
    # at most the step that was under way was made
    assert len(predictor.calls) <= 2
    assert widget._work.layers.image == other


def test_an_image_removed_with_its_layers_is_told_of_once(viewer, widget, settle, warnings_shown):
    draw(widget)
    settle(widget)
    viewer.layers.clear()
    settle(widget)
    (note,) = warnings_shown
    assert "'scan' was removed" in note.message


@pytest.mark.window
def test_closing_napari_tells_of_nothing(viewer, widget, settle, warnings_shown, qtbot):
    draw(widget)
    settle(widget)
    viewer.close()
    qtbot.wait(20)
    assert warnings_shown == []


@pytest.mark.window
def test_everything_removed_during_a_run(viewer, widget, run):
    run(viewer.layers.clear)
    assert len(viewer.layers) == 0
    assert widget._work is None
    assert widget.panel.table.rowCount() == 0


def test_the_image_replaced_during_a_run(viewer, volume, widget, run, settle, predictor):
    def replace():
        volume.data = np.full((6, 48, 64), 5.0)

    run(replace)
    np.testing.assert_array_equal(mask(viewer), filled(BOX))
    widget.panel.buttons["regenerate"].click()
    settle(widget)
    assert (predictor.images[-1][0] == 5).all()


@pytest.mark.window
@pytest.mark.parametrize("shape", [(6, 30, 30), (48, 64), (2, 6, 48, 64)])
def test_the_image_replaced_by_one_of_another_size(viewer, volume, widget, run, settle, warnings_shown, shape):
    def replace():
        volume.data = np.ones(shape)

    draw(widget, OTHER, 1)
    settle(widget)
    run(replace)
    assert any("'scan' has another size" in str(note.message) for note in warnings_shown)
    np.testing.assert_array_equal(viewer.layers["scan masks (old)"].data[1] == 1, filled(OTHER))
    assert widget._work.session.shape == shape
    assert not widget._work.session.objects
    assert "scan boxes" not in viewer.layers


@pytest.mark.window
@pytest.mark.parametrize("kind", ["masks", "scribble"])
def test_labels_of_another_size_are_left_to_the_user(viewer, widget, settle, kind):
    draw(widget)
    settle(widget)
    theirs = layer(viewer, kind)
    theirs.data = np.ones((3, 4, 5), int)
    draw(widget, OTHER, 1)
    settle(widget)
    assert (theirs.data == 1).all()
    ours = getattr(widget._work.layers, kind)
    assert ours is not theirs
    assert set(np.unique(ours.data)) == {0, 1, 2}


def test_points_replaced_by_none(viewer, widget, settle, predictor):
    draw(widget)
    settle(widget)
    layer(viewer, "points").data = np.zeros((0, 3))
    settle(widget)
    assert predictor.calls[-1]["points"].shape == (0, 2)


def test_the_chosen_layers_stay_chosen_under_other_names(viewer, widget, volume, settle):
    other = viewer.add_image(np.ones((30, 30)), name="other")
    viewer.add_labels(np.zeros((30, 30), int), name="first")
    reference = viewer.add_labels(np.zeros((30, 30), int), name="second")
    widget._references.value = reference
    widget.image = other
    other.name, reference.name = "brain", "expert"
    viewer.add_labels(np.zeros((30, 30), int), name="third")
    settle(widget)
    assert widget.image is other
    assert widget._references.value is reference
    # one layer takes the name of another
    volume.name, other.name = "scan 2", "scan"
    viewer.add_labels(np.zeros((30, 30), int), name="fourth")
    settle(widget)
    assert widget.image is other


@pytest.mark.parametrize("kind", ["masks", "scribble"])
def test_labels_replaced_on_slices_out_of_view_count(viewer, widget, settle, kind):
    draw(widget)
    settle(widget)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    viewer.dims.set_point(0, 0)
    other = layer(viewer, kind).data.copy()
    other[2, 40, 20:31] = 1
    layer(viewer, kind).data = other
    settle(widget)
    draw(widget, OTHER, 2)
    settle(widget)
    assert (layer(viewer, kind).data[2, 40, 20:31] == 1).all()
    item = widget._work.session.objects[1]
    assert item.hand if kind == "masks" else item.scribble_edited


def test_a_replaced_result_is_committed_to(viewer, widget, settle):
    draw(widget)
    settle(widget)
    widget.panel.buttons["commit"].click()
    settle(widget)
    other = layer(viewer, "result").data.copy()
    other[0, 0, 0] = 2
    layer(viewer, "result").data = other
    draw(widget, OTHER)
    settle(widget)
    widget.panel.buttons["commit"].click()
    settle(widget)
    assert layer(viewer, "result").data is other
    np.testing.assert_array_equal(other[2] == 3, filled(OTHER))
    assert other[0, 0, 0] == 2


def test_a_result_of_another_size_is_left_to_the_user(viewer, widget, settle):
    draw(widget)
    settle(widget)
    widget.panel.buttons["commit"].click()
    settle(widget)
    theirs = layer(viewer, "result")
    theirs.data = np.zeros((3, 4, 5), int)
    draw(widget, OTHER)
    settle(widget)
    widget.panel.buttons["commit"].click()
    settle(widget)
    assert not theirs.data.any()
    assert set(np.unique(widget._work.layers.result.data)) == {0, 1, 2}
