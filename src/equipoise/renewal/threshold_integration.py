"""Rate, C_v and Laplace transform of any white-noise-driven integrate-and-fire neuron, by threshold integration.

For dv = (f(v) + mu) dt + sigma dW with threshold v_th, reset v_r and a reflecting lower end v_low, put D = sigma^2/2
and g = f + mu. The backward Kolmogorov equations, solved upward from v_low, are

    D u' + g u = 1                    1/r = tau_ref + INT u dv
    D w' + g w = 2 D u^2              Var T = INT w dv,  C_v = r sqrt(Var T)
    D (rho' + rho^2) + g rho = s      log P_L(s) = -s tau_ref - INT rho dv

with u = w = rho = 0 at v_low and integrals from v_r to v_th. They are the adjoint of the forward scheme of Richardson
(2007, Phys. Rev. E 76:021919; 2008, Biol. Cybern. 99:381): all three stay positive, so nothing cancels, and u carries
its own exponent, so that log r is found far below the underflow of r.

The drift is sampled once per call on panels that depend on the neuron alone (so that an element of a batch never
depends on its neighbours) and held as Chebyshev series; the compiled core then steps each element on a mesh of its own,
solves again with every step halved, and refines until the two agree.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise import _core
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite
from equipoise.renewal.dispatch import provides
from equipoise.results import NumericalFailure, Status

TOLERANCE = 1e-10  # relative, on mean, variance and log P_L; met with margin, see the tests
ROUGHEST = 1e-4  # highest Legendre coefficients of a step in its first round; decides the speed only
MOST_STEPS = 100_000  # of one element, about 0.2 s; enough for log r near -1e5
NODES = 16
DEEPEST = 45  # bisections of a panel: a kink or jump of the drift is confined to 3e-14 of it
MOST_PANELS = 5_000
RESOLVED = 1e-14  # last Chebyshev coefficients beside the largest

_MOMENTS, _LAPLACE, _GRADIENTS = 1, 2, 4
_LOG_MEAN, _LOG_VARIANCE, _LOG_LAPLACE, _ERROR, _CODE = 0, 3, 6, 9, 12  # columns of a record; gradients follow values
_RECORD = 13
_NOT_CONVERGED, _SILENT, _DEEP = 1, 2, 3  # deep: a barrier of more than MOST_STEPS, so r = 0 and C_v = 1 to rounding

_ANGLES = np.pi * (np.arange(NODES) + 0.5) / NODES
_TO_CHEBYSHEV = np.cos(np.outer(np.arange(NODES), _ANGLES)) * np.where(np.arange(NODES) == 0, 1, 2)[:, None] / NODES


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdStatistics:
    """Statistics at broadcast (mu, sigma, s), with the solver's own error; a gradient is a pair (by mu, by sigma).

    `error` is the largest relative difference (of mean, variance, log P_L) to the solution with steps twice as long;
    `status` is OK or NOT_CONVERGED, per element.
    """

    rate: Array
    log_rate: Array
    cv: Array
    log_isi_laplace: Array
    log_rate_gradient: tuple[Array, Array]
    cv_gradient: tuple[Array, Array]
    log_isi_laplace_gradient: tuple[Array, Array]
    error: Array
    status: Status | np.ndarray


def statistics(
    neuron: IntegrateAndFire,
    *,
    mu: ArrayLike,
    sigma: ArrayLike,
    s: ArrayLike = 0.0,
    tolerance: float = TOLERANCE,
) -> ThresholdStatistics:
    """All statistics and gradients of any neuron, LIF and PIF too, at mu [V/s], sigma [V/sqrt(s)] and s [1/s].

    At sigma = 0 they are the limits sigma -> 0; where the drift then blocks the way to threshold the rate is 0, its
    logarithm -inf, C_v is 1 (rare escapes are Poissonian) and P_L is 0 for s > 0. Raises ValueError for bad input;
    an element that does not converge is labelled in `status` (behind a barrier of more than `MOST_STEPS` its rate 0 and
    C_v 1 still hold, log_rate is to leading order and the rest NaN).
    """
    name = "threshold_integration.statistics"
    arrays = (finite(name, "mu", mu), finite(name, "sigma", sigma, low=0.0), finite(name, "s", s, low=0.0))
    mu, sigma, s = np.broadcast_arrays(*arrays)
    record = solve(neuron, mu.ravel(), sigma.ravel(), s.ravel(), wanted=7, tolerance=tolerance)

    status = np.full(mu.size, Status.OK, dtype=object)
    status[np.isin(record[:, _CODE], (_NOT_CONVERGED, _DEEP))] = Status.NOT_CONVERGED

    def shaped(value: Any) -> Any:
        return tuple(map(shaped, value)) if isinstance(value, tuple) else value.reshape(mu.shape)[()]

    return ThresholdStatistics(
        rate=shaped(np.exp(_log_rate(neuron, record))),
        log_rate=shaped(_log_rate(neuron, record)),
        cv=shaped(_cv(neuron, sigma.ravel(), record)),
        log_isi_laplace=shaped(record[:, _LOG_LAPLACE] - s.ravel() * neuron.tau_ref),
        log_rate_gradient=shaped(_log_rate_gradient(neuron, record)),
        cv_gradient=shaped(_cv_gradient(neuron, sigma.ravel(), record)),
        log_isi_laplace_gradient=shaped(_pair(record, _LOG_LAPLACE)),
        error=shaped(record[:, _ERROR:_CODE].max(axis=1)),
        status=shaped(status),
    )


def solve(
    neuron: IntegrateAndFire, mu: Array, sigma: Array, s: Array, *, wanted: int, tolerance: float = TOLERANCE
) -> Array:
    """Records (n, 13) of the compiled solver for flat arrays; `wanted` adds 1 moments, 2 P_L, 4 gradients."""
    v_low = np.array([_lower_bound(neuron, *pair) for pair in zip(mu.tolist(), sigma.tolist(), strict=True)])
    edges, coefficients = sample_drift(neuron, v_low.min(initial=neuron.v_reset))
    record = np.empty(mu.size * _RECORD)
    mu, sigma, s = (np.ascontiguousarray(a) for a in (mu, sigma, s))
    _core.threshold_statistics(
        edges,
        coefficients.ravel(),
        v_low,
        neuron.v_reset,
        mu,
        sigma,
        s,
        wanted,
        tolerance,
        ROUGHEST,
        MOST_STEPS,
        record,
    )
    return record.reshape(-1, _RECORD)


def _lower_bound(neuron: IntegrateAndFire, mu: float, sigma: float) -> float:
    if sigma == 0.0:
        return neuron.v_reset
    bound = float(neuron.lower_bound(mu, sigma))
    if not -np.inf < bound <= neuron.v_reset:
        raise ValueError(
            f"{type(neuron).__name__}.lower_bound(mu={mu:g}, sigma={sigma:g}) must return a finite potential at or "
            f"below v_reset={neuron.v_reset:g}, got {bound:g}."
        )
    return bound


def sample_drift(neuron: IntegrateAndFire, lowest: float) -> tuple[Array, Array]:
    """The drift from below `lowest` to threshold as Chebyshev series: edges (n + 1,), coefficients (n, 16).

    Panels start as [v_reset, v_threshold] and ever wider ones below, and are bisected until the series resolves the
    drift to rounding, at their ends too. A feature far narrower than the node spacing inside a panel can be missed.
    Raises ValueError if the drift is not finite or too rough.
    """
    width = neuron.v_threshold - neuron.v_reset
    bounds = [neuron.v_threshold, neuron.v_reset]
    while bounds[-1] > lowest:
        bounds.append(neuron.v_reset - width * (2.0 ** (len(bounds) - 1) - 1.0))
    lower, upper = np.array(bounds[1:]), np.array(bounds[:-1])
    done: list[tuple[Array, Array]] = []
    for depth in range(DEEPEST + 1):
        series, misfit = _chebyshev(neuron, lower, upper)
        size, slope = np.abs(series).max(axis=1), np.abs(series) @ np.arange(NODES) * 2.0 / (upper - lower)
        rounding = np.finfo(float).eps * np.maximum(np.abs(lower), np.abs(upper)) * slope  # of v, seen in the drift
        rough = np.maximum(np.abs(series[:, -3:]).max(axis=1), misfit / NODES) > RESOLVED * size + rounding
        rough &= (depth < DEEPEST) & (upper - lower > 1e-14 * width)
        done.append((lower[~rough], series[~rough]))
        middle = 0.5 * (lower[rough] + upper[rough])
        lower, upper = np.append(lower[rough], middle), np.append(middle, upper[rough])
        if lower.size == 0:
            break
        if lower.size > MOST_PANELS:
            raise ValueError(f"{type(neuron).__name__}.drift must be piecewise smooth in v; it is rough everywhere.")
    lower, series = (np.concatenate(parts) for parts in zip(*done, strict=True))
    order = np.argsort(lower)
    return np.append(lower[order], neuron.v_threshold), np.ascontiguousarray(series[order])


def _chebyshev(neuron: IntegrateAndFire, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Series (k, 16) on k panels, and how far they miss the drift at the panels' ends, which are no nodes."""
    v = 0.5 * ((lower + upper)[:, None] + (upper - lower)[:, None] * np.cos(_ANGLES))
    v = np.column_stack([v, lower, upper])
    f = np.asarray(neuron.drift(v), dtype=np.float64)
    if f.shape != v.shape:
        raise ValueError(
            f"{type(neuron).__name__}.drift must return one value per potential, {v.shape}, got {f.shape}."
        )
    if not np.isfinite(f).all():
        at = v[~np.isfinite(f)][0]
        raise ValueError(
            f"{type(neuron).__name__}.drift must be finite up to v_threshold, got {f[v == at][0]} at {at:g}."
        )
    series = f[:, :NODES] @ _TO_CHEBYSHEV.T
    ends = np.column_stack([series @ (-1.0) ** np.arange(NODES), series.sum(axis=1)])
    return series, np.abs(ends - f[:, NODES:]).max(axis=1)


def _pair(record: Array, column: int) -> tuple[Array, Array]:
    return record[:, column + 1], record[:, column + 2]


def _log_rate(neuron: IntegrateAndFire, record: Array) -> Array:
    log_mean = record[:, _LOG_MEAN]
    if neuron.tau_ref == 0.0:
        return -log_mean
    with np.errstate(invalid="ignore"):  # an element that did not converge, labelled by its code
        return -np.logaddexp(np.log(neuron.tau_ref), log_mean)


def _log_rate_gradient(neuron: IntegrateAndFire, record: Array) -> tuple[Array, Array]:
    silent = record[:, _CODE] == _SILENT
    share = np.exp(np.where(silent, 0.0, record[:, _LOG_MEAN]) + np.where(silent, 0.0, _log_rate(neuron, record)))
    by_mu, by_sigma = _pair(record, _LOG_MEAN)
    return -share * by_mu, -share * by_sigma


def _cv(neuron: IntegrateAndFire, sigma: Array, record: Array) -> Array:
    silent = record[:, _CODE] == _SILENT
    cv = np.exp(
        0.5 * np.where(silent, 0.0, record[:, _LOG_VARIANCE]) + np.where(silent, 0.0, _log_rate(neuron, record))
    )
    return np.where(silent, 1.0, np.where(sigma == 0.0, 0.0, cv))


def _cv_gradient(neuron: IntegrateAndFire, sigma: Array, record: Array) -> tuple[Array, Array]:
    silent, noisy = record[:, _CODE] == _SILENT, sigma > 0.0
    cv = _cv(neuron, sigma, record)
    by = zip(_log_rate_gradient(neuron, record), _pair(record, _LOG_VARIANCE), strict=True)
    by_mu, by_sigma = (cv * (np.where(silent, 0.0, g) + 0.5 * np.where(silent, 0.0, h)) for g, h in by)
    slope = _cv(neuron, np.ones_like(sigma), record)  # without noise the record holds Var T/sigma^2
    return np.where(noisy, by_mu, 0.0), np.where(noisy, by_sigma, np.where(silent, 0.0, slope))


def _checked(
    neuron: IntegrateAndFire, mu: Array, sigma: Array, s: Array | None = None, *, wanted: int, deep: bool = False
) -> Array:
    record = solve(neuron, mu, sigma, np.zeros_like(mu) if s is None else s, wanted=wanted)
    bad = np.flatnonzero(np.isin(record[:, _CODE], _NOT_CONVERGED if deep else (_NOT_CONVERGED, _DEEP)))
    if bad.size:
        i = bad[0]
        at = f"mu={mu[i]:g}, sigma={sigma[i]:g}" + ("" if s is None else f", s={s[i]:g}")
        raise NumericalFailure(
            Status.NOT_CONVERGED,
            f"Threshold integration of {type(neuron).__name__} at {at} did not reach {TOLERANCE:g} in {MOST_STEPS} "
            f"steps. The noise may be too small beside the barrier to threshold, or s too large: raise sigma (or set "
            f"it to 0), or lower s.",
        )
    return record


def rate(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> Array:
    """Firing rate [Hz] on flat arrays."""
    return np.exp(_log_rate(neuron, _checked(neuron, mu, sigma, wanted=_MOMENTS, deep=True)))


def log_rate(neuron: IntegrateAndFire, mu: Array, sigma: Array, *, deep: bool = False) -> Array:
    """log r on flat arrays; with `deep`, to leading order behind barriers of more than `MOST_STEPS`."""
    return _log_rate(neuron, _checked(neuron, mu, sigma, wanted=_MOMENTS, deep=deep))


def cv(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> Array:
    """C_v on flat arrays."""
    return _cv(neuron, sigma, _checked(neuron, mu, sigma, wanted=_MOMENTS, deep=True))


def log_isi_laplace(neuron: IntegrateAndFire, s: Array, mu: Array, sigma: Array, *, deep: bool = False) -> Array:
    """log P_L(s) on flat arrays; with `deep`, -inf at s > 0 behind barriers of more than `MOST_STEPS`."""
    record = _checked(neuron, mu, sigma, s, wanted=_LAPLACE, deep=deep)
    return np.where(record[:, _CODE] == _DEEP, -np.inf, record[:, _LOG_LAPLACE]) - s * neuron.tau_ref


def log_rate_gradient(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """(d log r/dmu, d log r/dsigma) on flat arrays, from the variational equations."""
    return _log_rate_gradient(neuron, _checked(neuron, mu, sigma, wanted=_MOMENTS | _GRADIENTS))


def cv_gradient(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """(dC_v/dmu, dC_v/dsigma) on flat arrays, from the variational equations."""
    return _cv_gradient(neuron, sigma, _checked(neuron, mu, sigma, wanted=_MOMENTS | _GRADIENTS))


def log_isi_laplace_gradient(neuron: IntegrateAndFire, s: Array, mu: Array, sigma: Array) -> tuple[Array, Array]:
    """(d log P_L/dmu, d log P_L/dsigma) on flat arrays, from the variational equations."""
    return _pair(_checked(neuron, mu, sigma, s, wanted=_LAPLACE | _GRADIENTS), _LOG_LAPLACE)


provides(
    IntegrateAndFire,
    rate=rate,
    log_rate=log_rate,
    cv=cv,
    log_isi_laplace=log_isi_laplace,
    log_rate_gradient=log_rate_gradient,
    cv_gradient=cv_gradient,
    log_isi_laplace_gradient=log_isi_laplace_gradient,
)
