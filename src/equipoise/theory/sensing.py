"""What a rule senses, as a function of the cell's input (mu, s = sigma^2), with derivatives."""

import math
from functools import singledispatch

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.homeostasis import CalciumMean, CalciumSaturating, CalciumSecondMoment, FiringRate, Sensed
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array


@singledispatch
def value(sensed: Sensed, neuron: IntegrateAndFire, mu: float, s: float) -> float:  # noqa: ARG001
    """The sensed quantity at input mean mu [V/s] and variance s [V^2/s]."""
    raise TypeError(f"theory: no way to compute what {type(sensed).__name__} senses; register it with sensing.value.")


@singledispatch
def gradient(sensed: Sensed, neuron: IntegrateAndFire, mu: float, s: float) -> Array:
    """Derivatives of the sensed quantity by (mu, s), shape (2,); by differences unless a closed form is registered."""
    # Differences by log s never leave s > 0.
    by_mu = dynamics.differences(lambda x: np.array([value(sensed, neuron, x[0], s)]), np.array([mu, math.sqrt(s)]))
    by_log = dynamics.differences(lambda x: np.array([value(sensed, neuron, mu, s * x[0])]), np.ones(1))
    return np.array([by_mu[0, 0], by_log[0, 0] / s])


@value.register
def _(sensed: FiringRate, neuron: IntegrateAndFire, mu: float, s: float) -> float:  # noqa: ARG001
    return float(renewal.rate(neuron, mu=mu, sigma=math.sqrt(s)))


@gradient.register
def _(sensed: FiringRate, neuron: IntegrateAndFire, mu: float, s: float) -> Array:
    by_mu, by_sigma = renewal.log_rate_gradient(neuron, mu=mu, sigma=math.sqrt(s))
    return value(sensed, neuron, mu, s) * _by_variance(by_mu, by_sigma, s)


@value.register
def _(sensed: CalciumMean | CalciumSecondMoment, neuron: IntegrateAndFire, mu: float, s: float) -> float:
    law = renewal.NeuronISI(neuron, mu=mu, sigma=math.sqrt(s))
    return float(renewal.calcium_moments(sensed.sensor, law)[_order(sensed)])


@gradient.register
def _(sensed: CalciumMean | CalciumSecondMoment, neuron: IntegrateAndFire, mu: float, s: float) -> Array:
    slopes = renewal.calcium_gradient(sensed.sensor, neuron, mu=mu, sigma=math.sqrt(s))
    return _by_variance(*slopes[_order(sensed)], s)


@value.register
def _(sensed: CalciumSaturating, neuron: IntegrateAndFire, mu: float, s: float) -> float:
    law = renewal.NeuronISI(neuron, mu=mu, sigma=math.sqrt(s))
    k, n = sensed.constant, sensed.order
    return float(renewal.calcium_average(sensed.sensor, law, lambda c: c**n / (k + c**n)))


def _order(sensed: CalciumMean | CalciumSecondMoment) -> int:
    """Place of the sensed moment among (mean, second moment)."""
    return 0 if isinstance(sensed, CalciumMean) else 1


def _by_variance(by_mu: Array, by_sigma: Array, s: float) -> Array:
    """From derivatives by (mu, sigma) to derivatives by (mu, sigma^2)."""
    return np.array([float(by_mu), float(by_sigma) / (2.0 * math.sqrt(s))])
