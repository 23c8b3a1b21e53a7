"""How long each case took, in a file beside the labels."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from .files import CaseError, replacing

NAME = "times.csv"
# names of files may be no text, and stand there byte by byte
_ERRORS = "surrogateescape"


def read_times(folder: Path) -> dict[str, float]:
    """Seconds by the name of a case, without its ending; none if the folder holds no ``times.csv``.

    Raises
    ------
    CaseError
        If the file is damaged.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        with open(path, newline="", encoding="utf-8-sig", errors=_ERRORS) as file:
            rows = csv.DictReader(file)
            if not {"case", "seconds"} <= set(rows.fieldnames or ()):
                raise ValueError("the first line does not name them")
            times = {row["case"]: float(row["seconds"]) for row in rows}
        if not all(math.isfinite(seconds) and seconds >= 0 for seconds in times.values()):
            raise ValueError("a time is no number of 0 or more")
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise CaseError(f"{path}: not a table of cases and seconds ({error})") from error
    return times


def write_times(folder: Path, times: Mapping[str, float]) -> None:
    """Add times to those in a folder; a case that is there already gets its new one.

    Raises
    ------
    CaseError
        If the file that is there is damaged; it stays as it is.
    """
    every = read_times(folder) | dict(times)
    with (
        replacing(folder / NAME) as unfinished,
        open(unfinished, "w", newline="", encoding="utf-8", errors=_ERRORS) as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["case", "seconds"])
        writer.writerows((case, f"{seconds:.3f}") for case, seconds in sorted(every.items()))
