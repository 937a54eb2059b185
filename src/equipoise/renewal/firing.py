"""Rate and slopes of neurons by mean and noise of their input, for the equations of networks."""

import math

import numpy as np

from equipoise.model.neurons import LIF, IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal import dispatch

ALPHA = 2.065253152231217
"""sqrt(2) |zeta(1/2)|, the shift constant of Brunel & Sergi 1998 and Fourcaud & Brunel 2002."""
NOISELESS = 1e-14
"""Noise s [V^2/s] of a population without inputs, whose slopes would be infinite: 1e-7 V in a second."""


def shift(neuron: IntegrateAndFire, tau_s: float) -> float:
    """c such that synapses of time constant tau_s act as delta synapses with mean mu - c sigma.

    Threshold and reset of the LIF move up by sigma (alpha/2) sqrt(tau_s) (Fourcaud & Brunel 2002), which is a shift of
    mu by that over tau_m. Raises TypeError for other neurons, for which no such result is used here.
    """
    if tau_s == 0.0:
        return 0.0
    if not isinstance(neuron, LIF):
        raise TypeError(f"exponential synapses are treated for the LIF only, got {type(neuron).__name__}.")
    return 0.5 * ALPHA * math.sqrt(tau_s) / neuron.tau_m


def firing(neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array) -> tuple[Array, Array, Array]:
    """Rate f and its derivatives by mu and by s = sigma^2 at arrays of inputs of one shape, s > 0."""
    # Straight to what the neuron registers: checks of arguments would take longer than a few rates.
    c, sigma = shift(neuron, tau_s), np.sqrt(s)
    inputs = np.ravel(mu - c * sigma), np.ravel(sigma)
    f = dispatch.get(neuron, "rate")(neuron, *inputs)
    slopes = dispatch.get(neuron, "log_rate_gradient")(neuron, *inputs)
    by_mu, by_sigma = (np.where(f > 0.0, f * slope, 0.0).reshape(mu.shape) for slope in slopes)
    return f.reshape(mu.shape), by_mu, (by_sigma - c * by_mu) / (2.0 * sigma)
