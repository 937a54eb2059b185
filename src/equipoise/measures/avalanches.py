"""Avalanches in recorded or simulated activity, and what their sizes and durations say.

An avalanche is a run of bins above a threshold between two that are not. Independent Poisson counts have avalanches
too: their durations are geometric and their mean size is T times the mean of a bin that is not empty, so that the
crackling exponent of pure chance is exactly 1. `poisson_null` makes such activity, to be shown beside.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import dynamics
from equipoise.measures.estimates import estimate, level
from equipoise.quantities import Array, Quantity, check, finite, seed_sequence, whole
from equipoise.results import Avalanches, Recording, SpikeTrains
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr

_EXPONENT, _CRACKLING = "exponent of the power law", "exponent of the mean size of a duration"
FEWEST = 20
"""Avalanches that an exponent needs."""
SCORING_STEPS = 50
"""Of Fisher's scoring, which gains several digits in each."""
_BIN = Quantity("bin of the counts", "ms", low=0.0, high=1 * hour, open_low=True)


def activity(trains: SpikeTrains | Recording, *, bin: float) -> NDArray[np.int64]:  # noqa: A002
    """Spikes of all units together in each `bin` [s] (bins,); a rest of the window shorter than a bin is left out.

    A spike on an edge belongs to the bin that it begins, at the end of the window to the last.
    """
    spikes = trains.spikes if isinstance(trains, Recording) else trains
    if not isinstance(spikes, SpikeTrains):
        raise TypeError(f"measures.activity: trains must be SpikeTrains or a Recording, got {type(trains).__name__}.")
    width = check("measures.activity: bin", bin, _BIN)
    bins = int(np.floor(spikes.duration / width * (1.0 + 1e-12)))
    if bins == 0:
        raise ValueError(f"measures.activity: bin must fit into {spikes.duration:g} s, got {width / ms:g} ms.")
    # Spikes on a grid stay in their bins whatever rounding does to the quotient.
    place = np.floor((spikes.times - spikes.t_start) / width + 1e-9).astype(np.int64)
    place[spikes.times == spikes.t_stop] = int(np.ceil(spikes.duration / width - 1e-9)) - 1
    return np.bincount(place[place < bins], minlength=bins)


def avalanches(counts: ArrayLike, *, threshold: float = 0.0) -> Avalanches:
    """The avalanches in counts per bin (bins,): runs above `threshold`, sizes summed, durations in bins.

    One that the beginning or the end of the counts cuts off is left out.
    """
    given = _counts("measures.avalanches", counts)
    limit = float(finite("measures.avalanches", "threshold", threshold))
    edges = np.diff((given > limit).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    stops = stops[np.searchsorted(stops, starts[0], side="right") :] if starts.size else stops[:0]
    starts = starts[: stops.size]
    total = np.concatenate([[0], np.cumsum(given)])
    return Avalanches(total[stops] - total[starts], stops - starts, np.zeros(starts.size, bool))


def poisson_null(counts: ArrayLike, *, seed: int | np.random.SeedSequence) -> NDArray[np.int64]:
    """Independent Poisson counts of the same mean, as many as there are (bins,)."""
    given = _counts("measures.poisson_null", counts)
    return np.random.default_rng(seed_sequence(seed)).poisson(given.mean(), given.size)


def power_law(values: ArrayLike, *, low: int = 1, high: float = np.inf, confidence: float = 0.95) -> "xr.DataArray":
    """Maximum likelihood exponent a of P(x) = x^-a/sum_{low..high} k^-a for whole x, with its interval.

    The normalisation is exact, zeta(a, low) - zeta(a, high + 1); without an upper end a > 1. The interval is that of
    the curvature of the likelihood. Values outside [low, high] do not enter; with fewer than 20 the result is NaN and
    INSUFFICIENT_DATA. That the values follow a power law at all, it does not say. Source: Clauset, Shalizi & Newman
    2009, SIAM Rev. 51:661, Appendix B.
    """
    x = _within("measures.power_law", values, low, high)
    z = level(confidence)
    if x.size < FEWEST or (x == x[0]).all():
        return estimate("power_law", _EXPONENT, (np.nan, np.nan), x.size, z)
    top = None if np.isinf(high) else int(high)
    a = _most_likely(float(np.log(x).mean()), low, top)
    step = 1e-3
    curvature = np.diff([_log_norm(a + k * step, low, top) for k in (-1, 0, 1)], 2)[0] / step**2
    return estimate("power_law", _EXPONENT, (a, 1.0 / np.sqrt(x.size * curvature)), x.size, z)


def naive_exponent(values: ArrayLike, *, low: int = 1, high: float = np.inf) -> float:
    """The exponent 1 + n/sum log(x/low) of continuous x, often used for counts, where it is too large.

    For a = 3/2 and low = 1 it tends to 1.66 instead; `power_law` is the estimate to use. NaN where all x are `low`.
    """
    x = _within("measures.naive_exponent", values, low, high)
    logs = np.log(x / low).sum()
    return float(1.0 + x.size / logs) if logs > 0.0 else np.nan


def size_of_duration(found: Avalanches) -> "xr.Dataset":
    """Mean size of the avalanches of each duration that occurs, its standard error and how many there are."""
    import xarray as xr

    if not isinstance(found, Avalanches):
        raise TypeError(f"measures: found must be Avalanches, got {found!r}. Use measures.avalanches(counts).")
    kept = ~found.capped
    durations, place, n = np.unique(found.durations[kept], return_inverse=True, return_counts=True)
    sizes = found.sizes[kept].astype(np.float64)
    mean = np.bincount(place, sizes, durations.size) / n
    spread = np.bincount(place, (sizes - mean[place]) ** 2, durations.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(n > 1, np.sqrt(spread / (n * np.maximum(n - 1.0, 1.0))), np.nan)
    columns = {"size": ("duration", mean), "error": ("duration", error), "n": ("duration", n)}
    return xr.Dataset(columns, coords={"duration": durations})


def crackling(found: Avalanches, *, low: int = 1, high: float = np.inf, confidence: float = 0.95) -> "xr.DataArray":
    """Exponent c of the mean size of avalanches that last T, <S>(T) = a T^c, over durations in [low, high].

    By the quasi-likelihood of sizes whose spread grows as their mean: sum (S/(a T^c) - 1) (1, log T) = 0, which is
    unbiased however few avalanches last so long; the interval is from the scatter of the same terms (sandwich). Chance
    has c = 1 (`poisson_null`), the critical branching process 2 for long avalanches. With fewer than three durations
    the result is NaN and INSUFFICIENT_DATA. Source: McCullagh & Nelder 1989, Generalized Linear Models, ch. 9.
    """
    data, z = size_of_duration(found), level(confidence)
    data = data.isel(duration=((data["duration"] >= low) & (data["duration"] <= high)).values)
    n = data["n"].values.astype(np.float64)
    if n.size < 3:
        return estimate("crackling", _CRACKLING, (np.nan, np.nan), int(n.sum()), z)
    X, mean = np.column_stack([np.ones(n.size), np.log(data["duration"].values)]), data["size"].values
    inverse = np.linalg.inv(X.T @ (n[:, None] * X))
    b = inverse @ X.T @ (n * np.log(mean))
    for _ in range(SCORING_STEPS):
        b = b + inverse @ X.T @ (n * (mean / np.exp(X @ b) - 1.0))
    fitted = np.exp(X @ b)
    spread = n * ((mean / fitted - 1.0) ** 2 + (n - 1.0) * (np.nan_to_num(data["error"].values) / fitted) ** 2)
    errors = inverse @ (X.T @ (spread[:, None] * X)) @ inverse
    return estimate("crackling", _CRACKLING, (float(b[1]), float(np.sqrt(errors[1, 1]))), int(n.sum()), z)


def _log_norm(a: float, low: int, high: int | None) -> float:
    """log sum_{low..high} k^-a."""
    from scipy.special import zeta

    if high is None:
        return float(np.log(zeta(a, low)))
    if high - low < 100_000:
        return float(np.log(np.sum(np.arange(low, high + 1, dtype=np.float64) ** -a)))
    return float(np.log(np.sum(np.arange(low, low + 1000, dtype=np.float64) ** -a) + _tail(a, low + 1000, high)))


def _tail(a: float, first: int, last: int) -> float:
    """sum_{first..last} k^-a by the Euler-Maclaurin formula, good to 1e-15 from first = 1000 on."""
    x, y = float(first), float(last)
    area = np.log(y / x) if a == 1.0 else (x ** (1.0 - a) - y ** (1.0 - a)) / (a - 1.0)
    ends = 0.5 * (x**-a + y**-a) + a / 12.0 * (x ** (-a - 1.0) - y ** (-a - 1.0))
    return float(area + ends)


def _most_likely(mean_log: float, low: int, high: int | None) -> float:
    span = (1.0 + 1e-9, 20.0) if high is None else (-5.0, 20.0)
    return dynamics.lowest_point(lambda a: a * mean_log + _log_norm(a, low, high), *span)[0]


def _counts(function: str, counts: ArrayLike) -> NDArray[np.int64]:
    given = finite(function, "counts", counts, low=0.0)
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{function}: counts must be 1-D and not empty, got shape {given.shape}.")
    return given.astype(np.int64)


def _within(function: str, values: ArrayLike, low: int, high: float) -> Array:
    given = finite(function, "values", values, low=1.0)
    whole(f"{function}: low", low, low=1)
    if not np.isinf(high):
        whole(f"{function}: high", high, low=1)
    if high <= low:
        raise ValueError(f"{function}: high must exceed low={low}, got {high:g}.")
    return given[(given >= low) & (given <= high)]
