"""What the user wants done to the chosen image: by buttons, keys, the table, or from a script."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QMessageBox

from .actions import TOOLS
from .carrying import Route, elsewhere, told_of_route
from .folder_work import FolderWork
from .images import show_plane, spacing_around, turn_from
from .messages import Messages
from .panel import Panel
from .runs import Runs, Work
from .sessions import Sessions
from .shading import shade_result
from .showing import choose_kind, select, show_names
from .side_jobs import SideJobs
from .visibility import show_all_but

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from .objects import BoxObject
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
    folder : FolderWork
        Goes through the images of one.
    chosen : callable
        Returns the work of the chosen image, or None.
    begin : callable
        Tries to begin work on the chosen image.
    side_jobs : SideJobs
        Runs what need not wait for the model.
    """

    def __init__(
        self,
        viewer: "Viewer",
        panel: Panel,
        runs: Runs,
        messages: Messages,
        sessions: Sessions,
        folder: FolderWork,
        chosen: Callable[[], Work | None],
        begin: Callable[[], None],
        side_jobs: SideJobs,
    ):
        self.viewer, self.panel = viewer, panel
        self._runs, self._messages, self._sessions = runs, messages, sessions
        self._folder = folder
        self._chosen, self._begin = chosen, begin
        self._beside = {"correct": side_jobs.correct, "compare": side_jobs.compare}

    def do(self, name: str) -> None:
        """Do one of the `ACTIONS`."""
        if name in TOOLS:
            self.use_tool(name)
        elif name == "run":
            self.run_waiting()
        else:
            (self._beside.get(name) or getattr(self, name))()

    # ---- channels

    def take_channels(self, axis: int | None) -> None:
        """Take an axis of the image for that of channels, or none."""
        if (work := self._chosen()) is not None and not work.session.objects:
            work.session.take_channel(axis)
            if axis is not None:
                # a box across channels is none
                turn_from(work.layers.image, self.viewer.dims, axis)
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
        if which != "boxes" and self._open_object() is None:
            return
        work.add_layer(which)
        layer = getattr(work.layers, which)
        if which == "points":
            choose_kind(work.layers, name)
        if which != "boxes":
            self._let_count(work, which)
        # prompts lie on slices, and napari draws no boxes in 3D, nor anything in a layer that is hidden
        self.viewer.dims.ndisplay = 2
        if self.viewer.grid.enabled:
            self.viewer.grid.enabled = False
            self._messages.say("Grid mode is off now: in it boxes and prompts lie in other tiles than the image.")
        if not layer.visible:
            # napari slices and paints it anew, even if it is seen already
            layer.visible = True
        self.viewer.layers.selection.active = layer
        layer.mode = mode
        if name == "box":
            work.drawing = True
            self._runs.prepare(work, work.edits.plane_in_view())

    def _let_count(self, work: Work, which: str) -> None:
        """Show the current object, and let the model see its points or its scribble, since the user edits them now."""
        if (id := work.session.current) in work.hidden:
            self.show_or_hide(id, True)
            self._runs.changed.emit()
        seen = self.panel.use_points if which == "points" else self.panel.use_scribble
        if not seen.isChecked():
            seen.setChecked(True)
            self.switch()

    # ---- objects

    def _open_object(self) -> "tuple[Work, BoxObject] | None":
        """The chosen image's work and its current object, if the user can edit that; says why, if not."""
        work = self._chosen()
        item = None if work is None else work.session.current_object
        if work is None or item is None:
            self._messages.warn("Draw a box first, or choose an object: points and scribbles belong to one.")
        elif item.committed:
            self._messages.warn(f"Object {item.id} is committed. Press Edit again first.")
        else:
            return work, item
        return None

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
        if (chosen := self._open_object()) is not None:
            work, item = chosen
            work.session.regenerate(item.id)
            self._runs.edited()

    def run(self, pause: int = 0) -> None:
        """Run the current object again, with its prompts as they are; what is committed or made elsewhere stays."""
        work = self._chosen()
        item = None if work is None else work.session.current_object
        if work is not None and item is not None and not (item.committed or item.given):
            work.session.run_again(item.id)
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
            if ids:
                self._messages.say(f"Deleted: {', '.join(map(str, ids))}.")

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
            shade_result(work.layers, work.hidden)

    def reset_prompts(self) -> None:
        """Go back to the current object's first prompts."""
        if (chosen := self._open_object()) is not None:
            work, item = chosen
            work.session.reset_prompts(item.id)

    def forget_edits(self) -> None:
        """Give the current object's pixels that the user has painted or erased back to the model."""
        if (chosen := self._open_object()) is not None:
            work, item = chosen
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
        chosen = self.panel.table.chosen_ids
        if committed := work.session.commit(chosen, self._rule):
            self._messages.say(f"In the result now: {', '.join(map(str, committed))}.")
            # who looks at objects in 3D goes on doing so
            if self.viewer.dims.ndisplay == 2:
                self.use_tool("box")
        elif work.session.ready(chosen):
            self._messages.say("Nothing was committed.")
        elif waiting := set(chosen) & work.session.open_objects.keys():
            self._warn_of_waiting(waiting)
        elif chosen:
            self._messages.say(f"Committed already: {', '.join(map(str, chosen))}. Edit again brings them back.")
        else:
            self._messages.warn("Nothing was committed: choose an object that has a mask.")

    def reopen(self) -> None:
        """Bring the committed ones of the objects that are chosen in the table back, to edit them again."""
        if (work := self._chosen()) is not None:
            work.edits.catch_up()
            if back := work.session.reopen(self.panel.table.chosen_ids):
                which = ", ".join(map(str, back))
                self._messages.say(f"Back for editing: {which}. The result keeps its labels until you commit again.")

    @property
    def _rule(self) -> "Rule | Ask":
        """Who gets pixels that have a label in the result already, as the panel has it."""
        rules: dict[str, Rule | Ask] = {"keep": "keep", "overwrite": "overwrite", "ask": self._ask_rule}
        return rules[self.panel.overlap.currentText()]

    def _ask_rule(self, others: Collection[int]) -> "Rule | None":
        """Ask the user what is to become of pixels that objects of the result have already."""
        box = QMessageBox(self.panel)
        box.setText(f"The masks lie on objects of the result: {', '.join(map(str, sorted(others)))}.")
        keep = box.addButton("Keep them", QMessageBox.ButtonRole.AcceptRole)
        overwrite = box.addButton("Overwrite them", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return "keep" if box.clickedButton() is keep else "overwrite" if box.clickedButton() is overwrite else None

    def undo(self) -> None:
        """Take back the last step on the image; a propagation that goes on stops."""
        if (work := self._chosen()) is not None and (name := work.edits.undo()):
            self._messages.say(f"Undone: {name}.")

    def redo(self) -> None:
        """Do the step again that was undone last."""
        if (work := self._chosen()) is not None and (name := work.edits.redo()):
            self._messages.say(f"Done again: {name}.")

    # ---- files

    def save_session(self) -> None:
        """Save the session in a file that the user chooses."""
        self._sessions.ask_and_save()

    def open_session(self) -> None:
        """Open a session from a file that the user chooses."""
        self._sessions.ask_and_open()

    # ---- a folder of images

    def open_folder(self) -> None:
        """Go through the images of a folder that the user chooses."""
        if self._commit_all() and (name := QFileDialog.getExistingDirectory(self.panel, "Open a folder of images")):
            self._folder.open(Path(name))

    def next_image(self) -> None:
        """Commit and save what there is on the folder's image, and open the next one."""
        if self._commit_all():
            self._folder.go(1)

    def previous_image(self) -> None:
        """Commit and save what there is on the folder's image, and open the one before."""
        if self._commit_all():
            self._folder.go(-1)

    def _commit_all(self) -> bool:
        """Commit all objects of the folder's image; return whether nothing of it is left to be done."""
        work = self._folder.work
        if work is None:
            return True
        if self._runs.propagating:
            self._messages.warn("A propagation still runs. Let it end, or cancel it.")
            return False
        work.edits.catch_up()
        ids = list(work.session.open_objects)
        if waiting := set(ids) - set(work.session.ready(ids)):
            self._warn_of_waiting(waiting)
            return False
        if ids and not work.session.commit(ids, self._rule):
            self._messages.say("Nothing was committed.")
            return False
        return True

    def _warn_of_waiting(self, ids: Collection[int]) -> None:
        names = ", ".join(map(str, sorted(ids)))
        self._messages.warn(f"Without a mask yet: {names}. Wait for it (with Live off press Run), or delete them.")

    # ---- the window

    def take_window(self) -> None:
        """Run the current object again with what the image shows now."""
        # a propagation goes on with the window that it began with
        if not self._runs.propagating:
            self.run(WINDOW_PAUSE)

    # ---- propagation

    def anchor(self) -> None:
        """Give the current object a box on the slice in view, where propagation had it or else as its others are."""
        if (chosen := self._open_object()) is None:
            return
        work, item = chosen
        plane = work.edits.plane_in_view()
        if plane == item.plane:
            self._messages.say("The box of this slice is the current one already; drag it to fit.")
        elif not plane.joins(item.plane):
            self._messages.warn(f"The boxes of object {item.id} lie {elsewhere([item], plane)}; go back there.")
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
        if work is None:
            self._messages.warn("There is no image with boxes to carry through.")
            return
        plane = work.edits.plane_in_view()
        if plane.axis is None:
            self._messages.warn("Only volumes have slices to carry boxes through.")
            return
        options = self.panel.carry.options(spacing_around(work.layers.image, plane))
        route = Route(plane, first, last, self.panel.carry.reach, options)
        items = list(work.session.open_objects.values())
        if told := told_of_route(items, route):
            self._messages.warn(told)
        if route.objects(items):
            self._runs.propagate(work, route)

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
        worst = self.panel.strip.worst
        if worst is not None:
            self.go_to(worst)
