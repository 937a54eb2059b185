"""Activity with one property taken away, to be shown beside a measure, and parts of what was recorded.

    poisson_null    independent Poisson spikes of the same mean rates: no structure in time, no units together
    rate_null       the same slow rates, with all that is faster than `width` taken away
    interval_null   each unit's own intervals in random order: the law of its intervals, no units together
    shift_null      each unit moved around the window by its own random time: its own structure, no units together
    jitter_null     each spike anew within its block of `width`: what is slower stays, what is faster goes
    label_null      the same times with the units dealt anew: the activity of all, and each unit's number of spikes

Each takes spike trains or a recording and returns spike trains with the same window and units; the first two also take
counts per bin (bins,) and return counts.
"""

from collections.abc import Callable
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measures.avalanches import Activity, spikes_of, whole_counts
from equipoise.measures.trains import group
from equipoise.quantities import Array, Quantity, check, finite, seed_sequence
from equipoise.results import Recording, SpikeTrains
from equipoise.units import hour

WIDTH = Quantity("width of the jitter", unit="ms", low=0.0, high=1 * hour, open_low=True)
_SHARE = Quantity("share that is kept", low=0.0, high=1.0, open_low=True)

Seed = int | np.random.SeedSequence


@overload
def poisson_null(data: SpikeTrains | Recording, *, seed: Seed) -> SpikeTrains: ...
@overload
def poisson_null(data: ArrayLike, *, seed: Seed) -> NDArray[np.int64]: ...
def poisson_null(data: Activity, *, seed: Seed) -> SpikeTrains | NDArray[np.int64]:
    """Independent Poisson spikes with the mean rate of each unit, or independent Poisson counts of the same mean."""
    rng = np.random.default_rng(seed_sequence(seed))
    if not isinstance(data, SpikeTrains | Recording):
        counts = whole_counts("measures.poisson_null", data)
        return rng.poisson(counts.mean(), counts.size)
    spikes = spikes_of("measures.poisson_null", data)
    numbers = rng.poisson(np.bincount(spikes.units, minlength=spikes.n_units))
    times = rng.uniform(spikes.t_start, spikes.t_stop, numbers.sum())
    return _sorted(times, np.repeat(np.arange(spikes.n_units), numbers), spikes)


@overload
def rate_null(data: SpikeTrains | Recording, *, width: float, seed: Seed) -> SpikeTrains: ...
@overload
def rate_null(data: ArrayLike, *, width: float, seed: Seed) -> NDArray[np.int64]: ...
def rate_null(data: Activity, *, width: float, seed: Seed) -> SpikeTrains | NDArray[np.int64]:
    """Each spike moved by an independent Gaussian of sd `width` ([s]; bins for counts), reflected at the window's ends.

    What comes out is inhomogeneous Poisson with the rate smoothed over `width`, as long as a bin holds little of a
    spike's displacement, and holds the noise of that rate no more than once; see `displaced`.
    """
    reach = float(finite("measures.rate_null", "width", width, low=0.0, open_low=True))
    rng = np.random.default_rng(seed_sequence(seed))
    if not isinstance(data, SpikeTrains | Recording):
        counts = whole_counts("measures.rate_null", data)
        places = np.repeat(np.arange(counts.size), counts) + rng.random(counts.sum())
        moved = displaced(places, width=reach, window=(0.0, float(counts.size)), rng=rng)
        return np.bincount(np.minimum(moved.astype(np.int64), counts.size - 1), minlength=counts.size)
    spikes = spikes_of("measures.rate_null", data)
    window = spikes.t_start, spikes.t_stop
    return _by_unit(data, lambda times: displaced(times, width=reach, window=window, rng=rng))


def interval_null(data: SpikeTrains | Recording, *, seed: Seed) -> SpikeTrains:
    """The first spike of each unit and its intervals in random order; a unit's number of spikes and law of T stay."""
    rng = np.random.default_rng(seed_sequence(seed))
    return _by_unit(data, lambda times: shuffled(times, rng))


def shift_null(data: SpikeTrains | Recording, *, seed: Seed) -> SpikeTrains:
    """Each unit moved by its own random time around the window: its own structure stays but for one seam."""
    spikes, rng = spikes_of("measures.shift_null", data), np.random.default_rng(seed_sequence(seed))
    moved = spikes.times - spikes.t_start + rng.uniform(0.0, spikes.duration, spikes.n_units)[spikes.units]
    times = np.minimum(spikes.t_start + np.mod(moved, spikes.duration), spikes.t_stop)
    return _sorted(times, spikes.units, spikes)


def jitter_null(data: SpikeTrains | Recording, *, width: float, seed: Seed) -> SpikeTrains:
    """Each spike drawn anew, uniformly within its block of `width` [s] of a grid from the start of the window.

    Interval jitter: counts in the blocks stay what they are (Amarasingham, Harrison, Hatsopoulos & Geman 2012,
    J. Neurophysiol. 107:517).
    """
    spikes, rng = spikes_of("measures.jitter_null", data), np.random.default_rng(seed_sequence(seed))
    blocks = check("measures.jitter_null: width", width, WIDTH)
    return _sorted(drawn_anew(spikes.times, (spikes.t_start, spikes.t_stop), blocks, rng), spikes.units, spikes)


def drawn_anew(times: Array, window: tuple[float, float], width: float, rng: np.random.Generator) -> Array:
    """Times [s] that are uniform within the blocks of the given ones, in their order; the last block may be shorter."""
    start, stop = window
    block = start + width * np.floor((times - start) / width)
    return np.clip(
        block + np.maximum(np.minimum(block + width, stop) - block, 0.0) * rng.random(times.size), start, stop
    )


def label_null(data: SpikeTrains | Recording, *, seed: Seed) -> SpikeTrains:
    """The same spike times with the units dealt anew: each unit keeps its number of spikes, the whole its activity."""
    spikes, rng = spikes_of("measures.label_null", data), np.random.default_rng(seed_sequence(seed))
    return SpikeTrains(spikes.times, rng.permutation(spikes.units), spikes.n_units, spikes.t_start, spikes.t_stop)


def thin_spikes(data: SpikeTrains | Recording, share: float, *, seed: Seed) -> SpikeTrains:
    """Each spike kept with probability `share`, independently: what binomial subsampling leaves."""
    kept = check("measures.thin_spikes: share", share, _SHARE)
    spikes, rng = spikes_of("measures.thin_spikes", data), np.random.default_rng(seed_sequence(seed))
    here = rng.random(spikes.times.size) < kept
    return SpikeTrains(spikes.times[here], spikes.units[here], spikes.n_units, spikes.t_start, spikes.t_stop)


def thin_units(data: SpikeTrains | Recording, share: float, *, seed: Seed) -> SpikeTrains:
    """A random `share` of the units, one at least of those there are, numbered anew in their old order."""
    kept = check("measures.thin_units: share", share, _SHARE)
    spikes, rng = spikes_of("measures.thin_units", data), np.random.default_rng(seed_sequence(seed))
    number = min(max(1, round(kept * spikes.n_units)), spikes.n_units)
    chosen = np.sort(rng.permutation(spikes.n_units)[:number])
    place = np.full(spikes.n_units, -1)
    place[chosen] = np.arange(number)
    new = place[spikes.units]
    return SpikeTrains(spikes.times[new >= 0], new[new >= 0], number, spikes.t_start, spikes.t_stop)


def shuffled(times: Array, rng: np.random.Generator) -> Array:
    """The same first spike and the same intervals in random order: serial correlation removed, the law of T kept."""
    if times.size < 3:
        return times
    # The running sum can end a rounding error past the last spike, and with it past the window.
    later = np.minimum(times[0] + np.cumsum(rng.permutation(np.diff(times))), times[-1])
    return np.concatenate([times[:1], later])


def displaced(times: Array, *, width: float, window: tuple[float, float], rng: np.random.Generator) -> Array:
    """Each spike moved by an independent Gaussian of sd `width` [s], reflected at the ends of the window.

    For a Poisson train this is again a Poisson train, whose rate is the old one smoothed by the Gaussian kernel
    (displacement theorem; Kingman 1993, Poisson Processes). Drawing a new train from the smoothed rate instead would
    take the noise of that estimate for modulation: it adds eta^2 tau^2 r/(2 sqrt(pi) width) to the second moment of
    calcium, 4 % at 5 Hz, 1 s and no buffering, where there is none.
    """
    start, stop = window
    span = stop - start
    moved = np.mod(times + width * rng.standard_normal(times.size) - start, 2.0 * span)
    return np.sort(np.clip(start + span - np.abs(moved - span), start, stop))


def _by_unit(data: SpikeTrains | Recording, change: Callable[[Array], Array]) -> SpikeTrains:
    grouped, spikes = group(data), spikes_of("measures", data)
    times = [change(grouped.unit(u)) for u in range(spikes.n_units)]
    units = np.repeat(np.arange(spikes.n_units), grouped.n_spikes)
    return _sorted(np.concatenate([*times, np.empty(0)]), units, spikes)


def _sorted(times: Array, units: NDArray[np.int64], like: SpikeTrains) -> SpikeTrains:
    order = np.argsort(times, kind="stable")
    return SpikeTrains(times[order], units[order], like.n_units, like.t_start, like.t_stop)
