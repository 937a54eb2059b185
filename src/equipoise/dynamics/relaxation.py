"""The state that dx/dt = f(x) settles in from a start, by pseudo-transient continuation.

Steps of the linearly implicit Euler method, (1/h - J) dx = f(x), with the analytic Jacobian: short ones follow the
path, long ones are Newton's method. A step is kept where a second, simplified one is much shorter (then h may grow) and
repeated at a smaller h where it is not. Growing directions are followed, not jumped: implicit Euler damps a growing
mode lambda too once h > 2 Re lambda/|lambda|^2, so h stays below a quarter of that, and the search does not end in an
unstable state but where the path leads. Sources: C. T. Kelley & D. E. Keyes, SIAM J. Numer. Anal. 35:508 (1998);
P. Deuflhard, Newton Methods for Nonlinear Problems, 2004, Sec. 6.4.
"""

from collections.abc import Callable

import numpy as np

from equipoise.dynamics.fixed_points import FixedPoint
from equipoise.quantities import Array
from equipoise.results import Status

Function = Callable[[Array], Array]

GOAL = 0.1
"""Wanted length of the second step relative to the first."""
WORST = 0.3
"""A step is repeated where the second is longer than this share of the first."""


def relaxation(
    f: Function,
    jacobian: Function,
    start: Array,
    *,
    lower: Array | float = -np.inf,
    step: float = 0.1,
    tolerance: float = 1e-9,
    max_steps: int = 400,
) -> FixedPoint:
    """The stable state that dx/dt = f(x) reaches from `start`, kept above `lower`; `step` is the first h.

    Done when a step far longer than every time constant moves x by less than `tolerance` of itself. UNSTABLE where the
    start is an unstable fixed point; NOT_CONVERGED where nothing is reached in `max_steps`, as on a limit cycle.
    """
    x, h = np.array(start, dtype=np.float64), step
    value, size = f(x), np.inf
    for count in range(1, max_steps + 1):
        slopes = jacobian(x)
        if not np.isfinite(slopes).all():
            break
        eigenvalues = np.linalg.eigvals(slopes)
        size = _relative(np.linalg.lstsq(slopes, value)[0], x)
        if size < tolerance:
            return FixedPoint(x, size, count, Status.OK if (eigenvalues.real < 0.0).all() else Status.UNSTABLE)
        following = _advance(f, slopes, x, value, min(h, _longest(eigenvalues)), lower)
        if following is None:
            break
        x, value, h = following
    return FixedPoint(x, size, max_steps, Status.NOT_CONVERGED)


def _longest(eigenvalues: Array) -> float:
    """The longest h that still lets growing modes grow, but at least a twentieth of 1/|lambda|; infinite without one."""
    growing = eigenvalues[eigenvalues.real > 0.0]
    size = np.abs(growing)
    return float(np.min(np.maximum(growing.real / (size**2 + growing.real**2), 0.05 / size), initial=np.inf))


def _advance(
    f: Function, slopes: Array, x: Array, value: Array, h: float, lower: Array | float
) -> tuple[Array, Array, float] | None:
    """The next point, its derivative and the next h; None where h falls to nothing."""
    for _ in range(40):
        inverse = np.linalg.inv(np.eye(x.size) / h - slopes)
        dx = inverse @ value
        trial = x + dx
        if (trial > lower).all():
            there = f(trial)
            unit = np.maximum(np.abs(x), np.abs(trial))
            first, second = np.abs(dx) / unit, np.abs(inverse @ (there - dx / h)) / unit
            ratio = float(second.max() / max(first.max(), 1e-300)) if np.isfinite(there).all() else np.inf
            if ratio < WORST or first.max() < 1e-12:
                return trial, there, h * min(10.0, GOAL / max(ratio, 1e-12)) 
            h *= max(0.1, 0.5 * GOAL / ratio)
        else:
            h *= 0.3
    return None


def _relative(step: Array, x: Array) -> float:
    return float(np.max(np.abs(step) / np.maximum(np.abs(x), 1e-12)))
