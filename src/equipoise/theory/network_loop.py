"""Homeostasis of a recurrent network: weights move slowly, rates follow at their mean-field fixed point (Eqs. 33-34).

Slow state: the sizes |J[A, B]| of all plastic projections. A population A with a rule senses the averages of what its
rule senses over its neurons (population scope, the paper's); its excitatory and external weights follow the excitatory
rule, its inhibitory ones the inhibitory rule. Six weights of an E-I network meet four constraints, so two combinations
are conserved: at absolute scale the differences J_AE - J_AX, at relative scale the ratios. The fixed point is found
with the rates in one Newton system, (x, J): network state, set points met, conserved quantities kept.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from equipoise import renewal
from equipoise.model.homeostasis import CalciumHomeostasis, targets_of
from equipoise.quantities import Array
from equipoise.theory import quenched
from equipoise.theory.network_state import Equations, shift
from equipoise.theory.wiring import Wiring


@dataclass(frozen=True, eq=False)
class NetworkLoop:
    """A wiring under one rule per population (None: its weights stay), averaged with `nodes` nodes."""

    wiring: Wiring
    rules: tuple[CalciumHomeostasis | None, ...]
    sources: tuple[str, ...]
    nodes: int = 181

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """(post, pre) of the plastic weights, in the order of the slow state."""
        J = self.wiring.J
        plastic = np.array([rule is not None for rule in self.rules])[:, None] & (J != 0.0)
        return tuple((int(a), int(b)) for a, b in np.argwhere(plastic))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slow variables, J_post,pre."""
        pre = (*self.wiring.names, *self.sources)
        return tuple(f"J_{self.wiring.names[a]}{pre[b]}" for a, b in self.places)

    @property
    def weights(self) -> Array:
        """The slow state of the wiring as it is (k,)."""
        return np.array([abs(self.wiring.J[place]) for place in self.places])

    def with_weights(self, weights: Array) -> Wiring:
        """The wiring with other sizes of its plastic weights; a negative size changes the sign."""
        J = self.wiring.J.copy()
        for place, size in zip(self.places, weights, strict=True):
            J[place] = size * math.copysign(1.0, J[place])
        return replace(self.wiring, J=J)

    def rhs(self, weights: Array, sensed: Array) -> Array:
        """dJ/dt (k,) from what each population senses (n, 2): mean and second moment of calcium."""
        return np.array([self._speed(a, b, w, sensed[a]) for (a, b), w in zip(self.places, weights, strict=True)])

    def speed_slopes(self, weights: Array, sensed: Array) -> tuple[Array, Array]:
        """d(dJ/dt)/dJ on the diagonal (k,) and d(dJ/dt)/d(sensed) of the own population (k, 2)."""
        by_weight, by_sensed = [], []
        for (a, b), w in zip(self.places, weights, strict=True):
            by_weight.append(np.imag(self._speed(a, b, w + 1e-30j, sensed[a])) / 1e-30)
            steps = sensed[a] + 1e-30j * np.eye(2)
            by_sensed.append([np.imag(self._speed(a, b, w, step)) / 1e-30 for step in steps])
        return np.array(by_weight), np.array(by_sensed)

    def _speed(self, a: int, b: int, weight, sensed):
        """The excitatory or inhibitory rule of population a on one weight."""
        rule = self.rules[a]
        assert rule is not None
        inhibitory = self.wiring.J[a, b] < 0.0
        return rule.rhs(np.array([weight, weight]), sensed)[1 if inhibitory else 0]


@dataclass(frozen=True, eq=False)
class Sensed:
    """Population averages at one network state, and their derivatives.

    values (n, 2): mean and second moment of calcium; by_statistics (n, 2, 5): by (mu, s, beta, gamma, eta) of the
    population.
    """

    values: Array
    by_statistics: Array


def sense(loop: NetworkLoop, wiring: Wiring, x: Array) -> Sensed:
    """What every population with a rule senses at the network state x = (r, q)."""
    n = wiring.n
    m = wiring.moments(x[:n], x[n:])
    values, slopes = np.zeros((n, 2)), np.zeros((n, 2, 5))
    for a, rule in enumerate(loop.rules):
        if rule is None:
            continue
        statistics = m.mu[a], m.s[a], m.beta[a], m.gamma[a], m.eta[a]
        points = quenched.sample(*statistics, nodes=loop.nodes)
        sigma, c = np.sqrt(points.s), shift(wiring.neurons[a], wiring.tau_s[a])
        law = renewal.NeuronISI(wiring.neurons[a], mu=points.mu - c * sigma, sigma=sigma)
        moments = renewal.calcium_moments(rule.sensor, law)
        gradients = renewal.calcium_gradient(rule.sensor, wiring.neurons[a], points.mu - c * sigma, sigma)
        for k in range(2):
            values[a, k] = points.mean(moments[k])
            by_mu, by_sigma = gradients[k]
            slopes[a, k] = quenched.gradient(points, by_mu, (by_sigma - c * by_mu) / (2.0 * sigma), *statistics[2:])
    return Sensed(values, slopes)


def joint(loop: NetworkLoop, y: Array) -> tuple[Array, Array]:
    """Rates and weights together, y = (x, J): (E(x) - x, relative errors of all set points) and their Jacobian by y."""
    n2 = 2 * loop.wiring.n
    x, wiring = y[:n2], loop.with_weights(y[n2:])
    values, fast, direct, inputs, by_weight = _network_response(loop, wiring, x)
    sensed = sense(loop, wiring, x)
    errors, low_x, low_j = [], [], []
    for a, rule in enumerate(loop.rules):
        for k, target in enumerate(targets_of(rule.target) if rule is not None else ()):
            errors.append(sensed.values[a, k] / target - 1.0)
            low_x.append(sensed.by_statistics[a, k] @ inputs[a] / target)
            low_j.append(sensed.by_statistics[a, k] @ by_weight[a] / target)
    jacobian = np.block([[fast, direct], [np.array(low_x), np.array(low_j)]])
    return np.concatenate([values - x, errors]), jacobian


def _network_response(loop: NetworkLoop, wiring: Wiring, x: Array) -> tuple[Array, Array, Array, Array, Array]:
    """E(x), d(E - x)/dx, dE/dJ at fixed x, and the derivatives of the input statistics by x and by the weights."""
    values, gradients = Equations(wiring, loop.nodes).evaluate(x)
    inputs, by_weight = wiring.derivatives(x[: wiring.n]), _by_weight(loop, wiring, x)
    fast = np.einsum("kas,asx->kax", gradients, inputs).reshape(x.size, x.size) - np.eye(x.size)
    direct = np.einsum("kas,asj->kaj", gradients, by_weight).reshape(x.size, -1)
    return values, fast, direct, inputs, by_weight


def slow_jacobian(loop: NetworkLoop, x: Array, weights: Array) -> Array:
    """d(dJ/dt)/dJ (k, k) with the rates at their fixed point: direct effect plus the network's answer."""
    wiring = loop.with_weights(weights)
    _, fast, direct, inputs, by_weight = _network_response(loop, wiring, x)
    answer = -np.linalg.solve(fast, direct)  # dx/dJ
    sensed = sense(loop, wiring, x)
    total = np.einsum("aks,asj->akj", sensed.by_statistics, by_weight)
    total += np.einsum("aks,asx,xj->akj", sensed.by_statistics, inputs, answer)
    by_own, by_sensed = loop.speed_slopes(weights, sensed.values)
    rows = [by_sensed[k] @ total[a] for k, (a, _) in enumerate(loop.places)]
    return np.array(rows) + np.diag(by_own)


def _by_weight(loop: NetworkLoop, wiring: Wiring, x: Array) -> Array:
    """d(mu, s, beta, gamma, eta)_A/d|J_k| for the plastic weights k, shape (n, 5, k)."""
    n = wiring.n
    full = wiring.weight_derivatives(x[:n], x[n:])
    out = np.zeros((n, 5, len(loop.places)))
    for k, (a, b) in enumerate(loop.places):
        out[a, :, k] = full[a, :, b] * math.copysign(1.0, loop.wiring.J[a, b])
    return out
