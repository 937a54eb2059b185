"""Set points of firing as set points of calcium."""

from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import SetPoint
from equipoise.model.neurons import IntegrateAndFire
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.inverse import input_for
from equipoise.renewal.laws import NeuronISI


def moments_at(neuron: IntegrateAndFire, sensor: Calcium, target: SetPoint) -> tuple[float, float]:
    """Mean and second moment of calcium [µM, µM^2] of a neuron that fires at the target rate and C_v."""
    mu, sigma = input_for(neuron, rate=target.rate, cv=target.cv)
    mean, second = calcium_moments(sensor, NeuronISI(neuron, mu=mu, sigma=sigma))
    return float(mean), float(second)
