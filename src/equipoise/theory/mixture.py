"""The neurons of a population as kinds with weights: one kind where all are equal, quadrature nodes where they differ.

Averages over neurons that differ by a `Spread` are sums over kinds, E[g] = sum_k w_k E[g_k(mu, s)], since who a neuron
is does not depend on how many inputs it has.
"""

from dataclasses import dataclass

import numpy as np

from equipoise import renewal
from equipoise.model import spread as spreads
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.spread import Spread

NODES = (1, 16, 10, 6, 5)
"""Nodes along each parameter where so many vary: rates to 1e-6 for one, 1e-4 for two, 1e-3 for more."""


@dataclass(frozen=True)
class Mixture:
    """Kinds of neurons and how frequent they are."""

    neurons: tuple[IntegrateAndFire, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, neuron: IntegrateAndFire, spread: Spread) -> "Mixture":
        """The kinds of a population; neurons without closed forms have their tables in front."""
        if not spread.varying:
            return cls((neuron,), (1.0,))
        z, weights = spreads.nodes(spread, NODES[len(spread.varying)])
        kinds = spreads.neurons_at(renewal.exact(neuron), spread, z)
        return cls(tuple(renewal.tabulated(k) for k in kinds), tuple(np.asarray(weights).tolist()))
