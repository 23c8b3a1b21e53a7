"""Sessions in files."""

import json
import zipfile

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.carrying import Route
from napari_swin_litemedsam.plugin.loading import LazyPredictor
from napari_swin_litemedsam.plugin.session import Session
from napari_swin_litemedsam.plugin.storage import Origin, SessionFileError, read, restore, snapshot, write

from .conftest import answer, axial

BOX = (5.0, 5.0, 15.0, 15.0)
SHAPE = (4, 30, 41)


def new(predictor, shape=SHAPE):
    return Session(np.zeros(shape), shape, LazyPredictor(lambda: predictor))


@pytest.fixture
def session(predictor):
    session = new(predictor)
    for z, box in ((1, BOX), (2, (1.0, 2.0, 9.0, 30.5)), (0, (3.0, 3.0, 8.0, 8.0))):
        session.add_box(axial(z), box)
        request = session.next_request(None)
        answer(session, request)
    session.select(1)
    session.place_box(1, axial(3), (6.0, 6.0, 14.0, 14.0))
    request = session.next_request(None)
    answer(session, request)
    steps, _ = session.carry(Route(axial(0), 0, 3), None)
    for step in steps():
        session.accept_step(step)
    session.edit_points(2, [[3.25, 4]], [0])
    session.rename(2, "Läsion 1")
    labels = np.zeros(SHAPE[1:], np.uint16)
    session.draw_masks(labels, axial(1))
    labels[25, 30], labels[6, 6] = 1, 0
    session.read_masks(labels, axial(1))
    session.commit([3])
    return session


def _rewritten(path, change):
    """Change the description in a file."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    text = json.loads(members["session.json"])
    change(text)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (members | {"session.json": json.dumps(text)}).items():
            file.writestr(name, content)


def all_of(session):
    def plain(value):
        if hasattr(value, "added"):
            return plain(value.added), plain(value.removed)
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items()}
        if isinstance(value, frozenset):
            return value
        return value.full().tobytes() if hasattr(value, "full") else str(value)

    return {
        id: {key[1:]: plain(value) for key, value in item.remembered().items()} | {"masks": plain(item.masks)}
        for id, item in session.objects.items()
    }


def test_all_comes_back(session, predictor, tmp_path):
    path = tmp_path / "a.zip"
    write(path, snapshot(session, Origin("scan", "/data/scan.nii", (-160.0, 240.0), "w sha256:1")))
    saved = read(path)
    assert saved.origin == Origin("scan", "/data/scan.nii", (-160.0, 240.0), "w sha256:1")
    again = new(predictor)
    restore(again, saved)
    assert all_of(again) == all_of(session)
    np.testing.assert_array_equal(again.result, session.result)
    assert again.objects[3].stage == "committed"
    assert again.next_request(None).id == 2


def test_one_of_before_drawn_prompts_were_known_comes_back(session, predictor, tmp_path):
    for item in session.objects.values():
        item.drawn_scribble = None
    write(tmp_path / "a.zip", snapshot(session, Origin()))

    def without(text):
        for fields in text["objects"]:
            del fields["drawn_points"], fields["drawn_scribble"]

    _rewritten(tmp_path / "a.zip", without)
    again = new(predictor)
    restore(again, read(tmp_path / "a.zip"))
    assert again.objects.keys() == session.objects.keys()
    for id, item in session.objects.items():
        assert again.objects[id].masks.keys() == item.masks.keys()
        np.testing.assert_array_equal(again.objects[id].scribble.full(), item.scribble.full())


def test_opening_one_can_be_undone(session, predictor, tmp_path):
    path = tmp_path / "a.zip"
    write(path, snapshot(new(predictor), Origin()))
    before, result = all_of(session), session.result.copy()
    restore(session, read(path))
    assert not session.objects
    assert not session.result.any()
    session.undo()
    assert all_of(session) == before
    np.testing.assert_array_equal(session.result, result)


def test_a_session_goes_on_while_it_is_written(session, predictor, tmp_path):
    before = all_of(session)
    saved = snapshot(session, Origin())
    session.move_box(1, axial(3), (0.0, 0.0, 3.0, 3.0))
    session.remove(2)
    write(tmp_path / "a.zip", saved)
    again = new(predictor)
    restore(again, read(tmp_path / "a.zip"))
    assert all_of(again) == before


def test_versions_and_origin_can_be_read_by_people(session, tmp_path):
    write(tmp_path / "a.zip", snapshot(session, Origin("scan")))
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        text = json.loads(file.read("session.json"))
    assert text["versions"]["napari"]
    assert text["objects"][1]["name"] == "Läsion 1"


class TestBadFiles:
    def test_of_another_shape(self, session, predictor, tmp_path):
        write(tmp_path / "a.zip", snapshot(new(predictor, (30, 41)), Origin()))
        before = all_of(session)
        with pytest.raises(SessionFileError, match="30 x 41 pixels, but this one has 4 x 30 x 41"):
            restore(session, read(tmp_path / "a.zip"))
        assert all_of(session) == before

    def test_missing(self, tmp_path):
        with pytest.raises(SessionFileError, match="No such file"):
            read(tmp_path / "a.zip")

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"plain text"])
    def test_no_zip(self, tmp_path, content):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(SessionFileError, match="damaged"):
            read(tmp_path / "a.zip")

    def test_another_zip(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr("letter.txt", "hello")
        with pytest.raises(SessionFileError, match="not a session"):
            read(tmp_path / "a.zip")

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
    def test_cut_short(self, session, tmp_path, share):
        write(tmp_path / "a.zip", snapshot(session, Origin()))
        whole = (tmp_path / "a.zip").read_bytes()
        (tmp_path / "a.zip").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SessionFileError):
            read(tmp_path / "a.zip")

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.update(format=99),
            lambda text: text["objects"][0].update(plane=[[9, None, None], 0]),
            lambda text: text["objects"][0].update(box=[1, 2, 3]),
            lambda text: text["objects"][0].update(extra=1),
            lambda text: text["objects"][0]["scribble"].__setitem__(3, 10**9),
            lambda text: text.update(shape=[4, 30, 40]),
        ],
    )
    def test_with_nonsense(self, session, tmp_path, change):
        write(tmp_path / "a.zip", snapshot(session, Origin()))
        _rewritten(tmp_path / "a.zip", change)
        with pytest.raises(SessionFileError):
            read(tmp_path / "a.zip")

    def test_pickles_are_refused(self, session, tmp_path):
        write(tmp_path / "a.zip", snapshot(session, Origin()))
        with zipfile.ZipFile(tmp_path / "a.zip") as file:
            text = file.read("session.json")
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr("session.json", text)
            with file.open("bits.npy", "w") as member:
                np.lib.format.write_array(member, np.array([{}], object))
        with pytest.raises(SessionFileError):
            read(tmp_path / "a.zip")


def test_labels_above_the_ids_of_objects_come_back(session, predictor, tmp_path):
    labels = np.zeros(SHAPE, np.int32)
    labels[2, 20, 20] = 70000
    session.adopt_result(labels)
    write(tmp_path / "a", snapshot(session, Origin()))
    other = new(predictor)
    restore(other, read(tmp_path / "a"))
    np.testing.assert_array_equal(other.result, labels)


def test_opening_one_exchanges_the_result_and_undo_takes_it_back(session, predictor, tmp_path):
    write(tmp_path / "a", snapshot(session, Origin()))
    saved, other = read(tmp_path / "a"), new(predictor)
    mine = np.zeros(SHAPE, np.uint16)
    mine[0, 0, 0] = 9
    other.adopt_result(mine)
    restore(other, saved)
    assert other.history.undo_name == "open session"
    assert other.result is saved.result
    other.result[0, 1, 1] = 8  # by the user
    other.undo()
    assert other.result is mine
    assert mine[0, 0, 0] == 9
    other.redo()
    assert other.result is saved.result
    assert other.free_id() == 10


def test_undo_of_opening_leaves_labels_that_the_user_has_put_there_since(session, predictor, tmp_path):
    write(tmp_path / "a", snapshot(session, Origin()))
    other = new(predictor)
    restore(other, read(tmp_path / "a"))
    theirs = np.ones(SHAPE, np.uint16)
    other.adopt_result(theirs)
    other.undo()
    assert other.result is theirs
    assert not other.objects
