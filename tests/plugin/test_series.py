from pathlib import Path

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QWidget

from napari_swin_litemedsam.io.series import Series
from napari_swin_litemedsam.plugin.series import SeriesDialog, choose_series

FOUND = [Series(str(i), f"Series {i}, MR", (Path("a"),) * count) for i, count in enumerate((1, 9, 3))]


@pytest.fixture
def window(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


@pytest.fixture
def answer():
    """Do something with the dialog once it is open."""

    def later(act):
        def find():
            (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, SeriesDialog) and w.isVisible()]
            act(dialog)

        QTimer.singleShot(50, find)

    return later


def test_without_a_window_all_are_opened(qapp):
    assert choose_series(FOUND) == FOUND


def test_a_single_series_is_not_asked_about(window):
    assert choose_series(FOUND[:1]) == FOUND[:1]


def test_the_largest_is_chosen_to_begin_with(window, answer):
    answer(lambda dialog: dialog.buttons.button(QDialogButtonBox.StandardButton.Open).click())
    assert choose_series(FOUND) == [FOUND[1]]


def test_several_can_be_chosen(window, answer):
    def act(dialog):
        dialog.list.clearSelection()
        assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Open).isEnabled()
        for row in (0, 2):
            dialog.list.item(row).setSelected(True)
        dialog.buttons.button(QDialogButtonBox.StandardButton.Open).click()

    answer(act)
    assert choose_series(FOUND) == [FOUND[0], FOUND[2]]


def test_cancelling_opens_none(window, answer):
    answer(lambda dialog: dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).click())
    assert choose_series(FOUND) == []
