"""What the panel shows of the work on the chosen image."""

from .controls import allow
from .ends import why_by_slice
from .images import channel_axes
from .panel import Panel
from .runs import Work


def show_work(panel: Panel, work: Work, reference: bool, resumable: bool) -> None:
    """Bring the panel up to date.

    Parameters
    ----------
    panel : Panel
        Where it is shown.
    work : Work
        Of the chosen image.
    reference : bool
        Whether there are labels to compare with.
    resumable : bool
        Whether its propagation was stopped.
    """
    session, item = work.session, work.session.current_object
    panel.channels.show_axes(channel_axes(work.layers.image), session.channel, bool(session.objects))
    panel.table.show_objects(session.objects.values(), session.current, work.hidden)
    panel.show_switches(session.live, session.use_points, session.use_scribble)
    panel.show_history(session.history.undo_name, session.history.redo_name)
    committed = any(session.objects[id].committed for id in panel.table.chosen_ids)
    panel.enable(True, item, reference, committed)
    if panel.progress.isHidden():
        # a run keeps it off for a reason of its own, and lets it on at its end
        allow(panel.buttons["propagate"])
    depth = 1 if item is None or item.plane.axis is None else session.shape[item.plane.axis]
    scores, ends = ({}, {}) if item is None else (item.iou_by_position, why_by_slice(item))
    panel.strip.show_scores(scores, depth, ends)
    show_position(panel, work)
    if panel.last.maximum() != work.depth - 1:
        # another axis holds channels, since a session was opened or that was undone
        panel.show_range(work.depth)
    panel.show_resumable(resumable)


def show_no_work(panel: Panel, image: bool) -> None:
    """Show that nothing is worked on, perhaps although an image is chosen."""
    panel.channels.show_axes({}, None, False)
    panel.table.show_objects([], None)
    panel.enable(image)
    panel.show_history(None, None)
    panel.strip.show_scores({}, 1)


def show_position(panel: Panel, work: Work) -> None:
    """Mark the slice in view, if it is one of the current object's, and name its channel."""
    session, plane = work.session, work.edits.plane_in_view()
    item = session.current_object
    if session.channel is not None:
        panel.channels.show_channel(plane.at[session.channel] or 0)
    here = item is not None and item.plane.joins(plane)
    panel.strip.show_current(plane.position if here else None)
