"""Surrogate spike trains: the same spikes with one property taken away, and the calcium that they would cause."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from equipoise.measures.calcium import warm_up
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array
from equipoise.renewal.traces import calcium_moments_of
from equipoise.results import SpikeTrains


@dataclass(frozen=True, kw_only=True)
class Surrogates:
    """Mean and central interval of both calcium moments [µM, µM^2] over surrogate trains, each (2,)."""

    mean: Array
    low: Array
    high: Array


def calcium_of(times: Array, sensor: Calcium, window: tuple[float, float]) -> Array:
    """Time averages of C and C^2 (2,) [µM, µM^2] that spikes cause in a window, exact between them.

    Calcium at the start is unknown: it begins at 0, and ten time constants (a tenth of the window at most) pass before
    the averages begin.
    """
    train = SpikeTrains.single(times, t_start=window[0], t_stop=window[1])
    mean, second = calcium_moments_of(sensor, train, discard=warm_up(sensor, train.duration))
    return np.array([np.squeeze(mean), np.squeeze(second)], dtype=np.float64)


def surrogate_calcium(make: Callable[[], Array], n: int, sensor: Calcium, window: tuple[float, float]) -> Surrogates:
    """Both calcium moments over `n` surrogate trains: mean and central 95 % interval."""
    moments = np.array([calcium_of(make(), sensor, window) for _ in range(n)])
    low, high = np.quantile(moments, [0.025, 0.975], axis=0)
    return Surrogates(mean=moments.mean(axis=0), low=low, high=high)
