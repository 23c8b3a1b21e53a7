import re
from pathlib import Path, PurePath

import numpy as np
import pytest

from napari_swin_litemedsam.evaluation.cases import Predictions, find_labels, predictions_in, score_files
from napari_swin_litemedsam.evaluation.report import WORST, write_report
from napari_swin_litemedsam.evaluation.scores import write_csv
from napari_swin_litemedsam.io.times import write_times


@pytest.fixture
def report(tmp_path):
    """Write a report on fourteen cases, the first with the worst prediction; one is missing in the second."""
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 20:40] = 1
    folders = [tmp_path / name for name in ("ours", "theirs", "truth", "images")]
    for folder in folders:
        folder.mkdir()
    for i in range(14):
        name = f"{'CT' if i % 2 else 'MR'}_{i:02}.npz"
        np.savez(folders[2] / name, gts=labels, imgs=labels * 100)
        np.savez(folders[3] / name, imgs=labels * 50)
        np.savez(folders[0] / name, segs=np.roll(labels, 14 - i, axis=1))
        if i != 3:
            np.savez(folders[1] / name, segs=labels)

    def report(*predictions, images=None):
        truths = find_labels(folders[2])
        paths = [tmp_path / name for name in predictions]
        found = [predictions_in(path, truths) for path in paths]
        scores = [
            [s for name, path in truths.items() for s in score_files(name, path, one.files.get(name)).objects]
            for one in found
        ]
        write_report(tmp_path / "report.html", truths, found, scores, images and tmp_path / images)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return report


def captions(page):
    return re.findall(r"<figcaption>(.*?) \(", page)


def test_the_report_needs_no_other_file(report):
    page = report("ours")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page


def test_the_worst_cases_are_shown_worst_first(report):
    shown = captions(report("ours"))
    assert len(shown) == WORST
    assert [name[-2:] for name in shown] == [f"{i:02}" for i in range(WORST)]


def test_tables_hold_each_modality_and_the_mean(report):
    page = report("ours")
    rows = re.findall(r"<tr(?: class=mean)?><td>(\w+)</td><td>(\d+)</td><td>(\d+)</td>", page)
    assert rows == [("CT", "7", "7"), ("MR", "7", "7"), ("mean", "14", "14")]
    assert "Difference" not in page


def test_a_comparison_tells_both_and_their_difference(report):
    page = report("theirs", "ours")
    assert "Difference: theirs minus ours" in page
    assert "MR_02" in page
    better = re.findall(
        r"<tr><td>CT</td><td>7</td>.*?<td>(\d+)</td><td>(\d+)</td><td>", page[page.index("Difference") :]
    )
    assert better == [("6", "1")], "all but the missing case"
    assert "<li>CT_03: CT_03: prediction missing</li>" in page


def times_in(page):
    table = page[page.index("Running time") :]
    rows = re.findall(r"<tr>(.*?)</tr>", table[table.index("<tbody>") : table.index("</tbody>")])
    return [re.findall("<td>(.*?)</td>", row) for row in rows]


def test_running_times_are_told_per_modality_with_the_slowest_case(report, tmp_path):
    assert "Running time" not in report("ours")
    write_times(tmp_path / "ours", {"CT_01": 1, "CT_05": 3, "MR_00": 0.5})
    assert times_in(report("ours")) == [
        ["CT", "2", "2.00", "CT_05", "60 &times; 80", "1", "3.00"],
        ["MR", "1", "0.50", "MR_00", "60 &times; 80", "1", "0.50"],
    ]


def test_running_times_of_two_predictions_are_of_the_same_cases(report, tmp_path):
    write_times(tmp_path / "ours", {"CT_01": 1, "CT_05": 3, "MR_00": 0.5})
    write_times(tmp_path / "theirs", {"CT_01": 8, "CT_07": 9})
    assert times_in(report("ours", "theirs")) == [
        ["CT", "1", "1.00", "8.00", "CT_01", "60 &times; 80", "1", "1.00", "8.00"]
    ]


def test_a_prediction_without_times_leaves_those_of_the_other(report, tmp_path):
    write_times(tmp_path / "ours", {"CT_01": 1, "CT_05": 3})
    assert times_in(report("theirs", "ours")) == [["CT", "2", "", "2.00", "CT_05", "60 &times; 80", "1", "", "3.00"]]


def test_images_may_lie_elsewhere_or_nowhere(report):
    with_own, with_other, without = report("ours"), report("ours", images="images"), report("ours", images="truth/none")
    assert len({with_own, with_other, without}) == 3


def test_names_of_files_may_be_no_text(tmp_path):
    name = "caf\udce9"
    np.savez(tmp_path / "truth.npz", gts=np.ones((9, 9), np.uint8))
    scores = score_files(PurePath(name), tmp_path / "truth.npz", None).objects
    none = Predictions(Path(name), {})
    write_report(tmp_path / "r.html", {PurePath(name): tmp_path / "truth.npz"}, [none], [scores])
    write_csv(tmp_path / "r.csv", scores)
    for path in (tmp_path / "r.html", tmp_path / "r.csv"):
        assert r"caf\udce9" in path.read_text(encoding="utf-8")


def test_names_cannot_break_the_page(tmp_path):
    labels = np.ones((9, 9), np.uint8)
    np.savez(tmp_path / "a&b.npz", gts=labels)
    scores = score_files(PurePath("a&b"), tmp_path / "a&b.npz", None).objects
    none = Predictions(Path("<none>"), {})
    write_report(tmp_path / "r.html", {PurePath("a&b"): tmp_path / "a&b.npz"}, [none], [scores])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<none>" not in page
    assert "a&amp;b" in page
