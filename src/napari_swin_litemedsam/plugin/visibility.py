"""Hiding single objects on the canvas: only colours change, nothing is lost."""

from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from .layers import SessionLayers
from .palette import BOX_COLOUR, CARRIED_COLOUR, colour_of, palette

_SHOWN = {"boxes": BOX_COLOUR, "carried": CARRIED_COLOUR}
_HIDDEN = "transparent"


def show_all_but(layers: SessionLayers, hidden: AbstractSet[int]) -> None:
    """Show every object of a session but the hidden ones.

    Parameters
    ----------
    layers : SessionLayers
        Their boxes, points, scribbles and masks are meant.
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


def _colours(layers: SessionLayers, hidden: AbstractSet[int]) -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: _HIDDEN, 0: _HIDDEN}
    for id in layers.session.objects:
        colours[id] = _HIDDEN if id in hidden else colour_of(id)
    return DirectLabelColormap(color_dict=colours)
