import subprocess
import sys

import pytest

import napari_swin_litemedsam


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("module", ["napari_swin_litemedsam", "napari_swin_litemedsam.cli"])
def test_import_is_light(module):
    heavy = run_python(
        f"import sys, {module}\nprint(*{{name.split('.')[0] for name in sys.modules}} "
        "& {'torch', 'napari', 'qtpy', 'timm', 'PyQt6', 'skimage'})"
    )
    assert heavy == []


def test_the_api_needs_neither_gui_nor_torch_to_import():
    loaded = run_python(
        "import sys\nfrom napari_swin_litemedsam import *\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'torch', 'napari', 'qtpy', 'PyQt6'})"
    )
    assert loaded == []


@pytest.mark.parametrize("name", napari_swin_litemedsam.__all__)
def test_public_names_exist(name):
    assert getattr(napari_swin_litemedsam, name) is not None
    assert name in dir(napari_swin_litemedsam)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = napari_swin_litemedsam.absent
