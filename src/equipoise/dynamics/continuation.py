"""Branches of fixed points of f(x, p) by pseudo-arclength continuation, with folds and Hopf points located.

The branch is followed in (x, p) along its tangent, so it turns around folds; a fold is where dp/ds changes sign, a Hopf
point where a complex pair of eigenvalues crosses the imaginary axis. Both are refined by root finding in arclength.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics.fixed_points import bracketed_root
from equipoise.quantities import Array
from equipoise.results import Status

System = Callable[[Array, float], Array]
LONGEST = 4.0
"""Steps grow up to this many times the one asked for."""
SHARP = 1e-11
"""Last correction of a point of the branch, in units of the scale; no root along it is known better."""
FAR = 0.5
"""Longest correction, in units of the step."""
NEAR_BORDER = 1e-3
"""Margin at which a branch has come to the border of its domain; the point on it is extrapolated, to about 1e-6."""
Spectra = Callable[[Array, float], tuple[NDArray[np.complex128], ...]]


@dataclass(frozen=True)
class Domain:
    """Where a branch lives: the sizes (n + 1,) of x and p, and margin(x, p), positive inside and zero on the border.

    A branch that comes to the border ends there.
    """

    scale: Array
    margin: Callable[[Array, float], float]


@dataclass(frozen=True)
class SpecialPoint:
    """A "fold", "hopf" or "border" point: its kind, parameter value and state (n,)."""

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
    spectra: tuple[tuple[NDArray[np.complex128], ...], ...] = ()

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
    spectra: Spectra | None = None,
    domain: Domain | None = None,
) -> Branch:
    """Follow the fixed point `start` of f(x, p) from p_range[0] towards p_range[1].

    `jacobian(x, p)` returns df/dx (n, n) and df/dp (n,). `step` is relative to the size of x and of the range of p, or
    to the scale of the `domain` (default: positive x). `spectra(x, p)` returns one or more sets of eigenvalues that
    decide stability (default: those of df/dx). Ends at either end of the range, at the border of the domain, or after
    `max_points`.
    """
    walker = _Walker(f, jacobian, spectra, domain, np.append(start, p_range[1] - p_range[0]))
    z = np.append(np.asarray(start, dtype=np.float64), p_range[0])
    direction = np.zeros(z.size)
    direction[-1] = np.sign(p_range[1] - p_range[0])
    tangent = walker.tangent(z, direction)
    points, seen, special = [z], [walker.spectra(z)], []
    status, stride = Status.OK, step
    while len(points) < max_points:
        following = walker.last(z, tangent, stride, p_range) or walker.advance(z, tangent, stride)
        if following is None:
            border = walker.border(points)
            special += [SpecialPoint("border", float(border[-1]), border[:-1])] if border is not None else []
            status = Status.OK if border is not None else Status.NOT_CONVERGED
            break
        new_z, new_tangent, used = following
        seen.append(walker.spectra(new_z))
        special += _crossings(walker, (z, tangent, seen[-2]), (new_z, new_tangent, seen[-1]), used)
        if domain is not None:  # longer steps where the branch is straight
            straight = used == stride and new_tangent @ tangent > 0.998
            stride = min(2.0 * stride, LONGEST * step) if straight else max(used, step)
        z, tangent = new_z, new_tangent
        points.append(z)
        if not min(p_range) < z[-1] < max(p_range) or walker.margin(z) <= 0.0:
            break
        if domain is not None and walker.margin(z) < NEAR_BORDER:
            border = walker.border(points)
            special += [SpecialPoint("border", float(border[-1]), border[:-1])] if border is not None else []
            break
    array, stable = np.array(points), np.array([_unstable(sets) == 0 for sets in seen])
    return Branch(array[:, :-1], array[:, -1], stable, tuple(special), status, tuple(seen))


def _unstable(sets: tuple[NDArray[np.complex128], ...]) -> int:
    return sum(int((values.real >= 0.0).sum()) for values in sets)


class _Walker:
    """Tangents, Newton corrections and eigenvalues on one branch, in units of `scale`."""

    def __init__(self, f: System, jacobian, spectra: Spectra | None, domain: Domain | None, size: Array):
        self.f, self.jacobian, self.domain, self._spectra = f, jacobian, domain, spectra
        self.scale = np.abs(size) + 1e-12 if domain is None else domain.scale

    def margin(self, z: Array) -> float:
        """Positive inside the domain."""
        return float(z[:-1].min()) if self.domain is None else self.domain.margin(z[:-1], z[-1])

    def extended(self, z: Array) -> Array:
        """Scaled df/d(x, p), shape (n, n + 1), rows normalised."""
        fx, fp = self.jacobian(z[:-1], z[-1])
        matrix = np.column_stack([fx, fp]) * self.scale
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-300)

    def tangent(self, z: Array, previous: Array) -> Array:
        """Unit null vector of the extended Jacobian in scaled units, oriented along `previous`."""
        v = np.linalg.svd(self.extended(z))[2][-1]
        return v if v @ previous >= 0.0 else -v

    def correct(self, guess: Array, tangent: Array, start: Array | None = None) -> Array | None:
        """Newton back to the branch in the plane through `guess` orthogonal to the tangent, from `start` or `guess`."""
        z = guess.copy() if start is None else start
        for _ in range(12):
            if self.margin(z) <= 0.0 and (self.domain is not None or self.margin(guess) > 0.0):
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
            if np.max(np.abs(dz)) < SHARP:
                return z
        return None

    def advance(self, z: Array, tangent: Array, step: float) -> tuple[Array, Array, float] | None:
        """One step along the branch, halved until Newton converges and the tangent turns by less than 30 degrees."""
        for halvings in range(14):
            used = step * 0.5**halvings
            guess = z + used * tangent * self.scale
            new = self.correct(guess, tangent)
            if new is None or self.far(new, guess, used):
                continue
            new_tangent = self.tangent(new, tangent)
            if new_tangent @ tangent > 0.86:
                return new, new_tangent, used
        return None

    def last(self, z: Array, tangent: Array, step: float, p_range: tuple[float, float]):
        """The point at the end of the range, where the next step would lead beyond it."""
        beyond = z[-1] + step * tangent[-1] * self.scale[-1]
        if min(p_range) < beyond < max(p_range) or tangent[-1] == 0.0:
            return None
        end = max(p_range) if tangent[-1] * self.scale[-1] > 0.0 else min(p_range)
        used = (end - z[-1]) / (tangent[-1] * self.scale[-1])
        guess = z + used * tangent * self.scale
        guess[-1] = end
        new = self.correct(guess, np.eye(z.size)[-1])
        if new is None or self.far(new, guess, used):
            return None
        new[-1] = end
        new_tangent = self.tangent(new, tangent)
        return (new, new_tangent, used) if new_tangent @ tangent > 0.86 else None

    def far(self, new: Array, guess: Array, used: float) -> bool:
        """Whether a correction is so long that it may have led to another branch."""
        return not np.linalg.norm((new - guess) / self.scale) <= FAR * used

    def border(self, points: list[Array]) -> Array | None:
        """The point on the border that the last steps approach, by extrapolation; None where they do not."""
        if len(points) < 3:
            return None
        before, after = self.margin(points[-2]), self.margin(points[-1])
        if not 0.0 < after < min(before, 10 * NEAR_BORDER):
            return None
        return points[-1] + (points[-1] - points[-2]) * after / (before - after)

    def spectra(self, z: Array) -> tuple[NDArray[np.complex128], ...]:
        """The sets of eigenvalues that decide stability."""
        if self._spectra is not None:
            return self._spectra(z[:-1], z[-1])
        return (np.linalg.eigvals(self.jacobian(z[:-1], z[-1])[0]).astype(complex),)


def _crossings(walker: _Walker, before, after, step: float) -> list[SpecialPoint]:
    """Folds and Hopf points between two neighbouring points."""
    found = []
    if before[1][-1] * after[1][-1] < 0.0:
        z = _locate(walker, before, step, lambda _z, t: t[-1])
        found += [SpecialPoint("fold", float(z[-1]), z[:-1])] if z is not None else []
    for k, (old, new) in enumerate(zip(before[2], after[2], strict=True)):
        if abs(_unstable((old,)) - _unstable((new,))) >= 2:
            z = _locate(walker, before, step, lambda z, _t, k=k: _nearest_pair(walker.spectra(z)[k]))
            z = _locate(walker, before, step, _change(walker, k, _unstable((old,)))) if z is None else z
            found += [SpecialPoint("hopf", float(z[-1]), z[:-1])] if z is not None and _is_hopf(walker, z, k) else []
    return found


def _nearest_pair(values: NDArray[np.complex128]) -> float:
    """Real part of the complex pair nearest the imaginary axis, or 0 without one."""
    pairs = values[np.abs(values.imag) > 1e-9 * np.abs(values)]
    return float(pairs.real[np.argmin(np.abs(pairs.real))]) if pairs.size else 0.0


def _change(walker: _Walker, k: int, unstable: int):
    """-1 where as many eigenvalues of set k are unstable as before, 1 elsewhere."""
    return lambda z, _t: -1.0 if _unstable((walker.spectra(z)[k],)) == unstable else 1.0


def _is_hopf(walker: _Walker, z: Array, k: int) -> bool:
    """Whether a complex pair of set k lies on the imaginary axis."""
    values = walker.spectra(z)[k]
    pairs = values[np.abs(values.imag) > 1e-9 * np.abs(values)]
    return bool((np.abs(pairs.real) < 1e-6 * np.abs(pairs)).any())


def _locate(walker: _Walker, before, step: float, test) -> Array | None:
    """The point between `before` and one step further where `test(z, tangent)` is zero; None where it gets lost."""
    known = [(0.0, before[0], before[1])]

    def at(used: float) -> tuple[Array, Array]:
        other, near, along = min(known, key=lambda one: abs(one[0] - used))
        start = near + (used - other) * along * walker.scale
        z = walker.correct(before[0] + used * before[1] * walker.scale, before[1], start)
        if z is None:
            raise ArithmeticError
        known.append((used, z, walker.tangent(z, before[1])))
        return known[-1][1:]

    try:
        return at(bracketed_root(lambda used: float(test(*at(used))), 0.0, step, accuracy=SHARP))[0]
    except (ArithmeticError, ValueError):  # ValueError: no change of sign, as where another pair takes over
        return None
