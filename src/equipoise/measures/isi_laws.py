"""Laws of the interspike interval fitted to spike trains by maximum likelihood, compared and tested.

What is fitted are renewal laws: intervals are taken as independent and of one law over the window. Where the rate
drifts, or neighbouring intervals are correlated, the best law still describes all intervals together, but C_v is the
global one, and the p-values, which count every interval, reject any law.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.measures import isi_likelihoods as likelihoods
from equipoise.measures.estimates import level, positive_interval
from equipoise.measures.irregularity import MIN_INTERVALS
from equipoise.measures.isi_likelihoods import Fit, Sums
from equipoise.measures.trains import GroupedTrains, Trains, group
from equipoise.quantities import Array, seed_sequence, suggest, whole
from equipoise.renewal.laws import (
    DeadTimeISI,
    ExponentialISI,
    GammaISI,
    InverseGaussianISI,
    ISILaw,
    LogNormalISI,
    sample,
)
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

SIZES = (10, 20, 50, 100, 200, 500)
"""Numbers of intervals at which the chance of a Kolmogorov distance is simulated."""
GRID = 0.05
"""Steps of log C_v at which it is."""
VALUES = ("rate", "rate_low", "rate_high", "cv", "cv_low", "cv_high", "dead_time", "log_likelihood", "aic", "bic", "ks")
UNITS = {"rate": "Hz", "rate_low": "Hz", "rate_high": "Hz", "dead_time": "s"}


@dataclass(frozen=True, kw_only=True)
class _Family:
    """How a law is fitted: its number of parameters, its survivor function, and whether intervals may be zero."""

    parameters: int
    fit: Callable[[Sums], Fit]
    survivor: Callable[[Array, Array, Array], Array]
    law: Callable[..., ISILaw]
    fields: tuple[str, ...] = ("rate", "cv")
    positive: bool = True


def _newton(density: Any, survivor: Any, start: Any) -> Callable[[Sums], Fit]:
    return lambda x: likelihoods.fit(x, density, survivor, start)


LAWS: Mapping[str, _Family] = {
    "exponential": _Family(
        parameters=1,
        fit=likelihoods.exponential_fit,
        survivor=likelihoods.waiting_survivor,
        law=ExponentialISI,
        fields=("rate",),
        positive=False,
    ),
    "dead_time": _Family(
        parameters=3,
        fit=likelihoods.dead_time_fit,
        survivor=likelihoods.waiting_survivor,
        law=DeadTimeISI,
        fields=("rate", "dead_time"),
        positive=False,
    ),
    "gamma": _Family(
        parameters=2,
        fit=_newton(likelihoods.gamma_density, likelihoods.gamma_survivor, likelihoods.gamma_start),
        survivor=likelihoods.gamma_survivor,
        law=GammaISI,
    ),
    "inverse_gaussian": _Family(
        parameters=2,
        fit=_newton(likelihoods.wald_density, likelihoods.wald_survivor, likelihoods.wald_start),
        survivor=likelihoods.wald_survivor,
        law=InverseGaussianISI,
    ),
    "log_normal": _Family(
        parameters=2,
        fit=_newton(likelihoods.lognormal_density, likelihoods.lognormal_survivor, likelihoods.lognormal_start),
        survivor=likelihoods.lognormal_survivor,
        law=LogNormalISI,
    ),
}


def isi_laws(
    trains: Trains,
    *,
    laws: Sequence[str] = tuple(LAWS),
    seed: int | np.random.SeedSequence | None = None,
    samples: int = 200,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Interval laws of each unit by maximum likelihood, dims (unit, law), and which describes it best.

    Exponential, exponential after a dead time, gamma, inverse Gaussian and log-normal. The likelihood is that of all
    intervals and of the open one from the last spike to the end of the window, which is censored; the time before the
    first spike does not enter. A unit lost in mid-window therefore looks silent: give the window in which it was held.

    Variables: `rate` [Hz] and `cv` with intervals from the curvature; `dead_time` [s]; `log_likelihood`, `aic`, `bic`;
    `weight` of Akaike among the laws; `ks`, the largest distance between the law and the closed intervals, which by
    time rescaling is that of F(T) from the uniform law; `status`; and per unit `n`, intervals, and `best`, the law of
    the least AIC. Differences of AIC below 2 decide nothing. A dead time counts as two parameters: where there is none,
    twice the log-likelihood that it gains is chi^2 with two degrees of freedom, not one; it has no interval of its own.

    With a `seed` also `p_value`, that of `ks` where the law is right and was fitted to the same data (parametric
    bootstrap at the fitted C_v, rounded to 5 %, with at most 500 intervals, and distances scaled by
    sqrt(n) + 0.12 + 0.11/sqrt(n); Stephens 1974, J. Am. Stat. Assoc. 69:730). A plain KS table would accept far too
    much. Fewer than ten intervals are INSUFFICIENT_DATA; intervals that are all equal, or of length zero under a law
    without mass there, are INFEASIBLE, which has no maximum.
    """
    grouped, z = group(trains), level(confidence)
    names = _names(laws)
    intervals = [np.diff(grouped.unit(u)) for u in range(grouped.n_spikes.size)]
    x = likelihoods.sums_of(intervals, _still_open(grouped))
    parts = [_one_law(LAWS[name], x, intervals, z) for name in names]
    if seed is not None:
        samples = whole("measures.isi_laws: samples", samples, low=20)
        chances = [_Chance(name, samples, seed_sequence(seed)) for name in names]
        for part, chance in zip(parts, chances, strict=True):
            part["p_value"] = chance.p_values(part, x.n)
    return _dataset(grouped, names, parts, x.n)


def isi_law(found: "xr.Dataset", unit: Any, law: str = "best") -> ISILaw:
    """The fitted law of one unit as a noun of `equipoise.renewal`, from `isi_laws`; `law` by name, or the best.

    ValueError where the unit has none.
    """
    if not {"unit", "law"} <= set(getattr(found, "dims", ())):
        raise TypeError(f"measures.isi_law: found must come from measures.isi_laws, got {type(found).__name__}.")
    name = str(found["best"].sel(unit=unit).item()) if law == "best" else law
    if law != "best" and law not in found["law"].values:
        known = suggest(law, [*map(str, found["law"].values), "best"])
        raise ValueError(f"measures.isi_law: law must be one of those fitted, got {law!r}.{known}")
    one = found.sel(unit=unit, law=name) if name else None
    if one is None or one["status"].item() != Status.OK.name:
        raise ValueError(f"measures.isi_law: unit {unit!r} has no {law} law, see found['status'].")
    return LAWS[name].law(**{key: float(one[key]) for key in LAWS[name].fields})


def _names(laws: Sequence[str]) -> tuple[str, ...]:
    names = (laws,) if isinstance(laws, str) else tuple(laws)
    for name in names:
        if name not in LAWS:
            raise ValueError(f"measures.isi_laws: laws must be among those known, got {name!r}.{suggest(name, LAWS)}")
    if len(set(names)) != len(names):
        raise ValueError(f"measures.isi_laws: laws must be different ones, got {', '.join(names)}.")
    if not names:
        raise ValueError(f"measures.isi_laws: laws must name at least one.{suggest('', LAWS)}")
    return names


def _still_open(grouped: GroupedTrains) -> Array:
    """Time from the last spike of each unit to the end of the window [s]; 0 where there is no spike."""
    n, ends = grouped.n_spikes, grouped.offsets[1:]
    last = grouped.times[np.maximum(ends - 1, 0)] if grouped.times.size else np.zeros(n.size)
    return np.where(n > 0, grouped.t_stop - last, 0.0)


def _one_law(family: _Family, x: Sums, intervals: list[Array], z: float) -> dict[str, Array]:
    """The variables of one law, each (units,)."""
    enough = x.n >= MIN_INTERVALS
    possible = (x.shortest < x.longest) & ((x.shortest > 0.0) | (not family.positive))
    with np.errstate(all="ignore"):
        fit = family.fit(x)
    status = np.select(
        [~enough, ~possible, ~fit.converged],
        [Status.INSUFFICIENT_DATA.name, Status.INFEASIBLE.name, Status.NOT_CONVERGED.name],
        Status.OK.name,
    )
    good = status == Status.OK.name
    distance = np.array([_distance(family, fit, u, t) if good[u] else np.nan for u, t in enumerate(intervals)])
    rate, cv = (
        positive_interval(1.0 / fit.m, fit.errors[0] / fit.m, z),
        positive_interval(fit.cv, fit.errors[1] * fit.cv, z),
    )
    p, most = family.parameters, fit.log_likelihood
    with np.errstate(divide="ignore"):
        columns = (*rate, *cv, fit.dead, most, 2.0 * p - 2.0 * most, p * np.log(x.n) - 2.0 * most, distance)
    found = {name: np.where(good, column, np.nan) for name, column in zip(VALUES, columns, strict=True)}
    return found | {"status": status}


def _distance(family: _Family, fit: Fit, unit: int, intervals: Array) -> float:
    return float(_distances(family, replace(fit, m=fit.m[unit], cv=fit.cv[unit]), np.sort(intervals)[None])[0])


def _distances(family: _Family, fit: Fit, ordered: Array) -> Array:
    """Largest distance between the law and the steps of each row of sorted intervals (rows, n)."""
    n = ordered.shape[1]
    m, cv = (np.reshape(value, (-1, 1)) for value in (fit.m, fit.cv))
    u = -np.expm1(family.survivor(ordered, m, cv))
    steps = np.arange(n + 1.0) / n
    return np.maximum((steps[1:] - u).max(axis=1), (u - steps[:-1]).max(axis=1))


@dataclass(frozen=True)
class _Chance:
    """Distances of a law from intervals drawn from it and fitted, by C_v and number of intervals."""

    name: str
    samples: int
    seed: np.random.SeedSequence

    def p_values(self, part: dict[str, Array], n: Array) -> Array:
        """Share of simulated distances at least as large as each unit's, never 0."""
        p, known = np.full(n.size, np.nan), {}
        for u in np.flatnonzero(np.isfinite(part["ks"])):
            size = max(s for s in SIZES if s <= n[u])
            # Only the laws with a free shape depend on it.
            place = round(np.log(part["cv"][u]) / GRID) if self.name in ("gamma", "inverse_gaussian") else 0
            if (size, place) not in known:
                known[size, place] = self.distances(size, place)
            p[u] = (1 + np.sum(known[size, place] >= _scaled(part["ks"][u], n[u]))) / (self.samples + 1)
        return p

    def distances(self, size: int, place: int) -> Array:
        """Scaled distances (samples,) of samples of the law at log C_v = `place` steps."""
        words = (*self.seed.spawn_key, list(LAWS).index(self.name), size, place + 2**31)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed.entropy, spawn_key=words))
        family = LAWS[self.name]
        # A dead time only moves an exponential law.
        free = family.law if "cv" in family.fields else ExponentialISI
        law = free(rate=1.0, **({"cv": float(np.exp(place * GRID))} if "cv" in family.fields else {}))
        rows = sample(law, self.samples * size, rng).reshape(self.samples, size)
        fit = family.fit(likelihoods.sums_of(list(rows), np.zeros(self.samples)))
        return _scaled(_distances(family, fit, np.sort(rows, axis=1)), size)


def _scaled(distance: Any, n: float) -> Any:
    return distance * (np.sqrt(n) + 0.12 + 0.11 / np.sqrt(n))


def _dataset(grouped: GroupedTrains, names: tuple[str, ...], parts: list[dict[str, Array]], n: Array) -> "xr.Dataset":
    import xarray as xr

    dims = ("unit", "law")
    tables = {key: np.column_stack([part[key] for part in parts]) for key in parts[0]}
    variables: dict[str, Any] = {key: (dims, table, {"units": UNITS.get(key, "1")}) for key, table in tables.items()}
    aic = np.where(np.isfinite(tables["aic"]), tables["aic"], np.inf)
    least = aic.min(axis=1, keepdims=True)
    known = np.isfinite(least)
    weight = np.exp(-0.5 * (aic - np.where(known, least, 0.0)))
    total = np.where(known, weight.sum(axis=1, keepdims=True), 1.0)
    best = np.where(known[:, 0], np.array(names)[aic.argmin(axis=1)], "")
    variables |= {
        "weight": (dims, np.where(np.isfinite(tables["aic"]), weight / total, np.nan), {"units": "1"}),
        "n": ("unit", n.astype(np.int64)),
        "best": ("unit", best),
    }
    return xr.Dataset(variables, coords={"unit": grouped.names, "law": list(names)})
