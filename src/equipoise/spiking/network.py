"""A circuit made ready for spikes: neurons, synapses and sources as the arrays that the step reads.

What a homeostatic rule may move stands there neuron by neuron: one weight per channel, the amplitude of each source,
threshold, drive and intrinsic gain. Potentials are measured from the leak potential, in single precision.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, PIF, ConductanceLIF
from equipoise.quantities import Array, Quantity, check, finite, steps_of, suggest
from equipoise.spiking import cells, delays, external
from equipoise.spiking.cells import Floats, Receptors
from equipoise.spiking.explicit import check_pairs, matrix_of
from equipoise.spiking.external import External, Trains
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.learning import Learned, Learning
from equipoise.spiking.neurons import Neurons, drawn
from equipoise.spiking.randomness import Words, key_of
from equipoise.spiking.releasing import Releasing
from equipoise.spiking.strips import Strips
from equipoise.spiking.tables import Table, Tables, build_tables, expected_bytes
from equipoise.spiking.wiring import Pair, Route, Wiring
from equipoise.units import ms, us

Noise = Literal["poisson", "gaussian"]

LONGEST_SILENCE = 2**15 - 1 - 8192
"""Steps of refractoriness: their end is counted in 16 bits from the last of the turns of 8192 steps."""
_DT = Quantity("time step", unit="ms", low=1 * us, high=1 * ms)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What `build` was told beside the circuit: noise, graphs, drives, and projections with an array of their own."""

    noise: Noise = "poisson"
    wiring: Wiring = Wiring()  # noqa: RUF009 - it is frozen
    drive: Mapping[str, float] = field(default_factory=dict)
    apart: frozenset[Pair] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Network:
    """A circuit ready to run; arrays are over places (see `Layout`), potentials measured from the leak potential.

    `circuit` is what acts now, `origin` the circuit before any manipulation. `neurons`: those of each population.
    `cells`: what a step makes of them, rows `cells.FIELDS` and the transfer of each current to the potential. `drive`:
    what the potential gains per step without input, v_inf (1 - decay). `threshold`. `gain`: factor of all input of a
    neuron, see `acting`. `weights` (channel, place). `currents`: rows `cells.CURRENT`; `sinks` (population,
    channel): the current or conductance that a channel feeds, or -1 for the potential; `summed` likewise: whether its
    synapses have weights of their own, relative to that of the channel, and else are counted. `learning`: how plastic
    synapses move, `releasing`: what short-term plasticity leaves them.
    """

    circuit: Circuit
    origin: Circuit
    choices: Choices
    layout: Layout
    dt: float
    seed: str
    key: Words
    neurons: tuple[Neurons, ...]
    cells: Strips
    drive: Floats
    threshold: Floats
    gain: Floats
    weights: Floats
    currents: Array
    sinks: NDArray[np.int64]
    summed: NDArray[np.bool_]
    externals: tuple[External, ...]
    tables: Tables
    learning: Learning
    releasing: Releasing

    @property
    def delays(self) -> tuple[int, int]:
        """Shortest and longest delay in steps; (1, 0) where nothing is connected."""
        steps = [t.delay for t in self.tables.parts]
        return (min(steps), max(steps)) if steps else (1, 0)

    @property
    def most_currents(self) -> int:
        """The largest number of currents of a population."""
        return int(np.bincount(self.currents[:, 0].astype(int), minlength=1).max())

    def acting(self) -> "Network":
        """The network as the step takes it: g times all weights, source amplitudes and the drive of a neuron.

        dV/dt = (v_leak - V)/tau_m + g (synapses + sources + drive): arrivals are multiplied when they arrive, and so
        are conductances.
        """
        if (self.gain == 1.0).all():
            return self
        own = [self.gain[self.layout.padded(x.population)] for x in self.externals]
        externals = tuple(replace(x, amplitude=x.amplitude * g) for x, g in zip(self.externals, own, strict=True))
        return replace(self, drive=self.drive * self.gain, weights=self.weights * self.gain, externals=externals)

    def synapses(self, source: str, target: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pre- and postsynaptic neuron of every synapse of a projection, each within its population."""
        found = self._tables(source, target)
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        pre, post = (np.concatenate(x) for x in zip(*(t.synapses() for t in found), strict=True))
        return pre, post - self.layout.neurons(found[0].route.target).start

    def synaptic_delays(self, source: str, target: str) -> Array:
        """Delay [s] of every synapse of a projection, in the order of `synapses`."""
        found = self._tables(source, target)
        return np.concatenate([np.empty(0), *(np.full(t.synapses()[0].size, t.delay * self.dt) for t in found)])

    def synaptic_weights(self, source: str, target: str, *, learned: Learned | None = None) -> Array:
        """Signed weight [V] or peak conductance [S] of each synapse, in the order of `synapses`, before homeostasis.

        Of plastic synapses those they start from, or with `learned` (of a state, `run.end.learned`) those they have.
        """
        mean = self.circuit.projection(source, target).weight
        found = self._tables(source, target)
        if learned is not None and any(self.learning.number(t) >= 0 for t in found):
            relative = self.learning.weights(found, learned)
        else:
            relative = [t.relative_weights() for t in found]
        return mean * np.concatenate([np.empty(0), *relative]).astype(np.float64)

    def _tables(self, source: str, target: str) -> list[Table]:
        wanted = self.circuit.projection(source, target)
        return [t for t in self.tables.parts if t.route.projection is wanted]

    def __repr__(self) -> str:
        n, size = self.tables.synapses, self.tables.nbytes
        each = f", {size / n:.2f} bytes each" if n else ""
        return (
            f"Network({self.circuit.name or 'unnamed'}: {sum(self.layout.sizes):,} neurons, {n:,} synapses{each}, "
            f"dt {self.dt / ms:g} ms, {self.layout.threads} threads)"
        )


def build(
    circuit: Circuit,
    *,
    seed: int | np.random.SeedSequence,
    dt: float = 0.1 * ms,
    threads: int | None = None,
    wiring: Wiring | None = None,
    noise: Noise = "poisson",
    drive: Mapping[str, float] | None = None,
    apart: Iterable[Pair] = (),
) -> Network:
    """Draw the synapses of a circuit and set up its neurons, for time steps of `dt` [s].

    `noise`: sources as counts per step, Poisson where their Fano factor is 1, or as Gaussian white noise of the same
    mean and variance. `drive` is a tonic input [V/s] by population, beside that of the circuit. Projections (source,
    target) that a manipulation is to reweigh are kept `apart` from others of equal weight. Threads share the work and
    change nothing else; by default as many as there are processors, fewer in small networks. Raises ValueError or
    TypeError for what this level cannot represent, by name, and MemoryError with the number of bytes where the synapses
    would not fit.
    """
    step, wiring = check("spiking.dt", dt, _DT), wiring or Wiring()
    choices = Choices(noise=noise, wiring=wiring, drive=drive or {}, apart=frozenset(apart))
    layout, receptors, routes = drafted(circuit, step, threads, choices)
    for p in circuit.populations:
        if "tau_ref" not in p.spread.varying:
            steps_of("spiking", f"{p.name}: tau_ref", p.neuron.tau_ref, step)
    _check_memory(expected_bytes(routes, layout, wiring))
    key = key_of(seed)
    neurons = drawn(circuit, key)
    _check_refractory(neurons, layout, step)
    inputs, mean = inputs_of(circuit, layout, (neurons, receptors), key, (step, choices))
    tables = build_tables(routes, layout, wiring, key)
    return Network(
        circuit=circuit, origin=circuit, choices=choices, layout=layout, dt=step,
        seed=" ".join(repr(seed).split()), key=key, externals=inputs,
        neurons=neurons, cells=cells.steps_of_cells(neurons, receptors, layout, step),
        drive=cells.drive_of(neurons, layout, mean, step), threshold=cells.thresholds_of(neurons, layout),
        gain=np.ones(layout.places, np.float32), weights=cells.weights_of(circuit, receptors, layout),
        currents=cells.currents_of(neurons, receptors, step), sinks=cells.sinks_of(receptors),
        summed=cells.summed_of(receptors), tables=tables, learning=Learning.of(tables, layout, step),
        releasing=Releasing.of(tables, layout, step),
    )  # fmt: skip


def drafted(
    circuit: Circuit, dt: float, threads: int | None, choices: Choices
) -> tuple[Layout, list[Receptors], list[Route]]:
    """Where neurons stand, how they take input and what connects them, before anything is drawn."""
    _check_represented(circuit, choices.noise)
    names, sizes = tuple(p.name for p in circuit.populations), tuple(int(p.size) for p in circuit.populations)
    layout = Layout(names=names, sizes=sizes, threads=_threads(threads, sizes))
    check_pairs(_given(choices.wiring), [p for p in circuit.projections if p.source in names])
    receptors = receptors_of(circuit, names, choices)
    return layout, receptors, routes_of(circuit, receptors, choices.wiring, layout, dt)


# --- what cannot be represented ---------------------------------------------------------------------------------------
def _check_represented(circuit: Circuit, noise: str) -> None:
    for p in circuit.populations:
        if math.isinf(p.size):
            raise ValueError(
                f"spiking: population {p.name!r} is infinite; spikes need a number of neurons. "
                f"Give eq.Population({p.name!r}, size=..., ...), or use eq.theory."
            )
        if type(p.neuron) not in (LIF, PIF, EIF, ConductanceLIF):
            kind = type(p.neuron).__name__
            raise TypeError(
                f"spiking: {p.name!r} has {kind} neurons; this level runs LIF, PIF, EIF and ConductanceLIF."
            )
    if noise not in ("poisson", "gaussian"):
        raise ValueError(f"spiking: noise must be 'poisson' or 'gaussian', got {noise!r}.")
    for p in circuit.projections:
        if p.weight_spread is not None and p.source in (s.name for s in circuit.sources):
            raise ValueError(
                f"spiking: {p} comes from a source, whose trains have one weight; it cannot have a weight_spread."
            )


def _check_refractory(neurons: Sequence[Neurons], layout: Layout, dt: float) -> None:
    for of, name in zip(neurons, layout.names, strict=True):
        longest = float(of["tau_ref"].max())
        if round(longest / dt) > LONGEST_SILENCE:
            raise ValueError(
                f"spiking: {name}: tau_ref must be at most {LONGEST_SILENCE:,} steps of dt={dt / ms:g} ms, got "
                f"{longest / ms:g} ms. Take a dt of at least {longest / LONGEST_SILENCE / ms:.2g} ms."
            )


def _check_memory(needed: float) -> None:
    available = available_memory()
    if needed > available:
        raise MemoryError(
            f"spiking: the synapses need {needed / 1e9:.2f} GB, {available / 1e9:.2f} GB are free. "
            "Take fewer neurons or synapses."
        )


def available_memory() -> float:
    """Memory that can be had without swapping [bytes]; infinite where the system does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            return next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return math.inf


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_threads() -> int:
    """As OMP_NUM_THREADS says, the convention of numerical programs, else one for each processor."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else processors()


def _threads(given: int | None, sizes: tuple[int, ...]) -> int:
    """By default one for each processor, but none without at least two columns of neurons."""
    if given is None:
        return max(1, min(most_threads(), sum(-(-n // COLUMN) for n in sizes) // 2))
    number = check("spiking.threads", given, Quantity("number of threads", low=1.0, high=1024.0))
    if number != int(number):
        raise ValueError(f"spiking: threads must be a whole number, got {given!r}.")
    return int(number)


# --- synapses and sources ---------------------------------------------------------------------------------------------
def _given(wiring: Wiring) -> dict[str, Mapping]:
    return {"explicit": wiring.explicit, "weights": wiring.weights, "delays": wiring.delays}


def receptors_of(circuit: Circuit, names: Iterable[str], choices: Choices) -> list[Receptors]:
    """How the neurons of each population take input."""
    return [Receptors.of(circuit, name, choices.wiring.weights, choices.apart) for name in names]


def routes_of(circuit: Circuit, receptors: list[Receptors], wiring: Wiring, layout: Layout, dt: float) -> list[Route]:
    """Projections between populations."""
    place = {name: k for k, name in enumerate(layout.names)}
    routes = []
    for index, p in enumerate(circuit.projections):
        if p.source not in place:
            continue
        pair, source, target, matrix = (p.source, p.target), place[p.source], place[p.target], None
        channel = receptors[target].channel_of(index)
        if pair in wiring.explicit:
            given = (wiring.explicit[pair], wiring.delays.get(pair), wiring.weights.get(pair))
            matrix = matrix_of(p, given, (layout.sizes[target], layout.sizes[source]), dt)
        steps, law = (matrix.delays, ()) if matrix and matrix.delays else delays.on_grid(p, dt)
        routes.append(
            Route(
                projection=p, index=index, source=source, target=target, channel=channel, delays=steps, delay_law=law,
                weighted=receptors[target].channels[channel].summed, matrix=matrix,
            )
        )  # fmt: skip
    return routes


def inputs_of(
    circuit: Circuit,
    layout: Layout,
    who: tuple[Sequence[Neurons], list[Receptors]],
    key: Words,
    how: tuple[float, Choices],
) -> tuple[tuple[External, ...], Array]:
    """The input of all sources, and the mean input [V/s] at each place that comes apart from it."""
    inputs: list[External] = []
    dt, choices = how
    mean = _tonic(circuit, layout, choices.drive)
    for k, (of, receptor) in enumerate(zip(*who, strict=True)):
        trains = external.trains_onto(circuit, layout, k, (key, dt))
        noisy = [x for x in trains if choices.noise == "gaussian" and isinstance(x, Trains)]
        inputs += external.counted([x for x in trains if x not in noisy], k, receptor, layout, dt)
        inputs += external.gaussian(noisy, of, k, receptor, dt)
        mean[layout.padded(k)] += sum(x.projection.weight * x.rates for x in noisy)
    return tuple(replace(x, stream=stream) for stream, x in enumerate(inputs)), mean


def _tonic(circuit: Circuit, layout: Layout, drive: Mapping[str, float]) -> Array:
    """Drives of the circuit and those beside it [V/s] at each place."""
    out = np.zeros(layout.places)
    for k, p in enumerate(circuit.populations):
        out[layout.neurons(k)] = p.drive
    for name, value in drive.items():
        if name not in layout.names:
            raise ValueError(f"spiking: drive names an unknown population {name!r}.{suggest(name, layout.names)}")
        out[layout.neurons(layout.names.index(name))] += float(finite("spiking", f"drive[{name!r}]", value))
    return out
