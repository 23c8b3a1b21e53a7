import numpy as np
import pytest

from napari_swin_litemedsam.plugin.planes import Plane, Stack

SHAPE = (4, 5, 6)
CORONAL = Plane((None, 2, None), axis=1)
BOX = (1.0, 2.0, 3.0, 5.0)


@pytest.mark.parametrize(
    ("shape", "spans", "position", "expected"),
    [
        ((5, 6), (0, 1), (2, 2), Plane((None, None))),
        (SHAPE, (1, 2), (1.6, 0, 0), Plane((2, None, None), axis=0)),
        (SHAPE, (0, 2), (0, 99, 0), Plane((None, 4, None), axis=1)),
        (SHAPE, (0, 1), (0, 0, -3), Plane((None, None, 0), axis=2)),
        # time comes before depth, and one slice is no depth
        ((3, *SHAPE), (2, 3), (2, 1, 0, 0), Plane((2, 1, None, None), axis=1)),
        ((3, 1, 5, 6), (2, 3), (2, 0, 0, 0), Plane((2, 0, None, None), axis=0)),
        ((1, 5, 6), (1, 2), (0, 0, 0), Plane((0, None, None))),
    ],
)
def test_lies_nearest_to_a_position(shape, spans, position, expected):
    assert Plane.of(shape, spans, position) == expected


def test_takes_itself_out_of_an_array():
    volume = np.arange(120).reshape(SHAPE)
    np.testing.assert_array_equal(volume[CORONAL.index], volume[:, 2])


def test_positions_go_to_the_image_and_back():
    positions = np.array([[1.0, 2.5], [3.0, 4.0]])
    lifted = CORONAL.lift(positions)
    np.testing.assert_array_equal(lifted, [[1, 2, 2.5], [3, 2, 4]])
    np.testing.assert_array_equal(CORONAL.drop(lifted), positions)
    assert CORONAL.lift([]).shape == (0, 3)


def test_holds_what_is_nearer_to_it_than_to_its_neighbours():
    positions = np.array([[9, 1.6, 9], [0, 2.4, 0], [0, 2.6, 0], [0, -2, 0]])
    assert CORONAL.holds(positions).tolist() == [True, True, False, False]


def test_draws_boxes_on_itself():
    corners = CORONAL.rectangle(BOX)
    assert set(corners[:, 1]) == {2}
    np.testing.assert_array_equal(corners[[0, 2]][:, [0, 2]], [BOX[:2], BOX[2:]])


def test_joins_its_neighbours_alone():
    assert CORONAL.joins(CORONAL.moved(0))
    assert CORONAL.moved(3).position == 3
    assert not CORONAL.joins(Plane((2, None, None), axis=0))
    assert not Plane((0, 1, None, None), axis=1).joins(Plane((1, 1, None, None), axis=1))
    assert not Plane((None, None)).joins(Plane((None, None)))


@pytest.mark.parametrize("colours", [(), (3,)])
def test_neighbours_are_read_one_by_one(colours):
    read = []

    class Lazy:
        shape = (*SHAPE, *colours)

        def __getitem__(self, index):
            read.append(index)
            return np.zeros(self.shape)[index]

    stack = Stack(Lazy(), CORONAL)
    assert len(stack) == 5
    assert stack.shape == (5, 4, 6, *colours)
    assert stack[3].shape == stack.shape[1:]
    assert read == [(slice(None), 3, slice(None))]
