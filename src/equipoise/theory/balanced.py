"""The balanced limit K -> infinity with weights J = j/sqrt(K) (van Vreeswijk & Sompolinsky 1998; Sec. 4.5.4).

The mean inputs of order sqrt(K) must cancel, sum_B K_AB J_AB r_B = 0, which fixes the rates linearly. What is left of
the mean, mu_A, and the spread q_A of the rates follow from E[f(mu_A + sqrt(beta_A) z, s_A)] = r_A and E[f^2] = q_A with
s_A = sum K J^2 r and beta_A = sum J^2 D (`wiring`, at p = 0); the covariance and the spread of the noise vanish.

A tonic drive of order one is part of mu_A and leaves the limit as it is: recurrent input cancels it by rates that
differ by order K^-1/2. Only a drive that grows as sqrt(K) would enter the balance; describe that one as a source.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics, renewal
from equipoise.quantities import Array
from equipoise.renewal.firing import firing
from equipoise.results import NumericalFailure, Status
from equipoise.theory import balance, network_state, quenched
from equipoise.theory.wiring import Wiring


@dataclass(frozen=True, repr=False)
class BalancedLimit:
    """Rates r [Hz], second moments q [Hz^2], residual means mu [V/s], noise s and quenched variance beta; each (n,).

    `inequalities` are the conditions under which both populations of an E-I network fire in balance, in words and with
    their numbers (empty for other networks, where only positive rates are asked for).
    """

    names: tuple[str, ...]
    rates: Array
    second_moments: Array
    mu: Array
    s: Array
    beta: Array
    inequalities: tuple[str, ...]
    status: Status
    message: str

    def __repr__(self) -> str:
        rows = [f"BalancedLimit: {self.status.name} {self.message}".rstrip()]
        for k, name in enumerate(self.names):
            rows.append(
                f"  {name:<6} {self.rates[k]:9.4f} Hz, q {self.second_moments[k]:9.4f} Hz^2, mu {self.mu[k]:9.4f} V/s, "
                f"sigma^2 {self.s[k]:8.4f}, beta {self.beta[k]:9.4f}"
            )
        return "\n".join(rows + [f"  {text}" for text in self.inequalities])


def limit(wiring: Wiring, *, throw: bool = True) -> BalancedLimit:
    """The balanced limit of a wiring; NumericalFailure (or a labelled result) where balance is impossible."""
    rates = balance.rates(wiring)
    inequalities = balance.inequalities(wiring)
    if rates is not None and (rates > 0.0).all():
        mu, q, status = _residual_means(_sparse(wiring), rates)
        m = _sparse(wiring).moments(rates, q)
        return BalancedLimit(wiring.names, rates, q, mu, m.s, m.beta, inequalities, status, "")
    message = balance.impossible(wiring, rates, inequalities)
    if throw:
        raise NumericalFailure(Status.INFEASIBLE, f"balanced_limit: {message}")
    nan = np.full(wiring.n, math.nan)
    rates = nan if rates is None else rates
    return BalancedLimit(wiring.names, rates, nan, nan, nan, nan, inequalities, Status.INFEASIBLE, message)


def expansion(wiring: Wiring, found: BalancedLimit) -> Array:
    """The network state at finite K to first order, x = (r, q), shape (2 n,).

    The residual mean of the limit must come from rates off balance by dr and the drive: sum_B K_AB J_AB dr_B + I_A =
    mu_A, so that dr ~ K^-1/2; the shape q/r^2 of the rate distribution is that of the limit.
    """
    inside = (wiring.K * wiring.J)[:, : wiring.n]
    rates = found.rates + np.linalg.solve(inside, found.mu - wiring.drive)
    rates = np.where(rates > 0.0, rates, found.rates)
    return np.concatenate([rates, found.second_moments * (rates / found.rates) ** 2])


def starts(wiring: Wiring) -> Iterator[Array]:
    """Network states (2 n,) to begin with: the balanced one, where relaxation from silence settles, 10 Hz."""
    rates = balance.rates(wiring)
    if rates is not None and (rates > 0.0).all():
        yield network_state.with_spread(wiring, rates)
    yield network_state.relaxed(wiring, np.full(wiring.n, 0.1)).x
    yield network_state.with_spread(wiring, np.full(wiring.n, 10.0))


def _sparse(wiring: Wiring) -> Wiring:
    """The same wiring in the sparse limit p -> 0: Erdos-Renyi projections keep V = K, fixed in-degrees V = 0."""
    return replace(wiring, p=np.zeros_like(wiring.p), V=np.where(wiring.V > 0.0, wiring.K, 0.0))


def _residual_means(wiring: Wiring, rates: Array) -> tuple[Array, Array, Status]:
    """Newton on (mu, q) for all populations together."""
    start = np.concatenate([_deterministic(wiring, rates), 1.7 * rates**2])
    found = None
    for nodes in (181, 361, 721, 1441):
        step = _Residual(wiring, rates, nodes)
        previous, found = found, dynamics.fixed_point(step.value, step.jacobian, start, tolerance=1e-12)
        if previous is not None and np.allclose(found.x, previous.x, rtol=1e-10, atol=0.0):
            break
        start = found.x
    assert found is not None
    return found.x[: rates.size], found.x[rates.size :], found.status


def _deterministic(wiring: Wiring, rates: Array) -> Array:
    """mu at which a neuron with the mean noise fires at the population rate, shifted for the spread of inputs."""
    m = wiring.moments(rates, 1.7 * rates**2)
    mu = [_mean_for(neuron, r, s) for neuron, r, s in zip(wiring.neurons, rates, m.s, strict=True)]
    return np.array(mu) - 0.5 * np.sqrt(m.beta)


def _mean_for(neuron, rate: float, s: float) -> float:
    """mu at which `neuron` fires at `rate` under noise s."""
    neuron = renewal.exact(neuron)
    scale = math.sqrt(s) * 10 + 10 * (neuron.v_threshold - neuron.v_reset) * (rate + 100.0)

    def excess(mu: float) -> float:
        return float(renewal.rate(neuron, mu=mu, sigma=math.sqrt(s))) - rate

    low, high = -scale, scale
    while excess(high) < 0.0:
        high *= 2
    while excess(low) > 0.0:
        low *= 2
    return dynamics.bracketed_root(excess, low, high)


@dataclass(frozen=True)
class _Residual:
    """(E f - r, E f^2 - q) as a function of (mu, q) at given rates."""

    wiring: Wiring
    rates: Array
    nodes: int

    def value(self, x: Array) -> Array:
        return self._evaluate(x)[0]

    def jacobian(self, x: Array) -> Array:
        return self._evaluate(x)[1]

    def _evaluate(self, x: Array) -> tuple[Array, Array]:
        n = self.wiring.n
        mu, q = x[:n], x[n:]
        m = self.wiring.moments(self.rates, q)
        by_q = self.wiring.derivatives(self.rates)[:, 2, n:]  # d beta_A/d q_B
        value, jacobian = np.empty(2 * n), np.zeros((2 * n, 2 * n))
        for a in range(n):
            points = quenched.sample(mu[a], m.s[a], m.beta[a], 0.0, 0.0, nodes=self.nodes)
            f, by_mu, by_s = firing(self.wiring.neurons[a], self.wiring.tau_s[a], points.mu, points.s)
            value[a], value[n + a] = points.weights @ f - self.rates[a], points.weights @ (f * f) - q[a]
            for row, slope in ((a, 1.0), (n + a, 2.0 * f)):
                g = quenched.gradient(points, slope * by_mu, slope * by_s, m.beta[a], 0.0, 0.0)
                jacobian[row, a] = g[0]
                jacobian[row, n:] = g[2] * by_q[a]
            jacobian[n + a, n + a] -= 1.0
        return value, jacobian
