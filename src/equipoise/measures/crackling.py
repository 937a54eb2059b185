"""The crackling relation: how the size of avalanches grows with their duration, and what that says beside chance.

Near a critical point sizes, durations and <S>(T) ~ T^c are power laws whose exponents are related,
c = (tau_t - 1)/(tau_s - 1) (Sethna, Dahmen & Myers 2001, Nature 410:242). Independent Poisson counts have avalanches
too: geometric durations, and a mean size of T times the mean of a bin that is not empty, so that c = 1 exactly.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.estimates import CONFIDENCE, estimate, level
from equipoise.measures.power_laws import PowerLawFit, check_fit, exponents_of
from equipoise.quantities import Array, check, seed_sequence, whole
from equipoise.results import Avalanches, Status

if TYPE_CHECKING:
    import xarray as xr

_CRACKLING = "exponent of the mean size of a duration"
NEWTON_STEPS = 100


def size_of_duration(found: Avalanches) -> "xr.Dataset":
    """Mean size of the avalanches of each duration that occurs, its standard error and how many there are."""
    import xarray as xr

    _check_found(found)
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
    b, inverse = _growth(X, mean, n)
    fitted = np.exp(X @ b)
    spread = n * ((mean / fitted - 1.0) ** 2 + (n - 1.0) * (np.nan_to_num(data["error"].values) / fitted) ** 2)
    errors = inverse @ (X.T @ (spread[:, None] * X)) @ inverse
    return estimate("crackling", _CRACKLING, (float(b[1]), float(np.sqrt(errors[1, 1]))), int(n.sum()), z)


def _growth(X: Array, mean: Array, n: Array) -> tuple[NDArray, NDArray]:
    """(log a, c) and the inverse of the information, from mean sizes (durations,) of n avalanches each.

    Newton's method on the convex sum n (mean e^-eta + eta), eta = X b, whose steps change no eta by more than 1.
    """
    inverse = np.linalg.inv(X.T @ (n[:, None] * X))
    b = inverse @ X.T @ (n * np.log(mean))
    for _ in range(NEWTON_STEPS):
        weight = n * mean / np.exp(X @ b)
        step = np.linalg.solve(X.T @ (weight[:, None] * X), X.T @ (weight - n))
        b = b + step / max(1.0, float(np.abs(X @ step).max()))
        if np.abs(step).max() < 1e-11:
            return b, inverse
    return np.full(2, np.nan), inverse


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Deviation from the crackling relation, `value` = |predicted - crackling|, with its interval and its parts."""

    value: float
    low: float
    high: float
    n: int
    status: Status
    predicted: float
    crackling: float

    def __float__(self) -> float:
        return self.value


def deviation(
    found: Avalanches,
    sizes: PowerLawFit,
    durations: PowerLawFit,
    *,
    seed: int | np.random.SeedSequence,
    samples: int = 200,
    confidence: float = 0.95,
) -> Deviation:
    """Deviation from criticality coefficient |(tau_t - 1)/(tau_s - 1) - c|, 0 where the crackling relation holds.

    tau_s and tau_t are the exponents of `sizes` and `durations`, each in its range; c is that of `crackling` over the
    range of durations. The interval is that of avalanches drawn again with replacement (bootstrap, percentiles of the
    signed difference, 0 within it where it changes sign); ranges stay as they are. Avalanches cut off by a cap do not
    enter. Source: Ma et al. 2019, Neuron 104:655.
    """
    for fit in (sizes, durations):
        check_fit("measures.deviation", fit)
    _check_found(found)
    count = whole("measures.deviation: samples", samples, low=20)
    tail = 0.5 * (1.0 - check("measures.confidence", confidence, CONFIDENCE))
    pairs = _Pairs.of(found, sizes, durations)
    if not (np.isfinite(sizes.value) and np.isfinite(durations.value)) or pairs.known < 3:
        return _nothing(len(found))
    rng, n = np.random.default_rng(seed_sequence(seed)), int(pairs.counts.sum())
    predicted, exponent = pairs.exponents(pairs.counts)
    drawn = (pairs.exponents(rng.multinomial(n, pairs.counts / n).astype(np.float64)) for _ in range(count))
    many = np.array([ours - seen for ours, seen in drawn])
    many = many[np.isfinite(many)]
    if many.size < 0.9 * count or not np.isfinite(predicted - exponent):
        return _nothing(n)
    ends = np.quantile(many, [tail, 1.0 - tail])
    low = 0.0 if ends[0] <= 0.0 <= ends[1] else float(np.abs(ends).min())
    return Deviation(
        value=abs(predicted - exponent),
        low=low,
        high=float(np.abs(ends).max()),
        n=n,
        status=Status.OK,
        predicted=predicted,
        crackling=exponent,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Pairs:
    """Distinct pairs of size and duration with how often each occurs, and the ranges of the exponents."""

    size: Array
    duration: Array
    counts: Array
    sizes: PowerLawFit
    durations: PowerLawFit

    @classmethod
    def of(cls, found: Avalanches, sizes: PowerLawFit, durations: PowerLawFit) -> "_Pairs":
        pairs = np.column_stack([found.sizes, found.durations])[~found.capped].astype(np.float64)
        (size, duration), counts = _distinct(pairs)
        return cls(size=size, duration=duration, counts=counts, sizes=sizes, durations=durations)

    @property
    def long(self) -> np.ndarray:
        return (self.duration >= self.durations.x_min) & (self.duration <= self.durations.x_max)

    @property
    def known(self) -> int:
        """Number of distinct durations in their range."""
        return np.unique(self.duration[self.long]).size

    def exponents(self, counts: Array) -> tuple[float, float]:
        """(tau_t - 1)/(tau_s - 1) and c of a sample (pairs,), NaN where it has none."""
        tau_s = _exponent(self.size, counts, self.sizes)
        tau_t = _exponent(self.duration, counts, self.durations)
        return (tau_t - 1.0) / (tau_s - 1.0), self._crackling(counts)

    def _crackling(self, counts: Array) -> float:
        T, place = np.unique(self.duration[self.long], return_inverse=True)
        many = np.bincount(place, counts[self.long], T.size).astype(np.float64)
        size = np.bincount(place, counts[self.long] * self.size[self.long], T.size)
        there = many > 0
        X = np.column_stack([np.ones(T.size), np.log(T)])[there]
        return float(_growth(X, size[there] / many[there], many[there])[0][1]) if len(X) >= 3 else np.nan


def _distinct(pairs: Array) -> tuple[Array, Array]:
    """Distinct rows as columns (2, n), and how often each occurs."""
    rows, counts = np.unique(pairs, axis=0, return_counts=True) if len(pairs) else (pairs, np.empty(0))
    return rows.T, counts.astype(np.float64)


def _exponent(values: Array, counts: Array, fit: PowerLawFit) -> float:
    """Exponent of a sample within the range of a fit; NaN where nothing of it lies above the lower end."""
    here = (values >= fit.x_min) & (values <= fit.x_max)
    total = counts[here] @ np.log(values[here] / fit.x_min)
    if not total > 0.0:
        return np.nan
    return float(exponents_of(total / counts[here].sum(), fit.x_min, fit.x_max, fit.continuous)[0])


def _nothing(n: int) -> Deviation:
    nan = dict.fromkeys(("value", "low", "high", "predicted", "crackling"), np.nan)
    return Deviation(**nan, n=n, status=Status.INSUFFICIENT_DATA)


def _check_found(found: Avalanches) -> None:
    if not isinstance(found, Avalanches):
        raise TypeError(f"measures: found must be Avalanches, got {found!r}. Use measures.avalanches(counts).")
