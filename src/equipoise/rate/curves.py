"""The transfer function of any population: rate neurons as they are, spiking neurons by their exact rate.

h is the mean input, of spiking neurons mu [V/s], and s = sigma^2 the noise of the input [V^2/s].
"""

from typing import Any

import numpy as np

from equipoise import renewal
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.populations import Population
from equipoise.model.rate_neurons import FICurve, PowerLaw, RateNeuron, ThresholdLinear
from equipoise.quantities import Array
from equipoise.renewal.firing import NOISELESS, firing

Curve = RateNeuron | FICurve
FAINTEST = 1e-300
"""The least rate [Hz] that a smooth curve is asked about."""


def curve_of(population: Population) -> Curve:
    """The population's neuron as a rate; a spiking one has the time constant of its membrane and its input's noise."""
    neuron: Any = population.neuron
    if not isinstance(neuron, IntegrateAndFire):
        return neuron
    tau_m = getattr(neuron, "tau_m", None)
    if tau_m is None:
        raise TypeError(
            f"rate: {population.name!r} has {type(neuron).__name__} neurons, which have no time constant. "
            f"Give one: neuron=eq.FICurve(neuron={type(neuron).__name__}(...), tau=10 * ms)."
        )
    return FICurve(neuron=neuron, tau=tau_m)


def hears_noise(curve: Curve) -> bool:
    """Whether the rate depends on the noise of the circuit's own input."""
    return isinstance(curve, FICurve) and curve.sigma is None


def ceiling(curve: Curve) -> float:
    """The largest rate [Hz], of an f-I curve before its gain."""
    if isinstance(curve, RateNeuron):
        return curve.ceiling
    return 1.0 / curve.neuron.tau_ref if curve.neuron.tau_ref > 0.0 else np.inf


def is_piecewise_linear(curve: Curve) -> bool:
    """Whether f is made of straight pieces."""
    return isinstance(curve, ThresholdLinear) or (isinstance(curve, PowerLaw) and curve.exponent == 1.0)


def evaluate(
    curve: Curve, tau_s: float, h: Array, s: Array, gain: Array, threshold: Array
) -> tuple[Array, Array, Array]:
    """Rates f and their derivatives by h and by s, arrays of one shape."""
    if isinstance(curve, RateNeuron):
        f, by_h = curve.fired(h - threshold, gain)
        return f, by_h, np.zeros_like(f)
    noise = np.maximum(s if curve.sigma is None else np.full_like(h, curve.sigma**2), NOISELESS)
    f, by_h, by_s = firing(renewal.tabulated(curve.neuron), tau_s, h - threshold, noise)
    return gain * f, gain * by_h, gain * by_s if curve.sigma is None else np.zeros_like(f)


def required_input(curve: Curve, tau_s: float, rate: Array, s: Array, gain: Array, threshold: Array) -> Array:
    """f^-1(r) at noise s: the input that sustains the rates; infinite where none does.

    What a smooth curve requires has no bound towards silence: rates below `FAINTEST` count as that.
    """
    if isinstance(curve, RateNeuron):
        return curve.required_input(np.maximum(rate, FAINTEST), gain=gain, threshold=threshold)
    noise = np.maximum(s if curve.sigma is None else np.full_like(rate, curve.sigma**2), NOISELESS)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(gain > 0.0, rate / gain, np.inf)
    return threshold + renewal.required_mean(renewal.tabulated(curve.neuron), tau_s, wanted, noise)
