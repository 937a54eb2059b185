"""The step in compiled form: state in, state and raster of spikes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.adaptation import MCurrent
from equipoise.model.neurons import EIF
from equipoise.spiking.layout import COLUMN, WORDS
from equipoise.spiking.network import Network
from equipoise.spiking.probes import Probes
from equipoise.spiking.randomness import START, Words, uniform
from equipoise.spiking.slow_state import SlowState
from equipoise.spiking.strips import Strips
from equipoise.spiking.tables import aligned

BEST, BASELINE, AVX2, AVX512 = range(4)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Where a network stands after `step` steps: all that its future depends on.

    `v` (places,) from the leak potential, `silent` (places,) steps of refractoriness left, `currents` (current, place)
    [V/s], conductances over the capacitance [1/s] or open shares of gates, `recent` (longest delay, columns * 8) the
    raster of the last steps, a bit for each place. `learned`: relative weights and traces of synapses that move (see
    `Learning` and `Releasing`). `slow`: where homeostasis stands at the end of a run.
    """

    step: int
    v: NDArray[np.float32]
    silent: NDArray[np.int16]
    currents: NDArray[np.float32]
    recent: Words
    learned: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    slow: SlowState | None = None


def begin(network: Network) -> State:
    """Potentials spread evenly by the seed from reset to threshold (EIF: onset), nobody refractory, no spikes sent."""
    layout = network.layout
    v = np.zeros(layout.places, np.float32)
    for k, of in enumerate(network.neurons):
        place = layout.neurons(k)
        u = uniform(network.key, START + k, layout.sizes[k])
        reset, top = of["v_reset"] - of["v_leak"], network.threshold[place].astype(np.float64)
        if isinstance(of.neuron, EIF):
            top = np.maximum(of["v_onset"] - of["v_leak"], reset)
        v[place] = reset + u * (top - reset)
    recent = np.zeros((network.delays[1], layout.columns * WORDS), np.uint64)
    currents = np.zeros((network.most_currents, layout.places), np.float32)
    for k, p in enumerate(network.circuit.populations):
        if isinstance(p.adaptation, MCurrent):  # behind the other currents; open as far as the potential has it
            place, last = layout.neurons(k), np.count_nonzero(network.currents[:, 0] == k) - 1
            currents[last, place] = p.adaptation.steady(v[place] + network.neurons[k]["v_leak"])
    silent = np.zeros(layout.places, np.int16)
    return State(
        step=0,
        v=v,
        silent=silent,
        currents=currents,
        recent=recent,
        learned=network.learning.begin() | network.releasing.begin(),
    )


def advance(
    network: Network, before: State, steps: int, *, probes: Probes | None = None, instruction_set: int = BEST
) -> tuple[State, Words]:
    """The state `steps` later, and the raster of these steps (steps, columns * 8); what `probes` see goes into them.

    `instruction_set` is for tests: results are the same for all of them.
    """
    network, layout, (shortest, longest) = network.acting(), network.layout, network.delays
    any_summed = int(network.summed.any())
    v, silent, currents = (_copy(x) for x in (before.v, before.silent, before.currents))
    counts, sums = (aligned(network.weights.size * used, x) for used, x in ((1, np.uint16), (any_summed, np.float32)))
    raster = aligned((longest + steps) * layout.columns * WORDS, np.uint64).reshape(longest + steps, -1)
    raster[:longest] = before.recent
    e, t, learning = network.externals, network.tables, network.learning
    memory, released = learning.unfolded(before.learned), network.releasing.unfolded(before.learned)
    _core.spiking_run(
        network.cells.pool, network.cells.index.ravel(), layout.first_columns, network.currents.ravel(),
        network.sinks.ravel(), network.summed.astype(np.int64).ravel(), _extents(network),
        _table_rows(network), _external_rows(network), *strips_of(network),
        _joined([y.ravel() for x in e for y in (x.laws.least, x.laws.thresholds)], np.int16),
        _joined([y.ravel() for x in e for y in (x.laws.rest, x.laws.law)], np.int32),
        t.targets, t.offsets, t.bits, t.weights, network.key, v, silent, currents.ravel(), counts, sums, raster.ravel(),
        before.step, longest, steps, shortest if t.parts else steps, layout.threads, instruction_set,
        *_probed(probes), 1.0 / network.dt, *learning.arrays, memory,
        *network.releasing.arrays, released,
    )  # fmt: skip
    recent = raster[steps:].copy()
    after = State(
        step=before.step + steps,
        v=v,
        silent=silent,
        currents=currents,
        recent=recent,
        learned=learning.folded(memory) | network.releasing.folded(released),
    )
    return after, raster[longest:]


def spikes_in(raster: Words) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Step (counted from the raster's first) and place of every spike, in this order."""
    n = _core.spiking_count(raster.ravel())
    steps, places = np.empty(n, np.int32), np.empty(n, np.int32)
    _core.spiking_list(raster.ravel(), raster.shape[1] // WORDS, steps, places)
    return steps, places


def _probed(probes: Probes | None) -> tuple[NDArray, NDArray, NDArray]:
    if probes is None:
        return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32)
    return probes.places, probes.split.reshape(-1), probes.trace.reshape(-1)


def _copy(x: NDArray) -> NDArray:
    out = aligned(x.size, x.dtype.type)
    out[:] = x.ravel()
    return out.reshape(x.shape)


def _extents(network: Network) -> NDArray[np.int64]:
    return _rows([[b.population, b.first, b.last, b.thread] for b in network.layout.blocks])


def _table_rows(network: Network) -> NDArray[np.int64]:
    learning, releasing = network.learning, network.releasing
    parts = network.tables.parts
    return _rows([p.row(network.layout, (learning.number(p), releasing.number(p))) for p in parts])


def _external_rows(network: Network) -> NDArray[np.int64]:
    columns = network.layout.columns
    rows, strip, at, rest = [], (2 + network.weights.shape[0]) * columns, 0, 0
    for x in network.externals:
        laws = x.laws
        own, law = (at + laws.least.size, rest + laws.rest.size) if laws.law.size else (-1, -1)
        counts = [laws.least.size, at, own, laws.rest.shape[1], rest, law]
        rows.append([x.population, x.noise, x.stream, x.sink, strip, *counts])
        strip, at = strip + x.amplitude.size // COLUMN, at + laws.least.size + laws.thresholds.size
        rest += laws.rest.size + laws.law.size
    return _rows(rows)


def strips_of(network: Network) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All values of neurons as strips of one column, neighbours that are equal stored once, and who uses which."""
    parts = [network.drive, network.threshold, network.weights.ravel(), *(x.amplitude for x in network.externals)]
    strips = Strips.of(np.concatenate(parts))
    return strips.pool, strips.index


def _rows(rows: list[list[int]]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).ravel()


def _joined(parts: list[NDArray], dtype: type) -> NDArray:
    return np.concatenate([np.empty(0, dtype), *parts])
