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
    f: Function, jacobian: Callable[[Array], Array], start: Array, *, unit: Array, lower: Array, max_steps: int = 100
) -> FixedPoint:
    """Solve f(x) = 0, or f_k <= 0 where x_k = lower_k, by shortest steps in units of `unit` (n,) from `start`.

    The last step, in those units, is the residual of the result; NOT_CONVERGED where it stays above 1e-10.
    """
    x, size = np.maximum(np.array(start, dtype=np.float64), lower), np.inf
    for count in range(1, max_steps + 1):
        value = f(x)
        free = ~held(value, x, lower)
        slopes = (jacobian(x) * unit)[np.ix_(free, free)]
        if not (np.isfinite(slopes).all() and np.isfinite(value).all()):
            break
        rows = np.linalg.norm(slopes, axis=1)
        safe = np.where(rows == 0.0, 1.0, rows)
        inverse = np.linalg.pinv(slopes / safe[:, None], rcond=RANK)
        step = inverse @ (-value[free] / safe)
        size = float(np.abs(step).max(initial=0.0))
        if size < TOLERANCE:
            left = np.abs(value[free] + slopes @ step) > 1e-7 * rows
            return FixedPoint(x, size, count, Status.NOT_CONVERGED if left.any() else Status.OK)
        following = _damped(f, lambda v, i=inverse, s=safe, k=free: i @ (v[k] / s), (x, step, free), unit, lower)
        if following is None:
            break
        x = following
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def _damped(
    f: Function, solve: Function, move: tuple[Array, Array, NDArray[np.bool_]], unit: Array, lower: Array
) -> Array | None:
    """The next point, or None where no fraction of the step makes the next simplified step shorter."""
    x, step, free = move
    size = float(np.linalg.norm(step))
    whole = np.zeros_like(x)
    whole[free] = unit[free] * step
    for halvings in range(HALVINGS):
        fraction = 0.5**halvings
        trial = np.maximum(x + fraction * whole, lower)
        with np.errstate(all="ignore"):  # a wild trial may overflow; it is then refused
            value = f(trial)
        if not np.isfinite(value).all():
            continue
        value = np.where(held(value, trial, lower), 0.0, value)
        if np.linalg.norm(solve(value)) <= max((1.0 - fraction / 4.0) * size, 0.5 * TOLERANCE):
            return trial
    return None
