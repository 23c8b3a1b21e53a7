"""The panel's controls and where they stand; what they do is decided in `widget`."""

from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .table import ObjectTable

TOOLS = {
    "box": ("New box", "Draw a rectangle around an object: click, drag, release. Every box becomes an object."),
    "positive": ("+ Point", "Click on what belongs to the chosen object. Points can be dragged and deleted."),
    "negative": ("− Point", "Click on what does not belong to the chosen object."),
    "paint": ("Scribble", "Paint on the chosen object, on the slice of its box."),
    "erase": ("Erase", "Take strokes off the scribble."),
}


class Panel(QWidget):
    """Buttons, table, range and progress, in one column.

    Parameters
    ----------
    chooser : QWidget
        For the image.
    """

    def __init__(self, chooser: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self.tools = {name: _button(*texts) for name, texts in TOOLS.items()}
        self.table = ObjectTable()
        self.regenerate = _button("Regenerate prompts", "Draw other points and another scribble in the chosen box.")
        self.delete = _button("Delete", "Remove the chosen object: its box, prompts and mask.")
        self.volume = QGroupBox("Through the volume")
        self.first = _spin_box("First slice to be segmented.")
        self.last = _spin_box("Last slice to be segmented.")
        self.follow = QCheckBox("Show each slice")
        self.follow.setToolTip("Let the viewer go along with the slices as they are segmented.")
        self.follow.setChecked(True)
        self.propagate = _button(
            "Propagate", "Carry all boxes through the volume, slice by slice, from where they are."
        )
        self.cancel = _button("Cancel", "Stop after this slice; the slices that are done stay.")
        self.progress = QProgressBar()
        self.status = QLabel()
        self.status.setWordWrap(True)
        self._arrange(chooser)
        self.show_range(1)
        self.show_running(False)

    def _arrange(self, chooser: QWidget) -> None:
        layout = QVBoxLayout(self)
        layout.addLayout(_row(QLabel("Image"), chooser))
        tools = QGridLayout()
        tools.addWidget(self.tools["box"], 0, 0, 1, 2)
        for place, name in enumerate(("positive", "negative", "paint", "erase")):
            tools.addWidget(self.tools[name], 1 + place // 2, place % 2)
        layout.addLayout(tools)
        layout.addWidget(self.table, 1)
        layout.addLayout(_row(self.regenerate, self.delete))
        inside = QVBoxLayout(self.volume)
        inside.addLayout(_row(QLabel("Slices"), self.first, QLabel("to"), self.last))
        inside.addWidget(self.follow)
        inside.addLayout(_row(self.propagate, self.cancel))
        inside.addWidget(self.progress)
        layout.addWidget(self.volume)
        layout.addWidget(self.status)

    def show_range(self, depth: int) -> None:
        """Offer the slices of a volume, all of them at first; with one slice there is nothing to offer."""
        self.volume.setVisible(depth > 1)
        for box, value in ((self.first, 0), (self.last, depth - 1)):
            box.setRange(0, depth - 1)
            box.setValue(value)

    def show_running(self, running: bool, total: int = 0) -> None:
        """Show that a propagation of `total` steps runs, or that none does."""
        self.cancel.setEnabled(running)
        self.propagate.setEnabled(not running)
        self.progress.setVisible(running)
        self.progress.setRange(0, total)
        self.progress.setValue(0)

    def enable(self, image: bool, objects: bool) -> None:
        """Enable what makes sense with an image, and with an object chosen."""
        for name, button in self.tools.items():
            button.setEnabled(image if name == "box" else objects)
        for button in (self.regenerate, self.delete):
            button.setEnabled(objects)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _spin_box(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setToolTip(tip)
    return box


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        # labels keep their size, the rest shares what is left
        row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return row
