"""The same spikes with one thing taken away: what a measure of coordination gives by chance.

`shifted` keeps each train as it is, with its intervals and slow changes, and takes away when it happened relative to
the others. `jittered` keeps slow changes that units share, and takes away all that is faster than its width.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from equipoise.measures.trains import group
from equipoise.quantities import Array, Quantity, check, seed_sequence
from equipoise.results import Recording, SpikeTrains
from equipoise.units import hour

WIDTH = Quantity("width of the jitter", unit="ms", low=0.0, high=1 * hour, open_low=True)
_Data = TypeVar("_Data", SpikeTrains, Recording)


def shifted(trains: _Data, *, seed: int | np.random.SeedSequence) -> _Data:
    """Each unit moved in time by its own uniform lag, what leaves the window at its end coming in at its start.

    The interval that is cut and the one that is joined are the only ones that change.
    """
    spikes, rng = _spikes(trains), np.random.default_rng(seed_sequence(seed))
    lags = rng.uniform(0.0, spikes.duration, spikes.n_units)
    moved = spikes.t_start + np.mod(spikes.times - spikes.t_start + lags[spikes.units], spikes.duration)
    return _with(trains, moved)


def jittered(trains: _Data, *, width: float, seed: int | np.random.SeedSequence) -> _Data:
    """Each spike drawn anew, uniformly within its block of `width` [s] of a grid from the start of the window.

    Interval jitter: counts in the blocks stay what they are (Amarasingham, Harrison, Hatsopoulos & Geman 2012,
    J. Neurophysiol. 107:517).
    """
    spikes, rng = _spikes(trains), np.random.default_rng(seed_sequence(seed))
    moved = drawn_anew(
        spikes.times, (spikes.t_start, spikes.t_stop), check("measures.jittered.width", width, WIDTH), rng
    )
    return _with(trains, moved)


def drawn_anew(times: Array, window: tuple[float, float], width: float, rng: np.random.Generator) -> Array:
    """Times [s] that are uniform within the blocks of the given ones, in their order; the last block may be shorter."""
    start, stop = window
    block = start + width * np.floor((times - start) / width)
    return block + np.maximum(np.minimum(block + width, stop) - block, 0.0) * rng.random(times.size)


def _spikes(trains: SpikeTrains | Recording) -> SpikeTrains:
    if isinstance(trains, Recording):
        return trains.spikes
    if isinstance(trains, SpikeTrains):
        return trains
    group(trains)  # says what trains must be
    raise TypeError("measures: a null needs SpikeTrains or a Recording, not trains that are grouped.")


def _with(trains: _Data, moved: Array) -> _Data:
    """The same data with other times."""
    spikes = _spikes(trains)
    order = np.argsort(moved, kind="stable")
    times = np.clip(moved[order], spikes.t_start, spikes.t_stop)
    new = replace(spikes, times=times, units=spikes.units[order])
    return replace(trains, spikes=new) if isinstance(trains, Recording) else new  # type: ignore[return-value]
