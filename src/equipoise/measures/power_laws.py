"""Power laws fitted to sizes and durations by maximum likelihood, and how well they fit.

The law is P(x) = x^-a/sum_{k = x_min .. x_max} k^-a for whole x, with its exact normalisation, or the density
x^-a/integral for continuous x. That values follow it at all, an exponent does not say: `goodness_of_fit` tells whether
a power law could have made them, `measures.likelihood_ratios` whether another law describes them better.
Source: Clauset, Shalizi & Newman 2009, SIAM Rev. 51:661.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import _core
from equipoise.measures.estimates import level
from equipoise.quantities import Array, finite, seed_sequence, whole
from equipoise.results import Status

FEWEST = 20
"""Values that an exponent needs."""
TABLE = 4096
"""Whole numbers whose probabilities are tabulated to draw from a law; beyond them its distribution is inverted."""


@dataclass(frozen=True, kw_only=True)
class PowerLawFit:
    """Exponent `value` of a power law on [x_min, x_max] with its interval, from the `n` values there.

    `distance` is that of Kolmogorov and Smirnov, over the full support; `chosen`: x_min is where it is least.
    """

    value: float
    low: float
    high: float
    n: int
    status: Status
    x_min: float
    x_max: float
    continuous: bool
    chosen: bool
    distance: float

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        if not np.isfinite(self.value):
            return f"PowerLawFit({self.status.name}, {self.n} values)"
        span = f"x >= {self.x_min:g}" if np.isinf(self.x_max) else f"{self.x_min:g} <= x <= {self.x_max:g}"
        return (
            f"PowerLawFit(exponent {self.value:.4g} in [{self.low:.4g}, {self.high:.4g}], {span}, "
            f"{self.n:,} values, KS distance {self.distance:.3g})"
        )


@dataclass(frozen=True, kw_only=True)
class Goodness:
    """Share `p` of `samples` made by the fitted law that lie farther from their own fit than the data from theirs."""

    p: float
    distance: float
    samples: int
    status: Status


@dataclass(frozen=True, eq=False)
class Sample:
    """Distinct values in rising order, how often each occurs, and the law's kind and upper end."""

    x: Array
    counts: Array
    x_max: float
    continuous: bool

    @property
    def n(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def tail(self, x_min: float) -> "Sample":
        """The values from `x_min` on."""
        first = int(np.searchsorted(self.x, x_min))
        return Sample(self.x[first:], self.counts[first:], self.x_max, self.continuous)

    def nearest(self, lows: Array) -> tuple[float, float, float]:
        """Of the lower ends the one with the least distance, its exponent and the distance."""
        result = np.empty(3)
        _core.power_law_scan(self.x, self.counts, lows, self.x_max, int(self.continuous), result)
        return float(lows[int(result[0])]), float(result[1]), float(result[2])

    def lower_ends(self) -> Array:
        """The values from which on there are 20 or more, not all alike."""
        from_here = self.counts[::-1].cumsum()[::-1]
        return self.x[:-1][from_here[:-1] >= FEWEST]


def power_law(
    values: ArrayLike,
    *,
    x_min: float | None = 1,
    x_max: float = np.inf,
    continuous: bool = False,
    confidence: float = 0.95,
) -> PowerLawFit:
    """Exponent a of P(x) ~ x^-a on [x_min, x_max] by maximum likelihood, with its interval.

    x_min = None takes the value from which on the Kolmogorov-Smirnov distance is least. Values (any shape) outside the
    range do not enter; without an upper end a > 1. The interval is that of the curvature of the likelihood at this
    x_min, whose own uncertainty is not in it. Fewer than 20 values, or values that are all alike, give NaN and
    INSUFFICIENT_DATA. Taking counts for `continuous` values is a common mistake: for a = 3/2 from 1 on it gives 1.66.
    Source: Clauset et al. 2009, Sec. 3 and Appendix B.
    """
    z = level(confidence)
    sample = as_sample("measures.power_law", values, x_min, x_max, continuous)
    chosen = x_min is None
    lows = sample.lower_ends() if chosen else np.array([float(x_min)])
    tail = sample if chosen else sample.tail(lows[0])
    about = {"x_max": float(x_max), "continuous": bool(continuous), "chosen": chosen}
    if lows.size == 0 or tail.n < FEWEST or tail.x.size < 2:
        nothing = dict.fromkeys(("value", "low", "high", "distance"), np.nan)
        return PowerLawFit(**nothing, n=tail.n, status=Status.INSUFFICIENT_DATA, x_min=x_min or np.nan, **about)
    start, value, distance = sample.nearest(lows)
    tail = sample.tail(start)
    information = exponents_of(mean_log(tail, start), start, x_max, continuous)[1]
    reach = z / float(np.sqrt(tail.n * information))
    ends = {"low": value - reach, "high": value + reach}
    return PowerLawFit(value=value, **ends, n=tail.n, status=Status.OK, x_min=start, distance=distance, **about)


def mean_log(sample: Sample, x_min: float) -> float:
    """Mean of log(x/x_min) over a sample."""
    return float(sample.counts @ np.log(sample.x / x_min) / sample.counts.sum())


def exponents_of(mean_logs: ArrayLike, x_min: float, x_max: float, continuous: bool) -> tuple[Array, Array]:
    """Most likely exponents for means of log(x/x_min) and the Fisher information of one value, of the same shape."""
    given = np.asarray(mean_logs, np.float64)
    found, curvatures = np.empty(given.size), np.empty(given.size)
    _core.power_law_exponents(given.ravel(), x_min, x_max, int(continuous), found, curvatures)
    return found.reshape(given.shape), curvatures.reshape(given.shape)


def goodness_of_fit(
    values: ArrayLike, fit: PowerLawFit, *, seed: int | np.random.SeedSequence, samples: int = 1000
) -> Goodness:
    """How often a power law makes values that lie as far from their fit as these: the semi-parametric bootstrap.

    Each sample draws its values above x_min from the fitted law, those below from the data, and is fitted as the data
    were, x_min too where that was chosen. A small p speaks against the power law (Clauset et al. refuse it at
    p <= 0.1); its error is at most 0.5/sqrt(samples). Source: Clauset et al. 2009, Sec. 4.
    """
    check_fit("measures.goodness_of_fit", fit)
    count = whole("measures.goodness_of_fit: samples", samples, low=20)
    if not np.isfinite(fit.value):
        return Goodness(p=np.nan, distance=np.nan, samples=0, status=fit.status)
    given = as_sample("measures.goodness_of_fit", values, fit.x_min, fit.x_max, fit.continuous, whole_range=True)
    rng, farther = np.random.default_rng(seed_sequence(seed)), 0
    for _ in range(count):
        drawn = _like(given, fit, rng)
        lows = drawn.lower_ends() if fit.chosen else np.array([fit.x_min])
        farther += lows.size > 0 and drawn.nearest(lows)[2] >= fit.distance
    return Goodness(p=farther / count, distance=fit.distance, samples=count, status=Status.OK)


def _like(given: Sample, fit: PowerLawFit, rng: np.random.Generator) -> Sample:
    """As many values as given: each from the law with the share of the tail, else from those below it."""
    below = given.counts * (given.x < fit.x_min)
    n, tail = given.n, given.tail(fit.x_min).n
    n_tail = int(rng.binomial(n, tail / n)) if fit.chosen else tail
    x, counts = np.unique(draw(fit, n_tail, rng), return_counts=True)
    counts = counts.astype(np.float64)
    if fit.chosen and below.any():
        lower = rng.multinomial(n - n_tail, below / below.sum()).astype(np.float64)
        x, counts = np.concatenate([given.x[lower > 0], x]), np.concatenate([lower[lower > 0], counts])
    return Sample(x, counts, given.x_max, given.continuous)


def draw(fit: PowerLawFit, n: int, rng: np.random.Generator) -> Array:
    """Draw `n` values from a fitted law, by inversion of its distribution."""
    left = rng.random(n)
    a, low, high = fit.value, fit.x_min, fit.x_max
    if fit.continuous:
        end = 0.0 if np.isinf(high) else (high / low) ** (1.0 - a)
        return np.clip(low * (end + left * (1.0 - end)) ** (1.0 / (1.0 - a)), low, high)
    size = int(min(high - low + 1, TABLE))
    survival = weights_of(fit, low + np.arange(size + 1.0))
    survival /= survival[0]
    # P(X > x) <= left < P(X >= x), so that x is drawn with its probability.
    place = size + 1 - np.searchsorted(survival[::-1], left, side="right")
    drawn: NDArray = low + place - 1.0
    beyond = place > size
    if beyond.any():
        drawn[beyond] = _inverted(fit, left[beyond] * float(weights_of(fit, np.array([low]))[0]))
    return drawn


def _inverted(fit: PowerLawFit, weight: Array) -> NDArray:
    """The largest whole numbers, to the digits of a float, from which on the law has more than these weights."""
    low = np.full(weight.size, np.log(fit.x_min + TABLE - 1.0))
    high = np.full(weight.size, np.log(min(fit.x_max, 1e300)))
    for _ in range(60):
        middle = 0.5 * (low + high)
        more = weights_of(fit, np.floor(np.exp(middle))) > weight
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.floor(np.exp(low))


def weights_of(fit: PowerLawFit, starts: Array) -> Array:
    """Sums or integrals of (x/x_min)^-a from each of `starts` (n,) to x_max."""
    weights = np.empty(starts.size)
    _core.power_law_weights(fit.value, fit.x_min, fit.x_max, int(fit.continuous), starts, weights)
    return weights


def as_sample(
    function: str,
    values: ArrayLike,
    x_min: float | None,
    x_max: float,
    continuous: bool,
    *,
    whole_range: bool = False,
) -> Sample:
    """The values up to x_max, and from x_min on where one is given and not the `whole_range` is wanted, counted."""
    least = 0.0 if continuous else 1.0
    given = finite(function, "values", values, low=least, open_low=continuous).ravel()
    if not continuous and (given != np.floor(given)).any():
        bad = given[given != np.floor(given)][0]
        raise ValueError(f"{function}: values must be whole numbers, got {bad:g}. Use continuous=True.")
    _check_ends(function, x_min, x_max, continuous)
    kept = given[given <= x_max]
    if x_min is not None and not whole_range:
        kept = kept[kept >= x_min]
    x, counts = np.unique(kept, return_counts=True)
    return Sample(x, counts.astype(np.float64), float(x_max), bool(continuous))


def _check_ends(function: str, x_min: float | None, x_max: float, continuous: bool) -> None:
    for name, end in (("x_min", x_min), ("x_max", x_max)):
        if end is None and name == "x_max":
            raise TypeError(f"{function}: x_max must be a number, got None. Without an upper end leave it out.")
        if end is None or (end == np.inf and name == "x_max"):
            continue
        if continuous:
            finite(function, name, end, low=0.0, open_low=True)
        else:
            whole(f"{function}: {name}", end, low=1)
    if x_min is not None and not x_max > x_min:
        raise ValueError(f"{function}: x_max must exceed x_min={x_min:g}, got {x_max:g}.")


def check_fit(function: str, fit: PowerLawFit) -> None:
    """TypeError where `fit` is none."""
    if not isinstance(fit, PowerLawFit):
        raise TypeError(f"{function}: fit must be a PowerLawFit, got {fit!r}. Use measures.power_law(values).")
