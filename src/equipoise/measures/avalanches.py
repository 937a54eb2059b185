"""Avalanches in recorded or simulated activity.

An avalanche is a run of bins above a threshold between two that are not. Its duration is their number; its size is the
spikes in them, or the distinct units that spiked. What is found depends on the bin: the convention since Beggs & Plenz
2003 (J. Neurosci. 23:11167) is the mean interval between successive spikes of all units, the default here.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import _core
from equipoise.measures.trains import few_bins
from equipoise.quantities import Quantity, check, finite
from equipoise.results import Avalanches, Recording, SpikeTrains
from equipoise.units import hour, ms

Activity = ArrayLike | SpikeTrains | Recording
"""Counts per bin (bins,), spike trains, or a recording."""

_BIN = Quantity("bin of the counts", "ms", low=0.0, high=1 * hour, open_low=True)


def activity(trains: SpikeTrains | Recording, *, bin: float) -> NDArray[np.int64]:  # noqa: A002
    """Spikes of all units together in each `bin` [s] (bins,); a rest of the window shorter than a bin is left out.

    A spike on an edge belongs to the bin that it begins, at the end of the window to the last.
    """
    spikes = spikes_of("measures.activity", trains)
    _bins("measures.activity", spikes, bin)
    counts = np.empty(few_bins("measures.activity", spikes.duration, float(bin)), np.int64)
    _core.count_spikes(spikes.times, spikes.t_start, spikes.t_stop, float(bin), counts)
    return counts


def mean_interval(trains: SpikeTrains | Recording) -> float:
    """Mean interval [s] between successive spikes of all units, from the first to the last; NaN below two spikes.

    Spikes at one time count with an interval of 0 between them.
    """
    times = spikes_of("measures.mean_interval", trains).times
    return float((times[-1] - times[0]) / (times.size - 1)) if times.size > 1 else np.nan


def avalanches(
    data: Activity,
    *,
    bin: float | None = None,  # noqa: A002
    threshold: float = 0.0,
    size: Literal["spikes", "units"] = "spikes",
) -> Avalanches:
    """The avalanches in spike trains, a recording or counts per bin (bins,): runs of bins above `threshold`.

    `threshold` is a number of spikes per bin; sizes count all spikes of the run, or with size="units" the distinct
    units that take part; durations are in bins. Spike trains are cut into bins of `bin` [s] from the beginning of the
    window, by default of their `mean_interval`; counts have theirs. An avalanche that the beginning or the end of the
    window cuts off is left out. Compiled, in one pass over the spikes, whatever the number of bins.
    """
    limit = float(finite("measures.avalanches", "threshold", threshold, low=0.0))
    if size not in ("spikes", "units"):
        raise ValueError(f"measures.avalanches: size must be 'spikes' or 'units', got {size!r}.")
    if isinstance(data, SpikeTrains | Recording):
        return _of_spikes(spikes_of("measures.avalanches", data), bin, limit, size == "units")
    if bin is not None or size == "units":
        raise ValueError(
            "measures.avalanches: counts have their bins and no units; give spike trains for bin and size."
        )
    return _of_counts(whole_counts("measures.avalanches", data), limit)


def _of_spikes(spikes: SpikeTrains, width: float | None, threshold: float, by_units: bool) -> Avalanches:
    bin_ = mean_interval(spikes) if width is None else width
    if width is None and not bin_ > 0.0:  # fewer than two times at which there are spikes
        return Avalanches(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool))
    bins, n = _bins("measures.avalanches", spikes, bin_), spikes.times.size
    sizes, durations = np.empty(n, np.int64), np.empty(n, np.int64)
    units, window = spikes.n_units if by_units else 0, (spikes.t_start, spikes.t_stop, float(bin_))
    found = _core.spike_avalanches(spikes.times, spikes.units, units, *window, bins, threshold, sizes, durations)
    return Avalanches(sizes[:found].copy(), durations[:found].copy(), np.zeros(found, bool))


def _of_counts(counts: NDArray[np.int64], threshold: float) -> Avalanches:
    edges = np.diff((counts > threshold).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    stops = stops[np.searchsorted(stops, starts[0], side="right") :] if starts.size else stops[:0]
    starts = starts[: stops.size]
    total = np.concatenate([[0], np.cumsum(counts)])
    return Avalanches(total[stops] - total[starts], stops - starts, np.zeros(starts.size, bool))


def _bins(function: str, spikes: SpikeTrains, width: float) -> int:
    """Whole bins in the window."""
    number = int(np.floor(spikes.duration / check(f"{function}: bin", width, _BIN) * (1.0 + 1e-12)))
    if number == 0:
        raise ValueError(f"{function}: bin must fit into {spikes.duration:g} s, got {width / ms:g} ms.")
    return number


def spikes_of(function: str, trains: SpikeTrains | Recording) -> SpikeTrains:
    """The spike trains of a recording, or those given."""
    spikes = trains.spikes if isinstance(trains, Recording) else trains
    if not isinstance(spikes, SpikeTrains):
        raise TypeError(f"{function}: trains must be SpikeTrains or a Recording, got {type(trains).__name__}.")
    return spikes


def whole_counts(function: str, counts: ArrayLike) -> NDArray[np.int64]:
    """Counts (bins,) as integers; the error says what else was given."""
    given = finite(function, "counts", counts, low=0.0)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{function}: counts must be 1-D and not empty, got shape {given.shape}.")
    if (given != np.floor(given)).any():
        raise ValueError(f"{function}: counts must be whole numbers, got {given[given != np.floor(given)][0]:g}.")
    return given.astype(np.int64)
