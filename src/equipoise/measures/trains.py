"""Spike trains laid out unit after unit, the form in which every measure reads them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.quantities import Array
from equipoise.results import Recording, SpikeTrains

ROWS = ("interval", "cv", "cv2", "lv", "lvr")


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedTrains:
    """Spikes of unit u in `times[offsets[u]:offsets[u + 1]]` [s]; `names` labels the units, `duration` is in s."""

    times: Array
    offsets: NDArray[np.int64]
    names: NDArray
    duration: float

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

    def statistics(self, refractory: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Mean interval [s], C_v, CV2, LV and LvR of each unit, and the variances of these estimates, by name."""
        n = self.n_spikes.size
        values, variances = np.empty(5 * n), np.empty(5 * n)
        _core.interval_statistics(self.times, self.offsets, refractory, values, variances)
        return _rows(values, n), _rows(variances, n)

    def short_intervals(self, limit: float) -> NDArray[np.int64]:
        """Number of intervals below `limit` [s] of each unit (n_units,)."""
        counts = np.empty(self.n_spikes.size, np.int64)
        _core.count_short_intervals(self.times, self.offsets, limit, counts)
        return counts


def _rows(flat: Array, n_units: int) -> dict[str, Array]:
    return dict(zip(ROWS, flat.reshape(len(ROWS), n_units), strict=True))


def group(trains: SpikeTrains | Recording) -> GroupedTrains:
    """Lay spike trains out unit after unit; a recording brings its unit names along."""
    if isinstance(trains, Recording):
        return _grouped(trains.spikes, np.array(trains.unit_names))
    if isinstance(trains, SpikeTrains):
        return _grouped(trains, np.arange(trains.n_units))
    raise TypeError(
        f"measures: trains must be SpikeTrains or a Recording, got {type(trains).__name__}. "
        "For the spike times of one unit use SpikeTrains.single(times, t_start=..., t_stop=...)."
    )


def _grouped(spikes: SpikeTrains, names: NDArray) -> GroupedTrains:
    times, offsets = spikes.grouped()
    return GroupedTrains(times=times, offsets=offsets, names=names, duration=spikes.duration)
