"""Fits of shapes to spectra beside their peaks, by likelihood.

An ordinate of a spectral estimate is the true power times chi-square/dof, so that its logarithm is low on average, by
0.58 for one segment, and skewed. Whittle's likelihood knows that law: its maximum is where the ratios of estimate to
model average to one, whatever the number of segments. It takes three steps: a shape by least absolute deviations, which
peaks hardly move; the ordinates in peaks, by chance and extent (`peaks`); the maximum of the likelihood over the rest.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.lines import degrees, known, rows_of
from equipoise.measures.peaks import peaked, scatter
from equipoise.measures.shapes import Curved, Line, Shape, fit, information_of
from equipoise.quantities import Array, Quantity, check
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 8
"""Ordinates beside peaks that a fit needs."""
ROUNDS = 3
"""Times that peaks are looked for above a better model."""
CLEAR = 2.0
"""Ordinates nearer to zero than so many half widths of a line are left out: what is slower leaks into them."""
KNEE = 10.8
"""Quantile of chi-square with one degree of freedom at 0.001."""
BEND = 0.5
"""Change of the local exponent from end to end of the range beyond which there is no one exponent."""
SURE = 3.29
"""Standard errors by which such a bend is told from chance, once in a thousand."""

_FREQUENCY = Quantity("end of the range", unit="Hz", low=0.0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class Band:
    """Powers (spectra, points) at `f` between two frequencies, their relative `variance` and `correlation`."""

    f: Array
    power: Array
    variance: float
    correlation: float
    low: float
    high: float


def band_of(function: str, spectrum: "xr.DataArray", low: float, high: float) -> Band:
    """The part of spectra between two frequencies, the upper of which they must reach."""
    f, power = rows_of(function, spectrum)
    low, high = (check(f"{function}.{name}", x, _FREQUENCY) for name, x in (("low", low), ("high", high)))
    if not low < high:
        raise ValueError(f"{function}: high must be above low={low:g} Hz, got {high:g} Hz.")
    if high > f[-1] * (1.0 + 1e-9):
        raise ValueError(f"{function}: high must be at most the last frequency, {f[-1]:g} Hz, got {high:g} Hz.")
    here = (f >= max(low, CLEAR * known(spectrum, "half_width", 0.0), f[f > 0.0][0])) & (f <= high)
    variance = 2.0 / float(degrees(spectrum)[here].max(initial=1e-9))
    correlation = known(spectrum, "bin_correlation", 1.0)
    return Band(f=f[here], power=power[:, here], variance=variance, correlation=correlation, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Parameters (spectra, parameters) of a shape, log of the model's power, ordinates used, and which converged."""

    shape: Shape
    parameters: Array
    log: Array
    kept: NDArray[np.bool_]
    converged: NDArray[np.bool_]


def fitted(shape: Shape, band: Band) -> Fit:
    """Maximum of the likelihood beside peaks, which are found above ever better models."""
    x = np.log(band.f)
    parameters = shape.start(x, np.log(band.power))
    ratio = band.power * np.exp(-shape.log(x, parameters)[0]) * _median(band.variance)
    excess, kept, converged = scatter(ratio, band.variance), np.ones(ratio.shape, bool), np.zeros(len(ratio), bool)
    for _ in range(ROUNDS):
        kept = ~peaked(ratio, band.variance, band.correlation, excess)
        parameters, converged = fit(shape, x, band.power, kept, parameters)
        ratio = band.power * np.exp(-shape.log(x, parameters)[0])
    log = shape.log(x, parameters)[0]
    return Fit(shape=shape, parameters=parameters, log=log, kept=kept, converged=converged)


def _median(variance: float) -> float:
    """Median of chi-square/dof: where a median line lies in units of the mean."""
    from scipy.special import gammaincinv

    return variance * float(gammaincinv(1.0 / variance, 0.5)) if variance > 0.0 else 1.0


def dispersion(found: Fit, band: Band) -> Array:
    """Variance of the ratio of estimate to model over the ordinates used; that of chance at least."""
    free = np.maximum(found.kept.sum(axis=1) - found.parameters.shape[1], 1)
    off = found.kept * (band.power * np.exp(-found.log) - 1.0)
    return np.maximum((off**2).sum(axis=1) / free, band.variance)


def covariance_of(found: Fit, band: Band) -> Array:
    """Covariance of the parameters (spectra, parameters, parameters)."""
    information = information_of(found.shape, np.log(band.f), found.kept, found.parameters)
    return np.linalg.pinv(information) * (band.correlation * dispersion(found, band))[:, None, None]


def told(found: Fit, band: Band) -> tuple[Array, Array]:
    """What the shape's names say and its standard errors (spectra, names)."""
    values, gradients = found.shape.told(found.parameters)
    return values, np.sqrt(np.einsum("sip,spq,siq->si", gradients, covariance_of(found, band), gradients))


def r_squared(found: Fit, band: Band) -> Array:
    """Share of the variance of log power over the ordinates used that the model explains."""
    n, y = np.maximum(found.kept.sum(axis=1, keepdims=True), 1), np.log(band.power)
    spreads = []
    for z in (y - found.log, y):
        mean = (z * found.kept).sum(axis=1, keepdims=True) / n
        spreads.append((found.kept * (z - mean) ** 2).sum(axis=1))
    return 1.0 - spreads[0] / np.maximum(spreads[1], 1e-300)


def bend_of(band: Band) -> tuple[Array, NDArray[np.bool_]]:
    """How much the local exponent grows over the range (spectra,), and where by more than `BEND` beyond chance."""
    found = fitted(Curved(float(np.log(band.f[-1] / band.f[0]))), band)
    bend, error = (column[:, 0] for column in told(found, band))
    return bend, (np.abs(bend) > BEND) & (np.abs(bend) > SURE * error)


def judged(found: Fit, band: Band) -> NDArray:
    """Status of each fit."""
    status = np.full(len(band.power), Status.OK.name, dtype=object)
    if "knee" in found.shape.names:
        u, x = found.parameters[:, 2], np.log(band.f)
        status[~has_knee(found, band) | (u < x[0]) | (u > x[-1])] = Status.INFEASIBLE.name
    status[~found.converged & (status == Status.OK.name)] = Status.NOT_CONVERGED.name
    status[found.kept.sum(axis=1) < FEWEST] = Status.INSUFFICIENT_DATA.name
    return status


def has_knee(bent: Fit, band: Band) -> NDArray[np.bool_]:
    """Whether a knee lifts the likelihood over the same ordinates by more than chance does once in a thousand.

    Twice the gain, over correlation and dispersion of the ordinates, exceeds `KNEE`.
    """
    x, line = np.log(band.f), Line()
    parameters, _ = fit(line, x, band.power, bent.kept, line.start(x, np.log(band.power)))
    straight = line.log(x, parameters)[0]
    costs = [(bent.kept * (log + band.power * np.exp(-log))).sum(axis=1) for log in (straight, bent.log)]
    return 2.0 * (costs[0] - costs[1]) > KNEE * band.correlation * dispersion(bent, band)
