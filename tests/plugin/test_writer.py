import numpy as np
import pytest
import SimpleITK as sitk
from napari.layers import Labels

from napari_swin_litemedsam.io import Segment, read_labels, read_segments
from napari_swin_litemedsam.plugin.images import geometry_of
from napari_swin_litemedsam.plugin.planes import Plane
from napari_swin_litemedsam.plugin.writer import write_labels
from scan_files import GEOMETRIES, VOLUME, assert_same_place, dicom_image, itk_image, save_series

PLUGIN = "napari-swin-litemedsam"


@pytest.mark.parametrize(("highest", "dtype"), [(3, np.uint8), (300, np.uint16)])
def test_challenge_files_hold_label_ids(tmp_path, highest, dtype):
    labels = np.zeros((4, 5, 6), np.int32)
    labels[1, 2, 3] = highest
    (path,) = write_labels(str(tmp_path / "out.npz"), *Labels(labels).as_layer_data_tuple()[:2])
    written = np.load(path)["segs"]
    np.testing.assert_array_equal(written, labels)
    assert written.dtype == dtype


def test_an_ending_is_added(tmp_path, viewer):
    layer = Labels(np.eye(5, dtype=int))
    assert write_labels(str(tmp_path / "out"), *layer.as_layer_data_tuple()[:2]) == [str(tmp_path / "out.nii.gz")]
    assert layer.save(str(tmp_path / "mask"), plugin=PLUGIN) == [str(tmp_path / "mask.nii.gz")]


@pytest.mark.parametrize(
    ("suffix", "name"), [(".nii.gz", name) for name in GEOMETRIES] + [(".seg.nrrd", "oblique"), (".mha", "oblique")]
)
def test_saved_labels_have_exactly_the_scans_geometry(tmp_path, viewer, suffix, name):
    sitk.WriteImage(itk_image(VOLUME, GEOMETRIES[name]), tmp_path / "scan.nii.gz")
    (image,) = viewer.open(str(tmp_path / "scan.nii.gz"), plugin=PLUGIN)
    layer = viewer.add_labels((np.asarray(image.data) > 900).astype(int), **geometry_of(image))
    (saved,) = layer.save(str(tmp_path / f"labels{suffix}"), plugin=PLUGIN)
    source, written = sitk.ReadImage(tmp_path / "scan.nii.gz"), sitk.ReadImage(saved)
    assert_same_place(source, written)
    if suffix.startswith(".nii"):
        assert source.GetOrigin() == written.GetOrigin()
        assert source.GetSpacing() == written.GetSpacing()
        assert source.GetDirection() == written.GetDirection()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), VOLUME > 900)


@pytest.mark.parametrize("name", ["case.npz", "scan.nii.gz", "scan.dcm"])
def test_the_scan_that_labels_lie_on_is_not_replaced(tmp_path, viewer, name):
    path = tmp_path / name
    if name == "case.npz":
        np.savez(path, imgs=VOLUME)
    elif name == "scan.dcm":
        dicom_image(VOLUME[0]).save_as(path, enforce_file_format=True)
    else:
        sitk.WriteImage(itk_image(VOLUME, GEOMETRIES["oblique"]), path)
    before = path.read_bytes()
    (image,) = viewer.open(str(path), plugin=PLUGIN)
    layer = viewer.add_labels((np.asarray(image.data) > 900).astype(int), **geometry_of(image))
    with pytest.raises(RuntimeError, match="would replace the scan"):
        layer.save(str(path), plugin=PLUGIN)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["x.nii.gz", "liver_mask.nrrd", "x.seg.nrrd"])
def test_labels_that_were_opened_can_be_saved_again(tmp_path, viewer, name):
    first = Labels((VOLUME > 900).astype(int)).save(str(tmp_path / name), plugin=PLUGIN)
    (layer,) = viewer.open(first[0], plugin=PLUGIN)
    layer.data = np.asarray(layer.data) * 2
    assert layer.save(first[0], plugin=PLUGIN) == first
    np.testing.assert_array_equal(read_labels(first[0])[0], (VOLUME > 900) * 2)


def test_a_dicom_series_gets_a_dicom_segmentation(tmp_path, viewer):
    highdicom = pytest.importorskip("highdicom")
    (tmp_path / "scan").mkdir()
    save_series(tmp_path / "scan", GEOMETRIES["sagittal"])
    (image,) = viewer.open(str(tmp_path / "scan"), plugin=PLUGIN)
    layer = viewer.add_labels((np.asarray(image.data) > 900).astype(int), **geometry_of(image))
    (saved,) = layer.save(str(tmp_path / "seg.dcm"), plugin=PLUGIN)
    written = highdicom.seg.segread(saved)
    uids = [highdicom.imread(file).SOPInstanceUID for file in image.metadata["scan"].files]
    planes = written.get_pixels_by_source_instance(uids, combine_segments=True)
    np.testing.assert_array_equal(planes, VOLUME > 900)


def test_labels_of_anything_else_are_no_dicom_segmentation(tmp_path, viewer):
    pytest.importorskip("highdicom")
    with pytest.raises(RuntimeError, match="DICOM series"):
        Labels(np.eye(5, dtype=int)).save(str(tmp_path / "seg.dcm"), plugin=PLUGIN)


def test_names_and_colours_are_saved_once_there_is_a_name(tmp_path, viewer):
    layer = Labels(np.diag([1, 2, 5]))
    for name in ("a.nii.gz", "a.seg.nrrd"):
        layer.features = {"index": [1, 5, 7], "name": ["", "spleen", "gone"]}
        saved = layer.save(str(tmp_path / name), plugin=PLUGIN)
        red, green, blue = layer.get_color(5)[:3]
        spleen = Segment.of_rgb(5, "spleen", (red, green, blue))
        assert [item.name for item in read_segments(saved[0])] == ["object 1", "object 2", "spleen"]
        assert read_segments(saved[0])[2] == spleen
        layer.features = {}
        saved = layer.save(str(tmp_path / name), plugin=PLUGIN)
        assert read_segments(saved[0]) == []


@pytest.mark.window
def test_a_mask_drawn_in_the_widget_is_saved_with_its_name_on_the_scans_grid(
    tmp_path, viewer, open_widget, draw, settle
):
    geometry = GEOMETRIES["sagittal"]
    array = np.zeros((4, 30, 40), np.int16)
    array[:, 10:20, 10:20] = 99
    sitk.WriteImage(itk_image(array, geometry), tmp_path / "scan.nii.gz")
    viewer.open(str(tmp_path / "scan.nii.gz"), plugin=PLUGIN)
    widget = open_widget()
    # the third slice of the file: its axes (z, y, x) are the layer's (x, z, y)
    draw(widget, (8, 9, 15, 21), Plane((None, None, 2), axis=2))
    settle(widget)
    widget.intents.rename(1, "meniscus")
    (saved,) = viewer.layers["scan masks"].save(str(tmp_path / "masks.seg.nrrd"), plugin=PLUGIN)
    image = sitk.ReadImage(saved)
    assert_same_place(image, sitk.ReadImage(tmp_path / "scan.nii.gz"))
    expected = np.zeros_like(array)
    expected[2, 8:16, 9:22] = 1
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)
    place = geometry.to_world([2, 12, 15])[::-1]
    assert image[image.TransformPhysicalPointToIndex(place.tolist())] == 1
    assert image.GetMetaData("Segment0_Name") == "meniscus"
    widget.intents.commit()
    settle(widget)
    (saved,) = viewer.layers["scan result"].save(str(tmp_path / "result.seg.nrrd"), plugin=PLUGIN)
    assert_same_place(image, sitk.ReadImage(saved))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(saved)), expected)
    assert sitk.ReadImage(saved).GetMetaData("Segment0_Name") == "meniscus"


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path, viewer):
    layer = Labels(np.eye(5, dtype=int))
    layer.save(str(tmp_path / "a.nii.gz"), plugin=PLUGIN)
    layer.data = np.full((5, 5), 70000)
    with pytest.raises(RuntimeError, match="65535"):
        layer.save(str(tmp_path / "a.nii.gz"), plugin=PLUGIN)
    with pytest.raises(RuntimeError, match="neither an image nor a volume"):
        Labels(np.ones((2, 3, 4, 5), int)).save(str(tmp_path / "a.nii.gz"), plugin=PLUGIN)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nii.gz")[0], np.eye(5))
