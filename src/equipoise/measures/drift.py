"""Stability of single units beside that of their population: how far rates move between two stretches of a recording.

With n_u spikes of unit u in T seconds of each stretch, the change is d_u = log2 of the ratio of (n_u + 1/2)/T, and that
of the population the log2 of the ratio of summed rates. Two nulls say what such numbers are without drift:

    counting      all rates are the same in both, d_u has the error of its counts alone: that of the unit's own
                  intervals (their long-run variance, see `irregularity`), or of a Poisson count for few intervals
    independent   units drift as far as they do, but each up or down by chance (random signs of d_u): the population
                  is stable beyond chance where it moves less than then

Drift beyond counting is sqrt(<d^2> - <error^2>). Slow changes within a stretch count as drift.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.bootstrap import FEWEST, Estimate, over_units, resampled
from equipoise.measures.estimates import level
from equipoise.measures.irregularity import MIN_INTERVALS
from equipoise.measures.trains import group, same_units
from equipoise.quantities import Array, finite, seed_sequence, whole
from equipoise.results import Recording, SpikeTrains

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Drift:
    """Changes between two stretches; estimates have `value`, `low`, `high`, `n` units and `status`.

    `change` and its `error` (units,) in log2; `unit` is the median of |change|, `population` its |log2| change, `null`
    the central interval of `unit` by counting alone, `excess` the sd of drift beyond counting, `correlation` the rank
    correlation of rates, `turnover` the part of the units active in either stretch that is not active in both.
    `p_counting`: how often counting alone gives a median as large; `p_independent`: how often independent drift moves
    the population as little.
    """

    names: NDArray
    change: Array
    error: Array
    unit: Estimate
    population: Estimate
    null: tuple[float, float]
    excess: Estimate
    correlation: Estimate
    turnover: Estimate
    p_counting: float
    p_independent: float

    def dataset(self) -> "xr.Dataset":
        """Changes and errors by unit."""
        import xarray as xr

        about = {"units": "log2"}
        return xr.Dataset(
            {"change": ("unit", self.change, about), "error": ("unit", self.error, about)}, {"unit": self.names}
        )

    def __repr__(self) -> str:
        rows = [f"Drift({self.change.size} units)"]
        for name in ("unit", "population", "excess", "correlation", "turnover"):
            rows.append(f"  {name:12s}{getattr(self, name)}")
        rows.append(f"  counting     {self.null[0]:.3f} to {self.null[1]:.3f}, p {self.p_counting:.3g}")
        rows.append(f"  independent  p {self.p_independent:.3g}")
        return "\n".join(rows)


def drift(
    first: SpikeTrains | Recording,
    second: SpikeTrains | Recording,
    *,
    active: float = 0.01,
    samples: int = 2000,
    confidence: float = 0.95,
    seed: int | np.random.SeedSequence = 0,
) -> Drift:
    """Drift of the same units between two stretches; `active` [Hz] is the rate above which a unit counts as active.

    Intervals are by bootstrap over units, of `samples` draws. Raises ValueError where the units are not the same.
    Of fewer than five units nothing is known (NaN, INSUFFICIENT_DATA) but their own changes.
    """
    a, b = group(first), group(second)
    same_units("measures.drift", a, b)
    least, tail = float(finite("measures.drift", "active", active, low=0.0)), NormalDist().cdf(-level(confidence))
    n = whole("measures.drift: samples", samples, low=100, high=1_000_000)
    rng = np.random.default_rng(seed_sequence(seed))
    rates = np.array([(g.n_spikes + 0.5) / g.duration for g in (a, b)], dtype=np.float64)
    counts = np.array([g.n_spikes / g.duration for g in (a, b)])
    change = np.log2(rates[1] / rates[0])
    error = np.sqrt(sum(_relative_variance(g) for g in (a, b))) / np.log(2.0)
    found = {
        "unit": lambda i: np.median(np.abs(change[i]), axis=-1),
        "population": lambda i: np.abs(np.log2(rates[1][i].sum(axis=-1) / rates[0][i].sum(axis=-1))),
        "excess": lambda i: np.sqrt(np.maximum((change[i] ** 2).mean(axis=-1) - (error[i] ** 2).mean(axis=-1), 0.0)),
        "correlation": lambda i: _rank_correlation(rates[0][i], rates[1][i]),
        "turnover": lambda i: _turnover(counts[0][i] > least, counts[1][i] > least),
    }
    rows = resampled(change.size, n, rng)
    estimates = {name: over_units(statistic, rows, confidence) for name, statistic in found.items()}
    about = {"names": a.names, "change": change, "error": error, **estimates}
    if change.size < FEWEST:
        return Drift(**about, null=(np.nan, np.nan), p_counting=np.nan, p_independent=np.nan)
    medians = np.median(np.abs(error * rng.standard_normal((n, error.size))), axis=1)
    return Drift(
        **about, null=(float(np.quantile(medians, tail)), float(np.quantile(medians, 1.0 - tail))),
        p_counting=float((1 + (medians >= estimates["unit"].value).sum()) / (n + 1)),
        p_independent=_as_little(rates, change, n, rng),
    )  # fmt: skip


def _relative_variance(grouped) -> Array:
    """Variance of the logarithm of each unit's rate by counting."""
    values, variances = grouped.statistics("interval")
    few = (grouped.n_intervals < MIN_INTERVALS) | ~(values["interval"] > 0.0)
    own = variances["interval"] / np.where(few, 1.0, values["interval"]) ** 2
    return np.where(few, 1.0 / (grouped.n_spikes + 0.5), own)


def _as_little(rates: Array, change: Array, n: int, rng: np.random.Generator) -> float:
    """How often random signs of the changes move the population as little as it moved.

    Units keep their geometric mean rate over both stretches, from which a sign moves them half their change each way.
    """
    middle = np.sqrt(rates[0] * rates[1])
    half = 0.5 * change * rng.choice([-1.0, 1.0], (n, change.size))
    moved = np.abs(np.log2((middle * 2.0**half).sum(axis=1) / (middle * 2.0**-half).sum(axis=1)))
    seen = np.abs(np.log2(rates[1].sum() / rates[0].sum()))
    return float((1 + (moved <= seen * (1.0 + 1e-12)).sum()) / (n + 1))


def _rank_correlation(x: Array, y: Array) -> Array:
    """Spearman's, along the last axis; NaN where all are equal."""
    from scipy.stats import rankdata

    a, b = (rankdata(v, axis=-1) for v in (x, y))
    a, b = (v - v.mean(axis=-1, keepdims=True) for v in (a, b))
    power = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.where(power > 0.0, (a * b).sum(axis=-1) / np.where(power > 0.0, power, 1.0), np.nan)


def _turnover(x: NDArray[np.bool_], y: NDArray[np.bool_]) -> Array:
    """1 - |both|/|either|; NaN where none is active."""
    either = (x | y).sum(axis=-1)
    return np.where(either > 0, 1.0 - (x & y).sum(axis=-1) / np.maximum(either, 1), np.nan)
