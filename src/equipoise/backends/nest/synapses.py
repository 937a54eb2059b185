"""Synapses and sources on NEST, and the weights that homeostasis turns.

Graphs are those of the package: no neuron contacts itself, two neurons share one synapse at most. Erdos-Renyi pairs are
independent, with probability p or K/N over the N neurons to choose from, so that in-degrees are binomial; a fixed
in-degree is rounded. A source gives each neuron a Poisson train of rate K r of its own, with a K drawn from the Poisson
law for Erdos-Renyi, the same for all otherwise; neurons of equal K share a generator, which makes one train for each.

A projection is a synapse model of its own. Where all neurons share its weight that is a number of the model, changed at
once for any number of synapses; at neuron scope every synapse holds a weight.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.backends.nest.kernel import Indices, in_ms
from equipoise.backends.nest.neurons import Cell
from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import ErdosRenyi
from equipoise.model.populations import Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array

SHARED, OWN = "static_synapse_hom_w_hpc", "static_synapse_hpc"
BYTES = {SHARED: 19.0, OWN: 130.0}
"""Memory of a synapse (measured); with a weight of its own also the Python object that sets it."""
NEURON_BYTES, TRAIN_BYTES = 13e3, 500.0
"""Memory of a neuron, two thirds of it NEST's connection to the recorder, and of a source's train onto it."""
CHUNK = 100_000
"""Synapses described at a time: each is a Python dictionary for a moment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """A projection on NEST: its synapse model, NEST's weight for J = 1, and at neuron scope every synapse.

    `synapses` and `targets` (n_synapses,), the index of the postsynaptic neuron, are None where all share one weight.
    """

    projection: Projection
    model: str
    unit: float
    synapses: Any = None
    targets: Indices | None = None

    def set_weight(self, nest: Any, size: Array) -> None:
        """Give it the weight of this size [V]: one for all, or (n,) for each postsynaptic neuron."""
        weight = math.copysign(self.unit, self.projection.weight) * size
        if self.targets is None:
            nest.SetDefaults(self.model, {"weight": float(weight)})
            return
        for first in range(0, self.targets.size, CHUNK):
            part = slice(first, first + CHUNK)
            self.synapses[part].set(weight=weight[self.targets[part]].tolist())


def connect(
    nest: Any,
    circuit: Circuit,
    cells: Mapping[str, Cell],
    nodes: Mapping[str, Any],
    dt: float,
    rng: np.random.Generator,
) -> dict[tuple[str, str], Route]:
    """Draw all synapses and set up all sources; `nodes` holds the neurons of each population."""
    routes = {}
    for index, p in enumerate(circuit.projections):
        model, unit = f"equipoise_{index}", cells[p.target].weight_unit(p)
        kind = synapse_kind(circuit, p)
        nest.CopyModel(kind, model, {"weight": unit * p.weight})
        synapse = {"synapse_model": model, "delay": in_ms(delay_steps(p, dt) * dt)}
        node = circuit.node(p.source)
        if isinstance(node, Source):
            _connect_source(nest, node, p, nodes[p.target], synapse, rng)
        else:
            _connect_population(nest, p, nodes, synapse)
        routes[p.source, p.target] = _route(nest, p, model, unit, kind, nodes[p.target])
    return routes


def synapse_kind(circuit: Circuit, p: Projection) -> str:
    """NEST's synapse: with a weight for each only where each neuron has its own."""
    rule = circuit.rule_of(p.target)
    return OWN if rule is not None and rule.scope == "neuron" else SHARED


def delay_steps(p: Projection, dt: float) -> int:
    """The delay in whole steps, one at least."""
    return max(1, round(p.delay / dt))


def check_wiring(circuit: Circuit) -> None:
    """Raise ValueError for sources and graphs that are not drawn here."""
    for s in circuit.sources:
        if s.fano != 1.0:
            raise ValueError(f"backends.nest: source {s.name!r} must be Poisson (fano=1), got fano={s.fano:g}.")
    for p in circuit.projections:
        others, wanted = partners(circuit, p), in_degree(circuit, p)
        if wanted > others:
            raise ValueError(
                f"backends.nest: {p} wants {wanted:g} different partners for each neuron, but there are {others:,}."
            )


def partners(circuit: Circuit, p: Projection) -> float:
    """How many presynaptic neurons there are to choose from; a source has as many as it takes."""
    return circuit.node(p.source).size - (p.source == p.target)


def in_degree(circuit: Circuit, p: Projection) -> float:
    """Mean in-degree; a fixed one is a whole number."""
    random = isinstance(p.connectivity, ErdosRenyi)
    mean = p.connectivity.mean(partners(circuit, p))
    return mean if random else float(round(mean))


def expected_bytes(circuit: Circuit) -> float:
    """Memory that neurons, synapses and sources will take."""
    total = NEURON_BYTES * sum(p.size for p in circuit.populations)
    for p in circuit.projections:
        external = math.isinf(circuit.node(p.source).size)
        each = TRAIN_BYTES if external else in_degree(circuit, p) * BYTES[synapse_kind(circuit, p)]
        total += circuit.node(p.target).size * each
    return total


def _connect_population(nest: Any, p: Projection, nodes: Mapping[str, Any], synapse: dict[str, Any]) -> None:
    others = len(nodes[p.source]) - (p.source == p.target)
    mean = p.connectivity.mean(others)
    rule: dict[str, Any] = {"rule": "fixed_indegree", "indegree": round(mean)}
    if isinstance(p.connectivity, ErdosRenyi):
        rule = {"rule": "pairwise_bernoulli", "p": mean / others}
    elif round(mean) == 0:
        return
    rule |= {"allow_autapses": False, "allow_multapses": False}
    nest.Connect(nodes[p.source], nodes[p.target], rule, synapse)


def _connect_source(
    nest: Any, source: Source, p: Projection, neurons: Any, synapse: dict[str, Any], rng: np.random.Generator
) -> None:
    mean, n = p.connectivity.mean(math.inf), len(neurons)
    random = isinstance(p.connectivity, ErdosRenyi)
    K = rng.poisson(mean, n) if random else np.full(n, round(mean))
    for k in np.unique(K).tolist():
        generator = nest.Create("poisson_generator", params={"rate": source.rate * k})
        nest.Connect(generator, neurons[np.flatnonzero(k == K).tolist()], "all_to_all", synapse)


def _route(nest: Any, p: Projection, model: str, unit: float, kind: str, neurons: Any) -> Route:
    if kind == SHARED:
        return Route(projection=p, model=model, unit=unit)
    synapses = nest.GetConnections(synapse_model=model)
    parts = [_targets(synapses[k : k + CHUNK]) for k in range(0, len(synapses), CHUNK)]
    targets = np.concatenate([np.empty(0, np.int64), *parts]) - neurons[0].global_id
    return Route(projection=p, model=model, unit=unit, synapses=synapses, targets=targets)


def _targets(synapses: Any) -> Indices:
    return np.fromiter(synapses.targets(), np.int64)
