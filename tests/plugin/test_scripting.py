"""The panel driven by a script: no signals, no event loop, plain calls one after the other."""

import re
from pathlib import Path

import numpy as np
import pytest

from napari_swin_litemedsam.plugin import model_in_use
from napari_swin_litemedsam.plugin.scripting import ScriptError
from napari_swin_litemedsam.plugin.storage import SessionFileError

from .conftest import BOX, filled

PAGE = Path(__file__).parents[2] / "docs" / "scripting.md"


@pytest.fixture
def widget(volume, open_widget):
    return open_widget()


@pytest.fixture
def session(widget):
    return widget.session


def test_a_box_has_a_mask_after_waiting(session, widget):
    id = session.add_box(BOX, slice=4, name="liver")
    session.wait()
    np.testing.assert_array_equal(session.masks[4] == id, filled(BOX))
    np.testing.assert_array_equal(session.mask(id)[4], filled(BOX))
    assert session.mask(id).sum() == filled(BOX).sum()
    assert session.objects[id].name == "liver"
    assert session.objects[id].iou == 0.9
    # the window shows the same
    assert widget.panel.table.item(0, 1).text() == "liver"
    np.testing.assert_array_equal(widget._work.layers.masks.data, session.masks)


def test_boxes_go_to_the_slice_in_view_from_any_corner(session):
    id = session.add_box((30, 50, 10, 20))
    session.wait()
    np.testing.assert_array_equal(session.masks[2] == id, filled(BOX))


def test_also_while_edits_do_not_run_at_once(session, widget):
    widget.panel.live.click()
    session.add_box(BOX)
    session.wait()
    assert session.masks.any()


def test_prompts_can_be_given(session, predictor):
    id = session.add_box(BOX)
    session.wait()
    session.set_points(id, [[15, 25], [18, 30]], [1, 0])
    scribble = np.zeros((48, 64), bool)
    scribble[20, 25:40] = True
    session.set_scribble(id, scribble)
    session.wait()
    assert predictor.calls[-1]["points"].tolist() == [[15, 25], [18, 30]]
    np.testing.assert_array_equal(predictor.calls[-1]["scribble"], scribble)
    assert not session.mask(id)[2, :18].any()


def test_through_the_volume_and_back(session):
    id = session.add_box(BOX)
    session.propagate(1, 3)
    assert session.mask(id).any(axis=(1, 2)).tolist() == [False, True, True, True, False, False]
    session.propagate(reach="until each object ends")
    assert session.mask(id).any(axis=(1, 2)).all()
    assert session.undo()
    assert session.mask(id).any(axis=(1, 2)).tolist() == [False, True, True, True, False, False]
    assert session.redo()
    assert session.masks.any(axis=(1, 2)).all()


def test_commit_and_remove(session):
    first, second = session.add_box(BOX), session.add_box((2, 2, 9, 9))
    session.wait()
    assert session.commit([first]) == [first]
    assert set(np.unique(session.masks)) == {0, second}
    assert session.commit() == [second]
    assert session.reopen([second, first]) == [second, first]
    assert set(np.unique(session.masks)) == {0, first, second}
    assert session.commit() == [first, second]
    session.remove(first)
    assert set(np.unique(session.result)) == {0, second}


def test_what_was_painted_is_committed(session, widget):
    session.add_box(BOX)
    session.wait()
    widget._work.layers.masks.paint((2, 44, 5), 1)
    session.commit()
    assert session.result[2, 44, 5] == 1


def test_saved_and_opened(session, tmp_path):
    session.add_box(BOX, slice=np.int64(4))
    session.wait()
    masks = session.masks
    session.save(tmp_path / "mine.session")
    session.remove(1)
    session.open(tmp_path / "mine.session")
    np.testing.assert_array_equal(session.masks, masks)
    with pytest.raises(SessionFileError, match="none"):
        session.open(tmp_path / "none.session")


def test_what_goes_wrong_is_raised_once(session):
    session.add_box((100, 100, 120, 120))
    with pytest.raises(ScriptError, match="covers nothing"):
        session.wait()
    session.wait()


@pytest.mark.parametrize("call", [{"box": (1, 2, 3, np.nan)}, {"box": BOX, "slice": 6}, {"box": (1, 2, 3)}])
def test_bad_boxes_are_refused(session, call):
    with pytest.raises(ValueError):  # noqa: PT011
        session.add_box(**call)
    assert not session.objects


@pytest.mark.parametrize("limits", [(3, 1), (0, 6), (4, 5)])
def test_bad_ways_are_refused(session, limits):
    session.add_box(BOX)
    with pytest.raises(ValueError, match=r"slices|no object"):
        session.propagate(*limits)


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.set_points(1, [[15, 25]], [2]),
        lambda session: session.set_points(1, [[15, np.nan]]),
        lambda session: session.commit(rule="Keep"),
    ],
)
def test_what_cannot_be_taken_changes_nothing(session, call):
    session.add_box(BOX)
    session.wait()
    with pytest.raises(ValueError, match=r"1 or 0|one of keep, overwrite"):
        call(session)
    session.wait()
    assert len(session.objects[1].points) == 4
    assert not session.result.any()


def test_committed_objects_are_edited_once_they_are_reopened(session):
    session.add_box(BOX)
    session.wait()
    session.commit()
    for edit in (lambda: session.set_points(1, [[15, 25]]), lambda: session.set_scribble(1, filled(BOX))):
        with pytest.raises(ValueError, match="object 1 is committed; reopen it first"):
            edit()
    session.reopen([1])
    session.set_points(1, [[15, 25]])
    assert len(session.objects[1].points) == 1


def test_names_may_be_numbers(session):
    session.add_box(BOX, name=5)
    assert session.objects[1].name == "5"


def test_a_picture_has_no_way(picture, open_widget):
    session = open_widget().session
    session.add_box(BOX)
    with pytest.raises(ValueError, match="only volumes"):
        session.propagate()
    assert session.masks.any()


def test_without_an_image(open_widget, viewer):
    session = open_widget().session
    session.wait()
    with pytest.raises(ScriptError, match="no image"):
        session.add_box(BOX)
    viewer.add_image(np.ones((48, 64)))
    session.wait()
    session.add_box(BOX)


def test_it_does_not_wait_for_ever(session, predictor):
    predictor.allowed.clear()
    session.add_box(BOX)
    with pytest.raises(TimeoutError):
        session.wait(0.1)
    predictor.allowed.set()
    session.wait()


def test_the_page_of_the_documentation_runs(monkeypatch, tmp_path, capsys, make_napari_viewer, predictor):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_in_use, "load_predictor", lambda _: predictor)
    monkeypatch.setattr("napari.Viewer", make_napari_viewer)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    namespace = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), namespace)
    assert capsys.readouterr().out.splitlines()[-1] == "[7 8 9]"
    with np.load("thigh.npz") as file:
        assert np.flatnonzero(file["segs"].any(axis=(1, 2))).tolist() == [7, 8, 9]
    assert Path("thigh.session").is_file()
