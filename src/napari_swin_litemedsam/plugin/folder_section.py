"""Going through a folder in the panel."""

from collections.abc import Mapping

from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from .controls import allow, column, row

_NO_FOLDER = "no folder is open."


class FolderSection(QWidget):
    """Buttons to open a folder and to go on in it, and below them, while one is open, where we are.

    Parameters
    ----------
    buttons : mapping of str to QPushButton
        Of the actions ``open_folder``, ``previous_image`` and ``next_image``.
    """

    def __init__(self, buttons: Mapping[str, QPushButton], parent: QWidget | None = None):
        super().__init__(parent)
        self._moving = buttons["previous_image"], buttons["next_image"]
        self.text = QLabel()
        # a long name is cut rather than the panel made wider
        self.text.setMinimumWidth(1)
        whole = column(row(buttons["open_folder"], *self._moving), self.text)
        whole.setContentsMargins(0, 0, 0, 0)
        self.setLayout(whole)
        self.show_place("")

    def show_place(self, text: str) -> None:
        """Show where in a folder we are, in words; with none there is no folder."""
        self.text.setText(text)
        self.text.setToolTip(text)
        self.text.setVisible(bool(text))
        for control in self._moving:
            allow(control, "" if text else _NO_FOLDER)
