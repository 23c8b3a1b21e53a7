"""How boxes are carried through a volume, as the user chooses it in the panel."""

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from ..propagation import Options
from .carrying import Reach
from .controls import Section, column, explain, row

_REACHES = {
    Reach.SLICES: "Every box goes through the slices chosen below, and gets smaller towards the first and the last.",
    Reach.BOXES: "Every object goes from its lowest box to its highest.",
    Reach.OPEN: "Every object goes on until it shrinks, grows or jumps too much, looks different, the model is "
    "unsure of it, or the body ends; the table says which, its tooltip on which slice.",
}


class CarryOptions(QWidget):
    """How far, on which slices, and what is done to the masks."""

    reach_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.reaches = QComboBox()
        for reach in Reach:
            self.reaches.addItem(reach.capitalize(), reach)
        self.every = QSpinBox()
        self.every.setRange(1, 20)
        explain(
            self.every,
            "1: the model runs on every slice. 2: on every second one, and so on, several times as fast; masks in "
            "between are interpolated from the nearest two.",
        )
        self.one_part = QCheckBox("Keep the connected object only")
        explain(self.one_part, "Drop parts of a mask that do not touch the object on the slice before.")
        self.filled = QCheckBox("Fill holes")
        explain(self.filled, "Fill what the mask of a slice encloses.")
        self.alike = QCheckBox("Leave out what looks different")
        explain(
            self.alike,
            "Drop pixels of a mask whose intensity is rarer in the object than around it, on the nearest slice with a "
            "box. Untick it where an object changes its brightness from slice to slice.",
        )
        self.zoom = QCheckBox("Look at small objects more closely")
        explain(
            self.zoom,
            "On each slice, objects smaller than a fifth of it are looked at again in the part around them. Takes the "
            "longer, the more of them are far from each other.",
        )
        self.consistent = QCheckBox("Come back from the ends, too")
        explain(
            self.consistent,
            "Each object is also carried back from where it has ended, and where both ways differ the surer one "
            "counts. Takes a little longer. On our volumes it loses more than it gains.",
        )
        self.by_spacing = QCheckBox("Margin as wide as slices are apart")
        explain(
            self.by_spacing,
            f"The next slice's box is larger than the mask by the distance between slices, as the image's scale tells "
            f"it, instead of by {Options.margin:g} pixels of the 256 that the model sees.",
        )
        self.more = Section(
            "Options",
            column(
                row(QLabel("Model on every"), self.every, QLabel("slices")),
                self.one_part,
                self.filled,
                self.alike,
                self.zoom,
                self.consistent,
                self.by_spacing,
            ),
        )
        self.every.setValue(Options.every)
        self.one_part.setChecked(Options.one_part)
        self.filled.setChecked(Options.filled)
        self.alike.setChecked(Options.alike)
        self.zoom.setChecked(Options.zoom)
        self.consistent.setChecked(Options.consistent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.reaches)
        layout.addWidget(self.more)
        self.reaches.currentIndexChanged.connect(self._chosen)
        self._chosen()

    def _chosen(self) -> None:
        explain(self.reaches, _REACHES[self.reach])
        self.reach_chosen.emit(self.reach)

    @property
    def reach(self) -> Reach:
        """How far boxes are carried."""
        return Reach(self.reaches.currentData())

    @reach.setter
    def reach(self, reach: Reach) -> None:
        self.reaches.setCurrentIndex(list(Reach).index(reach))

    def options(self, spacing: Sequence[float] | None = None) -> Options:
        """For the propagation through an image with this distance of slices, rows and columns."""
        return Options(
            every=self.every.value(),
            one_part=self.one_part.isChecked(),
            filled=self.filled.isChecked(),
            alike=self.alike.isChecked(),
            zoom=self.zoom.isChecked(),
            consistent=self.consistent.isChecked(),
            spacing=spacing if self.by_spacing.isChecked() else None,
        )
