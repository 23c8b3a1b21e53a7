"""How good the masks are, in the panel: where the model doubts them, and beside a reference."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from .controls import column, row

if TYPE_CHECKING:
    from ..evaluation import Match

NSD_TOLERANCE = 2.0  # in the units of the image, as in the challenge


class ReviewSection(QWidget):
    """The way to the worst slice, and the comparison with a layer of labels.

    Parameters
    ----------
    references : QWidget
        For the choice of that layer.
    buttons : sequence of QPushButton
        What goes to the worst slice, begins the comparison, and makes an object of a reference's label.
    """

    def __init__(self, references: QWidget, buttons: Sequence[QPushButton], parent: QWidget | None = None):
        super().__init__(parent)
        self.scores = QLabel()
        self.scores.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.scores.setVisible(False)
        worst, *others = buttons
        self.setLayout(column(worst, row(QLabel("Reference"), references), row(*others), self.scores))

    def show_matches(self, matches: "Sequence[Match]", unit: str) -> None:
        """Show how objects compare with a reference; distances are in `unit`."""
        head = _line("th", ["Object", "Label", "DSC", "NSD", f"HD95 {unit}".strip()])
        lines = [
            _line("td", [str(m.object), str(m.reference), f"{m.dsc:.3f}", f"{m.nsd:.3f}", f"{m.hd95:.1f}"])
            if m.reference
            else _line("td", [str(m.object), "none", "0", "0", "–"])
            for m in matches
        ]
        self.scores.setText(f"<table cellspacing='4'>{head}{''.join(lines)}</table>")
        self.scores.setVisible(True)

    def forget_matches(self) -> None:
        """Take the comparison away, as of another image."""
        self.scores.setVisible(False)


def _line(kind: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{kind} align='right'>{cell}</{kind}>" for cell in cells) + "</tr>"
