"""How much neurons fire together, and when all of them do."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measures.estimates import estimate, level
from equipoise.measures.trains import Trains, few_bins, group
from equipoise.quantities import Array, Quantity, check, finite, seed_sequence, whole
from equipoise.units import Hz, ms, second

if TYPE_CHECKING:
    import xarray as xr

BLOCKS = 20
"""Parts of the record that are left out in turn to know the error."""
_BIN = Quantity("bin", unit="ms", low=0.0, high=60 * second, open_low=True)
_THRESHOLD = Quantity("rate that a burst exceeds", unit="Hz", low=0.0, open_low=True)
_GAP = Quantity("silence that ends a burst", unit="ms", low=0.0, high=60 * second)


def synchrony(
    trains: Trains,
    *,
    width: float = 5 * ms,
    seed: int | np.random.SeedSequence | None = None,
    samples: int = 200,
    confidence: float = 0.95,
) -> "xr.DataArray":
    """Synchrony index chi^2 = Var(mean count)/mean(Var(count)) of spike counts in bins of `width` [s], from 1/N to 1.

    1/N where N neurons are independent (coordinate `independent`), 1 where all fire alike; it depends on the width.
    The interval is that of a jackknife over 20 parts of the record. With a `seed` also `null_low`, `null_high`, the
    central range where each train is moved in time by a number of bins of its own, which keeps its own rhythm and
    drift, and `p_value`, one-sided. NaN and INSUFFICIENT_DATA where none fires. The index of Golomb & Rinzel 1993,
    Phys. Rev. E 48:4810, of counts in place of potentials.
    """
    grouped, width, z = group(trains), check("measures.synchrony.width", width, _BIN), level(confidence)
    bins, n = few_bins("measures.synchrony", grouped.duration, width), grouped.n_spikes.size
    if bins < BLOCKS:
        raise ValueError(
            f"measures.synchrony: trains must last {BLOCKS} bins of {width / ms:g} ms or more, got "
            f"{grouped.duration:g} s."
        )
    which = np.floor((grouped.times - grouped.t_start) / width + 1e-9).astype(np.int64)
    inside = which < bins
    places = _Places(which=which[inside], units=np.repeat(np.arange(n), grouped.n_spikes)[inside], bins=bins, n=n)
    value, error = places.index()
    found = estimate("synchrony", "synchrony index chi^2 of spike counts", (value, error), n, z)
    found = found.assign_coords(independent=1.0 / max(n, 1))
    if seed is None or not np.isfinite(value):
        return found
    rng = np.random.default_rng(seed_sequence(seed))
    samples = whole("measures.synchrony: samples", samples, low=20)
    nulls = np.array([places.shifted(rng.integers(0, bins, n)) for _ in range(samples)])
    low, high = np.quantile(nulls, [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    return found.assign_coords(null_low=low, null_high=high, p_value=(1.0 + np.sum(nulls >= value)) / (samples + 1.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Places:
    """The bin and the unit of each spike, of so many bins and n units."""

    which: NDArray[np.int64]
    units: NDArray[np.int64]
    bins: int
    n: int

    def index(self) -> tuple[float, float]:
        """chi^2 and its error by the jackknife over parts of the record."""
        if self.which.size == 0:
            return np.nan, np.nan
        edges = np.arange(BLOCKS + 1) * self.bins // BLOCKS
        part = np.searchsorted(edges, self.which, side="right") - 1
        single = np.bincount(self.units * BLOCKS + part, minlength=self.n * BLOCKS).reshape(self.n, BLOCKS)
        together, counts = np.unique(self.units * self.bins + self.which, return_counts=True)
        squares = np.bincount(np.searchsorted(edges, together % self.bins, side="right") - 1, counts**2.0, BLOCKS)
        mean = np.bincount(self.which, minlength=self.bins) / self.n
        power = np.add.reduceat(mean**2, edges[:-1])
        sums = np.diff(edges), single.astype(np.float64), squares, power
        whole_record = _chi2(*(x.sum(axis=-1, keepdims=True) for x in sums))[0]
        left_out = _chi2(*(x.sum(axis=-1, keepdims=True) - x for x in sums))
        return float(whole_record), float(np.sqrt((BLOCKS - 1) * left_out.var()))

    def shifted(self, lags: NDArray[np.int64]) -> float:
        """chi^2 after each unit is moved by its lag [bins], around the end of the record."""
        moved = (self.which + lags[self.units]) % self.bins
        return float((np.bincount(moved, minlength=self.bins) / self.n).var() / self._single)

    @cached_property
    def _single(self) -> float:
        """Mean over units of the variance of their counts, which no shift changes."""
        _, counts = np.unique(self.units * self.bins + self.which, return_counts=True)
        means = np.bincount(self.units, minlength=self.n) / self.bins
        return float((counts**2.0).sum() / self.bins - means @ means) / self.n


def _chi2(bins: Array, single: Array, squares: Array, power: Array) -> Array:
    """chi^2 from numbers of bins, spikes of each unit (n, ...), sums of squared counts and of squared mean counts."""
    n, means = len(single), single / bins
    alone = squares / bins - (means**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(alone > 0.0, (power / bins - (means.sum(axis=0) / n) ** 2) * n / alone, np.nan)


def bursts(rate: ArrayLike, *, dt: float, threshold: float = 50 * Hz, gap: float = 50 * ms) -> "xr.Dataset":
    """Population bursts: stretches of a population rate (time,) [Hz], sampled every `dt` [s], above `threshold` [Hz].

    Stretches less than `gap` [s] apart are one burst. Dims (burst,): `start`, `duration` [s], `peak` [Hz], and
    `spikes`, the mean number of spikes of a neuron in it. attrs: `rate`, bursts per s [Hz], and `share` of all
    spikes in bursts.
    """
    import xarray as xr

    r = finite("measures.bursts", "rate", rate, low=0.0)
    if r.ndim != 1 or r.size == 0:
        raise ValueError(f"measures.bursts: rate must be 1-D over time, got shape {r.shape}.")
    dt, least = check("measures.bursts.dt", dt, _BIN), check("measures.bursts.threshold", threshold, _THRESHOLD)
    first, last = _stretches(r > least, round(check("measures.bursts.gap", gap, _GAP) / dt))
    parts = [r[a:b] for a, b in zip(first, last, strict=True)]
    spikes = np.array([part.sum() * dt for part in parts])
    total = r.sum() * dt
    return xr.Dataset(
        {
            "start": ("burst", first * dt, {"units": "s"}),
            "duration": ("burst", (last - first) * dt, {"units": "s"}),
            "peak": ("burst", np.array([part.max() for part in parts]), {"units": "Hz"}),
            "spikes": ("burst", spikes),
        },
        attrs={"rate": first.size / (r.size * dt), "share": float(spikes.sum() / total) if total > 0.0 else 0.0},
    )


def _stretches(above: NDArray[np.bool_], gap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one past the last sample of each stretch, those closer than `gap` samples joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]]))).astype(np.int64)
    first, last = edges[::2], edges[1::2]
    if first.size == 0:
        return first, last
    apart = first[1:] - last[:-1] >= max(gap, 1)
    return first[np.concatenate([[True], apart])], last[np.concatenate([apart, [True]])]
