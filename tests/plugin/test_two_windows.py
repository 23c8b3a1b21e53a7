"""Two napari windows in one process, each with the panel."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.widget import SwinLiteMedSAMWidget

from .conftest import FakePredictor

pytestmark = pytest.mark.window

BOX, OTHER_BOX = (10, 20, 30, 50), (5, 6, 20, 25)


@pytest.fixture
def windows(make_napari_viewer_proxy, spared_collector):
    """Two viewers with the same picture, and the widget of each."""
    pairs = []
    for _ in range(2):
        viewer, predictor = make_napari_viewer_proxy(), FakePredictor()
        viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")
        widget = SwinLiteMedSAMWidget(viewer, load=lambda predictor=predictor: predictor)
        viewer.window.add_dock_widget(widget, name="Segment from boxes")
        widget.workbench.intents.use_tool("box")
        pairs.append((viewer, widget.workbench))
    return pairs


def masks(widget):
    return widget._work.layers.masks.data


def test_each_has_its_own_objects_and_closing_one_leaves_the_other(windows, draw, settle):
    (viewer, widget), (_, other) = windows
    draw(widget, BOX)
    settle(widget)
    assert masks(widget)[20, 30] == 1
    assert not other._work.session.objects
    assert len(other._work.layers.boxes.data) == 0

    draw(other, OTHER_BOX)
    settle(other)
    assert len(other._work.session.objects) == 1
    assert masks(other)[8, 8] == 1
    assert masks(widget)[8, 8] == 0

    widget.panel.buttons["undo"].click()
    settle(widget)
    assert not widget._work.session.objects
    assert len(other._work.session.objects) == 1
    widget.panel.buttons["redo"].click()
    settle(widget)

    viewer.close()
    draw(other, BOX)
    settle(other)
    assert len(other._work.session.objects) == 2
    assert masks(other)[25, 45] == 2
    other.panel.buttons["undo"].click()
    settle(other)
    assert masks(other)[25, 45] == 0
    assert masks(other)[8, 8] == 1
