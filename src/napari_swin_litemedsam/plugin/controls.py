"""Small pieces that the panel's sections are made of."""

from functools import lru_cache
from itertools import pairwise
from textwrap import fill

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

_TIP, _WHY_NOT = "tip", "why not"
# napari's themes hardly show which control has the focus
_FOCUS = "border: 1px solid palette(highlight);"
_FOCUSED = f"QPushButton:focus, QToolButton:focus, QCheckBox:focus, QComboBox:focus {{ {_FOCUS} }}"
_TITLE = (
    "QPushButton { text-align: left; border: 1px solid transparent; background: transparent; font-weight: bold; "
    f"padding: 3px 0; }} QPushButton:focus {{ {_FOCUS} }}"
)
_TIP_WIDTH = 64  # letters; Qt breaks no lines of a tooltip, and a small screen would cut them
_UNLIMITED = 16777215  # Qt's own limit for the side of a widget


class Section(QCollapsible):
    """A part of the panel that can be folded away.

    Parameters
    ----------
    title : str
        Shown also while it is folded.
    content : QWidget or QLayout
        What is in it.
    """

    def __init__(self, title: str, content: QWidget | QLayout, parent: QWidget | None = None):
        # the default arrows are pictures in one colour, which does not stand out in every theme
        super().__init__(title, parent, expandedIcon=QIcon(), collapsedIcon=QIcon())
        self._title = title
        self.setDuration(0)
        toggle = self.toggleButton()
        toggle.setStyleSheet(_TITLE)
        focus_by_tab(toggle)
        explain(toggle, "Fold this part of the panel away, or unfold it.")
        self.toggled.connect(self._show_expanded)
        if isinstance(content, QLayout):
            inside = QWidget()
            inside.setLayout(content)
            content = inside
        content_layout, layout = content.layout(), self.layout()
        assert content_layout is not None
        assert layout is not None
        content_layout.setContentsMargins(6, 0, 0, 4)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.addWidget(content)
        inner = self.content().layout()
        assert inner is not None
        inner.setContentsMargins(0, 0, 0, 0)
        self._show_expanded(False)

    def _show_expanded(self, expanded: bool) -> None:
        self.setText(f"{'▾' if expanded else '▸'} {self._title}")
        # the Tab key is not to lead to what nobody sees
        self.content().setVisible(expanded)
        if expanded:
            # what is inside may grow later
            self.content().setMaximumHeight(_UNLIMITED)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Leave the height to the layout, where the base class would fix it."""
        return False


class ScrollColumn(QScrollArea):
    """What scrolls up and down, and is never narrower than what is in it, also in another theme.

    The wheel scrolls it wherever the mouse is, and changes no choice or number that it happens to pass.
    """

    def __init__(self, content: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet(_FOCUSED)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def keep_wheel_from(self, content: QWidget) -> None:
        """Let the wheel over the controls in what is in it scroll the column."""
        for control in (*content.findChildren(QComboBox), *content.findChildren(QAbstractSpinBox)):
            control.installEventFilter(self)

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Keep the wheel from a control in the column, so that it comes to the column."""
        if a1 is not None and a1.type() == QEvent.Type.Wheel and isinstance(a0, QComboBox | QAbstractSpinBox):
            a1.ignore()
            return True
        return super().eventFilter(a0, a1)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for what is in it, the bar and the frame."""
        content, bar = self.widget(), self.verticalScrollBar()
        assert content is not None
        assert bar is not None
        # napari's themes give it a frame
        width = content.minimumSizeHint().width() + bar.sizeHint().width() + 2 * self.frameWidth()
        return QSize(width, super().minimumSizeHint().height())


def button(text: str, tip: str) -> QPushButton:
    """A push button that explains itself."""
    made = QPushButton(text)
    explain(made, tip)
    focus_by_tab(made)
    return made


def focus_by_tab(control: QWidget) -> None:
    """Let a control have the focus by the Tab key alone.

    After a click keys go on going to the canvas, where space would otherwise press a button again.
    """
    control.setFocusPolicy(Qt.FocusPolicy.TabFocus)


def text_of_lines() -> QLabel:
    """A text of several lines, which a long name in it does not make wide."""
    label = QLabel()
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    return label


def keep_narrow(box: QComboBox) -> None:
    """Let long names among the choices not make the panel wide."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(4)


def explain(control: QWidget, tip: str) -> None:
    """Set what a control's tooltip says, besides why it is off."""
    control.setProperty(_TIP, tip)
    allow(control, control.property(_WHY_NOT) or "")


def allow(control: QWidget, why_not: str = "") -> None:
    """Switch a control on, or off for a reason that its tooltip gives."""
    control.setProperty(_WHY_NOT, why_not)
    control.setEnabled(not why_not)
    tip = control.property(_TIP) or ""
    control.setToolTip(_broken(f"{tip}\nNot now: {why_not}" if why_not else tip))


@lru_cache(512)
def _broken(tip: str) -> str:
    """A tooltip in short lines; the same ones are set again and again."""
    return "\n".join(fill(line, _TIP_WIDTH) for line in tip.splitlines())


def row(*widgets: QWidget) -> QHBoxLayout:
    """Widgets side by side: labels keep their size, the rest shares what is left."""
    layout = QHBoxLayout()
    layout.setSpacing(4)
    for widget in widgets:
        layout.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    for widget, following in pairwise(widgets):
        if isinstance(widget, QLabel):
            # by this name a screen reader tells of it
            widget.setBuddy(following)
    return layout


def column(*parts: QWidget | QLayout) -> QVBoxLayout:
    """Widgets and rows below each other."""
    layout = QVBoxLayout()
    layout.setSpacing(4)
    for part in parts:
        if isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part)
    return layout
