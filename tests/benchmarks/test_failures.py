"""The picture of failures: what may be shown, and where."""

import numpy as np
import pytest


@pytest.fixture
def failures():
    import failures

    return failures


@pytest.mark.parametrize(
    ("licence", "non_commercial", "shown"),
    [
        ("CC BY 4.0 (TCIA)", "no", True),
        ("CC-0", "no", True),
        ("CC BY-SA 4.0", "no", False),
        ("CC BY 4.0 (as recalled)", "unknown", False),
        ("stated CC0 on Kaggle; itself CC BY-NC-SA 4.0", "yes", False),
    ],
)
def test_only_open_sources_are_shown(failures, licence, non_commercial, shown):
    assert failures.is_open({"licence": licence, "non_commercial": non_commercial}) is shown


@pytest.mark.parametrize("box", [(40, 50, 60, 65), (0, 0, 9, 9), (170, 240, 199, 259), (0, 0, 199, 259)])
def test_the_window_is_a_square_inside_the_image_that_shows_the_object(failures, box):
    rows, columns = failures.around(box, (200, 260))
    assert rows.stop - rows.start == columns.stop - columns.start
    assert 0 <= rows.start <= box[0]
    assert min(box[2], 199) < rows.stop <= 200
    assert columns.start >= 0
    assert columns.stop <= 260


def test_outlines_are_coloured(failures):
    truth, mask = np.zeros((2, 60, 60), bool)
    truth[20:40, 20:40] = True
    mask[22:38, 22:38] = True
    picture = np.asarray(failures.tile(np.full((60, 60), 90, np.uint8), truth, mask, (20, 20, 39, 39)))
    assert picture.shape == (failures.SIDE, failures.SIDE, 3)
    for colour in ((60, 220, 60), (255, 70, 70), (255, 255, 255)):
        assert (picture == colour).all(axis=2).sum() > 100
