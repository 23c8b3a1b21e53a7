"""What is undone and done again, again and again, leaves nothing behind, and many objects take little room."""

import gc
import sys
import tracemalloc

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.session import Session

from .conftest import FLAT, FakePredictor, answer, axial, draw_box


@pytest.fixture
def widget(volume, open_widget, settle):
    """Two objects through a volume, of which one step commits the first and removes the second."""
    widget = open_widget()
    for top in (5, 25):
        draw_box(widget, (top, 5, top + 15, 40), axial(2))
        settle(widget)
    widget.panel.buttons["propagate"].click()
    settle(widget)
    session = widget._work.session
    with session.together():
        session.commit([1])
        session.remove(2)
    settle(widget)
    return widget


def held(viewer, widget):
    """Names of the layers, callbacks on each event of napari's and ours, and bytes of what can be undone."""
    groups = [viewer.events, viewer.dims.events, viewer.layers.events, viewer.layers.selection.events]
    groups += [layer.events for layer in viewer.layers]
    callbacks = [len(emitter.callbacks) for group in groups for emitter in group.emitters.values()]
    session = widget._work.session
    return [layer.name for layer in viewer.layers], callbacks, len(session.changed), session.history.nbytes


def test_fifty_rounds_of_undo_and_redo(viewer, widget):
    edits, layers = widget._work.edits, widget._work.layers

    def rounds(number):
        for _ in range(number):
            assert edits.undo()
            assert len(layers.boxes.data) == 2
            assert edits.redo()
            assert len(layers.boxes.data) == 0
        gc.collect()
        # tracemalloc would tell bytes, and take four times as long
        return held(viewer, widget), sys.getallocatedblocks()

    before, blocks = rounds(10)
    after, more = rounds(40)
    assert after == before
    assert len(viewer.layers) == 7
    assert more - blocks < 200


def test_two_hundred_objects_take_little_more_than_their_pixels():
    predictor = FakePredictor()
    session = Session(np.zeros((512, 512)), (512, 512), LazyPredictor(lambda: predictor))
    tracemalloc.start()
    try:
        for number in range(200):
            y, x = divmod(number, 20)
            session.add_box(FLAT, (50 * y, 20 * x, 50 * y + 40, 20 * x + 18))
            answer(session, session.next_request(None))
            predictor.images.clear()
            predictor.calls.clear()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a mask of the whole image would be a quarter of a megabyte
    assert taken / 200 < 20_000
    assert session.history.nbytes < session.history.memory
