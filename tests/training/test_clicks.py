import numpy as np
import torch

from napari_swin_litemedsam.model import PointLabel
from napari_swin_litemedsam.training.clicks import add_clicks, corrective_click


def square(y0, x0, y1, x1):
    mask = np.zeros((64, 64), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_missed_part_gets_a_positive_click_in_its_middle():
    click = corrective_click(square(10, 10, 40, 20), square(10, 10, 40, 41))
    assert click is not None
    assert click.label == PointLabel.POSITIVE
    assert abs(click.x - 30) <= 1
    assert 20 <= click.y < 30


def test_the_wider_error_is_clicked_and_what_goes_too_far_is_negative():
    truth, mask = square(10, 10, 40, 30), square(13, 10, 40, 50)
    click = corrective_click(mask, truth)
    assert click is not None
    assert click.label == PointLabel.NEGATIVE
    assert mask[click.y, click.x]
    assert not truth[click.y, click.x]


def test_an_error_at_the_image_border_is_clicked_inside_its_middle():
    click = corrective_click(square(0, 0, 0, 0), square(0, 0, 21, 64))
    assert click is not None
    assert abs(click.y - 10) <= 1


def test_a_right_mask_needs_no_click():
    assert corrective_click(square(5, 5, 9, 9), square(5, 5, 9, 9)) is None


def test_clicks_are_added_twice_behind_the_points_as_x_and_y_and_padded_where_there_is_no_error():
    truth = np.stack([square(10, 10, 21, 41), square(5, 5, 9, 9)])
    logits = torch.from_numpy(np.stack([square(0, 0, 0, 0), square(5, 5, 9, 9)])).float() - 0.5
    points, labels = add_clicks(
        torch.zeros(2, 1, 2), torch.ones(2, 1, dtype=torch.long), logits, torch.from_numpy(truth).float()
    )
    assert points.shape == (2, 3, 2)
    assert points[0, 1].tolist() == points[0, 2].tolist()
    x, y = points[0, 1].int().tolist()
    assert truth[0, y, x]
    assert labels.tolist() == [[1, *[PointLabel.POSITIVE] * 2], [1, *[PointLabel.PADDING] * 2]]
