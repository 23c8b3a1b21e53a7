"""Hiding single objects on the canvas: only colours change, nothing is lost."""

from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from .layers import SessionLayers
from .palette import BOX_COLOUR, CARRIED_COLOUR, colour_of, palette
from .results import MOST_IDS

_SHOWN = {"boxes": BOX_COLOUR, "carried": CARRIED_COLOUR}
_HIDDEN = "transparent"


def show_all_but(layers: SessionLayers, hidden: AbstractSet[int]) -> None:
    """Show every object of a session but the hidden ones.

    Parameters
    ----------
    layers : SessionLayers
        Whose layers are meant.
    hidden : set of int
        Label ids.
    """
    with layers.changing():
        for labels in (layers.masks, layers.scribble):
            if labels is not None:
                labels.colormap = _colours(layers, hidden) if hidden else palette()
        if layers.points is not None:
            layers.points.shown = ~np.isin(layers.points.features["object"].to_numpy(int), list(hidden))
        for name, colour in _SHOWN.items():
            shapes = getattr(layers, name)
            if shapes is not None and len(shapes.data):
                owners = shapes.features["object"].to_numpy(int)
                # napari takes the colour of a selected shape, which may be a hidden one, for new ones
                shapes.current_edge_color = colour
                shapes.edge_color = colours = [_HIDDEN if id in hidden else colour for id in owners]
                # the number beside it
                shapes.text.color = colours if hidden else colour
    shade_result(layers, hidden)


def shade_result(layers: SessionLayers, hidden: AbstractSet[int] | None) -> None:
    """Show no label of hidden objects in the result, nor of those that are edited again: their masks stand for them.

    None shows all as they were.
    """
    result, session = layers.result, layers.session
    again = {item.id for item in session.open_objects.values() if item.result_planes}
    unseen = frozenset() if hidden is None else frozenset(session.objects.keys() & (hidden | again))
    own, shaded = layers.own_colours, layers.shaded
    if result is None or (own is not None and own[0] is not result):
        layers.own_colours, layers.shaded = None, frozenset()
        return
    if unseen == shaded:
        return
    if own is None:
        own = layers.own_colours = result, result.colormap
    ids = np.array(sorted(session.known_labels() | {MOST_IDS}))
    colours = dict(zip(ids.tolist(), own[1].map(ids), strict=True))
    # labels that were not found yet look like one of the others
    others = {None: colours.pop(MOST_IDS), 0: _HIDDEN}
    with layers.changing():
        seen = DirectLabelColormap(color_dict=colours | others | dict.fromkeys(unseen, _HIDDEN))
        result.colormap = seen if unseen else own[1]
    layers.shaded = unseen
    if not unseen:
        layers.own_colours = None


def _colours(layers: SessionLayers, hidden: AbstractSet[int]) -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: _HIDDEN, 0: _HIDDEN}
    for id in layers.session.objects:
        colours[id] = _HIDDEN if id in hidden else colour_of(id)
    return DirectLabelColormap(color_dict=colours)
