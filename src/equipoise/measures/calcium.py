"""Calcium that spikes cause: its moments per unit, exact for the spikes, with an interval.

The moments are time averages of C and C^2 over the window. Their interval says how much another window of the same
length would give: the window is cut into `BLOCKS` parts, whose moments give a standard error and Student's t. Changes
slower than a part are not in it.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.measures.estimates import level
from equipoise.measures.trains import group
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array
from equipoise.renewal.traces import calcium_moments_of
from equipoise.results import Recording, SpikeTrains, Status

if TYPE_CHECKING:
    import xarray as xr

WARM_UP = 10.0
"""Time constants of the sensor in which it forgets its start."""
BLOCKS = 16
SHORTEST = 10.0
"""Time constants that a part must last for an interval."""
_ABOUT = {"mean": ("mean of calcium", "uM"), "second_moment": ("second moment of calcium", "uM^2")}


def warm_up(sensor: Calcium, duration: float) -> float:
    """How long a window waits [s] for calcium, unknown at its start, to forget it: a tenth of it at most."""
    return min(WARM_UP * sensor.tau, 0.1 * duration)


def calcium_moments(trains: SpikeTrains | Recording, sensor: Calcium, *, confidence: float = 0.95) -> "xr.Dataset":
    """Mean [µM] and second moment [µM^2] of calcium of each unit, with `mean_low` and so on, and `status`.

    Calcium begins at 0; ten time constants (a tenth of the window at most) pass before the averages begin. A window
    shorter than 160 time constants has no interval (NaN), status INSUFFICIENT_DATA; the moments are exact all the same.
    """
    import xarray as xr

    if not isinstance(sensor, Calcium):
        raise TypeError(f"measures.calcium_moments: sensor must be an eq.Calcium, got {sensor!r}.")
    names, spikes = group(trains).names, trains.spikes if isinstance(trains, Recording) else trains
    wait = warm_up(sensor, spikes.duration)
    values = calcium_moments_of(sensor, spikes, discard=wait)
    known = spikes.duration - wait >= BLOCKS * SHORTEST * sensor.tau
    errors = _errors(sensor, spikes, wait) if known else np.full((2, spikes.n_units), np.nan)
    reach = _student(level(confidence), BLOCKS - 1)
    variables: dict = {}
    for key, value, error in zip(_ABOUT, values, errors, strict=True):
        about = dict(zip(("long_name", "units"), _ABOUT[key], strict=True))
        variables[key] = ("unit", value, about)
        variables[f"{key}_low"] = ("unit", np.maximum(value - reach * error, 0.0), {"units": about["units"]})
        variables[f"{key}_high"] = ("unit", value + reach * error, {"units": about["units"]})
    status = (Status.OK if known else Status.INSUFFICIENT_DATA).name
    variables["status"] = ("unit", np.full(spikes.n_units, status))
    return xr.Dataset(variables, coords={"unit": names}, attrs={"confidence": confidence, "duration": spikes.duration})


def _errors(sensor: Calcium, spikes: SpikeTrains, wait: float) -> Array:
    """Standard errors of both moments (2, units) from parts of the window, each with `wait` [s] before it."""
    length = (spikes.duration - wait) / BLOCKS
    times, units = [], []
    for k in range(BLOCKS):
        begin = spikes.t_start + k * length  # of the wait, so that a part itself begins at begin + wait
        first, last = np.searchsorted(spikes.times, [begin, begin + wait + length])
        times.append(np.clip(spikes.times[first:last] - begin, 0.0, wait + length))
        units.append(spikes.units[first:last] + k * spikes.n_units)
    when, who = np.concatenate(times), np.concatenate(units)
    order = np.argsort(when, kind="stable")
    parts = SpikeTrains(when[order], who[order], BLOCKS * spikes.n_units, 0.0, wait + length)
    moments = np.array(calcium_moments_of(sensor, parts, discard=wait)).reshape(2, BLOCKS, spikes.n_units)
    return moments.std(axis=1, ddof=1) / np.sqrt(BLOCKS)


def _student(z: float, dof: int) -> float:
    """Student's t with the tail of a normal z."""
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(dof, ndtr(z)))
