"""The popover that tells how the plugin is used and which keys it has."""

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QLayout, QVBoxLayout, QWidget

from .actions import ACTIONS

_STEPS = (
    "<b>New box</b>, then drag a rectangle around an object.",
    "Drag its points, add others, or paint the scribble: the mask follows.",
    "In a volume, <b>Propagate</b> carries all boxes from slice to slice.",
)


def help_text(keys: dict[str, str]) -> str:
    """HTML with the steps and a table of the keys of actions."""
    steps = "".join(f"<li>{step}</li>" for step in _STEPS)
    rows = "".join(
        f"<tr><td><b>{escape(key)}</b>&nbsp;&nbsp;</td><td>{escape(ACTIONS[name].text)}</td></tr>"
        for name, key in keys.items()
    )
    change = "Keys work on the canvas and in this panel. File › Preferences › Swin-LiteMedSAM changes them."
    return f"<ol style='margin-left: -20px'>{steps}</ol><table>{rows}</table><p>{change}</p>"


class HelpPopover(QFrame):
    """Shows the help below a button until the user clicks elsewhere."""

    def __init__(self, keys: dict[str, str], parent: QWidget):
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.label = QLabel(help_text(keys))
        self.label.setWordWrap(True)
        self.label.setFixedWidth(280)
        layout = QVBoxLayout(self)
        layout.addWidget(self.label)
        # Qt would make a window no higher than two thirds of the screen, and cut the last lines on a small one
        layout.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)

    def show_below(self, widget: QWidget) -> None:
        """Open with the right edges in line, or as near as there is room on the screen."""
        self.adjustSize()
        corner = widget.mapToGlobal(widget.rect().bottomRight())
        screen = widget.screen()
        assert screen is not None
        room = screen.availableGeometry()
        left, top = corner.x() - self.width(), min(corner.y(), room.bottom() - self.height())
        self.move(max(left, room.left()), max(top, room.top()))
        self.show()
