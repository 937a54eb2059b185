"""Fixed points of f by damped Newton iteration, on a line of equilibria too.

Where f conserves quantities its Jacobian is singular and every level set has its own fixed point; `constraints` (a
function and its Jacobian, zero on the wanted level set) picks one and makes the stacked system regular. Steps are found
by least squares and halved until the residual falls and the bounds hold.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.quantities import Array
from equipoise.results import Status

Function = Callable[[Array], Array]


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
    value = g(x)
    size = np.inf
    for step_count in range(1, max_steps + 1):
        step = _scaled_step(dg(x), value, x)
        size = float(np.max(np.abs(step) / np.maximum(np.abs(x), 1e-12)))
        if size < tolerance:
            return FixedPoint(x + step, size, step_count, Status.OK)
        x, value, moved = _damped(g, x, value, step, lower)
        if not moved:
            status = Status.OK if size < 1e-8 else Status.NOT_CONVERGED
            return FixedPoint(x, size, step_count, status)
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def bracketed_root(f: Callable[[float], float], low: float, high: float) -> float:
    """Root of a scalar f between `low` and `high`, where its signs differ, to rounding (Brent's method)."""
    from scipy.optimize import brentq

    return brentq(f, low, high, xtol=1e-300, rtol=8.9e-16, maxiter=300)  # type: ignore[return-value]


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


def _scaled_step(matrix: Array, value: Array, x: Array) -> Array:
    """Newton step in relative units of x, rows scaled to one, so that slow and fast equations count alike."""
    unit = np.maximum(np.abs(x), 1e-12)
    scaled = matrix * unit
    rows = np.linalg.norm(scaled, axis=1)
    rows[rows == 0.0] = 1.0
    return unit * np.linalg.lstsq(scaled / rows[:, None], -value / rows, rcond=1e-13)[0]


def _damped(g: Function, x: Array, value: Array, step: Array, lower) -> tuple[Array, Array, bool]:
    scale = np.maximum(np.abs(value), 1e-300)
    for halvings in range(30):
        trial = x + step * 0.5**halvings
        if (trial <= lower).any():
            continue
        new = g(trial)
        if np.isfinite(new).all() and np.max(np.abs(new) / scale) < 1.0 + (halvings == 0) * 1e-3:
            return trial, new, True
        if np.isfinite(new).all() and np.linalg.norm(new) < np.linalg.norm(value):
            return trial, new, True
    return x, value, False
