"""The list of objects in the panel."""

from collections.abc import Iterable

from numpy.typing import NDArray
from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from .ends import unasked_ends, why_by_slice
from .objects import BoxObject
from .palette import colour_of

_COLUMNS = {
    "Object": "Label id, in the colour of the mask. Untick it to hide the object.",
    "Name": "Double-click to give the object a name.",
    "Slices": "The slices that have a mask.",
    "IoU": "How well the mask on the box's slice fits, as the model itself predicts: 1 is perfect.",
    "State": "How far the object is, or why propagation has ended it; point at it for the slices.",
}
_ID, _NAME = 0, 1
_FEWEST_ROWS, _MOST_ROWS = 3, 8
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class ObjectTable(QTableWidget):
    """One row for each object; the current row is the object that new points and strokes belong to."""

    chosen = Signal(int)
    renamed = Signal(int, str)
    shown = Signal(int, bool)
    unwanted = Signal(list)  # ids to be deleted

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
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(30)
        rows.hide()
        rows.setDefaultSectionSize(24)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        # leads on from the table, whose cells the arrows go through
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fit_height()
        self.itemSelectionChanged.connect(self._choose)
        self.itemChanged.connect(self._changed)

    @property
    def object_id(self) -> int | None:
        """Id of the object in the current row, if that row is chosen."""
        ids = self.chosen_ids
        cell = self.item(self.currentRow(), _ID)
        id = None if cell is None else cell.data(Qt.ItemDataRole.UserRole)
        return id if id in ids else (ids[0] if ids else None)

    @property
    def chosen_ids(self) -> list[int]:
        """Ids of the objects in all chosen rows."""
        rows = sorted({index.row() for index in self.selectedIndexes()})
        return [self._id(row) for row in rows]

    def _id(self, row: int) -> int:
        cell = self.item(row, _ID)
        assert cell is not None
        return cell.data(Qt.ItemDataRole.UserRole)

    def _choose(self) -> None:
        if self.object_id is not None:
            self.chosen.emit(self.object_id)

    def _changed(self, cell: QTableWidgetItem) -> None:
        if cell.column() == _NAME:
            self.renamed.emit(self._id(cell.row()), cell.text().strip())
        elif cell.column() == _ID:
            self.shown.emit(self._id(cell.row()), cell.checkState() == _CHECKED)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Delete the chosen objects by the key for it."""
        if event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.chosen_ids:
            self.unwanted.emit(self.chosen_ids)
        else:
            super().keyPressEvent(event)

    def show_objects(
        self,
        objects: Iterable[BoxObject],
        current: int | None,
        hidden: Iterable[int] = (),
    ) -> None:
        """Show objects; several chosen rows stay chosen as long as the current object is among them."""
        objects, hidden = list(objects), set(hidden)
        chosen = set(self.chosen_ids)
        blocker = QSignalBlocker(self)
        self.setRowCount(len(objects))
        for row, item in enumerate(objects):
            texts = (
                str(item.id),
                item.name,
                _slices(item),
                "–" if item.iou is None else f"{item.iou:.2f}",
                _stage(item),
            )
            for column, text in enumerate(texts):
                cell = self._cell(row, column)
                # a name that is being edited stays so
                if cell.text() != text:
                    cell.setText(text)
                # a long name is cut off where there is little room
                own = item.name if column == _NAME else ""
                cell.setToolTip(own or item.message or _ends(item) or text)
            cell = self._cell(row, _ID)
            if cell.data(Qt.ItemDataRole.UserRole) != item.id:
                # Qt takes its time over icons
                cell.setData(Qt.ItemDataRole.UserRole, item.id)
                cell.setIcon(_swatch(colour_of(item.id)))
            cell.setCheckState(_UNCHECKED if item.id in hidden else _CHECKED)
        wanted = chosen if current in chosen else set() if current is None else {current}
        self._select([item.id for item in objects], wanted, current)
        blocker.unblock()
        self._fit_height()

    def _fit_height(self) -> None:
        """Be as high as the rows, within limits."""
        header, rows = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert rows is not None
        shown = min(max(self.rowCount(), _FEWEST_ROWS), _MOST_ROWS)
        self.setFixedHeight(header.sizeHint().height() + shown * rows.defaultSectionSize() + 2 * self.frameWidth())

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        cell = self.item(row, column)
        if cell is None:
            cell = QTableWidgetItem()
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            if column == _NAME:
                flags |= Qt.ItemFlag.ItemIsEditable
            if column == _ID:
                flags |= Qt.ItemFlag.ItemIsUserCheckable
            cell.setFlags(flags)
            self.setItem(row, column, cell)
        return cell

    def _select(self, ids: list[int], wanted: set[int], current: int | None) -> None:
        if set(self.chosen_ids) == wanted & set(ids):
            return
        selection, choice = QItemSelectionModel.SelectionFlag, self.selectionModel()
        assert choice is not None
        choice.clearSelection()
        for row, id in enumerate(ids):
            index = self.indexFromItem(self._cell(row, _ID))
            if id == current:
                choice.setCurrentIndex(index, selection.NoUpdate)
            if id in wanted:
                choice.select(index, selection.Select | selection.Rows)


def _slices(item: BoxObject) -> str:
    # planes that cross those of the box have other positions
    planes = [plane for plane, mask in item.masks.items() if mask and plane.joins(item.plane)] or [item.plane]
    positions = [plane.position for plane in planes if plane.position is not None]
    if not positions:
        return "–"
    first, last = min(positions), max(positions)
    return str(first) if first == last else f"{first}–{last}"


def _ends(item: BoxObject) -> str:
    """Where and why propagation has stopped."""
    return "\n".join(f"Slice {position}: {why}." for position, why in why_by_slice(item).items())


def _stage(item: BoxObject) -> str:
    if item.stage != "propagated":
        return item.stage
    return ", ".join(sorted({reason for _, reason in unasked_ends(item)})) or item.stage


def _swatch(colour: NDArray) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor.fromRgbF(*(float(part) for part in colour[:3])))
    return QIcon(pixmap)
