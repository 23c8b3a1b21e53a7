"""Sessions as the user meets them: saved and opened by hand, saved by themselves, restored after a crash."""

import threading
from pathlib import Path

import numpy as np
import pytest
from napari._app_model import get_app_model
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_swin_litemedsam.plugin import autosave, storage
from napari_swin_litemedsam.plugin.autosave import key_of, latest
from napari_swin_litemedsam.plugin.grid import Placement

from .conftest import BOX, PIXELS

pytestmark = pytest.mark.usefixtures("saves_at_once")


@pytest.fixture
def picture(viewer):
    return viewer.add_image(PIXELS, name="picture")


@pytest.fixture
def widget(picture, open_widget):
    return open_widget()


@pytest.fixture
def drawn(widget, draw, settle):
    draw(widget, BOX)
    settle(widget)
    return widget


@pytest.fixture
def kept(qtbot):
    """Wait until all is saved; return the files."""

    def wait(widget):
        qtbot.waitUntil(lambda: not widget.sessions.busy, timeout=10000)
        return sorted(autosave.folder().glob(f"*{storage.SUFFIX}")) if autosave.folder().exists() else []

    return wait


@pytest.fixture
def dialogs(monkeypatch, tmp_path):
    """Answer the dialogs for files."""
    path = tmp_path / f"mine{storage.SUFFIX}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    return path


def masks(widget):
    return widget._work.layers.masks.data


def offered(widget):
    return not widget.panel.session_section.offer.isHidden()


class TestByHand:
    def test_what_was_saved_is_opened(self, drawn, dialogs, qtbot, settle):
        before = masks(drawn).copy()
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: "is saved in 'mine" in drawn.panel.status.text())
        drawn.panel.buttons["delete"].click()
        settle(drawn)
        assert not masks(drawn).any()
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: "is open, with 1 object" in drawn.panel.status.text())
        settle(drawn)
        np.testing.assert_array_equal(masks(drawn), before)
        assert drawn.panel.table.rowCount() == 1
        assert len(drawn._work.layers.points.data) == 4
        drawn.panel.buttons["undo"].click()
        assert not masks(drawn).any()

    def test_on_a_fresh_image_brings_all_layers_and_the_window(self, viewer, drawn, dialogs, qtbot, settle, predictor):
        drawn.image.contrast_limits = (0.2, 0.7)
        settle(drawn)
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(dialogs.exists)
        other = viewer.add_image(PIXELS.copy(), name="other")
        drawn.image = other
        runs = len(predictor.calls)
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: "session of 'picture' is open" in drawn.panel.status.text())
        settle(drawn)
        assert masks(drawn)[20, 30] == 1
        assert other.contrast_limits == [0.2, 0.7]
        assert len(predictor.calls) == runs

    def test_brings_all_greys_of_an_8_bit_image_back(self, viewer, open_widget, dialogs, settle):
        image = viewer.add_image((PIXELS * 255).astype(np.uint8), contrast_limits=(0, 255))
        session = open_widget().session
        session.save(dialogs)
        image.contrast_limits = (20, 90)
        session.open(dialogs)
        assert image.contrast_limits == [0, 255]
        session.undo()
        assert image.contrast_limits == [20, 90]

    def test_an_image_whose_folder_cannot_even_be_asked_for(self, viewer, open_widget, dialogs, qtbot):
        # as on a network drive that is down
        gone = Placement(None, (0, 1), (Path("x" * 5000, "scan.nii"),))
        viewer.add_image(PIXELS, metadata={"scan": gone})
        open_widget().panel.buttons["save_session"].click()
        qtbot.waitUntil(dialogs.exists)

    def test_undo_of_opening_leaves_nothing_to_be_run(self, drawn, dialogs, qtbot, settle):
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: "is saved in 'mine" in drawn.panel.status.text())
        drawn.image.contrast_limits = (0.2, 0.7)
        settle(drawn)
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: "is open, with 1 object" in drawn.panel.status.text())
        settle(drawn)
        drawn.panel.buttons["undo"].click()
        assert drawn._work.session.objects[1].state == "done"

    def test_undo_of_opening_brings_window_and_result_back(self, viewer, drawn, dialogs, qtbot, settle, predictor):
        drawn.image.contrast_limits = (0.2, 0.7)
        settle(drawn)
        drawn.session.commit([1])
        settle(drawn)
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(dialogs.exists)
        before = drawn._work.layers.result.data
        drawn.image.contrast_limits = (0.1, 0.9)
        settle(drawn)
        runs = len(predictor.calls)
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: "is open, with 1 object" in drawn.panel.status.text())
        settle(drawn)
        opened = drawn._work.layers.result.data
        assert opened is not before
        assert (opened == 1).sum() == 21 * 31
        drawn.panel.buttons["undo"].click()
        settle(drawn)
        assert drawn.image.contrast_limits == [0.1, 0.9]
        assert drawn._work.layers.result.data is before
        drawn.panel.buttons["redo"].click()
        settle(drawn)
        assert drawn.image.contrast_limits == [0.2, 0.7]
        drawn.image.contrast_limits = (0.3, 0.4)
        drawn.panel.buttons["undo"].click()
        assert drawn.image.contrast_limits == [0.3, 0.4]
        assert len(predictor.calls) == runs

    def test_what_is_committed_while_it_is_written_is_in_it(self, drawn, dialogs, qtbot, monkeypatch):
        begun, go_on, before = threading.Event(), threading.Event(), storage.write

        def slow(path, saved):
            begun.set()
            assert go_on.wait(10)
            before(path, saved)

        monkeypatch.setattr("napari_swin_litemedsam.plugin.sessions.write", slow)
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(begun.is_set)
        drawn.session.commit([1])
        go_on.set()
        qtbot.waitUntil(lambda: "is saved in 'mine" in drawn.panel.status.text())
        saved = storage.read(dialogs)
        assert saved.objects[0]["committed"]
        assert (saved.result == 1).sum() == 21 * 31

    def test_a_file_that_the_dialog_did_not_ask_about_is_asked_about(self, drawn, dialogs, qtbot, monkeypatch):
        dialogs.write_text("theirs")
        typed = str(dialogs).removesuffix(storage.SUFFIX)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (typed, ""))
        monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
        drawn.panel.buttons["save_session"].click()
        qtbot.wait(200)
        assert dialogs.read_text() == "theirs"
        monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: "is saved in 'mine" in drawn.panel.status.text())
        assert len(storage.read(dialogs).objects) == 1

    def test_weights_that_are_gone_are_no_reason_not_to_save(
        self, drawn, dialogs, settle, predictor, qtbot, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("napari_swin_litemedsam.plugin.model_in_use.load_predictor", lambda choice: predictor)
        weights = tmp_path / "gone.pth"
        weights.touch()
        drawn.panel.model_section.open_file(weights)
        settle(drawn)
        weights.unlink()
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: "is saved in 'mine" in drawn.panel.status.text())
        assert storage.read(dialogs).origin.weights == "gone.pth"

    @pytest.mark.window
    def test_from_naparis_menu(self, drawn, dialogs, qtbot):
        get_app_model().commands.execute_command("napari-swin-litemedsam.save_session")
        qtbot.waitUntil(dialogs.exists)

    def test_a_bad_file_changes_nothing(self, drawn, dialogs, qtbot, settle, warnings_shown):
        dialogs.write_bytes(b"no session")
        before = masks(drawn).copy()
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "damaged or is not a session" in warnings_shown[-1].message
        settle(drawn)
        np.testing.assert_array_equal(masks(drawn), before)
        assert dialogs.exists()

    def test_one_of_another_size_changes_nothing(self, viewer, drawn, dialogs, qtbot, warnings_shown):
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(dialogs.exists)
        drawn.image = viewer.add_image(np.zeros((20, 20)), name="small")
        drawn.panel.buttons["open_session"].click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "48 x 64 pixels, but this one has 20 x 20" in warnings_shown[-1].message
        assert not drawn._work.session.objects

    def test_a_place_that_cannot_be_written(self, drawn, dialogs, qtbot, warnings_shown):
        dialogs.mkdir()
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "was not saved in 'mine" in warnings_shown[-1].message

    def test_without_an_image_the_buttons_say_why(self, viewer, open_widget):
        button = open_widget().panel.buttons["open_session"]
        assert not button.isEnabled()
        assert "no image" in button.toolTip()


class TestByItself:
    def test_nothing_is_written_when_nothing_is_done(self, widget, kept, qtbot):
        widget.panel.buttons["box"].click()
        qtbot.wait(60)
        assert kept(widget) == []

    def test_each_change_comes_into_one_file(self, drawn, kept, settle, draw):
        (path,) = kept(drawn)
        assert [item["id"] for item in storage.read(path).objects] == [1]
        draw(drawn, (2, 2, 8, 8))
        settle(drawn)
        assert kept(drawn) == [path]
        saved = storage.read(path)
        assert [item["id"] for item in saved.objects] == [1, 2]
        assert saved.origin.image == "picture"
        assert saved.origin.weights.startswith("swin_litemedsam.safetensors sha256:")

    def test_the_gui_thread_takes_down_and_does_not_write(self, drawn, kept, monkeypatch):
        kept(drawn)
        writers = []
        before = storage.write
        monkeypatch.setattr(
            "napari_swin_litemedsam.plugin.sessions.write",
            lambda *args: (writers.append(threading.current_thread()), before(*args)),
        )
        drawn._work.session.rename(1, "lesion")
        (path,) = kept(drawn)
        assert storage.read(path).objects[0]["name"] == "lesion"
        assert threading.main_thread() not in writers

    def test_without_objects_there_is_no_file(self, drawn, kept):
        assert len(kept(drawn)) == 1
        drawn.panel.buttons["delete"].click()
        assert kept(drawn) == []

    def test_what_is_saved_by_hand_needs_no_other_file(self, drawn, kept, dialogs, qtbot):
        kept(drawn)
        drawn.panel.buttons["save_session"].click()
        qtbot.waitUntil(lambda: "is saved" in drawn.panel.status.text())
        qtbot.waitUntil(lambda: kept(drawn) == [])
        drawn._work.session.rename(1, "lesion")
        assert len(kept(drawn)) == 1

    @pytest.mark.window
    def test_closing_saves_what_is_not_saved_yet(self, viewer, widget, draw, settle, monkeypatch, qtbot):
        monkeypatch.setattr(autosave, "PAUSE", 10**6)
        draw(widget, BOX)
        settle(widget)
        viewer.window.remove_dock_widget(widget.parentWidget())
        qtbot.waitUntil(lambda: latest(key_of(viewer.layers["picture"])) is not None)
        assert len(storage.read(latest(key_of(viewer.layers["picture"])).path).objects) == 1

    def test_closing_saves_the_last_stroke(self, viewer, drawn, drag, qtbot):
        layer = drawn._work.layers.masks
        layer.mode = "paint"
        drag(layer, (40, 20), (40, 30))
        drawn.shut_down()
        qtbot.waitUntil(lambda: latest(key_of(viewer.layers["picture"])) is not None)
        assert storage.read(latest(key_of(viewer.layers["picture"])).path).objects[0]["hand"]

    def test_closing_the_window_saves_the_last_stroke(self, drawn, kept, drag, monkeypatch, qtbot):
        (path,) = kept(drawn)
        drawn.show()
        monkeypatch.setattr(autosave, "PAUSE", 10**6)
        layer = drawn._work.layers.masks
        layer.mode = "paint"
        drag(layer, (40, 20), (40, 30))
        # the panel is told nothing but that it is hidden
        drawn.window().close()
        qtbot.waitUntil(lambda: bool(storage.read(path).objects[0]["hand"]))

    def test_paint_on_the_result_is_saved(self, drawn, kept, settle, drag, qtbot):
        drawn.panel.buttons["commit"].click()
        settle(drawn)
        kept(drawn)
        result = drawn._work.layers.result
        result.mode, result.brush_size, result.selected_label = "paint", 1, 7
        drag(result, (40, 20), (40, 30))
        (path,) = kept(drawn)
        assert (storage.read(path).result[40, 20:31] == 7).all()
        # napari's own, which tells nobody
        result.undo()
        kept(drawn)
        assert not (storage.read(path).result == 7).any()

    @pytest.mark.window
    def test_closing_during_a_write_waits_for_nothing_and_leaves_whole_files(self, viewer, drawn, monkeypatch, qtbot):
        before, closed, in_time = storage.write, threading.Event(), []

        def slow(*args):
            in_time.append(closed.wait(10))
            before(*args)

        monkeypatch.setattr("napari_swin_litemedsam.plugin.sessions.write", slow)
        drawn._work.session.rename(1, "first")
        qtbot.waitUntil(lambda: any(saver._writing for saver in drawn.sessions._autosaves.values()))
        drawn._work.session.rename(1, "second")
        viewer.window.remove_dock_widget(drawn.parentWidget())
        closed.set()
        key = key_of(viewer.layers["picture"])
        qtbot.waitUntil(lambda: latest(key) is not None)
        assert storage.read(latest(key).path).objects[0]["name"] == "second"
        assert all(in_time)
        assert not list(autosave.folder().glob(".*"))

    def test_a_full_disk_is_told_once(self, drawn, kept, monkeypatch, warnings_shown):
        def fail(*_):
            raise OSError(28, "No space left on device")

        kept(drawn)
        monkeypatch.setattr("napari_swin_litemedsam.plugin.sessions.write", fail)
        for name in ("a", "b"):
            drawn._work.session.rename(1, name)
            kept(drawn)
        told = [note.message for note in warnings_shown if "saved automatically" in note.message]
        assert len(told) == 1
        assert "No space left" in told[0]

    def test_what_a_full_disk_did_not_take_is_saved_at_the_end(self, drawn, kept, monkeypatch, qtbot):
        def fail(*_):
            raise OSError(28, "No space left on device")

        (path,) = kept(drawn)
        with monkeypatch.context() as full:
            full.setattr("napari_swin_litemedsam.plugin.sessions.write", fail)
            drawn._work.session.rename(1, "lesion")
            kept(drawn)
        drawn.shut_down()
        qtbot.waitUntil(lambda: storage.read(path).objects[0]["name"] == "lesion")


class TestAfterACrash:
    @pytest.fixture
    def left(self, viewer, drawn, kept):
        """A file of the picture, from a widget that is gone with its layers."""
        (path,) = kept(drawn)
        drawn.shut_down()
        for layer in list(viewer.layers)[1:]:
            viewer.layers.remove(layer)
        return path

    def test_discarding_removes_the_file(self, left, open_widget, qtbot):
        widget = open_widget()
        assert offered(widget)
        widget.panel.session_section.discard.click()
        assert not offered(widget)
        qtbot.waitUntil(lambda: not left.exists())

    def test_another_image_is_offered_nothing(self, left, viewer, open_widget):
        widget = open_widget()
        other = viewer.add_image(PIXELS + 1, name="other")
        widget.image = other
        assert not offered(widget)
        widget.image = viewer.layers["picture"]
        assert offered(widget)

    def test_what_was_drawn_meanwhile_is_brought_back_by_undo(self, left, open_widget, draw, settle, qtbot):
        widget = open_widget()
        draw(widget, (2, 2, 8, 8))
        settle(widget)
        widget.panel.session_section.restore.click()
        qtbot.waitUntil(lambda: not offered(widget))
        assert widget._work.session.objects[1].box == BOX
        widget.panel.buttons["undo"].click()
        assert widget._work.session.objects[1].box == (2, 2, 8, 8)

    def test_what_was_restored_and_undone_is_offered_again(self, left, open_widget, settle, kept):
        widget = open_widget()
        widget.panel.session_section.restore.click()
        settle(widget)
        kept(widget)
        assert widget._work.session.objects
        widget.panel.buttons["undo"].click()
        assert not widget._work.session.objects
        assert kept(widget) == [left]
        widget.shut_down()
        assert [item["id"] for item in storage.read(left).objects] == [1]

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04"])
    def test_a_damaged_file_is_told_of_and_kept(self, left, open_widget, qtbot, warnings_shown, content):
        left.write_bytes(content)
        widget = open_widget()
        widget.panel.session_section.restore.click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "damaged" in warnings_shown[-1].message
        assert str(left.parent) in warnings_shown[-1].message
        assert left.exists()

    def test_one_of_another_version_is_told_of_and_kept(self, left, open_widget, qtbot, warnings_shown, monkeypatch):
        monkeypatch.setattr(storage, "FORMAT", storage.FORMAT + 1)
        widget = open_widget()
        widget.panel.session_section.restore.click()
        qtbot.waitUntil(lambda: bool(warnings_shown))
        assert "another version of this plugin" in warnings_shown[-1].message
        assert left.exists()
