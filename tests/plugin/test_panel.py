import pytest
from qtpy.QtWidgets import QAbstractButton, QComboBox, QSpinBox

from napari_swin_litemedsam.plugin.panel import TOOLS, Panel


@pytest.fixture
def panel(qtbot):
    panel = Panel(QComboBox())
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_every_control_explains_itself(panel):
    controls = [*panel.findChildren(QAbstractButton), panel.first, panel.last]
    own = [c for c in controls if isinstance(c, QSpinBox) or c.text()]
    assert len(own) >= len(TOOLS) + 7
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
    assert not panel.cancel.isEnabled()
    panel.show_running(True, 30)
    assert panel.cancel.isEnabled()
    assert not panel.propagate.isEnabled()
    assert panel.progress.isVisible()
    assert panel.progress.maximum() == 30
    panel.show_running(False)
    assert panel.propagate.isEnabled()
    assert not panel.progress.isVisible()


def test_tools_wait_for_a_box(panel):
    panel.enable(image=True, objects=False)
    assert [name for name, button in panel.tools.items() if button.isEnabled()] == ["box"]
    panel.enable(image=True, objects=True)
    assert all(button.isEnabled() for button in panel.tools.values())


def test_a_control_that_is_off_says_why(panel):
    panel.enable(image=True, objects=False)
    assert "draw a box" in panel.tools["positive"].toolTip()
    panel.enable(image=False, objects=False)
    assert "no image" in panel.tools["box"].toolTip()
    panel.enable(image=True, objects=True)
    assert panel.tools["positive"].toolTip() == TOOLS["positive"][1]


def test_sections_fold(panel):
    section = panel.sections["draw"]
    assert panel.tools["box"].isVisible()
    assert section.text().startswith("▾")
    section.toggleButton().click()
    assert section.content().maximumHeight() == 0
    assert section.text() == "▸ Draw"
