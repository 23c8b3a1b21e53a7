"""Names and colours of label ids, and the JSON file that carries them beside formats that cannot."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .files import CaseError, replacing

COLOURS = ("#ff4040", "#40e040", "#5080ff", "#ffd000", "#00e0e0", "#ff60ff", "#ff9020")
# what nnU-Net adds to the name of an image, for its first channel; labels have the name without
FIRST_CHANNEL = "_0000"
# DICOM files are often named by numbers with dots, the last of which is no ending
_ENDING = re.compile(r"(\.nii\.gz|\.seg\.nrrd|\.\d*[a-z][^.]*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Segment:
    """What a label id stands for.

    Parameters
    ----------
    id : int
        Label id, 1..65535.
    name : str
        By default ``object`` and the id.
    colour : str
        ``#rrggbb``; by default one of seven, by the id.

    Raises
    ------
    ValueError
        If the id or the colour is none.
    """

    id: int
    name: str = ""
    colour: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.id, bool) or not isinstance(self.id, int) or not 1 <= self.id <= 65535:
            raise ValueError(f"a label id is a whole number in 1..65535, not {self.id!r}")
        # a line break would end a field of a header
        object.__setattr__(self, "name", " ".join(str(self.name).split()) or f"object {self.id}")
        colour = str(self.colour).lower() or COLOURS[(self.id - 1) % len(COLOURS)]
        if not re.fullmatch("#[0-9a-f]{6}", colour):
            raise ValueError(f"a colour is written #rrggbb, not {self.colour!r}")
        object.__setattr__(self, "colour", colour)

    @classmethod
    def of_rgb(cls, id: int, name: str, rgb: Iterable[float]) -> "Segment":
        """Build one from red, green and blue in 0..1."""
        parts = [min(255, max(0, round(255 * float(part)))) for part in rgb]
        return cls(id, name, "#{:02x}{:02x}{:02x}".format(*parts))

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue in 0..1."""
        red, green, blue = (int(self.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue


def stem_of(path: str | os.PathLike) -> str:
    """Name of a file without its ending; ``.nii.gz`` and ``.seg.nrrd`` count as one."""
    return _ENDING.sub("", Path(path).name)


def by_stem(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Files by their names without endings: one each, unless several share a name."""
    found = defaultdict(list)
    for path in paths:
        found[stem_of(path)].append(path)
    return dict(found)


def suffix_of(path: str | os.PathLike) -> str:
    """Ending of a file's name in lower case; ``.nii.gz`` and ``.seg.nrrd`` count as one."""
    found = _ENDING.search(Path(path).name)
    return found.group().lower() if found else ""


def sidecar_of(path: str | os.PathLike) -> Path:
    """Where the names and colours of a label file stand."""
    return Path(path).with_name(f"{Path(path).name}.segments.json")


def read_sidecar(path: str | os.PathLike) -> list[Segment]:
    """Read names and colours of the label file `path`; none if there is no file of them.

    Raises
    ------
    CaseError
        If the file is damaged.
    """
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return []
    try:
        entries = json.loads(sidecar.read_text(encoding="utf-8-sig"))["segments"]
        return [Segment(entry["id"], entry.get("name", ""), entry.get("colour", "")) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CaseError(f"{sidecar}: not a list of segments ({error})") from error


def write_sidecar(path: str | os.PathLike, segments: Iterable[Segment]) -> Path:
    """Write names and colours for the label file `path`; return where."""
    sidecar = sidecar_of(path)
    entries = [{"id": item.id, "name": item.name, "colour": item.colour} for item in segments]
    with replacing(sidecar) as unfinished:
        unfinished.write_text(json.dumps({"segments": entries}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return sidecar
