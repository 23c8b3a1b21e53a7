"""How well each slice of an object fits, as a strip that can be clicked."""

from collections.abc import Mapping

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

_HEIGHT = 44
_MARKER = 6  # height of the triangle over the current slice
_POOR, _GOOD = 0.0, 120.0  # hues


class SliceStrip(QWidget):
    """A bar for each slice, as high as the predicted IoU; the slice in view has a marker."""

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.scores: dict[int, float] = {}
        self.count = 1
        self.ends: dict[int, str] = {}
        self.current: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, _HEIGHT)

    def show_scores(self, scores: Mapping[int, float], count: int, ends: Mapping[int, str] | None = None) -> None:
        """Show the predicted IoU by slice, of `count` slices; tell at which slices propagation ended, and why."""
        self.scores, self.count, self.ends = dict(scores), max(1, count), dict(ends or {})
        self.update()

    def show_current(self, position: int | None) -> None:
        """Mark a slice, or none."""
        self.current = position
        self.update()

    @property
    def worst(self) -> int | None:
        """The slice with the lowest score."""
        return min(self.scores, key=self.scores.__getitem__, default=None)

    def place_of(self, position: int) -> QRectF:
        """Where a slice is painted."""
        width = self.width() / self.count
        return QRectF(position * width, _MARKER, width, self.height() - _MARKER)

    def slice_at(self, x: float) -> int:
        """The slice at a place."""
        return min(max(int(x * self.count / max(1, self.width())), 0), self.count - 1)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the bars and the marker."""
        painter = QPainter(self)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        faint = QColor(ink)
        faint.setAlpha(30)
        painter.fillRect(QRectF(0, _MARKER, self.width(), self.height() - _MARKER), faint)
        for position, score in self.scores.items():
            place = self.place_of(position)
            score = min(max(score, 0.0), 1.0)
            place.setTop(place.bottom() - score * place.height())
            # narrow bars touch each other, wide ones do not
            place.setWidth(max(1.0, place.width() - (1 if place.width() > 3 else 0)))
            hue = _POOR + score**2 * (_GOOD - _POOR)
            painter.fillRect(place, QColor.fromHsvF(hue / 360, 0.7, 0.8))
        if self.current is not None:
            middle = self.place_of(self.current).center().x()
            painter.setPen(ink)
            painter.setBrush(ink)
            painter.drawLine(int(middle), _MARKER, int(middle), self.height())
            painter.drawRect(QRectF(middle - 2, 0, 4, _MARKER - 1))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go to the slice under the mouse."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(self.slice_at(event.position().x()))

    def event(self, event: QEvent | None) -> bool:
        """Tell the slice and its score under the mouse."""
        if isinstance(event, QHelpEvent):
            position = self.slice_at(event.pos().x())
            score = self.scores.get(position)
            said = "no mask from the model" if score is None else f"predicted IoU {score:.2f}"
            why = f"; {self.ends[position]}" if position in self.ends else ""
            QToolTip.showText(event.globalPos(), f"Slice {position}: {said}{why}", self)
            return True
        return super().event(event)
