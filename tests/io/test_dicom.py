import importlib.util

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from napari_swin_litemedsam.geometry import Geometry
from napari_swin_litemedsam.io import CaseError, dicom, files, read_scan, write_labels
from napari_swin_litemedsam.io.series import find_series, named_series
from scan_files import GEOMETRIES, RIGHT_HANDED, VOLUME, assert_same_place, dicom_image, save_enhanced, save_series


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scan").mkdir()
    return tmp_path / "scan"


def test_slices_are_sorted_by_their_place(folder):
    save_series(folder, GEOMETRIES["anisotropic"])
    (folder / "notes.txt").write_text("no DICOM")
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.array, VOLUME)
    assert scan.array.dtype == np.int16
    assert scan.geometry.near(GEOMETRIES["anisotropic"])
    np.testing.assert_array_equal([pydicom.dcmread(f).pixel_array for f in scan.files], VOLUME)


@pytest.mark.parametrize("name", RIGHT_HANDED)
def test_scans_lie_where_itk_puts_them(folder, tmp_path, name):
    save_series(folder, RIGHT_HANDED[name])
    scan = read_scan(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    write_labels(tmp_path / "labels.nrrd", scan.array > 1000, scan.geometry)
    written = sitk.ReadImage(tmp_path / "labels.nrrd")
    assert_same_place(reader.Execute(), written)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(reader.Execute()) > 1000)
    np.testing.assert_allclose(scan.geometry.affine, RIGHT_HANDED[name].affine, atol=1e-6)


def test_intensities_are_rescaled(folder):
    save_series(folder, RescaleSlope=1, RescaleIntercept=-1024)
    scan = read_scan(folder)
    assert scan.array.dtype == np.int16
    np.testing.assert_array_equal(scan.array, VOLUME - 1024)
    save_series(folder, RescaleSlope=0.5, RescaleIntercept=2.25)
    scan = read_scan(folder)
    assert scan.array.dtype == np.float32
    np.testing.assert_allclose(scan.array, VOLUME / 2 + 2.25)


@pytest.mark.parametrize(
    ("padding", "fields"),
    [
        ([-2000], {"PixelPaddingValue": 63536}),
        ([-2000], {"PixelPaddingValue": -2000}),
        ([-2000, -1500], {"PixelPaddingValue": -1500, "PixelPaddingRangeLimit": -2000}),
        ([3000], {"PixelPaddingValue": 3000, "PhotometricInterpretation": "MONOCHROME1"}),
    ],
    ids=["unsigned", "signed", "range", "turned over"],
)
@pytest.mark.parametrize("implicit", [False, True])
def test_padding_is_the_least_other_value_of_the_series(folder, padding, fields, implicit):
    volume, is_padding = VOLUME.copy(), np.zeros(VOLUME.shape, bool)
    for z, value in enumerate(padding):
        volume[2 * z, :2], is_padding[2 * z, :2] = value, True
    expected = (-1 - VOLUME if "PhotometricInterpretation" in fields else VOLUME) - 1024
    expected[is_padding] = expected[~is_padding].min()
    for path in save_series(folder, volume=volume, RescaleIntercept=-1024).iterdir():
        data = pydicom.dcmread(path)
        for name, value in fields.items():
            kind = "CS" if isinstance(value, str) else "US" if value > 0 else "SS"
            data.add_new(name, kind, value)
        if implicit:
            data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        data.save_as(path, implicit_vr=implicit, little_endian=True)
    np.testing.assert_array_equal(read_scan(folder).array, expected)


def test_padding_of_zeros_below_all_else_stays_background(folder):
    volume = np.abs(VOLUME) + 100
    volume[:, :2] = 0
    save_series(folder, volume=volume, PixelPaddingValue=0)
    np.testing.assert_array_equal(read_scan(folder).array, volume)


def test_what_is_nothing_but_padding_and_colours_stay(folder):
    save_series(folder, volume=np.full((3, 4, 5), 7, np.int16), PixelPaddingValue=7)
    assert (read_scan(folder).array == 7).all()
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    dicom_image(picture, PixelPaddingValue=3).save_as(folder / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_scan(folder / "a.dcm").array, picture)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint16, 65535), (np.int16, -1)])
def test_pictures_whose_lowest_value_is_white_are_turned_over(folder, dtype, white):
    save_series(folder, volume=VOLUME.astype(dtype), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_scan(folder).array, white - VOLUME.astype(int))


def test_intensities_of_32_bits_are_kept(folder):
    volume = VOLUME.astype(np.uint32)
    volume[0, 0, 0] = 4_000_000_000
    for z, plane in enumerate(volume):
        slice_ = dicom_image(VOLUME[z], ImagePositionPatient=[0, 0, z], BitsAllocated=32, BitsStored=32, HighBit=31)
        slice_.PixelRepresentation, slice_.PixelData = 0, plane.tobytes()
        slice_.save_as(folder / f"{z}", enforce_file_format=True)
    np.testing.assert_array_equal(read_scan(folder).array, volume)


def test_a_table_of_intensities_is_looked_up(folder):
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [4, 0, 16], np.uint16([10, 500, 20, 7]).tobytes(), "US"
    table["LUTData"].VR = "OW"
    picture = dicom_image(np.array([[0, 1], [2, 3]], np.uint16), ModalityLUTSequence=[table])
    picture.save_as(folder / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_scan(folder / "a.dcm").array, [[[10, 500], [20, 7]]])


def test_indices_of_colours_are_looked_up(folder):
    picture = dicom_image(np.arange(12, dtype=np.uint8).reshape(3, 4) % 4, PhotometricInterpretation="PALETTE COLOR")
    for number, name in enumerate(("Red", "Green", "Blue")):
        setattr(picture, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(picture, f"{name}PaletteColorLookupTableData", bytes(range(10 * number, 10 * number + 4)))
    picture.save_as(folder / "a.dcm", enforce_file_format=True)
    scan = read_scan(folder)
    assert scan.is_colour
    assert scan.array.shape == (3, 4, 3)
    np.testing.assert_array_equal(scan.array[0, :, 1], [10, 11, 12, 13])


def test_colours_may_share_pixels(folder):
    picture = dicom_image(np.zeros((40, 60, 3), np.uint8), ImagePositionPatient=None, ImageOrientationPatient=None)
    # two greys, and the colour of both
    picture.PhotometricInterpretation, picture.PixelData = "YBR_FULL_422", bytes((100, 200, 128, 128)) * 1200
    picture.save_as(folder / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_scan(folder).array[0, :4], [[100] * 3, [200] * 3] * 2)


def test_whole_files_may_be_packed(folder):
    volume = np.full((3, 60, 60), 7, np.int16)
    for path in save_series(folder, volume=volume).iterdir():
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        data.save_as(path)
        assert path.stat().st_size < volume[0].nbytes
    np.testing.assert_array_equal(read_scan(folder).array, volume)


def test_a_radiograph_has_no_slices(folder):
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "PixelSpacing": None}
    dicom_image(VOLUME[0], **nowhere, ImagerPixelSpacing=[0.2, 0.1]).save_as(folder / "a.dcm", enforce_file_format=True)
    scan = read_scan(folder / "a.dcm")
    np.testing.assert_array_equal(scan.array, VOLUME[0])
    assert scan.geometry == Geometry.make((0.2, 0.1))
    dicom_image(np.zeros((4, 5, 3), np.uint8), **nowhere).save_as(folder / "a.dcm", enforce_file_format=True)
    scan = read_scan(folder)
    assert scan.is_colour
    assert scan.array.shape == (4, 5, 3)
    assert scan.geometry is None


def test_a_single_slice_is_a_volume_of_one(folder):
    save_series(folder, GEOMETRIES["anisotropic"], VOLUME[:1], SliceThickness=5)
    assert read_scan(folder).geometry.near(GEOMETRIES["anisotropic"])
    # without the ending that most programs leave out
    assert read_scan(next(folder.iterdir())).array.shape == (1, 6, 7)


def test_a_distance_counted_downwards_is_a_distance(folder):
    save_series(folder, volume=VOLUME[:1], SpacingBetweenSlices=-3)
    assert read_scan(folder).geometry.spacing == (3, 1, 1)


def test_directions_of_few_decimals_are_of_unit_length(folder):
    # as ITK has it; 0.7 instead of 0.7071 would make pixels 1 % smaller
    save_series(folder, ImageOrientationPatient=[0.7, 0.7, 0, -0.7, 0.7, 0])
    geometry = read_scan(folder).geometry
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_allclose(geometry.spacing, image.GetSpacing()[::-1], atol=1e-6)
    np.testing.assert_allclose(np.ravel(geometry.direction)[::-1], image.GetDirection(), atol=1e-6)


@pytest.mark.parametrize("kind", ["no preamble", "no header", "no encoding"])
def test_files_that_lack_what_comes_before_the_elements_are_read(folder, tmp_path, kind):
    for path in save_series(folder).iterdir():
        data = pydicom.dcmread(path)
        if kind == "no preamble":
            path.write_bytes(path.read_bytes()[132:])
        elif kind == "no header":
            del data.file_meta, data.preamble
            pydicom.dcmwrite(path, data, implicit_vr=True, little_endian=True)
        else:
            del data.file_meta.TransferSyntaxUID
            pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=True)
    scan = read_scan(folder)
    np.testing.assert_array_equal(scan.array, VOLUME)
    np.testing.assert_array_equal(read_scan(scan.files[3]).array, VOLUME[3:4])
    if importlib.util.find_spec("highdicom"):
        write_labels(tmp_path / "seg.dcm", np.ones(scan.array.shape, int), scan.geometry, [], scan.files)


@pytest.mark.parametrize("start", [b"", b"\x08\0\x05\0 not DICOM", b"\x02\0 text", b"PK\x03\x04", bytes(200)])
def test_other_files_are_no_dicom(tmp_path, start):
    (tmp_path / "a").write_bytes(start)
    assert not dicom.is_dicom(tmp_path / "a")


def test_a_copied_slice_counts_once(folder):
    save_series(folder)
    (folder / "copies").mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()][:3]:
        (folder / "copies" / f"{path.name} (1)").write_bytes(path.read_bytes())
    np.testing.assert_array_equal(read_scan(folder).array, VOLUME)
    assert find_series(folder)[0].title == "Abdomen, CT, 5 images of 6 x 7"


def test_slices_that_share_an_identifier_are_all_kept(folder):
    np.testing.assert_array_equal(read_scan(save_series(folder, SOPInstanceUID="1.2.3.4")).array, VOLUME)


def test_a_list_of_files_is_told(tmp_path):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    with pytest.raises(CaseError, match="name the folder"):
        read_scan(tmp_path / "DICOMDIR")


def test_segmentations_are_no_series(folder, tmp_path):
    pytest.importorskip("highdicom")
    scan = read_scan(save_series(folder))
    write_labels(folder / "seg.dcm", np.ones(scan.array.shape, int), scan.geometry, [], scan.files)
    np.testing.assert_array_equal(read_scan(folder).array, VOLUME)
    with pytest.raises(CaseError, match=r"seg\.dcm: a DICOM segmentation"):
        read_scan(folder / "seg.dcm")
    for path in scan.files:
        path.unlink()
    with pytest.raises(CaseError, match=r"no DICOM images but segmentations; open the file itself, such as seg\.dcm"):
        read_scan(folder)


def test_the_picture_that_a_scan_was_planned_on_is_a_series_of_its_own(folder):
    save_series(folder)
    across = dicom_image(np.zeros((20, 30), np.uint16), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    across.save_as(folder / "planned", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"2 series, choose one: 1: .* 5 images .*; 2: .* 1 image of 20"):
        read_scan(folder)
    np.testing.assert_array_equal(read_scan(folder, 1).array, VOLUME)
    assert read_scan(folder, 2).array.shape == (1, 20, 30)


def test_of_several_series_one_is_chosen(folder):
    save_series(folder, SeriesDescription="Second", SeriesNumber=10)
    (folder / "below").mkdir()
    save_series(folder / "below", volume=VOLUME[:2] + 1, SeriesInstanceUID="1.2.4", SeriesNumber=9)
    with pytest.raises(CaseError, match="2 series, choose one: 1: Abdomen, CT, 2 images of 6 x 7; 2: Second, CT, 5"):
        read_scan(folder)
    np.testing.assert_array_equal(read_scan(folder, series=1).array, VOLUME[:2] + 1)
    np.testing.assert_array_equal(read_scan(folder, series=2).array, VOLUME)
    assert [len(series.files) for series in find_series(folder)] == [2, 5]
    for wrong in (0, 3):
        with pytest.raises(CaseError, match=f"no series {wrong}"):
            read_scan(folder, series=wrong)


def test_pictures_that_share_a_series_are_one_each(folder):
    # as a study of ultrasound, or a chest from the front and from the side
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "Modality": "US"}
    for number, name in ((10, "a"), (9, "b")):
        pixels = np.full((6, 7 + number), number, np.uint8)
        dicom_image(pixels, InstanceNumber=number, **nowhere).save_as(folder / name, enforce_file_format=True)
    titles = [series.title for series in find_series(folder)]
    assert titles == ["Abdomen 9, US, 1 image of 6 x 16", "Abdomen 10, US, 1 image of 6 x 17"]
    np.testing.assert_array_equal(read_scan(folder, series=2).array, np.full((6, 17), 10))
    assert [name for name, _ in named_series(folder, among_images=True)] == ["b", "a"]
    # on discs files of several folders are called alike
    (folder / "below").mkdir()
    dicom_image(pixels, InstanceNumber=11, **nowhere).save_as(folder / "below" / "a", enforce_file_format=True)
    assert [name for name, _ in named_series(folder, among_images=True)] == ["b", "scan-2", "scan-3"]


@pytest.mark.parametrize(("among_images", "expected"), [(False, ["scan-1", "scan-2"]), (True, ["x", "scan-2"])])
def test_series_have_the_name_of_their_folder_or_their_only_file(folder, among_images, expected):
    save_series(folder)
    dicom_image(VOLUME[0], SeriesInstanceUID="1.2.4", SeriesNumber=1).save_as(
        folder / "x.dcm", enforce_file_format=True
    )
    assert [name for name, _ in named_series(folder, among_images)] == expected


def tilted(angle):
    shear = np.eye(3)
    shear[1, 0] = np.sin(np.radians(angle))
    shear[0, 0] = np.cos(np.radians(angle))
    return Geometry.make((5, 1, 1), direction=shear)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skip": (2,)}, r"1 slices are missing, the first between 1.0 and 3.0 mm; usually they are 1.00 mm apart"),
        ({"geometry": tilted(12)}, r"tilted by 12.0 degrees"),
        ({"ImagePositionPatient": [0, 0, 5]}, "at the same place"),
        ({"ImagePositionPatient": None}, "5 images of the series tell no position"),
        ({"PixelSpacing": None}, "no pixel spacing"),
        ({"PixelSpacing": [1, 0]}, "positive"),
        ({"NumberOfFrames": 3}, "3 images in one file, of which 0 are described"),
        ({"volume": np.zeros((5, 4, 4, 3), np.uint8)}, "3 values per pixel"),
        ({"Rows": 5000}, "claims"),
        ({"Rows": 7}, "cannot be read"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 1, 0]}, "at the same place"),
    ],
)
def test_series_that_are_no_volume_are_told(folder, options, message):
    with pytest.raises(CaseError, match=message):
        read_scan(save_series(folder, **options))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ImagePositionPatient": [0, 0, 4.5]}, "uneven"),
        ({"ImagePositionPatient": [0, 0, 4.05]}, "uneven"),
        (
            {"ImagePositionPatient": [0, 0, 9], "ImageOrientationPatient": [1, 0, 0, 0, 0, 1]},
            "directions, such as other",
        ),
        ({"ImagePositionPatient": [0, 0, 5], "PixelSpacing": [2, 2]}, "differ in pixel spacing"),
    ],
)
def test_a_slice_that_does_not_belong_is_told(folder, fields, message):
    save_series(folder)
    dicom_image(VOLUME[0], **fields).save_as(folder / "other", enforce_file_format=True)
    with pytest.raises(CaseError, match=message):
        read_scan(folder)


def test_a_slice_beside_the_others_is_told(folder):
    save_series(folder, skip=(2,))
    dicom_image(VOLUME[2], ImagePositionPatient=[50, 0, 2]).save_as(folder / "other", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"shifted sideways by up to 50\.0 mm"):
        read_scan(folder)


def test_mixed_sizes_are_told(folder):
    save_series(folder)
    dicom_image(VOLUME[0, :4], ImagePositionPatient=[0, 0, 9]).save_as(folder / "other", enforce_file_format=True)
    with pytest.raises(CaseError, match="differ in size: 5 of 6 x 7, 1 of 4 x 7, such as other"):
        read_scan(folder)


def test_files_that_are_damaged_or_none(folder):
    with pytest.raises(CaseError, match="no DICOM images"):
        read_scan(folder)
    (folder / "a.dcm").write_bytes(b"nothing of the kind")
    with pytest.raises(CaseError, match=r"a\.dcm"):
        read_scan(folder / "a.dcm")
    save_series(folder, name="slice")
    whole = (folder / "slice000").read_bytes()
    for share in (0.3, 0.6, 0.99):
        (folder / "slice000").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CaseError):
            read_scan(folder / "slice000")


def test_series_above_the_limit_are_refused(folder, monkeypatch):
    save_series(folder)
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    monkeypatch.setattr(dicom, "_pixels", lambda *_: pytest.fail("went on to read the pixels"))
    with pytest.raises(CaseError, match="the limit"):
        read_scan(folder)


class TestEnhanced:
    """Several images in one file."""

    @pytest.mark.parametrize("name", RIGHT_HANDED)
    def test_images_are_sorted_and_rescaled_by_what_the_file_tells_of_each(self, folder, name):
        save_enhanced(folder / "a.dcm", RIGHT_HANDED[name], order=(3, 0, 4, 1, 2))
        for place in (folder, folder / "a.dcm"):
            scan = read_scan(place)
            np.testing.assert_array_equal(scan.array, VOLUME - 1000 - np.arange(5)[:, None, None])
            np.testing.assert_allclose(scan.geometry.affine, RIGHT_HANDED[name].affine, atol=1e-6)
        assert find_series(folder)[0].title == "Abdomen, CT, 5 images of 6 x 7"

    @pytest.mark.parametrize("told", ["for all", "for each, too"])
    def test_intensities_may_be_rescaled_for_all_images_at_once(self, folder, told):
        data = pydicom.dcmread(save_enhanced(folder / "a.dcm"))
        data.RescaleSlope, data.RescaleIntercept = 2, -500
        if told == "for all":
            for frame in data.PerFrameFunctionalGroupsSequence:
                del frame.PixelValueTransformationSequence
        data.save_as(folder / "a.dcm")
        expected = 2 * VOLUME - 500 if told == "for all" else VOLUME - 1000 - np.arange(5)[:, None, None]
        np.testing.assert_array_equal(read_scan(folder).array, expected)

    def test_labels_lie_where_itk_puts_the_scan(self, folder, tmp_path):
        save_enhanced(folder / "a.dcm", RIGHT_HANDED["oblique"])
        scan = read_scan(folder)
        write_labels(tmp_path / "labels.nrrd", scan.array > 0, scan.geometry)
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(folder / "a.dcm"))
        reader.ReadImageInformation()
        written = sitk.ReadImage(tmp_path / "labels.nrrd")
        np.testing.assert_allclose(written.GetOrigin(), reader.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(written.GetDirection(), reader.GetDirection(), atol=1e-4)

    def test_fractions_are_kept(self, folder):
        path = save_enhanced(folder / "a.dcm")
        data = pydicom.dcmread(path)
        del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
        data.BitsAllocated, data.FloatPixelData = 32, (VOLUME / np.float32(3)).tobytes()
        data.save_as(path)
        expected = VOLUME / 3 - 1000 - np.arange(5)[:, None, None]
        np.testing.assert_allclose(read_scan(path).array, expected, atol=1e-3)

    def test_a_file_of_one_image_is_a_volume_of_one(self, folder):
        save_enhanced(folder / "a.dcm", volume=VOLUME[:1])
        scan = read_scan(folder)
        assert scan.array.shape == (1, 6, 7)
        np.testing.assert_allclose(scan.geometry.origin, GEOMETRIES["anisotropic"].origin)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"geometry": tilted(12)}, r"tilted by 12.0 degrees"),
            ({"order": (0, 1, 3, 4)}, "1 slices are missing"),
            ({"order": (0, 1, 1, 2)}, "at the same place"),
            ({"NumberOfFrames": 4}, "4 images in one file, of which 5 are described"),
            ({"NumberOfFrames": 10**9}, "cannot be read"),
            ({"SharedFunctionalGroupsSequence": []}, "tell no pixel spacing|tell no position"),
        ],
    )
    def test_what_is_no_volume_is_told(self, folder, options, message):
        save_enhanced(folder / "a.dcm", **options)
        with pytest.raises(CaseError, match=message):
            read_scan(folder)

    def test_several_files_of_several_images_are_told(self, folder):
        for name in "ab":
            save_enhanced(folder / f"{name}.dcm")
        with pytest.raises(CaseError, match="several files of several images"):
            read_scan(folder)

    def test_no_segmentation_can_be_written_of_them(self, folder, tmp_path):
        pytest.importorskip("highdicom")
        scan = read_scan(save_enhanced(folder / "a.dcm"))
        with pytest.raises(ValueError, match="save the labels as NIfTI or NRRD"):
            write_labels(tmp_path / "seg.dcm", np.ones(scan.array.shape, np.uint8), scan.geometry, [], scan.files)
