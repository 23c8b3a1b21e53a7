"""Going through the images of a folder: the labels of one are saved, and the next is opened."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ..geometry import Scan
from ..io import read_scan, read_segments
from ..io.dicom import read_series
from ..io.files import smallest_labels
from ..io.placing import cut, place_on
from ..io.scans import read_label_scan
from ..io.segments import stem_of
from .grid import place
from .messages import Messages
from .reader import LayerData, image_layer, segment_options
from .runs import Work
from .worker import Runner
from .worklist import FolderError, Task, first_open, tasks_in
from .writer import write_labels

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from .objects import Change


class FolderWork(QObject):
    """The folder that a widget goes through; files are read and written in a thread.

    Parameters
    ----------
    viewer : Viewer
        Where the images are shown.
    messages : Messages
        For the user.
    work_on : callable
        Returns the work on an image layer, or None.
    put_away : callable
        Takes an image layer out of the viewer, with the layers of ours that belong to it.
    """

    opened = Signal(object)  # the layer of an image, after those that belong to it
    moved = Signal(str)  # where in the folder we are, in words

    def __init__(
        self,
        viewer: "Viewer",
        messages: Messages,
        work_on: Callable[[Any], Work | None],
        put_away: Callable[[Any], None],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._viewer, self._messages = viewer, messages
        self._work_on, self._put_away = work_on, put_away
        self._runner = Runner()
        self._tasks: list[Task] = []
        self._place = 0  # of the image that is shown
        self._tried = 0  # the last place gone to, perhaps with an image that cannot be read
        self._shown: tuple[Any, Task] | None = None  # the image layer, as long as we know

    @property
    def busy(self) -> bool:
        """Whether a file is read or written."""
        return self._runner.busy

    @property
    def work(self) -> Work | None:
        """The work on the image of the folder that is open; None if there is none, or not any more."""
        return None if self._shown is None else self._work_on(self._shown[0])

    def close(self) -> None:
        """Open nothing any more; what is being written is written to its end."""
        self._runner.close()

    def open(self, folder: Path) -> None:
        """Save the labels of the image that is open, and go through a folder, from its first image without labels.

        Those that cannot be read are passed over, unless none is left.
        """
        found: list[Task] = []
        errors: list[Exception] = []

        def look() -> list[LayerData]:
            found.extend(tasks_in(folder))
            for task in found[first_open(found) :]:
                try:
                    return _read(task)
                except (ValueError, OSError) as error:
                    errors.append(error)
            raise errors[0]

        def take(layers: list[LayerData]) -> None:
            self._tasks = found
            self._show(first_open(found) + len(errors), layers)
            for error in errors[:1]:
                self._messages.fail(f"Passed over {len(errors)}", error)

        self._save(lambda: self._read(f"'{folder.name}'", look, take))

    def go(self, by: int) -> None:
        """Save the labels of the image that is open, and open the one so many places on."""
        # what could not be read is passed over the next time; the way back begins at the image that is shown
        onwards = (self._tried - self._place) * by > 0
        place = (self._tried if onwards else self._place) + by
        if not self._tasks:
            self._messages.warn("Open a folder of images first.")
        elif 0 <= place < len(self._tasks):
            self._save(lambda: self._move(place))
        else:
            which = "last" if by > 0 else "first"
            message = f"This is the {which} image of the folder"
            if onwards:
                message = f"'{self._tasks[self._place].title}' is the {which} image of the folder that can be read"
            self._save(lambda: self._messages.say(f"{message}; its labels are saved."))

    def _move(self, place: int) -> None:
        self._tried, task = place, self._tasks[place]
        self._read(f"'{task.title}'", lambda: _read(task), lambda layers: self._show(place, layers))

    def _save(self, then: Callable[[], None]) -> None:
        """Write the labels of the image that is open, if there are any, and go on if that went well."""
        if self.busy:
            self._messages.say("The last image is still being saved or opened.")
            return
        work = self.work
        if work is None or self._shown is None or work.session.result is None:
            then()
            return
        work.add_layer("result")
        assert work.layers.result is not None
        session, file = work.session, self._shown[1].labels
        labels, meta, _ = work.layers.result.as_layer_data_tuple()
        touched: list[bool] = []

        def touch(change: "Change | None" = None) -> None:
            touched.append(change is None or bool(change.ids))

        def steps() -> Iterator[None]:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_labels(str(file), labels, meta)
            yield

        def end(error: Exception | None) -> None:
            session.changed.disconnect(touch)
            session.repainted.disconnect(touch)
            if error is not None:
                self._messages.fail(f"The labels were not saved in '{file}'", error)
            elif any(touched):
                # a copy to write from would keep the window waiting, in large volumes
                self._messages.warn("The labels were changed while they were saved. Do it once more.")
            else:
                then()

        session.changed.connect(touch)
        session.repainted.connect(touch)
        self._messages.say(f"Saving the labels in '{file.name}' …")
        self._runner.start(steps, lambda _: None, end)

    def _read(self, what: str, read: Callable[[], list[LayerData]], take: Callable[[list[LayerData]], None]) -> None:
        def steps() -> Iterator[list[LayerData]]:
            yield read()

        def end(error: Exception | None) -> None:
            if error is not None:
                self._messages.fail(f"{what} was not opened", error)
            self._tell()

        self._messages.say(f"Opening {what} …")
        self._runner.start(steps, take, end)

    def _show(self, place: int, layers: list[LayerData]) -> None:
        self._place = self._tried = place
        if self._shown is not None and self._shown[0] in self._viewer.layers:
            self._put_away(self._shown[0])
        pixels, options, _ = layers[0]
        name = self._free_name(options["name"])
        image = self._viewer.add_image(pixels, **options | {"name": name})
        self._shown = image, self._tasks[place]
        for labels, shown, _ in layers[1:]:
            # by its name it is known to be the result
            self._viewer.add_labels(labels, **shown | {"name": f"{name} result"})
        self.opened.emit(image)

    def _free_name(self, wanted: str) -> str:
        """A name that no layer has, nor the result of one: napari would number the two in ways of their own."""
        taken = {layer.name for layer in self._viewer.layers}
        names = itertools.chain([wanted], (f"{wanted} [{number}]" for number in itertools.count(1)))
        return next(name for name in names if not taken & {name, f"{name} result"})

    def _tell(self) -> None:
        if self._tasks:
            place, task = self._place + 1, self._tasks[self._place]
            self.moved.emit(f"{place} of {len(self._tasks)}: {task.title}")


def _read(task: Task) -> list[LayerData]:
    """An image, and the labels that it has."""
    scan = read_series(task.slices) if task.slices else read_scan(task.image)
    name = stem_of(task.labels)
    layers = [image_layer(scan, name)]
    if task.labels.exists():
        labels = read_label_scan(task.labels)
        shape = scan.array.shape[: 2 + scan.is_volume]
        low = -place_on(task.labels, labels.array.shape, labels.geometry, shape, scan.geometry, "its image")
        ids = smallest_labels(cut(labels.array, low, low + shape)).astype(np.uint16)
        if np.count_nonzero(ids) < np.count_nonzero(labels.array):
            raise FolderError(f"the labels in {task.labels} reach beyond the image, and would be cut off there")
        array, options = place(Scan(ids, scan.geometry, scan.files))
        shown = segment_options(read_segments(task.labels)) | options
        layers.append((array, {"opacity": 0.6} | shown, "labels"))
    return layers
