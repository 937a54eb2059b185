"""How many spikes of a source arrive in one step: laws of counts with mean m and variance F m.

F = 1 is Poisson. F > 1: negative binomial, which is Poisson bursts of logarithmic size. F < 1: two binomial laws of
mean m, with ceil(m/(1 - F)) trials and one fewer, mixed so that the variance is F m. Whole numbers of mean m vary by
w (1 - w) at least, w = m - floor(m); less is refused.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

MOST_THRESHOLDS = 256
SMALLEST = 2.0**-32
"""Probabilities that 32 bits can tell from 0."""


def number_of_thresholds(mean: float, fano: float, source: str) -> int:
    """How many counts are possible; ValueError beyond what is counted."""
    from scipy.special import pdtrc

    j = np.arange(MOST_THRESHOLDS)
    more = pdtrc(j, mean) if fano == 1.0 else 1.0 - cumulative(mean, fano, j, source)
    if (more >= SMALLEST).all():
        raise ValueError(
            f"spiking: source {source!r} gives {mean:.4g} spikes to a neuron in one step, more than are counted. "
            "Shorten dt, or take noise='gaussian'."
        )
    return int(np.count_nonzero(more >= SMALLEST)) + 1


def thresholds(mean: float, fano: float, n: int, source: str) -> NDArray[np.int32]:
    """The law as thresholds 2^32 P(count <= j) - 2^31 (n,)."""
    scaled = np.rint(cumulative(mean, fano, np.arange(n), source) * 2.0**32)
    return (np.minimum(scaled, 2.0**32 - 1.0) - 2.0**31).astype(np.int32)


def cumulative(mean: float, fano: float, j: NDArray[np.int_], source: str) -> Array:
    """P(count <= j) (n,)."""
    from scipy.special import betainc, pdtr

    if fano == 1.0 or mean == 0.0:
        return pdtr(j, mean)
    if fano > 1.0:
        return betainc(mean / (fano - 1.0), j + 1.0, 1.0 / fano)
    return _regular(mean, fano, j, source)


def _regular(mean: float, fano: float, j: NDArray[np.int_], source: str) -> Array:
    """F < 1: the mixture of two laws of the same mean, with more and with less variance than F m."""
    trials, whole = int(np.ceil(mean / (1.0 - fano))), np.floor(mean)
    wide = mean * (1.0 - mean / trials)
    fewer = trials - 1 if mean <= trials - 1 else 0
    narrow = mean * (1.0 - mean / fewer) if fewer else (mean - whole) * (whole + 1.0 - mean)
    if fano * mean < narrow * (1.0 - 1e-12):
        raise ValueError(
            f"spiking: source {source!r} gives {mean:.4g} spikes to a neuron in one step on average; whole numbers "
            f"have a Fano factor of at least {narrow / mean:.3g}, got {fano:g}. Take noise='gaussian', or a longer dt."
        )
    share = (fano * mean - narrow) / (wide - narrow) if wide > narrow else 1.0
    two = np.where(j >= whole + 1.0, 1.0, np.where(j == whole, whole + 1.0 - mean, 0.0))
    return share * _binomial(mean, trials, j) + (1.0 - share) * (_binomial(mean, fewer, j) if fewer else two)


def _binomial(mean: float, trials: int, j: NDArray[np.int_]) -> Array:
    from scipy.special import bdtr

    return np.where(j >= trials, 1.0, bdtr(np.minimum(j, trials), trials, mean / trials))
