"""Sessions saved behind the user's back: where they lie, how they are found again, and when they are written."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from qtpy.QtCore import QLockFile, QObject, QSysInfo, QTimer, Signal

from .folders import user_data
from .grid import file_of
from .images import pixels_of, spatial_shape
from .objects import Change
from .session import Session
from .storage import SUFFIX

if TYPE_CHECKING:
    import napari

PAUSE = 2000  # ms between a change and its file, so that a drag of the mouse is one file
MOST_FILES, MOST_BYTES, MOST_DAYS = 20, 2**29, 60
_LOCK = ".lock"
_ELSEWHERE = 7 * 86_400_000  # ms after which a window on another computer, which cannot be asked, counts as gone
_SAMPLE = 16  # pixels along each axis that tell images of one name and size apart


def folder() -> Path:
    """Where they lie."""
    return user_data() / "sessions"


def key_of(image: "napari.layers.Image") -> str:
    """Names an image by its file, or else its layer, its size, and a few pixels if they are in memory."""
    pixels, digest = pixels_of(image), sha256()
    digest.update(repr((file_of(image) or image.name, spatial_shape(image), str(image.dtype))).encode())
    if isinstance(pixels, np.ndarray) and not isinstance(pixels, np.memmap):
        sample = pixels[tuple(slice(None, None, max(1, side // _SAMPLE)) for side in pixels.shape)]
        digest.update(np.ascontiguousarray(sample).data)
    return digest.hexdigest()[:16]


class SessionFile:
    """A saved session that is one window's alone while that claims it; a killed process claims nothing any more.

    Parameters
    ----------
    path : Path
        Where it is or will be.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = QLockFile(f"{path}{_LOCK}")
        # a process that lives keeps what it has for as long as it likes
        self._lock.setStaleLockTime(0)

    def claim(self) -> bool:
        """Whether this is ours, now or already, rather than another window's, of this process or not."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._lock.isLocked() or self._lock.tryLock(0) or self._inherit()

    def _inherit(self) -> bool:
        known, _, host, _ = self._lock.getLockInfo()
        if not known or host == QSysInfo.machineHostName():
            return False
        self._lock.setStaleLockTime(_ELSEWHERE)
        claimed = self._lock.tryLock(0)
        self._lock.setStaleLockTime(0)
        return claimed

    def release(self) -> None:
        """Leave it to whoever wants it."""
        self._lock.unlock()

    def remove(self) -> None:
        """Remove and release it."""
        self.path.unlink(missing_ok=True)
        self.release()


def latest(key: str) -> SessionFile | None:
    """The newest session of an image that no window works on."""
    for path in _by_age(f"{key}-*{SUFFIX}"):
        file = SessionFile(path)
        if file.claim():
            file.release()
            return file
    return None


def tidy() -> None:
    """Remove sessions that are too old, too many or too large together, and what a killed writer has left.

    Those that a window works on count, and stay.
    """
    files = _by_age(f"[!.]*{SUFFIX}")
    total = 0
    for number, (path, facts) in enumerate(files.items()):
        total += facts.st_size
        if number and (number >= MOST_FILES or total > MOST_BYTES or _days(facts.st_mtime) > MOST_DAYS):
            file = SessionFile(path)
            if file.claim():
                file.remove()
    for path in folder().glob(f"*{SUFFIX}{_LOCK}"):
        file = SessionFile(path.with_name(path.name.removesuffix(_LOCK)))
        if not file.path.exists() and file.claim():
            file.release()
    for path, facts in _by_age(f".*.part.*{SUFFIX}").items():
        if _days(facts.st_mtime) > 1:
            path.unlink(missing_ok=True)


def _by_age(pattern: str) -> dict[Path, os.stat_result]:
    """Files, the newest first, with their facts."""
    files = {}
    for path in folder().glob(pattern):
        # another window may take it away at any moment
        with suppress(FileNotFoundError):
            files[path] = path.stat()
    return dict(sorted(files.items(), key=lambda file: file[1].st_mtime, reverse=True))


def _days(moment: float) -> float:
    return (time.time() - moment) / 86400


class Writer(QObject):
    """Writes and removes files in a thread of its own, one after the other, and to the end even if napari quits."""

    done = Signal(object, object)  # what was submitted with a job, and the exception that ended it or None

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, "sessions")
        self._closed = False

    def submit(self, what: Any, job: Callable[[], None]) -> None:
        """Do a job after those that were submitted before."""

        def tell(future: "Future[None]") -> None:
            # napari may take its window, and this with it, away at any moment
            with suppress(RuntimeError):
                if not self._closed:
                    self.done.emit(what, future.exception())

        self._pool.submit(job).add_done_callback(tell)

    def close(self) -> None:
        """Tell of nothing any more; what was submitted is done."""
        self._closed = True
        self._pool.shutdown(wait=False)


class Autosave(QObject):
    """Keeps a file up to date with one session from its first change on; an empty session has none.

    Parameters
    ----------
    session : Session
        What is saved.
    key : str
        Of its image.
    writer : Writer
        What does it.
    take_down : callable
        Takes the session down, in the GUI thread; returns what writes it to a path, in the writer's.
    """

    def __init__(
        self,
        session: Session,
        key: str,
        writer: Writer,
        take_down: Callable[[], Callable[[Path], None]],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._file = SessionFile(folder() / f"{key}-{uuid4().hex[:8]}{SUFFIX}")
        self._session, self._writer, self._take_down = session, writer, take_down
        self._writing = 0  # how many times; more than once only if there was no time for a pause
        self._failed = False
        self._tidied = False
        self._repainted = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.save)
        writer.done.connect(self._done)
        session.changed.connect(self._changed)
        session.repainted.connect(self._painted)

    @property
    def pending(self) -> bool:
        """Whether something has changed since the last file."""
        return self._timer.isActive()

    @property
    def busy(self) -> bool:
        """Whether a file is written or will be."""
        return bool(self._writing) or self.pending

    def _changed(self, change: Change) -> None:
        if change.ids:
            self._start()

    def _painted(self) -> None:
        self._repainted = True
        self._start()

    def _start(self) -> None:
        # a pause without changes is not waited for: work that goes on is saved too
        if not self.pending:
            self._timer.start(PAUSE)

    def save(self) -> None:
        """Bring the file up to date now, or as soon as the last one is written."""
        if self._writing:
            self._timer.start(PAUSE)
        else:
            self._save()

    def _save(self) -> None:
        self._timer.stop()
        if not (self._session.objects or self._repainted) and self._session.history.redo_name is not None:
            # what was undone may be wanted again: the file keeps it until something else is done
            return
        self._writing, self._repainted, file = self._writing + 1, False, self._file
        if not self._session.objects and self._session.result is None:
            self._writer.submit(self, file.remove)
            return
        write_to, tidied, self._tidied = self._take_down(), self._tidied, True

        def job() -> None:
            # nobody else can know of a file that is not there yet
            file.claim()
            write_to(file.path)
            if not tidied:
                tidy()

        self._writer.submit(self, job)

    def _done(self, what: Any, error: Exception | None) -> None:
        if what is self:
            self._writing -= 1
            self._failed = error is not None

    def adopt(self, file: SessionFile) -> None:
        """Keep another file, which is claimed, up to date from now on."""
        self._writer.submit(None, self._file.release)
        self._file = file

    def drop(self) -> None:
        """Remove the file; the next change makes it anew."""
        self._timer.stop()
        self._failed = False
        self._writer.submit(None, self._file.remove)

    def save_pending(self) -> None:
        """Save what is not saved yet, after what is being written."""
        # where there was no room before there may be some now
        if self.pending or self._failed:
            self._save()

    def stop(self) -> None:
        """Save what is not saved yet, leave the file to others, and watch the session no more."""
        self._session.changed.disconnect(self._changed)
        self._session.repainted.disconnect(self._painted)
        self._writer.done.disconnect(self._done)
        self.save_pending()
        if self._writing:
            self._writer.submit(None, self._file.release)
        else:
            self._file.release()
