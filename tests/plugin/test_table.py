import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_swin_litemedsam.plugin.objects import BoxObject, Patch, State
from napari_swin_litemedsam.plugin.palette import colour_of
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
        BoxObject(
            1,
            axial(4),
            (0, 0, 1, 1),
            ious={axial(4): 0.876, axial(5): 0.5},
            state=State.DONE,
            masks={axial(4): patch, axial(5): patch},
        ),
        BoxObject(3, FLAT, (0, 0, 1, 1), name="liver", state=State.FAILED, message="outside"),
    ]


def texts(table):
    return [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount())]


def test_shows_a_row_for_each_object(table, objects):
    table.show_objects(objects, 3)
    assert texts(table) == [["1", "", "4–5", "0.88", "propagated"], ["3", "liver", "–", "–", "failed"]]
    assert table.item(1, 4).toolTip() == "outside"
    assert table.object_id == 3
    swatch = table.item(0, 0).icon().pixmap(12, 12).toImage().pixelColor(5, 5)
    assert swatch.getRgb() == tuple(np.rint(colour_of(1) * 255).astype(int))


def test_showing_is_no_choice(table, objects):
    chosen = []
    table.chosen.connect(chosen.append)
    table.show_objects(objects, 3)
    assert chosen == []
    table.selectRow(0)
    assert chosen == [1]


@pytest.mark.parametrize("chosen", [[0, 1], [1]])
def test_deletes_what_is_chosen(table, objects, chosen, qtbot):
    table.show_objects(objects, 3)
    if 0 in chosen:
        table.selectAll()
    with qtbot.waitSignal(table.unwanted) as signal:
        qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert signal.args == [[objects[row].id for row in chosen]]


def test_several_rows_stay_chosen(table, objects):
    table.show_objects(objects, 3)
    table.selectAll()
    table.show_objects(objects, 3)
    assert table.chosen_ids == [1, 3]
    table.show_objects(objects[:1], 1)
    assert table.chosen_ids == [1]


def test_names_and_hides(table, objects):
    table.show_objects(objects, 3, hidden={1})
    named, shown = [], []
    table.renamed.connect(lambda *said: named.append(said))
    table.shown.connect(lambda *said: shown.append(said))
    assert table.item(0, 0).checkState() == Qt.CheckState.Unchecked
    table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    table.item(0, 1).setText(" spleen ")
    assert (named, shown) == ([(1, "spleen")], [(1, True)])


@pytest.mark.parametrize(
    ("changes", "text"),
    [({}, "previewed"), ({"points_edited": True}, "edited"), ({"state": State.RUNNING}, "running")],
)
def test_says_how_far_an_object_is(table, changes, text):
    item = BoxObject(1, FLAT, (0, 0, 1, 1), **({"state": State.DONE} | changes))
    table.show_objects([item], 1)
    assert table.item(0, 4).text() == text


def test_slices_without_a_mask_do_not_count(table, objects):
    objects[0].masks[axial(6)] = Patch.cut(np.zeros((2, 2), bool))
    table.show_objects(objects, 1)
    assert table.item(0, 2).text() == "4–5"


def test_tells_in_words_where_and_why_an_object_ends(table, objects):
    objects[0].ends = {axial(3): "area collapsed", axial(5): "end of range"}
    table.show_objects(objects, 1)
    assert table.item(0, 4).text() == "area collapsed"
    assert table.item(0, 4).toolTip() == "Slice 3: the mask got much smaller.\nSlice 5: the range ends."


def test_a_long_name_is_told_by_the_mouse(table, objects):
    objects[0].name = "left kidney with the tumour"
    objects[0].ends = {axial(5): "end of range"}
    table.show_objects(objects, 1)
    assert table.item(0, 1).toolTip() == objects[0].name


def test_can_be_emptied(table, objects):
    table.show_objects(objects, 1)
    table.show_objects([], None)
    assert table.rowCount() == 0
    assert table.object_id is None
