"""How many spikes of a source arrive in one step: laws of counts with mean m and variance F m, and how they are drawn.

F = 1 is Poisson. F > 1: negative binomial, which is Poisson bursts of logarithmic size. F < 1: two binomial laws of
mean m, with ceil(m/(1 - F)) trials and one fewer, mixed so that the variance is F m. Whole numbers of mean m vary by
w (1 - w) at least, w = m - floor(m); less is refused.

A count is drawn by inversion from half a random word: of the 2^16 numbers the count k has as many as fit into
2^16 P(k), and the few that are left choose with another word among the counts by what the rounding left out. So laws
are exact to 2^-32 of that rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array

Halves = NDArray[np.int16]
Ints = NDArray[np.int32]

MOST_COUNTS = 256
SMALLEST = 2.0**-44
"""Below it a count is left out: what half a word and a word resolve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CountLaws:
    """Laws of n places as thresholds.

    A number of 16 bits, read as signed, reaches as many of the thresholds as it counts; `least` (J,) are the lowest of
    all places, `thresholds` (J, n) those of each where they differ, else (0, n). Who reaches all J counts instead the
    thresholds in `rest` (law, R) that another 32 bits reach; `law` (n,) says whose law is which, empty if there is one.
    """

    least: Halves
    thresholds: Halves
    rest: Ints
    law: Ints


NO_COUNTS = CountLaws(
    least=np.empty(0, np.int16), thresholds=np.empty((0, 1), np.int16), rest=np.empty((0, 0), np.int32),
    law=np.empty(0, np.int32),
)  # fmt: skip


def laws_of(mean: Array, fano: float, source: str) -> CountLaws:
    """The laws of counts of these means (n,); ValueError where there are none, or more come than are counted."""
    means, which = np.unique(mean, return_inverse=True)
    n = max(number_of_counts(float(m), fano, source) for m in {means[0], means[-1]})
    pmf = np.array([probabilities(float(m), fano, n, source) for m in means])
    halves, rest = thresholds_of(pmf)
    if np.unique(mean[mean > 0.0]).size <= 1:
        nobody = np.empty((0, mean.size), np.int16)
        return CountLaws(least=halves[-1], thresholds=nobody, rest=rest[-1:], law=NO_COUNTS.law)
    own = np.ascontiguousarray(halves.T[:, which])
    return CountLaws(least=halves.min(axis=0), thresholds=own, rest=rest, law=which.astype(np.int32))


def number_of_counts(mean: float, fano: float, source: str) -> int:
    """How many counts are told from those that never happen; ValueError beyond what is counted."""
    from scipy.special import pdtrc

    j = np.arange(MOST_COUNTS)
    more = pdtrc(j, mean) if fano == 1.0 else 1.0 - cumulative(mean, fano, j, source)
    if (more >= SMALLEST).all():
        raise ValueError(
            f"spiking: source {source!r} gives {mean:.4g} spikes to a neuron in one step, more than are counted. "
            "Shorten dt, or take noise='gaussian'."
        )
    return int(np.count_nonzero(more >= SMALLEST)) + 1


def probabilities(mean: float, fano: float, n: int, source: str) -> Array:
    """P(count = k), k = 0 ... n - 1."""
    return np.maximum(np.diff(cumulative(mean, fano, np.arange(n), source), prepend=0.0), 0.0)


def thresholds_of(pmf: Array) -> tuple[Halves, Ints]:
    """Laws (law, n) as thresholds of 16 bits (law, J), and those of 32 bits for the rest (law, n - 1)."""
    cells = np.floor(pmf * 2.0**16)
    cells[cells.sum(axis=1) == 2.0**16, 0] -= 1.0  # so that there is a rest
    used = 1 + int(np.flatnonzero(cells.any(axis=0))[-1])
    halves = np.cumsum(cells, axis=1)[:, :used] - 2.0**15
    left = np.cumsum(pmf * 2.0**16 - cells, axis=1)
    rest = np.rint(left[:, :-1] / left[:, -1:] * 2.0**32)
    return halves.astype(np.int16), (np.minimum(rest, 2.0**32 - 1.0) - 2.0**31).astype(np.int32)


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
