"""How much neurons fire together, and when all of them do."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measures.trains import group
from equipoise.quantities import Quantity, check, finite
from equipoise.results import Recording, SpikeTrains
from equipoise.units import Hz, ms, second

if TYPE_CHECKING:
    import xarray as xr

_BIN = Quantity("bin", unit="ms", low=0.0, high=60 * second, open_low=True)
_THRESHOLD = Quantity("rate that a burst exceeds", unit="Hz", low=0.0, open_low=True)
_GAP = Quantity("silence that ends a burst", unit="ms", low=0.0, high=60 * second)


def synchrony(trains: SpikeTrains | Recording, *, width: float = 5 * ms) -> float:
    """Synchrony index chi^2 = Var(mean count)/mean(Var(count)) of spike counts in bins of `width` [s], from 1/N to 1.

    1/N where N neurons are independent, 1 where all fire alike; NaN where none fires. The index of Golomb & Rinzel
    1993, Phys. Rev. E 48:4810, of counts in place of potentials. It depends on the width, less no chance level.
    """
    grouped, width = group(trains), check("measures.synchrony.width", width, _BIN)
    bins, n = int(grouped.duration / width), grouped.n_spikes.size
    if bins < 2:
        raise ValueError(
            f"measures.synchrony: trains must last two bins of {width / ms:g} ms or more, got {grouped.duration:g} s."
        )
    start = trains.spikes.t_start if isinstance(trains, Recording) else trains.t_start
    which = ((grouped.times - start) / width).astype(np.int64)
    units = np.repeat(np.arange(n), grouped.n_spikes)
    inside = which < bins
    squares = _sum_of_squares(units[inside] * bins + which[inside])
    counts = np.bincount(units[inside], minlength=n) / bins
    single = squares / bins - float(counts @ counts)  # sum over neurons of the variance
    mean = np.bincount(which[inside], minlength=bins) / n
    return float(mean.var() * n / single) if single > 0.0 else float("nan")


def _sum_of_squares(places: NDArray[np.int64]) -> float:
    """Sum of squared counts, of which most are 0."""
    _, counts = np.unique(places, return_counts=True)
    return float((counts.astype(np.float64) ** 2).sum())


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
