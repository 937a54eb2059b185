"""Averages over the quenched disorder of a population: E[g(mu + dmu, s + ds)], (dmu, ds) jointly Gaussian (Sec. 4.5.3).

Along the direction in which both fluctuations move together the trapezoid rule on +-9 standard deviations is used: it
converges exponentially for smooth g and stays reliable where g has a kink (small noise), which Gauss-Hermite does not.
The independent rest of ds is small, of order K^-1/2 of s, and takes a short Gauss-Hermite rule.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

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
    """Nodes of one population: inputs mu and s (m,), weights (m,), and the coordinates (z, w) behind them."""

    mu: Array
    s: Array
    weights: Array
    z: Array
    w: Array
    clipped: float


def sample(mu: float, s: float, beta: float, gamma: float, eta: float, *, nodes: int) -> Sample:
    """Quadrature nodes for one population; `clipped` is the probability of a noise at its floor."""
    if beta <= 0.0 and eta <= 0.0:  # fixed in-degrees: all neurons are alike
        one = np.ones(1)
        return Sample(mu * one, s * one, one, 0.0 * one, 0.0 * one, 0.0)
    z, w, weights = _rule(nodes)
    along, rest = spread(beta, gamma, eta)
    inputs = mu + math.sqrt(beta) * z
    noise = s + along * z + rest * w
    low = noise < LOWEST * s
    return Sample(inputs, np.where(low, LOWEST * s, noise), weights, z, w, float(weights[low].sum()))


def spread(beta: float, gamma: float, eta: float) -> tuple[float, float]:
    """Standard deviation of ds along dmu, gamma/sqrt(beta), and of its rest, sqrt(eta - gamma^2/beta)."""
    if beta <= 0.0:
        return 0.0, math.sqrt(eta)
    return gamma / math.sqrt(beta), math.sqrt(max(eta - gamma * gamma / beta, 0.0))


def gradient(points: Sample, by_mu: Array, by_s: Array, beta: float, gamma: float, eta: float) -> Array:
    """Derivatives of sum(weights g) by (mu, s, beta, gamma, eta), shape (5,), from dg/dmu and dg/ds at the nodes.

    The chain rule through mu = m + sqrt(beta) z, s = v + (gamma/sqrt(beta)) z + rest w.
    """
    a, b = points.weights * by_mu, points.weights * by_s
    mean, noise = a.sum(), b.sum()
    if beta <= 1e-18 * float(points.s.max()):  # no disorder: the derivative is 0/0, and of no use
        return np.array([mean, noise, 0.0, 0.0, 0.0])
    root, (_, rest) = math.sqrt(beta), spread(beta, gamma, eta)
    az, bz, bw = a @ points.z, b @ points.z, b @ points.w
    per_rest = bw / (2.0 * rest) if rest > 1e-12 * points.s.max() else 0.0
    by_beta = az / (2.0 * root) - gamma * bz / (2.0 * beta * root) + per_rest * gamma * gamma / (beta * beta)
    by_gamma = bz / root - per_rest * 2.0 * gamma / beta
    return np.array([mean, noise, by_beta, by_gamma, per_rest])
