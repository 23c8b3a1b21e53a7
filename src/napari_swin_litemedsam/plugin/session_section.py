"""Saving and opening a session in the panel, and the offer to go on with one from before."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QPushButton, QWidget

from .controls import button, column, row, text_of_lines


class SessionSection(QWidget):
    """Two buttons, and below them, while there is something to restore, a question.

    Parameters
    ----------
    save, load : QPushButton
        For files that the user chooses.
    """

    answered = Signal(bool)  # whether to restore what was offered, or to throw it away

    def __init__(self, save: QPushButton, load: QPushButton, parent: QWidget | None = None):
        super().__init__(parent)
        self.text = text_of_lines()
        # a scroll area asks for the height of one line, and cuts the others
        self.text.setMinimumHeight(3 * self.text.fontMetrics().lineSpacing() + 4)
        self.restore = button("Restore", "Bring back the boxes, prompts and masks; Undo takes them away again.")
        self.discard = button("Discard", "Remove what was saved; it cannot be restored any more.")
        self.restore.clicked.connect(lambda: self.answered.emit(True))
        self.discard.clicked.connect(lambda: self.answered.emit(False))
        self.offer = QFrame()
        self.offer.setFrameShape(QFrame.Shape.StyledPanel)
        self.offer.setLayout(column(self.text, row(self.restore, self.discard)))
        whole = column(self.offer, row(save, load))
        whole.setContentsMargins(0, 0, 0, 0)
        self.setLayout(whole)
        self.show_offer("")

    def show_offer(self, text: str) -> None:
        """Offer to restore what a text describes, or nothing."""
        self.text.setText(text)
        self.offer.setVisible(bool(text))
