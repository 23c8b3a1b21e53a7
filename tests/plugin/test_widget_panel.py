"""The widget's panel as a user meets it: the window, the table, and what they do to the layers."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_swin_litemedsam.plugin import side_jobs
from napari_swin_litemedsam.plugin import widget as widget_module
from napari_swin_litemedsam.plugin.loading import ModelChoice
from napari_swin_litemedsam.plugin.palette import colour_of
from napari_swin_litemedsam.plugin.remembered import remember

from .conftest import BOX, axial


@pytest.fixture
def widget(viewer, volume, open_widget, settle, draw):
    """With object 1 on slice 2 and object 2, the current one, on slice 4."""
    widget = open_widget()
    draw(widget, BOX, axial(2))
    draw(widget, (35, 2, 40, 12), axial(4))
    settle(widget)
    return widget


class TestWindow:
    def test_a_change_runs_the_current_object_again(self, widget, volume, settle, predictor):
        before = len(predictor.calls)
        volume.contrast_limits = (0.1, 0.9)
        volume.contrast_limits = (0.2, 0.8)
        settle(widget)
        assert len(predictor.calls) == before + 1
        image, window, _ = predictor.images[-1]
        assert window == (0.2, 0.8)
        np.testing.assert_array_equal(image, volume.data[4])

    def test_a_change_leaves_what_is_committed(self, widget, volume, settle, predictor):
        widget.panel.buttons["commit"].click()
        widget.panel.table.selectRow(1)
        settle(widget)
        before = len(predictor.calls)
        volume.contrast_limits = (0.1, 0.9)
        settle(widget)
        assert widget._work.session.objects[2].committed
        assert len(predictor.calls) == before

    def test_percentiles_are_measured(self, widget, volume, settle, predictor, qtbot):
        presets = widget.panel.window_section.presets
        presets.setCurrentIndex(presets.count() - 1)
        presets.activated.emit(presets.count() - 1)
        qtbot.waitUntil(lambda: volume.contrast_limits[0] > 0)
        settle(widget)
        assert predictor.images[-1][1] == pytest.approx((0.005, 0.995), abs=0.01)

    def test_percentiles_come_too_late_for_another_image(self, widget, viewer, volume, settle, monkeypatch):
        measure, allowed = side_jobs.percentile_window, Event()
        monkeypatch.setattr(side_jobs, "percentile_window", lambda *args: allowed.wait(10) and measure(*args))
        other = viewer.add_image(volume.data / 10, name="other")
        before = [tuple(layer.contrast_limits) for layer in (volume, other)]
        presets = widget.panel.window_section.presets
        presets.setCurrentIndex(presets.count() - 1)
        presets.activated.emit(presets.count() - 1)
        widget.image = other
        assert presets.currentIndex() == 0
        allowed.set()
        settle(widget)
        assert [tuple(layer.contrast_limits) for layer in (volume, other)] == before

    def test_a_change_does_not_disturb_a_propagation(self, widget, volume, settle, predictor, qtbot):
        predictor.allowed.clear()
        widget.panel.buttons["propagate"].click()
        qtbot.waitUntil(lambda: widget._runner.busy)
        volume.contrast_limits = (0.1, 0.9)
        predictor.allowed.set()
        settle(widget)
        assert all(len(item.masks) == 6 for item in widget._work.session.objects.values())


class TestTable:
    def test_a_row_selects_what_belongs_to_it(self, widget, viewer):
        widget.panel.table.selectRow(0)
        layers = widget._work.layers
        assert layers.boxes.selected_data == {0}
        owners = layers.points.features["object"].to_numpy(int)
        assert layers.points.selected_data == set(np.flatnonzero(owners == 1))
        assert layers.masks.selected_label == layers.scribble.selected_label == 1
        assert viewer.dims.current_step[0] == 2
        widget.panel.table.selectRow(1)
        assert layers.boxes.selected_data == {1}
        assert viewer.dims.current_step[0] == 4

    def test_a_point_added_then_belongs_to_it(self, widget, settle, drag):
        widget.panel.table.selectRow(0)
        points = widget._work.layers.points
        points.mode = "add"
        drag(points, (6, 10, 15))
        settle(widget)
        assert points.features["object"].tolist()[-1] == 1
        assert len(widget._work.session.objects[1].points) == 5

    def test_several_rows_are_deleted_at_once(self, widget):
        widget.panel.table.selectAll()
        widget.panel.buttons["delete"].click()
        assert not widget._work.session.objects
        assert len(widget._work.layers.boxes.data) == 0
        assert not widget._work.layers.masks.data.any()

    def test_a_name_stays(self, widget, settle, draw):
        widget.panel.table.item(0, 1).setText("liver")
        draw(widget, (2, 2, 9, 9), axial(4))
        settle(widget)
        assert widget._work.session.objects[1].name == "liver"
        assert widget.panel.table.item(0, 1).text() == "liver"

    @pytest.mark.window
    def test_an_unticked_object_is_hidden_and_not_lost(self, widget):
        layers, table = widget._work.layers, widget.panel.table
        masks = layers.masks.data.copy()
        table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
        assert layers.masks.get_color(1)[3] == 0
        np.testing.assert_allclose(layers.masks.get_color(2), colour_of(2))
        np.testing.assert_array_equal(layers.points.shown, layers.points.features["object"] == 2)
        assert layers.boxes.edge_color[:, 3].tolist() == [0, 1]
        np.testing.assert_array_equal(layers.masks.data, masks)
        table.item(0, 0).setCheckState(Qt.CheckState.Checked)
        np.testing.assert_allclose(layers.masks.get_color(1), colour_of(1))
        assert layers.points.shown.all()
        assert layers.boxes.edge_color[:, 3].tolist() == [1, 1]

    def test_the_number_of_a_hidden_object_is_hidden_too(self, widget):
        layer, cell = widget._work.layers.boxes, widget.panel.table.item(0, 0)
        cell.setCheckState(Qt.CheckState.Unchecked)
        opacity = [layer.text.color(layer.features)[row][3] for row in range(2)]
        assert opacity == [0, 1]
        cell.setCheckState(Qt.CheckState.Checked)
        np.testing.assert_array_equal(np.atleast_2d(layer.text.color(layer.features))[:, 3], 1)

    def test_a_new_object_is_seen_while_another_is_hidden(self, widget, settle, draw):
        widget.panel.table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
        draw(widget, (2, 2, 9, 9), axial(4))
        settle(widget)
        assert widget._work.layers.boxes.edge_color[:, 3].tolist() == [1, 0, 1]
        assert widget._work.layers.masks.get_color(3)[3] == 1

    def test_all_are_seen_again_once_the_panel_is_closed(self, widget):
        widget.panel.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
        layers = widget._work.layers
        widget.shut_down()
        np.testing.assert_allclose(layers.masks.get_color(1), colour_of(1))
        assert layers.points.shown.all()

    def test_others_are_seen_once_a_hidden_one_is_deleted(self, widget, settle, draw):
        widget.panel.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
        widget.intents.remove([1])
        draw(widget, (2, 2, 9, 9), axial(4))
        settle(widget)
        layers = widget._work.layers
        assert layers.points.shown.all()
        np.testing.assert_allclose(layers.masks.get_color(3), colour_of(3))

    def test_a_new_object_is_seen_after_a_hidden_one_was_chosen_and_shown(self, widget, settle, draw):
        first = widget.panel.table.item(0, 0)
        first.setCheckState(Qt.CheckState.Unchecked)
        widget.panel.table.selectRow(0)
        first.setCheckState(Qt.CheckState.Checked)
        draw(widget, (2, 2, 9, 9), axial(4))
        settle(widget)
        assert widget._work.layers.boxes.edge_color[:, 3].tolist() == [1, 1, 1]


@pytest.mark.window
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_panel_fits_320_pixels(viewer, widget, theme):
    viewer.theme = theme
    assert widget.minimumSizeHint().width() <= 320


class TestModel:
    def test_another_one_runs_the_current_object_again(self, widget, settle, predictor, monkeypatch):
        choices = []
        monkeypatch.setattr(widget_module, "load_predictor", lambda choice: choices.append(choice) or predictor)
        before = len(predictor.calls)
        widget.panel.model_section.open_file(Path("mine.pth"))
        settle(widget)
        assert choices == [ModelChoice(Path("mine.pth"))]
        assert len(predictor.calls) == before + 1
        assert widget.panel.model_section.facts.text() == "nothing, encode 12 ms"

    def test_is_chosen_again_the_next_time(self, widget, viewer, open_widget, settle, predictor, monkeypatch, tmp_path):
        mine, loaded = tmp_path / "mine.pth", []
        mine.touch()
        monkeypatch.setattr(widget_module, "load_predictor", lambda choice: loaded.append(choice) or predictor)
        widget.panel.model_section.open_file(mine)
        settle(widget)
        widget.shut_down()
        again = open_widget(load=None)
        assert again.panel.model_section.choice == ModelChoice(mine)
        again.intents.regenerate()
        settle(again)
        assert loaded == [ModelChoice(mine)] * 2

    def test_of_the_last_time_is_gone(self, viewer, open_widget, warnings_shown, tmp_path):
        remember(ModelChoice(tmp_path / "gone.pth"))
        widget = open_widget(load=None)
        assert widget.panel.model_section.choice == ModelChoice()
        assert "gone.pth" in warnings_shown[-1].message

    def test_one_that_does_not_load_changes_nothing(self, widget, settle, predictor, warnings_shown, tmp_path):
        before = len(predictor.calls)
        widget.panel.model_section.open_file(tmp_path / "missing.pth")
        settle(widget)
        assert "The model stays as it was" in str(warnings_shown[-1].message)
        assert widget.panel.model_section.choice == ModelChoice()
        assert len(predictor.calls) == before

    def test_one_that_does_not_load_after_one_that_does(self, widget, settle, predictor, monkeypatch, qtbot):
        go_on = Event()

        def load(choice):
            if choice.checkpoint == Path("bad.pth"):
                raise ValueError("bad")
            assert go_on.wait(10)
            return predictor

        monkeypatch.setattr(widget_module, "load_predictor", load)
        widget.panel.model_section.open_file(Path("good.pth"))
        qtbot.waitUntil(lambda: widget._runner.busy)
        widget.panel.model_section.open_file(Path("bad.pth"))
        go_on.set()
        settle(widget)
        assert widget.panel.model_section.choice == ModelChoice(Path("good.pth"))

    def test_new_box_encodes_the_slice_in_view(self, viewer, volume, open_widget, settle, predictor):
        widget = open_widget()
        widget.panel.buttons["box"].click()
        settle(widget)
        np.testing.assert_array_equal(predictor.images[-1][0], volume.data[2])
        key = predictor.images[-1][2]
        widget._work.layers.boxes.add_rectangles(axial(2).rectangle(BOX))
        settle(widget)
        assert predictor.images[-1][2] == key

    def test_scrolling_encodes_the_slice_that_the_user_stays_on(self, viewer, volume, open_widget, settle, predictor):
        widget = open_widget()
        before = len(predictor.images)
        viewer.dims.set_current_step(0, 3)
        settle(widget)
        assert len(predictor.images) == before, "nobody draws boxes here"
        widget.panel.buttons["box"].click()
        settle(widget)
        before = len(predictor.images)
        for z in (2, 1, 0):
            viewer.dims.set_current_step(0, z)
        settle(widget)
        assert len(predictor.images) == before + 1
        np.testing.assert_array_equal(predictor.images[-1][0], volume.data[0])
