"""What the layers of an image show: brought up to date with its session, without touching what is right already.

Only the GUI thread may call what is here.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .images import through_world
from .objects import Change
from .planes import Box, Plane

if TYPE_CHECKING:
    from napari.layers import Labels, Shapes

    from .layers import SessionLayers

KINDS = np.array(["negative", "positive"], object)  # by point label
KIND_COLOURS = {"positive": "#2ecc40", "negative": "#ff4136"}


def show(layers: "SessionLayers", change: Change) -> None:
    """Show what has changed in the session; in the midst of a propagation, leave to `show_rest` what takes long."""
    # at once, since what is not there would be taken for erased by the user
    _draw_scribbles(layers, change)
    _draw_masks(layers, change)
    layers.unshown.append(change)
    if not change.goes_on:
        show_rest(layers)


def show_rest(layers: "SessionLayers") -> None:
    """Show what was left for later."""
    changes, layers.unshown = layers.unshown, []
    if not changes:
        return
    ids = frozenset().union(*(change.ids for change in changes))
    show_boxes(layers)
    _show_points(layers, ids)
    _show_carried_boxes(layers, ids)
    if any(change.planes for change in changes):
        _refresh(layers, layers.scribble, layers.masks, layers.result)
    show_current(layers)


def show_all(layers: "SessionLayers", name: str) -> None:
    """Show in one of the layers, which is new, all that there is in the session."""
    items = layers.session.objects
    planes = frozenset(plane for item in items.values() for plane in (item.plane, *item.masks))
    everything = Change(frozenset(items), planes, False)
    if name == "boxes":
        show_boxes(layers)
    elif name == "points":
        _show_points(layers, everything.ids)
    elif name == "carried":
        _show_carried_boxes(layers, everything.ids)
    elif planes and name == "scribble":
        _draw_scribbles(layers, everything)
        _refresh(layers, layers.scribble)
    elif planes and name == "masks":
        _draw_masks(layers, everything)
        _refresh(layers, layers.masks)
    show_current(layers)


def _draw_scribbles(layers: "SessionLayers", change: Change) -> None:
    if layers.scribble is not None:
        for plane in change.planes:
            layers.session.draw_scribbles(layers.scribble.data[plane.index], plane, change.ids)


def _draw_masks(layers: "SessionLayers", change: Change) -> None:
    if layers.masks is not None:
        for plane in change.planes:
            layers.session.draw_masks(layers.masks.data[plane.index], plane, change.ids)


def _refresh(layers: "SessionLayers", *drawn: "Labels | None") -> None:
    with layers.changing():
        for labels in drawn:
            if labels is not None:
                # its size is as before
                labels.refresh(extent=False, highlight=False)


def show_current(layers: "SessionLayers") -> None:
    """Let new points and strokes belong to the session's current object."""
    id = layers.session.current or 0
    with layers.changing():
        for labels in (layers.scribble, layers.masks):
            if labels is not None and id:
                labels.selected_label = id
        if layers.points is not None:
            layers.points.feature_defaults = {"object": id, "kind": layers.kind}


def choose_kind(layers: "SessionLayers", kind: str) -> None:
    """Let the next points be ``positive`` or ``negative``."""
    layers.kind = kind
    if layers.points is not None:
        # napari takes the features of selected points for new ones
        layers.points.selected_data = set()
    show_current(layers)


def select(layers: "SessionLayers", id: int) -> None:
    """Select an object's box and points in their layers."""
    with layers.changing():
        for layer in (layers.boxes, layers.points):
            if layer is not None:
                layer.selected_data = set(np.flatnonzero(_owners(layer) == id).tolist())
        if layers.masks is not None:
            layers.masks.selected_label = id
    # napari takes the features of selected points for new ones
    show_current(layers)


def set_owners(layers: "SessionLayers", ids: list[int]) -> None:
    """Write each box's object into its features, which also number it on the canvas."""
    if layers.boxes is not None and ids != _owners(layers.boxes).tolist():
        with layers.changing():
            layers.boxes.features = {"object": np.array(ids, int)}


def show_names(layers: "SessionLayers") -> None:
    """Write the objects' names into the features of masks and result, from where napari shows and we save them."""
    names = {item.id: item.name for item in layers.session.objects.values()}
    for labels in (layers.masks, layers.result):
        features = None if labels is None else _renamed(labels.features.to_dict("list"), names)
        if labels is not None and features is not None:
            with layers.changing():
                labels.features = features


def _renamed(features: dict[str, list[Any]], names: dict[int, str]) -> dict[str, list[Any]] | None:
    """Features of labels with the names of objects, all else as it was; None if nothing differs."""
    others = {column: values for column, values in features.items() if column not in ("index", "name")}
    rows = len(next(iter(features.values()), []))
    # without that column napari takes the first row for label 0, and so on
    before = list(zip(features.get("index", range(rows)), features.get("name", [""] * rows), strict=True))
    # labels that are of no object keep the names that they came with
    kept = [row for row, (id, _) in enumerate(before) if others or names.get(id, "kept")]
    after = [(id, names.get(id, name)) for id, name in (before[row] for row in kept)]
    new = [(id, name) for id, name in names.items() if name and id not in dict(before)]
    if after + new == before:
        return None
    ids, named = zip(*after, *new, strict=True) if after or new else ((), ())
    rest = {column: [*(values[row] for row in kept), *[None] * len(new)] for column, values in others.items()}
    return {"index": list(ids), "name": list(named), **rest}


def _owners(layer: Any) -> NDArray[np.int_]:
    """The object of each box or point of a layer."""
    return layer.features["object"].to_numpy(int)


def show_boxes(layers: "SessionLayers") -> None:
    """Bring the layer of boxes up to date, leaving shapes alone that stand for the boxes of their objects."""
    boxes = layers.boxes
    if boxes is None or layers.dragging or layers.drawing:
        # a box that is being drawn or moved, and so stands for none yet, is not taken out of the user's hand
        return
    wanted = {item.id: item.boxes for item in layers.session.open_objects.values()}
    stale = []
    for row, (id, corners) in enumerate(zip(_owners(boxes).tolist(), layers.shapes_in_image(boxes), strict=True)):
        own = wanted.get(id, {})
        plane = next((plane for plane, box in own.items() if _stands_for(layers, corners, plane, box)), None)
        if plane is None:
            stale.append(row)
        else:
            del own[plane]
    missing = [(id, plane.rectangle(box)) for id in sorted(wanted) for plane, box in wanted[id].items()]
    if stale or missing:
        with layers.changing():
            # wherever the user has put this layer
            rectangles = [through_world(rectangle, layers.image, boxes) for _, rectangle in missing]
            _exchange(boxes, stale, rectangles, {"object": [id for id, _ in missing]})
    layers.shown_boxes = layers.session.open_boxes


def _stands_for(layers: "SessionLayers", corners: NDArray, plane: Plane, box: Box) -> bool:
    low, high = corners.min(axis=0), corners.max(axis=0)
    same = np.allclose(np.concatenate([plane.drop(low[None]), plane.drop(high[None])], axis=1), box)
    session = layers.session
    return same and Plane.of(session.shape, plane.spans, (low + high) / 2, session.channel) == plane


def _show_points(layers: "SessionLayers", ids: Collection[int]) -> None:
    points, objects = layers.points, layers.session.open_objects
    if points is None:
        return
    owners, before = _owners(points), np.asarray(points.data)
    before_kinds = points.features["kind"].to_numpy(object)
    wanted: dict[int, tuple[NDArray, NDArray]] = {}
    for id in sorted(ids):
        item, own = objects.get(id), owners == id
        positions = np.zeros((0, points.ndim)) if item is None else item.plane.lift(item.points)
        kinds = KINDS[:0] if item is None else KINDS[item.point_labels]
        same = before[own].shape == positions.shape and np.allclose(before[own], positions)
        if not (same and np.array_equal(before_kinds[own], kinds)):
            wanted[id] = positions, kinds
    if not wanted:
        return
    others = ~np.isin(owners, list(wanted))
    # a point of another object may be in the user's hand
    places = np.cumsum(others) - 1
    held = {int(places[row]) for row in points.selected_data if others[row]}
    with layers.changing():
        points.selected_data = set()
        points.data = np.concatenate([before[others], *(positions for positions, _ in wanted.values())])
        points.features = {
            "object": np.concatenate([owners[others], *(np.full(len(at), id) for id, (at, _) in wanted.items())]),
            "kind": np.concatenate([before_kinds[others], *(kinds for _, kinds in wanted.values())]),
        }
        points.face_color = "kind"
        points.face_color_cycle = KIND_COLOURS
        points.selected_data = held


def _show_carried_boxes(layers: "SessionLayers", ids: Collection[int]) -> None:
    layer, objects = layers.carried, layers.session.open_objects
    if layer is None:
        return
    wanted: dict[tuple[int, int | None], list[NDArray]] = defaultdict(list)
    for item in (objects[id] for id in sorted(ids) if id in objects):
        for plane, box in item.carried.items():
            if plane not in item.boxes:
                wanted[item.id, plane.position].append(plane.rectangle(box))
    stale, shapes = [], layer.data
    for row, key in enumerate(zip(_owners(layer).tolist(), layer.features["slice"].tolist(), strict=True)):
        if key[0] in ids:
            # as near as makes no difference; np.allclose takes long, and there may be thousands
            same = [place for place, corners in enumerate(wanted[key]) if np.abs(corners - shapes[row]).max() < 0.01]
            if same:
                del wanted[key][same[0]]
            else:
                stale.append(row)
    missing = [(*key, corners) for key, rectangles in wanted.items() for corners in rectangles]
    if stale or missing:
        ids_of, positions, rectangles = zip(*missing, strict=True) if missing else ((), (), ())
        _exchange(layer, stale, list(rectangles), {"object": ids_of, "slice": positions})


def _exchange(
    layer: "Shapes", stale: Collection[int], rectangles: list[NDArray], features: dict[str, Sequence[Any]]
) -> None:
    """Take some shapes out of a layer and add others, in one piece each: napari looks at all of them every time."""
    if stale:
        layer.selected_data = set()
        layer.remove(list(stale))
    if rectangles:
        before = layer.features
        layer.add_rectangles(rectangles)
        layer.features = {name: [*before[name], *new] for name, new in features.items()}
