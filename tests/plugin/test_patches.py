import numpy as np
import pytest

from napari_swin_litemedsam.plugin.patches import HandEdit, Patch
from napari_swin_litemedsam.plugin.planes import Plane


def test_a_patch_restores_its_mask():
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3] = mask[4, 7] = True
    patch = Patch.cut(mask)
    assert patch.pixels.shape == (3, 5)
    assert patch.box == (2, 3, 4, 7)
    assert patch
    labels = np.zeros(mask.shape, int)
    patch.paint(labels, 3)
    np.testing.assert_array_equal(labels, 3 * mask)
    np.testing.assert_array_equal(patch.full(), mask)


def test_a_patch_does_not_hold_the_mask_it_was_cut_from():
    mask = np.ones((4, 4), bool)
    patch = Patch.cut(mask)
    mask[:] = False
    assert patch.pixels.all()


def test_a_patch_takes_a_bit_a_pixel():
    mask = np.zeros((512, 512), bool)
    mask[100:164, 100:164] = True
    assert Patch.cut(mask).nbytes == 64 * 64 / 8


def test_an_empty_patch_paints_nothing():
    labels = np.zeros((3, 3), int)
    patch = Patch.cut(np.zeros((3, 3), bool))
    patch.paint(labels, 1)
    assert not labels.any()
    assert not patch


@pytest.mark.parametrize(
    ("plane", "other"),
    [
        (Plane((3, None, None)), Plane((None, 2, None))),
        (Plane((None, 2, None)), Plane((None, None, 1))),
        (Plane((None, None, 1)), Plane((3, None, None))),
        (Plane((3, None, None)), Plane((3, None, None))),
        (Plane((3, None, None)), Plane((2, None, None))),
        (Plane((2, None, None)), Plane((None, 0, None))),
        (Plane((1, 3, None, None)), Plane((1, None, 2, None))),
        (Plane((1, 3, None, None)), Plane((0, None, 2, None))),
        (Plane((1, 3, None, None)), Plane((None, None, 2, 1))),
    ],
)
def test_a_patch_shows_on_other_planes_where_they_cross(plane, other):
    shape = (3, 5, 6, 7)[-len(plane.at) :]
    mask = np.random.default_rng(0).random([shape[axis] for axis in plane.spans]) < 0.5
    mask[0] = mask[:, -1] = False
    everything = np.zeros(shape, int)
    everything[plane.index] = mask * 4
    labels = np.zeros([shape[axis] for axis in other.spans], int)
    Patch.cut(mask).paint_across(plane, labels, other, 4)
    np.testing.assert_array_equal(labels, everything[other.index])


def test_hand_edits_win_over_the_model():
    answer, added, removed = np.zeros((3, 4, 4), bool)
    answer[0], added[3, 3], removed[0, 0] = True, True, True
    edit = HandEdit(Patch.cut(added), Patch.cut(removed))
    np.testing.assert_array_equal(edit.applied_to(Patch.cut(answer)).full(), (answer | added) & ~removed)
    np.testing.assert_array_equal(edit.applied_to(None).full(), added)
