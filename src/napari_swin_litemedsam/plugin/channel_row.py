"""The choice of the axis that holds channels, and of the channel, in the panel."""

from collections.abc import Mapping

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from .controls import allow, explain, keep_narrow, row

_SETTLED = "there are boxes already, and they know which axis is which."


class ChannelRow(QWidget):
    """Offers the axes that may hold channels; hidden while there are none."""

    axis_chosen = Signal(object)  # int, or None for no channels
    channel_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.axes, self.channel = QComboBox(), QSpinBox()
        keep_narrow(self.axes)
        explain(self.axes, "The axis of the image that holds channels; boxes are not carried along it.")
        explain(self.channel, "The channel that is shown and segmented; its slider does the same.")
        self.axes.activated.connect(lambda _: self.axis_chosen.emit(self.axes.currentData()))
        self.channel.valueChanged.connect(self.channel_chosen)
        inside = row(QLabel("Channels"), self.axes, self.channel)
        inside.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(inside)
        self._offered: dict[int, tuple[str, int]] = {}
        self.show_axes({}, None, False)

    def show_axes(self, axes: Mapping[int, tuple[str, int]], chosen: int | None, settled: bool) -> None:
        """Offer axes, each with its name and its number of channels; when all is settled none can be chosen."""
        if axes != self._offered or not self.axes.count():
            self._offered = dict(axes)
            self.axes.clear()
            self.axes.addItem("none", None)
            for axis, (name, count) in axes.items():
                self.axes.addItem(f"{name or f'axis {axis}'} ({count})", axis)
        self.setVisible(bool(axes))
        self.axes.setCurrentIndex(0 if chosen is None else self.axes.findData(chosen))
        allow(self.axes, _SETTLED if settled else "")
        self.channel.setVisible(chosen in axes)
        if chosen is not None and chosen in axes:
            blocker = QSignalBlocker(self.channel)
            self.channel.setMaximum(axes[chosen][1] - 1)
            blocker.unblock()

    def show_channel(self, number: int) -> None:
        """Show which channel is in view."""
        blocker = QSignalBlocker(self.channel)
        self.channel.setValue(number)
        blocker.unblock()
