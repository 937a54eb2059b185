"""The marginal likelihood of a mean-field population, unit by unit.

Unit i receives mu_i + sigma xi(t), with mu_i ~ N(mu, Delta^2) over the population (quenched) and one temporal sigma.
With x = log r(mu_i, sigma) and y = log C_v(mu_i, sigma) of the model neuron,

    L_i = int dmu_i N(mu_i; mu, Delta^2) p(n_i | x, y) p(log c^_i | y),

    p(n | x, y) = m^k e^-m/(F Gamma(k + 1)),   k = n/F,   m = r T/F,   F = phi C_v^2      (Poisson where F = 1)
    log c^ ~ N(y - b v, phi_c v + tau^2),      v = (1 + C_v^2)/(2 intervals)              (see `fit_data`)

tau is the spread of log C_v between units beyond what mu_i explains. The count law has the mean and the variance of a
renewal count and the right chance of silence where spikes are rare, so that a silent unit says that its mu_i lies low.
The integrals are taken by Gauss-Hermite rules centred on each unit's own posterior mode; gradients follow from Fisher's
identity, d log L/d theta = E_posterior[d log(likelihood x prior)/d theta].
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from equipoise import renewal
from equipoise.inference.fit_data import Observed
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal import threshold_integration
from equipoise.renewal.dispatch import get
from equipoise.renewal.tabulated import UNIT_OF_TIME, Tabulated

NODES = 25
STEPS = 40
LOWEST = -300.0
"""log r is kept above it; nothing fires there in any recording."""
HIGHEST = 600.0
TINY = 1e-9


@dataclass(frozen=True)
class Response:
    """(log r, log C_v) of a neuron and their slopes, as functions of mu [V/s] and sigma [V/sqrt(s)], on flat arrays."""

    neuron: IntegrateAndFire

    @property
    def mu_unit(self) -> float:
        """(v_th - v_r)/10 ms [V/s], in which the search measures means."""
        return (self.neuron.v_threshold - self.neuron.v_reset) / UNIT_OF_TIME

    @property
    def sigma_unit(self) -> float:
        """(v_th - v_r)/sqrt(10 ms) [V/sqrt(s)]."""
        return (self.neuron.v_threshold - self.neuron.v_reset) / math.sqrt(UNIT_OF_TIME)

    def values(self, mu: Array, sigma: float) -> tuple[Array, Array]:
        """log r and log C_v in the shape of mu."""
        flat = np.ascontiguousarray(mu).ravel()
        noise = np.full(flat.size, sigma)
        if self._tables:
            log_rate, log_cv = (table.evaluate(flat, noise)[0] for table in self._tables)
        else:
            log_rate, cv = (get(self.neuron, name)(self.neuron, flat, noise) for name in ("log_rate", "cv"))
            log_cv = _log(cv)
        return np.maximum(log_rate, LOWEST).reshape(mu.shape), np.maximum(log_cv, math.log(TINY)).reshape(mu.shape)

    def slopes(self, mu: Array, sigma: float) -> Array:
        """d(log r, log C_v)/d(mu, log sigma), shape (2, 2, *mu)."""
        flat = np.ascontiguousarray(mu).ravel()
        noise = np.full(flat.size, sigma)
        if self._tables:
            by = np.array([table.evaluate(flat, noise)[1:] for table in self._tables])
        else:
            names = ("log_rate_gradient", "cv_gradient")
            by = np.array([get(self.neuron, name)(self.neuron, flat, noise) for name in names])
            by[1] /= np.maximum(get(self.neuron, "cv")(self.neuron, flat, noise), TINY)
        by[:, 1] *= sigma
        return np.nan_to_num(by, nan=0.0, posinf=0.0, neginf=0.0).reshape(2, 2, *mu.shape)

    @cached_property
    def _tables(self):
        """Tables of log r and log C_v for neurons without closed forms, or nothing."""
        table, neuron = renewal.tabulated(self.neuron), self.neuron
        if not isinstance(table, Tabulated):
            return ()

        def log_rate(mu: Array, sigma: Array) -> Array:
            return threshold_integration.log_rate(neuron, mu, sigma, deep=True)

        def log_cv(mu: Array, sigma: Array) -> Array:
            return _log(threshold_integration.cv(neuron, mu, sigma))

        return table.table("rate", log_rate), table.table("log_cv", log_cv)


def _log(cv: Array) -> Array:
    return np.log(np.maximum(cv, TINY))


@dataclass(frozen=True)
class Law:
    """Inputs of a population: mean mu and quenched SD delta [V/s], noise sigma [V/sqrt(s)], spread tau of log C_v."""

    mu: float
    delta: float
    sigma: float
    tau: float


class _Terms:
    """log p(n | x, y) + log p(log c^ | y) of units (n,) at log rates x and log irregularities y (n, ...)."""

    def __init__(self, seen: Observed, tau: float, x: Array, y: Array):
        wide = (slice(None), *[None] * (x.ndim - 1))
        self.log_f = math.log(seen.count_dispersion) + 2.0 * y
        self.k = seen.counts[wide] * np.exp(-self.log_f)
        self.log_m = x + math.log(seen.duration) - self.log_f
        self.m = np.exp(np.minimum(self.log_m, HIGHEST))
        intervals, self.known = np.maximum(seen.intervals[wide], 1.0), seen.has_cv[wide]
        v = (1.0 + np.exp(2.0 * y)) / (2.0 * intervals)
        self.v_slope = np.exp(2.0 * y) / intervals
        self.bias, self.dispersion, self.tau = seen.cv_bias, seen.cv_dispersion, tau
        self.variance = seen.cv_dispersion * v + tau**2
        self.z = np.where(self.known, np.nan_to_num(seen.log_cv)[wide] - y + seen.cv_bias * v, 0.0)

    def value(self) -> Array:
        """The logarithm itself."""
        return self.counts() + self.irregularities()

    def counts(self) -> Array:
        """log p(n | x, y)."""
        from scipy.special import gammaln

        return self.k * self.log_m - self.m - gammaln(self.k + 1.0) - self.log_f

    def irregularities(self) -> Array:
        """log p(log c^ | y), 0 where c^ is not known."""
        normal = -0.5 * (self.z**2 / self.variance + np.log(2.0 * math.pi * self.variance))
        return np.where(self.known, normal, 0.0)

    def slopes(self) -> Array:
        """Derivatives by x and y, stacked."""
        from scipy.special import digamma

        by_y = 2.0 * self.m - 2.0 - 2.0 * self.k * (self.log_m + 1.0 - digamma(self.k + 1.0))
        mean = np.where(self.known, self.z * (1.0 - self.bias * self.v_slope) / self.variance, 0.0)
        return np.stack([self.k - self.m, by_y + mean + self.dispersion * self.v_slope * self._by_variance()])

    def by_log_tau(self) -> Array:
        """Derivative by log tau."""
        return 2.0 * self.tau**2 * self._by_variance()

    def strength(self) -> Array:
        """Fisher's information on x and y, stacked: m, and 1/variance where c^ is known."""
        return np.stack([self.m, np.where(self.known, 1.0 / self.variance, 0.0)])

    def _by_variance(self) -> Array:
        return np.where(self.known, 0.5 * (self.z**2 / self.variance - 1.0) / self.variance, 0.0)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Each unit's integral: log L (n,), nodes mu (n, m) and their weights (n, m), which sum to 1 along m."""

    log_likelihood: Array
    mu: Array
    weights: Array

    def mean(self, values: Array) -> Array:
        """Posterior expectation (n,) of values at the nodes (n, m)."""
        return (values * self.weights).sum(axis=1)


def integrate(response: Response, seen: Observed, law: Law, *, counts_only: bool = False) -> Posterior:
    """The marginal likelihood of every unit under the law of its population; of its count alone if asked for."""
    centre, sd = _modes(response, seen, law)
    t, log_w = _rule()
    mu = centre[:, None] + sd[:, None] * t
    found = _Terms(seen, law.tau, *response.values(mu, law.sigma))
    likelihood = found.counts() if counts_only else found.value()
    terms = likelihood + _log_prior(law, mu) + log_w + np.log(sd)[:, None]
    top = terms.max(axis=1, keepdims=True)
    parts = np.exp(terms - top)
    total = parts.sum(axis=1, keepdims=True)
    return Posterior((top + np.log(total))[:, 0], mu, parts / total)


def scores(response: Response, seen: Observed, law: Law, found: Posterior) -> Array:
    """Gradients of log L_i by (mu/unit, log Delta, log sigma, log tau), shape (n, 4)."""
    z = (found.mu - law.mu) / law.delta
    terms = _Terms(seen, law.tau, *response.values(found.mu, law.sigma))
    by_sigma = (terms.slopes() * response.slopes(found.mu, law.sigma)[:, 1]).sum(axis=0)
    columns = z * response.mu_unit / law.delta, z * z - 1.0, by_sigma, terms.by_log_tau()
    return np.stack([found.mean(column) for column in columns], axis=1)


def _log_prior(law: Law, mu: Array) -> Array:
    return -0.5 * ((mu - law.mu) / law.delta) ** 2 - math.log(law.delta * math.sqrt(2.0 * math.pi))


def _modes(response: Response, seen: Observed, law: Law) -> tuple[Array, Array]:
    """Posterior modes of mu_i and standard deviations there, each (n,), by damped Gauss-Newton steps.

    The curvature is Fisher's, so that it is positive; a step that lowers the posterior is cut to a quarter.
    """
    at = _start(response, seen, law)
    height, damping = _height(response, seen, law, at), np.ones(seen.n)
    gradient, curvature = _local(response, seen, law, at)
    for _ in range(STEPS):
        step = damping * gradient / curvature
        reached = _height(response, seen, law, at + step)
        better = reached >= height
        at, height = np.where(better, at + step, at), np.where(better, reached, height)
        damping = np.where(better, np.minimum(2.0 * damping, 1.0), 0.25 * damping)
        gradient, curvature = _local(response, seen, law, at)
        if (gradient**2 < 1e-2 * curvature).all():
            break
    return at, 1.0 / np.sqrt(curvature)


def _start(response: Response, seen: Observed, law: Law) -> Array:
    """The best of a few places along the population (n,)."""
    grid = law.mu + law.delta * np.linspace(-4.0, 4.0, 21)
    x, y = (np.tile(values, (seen.n, 1)) for values in response.values(grid, law.sigma))
    return grid[np.argmax(_Terms(seen, law.tau, x, y).value() + _log_prior(law, grid), axis=1)]


def _height(response: Response, seen: Observed, law: Law, mu: Array) -> Array:
    return _Terms(seen, law.tau, *response.values(mu, law.sigma)).value() + _log_prior(law, mu)


def _local(response: Response, seen: Observed, law: Law, mu: Array) -> tuple[Array, Array]:
    """Slope and Fisher curvature of the log posterior (n,)."""
    terms = _Terms(seen, law.tau, *response.values(mu, law.sigma))
    by_mu = response.slopes(mu, law.sigma)[:, 0]
    slope = (terms.slopes() * by_mu).sum(axis=0) - (mu - law.mu) / law.delta**2
    return slope, (terms.strength() * by_mu**2).sum(axis=0) + 1.0 / law.delta**2


@lru_cache(maxsize=1)
def _rule() -> tuple[Array, Array]:
    """Nodes of a standard normal, and the logarithms of their weights over exp(-t^2/2)."""
    t, w = np.polynomial.hermite_e.hermegauss(NODES)
    return t, np.log(w) + 0.5 * t * t
