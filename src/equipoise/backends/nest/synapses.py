"""Synapses and sources on NEST, and the weights that homeostasis turns.

Graphs are those of the package: no neuron contacts itself, two neurons share one synapse at most. Erdos-Renyi pairs are
independent, with probability p or K/N over the N neurons to choose from, so that in-degrees are binomial; a fixed
in-degree is rounded. A source gives each neuron a Poisson train of rate K r of its own, with a K drawn from the Poisson
law for Erdos-Renyi, the same for all otherwise; neurons of equal K share a generator, which makes one train for each.

A projection is a synapse model of its own. Where all synapses share its weight that is a number of the model, changed
at once for any number of synapses; at neuron scope, and with a spread of weights, every synapse holds one. Spreads of
weights and delays are NEST's own random parameters, drawn again where the package draws again.
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
from equipoise.model.delays import DelayLaw, UniformDelay, expected
from equipoise.model.populations import Source, refuse_adaptation, refuse_volleys
from equipoise.model.projections import Projection, refuse_plasticity
from equipoise.model.weight_spread import LogNormalSpread, WeightSpread
from equipoise.quantities import Array

SHARED, OWN = "static_synapse_hom_w_hpc", "static_synapse_hpc"
BYTES = {SHARED: 19.0, OWN: 27.0}
"""Memory of a synapse: measured where weights are shared, and a number more."""
HANDLE_BYTES = 103.0
"""Memory of the Python object that sets the weight of one synapse (measured)."""
NEURON_BYTES, TRAIN_BYTES = 13e3, 500.0
"""Memory of a neuron, two thirds of it NEST's connection to the recorder, and of a source's train onto it."""
CHUNK = 100_000
"""Synapses described at a time: each is a Python dictionary for a moment."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """A projection on NEST: its synapse model, NEST's weight for J = 1, and every synapse where rules move single ones.

    `synapses`, `targets` (n_synapses,), the index of the postsynaptic neuron, and `relative` (n_synapses,), the weight
    beside the mean one, are None where all synapses share one weight or none is moved.
    """

    projection: Projection
    model: str
    unit: float
    synapses: Any = None
    targets: Indices | None = None
    relative: Array | None = None

    def set_weight(self, nest: Any, size: Array) -> None:
        """Give it the weight of this size [V]: one for all, or (n,) for each postsynaptic neuron."""
        weight = math.copysign(1.0, self.projection.weight) * self.unit * size
        if self.targets is None or self.relative is None:
            nest.SetDefaults(self.model, {"weight": float(weight)})
            return
        for first in range(0, self.targets.size, CHUNK):
            part = slice(first, first + CHUNK)
            mean = weight[self.targets[part]] if np.ndim(weight) else weight
            self.synapses[part].set(weight=(mean * self.relative[part]).tolist())


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
        model, unit = f"equipoise_{index}", cells[p.target].weight_unit(circuit, p)
        nest.CopyModel(synapse_kind(circuit, p), model, {"weight": unit * p.weight})
        synapse = {"synapse_model": model, "delay": in_ms(_steps(expected(p.delay), dt) * dt)}
        node = circuit.node(p.source)
        if isinstance(node, Source):
            _connect_source(nest, node, p, nodes[p.target], synapse, rng)
        else:
            _connect_population(nest, p, nodes, synapse | _drawn(nest, p, unit))
        handled = moves_single_ones(circuit, p)
        routes[p.source, p.target] = _route(nest, p, model, unit, nodes[p.target] if handled else None)
    return routes


def synapse_kind(circuit: Circuit, p: Projection) -> str:
    """NEST's synapse: with a weight for each only where each neuron or each synapse has its own."""
    rule = circuit.rule_of(p.target)
    return OWN if p.weight_spread is not None or (rule is not None and rule.scope == "neuron") else SHARED


def moves_single_ones(circuit: Circuit, p: Projection) -> bool:
    """Whether a rule has to set the weights of a projection one by one."""
    return circuit.rule_of(p.target) is not None and synapse_kind(circuit, p) == OWN


def shortest_delay(p: Projection, dt: float) -> int:
    """The shortest delay in whole steps, one at least."""
    return _steps(p.delay.low if isinstance(p.delay, DelayLaw) else p.delay, dt)


def _steps(delay: float, dt: float) -> int:
    return max(1, round(delay / dt))


def _drawn(nest: Any, p: Projection, unit: float) -> dict[str, Any]:
    """What each synapse of a projection draws for itself."""
    out = {}
    if isinstance(p.delay, DelayLaw):
        out["delay"] = _delays(nest, p.delay)
    if p.weight_spread is not None:
        out["weight"] = _relative(nest, p.weight_spread) * (unit * p.weight)
    return out


def _delays(nest: Any, law: DelayLaw) -> Any:
    """NEST rounds what it draws [ms] to steps."""
    if isinstance(law, UniformDelay):
        return nest.random.uniform(min=in_ms(law.low), max=in_ms(law.high))
    normal = nest.random.normal(mean=in_ms(law.mean), std=in_ms(law.sd))
    return nest.math.redraw(normal, min=in_ms(law.low), max=in_ms(law.high))


def _relative(nest: Any, spread: WeightSpread) -> Any:
    if isinstance(spread, LogNormalSpread):
        return nest.random.lognormal(mean=-0.5 * spread.log_sd**2, std=spread.log_sd)
    normal = nest.random.normal(mean=spread.scale, std=spread.cv * spread.scale)
    return nest.math.redraw(normal, min=0.0, max=100.0 * spread.scale)


def check_wiring(circuit: Circuit) -> None:
    """Raise ValueError for sources and graphs that are not drawn here."""
    for s in refuse_volleys("backends.nest", circuit.sources):
        if s.fano != 1.0:
            raise ValueError(f"backends.nest: source {s.name!r} must be Poisson (fano=1), got fano={s.fano:g}.")
    refuse_plasticity("backends.nest", circuit.projections)
    refuse_adaptation("backends.nest", circuit.populations)
    for p in circuit.projections:
        if p.weight_spread is not None and isinstance(circuit.node(p.source), Source):
            raise ValueError(
                f"backends.nest: {p} comes from a source, whose trains have one weight; it cannot have a weight_spread."
            )
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
        synapse = BYTES[synapse_kind(circuit, p)] + HANDLE_BYTES * moves_single_ones(circuit, p)
        total += circuit.node(p.target).size * (TRAIN_BYTES if external else in_degree(circuit, p) * synapse)
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


def _route(nest: Any, p: Projection, model: str, unit: float, neurons: Any | None) -> Route:
    """With every synapse onto the `neurons` where there are any."""
    if neurons is None:
        return Route(projection=p, model=model, unit=unit)
    synapses = nest.GetConnections(synapse_model=model)
    parts = [synapses[k : k + CHUNK] for k in range(0, len(synapses), CHUNK)]
    targets = np.concatenate([np.empty(0, np.int64), *map(_targets, parts)]) - neurons[0].global_id
    weights = np.concatenate([np.empty(0), *(np.atleast_1d(part.get("weight")) for part in parts)])
    return Route(
        projection=p, model=model, unit=unit, synapses=synapses, targets=targets, relative=weights / (unit * p.weight)
    )  # fmt: skip


def _targets(synapses: Any) -> Indices:
    return np.fromiter(synapses.targets(), np.int64)
