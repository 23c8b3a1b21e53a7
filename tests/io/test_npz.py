import contextlib
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.io import CaseError, npz, read_case, write_segmentation
from napari_swin_litemedsam.io.npz import read_case_labels


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez_compressed(tmp_path / "case.npz", **arrays)
        return tmp_path / "case.npz"

    return save


GREY, COLOUR, VOLUME = (np.zeros(shape, np.uint8) for shape in ((20, 30), (20, 30, 3), (5, 20, 30)))
FLAT_BOXES, DEEP_BOXES = np.array([[1, 2, 10, 12]]), np.array([[1, 2, 0, 10, 12, 3]])


@pytest.mark.parametrize(
    ("image", "boxes", "is_volume"),
    [
        (GREY, FLAT_BOXES, False),
        (COLOUR, FLAT_BOXES, False),
        (VOLUME, DEEP_BOXES, True),
        (np.zeros((5, 20, 3), np.uint8), DEEP_BOXES, True),
        (GREY, None, False),
        (COLOUR, None, False),
        (VOLUME, None, True),
    ],
)
def test_images_and_volumes_are_told_apart(save, image, boxes, is_volume):
    case = read_case(save(imgs=image) if boxes is None else save(imgs=image, boxes=boxes))
    assert case.is_volume == is_volume
    assert case.image.shape == image.shape
    if boxes is not None:
        np.testing.assert_array_equal(case.boxes, boxes)


def test_all_that_is_stored_is_read(save):
    truth = np.arange(20 * 30).reshape(20, 30) % 3
    case = read_case(save(imgs=GREY + 3, boxes=FLAT_BOXES, spacing=[1, 2, 3], gts=truth, other=np.zeros(3)))
    assert case.image.min() == 3
    np.testing.assert_array_equal(case.truth, truth)
    np.testing.assert_array_equal(case.spacing, [1, 2, 3])


def test_optional_arrays_may_be_absent(save):
    case = read_case(save(imgs=GREY))
    assert case.boxes is None
    assert case.spacing is None
    assert case.truth is None


def test_a_single_box_may_be_a_row(save):
    assert read_case(save(imgs=GREY, boxes=FLAT_BOXES[0])).boxes.shape == (1, 4)


def test_a_case_may_have_no_boxes(save):
    assert read_case(save(imgs=GREY, boxes=np.zeros((0, 4)))).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"boxes": FLAT_BOXES}, "no array 'imgs'"),
        ({"imgs": np.zeros(3)}, "is no image"),
        ({"imgs": np.zeros((2, 3, 4, 5))}, "is no image"),
        ({"imgs": np.zeros((0, 3))}, "is no image"),
        ({"imgs": np.zeros((4, 4), complex)}, "is no image"),
        ({"imgs": np.array([["a"]])}, "is no image"),
        ({"imgs": GREY, "boxes": DEEP_BOXES}, "6 numbers do not fit"),
        ({"imgs": VOLUME, "boxes": FLAT_BOXES}, "4 numbers do not fit"),
        ({"imgs": GREY, "boxes": np.zeros((2, 5))}, "must be"),
        ({"imgs": GREY, "boxes": np.array([[0, 0, np.nan, 5]])}, "NaN"),
        ({"imgs": GREY, "boxes": np.array([["a"] * 4])}, "must be"),
        ({"imgs": GREY, "gts": np.zeros((20, 29), int)}, "'gts' has shape"),
        ({"imgs": GREY, "gts": np.zeros((20, 30))}, "whole numbers"),
        ({"imgs": VOLUME, "spacing": [1, 0, 1]}, "positive"),
        ({"imgs": VOLUME, "spacing": [[1, 1, 1]]}, "positive"),
    ],
)
def test_arrays_that_make_no_case_are_refused(save, arrays, message):
    with pytest.raises(CaseError, match=message):
        read_case(save(**arrays))


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "absent.npz", tmp_path):
        with pytest.raises(CaseError, match="no such file"):
            read_case(path)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path, save):
    trap = np.empty((2, 2), object)
    trap[0, 0] = Trap(tmp_path / "sprung")
    with pytest.raises(CaseError, match="not unpickled"):
        read_case(save(imgs=trap))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(CaseError, match="not a whole npz file"):
        read_case(tmp_path / "bare.npz")
    assert not (tmp_path / "sprung").exists()


def npy(shape, dtype=np.uint8, content=b""):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(np.dtype(dtype))}
    )
    return header.getvalue() + content


@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**40, 2**40), (100, 100), (-1, 5)])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_claimed_sizes_are_checked_before_anything_is_allocated(tmp_path, monkeypatch, shape, compression):
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("imgs.npy", npy(shape, content=b"only a few bytes"))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("went on to read the array"))
    with pytest.raises(CaseError, match="claims"):
        read_case(path)


def test_arrays_beyond_the_limit_are_refused(save, monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 500)
    with pytest.raises(CaseError, match="larger than"):
        read_case(save(imgs=GREY))


def test_well_compressed_images_are_no_lie(save):
    assert read_case(save(imgs=np.zeros((3000, 3000), np.uint8))).image.shape == (3000, 3000)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_damaged_files_are_reported_as_such(tmp_path_factory, seed, share):
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, imgs=rng.integers(0, 255, (20, 30), np.uint8), boxes=FLAT_BOXES)
    content = bytearray(buffer.getvalue()[: int(share * buffer.getbuffer().nbytes)])
    for position in rng.integers(0, max(len(content), 1), 5):
        if content:
            content[position] = rng.integers(256)
    path = tmp_path_factory.mktemp("damage") / "case.npz"
    path.write_bytes(content)
    # anything but a CaseError fails the test
    with contextlib.suppress(CaseError):
        assert read_case(path).image.shape == (20, 30)


@pytest.mark.parametrize(("highest", "dtype"), [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65535, np.uint16)])
def test_labels_are_written_in_the_smallest_type(tmp_path, highest, dtype):
    labels = np.zeros((4, 5), np.int64)
    labels[1, 1] = highest
    write_segmentation(tmp_path / "new" / "case.npz", labels)
    with np.load(tmp_path / "new" / "case.npz") as file:
        assert file.files == ["segs"]
        assert file["segs"].dtype == dtype
    read, spacing = read_case_labels(tmp_path / "new" / "case.npz")
    np.testing.assert_array_equal(read, labels)
    assert spacing is None


@pytest.mark.parametrize("bad", [-1, 65536])
def test_ids_that_do_not_fit_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="65535"):
        write_segmentation(tmp_path / "case.npz", np.full((2, 2), bad))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "case.npz"
    write_segmentation(path, np.ones((3, 3), np.uint8))
    before = path.read_bytes()

    def fail(file, **_):
        file.write(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        write_segmentation(path, np.zeros((3, 3), np.uint8))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["case.npz"]


def test_labels_of_the_wrong_name_are_reported(save):
    with pytest.raises(CaseError, match="no array 'segs'"):
        read_case_labels(save(gts=np.zeros((3, 3), int)), ("segs",))
