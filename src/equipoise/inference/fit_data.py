"""What a fit reads of a recording: per population and epoch the counts and irregularities of its units.

For a stationary renewal train of rate r and irregularity c the count n over T has mean r T and variance c^2 r T, and
the estimate c^ of c from m gamma intervals has

    E log c^ = log c - 2 v,    Var log c^ = v,    v = (1 + c^2)/(2 m),

and is uncorrelated with n (delta method; skewness 2 c and kurtosis 3 + 6 c^2 of gamma intervals). Recorded trains
wander more than renewal trains: two dispersions, each one number per population, multiply c^2 and v. They are medians
over units of the variances that the trains themselves show (see `measures.irregularity`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.measures import cv_local, group
from equipoise.measures.estimates import level
from equipoise.measures.irregularity import MIN_INTERVALS
from equipoise.quantities import Array, suggest
from equipoise.results import Epoch, Recording, SpikeTrains

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Observed:
    """Units of one population in one epoch: counts (n,), intervals (n,) and log c^ (n,), NaN where intervals are few.

    `duration` T [s]; `count_dispersion` multiplies the variance c^2 r T of a count, `cv_dispersion` the variance v of
    log c^, and `cv_bias` is the bias of log c^ in units of -v.
    """

    counts: Array
    intervals: Array
    log_cv: Array
    duration: float
    count_dispersion: float = 1.0
    cv_dispersion: float = 1.0
    cv_bias: float = 2.0

    @property
    def n(self) -> int:
        """Number of units."""
        return self.counts.size

    @property
    def has_cv(self) -> NDArray[np.bool_]:
        """Which units have an estimate of their irregularity (n,)."""
        return np.isfinite(self.log_cv)


def observe(spikes: SpikeTrains, units: Indices, irregularity: str) -> Observed:
    """Counts and irregularities of `units` over the window of `spikes`; "global" C_v or "local" C_v,local."""
    grouped = group(_only(spikes, units))
    values, variances = grouped.statistics("interval", "cv")
    m = grouped.n_intervals.astype(float)
    enough = m >= MIN_INTERVALS
    cv, error = values["cv"], np.sqrt(variances["cv"])
    if irregularity == "local":
        local = cv_local(_only(spikes, units))
        cv, error = local.values, np.log(local["high"].values / local.values) / level(0.95) * local.values
    with np.errstate(invalid="ignore", divide="ignore"):
        log_cv = np.where(enough & (cv > 0.0), np.log(cv), np.nan)
        wander = variances["interval"] * m / (values["interval"] * cv) ** 2
        spread = (error / cv) ** 2 * 2.0 * m / (1.0 + cv**2)
    known = np.isfinite(log_cv)
    return Observed(
        counts=grouped.n_spikes.astype(float),
        intervals=m,
        log_cv=log_cv,
        duration=spikes.duration,
        count_dispersion=max(1.0, float(np.median(wander[known]))) if known.any() else 1.0,
        cv_dispersion=max(0.1, float(np.median(spread[known]))) if known.any() else 1.0,
        cv_bias=0.0 if irregularity == "local" else 2.0,
    )


def drifting(spikes: SpikeTrains, units: Indices, seen: Observed) -> NDArray[np.bool_]:
    """Units whose counts in the two halves of the window differ beyond chance (n,), two-sided at 0.1 %.

    z = (n_1 - n_2)/sqrt(F (n_1 + n_2)) with F = c^2 times the dispersion of counts; Poisson where c is unknown.
    """
    middle = 0.5 * (spikes.t_start + spikes.t_stop)
    chosen = _only(spikes, units)
    first, second = (
        np.bincount(part.units, minlength=units.size)
        for part in (chosen.between(spikes.t_start, middle), chosen.between(middle, spikes.t_stop))
    )
    fano = np.where(seen.has_cv, np.exp(2.0 * np.nan_to_num(seen.log_cv)), 1.0) * seen.count_dispersion
    z = (first - second) / np.sqrt(np.maximum(fano * (first + second), 1.0))
    return np.abs(z) > level(0.999)


def _only(spikes: SpikeTrains, units: Indices) -> SpikeTrains:
    """The chosen units, renumbered in their order."""
    place = np.full(spikes.n_units, -1)
    place[units] = np.arange(units.size)
    new = place[spikes.units]
    kept = new >= 0
    return SpikeTrains(spikes.times[kept], new[kept], units.size, spikes.t_start, spikes.t_stop)


# Who and when ---------------------------------------------------------------------------------------------------------


def populations_of(recording: Recording, given: Any) -> dict[str, Indices]:
    """Indices of the units of each population: from a label, from {name: units}, or from the types E and I."""
    n = recording.spikes.n_units
    if n == 0:
        raise ValueError("fit: recording must have units, got none.")
    if given is None:
        types = recording.labels.get("type", ())
        return _by_label([t if t in ("E", "I") else "" for t in types]) or {"all": np.arange(n)}
    if isinstance(given, str):
        if given not in recording.labels:
            raise ValueError(
                f"fit: populations={given!r} must be a label of the units.{suggest(given, recording.labels)}"
            )
        found = _by_label(recording.labels[given])
        if not found:
            raise ValueError(f"fit: populations={given!r} must be a label that says something; all are empty.")
        return found
    if not isinstance(given, Mapping) or not given:
        wanted = "a label such as 'region', or a mapping {name: indices of units}"
        raise TypeError(f"fit: populations must be {wanted}, got {given!r}.")
    return {str(name): _indices(name, units, n) for name, units in given.items()}


def _by_label(labels) -> dict[str, Indices]:
    names = dict.fromkeys(label for label in labels if label)
    return {name: np.flatnonzero([label == name for label in labels]) for name in names}


def _indices(name: object, units: Any, n: int) -> Indices:
    chosen = np.asarray(units)
    chosen = np.flatnonzero(chosen) if chosen.dtype == bool and chosen.shape == (n,) else chosen
    whole = chosen.ndim == 1 and chosen.size and np.issubdtype(chosen.dtype, np.integer)
    if not whole or chosen.min() < 0 or chosen.max() >= n or np.unique(chosen).size != chosen.size:
        raise ValueError(
            f"fit: populations[{name!r}] must be different indices in [0, {n - 1}] or a mask ({n},), got {units!r}."
        )
    return chosen.astype(np.int64)


def epochs_of(recording: Recording, names) -> tuple[Epoch, ...]:
    """The epochs called `names`, all of them by default, or the whole recording where it has none."""
    spikes = recording.spikes
    if names is None:
        return recording.epochs or (Epoch("all", spikes.t_start, spikes.t_stop),)
    known = {epoch.name: epoch for epoch in recording.epochs}
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in known:
            raise ValueError(f"fit: epochs must be names of epochs, got {name!r}.{suggest(str(name), known)}")
    return tuple(known[name] for name in wanted)
