import numpy as np
import pytest

from napari_swin_litemedsam.plugin.objects import BoxObject, Patch, State
from napari_swin_litemedsam.plugin.table import ObjectTable

from .conftest import FLAT, axial


@pytest.fixture
def table(qtbot):
    table = ObjectTable()
    qtbot.addWidget(table)
    return table


@pytest.fixture
def objects():
    patch = Patch.cut(np.ones((2, 2), bool))
    return [
        BoxObject(1, axial(4), (0, 0, 1, 1), iou=0.876, state=State.DONE, masks={axial(4): patch, axial(5): patch}),
        BoxObject(3, FLAT, (0, 0, 1, 1), state=State.FAILED, message="outside"),
    ]


def texts(table):
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())]


def test_shows_a_row_for_each_object(table, objects):
    table.show_objects(objects, 3, lambda id: np.array([1, 0, 0, 1]))
    assert texts(table) == [["1", "4", "0.88", "done, 2 slices"], ["3", "–", "–", "failed"]]
    assert table.item(1, 3).toolTip() == "outside"
    assert table.object_id == 3
    assert table.item(0, 0).icon().pixmap(12, 12).toImage().pixelColor(5, 5).red() == 255


def test_showing_is_no_choice(table, objects):
    chosen = []
    table.chosen.connect(chosen.append)
    table.show_objects(objects, 3, lambda id: None)
    assert chosen == []
    table.selectRow(0)
    assert chosen == [1]


def test_can_be_emptied(table, objects):
    table.show_objects(objects, 1, lambda id: None)
    table.show_objects([], None, lambda id: None)
    assert table.rowCount() == 0
    assert table.object_id is None
