"""Rate and irregularity of spike trains, each estimate with its confidence interval.

Global irregularity (C_v) mixes the cell's own irregularity with slow changes of its rate; the local measures compare
neighbouring intervals only and leave slow changes out.

A measure returns an `xarray.DataArray` over units with coordinates `low` and `high` (the confidence interval), `n`
(number of intervals) and `status`. Units with fewer than `MIN_INTERVALS` intervals are NaN with status
INSUFFICIENT_DATA; only the rate is known for them too. A measure takes `group(trains)` in place of the trains, so that
several need one pass.

Intervals: delta method on the logarithm, with the long-run variance of the serially correlated terms from overlapping
batch means (Meketon & Schmeiser 1984; block length by Andrews 1991). They assume that the train is stationary over the
window; a drift longer than the blocks is not in them. No random numbers are involved.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.estimates import judged, level, positive_interval
from equipoise.measures.trains import GroupedTrains, Trains, group
from equipoise.quantities import Array, Quantity, check
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr

MIN_INTERVALS = 10

_REFRACTORY = Quantity("refractory constant", "ms", low=0.0, high=100 * ms)

_NAMES = {
    "rate": ("firing rate", "Hz"),
    "cv": ("global coefficient of variation of the intervals", "1"),
    "cv2": ("CV2, local variability of neighbouring intervals", "1"),
    "lv": ("local variation LV", "1"),
    "lvr": ("revised local variation LvR", "1"),
    "cv_local": ("local irregularity C_v,local from LV", "1"),
    "refractory_violations": ("fraction of intervals shorter than the refractory period", "1"),
}


def rate(trains: Trains, *, confidence: float = 0.95) -> "xr.DataArray":
    """Firing rate n/T [Hz] of each unit.

    Below `MIN_INTERVALS` intervals the confidence interval is the exact one of a Poisson count (Garwood 1936), so that
    a silent unit has rate 0 with a finite upper end and status OK.
    """
    grouped = group(trains)
    return _labelled("rate", grouped, *_rate(grouped, *grouped.statistics("interval"), level(confidence)))


def cv(trains: Trains, *, confidence: float = 0.95) -> "xr.DataArray":
    """Global coefficient of variation C_v = sd(T)/<T> of all intervals T in the window."""
    return _measure("cv", trains, confidence)


def cv2(trains: Trains, *, confidence: float = 0.95) -> "xr.DataArray":
    """CV2 = <2 |T_i+1 - T_i|/(T_i+1 + T_i)>; 1 for a Poisson train (Holt, Softky, Koch & Douglas 1996)."""
    return _measure("cv2", trains, confidence)


def lv(trains: Trains, *, confidence: float = 0.95) -> "xr.DataArray":
    """LV = <3 ((T_i - T_i+1)/(T_i + T_i+1))^2>; 1 for a Poisson train (Shinomoto, Shima & Tanji 2003)."""
    return _measure("lv", trains, confidence)


def lvr(trains: Trains, *, refractory: float = 5 * ms, confidence: float = 0.95) -> "xr.DataArray":
    """LvR = <3 (1 - 4 T_i T_i+1/(T_i + T_i+1)^2) (1 + 4 R/(T_i + T_i+1))> with R = `refractory` [s].

    LV with the effect of refractoriness taken out (Shinomoto et al. 2009, PLoS Comput. Biol. 5:e1000433).
    """
    return _measure("lvr", trains, confidence, refractory)


def cv_local(trains: Trains, *, confidence: float = 0.95) -> "xr.DataArray":
    """Local irregularity C_v,local = sqrt(2 LV/(3 - LV)): the C_v of the gamma renewal process with the same LV.

    For gamma intervals of shape k = 1/C_v^2, T_i/(T_i + T_i+1) is Beta(k, k) with variance 1/(4 (2k + 1)), so that
    LV = 3/(2k + 1) = 3 C_v^2/(2 + C_v^2) (Shinomoto, Shima & Tanji 2003). A slow change of rate leaves it alone.
    """
    return _measure("cv_local", trains, confidence)


def refractory_violations(trains: Trains, *, tau_ref: float = 2 * ms, confidence: float = 0.95) -> "xr.DataArray":
    """Fraction of intervals shorter than `tau_ref` [s], with the coordinate `count`; interval by Wilson (1927)."""
    grouped, z = group(trains), level(confidence)
    count = grouped.short_intervals(_refractory("tau_ref", tau_ref))
    array = _labelled("refractory_violations", grouped, *_wilson(count, grouped.n_intervals, z))
    return array.assign_coords(count=("unit", count))


def summary(
    trains: Trains,
    *,
    refractory: float = 5 * ms,
    tau_ref: float = 2 * ms,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """All measures of each unit with their intervals: `cv`, `cv_low`, `cv_high` and so on, and one status per unit."""
    import xarray as xr

    grouped, z = group(trains), level(confidence)
    statistics = grouped.statistics(refractory=_refractory("refractory", refractory))
    arrays = {name: _from_statistics(name, *statistics, z) for name in ("cv", "cv2", "lv", "lvr", "cv_local")}
    arrays = {"rate": _rate(grouped, *statistics, z)} | arrays
    short = grouped.short_intervals(_refractory("tau_ref", tau_ref))
    arrays["refractory_violations"] = _wilson(short, grouped.n_intervals, z)
    variables: dict = {}
    for name, triple in arrays.items():
        variables |= _three(_labelled(name, grouped, *triple))
    counts = {"n_spikes": grouped.n_spikes, "n_intervals": grouped.n_intervals, "short_intervals": short}
    known = np.all([np.isfinite(variables[name][1]) for name in arrays], axis=0)
    variables |= {key: ("unit", value) for key, value in counts.items()} | {"status": ("unit", judged(known))}
    attrs = {"confidence": confidence, "duration": grouped.duration, "tau_ref": tau_ref, "refractory": refractory}
    return xr.Dataset(variables, coords={"unit": grouped.names}, attrs=attrs)


def _three(array: "xr.DataArray") -> dict[str, tuple]:
    """A measure as three variables: value, low and high end."""
    name, attrs = str(array.name), dict(array.attrs)
    ends = {f"{name}_{end}": ("unit", array[end].values, {"units": attrs["units"]}) for end in ("low", "high")}
    return {name: ("unit", array.values, attrs)} | ends


def _measure(name: str, trains: Trains, confidence: float, refractory: float = 5 * ms) -> "xr.DataArray":
    grouped = group(trains)
    row = "lv" if name == "cv_local" else name
    statistics = grouped.statistics(row, refractory=_refractory("refractory", refractory))
    return _labelled(name, grouped, *_from_statistics(name, *statistics, level(confidence)))


def _from_statistics(name: str, values: dict, variances: dict, z: float) -> tuple[Array, Array, Array]:
    """Value, low and high end of one measure."""
    if name != "cv_local":
        return positive_interval(values[name], np.sqrt(variances[name]), z)
    local = values["lv"]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.sqrt(2.0 * local / (3.0 - local))
        slope = np.where(local > 0, value * 1.5 / (local * (3.0 - local)), 0.0)
        error = slope * np.sqrt(variances["lv"])  # LV = 3, where every second spike coincides, has no C_v,local
    return positive_interval(value, error, z)


def _rate(grouped: GroupedTrains, values: dict, variances: dict, z: float) -> tuple[Array, Array, Array]:
    n, duration = grouped.n_spikes.astype(float), grouped.duration
    value = n / duration
    few = (grouped.n_intervals < MIN_INTERVALS) | ~(values["interval"] > 0)
    relative = np.sqrt(variances["interval"]) / np.where(few, 1.0, values["interval"])
    _, low, high = positive_interval(value, value * relative, z)
    exact_low, exact_high = _garwood(n[few], z)
    low[few], high[few] = exact_low / duration, exact_high / duration
    return value, low, high


def _garwood(n: Array, z: float) -> tuple[Array, Array]:
    """Exact interval of a Poisson count, from the gamma quantiles."""
    from scipy.special import gammaincinv, ndtr

    tail = ndtr(-z)
    low = np.where(n > 0, gammaincinv(np.maximum(n, 1.0), tail), 0.0)
    return low, gammaincinv(n + 1.0, 1.0 - tail)


def _wilson(count: NDArray, n: NDArray, z: float) -> tuple[Array, Array, Array]:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = count / n
        centre, scale = (value + z * z / (2 * n)), 1.0 / (1.0 + z * z / n)
        half = z * np.sqrt(value * (1 - value) / n + z * z / (4.0 * n * n))
        # The two ends are exact at no and at all intervals, where rounding would put them beside the value.
        low = np.where(count > 0, (centre - half) * scale, 0.0)
        return value, low, np.where(count < n, (centre + half) * scale, 1.0)


def _labelled(name: str, grouped: GroupedTrains, value: Array, low: Array, high: Array) -> "xr.DataArray":
    import xarray as xr

    # A value can be undefined with many spikes too, as C_v is when all of them coincide.
    known = np.isfinite(value) & ((grouped.n_intervals >= MIN_INTERVALS) | (name == "rate"))
    meaning, unit = _NAMES[name]
    ends = {"low": np.where(known, low, np.nan), "high": np.where(known, high, np.nan)}
    coords = {"unit": grouped.names} | {key: ("unit", end) for key, end in ends.items()}
    coords |= {"n": ("unit", grouped.n_intervals), "status": ("unit", judged(known))}
    attrs = {"long_name": meaning, "units": unit}
    return xr.DataArray(np.where(known, value, np.nan), dims="unit", coords=coords, name=name, attrs=attrs)


def _refractory(name: str, value: float) -> float:
    return check(f"measures.{name}", value, _REFRACTORY)
