"""Spike trains laid out unit after unit, the form in which every measure reads them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.quantities import Array
from equipoise.results import Recording, SpikeTrains

Trains: TypeAlias = "SpikeTrains | Recording | GroupedTrains"
MOST_NUMBERS = 10**9
"""Counts that are held at a time at most, 8 GB."""
ROWS: tuple[str, ...] = ("interval", "cv", "cv2", "lv", "lvr")


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedTrains:
    """Spikes of unit u in `times[offsets[u]:offsets[u + 1]]` [s], within [t_start, t_stop]; `names` labels the units.

    `types` says of each unit whether it is "E", "I" or neither, "".
    """

    times: Array
    offsets: NDArray[np.int64]
    names: NDArray
    types: NDArray
    t_start: float
    t_stop: float

    @property
    def duration(self) -> float:
        """Length of the window [s]."""
        return self.t_stop - self.t_start

    @property
    def n_spikes(self) -> NDArray[np.int64]:
        """Number of spikes of each unit (n_units,)."""
        return np.diff(self.offsets)

    @cached_property
    def n_intervals(self) -> NDArray[np.int64]:
        """Number of interspike intervals of each unit (n_units,)."""
        return np.maximum(self.n_spikes - 1, 0)

    def unit(self, index: int) -> Array:
        """Spike times of one unit (n,) [s]."""
        return self.times[self.offsets[index] : self.offsets[index + 1]]

    def statistics(self, *rows: str, refractory: float = 0.0) -> tuple[dict[str, Array], dict[str, Array]]:
        """Those named of `ROWS` of each unit, by default all, and the variances of these estimates, by name.

        Mean interval [s], C_v, CV2, LV and LvR with R = `refractory` [s]; NaN below two intervals. Two neighbouring
        intervals of zero length are equal: their difference counts as zero.
        """
        names, n = rows or ROWS, self.n_spikes.size
        values, variances = np.empty(len(ROWS) * n), np.empty(len(ROWS) * n)
        wanted = sum(1 << ROWS.index(name) for name in names)
        _core.interval_statistics(self.times, self.offsets, refractory, wanted, values, variances)
        tables = [dict(zip(ROWS, flat.reshape(len(ROWS), n), strict=True)) for flat in (values, variances)]
        return tables[0], tables[1]

    def short_intervals(self, limit: float) -> NDArray[np.int64]:
        """Number of intervals below `limit` [s] of each unit (n_units,)."""
        counts = np.empty(self.n_spikes.size, np.int64)
        _core.count_short_intervals(self.times, self.offsets, limit, counts)
        return counts


def group(trains: Trains) -> GroupedTrains:
    """Lay spike trains out unit after unit; a recording brings the names and types of its units along.

    Every measure takes what comes back in place of the trains, so that several measures need one pass.
    """
    if isinstance(trains, GroupedTrains):
        return trains
    if isinstance(trains, Recording):
        n = len(trains.unit_names)
        types = np.array(trains.labels.get("type", ("",) * n), dtype=str)
        return _grouped(trains.spikes, np.array(trains.unit_names), types)
    if isinstance(trains, SpikeTrains):
        return _grouped(trains, np.arange(trains.n_units), np.full(trains.n_units, ""))
    raise TypeError(
        f"measures: trains must be SpikeTrains or a Recording, got {type(trains).__name__}. "
        "For the spike times of one unit use SpikeTrains.single(times, t_start=..., t_stop=...)."
    )


def same_units(function: str, *groups: GroupedTrains) -> None:
    """ValueError where stretches of a recording do not hold the same units in the same order."""
    first = groups[0].names
    for other in (g.names for g in groups[1:]):
        if other.size != first.size:
            raise ValueError(f"{function}: all must have the same units, got {first.size} and {other.size} units.")
        # Trains without a recording have numbers for names, which say nothing.
        if other.dtype.kind == first.dtype.kind and (other != first).any():
            at = int(np.argmax(other != first))
            raise ValueError(
                f"{function}: all must have the same units in the same order, got {first[at]} and {other[at]}."
            )


def few_bins(function: str, duration: float, width: float, rows: int = 1) -> int:
    """Whole bins of `width` [s] in `duration` [s]; ValueError where `rows` of them are more than `MOST_NUMBERS`."""
    bins = int(duration / width * (1.0 + 1e-12))
    if bins * rows > MOST_NUMBERS:
        raise ValueError(
            f"{function}: {duration:g} s in bins of {width:g} s are {bins * rows:.2g} counts, more than "
            f"{MOST_NUMBERS:.0e}. Take wider bins; times are in s."
        )
    return bins


def _grouped(spikes: SpikeTrains, names: NDArray, types: NDArray) -> GroupedTrains:
    times, offsets = spikes.grouped()
    return GroupedTrains(
        times=times, offsets=offsets, names=names, types=types, t_start=spikes.t_start, t_stop=spikes.t_stop
    )
