"""The choice of weights, and of what runs them, in the panel."""

import platform
import shutil
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QMenu, QToolButton, QWidget

from ..backends import NAMES
from ..backends.model import LITE_MEDSAM, has_lite_medsam
from .controls import column, explain, keep_narrow, row, text_of_lines
from .loading import ModelChoice

_NEEDS = {"openvino": "openvino", "openvino-int8": "openvino"}  # modules that backends need and that may be missing


class ModelSection(QWidget):
    """Offers the bundled weights, files, and finished trainings; shows what the chosen ones take."""

    chosen = Signal(object)  # ModelChoice
    searched = Signal(object)  # Path of a folder that may have trainings in it

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.models = QComboBox()
        keep_narrow(self.models)
        self.models.addItem("Bundled", "")
        if has_lite_medsam():
            self.offer([Path(LITE_MEDSAM)])
        self._always = self.models.count()  # how many of them need no file of the user's
        explain(self.models, "The weights of the network. LiteMedSAM, where it is installed, takes boxes alone.")
        self.more = QToolButton()
        self.more.setText("…")
        # the arrow would lie over the dots
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.more.setFixedWidth(28)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        explain(self.more, "Add weights from a file, or all finished trainings in a folder.")
        menu = QMenu(self.more)
        menu.addAction("Open a checkpoint, ours or as published …", self._open_file)
        menu.addAction("Find trainings in a folder …", self._open_folder)
        self.more.setMenu(menu)
        self.backends = _choices(NAMES, "What runs the network; auto takes the fastest that is right on this machine.")
        self._disable_missing()
        self.devices = _choices(devices(), "Where torch runs the network.")
        self.mirror = QCheckBox("Look at the mirror image, too")
        explain(self.mirror, "Sometimes better masks, for twice the time.")
        self.zoom = QCheckBox("Look at small objects more closely")
        explain(
            self.zoom,
            "Objects smaller than a fifth of the image are looked at again in the part around them: better masks, and "
            "the first one takes twice the time. For volumes it is among the options below.",
        )
        self.zoom.setChecked(ModelChoice.zoom)
        for switch in (self.mirror, self.zoom):
            switch.clicked.connect(lambda _: self.chosen.emit(self.choice))
        self.facts = text_of_lines()
        # a scroll area asks for the height of one line, and cuts the others
        self.facts.setMinimumHeight(3 * self.facts.fontMetrics().lineSpacing() + 4)
        explain(self.facts, "What runs, and the least time that encoding an image and decoding one object have taken.")
        for box in (self.models, self.backends, self.devices):
            box.activated.connect(lambda _: self.chosen.emit(self.choice))
        models = row(self.models, self.more)
        models.setStretch(1, 0)
        runs_on = row(QLabel("Runs on"), self.backends, self.devices)
        self.setLayout(column(models, runs_on, self.zoom, self.mirror, self.facts))
        self.show_facts("")

    @property
    def choice(self) -> ModelChoice:
        """What the controls say."""
        path = self.models.currentData()
        return ModelChoice(
            Path(path) if path else None,
            self.backends.currentText(),
            self.devices.currentText(),
            self.mirror.isChecked(),
            self.zoom.isChecked(),
        )

    def show_choice(self, choice: ModelChoice) -> None:
        """Let the controls say something else."""
        self.offer([choice.checkpoint] if choice.checkpoint else [])
        blockers = [QSignalBlocker(box) for box in (self.models, self.backends, self.devices)]
        path = str(choice.checkpoint or "")
        row = self.models.findData(path)
        self.models.setCurrentIndex(row)
        # in place of why it did not load before
        self.models.setItemData(row, path, Qt.ItemDataRole.ToolTipRole)
        self.backends.setCurrentText(choice.backend)
        self.devices.setCurrentText(choice.device)
        self.mirror.setChecked(choice.mirror)
        self.zoom.setChecked(choice.zoom)
        for blocker in blockers:
            blocker.unblock()

    def withdraw(self, checkpoint: Path | None, why: str) -> None:
        """Take a file that did not load out of the list; what needs none stays, and its tooltip says why."""
        row = self.models.findData(str(checkpoint or ""))
        if row >= self._always:
            self.models.removeItem(row)
        else:
            self.models.setItemData(row, f"It did not load: {why}", Qt.ItemDataRole.ToolTipRole)

    def show_facts(self, facts: str) -> None:
        """Show what runs and what it takes."""
        self.facts.setText(facts or "Loaded when it is first needed.")

    def offer(self, checkpoints: Iterable[Path]) -> None:
        """Add checkpoints that are not there yet."""
        for path in checkpoints:
            if self.models.findData(str(path)) < 0:
                self.models.addItem(ModelChoice(path).name, str(path))
                self.models.setItemData(self.models.count() - 1, str(path), Qt.ItemDataRole.ToolTipRole)

    def open_file(self, path: Path) -> None:
        """Choose a checkpoint of the user's."""
        self.offer([path])
        self.models.setCurrentIndex(self.models.findData(str(path)))
        self.chosen.emit(self.choice)

    def show_found(self, checkpoints: list[Path]) -> None:
        """Offer what was found in a folder."""
        self.offer(checkpoints)
        if checkpoints:
            self.models.showPopup()

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", "", "Checkpoints (*.safetensors *.pth)")
        if name:
            self.open_file(Path(name))

    def _open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Find trainings")
        if name:
            self.searched.emit(Path(name))

    def _disable_missing(self) -> None:
        model = self.backends.model()
        assert isinstance(model, QStandardItemModel)
        for name, module in _NEEDS.items():
            item = model.item(self.backends.findText(name)) if name in NAMES else None
            if item is not None and find_spec(module) is None:
                item.setEnabled(False)
                item.setToolTip(f"{module} is not installed.")


def _choices(names: Iterable[str], tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems(list(names))
    explain(box, tip)
    return box


def devices() -> list[str]:
    """Devices that this machine seems to have; asking torch would mean to import it."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return ["cpu", *["cuda"] * (shutil.which("nvidia-smi") is not None), *["mps"] * apple]
