"""Sessions that are saved and opened: by hand, behind the user's back, and after napari was killed."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ..backends.model import weights_file
from .autosave import Autosave, SessionFile, Writer, key_of, latest
from .grid import file_of
from .images import window_of
from .messages import Messages
from .objects import Window
from .runs import Work
from .session_section import SessionSection
from .storage import SUFFIX, Origin, Saved, SessionFileError, read, restore, snapshot, weights_of, write
from .worker import Runner

if TYPE_CHECKING:
    import napari

_FILTER = f"Sessions (*{SUFFIX})"
_UNFIT = re.compile(r"[^\w .-]+")  # for names of files


class Sessions(QObject):
    """Files of the works of one widget; they are read and written in threads.

    Parameters
    ----------
    section : SessionSection
        Asks whether to restore what was saved behind the user's back.
    messages : Messages
        For the user.
    chosen : callable
        Returns the work of the chosen image, or None.
    checkpoint : callable
        Returns the file of weights in use; None for the bundled ones.
    """

    opened = Signal()

    def __init__(
        self,
        section: SessionSection,
        messages: Messages,
        chosen: Callable[[], Work | None],
        checkpoint: Callable[[], Path | None],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._section, self._messages, self._chosen, self._checkpoint = section, messages, chosen, checkpoint
        self._writer, self._reader = Writer(self), Runner()
        self._autosaves: dict[Work, Autosave] = {}
        self._offers: dict[Work, SessionFile] = {}
        self._failing = False
        self._writer.done.connect(self._written)
        section.answered.connect(self._answered)

    @property
    def busy(self) -> bool:
        """Whether a session is being opened, or saved behind the user's back or about to be."""
        return self._reader.busy or any(autosave.busy for autosave in self._autosaves.values())

    def begin(self, work: Work) -> None:
        """Save a work from its next change on, and offer what was saved of its image before if it is empty."""
        key = key_of(work.layers.image)
        before = None if work.session.objects else latest(key)
        if before is not None:
            self._offers[work] = before
        self._autosaves[work] = Autosave(work.session, key, self._writer, lambda: self.take_down(work), self)

    def end(self, work: Work) -> None:
        """Save what is not saved of a work, and let go of it."""
        self.withdraw(work)
        self._autosaves.pop(work).stop()

    def save_pending(self) -> None:
        """Save what is not saved yet of all works, without waiting for a pause."""
        for autosave in self._autosaves.values():
            autosave.save_pending()

    def close(self) -> None:
        """End all works; what is being written is written to its end."""
        for work in list(self._autosaves):
            self.end(work)
        self._reader.close()
        self._writer.close()

    def withdraw(self, work: Work) -> None:
        """Offer nothing to be restored of a work; what is saved stays for others."""
        if (offer := self._offers.pop(work, None)) is not None:
            offer.release()

    def decline(self) -> None:
        """Offer nothing to be restored of the chosen image."""
        if (work := self._chosen()) is not None:
            self.withdraw(work)
        self.show_offer()

    def show_offer(self) -> None:
        """Show what there is to be restored of the chosen image."""
        work, text = self._chosen(), ""
        if work is not None and (offer := self._offers.get(work)) is not None:
            path = offer.path
            moment = datetime.fromtimestamp(path.stat().st_mtime) if path.exists() else datetime.now()
            text = f"Work on this image was saved automatically on {moment.day} {moment:%B at %H:%M}."
        self._section.show_offer(text)

    # ---- by hand

    def ask_and_save(self) -> None:
        """Save the chosen image's session in a file that the user chooses."""
        work = self._chosen()
        if work is None:
            self._messages.warn("There is no image whose session could be saved.")
            return
        start = _folder_of(work) / f"{_UNFIT.sub('_', work.layers.image.name) or 'session'}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._section, "Save session", str(start), _FILTER)
        path = Path(name if name.endswith(SUFFIX) else name + SUFFIX)
        # the dialog has asked about the name as it was typed
        if name and (path == Path(name) or not path.exists() or self._may_overwrite(path)):
            self.save(work, path)

    def _may_overwrite(self, path: Path) -> bool:
        question = f"'{path.name}' exists already. Overwrite it?"
        answer = QMessageBox.question(self._section, "Save session", question)
        return answer == QMessageBox.StandardButton.Yes

    def ask_and_open(self) -> None:
        """Open a session on the chosen image, from a file that the user chooses."""
        work = self._chosen()
        if work is None:
            self._messages.warn("Open the image first; a session is opened on it.")
            return
        name, _ = QFileDialog.getOpenFileName(self._section, "Open session", str(_folder_of(work)), _FILTER)
        if name:
            self.open(work, Path(name))

    def save(self, work: Work, path: Path) -> None:
        """Save a work's session in a file."""
        work.edits.catch_up()
        write_to = self.take_down(work)
        self._messages.say("Saving the session …")
        self._writer.submit((work, path, work.session.writes), lambda: write_to(path))

    def open(self, work: Work, path: Path) -> None:
        """Put a saved session in the place of a work's, as a step that can be undone."""
        if self._reader.busy:
            return

        def steps() -> Iterator[Saved]:
            yield read(path)

        def take(saved: Saved) -> None:
            if work not in self._autosaves:
                return
            try:
                self.take_up(work, saved, path)
            except SessionFileError as error:
                end(error)

        def end(error: Exception | None) -> None:
            if error is not None:
                if (offer := self._offers.get(work)) is not None and offer.path == path:
                    offer.release()
                self._messages.fail(f"No session was opened; the file stays in {path.parent}", error)

        self._messages.say("Opening the session …")
        self._reader.start(steps, take, end)

    def take_up(self, work: Work, saved: Saved, path: Path) -> None:
        """Put a session that was read from a path in the place of a work's.

        Raises
        ------
        SessionFileError
            If it is of an image of another size.
        """
        work.edits.catch_up()
        image, window = work.layers.image, saved.origin.window
        if window is None and image.dtype == np.uint8:
            # all of its greys, which `window_of` tells in this way
            window = 0.0, 255.0
        windows: tuple[Window, Window] = (None, None)
        if window is not None and not image.rgb and saved.shape == work.session.shape:
            # first, since what was run with another window would be run again, as the present one need not be
            work.session.current = None
            before = _limits_of(image)
            image.contrast_limits = window
            windows = _limits_of(image), before
        restore(work.session, saved, windows)
        if (offer := self._offers.get(work)) is not None and offer.path == path and offer.claim():
            del self._offers[work]
            self._autosaves[work].adopt(offer)
        count = len(saved.objects)
        others = "" if saved.origin.image in ("", image.name) else f" of '{saved.origin.image}'"
        self._messages.say(
            f"The session{others} is open, with {count} object{'s' * (count != 1)}. Undo brings back what was before."
        )
        self.show_offer()
        self.opened.emit()

    def take_down(self, work: Work) -> Callable[[Path], None]:
        """Take a session down as it is now; what is returned writes it, in any thread."""
        image, checkpoint = work.layers.image, weights_file(self._checkpoint())
        origin = Origin(image.name, file_of(image), window_of(image))
        saved = snapshot(work.session, origin)

        def write_to(path: Path) -> None:
            try:
                weights = weights_of(checkpoint)
            except OSError:
                # the file went after it was loaded; what the user has made is saved all the same
                weights = checkpoint.name
            write(path, replace(saved, origin=replace(origin, weights=weights)))

        return write_to

    # ---- what comes back

    def _answered(self, restored: bool) -> None:
        work = self._chosen()
        if work is None or work not in self._offers:
            return
        offer = self._offers[work]
        if not (offer.claim() and offer.path.exists()):
            self._messages.warn("What was offered is open in another window, or was removed there.")
            self.withdraw(work)
        elif restored:
            self.open(work, offer.path)
        else:
            del self._offers[work]
            self._writer.submit(None, offer.remove)
        self.show_offer()

    def _written(self, what: Any, error: Exception | None) -> None:
        if isinstance(what, Autosave):
            if error is not None and not self._failing:
                self._messages.fail("The session could not be saved automatically; save it by hand", error)
            self._failing = error is not None
        elif what is not None:
            work, path, writes = what
            if error is not None:
                self._messages.fail(f"The session was not saved in '{path.name}'", error)
                return
            if work in self._autosaves and work.session.writes != writes:
                # the result is written as it is, without a copy: half a commit may be in it
                self.save(work, path)
                return
            self._messages.say(f"The session is saved in '{path.name}'.")
            autosave = self._autosaves.get(work)
            if autosave is not None and not autosave.busy:
                # the user's own file has all that is in it
                autosave.drop()


def _limits_of(image: "napari.layers.Image") -> Window:
    low, high = image.contrast_limits
    return low, high


def _folder_of(work: Work) -> Path:
    """Where the image's file is, or else the user's own folder."""
    source = file_of(work.layers.image)
    # unlike Path's, this also answers where a network drive is gone
    return Path(source).parent if os.path.exists(source) else Path.home()
