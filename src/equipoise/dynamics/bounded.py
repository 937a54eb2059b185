"""Fixed points of dynamics whose variables are held at lower bounds, isolated or on manifolds.

Newton's method by least squares: where the Jacobian is singular the shortest step is taken, so that of a manifold of
fixed points one near the start is found. A variable at its bound that would go below it is held there.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics.fixed_points import FixedPoint, Function
from equipoise.quantities import Array
from equipoise.results import Status

RANK = 1e-8
"""Singular values below this part of the largest count as zero: Jacobians by differences have about 1e-11 of noise."""
TOLERANCE, HALVINGS = 1e-10, 20


def held(value: Array, x: Array, lower: Array) -> NDArray[np.bool_]:
    """Which variables (n,) the bounds hold: those at their bound that f = `value` would take below it."""
    return (x <= lower) & (value < 0.0)


def nearest_point(
    f: Function, jacobian: Callable[[Array], Array], start: Array, *, unit: Array, lower: Array, max_steps: int = 30
) -> FixedPoint:
    """Solve f(x) = 0, or f_k <= 0 where x_k = lower_k, by shortest steps in units of `unit` (n,) from `start`.

    The last step, in those units, is the residual of the result; NOT_CONVERGED where it stays above 1e-10.
    """
    x, size = np.maximum(np.array(start, dtype=np.float64), lower), np.inf
    for count in range(1, max_steps + 1):
        value = f(x)
        free = ~held(value, x, lower)
        with np.errstate(all="ignore"):  # no slope where f has no bound; refused below
            slopes = jacobian(x) * unit
        if not (np.isfinite(slopes).all() and np.isfinite(value).all()):
            break
        solve, step = _shortest(slopes, value, free, x <= lower)
        size = float(np.abs(step).max(initial=0.0))
        if size < TOLERANCE:
            left = np.abs(value + slopes @ step) > 1e-7 * np.linalg.norm(slopes, axis=1)
            return FixedPoint(x, size, count, Status.NOT_CONVERGED if left[free].any() else Status.OK)
        following = _damped(f, solve, (x, step, unit), lower)
        if following is None:
            break
        x = following
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def _shortest(slopes: Array, value: Array, free: NDArray[np.bool_], bound: NDArray[np.bool_]) -> tuple[Function, Array]:
    """value -> shortest step (n,) of the equations of `free` variables, and that step; none leaves the bounds."""
    moving = free.copy()
    rows = np.linalg.norm(slopes[np.ix_(free, free)], axis=1)
    rows[rows == 0.0] = 1.0
    while True:
        inverse = np.linalg.pinv(slopes[np.ix_(free, moving)] / rows[:, None], rcond=RANK)

        def solve(v: Array, inverse: Array = inverse, moving: NDArray[np.bool_] = moving) -> Array:
            out = np.zeros_like(v)
            out[moving] = inverse @ (-v[free] / rows)
            return out

        step = solve(value)
        outward = moving & bound & (step < 0.0)
        if not outward.any():
            return solve, step
        moving = moving & ~outward


def _damped(f: Function, solve: Function, move: tuple[Array, Array, Array], lower: Array) -> Array | None:
    """The next point, or None where no fraction of the step makes the next simplified step shorter."""
    x, step, unit = move
    size = float(np.linalg.norm(step))
    for halvings in range(HALVINGS):
        fraction = 0.5**halvings
        trial = np.maximum(x + fraction * unit * step, lower)
        with np.errstate(all="ignore"):  # a wild trial may overflow; it is then refused
            value = f(trial)
        if not np.isfinite(value).all():
            continue
        value = np.where(held(value, trial, lower), 0.0, value)
        if np.linalg.norm(solve(value)) <= max((1.0 - fraction / 4.0) * size, 0.5 * TOLERANCE):
            return trial
    return None
