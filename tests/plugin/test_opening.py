"""The widget is there at once, its panel soon after, and layers when they are needed."""

import pytest
from qtpy.QtWidgets import QLabel

from napari_swin_litemedsam.plugin import workbench
from napari_swin_litemedsam.plugin.panel import Panel
from napari_swin_litemedsam.plugin.widget import SwinLiteMedSAMWidget

from .conftest import BOX, FLAT


@pytest.fixture
def widget(viewer, predictor, qtbot):
    widget = SwinLiteMedSAMWidget(viewer, load=lambda: predictor)
    qtbot.addWidget(widget)
    return widget


def test_the_panel_comes_by_itself(widget, qtbot):
    widget.show()
    assert widget.findChild(Panel) is None
    qtbot.waitUntil(lambda: widget.findChild(Panel) is not None)
    panel = widget.findChild(Panel)
    qtbot.waitUntil(lambda: panel.sections["review"].isVisible())
    shown = [section for section in panel.sections.values() if section.isVisible()]
    assert len(shown) == 6
    places = [section.mapTo(panel, section.rect().topLeft()).y() for section in shown]
    assert places == sorted(places)


def test_who_does_not_wait_gets_it_at_once(widget, viewer, picture):
    assert widget.image is picture
    id = widget.session.add_box(BOX)
    widget.session.wait(10)
    assert widget.session.mask(id)[20, 30]
    other = viewer.add_image(picture.data[:20], name="other")
    widget.image = other
    assert not widget.session.objects


@pytest.mark.window
def test_the_panel_has_the_room_that_it_needs(viewer, predictor, qtbot):
    viewer.window.resize(1280, 800)
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam")
    qtbot.waitUntil(lambda: widget.findChild(Panel) is not None)
    panel = widget.findChild(Panel)
    qtbot.waitUntil(lambda: panel.sections["review"].isVisibleTo(panel))
    qtbot.waitUntil(lambda: panel.width() >= panel.minimumSizeHint().width() > 200)
    # all of the height of its dock, but for the title
    assert panel.height() > 0.9 * widget.parentWidget().height()


def test_what_keeps_the_panel_away_is_told(widget, qtbot, monkeypatch):
    def fail(*_):
        raise OSError("libGL is missing")

    monkeypatch.setattr(workbench, "Workbench", fail)
    with qtbot.capture_exceptions() as raised:
        qtbot.waitUntil(lambda: bool(raised))
    assert widget.findChild(QLabel).text() == "The panel cannot be opened: libGL is missing"
    with pytest.raises(OSError, match="libGL"):
        _ = widget.session


@pytest.mark.window
def test_one_that_is_closed_before_its_panel_comes_gets_none(viewer, predictor, qtbot):
    heard = len(viewer.layers.events.inserted.callbacks)
    widget = SwinLiteMedSAMWidget(viewer, load=lambda: predictor)
    viewer.window.add_dock_widget(widget, name="Segment from boxes")
    viewer.window.remove_dock_widget(widget)
    qtbot.wait(200)
    assert len(viewer.layers.events.inserted.callbacks) == heard
    with pytest.raises(RuntimeError, match="closed"):
        _ = widget.session


def test_layers_are_added_for_the_first_box_and_not_before(widget, viewer, picture, qtbot, settle):
    inside = widget.workbench
    settle(inside)
    assert list(viewer.layers) == [picture]
    inside.panel.buttons["box"].click()
    boxes = viewer.layers.selection.active
    assert boxes.name == "picture boxes"
    boxes.add_rectangles(FLAT.rectangle(BOX))
    settle(inside)
    assert {"picture masks", "picture scribble", "picture points"} <= {layer.name for layer in viewer.layers}
