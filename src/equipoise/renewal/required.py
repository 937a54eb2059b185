"""The mean input that a neuron requires to fire at a rate, at given noise of its input: f^-1(r)."""

from collections.abc import Callable

import numpy as np

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal.firing import firing
from equipoise.renewal.inverse import rheobase

WIDEST, ROUNDS = 60, 100
"""Doublings of a bracket, and steps within it."""
ACCURACY = 1e-13
"""Width of a bracket that is narrow enough, relative to where it lies."""


def required_mean(neuron: IntegrateAndFire, tau_s: float, rate: Array, s: Array) -> Array:
    """mu [V/s] at which `neuron` fires at `rate` [Hz] (n,) with noise s = sigma^2 [V^2/s] (n,) > 0 of its input.

    Synapses have the time constant `tau_s` [s]. -inf at rate 0, inf where no input sustains the rate. Newton's method
    on log r, which is concave in mu, kept in a bracket.
    """
    rate, s = np.broadcast_arrays(np.asarray(rate, np.float64), np.asarray(s, np.float64))
    out = np.where(rate <= 0.0, -np.inf, np.inf)
    top = np.inf if neuron.tau_ref == 0.0 else 1.0 / neuron.tau_ref
    at = (rate > 0.0) & (rate < top)
    if at.any():
        out[at] = _solved(neuron, tau_s, rate[at], s[at])
    return out


def _solved(neuron: IntegrateAndFire, tau_s: float, rate: Array, s: Array) -> Array:
    def excess(mu: Array, which: np.ndarray) -> tuple[Array, Array]:
        f, by_mu, _ = firing(neuron, tau_s, mu, s[which])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(f / rate[which]), by_mu / f

    low, high = _bracket(excess, neuron, rate)
    mu, active = 0.5 * (low + high), np.arange(rate.size)
    for _ in range(ROUNDS):
        value, slope = excess(mu[active], active)
        above = value >= 0.0
        high[active[above]], low[active[~above]] = mu[active[above]], mu[active[~above]]
        with np.errstate(divide="ignore", invalid="ignore"):
            step = -value / slope
        newton, a, b = mu[active] + step, low[active], high[active]
        inside = np.isfinite(newton) & (newton >= a) & (newton <= b)
        mu[active] = np.where(inside, newton, 0.5 * (a + b))
        scale = ACCURACY * (np.abs(mu[active]) + 1e-9)
        active = active[~((inside & (np.abs(step) <= scale)) | (b - a <= scale))]
        if active.size == 0:
            break
    return mu


def _bracket(
    excess: Callable[[Array, np.ndarray], tuple[Array, Array]], neuron: IntegrateAndFire, rate: Array
) -> tuple[Array, Array]:
    """Ends moved out until the rate lies between those at them."""
    middle, everyone = rheobase(neuron), np.arange(rate.size)
    width = np.full(rate.size, (neuron.v_threshold - neuron.v_reset) * 100.0)
    low, high = middle - width, middle + width
    for _ in range(WIDEST):
        too_high, too_low = excess(low, everyone)[0] > 0.0, excess(high, everyone)[0] < 0.0
        if not (too_high | too_low).any():
            break
        low, high = np.where(too_high, low - width, low), np.where(too_low, high + width, high)
        width = np.where(too_high | too_low, 2.0 * width, width)
    return low, high
