"""What is written down slice by slice: spikes, counts, membranes and the slow history, into columns that grow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import ConductanceLIF
from equipoise.quantities import steps_of
from equipoise.results import Status
from equipoise.spiking.columns import RUNNING, TRACES, Keep, Plan, Sheet, Written
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.network import Network
from equipoise.spiking.probes import VALUES, Probes, capacitances, chosen, leaks, tonic
from equipoise.spiking.randomness import Words
from equipoise.spiking.record import Record
from equipoise.units import ms


def plan_of(circuit: Circuit, layout: Layout, dt: float, record: Record) -> Plan:
    """What a record asks of a network; ValueError for bins and samples that are no whole steps, and unknown neurons."""
    steps = {"bin": record.bin, "every": dt if record.every is None else record.every}
    whole = {name: steps_of("spiking", f"Record.{name}", time, dt) for name, time in steps.items()}
    for name, n in whole.items():
        if n < 1:
            raise ValueError(f"Record.{name} must be at least dt={dt / ms:g} ms, got {steps[name] / ms:g} ms.")
    places = chosen(record.membrane, layout)
    conductances = any(isinstance(circuit.populations[k].neuron, ConductanceLIF) for k, _ in places)
    cells = tuple((layout.names[k], i) for k, i in places)
    recorded = tuple(int(min(n, record.cells)) for n in layout.sizes)
    return Plan(recorded=recorded, cells=cells, conductances=conductances, **whole)


@dataclass
class Tape:
    """Turns what the step gives into rows: `sheet` takes those that are complete, the rest waits here."""

    plan: Plan
    sheet: Sheet
    unit_of: NDArray[np.int32]  # of each place, -1 where nothing is recorded
    population_of: NDArray[np.int64]  # of each column
    open_counts: NDArray[np.int64]  # of the bin that is not full
    open_rows: NDArray[np.float32]  # of the trace, that make no whole sample
    done: int = 0
    slow_names: list[str] = field(default_factory=list)

    @classmethod
    def blank(cls, network: Network, plan: Plan, sheet: Sheet) -> "Tape":
        """Nothing written yet."""
        layout = network.layout
        unit_of = np.full(layout.places, -1, np.int32)
        for k, n in enumerate(plan.recorded):
            first = layout.neurons(k).start
            unit_of[first : first + n] = sum(plan.recorded[:k]) + np.arange(n)
        population_of = layout.population_of(np.arange(0, layout.places, COLUMN))
        nothing = np.empty((0, len(plan.cells), VALUES), np.float32)
        counts = np.zeros(len(plan.recorded), np.int64)
        return cls(plan, sheet, unit_of, population_of, counts, nothing)

    def write(self, raster: Words, probes: Probes, network: Network) -> None:
        """Take in the next steps."""
        until = self.done + raster.shape[0]
        steps, units, table = self._spikes(raster.reshape(-1), until)
        blocks = {"spike_step": steps, "spike_unit": units, "count": table[:-1]}
        samples, rows = self._sampled(probes, network)
        blocks |= samples
        self.sheet.add(blocks)
        self.open_counts, self.open_rows, self.done = table[-1], rows, until

    def row(self, row: Mapping[str, float]) -> None:
        """Write down a slow window; a variable that appears late has no values before."""
        self.slow_names += [name for name in row if name not in self.slow_names]
        self.sheet.add({"slow": np.array([[row.get(name, np.nan) for name in self.slow_names]])})

    def settle(self, wall: float, kept: Keep, *, now: bool = False) -> None:
        """What was written up to here is whole, and the run can go on from what is `kept`."""
        counts = self.open_counts.tolist() if self.done % self.plan.bin else []
        facts = self._facts(wall, RUNNING) | {"open_counts": counts}
        self.sheet.settle(facts, lambda: kept() | {"open_rows": self.open_rows}, now=now)

    def go_on(self, facts: Mapping[str, Any], kept: Mapping[str, NDArray]) -> None:
        """Stand where `settle` was told so."""
        self.done, self.slow_names, self.open_rows = facts["done"], list(facts["slow_names"]), kept["open_rows"]
        self.open_counts = np.array(facts["open_counts"] or np.zeros_like(self.open_counts))

    def close(self, wall: float, status: Status, end: State) -> Written:
        """Write the last bin, full or not; what was written."""
        if self.done % self.plan.bin:
            self.sheet.add({"count": self.open_counts[None]})
        columns = self.sheet.close(self._facts(wall, status.name), end)
        return Written(columns=columns, plan=self.plan, slow_names=tuple(self.slow_names))

    def _facts(self, wall: float, status: str) -> dict[str, Any]:
        return {"done": self.done, "wall": wall, "status": status, "slow_names": list(self.slow_names)}

    def _spikes(self, raster: Words, until: int) -> tuple[NDArray[np.int64], ...]:
        """Steps and units of recorded spikes; all spikes in the bins from the open one on, the last one open again."""
        table = np.zeros((until // self.plan.bin - self.done // self.plan.bin + 1, len(self.plan.recorded)), np.int64)
        table[0] = self.open_counts
        steps, units = np.empty((2, _core.spiking_count(raster)), np.int64)
        n = _core.spiking_take(
            raster, self.population_of, self.unit_of, self.done, self.plan.bin, table.reshape(-1), steps, units
        )
        return steps[:n].copy() if n < steps.size else steps, units[:n].copy() if n < units.size else units, table

    def _sampled(self, probes: Probes, network: Network) -> tuple[dict[str, NDArray], NDArray[np.float32]]:
        """Whole samples: the potential at their end and the mean input; and the rows that are left."""
        probes.trace[..., 0] += leaks(network, probes.places)
        probes.trace[..., 3] += tonic(network, probes.places)
        probes.trace[..., 4:] *= capacitances(network, probes.places)[:, None]
        rows, m = np.concatenate([self.open_rows, probes.trace]), self.plan.every
        n = rows.shape[0] // m
        samples = rows[: n * m].reshape(n, m, *rows.shape[1:])
        means = samples[..., 1:].mean(axis=1, dtype=np.float64).astype(np.float32)
        columns = [samples[:, -1, :, 0].copy(), *np.moveaxis(means, 2, 0)]  # a view would keep all steps
        written = dict(zip(TRACES, columns, strict=True))
        return {name: written[name] for name in self.plan.traces}, rows[n * m :].copy()
