"""Looking at how good the masks are."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from .conftest import axial

BOX = (10, 20, 30, 50)


@pytest.fixture
def widget(volume, open_widget, settle, draw):
    widget = open_widget()
    draw(widget, BOX, axial(2))
    settle(widget)
    return widget


@pytest.fixture
def strip(widget, settle, predictor):
    """The strip of an object whose slice 4 fits worst."""
    widget.panel.buttons["propagate"].click()
    settle(widget)
    item = widget._work.session.objects[1]
    item.ious[axial(4)] = 0.3
    widget._show_objects()
    return widget.panel.strip


def test_the_strip_has_all_slices_and_follows_the_view(strip, viewer):
    assert strip.scores == {0: 0.9, 1: 0.9, 2: 0.9, 3: 0.9, 4: 0.3, 5: 0.9}
    viewer.dims.set_point(0, 3 * 5)
    assert strip.current == 5
    viewer.dims.order = (1, 0, 2)
    assert strip.current is None


def test_the_strip_stands_under_the_table_of_a_volume(strip, widget, viewer):
    places = strip.parentWidget().layout()
    assert places.indexOf(strip) == places.indexOf(widget.panel.table) + 1
    assert not strip.isHidden()
    widget.image = viewer.add_image(np.zeros((48, 64)), name="picture")
    assert strip.isHidden()


@pytest.mark.window
def test_a_click_goes_to_the_slice(strip, viewer, qtbot):
    place = strip.place_of(1).center()
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(place.x()), int(place.y())))
    assert viewer.dims.current_step[0] == 1


def test_jumps_to_the_worst_slice(strip, widget, viewer):
    widget.panel.buttons["worst"].click()
    assert viewer.dims.current_step[0] == 4


class TestComparing:
    def test_tells_the_scores_of_each_object(self, widget, viewer, qtbot):
        review = widget.panel.review_section
        assert "no other layer" in widget.panel.buttons["compare"].toolTip()
        truth = np.zeros((6, 48, 64), np.uint8)
        truth[2, 10:31, 20:51] = 5
        viewer.add_labels(truth, name="truth", scale=(3, 0.5, 0.5))
        widget.panel.buttons["compare"].click()
        qtbot.waitUntil(lambda: not review.scores.isHidden())
        cells = [part.split("<")[0] for part in review.scores.text().split("<td align='right'>")[1:]]
        assert cells == ["1", "5", "1.000", "1.000", "0.0"]
        assert "truth" in widget.panel.status.text()

    def test_takes_in_what_is_committed(self, widget, viewer, qtbot):
        review = widget.panel.review_section
        truth = np.zeros((6, 48, 64), np.uint8)
        truth[2, 10:31, 20:51] = 5
        viewer.add_labels(truth, name="truth")
        widget.panel.buttons["commit"].click()
        widget.panel.table.selectRow(0)
        widget.panel.buttons["compare"].click()
        qtbot.waitUntil(lambda: not review.scores.isHidden())
        assert "1.000" in review.scores.text()

    def test_takes_in_what_was_painted_on_the_result(self, widget, viewer, settle, qtbot):
        truth = np.zeros((6, 48, 64), np.uint8)
        truth[2, 10:31, 20:51] = 5
        viewer.add_labels(truth, name="truth")
        widget.panel.buttons["commit"].click()
        settle(widget)
        result = widget._work.layers.result
        result.brush_size = 15
        result.paint((2, 20, 35), 0)
        widget.panel.table.selectRow(0)
        widget.panel.buttons["compare"].click()
        settle(widget)
        assert not widget.panel.review_section.scores.isHidden()
        assert "1.000" not in widget.panel.review_section.scores.text()

    def test_also_on_slices_that_the_object_was_not_on(self, widget, viewer, settle):
        truth = np.zeros((6, 48, 64), np.uint8)
        truth[2:4, 10:31, 20:51] = 5
        viewer.add_labels(truth, name="truth")
        widget.panel.buttons["commit"].click()
        settle(widget)
        result = widget._work.layers.result
        result.data_setitem(np.nonzero(truth == 5), 1)
        widget.panel.table.selectRow(0)
        widget.panel.buttons["compare"].click()
        settle(widget)
        assert widget.panel.review_section.scores.text().count("1.000") == 2

    def test_says_when_the_shapes_differ(self, widget, viewer, qtbot, warnings_shown):
        viewer.add_labels(np.zeros((6, 8, 8), np.uint8), name="truth")
        widget.panel.buttons["compare"].click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "cannot be compared" in str(warnings_shown[-1].message)
        assert widget.panel.review_section.scores.isHidden()

    def test_own_layers_are_no_reference(self, widget, viewer):
        viewer.add_labels(np.zeros((6, 48, 64), np.uint8), name="truth")
        assert [layer.name for layer in widget._references.choices] == ["truth"]
