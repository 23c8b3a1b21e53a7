"""The list of objects in the panel."""

from collections.abc import Callable, Iterable

from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from .objects import BoxObject, State

_COLUMNS = {
    "Object": "Label id, in the colour of the mask.",
    "Slice": "Where the box and its prompts lie.",
    "IoU": "How well the mask fits, as the model itself predicts: 1 is perfect.",
    "State": "A failed object keeps its last mask; point at it for the reason.",
}


class ObjectTable(QTableWidget):
    """One row for each object; the chosen row is the object that new points and strokes belong to."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(0, len(_COLUMNS), parent)
        for column, (title, tip) in enumerate(_COLUMNS.items()):
            cell = QTableWidgetItem(title)
            cell.setToolTip(tip)
            self.setHorizontalHeaderItem(column, cell)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert rows is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        rows.hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(110)
        self.itemSelectionChanged.connect(self._choose)

    @property
    def object_id(self) -> int | None:
        """Id of the chosen object."""
        cells = self.selectedItems()
        return cells[0].data(Qt.ItemDataRole.UserRole) if cells else None

    def _choose(self) -> None:
        if self.object_id is not None:
            self.chosen.emit(self.object_id)

    def show_objects(
        self, objects: Iterable[BoxObject], current: int | None, colour_of: Callable[[int], NDArray | None]
    ) -> None:
        """Show objects, with the current one chosen."""
        objects = list(objects)
        blocker = QSignalBlocker(self)
        self.setRowCount(len(objects))
        for row, item in enumerate(objects):
            cells = [
                str(item.id),
                "–" if item.plane.position is None else str(item.plane.position),
                "–" if item.iou is None else f"{item.iou:.2f}",
                _state(item),
            ]
            for column, text in enumerate(cells):
                cell = QTableWidgetItem(text)
                cell.setData(Qt.ItemDataRole.UserRole, item.id)
                cell.setToolTip(item.message)
                if column == 0:
                    cell.setIcon(_swatch(colour_of(item.id)))
                self.setItem(row, column, cell)
            if item.id == current:
                self.selectRow(row)
        if current is None:
            self.clearSelection()
        blocker.unblock()


def _state(item: BoxObject) -> str:
    if item.state is State.DONE and len(item.masks) > 1:
        return f"{item.state}, {len(item.masks)} slices"
    return str(item.state)


def _swatch(colour: NDArray | None) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor.fromRgbF(*(float(part) for part in colour[:3])) if colour is not None else QColor("gray"))
    return QIcon(pixmap)
