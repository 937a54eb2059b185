"""Calcium along given spike trains, exactly: values at any time and time averages, event by event in compiled code."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise import _core
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.renewal.calcium import CalciumMoments
from equipoise.results import SpikeTrains

_INITIAL = Quantity("calcium at the start of the window", unit="uM", low=0.0)


class SaturatedAverages(NamedTuple):
    """Time averages of C/(K_M + C) and C^2/(K_D + C^2), per unit."""

    michaelis_menten: Array
    hill: Array


def calcium_trace(
    sensor: Calcium,
    spike_times: ArrayLike,
    *,
    t_start: float,
    t_stop: float,
    at: ArrayLike | None = None,
    initial: float = 0.0,
) -> Array:
    """Calcium [µM] at the times `at` [s], any order and shape; a spike at such a time has already acted.

    Without `at`, the values just after each spike, (n_spikes,). `spike_times` (n,) [s] sorted within
    [t_start, t_stop]; `initial` is the calcium at t_start [µM].
    """
    trains = SpikeTrains.single(spike_times, t_start=t_start, t_stop=t_stop)
    start = check("calcium_trace.initial", initial, _INITIAL)
    times = trains.times if at is None else finite("calcium_trace", "at", at)
    if times.size and not (t_start <= times.min() and times.max() <= t_stop):
        raise ValueError(
            f"calcium_trace: at must lie in [{t_start:g}, {t_stop:g}] s, got {times.min():g} to {times.max():g} s."
        )
    order = np.argsort(times, axis=None, kind="stable")
    sorted_values, values = np.empty(times.size), np.empty(times.size)
    kernel = (sensor.tau, sensor.retention, sensor.influx)
    _core.calcium_trace(
        *kernel, trains.times, t_start, start, np.ascontiguousarray(times.ravel()[order]), sorted_values
    )
    if at is None:
        return sorted_values
    values[order] = sorted_values
    return values.reshape(times.shape)[()]


def calcium_moments_of(
    sensor: Calcium, trains: SpikeTrains, *, initial: float = 0.0, discard: float = 0.0
) -> CalciumMoments:
    """Time-averaged mean and second moment of calcium per unit, (n_units,), over the window less its first `discard` s.

    Calcium starts at `initial` [µM] at t_start; ten sensor time constants of `discard` forget it.
    """
    averages = _averages(sensor, trains, initial, discard, (np.nan, np.nan))
    return CalciumMoments(averages[:, 0], averages[:, 1])


def saturated_averages_of(
    sensor: Calcium, trains: SpikeTrains, *, k_m: float, k_d: float, initial: float = 0.0, discard: float = 0.0
) -> SaturatedAverages:
    """Time averages of the Michaelis-Menten and Hill drives per unit, (n_units,); k_m [µM], k_d [µM²], exact."""
    half = (
        check("saturated_averages_of.k_m", k_m, Quantity("half-saturation", unit="uM", low=0.0, open_low=True)),
        check("saturated_averages_of.k_d", k_d, Quantity("half-saturation of C^2, µM²", low=0.0, open_low=True)),
    )
    averages = _averages(sensor, trains, initial, discard, half)
    return SaturatedAverages(averages[:, 2], averages[:, 3])


def _averages(sensor: Calcium, trains: SpikeTrains, initial: float, discard: float, half: tuple[float, float]) -> Array:
    """The four time averages (n_units, 4)."""
    if not 0.0 <= discard < trains.duration:
        raise ValueError(
            f"calcium: discard must lie in [0, {trains.duration:g}) s, the length of the window, got {discard:g} s."
        )
    start = check("calcium.initial", initial, _INITIAL)
    counted_from = trains.t_start + discard
    if trains.n_units == 1:
        integrals = _single(sensor, trains, counted_from, start, half)[None, :]
    else:
        integrals = _several(sensor, trains, counted_from, start, half)
    return integrals / (trains.t_stop - counted_from)


def _single(
    sensor: Calcium, trains: SpikeTrains, counted_from: float, start: float, half: tuple[float, float]
) -> Array:
    kernel = (sensor.tau, sensor.retention, sensor.influx)
    warm = int(np.searchsorted(trains.times, counted_from))
    out = np.zeros(5)
    out[4] = start
    if counted_from > trains.t_start:
        nothing = (np.nan, np.nan)
        _core.calcium_integrals(*kernel, trains.times[:warm], trains.t_start, counted_from, start, *nothing, out)
    level = float(out[4])
    _core.calcium_integrals(*kernel, trains.times[warm:], counted_from, trains.t_stop, level, *half, out)
    return out[:4]


def _several(
    sensor: Calcium, trains: SpikeTrains, counted_from: float, start: float, half: tuple[float, float]
) -> Array:
    kernel = (sensor.tau, sensor.retention, sensor.influx)
    window = (trains.t_start, counted_from, trains.t_stop)
    out = np.empty(4 * trains.n_units)
    _core.calcium_integrals_units(*kernel, trains.times, trains.units, *window, start, *half, out)
    return out.reshape(-1, 4)
