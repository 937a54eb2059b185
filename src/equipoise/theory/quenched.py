"""Averages over the quenched disorder of a population: E[g(mu + dmu, s + ds)], (dmu, ds) jointly Gaussian (Sec. 4.5.3).

Along the direction in which both fluctuations move together the trapezoid rule on +-9 standard deviations is used: it
converges exponentially for smooth g and stays reliable where g has a kink (small noise), which Gauss-Hermite does not.
The independent rest of ds is small, of order K^-1/2 of s, and takes a short Gauss-Hermite rule.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array

REACH = 9.0
REST_NODES = 7
LOWEST = 1e-9
"""Noise below this fraction of its mean is set to it: the Gaussian law of ds reaches below zero where K is small."""


@dataclass(frozen=True)
class Moments:
    """Input of a population: mean [V/s], variance s [V^2/s], and the (co)variances of their quenched parts.

    beta = Var dmu, gamma = Cov(dmu, ds), eta = Var ds; all arrays over populations (n,).
    """

    mu: Array
    s: Array
    beta: Array
    gamma: Array
    eta: Array


@lru_cache(maxsize=16)
def _rule(n: int) -> tuple[Array, Array, Array]:
    """Nodes z of the common direction, w of the rest, and weights, each (n REST_NODES,)."""
    z = np.linspace(-REACH, REACH, n)
    common = np.exp(-z * z / 2.0)
    w, rest = np.polynomial.hermite_e.hermegauss(REST_NODES)
    weights = np.outer(common / common.sum(), rest / rest.sum())
    return np.repeat(z, w.size), np.tile(w, z.size), weights.ravel()


@dataclass(frozen=True)
class Sample:
    """Nodes of one population or several: inputs mu and s (..., m), weights (m,), and the coordinates (z, w) behind."""

    mu: Array
    s: Array
    weights: Array
    z: Array
    w: Array

    @property
    def clipped(self) -> Array:
        """Probability of a noise at its floor, per population (...)."""
        return (self.s <= LOWEST * self.s.max(axis=-1, keepdims=True)) @ self.weights

    def mean(self, values: Array) -> Array:
        """Average over neurons of `values` (..., m) at the nodes."""
        return values @ self.weights


def sample(mu: ArrayLike, s: ArrayLike, beta: ArrayLike, gamma: ArrayLike, eta: ArrayLike, *, nodes: int) -> Sample:
    """Quadrature nodes for the input statistics of one population (scalars) or several (...,)."""
    mu, s, beta, gamma, eta = (np.asarray(v, dtype=np.float64)[..., None] for v in (mu, s, beta, gamma, eta))
    if not (beta > 0.0).any() and not (eta > 0.0).any():  # fixed in-degrees: all neurons are alike
        return Sample(mu, s, np.ones(1), np.zeros(1), np.zeros(1))
    z, w, weights = _rule(nodes)
    along, rest = spread(beta, gamma, eta)
    return Sample(mu + np.sqrt(beta) * z, np.maximum(s + along * z + rest * w, LOWEST * s), weights, z, w)


def spread(beta: ArrayLike, gamma: ArrayLike, eta: ArrayLike) -> tuple[Array, Array]:
    """Standard deviation of ds along dmu, gamma/sqrt(beta), and of its rest, sqrt(eta - gamma^2/beta)."""
    beta, gamma, eta = (np.asarray(v, dtype=np.float64) for v in (beta, gamma, eta))
    some = beta > 0.0
    safe = np.where(some, beta, 1.0)
    along = np.where(some, gamma / np.sqrt(safe), 0.0)
    return along, np.sqrt(np.maximum(eta - np.where(some, gamma * gamma / safe, 0.0), 0.0))


def gradient(points: Sample, by_mu: Array, by_s: Array, beta: ArrayLike, gamma: ArrayLike, eta: ArrayLike) -> Array:
    """Derivatives of the mean of g by (mu, s, beta, gamma, eta), shape (..., 5), from dg/dmu and dg/ds at the nodes.

    The chain rule through mu = m + sqrt(beta) z, s = v + (gamma/sqrt(beta)) z + rest w. Without disorder the last three
    are 0/0 and of no use; they are given as zero.
    """
    beta, gamma, eta = (np.asarray(v, dtype=np.float64) for v in (beta, gamma, eta))
    out = np.zeros((*by_mu.shape[:-1], 5))
    out[..., 0], out[..., 1] = points.mean(by_mu), points.mean(by_s)
    if points.weights.size == 1:
        return out
    common, apart = points.weights * points.z, points.weights * points.w
    _, rest = spread(beta, gamma, eta)
    largest = points.s.max(axis=-1)
    some, two = beta > 1e-18 * largest, rest > 1e-12 * largest
    beta, az, bz = np.where(some, beta, 1.0), by_mu @ common, by_s @ common
    per_rest = np.where(two, by_s @ apart / np.where(two, 2.0 * rest, 1.0), 0.0)
    root = np.sqrt(beta)
    by_beta = az / (2.0 * root) - gamma * bz / (2.0 * beta * root) + per_rest * gamma * gamma / (beta * beta)
    by_gamma = bz / root - per_rest * 2.0 * gamma / beta
    for k, slope in enumerate((by_beta, by_gamma, per_rest), start=2):
        out[..., k] = np.where(some, slope, 0.0)
    return out
