"""From a scan and its boxes to labels, and to a picture of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Scan
from ..io.boxes import ScanBox
from ..io.files import replacing, smallest_labels
from ..io.segments import COLOURS

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..propagation import Options
    from ..tracks import Track

Window = tuple[float, float] | None
_COLOURS = np.array([list(bytes.fromhex(colour[1:])) for colour in COLOURS], np.uint8)


def segment(
    scan: Scan,
    boxes: Sequence[ScanBox],
    predictor: "Predictor",
    window: Window = None,
    options: "Options | None" = None,
    span: tuple[int, int] | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> NDArray[np.integer]:
    """Label ids of the boxes; later boxes cover earlier ones.

    Parameters
    ----------
    scan, boxes
        What is segmented.
    predictor : Predictor
        Makes the masks.
    window : (low, high), optional
        Intensities that the model sees; the whole range of each slice by default.
    options : Options, optional
        How objects are carried through a volume.
    span : (first, last), optional
        The slices to be segmented, both included.
    progress : callable
        Given the steps done and, at most, to be done.

    Raises
    ------
    ValueError
        If a box or the span lies outside the scan, or a box outside the span.
    """
    ids = smallest_labels([0, *(box.segment.id for box in boxes)])
    if scan.is_volume:
        tracks, owners = tracks_of(boxes, len(scan.array), span)
        places = _through(scan.array, tracks, owners, predictor, window, options, progress)
        return ids[places]
    labels = np.zeros(scan.array.shape[:2], ids.dtype)
    predictor.set_image(scan.array, window)
    results = predictor.predict_each([box.corners for box in boxes])
    for done, (box, result) in enumerate(zip(boxes, results, strict=True), 1):
        labels[result.mask] = box.segment.id
        progress(done, len(boxes))
    return labels


def tracks_of(
    boxes: Sequence[ScanBox], depth: int, span: tuple[int, int] | None = None
) -> tuple[list["Track"], list[int]]:
    """The ways through the volume, and for each the place of its box, from 1.

    A box in 3D is a way of its own. Boxes on slices that share a label are one, which passes through all of them and
    goes on until a rule ends it.

    Raises
    ------
    ValueError
        If the span lies outside the volume, or a box outside the span.
    """
    from ..tracks import Track

    first, last = span or (0, depth - 1)
    if first > last:
        raise ValueError(f"the range of slices is reversed: {first} to {last}")
    if first < 0 or last >= depth:
        raise ValueError(f"the range of slices {first} to {last} is outside 0..{depth - 1}")
    tracks, owners = [], []
    flat: dict[int, tuple[int, dict[int, NDArray]]] = {}
    for place, box in enumerate(boxes, 1):
        if box.z is None:
            if round(box.corners[0]) > last or round(box.corners[3]) < first:
                raise ValueError(f"box {place} has no slice in the range {first} to {last}")
            tracks.append(Track.of_box(box.corners, within=(first, last)))
            owners.append(place)
        else:
            if not first <= box.z <= last:
                raise ValueError(f"box {place}: its slice {box.z} is outside the range {first} to {last}")
            on_slices = flat.setdefault(box.segment.id, (place, {}))[1]
            if box.z in on_slices:
                raise ValueError(f"box {place}: label {box.segment.id} has another box on slice {box.z}")
            on_slices[box.z] = box.corners
    ends = (None, None) if span is None else span
    for place, on_slices in flat.values():
        tracks.append(Track(on_slices, *ends))
        owners.append(place)
    return tracks, owners


def _through(
    volume: NDArray,
    tracks: Sequence["Track"],
    owners: Sequence[int],
    predictor: "Predictor",
    window: Window,
    options: "Options | None",
    progress: Callable[[int, int], Any],
) -> NDArray[np.uint16]:
    from ..propagation import Options, follow

    places = np.zeros(volume.shape, np.uint16)
    options = options or Options()
    total = options.count(tracks, len(volume))
    for done, step in enumerate(follow(volume, tracks, predictor, window, options=options), 1):
        step.paint(places[step.z], owners[step.object])
        progress(done, total)
    return places


def write_overlay(path: Path, scan: Scan, labels: NDArray[np.integer], window: Window = None) -> None:
    """Write a PNG of the image, or of the volume's slice with the most labels, with every object's contour."""
    from skimage.io import imsave
    from skimage.segmentation import find_boundaries

    image = scan.array
    if scan.is_volume:
        z = int(np.count_nonzero(labels, axis=(1, 2)).argmax())
        image, labels = image[z], labels[z]
    image = image.astype(np.float32)
    if window is None:
        window = (0, 255) if scan.array.dtype == np.uint8 else (np.nanmin(image), np.nanmax(image))
    low, high = window
    picture = np.clip((np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    picture = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture[..., :3].copy()
    # inside, so that touching objects keep their own colours
    contour = find_boundaries(labels, mode="inner")
    picture[contour] = _COLOURS[(labels[contour].astype(int) - 1) % len(_COLOURS)]
    with replacing(path) as unfinished:
        imsave(unfinished, picture, check_contrast=False)
