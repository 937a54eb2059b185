"""Branches of fixed points of f(x, p) by pseudo-arclength continuation, with folds and Hopf points located.

The branch is followed in (x, p) along its tangent, so it turns around folds; a fold is where dp/ds changes sign, a Hopf
point where a complex pair of eigenvalues crosses the imaginary axis. Both are refined by bisection in arclength.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array
from equipoise.results import Status

System = Callable[[Array, float], Array]


@dataclass(frozen=True)
class SpecialPoint:
    """A fold or Hopf point: its kind, parameter value and state (n,)."""

    kind: str
    p: float
    x: Array


@dataclass(frozen=True, repr=False)
class Branch:
    """Points (k, n) along a branch, their parameters (k,), whether each is stable, and the special points."""

    x: Array
    p: Array
    stable: np.ndarray
    special: tuple[SpecialPoint, ...]
    status: Status

    @property
    def folds(self) -> tuple[SpecialPoint, ...]:
        """The folds."""
        return tuple(s for s in self.special if s.kind == "fold")

    def __repr__(self) -> str:
        what = ", ".join(f"{s.kind} at p = {s.p:.6g}" for s in self.special) or "no special points"
        return f"Branch({self.p.size} points, p from {self.p[0]:.6g} to {self.p[-1]:.6g}; {what}; {self.status.name})"


def continuation(
    f: System,
    jacobian: Callable[[Array, float], tuple[Array, Array]],
    start: Array,
    p_range: tuple[float, float],
    *,
    step: float = 0.02,
    max_points: int = 2000,
) -> Branch:
    """Follow the fixed point `start` of f(x, p) from p_range[0] towards p_range[1].

    `jacobian(x, p)` returns df/dx (n, n) and df/dp (n,). `step` is relative to the size of x and of the range of p.
    Ends at either end of the range, when a variable leaves the positive region, or after `max_points`.
    """
    walker = _Walker(f, jacobian, np.abs(np.append(start, p_range[1] - p_range[0])) + 1e-12)
    z = np.append(np.asarray(start, dtype=np.float64), p_range[0])
    direction = np.zeros(z.size)
    direction[-1] = np.sign(p_range[1] - p_range[0])
    tangent = walker.tangent(z, direction)
    points, stable, special = [z], [walker.is_stable(z)], []
    status = Status.OK
    while len(points) < max_points:
        following = walker.advance(z, tangent, step)
        if following is None:
            status = Status.NOT_CONVERGED
            break
        new_z, new_tangent, used = following
        special += _crossings(walker, (z, tangent), (new_z, new_tangent), used)
        z, tangent = new_z, new_tangent
        points.append(z)
        stable.append(walker.is_stable(z))
        if not min(p_range) <= z[-1] <= max(p_range) or (z[:-1] <= 0.0).any():
            break
    array = np.array(points)
    return Branch(array[:, :-1], array[:, -1], np.array(stable), tuple(special), status)


class _Walker:
    """Tangents, Newton corrections and eigenvalues on one branch, in units of `scale`."""

    def __init__(self, f: System, jacobian, scale: Array):
        self.f, self.jacobian, self.scale = f, jacobian, scale

    def extended(self, z: Array) -> Array:
        """Scaled df/d(x, p), shape (n, n + 1), rows normalised."""
        fx, fp = self.jacobian(z[:-1], z[-1])
        matrix = np.column_stack([fx, fp]) * self.scale
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-300)

    def tangent(self, z: Array, previous: Array) -> Array:
        """Unit null vector of the extended Jacobian in scaled units, oriented along `previous`."""
        v = np.linalg.svd(self.extended(z))[2][-1]
        return v if v @ previous >= 0.0 else -v

    def correct(self, guess: Array, tangent: Array) -> Array | None:
        """Newton back to the branch in the plane orthogonal to the tangent."""
        z = guess.copy()
        for _ in range(12):
            if (z[:-1] <= 0.0).any() and (guess[:-1] > 0.0).all():
                return None
            fx, fp = self.jacobian(z[:-1], z[-1])
            matrix = np.column_stack([fx, fp]) * self.scale
            rows = np.maximum(np.linalg.norm(matrix, axis=1), 1e-300)
            system = np.vstack([matrix / rows[:, None], tangent])
            right = np.append(-self.f(z[:-1], z[-1]) / rows, tangent @ ((guess - z) / self.scale))
            try:
                dz = np.linalg.solve(system, right)
            except np.linalg.LinAlgError:
                return None
            if not np.max(np.abs(dz)) < 1e6:  # far off the branch, or not a number
                return None
            z = z + dz * self.scale
            if np.max(np.abs(dz)) < 1e-11:
                return z
        return None

    def advance(self, z: Array, tangent: Array, step: float) -> tuple[Array, Array, float] | None:
        """One step along the branch, halved until Newton converges and the tangent turns by less than 30 degrees."""
        for halvings in range(14):
            used = step * 0.5**halvings
            new = self.correct(z + used * tangent * self.scale, tangent)
            if new is None or not np.isfinite(new).all():
                continue
            new_tangent = self.tangent(new, tangent)
            if new_tangent @ tangent > 0.86:
                return new, new_tangent, used
        return None

    def eigenvalues(self, z: Array) -> NDArray[np.complex128]:
        """Eigenvalues of df/dx."""
        return np.linalg.eigvals(self.jacobian(z[:-1], z[-1])[0]).astype(complex)

    def is_stable(self, z: Array) -> bool:
        """Whether all eigenvalues have negative real parts."""
        return bool((self.eigenvalues(z).real < 0.0).all())


def _crossings(walker: _Walker, before, after, step: float) -> list[SpecialPoint]:
    """Folds and Hopf points between two neighbouring points."""
    found = []
    if before[1][-1] * after[1][-1] < 0.0:
        z = _bisect(walker, before, step, lambda _z, t: t[-1])
        found.append(SpecialPoint("fold", float(z[-1]), z[:-1]))
    first, last = _hopf_test(walker, before[0]), _hopf_test(walker, after[0])
    if first is not None and last is not None and first * last < 0.0:
        z = _bisect(walker, before, step, lambda z, _t: _hopf_test(walker, z) or 0.0)
        found.append(SpecialPoint("hopf", float(z[-1]), z[:-1]))
    return found


def _hopf_test(walker: _Walker, z: Array) -> float | None:
    """Real part of the complex pair nearest the imaginary axis, or None without one."""
    values = walker.eigenvalues(z)
    pairs = values[np.abs(values.imag) > 1e-9 * np.abs(values)]
    return float(pairs.real[np.argmin(np.abs(pairs.real))]) if pairs.size else None


def _bisect(walker: _Walker, before, step: float, test) -> Array:
    """The point between `before` and one step further where `test(z, tangent)` changes sign."""
    z, tangent = before
    sign = np.sign(test(z, tangent))
    low, high, best = 0.0, step, z
    for _ in range(50):
        middle = (low + high) / 2
        trial = walker.correct(z + middle * tangent * walker.scale, tangent)
        if trial is None:
            break
        best = trial
        same = np.sign(test(trial, walker.tangent(trial, tangent))) == sign
        low, high = (middle, high) if same else (low, middle)
    return best
