from napari_swin_litemedsam.plugin.objects import BoxObject, State

from .conftest import FLAT


def test_waiting_outdates_what_runs():
    item = BoxObject(1, FLAT, (0, 0, 1, 1), state=State.FAILED, message="why")
    before = item.version
    item.wait()
    assert (item.state, item.message) == (State.WAITING, "")
    assert item.version != before


def test_an_object_with_an_old_id_is_another_one():
    assert BoxObject(1, FLAT, (0, 0, 1, 1)).version != BoxObject(1, FLAT, (0, 0, 1, 1)).version
