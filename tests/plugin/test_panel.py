import pytest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QSpinBox

from napari_swin_litemedsam.plugin.actions import ACTIONS, TOOLS
from napari_swin_litemedsam.plugin.panel import Panel


@pytest.fixture
def panel(qtbot):
    panel = Panel(QComboBox(), QComboBox())
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_every_control_explains_itself(panel):
    controls = [*panel.findChildren(QAbstractButton), panel.first, panel.last]
    own = [c for c in controls if isinstance(c, QSpinBox) or c.text()]
    assert len(own) >= len(ACTIONS) + 3
    assert all(control.toolTip() for control in own)


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


def test_tools_wait_for_a_box(panel):
    panel.enable(image=True, objects=False)
    assert [name for name in TOOLS if panel.buttons[name].isEnabled()] == ["box"]
    panel.enable(image=True, objects=True)
    assert all(panel.buttons[name].isEnabled() for name in TOOLS)


def test_a_control_that_is_off_says_why(panel):
    panel.enable(image=True, objects=False)
    assert "draw a box" in panel.buttons["positive"].toolTip()
    panel.enable(image=False, objects=False)
    assert "no image" in panel.buttons["box"].toolTip()
    panel.enable(image=True, objects=True)
    assert panel.buttons["positive"].toolTip() == ACTIONS["positive"].tip


def test_sections_fold(panel):
    section = panel.sections["draw"]
    assert panel.buttons["box"].isVisible()
    assert section.text().startswith("▾")
    section.toggleButton().click()
    assert section.content().maximumHeight() == 0
    assert section.text() == "▸ Draw"


def test_tooltips_name_the_keys(panel):
    panel.enable(image=True, objects=False)
    panel.show_keys({"box": "N", "positive": "J"})
    assert panel.buttons["box"].toolTip().endswith("Key: N")
    assert "Key: J\nNot now: draw" in panel.buttons["positive"].toolTip()
    panel.show_keys({})
    assert "Key" not in panel.buttons["box"].toolTip()
