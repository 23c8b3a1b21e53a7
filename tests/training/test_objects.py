import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from skimage.measure import label as connected_components

from napari_swin_litemedsam.prompts import covered_part
from napari_swin_litemedsam.training.objects import objects, parts


def test_parts_far_apart_are_separate_objects():
    labels = np.zeros((30, 60), np.uint8)
    labels[10:20, 5:15] = labels[10:20, 18:25] = labels[10:20, 45:55] = 1
    assert sorted(part.sum() for part in objects(labels, apart=6)) == [100, 170]
    assert sorted(part.sum() for part in objects(labels, apart=0)) == [70, 100, 100]


def of_the_whole_slice(labels, groups, apart):
    """The same by its definition."""
    for ids in groups or [[id] for id in np.unique(labels) if id]:
        mask = np.isin(labels, ids)
        if mask.any():
            joined = binary_dilation(mask, iterations=round(apart / 2)) if round(apart / 2) else mask
            numbered = connected_components(joined, connectivity=2) * mask
            yield from (numbered == number for number in range(1, numbered.max() + 1))


@pytest.mark.parametrize("groups", [(), ((2, 5), (5,), (1, 3, 900))])
@pytest.mark.parametrize("apart", [0, 3, 9.4])
def test_objects_are_those_of_the_whole_slice_in_their_order(groups, apart):
    rng = np.random.default_rng(0)
    for density in (0.003, 0.02, 0.2):
        labels = (rng.random((50, 40)) < density) * rng.integers(1, 9, (50, 40)).astype(np.uint16)
        expected = [*of_the_whole_slice(labels, groups, apart)]
        np.testing.assert_array_equal([*objects(labels, groups, apart)], expected)
        for (place, mask), there in zip(parts(labels, groups, apart), expected, strict=True):
            assert place == covered_part(there)
            np.testing.assert_array_equal(mask, there[place])
