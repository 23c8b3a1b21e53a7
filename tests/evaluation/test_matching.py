import numpy as np
import pytest

from napari_swin_litemedsam.evaluation import dice, hausdorff95, match_objects, surface_dice


@pytest.fixture
def pair():
    labels, reference = np.zeros((2, 12, 24, 24), np.uint16)
    labels[2:8, 4:12, 4:12], labels[5:7, 16:20, 1:9], labels[0, 0, 0] = 1, 4, 7
    reference[2:9, 4:12, 5:13], reference[5:7, 16:20, 1:9] = 9, 2
    return labels, reference


def test_compares_with_the_label_that_covers_most(pair):
    labels, reference = pair
    spacing = (3, 0.5, 0.7)
    found = list(match_objects(labels, reference, spacing, tolerance=1))
    assert [(match.object, match.reference) for match in found] == [(1, 9), (4, 2), (7, 0)]
    truth, mask = reference == 9, labels == 1
    assert found[0].dsc == dice(truth, mask) < 1
    assert found[0].nsd == surface_dice(truth, mask, spacing, 1)
    assert found[0].hd95 == hausdorff95(truth, mask, spacing) > 0
    assert (found[1].dsc, found[1].nsd, found[1].hd95) == (1, 1, 0)
    assert (found[2].dsc, found[2].nsd) == (0, 0)


def test_of_pictures(pair):
    labels, reference = (part[5] for part in pair)
    assert [match.reference for match in match_objects(labels, reference)] == [9, 2]


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 3, 3)])
def test_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="cannot be compared"):
        list(match_objects(np.zeros((2, 3, 3), int) if len(shape) == 2 else np.zeros(shape, int), np.zeros(shape, int)))
