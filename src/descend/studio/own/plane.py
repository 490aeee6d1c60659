"""The plane that ways through many parameters are seen on, and how much of them it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descend.errors import InputError
from descend.studio.own.balls import Way
from descend.studio.racing.gallery import Point, Window

# Of each way, from which the directions are found.
POINTS_OF_A_WAY = 64
# Of the extent of the ways, that is shown on each side of them.
SIDE = 0.15


@dataclass(frozen=True)
class Plane:
    """`origin + x·axes[0] + y·axes[1]`, orthonormal axes; `window`: what part of it the ways are in."""

    origin: np.ndarray
    axes: np.ndarray
    window: Window

    def places(self, points: np.ndarray) -> np.ndarray:
        """Where points are on it, projected: x and y of each."""
        return (points - self.origin.astype(points.dtype)) @ self.axes.T.astype(points.dtype)

    def moved(self, point: np.ndarray, place: Point) -> np.ndarray:
        """The point, moved along the plane to where its projection is at the place."""
        return point + (np.asarray(place) - self.places(point[None])[0]) @ self.axes

    def share(self, ways: Sequence[Way]) -> float:
        """The share of the ways' squared distances from the origin that lies in the plane."""
        apart = _told(ways) - self.origin.astype(np.float32)
        whole = float((apart**2).sum())
        return float(((apart @ self.axes.T.astype(np.float32)) ** 2).sum()) / whole if whole else 1.0


def of_two(ways: Sequence[Way], besides: Sequence[Point]) -> Plane:
    """Of two parameters: themselves, with the ways and these points in sight."""
    identity = Plane(np.zeros(2), np.eye(2), (0.0, 1.0, 0.0, 1.0))
    return _framed(identity, ways, np.array(besides).reshape(-1, 2))


def laid_through(ways: Sequence[Way]) -> Plane:
    """The plane through the end of the way that came lowest, in the two directions in which all lie furthest from it:
    principal directions, of distances from that end.

    **Raises** `InputError` if the ways lie on a line, or do not move.
    """
    best = min(ways, key=lambda way: way.lowest)
    origin = best.points[best.told][-1].astype(np.float64)
    apart = _told(ways) - origin.astype(np.float32)
    # From the products of the points with each other, of which there are few, beside the parameters.
    squares, vectors = np.linalg.eigh((apart @ apart.T).astype(np.float64))
    if not squares[-2] > 1e-10 * squares[-1] > 0:
        raise InputError("the balls' ways span no plane: give them more steps, other rates, or another ball")
    axes = np.stack([apart.T @ vectors[:, -i].astype(np.float32) for i in (1, 2)]).astype(np.float64)
    axes[0] /= np.linalg.norm(axes[0])
    axes[1] -= (axes[1] @ axes[0]) * axes[0]
    axes[1] /= np.linalg.norm(axes[1])
    # Signs are free: the start is at the right, and above.
    axes *= np.where(axes @ (best.points[0] - origin) < 0, -1.0, 1.0)[:, None]
    return _framed(Plane(origin, axes, (0.0, 1.0, 0.0, 1.0)), ways, np.zeros((0, 2)))


def _told(ways: Sequence[Way]) -> np.ndarray:
    """Some points of each way, but not those where it runs away: they would hide all others."""
    parts = []
    for way in ways:
        points = way.points[way.told]
        parts.append(points[np.unique(np.linspace(0, len(points) - 1, POINTS_OF_A_WAY).astype(int))])
    return np.concatenate(parts)


def _framed(plane: Plane, ways: Sequence[Way], besides: np.ndarray) -> Plane:
    places = np.concatenate([plane.places(_told(ways)), besides])
    low, high = places.min(axis=0), places.max(axis=0)
    # A way along an axis has sides, too.
    extent = np.maximum(high - low, 0.3 * (high - low).max() or 1.0)
    middle, reach = (low + high) / 2, (0.5 + SIDE) * extent
    (x0, y0), (x1, y1) = (middle - reach).tolist(), (middle + reach).tolist()
    return Plane(plane.origin, plane.axes, (x0, x1, y0, y1))
