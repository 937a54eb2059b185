"""A circuit made ready for spikes: neurons, synapses and sources as the arrays that the step reads.

What a homeostatic rule may move stands there neuron by neuron: one weight per channel, the amplitude of each source,
threshold and drive. Potentials are measured from the leak potential, in single precision.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import LIF, PIF, IntegrateAndFire
from equipoise.model.projections import Projection
from equipoise.model.synapses import DeltaSynapse
from equipoise.quantities import Array, Quantity, check, finite, suggest
from equipoise.spiking import external
from equipoise.spiking.external import External
from equipoise.spiking.layout import Layout
from equipoise.spiking.randomness import Words, key_of
from equipoise.spiking.tables import Tables, build_tables, expected_bytes
from equipoise.spiking.wiring import Route, Wiring, source_in_degrees
from equipoise.units import Hz, ms, us

Floats = NDArray[np.float32]
Noise = Literal["poisson", "gaussian"]

_DT = Quantity("time step", unit="ms", low=1 * us, high=1 * ms)
NO_FLOOR = -float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Network:
    """A circuit ready to run; arrays are over places (see `Layout`), potentials measured from the leak potential.

    `cells` (P, 4): decay per step, reflecting floor, reset, steps of refractoriness. `drive` what the potential gains
    per step without input, v_inf (1 - decay); `threshold`; `weights` (channel, place).
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
    externals: tuple[External, ...]
    tables: Tables

    @property
    def delays(self) -> tuple[int, int]:
        """Shortest and longest delay in steps; (1, 0) where nothing is connected."""
        steps = [t.route.delay for t in self.tables.parts]
        return (min(steps), max(steps)) if steps else (1, 0)

    def synapses(self, source: str, target: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pre- and postsynaptic neuron of every synapse of a projection, each within its population."""
        found = [
            t for t in self.tables.parts if (t.route.projection.source, t.route.projection.target) == (source, target)
        ]
        if not found:
            self.circuit.projection(source, target)
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
    tonic input [V/s] by population. Threads share the work and change nothing else; by default as many as there are
    processors. Raises ValueError or TypeError for what this level cannot represent, by name, and MemoryError with the
    number of bytes where the synapses would not fit.
    """
    step, wiring = check("spiking.dt", dt, _DT), wiring or Wiring()
    _check_represented(circuit, noise)
    layout = Layout(
        names=tuple(p.name for p in circuit.populations),
        sizes=tuple(int(p.size) for p in circuit.populations),
        threads=_threads(threads),
    )
    routes, channels = _routes(circuit, step)
    _check_memory(expected_bytes(routes, layout, wiring))
    key = key_of(seed)
    inputs, mean = _externals(circuit, layout, key, step, noise)
    mean += _tonic(circuit, layout, drive or {})
    return Network(
        circuit=circuit, layout=layout, dt=step, seed=" ".join(repr(seed).split()), key=key,
        weights=_weights(circuit, layout, channels), externals=inputs,
        cells=np.array([_cell(p.neuron, f"{p.name}: tau_ref", step) for p in circuit.populations]),
        drive=_drive(circuit, layout, mean, step), threshold=_threshold(circuit, layout),
        tables=build_tables(routes, layout, wiring, key),
    )  # fmt: skip


# --- what cannot be represented ---------------------------------------------------------------------------------------
def _check_represented(circuit: Circuit, noise: str) -> None:
    for p in circuit.populations:
        if math.isinf(p.size):
            raise ValueError(
                f"spiking: population {p.name!r} is infinite; spikes need a number of neurons. "
                f"Give eq.Population({p.name!r}, size=..., ...), or use eq.theory."
            )
        if type(p.neuron) not in (LIF, PIF):
            raise TypeError(f"spiking: {p.name!r} has {type(p.neuron).__name__} neurons; this level runs LIF and PIF.")
    for p in circuit.projections:
        if not isinstance(p.synapse, DeltaSynapse):
            raise TypeError(f"spiking: {p} has exponential synapses; this level runs DeltaSynapse().")
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


def _threads(given: int | None) -> int:
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    number = check("spiking.threads", given, Quantity("number of threads", low=1.0, high=1024.0))
    if number != int(number):
        raise ValueError(f"spiking: threads must be a whole number, got {given!r}.")
    return int(number)


def steps_of(name: str, time: float, dt: float) -> int:
    """A time as a number of steps; ValueError with the nearest ones where it is none."""
    steps = round(time / dt)
    if abs(time / dt - steps) > 1e-6 * max(1, steps):
        raise ValueError(
            f"spiking: {name} must be a multiple of dt={dt / ms:g} ms, got {time / ms:g} ms. "
            f"Take {steps * dt / ms:g} ms, or another dt."
        )
    return steps


# --- neurons ----------------------------------------------------------------------------------------------------------
def _cell(neuron: IntegrateAndFire, name: str, dt: float) -> list[float]:
    """Decay, floor, reset, steps of refractoriness."""
    silence = steps_of(name, neuron.tau_ref, dt)
    if isinstance(neuron, LIF):
        return [math.exp(-dt / neuron.tau_m), NO_FLOOR, neuron.v_reset - neuron.v_leak, silence]
    return [1.0, neuron.lower_bound(0.0, 0.0), neuron.v_reset, silence]


def gain_of_step(neuron: IntegrateAndFire, dt: float) -> float:
    """What one step makes of a constant input mu [V/s]: mu tau (1 - e^{-dt/tau}), or mu dt without a leak [s]."""
    return -neuron.tau_m * math.expm1(-dt / neuron.tau_m) if isinstance(neuron, LIF) else dt


def noise_of_step(neuron: IntegrateAndFire, dt: float) -> float:
    """Standard deviation that one step makes of white noise of strength 1 [sqrt(s)]."""
    if isinstance(neuron, LIF):
        return math.sqrt(-0.5 * neuron.tau_m * math.expm1(-2.0 * dt / neuron.tau_m))
    return math.sqrt(dt)


def _threshold(circuit: Circuit, layout: Layout) -> Floats:
    out = np.full(layout.places, np.inf, np.float32)  # padding never fires
    for k, p in enumerate(circuit.populations):
        out[layout.neurons(k)] = p.neuron.v_threshold - getattr(p.neuron, "v_leak", 0.0)
    return out


def _drive(circuit: Circuit, layout: Layout, mean: Array, dt: float) -> Floats:
    out = np.zeros(layout.places, np.float32)
    for k, p in enumerate(circuit.populations):
        out[layout.neurons(k)] = mean[layout.neurons(k)] * gain_of_step(p.neuron, dt)
    return out


def _tonic(circuit: Circuit, layout: Layout, drive: Mapping[str, float]) -> Array:
    out, names = np.zeros(layout.places), [p.name for p in circuit.populations]
    for name, value in drive.items():
        if name not in names:
            raise ValueError(f"spiking: drive names an unknown population {name!r}.{suggest(name, names)}")
        out[layout.neurons(names.index(name))] = float(finite("spiking", f"drive[{name!r}]", value))
    return out


# --- synapses and sources ---------------------------------------------------------------------------------------------
def _routes(circuit: Circuit, dt: float) -> tuple[list[Route], list[list[float]]]:
    """Projections between populations, and the weights of the channels of each population."""
    place = {p.name: k for k, p in enumerate(circuit.populations)}
    channels: list[list[float]] = [[] for _ in place]
    routes = []
    for index, p in enumerate(circuit.projections):
        if p.source not in place:
            continue
        delay = steps_of(f"the delay of {p}", p.delay, dt)
        if delay < 1:
            raise ValueError(f"spiking: the delay of {p} must be at least dt={dt / ms:g} ms, got {p.delay / ms:g} ms.")
        mine = channels[place[p.target]]
        if p.weight not in mine:
            mine.append(p.weight)
        routes.append(
            Route(
                projection=p,
                index=index,
                source=place[p.source],
                target=place[p.target],
                channel=mine.index(p.weight),
                delay=delay,
            )
        )
    return routes, channels


def _weights(circuit: Circuit, layout: Layout, channels: list[list[float]]) -> Floats:
    out = np.zeros((max(map(len, channels)), layout.places), np.float32)
    for k in range(len(circuit.populations)):
        for c, weight in enumerate(channels[k]):
            out[c, layout.neurons(k)] = weight
    return out


def _externals(
    circuit: Circuit, layout: Layout, key: Words, dt: float, noise: Noise
) -> tuple[tuple[External, ...], Array]:
    """The input of all sources, and its mean [V/s] at each place where that is added apart from the noise."""
    inputs: list[External] = []
    mean = np.zeros(layout.places)
    for k, population in enumerate(circuit.populations):
        place, variance = layout.padded(k), np.zeros(layout.places)
        for index, p in enumerate(circuit.projections):
            if p.target != population.name or p.source not in (s.name for s in circuit.sources):
                continue
            rates = np.zeros(layout.places)
            rates[layout.neurons(k)] = _source_rates(circuit, p, key, index, layout.sizes[k])
            if noise == "poisson":
                inputs.append(external.poisson(k, len(inputs), weight=p.weight, mean=rates[place] * dt))
            mean += p.weight * rates
            variance += p.weight**2 * rates * circuit.node(p.source).fano  # pyright: ignore[reportAttributeAccessIssue]
        if noise == "gaussian" and variance.any():
            sd = np.sqrt(variance[place]) * noise_of_step(population.neuron, dt)
            inputs.append(external.gaussian(k, len(inputs), sd=sd))
    return tuple(inputs), mean if noise == "gaussian" else np.zeros(layout.places)


def _source_rates(circuit: Circuit, p: Projection, key: Words, index: int, n: int) -> Array:
    """Summed rate of the trains of a source onto each neuron [Hz]."""
    rate = circuit.node(p.source).rate / Hz  # pyright: ignore[reportAttributeAccessIssue]
    return source_in_degrees(p, n, key, index) * rate
