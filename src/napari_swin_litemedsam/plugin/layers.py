"""The napari layers of one image's session: they show what it holds.

Only the GUI thread may call what is here.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Points, Shapes
from napari.utils.colormaps import CyclicLabelColormap
from napari.utils.colormaps.standardize_color import transform_color
from numpy.typing import ArrayLike, NDArray

from .images import geometry_of, linear_map, pixels_of, spatial_shape
from .loading import LazyPredictor
from .objects import Change
from .planes import Box, Plane, blank_labels
from .session import Session

if TYPE_CHECKING:
    import napari

KINDS = np.array(["negative", "positive"], object)  # by point label
_KIND_COLOURS = {"positive": "#2ecc40", "negative": "#ff4136"}
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


class SessionLayers:
    """Boxes, points, scribble and masks of one image, as layers that lie where the image lies.

    Parameters
    ----------
    viewer : napari viewer
        The boxes' layer is added at once, the others with the first box. Layers that already have the
        names of ours are taken over, with what they hold.
    image : Image layer
        What is segmented.
    predictor : LazyPredictor
        For the session.
    """

    def __init__(self, viewer: "napari.Viewer", image: "napari.layers.Image", predictor: LazyPredictor):
        self.viewer, self.image = viewer, image
        self.session = Session(pixels_of(image), spatial_shape(image), predictor)
        self.kind = "positive"
        self.quiet = False
        self.points: Points | None = self._find(Points, "points", {"object", "kind"})
        self.scribble: Labels | None = self._find(Labels, "scribble")
        self.masks: Labels | None = self._find(Labels, "masks")
        self.result: Labels | None = self._find(Labels, "result")
        if self.result is not None:
            self.session.adopt_result(np.asarray(self.result.data))
        self.carried: Shapes | None = self._find(Shapes, "carried boxes", {"object", "slice"})
        self.boxes: Shapes | None = self._find(Shapes, "boxes") or self._add_boxes()
        if "object" not in self.boxes.features:
            self.boxes.features = {"object": np.zeros(len(self.boxes.data), int)}

    def _find(self, kind: type[Any], suffix: str, features: AbstractSet[str] = frozenset()) -> Any:
        """A layer from before, by its name: of a file, of a widget that was closed."""
        layer: Any
        for layer in self.viewer.layers:
            if layer.name != f"{self.image.name} {suffix}" or not isinstance(layer, kind):
                continue
            fits = layer.data.shape == self.session.shape if kind is Labels else layer.ndim == len(self.session.shape)
            if fits and features <= set(getattr(layer, "features", ())):
                return layer
        return None

    def _add_boxes(self) -> Any:
        return self.viewer.add_shapes(
            name=f"{self.image.name} boxes",
            ndim=len(self.session.shape),
            edge_width=self._unit,
            edge_color="yellow",
            face_color="transparent",
            features={"object": np.zeros(0, int)},
            feature_defaults={"object": 0},
            text={"string": "{object}", "anchor": "upper_left", "color": "yellow", "size": 10},
            **geometry_of(self.image),
        )

    @property
    def _unit(self) -> float:
        """Width of a thin line, in image pixels."""
        return max(1.0, max(self.session.shape[-2:]) / 256)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Mark changes of the layers as ours, so that they are not taken for the user's."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    # ---- where things lie

    @property
    def outdated(self) -> bool:
        """Whether the image has another size than at the beginning."""
        return spatial_shape(self.image) != self.session.shape

    def fits(self, labels: Labels) -> bool:
        """Whether a layer of labels still has the size of the image that the session began with."""
        return labels.data.shape == self.session.shape and not self.outdated

    def in_image(self, layer: Any, positions: ArrayLike) -> NDArray[np.float64]:
        """Carry positions in one of our layers, ``(N, ndim)``, to the image's pixels through the world."""
        return _carried(positions, layer, self.image)

    # ---- which layers there are

    def own(self) -> list[Any]:
        """Our layers that exist, from the bottom to the top."""
        layers = (self.result, self.masks, self.scribble, self.points, self.carried, self.boxes)
        return [layer for layer in layers if layer is not None]

    def ensure(self) -> bool:
        """Add those of our layers that are missing, with what the session holds; return whether any was."""
        added = False
        while self.add_missing():
            added = True
        return added

    def add_missing(self) -> bool:
        """Add the first of our layers that is missing; return whether one was. To napari this is slow work."""
        name = self.image.name
        with self._keeping_selection():
            if self.boxes is None:
                self.boxes = self._add_boxes()
            elif self.masks is None:
                self.masks = self._add_labels(f"{name} masks", opacity=0.4)
            elif self.scribble is None:
                self.scribble = self._add_labels(f"{name} scribble", opacity=1)
                self.scribble.brush_size = max(2, round(2 * self._unit))
            elif self.points is None:
                self.points = self._add_points()
            else:
                return False
            self._move_boxes_up()
        if self.scribble is not None and self.points is not None:
            objects = self.session.objects.values()
            planes = {plane for item in objects for plane in (item.plane, *item.masks)}
            self.show(Change(frozenset(self.session.objects), frozenset(planes), False))
        return True

    def forget(self, layer: Any) -> bool:
        """Leave a layer to the user, and let `ensure` make another; return whether it was one of ours."""
        mine = [
            name
            for name in ("boxes", "points", "scribble", "masks", "carried", "result")
            if getattr(self, name) == layer
        ]
        for name in mine:
            setattr(self, name, None)
        return bool(mine)

    @contextmanager
    def _keeping_selection(self) -> Iterator[None]:
        active = self.viewer.layers.selection.active
        yield
        self.viewer.layers.selection.active = active

    def _move_boxes_up(self) -> None:
        layers = self.viewer.layers
        if self.boxes is not None:
            layers.move(layers.index(self.boxes), len(layers))

    def _add_labels(self, name: str, **options: Any) -> Any:
        return self.viewer.add_labels(
            blank_labels(self.session.shape),
            name=name,
            colormap=palette(),
            **options,
            **geometry_of(self.image),
        )

    def _add_result(self, labels: NDArray) -> Any:
        with self._keeping_selection():
            layer = self.viewer.add_labels(
                labels, name=f"{self.image.name} result", colormap=palette(), opacity=0.6, **geometry_of(self.image)
            )
            self._move_boxes_up()
        # below what is being worked on
        layers = self.viewer.layers
        layers.move(layers.index(layer), layers.index(self.image) + 1)
        return layer

    def _add_points(self) -> Any:
        return self.viewer.add_points(
            name=f"{self.image.name} points",
            ndim=len(self.session.shape),
            size=4 * self._unit,
            features={"object": np.zeros(0, int), "kind": np.zeros(0, object)},
            feature_defaults={"object": 0, "kind": self.kind},
            face_color="kind",
            face_color_cycle=_KIND_COLOURS,
            border_color="white",
            **geometry_of(self.image),
        )

    def _add_carried(self) -> Any:
        with self._keeping_selection():
            layer = self.viewer.add_shapes(
                name=f"{self.image.name} carried boxes",
                ndim=len(self.session.shape),
                edge_width=self._unit / 2,
                edge_color="orange",
                face_color="transparent",
                features={"object": np.zeros(0, int), "slice": np.zeros(0, int)},
                **geometry_of(self.image),
            )
            self._move_boxes_up()
        layer.editable = False
        return layer

    # ---- what they show

    def show(self, change: Change) -> None:
        """Show what has changed in the session."""
        self._show_boxes()
        for id in change.ids:
            self._show_points(id)
            self._show_carried_boxes(id)
        for plane in change.planes:
            if self.scribble is not None:
                self.session.draw_scribbles(self.scribble.data[plane.index], plane, change.ids)
            if self.masks is not None:
                self.session.draw_masks(self.masks.data[plane.index], plane, change.ids)
        if self.session.result is not None and self.result is None:
            self.result = self._add_result(self.session.result)
        self._refresh(self.scribble, self.masks, self.result)
        self.show_current()

    def show_current(self) -> None:
        """Let new points and strokes belong to the session's current object."""
        id = self.session.current or 0
        with self.changing():
            for labels in (self.scribble, self.masks):
                if labels is not None and id:
                    labels.selected_label = id
            if self.points is not None:
                self.points.feature_defaults = {"object": id, "kind": self.kind}

    def choose_kind(self, kind: str) -> None:
        """Let the next points be ``positive`` or ``negative``."""
        self.kind = kind
        if self.points is not None:
            # napari takes the features of selected points for new ones
            self.points.selected_data = set()
        self.show_current()

    def select(self, id: int) -> None:
        """Select an object's box and points in their layers."""
        with self.changing():
            for layer in (self.boxes, self.points):
                if layer is not None:
                    layer.selected_data = set(_rows_of(layer, [id]))
            if self.masks is not None:
                self.masks.selected_label = id
        # napari takes the features of selected points for new ones
        self.show_current()

    def set_owners(self, ids: list[int]) -> None:
        """Write each box's object into its features, which also number it on the canvas."""
        if self.boxes is not None and ids != self.boxes.features["object"].tolist():
            with self.changing():
                self.boxes.features = {"object": np.array(ids, int)}

    def show_names(self) -> None:
        """Write the objects' names into the features of masks and result, from where napari shows and we save them."""
        objects = self.session.objects
        for labels in (self.masks, self.result):
            if labels is None:
                continue
            before = labels.features.to_dict("list")
            # labels that are of no object keep the names that they came with
            names = {id: name for id, name in _named(before) if id not in objects}
            names |= {item.id: item.name for item in objects.values() if item.name}
            features = {"index": list(names), "name": list(names.values())}
            if features != before and (names or before.get("index")):
                with self.changing():
                    labels.features = features

    def colour_of(self, id: int) -> NDArray:
        """RGBA of an object's mask."""
        return _COLOURS[(id - 1) % len(_COLOURS)]

    def _show_boxes(self) -> None:
        """Bring the layer of boxes up to date, leaving shapes alone that stand for the boxes of their objects."""
        boxes = self.boxes
        if boxes is None:
            return
        wanted = {item.id: item.boxes for item in self.session.open_objects.values()}
        stale = []
        for row, (id, shape) in enumerate(zip(boxes.features["object"].tolist(), boxes.data, strict=True)):
            own = wanted.get(id, {})
            corners = self.in_image(boxes, shape)
            plane = next((plane for plane, box in own.items() if self._stands_for(corners, plane, box)), None)
            if plane is None:
                stale.append(row)
            else:
                del own[plane]
        missing = [(id, plane, box) for id in sorted(wanted) for plane, box in wanted[id].items()]
        if not (stale or missing):
            return
        with self.changing():
            boxes.selected_data = set()
            boxes.remove(stale)
            for id, plane, box in missing:
                boxes.feature_defaults = {"object": id}
                # wherever the user has put this layer
                boxes.add_rectangles(_carried(plane.rectangle(box), self.image, boxes))

    def _stands_for(self, corners: NDArray, plane: Plane, box: Box) -> bool:
        low, high = corners.min(axis=0), corners.max(axis=0)
        same = np.allclose(np.concatenate([plane.drop(low[None]), plane.drop(high[None])], axis=1), box)
        return same and Plane.of(self.session.shape, plane.spans, (low + high) / 2) == plane

    def _show_points(self, id: int) -> None:
        points, item = self.points, self.session.open_objects.get(id)
        if points is None:
            return
        positions = np.zeros((0, points.ndim)) if item is None else item.plane.lift(item.points)
        kinds = KINDS[:0] if item is None else KINDS[item.point_labels]
        others = (points.features["object"] != id).to_numpy(bool)
        before, before_kinds = np.asarray(points.data)[~others], points.features["kind"].to_numpy(object)
        same = before.shape == positions.shape and np.allclose(before, positions)
        if same and np.array_equal(before_kinds[~others], kinds):
            return
        owners = points.features["object"].to_numpy(int)[others]
        with self.changing():
            points.selected_data = set()
            points.data = np.concatenate([np.asarray(points.data)[others], positions])
            points.features = {
                "object": np.concatenate([owners, np.full(len(positions), id)]),
                "kind": np.concatenate([before_kinds[others], kinds]),
            }
            points.face_color = "kind"
            points.face_color_cycle = _KIND_COLOURS

    def _show_carried_boxes(self, id: int) -> None:
        item = self.session.open_objects.get(id)
        wanted = {} if item is None else {p.position: p.rectangle(box) for p, box in item.carried.items()}
        if item is not None:
            for plane in item.boxes:
                wanted.pop(plane.position, None)
        if self.carried is None:
            if not wanted:
                return
            self.carried = self._add_carried()
        layer = self.carried
        rows = np.flatnonzero(layer.features["object"].to_numpy(int) == id)
        stale = []
        for row, position in zip(rows.tolist(), layer.features["slice"].to_numpy(int)[rows].tolist(), strict=True):
            if position in wanted and np.allclose(wanted[position], layer.data[row]):
                del wanted[position]
            else:
                stale.append(row)
        if stale:
            layer.remove(stale)
        for position, corners in wanted.items():
            layer.feature_defaults = {"object": id, "slice": position}
            layer.add_rectangles(corners)

    def _refresh(self, *layers: Any) -> None:
        with self.changing():
            for layer in layers:
                if layer is not None:
                    layer.refresh()


def _rows_of(layer: Any, ids: list[int]) -> list[int]:
    return np.flatnonzero(np.isin(layer.features["object"].to_numpy(int), ids)).tolist()


_COLOURS = transform_color(_PALETTE[1:])  # of the ids 1, 2, ..., and again from the first


def palette() -> CyclicLabelColormap:
    """The colours of masks and scribbles; each layer needs its own, since napari writes into it."""
    return CyclicLabelColormap(colors=_PALETTE)


def _carried(positions: ArrayLike, source: Any, target: Any) -> NDArray[np.float64]:
    """Positions in a layer, ``(N, ndim)``, as positions in another one, through the world."""
    positions = np.asarray(positions, float).reshape(-1, target.ndim)
    matrix, offset = linear_map(lambda position: target.world_to_data(source.data_to_world(position)), target.ndim)
    carried = positions @ matrix.T + offset
    # a layer that lies where the other lies adds rounding errors and nothing else
    return positions if np.allclose(carried, positions, atol=1e-6) else carried


def _named(features: dict[str, list[Any]]) -> Iterator[tuple[int, str]]:
    return zip(features.get("index", []), features.get("name", []), strict=False)
