"""The widget's panel as a user meets it: the window, the table, and what they do to the layers."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_swin_litemedsam.model.checkpoint import CheckpointError
from napari_swin_litemedsam.plugin import model_in_use, side_jobs
from napari_swin_litemedsam.plugin.loading import ModelChoice
from napari_swin_litemedsam.plugin.palette import colour_of
from napari_swin_litemedsam.plugin.remembered import remember
from napari_swin_litemedsam.plugin.writer import segments_of

from .conftest import BOX, axial


@pytest.fixture
def widget(viewer, volume, open_widget, settle, draw):
    """With object 1 on slice 2 and object 2, the current one, on slice 4."""
    widget = open_widget()
    draw(widget, BOX, axial(2))
    draw(widget, (35, 2, 40, 12), axial(4))
    settle(widget)
    return widget


def names(box):
    return [box.itemText(row) for row in range(box.count())]


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

    def test_a_committed_object_is_hidden_in_the_result(self, widget, settle):
        widget.panel.table.selectAll()
        widget.panel.buttons["commit"].click()
        settle(widget)
        result, first = widget._work.layers.result, widget.panel.table.item(0, 0)
        first.setCheckState(Qt.CheckState.Unchecked)
        assert result.get_color(1)[3] == 0
        np.testing.assert_allclose(result.get_color(2), colour_of(2))
        first.setCheckState(Qt.CheckState.Checked)
        np.testing.assert_allclose(result.get_color(1), colour_of(1))

    def test_labels_beside_a_hidden_object_keep_their_own_colours(self, widget, settle, viewer):
        widget.panel.table.selectRow(0)
        widget.panel.buttons["commit"].click()
        settle(widget)
        result = widget._work.layers.result
        result.colormap = {0: "transparent", 1: "red", 7: "white", None: "blue"}
        widget.panel.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
        result.paint((0, 2, 2), 7)
        settle(widget)
        assert result.get_color(1)[3] == 0
        widget.shut_down()
        np.testing.assert_allclose([result.get_color(1), result.get_color(7)], [[1, 0, 0, 1], [1, 1, 1, 1]])

    def test_what_is_committed_while_another_is_hidden_has_its_colour(self, widget, settle):
        table, commit = widget.panel.table, widget.panel.buttons["commit"]
        table.selectRow(0)
        commit.click()
        settle(widget)
        widget.intents.rename(1, "liver")
        table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
        table.selectRow(1)
        commit.click()
        settle(widget)
        result = widget._work.layers.result
        assert result.get_color(1)[3] == 0
        np.testing.assert_allclose(result.get_color(2), colour_of(2))
        # and what is hidden is saved with its colour
        _data, meta, _ = result.as_layer_data_tuple()
        first, second = segments_of(np.array([1, 2]), meta)
        assert (first.name, first.colour != second.colour) == ("liver", True)
        table.item(0, 0).setCheckState(Qt.CheckState.Checked)
        assert segments_of(np.array([1, 2]), result.as_layer_data_tuple()[1]) == [first, second]

    def test_showing_one_label_alone_outlasts_hiding(self, widget, settle):
        widget.panel.table.selectAll()
        widget.panel.buttons["commit"].click()
        settle(widget)
        result, first = widget._work.layers.result, widget.panel.table.item(0, 0)
        result.show_selected_label = True
        first.setCheckState(Qt.CheckState.Unchecked)
        result.show_selected_label = False
        np.testing.assert_allclose(result.get_color(2), colour_of(2))
        first.setCheckState(Qt.CheckState.Checked)
        assert not result.colormap.use_selection
        np.testing.assert_allclose(result.colormap.map(np.array([1, 2])), [colour_of(1), colour_of(2)])

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


@pytest.mark.window
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("limits", [(-10000, 55535), (0, 0.03), (0, 1e-5)])
def test_numbers_of_the_window_can_be_read_in_320_pixels(viewer, open_widget, theme, limits):
    viewer.theme = theme
    viewer.add_image(np.linspace(*limits, 6400).reshape(80, 80), name="picture")
    widget = open_widget()
    widget.resize(320, 900)
    # lays it out, also in a window that is not shown
    widget.grab()
    for box in (widget.panel.window_section.width_box, widget.panel.window_section.level_box):
        line = box.lineEdit()
        # Qt leaves two pixels empty on either side
        assert line.fontMetrics().horizontalAdvance(line.text()) <= line.contentsRect().width() - 4


class TestImage:
    def test_goes_by_its_new_name(self, widget, viewer, volume):
        viewer.add_image(volume.data, name="other")
        widget.panel.first.setValue(3)
        volume.name = "liver"
        assert widget._chooser.native.currentText() == "liver"
        assert widget.image is volume
        assert widget.panel.first.value() == 3
        assert widget.panel.table.rowCount() == 2

    def test_stays_when_another_one_is_given_its_name(self, widget, viewer, volume):
        other = viewer.add_image(volume.data, name="other")
        other.name = "scan"
        assert widget.image is volume
        assert names(widget._chooser.native) == ["scan", "scan [1]"]

    def test_references_go_by_their_new_names(self, widget, viewer, volume):
        viewer.add_labels(np.zeros(volume.data.shape, int), name="first")
        expert = viewer.add_labels(np.zeros(volume.data.shape, int), name="second")
        widget._references.value = expert
        expert.name = "expert"
        assert widget._references.native.currentText() == "expert"
        assert widget._references.value is expert

    def test_that_was_removed_or_is_of_a_closed_panel_may_have_any_name(self, widget, viewer, volume):
        other = viewer.add_image(volume.data, name="other")
        viewer.layers.remove(other)
        other.name = "gone"
        assert names(widget._chooser.native) == ["scan"]
        widget.shut_down()
        volume.name = "liver"
        assert widget._chooser.native.currentText() == "scan"

    def test_without_one_nothing_runs(self, viewer, open_widget, settle):
        widget = open_widget()
        buttons = [widget.panel.buttons[name] for name in ("run", "propagate")]
        assert not any(button.isEnabled() for button in buttons)
        assert all("Not now: there is no image" in button.toolTip() for button in buttons)
        viewer.add_image(np.zeros((4, 20, 30)), name="late")
        settle(widget)
        widget.panel.live.click()
        assert all(button.isEnabled() for button in buttons)
        viewer.layers.clear()
        settle(widget)
        assert not any(button.isEnabled() for button in buttons)


class TestModel:
    def test_another_one_runs_the_current_object_again(self, widget, settle, predictor, monkeypatch):
        choices = []
        monkeypatch.setattr(model_in_use, "load_predictor", lambda choice: choices.append(choice) or predictor)
        before = len(predictor.calls)
        widget.panel.model_section.open_file(Path("mine.pth"))
        settle(widget)
        assert choices == [ModelChoice(Path("mine.pth"))]
        assert len(predictor.calls) == before + 1
        assert widget.panel.model_section.facts.text() == "nothing, encode 12 ms"

    def test_is_chosen_again_the_next_time(self, widget, viewer, open_widget, settle, predictor, monkeypatch, tmp_path):
        mine, loaded = tmp_path / "mine.pth", []
        mine.touch()
        monkeypatch.setattr(model_in_use, "load_predictor", lambda choice: loaded.append(choice) or predictor)
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

    def test_of_the_last_time_is_damaged(
        self, volume, open_widget, draw, settle, predictor, warnings_shown, monkeypatch, tmp_path
    ):
        damaged, loaded = tmp_path / "damaged.pth", []
        damaged.touch()

        def load(choice):
            if choice.checkpoint == damaged:
                raise CheckpointError("damaged.pth is cut off")
            loaded.append(choice)
            return predictor

        monkeypatch.setattr(model_in_use, "load_predictor", load)
        remember(ModelChoice(damaged, "torch"))
        widget = open_widget(load=None)
        models = widget.panel.model_section.models
        assert models.currentText() == "damaged.pth"
        draw(widget, BOX, axial(2))
        settle(widget)
        assert len(predictor.calls) == 1
        assert loaded == [ModelChoice(None, "torch")]
        assert widget.panel.model_section.choice == ModelChoice(None, "torch")
        assert models.findText("damaged.pth") < 0
        assert "damaged.pth is cut off. The bundled weights" in warnings_shown[-1].message

    def test_finished_trainings_are_found_in_a_folder(self, widget, settle, warnings_shown, tmp_path):
        section = widget.panel.model_section
        (tmp_path / "liver").mkdir()
        (tmp_path / "liver" / "best.safetensors").touch()
        section.searched.emit(tmp_path)
        settle(widget)
        section.models.hidePopup()
        assert section.models.findText("liver") > 0
        assert widget.panel.status.text().startswith("Finished trainings: 1")
        section.searched.emit(tmp_path / "nothing here")
        settle(widget)
        assert "There is no finished training in" in warnings_shown[-1].message

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

        monkeypatch.setattr(model_in_use, "load_predictor", load)
        widget.panel.model_section.open_file(Path("good.pth"))
        qtbot.waitUntil(lambda: widget._runner.busy)
        widget.panel.model_section.open_file(Path("bad.pth"))
        go_on.set()
        settle(widget)
        models = widget.panel.model_section
        assert models.choice == ModelChoice(Path("good.pth"))
        assert models.models.findText("bad.pth") == -1

    def test_one_that_does_not_load_goes_though_another_was_chosen_meanwhile(
        self, widget, settle, predictor, monkeypatch, qtbot
    ):
        go_on = Event()

        def load(choice):
            if choice.checkpoint == Path("bad.pth"):
                assert go_on.wait(10)
                raise ValueError("bad")
            return predictor

        monkeypatch.setattr(model_in_use, "load_predictor", load)
        section = widget.panel.model_section
        before = names(section.models)
        section.open_file(Path("bad.pth"))
        qtbot.waitUntil(lambda: widget._runner.busy)
        section.open_file(Path("good.pth"))
        go_on.set()
        settle(widget)
        assert names(section.models) == [*before, "good.pth"]
        assert section.choice == ModelChoice(Path("good.pth"))

    def test_a_backend_that_fails_does_not_take_the_checkpoint_away(self, widget, settle, predictor, monkeypatch):
        def load(choice):
            if choice.backend == "torch":
                raise ValueError("bad")
            return predictor

        monkeypatch.setattr(model_in_use, "load_predictor", load)
        section = widget.panel.model_section
        section.open_file(Path("good.pth"))
        settle(widget)
        section.backends.setCurrentText("torch")
        section.backends.activated.emit(0)
        settle(widget)
        assert section.choice == ModelChoice(Path("good.pth"))

    def test_one_that_does_not_load_is_not_offered_again(self, widget, settle, predictor, monkeypatch, tmp_path):
        def load(choice):
            if choice.checkpoint == tmp_path / "bad.pth":
                raise ValueError("bad")
            return predictor

        monkeypatch.setattr(model_in_use, "load_predictor", load)
        section = widget.panel.model_section
        before = names(section.models)
        for name in ("good.pth", "bad.pth"):
            section.open_file(tmp_path / name)
            settle(widget)
        assert names(section.models) == [*before, "good.pth"]
        assert section.choice == ModelChoice(tmp_path / "good.pth")
        section.models.setCurrentIndex(0)
        section.models.activated.emit(0)
        settle(widget)
        assert section.models.findText("good.pth") >= 0

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
