from pathlib import Path

import numpy as np

from napari_swin_litemedsam.plugin.history import MEMORY, History, differences


def change(id, before, after, name="box"):
    return {(id, name, None): (before, after)}


class TestHistory:
    def test_undo_and_redo_go_back_and_forth(self):
        history = History()
        history.record("first", change(1, None, 10))
        history.record("second", change(1, 10, 20))
        assert history.undo() == change(1, 20, 10)
        assert (history.undo_name, history.redo_name) == ("first", "second")
        assert history.undo() == change(1, 10, None)
        assert history.undo() == {}
        assert history.redo() == change(1, None, 10)
        assert history.redo() == change(1, 10, 20)
        assert history.redo() == {}

    def test_a_new_step_ends_what_could_be_redone(self):
        history = History()
        history.record("first", change(1, None, 10))
        history.undo()
        history.record("other", change(2, None, 10))
        assert history.redo_name is None

    def test_what_follows_is_undone_with_its_step(self):
        history = History()
        step = history.record("first", change(1, 0, 1))
        history.record("second", change(2, 0, 1))
        history.extend(step, change(1, 1, 2))
        history.extend(step, change(1, None, "mask", "mask"))
        history.undo()
        assert history.undo() == change(1, 2, 0) | change(1, "mask", None, "mask")

    def test_nothing_follows_a_step_that_was_undone(self):
        history = History()
        step = history.record("first", change(1, 0, 1))
        history.undo()
        history.extend(step, change(1, 1, 2))
        assert history.redo() == change(1, 0, 1)

    def test_newest_step_of_an_object(self):
        history = History()
        first = history.record("first", change(1, 0, 1))
        history.record("second", change(2, 0, 1))
        assert history.newest_of(1) is first
        assert history.newest_of(3) is None


class TestMemory:
    def test_the_oldest_steps_are_forgotten(self):
        history = History(memory=10_000)
        for number in range(20):
            history.record(str(number), change(1, None, np.zeros(1000, np.uint8)))
            assert history.nbytes <= 10_000
        steps = 0
        while history.undo():
            steps += 1
        assert steps == 8
        assert history.redo_name == "12"

    def test_a_step_that_grows_too_large_is_forgotten(self):
        history = History(memory=10_000)
        step = history.record("first", change(1, None, 0))
        for number in range(20):
            history.extend(step, {(1, "masks", number): (None, np.zeros(1000, np.uint8))})
        assert history.undo() == {}
        assert history.nbytes == 0

    def test_what_is_replaced_within_a_step_is_not_counted(self):
        history = History()
        step = history.record("first", change(1, None, np.zeros(1000, np.uint8)))
        before = history.nbytes
        for _ in range(5):
            history.extend(step, change(1, None, np.zeros(1000, np.uint8)))
        assert history.nbytes == before


def test_differences_are_of_identity_and_of_plain_values():
    array = np.zeros(3)
    before = {(1, "a", None): array, (1, "b", None): 1, (1, "c", None): 1, (1, "d", None): True}
    after = {(1, "a", None): array, (1, "b", None): 1.5, (1, "d", None): True, (1, "e", None): array}
    assert differences(before, after) == {
        (1, "b", None): (1, 1.5),
        (1, "c", None): (1, None),
        (1, "e", None): (None, array),
    }


def test_the_documentation_tells_how_far_undo_reaches():
    page = Path(__file__).parents[2] / "docs" / "tutorials" / "correcting.md"
    assert f"{MEMORY // 2**20} MB" in page.read_text()
