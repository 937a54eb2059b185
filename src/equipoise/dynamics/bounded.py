"""Fixed points of dynamics whose variables are held at bounds, isolated or on manifolds.

Newton's method by least squares: where the Jacobian is singular the shortest step is taken, so that of a manifold of
fixed points one near the start is found. A variable at a bound that would go beyond it is held there.
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


def held(value: Array, x: Array, bounds: tuple[Array, Array]) -> NDArray[np.bool_]:
    """Which variables (n,) the bounds (lower, upper) hold: those at one that f = `value` would take beyond it."""
    lower, upper = bounds
    return ((x <= lower) & (value < 0.0)) | ((x >= upper) & (value > 0.0))


def nearest_point(
    f: Function,
    jacobian: Callable[[Array], Array],
    start: Array,
    *,
    unit: Array,
    bounds: tuple[Array, Array],
    max_steps: int = 30,
) -> FixedPoint:
    """Solve f(x) = 0 within `bounds` = (lower, upper) by shortest steps in units of `unit` (n,) from `start`.

    At a lower bound f_k <= 0 is a solution as well, at an upper one f_k >= 0.
    The last step, in those units, is the residual of the result; NOT_CONVERGED where it stays above 1e-10.
    """
    x, size = np.clip(np.array(start, dtype=np.float64), *bounds), np.inf
    for count in range(1, max_steps + 1):
        value = f(x)
        free = ~held(value, x, bounds)
        with np.errstate(all="ignore"):  # no slope where f has no bound; refused below
            slopes = jacobian(x) * unit
        if not (np.isfinite(slopes).all() and np.isfinite(value).all()):
            break
        solve, step = _shortest(slopes, value, free, (x <= bounds[0], x >= bounds[1]))
        size = float(np.abs(step).max(initial=0.0))
        if size < TOLERANCE:
            left = np.abs(value + slopes @ step) > 1e-7 * np.linalg.norm(slopes, axis=1)
            return FixedPoint(x, size, count, Status.NOT_CONVERGED if left[free].any() else Status.OK)
        following = _damped(f, solve, (x, step, unit), bounds)
        if following is None:
            break
        x = following
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def _shortest(
    slopes: Array, value: Array, free: NDArray[np.bool_], at: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> tuple[Function, Array]:
    """value -> shortest step (n,) of the equations of `free` variables, and that step.

    None leaves the bounds, where variables are `at` their lower or upper one.
    """
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
        outward = moving & ((at[0] & (step < 0.0)) | (at[1] & (step > 0.0)))
        if not outward.any():
            return solve, step
        moving = moving & ~outward


def _damped(
    f: Function, solve: Function, move: tuple[Array, Array, Array], bounds: tuple[Array, Array]
) -> Array | None:
    """The next point, or None where no fraction of the step makes the next simplified step shorter."""
    x, step, unit = move
    size = float(np.linalg.norm(step))
    for halvings in range(HALVINGS):
        fraction = 0.5**halvings
        trial = np.clip(x + fraction * unit * step, *bounds)
        with np.errstate(all="ignore"):  # a wild trial may overflow; it is then refused
            value = f(trial)
        if not np.isfinite(value).all():
            continue
        value = np.where(held(value, trial, bounds), 0.0, value)
        if np.linalg.norm(solve(value)) <= max((1.0 - fraction / 4.0) * size, 0.5 * TOLERANCE):
            return trial
    return None
