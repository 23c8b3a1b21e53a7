"""What the user is told of where and why objects were carried no further."""

import pytest

from napari_swin_litemedsam.plugin.ends import told_of_carried, why_by_slice
from napari_swin_litemedsam.plugin.objects import BoxObject
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
