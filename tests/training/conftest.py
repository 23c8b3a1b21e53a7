"""Small images to train on."""

import numpy as np
import pytest

from napari_swin_litemedsam.training.data import Pair, Sample


@pytest.fixture
def make_sample(tmp_path):
    """A function for three slices of two objects, of which the middle one shows them."""

    def make(name, source):
        rng = np.random.default_rng(len(name))
        labels = np.zeros((3, 90, 120), np.uint8)
        labels[1, 20:60, 30:80] = 1
        labels[1, 65:85, 90:110] = 2
        image = (labels * 80 + rng.integers(0, 20, labels.shape)).astype(np.uint8)
        return Sample(Pair(source, tmp_path / name, tmp_path / name), image, labels)

    return make


@pytest.fixture
def samples(make_sample):
    return [make_sample(*of) for of in (("a", "CT"), ("bb", "CT"), ("ccc", "CT"), ("dddd", "CT"), ("e", "MR"))]


@pytest.fixture
def flat(samples):
    """The same of one slice each, which no object ends before."""
    return [Sample(s.pair, s.image[1:2], s.labels[1:2]) for s in samples]
