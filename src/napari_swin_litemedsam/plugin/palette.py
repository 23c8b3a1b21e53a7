"""The colours of objects, the same on the canvas and in the table."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Labels

# the first colour is the background's; all others stand out on grey images
_PALETTE = [
    "#00000000",
    "#00c8ff",
    "#ff8c1a",
    "#c77dff",
    "#ffe14d",
    "#ff5ca8",
    "#5cff9d",
    "#6f8cff",
    "#ff6f61",
    "#b5e61d",
]
OWN_COLOURS = "own colours"  # in the metadata of a labels layer, while it shows others
# stands out on black, on white and on skin
BOX_COLOUR = "magenta"
CARRIED_COLOUR = "orange"
_COLOURS = transform_color(_PALETTE[1:])  # of the ids 1, 2, ..., and again from the first


def palette() -> CyclicLabelColormap:
    """The colours of masks and scribbles; each layer needs its own, since napari writes into it."""
    return CyclicLabelColormap(colors=_PALETTE)


def colour_of(id: int) -> NDArray:
    """RGBA of an object's mask."""
    return _COLOURS[(id - 1) % len(_COLOURS)]


@dataclass(frozen=True)
class Shade:
    """Colours that we have given a result, the user's own, and what ours were made of: unseen and all labels."""

    result: "Labels"
    ours: Any
    own: Any
    made_of: tuple[AbstractSet[int], AbstractSet[int]]
