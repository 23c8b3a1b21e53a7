"""Boxes carried through a volume, as a user meets it: watched, cancelled, corrected, undone."""

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QLabel

from napari_swin_litemedsam.plugin.session import Session

from .conftest import BOX, axial, draw_box


@pytest.fixture
def widget(volume, open_widget, settle):
    widget = open_widget()
    draw_box(widget, BOX, axial(2))
    settle(widget)
    return widget


def test_fills_all_slices(widget, settle):
    assert widget.panel.last.value() == 5
    widget.panel.buttons["propagate"].click()
    settle(widget)
    layers = widget._work.layers
    assert layers.masks.data.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(layers.carried.features["slice"], [3, 4, 5, 1, 0])
    assert widget.panel.status.text() == "Carried 1 object."
    assert widget.panel.table.item(0, 4).text() == "propagated"


def test_keeps_to_the_range(widget, settle):
    widget.panel.first.setValue(1)
    widget.panel.last.setValue(3)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    np.testing.assert_array_equal(np.flatnonzero(widget._work.layers.masks.data.any(axis=(1, 2))), [1, 2, 3])


@pytest.mark.window
def test_shows_slice_after_slice(widget, settle, viewer, qtbot, predictor):
    seen = []
    viewer.dims.events.current_step.connect(lambda event: seen.append(viewer.dims.current_step[0]))
    widget.panel.buttons["propagate"].click()
    assert widget.panel.buttons["cancel"].isEnabled()
    settle(widget)
    assert seen == [3, 4, 5, 1, 0]
    assert not widget.panel.buttons["cancel"].isEnabled()


@pytest.mark.window
def test_cancel_keeps_what_is_done(widget, settle, predictor, qtbot):
    predict = predictor.predict

    def stop_at_third(*args, **options):
        if len(predictor.calls) == 3:
            predictor.allowed.clear()
        return predict(*args, **options)

    predictor.predict = stop_at_third
    widget.panel.buttons["propagate"].click()
    masks = widget._work.layers.masks
    qtbot.waitUntil(lambda: masks.data[3].any())
    widget.panel.buttons["cancel"].click()
    predictor.allowed.set()
    settle(widget)
    done = np.flatnonzero(masks.data.any(axis=(1, 2)))
    assert {2, 3} <= set(done) < set(range(6))
    assert widget.panel.status.text().startswith("Stopped after")
    assert widget.panel.buttons["propagate"].isEnabled()


def test_starts_from_an_edited_mask(widget, settle, drag):
    widget.panel.buttons["negative"].click()
    drag(widget._work.layers.points, (6, 10, 15))
    settle(widget)
    edited = widget._work.layers.masks.data[2].copy()
    assert not edited[:20].any()
    widget.panel.buttons["propagate"].click()
    settle(widget)
    masks = widget._work.layers.masks.data
    np.testing.assert_array_equal(masks[2], edited)
    assert not masks[3, :19].any()
    assert masks[3, 20:31, 20:51].all()


def test_an_edit_during_the_run_waits_and_is_not_lost(widget, settle, predictor, qtbot):
    predictor.allowed.clear()
    widget.panel.buttons["propagate"].click()
    qtbot.waitUntil(lambda: widget._runner.busy)
    draw_box(widget, (35, 2, 40, 12), axial(1))
    predictor.allowed.set()
    settle(widget)
    assert (widget._work.layers.masks.data[1] == 2).any()
    assert widget._work.layers.masks.data.any(axis=(1, 2)).all()


@pytest.fixture
def start(widget, predictor, qtbot):
    """Start a propagation that stays where it is until the predictor is allowed to answer, and the view where it is."""
    widget.panel.follow.setChecked(False)
    predictor.allowed.clear()
    widget.panel.buttons["propagate"].click()
    qtbot.waitUntil(lambda: widget._runner.busy)


def brush(widget, kind):
    layer = getattr(widget._work.layers, kind)
    layer.mode, layer.brush_size = "paint", 1
    return layer


@pytest.mark.usefixtures("start")
@pytest.mark.parametrize("kind", ["scribble", "masks"])
def test_a_stroke_during_the_run_is_not_painted_over_when_the_user_scrolls_on(
    widget, viewer, settle, predictor, drag, kind
):
    layer = brush(widget, kind)
    drag(layer, (6, 20, 10), (6, 20, 15))
    viewer.dims.set_point(0, 3)
    predictor.allowed.set()
    settle(widget)
    item = widget._work.session.objects[1]
    assert (layer.data[2, 40, 20:31] == 1).all()
    assert item.hand if kind == "masks" else item.scribble_edited


@pytest.mark.usefixtures("start")
def test_a_stroke_ahead_of_the_run_is_not_painted_over(widget, viewer, settle, predictor, drag):
    masks = brush(widget, "masks")
    viewer.dims.set_point(0, 15)
    drag(masks, (15, 20, 10), (15, 20, 15))
    viewer.dims.set_point(0, 3)
    predictor.allowed.set()
    settle(widget)
    assert (masks.data[5, 40, 20:31] == 1).all()
    assert axial(5) in widget._work.session.objects[1].hand


@pytest.mark.parametrize("kind", ["scribble", "masks"])
def test_a_stroke_on_the_boxs_slice_goes_on_while_other_slices_come(widget, settle, predictor, drag, kind, qtbot):
    widget.panel.follow.setChecked(False)
    layer = brush(widget, kind)
    predict, calls = predictor.predict, len(predictor.calls)

    def stop_after_first(*args, **options):
        if len(predictor.calls) == calls + 1:
            predictor.allowed.clear()
        return predict(*args, **options)

    predictor.predict = stop_after_first
    widget.panel.buttons["propagate"].click()
    qtbot.waitUntil(lambda: not predictor.allowed.is_set())
    qtbot.wait(100)

    def go_on():
        predictor.predict = predict
        predictor.allowed.set()
        qtbot.waitUntil(lambda: not widget._runner.busy)

    drag(layer, (6, 20, 10), (6, 20, 15), (6, 20, 16), meanwhile=go_on)
    settle(widget)
    assert (layer.data[2, 40, 20:33] == 1).all()


@pytest.mark.usefixtures("start")
def test_deleting_twice_deletes_once(widget, settle, predictor):
    widget.panel.table.selectRow(0)
    widget.panel.buttons["delete"].click()
    widget.panel.buttons["delete"].click()
    predictor.allowed.set()
    settle(widget)
    assert not widget._work.session.objects


@pytest.mark.usefixtures("start")
def test_undo_during_the_run_is_no_end_of_it(widget, settle, predictor):
    widget.intents.undo()
    predictor.allowed.set()
    settle(widget)
    assert widget.panel.status.text() == "Stopped after 0 of 6: the objects have changed since."


@pytest.mark.usefixtures("start")
def test_the_key_pressed_again_does_not_do_it_all_again(widget, settle, predictor):
    before = len(predictor.calls)
    widget.intents.do("propagate")
    assert "still runs" in widget.panel.status.text()
    predictor.allowed.set()
    settle(widget)
    assert len(predictor.calls) <= before + 6


def test_says_that_boxes_outside_stay(widget, settle, warnings_shown):
    widget.panel.first.setValue(3)
    widget.panel.buttons["propagate"].click()
    assert any("3 to 5" in str(note.message) for note in warnings_shown)
    assert not widget._runner.busy


@pytest.mark.window
@pytest.mark.usefixtures("start")
def test_is_told_of_in_naparis_activity_dock(predictor, settle, widget, qtbot):
    def told():
        labels = [each for each in QApplication.allWidgets() if isinstance(each, QLabel)]
        return [label.text() for label in labels if label.text().startswith("Propagating boxes")]

    qtbot.waitUntil(lambda: len(told()) == 1)
    predictor.allowed.set()
    settle(widget)
    qtbot.waitUntil(lambda: not told())


@pytest.mark.window
def test_can_be_closed_while_it_runs(widget, viewer, predictor, qtbot):
    predictor.allowed.clear()
    widget.panel.buttons["propagate"].click()
    qtbot.waitUntil(lambda: widget._runner.busy)
    viewer.window.remove_dock_widget(widget.parentWidget())
    predictor.allowed.set()
    assert QThreadPool.globalInstance().waitForDone(5000)
    qtbot.wait(20)
    assert not widget._works
    draws_nothing = len(predictor.calls)
    viewer.layers["scan boxes"].add_rectangles(axial(1).rectangle(BOX))
    qtbot.wait(100)
    assert len(predictor.calls) == draws_nothing


def test_undo_takes_it_back_at_once(widget, settle):
    widget.panel.buttons["propagate"].click()
    settle(widget)
    layers = widget._work.layers
    widget.intents.undo()
    assert np.flatnonzero(layers.masks.data.any(axis=(1, 2))).tolist() == [2]
    assert len(layers.carried.data) == 0
    widget.intents.redo()
    assert layers.masks.data.any(axis=(1, 2)).all()
    assert sorted(layers.carried.features["slice"]) == [0, 1, 3, 4, 5]


def test_a_slice_corrected_by_hand_is_gone_on_from(widget, viewer, settle, drag):
    widget.panel.buttons["propagate"].click()
    settle(widget)
    masks = widget._work.layers.masks
    before = masks.data.copy()
    viewer.dims.set_point(0, 3 * 4)
    viewer.layers.selection.active = masks
    masks.mode, masks.brush_size = "erase", 20
    drag(masks, (12, 7, 8), (12, 7, 27))
    settle(widget)
    corrected = masks.data[4].copy()
    assert 0 < (corrected == 1).sum() < (before[4] == 1).sum()
    assert widget.panel.table.item(0, 4).text() == "edited"
    widget.panel.buttons["propagate"].click()
    settle(widget)
    np.testing.assert_array_equal(masks.data[4], corrected)
    np.testing.assert_array_equal(masks.data[:3], before[:3])
    assert (masks.data[5] == 1).sum() < (before[5] == 1).sum()


def test_the_view_stays_while_the_mouse_is_down(widget, viewer, settle, drag, qtbot):
    masks = brush(widget, "masks")
    viewer.dims.set_point(0, 6)  # in millimetres

    def press():
        drag(masks, (6, 20, 10), (6, 20, 15), (6, 20, 16), meanwhile=propagate)

    def propagate():
        widget.panel.buttons["propagate"].click()
        qtbot.waitUntil(lambda: not widget.busy)
        assert viewer.dims.current_step[0] == 2

    drag(viewer, (6, 20, 10), (6, 20, 16), displayed=(1, 2), meanwhile=press)
    settle(widget)
    assert list(widget._work.session.objects[1].hand) == [axial(2)]
    widget.panel.buttons["propagate"].click()
    settle(widget)
    assert viewer.dims.current_step[0] == 0


def test_boxes_in_another_view_are_told_as_such(widget, viewer, settle, warnings_shown):
    viewer.dims.order = (1, 0, 2)
    settle(widget)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    (told,) = (notification.message for notification in warnings_shown)
    assert told == "Boxes in another view stay where they are: 1."
    widget.panel.buttons["anchor"].click()
    assert "lie in another view; go back there" in warnings_shown[-1].message


def test_a_propagation_that_cannot_begin_ends_and_may_be_tried_again(widget, settle, warnings_shown, monkeypatch):
    def fail(*_):
        raise RuntimeError("no way through")

    with monkeypatch.context() as broken:
        broken.setattr(Session, "carry", fail)
        widget.panel.buttons["propagate"].click()
        settle(widget)
    assert "Propagation: RuntimeError: no way through" in warnings_shown[-1].message
    assert widget.panel.progress.isHidden()
    assert not widget.panel.buttons["cancel"].isEnabled()
    widget.panel.buttons["propagate"].click()
    settle(widget)
    assert widget._work.layers.masks.data.any(axis=(1, 2)).all()
