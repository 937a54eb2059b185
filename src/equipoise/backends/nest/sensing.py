"""What a rule senses in recorded spikes, neuron by neuron, over the last stretch of them."""

from functools import singledispatch

import numpy as np

from equipoise import renewal
from equipoise.model.homeostasis import (
    CalciumMean,
    CalciumSaturating,
    CalciumSecondMoment,
    FiringRate,
    Rule,
    Sensed,
)
from equipoise.quantities import Array
from equipoise.results import SpikeTrains


def sense(rule: Rule, trains: SpikeTrains, discard: float) -> Array:
    """Everything a rule senses, (n_senses, n_units), over the window of the trains less its first `discard` s."""
    return np.array([measured(quantity, trains, discard) for quantity in rule.senses])


@singledispatch
def measured(quantity: Sensed, trains: SpikeTrains, discard: float) -> Array:  # noqa: ARG001
    """The sensed quantity of each unit (n_units,); register it for a quantity of your own."""
    raise TypeError(f"backends.nest: no way to measure what {type(quantity).__name__} senses; register it.")


@measured.register
def _(quantity: FiringRate, trains: SpikeTrains, discard: float) -> Array:  # noqa: ARG001
    late = trains.units[trains.times > trains.t_start + discard]
    return np.bincount(late, minlength=trains.n_units) / (trains.duration - discard)


@measured.register
def _(quantity: CalciumMean, trains: SpikeTrains, discard: float) -> Array:
    return renewal.calcium_moments_of(quantity.sensor, trains, discard=discard).mean


@measured.register
def _(quantity: CalciumSecondMoment, trains: SpikeTrains, discard: float) -> Array:
    return renewal.calcium_moments_of(quantity.sensor, trains, discard=discard).second_moment


@measured.register
def _(quantity: CalciumSaturating, trains: SpikeTrains, discard: float) -> Array:
    k = quantity.constant
    averages = renewal.saturated_averages_of(quantity.sensor, trains, k_m=k, k_d=k, discard=discard)
    return averages[quantity.order - 1]


def memory(rule: Rule) -> float:
    """Slowest time constant of the sensors of a rule [s]; 0 where it senses rates."""
    return max((q.sensor.tau for q in rule.senses if not isinstance(q, FiringRate)), default=0.0)
