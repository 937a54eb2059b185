"""The state that dx/dt = f(x) settles in from a start, by an exponential integrator that ends as Newton's method.

The Rosenbrock-Euler step dx = h phi_1(h J) f(x), with phi_1(z) = (e^z - 1)/z and J the Jacobian at x, is exact where f
is linear: decaying, growing and turning modes are followed alike, so that h is limited by the curvature of f alone and
grows without bound near a stable state, where dx becomes -J^-1 f. Unlike Newton's method it arrives where the path
leads, and not in an unstable state nearby. What f leaves of its tangent, g = f(x + dx) - f(x) - J dx, gives the error
2 h phi_3(h J) g of the step. Source: M. Hochbruck, A. Ostermann & J. Schweitzer, SIAM J. Numer. Anal. 47:786 (2009).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics.fixed_points import FixedPoint
from equipoise.dynamics.spectra import ComplexArray
from equipoise.quantities import Array
from equipoise.results import Status

Function = Callable[[Array], Array]

STEEPEST = 4.0
"""A growing mode gains at most the factor e^STEEPEST in one step."""
ENDLESS = 1e30
NEGLIGIBLE = 1e-4
"""Errors are relative to the variables, but to no less than this."""


def relaxation(
    f: Function,
    jacobian: Function,
    start: Array,
    *,
    lower: Array | float = -np.inf,
    accuracy: float = 0.02,
    tolerance: float = 1e-9,
    max_steps: int = 400,
) -> FixedPoint:
    """The stable state that dx/dt = f(x) reaches from `start`, kept above `lower`; f has order one per unit of time.

    Each step is good to `accuracy` relative to x; done where -J^-1 f moves x by less than `tolerance` of itself.
    UNSTABLE where the path leads into an unstable state (from that state itself, or along a symmetry); RUNAWAY where x
    exceeds ENDLESS; NOT_CONVERGED where it does not settle within `max_steps`, as on a limit cycle: x is where it got.
    """
    x, h = np.array(start, dtype=np.float64), 0.1
    value, size = f(x), np.inf
    for count in range(1, max_steps + 1):
        slopes = jacobian(x)
        if not np.isfinite(slopes).all():
            break
        modes = _Modes.of(slopes)
        size = _relative(modes.newton(value), x)
        if size < tolerance:
            return FixedPoint(x, size, count, Status.OK if (modes.values.real < 0.0).all() else Status.UNSTABLE)
        following = _advance(f, modes, slopes, (x, value, h), lower, accuracy)
        if following is None:
            break
        x, value, h = following
        if np.abs(x).max() > ENDLESS:
            return FixedPoint(x, size, count, Status.RUNAWAY)
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def _advance(
    f: Function, modes: "_Modes", slopes: Array, at: tuple[Array, Array, float], lower: Array | float, accuracy: float
) -> tuple[Array, Array, float] | None:
    """The next point, its derivative and the next h, from (x, f, h); None where h falls to nothing."""
    x, value, h = at
    h = min(h, STEEPEST / max(float(modes.values.real.max()), 1e-300))
    for _ in range(40):
        dx = modes.apply(h * phi_1(h * modes.values), value)
        trial = x + dx
        if (trial > lower).all():
            there = f(trial)
            error = 2.0 * h * np.abs(modes.apply(phi_3(h * modes.values), there - value - slopes @ dx))
            worst = float(np.max(error / np.maximum(np.maximum(np.abs(x), np.abs(trial)), NEGLIGIBLE)))
            factor = (accuracy / max(worst, 1e-300)) ** (1 / 3) if np.isfinite(worst) else 0.1
            if factor >= 0.7:
                return trial, there, h * min(0.9 * factor, 10.0)
            h *= max(0.9 * factor, 0.1)
        else:
            h *= 0.4
    return None


@dataclass(frozen=True)
class _Modes:
    """Eigenvalues and eigenvectors of a Jacobian, and functions of it."""

    values: ComplexArray
    vectors: NDArray[Any]
    inverse: NDArray[Any]

    @classmethod
    def of(cls, slopes: Array) -> "_Modes":
        values, vectors = np.linalg.eig(slopes)
        return cls(values.astype(np.complex128), vectors, _inverse(vectors))

    def apply(self, factors: ComplexArray, v: Array) -> Array:
        """The function of J whose values at the eigenvalues are `factors`, times v."""
        return np.real(self.vectors @ (factors * (self.inverse @ v)))

    def newton(self, value: Array) -> Array:
        """-J^-1 f."""
        inverse = -1.0 / np.where(self.values == 0.0, 1e-300, self.values)
        return self.apply(inverse.astype(np.complex128), value)


def phi_1(z: Any) -> Any:
    """(e^z - 1)/z, elementwise."""
    safe = np.where(z == 0.0, 1.0, z)
    return np.where(z == 0.0, 1.0, np.expm1(safe) / safe)


def phi_3(z: ComplexArray) -> ComplexArray:
    """(e^z - 1 - z - z^2/2)/z^3 to four digits, enough for an error estimate."""
    near = np.abs(z) < 0.05
    safe = np.where(near, 1.0, z)
    return np.where(near, 1 / 6 + z / 24 + z * z / 120, ((np.expm1(safe) / safe - 1.0) / safe - 0.5) / safe)


def _relative(step: Array, x: Array) -> float:
    return float(np.max(np.abs(step) / np.maximum(np.abs(x), 1e-12)))


def _inverse(vectors: NDArray[Any]) -> NDArray[Any]:
    """Inverse, or where eigenvectors coincide the least-squares one."""
    try:
        return np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(vectors)
