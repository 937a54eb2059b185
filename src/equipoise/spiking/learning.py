"""Plastic synapses: where each stands in the lists, and what they remember between two calls of the step.

The step finds the synapses onto a neuron that fires through an index beside the lists. A state keeps them ordered by
target, delay and presynaptic neuron instead, which depends neither on blocks nor on threads.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.tables import Table, Tables

PARTS = ("weights", "before", "after")
Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]
Learned = Mapping[str, Floats]
"""By "projection.weights", ".before" and ".after", the projection by its number: relative weights and both traces."""


def law(projection: Projection, dt: float) -> tuple[float, float, float, float]:
    """Decay of the traces over a step, eta, offset alpha, and the largest relative weight."""
    rule = projection.plasticity
    assert rule is not None
    return math.exp(-dt / rule.tau), rule.eta, rule.alpha, rule.largest


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """The plastic synapses of one projection onto one block, in the order of their targets.

    Those onto neuron n of the block are `begins`[n] to `begins`[n + 1]; `synapses`: where each stands in the lists,
    `sources`: the trace of its arrivals, which are numbered by delay and presynaptic neuron, `traces` in all.
    """

    first: Table
    begins: Indices
    synapses: Indices
    sources: Indices
    traces: int

    @classmethod
    def of(cls, tables: Sequence[Table], n_sources: int) -> "Learner":
        """From the tables of all delays."""
        parts = [(t.which, *t.entries()) for t in tables]
        entry = np.concatenate([entry for _, _, entry in parts])
        trace = np.concatenate([which * n_sources + source for which, source, _ in parts])
        block, targets = tables[0].block, tables[0].targets[entry]
        order = np.argsort(targets, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(targets, minlength=(block.last - block.first) * COLUMN))])
        begins, synapses, sources = (x.astype(np.uint32) for x in (begins, entry[order], trace[order]))
        return cls(first=tables[0], begins=begins, synapses=synapses, sources=sources, traces=len(tables) * n_sources)

    @property
    def index(self) -> int:
        """The number of its projection."""
        return self.first.route.index

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many weights, traces of arrivals and traces of neurons."""
        return self.synapses.size, self.traces, self.begins.size - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Learning:
    """All plastic synapses of a network, ordered by projection and block, and the arrays that the core takes.

    `arrays`: rows and laws of `_core.spiking_run`, and the index of incoming synapses.
    """

    learners: tuple[Learner, ...]
    arrays: tuple[NDArray[np.int64], Array, Indices]

    @classmethod
    def of(cls, tables: Tables, layout: Layout, dt: float) -> "Learning":
        """Of the synapses of a network."""
        plastic = [t for t in tables.parts if t.route.projection.plasticity is not None]
        plastic.sort(key=_lists)
        lists = [list(parts) for _, parts in groupby(plastic, key=lambda t: _lists(t)[:2])]
        learners = tuple(Learner.of(parts, layout.sizes[parts[0].route.source]) for parts in lists)
        laws = [law(x.first.route.projection, dt) for x in learners]
        return cls(learners=learners, arrays=(_rows(learners), np.array(laws, np.float64).ravel(), _incoming(learners)))

    @property
    def size(self) -> int:
        """How many numbers the core works on."""
        return sum(sum(x.sizes) for x in self.learners)

    def number(self, table: Table) -> int:
        """The learner of a table, -1 without one."""
        ends = table.route.index, table.block
        return next((k for k, x in enumerate(self.learners) if (x.index, x.first.block) == ends), -1)

    def begin(self) -> dict[str, Floats]:
        """Weights as they were drawn, and no spikes before."""
        memory = np.zeros(self.size, np.float32)
        for learner, (weights, _, _) in self._views(memory):
            weights[:] = learner.first.weights
        return self.folded(memory)

    def unfolded(self, learned: Learned) -> Floats:
        """The memory that the core works on."""
        memory = np.empty(self.size, np.float32)
        read = dict.fromkeys(learned, 0)
        for learner, views in self._views(memory):
            names = [f"{learner.index}.{part}" for part in PARTS]
            weights, before, after = (learned[n][read[n] : read[n] + x.size] for n, x in zip(names, views, strict=True))
            views[0][learner.synapses], views[1][:], views[2][:] = weights, before, after
            read[names[0]] += weights.size
            read[names[2]] += after.size
        return memory

    def folded(self, memory: Floats) -> dict[str, Floats]:
        """What it holds, in the order that states keep."""
        out: dict[str, list[Floats]] = {}
        for learner, (weights, before, after) in self._views(memory):
            values = weights[learner.synapses], before, after
            for part, x in zip(PARTS, values, strict=True):
                out.setdefault(f"{learner.index}.{part}", []).append(x)
        return {k: x[0].copy() if k.endswith(".before") else np.concatenate(x) for k, x in out.items()}

    def weights(self, tables: Sequence[Table], learned: Learned) -> list[Floats]:
        """Relative weights of the synapses of some tables, in their order."""
        lists = [weights for _, (weights, _, _) in self._views(self.unfolded(learned))]
        return [lists[self.number(t)][t.entries()[1]] for t in tables]

    def _views(self, memory: Floats) -> Iterator[tuple[Learner, list[Floats]]]:
        at = 0
        for x in self.learners:
            yield x, np.split(memory[at : at + sum(x.sizes)], np.cumsum(x.sizes)[:2])
            at += sum(x.sizes)


def _lists(table: Table) -> tuple[int, int, int]:
    """Tables that share a list stand together, by projection, block and delay."""
    return table.route.index, table.block.first, table.which


def _rows(learners: Sequence[Learner]) -> NDArray[np.int64]:
    rows, index, memory = [], 0, 0
    for x in learners:
        block, (weights, before, _) = x.first.block, x.sizes
        starts = np.cumsum([index, x.begins.size, x.synapses.size]).tolist()
        parts = np.cumsum([memory, weights, before]).tolist()
        rows.append([block.thread, block.first, block.last - block.first, x.traces, *starts, *parts])
        index, memory = starts[-1] + x.sources.size, memory + sum(x.sizes)
    return np.array(rows, np.int64).ravel()


def _incoming(learners: Sequence[Learner]) -> Indices:
    parts = [part for x in learners for part in (x.begins, x.synapses, x.sources)]
    return np.concatenate([np.empty(0, np.uint32), *parts])
