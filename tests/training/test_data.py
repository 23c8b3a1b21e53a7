import json
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage.io import imsave

from napari_swin_litemedsam.io import read_scan
from napari_swin_litemedsam.io.dicom import read_series
from napari_swin_litemedsam.io.scans import write_labels
from napari_swin_litemedsam.plugin.worklist import tasks_in
from napari_swin_litemedsam.training.data import DataError, find_images, find_pairs, read_all
from napari_swin_litemedsam.training.objects import objects
from scan_files import GEOMETRIES, VOLUME, save_series


def put(folder, name, image, label):
    for kind, array in (("images", image), ("labels", label)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        imsave(folder / kind / name, array, check_contrast=False)


@pytest.fixture
def label():
    label = np.zeros((40, 50), np.uint8)
    label[5:15, 5:15] = 1
    label[20:30, 20:40] = 2
    return label


def test_pairs_are_found_by_name_and_folder(tmp_path, label):
    put(tmp_path / "CT" / "liver", "a.png", label * 100, label)
    imsave(tmp_path / "CT" / "liver" / "images" / "without label.png", label, check_contrast=False)
    np.savez(tmp_path / "MR_one.npz", imgs=np.stack([label] * 3) * 9, gts=np.stack([label * 0, label, label * 0]))
    pairs = find_pairs(tmp_path)
    assert [(p.source, p.image.name) for p in pairs] == [("CT/liver", "a.png"), ("MR", "MR_one.npz")]
    samples, problems = read_all(pairs)
    assert problems == []
    assert [s.image.shape for s in samples] == [(1, 40, 50), (3, 40, 50)]
    assert [s.slices for s in samples] == [[0], [1]]
    assert [image.name for image in find_images(tmp_path).bare] == ["without label.png"]


def test_layouts_of_other_programs_are_read(tmp_path, label):
    for place, image in (("Task1", "a.png"), ("Dataset2", "a_0000.png")):
        put(tmp_path / place, "a.png", label * 100, label)
        (tmp_path / place / "images" / "a.png").rename(tmp_path / place / "images" / image)
        for kind in ("images", "labels"):
            (tmp_path / place / kind).rename(tmp_path / place / f"{kind}Tr")
    found = find_images(tmp_path)
    assert [(p.source, p.image.name) for p in found.pairs] == [("Dataset2", "a_0000.png"), ("Task1", "a.png")]
    assert (found.bare, found.problems) == ([], [])


def test_a_source_that_is_named_itself_has_its_name(tmp_path, label, monkeypatch):
    put(tmp_path / "liver", "a.png", label * 100, label)
    monkeypatch.chdir(tmp_path / "liver")
    assert [pair.source for root in (tmp_path / "liver", ".") for pair in find_pairs(root)] == ["liver", "liver"]


def test_images_without_any_label_are_told_by_name(tmp_path, label):
    put(tmp_path, "a.png", label, label)
    (tmp_path / "labels" / "a.png").rename(tmp_path / "labels" / "a_mask.png")
    with pytest.raises(DataError, match=r"a\.png: there is no label of the same name"):
        find_pairs(tmp_path)


def test_data_are_found_where_links_lead(tmp_path, label):
    put(tmp_path / "archive", "a.png", label * 100, label)
    (tmp_path / "data" / "CT").mkdir(parents=True)
    try:
        (tmp_path / "data" / "CT" / "mine").symlink_to(tmp_path / "archive", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert [pair.source for pair in find_pairs(tmp_path / "data")] == ["CT/mine"]
    # the same images may have labels of several kinds
    for task in ("one", "two"):
        put(tmp_path / "tasks" / task, "a.png", label * 100, label)
        shutil.rmtree(tmp_path / "tasks" / task / "images")
        (tmp_path / "tasks" / task / "images").symlink_to(tmp_path / "archive" / "images")
    assert [pair.source for pair in find_pairs(tmp_path / "tasks")] == ["one", "two"]


def test_an_npz_file_is_named_by_itself(tmp_path, label):
    np.savez(tmp_path / "MR_one.npz", imgs=label, gts=label)
    np.savez(tmp_path / "two.npz", imgs=label)
    assert [(p.source, p.image.name) for p in find_pairs(tmp_path / "MR_one.npz")] == [("MR", "MR_one.npz")]
    samples, problems = read_all(find_pairs(tmp_path / "two.npz"))
    assert samples == []
    assert "holds no array 'gts'" in problems[0]


def test_nifti_volumes_are_read_in_z_y_x_order(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.zeros((4, 5, 6), np.uint8)
    volume[1, 2, 3] = 7
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        nibabel.Nifti1Image(volume.T, np.eye(4)).to_filename(tmp_path / kind / "v.nii.gz")
    (sample,), problems = read_all(find_pairs(tmp_path))
    assert problems == []
    np.testing.assert_array_equal(sample.image, volume)
    assert sample.slices == [1]


@pytest.mark.parametrize("suffix", [".nii.gz", ".dcm"])
def test_dicom_series_are_paired_by_the_name_of_their_folder(tmp_path, suffix):
    images, labels = tmp_path / "CT" / "ward" / "images", tmp_path / "CT" / "ward" / "labels"
    labels.mkdir(parents=True)
    for patient, uid in (("p1", "1.1"), ("p2", "1.2"), ("p2", "1.3"), ("p3", "1.4")):
        folder = images / patient / uid
        folder.mkdir(parents=True)
        save_series(folder, GEOMETRIES["anisotropic"], SeriesInstanceUID=uid, SeriesNumber=uid[-1])
    for name, place in (("p1", "p1"), ("p2-2", "p2/1.3")):
        scan = read_scan(images / place)
        marked = np.zeros(scan.array.shape, np.uint8)
        marked[1, 1:4, 2:5] = 3
        write_labels(labels / f"{name}{suffix}", marked, scan.geometry, source=scan.files)
    samples, problems = read_all(find_pairs(tmp_path))
    assert not problems
    assert [(s.pair.source, s.pair.label.name, s.slices) for s in samples] == [
        ("CT/ward", f"p1{suffix}", [1]),
        ("CT/ward", f"p2-2{suffix}", [1]),
    ]
    np.testing.assert_array_equal(samples[0].image, read_scan(images / "p1").array)
    assert find_images(tmp_path).bare == [images / "p2", images / "p3"]


@pytest.mark.parametrize("suffix", [".dcm", ""])
@pytest.mark.parametrize("series", [("1.1",), ("1.1", "1.2")])
def test_dicom_among_the_images_is_paired_by_the_names_that_the_panel_gives(tmp_path, series, suffix):
    for kind in ("images/p1", "labels"):
        (tmp_path / kind).mkdir(parents=True)
    for uid in series:
        save_series(tmp_path / "images", name=f"x{uid[-1]}", SeriesInstanceUID=uid, SeriesNumber=uid[-1])
    # of one file, in a folder of its own
    save_series(tmp_path / "images" / "p1", volume=VOLUME[:1], name="survey", SeriesInstanceUID="1.9")
    for path in [*(tmp_path / "images").rglob("*0*")]:
        path.rename(path.with_suffix(suffix))
    tasks = tasks_in(tmp_path)
    for task in tasks:
        scan = read_series(task.slices)
        write_labels(task.labels, np.ones(scan.array.shape, np.uint8), scan.geometry)
    found = find_images(tmp_path)
    assert {(pair.label, frozenset(pair.slices)) for pair in found.pairs} == {
        (task.labels, frozenset(task.slices)) for task in tasks
    }
    assert not found.bare
    samples, problems = read_all(found.pairs)
    assert (len(samples), problems) == (len(series) + 1, [])


def test_dicom_files_may_be_labelled_one_by_one(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    images = [path.rename(path.with_suffix(".dcm")) for path in sorted(save_series(tmp_path / "images").iterdir())]
    imsave(tmp_path / "labels" / f"{images[1].stem}.png", np.ones(VOLUME.shape[1:], np.uint8), check_contrast=False)
    found = find_images(tmp_path)
    assert [(pair.image, pair.slices) for pair in found.pairs] == [(images[1], ())]
    assert found.bare == [images[0], *images[2:]]


@pytest.mark.parametrize(("kind", "suffix"), [("labels", ".tif"), ("images", ".jpg")])
def test_names_that_two_files_have_are_told_and_skipped(tmp_path, label, kind, suffix):
    put(tmp_path, "b.png", label, label)
    put(tmp_path, "c.png", label, label)
    imsave(tmp_path / kind / f"c{suffix}", label, check_contrast=False)
    found = find_images(tmp_path)
    assert [pair.image.name for pair in found.pairs] == ["b.png"]
    (problem,) = found.problems
    first, second = sorted(["c.png", f"c{suffix}"])
    assert problem.startswith(f"{tmp_path / kind / first} and {second} are both {kind} of c")
    # alone they are why there is nothing
    (tmp_path / "labels" / "b.png").unlink()
    with pytest.raises(DataError, match=f"are both {kind} of c"):
        find_pairs(tmp_path)


def test_what_cannot_be_used_is_told_and_skipped(tmp_path, label):
    put(tmp_path, "good.png", label, label)
    put(tmp_path, "empty.png", label, label * 0)
    put(tmp_path, "shape.png", label, label[:20])
    put(tmp_path, "broken.png", label, label)
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")
    samples, problems = read_all(find_pairs(tmp_path))
    assert [s.pair.image.name for s in samples] == ["good.png"]
    assert len(problems) == 3
    assert "cannot be read" in problems[0]
    assert "empty" in problems[1]
    assert "shape (20, 50) instead of (40, 50)" in problems[2]


def in_palette(label):
    picture = Image.fromarray(label, mode="P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return picture


def in_colour(label):
    return Image.fromarray(np.stack([255 * (label == 1), 255 * (label == 2), 0 * label], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "save", "problem"),
    [
        ("a.png", in_palette, None),
        ("a.png", lambda label: Image.fromarray(np.repeat(label[..., None], 3, axis=-1)), None),
        ("a.tif", lambda label: Image.fromarray(label.astype(np.float32)), None),
        ("a.png", in_colour, "this one is in colour"),
        ("a.jpg", Image.fromarray, "JPEG blurs"),
        ("a.tif", lambda label: Image.fromarray(label * np.float32(0.5)), "whole numbers"),
        ("a.tif", lambda label: Image.fromarray(label * np.int32(-1)), "0..65535"),
        ("a.tif", lambda label: Image.fromarray(label * np.int32(65536)), "0..65535"),
        ("a.bmp", Image.fromarray, "unknown kind"),
    ],
)
def test_labels_are_the_ids_that_the_user_sees_or_refused(tmp_path, label, name, save, problem):
    put(tmp_path, "a.png", label * 100, label)
    (tmp_path / "labels" / "a.png").unlink()
    save(label).save(tmp_path / "labels" / name)
    samples, problems = read_all(find_pairs(tmp_path))
    if problem:
        assert samples == []
        assert problem in problems[0]
    else:
        np.testing.assert_array_equal(samples[0].labels[0], label)


def test_a_grey_image_with_an_alpha_channel_is_grey(tmp_path, label):
    put(tmp_path, "a.png", label, label)
    Image.fromarray(label * 100).convert("LA").save(tmp_path / "images" / "a.png")
    (sample,), _ = read_all(find_pairs(tmp_path))
    np.testing.assert_array_equal(sample.image[0], label * 100)


def test_a_label_that_lies_elsewhere_in_the_patient_is_told(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.ones((4, 5, 6), np.uint8)
    places = np.diag([1, 1, 1, 1]), np.diag([-1, 1, 1, 1])
    for kind, place in zip(("images", "labels"), places, strict=True):
        (tmp_path / kind).mkdir()
        place[:3, 3] = 7
        nibabel.Nifti1Image(volume.T, place).to_filename(tmp_path / kind / "v.nii.gz")
    samples, problems = read_all(find_pairs(tmp_path))
    assert samples == []
    assert "lies elsewhere in space than its image, by up to 10.0 pixels" in problems[0]


@pytest.mark.parametrize(("make", "message"), [(False, "no such folder"), (True, "found neither")])
def test_a_folder_without_data_is_refused(tmp_path, make, message):
    folder = tmp_path / "data"
    if make:
        folder.mkdir()
    with pytest.raises(DataError, match=message):
        find_pairs(folder)


def test_nested_classes_join_their_ids(tmp_path, label):
    label[22:28, 22:30] = 3
    (tmp_path / "sources.json").write_text(json.dumps({"eye": {"nested": {"disc": [2, 3], "cup": [3]}}}))
    put(tmp_path / "train" / "eye", "a.png", label, label)
    (pair,) = find_pairs(tmp_path / "train")
    disc, cup = objects(label, pair.groups)
    assert disc.sum() == 200
    assert cup.sum() == 48
    # ids in no list are left out, and images that have no others
    (sample,), problems = read_all([pair])
    assert set(np.unique(sample.labels)) == {0, 2, 3}
    put(tmp_path / "train" / "eye", "b.png", label, label % 2 * (label < 3))
    _, problems = read_all(find_pairs(tmp_path / "train"))
    assert "b.png: the label is empty but ids that form no object" in problems[0]


@pytest.mark.parametrize("named", [".", "..", "DATA", "DATA/train", "DATA/train/FUNDUS", "DATA/train/FUNDUS/eye"])
def test_the_manifest_is_found_from_whichever_folder_is_named(tmp_path, label, monkeypatch, named):
    put(tmp_path / "DATA" / "train" / "FUNDUS" / "eye", "a.png", label, label)
    manifest = tmp_path / "DATA" / "sources.json"
    manifest.write_text(json.dumps({"eye": {"nested": {"disc": [1, 2]}, "non_commercial": "no"}}))
    # these name no source that is here, and are about other things
    (tmp_path / "sources.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "DATA" / "train" / "sources.json").write_text(json.dumps({"ear": 1}))
    monkeypatch.chdir(tmp_path / "DATA" / "train" if named in (".", "..") else tmp_path)
    found = find_images(named, permissive=True)
    assert [pair.groups for pair in found.pairs] == [((1, 2),)]
    assert found.manifests == [manifest]


def test_permissive_takes_only_sources_known_to_allow_commercial_use(tmp_path, label):
    for name in ("free", "bound", "unknown", "unlisted"):
        put(tmp_path / name, "a.png", label, label)
    answers = {"free": "no", "bound": "yes", "unknown": "unknown"}
    (tmp_path / "sources.json").write_text(json.dumps({k: {"non_commercial": v} for k, v in answers.items()}))
    assert len(find_pairs(tmp_path)) == 4
    assert [pair.source for pair in find_pairs(tmp_path, permissive=True)] == ["free"]
    (tmp_path / "sources.json").unlink()
    with pytest.raises(DataError, match="commercial use"):
        find_pairs(tmp_path, permissive=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"nested": [1]}}', '{"a": {"nested": {"b": 1}}}'])
def test_a_broken_manifest_is_told(tmp_path, label, text):
    put(tmp_path / "a", "a.png", label, label)
    (tmp_path / "sources.json").write_text(text)
    with pytest.raises(DataError, match="not a readable manifest"):
        find_pairs(tmp_path)
