import nibabel
import numpy as np
import pytest
from npe2 import PluginManifest

MANIFEST = PluginManifest.from_distribution("napari-swin-litemedsam")


def test_is_valid_and_its_functions_exist():
    MANIFEST.validate_imports()
    assert MANIFEST.display_name == "Swin-LiteMedSAM"
    assert MANIFEST.categories[0] == "Segmentation"


def test_contributes_what_it_promises():
    contributions = MANIFEST.contributions
    assert [widget.display_name for widget in contributions.widgets] == ["Segment from boxes"]
    assert [item.command.split(".")[1] for item in contributions.menus["napari/layers/segment"]] == [
        "segment",
        "save_session",
        "open_session",
    ]
    assert [item.command for item in contributions.menus["napari/layers/annotate"]] == [
        "napari-swin-litemedsam.segment"
    ]
    assert len(contributions.sample_data) == 3
    (reader,) = contributions.readers
    assert {"*.nii.gz", "*.nrrd", "*.mha", "*.dcm", "*.npz"} <= set(reader.filename_patterns)
    assert not {"*.png", "*.jpg", "*.tif"} & set(reader.filename_patterns), "napari reads these itself"
    assert reader.accepts_directories
    assert contributions.writers[0].layer_types == ["labels"]


@pytest.mark.window
def test_a_scan_opened_beside_the_widget_is_worked_on(viewer, tmp_path, qtbot):
    """As ``napari --plugin napari-swin-litemedsam scan.nii.gz -w napari-swin-litemedsam`` does."""
    path = tmp_path / "scan.nii.gz"
    nibabel.Nifti1Image(
        np.random.default_rng(0).random((8, 9, 5)).astype(np.float32), np.diag([2, 2, 5, 1])
    ).to_filename(path)
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam")
    (scan,) = viewer.open(path, plugin="napari-swin-litemedsam")
    qtbot.waitUntil(lambda: widget.image is scan)
    qtbot.waitUntil(widget.workbench.panel.buttons["box"].isEnabled)


@pytest.mark.window
def test_napari_docks_the_widget(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam", "Segment from boxes")
    assert type(widget).__name__ == "SwinLiteMedSAMWidget"
    assert widget.workbench.panel.status.text().startswith("Open an image")
