import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt

from napari_swin_litemedsam.plugin.window_section import PRESETS, Percentiles, WindowSection


@pytest.fixture
def section(qtbot):
    section = WindowSection()
    qtbot.addWidget(section)
    return section


@pytest.fixture
def image():
    return Image(np.linspace(-1000, 1000, 64).reshape(8, 8), contrast_limits=(-1000, 1000))


def choose(section, name):
    row = next(row for row in range(section.presets.count()) if section.presets.itemText(row).startswith(name))
    section.presets.setCurrentIndex(row)
    section.presets.activated.emit(row)


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("CT abdomen 400/40", (-160, 240)),
        ("CT lung 1500/-600", (-1350, 150)),
        ("CT brain 80/40", (0, 80)),
        ("CT mediastinum 350/50", (-125, 225)),
        ("CT bone 1800/400", (-500, 1300)),
    ],
)
def test_presets_set_the_contrast_limits(section, image, name, limits):
    before = image.data.copy()
    section.show_image(image)
    choose(section, name)
    assert tuple(image.contrast_limits) == limits
    np.testing.assert_array_equal(image.data, before)
    assert section.presets.currentText() == name


def test_percentiles_are_asked_for(section, image, qtbot):
    section.show_image(image)
    with qtbot.waitSignal(section.percentiles_wanted) as signal:
        choose(section, "MR")
    assert signal.args == [Percentiles(0.5, 99.5)] == [PRESETS["MR"]]


def test_numbers_follow_and_set_the_limits(section, image):
    section.show_image(image)
    assert (section.width_box.value(), section.level_box.value()) == (2000, 0)
    image.contrast_limits = (100, 300)
    assert (section.width_box.value(), section.level_box.value()) == (200, 200)
    section.level_box.setValue(400)
    assert tuple(image.contrast_limits) == (300, 500)


@pytest.mark.parametrize("width", ["0", "-50"])
def test_a_width_that_no_window_has_is_not_taken(section, image, qtbot, width):
    section.show_image(image)
    choose(section, "CT abdomen")
    section.width_box.selectAll()
    qtbot.keyClicks(section.width_box, width)
    qtbot.keyClick(section.width_box, Qt.Key.Key_Return)
    assert tuple(image.contrast_limits) == (-160, 240)
    assert (section.width_box.value(), section.level_box.value()) == (400, 40)
    assert section.presets.currentText() == "CT abdomen 400/40"


def test_small_windows_keep_their_digits(section):
    image = Image(np.linspace(0, 1, 64).reshape(8, 8), contrast_limits=(0.012, 0.034))
    section.show_image(image)
    assert section.width_box.value() == pytest.approx(0.022)
    assert section.level_box.value() == pytest.approx(0.023)


def test_large_numbers_are_not_cut(section):
    image = Image(2**40 + np.arange(64, dtype=np.uint64).reshape(8, 8))
    section.show_image(image)
    section.width_box.setValue(10)
    assert np.mean(image.contrast_limits) == pytest.approx(2**40 + 31.5, abs=1)


def test_other_limits_are_no_preset(section, image):
    section.show_image(image)
    choose(section, "CT brain")
    image.contrast_limits = (0, 90)
    assert section.presets.currentText() == "As shown"


def test_tells_of_changes_of_its_image_alone(section, image):
    changes = []
    section.changed.connect(lambda: changes.append(1))
    section.show_image(image)
    image.contrast_limits = (0, 90)
    section.show_image(None)
    image.contrast_limits = (0, 100)
    assert changes == [1]


@pytest.mark.parametrize("image", [None, Image(np.zeros((8, 8, 3), np.uint8), rgb=True)])
def test_says_why_it_is_off(section, image):
    section.show_image(image)
    assert not section.presets.isEnabled()
    assert "Not now:" in section.presets.toolTip()
