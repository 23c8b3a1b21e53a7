"""One job at a time outside the GUI thread."""

import logging
from collections.abc import Callable, Iterator
from threading import Semaphore
from typing import Any, TypeVar

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QTimer

T = TypeVar("T")
_PATIENCE = 0.1  # seconds between two looks at whether the widget was closed
_log = logging.getLogger(__name__)


class Runner:
    """Runs generators in a thread and hands what they yield to the GUI thread, one generator at a time."""

    def __init__(self) -> None:
        self._worker: GeneratorWorker | None = None
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a job has been started and has not finished."""
        return self._worker is not None

    def start(
        self,
        steps: Callable[[], Iterator[T]],
        on_step: Callable[[T], None],
        on_end: Callable[[Exception | None], None],
        progress: dict[str, Any] | None = None,
    ) -> None:
        """Start a job.

        Parameters
        ----------
        steps : callable
            Makes the iterator; called and run in the thread.
        on_step : callable
            Gets each value, in the GUI thread.
        on_end : callable
            Called once, in the GUI thread, with the exception that ended the job or None.
        progress : dict, optional
            ``total`` and ``desc`` of a progress bar in napari's activity dock.
        """
        if self.busy:
            raise RuntimeError("a job is running already")
        if self._closed:
            raise RuntimeError("this runner is closed")
        errors: list[Exception] = []
        room = Semaphore()

        def work():
            # napari would show the traceback of what is raised here; the caller knows better what to tell the user
            try:
                for value in steps():
                    # one value is shown while the next is found; more would keep the event loop from turning
                    while not room.acquire(timeout=_PATIENCE) and not self._closed:
                        pass
                    yield value
            except Exception as error:
                _log.info("a job failed", exc_info=True)
                errors.append(error)

        def step(value: T) -> None:
            try:
                if not self._closed:
                    on_step(value)
            finally:
                # what `on_step` has left for the next turn of the event loop comes first
                QTimer.singleShot(0, room.release)

        def end() -> None:
            self._worker = None
            if not self._closed:
                on_end(errors[0] if errors else None)

        worker = create_worker(work, _start_thread=False, _progress=progress)
        worker.yielded.connect(step)
        worker.finished.connect(end)
        self._worker = worker
        worker.start()

    def cancel(self) -> None:
        """Stop the job after the value that it is working on; `on_end` follows."""
        if self._worker is not None:
            self._worker.quit()

    def close(self, *_: object) -> None:
        """Stop the job and call nothing back any more."""
        self._closed = True
        self.cancel()
