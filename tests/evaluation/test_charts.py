import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from napari_swin_litemedsam.evaluation.charts import box_plots, scatter

SVG = "{http://www.w3.org/2000/svg}"


def elements(svg, tag):
    return ET.fromstring(svg).findall(SVG + tag)


def words(svg):
    return [element.text for element in elements(svg, "text")]


def test_boxes_span_the_quartiles_and_outliers_are_dots():
    values = [0.0, *np.linspace(0.4, 0.6, 21)]
    svg = box_plots({"CT": [values]}, ["ours"], "DSC")
    (box,) = elements(svg, "rect")
    ticks = {e.text: float(e.get("x")) for e in elements(svg, "text") if re.fullmatch(r"\d\.\d", e.text)}
    scale = ticks["1.0"] - ticks["0.0"]
    first, third = np.quantile(values, [0.25, 0.75])
    assert (float(box.get("x")) - ticks["0.0"]) / scale == pytest.approx(first, abs=1e-3)
    assert float(box.get("width")) / scale == pytest.approx(third - first, abs=1e-3)
    (outlier,) = elements(svg, "circle")
    assert float(outlier.get("cx")) == pytest.approx(ticks["0.0"], abs=0.1)


def test_every_row_and_series_has_its_box_and_name():
    svg = box_plots({"CT": [[0.5, 0.6], [0.7, 0.8]], "MR": [[0.1, 0.2], []]}, ["ours", "theirs <1>"], "DSC")
    # two boxes, one box, and two squares of the legend
    assert len(elements(svg, "rect")) == 3 + 2
    assert {"CT", "MR", "ours", "theirs <1>", "DSC"} <= set(words(svg))


def test_points_lie_on_logarithmic_axes_and_tell_what_they_are():
    svg = scatter({"CT": ([10, 100, 1000], [0, 0.5, 1], ["a", "b & c", "d"])}, "size", "DSC")
    _, *dots = elements(svg, "circle")
    x, y = (np.array([float(dot.get(key)) for dot in dots]) for key in ("cx", "cy"))
    assert np.diff(x)[0] == pytest.approx(np.diff(x)[1], abs=0.2)
    assert np.diff(y)[0] == pytest.approx(np.diff(y)[1], abs=0.2)
    assert y[2] < y[0]
    assert [dot.find(f"{SVG}title").text for dot in dots] == ["a", "b & c", "d"]
    assert {"10", "100", "1,000", "CT", "size", "DSC"} <= set(words(svg))


def test_a_single_size_still_has_an_axis():
    assert len(elements(scatter({"CT": ([10], [0.5], ["a"])}, "size", "DSC"), "circle")) == 2
