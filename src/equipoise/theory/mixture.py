"""The neurons of a population as kinds with weights: one kind where all are equal, quadrature nodes where they differ.

Averages over neurons that differ by a `Spread` are sums over kinds, E[g] = sum_k w_k E[g_k(mu, s)], since who a neuron
is does not depend on how many inputs it has. Rates bend sharply where the mean input reaches threshold, so that few
kinds will not do: with two parameters and a membrane noise of a quarter of what time constants do to the mean potential
24 x 24 kinds give rates to 1e-5.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equipoise.model import spread as spreads
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.spread import Spread
from equipoise.quantities import Array
from equipoise.renewal.firing import firing

PER_KIND = 7
"""Nodes of the average over inputs for each kind along a parameter, so that both become finer together."""
MOST_OF_TWO = 24
"""Kinds along each of two parameters."""


@dataclass(frozen=True)
class Mixture:
    """Kinds of neurons and how frequent they are."""

    neurons: tuple[IntegrateAndFire, ...]
    weights: tuple[float, ...]


@lru_cache(maxsize=64)
def mixture(neuron: IntegrateAndFire, spread: Spread, nodes: int) -> Mixture:
    """The kinds of a population, for an average over its inputs with so many nodes."""
    if not spread.varying:
        return Mixture((neuron,), (1.0,))
    n = nodes // PER_KIND
    z, weights = spreads.nodes(spread, n if len(spread.varying) == 1 else min(n, MOST_OF_TWO))
    return Mixture(tuple(spreads.neurons_at(neuron, spread, z)), tuple(weights.tolist()))


def firing_moments(kinds: Mixture, tau_s: float, mu: Array, s: Array) -> Array:
    """f and f^2, each with its derivatives by mu and by s, averaged over kinds of neurons, shape (2, 3, ...)."""
    if len(kinds.neurons) == 1:
        return _moments(kinds.neurons[0], tau_s, mu, s)
    total = np.zeros((2, 3, *mu.shape))
    for neuron, weight in zip(kinds.neurons, kinds.weights, strict=True):
        total += weight * _moments(neuron, tau_s, mu, s)
    return total


def _moments(neuron: IntegrateAndFire, tau_s: float, mu: Array, s: Array) -> Array:
    first = np.array(firing(neuron, tau_s, mu, s))
    second = first * first[0]
    second[1:] *= 2.0
    return np.stack([first, second])
