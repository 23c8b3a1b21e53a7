import numpy as np
import pytest
import SimpleITK as sitk
from napari.layers import Image, Labels, Layer

from napari_swin_litemedsam.io import Segment, read_scan, write_labels
from napari_swin_litemedsam.plugin import reader
from napari_swin_litemedsam.plugin.reader import NO_LAYER, get_reader
from scan_files import GEOMETRIES, VOLUME, itk_image, save_series


@pytest.fixture
def save(tmp_path):
    def do(**arrays):
        path = tmp_path / "case.npz"
        np.savez_compressed(path, **arrays)
        return str(path)

    return do


def layers(path):
    return [Layer.create(*data) for data in get_reader(path)(path)]


def test_a_volume_with_boxes_and_truth(save):
    truth = np.zeros((5, 8, 9), np.uint8)
    truth[2, 3:5, 3:5] = 1
    path = save(
        imgs=np.zeros((5, 8, 9), np.uint8),
        gts=truth,
        boxes=np.array([[1, 2, 0, 7, 6, 5]]),
        spacing=np.array([0.5, 0.6, 3]),
    )
    image, labels, boxes = layers(path)
    assert image.name == "case"
    assert tuple(image.scale) == (3, 0.6, 0.5)
    np.testing.assert_array_equal(labels.data, truth)
    np.testing.assert_array_equal(boxes.data[0].min(axis=0), [2, 2, 1])
    np.testing.assert_array_equal(boxes.data[0].max(axis=0), [2, 6, 7])
    assert tuple(labels.scale) == tuple(boxes.scale) == tuple(image.scale)


def test_a_picture_with_boxes(save):
    image, boxes = layers(save(imgs=np.zeros((8, 9, 3), np.uint8), boxes=np.array([[1, 2, 7, 6], [0, 0, 3, 4]])))
    assert image.rgb
    assert len(boxes.data) == 2
    np.testing.assert_array_equal(boxes.data[0], [[2, 1], [2, 7], [6, 7], [6, 1]])


def test_an_image_alone(save):
    (image,) = layers(save(imgs=np.arange(72).reshape(8, 9)))
    assert image.data[1, 0] == 9


def test_other_files_are_left_to_others(save, tmp_path):
    assert get_reader(save(segs=np.zeros((3, 3), int))) is None
    assert get_reader(str(tmp_path / "missing.npz")) is None
    assert get_reader("image.tif") is None
    assert get_reader(["a.npz", "b.npz"]) is None
    for name in ("a.png", "b.jpg", "c.tif", "d.zarr"):
        (tmp_path / name).write_bytes(b"")
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader(str(tmp_path)) is None
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK not really")
    assert get_reader(str(broken)) is None


def test_a_broken_case_says_why(save):
    path = save(imgs=np.zeros(4))
    with pytest.raises(ValueError, match="'imgs' is no image"):
        get_reader(path)(path)


@pytest.mark.parametrize(
    ("suffix", "name"), [(".nii.gz", name) for name in GEOMETRIES] + [(".nrrd", "oblique"), (".mhd", "oblique")]
)
def test_scans_lie_where_itk_puts_them(tmp_path, suffix, name):
    image = itk_image(VOLUME, GEOMETRIES[name])
    sitk.WriteImage(image, tmp_path / f"scan.1{suffix}")
    (layer,) = layers(str(tmp_path / f"scan.1{suffix}"))
    assert isinstance(layer, Image)
    assert layer.name == "scan.1"
    for index in ((0, 0, 0), (4, 1, 6)):
        place = image.TransformIndexToPhysicalPoint(index[::-1])[::-1]
        assert layer.data[tuple(np.rint(layer.world_to_data(place)).astype(int))] == VOLUME[index]


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".mha"])
def test_labels_with_names_are_opened_as_labels(tmp_path, viewer, suffix):
    write_labels(
        tmp_path / f"a{suffix}",
        (VOLUME > 900) * 3,
        GEOMETRIES["sagittal"],
        [Segment(3, "liver", "#ff0000"), Segment(9, "none of it", "#00ff00")],
    )
    (layer,) = layers(str(tmp_path / f"a{suffix}"))
    assert isinstance(layer, Labels)
    np.testing.assert_allclose(layer.get_color(3), [1, 0, 0, 1])
    assert layer.features.set_index("index").name[3] == "liver"
    assert layer.data.sum() == (VOLUME > 900).sum() * 3
    # and saved again they are the same
    (saved,) = layer.save(str(tmp_path / "b.seg.nrrd"), plugin="napari-swin-litemedsam")
    assert sitk.ReadImage(saved).GetMetaData("Segment0_Name") == "liver"


@pytest.mark.parametrize(
    "name", ["x-label.nrrd", "x.seg.nrrd", "ct_seg.nii.gz", "Liver mask 2.mha", "labelsTr/liver_7.nii", "x.nii.gz"]
)
def test_labels_without_names_are_known_by_their_file_name_their_folder_or_their_header(tmp_path, name):
    ids = (VOLUME % 3).astype(np.uint16)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    write_labels(path, ids, GEOMETRIES["oblique"])
    (layer,) = layers(str(path))
    assert isinstance(layer, Labels)
    assert sorted(np.unique(layer.data)) == [0, 1, 2]


@pytest.mark.parametrize("volume", [VOLUME / np.float32(7), VOLUME - 1000], ids=["fractions", "below 0"])
def test_a_name_of_labels_makes_no_labels_of_intensities(tmp_path, volume):
    sitk.WriteImage(itk_image(volume, GEOMETRIES["oblique"]), tmp_path / "mask.nii.gz")
    (layer,) = layers(str(tmp_path / "mask.nii.gz"))
    assert isinstance(layer, Image)


def test_a_dicom_segmentation_is_opened_as_labels_at_its_place(tmp_path, viewer):
    pytest.importorskip("highdicom")
    (tmp_path / "series").mkdir()
    scan = read_scan(save_series(tmp_path / "series", GEOMETRIES["oblique"]))
    ids = np.zeros(scan.array.shape, int)
    ids[2, 2:4, 1:3] = 4
    write_labels(tmp_path / "seg.dcm", ids, scan.geometry, [Segment(4, "cyst", "#0000ff")], scan.files)
    (labels,) = viewer.open(str(tmp_path / "seg.dcm"), plugin="napari-swin-litemedsam")
    assert isinstance(labels, Labels)
    assert labels.data.dtype.kind == "u"
    assert list(labels.features["name"]) == ["cyst"]
    (image,) = viewer.open(str(tmp_path / "series"), plugin="napari-swin-litemedsam")
    inside = image.world_to_data(labels.data_to_world(np.argwhere(labels.data)[0]))
    assert np.allclose(inside, np.rint(inside), atol=1e-3)
    assert scan.array.shape == image.data.transpose(np.argsort(scan.geometry.anatomical_order())).shape


def test_a_dicom_folder(tmp_path):
    save_series(tmp_path, GEOMETRIES["anisotropic"])
    (layer,) = layers(str(tmp_path))
    assert layer.name == "Abdomen"
    np.testing.assert_array_equal(layer.data, VOLUME)
    assert layer.scale.tolist() == [5, 0.7, 0.3]


def test_several_series_are_several_layers_or_those_that_the_user_chooses(tmp_path, monkeypatch):
    save_series(tmp_path)
    save_series(tmp_path, volume=VOLUME[:3], name="second", SeriesInstanceUID="1.2.4", SeriesDescription="Scout")
    monkeypatch.setattr(reader, "choose_series", list)
    assert {layer.name: layer.data.shape for layer in layers(str(tmp_path))} == {
        "Abdomen": (5, 6, 7),
        "Scout": (3, 6, 7),
    }
    monkeypatch.setattr(reader, "choose_series", lambda found: [])
    assert get_reader(str(tmp_path))(str(tmp_path)) == NO_LAYER


def test_descriptions_may_hold_commas(tmp_path):
    save_series(tmp_path, SeriesDescription="Thorax 1,0 I70f, lung")
    (layer,) = layers(str(tmp_path))
    assert layer.name == "Thorax 1,0 I70f, lung"


def test_slices_opened_together_are_a_volume(tmp_path):
    save_series(tmp_path)
    paths = sorted(map(str, tmp_path.iterdir()))
    (data,) = get_reader(paths)(paths)
    np.testing.assert_array_equal(data[0], VOLUME)


def test_napari_opens_them(tmp_path, viewer):
    save_series(tmp_path, GEOMETRIES["oblique"])
    sitk.WriteImage(itk_image(VOLUME, GEOMETRIES["flipped"]), tmp_path / "a.nii.gz")
    viewer.open(str(tmp_path), plugin="napari-swin-litemedsam")
    viewer.open(str(tmp_path / "a.nii.gz"), plugin="napari-swin-litemedsam")
    assert [layer.name for layer in viewer.layers] == ["Abdomen", "a"]


def test_a_file_of_four_axes_says_why(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.uint8)), tmp_path / "a.nii")
    with pytest.raises(ValueError, match="split it"):
        layers(str(tmp_path / "a.nii"))
