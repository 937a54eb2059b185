r"""The leaky integrate-and-fire neuron: exact statistics from universal functions tabulated in the compiled core.

With y = (v - v_leak - mu tau_m)/(sigma sqrt(tau_m)) at reset and threshold, a = s tau_m,

    1/r      = tau_ref + tau_m sqrt(pi) int_{y_r}^{y_th} erfcx(-u) du                                     (Eq. 46)
    C_v^2    = 2 pi (r tau_m)^2 int_{y_r}^{y_th} e^{u^2} int_{-inf}^u e^{v^2} erfc(-v)^2 dv du            (Eq. 47)
    log P_L  = -s tau_ref - int_{y_r}^{y_th} N_a'(u)/N_a(u) du                                            (Eq. 44)
    N_a(y)   = int_0^inf v^{a-1} e^{-v^2 + 2 y v} dv

Without noise the neuron is a clock above threshold (C_v = 0) and silent otherwise: rate 0, log-rate -inf, and C_v = 1,
the limit of rare, Poisson-like escapes (exactly at threshold C_v = 0). As functions of (y_r, y_th, y_th - y_r) all
values are good to about 1e-13; from (mu, sigma) the rounding of v_th - v_leak - mu tau_m is amplified by the
condition number of the problem, which no method can mend. Source: van Vreeswijk & Farkhooi 2025, Sec. 4.5.2;
Brunel, J. Comput. Neurosci. 8:183 (2000).
"""

import numpy as np

from equipoise import _core
from equipoise.model.neurons import LIF, ConductanceLIF
from equipoise.quantities import Array
from equipoise.renewal.dispatch import provides


def _parameters(neuron: LIF | ConductanceLIF) -> Array:
    """Without synaptic conductances a ConductanceLIF is the LIF of its tau_m."""
    return np.array([neuron.v_threshold, neuron.v_reset, neuron.v_leak, neuron.tau_m, neuron.tau_ref])


def rate(neuron: LIF | ConductanceLIF, mu: Array, sigma: Array) -> Array:
    """Firing rate r [Hz] for 1-D arrays mu [V/s], sigma [V/sqrt(s)] (Eq. 46)."""
    out = np.empty_like(mu)
    _core.lif_rate(_parameters(neuron), mu, sigma, out)
    return out


def log_rate(neuron: LIF | ConductanceLIF, mu: Array, sigma: Array) -> Array:
    """log r, finite where r underflows; -inf for a silent neuron without noise."""
    out = np.empty_like(mu)
    _core.lif_log_rate(_parameters(neuron), mu, sigma, out)
    return out


def cv(neuron: LIF | ConductanceLIF, mu: Array, sigma: Array) -> Array:
    """Coefficient of variation of the interspike intervals (Eq. 47)."""
    out = np.empty_like(mu)
    _core.lif_cv(_parameters(neuron), mu, sigma, out)
    return out


def log_rate_gradient(neuron: LIF | ConductanceLIF, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """d log r/dmu [s/V] and d log r/dsigma [sqrt(s)/V]; +inf for a silent neuron without noise."""
    by_mu, by_sigma = np.empty_like(mu), np.empty_like(mu)
    _core.lif_log_rate_gradient(_parameters(neuron), mu, sigma, by_mu, by_sigma)
    return by_mu, by_sigma


def cv_gradient(neuron: LIF | ConductanceLIF, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """dC_v/dmu [s/V] and dC_v/dsigma [sqrt(s)/V]."""
    by_mu, by_sigma = np.empty_like(mu), np.empty_like(mu)
    _core.lif_cv_gradient(_parameters(neuron), mu, sigma, by_mu, by_sigma)
    return by_mu, by_sigma


def log_isi_laplace(neuron: LIF | ConductanceLIF, s: Array, mu: Array, sigma: Array) -> Array:
    """log P_L(s) for 1-D arrays s [1/s], mu, sigma (Eq. 44); tables for the last 32 values of s are kept."""
    out = np.empty_like(mu)
    _core.lif_log_isi_laplace(_parameters(neuron), s, mu, sigma, out)
    return out


def log_isi_laplace_gradient(neuron: LIF | ConductanceLIF, s: Array, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """d log P_L/dmu [s/V] and d log P_L/dsigma [sqrt(s)/V]; +inf for a silent neuron without noise and s > 0."""
    by_mu, by_sigma = np.empty_like(mu), np.empty_like(mu)
    _core.lif_log_isi_laplace_gradient(_parameters(neuron), s, mu, sigma, by_mu, by_sigma)
    return by_mu, by_sigma


for _kind in (LIF, ConductanceLIF):
    provides(
        _kind,
        rate=rate,
        log_rate=log_rate,
        cv=cv,
        log_rate_gradient=log_rate_gradient,
        cv_gradient=cv_gradient,
        log_isi_laplace=log_isi_laplace,
        log_isi_laplace_gradient=log_isi_laplace_gradient,
    )
