"""Moments of calcium under renewal spikes (Theorem 1), of any order, and how they move with the input of a neuron.

Between spikes C decays with tau; at a spike C -> p C + eta, p = 1 - alpha. With z_k = P_L(k/tau)

    <C>   = eta r tau (1 - z_1)/(1 - p z_1)
    <C^2> = (eta^2 r tau/2) (1 + p z_1)(1 - z_2)/((1 - p z_1)(1 - p^2 z_2))

and for any order, with V the calcium just after a spike, V = p V' e^{-T/tau} + eta in law,

    (1 - p^k z_k) E V^k = sum_{j<k} binom(k, j) p^j z_j eta^{k-j} E V^j,      E C^k = (r tau/k) E V^k (1 - z_k).

All 1 - z_k are taken free of cancellation. Source: van Vreeswijk & Farkhooi 2025, Theorem 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.calcium import Calcium
from equipoise.model.calcium_law import gauss_average, moments_after_spike
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, finite
from equipoise.renewal import statistics


class CalciumMoments(NamedTuple):
    """Mean [µM] and second moment [µM²] of calcium; unpacks as the pair."""

    mean: Array
    second_moment: Array

    @property
    def variance(self) -> Array:
        """<C^2> - <C>^2 [µM²]; its relative rounding error is that of a double times <C^2>/variance."""
        return self.second_moment - self.mean**2


def calcium_moments(sensor: Calcium, law: object) -> CalciumMoments:
    """Stationary mean [µM] and second moment [µM^2] of calcium of a renewal train (Theorem 1), in the law's shape."""
    if not isinstance(sensor, Calcium):
        raise TypeError(f"calcium_moments: sensor must be an eq.Calcium, got {sensor!r}.")
    r = statistics.rate(law)
    q1, q2 = statistics.isi_laplace_complement(law, s=_orders(sensor, 2, np.ndim(r)))
    return _moments(sensor, r, q1, q2)


def _orders(sensor: Calcium, order: int, dimensions: int) -> Array:
    """s = k/tau for k = 1 ... order [1/s], to go with laws of so many dimensions."""
    return (np.arange(1, order + 1) / sensor.tau).reshape(-1, *dimensions * (1,))


def _moments(sensor: Calcium, r: Array, q1: Array, q2: Array) -> CalciumMoments:
    """Theorem 1 from the rate and q_k = 1 - z_k."""
    lost1, lost2 = complements(sensor, q1, q2)
    mean = sensor.influx * r * sensor.tau * q1 / lost1
    return CalciumMoments(mean, 0.5 * sensor.influx**2 * r * sensor.tau * (2.0 - lost1) * q2 / (lost1 * lost2))


def complements(sensor: Calcium, q1: Array, q2: Array) -> tuple[Array, Array]:
    """1 - p z_1 and 1 - p^2 z_2 from q_k = 1 - z_k, as sums of positive terms."""
    a, p = sensor.buffering, sensor.retention
    return a + p * q1, a * (2.0 - a) + p**2 * q2


def calcium_raw_moments(sensor: Calcium, law: object, order: int) -> Array:
    """E C^k for k = 0 ... order [µM^k], shape (order + 1, *law's shape)."""
    if not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError(f"calcium_raw_moments: order must be a whole number of at least 0, got {order!r}.")
    r = np.asarray(statistics.rate(law))
    q = [np.zeros_like(r), *statistics.isi_laplace_complement(law, s=_orders(sensor, order, r.ndim))]
    after = moments_after_spike(sensor, q)
    total = [np.ones_like(r)]
    for k in range(1, order + 1):
        total.append(sensor.influx**k * r * sensor.tau / k * after[k] * q[k])
    return np.array(total)


def calcium_average(sensor: Calcium, law: object, g: Callable[[Array], Array], *, nodes: int = 8) -> Array:
    """E g(C) over the stationary calcium of a renewal train, by the Gauss rule of its first 2 `nodes` moments.

    `g` takes and returns arrays. Exact for polynomials below degree 2 `nodes`; for C/(K + C) with K near the mean eight
    nodes leave 3e-6 (Poisson spikes at 5 Hz, no buffering), twelve 4e-8. Rounding of the moments limits a narrow law to
    fewer nodes: the rule stops where the moments are no longer those of a positive law, and its weights are always
    positive. At most 12 nodes.
    """
    if not isinstance(nodes, (int, np.integer)) or not 1 <= nodes <= 12:
        raise ValueError(f"calcium_average: nodes must lie in [1, 12] and be whole, got {nodes!r}.")
    moments = calcium_raw_moments(sensor, law, 2 * nodes - 1)
    shape = moments.shape[1:]
    columns = moments.reshape(2 * nodes, -1).T
    return np.array([gauss_average(column, g) for column in columns]).reshape(shape)[()]


class MomentGradient(NamedTuple):
    """Derivatives of the two calcium moments by the input: pairs (by mu [s/V], by sigma [sqrt(s)/V])."""

    mean: tuple[Array, Array]
    second_moment: tuple[Array, Array]


def calcium_gradient(sensor: Calcium, neuron: IntegrateAndFire, mu: ArrayLike, sigma: ArrayLike) -> MomentGradient:
    """d<C>/d(mu, sigma) and d<C^2>/d(mu, sigma), from the gradients of rate and transform. A silent cell has 0."""
    mu, sigma = np.broadcast_arrays(
        finite("calcium_gradient", "mu", mu), finite("calcium_gradient", "sigma", sigma, low=0)
    )
    r = np.asarray(statistics.rate(neuron, mu=mu, sigma=sigma))
    s = _orders(sensor, 2, r.ndim)
    q1, q2 = statistics.isi_laplace_complement(neuron, s=s, mu=mu, sigma=sigma)
    moments = _moments(sensor, r, q1, q2)
    rate_slope = statistics.log_rate_gradient(neuron, mu=mu, sigma=sigma)
    slopes = statistics.log_isi_laplace_gradient(neuron, s=s, mu=mu, sigma=sigma)
    pairs = []
    for i in range(2):
        with np.errstate(invalid="ignore"):
            by_mean, by_second = log_slopes(sensor, q1, q2, *slopes[i])
            pairs.append([m * (rate_slope[i] + d) for m, d in zip(moments, (by_mean, by_second), strict=True)])
    live = [[np.where(r > 0, value, 0.0)[()] for value in pair] for pair in pairs]
    return MomentGradient((live[0][0], live[1][0]), (live[0][1], live[1][1]))


def log_slopes(sensor: Calcium, q1: Array, q2: Array, slope1: Array, slope2: Array) -> tuple[Array, Array]:
    """d log K_1 and d log K_2 for slopes d log z_k of the transforms."""
    lost1, lost2 = complements(sensor, q1, q2)
    a, p = sensor.buffering, sensor.retention
    d1, d2 = (1.0 - q1) * slope1, (1.0 - q2) * slope2
    second = 2.0 * p * d1 / (lost1 * (2.0 - lost1)) - a * (2.0 - a) * d2 / (q2 * lost2)
    return -a * d1 / (q1 * lost1), second


def four_point(f: Callable[[int], Array], h: ArrayLike) -> Array:
    """Central difference of fourth order of f(n), the value at n steps of h."""
    return (8.0 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12.0 * np.asarray(h))
