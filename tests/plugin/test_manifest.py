from npe2 import PluginManifest

MANIFEST = PluginManifest.from_distribution("napari-swin-litemedsam")


def test_is_valid_and_its_functions_exist():
    MANIFEST.validate_imports()
    assert MANIFEST.display_name == "Swin-LiteMedSAM"


def test_contributes_what_it_promises():
    contributions = MANIFEST.contributions
    assert [widget.display_name for widget in contributions.widgets] == ["Segment from boxes"]
    assert [item.command for item in contributions.menus["napari/layers/segment"]] == ["napari-swin-litemedsam.segment"]
    assert len(contributions.sample_data) == 3
    (reader,) = contributions.readers
    assert {"*.nii.gz", "*.nrrd", "*.mha", "*.dcm", "*.npz"} <= set(reader.filename_patterns)
    assert not {"*.png", "*.jpg", "*.tif"} & set(reader.filename_patterns), "napari reads these itself"
    assert reader.accepts_directories
    assert contributions.writers[0].layer_types == ["labels"]


def test_napari_docks_the_widget(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam", "Segment from boxes")
    assert type(widget).__name__ == "SwinLiteMedSAMWidget"
    assert widget.panel.status.text().startswith("Open an image")
