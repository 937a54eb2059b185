"""Maximum likelihood of one population, with intervals and goodness of fit.

theta = (mu/unit, log Delta, log sigma, log tau), see `fit_likelihood`. Intervals come from the observed information, or
from a parametric bootstrap: replicas of the counts and irregularities are drawn from the fitted law and fitted again
(started at the truth of that world). Delta scales out of location and scale, so that (mu* - mu)/Delta* and
log Delta* - log Delta are near pivots, and the bootstrap corrects what maximum likelihood takes off the spread of few
units. tau may be zero, where theta ends at its bound: then it is held there.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.fit_data import Observed
from equipoise.inference.fit_likelihood import Law, Response, integrate, scores
from equipoise.measures.estimates import level
from equipoise.measures.irregularity import MIN_INTERVALS
from equipoise.quantities import Array
from equipoise.renewal.inverse import input_for, rheobase

LOW = np.array([-1e3, math.log(1e-4), math.log(1e-3), math.log(1e-3)])
HIGH = np.array([1e3, math.log(1e3), math.log(1e3), math.log(3.0)])
"""Bounds of the search: mu and Delta in units of (v_th - v_r)/10 ms, sigma of (v_th - v_r)/sqrt(10 ms)."""
LONGEST = np.array([1.0, 1.0, 0.5, 1.0])
"""The longest step of the search."""
MOST = 200
GRID = 801


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The log likelihood of a population as a function of theta."""

    response: Response
    seen: Observed

    def law(self, theta: Array) -> Law:
        """The law that theta stands for."""
        delta, sigma = np.exp(theta[1:3]) * [self.response.mu_unit, self.response.sigma_unit]
        return Law(float(theta[0]) * self.response.mu_unit, float(delta), float(sigma), math.exp(float(theta[3])))

    def theta(self, law: Law) -> Array:
        """theta of a law."""
        unit, noise = self.response.mu_unit, self.response.sigma_unit
        return np.array([law.mu / unit, *np.log([law.delta / unit, law.sigma / noise, law.tau])])

    def evaluate(self, theta: Array) -> tuple[float, Array]:
        """log L and the units' scores (n, 4), its gradients."""
        law = self.law(theta)
        found = integrate(self.response, self.seen, law)
        return float(found.log_likelihood.sum()), scores(self.response, self.seen, law, found)


@dataclass(frozen=True, eq=False)
class Maximum:
    """The best theta, its log likelihood, whether the search converged, and which parameters lie at a bound (4,)."""

    theta: Array
    log_likelihood: float
    converged: bool
    bound: NDArray[np.bool_]


def maximize(likelihood: Likelihood, start: Array, *, tolerance: float = 1e-4) -> Maximum:
    """The maximum of the likelihood from a start, within bounds.

    Quasi-Newton steps (BFGS) that begin with the outer product of the units' scores as curvature (Berndt et al. 1974);
    parameters pushed against a bound are held. Ends where a step promises less than `tolerance`^2 in log L.
    """
    theta = np.clip(start, LOW, HIGH)
    value, each = likelihood.evaluate(theta)
    curvature, free = each.T @ each, np.ones(4, dtype=bool)
    for _ in range(MOST):
        slope = each.sum(axis=0)
        free = ~(((theta <= LOW) & (slope < 0.0)) | ((theta >= HIGH) & (slope > 0.0)))
        step = _direction(curvature, slope, free)
        gain = float(step @ slope)
        if gain < tolerance**2:
            return Maximum(theta, value, True, ~free)
        new, reached, each_new = _line(likelihood, theta, value, step, gain)
        if not reached > value:
            return Maximum(theta, value, gain < 1e-2, ~free)
        curvature = _updated(curvature, new - theta, slope - each_new.sum(axis=0))
        theta, value, each = new, reached, each_new
    return Maximum(theta, value, False, ~free)


def _direction(curvature: Array, slope: Array, free: NDArray[np.bool_]) -> Array:
    """The quasi-Newton step in the free parameters, none longer than `LONGEST`."""
    step = np.zeros(4)
    part = curvature[np.ix_(free, free)]
    ridge = np.diag(1e-9 + 1e-9 * np.diag(part))
    step[free] = np.linalg.solve(part + ridge, slope[free])
    return step / max(1.0, float(np.max(np.abs(step) / LONGEST)))


def _line(likelihood: Likelihood, theta: Array, value: float, step: Array, gain: float) -> tuple[Array, float, Array]:
    """The first of ever shorter steps that brings a part of the gain it promises, or the shortest."""
    shorter = 1.0
    while True:
        new = np.clip(theta + shorter * step, LOW, HIGH)
        reached, each = likelihood.evaluate(new)
        if reached > value + 1e-4 * shorter * gain or shorter < 1e-4:
            return new, reached, each
        shorter *= 0.3


def _updated(curvature: Array, moved: Array, change: Array) -> Array:
    """The BFGS update, left out where it would not stay positive."""
    along, pushed = float(moved @ change), curvature @ moved
    if along <= 1e-10 * float(moved @ pushed):
        return curvature
    return curvature + np.outer(change, change) / along - np.outer(pushed, pushed) / float(moved @ pushed)


def first_guess(likelihood: Likelihood) -> Array:
    """theta from the inverse of each unit's own rate and irregularity: medians, and the spread of mu."""
    response, seen = likelihood.response, likelihood.seen
    rate, cv = seen.counts / seen.duration, np.exp(seen.log_cv)
    some = np.flatnonzero(seen.has_cv)[:: max(1, seen.has_cv.sum() // 50)]
    inputs = input_for(response.neuron, rate=rate[some], cv=cv[some], throw=False)
    fine = np.isfinite(inputs.mu)
    if fine.sum() < 3:
        return np.array([rheobase(response.neuron) / response.mu_unit, math.log(0.3), math.log(0.5), math.log(0.1)])
    mu = inputs.mu[fine] / response.mu_unit
    low, high = np.quantile(mu, [0.25, 0.75])
    delta = max((high - low) / 1.35, 0.02)
    sigma = float(np.median(inputs.sigma[fine])) / response.sigma_unit
    return np.array([float(np.median(mu)), math.log(delta), math.log(sigma), math.log(0.1)])


def covariance(likelihood: Likelihood, best: Maximum) -> Array:
    """Inverse of the observed information of theta (4, 4); NaN for parameters at a bound, or without a maximum."""
    free = np.flatnonzero(~best.bound)
    rows = []
    for k in free:
        step = np.zeros(4)
        step[k] = 1e-3
        ahead, behind = (likelihood.evaluate(best.theta + sign * step)[1].sum(axis=0) for sign in (1, -1))
        rows.append((ahead - behind)[free] / 2e-3)
    information = -np.array(rows).reshape(free.size, free.size)
    out = np.full((4, 4), np.nan)
    information = 0.5 * (information + information.T)
    if free.size and np.isfinite(information).all() and np.linalg.eigvalsh(information)[0] > 0.0:
        out[np.ix_(free, free)] = np.linalg.inv(information)
    return out


# Drawing and testing --------------------------------------------------------------------------------------------------


def draw(likelihood: Likelihood, law: Law, rng: np.random.Generator) -> Observed:
    """Counts and irregularities of as many units as were seen, from a law."""
    seen = likelihood.seen
    mu = law.mu + law.delta * rng.standard_normal(seen.n)
    x, y = likelihood.response.values(mu, law.sigma)
    fano = seen.count_dispersion * np.exp(2.0 * y)
    poisson = rng.poisson(np.minimum(np.exp(x) * seen.duration / fano, 1e15))
    # A Poisson number of F spikes each, made smooth: the mean is kept, and F = 1 is the Poisson law itself.
    counts = np.maximum(np.floor(fano * (poisson + rng.random(seen.n)) + 0.5 * (1.0 - fano)), 0.0)
    intervals = np.maximum(counts - 1.0, 0.0)
    v = (1.0 + np.exp(2.0 * y)) / (2.0 * np.maximum(intervals, 1.0))
    noise = np.sqrt(seen.cv_dispersion * v + law.tau**2) * rng.standard_normal(seen.n)
    log_cv = np.where(intervals >= MIN_INTERVALS, y - seen.cv_bias * v + noise, np.nan)
    return replace(seen, counts=counts, intervals=intervals, log_cv=log_cv)


def rate_pit(likelihood: Likelihood, law: Law) -> Array:
    """P(count < n_i) + P(count = n_i)/2 under the population (n,): uniform where the law holds."""
    from scipy.special import gammaincc

    seen = likelihood.seen
    z = np.linspace(-6.0, 6.0, GRID)
    x, y = likelihood.response.values(law.mu + law.delta * z, law.sigma)
    fano = seen.count_dispersion * np.exp(2.0 * y)
    m = np.exp(x) * seen.duration / fano
    weights = np.exp(-0.5 * z * z)

    def below(n: Array) -> Array:
        """P(count <= n): with F = 1 the Poisson one."""
        at = np.maximum((n[:, None] + 0.5) / fano + 0.5, 1e-300)
        return np.where(n[:, None] < 0.0, 0.0, gammaincc(at, m)) @ (weights / weights.sum())

    return 0.5 * (below(seen.counts) + below(seen.counts - 1.0))


def cv_pit(likelihood: Likelihood, law: Law) -> Array:
    """P(C_v estimate < c^_i | n_i) of the units that have one: uniform where the law holds."""
    from scipy.special import ndtr

    seen = likelihood.seen
    found = integrate(likelihood.response, seen, law, counts_only=True)
    y = likelihood.response.values(found.mu, law.sigma)[1]
    v = (1.0 + np.exp(2.0 * y)) / (2.0 * np.maximum(seen.intervals[:, None], 1.0))
    z = (seen.log_cv[:, None] - y + seen.cv_bias * v) / np.sqrt(seen.cv_dispersion * v + law.tau**2)
    return found.mean(ndtr(z))[seen.has_cv]


def distance(pit: Array) -> float:
    """Kolmogorov's distance of values from the uniform law."""
    ordered, n = np.sort(pit), pit.size
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())) if n else math.nan


@dataclass(frozen=True, eq=False)
class Replicas:
    """Bootstrap replicas: theta (b, 4) and the distances of rates and irregularities (b, 2)."""

    theta: Array
    distances: Array


def replicate(likelihood: Likelihood, best: Maximum, n: int, seed: np.random.SeedSequence) -> Replicas:
    """`n` populations drawn from the fitted law and fitted again; those without three irregularities are drawn anew."""
    law, thetas, distances = likelihood.law(best.theta), [], []
    for child in seed.spawn(n):
        rng = np.random.default_rng(child)
        for _ in range(20):
            seen = draw(likelihood, law, rng)
            if seen.has_cv.sum() >= 3:
                break
        else:
            continue
        again = Likelihood(likelihood.response, seen)
        theta = maximize(again, best.theta, tolerance=0.03).theta
        thetas.append(theta)
        distances.append([distance(pit(again, again.law(theta))) for pit in (rate_pit, cv_pit)])
    return Replicas(np.array(thetas).reshape(-1, 4), np.array(distances).reshape(-1, 2))


def intervals(best: Maximum, errors: Array, replicas: Replicas, confidence: float) -> Array:
    """Ends (2, 4) of the intervals of theta, from mean and SD of the replicas where there are any, else of `errors`.

    A parameter at its lower bound has that bound as the lower end; without replicas its upper end is not known.
    """
    off, sd = np.zeros(4), errors
    if len(replicas.theta) > 1:
        pivots = replicas.theta - best.theta
        pivots[:, 0] *= np.exp(-pivots[:, 1])
        off, sd = pivots.mean(axis=0), pivots.std(axis=0, ddof=1)
    ends = best.theta - off + level(confidence) * np.outer([-1.0, 1.0], sd)
    low = np.where(best.bound & (best.theta <= LOW + 1e-6), LOW, ends[0])
    return np.clip([low, ends[1]], LOW, HIGH)
