"""What runs beside the model: work with labels made elsewhere, measuring of the window, looking for trainings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..preprocessing import percentile_window
from .editing import label_masks
from .images import part_of, pixels_of, spacing_of
from .loading import finished_trainings
from .messages import Messages
from .panel import Panel
from .patches import Patch
from .planes import Plane, blank_labels
from .review_section import NSD_TOLERANCE
from .runs import Work
from .window_section import Percentiles
from .worker import Runner

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..evaluation import Match


T = TypeVar("T")


class SideJobs:
    """Runs what need not wait for the model, one thing at a time.

    Parameters
    ----------
    panel : Panel
        Shows what has come of it.
    messages : Messages
        For the user.
    chosen : callable
        Returns the work of the chosen image, or None.
    reference : callable
        Returns the layer of labels made elsewhere, or None.
    """

    def __init__(
        self,
        panel: Panel,
        messages: Messages,
        chosen: Callable[[], Work | None],
        reference: Callable[[], "Labels | None"],
    ):
        self._panel, self._messages = panel, messages
        self._chosen, self._reference = chosen, reference
        self._runner = Runner()

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self._runner.busy

    def close(self) -> None:
        """Stop what runs."""
        self._runner.close()

    def _is_free(self) -> bool:
        if self.busy:
            self._messages.say("The last comparison, measurement or search still runs.")
        return not self.busy

    def _start(self, what: str, find: Callable[[], T], take: Callable[[T], None]) -> None:
        """Find one thing in a worker and take it, or tell what has failed."""

        def steps() -> Iterator[T]:
            yield find()

        def end(error: Exception | None) -> None:
            if error is not None:
                self._messages.fail(what, error)

        self._runner.start(steps, take, end)

    def correct(self) -> None:
        """Make an object of the reference's selected label, from the plane in view."""
        work, reference = self._chosen(), self._reference()
        if work is None or reference is None or not self._is_free():
            return
        labels, shape = self._labels(work, reference), work.session.shape
        label, plane = int(reference.selected_label), work.edits.plane_in_view()

        def take(masks: dict[Plane, Patch]) -> None:
            if work is self._chosen():
                item = work.session.add_masks(masks, plane)
                self._messages.say(f"Label {label} of '{reference.name}' is object {item.id} now: correct its mask.")
            else:
                self._messages.say(f"Label {label} of '{reference.name}' is left, since its image is not chosen now.")

        self._messages.say(f"Reading label {label} of '{reference.name}' …")
        self._start(f"'{reference.name}'", lambda: label_masks(labels(), shape, label, plane), take)

    def compare(self) -> None:
        """Compare all objects with the reference, in a worker."""
        work, reference = self._chosen(), self._reference()
        if work is None or reference is None or not self._is_free():
            return
        truth = self._labels(work, reference)
        work.edits.catch_up()
        image, shape = work.layers.image, work.session.shape
        spacing = spacing_of(image)
        # masks are replaced, never changed
        masks = [(id, dict(item.masks)) for id, item in work.session.open_objects.items()]
        committed, result = list(work.session.objects.keys() - work.session.open_objects), work.session.result
        matches: list[Match] = []

        def steps() -> "Iterator[Match]":
            from ..evaluation import match_objects

            labels = blank_labels(shape)
            if committed and result is not None:
                # with what the user has painted since, on other slices, too
                for place in np.ndindex(shape[:-2]):
                    there = np.isin(result[place], committed)
                    labels[place][there] = result[place][there]
            for id, own in masks:
                for plane, mask in own.items():
                    mask.paint(labels[plane.index], id)
            yield from match_objects(labels, np.asarray(truth()), spacing, NSD_TOLERANCE)

        def end(error: Exception | None) -> None:
            if error is not None:
                self._messages.fail("Comparison", error)
            elif work is self._chosen():
                self._panel.review_section.show_matches(matches, f"{image.units[-1]:~}")
                self._messages.say(f"Compared with '{reference.name}': the scores are under Review.")

        self._messages.say(f"Comparing with '{reference.name}' …")
        self._runner.start(steps, matches.append, end)

    def _labels(self, work: Work, reference: "Labels") -> Callable[[], Any]:
        """What reads labels made elsewhere, in a worker; those of a part of the image with nothing around them."""
        pixels, shape = pixels_of(reference), work.session.shape
        if pixels.shape == shape:
            if not work.layers.lies_on_image(reference):
                self._messages.warn(f"'{reference.name}' does not lie where the image is, but is taken pixel by pixel.")
            return lambda: pixels
        part = part_of(reference, work.layers.image, shape)

        def whole() -> Any:
            labels = np.zeros(shape, pixels.dtype)
            labels[part] = pixels
            return labels

        return (lambda: pixels) if part is None else whole

    def measure_window(self, percentiles: Percentiles) -> None:
        """Set the window to percentiles of the whole image, which are found in a worker."""
        work = self._chosen()
        if work is None or not self._is_free():
            return
        pixels, axis = pixels_of(work.layers.image), work.session.channel
        number = None if axis is None else work.edits.plane_in_view().at[axis]
        channel = None if axis is None or number is None else (axis, number)

        def take(window: tuple[float, float]) -> None:
            if work is not self._chosen():
                return
            section, (low, high) = self._panel.window_section, window
            if low < high:
                section.set_limits(low, high)
            else:
                section.show_no_preset()
                self._messages.warn("The image has one intensity nearly everywhere, so the window stays as it was.")

        self._start("Window", lambda: percentile_window(pixels, percentiles.low, percentiles.high, channel), take)

    def find_trainings(self, folder: Path) -> None:
        """Offer the weights of all finished trainings in a folder."""
        if not self._is_free():
            return

        def take(found: list[Path]) -> None:
            self._panel.model_section.show_found(found)
            if found:
                self._messages.say(f"Finished trainings: {len(found)}. They are in the list of models.")
            else:
                self._messages.warn(f"There is no finished training in {folder}.")

        self._messages.say(f"Looking for trainings in {folder} …")
        self._start("Trainings", lambda: finished_trainings(folder), take)
