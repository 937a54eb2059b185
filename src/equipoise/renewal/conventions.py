"""Other papers' ways to state the input of a leaky neuron, and back to (mu, sigma) of Eq. 1.

Here tau_m dv = (v_leak - v) dt + tau_m (mu dt + sigma dW). Without threshold v is Gaussian with

    mean = v_leak + mu tau_m          sd = sigma sqrt(tau_m/2)            (membrane convention)
    mu_V = mu tau_m                   sigma_V = sigma sqrt(tau_m)         (Brunel 2000, J. Comput. Neurosci. 8:183)

so sigma_V exceeds the standard deviation by sqrt(2): the usual slip between papers.
"""

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, Quantity, check, finite
from equipoise.units import ms

_TAU_M = Quantity("membrane time constant", "ms", low=0.1 * ms, high=1000 * ms)


def input_from(*, mean: ArrayLike, sd: ArrayLike, tau_m: float, v_leak: ArrayLike = 0.0) -> tuple[Array, Array]:
    """(mu [V/s], sigma [V/sqrt(s)]) from the mean and standard deviation of the free membrane potential [V].

    mu = (mean - v_leak)/tau_m, sigma = sd sqrt(2/tau_m); tau_m [s]; arrays broadcast. `mean` is on the scale of
    `v_leak`, the potential without input. Raises ValueError for a negative sd or a tau_m outside [0.1, 1000] ms.

    >>> from equipoise.units import ms, mV
    >>> mu, sigma = input_from(mean=15 * mV, sd=4 * mV, tau_m=20 * ms)
    >>> print(f"{mu:.3f} V/s, {sigma:.3f} V/sqrt(s)")
    0.750 V/s, 0.040 V/sqrt(s)
    """
    tau_m = check("input_from.tau_m", tau_m, _TAU_M)
    mean, v_leak = finite("input_from", "mean", mean), finite("input_from", "v_leak", v_leak)
    sd = finite("input_from", "sd", sd, low=0.0)
    return _both((mean - v_leak) / tau_m, sd * np.sqrt(2.0 / tau_m))


def membrane_from(*, mu: ArrayLike, sigma: ArrayLike, tau_m: float, v_leak: ArrayLike = 0.0) -> tuple[Array, Array]:
    """(mean, sd) of the free membrane potential [V] from mu [V/s] and sigma [V/sqrt(s)]; the inverse of `input_from`.

    >>> mean, sd = membrane_from(mu=0.75, sigma=0.04, tau_m=0.02)
    >>> print(f"{mean:.4f} V, {sd:.4f} V")
    0.0150 V, 0.0040 V
    """
    tau_m = check("membrane_from.tau_m", tau_m, _TAU_M)
    mu, v_leak = finite("membrane_from", "mu", mu), finite("membrane_from", "v_leak", v_leak)
    sigma = finite("membrane_from", "sigma", sigma, low=0.0)
    return _both(v_leak + mu * tau_m, sigma * np.sqrt(tau_m / 2.0))


def input_from_brunel(*, mu_v: ArrayLike, sigma_v: ArrayLike, tau_m: float) -> tuple[Array, Array]:
    """(mu [V/s], sigma [V/sqrt(s)]) from Brunel's mu_V and sigma_V [V]: mu = mu_V/tau_m, sigma = sigma_V/sqrt(tau_m).

    mu_V is measured from the leak potential; tau_m [s]. Raises as `input_from`.

    >>> mu, sigma = input_from_brunel(mu_v=0.015, sigma_v=0.004, tau_m=0.02)
    >>> print(f"{mu:.3f} V/s, {sigma:.4f} V/sqrt(s)")
    0.750 V/s, 0.0283 V/sqrt(s)
    """
    tau_m = check("input_from_brunel.tau_m", tau_m, _TAU_M)
    mu_v = finite("input_from_brunel", "mu_v", mu_v)
    sigma_v = finite("input_from_brunel", "sigma_v", sigma_v, low=0.0)
    return _both(mu_v / tau_m, sigma_v / np.sqrt(tau_m))


def brunel_from(*, mu: ArrayLike, sigma: ArrayLike, tau_m: float) -> tuple[Array, Array]:
    """(mu_V, sigma_V) [V] of Brunel's convention from mu [V/s] and sigma [V/sqrt(s)].

    >>> mu_v, sigma_v = brunel_from(mu=0.75, sigma=0.04, tau_m=0.02)
    >>> print(f"{mu_v:.4f} V, {sigma_v:.4f} V")
    0.0150 V, 0.0057 V
    """
    tau_m = check("brunel_from.tau_m", tau_m, _TAU_M)
    mu, sigma = finite("brunel_from", "mu", mu), finite("brunel_from", "sigma", sigma, low=0.0)
    return _both(mu * tau_m, sigma * np.sqrt(tau_m))


def _both(first: Array, second: Array) -> tuple[Array, Array]:
    first, second = np.broadcast_arrays(first, second)
    return first.copy()[()], second.copy()[()]
