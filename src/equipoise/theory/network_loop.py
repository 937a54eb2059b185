"""Homeostasis of a recurrent network: weights move slowly, rates follow at their mean-field fixed point (Eqs. 33-34).

Slow state: the sizes |J[A, B]| of all plastic projections. A population A with a rule senses the averages of what its
rule senses over its neurons (population scope, the paper's); its excitatory and external weights follow the excitatory
rule, its inhibitory ones the inhibitory rule. Six weights of an E-I network meet four constraints, so two combinations
are conserved: at absolute scale the differences J_AE - J_AX, at relative scale the ratios. Adaptive set points (Eq. 35)
are slow variables too, two more for a population, and each brings one more conserved quantity. The fixed point is found
with the rates in one Newton system, (x, slow): network state, set points met, conserved quantities kept.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import AdaptiveCalciumHomeostasis, CalciumHomeostasis, targets_of
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.renewal.firing import shift
from equipoise.theory import quenched
from equipoise.theory.network_state import Equations
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
    def weight_names(self) -> tuple[str, ...]:
        """Names of the plastic weights, J_post,pre."""
        pre = (*self.wiring.names, *self.sources)
        return tuple(f"J_{self.wiring.names[a]}{pre[b]}" for a, b in self.places)

    @property
    def held(self) -> tuple[tuple[int, int], ...]:
        """(population, moment) that weights hold: the mean, 0, inhibitory ones, the second moment, 1, excitatory ones.

        A moment without weights of its kind is not held; an adaptive set point comes to rest in any case.
        """
        acting = {(a, 0 if self.kind(a, b) else 1) for a, b in self.places}
        return tuple(sorted(acting | {(a, k) for a in self.adapting for k in (0, 1)}))

    @property
    def adapting(self) -> tuple[int, ...]:
        """Populations whose set points move (Eq. 35)."""
        return tuple(a for a, rule in enumerate(self.rules) if isinstance(rule, AdaptiveCalciumHomeostasis))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the slow variables: the weights, then both targets of every adapting population."""
        kinds = ("target_second_moment", "target_mean")
        return (*self.weight_names, *(f"{kind}_{self.wiring.names[a]}" for a in self.adapting for kind in kinds))

    @property
    def weights(self) -> Array:
        """Sizes of the plastic weights of the wiring as it is (k,)."""
        return np.array([abs(self.wiring.J[place]) for place in self.places])

    @property
    def slow(self) -> Array:
        """The slow state as it is: weights, and targets at the set points of the rules."""
        targets = [targets_of(self.rules[a].target)[::-1] for a in self.adapting]  # type: ignore[union-attr]
        return np.concatenate([self.weights, np.array(targets).ravel()])

    def with_targets(self, targets: Array) -> Array:
        """The slow state of the wiring's weights, with adaptive targets at (mean, second moment), (n, 2)."""
        return np.concatenate([self.weights, targets[list(self.adapting), ::-1].ravel()])

    def with_weights(self, slow: Array) -> Wiring:
        """The wiring with other sizes of its plastic weights, first in `slow`; a negative one changes the sign."""
        J = self.wiring.J.copy()
        for place, size in zip(self.places, slow, strict=False):
            J[place] = size * math.copysign(1.0, J[place])
        return replace(self.wiring, J=J)

    def targets(self, slow: Array) -> Array:
        """(mean, second moment) that every population aims at, (n, 2); 1 without a rule."""
        goals = [(1.0, 1.0) if rule is None else targets_of(rule.target) for rule in self.rules]
        out = np.array(goals, dtype=slow.dtype)
        out[list(self.adapting)] = slow[len(self.places) :].reshape(-1, 2)[:, ::-1]
        return out

    def rhs(self, slow: Array, sensed: Array) -> Array:
        """d(slow)/dt (k,) from what each population senses (n, 2): mean and second moment of calcium."""
        targets = self.targets(slow)
        weights = [
            self._speeds(a, w, targets, sensed)[self.kind(a, b)] for (a, b), w in zip(self.places, slow, strict=False)
        ]
        moving = [speed for a in self.adapting for speed in self._speeds(a, 1.0, targets, sensed)[2:]]
        return np.array([*weights, *moving])

    def push(self, place: tuple[int, int], slow: Array, sensed: Array) -> float:
        """Where the rule moves the weight at `place`: d log J/dt at relative scale, dJ/dt at absolute scale."""
        return float(self._speeds(place[0], 1.0, self.targets(slow), sensed)[self.kind(*place)])

    def without(self, places: Collection[tuple[int, int]]) -> "NetworkLoop":
        """The loop with these weights at zero, where the rule cannot move them any more."""
        J = self.wiring.J.copy()
        J[tuple(np.array(list(places)).T)] = 0.0
        return replace(self, wiring=replace(self.wiring, J=J))

    def kind(self, a: int, b: int) -> int:
        """0 for an excitatory weight, 1 for an inhibitory one."""
        return 1 if self.wiring.J[a, b] < 0.0 else 0

    def _speeds(self, a: int, weight, targets: Array, sensed: Array) -> Array:
        """The rule of population a, with both weights of one size, and its set points moving where it is adaptive."""
        rule = self.rules[a]
        assert rule is not None
        moving = [targets[a, 1], targets[a, 0]] if a in self.adapting else []
        return rule.rhs(np.array([weight, weight, *moving]), sensed[a])


@dataclass(frozen=True, eq=False)
class Sensed:
    """Population averages at one network state, and their derivatives.

    values (n, 2): mean and second moment of calcium; by_statistics (n, 2, 5): by (mu, s, beta, gamma, eta) of the
    population.
    """

    values: Array
    by_statistics: Array


def sense(loop: NetworkLoop, wiring: Wiring, x: Array) -> Sensed:
    """What every population with a rule senses at the network state x = (r, q), with derivatives."""
    slopes = np.zeros((wiring.n, 2, 5))
    m = wiring.moments(x[: wiring.n], x[wiring.n :])
    for a, rule, points in _samples(loop, m):
        by = calcium_slopes(rule.sensor, wiring.neurons[a], wiring.tau_s[a], points.mu, points.s)
        for k, (by_mu, by_s) in enumerate(zip(*by, strict=True)):
            slopes[a, k] = quenched.gradient(points, by_mu, by_s, m.beta[a], m.gamma[a], m.eta[a])
    return Sensed(calcium_means(loop, wiring, x), slopes)


def calcium_means(loop: NetworkLoop, wiring: Wiring, x: Array) -> Array:
    """The values alone, (n, 2): mean and second moment of calcium, averaged over each population with a rule."""
    values = np.zeros((wiring.n, 2))
    for a, rule, points in _samples(loop, wiring.moments(x[: wiring.n], x[wiring.n :])):
        values[a] = calcium(rule.sensor, wiring.neurons[a], wiring.tau_s[a], points.mu, points.s) @ points.weights
    return values


def _samples(loop: NetworkLoop, m: quenched.Moments) -> Iterator[tuple[int, CalciumHomeostasis, quenched.Sample]]:
    """Every population with a rule, and the nodes of its disorder."""
    for a, rule in enumerate(loop.rules):
        if rule is not None:
            yield a, rule, quenched.sample(m.mu[a], m.s[a], m.beta[a], m.gamma[a], m.eta[a], nodes=loop.nodes)


def calcium(sensor: Calcium, neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array) -> Array:
    """Mean and second moment of calcium [µM, µM^2] at arrays of inputs (m,), shape (2, m)."""
    sigma = np.sqrt(s)
    law = renewal.NeuronISI(neuron, mu=mu - shift(neuron, tau_s) * sigma, sigma=sigma)
    return np.array(renewal.calcium_moments(sensor, law))


def calcium_slopes(sensor: Calcium, neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array) -> tuple[Array, Array]:
    """Derivatives of both calcium moments by mu and by s, each (2, m)."""
    sigma, c = np.sqrt(s), shift(neuron, tau_s)
    gradients = renewal.calcium_gradient(sensor, neuron, mu - c * sigma, sigma)
    by_mu, by_sigma = np.array(gradients).swapaxes(0, 1)
    return by_mu, (by_sigma - c * by_mu) / (2.0 * sigma)


def joint(loop: NetworkLoop, y: Array) -> tuple[Array, Array]:
    """Rates and slow state together, y = (x, slow): (E(x) - x, relative errors of what is held), and derivatives."""
    n2 = 2 * loop.wiring.n
    x, wiring = y[:n2], loop.with_weights(y[n2:])
    values, fast, direct, inputs, by_weight = _network_response(loop, wiring, x)
    sensed = sense(loop, wiring, x)
    errors, low_x, low_j = [], [], []
    for a, k in loop.held:
        target = loop.targets(y[n2:])[a, k]
        errors.append(sensed.values[a, k] / target - 1.0)
        low_x.append(sensed.by_statistics[a, k] @ inputs[a] / target)
        low_j.append(sensed.by_statistics[a, k] @ by_weight[a] / target)
        if a in loop.adapting:
            place = len(loop.places) + 2 * loop.adapting.index(a) + (1 - k)
            low_j[-1][place] -= sensed.values[a, k] / target**2
    jacobian = np.block([[fast, direct], [np.reshape(low_x, (-1, n2)), np.reshape(low_j, (-1, y.size - n2))]])
    return np.concatenate([values - x, errors]), jacobian


def _network_response(loop: NetworkLoop, wiring: Wiring, x: Array) -> tuple[Array, Array, Array, Array, Array]:
    """E(x), d(E - x)/dx, dE/dJ at fixed x, and the derivatives of the input statistics by x and by the weights."""
    values, gradients = Equations(wiring, loop.nodes).evaluate(x)
    inputs, by_weight = wiring.derivatives(x[: wiring.n]), _by_weight(loop, wiring, x)
    fast = np.einsum("kas,asx->kax", gradients, inputs).reshape(x.size, x.size) - np.eye(x.size)
    direct = np.einsum("kas,asj->kaj", gradients, by_weight).reshape(x.size, -1)
    return values, fast, direct, inputs, by_weight


def slow_jacobian(loop: NetworkLoop, x: Array, slow: Array) -> Array:
    """d(dslow/dt)/dslow (k, k) with the rates at their fixed point: direct effect plus the network's answer."""
    wiring = loop.with_weights(slow)
    _, fast, direct, inputs, by_weight = _network_response(loop, wiring, x)
    answer = -np.linalg.solve(fast, direct)  # dx/dJ
    sensed = sense(loop, wiring, x)
    total = np.einsum("aks,asj->akj", sensed.by_statistics, by_weight)
    total += np.einsum("aks,asx,xj->akj", sensed.by_statistics, inputs, answer)
    shape = sensed.values.shape
    by_own = dynamics.complex_step(lambda z: loop.rhs(z, sensed.values), slow)
    by_sensed = dynamics.complex_step(lambda c: loop.rhs(slow, c.reshape(shape)), sensed.values.ravel())
    return by_own + by_sensed @ total.reshape(sensed.values.size, -1)


def encoding(loop: NetworkLoop, x: Array, slow: Array) -> Array:
    """How well both moments tell excitation from inhibition, (n,): above 0 as the rules need it (divergent encoding).

    det d(log mean, log second moment)/d(log excitatory, log inhibitory weights) of a population at fixed presynaptic
    rates. Where excitation and inhibition grow together at a fixed mean the second moment changes with its sign.
    """
    wiring = loop.with_weights(slow)
    sensed, by_weight = sense(loop, wiring, x), _by_weight(loop, wiring, x)
    slopes = np.zeros((wiring.n, 2, 2))
    for k, ((a, b), size) in enumerate(zip(loop.places, slow, strict=False)):
        slopes[a, :, loop.kind(a, b)] += sensed.by_statistics[a] @ by_weight[a, :, k] * size / sensed.values[a]
    return np.linalg.det(slopes)


def _by_weight(loop: NetworkLoop, wiring: Wiring, x: Array) -> Array:
    """d(mu, s, beta, gamma, eta)_A/d(slow) (n, 5, k): by the sizes of the weights; targets have no direct effect."""
    n = wiring.n
    full = wiring.weight_derivatives(x[:n], x[n:])
    out = np.zeros((n, 5, len(loop.names)))
    for k, (a, b) in enumerate(loop.places):
        out[a, :, k] = full[a, :, b] * math.copysign(1.0, loop.wiring.J[a, b])
    return out
