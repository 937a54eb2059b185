"""Set points of firing as set points of calcium."""

from dataclasses import replace
from typing import TypeVar

from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumHomeostasis, CalciumSetPoint, Rule, SetPoint
from equipoise.model.neurons import IntegrateAndFire
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI

R = TypeVar("R", bound=Rule)


def moments_at(neuron: IntegrateAndFire, sensor: Calcium, target: SetPoint) -> tuple[float, float]:
    """Mean and second moment of calcium [µM, µM^2] of a neuron that fires at the target rate and C_v."""
    mu, sigma = input_for(neuron, rate=target.rate, cv=target.cv)
    mean, second = calcium_moments(sensor, NeuronISI(neuron, mu=mu, sigma=sigma))
    return float(mean), float(second)


def resolved(rule: R, neuron: IntegrateAndFire) -> R:
    """The rule with a SetPoint(rate, cv) turned into the calcium moments that the neuron has there.

    Raises NumericalFailure where the neuron cannot fire at that rate and C_v (a PIF needs C_v < 1).
    """
    if not isinstance(rule, CalciumHomeostasis) or not isinstance(rule.target, SetPoint):
        return rule
    mean, second = moments_at(neuron, rule.sensor, rule.target)
    return replace(rule, target=CalciumSetPoint(mean=mean, second_moment=second))
