import numpy as np
import pytest

from napari_swin_litemedsam.plugin.drawing import draw_masks, draw_scribbles, read_masks, read_scribbles
from napari_swin_litemedsam.plugin.objects import BoxObject
from napari_swin_litemedsam.plugin.patches import Patch
from napari_swin_litemedsam.plugin.planes import Plane

from .conftest import FLAT, axial


def square(y0, x0, y1, x1):
    mask = np.zeros((30, 40), bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


@pytest.fixture
def two():
    """Two objects that overlap, and the slice that shows them."""
    objects = []
    for id, box in ((1, (5, 5, 15, 15)), (2, (10, 10, 20, 20))):
        item = BoxObject(id, FLAT, box)
        item.answer(FLAT, square(*box))
        objects.append(item)
    labels = np.zeros((30, 40), np.uint16)
    draw_masks(labels, objects, FLAT)
    return objects, labels


def take(objects, edits):
    for item in objects:
        if item.id in edits:
            item.hand[FLAT] = edits[item.id]
            item.compose(FLAT)


class TestDrawing:
    def test_the_higher_id_is_on_top(self, two):
        objects, labels = two
        assert labels[12, 12] == 2
        assert labels[6, 6] == 1
        draw_masks(labels, objects[::-1], FLAT)
        assert labels[12, 12] == 2

    def test_what_was_below_comes_back(self, two):
        objects, labels = two
        draw_masks(labels, objects[:1], FLAT, gone=[2])
        assert labels[12, 12] == 1
        assert labels[18, 18] == 0

    def test_ids_of_no_object_stay(self, two):
        objects, labels = two
        labels[28, 28] = 9
        draw_masks(labels, objects, FLAT)
        assert labels[28, 28] == 9


class TestReadingMasks:
    def test_nothing_painted_is_nothing(self, two):
        objects, labels = two
        assert read_masks(labels, objects, FLAT) == {}

    def test_paint_outlives_a_run(self, two):
        objects, labels = two
        labels[25, 30:35] = 1
        edits = read_masks(labels, objects, FLAT)
        assert list(edits) == [1]
        take(objects, edits)
        objects[0].answer(FLAT, square(0, 0, 3, 3))
        draw_masks(labels, objects, FLAT)
        assert (labels[25, 30:35] == 1).all()
        assert (labels[:4, :4] == 1).all()

    def test_erased_pixels_stay_erased(self, two):
        objects, labels = two
        labels[12, 12] = 0
        take(objects, read_masks(labels, objects, FLAT))
        for item in objects:
            item.answer(FLAT, square(0, 0, 29, 39))
        draw_masks(labels, objects, FLAT)
        assert labels[12, 12] == 0
        assert labels[12, 13] == 2

    def test_paint_over_another_object_takes_the_pixels_from_it(self, two):
        objects, labels = two
        labels[18, 18] = 1
        take(objects, read_masks(labels, objects, FLAT))
        objects[1].answer(FLAT, square(0, 0, 29, 39))
        draw_masks(labels, objects, FLAT)
        assert labels[18, 18] == 1
        assert not objects[1].masks[FLAT].full()[18, 18]

    def test_the_last_stroke_counts(self, two):
        objects, labels = two
        for id in (1, 0, 2):
            labels[25, 30] = id
            take(objects, read_masks(labels, objects, FLAT))
            draw_masks(labels, objects, FLAT)
            assert labels[25, 30] == id
        hand = objects[0].hand[FLAT]
        assert hand.removed.full()[25, 30]
        assert not hand.added

    def test_strokes_that_were_taken_back_leave_nothing(self, two):
        objects, labels = two
        before = labels.copy()
        labels[8:24, 18] = 1
        labels[6, 6] = 0
        take(objects, read_masks(labels, objects, FLAT))
        edits = read_masks(before, objects, FLAT, reverted=True)
        assert not any(edit.added or edit.removed for edit in edits.values())
        take(objects, edits)
        draw_masks(labels, objects, FLAT)
        np.testing.assert_array_equal(labels, before)

    def test_paint_of_no_object_takes_pixels_alone(self, two):
        objects, labels = two
        labels[6, 6] = 9
        edits = read_masks(labels, objects, FLAT)
        assert list(edits) == [1]
        assert edits[1].removed.full().sum() == 1


class TestScribbles:
    @pytest.fixture
    def crossing(self):
        objects = [BoxObject(1, axial(3), (0, 0, 9, 9)), BoxObject(2, axial(3), (0, 0, 9, 9))]
        objects[0].scribble = Patch.cut(square(10, 0, 10, 20))
        objects[1].scribble = Patch.cut(square(5, 10, 15, 10))
        labels = np.zeros((30, 40), np.uint16)
        draw_scribbles(labels, objects, axial(3))
        return objects, labels

    def test_crossing_ones_do_not_cut_each_other(self, crossing):
        objects, labels = crossing
        assert read_scribbles(labels, objects, axial(3)) == {}
        labels[20, 10] = 2
        edited = read_scribbles(labels, objects, axial(3))
        assert list(edited) == [2]
        assert edited[2].sum() == 12

    def test_are_drawn_on_their_slice_alone(self, crossing):
        objects, labels = crossing
        draw_scribbles(labels, objects, axial(4))
        assert not labels.any()
        assert read_scribbles(labels, objects, axial(4)) == {}


class TestPlanesAcross:
    @pytest.fixture
    def item(self):
        """An object of a volume (20, 30, 40) with masks on three slices."""
        item = BoxObject(1, axial(5), (0, 0, 9, 9))
        for z in (4, 5, 6):
            item.answer(axial(z), square(10, 10, 20, 20))
        return item

    def test_show_the_masks_where_they_meet(self, item):
        labels = np.zeros((20, 40), np.uint16)
        draw_masks(labels, [item], Plane((None, 12, None), axis=1))
        assert (labels[4:7, 10:21] == 1).all()
        assert (labels == 1).sum() == 33

    def test_are_read_where_the_masks_lie(self, item):
        labels = np.zeros((30, 40), np.uint16)
        draw_masks(labels, [item], axial(5))
        labels[12, 12], labels[25, 25] = 0, 1
        edits = read_masks(labels, [item], axial(5))
        item.hand[axial(5)] = edits[1]
        item.compose(axial(5))
        coronal = Plane((None, 12, None), axis=1)
        across = np.zeros((20, 40), np.uint16)
        draw_masks(across, [item], coronal)
        assert across[5, 12] == 0
        assert across[5, 13] == 1
        across[5, 13] = 0
        assert read_masks(across, [item], coronal) == {}
