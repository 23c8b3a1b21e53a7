"""The panel's controls and where they stand; what they do is decided in `intents`."""

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .actions import ACTIONS, TOOLS, tip_of
from .carry_options import CarryOptions
from .carrying import Reach
from .channel_row import ChannelRow
from .controls import (
    ScrollColumn,
    Section,
    allow,
    button,
    column,
    explain,
    focus_by_tab,
    keep_narrow,
    row,
    text_of_lines,
)
from .folder_section import FolderSection
from .model_section import ModelSection
from .objects import BoxObject
from .review_section import ReviewSection
from .session_section import SessionSection
from .strip import SliceStrip
from .table import ObjectTable
from .window_section import WindowSection

_NO_IMAGE = "there is no image to work on."
_NO_REFERENCE = "there is no other layer of labels."
OVERLAP = ("keep", "overwrite", "ask")
_NOT_COMMITTED = "no chosen object is committed."
_NO_EDITS = "nothing was painted on the object's mask, or erased from it."
_NO_OBJECT = "draw a box or choose an object first."
_COMMITTED = "the object is committed; press Edit again first."
_NO_SCORES = "the object has no slices with a predicted IoU."


class Panel(QWidget):
    """All controls in one column that scrolls, with the status below it; empty until it is filled.

    Parameters
    ----------
    chooser, references : QComboBox
        For the image, and for the labels that objects are compared with.
    """

    def __init__(self, chooser: QComboBox, references: QComboBox, parent: QWidget | None = None):
        super().__init__(parent)
        for names in (chooser, references):
            keep_narrow(names)
        self.buttons = {name: button(action.text, action.tip) for name, action in ACTIONS.items()}
        self.help = button("?", "How to use this panel, and its keys.")
        self.channels = ChannelRow()
        self.window_section = WindowSection()
        self.model_section = ModelSection()
        self.session_section = SessionSection(self.buttons["save_session"], self.buttons["open_session"])
        self.folder_section = FolderSection(self.buttons)
        self.table = ObjectTable()
        self.strip = SliceStrip()
        self.live = _check_box("Live", "Run the model at once after each edit; otherwise when Run is pressed.")
        self.use_points = _check_box("Points", "Let the model see the points of all objects.")
        self.use_scribble = _check_box("Scribble", "Let the model see the scribbles of all objects.")
        self.overlap = QComboBox()
        self.overlap.addItems(OVERLAP)
        explain(self.overlap, "What happens to pixels of the result that other objects have already.")
        self.carry = CarryOptions()
        self.first = _spin_box("First slice to be segmented.")
        self.last = _spin_box("Last slice to be segmented.")
        self.follow = _check_box("Show each slice", "Let the viewer go along with the slices as they are segmented.")
        self.progress = QProgressBar()
        self.review_section = ReviewSection(
            references, [self.buttons[name] for name in ("worst", "compare", "correct")]
        )
        self.status = text_of_lines()
        slices = row(QLabel("Slices"), self.first, QLabel("to"), self.last)
        slices.setContentsMargins(0, 0, 0, 0)
        self._slices = QWidget()
        self._slices.setLayout(slices)
        self.carry.reach_chosen.connect(lambda reach: self._slices.setVisible(reach is Reach.SLICES))
        run = row(self.buttons["propagate"], self.buttons["cancel"])
        self.sections = {
            "image": Section("Image", self._image(chooser)),
            "window": Section("Window", self.window_section),
            "model": Section("Model", self.model_section),
            "draw": Section("Draw", self._tools()),
            "objects": Section("Objects", self._objects()),
            "volume": Section(
                "Through the volume",
                column(self.buttons["anchor"], self.carry, self._slices, self.follow, run, self.progress),
            ),
            "review": Section("Review", self.review_section),
        }
        self._arrange()
        self.show_running(False)
        self.show_range(1)
        self.show_history(None, None)

    def _image(self, chooser: QComboBox) -> QVBoxLayout:
        images = QHBoxLayout()
        images.addWidget(chooser, 1)
        self.help.setFixedWidth(28)
        images.addWidget(self.help)
        return column(images, self.channels, self.session_section, self.folder_section)

    def _tools(self) -> QGridLayout:
        tools = QGridLayout()
        tools.setSpacing(4)
        tools.addWidget(self.buttons["box"], 0, 0, 1, 2)
        for place, name in enumerate((*TOOLS[1:], "undo", "redo")):
            tools.addWidget(self.buttons[name], 1 + place // 2, place % 2)
        tools.addLayout(row(QLabel("The model sees"), self.use_points, self.use_scribble), 4, 0, 1, 2)
        tools.addWidget(self.live, 5, 0)
        tools.addWidget(self.buttons["run"], 5, 1)
        return tools

    def _objects(self) -> QVBoxLayout:
        buttons = self.buttons
        return column(
            self.table,
            self.strip,
            row(buttons["regenerate"], buttons["reset_prompts"]),
            buttons["forget_edits"],
            row(buttons["delete"], buttons["commit"], buttons["reopen"]),
            row(QLabel("On overlap"), self.overlap),
        )

    def _arrange(self) -> None:
        inside = QWidget()
        self._column = column()
        self._column.setContentsMargins(6, 4, 6, 0)
        self._column.addStretch(1)
        inside.setLayout(self._column)
        for section in self.sections.values():
            section.expand(animate=False)
        self._scroll = ScrollColumn(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 4)
        whole.addWidget(self._scroll, 1)
        self.status.setContentsMargins(8, 0, 8, 0)
        whole.addWidget(self.status)

    def fill_next(self) -> bool:
        """Put the next section into the column, slow work in a window with a style; return whether there was one."""
        section = next((each for each in self.sections.values() if each.parent() is None), None)
        if section is not None:
            self._column.insertWidget(self._column.count() - 1, section)
            self._scroll.keep_wheel_from(section)
            self._scroll.updateGeometry()  # it may have to be wider now, which Qt does not ask by itself
            self._show_or_hide_volume()
        return section is not None

    def show_range(self, depth: int) -> None:
        """Offer the slices of a volume, all of them at first; with one slice there is nothing to offer."""
        for box, value in ((self.first, 0), (self.last, depth - 1)):
            box.setRange(0, depth - 1)
            box.setValue(value)
        self._show_or_hide_volume()

    def show_running(self, running: bool, total: int = 0) -> None:
        """Show that a propagation of `total` steps runs, or that none does."""
        allow(self.buttons["cancel"], "" if running else "no propagation runs.")
        allow(self.buttons["propagate"], "the last propagation still runs." if running else "")
        self.progress.setVisible(running)
        self.progress.setRange(0, total)
        self.progress.setValue(0)
        self._show_or_hide_volume()

    def _show_or_hide_volume(self) -> None:
        self.strip.setVisible(self.last.maximum() > 0)
        volume = self.sections["volume"]
        # before it is in the column it would be shown as a window
        if volume.parent() is not None:
            # what runs on another image can be cancelled, too
            volume.setVisible(self.last.maximum() > 0 or not self.progress.isHidden())

    def show_resumable(self, resumable: bool) -> None:
        """Say whether a propagation that was stopped would go on."""
        self.buttons["propagate"].setText("Resume" if resumable else ACTIONS["propagate"].text)

    def enable(
        self, image: bool, item: BoxObject | None = None, reference: bool = False, committed: bool = False
    ) -> None:
        """Enable what makes sense.

        Parameters
        ----------
        image : bool
            Whether there is one.
        item : BoxObject, optional
            The current object.
        reference : bool
            Whether there are labels to compare with.
        committed : bool
            Whether one of the chosen objects is committed.
        """
        no_object = _NO_OBJECT if item is None else ""
        no_reference = "" if reference else _NO_REFERENCE
        closed = _COMMITTED if item is not None and item.committed else no_object
        why_not = {
            **dict.fromkeys(("box", "save_session", "open_session"), ""),
            **dict.fromkeys((*TOOLS[1:], "regenerate", "reset_prompts", "anchor"), closed),
            **dict.fromkeys(("delete", "commit"), no_object),
            "forget_edits": closed or ("" if item is not None and item.hand else _NO_EDITS),
            "reopen": "" if committed else _NOT_COMMITTED,
            "worst": no_object or ("" if item is not None and item.iou_by_position else _NO_SCORES),
            "compare": no_object or no_reference,
            "correct": no_reference,
        }
        if not image:
            # with one, whoever runs them says when they are off
            why_not |= {"run": "", "propagate": ""}
        for name, reason in why_not.items():
            allow(self.buttons[name], reason if image else _NO_IMAGE)

    def show_switches(self, live: bool, points: bool, scribble: bool) -> None:
        """Show whether edits run at once, and what the model sees."""
        for box, on in ((self.live, live), (self.use_points, points), (self.use_scribble, scribble)):
            blocker = QSignalBlocker(box)
            box.setChecked(on)
            blocker.unblock()
        allow(self.buttons["run"], "while Live is on, everything runs at once." if live else "")

    def show_history(self, undo: str | None, redo: str | None) -> None:
        """Offer undo and redo of steps with these names, or of none."""
        for name, step in (("undo", undo), ("redo", redo)):
            allow(self.buttons[name], "" if step else f"there is nothing to {name}.")

    def show_keys(self, keys: dict[str, str]) -> None:
        """Name the keys of actions in the tooltips of their buttons."""
        for name, control in self.buttons.items():
            explain(control, tip_of(name, keys.get(name, "")))


def _check_box(text: str, tip: str) -> QCheckBox:
    box = QCheckBox(text)
    explain(box, tip)
    box.setChecked(True)
    focus_by_tab(box)
    return box


def _spin_box(tip: str) -> QSpinBox:
    box = QSpinBox()
    explain(box, tip)
    return box
