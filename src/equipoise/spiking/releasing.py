"""Short-term plasticity: what presynaptic neurons have to give, between two calls of the step.

Facilitation and depletion follow the train that arrives, and are kept for each projection by delay and presynaptic
neuron; every block of targets has a copy for the thread that owns it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking.layout import Block, Layout
from equipoise.spiking.tables import Table, Tables

Floats = NDArray[np.float32]
TRACES = ("facilitated", "depleted")


def law(projection: Projection, dt: float) -> tuple[float, float, float]:
    """Decay of facilitation and of depletion over a step, and the use of resources."""
    rule = projection.short_term
    assert rule is not None
    facilitated = math.exp(-dt / rule.tau_facil) if rule.tau_facil > 0.0 else 0.0
    return facilitated, math.exp(-dt / rule.tau_rec) if rule.tau_rec > 0.0 else 0.0, rule.U


@dataclass(frozen=True, kw_only=True, eq=False)
class Releasing:
    """All projections with short-term plasticity, a row for each of their blocks.

    `places`: number of the projection and block; `sizes`: presynaptic neurons times delays. `arrays`: rows and laws of
    `_core.spiking_run`.
    """

    places: tuple[tuple[int, Block], ...]
    sizes: tuple[int, ...]
    arrays: tuple[NDArray[np.int64], Array]

    @classmethod
    def of(cls, tables: Tables, layout: Layout, dt: float) -> "Releasing":
        """Of the synapses of a network."""
        first = [t for t in tables.parts if t.route.projection.short_term is not None and t.which == 0]
        sizes = tuple(layout.sizes[t.route.source] * len(t.route.delays) for t in first)
        laws = [law(t.route.projection, dt) for t in first]
        places = tuple((t.route.index, t.block) for t in first)
        return cls(places=places, sizes=sizes, arrays=(_rows(first, sizes), np.array(laws, np.float64).ravel()))

    def number(self, table: Table) -> int:
        """The row of a table, -1 without one."""
        place = table.route.index, table.block
        return self.places.index(place) if place in self.places else -1

    def begin(self) -> dict[str, Floats]:
        """Nothing used yet."""
        return self.folded(np.zeros(2 * sum(self.sizes), np.float32))

    def unfolded(self, learned: Mapping[str, Floats]) -> Floats:
        """The memory that the core works on."""
        names = [f"{index}.{trace}" for index, _ in self.places for trace in TRACES]
        return np.concatenate([np.empty(0, np.float32), *(learned[name] for name in names)])

    def folded(self, memory: Floats) -> dict[str, Floats]:
        """What it holds, once for each projection: "3.facilitated" and "3.depleted" of projection 3."""
        out, at = {}, 0
        for (index, _), size in zip(self.places, self.sizes, strict=True):
            for trace in TRACES:
                out[f"{index}.{trace}"] = memory[at : at + size].copy()
                at += size
        return out


def _rows(tables: Sequence[Table], sizes: Sequence[int]) -> NDArray[np.int64]:
    starts = np.cumsum([0, *(2 * n for n in sizes)])
    rows = [[t.block.thread, n, a, a + n] for t, n, a in zip(tables, sizes, starts.tolist(), strict=False)]
    return np.array(rows, np.int64).ravel()
