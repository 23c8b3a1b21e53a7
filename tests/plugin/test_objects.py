import numpy as np

from napari_swin_litemedsam.plugin.objects import BoxObject, State
from napari_swin_litemedsam.plugin.patches import Patch
from napari_swin_litemedsam.plugin.planes import Plane

from .conftest import FLAT, axial


def test_waiting_outdates_what_runs():
    item = BoxObject(1, FLAT, (0, 0, 1, 1), state=State.FAILED, message="why")
    before = item.version
    item.wait()
    assert (item.state, item.message) == (State.WAITING, "")
    assert item.version != before


def test_an_object_with_an_old_id_is_another_one():
    assert BoxObject(1, FLAT, (0, 0, 1, 1)).version != BoxObject(1, FLAT, (0, 0, 1, 1)).version


def test_predicted_iou_by_slice_is_of_slices_that_have_a_mask():
    patch = Patch.cut(np.ones((2, 2), bool))
    coronal = Plane((None, 1, None), axis=1)
    item = BoxObject(1, axial(4), (0, 0, 1, 1), ious={axial(4): 0.9, axial(5): 0.5, axial(6): 0.4, coronal: 0.1})
    item.masks = dict.fromkeys((axial(4), axial(5), coronal), patch)
    assert item.iou == 0.9
    assert item.iou_by_position == {4: 0.9, 5: 0.5}
