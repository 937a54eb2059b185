"""Jacobians of plain functions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from equipoise.quantities import Array

Function = Callable[[Array], Array]


def complex_step(f: Callable[[Any], Any], x: Array) -> Array:
    """Jacobian (m, n) of an analytic f at x, exact to rounding: df/dx_k = Im f(x + i h e_k)/h with h = 1e-30."""
    x = np.asarray(x, dtype=np.float64)
    columns = [np.imag(f(x + 1e-30j * e)) / 1e-30 for e in np.eye(x.size)]
    return np.stack(columns, axis=-1)


def differences(f: Function, x: Array, *, relative_step: float = 1e-3) -> Array:
    """Jacobian (m, n) of any smooth f at x by central differences, extrapolated once (error of order step^4)."""
    x = np.asarray(x, dtype=np.float64)
    steps = relative_step * np.maximum(np.abs(x), 1e-3 * np.max(np.abs(x), initial=1e-300))

    def column(e: Array, h: float) -> Array:
        wide = (f(x + h * e) - f(x - h * e)) / (2 * h)
        narrow = (f(x + h / 2 * e) - f(x - h / 2 * e)) / h
        return (4 * narrow - wide) / 3

    return np.stack([column(e, h) for e, h in zip(np.eye(x.size), steps, strict=True)], axis=-1)


def together(system: Callable[[Array], tuple[Array, Array]]) -> tuple[Function, Function]:
    """f and its Jacobian from `system(x) -> (f(x), Jacobian)`; the last point is kept, for solvers ask for both."""
    last: dict[bytes, tuple[Array, Array]] = {}

    def at(x: Array) -> tuple[Array, Array]:
        key = x.tobytes()
        if key not in last:
            last.clear()
            last[key] = system(x)
        return last[key]

    return lambda x: at(x)[0], lambda x: at(x)[1]
