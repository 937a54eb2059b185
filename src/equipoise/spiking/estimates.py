"""What a run will need, before it begins: memory, disk and time; and the refusal where that is not there."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, Quantity, check, finite, steps_of
from equipoise.spiking import kernel
from equipoise.spiking.columns import Plan
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import Layout
from equipoise.spiking.network import Choices, Network, available_memory, drafted
from equipoise.spiking.progress import duration as words
from equipoise.spiking.record import Record
from equipoise.spiking.store import BUFFER_BYTES
from equipoise.spiking.tables import expected_bytes
from equipoise.spiking.tape import plan_of
from equipoise.spiking.wiring import Wiring
from equipoise.units import Hz, day, kHz, ms

SPIKE_BYTES = 16
"""A recorded spike: step and unit."""
COPIES = 2
"""What is in memory exists in pieces and, at the end, in one piece beside them."""
RASTER = 2**26
"""Rasters of one slice and what is listed of them."""
HIGHEST, ASSUMED = 1 * kHz, 10 * Hz
NEURON_STEP, EVENT = 1e-9, 0.5e-9
"""Wall time of one neuron's step and of one arrival on one thread [s], roughly, on a machine of 2023."""
TRIAL, STRETCHES = 200, 10
"""Steps of a trial, and its parts: the first half lets the start pass, and the median of their times is taken."""
SOURCE = 40
"""Bytes of a source for each neuron: amplitude, and thresholds where in-degrees differ."""

_TIME = Quantity("simulated time", unit="second", low=0.0, high=30 * day, open_low=True)


@dataclass(frozen=True, kw_only=True, repr=False)
class Estimate:
    """What a run needs: bytes of memory by part, bytes of disk before compression, wall `seconds`.

    `rates` [Hz] of the populations are what all that depends on spikes rests on, and `basis` says whence they are.
    """

    synapses: float
    state: float
    recorded: float
    disk: float
    seconds: float
    rates: tuple[float, ...]
    basis: str

    @property
    def memory(self) -> float:
        """All memory [bytes]."""
        return self.synapses + self.state + self.recorded

    def __repr__(self) -> str:
        parts = ", ".join(f"{name} {size(getattr(self, name))}" for name in ("synapses", "state", "recorded"))
        rates = ", ".join(f"{r:.3g}" for r in self.rates)
        return (
            f"Estimate(memory {size(self.memory)}: {parts}; disk {size(self.disk)}; "
            f"about {words(self.seconds)} at {rates} Hz, {self.basis})"
        )


def estimate(
    what: Circuit | Network,
    *,
    duration: float,
    warmup: float = 0.0,
    record: Record | None = None,
    rate: float | None = None,
    dt: float = 0.1 * ms,
    threads: int | None = None,
) -> Estimate:
    """Memory, disk and wall time of `simulate` or `run` over `duration` and `warmup` [s].

    A network that is built runs 200 steps for its rates and its speed. For a circuit, to be built with time steps
    `dt` [s] and so many `threads`, all populations are taken to fire at 10 Hz, and the speed is that of one common
    machine, right within a factor of a few. `rate` [Hz] replaces the rates of both. Nothing is refused here.
    """
    check("estimate.duration", duration, _TIME)
    base = _of_network(what) if isinstance(what, Network) else _of_circuit(what, rate, dt, threads)
    rates = base.rates if rate is None else np.full(len(base.layout.sizes), _rate(rate))
    steps, silent = (steps_of("estimate", n, t, base.dt) for n, t in (("duration", duration), ("warmup", warmup)))
    record = record or Record()
    circuit = what.circuit if isinstance(what, Network) else what
    recorded = recorded_bytes(plan_of(circuit, base.layout, base.dt, record), rates, steps, base.dt)
    return Estimate(
        synapses=base.synapses, state=base.state,
        recorded=COPIES * (recorded if record.to is None else BUFFER_BYTES),
        disk=0.0 if record.to is None else recorded, seconds=base.seconds * (steps + silent),
        rates=tuple(float(r) for r in rates), basis=base.basis if rate is None else "as given",
    )  # fmt: skip


def check_room(network: Network, plan: Plan, to: str | Path | None, steps: int, state: State) -> None:
    """Refuse a run whose records would fill memory or disk: MemoryError or OSError with needed, free, and what to try.

    Only where 1 kHz from all neurons would not fit are rates measured, by a trial.
    """
    free = available_memory() if to is None else float(shutil.disk_usage(_existing(Path(to))).free)
    copies = COPIES if to is None else 1
    rates = np.full(len(plan.recorded), HIGHEST)
    if copies * recorded_bytes(plan, rates, steps, network.dt) <= free:
        return
    rates = _tried(network, state)[0]
    needed = copies * recorded_bytes(plan, rates, steps, network.dt)
    if needed <= free:
        return
    told = ", ".join(f"{name} {r:.3g} Hz" for name, r in zip(network.layout.names, rates, strict=True))
    text = f"spiking: what is recorded needs {size(needed)} ({told}), {size(free)} are free"
    less = "Take a shorter duration, fewer Record(cells=...), fewer membranes or a longer `every` or `bin`"
    if to is None:
        raise MemoryError(f"{text}. {less}, or write to disk with Record(to='run.zarr').")
    raise OSError(f"{text} on the disk of {str(to)!r}, before compression. {less}, or another disk.")


def recorded_bytes(plan: Plan, rates: Array, steps: int, dt: float) -> float:
    """What is written down over so many steps [bytes]."""
    spikes = SPIKE_BYTES * float(np.dot(rates, plan.recorded)) * steps * dt
    counts = 8.0 * len(plan.recorded) * (steps // plan.bin + 1)
    return spikes + counts + 4.0 * len(plan.traces) * len(plan.cells) * (steps // plan.every)


def size(n: float) -> str:
    """Bytes in words."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if n >= unit:
            return f"{n / unit:.3g} {name}"
    return f"{n / 1e3:.3g} kB"


# --- what runs --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class _Base:
    """What does not depend on how long a run is; `seconds` of wall time for a step."""

    layout: Layout
    dt: float
    synapses: float
    state: float
    seconds: float
    rates: Array
    basis: str


def _of_network(network: Network) -> _Base:
    rates, seconds = _tried(network, kernel.begin(network))
    arrays = [network.drive, network.threshold, network.weights]
    arrays += [y for x in network.externals for y in (x.amplitude, *vars(x.laws).values())]
    moving = network.layout.places * (6.0 + 4 * network.most_currents) + network.weights.nbytes / 2
    return _Base(
        layout=network.layout, dt=network.dt, synapses=network.tables.nbytes, rates=rates, seconds=seconds,
        state=COPIES * (moving + sum(x.nbytes for x in arrays)) + RASTER, basis=f"a trial of {TRIAL} steps",
    )  # fmt: skip


def _of_circuit(circuit: Circuit, rate: float | None, dt: float, threads: int | None) -> _Base:
    layout, receptors, routes = drafted(circuit, dt, threads, Choices())
    assumed = ASSUMED if rate is None else _rate(rate)
    synapses = sum(r.projection.connectivity.mean(layout.sizes[r.source]) * layout.sizes[r.target] for r in routes)
    channels, currents = max(len(r.channels) for r in receptors), max(len(r.decaying) for r in receptors)
    place = 14 + 6 * channels + 4 * currents + SOURCE * len(circuit.sources)
    return _Base(
        layout=layout, dt=dt, synapses=expected_bytes(routes, layout, Wiring()),
        state=COPIES * float(place * layout.places) + RASTER,
        seconds=(NEURON_STEP * layout.places + EVENT * synapses * assumed * dt) / layout.threads,
        rates=np.full(len(layout.sizes), assumed), basis="assumed",
    )  # fmt: skip


def _tried(network: Network, start: State) -> tuple[Array, float]:
    """Rates of the populations [Hz] and wall time of a step [s], from a trial that leaves nothing behind."""
    state, layout, each = start, network.layout, TRIAL // STRETCHES
    spikes, seconds = np.zeros(len(layout.sizes)), []
    for k in range(STRETCHES):
        before = time.perf_counter()
        state, raster = kernel.advance(network, state, each)
        seconds.append((time.perf_counter() - before) / each)
        if k >= STRETCHES // 2:
            _, places = kernel.spikes_in(raster)
            spikes += np.bincount(layout.population_of(places), minlength=spikes.size)
    late = (STRETCHES - STRETCHES // 2) * each * network.dt
    return spikes / (np.array(layout.sizes) * late), float(np.median(seconds))


def _rate(rate: float) -> float:
    return float(finite("estimate", "rate", rate, low=0.0))


def _existing(path: Path) -> Path:
    """The nearest directory that exists."""
    return next(p for p in path.absolute().parents if p.exists())
