"""Cross-correlograms: how often two units fire so far apart in time, against what slow changes alone would give."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.measures.correlations import type_pairs
from equipoise.measures.estimates import judged, level
from equipoise.measures.nulls import WIDTH, drawn_anew
from equipoise.measures.trains import GroupedTrains, Trains, group
from equipoise.quantities import Array, Quantity, check, seed_sequence, whole
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr

MOST = 50_000_000
"""Entries of a table of correlograms."""
_BIN = Quantity("bin of the lags", unit="ms", low=0.0, high=10 * second, open_low=True)
_LAG = Quantity("largest lag", unit="ms", low=0.0, high=600 * second)


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """A null of interval jitter: `samples` times the second unit's spikes anew within blocks of `width` [s]."""

    width: float
    seed: int | np.random.SeedSequence
    samples: int = 200

    def __post_init__(self):
        check("Jitter.width", self.width, WIDTH)
        seed_sequence(self.seed)
        whole("Jitter: samples", self.samples, low=20)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Request:
    """Pairs of trains (first, second), the rows that they add to, and the lags.

    Trains are the units and behind them one for each of `sides`, the units of a mask taken together; `own` (unit, row)
    are units on both sides of a row, whose correlogram with themselves is taken out of it.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    pairs: Array
    bin: float
    reach: int
    sides: tuple[NDArray[np.bool_], ...] = ()
    own: tuple[NDArray[np.int64], NDArray[np.int64]] = (np.empty(0, np.int64), np.empty(0, np.int64))

    def counted(self, grouped: GroupedTrains, other: GroupedTrains | None = None) -> NDArray[np.int64]:
        """Correlograms (rows, lags), of `second` in `other` where that is given."""
        times, offsets = self._trains(grouped)
        shift = 0
        if other is not None:
            shift, (more, behind) = offsets.size - 1, self._trains(other)
            times, offsets = np.concatenate([times, more]), np.concatenate([offsets, offsets[-1] + behind[1:]])

        def table(first: NDArray, second: NDArray, rows: NDArray) -> NDArray[np.int64]:
            lags = 2 * self.reach + 1
            counts = np.empty(self.pairs.size * lags, np.int64)
            _core.cross_counts(times, offsets, first, second + shift, rows, self.bin, lags, counts)
            return counts.reshape(-1, lags)

        units, rows = self.own
        found = table(self.first, self.second, np.arange(self.first.size))
        return found - table(units, units, rows) if units.size else found

    def _trains(self, grouped: GroupedTrains) -> tuple[Array, NDArray[np.int64]]:
        """Times of the units and of the sides, and where each train begins."""
        owner = np.repeat(np.arange(grouped.n_spikes.size), grouped.n_spikes)
        pools = [np.sort(grouped.times[side[owner]]) for side in self.sides]
        ends = grouped.times.size + np.cumsum([pool.size for pool in pools], dtype=np.int64)
        return np.concatenate([grouped.times, *pools]), np.concatenate([grouped.offsets, ends])

    def products(self, grouped: GroupedTrains) -> Array:
        """Sum over the pairs of units of a row of the product of their numbers of spikes (rows,)."""
        n = grouped.n_spikes
        sizes = np.concatenate([n, [n[side].sum() for side in self.sides]])
        units, rows = self.own
        repeated = np.bincount(rows, n[units] ** 2.0, self.pairs.size)
        return (sizes[self.first] * sizes[self.second] - repeated).astype(np.float64)


def cross_correlogram(
    trains: Trains,
    *,
    bin: float,  # noqa: A002
    max_lag: float,
    pairs: Sequence[tuple[Any, Any]] | None = None,
    jitter: Jitter | None = None,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Cross-correlograms of pairs of units, by default of all, dims (pair, lag).

    `counts` of spikes of `second` at a `lag` [s] after one of `first`, in bins of `bin` [s] around 0, and `covariance`
    [Hz^2] = counts/(bin (T - |lag|)) - r_first r_second, which is 0 on average for independent stationary units: the
    number of possible pairs of times that far apart in the window T is corrected for. `pairs` holds names of units; a
    unit with itself is its autocorrelogram. Of sampled times a bin of an odd number of samples has no lag on its edge.

    With `jitter` also `null_mean`; `null_low`, `null_high`, a central range at each lag; `band_low`, `band_high`, which
    a correlogram without fine timing leaves anywhere with 1 - `confidence`; and `p_value` (pair,) of its largest
    departure (Amarasingham et al. 2012, J. Neurophysiol. 107:517). `status` is INSUFFICIENT_DATA where a unit is
    silent: nothing can be said of the pair.
    """
    grouped = group(trains)
    first, second = _chosen(grouped, pairs)
    width, reach = _lags("measures.cross_correlogram", grouped, bin, max_lag, first.size)
    request = _Request(first=first, second=second, pairs=np.ones(first.size), bin=width, reach=reach)
    found = _correlograms(grouped, request, jitter, level(confidence))
    return found.assign_coords(first=("pair", grouped.names[first]), second=("pair", grouped.names[second]))


def mean_correlogram(
    trains: Trains,
    *,
    bin: float,  # noqa: A002
    max_lag: float,
    jitter: Jitter | None = None,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Correlograms added up over all pairs, and over pairs of types E-E, E-I and I-I, as `cross_correlogram`.

    `covariance` [Hz^2] is the mean over pairs. In E-I the lag is of I after E; pairs within a type, and in "all",
    enter in both orders, so that their correlogram is even.
    """
    grouped = group(trains)
    kinds, n = type_pairs(grouped.types), grouped.n_spikes.size
    width, reach = _lags("measures.mean_correlogram", grouped, bin, max_lag, len(kinds))
    both = [np.flatnonzero(a & b) for a, b in kinds.values()]
    first = n + 2 * np.arange(len(kinds))
    request = _Request(
        first=first,
        # A side taken with itself is one train, in which no spike is its own partner.
        second=first + np.array([not np.array_equal(a, b) for a, b in kinds.values()]),
        pairs=np.array([a.sum() * b.sum() - (a & b).sum() for a, b in kinds.values()], np.float64),
        bin=width,
        reach=reach,
        sides=tuple(side for pair in kinds.values() for side in pair),
        own=(np.concatenate(both), np.repeat(np.arange(len(kinds)), [units.size for units in both])),
    )
    return _correlograms(grouped, request, jitter, level(confidence)).assign_coords(pair=list(kinds))


def _chosen(grouped: GroupedTrains, pairs: Sequence[tuple[Any, Any]] | None) -> tuple[NDArray, NDArray]:
    """Indices of both units of each pair."""
    if pairs is None:
        return np.triu_indices(grouped.n_spikes.size, 1)
    places = {name: i for i, name in enumerate(grouped.names.tolist())}
    missing = [name for pair in pairs for name in pair if name not in places]
    if missing:
        raise ValueError(
            f"measures.cross_correlogram: pairs must hold names of units, got {missing[0]!r}. Units: "
            f"{', '.join(map(repr, list(places)[:10]))}{', ...' if len(places) > 10 else ''}."
        )
    table = np.array([[places[a], places[b]] for a, b in pairs], np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def _lags(function: str, grouped: GroupedTrains, width: float, longest: float, rows: int) -> tuple[float, int]:
    """Bin [s] and number of bins on either side of the middle one."""
    width, longest = check(f"{function}.bin", width, _BIN), check(f"{function}.max_lag", longest, _LAG)
    reach = int(longest / width * (1.0 + 1e-12))
    if (reach + 0.5) * width >= grouped.duration:
        raise ValueError(f"{function}: max_lag must be below {grouped.duration:g} s, the window, got {longest:g} s.")
    if rows * (2 * reach + 1) > MOST:
        raise ValueError(
            f"{function}: {rows:,} pairs at {2 * reach + 1} lags must be at most {MOST:,} numbers. Choose pairs=, a "
            "wider bin, or measures.mean_correlogram."
        )
    return width, reach


def _correlograms(grouped: GroupedTrains, request: _Request, jitter: Jitter | None, z: float) -> "xr.Dataset":
    import xarray as xr

    counts, lags = request.counted(grouped), np.arange(-request.reach, request.reach + 1) * request.bin
    duration, products = grouped.duration, request.products(grouped)
    known = products > 0.0
    rate = counts / (request.bin * (duration - np.abs(lags))) - products[:, None] / duration**2
    covariance = rate / np.maximum(request.pairs, 1.0)[:, None]
    covariance[~known] = np.nan
    variables: dict[str, Any] = {"counts": (("pair", "lag"), counts)}
    variables["covariance"] = (("pair", "lag"), covariance, {"units": "Hz^2"})
    if jitter is not None:
        variables |= _null(grouped, request, jitter, counts, z)
    variables["status"] = ("pair", judged(known))
    coords = {"lag": ("lag", lags, {"units": "s"})}
    return xr.Dataset(variables, coords=coords, attrs={"bin": request.bin, "duration": duration})


def _null(grouped: GroupedTrains, request: _Request, jitter: Jitter, counts: NDArray, z: float) -> dict[str, Any]:
    """What jitter of the second units leaves, with ranges at each lag and over all of them."""
    from scipy.special import ndtr

    if jitter.samples * counts.size > 2 * MOST or (not request.sides and (request.first == request.second).any()):
        raise ValueError(
            "measures: a null of jitter is for at most "
            f"{2 * MOST // jitter.samples:,} numbers at {jitter.samples} samples, and for pairs of two different "
            f"units, got {counts.size:,} numbers. Choose fewer pairs=."
        )
    rng = np.random.default_rng(seed_sequence(jitter.seed))
    tables = np.array([request.counted(grouped, _jittered(grouped, jitter.width, rng)) for _ in range(jitter.samples)])
    mean, sd = tables.mean(axis=0), tables.std(axis=0)
    scale = np.where(sd > 0.0, sd, 1.0)
    low, high = np.quantile(tables, [ndtr(-z), ndtr(z)], axis=0)
    furthest = (np.abs(tables - mean) / scale).max(axis=2)
    edge = np.quantile(furthest, 2.0 * ndtr(z) - 1.0, axis=0)[:, None] * scale
    beyond = furthest >= (np.abs(counts - mean) / scale).max(axis=1)
    columns = {"null_mean": mean, "null_low": low, "null_high": high, "band_low": mean - edge, "band_high": mean + edge}
    found: dict[str, Any] = {name: (("pair", "lag"), column) for name, column in columns.items()}
    return found | {"p_value": ("pair", (1.0 + beyond.sum(axis=0)) / (jitter.samples + 1.0))}


def _jittered(grouped: GroupedTrains, width: float, rng: np.random.Generator) -> GroupedTrains:
    moved = drawn_anew(grouped.times, (grouped.t_start, grouped.t_stop), width, rng)
    for first, last in pairwise(grouped.offsets):
        moved[first:last].sort()
    return replace(grouped, times=moved)
