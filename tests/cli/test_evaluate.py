import csv

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from skimage.io import imsave

from napari_swin_litemedsam.evaluation import scores
from napari_swin_litemedsam.geometry import Geometry
from napari_swin_litemedsam.io import write_labels
from scan_files import GEOMETRIES, itk_image


@pytest.fixture
def labels():
    labels = np.zeros((30, 40), np.uint8)
    labels[2:12, 2:12] = 1
    labels[15:28, 20:35] = 2
    return labels


@pytest.fixture
def folders(tmp_path):
    for name in ("pred", "truth"):
        (tmp_path / name).mkdir()
    return tmp_path / "pred", tmp_path / "truth"


def table(lines):
    """Cases, objects, DSC and NSD by modality."""
    return {line.split()[0]: [float(word) for word in line.split()[1:5]] for line in lines[1:]}


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_perfect_predictions_score_one_per_modality(command, folders, labels):
    pred, truth = folders
    for name in ("CT_1.npz", "CT_2.npz", "MR_1.npz"):
        np.savez(truth / name, gts=labels)
        np.savez(pred / name, segs=labels)
    code, out, err = command("evaluate", pred, truth)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [2, 4, 1, 1], "MR": [1, 2, 1, 1], "mean": [3, 6, 1, 1]}


def test_scores_equal_the_challenge(command, folders, metric_vectors, tmp_path):
    pred, truth = folders
    for case, vectors in metric_vectors.items():
        np.savez(truth / f"CT_{case}.npz", gts=vectors["truth"].astype(np.uint8), spacing=vectors["spacing"])
        np.savez(pred / f"CT_{case}.npz", segs=vectors["prediction"].astype(np.uint8))
    for tolerance in (1, 2):
        arguments = ("-o", tmp_path / "report.csv", "--tolerance", tolerance)
        assert command("evaluate", pred, truth, *arguments)[0] == 0
        report = {row["case"]: row for row in rows(tmp_path / "report.csv")}
        assert len(report) == len(metric_vectors)
        for case, vectors in metric_vectors.items():
            row = report[f"CT_{case}"]
            assert float(row["dsc"]) == pytest.approx(float(vectors["dsc"]), abs=1e-6)
            assert float(row["nsd"]) == pytest.approx(float(vectors[f"nsd_{tolerance}"]), abs=1e-6)


def test_missing_and_unusable_predictions_count_as_zero(command, folders, labels, tmp_path):
    pred, truth = folders
    for name in ("US_1", "US_2", "US_3", "US_4"):
        np.savez(truth / f"{name}.npz", gts=labels)
    np.savez(pred / "US_1.npz", segs=labels)
    (pred / "US_2.npz").write_bytes(b"broken")
    np.savez(pred / "US_3.npz", segs=labels[:-1])
    code, out, err = command("evaluate", pred, truth, "-o", tmp_path / "report.csv")
    assert code == 1
    assert table(out) == {"US": [4, 8, 0.25, 0.25]}
    assert "US_2.npz: not a whole npz file" in err[0]
    assert "US_3.npz: shape (29, 40) instead of (30, 40)" in err[1]
    assert err[2] == "US_4: prediction missing, counted as 0"
    assert [row["note"] != "" for row in rows(tmp_path / "report.csv")] == [False] * 2 + [True] * 6


def test_a_broken_truth_is_reported_and_skipped(command, folders, labels):
    pred, truth = folders
    np.savez(truth / "a.npz", gts=labels)
    np.savez(pred / "a.npz", segs=labels)
    np.savez(truth / "b.npz", imgs=labels)
    code, out, err = command("evaluate", pred, truth)
    assert code == 1
    assert table(out) == {"unknown": [1, 2, 1, 1]}
    assert "b.npz: holds no array 'gts'" in err[0]


def test_label_pictures_in_folders_per_modality(command, folders, labels):
    pred, truth = folders
    for folder, factor in ((truth, 1), (pred, 0)):
        (folder / "DERM").mkdir()
        imsave(folder / "DERM" / "case.1.png", labels, check_contrast=False)
        (folder / "MICRO").mkdir()
        # 16 bit
        ids = np.where(labels == 2, np.uint16(300), labels * factor)
        imsave(folder / "MICRO" / "cells.png", ids, check_contrast=False)
    code, out, _ = command("evaluate", pred, truth)
    assert code == 0
    assert table(out)["DERM"] == [1, 2, 1, 1]
    assert table(out)["MICRO"] == [1, 2, 0.5, 0.5]


def test_predictions_may_lie_flat_and_be_of_another_kind(command, folders, labels):
    pred, truth = folders
    (truth / "CT" / "labels").mkdir(parents=True)
    imsave(truth / "CT" / "labels" / "a.png", labels, check_contrast=False)
    np.savez(pred / "a.npz", segs=labels)
    assert table(command("evaluate", pred, truth)[1]) == {"CT": [1, 2, 1, 1]}


def test_single_files(command, folders, labels):
    pred, truth = folders
    np.savez(truth / "OCT_a.npz", gts=labels)
    np.savez(pred / "other.npz", segs=labels)
    code, out, _ = command("evaluate", pred / "other.npz", truth / "OCT_a.npz")
    assert code == 0
    assert table(out) == {"OCT": [1, 2, 1, 1]}


def test_endings_may_be_in_capitals(command, folders, labels):
    pred, truth = folders
    for folder, name in ((truth, "CT_1.PNG"), (pred, "CT_1.Png")):
        imsave(folder / "x.png", labels, check_contrast=False)
        (folder / "x.png").rename(folder / name)
    code, out, err = command("evaluate", pred, truth)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [1, 2, 1, 1]}


def test_folders_may_be_named_like_labels(command, folders, labels):
    for folder in folders:
        (folder / "CT.nii").mkdir()
        np.savez(folder / "CT.nii" / "a.npz", gts=labels, segs=labels)
    code, out, err = command("evaluate", *folders)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [1, 2, 1, 1]}


def test_one_file_is_no_prediction_of_several_cases(command, folders, labels):
    pred, truth = folders
    for name in ("a", "b"):
        np.savez(truth / f"{name}.npz", gts=labels)
        np.savez(pred / f"{name}.npz", segs=labels)
    for arguments in ([pred / "a.npz", truth], [pred, truth, "--against", pred / "b.npz"]):
        code, out, err = command("evaluate", *arguments)
        assert (code, out, len(err)) == (2, [], 1)
        assert "npz: cannot be the prediction of two cases, a and b" in err[0]


def test_cases_that_share_a_name_need_predictions_of_their_own(command, folders, labels):
    pred, truth = folders
    for part, ids in (("CT", labels), ("MR", labels[::-1])):
        (truth / part).mkdir()
        np.savez(truth / part / "1.npz", gts=ids)
    np.savez(pred / "1.npz", segs=labels)
    code, out, err = command("evaluate", pred, truth)
    assert (code, out, len(err)) == (2, [], 1)
    assert "1.npz: cannot be the prediction of two cases, CT/1 and MR/1" in err[0]


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_a_prediction_at_another_place_counts_as_zero(command, folders, labels, suffix):
    pred, truth = folders
    volume = np.stack([labels] * 4)
    at = Geometry.make((5, 1, 3), (7, 8, 9))
    elsewhere = {
        # the same pixels at the same places, stored from the other end
        "flipped": Geometry.make((5, 1, 3), at.to_world([0, 29, 0]), np.diag([1, -1, 1])),
        "moved": Geometry.make((5, 1, 3), (7, 8, 19)),
        "stretched": Geometry.make((5, 1, 4), (7, 8, 9)),
    }
    for name, geometry in {"same": at, **elsewhere}.items():
        write_labels(truth / f"CT_{name}{suffix}", volume, at)
        write_labels(pred / f"CT_{name}{suffix}", volume, geometry)
    code, out, err = command("evaluate", pred, truth)
    assert code == 1
    assert table(out) == {"CT": [4, 8, 0.25, 0.25]}
    assert len(err) == 3
    for line, name in zip(err, sorted(elsewhere), strict=True):
        assert f"CT_{name}{suffix}: lies elsewhere in space than the truth" in line


def test_a_prediction_without_a_place_is_compared_pixel_by_pixel(command, folders, labels):
    pred, truth = folders
    volume = np.stack([labels] * 4)
    for name in ("CT_1.nii.gz", "CT_2.mha"):
        write_labels(truth / name, volume, Geometry.make((5, 1, 3), (7, 8, 9), np.diag([1, -1, 1])))
        write_labels(pred / name, volume)
    # what many write for an array
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), pred / "CT_1.nii.gz")
    code, out, err = command("evaluate", pred, truth)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [2, 4, 1, 1]}


def crop(path, image, low, high):
    """Save a part of an image, as 3D Slicer does; corners in x, y, z."""
    sitk.WriteImage(image[tuple(slice(*ends) for ends in zip(low, high, strict=True))], path)


@pytest.mark.parametrize("geometry", ["anisotropic", "oblique", "negative determinant"])
def test_labels_cut_to_the_part_that_they_lie_in_are_put_to_their_place(command, folders, labels, geometry):
    pred, truth = folders
    image = itk_image(np.stack([np.zeros_like(labels), labels, labels, labels]), GEOMETRIES[geometry])
    for name, whole, part in (("CT_1", truth, pred), ("CT_2", pred, truth)):
        sitk.WriteImage(image, whole / f"{name}.seg.nrrd")
        crop(part / f"{name}.seg.nrrd", image, (1, 2, 1), (38, 29, 4))
    # two parts, of which each lacks something; what is outside of the truth counts as wrong
    crop(truth / "CT_3.seg.nrrd", image, (0, 0, 0), (40, 30, 3))
    crop(pred / "CT_3.seg.nrrd", image, (0, 0, 2), (40, 30, 4))
    code, _, err = command("evaluate", pred, truth, "-o", truth.parent / "scores.csv", "--html", truth.parent / "r")
    assert (code, err) == (0, [])
    scores = [(row["case"], float(row["dsc"])) for row in rows(truth.parent / "scores.csv")]
    assert scores == [("CT_1", 1)] * 2 + [("CT_2", 1)] * 2 + [("CT_3", 0.5)] * 2


def test_a_part_of_another_grid_counts_as_zero(command, folders, labels):
    pred, truth = folders
    volume = np.stack([labels] * 4)
    grids = {
        "1_between": Geometry.make((5, 1, 3), (7, 8, 10.5)),
        "2_beside": Geometry.make((5, 1, 3), (7, 48, 9)),
        "3_finer": Geometry.make((5, 1, 2), (7, 8, 9)),
        "4_nowhere": Geometry.make((5, 1, 3)),
    }
    for name, geometry in grids.items():
        write_labels(truth / f"CT_{name}.nii.gz", volume, Geometry.make((5, 1, 3), (7, 8, 9)))
        write_labels(pred / f"CT_{name}.nii.gz", volume[1:], geometry)
    code, out, err = command("evaluate", pred, truth)
    assert code == 1
    assert table(out) == {"CT": [4, 8, 0, 0]}
    assert ["shape (3, 30, 40) instead of (4, 30, 40)" in line for line in err] == [True] * 4
    assert ["no part of the grid of the truth" in line for line in err] == [True] * 3 + [False]


def test_what_does_not_count_is_told(command, folders, labels, tmp_path):
    pred, truth = folders
    for name in ("CT_1", "CT_2", "CT_3"):
        np.savez(truth / f"{name}.npz", gts=labels * (name != "CT_2"))
        np.savez(pred / f"{name}.npz", segs=labels)
    np.savez(pred / "CT_3.npz", segs=labels + np.uint8(5) * (labels == 2))
    np.savez(pred / "CT_9.npz", segs=labels)
    code, out, err = command("evaluate", pred, truth, "--html", tmp_path / "report.html")
    assert code == 0
    assert table(out)["CT"][:2] == [2, 4]
    assert err == [
        "without objects in the truth, not counted: CT_2",
        f"labels in {pred} that the truth lacks, not counted: CT_2 (1, 2), CT_3 (7)",
        f"files in {pred} that belong to no case, not counted: CT_9",
    ]
    page = (tmp_path / "report.html").read_text()
    assert all(f"<li>{line}</li>" in page for line in err)


def test_a_broken_prediction_of_an_empty_truth_is_told(command, folders, labels):
    pred, truth = folders
    for name in ("CT_1", "CT_2"):
        np.savez(truth / f"{name}.npz", gts=labels * (name == "CT_1"))
        np.savez(pred / f"{name}.npz", segs=labels)
    (pred / "CT_2.npz").write_bytes(b"broken")
    code, out, err = command("evaluate", pred, truth)
    assert (code, table(out)["CT"][:2], len(err)) == (1, [1, 2], 1)
    assert "CT_2.npz: not a whole npz file" in err[0]


def test_of_many_that_do_not_count_the_report_tells_all(command, folders, labels, tmp_path):
    pred, truth = folders
    for number in range(14):
        np.savez(truth / f"CT_{number:02}.npz", gts=labels * (number == 0))
        np.savez(pred / f"CT_{number:02}.npz", segs=labels * (number == 0))
    _, _, err = command("evaluate", pred, truth, "--html", tmp_path / "report.html")
    assert err == [
        f"without objects in the truth, not counted: {', '.join(f'CT_{n:02}' for n in range(1, 11))} and 3 more"
    ]
    assert "CT_13</li>" in (tmp_path / "report.html").read_text()


def test_predictions_of_other_names_are_exit_code_2(command, folders, labels):
    pred, truth = folders
    np.savez(truth / "CT_1.npz", gts=labels)
    np.savez(pred / "CT_1_seg.npz", segs=labels)
    code, out, err = command("evaluate", pred, truth)
    assert (code, out, len(err)) == (2, [], 1)
    assert "holds no file named as one of" in err[0]
    assert err[0].endswith("such as CT_1")


def test_names_of_nnunet_belong_together(command, folders, labels, tmp_path):
    pred, truth = folders
    volume, images = np.stack([labels] * 4), tmp_path / "images"
    for number in (1, 2):
        write_labels(truth / f"CT_{number}.nii.gz", volume)
        # made of the images, which are called so
        write_labels(pred / f"CT_{number}_0000.nii.gz", volume)
        write_labels(images / f"CT_{number}_0000.nii.gz", volume * 9)
    (pred / "times.csv").write_text("case,seconds\nCT_1_0000,4.5\n")
    report = tmp_path / "report.html"
    code, out, err = command("evaluate", pred, truth, "--html", report, "--images", images)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [2, 4, 1, 1]}
    assert "<td>4.50</td>" in report.read_text()
    with_images = report.read_text()
    command("evaluate", pred, truth, "--html", report)
    assert report.read_text() != with_images


def test_scores_are_told_even_if_they_cannot_be_written(command, folders, labels, tmp_path, monkeypatch):
    for folder in folders:
        np.savez(folder / "CT_1.npz", gts=labels, segs=labels)

    def locked(*_):
        raise PermissionError("[Errno 13] Permission denied: scores.csv")

    # as Windows has it while Excel shows the old one
    monkeypatch.setattr(scores, "replacing", locked)
    code, out, err = command("evaluate", *folders, "-o", tmp_path / "scores.csv")
    assert (code, len(err)) == (2, 1)
    assert table(out) == {"CT": [1, 2, 1, 1]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "file/scores.csv"], "file: nothing can be written there"),
        (["--html", "file/report.html"], "file: nothing can be written there"),
        (["--images", "absent"], "--images absent: no such"),
    ],
)
def test_places_that_cannot_be_used_are_told_at_once(command, folders, labels, tmp_path, monkeypatch, options, message):
    for folder in folders:
        np.savez(folder / "CT_1.npz", gts=labels, segs=labels)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    code, out, err = command("evaluate", *folders, *options)
    assert (code, out, len(err)) == (2, [], 1)
    assert message in err[0]


def test_two_reports_need_two_files(command, folders, labels, tmp_path):
    np.savez(folders[1] / "CT_1.npz", gts=labels)
    code, _, err = command("evaluate", *folders, "-o", tmp_path / "a", "--html", tmp_path / "a")
    assert (code, len(err)) == (2, 1)
    assert "both -o and --html" in err[0]


def test_reports_replace_no_labels(command, folders, labels):
    pred, truth = (folder / "a.npz" for folder in folders)
    np.savez(truth, gts=labels)
    np.savez(pred, segs=labels)
    before = pred.read_bytes()
    for option, path in (("-o", pred), ("--html", truth), ("-o", folders[0])):
        code, out, err = command("evaluate", pred, truth, option, path)
        assert (code, out, len(err)) == (2, [], 1)
        assert option[-4:] in err[0]
    assert pred.read_bytes() == before


def test_why_the_only_truth_cannot_be_read_is_told(command, folders, labels):
    pred, truth = (folder / "a.npz" for folder in folders)
    np.savez(pred, segs=labels)
    truth.write_bytes(b"nothing of the kind")
    code, out, err = command("evaluate", pred, truth)
    assert (code, out, len(err)) == (2, [], 1)
    assert "a.npz: not a whole npz file" in err[0]


@pytest.mark.parametrize("option", [["--tolerance", "-1"], ["--tolerance", "nan"], ["--tolerance", "wide"]])
def test_impossible_tolerances_are_exit_code_2(command, folders, option):
    code, _, err = command("evaluate", *folders, *option)
    assert (code, len(err)) == (2, 1)
    assert "tolerance" in err[0]


def test_nothing_to_evaluate_is_exit_code_2(command, folders, tmp_path):
    for arguments, message in (
        (folders, "holds no label files"),
        ((folders[0], tmp_path / "absent"), "no such file or folder"),
        ((tmp_path / "absent", folders[1]), "no such file or folder"),
    ):
        code, out, err = command("evaluate", *arguments)
        assert (code, out, len(err)) == (2, [], 1)
        assert message in err[0]


def test_against_another_prediction(command, folders, labels, tmp_path):
    pred, truth = folders
    (tmp_path / "other").mkdir()
    for name in ("CT_1", "CT_2", "MR_1"):
        np.savez(truth / f"{name}.npz", gts=labels)
        np.savez(pred / f"{name}.npz", segs=labels)
        np.savez(tmp_path / "other" / f"{name}.npz", segs=np.where(labels == 1, 1, 0))
    code, out, err = command("evaluate", pred, truth, "--against", tmp_path / "other", "--html", tmp_path / "r.html")
    assert (code, err) == (0, [])
    ct = next(line for line in reversed(out) if line.startswith("CT"))
    assert ct.split()[1:3] == ["2", "+0.5000"]
    assert "nan" not in "".join(out[5:])
    assert "other" in (tmp_path / "r.html").read_text()


def test_of_two_predictions_it_is_told_which_lacks_a_case(command, folders, labels, tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("CT_1", "CT_2", "CT_3"):
        np.savez(folders[1] / f"{name}.npz", gts=labels)
    for folder, names in ((folders[0], ("CT_1", "CT_3")), (tmp_path / "other", ("CT_2", "CT_3"))):
        for name in names:
            np.savez(folder / f"{name}.npz", segs=labels)
    report = tmp_path / "r.html"
    code, _, err = command("evaluate", *folders, "--against", tmp_path / "other", "--html", report)
    assert code == 1
    assert err == [
        f"{folders[0]}: CT_2: prediction missing, counted as 0",
        f"{tmp_path / 'other'}: CT_1: prediction missing, counted as 0",
    ]
    page = report.read_text()
    assert "usable prediction of pred</h2>\n<ul>\n<li>CT_2: " in page
    assert "usable prediction of other</h2>\n<ul>\n<li>CT_1: " in page


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".seg.nrrd", ".tif"])
def test_volumes_of_other_formats_count_in_their_spacing(command, folders, labels, suffix):
    pred, truth = folders
    volume = np.stack([labels] * 4)
    geometry = Geometry.make((5, 1, 3))
    write_labels(truth / f"CT_a.1{suffix}", volume, geometry)
    write_labels(pred / f"CT_a.1{suffix}", np.roll(volume, 1, axis=2), geometry)
    code, out, err = command("evaluate", pred, truth)
    assert (code, err) == (0, [])
    # one pixel along x; a TIFF knows no spacing
    assert float(out[1].split()[5]) == pytest.approx(1 if suffix == ".tif" else 3)


def test_formats_may_differ(command, folders, labels):
    pred, truth = folders
    write_labels(truth / "MR_a.nii.gz", np.stack([labels] * 4))
    np.savez(pred / "MR_a.npz", segs=np.stack([labels] * 4))
    assert table(command("evaluate", pred, truth)[1]) == {"MR": [1, 2, 1, 1]}


def test_hausdorff_distances_are_told_except_for_the_mean(command, folders, labels):
    pred, truth = folders
    for name in ("CT_1", "MR_1"):
        np.savez(truth / f"{name}.npz", gts=labels)
        np.savez(pred / f"{name}.npz", segs=np.roll(labels, 2, axis=0))
    _, out, _ = command("evaluate", pred, truth)
    assert [line.split()[5:] for line in out[1:]] == [["2.00"], ["2.00"], []]


def test_a_missing_folder_to_compare_with_is_exit_code_2(command, folders, labels, tmp_path):
    np.savez(folders[1] / "CT_1.npz", gts=labels)
    code, out, err = command("evaluate", *folders, "--against", tmp_path / "absent")
    assert (code, out, len(err)) == (2, [], 1)


@pytest.mark.parametrize("place", [0, 1])
def test_two_files_of_one_name_are_exit_code_2(command, folders, labels, place):
    for folder in folders:
        np.savez(folder / "CT_1.npz", gts=labels, segs=labels)
    write_labels(folders[place] / "CT_1.nii.gz", labels[None])
    code, _, err = command("evaluate", *folders)
    assert code == 2
    assert len(err) == 1
    assert "CT_1.nii.gz" in err[0]
    assert "CT_1.npz" in err[0]


def test_linked_folders_count_and_hidden_ones_do_not(command, folders, labels, tmp_path):
    pred, truth = folders
    for folder in (pred / "CT", pred / "MR", tmp_path / "elsewhere", truth / "MR", truth / ".ipynb_checkpoints"):
        folder.mkdir()
    np.savez(truth / "MR" / "2.npz", gts=labels)
    np.savez(pred / "MR" / "2.npz", segs=labels)
    np.savez(tmp_path / "elsewhere" / "1.npz", gts=labels)
    np.savez(truth / ".ipynb_checkpoints" / "1-checkpoint.npz", gts=labels)
    (truth / "CT").symlink_to(tmp_path / "elsewhere")
    # one that leads back is not followed, nor one to what is found without it
    (truth / "CT" / "back").symlink_to(truth)
    (truth / "latest").symlink_to(truth / "MR")
    np.savez(pred / "CT" / "1.npz", segs=labels)
    code, out, err = command("evaluate", pred, truth)
    assert (code, err) == (0, [])
    assert table(out) == {"CT": [1, 2, 1, 1], "MR": [1, 2, 1, 1], "mean": [2, 4, 1, 1]}


def test_a_damaged_file_of_times_costs_no_report(command, folders, labels, tmp_path):
    pred, truth = folders
    np.savez(truth / "CT_1.npz", gts=labels)
    np.savez(pred / "CT_1.npz", segs=labels)
    (pred / "times.csv").write_text("case,seconds\nCT_1,\n")
    code, _, _ = command("evaluate", pred, truth, "--html", tmp_path / "report.html")
    assert code == 0
    page = (tmp_path / "report.html").read_text()
    assert "not a table of cases and seconds" in page
    assert "100.00" in page
