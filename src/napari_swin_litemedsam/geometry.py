"""Where the pixels of a scan lie in the patient.

One convention throughout: arrays are (z, y, x) or (y, x), and so are world positions: in mm, (superior, posterior,
left), which is the (x, y, z) of DICOM and ITK read backwards. A picture without a known place has no `Geometry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

# directions in files are float32 or short decimals
_TOLERANCE = 1e-4
# pixels that what lies at one place may be apart; rounding in headers is far less
SAME_PLACE = 0.5
# pixels that those of a part of a grid, or of two layers, may be apart to count as the same
SAME_PIXELS = 0.1


@dataclass(frozen=True)
class Geometry:
    """Spacing, place and direction of an array's two or three spatial axes.

    Parameters
    ----------
    spacing : tuple of float
        Distance in mm between neighbours along each axis of the array.
    origin : tuple of float
        World position of the centre of the first pixel.
    direction : tuple of tuples of float
        Square; column i is the unit vector in the world along axis i of the array.

    Raises
    ------
    ValueError
        If numbers are not finite, the spacing not positive or the axes not independent.
    """

    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        ndim = len(self.spacing)
        if len(self.origin) != ndim or np.shape(self.direction) != (ndim, ndim):
            raise ValueError(f"spacing {self.spacing}, origin {self.origin} and direction differ in dimension")
        if not np.isfinite([*self.spacing, *self.origin, *np.ravel(self.direction)]).all():
            raise ValueError("the geometry holds NaN or infinite numbers")
        if min(self.spacing) <= 0:
            raise ValueError(f"the spacing must be positive, not {self.spacing}")
        if abs(np.linalg.det(self.direction)) < _TOLERANCE:
            raise ValueError("the directions of the axes do not span the space")

    @classmethod
    def make(
        cls, spacing: ArrayLike, origin: ArrayLike | None = None, direction: ArrayLike | None = None
    ) -> "Geometry":
        """Build one from arrays; without origin and direction at 0 and along the world's axes."""
        spacing = np.asarray(spacing, float)
        ndim = len(spacing)
        origin = np.zeros(ndim) if origin is None else np.asarray(origin, float)
        direction = np.eye(ndim) if direction is None else np.asarray(direction, float)
        # + 0.0 makes -0.0 a plain zero
        rows = tuple(tuple(row) for row in (direction + 0.0).tolist())
        return cls(tuple(spacing.tolist()), tuple((origin + 0.0).tolist()), rows)

    @classmethod
    def from_affine(cls, affine: ArrayLike) -> "Geometry":
        """Take an ``(n + 1, n + 1)`` matrix, from array index to world position, apart."""
        affine = np.asarray(affine, float)
        spacing = np.linalg.norm(affine[:-1, :-1], axis=0)
        if not (spacing > 0).all():
            raise ValueError("an axis of the array has no direction")
        return cls.make(spacing, affine[:-1, -1], affine[:-1, :-1] / spacing)

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.spacing)

    @property
    def affine(self) -> NDArray[np.float64]:
        """``(n + 1, n + 1)`` matrix from array index to world position."""
        matrix = np.eye(self.ndim + 1)
        matrix[:-1, :-1] = np.asarray(self.direction) * self.spacing
        matrix[:-1, -1] = self.origin
        return matrix

    @property
    def is_straight(self) -> bool:
        """Whether the array's axes point along the world's axes, in order and forwards."""
        return np.array_equal(self.direction, np.eye(self.ndim))

    def to_world(self, index: ArrayLike) -> NDArray[np.float64]:
        """World positions, ``(..., n)``, of array indices; whole numbers are pixel centres."""
        return np.asarray(index, float) @ self.affine[:-1, :-1].T + self.origin

    def to_index(self, position: ArrayLike) -> NDArray[np.float64]:
        """Array indices, ``(..., n)``, of world positions; the inverse of `to_world`."""
        return (np.asarray(position, float) - self.origin) @ np.linalg.inv(self.affine[:-1, :-1]).T

    def transposed(self, order: Sequence[int]) -> "Geometry":
        """Geometry of ``array.transpose(order)``, whose pixels stay where they are."""
        return Geometry.make(np.asarray(self.spacing)[list(order)], self.origin, np.array(self.direction)[:, order])

    def anatomical_order(self) -> tuple[int, ...]:
        """The order of axes in which each points most nearly along the world's axis of its place."""
        weight = np.abs(self.direction)
        return max(permutations(range(self.ndim)), key=lambda order: sum(weight[i, a] for i, a in enumerate(order)))

    def near(self, other: "Geometry") -> bool:
        """Whether both place their pixels alike, to a thousandth of a pixel for arrays of ordinary size."""
        return self.ndim == other.ndim and np.allclose(
            self.affine, other.affine, rtol=1e-6, atol=1e-6 * max(self.spacing)
        )


def distance(one: Geometry | None, other: Geometry | None, shape: Sequence[int]) -> float:
    """How far apart, in pixels, two arrays of one shape lie; 0 if one of them tells no place."""
    # an origin of zeros is what programs write that know of no place
    if one is None or other is None or not any(one.origin) or not any(other.origin):
        return 0.0
    corners = np.array(list(product(*((0, side - 1) for side in shape))), float)
    return float(np.abs(other.to_index(one.to_world(corners)) - corners).max())


@dataclass(frozen=True, eq=False)
class Scan:
    """An image with its place in the patient.

    Parameters
    ----------
    array : array
        ``(Z, Y, X)``, ``(Y, X)``, or for a colour picture ``(Y, X, 3)``.
    geometry : Geometry or None
        None where the file tells nothing of it.
    files : tuple of Path
        Where it was read from; of a DICOM series one file per slice, in the order of the slices.
    is_colour : bool
        Whether the last axis holds colours.
    """

    array: NDArray
    geometry: Geometry | None = None
    files: tuple[Path, ...] = ()
    is_colour: bool = False

    @property
    def is_volume(self) -> bool:
        """Whether the image has slices."""
        return self.array.ndim == 3 and not self.is_colour
