import json

import numpy as np
import pytest
from skimage.io import imsave

from napari_swin_litemedsam.training.data import DataError, find_pairs, objects, read_all, split


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
    assert "the label (1, 20, 50)" in problems[2]


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


def test_a_broken_manifest_is_told(tmp_path, label):
    put(tmp_path, "a.png", label, label)
    (tmp_path / "sources.json").write_text("{")
    with pytest.raises(DataError, match="not a readable manifest"):
        find_pairs(tmp_path)


def test_parts_far_apart_are_separate_objects():
    mask = np.zeros((30, 60), bool)
    mask[10:20, 5:15] = mask[10:20, 18:25] = mask[10:20, 45:55] = True
    assert sorted(part.sum() for part in split(mask, 6)) == [100, 170]
    assert sorted(part.sum() for part in split(mask, 0)) == [70, 100, 100]
