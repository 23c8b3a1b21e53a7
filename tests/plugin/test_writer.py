import numpy as np
import pytest
from napari.layers import Labels

from napari_swin_litemedsam.plugin.writer import write_labels


@pytest.mark.parametrize(("name", "highest", "dtype"), [("out.npz", 3, np.uint8), ("out", 300, np.uint16)])
def test_writes_label_ids(tmp_path, name, highest, dtype):
    labels = np.zeros((4, 5, 6), np.int32)
    labels[1, 2, 3] = highest
    (path,) = write_labels(str(tmp_path / name), labels, {})
    assert path == str(tmp_path / "out.npz")
    written = np.load(path)["segs"]
    np.testing.assert_array_equal(written, labels)
    assert written.dtype == dtype


def test_napari_saves_through_it(tmp_path, viewer):
    # the viewer has registered the plugin
    layer = Labels(np.eye(5, dtype=int))
    saved = layer.save(str(tmp_path / "mask.npz"), plugin="napari-swin-litemedsam")
    assert saved == [str(tmp_path / "mask.npz")]
    np.testing.assert_array_equal(np.load(saved[0])["segs"], np.eye(5))
