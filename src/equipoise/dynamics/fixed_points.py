"""Fixed points of f by damped Newton iteration, on a line of equilibria too.

Where f conserves quantities its Jacobian is singular and every level set has its own fixed point; `constraints` (a
function and its Jacobian, zero on the wanted level set) picks one and makes the stacked system regular. Steps are
halved until the bounds hold and the next simplified step is shorter: the natural monotonicity test, which does not
care about the units or speeds of the equations (P. Deuflhard, Newton Methods for Nonlinear Problems, 2004, Sec. 3.3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Array
from equipoise.results import Status

Function = Callable[[Array], Array]
REGULAR = 1e6
"""Condition up to which a matrix is inverted as it is."""


@dataclass(frozen=True)
class FixedPoint:
    """A state (n,), the norm of its scaled residual, the iterations spent, and how the search ended."""

    x: Array
    residual: float
    iterations: int
    status: Status


def fixed_point(
    f: Function,
    jacobian: Callable[[Array], Array],
    start: Array,
    *,
    constraints: tuple[Function, Callable[[Array], Array]] | None = None,
    lower: Array | float = -np.inf,
    tolerance: float = 1e-11,
    max_steps: int = 100,
) -> FixedPoint:
    """Solve f(x) = 0 (and constraints(x) = 0) from `start`, keeping x > lower.

    The residual is judged in units of x: the Newton step must fall below `tolerance` relative to x.
    """
    g, dg = _stack(f, jacobian, constraints)
    x = np.array(start, dtype=np.float64)
    value, size = g(x), np.inf
    for count in range(1, max_steps + 1):
        slopes = dg(x)
        if not np.isfinite(slopes).all():
            return FixedPoint(x, size, count, Status.NOT_CONVERGED)
        solve = _solver(slopes, x)
        step = solve(value)
        size = _relative(step, x)
        if size < tolerance:
            met = bool((x + step > lower).all()) and _solves(slopes, value, step, x)
            return FixedPoint(x + step if met else x, size, count, Status.OK if met else Status.NOT_CONVERGED)
        following = _damped(g, solve, x, step, lower)
        if following is None:
            met = size < 1e-8 and _solves(slopes, value, step, x)
            return FixedPoint(x, size, count, Status.OK if met else Status.NOT_CONVERGED)
        x, value = following
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def bracketed_root(f: Callable[[float], float], low: float, high: float, *, accuracy: float = 8.9e-16) -> float:
    """Root of a scalar f between `low` and `high`, where its signs differ (Brent's method), by default to rounding."""
    from scipy.optimize import brentq

    return brentq(f, low, high, xtol=1e-300, rtol=accuracy, maxiter=300)  # type: ignore[return-value]


def lowest_point(f: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Place and value of the minimum of a scalar f with one minimum between `low` and `high`."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(f, bounds=(low, high), method="bounded", options={"xatol": 1e-10 * abs(high)})
    return float(found.x), float(found.fun)  # type: ignore[attr-defined]


def _stack(f: Function, jacobian: Function, constraints) -> tuple[Function, Function]:
    if constraints is None:
        return f, jacobian
    extra, d_extra = constraints
    return (
        lambda x: np.concatenate([f(x), extra(x)]),
        lambda x: np.concatenate([jacobian(x), d_extra(x)]),
    )


def _solver(matrix: Array, x: Array) -> Function:
    """value -> Newton step, in relative units of x and with rows scaled to one (least squares where there are more)."""
    unit = np.maximum(np.abs(x), 1e-12)
    scaled = matrix * unit
    rows = np.linalg.norm(scaled, axis=1)
    rows[rows == 0.0] = 1.0
    inverse = _inverse(scaled / rows[:, None])
    return lambda value: unit * (inverse @ (-value / rows))


def _inverse(matrix: Array) -> Array:
    """The inverse, by singular values only where there is none or hardly one."""
    if matrix.shape[0] == matrix.shape[1]:
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                inverse = np.linalg.inv(matrix)
                regular = np.linalg.norm(matrix) * np.linalg.norm(inverse) < REGULAR
        except np.linalg.LinAlgError:
            pass
        else:
            if regular:
                return np.asarray(inverse, dtype=np.float64)
    return np.asarray(np.linalg.pinv(matrix, rcond=1e-13), dtype=np.float64)


def _solves(slopes: Array, value: Array, step: Array, x: Array) -> bool:
    """Whether the step removes the residual; where f is flat it is short and removes nothing."""
    rows = np.linalg.norm(slopes * np.maximum(np.abs(x), 1e-12), axis=1)
    left = np.abs(value + slopes @ step)
    return bool((left <= 1e-7 * rows).all())


def _relative(step: Array, x: Array) -> float:
    return float(np.max(np.abs(step) / np.maximum(np.abs(x), 1e-12)))


def _damped(g: Function, solve: Function, x: Array, step: Array, lower) -> tuple[Array, Array] | None:
    """The next point and its value, or None where no fraction of the step makes progress."""
    size = _relative(step, x)
    for halvings in range(25):
        fraction = 0.5**halvings
        trial = x + fraction * step
        if (trial <= lower).any() or np.abs(trial).max() > 1e100:
            continue
        with np.errstate(all="ignore"):  # a wild trial may overflow; it is then refused
            value = g(trial)
        if np.isfinite(value).all() and _relative(solve(value), x) <= (1.0 - fraction / 4.0) * size:
            return trial, value
    return None
