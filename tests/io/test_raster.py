import numpy as np
import pytest
from PIL import Image
from tifffile import TiffWriter, imwrite

from napari_swin_litemedsam.io import CaseError, files, read_labels, read_scan

GREY = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)


@pytest.mark.parametrize(
    "array", [GREY, COLOUR, np.dstack([COLOUR, GREY]), GREY.astype(np.uint16) * 200], ids=["L", "RGB", "RGBA", "I;16"]
)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".PNG", ".TIFF"])
def test_pixels_are_read_as_they_are(tmp_path, array, suffix):
    Image.fromarray(array).save(tmp_path / f"a{suffix}")
    scan = read_scan(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(scan.array, array)
    assert scan.array.dtype == array.dtype
    assert scan.is_colour == (array.ndim == 3)
    assert scan.geometry is None


def test_jpeg(tmp_path):
    Image.fromarray(np.full((20, 30, 3), 99, np.uint8)).save(tmp_path / "a.jpg")
    assert abs(read_scan(tmp_path / "a.jpg").array.astype(int) - 99).max() < 3


@pytest.mark.parametrize(("mode", "colour"), [("1", False), ("LA", False), ("P", True)])
def test_rarer_kinds_of_png(tmp_path, mode, colour):
    Image.fromarray(COLOUR if colour else GREY).convert(mode).save(tmp_path / "a.png")
    scan = read_scan(tmp_path / "a.png")
    assert scan.is_colour == colour
    assert scan.array.dtype == np.uint8
    assert scan.array.max() > 200


def test_an_indexed_png_of_labels_keeps_its_indices(tmp_path):
    labels = Image.fromarray(GREY % 4, "P")
    labels.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    labels.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0], GREY % 4)


def test_a_png_of_one_bit_holds_label_1(tmp_path):
    Image.fromarray(GREY > 99).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0], GREY > 99)


def test_colours_of_a_tiff_may_lie_one_after_the_other(tmp_path):
    imwrite(tmp_path / "a.tif", COLOUR.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    scan = read_scan(tmp_path / "a.tif")
    assert scan.is_colour
    np.testing.assert_array_equal(scan.array, COLOUR)


def test_a_grey_tiff_may_be_transparent(tmp_path):
    Image.fromarray(GREY).convert("LA").save(tmp_path / "a.tif")
    scan = read_scan(tmp_path / "a.tif")
    assert not scan.is_volume
    np.testing.assert_array_equal(scan.array, GREY)


def test_a_tiff_packed_by_lzw(tmp_path):
    imwrite(tmp_path / "a.tif", GREY, compression="lzw", predictor=True)
    np.testing.assert_array_equal(read_scan(tmp_path / "a.tif").array, GREY)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_tiff_in_which_0_is_white_is_seen_as_it_is_meant(tmp_path, kind):
    shown = np.arange(12).reshape(3, 4).astype(kind)
    imwrite(tmp_path / "a.tif", shown, photometric="miniswhite")
    array = read_scan(tmp_path / "a.tif").array
    assert (np.diff(array.ravel().astype(float)) == -1).all()
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif")[0], shown)


def test_indices_of_a_tiff_s_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 2**16, (3, 256), np.uint16)
    imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours)
    scan = read_scan(tmp_path / "a.tif")
    assert scan.is_colour
    np.testing.assert_array_equal(scan.array, (colours.T >> 8)[GREY])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif")[0], GREY)


def test_tiff_stacks_are_volumes_and_stacks_of_colours_are_refused(tmp_path):
    # three columns wide, and still no colours
    imwrite(tmp_path / "a.tif", np.zeros((5, 6, 3), np.uint16), photometric="minisblack")
    assert read_scan(tmp_path / "a.tif").is_volume
    imwrite(tmp_path / "b.tif", np.zeros((5, 6, 7, 3), np.uint8), photometric="rgb")
    imwrite(tmp_path / "c.tif", np.zeros((2, 5, 6, 7), np.uint8), photometric="minisblack")
    imwrite(tmp_path / "d.tif", np.zeros((5, 6), np.complex64))
    for name, message in (("b", "volume of colours"), ("c", "split it"), ("d", "no intensities")):
        with pytest.raises(CaseError, match=message):
            read_scan(tmp_path / f"{name}.tif")


def write_pages(path, *pages):
    with TiffWriter(path) as file:
        for page, options in pages:
            file.write(page, **options)
    return path


@pytest.mark.parametrize("options", [{}, {"metadata": None}, {"photometric": "miniswhite"}])
def test_pages_that_were_written_one_by_one_are_a_volume(tmp_path, options):
    path = write_pages(tmp_path / "a.tif", *((GREY + z, options) for z in range(3)))
    expected = np.stack([GREY + np.uint8(z) for z in range(3)])
    np.testing.assert_array_equal(read_labels(path)[0], expected)
    np.testing.assert_array_equal(read_scan(path).array, ~expected if "photometric" in options else expected)


def test_thumbnails_and_masks_of_transparency_are_no_slices(tmp_path):
    small, mask = (GREY[:7, :11], {"subfiletype": 1}), (GREY > 9, {"subfiletype": 4})
    for pages, expected in (([(GREY, {})], GREY), ([(GREY, {})] * 2, np.stack([GREY] * 2))):
        path = write_pages(tmp_path / "a.tif", small, *pages, mask)
        np.testing.assert_array_equal(read_scan(path).array, expected)


@pytest.mark.parametrize(
    "pages",
    [[GREY, GREY[:5]], [GREY, GREY.astype(np.uint16)], [COLOUR, COLOUR], [np.stack([GREY] * 5)] * 2],
    ids=["size", "type", "colour", "volumes"],
)
def test_pages_that_make_no_volume_are_told(tmp_path, pages):
    options = {"photometric": "rgb" if pages[0] is COLOUR else "minisblack"}
    path = write_pages(tmp_path / "a.tif", *((page, options) for page in pages))
    with pytest.raises(CaseError, match=r"holds several images, .* split it"):
        read_scan(path)


def test_pictures_above_the_limit_are_refused_before_decoding(tmp_path, monkeypatch):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    imwrite(tmp_path / "a.tif", GREY)
    # one page is not too large
    write_pages(tmp_path / "pages.tif", *((GREY[:5, :5], {}) for _ in range(5)))
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    for name in ("a.png", "a.tif", "pages.tif"):
        with pytest.raises(CaseError, match="the limit"):
            read_scan(tmp_path / name)


def test_labels_in_colour_are_read_if_all_channels_are_alike(tmp_path):
    ids = GREY % 3
    for mode in ("RGB", "RGBA"):
        Image.fromarray(ids).convert(mode).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0], ids)
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    with pytest.raises(CaseError, match="one channel of whole numbers; this one is in colour"):
        read_labels(tmp_path / "a.png")
