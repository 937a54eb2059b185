"""Numbers over units with intervals by bootstrap: units are drawn again with replacement, percentiles are the ends.

Percentiles of n units are too narrow, by sqrt((n - 1)/n) and by the tails of Student's t; they are taken farther out,
at Phi(-sqrt(n/(n - 1)) t) in place of Phi(-z) (expanded percentiles; Hesterberg 2015, Am. Stat. 69:371).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.estimates import CONFIDENCE
from equipoise.quantities import Array, check
from equipoise.results import Status

Rows = NDArray[np.int64]
"""Numbers of units (m, units), one row for each time that they are drawn."""
FEWEST = 5
"""Units that an interval needs: of three or four none holds 95 %, not even from the least of them to the largest."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval, how many units (or other samples) it rests on, and what is missing."""

    value: float
    low: float
    high: float
    n: int
    status: Status = Status.OK

    def __str__(self) -> str:
        known = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return known if self.status is Status.OK else f"{self.value:.3f} ({self.status.name})"


def unknown(n: int, status: Status = Status.INSUFFICIENT_DATA) -> Estimate:
    """What the data do not tell: NaN with a status."""
    return Estimate(value=np.nan, low=np.nan, high=np.nan, n=n, status=status)


def from_samples(value: float, samples: Array, n: int, confidence: float) -> Estimate:
    """A number with the central part of its bootstrap samples; unknown where more than a tenth of them are NaN."""
    known = np.isfinite(samples)
    if not np.isfinite(value) or known.mean() < 0.9:
        return unknown(n)
    tail = beyond(n, confidence)
    low, high = np.quantile(samples[known], [tail, 1.0 - tail])
    return Estimate(value=float(value), low=float(low), high=float(high), n=n)


def beyond(n: int, confidence: float) -> float:
    """The part of the bootstrap samples of n units, two or more, that lies beyond each end of an interval."""
    from scipy.special import ndtr, stdtrit

    tail = 0.5 * (1.0 - check("measures.confidence", confidence, CONFIDENCE))
    return float(ndtr(np.sqrt(n / (n - 1.0)) * stdtrit(n - 1, tail)))


def resampled(units: int, samples: int, rng: np.random.Generator) -> Rows:
    """Rows of units (samples + 1, units): first all as they are, then each drawn with replacement."""
    return np.concatenate([np.arange(units)[None], rng.integers(0, max(units, 1), (samples, units))])


def over_units(statistic: Callable[[Rows], Array], rows: Rows, confidence: float) -> Estimate:
    """A statistic of rows of units (m, units) -> (m,), of which the first row is the data; unknown of too few units."""
    n = rows.shape[1]
    if n < FEWEST:
        return unknown(n)
    values = np.asarray(statistic(rows), dtype=np.float64)
    return from_samples(float(values[0]), values[1:], n, confidence)
