import numpy as np
import pytest

from napari_swin_litemedsam.evaluation import ObjectScore, compare, mean_interval, summarise


def score(case, modality, number, dsc, nsd=0.5, hd95=4.0):
    return ObjectScore(case, modality, number, dsc, nsd, hd95, 100)


def test_means_are_over_cases_of_means_over_objects():
    scores = [
        score("a", "CT", 1, 1.0, 0.8, 2),
        score("a", "CT", 2, 0.5, 0.4, 4),
        score("b", "CT", 1, 0.25, 0.2, 9),
        score("c", "MR", 1, 0.1, 0.3, 7),
    ]
    ct, mr, mean = summarise(scores)
    assert (ct.modality, ct.cases, ct.objects) == ("CT", 2, 3)
    assert (ct.dsc, ct.nsd, ct.hd95) == pytest.approx((0.5, 0.4, 6))
    assert (mr.modality, mr.cases, mr.objects, mr.dsc, mr.nsd) == ("MR", 1, 1, 0.1, 0.3)
    assert (mean.modality, mean.cases, mean.objects) == ("mean", 3, 4)
    assert (mean.dsc, mean.nsd) == pytest.approx((0.3, 0.35))
    assert np.isnan(mean.hd95), "pixels and millimetres have no mean"


def test_one_modality_needs_no_mean_over_modalities():
    assert [row.modality for row in summarise([score("a", "CT", 1, 0.5)])] == ["CT"]


def test_intervals_cover_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = mean_interval([rng.normal(0.5, 0.1, 40)], draws=300)
        covered += low <= 0.5 <= high
    assert 0.89 <= covered / 200 <= 0.98


def test_intervals_are_the_same_for_the_same_values_and_surround_the_mean():
    groups = [np.linspace(0, 1, 30), np.linspace(0.4, 0.6, 20)]
    low, high = mean_interval(groups)
    assert mean_interval(groups) == (low, high)
    assert low < 0.5 < high
    # the narrow group adds little, and the mean of two halves the spread of the wide one
    wide = mean_interval(groups[:1])
    assert high - low == pytest.approx((wide[1] - wide[0]) / 2, rel=0.1)


def test_a_single_case_has_no_interval():
    assert np.isnan(mean_interval([[0.5]])).all()


def test_comparison_is_paired_by_case():
    first = [score(f"c{i}", "CT", 1, i / 40 + 0.05) for i in range(20)]
    second = [score(f"c{i}", "CT", 1, i / 40) for i in reversed(range(20))]
    (row,) = compare(first, second)
    assert (row.cases, row.better, row.worse) == (20, 20, 0)
    assert row.dsc == pytest.approx(0.05)
    # every case differs by the same amount, so there is no doubt, however much cases differ among each other
    assert row.dsc_interval == pytest.approx((0.05, 0.05))
    assert row.p < 0.001
    assert (row.nsd, row.nsd_interval) == (0, (0, 0))


def test_equal_predictions_do_not_differ():
    scores = [score(f"c{i}", "CT" if i % 2 else "MR", 1, i / 10) for i in range(6)]
    rows = compare(scores, scores)
    assert [row.modality for row in rows] == ["CT", "MR", "mean"]
    assert all((row.dsc, row.better, row.worse, row.p) == (0, 0, 0, 1) for row in rows)


def test_predictions_of_different_cases_are_not_compared():
    with pytest.raises(ValueError, match="same cases"):
        compare([score("a", "CT", 1, 0.5)], [score("b", "CT", 1, 0.5)])


def test_objects_in_another_order_are_no_difference():
    values = [(0.1, 0.7, 0.2), (0.3, 0.3, 0.9)]
    ours = [score(f"CT_{c}", "CT", i, v) for c, of in enumerate(values) for i, v in enumerate(of)]
    theirs = [score(f"CT_{c}", "CT", i, v) for c, of in enumerate(values) for i, v in enumerate(of[::-1])]
    (row,) = compare(ours, theirs)
    assert (row.better, row.worse, row.p) == (0, 0, 1.0)
