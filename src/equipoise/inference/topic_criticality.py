"""Criticality of recorded units, epoch by epoch, for all of them and for each region or type with enough of them."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.settings import AnalysisSettings
from equipoise.measures import BranchingRatio, Criticality, PowerLawFit, Signature, criticality
from equipoise.measures.branching import NO_SLOPES
from equipoise.measures.power_laws import weights_of
from equipoise.quantities import Array
from equipoise.results import Epoch, Recording, SpikeTrains, Status

if TYPE_CHECKING:
    import xarray as xr

LEAST_UNITS = 3
LEAST_SPIKES = 500
LABELS = ("region", "type")
SOURCES = ("recording", "poisson", "rate", "intervals", "shift")
"""The recording and the nulls of `measures.criticality`."""
NUMBERS = {
    "size_exponent": "exponent of the sizes of avalanches",
    "duration_exponent": "exponent of the durations of avalanches",
    "crackling": "exponent of the mean size of a duration",
    "deviation": "deviation from the crackling relation",
    "branching_ratio": "branching ratio of a bin of 4 ms",
}
ENDS = ("", "_low", "_high")
POINTS = 80
"""Sizes and durations, evenly in the logarithm, at which distributions are kept."""

Group = NDArray[np.bool_]
Place = tuple[int, int]
Progress = Callable[[float], None]


def why_no_criticality(recording: Recording, _: AnalysisSettings) -> str:
    """Why no epoch of a recording has avalanches to look at; empty where one has."""
    if not recording.spikes.n_units:
        return "the recording has no units"
    everyone = np.ones(recording.spikes.n_units, bool)
    lacking = [_lacking(recording.during(epoch), everyone) for epoch in recording.epochs]
    if not lacking:
        return "the recording has no epochs"
    return "" if "" in lacking else f"in no epoch are there enough units and spikes: {lacking[0]}"


def criticality_of(recording: Recording, settings: AnalysisSettings, tell: Progress) -> "xr.Dataset":
    """`measures.criticality` over (epoch, group), its numbers with `_low` and `_high` over `source` too.

    Groups are "all" units and those of one region or type, "region ca1", with at least 3 units that spike and 500
    spikes in some epoch; others are named in the attribute `left_out`. `size_survival` and `duration_survival`
    are the shares of avalanches of at least a `size` or `duration`, `size_fit` and `duration_fit` the power laws
    through them; `slope` and `slope_fit` those of the branching ratio over `lag` (bins of 4 ms), `tau` [s] its time
    constant, `follows` whether there are slopes at all; `p` how often a power law fits as badly as to the sizes, and
    log-likelihood ratios over `alternative`. `status` and `reasons` say what speaks against reading the numbers as
    criticality.
    """
    groups, left_out = _groups(recording)
    shape = len(recording.epochs), len(groups)
    found: dict[Place, Criticality] = {}
    reasons = np.full(shape, "", object)
    parts = [[_part(recording.during(epoch), members) for members in groups.values()] for epoch in recording.epochs]
    for place in np.ndindex(*shape):
        e, g = place
        reasons[place] = _lacking(parts[e][g])
        if not reasons[place]:
            found[e, g] = _one(parts[e][g], (e, g), settings)
            reasons[place] = "; ".join(found[e, g].reasons)
        tell((e * shape[1] + g + 1) / (shape[0] * shape[1]))
    variables = _numbers(found, shape) | _distributions(found, shape) | _slopes(found, shape, settings.branching_lags)
    variables |= _verdicts(found, shape) | {"reasons": (("epoch", "group"), reasons.astype(str))}
    variables |= _counts(parts)
    return _labelled(variables, recording.epochs, list(groups)).assign_attrs(
        left_out=json.dumps(left_out, ensure_ascii=False), kmax=settings.branching_lags,
        samples=settings.criticality_samples, null_width=settings.null_width,
    )  # fmt: skip


def _groups(recording: Recording) -> tuple[dict[str, Group], dict[str, str]]:
    """Members (units,) of each group by name, and why other groups are left out."""
    groups, left_out = {"all": np.ones(recording.spikes.n_units, bool)}, {}
    for key in LABELS:
        values = np.array(recording.labels.get(key, ()), dtype=str)
        for value in sorted(set(values) - {""}):
            members, name = values == value, f"{key} {value}"
            if members.all():
                continue
            lacking = [_lacking(recording.during(epoch), members) for epoch in recording.epochs]
            if "" in lacking:
                groups[name] = members
            else:
                left_out[name] = lacking[0]
    return groups, left_out


def _part(spikes: SpikeTrains, members: Group) -> SpikeTrains:
    """The trains of some units."""
    kept, numbers = members[spikes.units], np.cumsum(members) - 1
    units = numbers[spikes.units[kept]]
    return SpikeTrains(spikes.times[kept], units, int(members.sum()), spikes.t_start, spikes.t_stop)


def _lacking(spikes: SpikeTrains, members: Group | None = None) -> str:
    """What the units lack to be looked at; empty where they lack nothing."""
    part = spikes if members is None else _part(spikes, members)
    units = np.unique(part.units).size
    if units < LEAST_UNITS:
        return f"{units} units spike, {LEAST_UNITS} are needed"
    if part.n_spikes < LEAST_SPIKES:
        return f"{part.n_spikes} spikes, {LEAST_SPIKES} are needed"
    return ""


def _one(spikes: SpikeTrains, place: Place, settings: AnalysisSettings) -> Criticality:
    # A seed of its own, so that no epoch or group depends on the others.
    seed = np.random.SeedSequence(settings.seed, spawn_key=place)
    return criticality(
        spikes, seed=seed, kmax=settings.branching_lags, offset=True, width=settings.null_width,
        samples=settings.criticality_samples,
    )  # fmt: skip


def _sources(one: Criticality) -> Mapping[str, Signature]:
    return {"recording": one.found, **one.nulls}


def _numbers(found: Mapping[Place, Criticality], shape: Place) -> dict[str, tuple]:
    dims, size = ("epoch", "group", "source"), (*shape, len(SOURCES))
    values = {name + end: np.full(size, np.nan) for name in NUMBERS for end in ENDS}
    many = np.zeros(size, np.int64)
    for place, one in found.items():
        for s, source in enumerate(SOURCES):
            signature = _sources(one)[source]
            many[(*place, s)] = len(signature.avalanches)
            for name, three in signature.numbers().items():
                for end, value in zip(ENDS, three, strict=True):
                    values[name + end][(*place, s)] = value
    about = {name + end: NUMBERS[name] for name in NUMBERS for end in ENDS}
    out: dict[str, tuple] = {k: (dims, v, {"long_name": about[k], "units": "1"}) for k, v in values.items()}
    return out | {"avalanches": (dims, many, {"long_name": "number of avalanches"})}


def _distributions(found: Mapping[Place, Criticality], shape: Place) -> dict[str, tuple]:
    """Shares of avalanches of at least a size or duration, and the fits through them."""
    out: dict[str, tuple] = {}
    for name in ("size", "duration"):
        most = max(int(_values(s, name).max(initial=1)) for one in found.values() for s in _sources(one).values())
        at = np.unique(np.round(np.geomspace(1, most, POINTS)))
        shares, fits = (np.full((*shape, len(SOURCES), at.size), np.nan) for _ in range(2))
        first = np.full((*shape, len(SOURCES)), np.nan)
        for place, one in found.items():
            for s, source in enumerate(SOURCES):
                signature = _sources(one)[source]
                fit = signature.sizes if name == "size" else signature.durations
                shares[(*place, s)] = _survival(_values(signature, name), at)
                fits[(*place, s)] = _law(fit, at, shares[(*place, s)], len(signature.avalanches))
                first[(*place, s)] = fit.x_min
        dims = ("epoch", "group", "source")
        out |= {f"{name}_survival": ((*dims, name), shares), f"{name}_fit": ((*dims, name), fits), name: (name, at)}
        out |= {f"{name}_x_min": (dims, first, {"long_name": f"{name} from which the power law is fitted"})}
    return out


def _values(signature: Signature, name: str) -> NDArray[np.int64]:
    return signature.avalanches.sizes if name == "size" else signature.avalanches.durations


def _survival(values: NDArray, at: Array) -> Array:
    """Share of values of at least each of `at`; NaN where there is none."""
    left = values.size - np.searchsorted(np.sort(values), at)
    return np.where(left > 0, left / max(values.size, 1), np.nan)


def _law(fit: PowerLawFit, at: Array, shares: Array, n: int) -> Array:
    """What the power law has for the shares, within its range and as far as there are values."""
    law, here = np.full(at.size, np.nan), (at >= fit.x_min) & np.isfinite(shares)
    if np.isfinite(fit.value) and here.any():
        law[here] = fit.n / n * weights_of(fit, at[here]) / weights_of(fit, np.array([fit.x_min]))[0]
    return law


def _slopes(found: Mapping[Place, Criticality], shape: Place, kmax: int) -> dict[str, tuple]:
    dims, lag = ("epoch", "group", "source"), np.arange(1, kmax + 1)
    slopes, fits = (np.full((*shape, len(SOURCES), kmax), np.nan) for _ in range(2))
    of_m = {name: np.full((*shape, len(SOURCES)), np.nan) for name in ("tau", "tau_low", "tau_high", "one_step")}
    follows = np.zeros((*shape, len(SOURCES)), bool)
    for place, one in found.items():
        for s, source in enumerate(SOURCES):
            m, here = _sources(one)[source].branching, (*place, s)
            follows[here] = np.isfinite(m.value) and NO_SLOPES not in m.reasons
            slopes[here][: m.slopes.size] = m.slopes
            fits[here] = _decay(m, lag)
            of_m["tau"][here], of_m["one_step"][here] = m.tau, m.one_step
            of_m["tau_low"][here], of_m["tau_high"][here] = m.tau_interval
    meanings = {"tau": "time constant of the slopes", "one_step": "slope at one bin"}
    out: dict[str, tuple] = {
        name: (dims, v, {"long_name": meanings[name.split("_low")[0].split("_high")[0]],
                         "units": "1" if name == "one_step" else "s"})
        for name, v in of_m.items()
    }  # fmt: skip
    about = {"long_name": "slope of activity on its past", "units": "1"}
    out |= {"slope": ((*dims, "lag"), slopes, about), "slope_fit": ((*dims, "lag"), fits, about)}
    out |= {"follows": (dims, follows, {"long_name": "whether slopes stand out from none, so that m tells something"})}
    return out | {"lag": ("lag", lag, {"long_name": "lag in bins of 4 ms"})}


def _decay(m: BranchingRatio, lag: NDArray) -> Array:
    """b m^k + c; NaN without an estimate."""
    if not np.isfinite(m.value):
        return np.full(lag.size, np.nan)
    return m.amplitude * m.value**lag + m.offset


def _verdicts(found: Mapping[Place, Criticality], shape: Place) -> dict[str, tuple]:
    """Status, bin of avalanches, goodness of fit and likelihood ratios."""
    status = np.full(shape, Status.INSUFFICIENT_DATA.name, object)
    width, p = np.full(shape, np.nan), np.full(shape, np.nan)
    names = next(iter(found.values())).alternatives["alternative"].values
    ratios, chances = (np.full((*shape, names.size), np.nan) for _ in range(2))
    for place, one in found.items():
        status[place], width[place], p[place] = one.status.name, one.bin, one.goodness.p
        ratios[place], chances[place] = one.alternatives["ratio"].values, one.alternatives["p"].values
    dims = ("epoch", "group")
    return {
        "status": (dims, status.astype(str)),
        "bin": (dims, width, {"long_name": "bin of avalanches", "units": "s"}),
        "p": (dims, p, {"long_name": "share of power laws that fit their sizes as badly"}),
        "log_likelihood_ratio": ((*dims, "alternative"), ratios, {"long_name": "power law over alternative"}),
        "p_of_ratio": ((*dims, "alternative"), chances),
        "alternative": ("alternative", names),
    }


def _counts(parts: list[list[SpikeTrains]]) -> dict[str, tuple]:
    """Units that spike, and spikes."""
    units = [[np.unique(part.units).size for part in row] for row in parts]
    spikes = [[part.n_spikes for part in row] for row in parts]
    return {"units": (("epoch", "group"), units), "spikes": (("epoch", "group"), spikes)}


def _labelled(variables: dict[str, tuple], epochs: tuple[Epoch, ...], groups: list[str]) -> "xr.Dataset":
    import xarray as xr

    coords = {"epoch": [e.name for e in epochs], "group": groups, "source": list(SOURCES)}
    places = {"start": ("epoch", [e.start for e in epochs]), "stop": ("epoch", [e.stop for e in epochs])}
    axes = {name: variables.pop(name) for name in ("size", "duration", "lag", "alternative")}
    return xr.Dataset(variables, coords=coords | places | axes)
