"""What the result shows of hidden objects, and of those that are edited again: nothing, while its labels stay."""

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from .palette import OWN_COLOURS, Shade
from .results import MOST_IDS

if TYPE_CHECKING:
    from napari.layers import Labels

    from .layers import SessionLayers


def shade_result(layers: "SessionLayers", hidden: AbstractSet[int]) -> None:
    """Show no label of hidden objects in the result, nor of those that are edited again: their masks stand for them."""
    session, shade = layers.session, _present(layers)
    again = {item.id for item in session.open_objects.values() if item.result_planes}
    unseen = session.objects.keys() & (hidden | again)
    if layers.result is None or not unseen:
        show_whole_result(layers)
        return
    made_of = unseen, session.known_labels()
    if shade is None or shade.made_of != made_of:
        own = layers.result.colormap if shade is None else shade.own
        _colour(layers, layers.result, _without(own, *made_of))
        # colours are saved with labels, and are to be the user's
        layers.result.metadata[OWN_COLOURS] = own
        layers.shade = Shade(layers.result, layers.result.colormap, own, made_of)


def show_whole_result(layers: "SessionLayers") -> None:
    """Give the result back the colours that it had."""
    shade = _present(layers)
    layers.shade = None
    if shade is not None:
        _colour(layers, shade.result, shade.own)
        shade.result.metadata.pop(OWN_COLOURS, None)


def _present(layers: "SessionLayers") -> Shade | None:
    """The shade that the result has; none if the user has given it other colours since, which are its own then."""
    shade = layers.shade
    if shade is not None and shade.result.colormap is not shade.ours:
        shade.result.metadata.pop(OWN_COLOURS, None)
        layers.shade = shade = None
    return shade


def _colour(layers: "SessionLayers", result: "Labels", colours: Any) -> None:
    with layers.changing():
        result.colormap = colours
        # which napari keeps in the colours
        result.show_selected_label = result.show_selected_label


def _without(own: Any, unseen: AbstractSet[int], known: AbstractSet[int]) -> DirectLabelColormap:
    plain = own.model_copy(update={"use_selection": False})
    ids = sorted(known | {MOST_IDS})
    *colours, others = plain.map(np.array(ids)).astype(np.float32)
    # labels that were not found yet look like one of the others
    shaded = DirectLabelColormap(color_dict={None: others})
    # afterwards, since napari checks each colour that it is given at the beginning, and there may be thousands
    shaded.color_dict.update(zip(ids, colours, strict=False))
    shaded.color_dict.update(dict.fromkeys({0, *unseen}, np.zeros(4, np.float32)))
    return shaded
