"""A schedule in spikes: the network that is due at a time, with the neurons, synapses and state of the one before.

Sources, drives, weights, mean in-degrees and rules may change. Every neuron draws its partners one after the other from
a stream of its own, and its in-degree by one uniform number, so that a lower mean in-degree leaves a part of the
synapses that were there: what is lost comes back as it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed, checked_schedule, edges, manipulated
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking import cells
from equipoise.spiking.cells import Receptors
from equipoise.spiking.network import Network, inputs_of, receptors_of, routes_of
from equipoise.spiking.tables import Tables, build_tables
from equipoise.spiking.wiring import Pair, Route, in_degrees, partners


@dataclass(frozen=True, kw_only=True, eq=False)
class Stages:
    """A network under a schedule over `edges` [s]: 0, the times at which something changes, and the end."""

    network: Network
    schedule: tuple[Timed, ...]
    edges: tuple[float, ...]

    @classmethod
    def of(cls, network: Network, schedule: Iterable[Timed], duration: float) -> "Stages":
        """Checks all circuits of the schedule; TypeError or ValueError for what spikes cannot follow, by name."""
        plan = checked_schedule("spiking", network.circuit, schedule)
        stages = cls(network=network, schedule=plan, edges=tuple(edges(plan, duration)))
        for start in stages.edges[:-1] if plan else ():
            _check_fits(network, stages.circuit_at(start))
        return stages

    def circuit_at(self, time: float) -> Circuit:
        """What the schedule makes of the circuit at `time` [s]."""
        return manipulated(self.network.circuit, self.schedule, time)

    def network_at(self, time: float, before: Network | None = None) -> Network:
        """The network that is due; synapses that are still those of the one `before` are not drawn again."""
        circuit = self.circuit_at(time)
        return self.network if circuit == self.network.circuit else _refitted(self.network, circuit, before)

    def network_before(self, time: float) -> Network:
        """The network that was there until `time` [s]; at 0 the one without manipulations."""
        begun = [t for t in self.edges if t < time]
        return self.network_at(begun[-1]) if begun else self.network

    def strengths_at(self, time: float) -> Array:
        """How much there is of each manipulation (n,), 0 to 1."""
        return np.array([timed.strength_at(time) for timed in self.schedule])

    def end_at(self, time: float) -> float:
        """The next time at which something changes, or the end [s]."""
        return next((t for t in self.edges if t > time), self.edges[-1])


@dataclass
class Playing:
    """Stages in steps of a simulation: edges fall on the nearest step, and the warm-up is undisturbed."""

    stages: Stages
    network: Network
    turns: tuple[int, ...]
    next: int = 0

    @classmethod
    def of(cls, network: Network, schedule: Iterable[Timed], duration: float) -> "Playing":
        """Before the first stage."""
        stages = Stages.of(network, schedule, duration)
        turns = tuple(round(t / network.dt) for t in stages.edges[:-1]) if stages.schedule else ()
        return cls(stages, network, turns)

    def left(self, done: int) -> float:
        """Steps until the next edge; infinite after the last."""
        return self.turns[self.next] - done if self.next < len(self.turns) else np.inf

    def turn(self, done: int) -> Network | None:
        """The network that takes over after so many steps, or None where none does."""
        if self.left(done) > 0:
            return None
        while self.left(done) <= 0:
            self.next += 1
        self.network = self.stages.network_at(self.stages.edges[self.next - 1], self.network)
        return self.network


def apart_of(circuit: Circuit, schedule: Iterable[Timed]) -> frozenset[Pair]:
    """Projections whose weights a schedule changes (source, target), for `build`."""
    changed = [timed.manipulation.apply(circuit) for timed in checked_schedule("spiking", circuit, schedule)]
    return frozenset(
        (p.source, p.target)
        for other in changed
        for p, q in zip(circuit.projections, other.projections, strict=True)
        if p.weight != q.weight
    )


def _refitted(network: Network, circuit: Circuit, before: Network | None) -> Network:
    """The network of a manipulated circuit."""
    layout, choices, dt = network.layout, network.choices, network.dt
    receptors = _receptors(network, circuit)
    inputs, mean = inputs_of(circuit, layout, (network.neurons, receptors), network.key, (dt, choices))
    near = next((n for n in (network, before) if n is not None and _same_graph(n.circuit, circuit)), None)
    tables = near.tables if near else _drawn(network, circuit, receptors)
    drive, weights = cells.drive_of(network.neurons, layout, mean, dt), cells.weights_of(circuit, receptors, layout)
    return replace(network, circuit=circuit, externals=inputs, drive=drive, weights=weights, tables=tables)


def _receptors(network: Network, circuit: Circuit) -> list[Receptors]:
    first = receptors_of(network.origin, network.layout.names, network.choices)
    return [receptors.reweighed(circuit) for receptors in first]


def _drawn(network: Network, circuit: Circuit, receptors: list[Receptors]) -> Tables:
    routes = routes_of(circuit, receptors, network.choices.wiring, network.layout, network.dt)
    return build_tables(routes, network.layout, network.choices.wiring, network.key)


def _same_graph(one: Circuit, other: Circuit) -> bool:
    """Whether all synapses between populations are the same."""
    inside = {p.name for p in one.populations}
    pairs = zip(one.projections, other.projections, strict=True)
    return all(p.connectivity == q.connectivity for p, q in pairs if p.source in inside)


# --- what spikes cannot follow ----------------------------------------------------------------------------------------
def _check_fits(network: Network, circuit: Circuit) -> None:
    _check_kinds(network.origin, circuit)
    receptors = _receptors(network, circuit)
    layout, choices = network.layout, network.choices
    inputs_of(circuit, layout, (network.neurons, receptors), network.key, (network.dt, choices))
    before, after = (routes_of(c, receptors, choices.wiring, layout, network.dt) for c in (network.origin, circuit))
    for old, new in zip(before, after, strict=True):
        if old.projection.connectivity != new.projection.connectivity:
            _check_thinned(old, new, network)


def _check_kinds(first: Circuit, circuit: Circuit) -> None:
    kinds = [[(r.population, r.scope, r.rule.variables, r.rule.senses) for r in c.rules] for c in (first, circuit)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "spiking: a manipulation may change the numbers of rules while they run, but not which populations have "
            "rules, their scope, their variables or what they sense."
        )
    for a, b in zip(first.populations, circuit.populations, strict=True):
        if replace(b, drive=a.drive) != a:
            raise ValueError(
                f"spiking: a manipulation may change the drive of a population while it runs, and nothing else of "
                f"{a.name!r}. Simulate the manipulated circuit by itself."
            )
    for p, q in zip(first.projections, circuit.projections, strict=True):
        if (first.sign_of(p), *_lasting(p)) != (circuit.sign_of(q), *_lasting(q)):
            raise ValueError(
                f"spiking: a manipulation may change weight and in-degree of {p} while it runs, but not its sign, "
                "delay, synapse or plasticity. Simulate the manipulated circuit by itself."
            )


def _lasting(p: Projection) -> tuple:
    return p.delay, p.synapse, p.plasticity, p.short_term


def _check_thinned(old: Route, new: Route, network: Network) -> None:
    """Graphs in which what is lost is a part of what was there."""
    p, wiring, layout = old.projection, network.choices.wiring, network.layout
    if p.plasticity is not None:
        raise ValueError(
            f"spiking: the synapses of {p} are plastic, and what those that are lost have learned would be lost with "
            "them. Change the weight of the projection instead."
        )
    if (p.source, p.target) in wiring.explicit:
        raise ValueError(
            f"spiking: the synapses of {p} are given one by one, and a manipulation of its in-degree does not say "
            "which are lost. Give them as Erdos-Renyi or fixed in-degree."
        )
    if type(p.connectivity) is not type(new.projection.connectivity):
        raise ValueError(f"spiking: a manipulation may not change the kind of connectivity of {p} while it runs.")
    half = partners(old, layout, wiring) // 2
    dense = [in_degrees(route, layout, wiring, network.key).max(initial=0) > half for route in (old, new)]
    if any(dense) and not wiring.multapses:
        raise ValueError(
            f"spiking: {p} connects more than half of all possible pairs; a part of its synapses cannot be taken away "
            "while it runs. Enlarge the presynaptic population, or simulate the manipulated circuit by itself."
        )
