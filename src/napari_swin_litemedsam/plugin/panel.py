"""The panel's controls and where they stand; what they do is decided in `widget`."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .controls import Section, allow, button, column, explain, row
from .table import ObjectTable
from .window_section import WindowSection

TOOLS = {
    "box": ("New box", "Draw a rectangle around an object: click, drag, release. Every box becomes an object."),
    "positive": ("+ Point", "Click on what belongs to the chosen object. Points can be dragged and deleted."),
    "negative": ("− Point", "Click on what does not belong to the chosen object."),
    "paint": ("Scribble", "Paint on the chosen object, on the slice of its box."),
    "erase": ("Erase", "Take strokes off the scribble."),
}
_NO_IMAGE = "there is no image to work on."
_NO_OBJECT = "draw a box or choose an object first."


class Panel(QWidget):
    """All controls in one column that scrolls, with the status below it.

    Parameters
    ----------
    chooser : QWidget
        For the image.
    """

    def __init__(self, chooser: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self.tools = {name: button(*texts) for name, texts in TOOLS.items()}
        self.window_section = WindowSection()
        self.table = ObjectTable()
        self.regenerate = button("Regenerate prompts", "Draw other points and another scribble in the chosen box.")
        self.delete = button("Delete", "Remove the chosen objects: their boxes, prompts and masks.")
        self.first = _spin_box("First slice to be segmented.")
        self.last = _spin_box("Last slice to be segmented.")
        self.follow = QCheckBox("Show each slice")
        explain(self.follow, "Let the viewer go along with the slices as they are segmented.")
        self.follow.setChecked(True)
        self.propagate = button("Propagate", "Carry all boxes through the volume, slice by slice, from where they are.")
        self.cancel = button("Cancel", "Stop after this slice; the slices that are done stay.")
        self.progress = QProgressBar()
        self.status = QLabel()
        self.status.setWordWrap(True)
        slices = row(QLabel("Slices"), self.first, QLabel("to"), self.last)
        run = row(self.propagate, self.cancel)
        self.sections = {
            "image": Section("Image", column(chooser)),
            "window": Section("Window", self.window_section),
            "draw": Section("Draw", self._tools()),
            "objects": Section("Objects", column(self.table, row(self.regenerate, self.delete))),
            "volume": Section("Through the volume", column(slices, self.follow, run, self.progress)),
        }
        self._arrange()
        self.show_range(1)
        self.show_running(False)

    def _tools(self) -> QGridLayout:
        tools = QGridLayout()
        tools.setSpacing(4)
        tools.addWidget(self.tools["box"], 0, 0, 1, 2)
        for place, name in enumerate(("positive", "negative", "paint", "erase")):
            tools.addWidget(self.tools[name], 1 + place // 2, place % 2)
        return tools

    def _arrange(self) -> None:
        inside = QWidget()
        layout = column(*self.sections.values())
        layout.setContentsMargins(6, 4, 6, 0)
        layout.addStretch(1)
        inside.setLayout(layout)
        for section in self.sections.values():
            section.expand(animate=False)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # without a sideways bar the panel may not become narrower than what is in it
        scroll.setMinimumWidth(inside.minimumSizeHint().width() + 12)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 4)
        whole.addWidget(scroll, 1)
        self.status.setContentsMargins(8, 0, 8, 0)
        whole.addWidget(self.status)

    def show_range(self, depth: int) -> None:
        """Offer the slices of a volume, all of them at first; with one slice there is nothing to offer."""
        self.sections["volume"].setVisible(depth > 1)
        for box, value in ((self.first, 0), (self.last, depth - 1)):
            box.setRange(0, depth - 1)
            box.setValue(value)

    def show_running(self, running: bool, total: int = 0) -> None:
        """Show that a propagation of `total` steps runs, or that none does."""
        allow(self.cancel, "" if running else "no propagation runs.")
        allow(self.propagate, "the last propagation still runs." if running else "")
        self.progress.setVisible(running)
        self.progress.setRange(0, total)
        self.progress.setValue(0)

    def enable(self, image: bool, objects: bool) -> None:
        """Enable what makes sense with an image, and with an object chosen."""
        for control in (*self.tools.values(), self.regenerate, self.delete):
            if not image:
                allow(control, _NO_IMAGE)
            else:
                allow(control, "" if objects or control is self.tools["box"] else _NO_OBJECT)


def _spin_box(tip: str) -> QSpinBox:
    box = QSpinBox()
    explain(box, tip)
    return box
