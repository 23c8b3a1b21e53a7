import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_swin_litemedsam.plugin.strip import SliceStrip


@pytest.fixture
def strip(qtbot):
    strip = SliceStrip()
    qtbot.addWidget(strip)
    strip.resize(200, 44)
    strip.show_scores({2: 0.9, 3: 0.2, 4: 0.7}, 10, {6: "the range ends"})
    return strip


def colour(strip, position, height=40):
    """Hue of a slice's bar, or -1 where there is none."""
    pixel = strip.grab().toImage().pixelColor(int(strip.place_of(position).center().x()), height)
    return pixel.hue() if pixel.saturation() > 100 else -1


def test_good_slices_are_green_and_poor_ones_red(strip):
    assert colour(strip, 2) > 80
    assert 0 <= colour(strip, 3) < 20
    assert colour(strip, 6) == -1
    # a low bar ends below
    assert colour(strip, 3, height=20) == -1


def test_marks_the_current_slice(strip):
    before = strip.grab().toImage()
    strip.show_current(7)
    after = strip.grab().toImage()
    x = int(strip.place_of(7).center().x())
    assert before.pixel(x, 20) != after.pixel(x, 20)
    assert before.pixel(20, 20) == after.pixel(20, 20)


@pytest.mark.parametrize("position", [0, 3, 9])
def test_a_click_names_the_slice(strip, qtbot, position):
    with qtbot.waitSignal(strip.clicked) as signal:
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(int(strip.place_of(position).center().x()), 20))
    assert signal.args == [position]


def test_knows_the_worst_slice(strip):
    assert strip.worst == 3
    strip.show_scores({}, 1)
    assert strip.worst is None


@pytest.mark.parametrize(
    ("position", "said"), [(3, "Slice 3: predicted IoU 0.20"), (6, "Slice 6: no mask from the model; the range ends")]
)
def test_the_mouse_is_told_the_slice_and_its_score(strip, monkeypatch, position, said):
    shown = []
    monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: shown.append(text))
    place = QPoint(int(strip.place_of(position).center().x()), 20)
    QApplication.sendEvent(strip, QHelpEvent(QEvent.Type.ToolTip, place, strip.mapToGlobal(place)))
    assert shown == [said]
