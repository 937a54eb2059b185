"""Which graphs are drawn: the rules of the game, and how many partners each neuron has.

Every neuron draws its in-degree, its partners and what their synapses are like from random streams of its own, so that
the graph is the same for any number of threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.model.connectivity import ErdosRenyi
from equipoise.model.projections import Projection
from equipoise.spiking.explicit import Matrix, Pair
from equipoise.spiking.layout import Layout
from equipoise.spiking.randomness import IN_DEGREE, Words, uniform


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What graphs are allowed, and which are given.

    Without `multapses` two neurons share at most one synapse: a fixed in-degree K means K different partners, and an
    Erdos-Renyi graph has independent pairs and binomial in-degrees. With them partners are drawn with replacement, and
    Erdos-Renyi in-degrees are Poisson, the sparse limit of theory. `autapses`: whether a neuron may contact itself.
    `explicit` gives projections as matrices (post, pre) of numbers of synapses, dense or scipy.sparse, by (source,
    target). `weights` [V, or thresholds] and `delays` [s] give such projections a weight or a delay for each entry,
    instead of what the circuit says; homeostasis multiplies these weights.
    """

    autapses: bool = False
    multapses: bool = False
    explicit: Mapping[Pair, Any] = field(default_factory=dict)
    weights: Mapping[Pair, Any] = field(default_factory=dict)
    delays: Mapping[Pair, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A projection between populations as the step sees it: `delays` in steps, ascending, and the law they follow.

    `delay_law`: thresholds 2^32 P(delay <= delays[k]), one fewer than delays. `weighted`: whether each synapse has a
    weight of its own. `matrix`: its synapses where they are given.
    """

    projection: Projection
    index: int
    source: int
    target: int
    channel: int
    delays: tuple[int, ...]
    delay_law: tuple[int, ...] = ()
    weighted: bool = False
    matrix: Matrix | None = field(default=None, compare=False)


def in_degrees(route: Route, layout: Layout, wiring: Wiring, key: Words) -> NDArray[np.int64]:
    """Number of synapses of each target neuron (n,); ValueError where there are too few partners."""
    p = route.projection
    posts, others = layout.sizes[route.target], partners(route, layout, wiring)
    sources = layout.sizes[route.source]
    random = isinstance(p.connectivity, ErdosRenyi)
    mean = p.connectivity.mean(others if random else sources)
    if not wiring.multapses and round(mean) > others:
        hint = " Allow wiring=eq.spiking.Wiring(autapses=True)." if mean <= sources else ""
        raise ValueError(
            f"spiking: {p} wants {mean:g} different partners for each neuron, but there are {others:,}.{hint}"
        )
    if not random:
        return np.full(posts, round(mean), np.int64)
    u = uniform(key, IN_DEGREE + route.index, posts)
    return np.searchsorted(_cumulative(mean, None if wiring.multapses else others), u).astype(np.int64)


def source_in_degrees(p: Projection, n: int, key: Words, index: int) -> NDArray[np.float64]:
    """Number of trains of a source onto each of n neurons."""
    mean = p.connectivity.mean(np.inf)
    if not isinstance(p.connectivity, ErdosRenyi):
        return np.full(n, float(round(mean)))
    return np.searchsorted(_cumulative(mean, None), uniform(key, IN_DEGREE + index, n)).astype(np.float64)


def partners(route: Route, layout: Layout, wiring: Wiring) -> int:
    """How many presynaptic neurons there are to choose from."""
    return layout.sizes[route.source] - int(route.source == route.target and not wiring.autapses)


def _cumulative(mean: float, n: int | None) -> NDArray[np.float64]:
    """The Poisson law of this mean, or the binomial one of n trials, cumulated from 0 on."""
    from scipy.special import bdtr, pdtr

    far = int(mean + 12.0 * np.sqrt(mean) + 40.0)
    if n is None:
        return pdtr(np.arange(far), mean)
    return bdtr(np.arange(min(n, far)), n, mean / n) if n > 0 else np.ones(1)
