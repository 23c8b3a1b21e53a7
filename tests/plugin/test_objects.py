import numpy as np

from napari_swin_litemedsam.plugin.objects import BoxObject, Patch, State

from .conftest import FLAT


def test_a_patch_restores_its_mask():
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3] = mask[4, 7] = True
    patch = Patch.cut(mask)
    assert patch.pixels.shape == (3, 5)
    assert patch.box == (2, 3, 4, 7)
    labels = np.zeros(mask.shape, int)
    patch.paint(labels, 3)
    np.testing.assert_array_equal(labels, 3 * mask)


def test_a_patch_does_not_hold_the_mask_it_was_cut_from():
    mask = np.ones((4, 4), bool)
    patch = Patch.cut(mask)
    mask[:] = False
    assert patch.pixels.all()


def test_an_empty_patch_paints_nothing():
    labels = np.zeros((3, 3), int)
    Patch.cut(np.zeros((3, 3), bool)).paint(labels, 1)
    assert not labels.any()


def test_waiting_outdates_what_runs():
    item = BoxObject(1, FLAT, (0, 0, 1, 1), state=State.FAILED, message="why")
    item.wait()
    assert (item.state, item.message, item.version) == (State.WAITING, "", 1)
