"""The inverse: which input (mu, sigma) makes a neuron fire at a given rate and C_v.

At fixed sigma the mean interval T falls strictly with mu; along the curve of constant rate C_v rises from 0 with
sigma. A damped Newton iteration in (mu, log sigma) on (log(1/r - tau_ref), log C_v) follows this curve: log sigma
stays in a bracket that the sign of C_v's residual, projected on the curve, keeps shrinking. Neurons with an explicit
inverse register it as `input_for`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite, together
from equipoise.renewal import threshold_integration
from equipoise.renewal.dispatch import find, get
from equipoise.results import NumericalFailure, Status

# Beyond these an input exists on paper only.
# Reversal potentials hold a membrane within a few threshold distances of rest: no conductance pulls it further down.
DEEPEST_MEAN = 5.0  # of the mean potential below reset, in units of v_threshold - v_reset
# No drive of a living cell is constant to a tenth of a per cent: the rate must not change e-fold over that.
LARGEST_ELASTICITY = 1000.0  # of the rate to mu, |d log r/d log mu|

_TOLERANCE = 1e-11  # on log(1/r - tau_ref) and log C_v
_RESOLVABLE = 1e-9  # error of the former by the rounding of mu, above which a request cannot be met
_NEAR = 0.5  # distance of log T from the curve of constant rate within which sigma is moved too
_SURE = 0.02  # and within which a point tells on which side of the C_v asked for it lies
_ROUNDS = 100
_RANGE = 1e6  # factor by which sigma may exceed its start

_WALKING, _MET, _NONE = 0, 1, 2
_STATUS = np.array([Status.NOT_CONVERGED, Status.OK, Status.INFEASIBLE], dtype=object)


@dataclass(frozen=True, eq=False)
class InputFor:
    """Input statistics that give the requested rate and C_v; unpacks as ``mu, sigma = ...``.

    `mu` [V/s], `sigma` [V/sqrt(s)]; `status` a Status, for arrays an object array of them; `message` says what is
    wrong with the first element that is not OK, or is empty.
    """

    mu: Array
    sigma: Array
    status: Status | np.ndarray
    message: str = ""

    def __iter__(self) -> Iterator[Array]:
        return iter((self.mu, self.sigma))


def input_for(neuron: IntegrateAndFire, *, rate: ArrayLike, cv: ArrayLike, throw: bool = True) -> InputFor:
    """The input (mu, sigma) at which `neuron` fires at `rate` [Hz] with irregularity `cv`, which broadcast.

    Where there is none (INFEASIBLE, NOT_CONVERGED) it raises NumericalFailure, or returns NaN with that status if not
    `throw`. IMPLAUSIBLE inputs are returned, labelled: their mean potential lies more than `DEEPEST_MEAN` threshold
    distances below reset, or the rate is more than `LARGEST_ELASTICITY` times as sensitive as mu itself.
    """
    requested = together("input_for", rate=finite("input_for", "rate", rate), cv=finite("input_for", "cv", cv))
    shape = requested[0].shape
    rates, cvs = (np.ascontiguousarray(a).ravel() for a in requested)
    mu, sigma = np.full(rates.size, np.nan), np.full(rates.size, np.nan)
    status = np.full(rates.size, Status.INFEASIBLE, dtype=object)
    possible = (rates > 0.0) & (cvs > 0.0) & (rates * neuron.tau_ref < 1.0)
    if possible.any():
        kernel = find(neuron, "input_for") or _search
        mu[possible], sigma[possible], status[possible] = kernel(neuron, rates[possible], cvs[possible])
    usable = np.array([x.usable for x in status], dtype=bool)
    wrong = np.flatnonzero(~usable) if throw else np.flatnonzero(status != Status.OK)
    wrong = wrong if wrong.size else np.flatnonzero(status != Status.OK)
    message = _reason(neuron, rates, cvs, mu, status, wrong[0]) if wrong.size else ""
    if throw and not usable.all():
        raise NumericalFailure(Status(status[wrong[0]]), message)
    mu[~usable] = sigma[~usable] = np.nan
    return InputFor(mu.reshape(shape)[()], sigma.reshape(shape)[()], status.reshape(shape)[()], message)


def rheobase(neuron: IntegrateAndFire) -> float:
    """The constant drive mu [V/s] above which a noise-free neuron fires: minus the least drift below threshold."""
    v = np.linspace(neuron.v_reset, neuron.v_threshold, 2049)
    return -float(np.min(neuron.drift(v)))


class _Walk:
    """Where each element is, its bracket of log sigma and the last point at which its statistics were finite."""

    def __init__(self, neuron: IntegrateAndFire, rate: Array, cv: Array):
        interval, distance = 1.0 / rate - neuron.tau_ref, neuron.v_threshold - neuron.v_reset
        self.target = np.log([interval, cv])
        # Start: the perfect integrator's sigma, and a drive that without noise reaches threshold in time.
        self.mu = rheobase(neuron) + distance / interval
        self.log_sigma = np.log(np.minimum(cv, 1.0) * distance / np.sqrt(interval))
        self.low, self.high = np.full(rate.size, -np.inf), np.full(rate.size, np.inf)
        self.ceiling = self.log_sigma + np.log(_RANGE)
        self.good = np.array([self.mu, self.log_sigma])


def _search(neuron: IntegrateAndFire, rate: Array, cv: Array) -> tuple[Array, Array, np.ndarray]:
    walk = _Walk(neuron, rate, cv)
    status = np.full(rate.size, Status.NOT_CONVERGED, dtype=object)
    active = np.arange(rate.size)
    for _ in range(_ROUNDS):
        ended = _advance(walk, neuron, active)
        status[active] = _STATUS[ended]
        active = active[ended == _WALKING]
        if active.size == 0:
            break
    ok = np.flatnonzero(status == Status.OK)
    status[ok[_implausible(neuron, walk.mu[ok], np.exp(walk.log_sigma[ok]))]] = Status.IMPLAUSIBLE
    return walk.mu, np.exp(walk.log_sigma), status


def _advance(walk: _Walk, neuron: IntegrateAndFire, at: np.ndarray) -> np.ndarray:
    """One damped Newton step of the elements `at`; returns how each ended, or that it walks on."""
    mu, log_sigma = walk.mu[at], walk.log_sigma[at]
    value, by_mu, by_log = _logarithms(neuron, mu, np.exp(log_sigma))
    fine = np.isfinite(value).all(axis=0) & np.isfinite(by_mu).all(axis=0) & (by_mu[0] < 0.0)
    gap = np.where(fine, value - walk.target[:, at], 1.0)
    by_mu, by_log = np.where(fine, by_mu, -1.0), np.where(fine, by_log, 1.0)
    excess = gap[1] - by_mu[1] / by_mu[0] * gap[0]  # of log C_v, taken along mu to where the rate is right
    near = fine & (np.abs(gap[0]) < _NEAR)
    sure = near & (np.abs(gap[0]) < _SURE)
    walk.high[at] = np.where(sure & (excess > 0.0), log_sigma, walk.high[at])
    walk.low[at] = np.where(sure & (excess < 0.0), log_sigma, walk.low[at])
    # A bracket that closes on no solution rests on a misjudged side: forget it.
    void = walk.high[at] - walk.low[at] < 0.1 * np.minimum(np.abs(excess), 1.0)
    walk.low[at[void]], walk.high[at[void]] = -np.inf, np.inf

    rounding = np.finfo(float).eps * np.abs(mu * by_mu)
    ended = np.full(at.size, _WALKING)
    ended[near & (rounding[0] > _RESOLVABLE) & (excess > 0.0)] = _NONE
    ended[near & (log_sigma >= walk.ceiling[at]) & (excess < 0.0)] = _NONE
    ended[fine & (np.abs(gap) <= _TOLERANCE + 4.0 * rounding).all(axis=0)] = _MET

    slope = by_log[1] - by_mu[1] / by_mu[0] * by_log[0]
    d_log = np.where(near, _toward(excess, slope, log_sigma, walk.low[at], walk.high[at]), 0.0)
    d_log = np.minimum(d_log, walk.ceiling[at] - log_sigma)
    # log T is convex in mu: Newton's step from the left stays left, from the right it may fall far, so is cut.
    d_mu = -(np.maximum(gap[0], -3.0) + by_log[0] * d_log) / by_mu[0]
    step = np.where(fine, [d_mu, d_log], 0.5 * (walk.good[:, at] - [mu, log_sigma])) * (ended == _WALKING)
    walk.good[:, at] = np.where(fine, [mu, log_sigma], walk.good[:, at])
    walk.mu[at], walk.log_sigma[at] = mu + step[0], log_sigma + step[1]
    return ended


def _toward(excess: Array, slope: Array, at: Array, low: Array, high: Array) -> Array:
    """Step in log sigma against an excess of log C_v: Newton's, at most a factor 2, inside the bracket."""
    with np.errstate(divide="ignore", invalid="ignore"):
        newton = np.where(slope > 0.0, -excess / slope, -np.sign(excess))
    new = at + np.clip(newton, -0.7, 0.7)
    bracketed = np.isfinite(low) & np.isfinite(high)
    outside = bracketed & ((new <= low) | (new >= high))
    middle = 0.5 * (np.where(bracketed, low, 0.0) + np.where(bracketed, high, 0.0))
    return np.where(outside, middle, new) - at


def _logarithms(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> tuple[Array, Array, Array]:
    """(log(1/r - tau_ref), log C_v), and both by mu and by log sigma; each (2, n)."""
    if find(neuron, "log_rate") is threshold_integration.log_rate:
        x = threshold_integration.statistics(neuron, mu=mu, sigma=sigma)
        log_rate, cv, rate_by, cv_by = x.log_rate, x.cv, x.log_rate_gradient, x.cv_gradient
    else:
        names = ("log_rate", "cv", "log_rate_gradient", "cv_gradient")
        log_rate, cv, rate_by, cv_by = (get(neuron, name)(neuron, mu, sigma) for name in names)
    with np.errstate(all="ignore"):  # what is not finite is left to the caller, who steps back
        free = 1.0 - np.exp(log_rate) * neuron.tau_ref
        value = np.array([np.log(free) - log_rate, np.log(cv)])
        by_mu, by_sigma = (np.array([-r / free, c / cv]) for r, c in zip(rate_by, cv_by, strict=True))
        return value, by_mu, by_sigma * sigma


def _implausible(neuron: IntegrateAndFire, mu: Array, sigma: Array) -> np.ndarray:
    deep = np.array([_too_deep(neuron, *pair) for pair in zip(mu.tolist(), sigma.tolist(), strict=True)], dtype=bool)
    slope = get(neuron, "log_rate_gradient")(neuron, mu, sigma)[0] if mu.size else mu
    return deep | (np.abs(mu * slope) > LARGEST_ELASTICITY)


def _too_deep(neuron: IntegrateAndFire, mu: float, sigma: float) -> bool:
    limit = neuron.v_reset - DEEPEST_MEAN * (neuron.v_threshold - neuron.v_reset)
    reachable = neuron.lower_bound(mu, sigma) <= limit
    return reachable and float(neuron.drift(np.array([limit]))[0]) + mu < 0.0


def _depth(neuron: IntegrateAndFire, mu: float) -> float:
    """How far below reset the mean drive holds the potential, in threshold distances."""
    distance = neuron.v_threshold - neuron.v_reset

    def falling(depth: float) -> bool:
        return float(neuron.drift(np.array([neuron.v_reset - depth * distance]))[0]) + mu < 0.0

    low, high = DEEPEST_MEAN, 2.0 * DEEPEST_MEAN
    while falling(high) and high < 1e12:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if falling(middle) else (low, middle)
    return high


def _reason(neuron: IntegrateAndFire, rate: Array, cv: Array, mu: Array, status: np.ndarray, i: int) -> str:
    """Why the input of element i is not OK, and what to try."""
    where = f" (element {i})" if rate.size > 1 else ""
    head = f"input_for: {type(neuron).__name__} at rate={rate[i]:g} Hz, cv={cv[i]:g}{where}: "
    if rate[i] <= 0.0 or cv[i] <= 0.0:
        return head + "rate and cv must be positive."
    if rate[i] * neuron.tau_ref >= 1.0:
        return head + f"the rate must stay below 1/tau_ref = {1.0 / neuron.tau_ref:g} Hz. Lower rate or tau_ref."
    if status[i] is Status.NOT_CONVERGED:
        return head + "the search ended before its tolerance. Try a rate or cv nearby."
    if find(neuron, "input_for") is not None:
        explain = find(neuron, "input_limit")
        if np.isfinite(mu[i]):
            return head + f"mu={mu[i]:g} V/s would be needed. " + status[i].advice
        return head + f"{explain(neuron, rate[i]) if explain else status[i].advice}"
    if status[i] is Status.INFEASIBLE and cv[i] < 1.0:
        return head + (
            "no input in double precision; the drive would have to lie closer to rheobase than rounding. "
            "Such slow firing is irregular: raise cv or rate."
        )
    if status[i] is Status.INFEASIBLE:
        return head + "no input makes this neuron so irregular at this rate. Lower cv."
    if _too_deep(neuron, mu[i], sigma=1.0):
        return head + (
            f"the input (mu={mu[i]:g}) exists on paper only; the mean potential would lie {_depth(neuron, mu[i]):.3g} "
            f"threshold distances below reset, more than {DEEPEST_MEAN:g}. Lower cv, or raise rate."
        )
    return head + (
        f"the input (mu={mu[i]:g}) exists on paper only; a change of mu by one part in {LARGEST_ELASTICITY:g} would "
        "change the rate e-fold. Raise cv or rate."
    )
