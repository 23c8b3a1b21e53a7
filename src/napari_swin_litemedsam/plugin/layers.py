"""The napari layers of one image's session: which there are, and where they lie.

Only the GUI thread may call what is here.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Labels, Points, Shapes
from numpy.typing import ArrayLike, NDArray

from .images import channel_of, geometry_of, pixels_of, shift_of, spatial_shape, through_world
from .loading import LazyPredictor
from .objects import Change
from .palette import BOX_COLOUR, CARRIED_COLOUR, Shade, palette
from .planes import Box, Plane, blank_labels
from .session import Session
from .showing import KIND_COLOURS, show_all

if TYPE_CHECKING:
    import napari

    from ..predictor import Predictor


_left: "WeakKeyDictionary[napari.layers.Image, Session]" = WeakKeyDictionary()


def leave(image: "napari.layers.Image", session: Session) -> None:
    """Keep a session, but not its model, for the next widget that works on the image: see `take_up`."""

    def load() -> "Predictor":
        raise RuntimeError("the panel was closed")

    session.predictor = LazyPredictor(load)
    _left[image] = session


def take_up(image: "napari.layers.Image") -> Session | None:
    """The session that the last widget has left of an image."""
    return _left.pop(image, None)


def is_empty(layer: Any) -> bool:
    """Whether there is no shape, no point and no label in a layer."""
    return not np.any(layer.data) if isinstance(layer, Labels) else not len(layer.data)


class SessionLayers:
    """Boxes, points, scribble and masks of one image, as layers that lie where the image lies.

    Parameters
    ----------
    viewer : napari viewer
        Ours are added when `add` or `ensure` is called. Layers that already have the names of ours are taken over,
        with what they hold.
    image : Image layer
        What is segmented.
    predictor : LazyPredictor
        For the session.
    session : Session, optional
        Of a widget that was closed; gone on with if its layer of boxes is still there.
    """

    def __init__(
        self,
        viewer: "napari.Viewer",
        image: "napari.layers.Image",
        predictor: LazyPredictor,
        session: Session | None = None,
    ):
        self.viewer, self.image = viewer, image
        self.session = Session(pixels_of(image), spatial_shape(image), predictor)
        self.session.channel = channel_of(image)
        self.kind = "positive"
        self.quiet = False
        self.dragging = False  # whether the mouse is down on the layer of boxes
        self.drawing = False  # whether a box is begun on it and not ended
        self.shown_boxes: dict[tuple[int, Plane], Box] = {}  # what the layer of boxes shows, by object
        self.unshown: list[Change] = []  # what `show_rest` has still to show
        self.shade: Shade | None = None  # of the result
        self.points: Points | None = self._find(Points, "points", {"object", "kind"})
        self.carried: Shapes | None = self._find(Shapes, "carried boxes", {"object", "slice"})
        self.boxes: Shapes | None = self._find(Shapes, "boxes")
        # without boxes they are somebody else's, and not to be drawn over
        self.scribble: Labels | None = None if self.boxes is None else self._find(Labels, "scribble")
        self.masks: Labels | None = None if self.boxes is None else self._find(Labels, "masks")
        self.result: Labels | None = self._find(Labels, "result")
        self.resumed = session is not None and session.shape == self.session.shape and self.boxes is not None
        if session is not None and self.resumed:
            session.resume(self.session.data, predictor)
            self.session, self.shown_boxes = session, session.open_boxes
        if self.result is not None and self.result.data is not self.session.result:
            self.session.adopt_result(np.asanyarray(self.result.data))
        if self.boxes is not None and "object" not in self.boxes.features:
            self.boxes.features = {"object": np.zeros(len(self.boxes.data), int)}

    def _find(self, kind: type[Any], suffix: str, features: AbstractSet[str] = frozenset()) -> Any:
        """A layer from before, by its name: of a file, of a widget that was closed."""
        layer: Any
        for layer in self.viewer.layers:
            if layer.name != f"{self.image.name} {suffix}" or not isinstance(layer, kind):
                continue
            fits = self.take(layer) if kind is Labels else layer.ndim == len(self.session.shape)
            if fits and features <= set(getattr(layer, "features", ())):
                return layer
        return None

    def take(self, labels: Labels) -> bool:
        """Make sure that objects can be written into labels; return False for those that lie or are kept elsewhere."""
        if not (self.fits(labels) and isinstance(labels.data, np.ndarray) and self.lies_on_image(labels)):
            return False
        wide = np.promote_types(labels.data.dtype, np.uint16)
        if labels.data.dtype != wide or not labels.data.flags.writeable:
            with self.changing():
                labels.data = np.array(labels.data, wide)
        return True

    def lies_on_image(self, layer: Labels) -> bool:
        """Whether the pixels of labels of the image's shape are seen where the image's are."""
        shift = shift_of(layer, self.image)
        return shift is not None and not shift.any()

    @property
    def _unit(self) -> float:
        """Width of a thin line, in image pixels."""
        return max(1.0, max(self.session.shape[-2:]) / 256)

    @property
    def _is_deep(self) -> bool:
        """Whether boxes can be carried through the image."""
        return sum(side > 1 for axis, side in enumerate(self.session.shape) if axis != self.session.channel) > 2

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
        return through_world(positions, layer, self.image)

    def shapes_in_image(self, layer: Shapes) -> list[NDArray[np.float64]]:
        """The corners of each shape of one of our layers, in the image's pixels."""
        shapes = layer.data
        if not shapes:
            return []
        # all at once, since asking napari for its transforms takes longer than all else
        ends = np.cumsum([len(shape) for shape in shapes])
        return np.split(self.in_image(layer, np.concatenate(shapes)), ends[:-1])

    # ---- which layers there are

    def own(self) -> list[Any]:
        """Our layers that exist, from the bottom to the top."""
        layers = (self.result, self.masks, self.scribble, self.points, self.carried, self.boxes)
        return [layer for layer in layers if layer is not None]

    @property
    def missing(self) -> list[str]:
        """Which of our layers, by the names of attributes, are to be there and are not."""
        wanted = ["boxes", "masks", "scribble", "points", *["carried"] * self._is_deep]
        if self.session.result is not None:
            wanted.append("result")
        return [name for name in wanted if getattr(self, name) is None]

    def ensure(self) -> bool:
        """Add those of our layers that are missing, with what the session holds; return whether any was."""
        missing = self.missing
        for name in missing:
            self.add(name)
        return bool(missing)

    def add(self, name: str) -> None:
        """Add one of our layers, with what the session holds. To napari this is slow work."""
        layer = getattr(self, f"_make_{name}")()
        layers = self.viewer.layers
        active = layers.selection.active
        if name == "result":
            # below what is being worked on
            place = layers.index(self.image) + 1
        else:
            place = len(layers) if self.boxes is None else layers.index(self.boxes)
        # first of all, for whoever hears of a new layer to know that it is ours
        setattr(self, name, layer)
        layers.insert(place, layer)
        layers.selection.active = active
        # at once: what a layer does not show yet would be taken for erased by the user
        show_all(self, name)

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

    def show_result(self) -> None:
        """Let the layer of the result hold the array that the session commits to now."""
        labels = self.session.result
        if self.result is not None and labels is not None and self.result.data is not labels:
            with self.changing():
                self.result.data = labels

    def rename(self, before: str) -> None:
        """Let our layers follow the image's name; those that the user has named stay."""
        for layer in self.own():
            if layer.name.startswith(f"{before} "):
                layer.name = f"{self.image.name} {layer.name.removeprefix(f'{before} ')}"

    # ---- new ones

    def _make_boxes(self) -> Shapes:
        return Shapes(
            name=f"{self.image.name} boxes",
            ndim=len(self.session.shape),
            edge_width=self._unit,
            edge_color=BOX_COLOUR,
            face_color="transparent",
            features={"object": np.zeros(0, int)},
            feature_defaults={"object": 0},
            text={"string": "{object}", "anchor": "upper_left", "color": BOX_COLOUR, "size": 10},
            **geometry_of(self.image),
        )

    def _make_masks(self) -> Labels:
        return self._make_labels(blank_labels(self.session.shape), "masks", opacity=0.4)

    def _make_scribble(self) -> Labels:
        layer = self._make_labels(blank_labels(self.session.shape), "scribble", opacity=1)
        layer.brush_size = max(2, round(2 * self._unit))
        return layer

    def _make_result(self) -> Labels:
        assert self.session.result is not None
        return self._make_labels(self.session.result, "result", opacity=0.6)

    def _make_labels(self, labels: NDArray, suffix: str, opacity: float) -> Labels:
        return Labels(
            labels,
            name=f"{self.image.name} {suffix}",
            colormap=palette(),
            opacity=opacity,
            **geometry_of(self.image),
        )

    def _make_points(self) -> Points:
        return Points(
            name=f"{self.image.name} points",
            ndim=len(self.session.shape),
            size=4 * self._unit,
            features={"object": np.zeros(0, int), "kind": np.zeros(0, object)},
            feature_defaults={"object": 0, "kind": self.kind},
            face_color="kind",
            face_color_cycle=KIND_COLOURS,
            border_color="white",
            **geometry_of(self.image),
        )

    def _make_carried(self) -> Shapes:
        layer = Shapes(
            name=f"{self.image.name} carried boxes",
            ndim=len(self.session.shape),
            edge_width=self._unit / 2,
            edge_color=CARRIED_COLOUR,
            face_color="transparent",
            features={"object": np.zeros(0, int), "slice": np.zeros(0, int)},
            **geometry_of(self.image),
        )
        layer.editable = False
        return layer
