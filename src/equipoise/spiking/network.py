"""A circuit made ready for spikes: neurons, synapses and sources as the arrays that the step reads.

What a homeostatic rule may move stands there neuron by neuron: one weight per channel, the amplitude of each source,
threshold and drive. Potentials are measured from the leak potential, in single precision.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, PIF
from equipoise.quantities import Array, Quantity, check, finite, steps_of, suggest
from equipoise.spiking import cells, external
from equipoise.spiking.cells import Floats, Receptors
from equipoise.spiking.external import External
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.randomness import Words, key_of
from equipoise.spiking.tables import Tables, build_tables, expected_bytes
from equipoise.spiking.wiring import Route, Wiring
from equipoise.units import ms, us

Noise = Literal["poisson", "gaussian"]

_DT = Quantity("time step", unit="ms", low=1 * us, high=1 * ms)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Network:
    """A circuit ready to run; arrays are over places (see `Layout`), potentials measured from the leak potential.

    `cells` (P, 7): decay per step, reflecting floor, reset, steps of refractoriness, gain, onset and steepness of the
    upstroke. `drive`: what the potential gains
    per step without input, v_inf (1 - decay). `threshold`, `weights` (channel, place). `currents`: rows (population,
    transfer, decay); `sinks` (population, channel): the current that a channel feeds, or -1 for the potential.
    """

    circuit: Circuit
    layout: Layout
    dt: float
    seed: str
    key: Words
    cells: Array
    drive: Floats
    threshold: Floats
    weights: Floats
    currents: Array
    sinks: NDArray[np.int64]
    externals: tuple[External, ...]
    tables: Tables

    @property
    def delays(self) -> tuple[int, int]:
        """Shortest and longest delay in steps; (1, 0) where nothing is connected."""
        steps = [t.route.delay for t in self.tables.parts]
        return (min(steps), max(steps)) if steps else (1, 0)

    @property
    def most_currents(self) -> int:
        """The largest number of currents of a population."""
        return int(np.bincount(self.currents[:, 0].astype(int), minlength=1).max())

    def synapses(self, source: str, target: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pre- and postsynaptic neuron of every synapse of a projection, each within its population."""
        wanted = self.circuit.projection(source, target)
        found = [t for t in self.tables.parts if t.route.projection is wanted]
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        pre, post = (np.concatenate(x) for x in zip(*(t.synapses() for t in found), strict=True))
        return pre, post - self.layout.neurons(found[0].route.target).start

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
) -> Network:
    """Draw the synapses of a circuit and set up its neurons, for time steps of `dt` [s].

    `noise`: sources as Poisson counts per step, or as Gaussian white noise of the same mean and variance. `drive` is a
    tonic input [V/s] by population, on top of the population's own. Threads share the work and change nothing else; by
    default as many as there are processors, fewer in small networks. Raises ValueError or TypeError for what this level
    cannot represent, by name, and MemoryError with the number of bytes where the synapses would not fit.
    """
    step, wiring = check("spiking.dt", dt, _DT), wiring or Wiring()
    _check_represented(circuit, noise)
    names, sizes = tuple(p.name for p in circuit.populations), tuple(int(p.size) for p in circuit.populations)
    layout = Layout(names=names, sizes=sizes, threads=_threads(threads, sizes))
    receptors = [Receptors.of(circuit, name) for name in names]
    silence = [steps_of("spiking", f"{p.name}: tau_ref", p.neuron.tau_ref, step) for p in circuit.populations]
    routes = _routes(circuit, receptors, step)
    _check_memory(expected_bytes(routes, layout, wiring))
    key = key_of(seed)
    inputs, mean = _externals(circuit, layout, receptors, key, (step, noise))
    mean += _tonic(circuit, layout, drive or {})
    return Network(
        circuit=circuit, layout=layout, dt=step, seed=" ".join(repr(seed).split()), key=key, externals=inputs,
        cells=np.array([cells.cell(p.neuron, n, step) for p, n in zip(circuit.populations, silence, strict=True)]),
        drive=cells.drive_of(circuit, layout, mean, step), threshold=cells.thresholds_of(circuit, layout),
        weights=cells.weights_of(receptors, layout), currents=cells.currents_of(circuit, receptors, step),
        sinks=cells.sinks_of(receptors), tables=build_tables(routes, layout, wiring, key),
    )  # fmt: skip


# --- what cannot be represented ---------------------------------------------------------------------------------------
def _check_represented(circuit: Circuit, noise: str) -> None:
    for p in circuit.populations:
        if math.isinf(p.size):
            raise ValueError(
                f"spiking: population {p.name!r} is infinite; spikes need a number of neurons. "
                f"Give eq.Population({p.name!r}, size=..., ...), or use eq.theory."
            )
        if type(p.neuron) not in (LIF, PIF, EIF):
            kind = type(p.neuron).__name__
            raise TypeError(f"spiking: {p.name!r} has {kind} neurons; this level runs LIF, PIF and EIF.")
    if noise not in ("poisson", "gaussian"):
        raise ValueError(f"spiking: noise must be 'poisson' or 'gaussian', got {noise!r}.")
    for s in circuit.sources:
        if s.fano != 1.0 and noise == "poisson":
            raise ValueError(
                f"spiking: source {s.name!r} has a Fano factor of {s.fano:g}; Poisson counts have 1. "
                "Take noise='gaussian', which keeps its variance."
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


def _threads(given: int | None, sizes: tuple[int, ...]) -> int:
    """By default one for each processor, but none without at least two columns of neurons."""
    if given is None:
        return max(1, min(processors(), sum(-(-n // COLUMN) for n in sizes) // 2))
    number = check("spiking.threads", given, Quantity("number of threads", low=1.0, high=1024.0))
    if number != int(number):
        raise ValueError(f"spiking: threads must be a whole number, got {given!r}.")
    return int(number)


# --- synapses and sources ---------------------------------------------------------------------------------------------
def _routes(circuit: Circuit, receptors: list[Receptors], dt: float) -> list[Route]:
    """Projections between populations."""
    place = {p.name: k for k, p in enumerate(circuit.populations)}
    routes = []
    for index, p in enumerate(circuit.projections):
        if p.source not in place:
            continue
        delay, target = steps_of("spiking", f"the delay of {p}", p.delay, dt), place[p.target]
        if delay < 1:
            raise ValueError(f"spiking: the delay of {p} must be at least dt={dt / ms:g} ms, got {p.delay / ms:g} ms.")
        channel = receptors[target].channels.index((p.weight, p.synapse.time_constant))
        source = place[p.source]
        routes.append(Route(projection=p, index=index, source=source, target=target, channel=channel, delay=delay))
    return routes


def _externals(
    circuit: Circuit, layout: Layout, receptors: list[Receptors], key: Words, how: tuple[float, Noise]
) -> tuple[tuple[External, ...], Array]:
    """The input of all sources, and its mean [V/s] at each place where that is added apart from the noise."""
    inputs: list[External] = []
    mean, (dt, noise) = np.zeros(layout.places), how
    for k, receptor in enumerate(receptors):
        trains = external.trains_onto(circuit, layout, k, key)
        if noise == "poisson":
            inputs += external.poisson(trains, k, receptor, dt)
        else:
            inputs += external.gaussian(trains, circuit, k, receptor, dt)
            mean[layout.padded(k)] += sum(x.projection.weight * x.rates for x in trains)
    return tuple(replace(x, stream=stream) for stream, x in enumerate(inputs)), mean


def _tonic(circuit: Circuit, layout: Layout, drive: Mapping[str, float]) -> Array:
    """Tonic input of each place [V/s]: that of the populations, and `drive` on top."""
    out = np.zeros(layout.places)
    for k, population in enumerate(circuit.populations):
        out[layout.neurons(k)] = population.drive
    for name, value in drive.items():
        if name not in layout.names:
            raise ValueError(f"spiking: drive names an unknown population {name!r}.{suggest(name, layout.names)}")
        out[layout.neurons(layout.names.index(name))] += float(finite("spiking", f"drive[{name!r}]", value))
    return out
