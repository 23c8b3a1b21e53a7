"""A predictor without a network, and a viewer with the widget in it."""

import gc
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
import wrapt
from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QThreadPool

from napari_swin_litemedsam.answers import Prediction
from napari_swin_litemedsam.plugin import autosave
from napari_swin_litemedsam.plugin.layers import SessionLayers
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.planes import Plane
from napari_swin_litemedsam.plugin.showing import show
from napari_swin_litemedsam.plugin.widget import SwinLiteMedSAMWidget
from napari_swin_litemedsam.plugin.workbench import Workbench
from napari_swin_litemedsam.predictor import clip_box

BOX = (10, 20, 30, 50)
PIXELS = np.random.default_rng(0).random((48, 64))
FLAT = Plane((None, None))  # of an image without depth
SECOND = Plane((1, None, None), axis=0)  # slice of a volume


def axial(z):
    """A slice of a volume."""
    return Plane((z, None, None), axis=0)


class FakePredictor:
    """Fills the box, except for rows above negative points; remembers what it was asked."""

    def __init__(self):
        self.backend = SimpleNamespace(description="nothing")
        self.milliseconds = {"encode": 12.3}
        self.small = False  # whether to answer as for a small object that was not looked at yet
        self.calls = []
        self.images = []
        self.allowed = Event()
        self.allowed.set()

    def set_image(self, image, window=None, key=None, zoom=None):
        self.images.append((np.array(image), window, key))

    def predict_soon(self, *asked):
        if self.small:
            yield self.predict(*asked, first_look=True), False
        yield self.predict(*asked), True

    def predict(
        self,
        box,
        points=None,
        point_labels=None,
        scribble=None,
        seed=0,
        placed=None,
        painted=None,
        first_look=False,
    ):
        assert self.allowed.wait(10)
        height, width = self.images[-1][0].shape[:2]
        self.calls.append({"box": box, "points": points, "labels": point_labels, "scribble": scribble, "seed": seed})
        self.calls[-1] |= {"placed": placed, "painted": painted}
        box = clip_box(box, height, width)
        y0, x0, y1, x1 = np.rint(box).astype(int)
        mask = np.zeros((height, width), bool)
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
        if first_look:
            mask[y1] = False
        if points is None:
            points = np.array([[y0 + 1 + seed, x0 + 1], [y0 + 1, x1 - 1], [y1 - 1, x1 - 1], [y1 - 1, x0 + 1]], float)
            point_labels = np.ones(4, int)
        for y, _ in points[np.asarray(point_labels) == 0]:
            mask[: int(y)] = False
        if scribble is None:
            scribble = np.zeros((height, width), bool)
            scribble[(y0 + y1) // 2, x0 + 2 : x1 - 1] = True
        elif scribble is not False:
            mask |= scribble
        drawn = np.zeros_like(mask) if scribble is False else scribble
        return Prediction(mask, mask.astype(np.float32), 0.9, points, np.asarray(point_labels), drawn, box)

    def predict_each(self, boxes, seeds=None):
        return [self.predict(box, seed=seed) for box, seed in zip(boxes, seeds or [0] * len(boxes), strict=True)]


@pytest.fixture(scope="session", autouse=True)
def settings_stay_in_memory():
    """Keep tests from writing the plugin's settings to the user's folder."""
    get_plugin_settings(path_dir=None)


@pytest.fixture
def saves_at_once(monkeypatch):
    """Keep tests of what is saved behind the user's back from waiting for a pause."""
    monkeypatch.setattr(autosave, "PAUSE", 20)


@pytest.fixture(autouse=True)
def own_data(monkeypatch, tmp_path):
    """Keep what is saved behind the user's back out of the user's folder, and each test's from the next."""
    monkeypatch.setenv("SWIN_LITEMEDSAM_DATA", str(tmp_path / "user data"))


@pytest.fixture
def predictor():
    fake = FakePredictor()
    yield fake
    fake.allowed.set()
    # no test may leave a worker behind for the next
    assert QThreadPool.globalInstance().waitForDone(5000)


@pytest.fixture(scope="session")
def spared_collector():
    """Keep the half million objects of imported modules out of the collections that napari does around each viewer."""
    import napari.qt  # noqa: F401

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def viewer(request):
    """A viewer: its model alone, which is many times faster, except in tests marked ``window``."""
    if request.node.get_closest_marker("window") is None:
        return ViewerModel()
    request.getfixturevalue("spared_collector")
    return request.getfixturevalue("make_napari_viewer_proxy")()


def fill(panel):
    """Fill all sections of a panel at once."""
    while panel.fill_next():
        pass


@pytest.fixture
def open_widget(request, viewer, predictor, qtbot):
    """Open what is in the widget, docked if there is a window, its image chosen."""

    def open_it(load=lambda: predictor):
        if request.node.get_closest_marker("window") is None:
            workbench = Workbench(viewer, load=load)
            fill(workbench.panel)
            qtbot.addWidget(workbench)
        else:
            widget = SwinLiteMedSAMWidget(viewer, load=load)
            viewer.window.add_dock_widget(widget, name="Segment from boxes")
            workbench = widget.workbench
        return workbench

    return open_it


@pytest.fixture
def model():
    """What a viewer without a window is."""
    return ViewerModel()


@pytest.fixture
def make(model, predictor):
    """Make the layers of an image, which show its session."""

    def do(shape=(4, 20, 30), rgb=False, **geometry):
        image = model.add_image(np.zeros(shape), name="scan", rgb=rgb, **geometry)
        layers = SessionLayers(model, image, LazyPredictor(lambda: predictor))
        layers.session.changed.connect(lambda change: show(layers, change))
        layers.add("boxes")
        return layers

    return do


def answer(session, request):
    """Let the model answer a request; return the object, or None if it has changed since."""
    for given in session.compute(request):
        item = session.accept(request, *given)
    return item


def run_on(layers, plane=SECOND, box=(2.0, 3.0, 9.0, 12.0)):
    """Make an object with an answer, and the layers that show it."""
    session = layers.session
    item = session.add_box(plane, box)
    layers.ensure()
    request = session.next_request(None)
    answer(session, request)
    return item


@pytest.fixture
def picture(viewer):
    return viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")


@pytest.fixture
def volume(viewer):
    layer = viewer.add_image(np.random.default_rng(0).random((6, 48, 64)), name="scan", scale=(3, 0.5, 0.5))
    viewer.dims.set_point(0, 3 * 2)
    return layer


def filled(box, shape=(48, 64)):
    mask = np.zeros(shape, bool)
    y0, x0, y1, x1 = box
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def draw_box(widget, box=BOX, plane=FLAT):
    """Add a box to a widget's layer of boxes."""
    widget._work.add_layer("boxes")
    widget._work.layers.boxes.add_rectangles(plane.rectangle(box))


@pytest.fixture
def draw():
    """Add a box to a widget's layer of boxes: `draw_box`."""
    return draw_box


@pytest.fixture
def settle(qtbot):
    """Wait until every object of a widget has an answer and nothing runs."""

    def wait(widget):
        qtbot.waitUntil(lambda: not widget.busy, timeout=60000)

    return wait


@pytest.fixture
def warnings_shown():
    """Messages that napari shows the user, in order."""
    shown = []
    notification_manager.notification_ready.connect(shown.append)
    yield shown
    notification_manager.notification_ready.disconnect(shown.append)


def drag_mouse(layer, *positions, displayed=None, meanwhile=lambda: None):
    """Press, move and release the mouse on a layer, at world positions, as napari's canvas does.

    `meanwhile` is called before the mouse reaches the last position.
    """

    def event(kind, position, dragging):
        return SimpleNamespace(
            type=kind,
            is_dragging=dragging,
            modifiers=[],
            position=tuple(position),
            pos=np.array(position[-2:], float),
            dims_displayed=list(range(layer.ndim))[-2:] if displayed is None else list(displayed),
            dims_point=list(position),
            view_direction=None,
            up_direction=None,
            button=1,
            handled=False,
        )

    # as from a hand: napari from 0.10 on ends a polygon without the corner that follows the mouse
    mouse_move_callbacks(layer, event("mouse_move", positions[0], False))
    # napari exchanges what is inside while the mouse moves
    mouse_press_callbacks(layer, wrapt.ObjectProxy(event("mouse_press", positions[0], False)))
    for number, position in enumerate(positions[1:], start=2):
        if number == len(positions):
            meanwhile()
        mouse_move_callbacks(layer, event("mouse_move", position, True))
    mouse_release_callbacks(layer, event("mouse_release", positions[-1], False))


@pytest.fixture
def drag():
    """Drag the mouse over a layer: `drag_mouse`."""
    return drag_mouse
