"""What the user wants done to the chosen image: by buttons, keys, the table, or from a script."""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QMessageBox

from ..preprocessing import percentile_window
from .actions import TOOLS
from .carrying import Reach, Route
from .images import pixels_of, show_plane, spacing_around, spacing_of
from .messages import Messages
from .panel import Panel
from .planes import blank_labels
from .review_section import NSD_TOLERANCE
from .runs import Runs, Work
from .sessions import Sessions
from .showing import choose_kind, select, show_names
from .visibility import show_all_but
from .window_section import Percentiles
from .worker import Runner

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

    from ..evaluation import Match
    from .results import Ask, Rule

WINDOW_PAUSE = 250  # ms without a change of the window before the model sees it
_MODES = {
    "box": ("boxes", "add_rectangle"),
    "positive": ("points", "add"),
    "negative": ("points", "add"),
    "paint": ("scribble", "paint"),
    "erase": ("scribble", "erase"),
}


class Intents:
    """Carries out what the user wants, or says why not.

    Parameters
    ----------
    viewer : Viewer
        Where the layers are.
    panel : Panel
        For what is chosen in it.
    runs : Runs
        Told of edits.
    messages : Messages
        For the user.
    sessions : Sessions
        Saves and opens them.
    chosen : callable
        Returns the work of the chosen image, or None.
    begin : callable
        Tries to begin work on the chosen image.
    reference : callable
        Returns the layer of labels that objects are compared with, or None.
    """

    def __init__(
        self,
        viewer: "Viewer",
        panel: Panel,
        runs: Runs,
        messages: Messages,
        sessions: Sessions,
        chosen: Callable[[], Work | None],
        begin: Callable[[], None],
        reference: Callable[[], "Labels | None"],
    ):
        self.viewer, self.panel = viewer, panel
        self._runs, self._messages, self._sessions = runs, messages, sessions
        self._chosen, self._begin, self._reference = chosen, begin, reference
        self._side_runner = Runner()  # for what need not wait for the model

    def do(self, name: str) -> None:
        """Do one of the `ACTIONS`."""
        if name in TOOLS:
            self.use_tool(name)
        elif name == "run":
            self.run_waiting()
        else:
            getattr(self, name)()

    def close(self) -> None:
        """Stop what runs."""
        self._side_runner.close()

    # ---- channels

    def take_channels(self, axis: int | None) -> None:
        """Take an axis of the image for that of channels, or none."""
        if (work := self._chosen()) is not None and not work.session.objects:
            work.session.take_channel(axis)
            self._begin()

    def show_channel(self, number: int) -> None:
        """Show a channel, which new boxes are then drawn on."""
        if (work := self._chosen()) is not None and (axis := work.session.channel) is not None:
            plane = work.edits.plane_in_view()
            if plane.at[axis] is not None:
                show_plane(work.layers.image, self.viewer.dims, plane.moved(number, axis))

    # ---- drawing

    def use_tool(self, name: str) -> None:
        """Choose the layer and the mode of a tool: box, positive, negative, paint or erase."""
        if self._chosen() is None:
            self._begin()
        work = self._chosen()
        if work is None:
            self._messages.warn("There is no image that boxes could be drawn on.")
            return
        which, mode = _MODES[name]
        if which != "boxes" and work.session.current_object is None:
            self._messages.warn("Draw a box first; points and scribbles belong to one.")
            return
        work.add_layer(which)
        layer = getattr(work.layers, which)
        if which == "points":
            choose_kind(work.layers, name)
        self.viewer.layers.selection.active = layer
        layer.mode = mode
        if name == "box":
            work.drawing = True
            self._runs.prepare(work, work.edits.plane_in_view())

    # ---- objects

    def choose(self, id: int) -> None:
        """Select all that belongs to an object, and show its slice."""
        if (work := self._chosen()) is not None:
            work.ensure_layers()
            work.edits.select(id)
            select(work.layers, id)
            if work.hidden:
                show_all_but(work.layers, work.hidden)
            show_plane(work.layers.image, self.viewer.dims, work.session.objects[id].plane)

    def regenerate(self) -> None:
        """Replace the current object's prompts by others."""
        work = self._chosen()
        if work is not None and (item := work.session.current_object) is not None:
            work.session.regenerate(item.id)
            self._runs.edited()

    def run(self, pause: int = 0) -> None:
        """Run the current object again, with its prompts as they are; what is committed stays as it is."""
        work = self._chosen()
        if work is not None and (item := work.session.current_object) is not None and not item.committed:
            item.wait()
            self._runs.edited(pause)

    def delete(self) -> None:
        """Remove the objects that are chosen in the table."""
        self.remove(self.panel.table.chosen_ids)

    def remove(self, ids: list[int]) -> None:
        """Remove objects."""
        if (work := self._chosen()) is not None:
            with work.session.together():
                for id in ids:
                    work.session.remove(id)

    def rename(self, id: int, name: str) -> None:
        """Give an object a name."""
        if (work := self._chosen()) is not None:
            work.session.rename(id, name)
            show_names(work.layers)

    def show_or_hide(self, id: int, shown: bool) -> None:
        """Show an object on the canvas, or do not."""
        if (work := self._chosen()) is not None:
            work.hidden = work.hidden - {id} if shown else work.hidden | {id}
            show_all_but(work.layers, work.hidden)

    def reset_prompts(self) -> None:
        """Go back to the current object's first prompts."""
        work = self._chosen()
        if work is not None and (item := work.session.current_object) is not None:
            work.session.reset_prompts(item.id)

    def forget_edits(self) -> None:
        """Give the current object's pixels that the user has painted or erased back to the model."""
        work = self._chosen()
        if work is not None and (item := work.session.current_object) is not None:
            work.edits.catch_up()
            work.session.forget_hand_edits(item.id)

    def run_waiting(self) -> None:
        """Run everything that waits, also while edits do not run at once."""
        if (work := self._chosen()) is not None:
            work.edits.catch_up()
            work.session.ask()

    def switch(self) -> None:
        """Take over from the panel what the model sees, and whether edits run at once."""
        if (work := self._chosen()) is not None:
            panel = self.panel
            work.session.live = panel.live.isChecked()
            work.session.switch_prompts(panel.use_points.isChecked(), panel.use_scribble.isChecked())
            self._runs.edited()

    def commit(self) -> None:
        """Write the objects that are chosen in the table to the result, and get ready for the next box."""
        if (work := self._chosen()) is None:
            return
        work.edits.catch_up()
        rules: dict[str, Rule | Ask] = {"keep": "keep", "overwrite": "overwrite", "ask": self._ask_rule}
        chosen = self.panel.table.chosen_ids
        if work.session.commit(chosen, rules[self.panel.overlap.currentText()]):
            self.use_tool("box")
        elif work.session.ready(chosen):
            self._messages.say("Nothing was committed.")
        else:
            self._messages.warn("Nothing was committed: choose an object that has a mask.")

    def reopen(self) -> None:
        """Bring the committed ones of the objects that are chosen in the table back, to edit them again."""
        if (work := self._chosen()) is not None:
            work.edits.catch_up()
            work.session.reopen(self.panel.table.chosen_ids)

    def _ask_rule(self, others: Collection[int]) -> "Rule | None":
        """Ask the user what is to become of pixels that objects of the result have already."""
        box = QMessageBox(self.panel)
        box.setText(f"The masks lie on objects of the result: {', '.join(map(str, sorted(others)))}.")
        keep = box.addButton("Keep them", QMessageBox.ButtonRole.AcceptRole)
        overwrite = box.addButton("Overwrite them", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return "keep" if box.clickedButton() is keep else "overwrite" if box.clickedButton() is overwrite else None

    def correct(self) -> None:
        """Make an object of the reference's selected label, from the plane in view."""
        work, reference = self._chosen(), self._reference()
        if work is None or reference is None:
            return
        try:
            labels = np.asarray(pixels_of(reference))
            work.session.add_label(labels, int(reference.selected_label), work.edits.plane_in_view())
        except ValueError as error:
            self._messages.fail(f"'{reference.name}'", error)

    def undo(self) -> None:
        """Take back the last step on the image; a propagation that goes on stops."""
        if (work := self._chosen()) is not None:
            work.edits.undo()

    def redo(self) -> None:
        """Do the step again that was undone last."""
        if (work := self._chosen()) is not None:
            work.edits.redo()

    # ---- files

    def save_session(self) -> None:
        """Save the session in a file that the user chooses."""
        self._sessions.ask_and_save()

    def open_session(self) -> None:
        """Open a session from a file that the user chooses."""
        self._sessions.ask_and_open()

    # ---- the window

    def take_window(self) -> None:
        """Run the current object again with what the image shows now."""
        # a propagation goes on with the window that it began with
        if not self._runs.propagating:
            self.run(WINDOW_PAUSE)

    def measure_window(self, percentiles: Percentiles) -> None:
        """Set the window to percentiles of the whole image, which are found in a worker."""
        work = self._chosen()
        if work is None or self._side_runner.busy:
            return
        pixels = pixels_of(work.layers.image)

        def steps() -> Iterator[tuple[float, float]]:
            yield percentile_window(pixels, percentiles.low, percentiles.high)

        def end(error: Exception | None) -> None:
            if error is not None:
                self._messages.fail("Window", error)

        self._side_runner.start(steps, lambda window: self.panel.window_section.set_limits(*window), end)

    # ---- propagation

    def anchor(self) -> None:
        """Give the current object a box on the slice in view, where propagation had it or else as its others are."""
        work = self._chosen()
        if work is None or (item := work.session.current_object) is None:
            return
        plane = work.edits.plane_in_view()
        if plane == item.plane:
            self._messages.say("The box of this slice is the current one already; drag it to fit.")
        elif not plane.joins(item.plane):
            self._messages.warn("An object's boxes lie on slices of one direction; turn the view back to them.")
        else:
            box = item.anchors.get(plane) or item.carried.get(plane) or item.box
            work.session.place_box(item.id, plane, box)
            if work.layers.boxes is not None:
                self.viewer.layers.selection.active = work.layers.boxes
                work.layers.boxes.mode = "select"

    def propagate(self) -> None:
        """Carry the boxes of the view that the canvas shows as far as was chosen."""
        first, last = sorted((self.panel.first.value(), self.panel.last.value()))
        work = self._chosen()
        if self._runs.propagating:
            # a key that is held comes many times, and each would do all of it again
            self._messages.say("The last propagation still runs.")
            return
        plane = None if work is None else work.edits.plane_in_view()
        if work is None or plane is None or plane.axis is None:
            self._messages.warn("Only volumes have slices to carry boxes through.")
            return
        options = self.panel.carry.options(spacing_around(work.layers.image, plane))
        route = Route(plane, first, last, self.panel.carry.reach, options)
        inside = route.objects(work.session.open_objects.values())
        outside = ", ".join(str(item.id) for item in work.session.open_objects.values() if item not in inside)
        if route.reach is Reach.BOXES:
            why = (
                "An object needs two boxes, or masks corrected by hand, on different slices: "
                "go to another slice and press Box here, too."
            )
            left, none = f"Objects with one box stay where they are: {outside}.", why
        else:
            left = f"Boxes outside slices {first} to {last} stay where they are: {outside}."
            none = "Draw a box on one of the slices first."
        if outside:
            self._messages.warn(left)
        if inside:
            self._runs.propagate(work, route)
        else:
            self._messages.warn(none)

    def cancel(self) -> None:
        """Stop a propagation; what is done stays."""
        self._runs.cancel()

    # ---- review

    def go_to(self, position: int) -> None:
        """Show a slice of the current object."""
        work = self._chosen()
        if work is not None and (item := work.session.current_object) is not None and item.plane.axis is not None:
            show_plane(work.layers.image, self.viewer.dims, item.plane.moved(position))

    def worst(self) -> None:
        """Show the current object's slice with the lowest predicted IoU."""
        worst = self.panel.review_section.strip.worst
        if worst is not None:
            self.go_to(worst)

    def compare(self) -> None:
        """Compare all objects with the reference, in a worker."""
        work, reference = self._chosen(), self._reference()
        if work is None or reference is None or self._side_runner.busy:
            return
        work.edits.catch_up()
        image, shape = work.layers.image, work.session.shape
        truth, spacing = pixels_of(reference), spacing_of(image)
        # committed objects, too, which no layer of ours shows as they are; masks are replaced, never changed
        masks = [(item.id, dict(item.masks)) for item in work.session.objects.values()]
        matches: list[Match] = []

        def steps() -> "Iterator[Match]":
            from ..evaluation import match_objects

            labels = blank_labels(shape)
            for id, own in masks:
                for plane, mask in own.items():
                    mask.paint(labels[plane.index], id)
            yield from match_objects(labels, np.asarray(truth), spacing, NSD_TOLERANCE)

        def end(error: Exception | None) -> None:
            if error is not None:
                self._messages.fail("Comparison", error)
            elif work is self._chosen():
                self.panel.review_section.show_matches(matches, f"{image.units[-1]:~}")
                self._messages.say(f"Compared with '{reference.name}'.")

        self._messages.say(f"Comparing with '{reference.name}' …")
        self._side_runner.start(steps, matches.append, end)
