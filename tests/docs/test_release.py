import io
import re
import runpy
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHECK = runpy.run_path(str(ROOT / "scripts" / "check_archives.py"))
PACKAGE = CHECK["PACKAGE"]
WHOLE = [f"{PACKAGE}/{name}" for name in CHECK["NEEDED"]]


@pytest.fixture
def pack(tmp_path):
    """Make a wheel and an sdist with empty files of these names; the problems that are found."""

    def pack(wheel, sdist=None):
        with zipfile.ZipFile(tmp_path / "p-1-py3-none-any.whl", "w") as file:
            for name in [*wheel, f"{PACKAGE}-1.dist-info/licenses/LICENSE"]:
                file.writestr(name, "")
        with tarfile.open(tmp_path / "p-1.tar.gz", "w:gz") as file:
            for name in sdist or [*(f"src/{n}" for n in WHOLE), "LICENSE", "tests/data/forward.npz"]:
                file.addfile(tarfile.TarInfo(f"p-1/{name}"), io.BytesIO())
        return CHECK["main"](str(tmp_path))

    return pack


def test_whole_archives_pass(pack, capsys):
    assert pack(WHOLE) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("missing", ["weights/swin_litemedsam.safetensors", "napari.yaml", "py.typed"])
def test_missing_parts_are_found(pack, capsys, missing):
    assert pack([name for name in WHOLE if not name.endswith(missing)]) == 1
    assert f"{PACKAGE}/{missing} is missing" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [f"{PACKAGE}/scan.nii.gz", "tests/test_x.py", f"{PACKAGE}/runs/last.safetensors"])
def test_what_should_not_be_in_the_wheel_is_found(pack, capsys, extra):
    assert pack([*WHOLE, extra]) == 1
    assert extra in capsys.readouterr().err


def test_data_in_the_sdist_are_found(pack, capsys):
    assert pack(WHOLE, [*(f"src/{n}" for n in WHOLE), "LICENSE", "val/CT/images/a.png"]) == 1
    assert "val/CT/images/a.png is data" in capsys.readouterr().err


def test_workflows_test_what_the_package_promises():
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = [c.rpartition(" ")[2] for c in promised if c.startswith("Programming Language :: Python :: 3.")]
    workflow = yaml.safe_load((ROOT / ".github/workflows/test_and_deploy.yml").read_text())
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python-version"] == versions
    assert {p.partition("-")[0] for p in matrix["platform"]} == {"ubuntu", "windows", "macos"}
    assert workflow["jobs"]["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    environments = (ROOT / "tox.ini").read_text()
    assert all(job["toxenv"] in environments for job in matrix["include"])


def test_the_metadata_tell_the_licence_of_all_that_is_in_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = {Path(name).name: (ROOT / name).read_text(encoding="utf-8") for name in project["license-files"]}
    assert texts["LICENSE"].startswith("MIT License")
    # the lists of what training images and samples are under, and what follows from them
    of_weights = set(re.findall(r"\((CC BY[-A-Z]* \d\.\d|Apache-\d\.\d)\)", texts["README.md"]))
    of_samples = set(re.findall(r"\| (CC\d|CC BY \d\.\d) \|$", texts["CREDITS.md"], re.MULTILINE))
    assert len(of_weights) == 2
    assert len(of_samples) == 3
    names = {name.replace(" ", "-").replace("CC0", "CC0-1.0") for name in of_weights | of_samples}
    assert set(project["license"].split(" AND ")) == {"MIT", *names}
