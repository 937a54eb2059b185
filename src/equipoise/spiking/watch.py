"""A circuit watched spike by spike: one run in windows, each reduced as soon as it is done.

A run in pieces equals the run in one piece, so that windows change nothing but what stays in memory, what is known of
weights that move, and what is left after Ctrl-C.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise import measures
from equipoise.model.circuit import Circuit
from equipoise.model.populations import Volleys
from equipoise.model.projections import Projection
from equipoise.quantities import Array, steps_of
from equipoise.results import SpikeTrains, Status
from equipoise.spiking.checkpoint import SAVE_EVERY
from equipoise.spiking.kernel import State
from equipoise.spiking.network import Network
from equipoise.spiking.record import Record
from equipoise.spiking.run import OfPopulations, Run
from equipoise.spiking.simulate import run as simulated
from equipoise.spiking.watch_store import Kept, load, save
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

BIN = 1 * ms
"""Of counts, and of samples of the membrane."""
WINDOWS = 50
SHORTEST = 300 * ms
"""Shortest window [s]."""
CELLS, PROBED = 300, 40
"""Neurons of each population whose spikes are kept, and whose membrane is followed."""
LENGTH, LEARNING, AFTER = 10 * second, 40 * second, 500 * ms
"""Length of a run, of one whose synapses learn, and of what follows the last volley [s]."""
WARMUP, BEFORE = 500 * ms, 100 * ms
"""Left out at the start, and kept of it before the first volley [s]."""
FELT = ("potential", "excitation", "inhibition", "drive", "g_excitatory", "g_inhibitory")

LEARNED = np.linspace(0.01, 0.99, 99)
"""Quantiles that are kept of learned weights."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """What part of a circuit's life is looked at: `duration` [s] after a `warmup` [s], and where it has `settled` [s].

    Where synapses learn or tire, or neurons adapt, there is no warm-up: the run shows how they do, and what is said of
    a settled state is from its second half.
    """

    duration: float
    warmup: float
    settled: float

    @classmethod
    def of(cls, circuit: Circuit, duration: float | None) -> "Span":
        """Of a circuit, by default as long as suits it; ValueError where `duration` [s] is no whole number of ms."""
        warmup = _warmup(circuit)
        length = _length(circuit, warmup) if duration is None else duration
        steps = steps_of("spiking.study", "duration", length, BIN, of="bin")
        return cls(duration=steps * BIN, warmup=warmup, settled=(steps // 2) * BIN if moves(circuit) else 0.0)

    @property
    def edges(self) -> Array:
        """Ends of the windows [s], in whole bins."""
        windows = 2 * int(np.clip(0.5 * self.duration / SHORTEST, 1, WINDOWS // 2))
        return np.unique(np.rint(np.linspace(0.0, self.duration / BIN, windows + 1))) * BIN


def moves(circuit: Circuit) -> bool:
    """Whether synapses or neurons change by their own spikes."""
    return any(p.plasticity or p.short_term for p in circuit.projections) or any(
        p.adaptation for p in circuit.populations
    )


def volleys_of(circuit: Circuit) -> tuple[Volleys, ...]:
    """The sources that fire in volleys."""
    return tuple(s for s in circuit.sources if isinstance(s, Volleys))


def _warmup(circuit: Circuit) -> float:
    if moves(circuit):
        return 0.0
    first = min((min(v.times) for v in volleys_of(circuit)), default=np.inf)
    return max(0.0, np.floor((min(WARMUP, first - BEFORE)) / BIN) * BIN)


def _length(circuit: Circuit, warmup: float) -> float:
    last = max((max(v.times) - warmup + AFTER for v in volleys_of(circuit)), default=0.0)
    learns = any(p.plasticity for p in circuit.projections)
    usual = LEARNING if learns else 0.0 if last else LENGTH
    return float(np.ceil(max(usual, last) / BIN) * BIN)


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """What is kept of one window.

    Means over its samples of what each followed cell felt, the correlation of its excitation and inhibition over them
    (`tracking`), means over the cells of each population sample by sample (`traces`), and the weights that synapses
    have learned at its end relative to that of their projection.
    """

    counts: NDArray[np.int64]
    steps: NDArray[np.int64]
    units: NDArray[np.int64]
    felt: Mapping[str, Array]
    tracking: Array
    traces: Mapping[str, Array]
    learned: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched(OfPopulations):
    """A run in windows that end at `edges[1:]` [s]; `last` is the membrane of the cells in the last window.

    Status OK, or INTERRUPTED with the windows that were done.
    """

    circuit: Circuit
    recorded: tuple[int, ...]
    network: Network
    span: Span
    edges: Array
    windows: tuple[Window, ...]
    last: "xr.Dataset"
    status: Status

    @property
    def duration(self) -> float:
        """What was simulated [s]."""
        return float(self.edges[-1])

    @property
    def settled(self) -> float:
        """From when on the state counts as settled [s], at the beginning of a window."""
        wanted = self.span.settled * self.duration / self.span.duration
        return float(self.edges[min(np.searchsorted(self.edges, wanted - 0.5 * BIN), len(self.edges) - 2)])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Spikes of all neurons (population, bin)."""
        return np.concatenate([w.counts for w in self.windows], axis=1)

    @cached_property
    def late(self) -> NDArray[np.int64]:
        """Those of the settled state."""
        return self.counts[:, round(self.settled / BIN) :]

    @cached_property
    def spikes(self) -> SpikeTrains:
        """Spikes of the recorded neurons, one unit a neuron."""
        steps, units = (np.concatenate([getattr(w, name) for w in self.windows]) for name in ("steps", "units"))
        times = (steps + 1).astype(np.float64) * self.network.dt
        return SpikeTrains(times, units, sum(self.recorded), 0.0, max(self.duration, float(times.max(initial=0.0))))

    def spikes_of(self, population: str) -> SpikeTrains:
        """Those of one population in the settled state."""
        here, late = self.units_of(population), self.spikes.between(self.settled, self.spikes.t_stop)
        mine = (late.units >= here.start) & (late.units < here.stop)
        n = here.stop - here.start
        return SpikeTrains(late.times[mine], late.units[mine] - here.start, n, late.t_start, late.t_stop)

    @property
    def cells(self) -> NDArray[np.str_]:
        """The population of each cell that was followed."""
        return self.last["population"].values

    def felt(self, name: str) -> Array:
        """What each cell felt on average in the settled state (cell,)."""
        late = self.edges[:-1] >= self.settled - 0.5 * BIN
        weights = np.diff(self.edges)[late]
        return np.average([w.felt[name] for w, is_late in zip(self.windows, late, strict=True) if is_late],
                          axis=0, weights=weights)  # fmt: skip

    def trace(self, name: str) -> Array:
        """What the cells of each population feel, bin by bin (population, bin)."""
        return np.concatenate([w.traces[name] for w in self.windows], axis=1)

    @property
    def has_conductances(self) -> bool:
        """Whether the membrane has conductances."""
        return "g_excitatory" in self.windows[0].felt


def watched(
    network: Network, span: Span, *, start: State | None = None, checkpoint: Path | None = None, progress: Progress
) -> Watched:
    """Run a network window by window, from its random start or from a state; KeyboardInterrupt before the first.

    With a `checkpoint` file it goes on where it was stopped.
    """
    edges, total = span.edges, span.warmup + span.duration
    found = None if checkpoint is None else load(checkpoint, network, span)
    kept, saved = found or Kept(windows=(), state=start, last=None), time.perf_counter()
    try:
        while len(kept.windows) < len(edges) - 1:
            begin, end = edges[len(kept.windows) : len(kept.windows) + 2]
            warmup = 0.0 if kept.windows else span.warmup
            before = span.warmup - warmup + begin
            share = warmup + end - begin

            def tell(f: float, before: float = before, share: float = share) -> None:
                progress((before + share * f) / total)

            kept, status = _next(network, kept, (begin, end - begin, warmup), tell)
            if status is not Status.OK:
                break
            if checkpoint is not None and time.perf_counter() - saved > SAVE_EVERY:
                save(checkpoint, network, span, kept)
                saved = time.perf_counter()
    except KeyboardInterrupt:
        if not kept.windows:
            raise
    if kept.last is None:
        raise KeyboardInterrupt("spiking.study: interrupted before the first window.")
    if checkpoint is not None:
        save(checkpoint, network, span, kept)
    whole = len(kept.windows) == len(edges) - 1
    return Watched(
        circuit=network.circuit, recorded=tuple(min(int(p.size), CELLS) for p in network.circuit.populations),
        network=network, span=span, edges=edges[: len(kept.windows) + 1], windows=kept.windows, last=kept.last,
        status=Status.OK if whole else Status.INTERRUPTED,
    )  # fmt: skip


def _next(network: Network, kept: Kept, when: tuple[float, float, float], progress: Progress) -> tuple[Kept, Status]:
    """One window more, from `begin` [s], of a length and after a warm-up; as it was where that is interrupted."""
    begin, length, warmup = when
    membrane = {p.name: min(int(p.size), PROBED) for p in network.circuit.populations}
    record = Record(cells=CELLS, bin=BIN, membrane=membrane, every=BIN)
    run = simulated(network, duration=length, warmup=warmup, start=kept.state, record=record, progress=progress)
    if run.status is not Status.OK:
        return kept, run.status
    window = _window(network, run, round(begin / network.dt), learning(network.circuit))
    last = run.membrane.assign_coords(time=begin + run.membrane["time"])
    return Kept(windows=(*kept.windows, window), state=run.end, last=last), run.status


def learning(circuit: Circuit) -> tuple[Projection, ...]:
    """The projections whose synapses learn."""
    return tuple(p for p in circuit.projections if p.plasticity is not None)


def _window(network: Network, run: Run, first: int, plastic: Sequence[Projection]) -> Window:
    felt: dict[str, Any] = {str(k): v.values.astype(np.float64) for k, v in run.membrane.items() if k in FELT}
    of, excitation = run.membrane["population"].values, felt["excitation"] + felt["drive"]
    tracking = measures.balance(excitation, felt["inhibition"])["tracking"].values
    traces = {k: np.stack([v[:, of == name].mean(axis=1) for name in run.names]) for k, v in felt.items()}
    learned = {
        str(p): network.synaptic_weights(p.source, p.target, learned=run.end.learned) / p.weight for p in plastic
    }
    return Window(
        counts=run.counts, steps=run.steps + first, units=run.units, tracking=tracking, traces=traces,
        felt={k: v.mean(axis=0) for k, v in felt.items()}, learned={k: _shape(w) for k, w in learned.items()},
    )  # fmt: skip


def _shape(weights: Array) -> Array:
    """Mean, mean square and quantiles at LEARNED of relative weights."""
    return np.array([weights.mean(), (weights**2).mean(), *np.quantile(weights, LEARNED)])
