"""What the user is told of where and why objects were carried no further."""

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.ends import told_of_carried, why_by_slice
from napari_swin_litemedsam.plugin.objects import BoxObject
from napari_swin_litemedsam.plugin.patches import Patch
from napari_swin_litemedsam.stopping import Stop

from .conftest import axial

BOX = (0, 0, 1, 1)


def test_tells_of_each_object_in_words():
    ended = BoxObject(1, axial(5), BOX, ends={axial(9): "end of range", axial(3): "nothing found"})
    assert told_of_carried([ended, BoxObject(2, axial(5), BOX)]) == (
        "Carried 2 objects. Object 1 ends: nothing was found on slice 3."
    )


def test_tells_of_some_objects_where_there_are_many():
    told = told_of_carried([BoxObject(id, axial(5), BOX, ends={axial(9): "mask jumped"}) for id in range(1, 30)])
    assert told.startswith("Carried 29 objects. Object 1 ends: the mask lay elsewhere on slice 9. Object 2 ")
    assert told.endswith(" …")
    assert len(told) < 300


@pytest.mark.parametrize("reason", Stop)
def test_every_reason_has_words_of_its_own(reason):
    assert why_by_slice(BoxObject(1, axial(5), BOX, ends={axial(3): str(reason)}))[3] != str(reason)


def test_a_reason_of_another_version_is_told_as_it_is():
    assert why_by_slice(BoxObject(1, axial(5), BOX, ends={axial(3): "tired"})) == {3: "tired"}


def carried(empty, ends, over=range(2, 10)):
    """An object with a box on slice 5 that was carried over some slices, without a mask on some of them."""
    masks = {axial(z): Patch.cut(np.full((4, 4), z not in empty)) for z in over}
    return BoxObject(1, axial(5), BOX, carried={axial(z): BOX for z in over}, masks=masks, ends=ends)


RANGE = {axial(2): "end of range", axial(9): "end of range"}


def test_masks_that_end_before_the_range_does_are_told():
    assert told_of_carried([carried((2, 3, 8, 9), RANGE)]) == (
        "Carried 1 object. Object 1 ends: nothing was found that looks like it on slice 3, "
        "nothing was found that looks like it on slice 8."
    )
    assert list(why_by_slice(carried((9,), RANGE)).items()) == [
        (2, "the range ends"),
        (9, "nothing was found that looks like it"),
    ]
    assert told_of_carried([carried((), RANGE)]) == "Carried 1 object."


def test_beyond_the_end_that_a_rule_has_found_nothing_more_is_told():
    # slice 8 was interpolated towards it
    assert [*why_by_slice(carried((8, 9), {axial(9): "mask jumped"}))] == [9]
