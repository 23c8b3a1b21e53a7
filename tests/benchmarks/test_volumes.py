"""The benchmarks of volumes on a small data set, with a network that finds what is bright in the box."""

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest


class Bright:
    name, batch, description = "bright", 8, "bright"

    def encode(self, pixels):
        return (pixels[0],)

    def decode(self, features, points, labels, boxes, scribbles):
        y, x = np.mgrid[:256, :256]
        inside = [(x >= x0) & (y >= y0) & (x <= x1) & (y <= y1) & (features[0] > 0.5) for x0, y0, x1, y1 in boxes]
        return np.where(inside, 5, -5).astype(np.float32), np.full(len(boxes), 0.9, np.float32)


@pytest.fixture
def data(tmp_path):
    """A ball in CT and one in PET; beyond its ends there is nothing."""
    z, y, x = np.mgrid[:11, :64, :64]
    ball = (3 * (z - 5)) ** 2 + (y - 30) ** 2 + (x - 34) ** 2 < 14**2
    for source in ("CT/one", "PET/two"):
        for kind, values in (("images", 200 * ball), ("labels", 1 * ball)):
            folder = tmp_path / source / kind
            folder.mkdir(parents=True)
            nibabel.save(nibabel.Nifti1Image(values.astype(np.uint8).T, np.diag([1, 1, 3, 1])), folder / "a.nii.gz")
    return tmp_path


@pytest.fixture
def benchmark(monkeypatch, capsys):
    """Run one of the benchmarks; the cells of its table."""

    def run(name, *arguments):
        monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        for module in ("_common", "plain", name):
            sys.modules.pop(module, None)
        module = __import__(name)
        monkeypatch.setattr(module, "load_model", lambda *_: None)
        monkeypatch.setattr(module, "make_backend", lambda *_: Bright())
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        module.main()
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]

    return run


def test_rows_of_volumes(benchmark, data):
    head, _, *rows = benchmark("volumes", data, "--objects", 1)
    assert head == ["", "3D DSC", "gain", "CT", "PET", "2D DSC at the ends", "time", "encodings"]
    by_name = {row[0]: row[1:] for row in rows}
    published, default = by_name["published rule"], by_name["and what looks like the surroundings left out (default)"]
    # the lowest slice is left out
    assert float(published[0]) < 100
    assert float(published[4]) == pytest.approx(50, abs=1)
    assert published[1] == ""
    assert float(default[1].split()[0]) == pytest.approx(float(default[0]) - float(published[0]), abs=0.1)
    assert all(float(cell) > 99 for cell in (default[0], *default[2:5]))
    assert float(published[5]) == 1
    # the ball has 9 slices in each volume; of these every second, both ends and the box's
    assert default[6] == "18"
    assert by_name["default, every 2 slices"][6] == "14"
    opened = by_name["default, a 2D box on one slice and open ranges"]
    assert all(float(cell) > 99 for cell in (opened[0], *opened[2:5]))
