import csv

import numpy as np
import pytest

from napari_swin_litemedsam.evaluation import ObjectScore, modality_of, score_case, write_csv


@pytest.mark.parametrize(
    ("path", "modality"),
    [
        ("CT_abdomen_0001.npz", "CT"),
        ("3DBox_MR_brain-7.npz", "MR"),
        ("2D_MICRO_x.npz", "MICRO"),
        ("Microscope_cell_2.png", "MICRO"),
        ("2DBox_Dermoscopy_12.npz", "DERM"),
        ("X-Ray_chest.npz", "XRAY"),
        ("XRay_chest-3.npz", "XRAY"),
        ("US/camus/case_7.png", "US"),
        ("X-ray/teeth/12.png", "XRAY"),
        ("Fundus_1.npz", "FUNDUS"),
        ("OCT/retina/images.png", "OCT"),
        # the file's own name counts before its folders, and words inside words do not
        ("CT/PET_1.npz", "PET"),
        ("MRI_1.nii.gz", "MR"),
        ("CTA_1.nii.gz", "CT"),
        ("endoscopy_1.png", "ENDO"),
        ("EndoVis_1.png", "ENDO"),
        ("fundus/microaneurysms/1.png", "FUNDUS"),
        ("MR/endocardium/1.png", "MR"),
        ("microbleeds_MR_1.png", "MR"),
        ("octopus/12.png", "unknown"),
        ("case_12.npz", "unknown"),
    ],
)
def test_modality_is_told_by_names(path, modality):
    assert modality_of(path) == modality


@pytest.fixture
def labels():
    labels = np.zeros((30, 30), np.uint8)
    labels[2:10, 2:10] = 1
    labels[15:25, 15:25] = 7
    return labels


def test_every_object_is_scored(labels):
    prediction = np.where(labels == 7, 7, 0)
    scores = score_case("a", "CT", labels, prediction)
    assert [(s.object, s.dsc, s.nsd) for s in scores] == [(1, 0, 0), (7, 1, 1)]


def test_missing_predictions_count_as_zero_and_as_the_diagonal(labels):
    scores = score_case("a", "CT", labels, None, note="missing")
    assert [(s.object, s.dsc, s.nsd, s.note) for s in scores] == [(1, 0, 0, "missing"), (7, 0, 0, "missing")]
    assert [s.hd95 for s in scores] == pytest.approx([30 * 2**0.5] * 2)
    empty = score_case("a", "CT", labels, np.zeros_like(labels))
    assert [(s.dsc, s.nsd, s.hd95) for s in empty] == [(s.dsc, s.nsd, s.hd95) for s in scores]


def test_objects_have_their_size(labels):
    assert [s.pixels for s in score_case("a", "CT", labels, labels)] == [64, 100]


def test_distances_are_in_the_spacing_of_a_volume(labels):
    volume, moved = labels[None].repeat(3, axis=0), np.roll(labels, 2, axis=1)[None].repeat(3, axis=0)
    assert score_case("a", "CT", volume, moved, [1, 1, 4])[0].hd95 == pytest.approx(8)
    assert score_case("a", "CT", labels, moved[0], [4, 4])[0].hd95 == pytest.approx(2)


def test_spacing_counts_for_volumes_alone(labels):
    shifted = np.roll(labels, 2, axis=1)
    flat = [score_case("a", "CT", labels, shifted, [9, 9], 2)[0].nsd, score_case("a", "CT", labels, shifted)[0].nsd]
    assert flat[0] == flat[1]
    volume = labels[None].repeat(4, axis=0), shifted[None].repeat(4, axis=0)
    near = score_case("a", "CT", *volume, [1, 1, 1])[0].nsd
    far = score_case("a", "CT", *volume, [1, 9, 9])[0].nsd
    assert near == 1
    assert far < near


def test_csv_has_a_row_per_object(tmp_path):
    write_csv(tmp_path / "deep" / "report.csv", [ObjectScore("a, b", "CT", 1, 0.5, 0.25, 3.0, 64, "note")])
    with open(tmp_path / "deep" / "report.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {"case": "a, b", "modality": "CT", "object": "1", "dsc": "0.5", "nsd": "0.25", "note": "note"}
    assert rows == [expected | {"hd95": "3.0", "pixels": "64"}]


@pytest.mark.parametrize("ids", [(1, 2), (7, 65535), (70000, 2**31), (-1, 3)])
def test_objects_are_found_wherever_the_prediction_has_them(ids):
    truth = np.zeros((50, 60), np.int64)
    truth[5:15, 5:15], truth[30:40, 30:40] = ids
    prediction = np.zeros_like(truth)
    prediction[5:15, 45:55] = ids[0]
    prediction[30:40, 35:45] = ids[1]
    elsewhere, beside = sorted(score_case("CT_1", "CT", truth, prediction), key=lambda s: ids.index(s.object))
    assert (elsewhere.dsc, elsewhere.hd95) == (0, pytest.approx(40, abs=1))
    assert (beside.dsc, beside.hd95) == (0.5, pytest.approx(5))


def test_a_prediction_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(5, 7\)"):
        score_case("CT_1", "CT", np.ones((5, 6), int), np.ones((5, 7), int))
