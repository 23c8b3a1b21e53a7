import numpy as np
import pytest

from napari_swin_litemedsam.appearance import appearance

RNG = np.random.default_rng(0)
INSIDE = np.zeros((80, 80), bool)
INSIDE[20:60, 20:60] = True


def organ(inside, around, noise=10):
    """A square organ in its surroundings."""
    return np.where(INSIDE, inside, around) + RNG.normal(0, noise, INSIDE.shape)


def look(image, level=1.0):
    return appearance(image, INSIDE, level)


class TestLikeness:
    def test_to_itself_is_whole_and_to_another_organ_small(self):
        image = organ(100, 160)
        assert look(image).likeness(image[INSIDE]) == pytest.approx(1)
        assert look(image).likeness(organ(100, 160)[INSIDE]) > 0.85
        assert look(image).likeness(organ(150, 160)[INSIDE]) < 0.1

    def test_is_the_share_that_is_the_same(self):
        image = organ(100, 160)
        half = np.concatenate([image[INSIDE], np.full(INSIDE.sum(), 1000)])
        assert look(image).likeness(half) == pytest.approx(0.5)

    @pytest.mark.parametrize(("factor", "shift"), [(0.01, 0), (100, -5000)])
    def test_does_not_depend_on_units(self, factor, shift):
        image, other = organ(100, 160), organ(108, 160)
        same = look(image * factor + shift, factor).likeness(other[INSIDE] * factor + shift)
        assert same == pytest.approx(look(image).likeness(other[INSIDE]), abs=1e-3)
        assert 0.2 < same < 0.9

    def test_heeds_no_difference_below_a_level(self):
        even = look(np.full(INSIDE.shape, 100, np.int16), level=10)
        assert even.likeness(np.full(9, 101)) == 1
        assert even.likeness(np.full(9, 130)) == 0

    def test_of_what_is_no_number_is_none(self):
        image = organ(100, 160)
        assert look(image).likeness(np.array([np.nan, np.inf, -np.inf])) == 0
        image[30, 30] = np.nan
        assert look(image).likeness(organ(100, 160)[INSIDE]) > 0.85
        assert look(np.full(INSIDE.shape, np.nan)).likeness(np.full(4, np.nan)) == 0

    def test_of_types_that_would_overflow(self):
        image = np.where(INSIDE, 32767, -32768).astype(np.int16)
        assert look(image).likeness(np.full(9, -32768, np.int16)) == 0
        assert look(image).likeness(np.full(9, 32767, np.int16)) == 1


class TestPartAlike:
    everywhere = np.ones(INSIDE.shape, bool)

    def test_is_what_looks_like_the_object_and_not_like_its_surroundings(self):
        image = organ(100, 160)
        part = look(image).part_alike(image, self.everywhere)
        assert part[INSIDE].mean() > 0.99
        assert part[~INSIDE].mean() < 0.01

    def test_is_never_more_than_the_mask(self):
        image = organ(100, 160)
        mask = np.zeros(INSIDE.shape, bool)
        mask[30:40, 10:40] = True
        assert not (look(image).part_alike(image, mask, 1) & ~mask).any()

    def test_holds_what_looks_like_both_and_what_looks_like_neither(self):
        image = organ(100, 102)
        assert look(image).part_alike(image, self.everywhere).mean() > 0.99
        assert look(organ(100, 120)).part_alike(np.full(INSIDE.shape, 1e6), self.everywhere).all()

    def test_counts_what_is_no_number_as_dark_like_the_network(self):
        image = np.where(INSIDE, 100.0, np.nan)
        part = look(image).part_alike(np.where(np.eye(80) > 0, 1000.0, image), self.everywhere)
        assert not part[np.isnan(image) & ~np.eye(80, dtype=bool)].any()
        assert part[np.eye(80, dtype=bool)].all(), "brighter than both"

    def test_neighbours_speak_for_each_other(self):
        found, image = look(organ(100, 160)), organ(100, 160)
        image[40, 40] = 160
        assert not found.part_alike(image, INSIDE)[40, 40]
        assert found.part_alike(image, INSIDE, 1)[40, 40]

    def test_at_the_edge_of_the_image(self):
        image, mask = organ(100, 160)[20:60, 20:], INSIDE[20:60, 20:]
        part = appearance(image, mask, 1).part_alike(image, np.ones(mask.shape, bool))
        assert (part == mask).mean() > 0.99

    def test_of_an_object_that_fills_the_image(self):
        image = organ(100, 100)
        found = appearance(image, self.everywhere, 1)
        assert found.part_alike(image, self.everywhere).mean() > 0.99

    def test_of_nothing_is_nothing(self):
        image = organ(100, 160)
        assert not look(image).part_alike(image, np.zeros(INSIDE.shape, bool), 1).any()
