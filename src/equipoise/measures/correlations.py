"""Correlation of spike counts between units: of each pair, and on average over pairs of types.

Counts in windows of one width, side by side. In wide windows what units share slowly (arousal, drift) correlates them
as much as what they share fast; the width is part of the result.
"""

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.estimates import judged, level
from equipoise.measures.fano import MIN_WINDOWS, counted, windows_in
from equipoise.measures.trains import GroupedTrains, Trains, group
from equipoise.quantities import Array, Quantity, check, seed_sequence, whole
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr

PARTS = 20
"""Parts of the record that say how much time matters."""
_WINDOW = Quantity("counting window", unit="ms", low=0.0, high=1 * hour, open_low=True)


def count_correlation(trains: Trains, *, window: float, confidence: float = 0.95) -> "xr.DataArray":
    """Correlation r_sc of the spike counts of each pair in windows of `window` [s], dims (unit, other).

    Pearson's, with `low` and `high` by Fisher's z, which takes windows as independent. `n` windows; `status` of each
    unit is INSUFFICIENT_DATA where its count never changes, or below 20 windows; its correlations are NaN.
    """
    import xarray as xr

    grouped, z = group(trains), level(confidence)
    scores, known = _scores("measures.count_correlation", grouped, window)
    r = np.where(known[:, None] & known, np.clip(scores @ scores.T, -1.0, 1.0), np.nan)
    np.fill_diagonal(r, np.where(known, 1.0, np.nan))
    with np.errstate(divide="ignore"):
        middle, half = np.arctanh(r), z / np.sqrt(max(scores.shape[1] - 3, 1))
    dims = ("unit", "other")
    coords = {"unit": grouped.names, "other": grouped.names, "n": scores.shape[1], "status": ("unit", judged(known))}
    coords |= {"low": (dims, np.tanh(middle - half)), "high": (dims, np.tanh(middle + half))}
    attrs = {"long_name": "correlation of spike counts", "units": "1", "window": window}
    return xr.DataArray(r, dims=dims, coords=coords, name="count_correlation", attrs=attrs)


def mean_correlation(
    trains: Trains,
    *,
    window: float,
    seed: int | np.random.SeedSequence,
    samples: int = 200,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Mean count correlation over all pairs, and over pairs of types E-E, E-I and I-I, dims (pair,).

    `value` with `low` and `high`, errors over units and over time in quadrature, rather too wide than too narrow: those
    of a bootstrap over units (pairs share units, so that pairs are not resampled; a unit drawn twice makes no pair with
    itself), and those of what chance does to all pairs together, from 20 parts of the record by the influence function
    of Pearson's r. `null_low`, `null_high`: the central range where each unit is shifted in time by its own number of
    windows; `n` pairs; `status`. Types are those of a recording's labels; "all" needs none. Units whose count never
    changes do not enter; without a pair the result is NaN and INSUFFICIENT_DATA.
    """
    import xarray as xr

    grouped, z = group(trains), level(confidence)
    samples = whole("measures.mean_correlation: samples", samples, low=20)
    scores, known = _scores("measures.mean_correlation", grouped, window)
    scores, types = scores[known], grouped.types[known]
    rng = np.random.default_rng(seed_sequence(seed))
    masks = type_pairs(types)
    correlations = scores @ scores.T
    value = _means(np.ones((1, len(scores))), correlations, masks)[0]
    resampled = _means(_drawn(len(scores), samples, rng), correlations, masks)
    nulls = np.array([_shifted_means(scores, masks, rng) for _ in range(samples)])
    enough = np.isfinite(value)
    columns = {"value": value}
    over_time = value + np.outer((-1.0, 1.0), _error_over_time(scores, correlations, masks, confidence))
    for name, ends in (("", _in_quadrature(value, _ends(resampled, z), over_time)), ("null_", _ends(nulls, z))):
        columns |= {f"{name}low": np.where(enough, ends[0], np.nan), f"{name}high": np.where(enough, ends[1], np.nan)}
    pairs = [_number_of_pairs(a, b) for a, b in masks.values()]
    variables = {key: ("pair", column, {"units": "1"}) for key, column in columns.items()}
    variables |= {"n": ("pair", pairs), "status": ("pair", judged(enough))}
    return xr.Dataset(variables, coords={"pair": list(masks)}, attrs={"window": window, "windows": scores.shape[1]})


def type_pairs(types: NDArray) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """The units on either side of the pairs named "all", "E-E", "E-I" and "I-I"; types that are absent have none."""
    every = np.ones(types.size, bool)
    sides = {f"{a}-{b}": (types == a, types == b) for a, b in combinations_with_replacement("EI", 2)}
    return {"all": (every, every)} | sides


def _scores(function: str, grouped: GroupedTrains, window: float) -> tuple[Array, NDArray[np.bool_]]:
    """Counts without their mean and of length one (unit, window), and for which units that exists."""
    width = check(f"{function}.window", window, _WINDOW)
    if windows_in(grouped, width) < 2:
        raise ValueError(
            f"{function}: window must fit into {grouped.duration:g} s at least twice, got {width / ms:g} ms."
        )
    counts = counted(grouped, width)
    counts -= counts.mean(axis=1, keepdims=True)
    size = np.sqrt((counts**2).sum(axis=1))
    # A constant count leaves nothing but rounding.
    known = (size > 1e-9) & (counts.shape[1] >= MIN_WINDOWS)
    return counts / np.where(known, size, 1.0)[:, None], known


def _drawn(n: int, samples: int, rng: np.random.Generator) -> Array:
    """How often each of n units is drawn in each repeat (samples, n)."""
    places = rng.integers(0, max(n, 1), (samples, n)) + n * np.arange(samples)[:, None]
    return np.bincount(places.ravel(), minlength=samples * n).reshape(samples, n).astype(np.float64)


def _means(weights: Array, correlations: Array, masks: dict) -> Array:
    """Mean correlation of the pairs of each kind where unit u counts weights[k, u] times, (k, kinds)."""
    columns = []
    for a, b in masks.values():
        left, right = weights * a, weights * b
        own = left * right  # a unit and itself, or its copy, are no pair
        total = ((left @ correlations) * right).sum(axis=1) - own @ np.diag(correlations)
        pairs = left.sum(axis=1) * right.sum(axis=1) - own.sum(axis=1)
        columns.append(np.where(pairs > 0.5, total / np.maximum(pairs, 1.0), np.nan))
    return np.array(columns).T


def _error_over_time(scores: Array, correlations: Array, masks: dict, confidence: float) -> Array:
    """Half the interval of the mean correlation of each kind (kinds,) that finite time leaves, NaN without pairs.

    A window t adds (z_i z_j - r_ij (z_i^2 + z_j^2)/2)/windows to r_ij (Hampel 1974, J. Am. Stat. Assoc. 69:383); the
    sums over parts of the record are taken as independent.
    """
    from scipy.special import stdtrit

    edges, squares = np.arange(PARTS) * scores.shape[1] // PARTS, scores**2
    reach = float(stdtrit(PARTS - 1, 0.5 + 0.5 * confidence)) * np.sqrt(PARTS / (PARTS - 1.0))
    between = correlations - np.diag(np.diag(correlations))
    errors = []
    for a, b in masks.values():
        pairs = a.sum() * b.sum() - (a & b).sum()
        own = (a & b) + 0.5 * (a * (between @ b) + b * (between @ a))
        parts = np.add.reduceat((a @ scores) * (b @ scores) - own @ squares, edges)
        errors.append(reach * np.sqrt((parts**2).sum()) / pairs if pairs else np.nan)
    return np.array(errors)


def _in_quadrature(value: Array, one: Array, other: Array) -> Array:
    """Ends (2, kinds) of intervals about values whose errors are independent."""
    return value + np.array([[-1.0], [1.0]]) * np.hypot(one - value, other - value)


def _shifted_means(scores: Array, masks: dict, rng: np.random.Generator) -> Array:
    """Mean correlation of the pairs of each kind (kinds,) after each row is rolled by its own number of windows.

    The scores have length one, so that (sum a)(sum b) less one for each unit on both sides is the sum over pairs.
    """
    n = scores.shape[1]
    sums: dict[bytes, Array] = {side.tobytes(): np.zeros(n) for both in masks.values() for side in both}
    for u, lag in enumerate(rng.integers(0, n, len(scores))):
        for side, total in sums.items():
            if side[u]:
                total[lag:] += scores[u, : n - lag]
                total[:lag] += scores[u, n - lag :]
    means = []
    for a, b in masks.values():
        pairs, own = a.sum() * b.sum() - (a & b).sum(), (a & b).sum()
        means.append((sums[a.tobytes()] @ sums[b.tobytes()] - own) / pairs if pairs else np.nan)
    return np.array(means)


def _number_of_pairs(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> int:
    both = int((a & b).sum())
    return (int(a.sum()) * int(b.sum()) - both) // (2 if both else 1)


def _ends(table: Array, z: float) -> Array:
    """Central range of each column, NaN where a column holds no number."""
    from scipy.special import ndtr

    held = np.isfinite(table).any(axis=0) if table.size else np.zeros(table.shape[1], bool)
    ends = np.full((2, table.shape[1]), np.nan)
    ends[:, held] = np.nanquantile(table[:, held], [ndtr(-z), ndtr(z)], axis=0)
    return ends
