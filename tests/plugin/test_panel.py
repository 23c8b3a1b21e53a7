import pytest
from napari.qt import get_stylesheet
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QScrollArea,
    QSpinBox,
    QWidget,
)

from napari_swin_litemedsam.plugin.actions import ACTIONS, TOOLS
from napari_swin_litemedsam.plugin.objects import BoxObject
from napari_swin_litemedsam.plugin.panel import Panel

from .conftest import BOX, FLAT, axial, fill, filled


@pytest.fixture
def panel(qtbot):
    panel = Panel(QComboBox(), QComboBox())
    fill(panel)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_every_control_explains_itself(panel):
    controls = [*panel.findChildren(QAbstractButton), panel.first, panel.last]
    own = [c for c in controls if isinstance(c, QSpinBox) or c.text()]
    assert len(own) >= len(ACTIONS) + 3
    assert all(control.toolTip() for control in own)


def test_no_explanation_is_wider_than_a_small_screen(panel):
    width = panel.fontMetrics().horizontalAdvance
    lines = [line for control in panel.findChildren(QWidget) for line in control.toolTip().splitlines()]
    assert max(width(line) for line in lines) < 600


def test_screen_readers_name_controls_by_what_stands_before_them(panel):
    names = {label.buddy(): label.text() for label in panel.findChildren(QLabel) if label.buddy()}
    assert names[panel.window_section.width_box] == "Width"
    assert names[panel.first] == "Slices"
    assert names[panel.overlap] == "On overlap"
    assert names[panel.carry.every] == "Model on every"


def test_offers_all_slices_of_a_volume(panel):
    panel.show_range(12)
    assert panel.sections["volume"].isVisible()
    assert (panel.first.value(), panel.last.value(), panel.last.maximum()) == (0, 11, 11)


def test_offers_no_slices_of_a_picture(panel):
    panel.show_range(12)
    panel.show_range(1)
    assert not panel.sections["volume"].isVisible()


def test_cancel_is_there_while_something_runs(panel):
    panel.show_range(12)
    assert not panel.buttons["cancel"].isEnabled()
    panel.show_running(True, 30)
    assert panel.buttons["cancel"].isEnabled()
    assert not panel.buttons["propagate"].isEnabled()
    assert panel.progress.isVisible()
    assert panel.progress.maximum() == 30
    panel.show_running(False)
    assert panel.buttons["propagate"].isEnabled()
    assert not panel.progress.isVisible()


def test_cancel_stays_there_for_a_run_on_another_image(panel):
    panel.show_range(12)
    panel.show_running(True, 30)
    panel.show_range(1)
    assert panel.buttons["cancel"].isVisible()
    panel.show_running(False)
    assert not panel.buttons["cancel"].isVisible()


def test_tools_wait_for_a_box(panel):
    panel.enable(image=True)
    assert [name for name in TOOLS if panel.buttons[name].isEnabled()] == ["box"]
    panel.enable(image=True, item=BoxObject(1, FLAT, BOX))
    assert all(panel.buttons[name].isEnabled() for name in TOOLS)


def test_a_committed_object_is_opened_before_it_is_edited(panel):
    panel.enable(image=True, item=BoxObject(1, FLAT, BOX, committed=True), committed=True)
    assert [name for name in TOOLS if panel.buttons[name].isEnabled()] == ["box"]
    assert "press Edit again first" in panel.buttons["regenerate"].toolTip()
    assert panel.buttons["reopen"].isEnabled()
    assert panel.buttons["delete"].isEnabled()


def test_there_is_no_worst_slice_without_scores(panel):
    item = BoxObject(1, axial(2), BOX)
    panel.enable(image=True, item=item)
    assert "predicted IoU" in panel.buttons["worst"].toolTip().split("Not now")[1]
    item.answer(axial(2), filled(BOX))
    item.ious[axial(2)] = 0.9
    panel.enable(image=True, item=item)
    assert panel.buttons["worst"].isEnabled()


def test_a_control_that_is_off_says_why(panel):
    panel.enable(image=True)
    assert "draw a box" in panel.buttons["positive"].toolTip()
    panel.enable(image=False)
    assert "no image" in panel.buttons["box"].toolTip()
    panel.enable(image=True, item=BoxObject(1, FLAT, BOX))
    assert panel.buttons["positive"].toolTip().split() == ACTIONS["positive"].tip.split()


def test_sections_fold(panel):
    section = panel.sections["draw"]
    assert panel.buttons["box"].isVisible()
    assert section.text().startswith("▾")
    section.toggleButton().click()
    assert section.content().maximumHeight() == 0
    assert section.text() == "▸ Draw"


def test_the_wheel_is_the_columns_and_changes_no_choice(panel):
    panel.show_range(12)
    lists, numbers = panel.findChildren(QComboBox), panel.findChildren(QAbstractSpinBox)
    before = [*(box.currentText() for box in lists), *(box.text() for box in numbers)]
    for control in (*lists, *numbers):
        for angle in (120, -120):
            # Qt hands on to the column what the control does not take
            assert not takes_wheel(control, angle)
    assert [*(box.currentText() for box in lists), *(box.text() for box in numbers)] == before


def takes_wheel(control, angle):
    middle, none = QPointF(control.rect().center()), Qt.KeyboardModifier.NoModifier
    turns = QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False
    event = QWheelEvent(middle, control.mapToGlobal(middle), *turns)
    QApplication.sendEvent(control, event)
    return event.isAccepted()


def test_the_tab_key_goes_to_all_that_is_seen_and_to_nothing_else(panel, qtbot):
    panel.show_range(12)
    item = BoxObject(1, axial(4), BOX)
    panel.enable(True, item, True, True)
    panel.table.show_objects([item], 1)
    panel.activateWindow()
    first = panel.sections["image"].toggleButton()
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    seen = [first]
    while True:
        qtbot.keyClick(seen[-1], Qt.Key.Key_Tab)
        if (now := QApplication.focusWidget()) in seen:
            break
        seen.append(now)
    assert all(control.isVisible() and control.height() and control.isEnabled() for control in seen)
    assert {b for b in panel.buttons.values() if b.isEnabled() and b.isVisible()} <= set(seen)
    assert {panel.live, panel.use_points, panel.use_scribble, panel.follow, panel.help, panel.table} <= set(seen)
    assert panel.carry.filled not in seen
    panel.carry.more.toggleButton().click()
    assert panel.carry.filled.isVisible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_is_seen_which_control_has_the_focus(panel, qtbot, theme):
    panel.setStyleSheet(get_stylesheet(theme))
    panel.show_range(12)
    panel.enable(True)
    panel.activateWindow()
    mark = QApplication.palette().highlight().color().name()
    for control in (panel.buttons["box"], panel.live, panel.carry.reaches, panel.sections["draw"].toggleButton()):
        assert mark not in left_edge(control)
        control.setFocus()
        qtbot.waitUntil(control.hasFocus)
        assert mark in left_edge(control)


def left_edge(control):
    picture = control.grab().toImage()
    return {picture.pixelColor(0, y).name() for y in range(picture.height())}


def test_a_click_on_a_button_leaves_the_focus_where_it_was(panel, qtbot):
    panel.enable(True)
    panel.activateWindow()
    panel.table.setFocus()
    qtbot.waitUntil(panel.table.hasFocus)
    qtbot.mouseClick(panel.buttons["box"], Qt.MouseButton.LeftButton)
    assert panel.table.hasFocus()


def test_long_names_do_not_widen_it(qtbot):
    name = "1.2.840.113619.2.55.3.604688119.969.1268071029.320_arterial_phase"
    chooser, references = QComboBox(), QComboBox()
    for box in (chooser, references):
        box.addItem(name)
    panel = Panel(chooser, references)
    fill(panel)
    qtbot.addWidget(panel)
    panel.status.setText(f"'{name}' was removed.")
    panel.model_section.show_facts(f"There is no finished training in {name}.")
    panel.show()
    assert panel.minimumSizeHint().width() <= 320


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_is_never_narrower_than_what_is_in_it(panel, theme):
    before = panel.minimumSizeHint().width()
    panel.setStyleSheet(get_stylesheet(theme))
    panel.show_range(12)
    panel.resize(200, 400)
    scroll = panel.findChild(QScrollArea)
    assert scroll.verticalScrollBar().isVisible()
    assert scroll.widget().minimumSizeHint().width() <= scroll.viewport().width()
    assert before != panel.minimumSizeHint().width() <= 320


def test_tooltips_name_the_keys(panel):
    panel.enable(image=True)
    panel.show_keys({"box": "N", "positive": "J"})
    assert panel.buttons["box"].toolTip().endswith("Key: N")
    assert "Key: J\nNot now: draw" in panel.buttons["positive"].toolTip()
    panel.show_keys({})
    assert "Key" not in panel.buttons["box"].toolTip()
