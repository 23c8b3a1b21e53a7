"""What does not count in an evaluation, and so must be told: empty truths, and predictions of nothing in the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from .cases import CaseError, CaseScores, counterpart, find_labels, stem


@dataclass(frozen=True)
class Remark:
    """Something that holds for several cases or files, by their names."""

    words: str
    names: tuple[str, ...]

    def told(self, most: int | None = None) -> str:
        """One line; of many names the first `most`."""
        more = 0 if most is None else len(self.names) - most
        return f"{self.words}: {', '.join(self.names[:most])}" + (f" and {more} more" if more > 0 else "")


def remarks(
    truths: Mapping[PurePath, Path], predictions: Sequence[Path], results: Sequence[Mapping[PurePath, CaseScores]]
) -> list[Remark]:
    """What does not count.

    Parameters
    ----------
    truths : mapping
        Files by case, as from `find_labels`.
    predictions : sequence of paths
        What was compared with them.
    results : sequence of mappings
        The scores of each prediction by case.
    """
    empty = [name.as_posix() for name, result in results[0].items() if not result.objects]
    found = [Remark("without objects in the truth, not counted", tuple(empty))]
    for path, cases in zip(predictions, results, strict=True):
        besides = [
            f"{name.as_posix()} ({', '.join(map(str, result.besides))})"
            for name, result in cases.items()
            if result.besides
        ]
        found.append(Remark(f"labels in {path} that the truth lacks, not counted", tuple(besides)))
        found.append(Remark(f"files in {path} that belong to no case, not counted", tuple(_spare(truths, path))))
    return [remark for remark in found if remark.names]


def _spare(truths: Mapping[PurePath, Path], predictions: Path) -> list[str]:
    """Label files of a folder that are no case's prediction."""
    if predictions.is_file():
        return []
    try:
        files = find_labels(predictions)
    except CaseError:
        return []
    used = (counterpart(predictions, name) for name in truths)
    names = {stem(file.relative_to(predictions)) for file in used if file is not None}
    return [name.as_posix() for name in files if name not in names]
