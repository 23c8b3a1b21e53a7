"""What the user can do by a button or a key, in words; done in `intents`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """A button, with the key that does the same.

    The letters G H J K N Q U W, alone or with Shift, mean nothing to napari in any type of layer.
    """

    text: str
    tip: str
    key: str = ""


ACTIONS = {
    "box": Action(
        "New box", "Draw a rectangle around an object: click, drag, release. Every box becomes an object.", "N"
    ),
    "positive": Action(
        "+ Point", "Click on what belongs to the chosen object. Points can be dragged and deleted.", "J"
    ),
    "negative": Action("− Point", "Click on what does not belong to the chosen object.", "K"),
    "paint": Action("Scribble", "Paint on the chosen object, on the slice of its box.", "H"),
    "erase": Action("Erase", "Take strokes off the scribble.", "W"),
    "undo": Action("Undo", "Take back the last edit, run, propagation or deletion.", "U"),
    "redo": Action("Redo", "Do again what was undone last.", "Shift-U"),
    "regenerate": Action("Regenerate prompts", "Draw other points and another scribble in the chosen box.", "Shift-N"),
    "reset_prompts": Action("Reset prompts", "Go back to the first points and the first scribble of the chosen box."),
    "forget_edits": Action(
        "Forget hand edits", "Give all pixels of the chosen object that you have painted or erased back to the model."
    ),
    "run": Action("Run", "Run the model on everything that has changed, while Live is off.", "Shift-K"),
    "commit": Action(
        "Commit", "Move the chosen objects from the preview to the result, and get ready for the next box.", "Q"
    ),
    "reopen": Action(
        "Edit again",
        "Bring boxes, prompts and masks of the chosen committed objects back to the preview. Their labels stay in the "
        "result until you commit them again.",
    ),
    "correct": Action(
        "Correct label", "Make an object of the reference's selected label, from the slice in view, to correct it."
    ),
    "delete": Action(
        "Delete", "Remove the chosen objects: their boxes, prompts and masks, and what the result has of them."
    ),
    "anchor": Action(
        "Box here, too",
        "Give the chosen object one more box, on the slice in view; drag it to fit. Masks of its other boxes stay, and "
        "on the slices between the boxes are interpolated.",
    ),
    "propagate": Action(
        "Propagate",
        "Carry all boxes through the volume, slice by slice; what is done already is not done again.",
        "G",
    ),
    "cancel": Action("Cancel", "Stop after this slice; the slices that are done stay.", "Shift-G"),
    "worst": Action("Worst slice", "Go to the chosen object's slice with the lowest predicted IoU.", "Shift-J"),
    "save_session": Action(
        "Save session…", "Save boxes, prompts, masks and result in one file, to go on with them another time."
    ),
    "open_session": Action("Open session…", "Go on with a session that was saved; it takes the place of this one."),
    "open_folder": Action(
        "Open folder…",
        "Go through the images of a folder, from the first one without labels. Each one's labels are saved in the "
        "folder 'labels'.",
    ),
    "previous_image": Action("Previous", "Commit all objects, save the labels, and open the last image again."),
    "next_image": Action("Next image", "Commit all objects, save the labels, and open the next image.", "Shift-Q"),
    "compare": Action("Compare", "Compare each object with the label of the reference that covers most of it."),
}
TOOLS = ("box", "positive", "negative", "paint", "erase")


def tip_of(name: str, key: str) -> str:
    """Tooltip of an action that a key does too."""
    return f"{ACTIONS[name].tip}\nKey: {key}" if key else ACTIONS[name].tip
