import numpy as np
import torch

from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.training.validation import boxed_objects, mean_dice


def test_validation_boxes_hold_their_objects_and_are_always_the_same(samples):
    found, again = list(boxed_objects(samples[0])), list(boxed_objects(samples[0]))
    assert len(found) == 2
    for (mask, box), (_, same) in zip(found, again, strict=True):
        np.testing.assert_array_equal(box, same)
        rows, columns = np.nonzero(mask)
        assert box[0] <= rows.min() <= rows.max() <= box[2]
        assert box[1] <= columns.min() <= columns.max() <= box[3]


def test_validation_is_a_percentage(samples):
    torch.manual_seed(0)
    assert 0 <= mean_dice(SwinLiteMedSAM(), samples[:1]) <= 100
