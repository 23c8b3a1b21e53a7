"""Check what wheel and sdist hold: the weights, the manifest and the samples, and no other data.

python scripts/check_archives.py dist/
"""

import re
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGE = "napari_swin_litemedsam"
NEEDED = (
    "napari.yaml",
    "py.typed",
    "plugin/data/CREDITS.md",
    "plugin/data/skin_lesion.npz",
    "weights/README.md",
    "weights/swin_litemedsam.safetensors",
)
DATA = re.compile(r"\.(npz|npy|nii|gz|nrrd|mha|mhd|dcm|png|jpe?g|tiff?|safetensors|pth|pt|onnx|csv)$", re.IGNORECASE)
# samples and weights; in the sdist also what tests compare with and what the documentation shows
ALLOWED = re.compile(rf"^(src/)?{PACKAGE}/(plugin/data|weights)/|^tests/data/|^docs/images/")


def names_in(archive: Path) -> list[str]:
    """The files in a wheel or, without its first folder, in an sdist."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as file:
            return file.namelist()
    with tarfile.open(archive) as tar:
        return [m.name.partition("/")[2] for m in tar.getmembers() if m.isfile()]


def problems_of(archive: Path) -> list[str]:
    """What is missing from an archive and what should not be in it."""
    names = names_in(archive)
    root = f"{PACKAGE}/" if archive.suffix == ".whl" else f"src/{PACKAGE}/"
    problems = [f"{root}{needed} is missing" for needed in NEEDED if root + needed not in names]
    if not any(re.search(r"(^|/)LICENSE$", name) for name in names):
        problems.append("the licence is missing")
    problems += [f"{name} is data" for name in names if DATA.search(name) and not ALLOWED.search(name)]
    if archive.suffix == ".whl":
        other = [n for n in names if not re.match(rf"{PACKAGE}(-[^/]+\.dist-info)?/", n)]
        problems += [f"{name} is outside the package" for name in other]
    return problems


def main(folder: str) -> int:
    """Print the problems of all archives in a folder; 1 if there are any or an archive is missing."""
    archives = [*Path(folder).glob("*.whl"), *Path(folder).glob("*.tar.gz")]
    problems = [f"{a.name}: {problem}" for a in archives for problem in problems_of(a)]
    if {a.suffix for a in archives} != {".whl", ".gz"}:
        problems.append(f"{folder} holds no wheel or no sdist")
    for problem in problems:
        print(problem, file=sys.stderr)
    for archive in archives:
        print(f"{archive.name}: {archive.stat().st_size / 1e6:.1f} MB")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
