"""Which ordinates of a spectrum belong to peaks: those that chance does not lift so far above the line.

The ratio of an estimate to the true spectrum follows chi-square/dof. Averages over one, three and nine neighbours are
compared with its quantiles, so that narrow high and broad low peaks are found alike.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

WIDTHS = (1, 3, 9)
CHANCE = 0.05
"""Probability that a spectrum without peaks shows one."""
LEAST = 1.25
"""Least power over the line that counts as a peak: no spectrum is a line to a few per cent."""
EDGE = 1.05
"""A peak reaches to where the average over three ordinates comes this close to the line."""

Mask = NDArray[np.bool_]


def scatter(ratio: Array, variance: float) -> Array:
    """How many times more the lower half of each spectrum scatters about its median than chance has it, at least 1.

    Peaks lift ordinates; the lower half of log(ratio) knows nothing of them.
    """
    from scipy.special import gammaincinv

    quarter, half = np.quantile(np.log(ratio), (0.25, 0.5), axis=1)
    if variance <= 0.0:
        return np.maximum((half - quarter) / 0.6745, 1e-9)
    expected = np.log(gammaincinv(1.0 / variance, 0.5) / gammaincinv(1.0 / variance, 0.25))
    return np.maximum((half - quarter) / expected, 1.0)


def peaked(ratio: Array, variance: float, correlation: float, excess: Array) -> Mask:
    """Ordinates (spectra, points) in peaks, given power over line, relative variance and neighbours' correlation.

    `excess`: scatter of each spectrum over that of chance, or in natural logarithms where `variance` is 0.
    """
    from scipy.ndimage import binary_propagation, uniform_filter1d

    high = np.zeros(ratio.shape, bool)
    for width in WIDTHS:
        if width <= ratio.shape[1]:
            smooth = uniform_filter1d(ratio, width, axis=1, mode="nearest")
            independent = max(1.0, width / correlation)
            high |= smooth > _limit(variance / independent, excess / np.sqrt(independent), ratio.shape[1])[:, None]
    near = uniform_filter1d(ratio, min(3, ratio.shape[1]), axis=1, mode="nearest") > EDGE
    along = np.array([[False] * 3, [True] * 3, [False] * 3])
    return np.asarray(binary_propagation(high & near, structure=along, mask=near), bool)


def _limit(variance: float, excess: Array, points: int) -> Array:
    """Ratio that chance exceeds once in 1/CHANCE spectra of so many points."""
    from scipy.special import gammainccinv, ndtri

    tail = CHANCE / points
    if variance <= 0.0:
        return np.maximum(LEAST, np.exp(np.minimum(-ndtri(tail) * excess, 50.0)))
    highest = np.log(variance * gammainccinv(1.0 / variance, tail))
    return np.maximum(LEAST, np.exp(np.minimum(highest * np.maximum(excess, 1.0), 50.0)))
