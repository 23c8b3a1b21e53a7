"""Challenge files of a user's own images."""

import numpy as np
import pytest
from skimage.io import imsave

from napari_swin_litemedsam.io import read_case


@pytest.fixture
def make_challenge():
    import make_challenge

    return make_challenge


@pytest.mark.parametrize(("place", "start"), [("CT/mine", "CT_mine"), ("CT", "CT"), ("", "val")])
def test_each_image_gets_a_file_that_predict_finds(make_challenge, tmp_path, capsys, place, start):
    label = np.zeros((40, 40), np.uint8)
    label[10:30, 10:30] = 1
    for kind in ("images", "labels"):
        (tmp_path / "val" / place / kind).mkdir(parents=True)
        for name in ("scan.1.png", "scan.2.png", "scan.3.png"):
            imsave(tmp_path / "val" / place / kind / name, label, check_contrast=False)
    (tmp_path / "val" / place / "labels" / "scan.3.png").write_bytes(b"no image")
    make_challenge.main([str(tmp_path / "val"), str(tmp_path / "out")])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"{start}_scan.1.npz", f"{start}_scan.2.npz"]
    assert len(read_case(tmp_path / "out" / f"{start}_scan.1.npz").boxes) == 1
    assert "scan.3.png" in capsys.readouterr().err


def test_volumes_that_are_left_out_are_told(make_challenge, tmp_path, capsys):
    volume = np.ones((3, 20, 20), np.uint8)
    (tmp_path / "val").mkdir()
    np.savez(tmp_path / "val" / "MR_a.npz", imgs=volume, gts=volume)
    make_challenge.main([str(tmp_path / "val"), str(tmp_path / "out")])
    assert "MR: volumes are left out; --volumes N takes N of them" in capsys.readouterr().err
    make_challenge.main([str(tmp_path / "val"), str(tmp_path / "out"), "--volumes", "1"])
    assert read_case(tmp_path / "out" / "MR_MR_a.npz").is_volume


def test_volumes_are_volumes_though_the_first_is_broken(make_challenge, tmp_path):
    volume = np.ones((3, 20, 20), np.uint8)
    (tmp_path / "val").mkdir()
    np.savez(tmp_path / "val" / "MR_a.npz", imgs=volume, gts=0 * volume)
    np.savez(tmp_path / "val" / "MR_b.npz", imgs=volume, gts=volume)
    make_challenge.main([str(tmp_path / "val"), str(tmp_path / "out"), "--volumes", "2"])
    assert read_case(tmp_path / "out" / "MR_MR_b.npz").is_volume
