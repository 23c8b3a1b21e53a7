"""Asking which of several DICOM series to open."""

from collections.abc import Sequence

from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from ..io.series import Series


def choose_series(found: Sequence[Series]) -> list[Series]:
    """The series that the user chooses, none if the user cancels; all of them where there is no window to ask in."""
    if len(found) < 2 or not any(widget.isVisible() for widget in QApplication.topLevelWidgets()):
        return list(found)
    dialog = SeriesDialog(found, QApplication.activeWindow())
    return dialog.chosen if dialog.exec() == QDialog.DialogCode.Accepted else []


class SeriesDialog(QDialog):
    """A list of series, the largest of them chosen to begin with."""

    def __init__(self, found: Sequence[Series], parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("DICOM series")
        self._found = list(found)
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.addItems([series.title for series in found])
        largest = max(range(len(found)), key=lambda i: len(found[i].files))
        self.list.setCurrentRow(largest)
        self.list.itemDoubleClicked.connect(self.accept)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel, self
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.list.itemSelectionChanged.connect(self._enable)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("The folder holds several series. Open:"))
        layout.addWidget(self.list)
        layout.addWidget(self.buttons)
        self.resize(520, 320)

    def _enable(self) -> None:
        button = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        assert button is not None
        button.setEnabled(bool(self.list.selectedItems()))

    @property
    def chosen(self) -> list[Series]:
        """The series of the selected rows."""
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self._found[row] for row in rows]
