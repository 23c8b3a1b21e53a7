"""The objects that a label slice shows, each worked on where it lies: crowded images hold thousands."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects
from skimage.measure import label as connected_components

from ..places import around

# parts of one class nearer than this, in pixels of the 256 frame, are what a user puts in one box
SEPARATE_AT = 6
# boxes are drawn up to this many pixels of the 256 frame too large (paper, section 4.2)
BOX_JITTER = 5
# objects of fewer pixels in the frame are no fair question
MIN_AREA = 10

Place = tuple[slice, slice]
Part = tuple[Place, NDArray[np.bool_]]


def parts(labels: NDArray, groups: Sequence[Sequence[int]] = (), apart: float = SEPARATE_AT) -> Iterator[Part]:
    """Yield each object of a label slice as its rows and columns, and its mask in these.

    Parts far from each other are separate objects.

    Parameters
    ----------
    labels : array
        ``(H, W)`` ids, 0 for background.
    groups : sequence of sequences of int
        Ids that form one object together; empty: each id is an object.
    apart : float
        Parts with a gap wider than this, in pixels, are separate.
    """
    reach = round(apart / 2)
    places = {id: place for id, place in enumerate(find_objects(labels), 1) if place}
    for ids in groups or [[id] for id in places]:
        covered = [places[id] for id in ids if id in places]
        if covered:
            rows, columns = around(covered, reach)
            inside = rows, columns
            for place, part in _split(np.isin(labels[inside], ids), reach):
                yield _moved(place, inside), part


def objects(
    labels: NDArray, groups: Sequence[Sequence[int]] = (), apart: float = SEPARATE_AT
) -> Iterator[NDArray[np.bool_]]:
    """Yield the objects of `parts`, whose parameters it has, as masks of the whole slice."""
    for part in parts(labels, groups, apart):
        yield whole(part, labels.shape)


def whole(part: Part, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """An object's mask of the whole slice."""
    place, mask = part
    there = np.zeros(shape, bool)
    there[place] = mask
    return there


def _split(mask: NDArray[np.bool_], reach: int) -> Iterator[Part]:
    """The parts of a mask with gaps wider than twice the reach between them."""
    joined = binary_dilation(mask, iterations=reach) if reach else mask
    numbered = connected_components(joined, connectivity=2) * mask
    for number, place in enumerate(find_objects(numbered), 1):
        yield place, numbered[place] == number


def with_area(box: NDArray) -> NDArray[np.float64]:
    """A box (y0, x0, y1, x1), of a line one pixel thick made a pixel wide, since it would have no area."""
    low, high = np.split(np.asarray(box, float), 2)
    thin = (high <= low) / 2
    return np.concatenate([low - thin, high + thin])


def _moved(place: Place, origin: Place) -> Place:
    rows, columns = (slice(s.start + o.start, s.stop + o.start) for s, o in zip(place, origin, strict=True))
    return rows, columns
