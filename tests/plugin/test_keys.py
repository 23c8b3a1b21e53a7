"""Keys as the user presses them on the canvas."""

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Image, Labels, Points, Shapes, Surface, Tracks, Vectors
from napari.settings import get_plugin_settings, get_settings
from napari.utils.key_bindings import coerce_keybinding
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit, QPushButton

from napari_swin_litemedsam.plugin.actions import ACTIONS
from napari_swin_litemedsam.plugin.help import HelpPopover

from .conftest import BOX, axial


@pytest.fixture
def press(qtbot):
    """Press a key while the canvas has the focus."""

    def do(key, modifier=Qt.KeyboardModifier.NoModifier):
        canvas = next(w for w in QApplication.allWidgets() if type(w).__name__.startswith("CanvasBackend"))
        qtbot.keyClick(canvas, key, modifier)

    return do


@pytest.fixture
def shortcuts():
    """The keys in napari's preferences, put back afterwards."""
    settings = get_plugin_settings("napari-swin-litemedsam").shortcuts
    yield settings
    for name, action in ACTIONS.items():
        setattr(settings, name, action.key)


@pytest.fixture
def widget(viewer, open_widget, draw, settle):
    viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")
    widget = open_widget()
    draw(widget, BOX)
    settle(widget)
    return widget


@pytest.mark.window
def test_choose_tools(widget, viewer, press):
    layers = widget._work.layers
    for key, layer, mode in [
        (Qt.Key.Key_J, layers.points, "add"),
        (Qt.Key.Key_H, layers.scribble, "paint"),
        (Qt.Key.Key_W, layers.scribble, "erase"),
        (Qt.Key.Key_N, layers.boxes, "add_rectangle"),
    ]:
        press(key)
        assert viewer.layers.selection.active == layer
        assert layer.mode == mode


def test_without_an_image_say_so(open_widget, warnings_shown):
    widget = open_widget()
    for action in ("box", "propagate"):
        widget.intents.do(action)
        assert "no image" in str(warnings_shown[-1].message)


@pytest.mark.window
def test_with_shift(widget, press, settle, predictor):
    press(Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    settle(widget)
    assert predictor.calls[-1]["seed"] == 1


def test_work_in_the_panel_too(widget, viewer, qtbot):
    table, name = widget.panel.table, widget.panel.table.item(0, 1)
    widget.show()
    widget.activateWindow()
    table.setFocus()
    qtbot.waitUntil(table.hasFocus)
    qtbot.keyClick(table, Qt.Key.Key_J)
    assert viewer.layers.selection.active == widget._work.layers.points
    # a name that is typed keeps its letters
    table.editItem(name)
    editor = table.findChild(QLineEdit)
    qtbot.waitUntil(editor.hasFocus)
    qtbot.keyClick(editor, Qt.Key.Key_N)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: widget._work.session.objects[1].name == "n")
    assert viewer.layers.selection.active == widget._work.layers.points


@pytest.mark.window
def test_a_box_is_copied_to_another_slice(viewer, volume, open_widget, draw, settle, press):
    widget = open_widget()
    draw(widget, BOX, axial(2))
    settle(widget)
    boxes = widget._work.layers.boxes
    viewer.layers.selection.active = boxes
    boxes.mode = "select"
    boxes.selected_data = {0}
    press(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    viewer.dims.set_current_step(0, 4)
    press(Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    settle(widget)
    objects = widget._work.session.objects
    assert {id: item.plane for id, item in objects.items()} == {1: axial(2), 2: axial(4)}
    assert objects[2].box == BOX
    assert boxes.features["object"].tolist() == [1, 2]
    assert (widget._work.layers.masks.data[4, 10:31, 20:51] == 2).all()


@pytest.mark.window
def test_undo_and_redo(widget, press):
    assert widget.panel.buttons["undo"].isEnabled()
    press(Qt.Key.Key_U)
    assert not widget._work.session.objects
    assert "nothing to undo" in widget.panel.buttons["undo"].toolTip()
    press(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    assert (widget._work.layers.masks.data[10:31, 20:51] == 1).all()
    assert "nothing to redo" in widget.panel.buttons["redo"].toolTip()


@pytest.mark.window
def test_can_be_set_in_the_preferences(widget, viewer, press, shortcuts):
    shortcuts.box = "Q"
    press(Qt.Key.Key_Q)
    assert widget._work.layers.boxes.mode == "add_rectangle"
    widget._work.layers.boxes.mode = "pan_zoom"
    press(Qt.Key.Key_N)
    assert widget._work.layers.boxes.mode == "pan_zoom"
    assert widget.panel.buttons["box"].toolTip().endswith("Key: Q")


def test_nonsense_in_the_preferences_is_named(widget, shortcuts, warnings_shown):
    shortcuts.box = "no such key"
    assert "no key 'no such key', so New box has none" in str(warnings_shown[-1].message)


@pytest.mark.window
def test_end_with_the_widget(widget, viewer, press):
    used = []
    boxes = widget._work.layers.boxes
    viewer.window.remove_dock_widget(widget.parentWidget())
    boxes.mode = "pan_zoom"
    press(Qt.Key.Key_N)
    assert boxes.mode == "pan_zoom"
    viewer.bind_key("N", lambda _: used.append(1))
    press(Qt.Key.Key_N)
    assert used == [1]


def test_belong_to_nobody_else_in_napari():
    taken = {key for keys in get_settings().shortcuts.shortcuts.values() for key in keys}
    for kind in (Image, Labels, Points, Shapes, Surface, Tracks, Vectors, Viewer):
        taken |= kind.class_keymap.keys()
    ours = {coerce_keybinding(action.key) for action in ACTIONS.values() if action.key}
    assert coerce_keybinding("V") in taken
    assert not {str(key) for key in ours} & {str(key) for key in taken}


def test_manifest_and_actions_agree():
    manifest = PluginManifest.from_distribution("napari-swin-litemedsam")
    properties = manifest.contributions.configurations["shortcuts"].properties
    assert {name: key.default for name, key in properties.items()} == {n: a.key for n, a in ACTIONS.items()}
    assert {name: key.title for name, key in properties.items()} == {n: a.text for n, a in ACTIONS.items()}
    keys = [action.key for action in ACTIONS.values() if action.key]
    assert len(keys) == len(set(keys))


@pytest.mark.window
def test_help_lists_them(widget, qtbot):
    widget.panel.help.click()
    popover = next(w for w in QApplication.topLevelWidgets() if isinstance(w, HelpPopover) and w.isVisible())
    assert "<b>N</b>" in popover.label.text()
    assert "New box" in popover.label.text()
    popover.close()


def test_help_cuts_no_line_and_stays_on_the_screen(qtbot):
    button = QPushButton("?")
    qtbot.addWidget(button)
    room = button.screen().availableGeometry()
    button.move(room.center().x(), room.bottom() - 60)
    button.show()
    # higher than the two thirds of the screen that Qt gives to a window
    popover = HelpPopover(dict.fromkeys(ACTIONS, "N"), button)
    popover.show_below(button)
    label = popover.label
    assert label.height() >= label.heightForWidth(label.width())
    assert room.contains(popover.geometry())
    popover.close()
