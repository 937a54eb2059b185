r"""How the rate of a leaky integrate-and-fire neuron follows small changes of its white-noise input, by frequency.

With y = (v - v_leak - mu tau_m)/(sigma sqrt(tau_m)) at reset and threshold, a = 2 pi i f tau_m, and N_a of `lif`,
which solves N''/2 - y N' = a N, a drift mu + m e^{2 pi i f t} and a noise sigma^2 + s e^{2 pi i f t} move the rate by

    chi_mu = (sqrt(tau_m)/sigma) r/(1 + a) (N_a'(y_th) - N_a'(y_r))/(N_a(y_th) - e N_a(y_r))
    chi_s = r/(2 sigma^2 (2 + a)) (N_a''(y_th) - N_a''(y_r))/(N_a(y_th) - e N_a(y_r)),   e = exp(-2 pi i f tau_ref)

and intervals have the transform P_L(2 pi i f) = e N_a(y_r)/N_a(y_th). Only R = N_a'/(2 N_a) is needed, and log N_a as
its integral: R solves R' = a + 2 R (y - R), which is stable upward, from the continued fraction R_a = a/(2 (R_{a+1} -
y)) far below. Sources: Brunel & Hakim, Neural Comput. 11:1621 (1999); Lindner & Schimansky-Geier, Phys. Rev. Lett.
86:2934 (2001).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.model.neurons import LIF
from equipoise.quantities import Array, finite
from equipoise.renewal.lif import rate
from equipoise.units import hour

Complex = NDArray[np.complex128]
BELOW, TERMS = -1.5, 60
"""Where the continued fraction is taken at the latest, and its terms: rounding is reached there."""
SILENT, WIDEST = 1.0 / (1000 * hour), 60.0
"""Rate [Hz] below which a neuron does not respond, and the largest y_th - y_r."""
FINE, FEWEST, MOST = 0.5, 80, 20000
"""Largest step beside the scales 1/(8 y) and 1/(4 sqrt(|a|)) on which R relaxes, and how many steps there are."""
STEEPEST, FASTEST = float(MOST), 5000
"""Largest |y| (y_th - y_r) and f tau_m for which so many steps are stable."""


class FrequencyResponse(NamedTuple):
    """`rate` (...) [Hz], and by frequency (F, ...) its slopes `by_mu` [1/V] and `by_s` [1/V^2], and log P_L."""

    rate: Array
    by_mu: Complex
    by_s: Complex
    log_isi: Complex

    @property
    def isi(self) -> Complex:
        """P_L."""
        return np.exp(self.log_isi)

    @property
    def spectrum(self) -> Array:
        """Power spectral density of the spike train, two-sided, without its mean [Hz]: r (1 - |P|^2)/|1 - P|^2."""
        return self.rate * -np.expm1(2.0 * self.log_isi.real) / np.abs(np.expm1(self.log_isi)) ** 2


def frequency_response(neuron: LIF, *, frequency: ArrayLike, mu: ArrayLike, sigma: ArrayLike) -> FrequencyResponse:
    """The response at `frequency` (F,) > 0 [Hz] and inputs mu [V/s], sigma > 0 [V/sqrt(s)], which broadcast to (...).

    Good to about 2e-5, the spectrum too. A neuron that fires less than once in 1000 h does not respond; NaN where the
    noise moves the membrane by less than 1/60 of the way from reset to threshold, or by too little beside its drive.
    Raises TypeError for neurons other than the LIF, ValueError for frequencies above 5000/tau_m.
    """
    if not isinstance(neuron, LIF):
        raise TypeError(f"frequency_response: neuron must be an eq.LIF(...), got {type(neuron).__name__}.")
    f = np.ravel(finite("frequency_response", "frequency", frequency, low=0.0, open_low=True))
    if f.size and f.max() > (most := FASTEST / neuron.tau_m):
        raise ValueError(
            f"frequency_response: frequency must be at most {FASTEST}/tau_m = {most:g} Hz, got {f.max():g} Hz."
        )
    drift, noise = np.broadcast_arrays(
        finite("frequency_response", "mu", mu), finite("frequency_response", "sigma", sigma, low=0.0, open_low=True)
    )
    out = np.zeros((3, f.size, drift.size), np.complex128)
    out[2] = -np.inf
    r = rate(neuron, np.ravel(drift).copy(), np.ravel(noise).copy())
    fires = r > SILENT
    out[:, :, fires] = _response(neuron, f[:, None], np.ravel(drift)[fires], np.ravel(noise)[fires], r[fires])
    return FrequencyResponse(r.reshape(drift.shape), *out.reshape(3, f.size, *drift.shape))


def _response(neuron: LIF, f: Array, mu: Array, sigma: Array, r: Array) -> Complex:
    """chi_mu, chi_s and log P_L (3, F, n) of neurons that fire."""
    tau = neuron.tau_m
    a = (2j * np.pi * f * tau).astype(np.complex128)
    low, high = (
        (v - neuron.v_leak - mu * tau) / (sigma * math.sqrt(tau)) for v in (neuron.v_reset, neuron.v_threshold)
    )
    far = (high - low > WIDEST) | (np.maximum(np.abs(low), np.abs(high)) * (high - low) > STEEPEST)
    low, high = np.where(far, 0.0, low), np.where(far, 1.0, high)
    begin = np.minimum(low, BELOW)
    at_low, _ = _upward(a, _fraction(a, begin), begin, low)
    at_high, grown = _upward(a, at_low, low, high)
    log_isi = -grown - 2j * np.pi * f * neuron.tau_ref
    left, below = np.exp(-grown), -np.expm1(log_isi)  # N_a(y_r)/N_a(y_th), 1 - P_L
    slope = 2.0 * (at_high - left * at_low)
    bend = 2.0 * (a + 2.0 * high * at_high) - left * 2.0 * (a + 2.0 * low * at_low)
    by_mu = r * math.sqrt(tau) / sigma / (1.0 + a) * slope / below
    by_s = r / (2.0 * sigma**2) / (2.0 + a) * bend / below
    return np.where(far, np.nan, np.array([by_mu, by_s, log_isi], np.complex128))


def _fraction(a: Complex, y: Array) -> Complex:
    """R by its continued fraction at y (n,) far below 0."""
    out: Complex = (np.sqrt(0.5 * (a + TERMS)) + 0.5 * y).astype(np.complex128)
    for k in range(TERMS - 1, -1, -1):
        out = (a + k) / (2.0 * (out - y))
    return out


def _upward(a: Complex, R: Complex, y: Array, end: Array) -> tuple[Complex, Complex]:
    """R at `end` (n,) from R at y, and the integral of 2 R between them, by Runge-Kutta steps of fourth order."""
    steepest = 4.0 * np.maximum(2.0 * np.abs([y, end]).max(axis=0), math.sqrt(np.abs(a).max())) * (end - y)
    steps = int(np.clip(np.ceil(steepest.max(initial=0.0) / FINE), FEWEST, MOST))
    h, grown = (end - y) / steps, np.zeros_like(R)
    for k in range(steps):
        here = y + k * h
        middle, ahead = here + 0.5 * h, here + h
        k1 = a + 2.0 * R * (here - R)
        second = R + 0.5 * h * k1
        k2 = a + 2.0 * second * (middle - second)
        third = R + 0.5 * h * k2
        k3 = a + 2.0 * third * (middle - third)
        last = R + h * k3
        grown = grown + h / 3.0 * (R + 2.0 * second + 2.0 * third + last)
        R = R + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + a + 2.0 * last * (ahead - last))
    return R, grown
