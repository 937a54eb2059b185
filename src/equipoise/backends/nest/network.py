"""A circuit standing on the kernel, ready to run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.backends.nest import kernel, synapses
from equipoise.backends.nest.neurons import Cell, cell
from equipoise.backends.nest.recording import Recorder, record
from equipoise.backends.nest.synapses import Route
from equipoise.model.circuit import Circuit
from equipoise.spiking.network import available_memory


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A circuit on NEST with steps of `dt` [s]: its projections by (source, target), a recorder of each population."""

    nest: Any
    circuit: Circuit
    dt: float
    routes: Mapping[tuple[str, str], Route]
    recorders: Mapping[str, Recorder]

    def advance(self, start: int, stop: int) -> None:
        """Run from step `start`, where it stands, to step `stop`."""
        if stop > start:
            self.nest.Simulate(kernel.in_ms((stop - start) * self.dt))
        for recorder in self.recorders.values():
            recorder.read(stop)

    def forget(self, before: int) -> None:
        """Spikes up to step `before` are needed no more for what is sensed."""
        for recorder in self.recorders.values():
            recorder.forget(before)


def build(
    nest: Any, circuit: Circuit, *, dt: float, cells: Mapping[str, Cell], rng: np.random.Generator, keep: int | None
) -> Network:
    """Neurons with potentials spread evenly between reset and threshold, synapses, sources and recorders."""
    nodes = {p.name: _neurons(nest, cells[p.name], int(p.size), rng) for p in circuit.populations}
    routes = synapses.connect(nest, circuit, cells, nodes, dt, rng)
    shortest = min((synapses.shortest_delay(p, dt) for p in circuit.projections), default=1)
    recorders = record(nest, nodes, keep=keep, delay=shortest * dt)
    return Network(nest=nest, circuit=circuit, dt=dt, routes=routes, recorders=recorders)


def _neurons(nest: Any, of: Cell, n: int, rng: np.random.Generator) -> Any:
    return nest.Create(of.model, n, of.parameters | {"V_m": rng.uniform(*of.start, n)})


def checked_cells(circuit: Circuit, dt: float) -> dict[str, Cell]:
    """The neurons of a circuit in NEST's terms; raises for whatever NEST cannot represent."""
    if not isinstance(circuit, Circuit):
        raise TypeError(f"backends.nest: circuit must be an eq.Circuit, got {circuit!r}.")
    for p in circuit.populations:
        if math.isinf(p.size):
            raise ValueError(
                f"backends.nest: population {p.name!r} is infinite; spikes need a number of neurons. "
                f"Give eq.Population({p.name!r}, size=..., ...), or use eq.theory."
            )
    cells = {p.name: cell(circuit, p, dt) for p in circuit.populations}
    synapses.check_wiring(circuit)
    return cells


def check_memory(circuit: Circuit, processes: int) -> None:
    """Raise MemoryError where the share of one process does not fit."""
    needed, available = synapses.expected_bytes(circuit) / processes, available_memory()
    if needed > available:
        raise MemoryError(
            f"backends.nest: neurons and synapses need about {needed / 1e9:,.1f} GB a process, "
            f"{available / 1e9:,.1f} GB are free. Take fewer, or more processes of a NEST that has MPI."
        )
