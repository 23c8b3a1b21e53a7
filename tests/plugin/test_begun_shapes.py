"""A polygon that is begun and not ended is in the user's hand, and what happens meanwhile counts."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from .conftest import BOX, draw_box


@pytest.fixture
def widget(picture, open_widget, settle):
    widget = open_widget()
    draw_box(widget)
    settle(widget)
    return widget


@pytest.fixture
def turn(widget, settle):
    def do():
        settle(widget)
        QApplication.processEvents()
        settle(widget)

    return do


@pytest.fixture
def begin(widget, drag, turn):
    """Set the corners of a polygon without ending it; return the layer."""

    def do(*corners):
        boxes = widget._work.layers.boxes
        boxes.mode = "add_polygon"
        for corner in corners:
            drag(boxes, corner)
            turn()
        return boxes

    return do


def test_a_commit_takes_its_box_along(widget, begin, turn):
    boxes = begin((32, 5), (32, 15), (40, 15))
    widget.intents.choose(1)
    # which readies a tool, and so ends the polygon
    widget.panel.buttons["commit"].click()
    turn()
    objects = widget._work.session.objects
    assert objects[1].committed
    assert [item.box for item in objects.values() if not item.committed] == [(32, 5, 40, 15)]
    assert boxes.features["object"].tolist() == [2]


def test_what_undo_brings_back_stays(widget, begin, turn):
    draw_box(widget, (35, 2, 40, 10))
    turn()
    widget.intents.remove([1])
    turn()
    boxes = begin((32, 15), (32, 25), (40, 25))
    widget.panel.buttons["undo"].click()
    turn()
    assert set(widget._work.session.objects) == {1, 2}
    boxes.mode = "select"
    turn()
    assert set(widget._work.session.objects) >= {1, 2}
    assert set(boxes.features["object"]) == set(widget._work.session.objects)


def test_a_box_that_undo_moves_back_stays_there(widget, begin, turn):
    boxes = widget._work.layers.boxes
    before = boxes.data[0].copy()
    boxes.data = [corners + 5 for corners in boxes.data]
    turn()
    begin((32, 5), (32, 15), (40, 15))
    widget.panel.buttons["undo"].click()
    turn()
    boxes.mode = "select"
    turn()
    assert widget._work.session.objects[1].box == BOX
    row = boxes.features["object"].tolist().index(1)
    assert boxes.data[row].tolist() == before.tolist()


def test_a_box_beside_the_images_slices_makes_no_object(viewer, volume, open_widget, settle, drag, warnings_shown):
    widget = open_widget()
    viewer.add_image(np.zeros((20, 48, 64)), name="deeper", scale=volume.scale)
    viewer.dims.set_point(0, 36)
    widget.panel.buttons["box"].click()
    boxes = widget._work.layers.boxes
    drag(boxes, (36, 10, 10), (36, 20, 20), (36, 25, 25), displayed=(1, 2))
    for _ in range(3):
        QApplication.processEvents()
        settle(widget)
    assert not widget._work.session.objects
    assert not len(boxes.data)
    assert "has no slice here" in warnings_shown[-1].message
