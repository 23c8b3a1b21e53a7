"""Masks of a plane without their empty surroundings, so that a volume of them, and their history, stay small."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .planes import Box, Plane

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask, cropped, one bit a pixel; never changed, so that many may share it.

    Parameters
    ----------
    shape : tuple of int
        Of the plane.
    top, left, height, width : int
        The part of the plane that holds something.
    bits : array of uint8
        Its pixels, packed.
    """

    shape: tuple[int, int]
    top: int
    left: int
    height: int
    width: int
    bits: NDArray[np.uint8]

    @classmethod
    def cut(cls, mask: Mask) -> "Patch":
        """Keep the part of a mask that holds something."""
        height, width = mask.shape
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return cls((height, width), 0, 0, 0, 0, np.zeros(0, np.uint8))
        crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls((height, width), int(rows[0]), int(columns[0]), crop.shape[0], crop.shape[1], np.packbits(crop))

    def __bool__(self) -> bool:
        """Whether any pixel is set."""
        return self.bits.size > 0

    @property
    def part(self) -> tuple[slice, slice]:
        """What takes the part that holds something out of an array of the plane."""
        return np.s_[self.top : self.top + self.height, self.left : self.left + self.width]

    @property
    def pixels(self) -> Mask:
        """The part that holds something."""
        size = self.height * self.width
        return np.unpackbits(self.bits, count=size).astype(bool).reshape(self.height, self.width)

    @property
    def box(self) -> Box:
        """Bounding box, both ends included."""
        return self.top, self.left, self.top + self.height - 1, self.left + self.width - 1

    @property
    def nbytes(self) -> int:
        """Memory of the pixels."""
        return self.bits.nbytes

    def paint(self, labels: NDArray, value: int) -> None:
        """Set the mask's pixels of its plane to `value`."""
        labels[self.part][self.pixels] = value

    def paint_across(self, own: Plane, labels: NDArray, plane: Plane, value: int) -> None:
        """Set those pixels of another plane to `value` where the mask, on its own plane, meets it."""
        if any(here != there for here, there in zip(own.at, plane.at, strict=True) if None not in (here, there)):
            return
        source: list[int | slice] = [slice(None), slice(None)]
        target: list[Any] = [own.at[axis] for axis in plane.spans]
        sides = zip(own.spans, (self.top, self.left), (self.height, self.width), strict=True)
        for side, (axis, start, length) in enumerate(sides):
            place = plane.at[axis]
            if place is None:
                target[plane.spans.index(axis)] = slice(start, start + length)
            elif start <= place < start + length:
                source[side] = place - start
            else:
                return
        met = self.pixels[tuple(source)]
        labels[tuple(target)] = np.where(met, value, labels[tuple(target)])

    def full(self) -> Mask:
        """The whole plane."""
        mask = np.zeros(self.shape, bool)
        self.paint(mask, True)
        return mask


@dataclass(frozen=True, eq=False)
class HandEdit:
    """What the user has painted on a mask and erased from it; a pixel is never in both."""

    added: Patch
    removed: Patch

    def __bool__(self) -> bool:
        """Whether there is any such pixel."""
        return bool(self.added) or bool(self.removed)

    @property
    def nbytes(self) -> int:
        """Memory of the pixels."""
        return self.added.nbytes + self.removed.nbytes

    def applied_to(self, answer: Patch | None) -> Patch:
        """A model's mask with the user's pixels."""
        mask = np.zeros(self.added.shape, bool) if answer is None else answer.full()
        self.added.paint(mask, True)
        self.removed.paint(mask, False)
        return Patch.cut(mask)
