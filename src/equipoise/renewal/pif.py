"""The perfect integrate-and-fire neuron in closed form: rate, C_v, transform, their gradients, and the inverse.

dv = mu dt + sigma dW, threshold v_th, reset v_r, reflecting bound v_B (Eqs. 39-42). With
k = 2 mu/sigma^2 and x = v - v_B

    1/r = (2/sigma^2) INT_{x_r}^{x_th} (1 - e^{-k x})/k dx + tau_ref

and C_v (at tau_ref = 0) depends on k alone, so that the inverse is one monotone root. Everything is a sum of terms of
one sign, hence accurate through mu = 0 and for either sign of the drift.

Without noise (sigma = 0) a positive drift fires regularly: r = mu/(v_th - v_r), C_v = 0. At mu <= 0 the cell is silent:
r = 0, log r = -inf, P_L = 0, and C_v takes its limit for vanishing noise (1 for mu < 0, the driftless value at mu = 0).
The gradients of log r and log P_L are infinite there. Noise below 1e-120 (v_th - v_r) per sqrt(s) counts as none.
"""

from functools import lru_cache

import numpy as np

from equipoise import _core
from equipoise.model.neurons import PIF
from equipoise.quantities import Array
from equipoise.renewal.dispatch import provides
from equipoise.results import NumericalFailure, Status
from equipoise.units import ms


def _geometry(neuron: PIF) -> tuple[float, float]:
    return neuron.v_reset - neuron.v_bound, neuron.v_threshold - neuron.v_reset


def _one(kernel, neuron: PIF, *arrays: Array) -> Array:
    out = np.empty(arrays[0].size)
    kernel(*_geometry(neuron), neuron.tau_ref, *arrays, out)
    _refuse_nan(arrays, out)
    return out


def _two(kernel, *arguments) -> tuple[Array, Array]:
    by_mu, by_sigma = np.empty(arguments[-1].size), np.empty(arguments[-1].size)
    kernel(*arguments, by_mu, by_sigma)
    _refuse_nan(arguments[-2:], by_mu, by_sigma)
    return by_mu, by_sigma


def _refuse_nan(arrays: tuple[Array, ...], *out: Array) -> None:
    """Raise where (mu, sigma) are so large that intermediate values overflow."""
    bad = np.flatnonzero(np.any([np.isnan(x) for x in out], axis=0))
    if bad.size:
        mu, sigma = (float(a[bad[0]]) for a in arrays[-2:])
        raise NumericalFailure(
            Status.NOT_CONVERGED,
            f"PIF at mu={mu:g}, sigma={sigma:g}: numbers overflow. Keep both below 1e100 threshold distances.",
        )


def _normal(s: Array) -> Array:
    """s, with subnormal numbers, whose inverse overflows, as 0."""
    return np.where(s < np.finfo(np.float64).tiny, 0.0, s)


def rate(neuron: PIF, mu: Array, sigma: Array) -> Array:
    """Firing rate [Hz] (Eq. 41)."""
    return _one(_core.pif_rate, neuron, mu, sigma)


def log_rate(neuron: PIF, mu: Array, sigma: Array) -> Array:
    """log r, finite where r underflows (strongly negative drift)."""
    return _one(_core.pif_log_rate, neuron, mu, sigma)


def cv(neuron: PIF, mu: Array, sigma: Array) -> Array:
    """C_v (Eq. 42), times 1 - r tau_ref for a refractory cell."""
    return _one(_core.pif_cv, neuron, mu, sigma)


def log_isi_laplace(neuron: PIF, s: Array, mu: Array, sigma: Array) -> Array:
    """log P_L(s) (Eq. 40), relatively accurate as s -> 0."""
    return _one(_core.pif_log_laplace, neuron, _normal(s), mu, sigma)


def log_rate_gradient(neuron: PIF, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """d log r/dmu and d log r/dsigma."""
    return _two(_core.pif_log_rate_gradient, *_geometry(neuron), neuron.tau_ref, mu, sigma)


def cv_gradient(neuron: PIF, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """dC_v/dmu and dC_v/dsigma."""
    return _two(_core.pif_cv_gradient, *_geometry(neuron), neuron.tau_ref, mu, sigma)


def log_isi_laplace_gradient(neuron: PIF, s: Array, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """d log P_L/dmu and d log P_L/dsigma; the refractory period adds a constant and drops out."""
    return _two(_core.pif_log_laplace_gradient, *_geometry(neuron), _normal(s), mu, sigma)


def input_for(neuron: PIF, rate: Array, cv: Array) -> tuple[Array, Array, list[Status]]:
    """The input (mu, sigma) of a given rate [Hz] and C_v: C_v -> k, then mu = r A(k), sigma^2 = 2 mu/k.

    INFEASIBLE, with NaN, where r tau_ref >= 1 or C_v/(1 - r tau_ref) reaches the largest C_v of the cell. That is 1
    for a bound close to the reset (the paper's -1, 0, 10); a bound far below lets C_v exceed 1, and then the branch
    with the larger drift is taken. IMPLAUSIBLE where the drift crosses the way from reset to threshold within 1 ms.
    """
    active = 1.0 - rate * neuron.tau_ref
    with np.errstate(divide="ignore", invalid="ignore"):
        bare_rate, bare_cv = rate / active, cv / active
    peak_at, peak = _largest_cv(*_geometry(neuron))
    feasible = (active > 0.0) & (rate > 0.0) & (bare_cv >= 0.0) & (bare_cv < peak)
    noisy = feasible & (bare_cv > 1e-150)
    mu, sigma = np.full(rate.size, np.nan), np.full(rate.size, np.nan)
    _, gap = _geometry(neuron)
    regular = feasible & ~noisy
    mu[regular], sigma[regular] = bare_rate[regular] * gap, 0.0
    mu[noisy], sigma[noisy] = _solve(neuron, peak_at, bare_rate[noisy], bare_cv[noisy])
    found = np.isfinite(mu) & np.isfinite(sigma)
    mu[~found] = sigma[~found] = np.nan
    return mu, sigma, [_status(f, abs(m) * ms > gap) for f, m in zip(found, mu, strict=True)]


def input_limit(neuron: PIF, rate: float) -> str:
    """Why no input exists: the largest C_v of this cell at a rate."""
    _, peak = _largest_cv(*_geometry(neuron))
    limit = peak * (1.0 - rate * neuron.tau_ref)
    return f"the C_v of this cell stays below {limit:g} at that rate. Lower cv, or use a LIF."


def _solve(neuron: PIF, low: float, rate: Array, cv: Array) -> tuple[Array, Array]:
    mu, sigma = np.empty(rate.size), np.empty(rate.size)
    _core.pif_input(*_geometry(neuron), low, np.ascontiguousarray(rate), np.ascontiguousarray(cv), mu, sigma)
    return mu, sigma


def _status(found: bool, fast: bool) -> Status:
    if not found:
        return Status.INFEASIBLE
    return Status.IMPLAUSIBLE if fast else Status.OK


@lru_cache(maxsize=256)
def _largest_cv(reset: float, gap: float) -> tuple[float, float]:
    """Where C_v(w), w = 2 mu (v_th - v_r)/sigma^2, peaks, and the peak; (-60, 1) if it only approaches 1 from below."""
    ratio = reset / gap
    sides = np.geomspace(1e-12, 60.0, 600)
    w = np.concatenate([-sides[::-1], [0.0], sides])
    best, peak = -60.0, 1.0
    for _ in range(4):
        squared = np.empty(w.size)
        _core.pif_cv_squared(ratio, w, squared)
        top = int(np.argmax(squared))
        best, peak = float(w[top]), float(np.sqrt(squared[top]))
        w = np.linspace(w[max(top - 1, 0)], w[min(top + 1, w.size - 1)], 401)
    return (best, peak) if peak > 1.0 + 1e-9 else (-60.0, 1.0)


provides(
    PIF,
    rate=rate,
    log_rate=log_rate,
    cv=cv,
    log_isi_laplace=log_isi_laplace,
    log_rate_gradient=log_rate_gradient,
    cv_gradient=cv_gradient,
    log_isi_laplace_gradient=log_isi_laplace_gradient,
    input_for=input_for,
    input_limit=input_limit,
)
