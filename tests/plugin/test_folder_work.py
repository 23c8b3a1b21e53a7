"""A folder of images gone through: labels saved beside them, the next one opened."""

import nibabel
import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from skimage.io import imread, imsave

from napari_swin_litemedsam.io import read_segments
from napari_swin_litemedsam.io.scans import read_label_scan, write_labels
from napari_swin_litemedsam.plugin import folder_work
from napari_swin_litemedsam.plugin.autosave import key_of
from napari_swin_litemedsam.plugin.worklist import FolderError, first_open, tasks_in
from napari_swin_litemedsam.training.data import find_pairs
from scan_files import GEOMETRIES, VOLUME, dicom_image, save_series

from .conftest import BOX, PIXELS, axial, filled

PICTURE = (255 * PIXELS / PIXELS.max()).astype(np.uint8)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "study" / "images"
    folder.mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png"):
        imsave(folder / name, PICTURE, check_contrast=False)
    return folder


@pytest.fixture
def widget(open_widget):
    return open_widget()


@pytest.fixture
def press(widget, settle):
    def do(name):
        widget.panel.buttons[name].click()
        settle(widget)

    return do


@pytest.fixture
def open_folder(images, widget, press, monkeypatch):
    def do(folder=images.parent):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(folder))
        press("open_folder")

    return do


def names(widget):
    return [layer.name for layer in widget.viewer.layers]


def test_each_image_is_segmented_saved_and_followed_by_the_next(images, widget, open_folder, press, draw, settle):
    open_folder()
    assert widget.image.name == "a"
    assert widget.panel.folder_section.text.text() == "1 of 3: a.png"
    # ready for a box
    assert widget.viewer.layers.selection.active.mode == "add_rectangle"
    draw(widget, BOX)
    settle(widget)
    press("next_image")
    labels = images.parent / "labels" / "a.png"
    np.testing.assert_array_equal(imread(labels), filled(BOX, PICTURE.shape))
    assert widget.image.name == "b"
    assert not [name for name in names(widget) if name.startswith("a")]
    assert [pair.image.name for pair in find_pairs(images.parent)] == ["a.png"]


def test_labels_come_back_with_their_image_and_can_be_added_to(images, widget, open_folder, press, draw, settle):
    open_folder()
    draw(widget, BOX)
    widget.session.wait()
    widget.intents.rename(1, "nodule")
    press("next_image")
    press("previous_image")
    assert widget.image.name == "a"
    np.testing.assert_array_equal(widget.session.result, filled(BOX, PICTURE.shape))
    other = (BOX[2] + 3, 2, BOX[2] + 8, 12)
    draw(widget, other)
    settle(widget)
    press("next_image")
    labels = images.parent / "labels" / "a.png"
    np.testing.assert_array_equal(imread(labels), filled(BOX, PICTURE.shape) + 2 * filled(other, PICTURE.shape))
    assert [(segment.id, segment.name) for segment in read_segments(labels)] == [(1, "nodule"), (2, "object 2")]


def test_a_folder_goes_on_where_it_was_left_and_images_without_objects_get_no_labels(
    images, widget, open_folder, press, draw, settle
):
    open_folder()
    draw(widget, BOX)
    settle(widget)
    press("next_image")
    press("next_image")
    assert widget.image.name == "c"
    assert sorted(path.name for path in (images.parent / "labels").iterdir()) == ["a.png"]
    open_folder()
    assert widget.image.name == "b"


def test_the_last_image_stays_with_its_labels_saved(images, widget, open_folder, press, draw, settle):
    open_folder()
    press("next_image")
    press("next_image")
    draw(widget, BOX)
    settle(widget)
    press("next_image")
    assert widget.image.name == "c"
    assert "This is the last image of the folder" in widget.panel.status.text()
    assert (images.parent / "labels" / "c.png").exists()


def test_sessions_are_saved_beside_the_image_and_told_apart_by_its_file(images, widget, open_folder, monkeypatch):
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **_: asked.append(args[2]) or ("", ""))
    open_folder()
    widget.intents.save_session()
    assert asked == [str(images / "a.swin-litemedsam.zip")]
    own = key_of(widget.image)
    same = widget.viewer.add_image(widget.image.data, name="a")
    assert key_of(same) != own


def test_labels_of_a_scan_lie_on_its_grid(tmp_path, widget, open_folder, press, draw, settle):
    affine = np.array([[-0.7, 0, 0, 10], [0, 0.7, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    folder = tmp_path / "scans"
    folder.mkdir()
    nibabel.save(
        nibabel.Nifti1Image(np.arange(24 * 20 * 4, dtype=np.int16).reshape(24, 20, 4), affine), folder / "x.nii.gz"
    )
    open_folder(folder)
    widget.viewer.dims.set_point(0, 5 + 3 * 2)
    widget.session.add_box((4, 5, 12, 14))
    widget.session.wait()
    press("next_image")
    saved = nibabel.load(folder / "labels" / "x.nii.gz")
    np.testing.assert_allclose(saved.affine, affine, atol=1e-6)
    assert saved.shape == (24, 20, 4)
    assert np.count_nonzero(saved.dataobj) == 9 * 10
    assert np.flatnonzero(np.asarray(saved.dataobj).any(axis=(0, 1))).tolist() == [2]
    again = read_label_scan(folder / "labels" / "x.nii.gz").array
    open_folder(folder)
    np.testing.assert_array_equal(widget.session.result, widget._work.layers.result.data)
    assert np.count_nonzero(widget.session.result) == np.count_nonzero(again)


def test_what_cannot_be_saved_stays_open(images, widget, open_folder, press, draw, settle, warnings_shown):
    (images.parent / "labels").write_text("in the way")
    open_folder()
    draw(widget, BOX)
    settle(widget)
    press("next_image")
    assert widget.image.name == "a"
    assert len(widget.session.objects) == 1
    assert "were not saved" in warnings_shown[-1].message


def test_labels_that_change_while_they_are_saved_are_saved_once_more(
    images, widget, open_folder, press, draw, settle, warnings_shown, monkeypatch
):
    open_folder()
    draw(widget, BOX)
    settle(widget)
    widget.session.commit()
    monkeypatch.setattr(folder_work, "write_labels", lambda *_: None)
    widget.panel.buttons["next_image"].click()
    widget.session.reopen([1])
    settle(widget)
    assert widget.image.name == "a"
    assert "changed while they were saved" in warnings_shown[-1].message


def test_an_object_without_a_mask_is_not_left_behind(widget, open_folder, press, draw, settle, warnings_shown):
    open_folder()
    widget.panel.live.click()
    draw(widget, BOX)
    press("next_image")
    assert widget.image.name == "a"
    assert "Without a mask yet: 1" in warnings_shown[-1].message


def test_an_image_that_cannot_be_read_is_told_and_passed_over(images, widget, open_folder, press, warnings_shown):
    (images / "b.png").write_bytes(b"not an image")
    open_folder()
    press("next_image")
    assert "'b.png' was not opened" in warnings_shown[-1].message
    assert widget.image.name == "a"
    assert widget.panel.folder_section.text.text() == "1 of 3: a.png"
    press("next_image")
    assert widget.image.name == "c"


def test_where_the_rest_cannot_be_read_the_image_in_view_is_the_last(images, widget, open_folder, press):
    (images / "c.png").write_bytes(b"not an image")
    open_folder()
    press("next_image")
    press("next_image")
    assert widget.panel.folder_section.text.text() == "2 of 3: b.png"
    press("next_image")
    assert widget.panel.status.text().startswith("'b.png' is the last image of the folder that can be read")
    press("previous_image")
    assert widget.panel.folder_section.text.text() == "1 of 3: a.png"
    assert widget.image.name == "a"


def test_what_cannot_be_read_at_the_beginning_is_passed_over(images, widget, open_folder, press, warnings_shown):
    (images / "a.png").write_bytes(b"not an image")
    open_folder()
    assert widget.panel.folder_section.text.text() == "2 of 3: b.png"
    assert "Passed over 1" in warnings_shown[-1].message
    assert "a.png" in warnings_shown[-1].message
    press("next_image")
    assert widget.image.name == "c"


def test_labels_of_another_size_are_told_and_left_alone(images, widget, open_folder, warnings_shown):
    labels = images.parent / "labels"
    labels.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        imsave(labels / name, np.ones((3, 3), np.uint8), check_contrast=False)
    open_folder()
    assert "shape (3, 3) instead of" in warnings_shown[-1].message
    assert widget.image is None
    assert imread(labels / "a.png").shape == (3, 3)


def test_ids_that_labels_here_cannot_have_are_told_and_left_alone(tmp_path, widget, open_folder, warnings_shown):
    folder = tmp_path / "scans"
    (folder / "labels").mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(np.ones((6, 5, 3), np.uint8), np.eye(4)), folder / "x.nii.gz")
    ids = np.full((6, 5, 3), 70000, np.int32)
    nibabel.save(nibabel.Nifti1Image(ids, np.eye(4)), folder / "labels" / "x.nii.gz")
    open_folder(folder)
    assert "0..65535" in warnings_shown[-1].message
    assert widget.image is None


@pytest.fixture
def labelled(images):
    """Labels of the images, of which each has some already."""
    labels = images.parent / "labels"
    labels.mkdir()
    ids = np.zeros(PICTURE.shape, np.uint8)
    ids[2:8, 2:8] = 3
    for name in ("a.png", "b.png", "c.png"):
        imsave(labels / name, ids, check_contrast=False)
    return labels


@pytest.mark.parametrize("there", ["a", "a result"])
def test_labels_become_the_result_whatever_else_has_their_names(
    labelled, widget, open_folder, press, draw, settle, there
):
    if there == "a":
        widget.viewer.add_image(PICTURE, name=there)
    else:
        widget.viewer.add_labels(np.zeros(PICTURE.shape, int), name=there)
    open_folder()
    draw(widget, BOX)
    settle(widget)
    press("next_image")
    assert np.unique(imread(labelled / "a.png")).tolist() == [0, 3, 4]


def test_paint_on_the_result_is_saved_also_when_another_image_was_looked_at(
    labelled, widget, open_folder, press, settle
):
    other = widget.viewer.add_image(PICTURE, name="other")
    open_folder()
    result = widget.viewer.layers["a result"]
    result.brush_size = 1
    result.paint((30, 30), 3)
    widget.image = other
    settle(widget)
    press("next_image")
    assert imread(labelled / "a.png")[30, 30] == 3
    assert widget.image.name == "b"


def test_labels_that_lie_elsewhere_are_told(tmp_path, widget, open_folder, warnings_shown):
    folder = tmp_path / "scans"
    (folder / "labels").mkdir(parents=True)
    array, affine = np.ones((12, 10, 3), np.uint8), np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 10, 20, 30
    nibabel.save(nibabel.Nifti1Image(array, affine), folder / "x.nii.gz")
    affine[0, 3] += 2
    nibabel.save(nibabel.Nifti1Image(array, affine), folder / "labels" / "x.nii.gz")
    open_folder(folder)
    assert "elsewhere in space than its image" in warnings_shown[-1].message


def test_labels_of_a_part_of_the_scan_come_to_their_place(tmp_path, widget, open_folder):
    # as 3D Slicer saves them
    folder = tmp_path / "scans"
    (folder / "labels").mkdir(parents=True)
    affine = np.diag([-0.7, 0.7, 3, 1])
    affine[:3, 3] = 10, -20, 5
    nibabel.save(nibabel.Nifti1Image(np.zeros((24, 20, 4), np.int16), affine), folder / "x.nii.gz")
    affine[:3, 3] = affine[:3] @ (3, 5, 1, 1)
    nibabel.save(nibabel.Nifti1Image(np.full((6, 7, 2), 4, np.uint8), affine), folder / "labels" / "x.nii.gz")
    open_folder(folder)
    there = np.zeros((4, 20, 24), int)
    there[1:3, 5:12, 3:9] = 4
    np.testing.assert_array_equal(widget.session.result, there)


def test_labels_that_reach_beyond_the_image_are_told_and_left_alone(tmp_path, widget, open_folder, warnings_shown):
    folder = tmp_path / "scans"
    (folder / "labels").mkdir(parents=True)
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 10, 20, 30
    nibabel.save(nibabel.Nifti1Image(np.ones((12, 10, 3), np.uint8), affine), folder / "x.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((12, 10, 5), np.uint8), affine), folder / "labels" / "x.nii.gz")
    open_folder(folder)
    assert "reach beyond the image" in warnings_shown[-1].message
    assert widget.image is None


def test_an_image_that_was_removed_by_hand_is_no_obstacle(widget, open_folder, press):
    open_folder()
    widget.viewer.layers.clear()
    press("next_image")
    assert widget.image.name == "b"


def test_other_images_of_the_viewer_stay(widget, open_folder, press):
    widget.viewer.add_image(PIXELS, name="mine")
    open_folder()
    press("next_image")
    assert widget.image.name == "b"
    assert {"mine", "b"} <= set(names(widget))


def test_the_view_fits_each_image(images, widget, open_folder, press):
    imsave(images / "b.png", np.tile(PICTURE, (4, 4)), check_contrast=False)
    widget.viewer.add_image(PIXELS, name="mine")
    open_folder()
    press("next_image")
    assert widget.viewer.scene.camera.center[1:] == pytest.approx((4 * np.array(PICTURE.shape) - 1) / 2)


def test_without_a_folder_there_is_nothing_to_go_to(widget, warnings_shown):
    button = widget.panel.buttons["next_image"]
    assert not button.isEnabled()
    assert "no folder is open" in button.toolTip()
    # the key does the same
    widget.intents.next_image()
    assert "Open a folder" in warnings_shown[-1].message


def test_a_folder_without_images_is_told(tmp_path, widget, open_folder, warnings_shown):
    open_folder(tmp_path)
    assert "no image that can be read" in warnings_shown[-1].message


def test_a_folder_may_not_hold_two_images_that_share_labels(images):
    imsave(images / "a.jpg", PICTURE, check_contrast=False)
    with pytest.raises(FolderError, match=r"a.jpg and a.png would have the same"):
        tasks_in(images)


def test_a_segmentation_beside_its_scan_is_no_image(tmp_path):
    for name in ("x.nrrd", "x.seg.nrrd"):
        (tmp_path / name).touch()
    assert [task.image.name for task in tasks_in(tmp_path)] == ["x.nrrd"]


def test_a_folder_that_is_done_begins_anew(images):
    tasks = tasks_in(images)
    assert first_open(tasks) == 0
    for task in tasks:
        task.labels.parent.mkdir(exist_ok=True)
        task.labels.touch()
    assert first_open(tasks) == 0


def test_dicom_series_are_images_of_a_folder(tmp_path, open_folder, widget, press, draw, settle):
    for patient, uid in (("p1", "1.1"), ("p2", "1.2"), ("p2", "1.3")):
        (tmp_path / patient / uid).mkdir(parents=True)
        save_series(tmp_path / patient / uid, GEOMETRIES["anisotropic"], SeriesInstanceUID=uid, SeriesNumber=uid[-1])
    (tmp_path / "empty").mkdir()
    open_folder(tmp_path)
    assert widget.image.name == "p1"
    assert widget.panel.folder_section.text.text().startswith("1 of 3: p1: Abdomen, CT, 5 images")
    draw(widget, (1, 1, 4, 5), axial(2))
    settle(widget)
    press("next_image")
    labels = read_label_scan(tmp_path / "labels" / "p1.nii.gz")
    assert labels.array.any()
    np.testing.assert_allclose(labels.geometry.spacing, GEOMETRIES["anisotropic"].spacing, rtol=1e-4)
    assert widget.image.name == "p2-1"
    press("next_image")
    assert widget.image.name == "p2-2"
    open_folder(tmp_path)
    assert widget.image.name == "p2-1", "the first without labels"
    press("previous_image")
    assert widget.session.result.any()


def test_training_finds_the_labels_of_series_where_they_are_saved(tmp_path):
    for patient, uid in (("p1", "1.1"), ("p2", "1.2"), ("p2", "1.3")):
        (tmp_path / "images" / patient / uid).mkdir(parents=True)
        save_series(tmp_path / "images" / patient / uid, SeriesInstanceUID=uid)
    tasks = tasks_in(tmp_path)
    (tmp_path / "labels").mkdir()
    for task in tasks:
        write_labels(task.labels, np.ones(VOLUME.shape, np.uint8))
    assert [(pair.label, set(pair.slices)) for pair in find_pairs(tmp_path)] == [
        (task.labels, set(task.slices)) for task in tasks
    ]


def test_radiographs_in_a_folder_have_their_own_names(tmp_path):
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None}
    for name in ("b.dcm", "a.dcm"):
        image = dicom_image(np.uint16(PICTURE), SeriesInstanceUID=f"1.{ord(name[0])}", **nowhere)
        image.save_as(tmp_path / name, enforce_file_format=True)
    assert [task.labels for task in tasks_in(tmp_path)] == [tmp_path / "labels" / f"{name}.nii.gz" for name in "ab"]


def test_the_slices_of_one_series_in_a_folder_are_one_image(tmp_path):
    (tmp_path / "scan").mkdir()
    save_series(tmp_path / "scan")
    (task,) = tasks_in(tmp_path / "scan")
    assert task.labels == tmp_path / "scan" / "labels" / "scan.nii.gz"
    assert len(task.slices) == 5
