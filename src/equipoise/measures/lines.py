"""Straight lines through many spectra at once, robust against peaks: the parts that fits of spectra share.

`x` is (points,) and `y`, `weights` are (spectra, points) throughout.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr

ROUNDS = 20
"""Reweightings of the line of least absolute deviations; the line only starts a fit."""


def weighted_line(x: Array, y: Array, weights: Array) -> tuple[Array, Array]:
    """Slope and intercept (spectra,) of least squares; NaN where fewer than two points have weight."""
    s0, s1, s2 = weights.sum(axis=1), weights @ x, weights @ (x * x)
    t = weights * y
    t0, t1 = t.sum(axis=1), t @ x
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (s0 * t1 - s1 * t0) / (s0 * s2 - s1 * s1)
        return slope, (t0 - slope * s1) / s0


def median_line(x: Array, y: Array) -> tuple[Array, Array]:
    """Slope and intercept of least absolute deviations, which a few high points do not move (reweighted squares)."""
    middle = x.mean()
    slope, intercept = weighted_line(x - middle, y, np.ones_like(y))
    for _ in range(ROUNDS):
        off = np.abs(y - slope[:, None] * (x - middle) - intercept[:, None])
        least = 1e-3 * off.mean(axis=1, keepdims=True) + 1e-12
        slope, intercept = weighted_line(x - middle, y, 1.0 / np.maximum(off, least))
    return slope, intercept - slope * middle


def rows_of(function: str, spectrum: "xr.DataArray") -> tuple[Array, Array]:
    """Frequencies (points,) and powers (spectra, points) of a DataArray whose last dimension is frequency."""
    dims = tuple(getattr(spectrum, "dims", ()))
    if not dims or dims[-1] != "frequency":
        raise TypeError(
            f"{function}: spectrum must be a DataArray whose last dimension is frequency, as "
            f"eq.measures.power_spectrum returns, got {f'dims {dims}' if dims else type(spectrum).__name__}."
        )
    f, power = np.asarray(spectrum["frequency"].values, np.float64), np.asarray(spectrum.values, np.float64)
    if f.size < 2 or not (np.diff(f) > 0.0).all():
        raise ValueError(f"{function}: frequencies of spectrum must increase, got {f.size} of them.")
    if (power < 0.0).any():
        raise ValueError(
            f"{function}: spectrum must be power, at least 0, got {power[power < 0.0][0]:g}. "
            "Turn decibels or logarithms into power first."
        )
    return f, power.reshape(-1, f.size)


def known(spectrum: "xr.DataArray", name: str, default: float) -> float:
    """A coordinate of the spectrum that is one number, or a default where it comes from elsewhere."""
    return float(spectrum.coords[name]) if name in spectrum.coords else default


def degrees(spectrum: "xr.DataArray") -> Array:
    """Degrees of freedom of each ordinate; infinite where they are not known."""
    if "dof" in spectrum.coords:
        return np.asarray(spectrum.coords["dof"].values, np.float64)
    return np.full(spectrum.sizes["frequency"], np.inf)
