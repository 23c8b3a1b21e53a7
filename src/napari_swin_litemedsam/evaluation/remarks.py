"""What does not count in an evaluation, and so must be told: empty truths, and predictions of nothing in the truth."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from .cases import CaseScores, Predictions, label_files


@dataclass(frozen=True)
class Remark:
    """Something that holds for several cases or files, by their names."""

    words: str
    names: tuple[str, ...]

    def told(self, most: int | None = None) -> str:
        """One line; of many names the first `most`."""
        more = 0 if most is None else len(self.names) - most
        return f"{self.words}: {', '.join(self.names[:most])}" + (f" and {more} more" if more > 0 else "")


def remarks(predictions: Sequence[Predictions], results: Sequence[Mapping[PurePath, CaseScores]]) -> list[Remark]:
    """What does not count.

    Parameters
    ----------
    predictions : sequence of Predictions
        What was evaluated.
    results : sequence of mappings
        The scores of each prediction by case.
    """
    empty = [name.as_posix() for name, result in results[0].items() if not result.objects]
    found = [Remark("without objects in the truth, not counted", tuple(empty))]
    for (path, files), cases in zip(predictions, results, strict=True):
        besides = [
            f"{name.as_posix()} ({', '.join(map(str, result.besides))})"
            for name, result in cases.items()
            if result.besides
        ]
        found.append(Remark(f"labels in {path} that the truth lacks, not counted", tuple(besides)))
        found.append(
            Remark(f"files in {path} that belong to no case, not counted", tuple(_spare(path, files.values())))
        )
    return [remark for remark in found if remark.names]


def _spare(folder: Path, used: Collection[Path]) -> list[str]:
    """Label files of a folder that are no case's prediction."""
    if folder.is_file():
        return []
    used = set(used)
    return [name.as_posix() for name, files in label_files(folder).items() if used.isdisjoint(files)]
