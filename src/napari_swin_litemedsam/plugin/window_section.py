"""The intensity window in the panel: what the image layer shows is what the model sees."""

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QWidget

from .controls import allow, column, explain, keep_narrow, row

if TYPE_CHECKING:
    import napari

_OWN = "As shown"


@dataclass(frozen=True)
class Preset:
    """Width and level of a window, in this order as radiologists name them; in Hounsfield units."""

    width: float
    level: float

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest intensity."""
        return self.level - self.width / 2, self.level + self.width / 2


@dataclass(frozen=True)
class Percentiles:
    """A window that leaves out the darkest and the brightest pixels of an image."""

    low: float
    high: float


PRESETS: dict[str, Preset | Percentiles] = {
    "CT abdomen": Preset(400, 40),
    "CT lung": Preset(1500, -600),
    "CT brain": Preset(80, 40),
    "CT mediastinum": Preset(350, 50),
    "CT bone": Preset(1800, 400),
    "MR": Percentiles(0.5, 99.5),
}


def _name(title: str, preset: Preset | Percentiles) -> str:
    if isinstance(preset, Preset):
        return f"{title} {preset.width:g}/{preset.level:g}"
    return f"{title} {preset.low:g}–{preset.high:g} %"


class WindowSection(QWidget):
    """Shows and sets the contrast limits of one image layer; of that layer it changes nothing else."""

    changed = Signal()  # the limits, by whomever
    percentiles_wanted = Signal(object)  # Percentiles, to be measured outside the GUI thread

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._image: napari.layers.Image | None = None
        self.presets = QComboBox()
        self.presets.addItem(_OWN)
        for title, preset in PRESETS.items():
            self.presets.addItem(_name(title, preset), preset)
        explain(self.presets, "Set the image layer's contrast limits, as width/level; the pixels stay as they are.")
        keep_narrow(self.presets)
        self.presets.activated.connect(self._preset_chosen)
        self.width_box = _number("Width of the window, above 0: the range of intensities that the image shows.")
        self.level_box = _number("Level of the window: the intensity in its middle.")
        for box in (self.width_box, self.level_box):
            box.valueChanged.connect(self._number_set)
        numbers = row(QLabel("Width"), self.width_box, QLabel("Level"), self.level_box)
        self.setLayout(column(self.presets, numbers))
        self.show_image(None)

    def show_image(self, image: "napari.layers.Image | None") -> None:
        """Let the section stand for an image layer, or for none."""
        if self._image is not None:
            self._image.events.contrast_limits.disconnect(self._limits_changed)
            if image is not self._image:
                # percentiles of the one are not those of the other
                self.show_no_preset()
        self._image = image
        reason = "there is no image" if image is None else ""
        if image is not None:
            image.events.contrast_limits.connect(self._limits_changed)
            if image.rgb:
                reason = "colour images are given to the model as they are"
        for control in (self.presets, self.width_box, self.level_box):
            allow(control, reason)
        self._show_limits()

    def show_no_preset(self) -> None:
        """Let the window be as the image shows it."""
        self.presets.setCurrentIndex(0)

    def set_limits(self, low: float, high: float) -> None:
        """Set the layer's contrast limits, if they can be told apart."""
        if self._image is not None and low < high:
            self._image.contrast_limits = (low, high)

    def _limits_changed(self, event: Any = None) -> None:
        self._show_limits()
        self.changed.emit()

    def _show_limits(self) -> None:
        if self._image is None or self._image.rgb:
            return
        low, high = (float(limit) for limit in self._image.contrast_limits)
        width, level = high - low, (low + high) / 2
        decimals = int(np.clip(2 - floor(log10(width)), 0, 6))
        for box, value in ((self.width_box, width), (self.level_box, level)):
            blocker = QSignalBlocker(box)
            box.setDecimals(decimals)
            box.setValue(value)
            blocker.unblock()
        chosen = self.presets.currentData()
        # percentiles stand for other limits in each image, so their name stays while the user looks at it
        if isinstance(chosen, Preset) and not np.allclose(chosen.limits, (low, high)):
            self.show_no_preset()

    def _number_set(self) -> None:
        width, level = self.width_box.value(), self.level_box.value()
        low, high = level - width / 2, level + width / 2
        if low < high:
            self.show_no_preset()
            self.set_limits(low, high)
        else:
            # numbers that the layer does not take must not stand there as if it had
            self._show_limits()

    def _preset_chosen(self) -> None:
        preset = self.presets.currentData()
        if isinstance(preset, Preset):
            self.set_limits(*preset.limits)
        elif isinstance(preset, Percentiles):
            self.percentiles_wanted.emit(preset)


def _number(tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    explain(box, tip)
    # 64-bit integers and floats reach far, and a number that was cut would become the layer's
    box.setRange(-1e30, 1e30)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setKeyboardTracking(False)
    # the size of the widest number would make the panel wide, and in a narrow one buttons leave room for three digits
    box.setMinimumWidth(60)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    return box
