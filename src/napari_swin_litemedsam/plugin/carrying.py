"""An object of the session as the propagation sees it."""

from typing import TYPE_CHECKING

import numpy as np

from .objects import BoxObject, State

if TYPE_CHECKING:
    from ..propagation import Track


def track_of(item: BoxObject, first: int, last: int, shape: tuple[int, int]) -> "Track":
    """Make the way of an object through slices, ``shape`` each.

    One whose prompts the user has edited keeps the mask on its slice.
    """
    from ..propagation import Track

    z = item.plane.position
    assert z is not None, "only planes that have neighbours are carried"
    known = {}
    patch = item.masks.get(item.plane)
    if patch is not None and item.edited and item.state is State.DONE:
        known[z] = np.zeros(shape, bool)
        patch.paint(known[z], 1)
    return Track({z: item.box}, first, last, known, seed=item.seed)
