"""The verbs: simulate a circuit, or run a network that is built already."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed
from equipoise.quantities import Quantity, check, steps_of
from equipoise.results import Status
from equipoise.spiking import kernel
from equipoise.spiking.history import row_of
from equipoise.spiking.homeostasis import Homeostasis, Regulator
from equipoise.spiking.interrupts import Deferred
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import WORDS
from equipoise.spiking.network import Network, build
from equipoise.spiking.run import Provenance, Record, Run
from equipoise.spiking.stages import Playing, Stages, apart_of
from equipoise.units import day, ms

SLICE = 0.2
"""Wall time of one call into the core [s], after which Ctrl-C is answered."""
RASTER_BYTES = 2**25
FIRST_SLICE = 200

_TIME = Quantity("simulated time", unit="second", low=0.0, high=30 * day, open_low=True)
_WARMUP = Quantity("time before recording", unit="ms", low=0.0, high=1 * day)


def simulate(
    circuit: Circuit,
    *,
    duration: float,
    seed: int | np.random.SeedSequence,
    dt: float = 0.1 * ms,
    warmup: float = 500 * ms,
    threads: int | None = None,
    record: Record | None = None,
    schedule: Sequence[Timed] = (),
) -> Run:
    """Simulate a circuit spike by spike for `duration` [s] after a `warmup` [s] that is not recorded.

    LIF, PIF and EIF neurons on a time grid `dt` [s]: leak and synaptic currents are integrated exactly, arrivals and
    spikes fall on the grid. Sources are counts per step. Rules of the circuit move its weights (see `Homeostasis`);
    `schedule` holds manipulations and when they act, counted from the end of the warm-up. The result depends on
    circuit, schedule, seed and dt, and neither on `threads` nor on the machine's instruction set. Ctrl-C returns what
    is done, status INTERRUPTED. For other graphs, Gaussian noise or a tonic drive see `build`. Raises ValueError or
    TypeError for what cannot be represented, by name.
    """
    _check_times(duration, warmup)
    network = build(circuit, seed=seed, dt=dt, threads=threads, apart=apart_of(circuit, schedule))
    return run(network, duration=duration, warmup=warmup, record=record, schedule=schedule)


def run(
    network: Network,
    *,
    duration: float,
    warmup: float = 0.0,
    start: State | None = None,
    record: Record | None = None,
    homeostasis: Homeostasis | None = None,
    progress: Callable[[float], None] | None = None,
    schedule: Sequence[Timed] = (),
) -> Run:
    """Run a network that is built, from its random start or from where an earlier run ended (`start=run.end`).

    A run in pieces equals the run in one piece bit by bit. Weights stay during the warm-up and then follow the rules of
    the circuit and the functions of `homeostasis`. `schedule` counts from the end of the warm-up. `progress` is called
    with the finished fraction.
    """
    _check_times(duration, warmup)
    record, dt = record or Record(), network.dt
    silent_steps, steps = (steps_of("spiking", n, t, dt) for n, t in (("warmup", warmup), ("duration", duration)))
    tape = _Tape.blank(network, record, steps_of("spiking", "Record.bin", record.bin, dt), steps)
    state, done, wall, pace = start or kernel.begin(network), -silent_steps, 0.0, _Pace(network)
    plan, playing = homeostasis or Homeostasis(), Playing.of(network, schedule, duration)
    slow, learning, ctrl_c = Regulator(network, plan, state), _Slow(), Deferred()
    try:
        with ctrl_c:
            while done < steps:
                if due := playing.turn(done):
                    slow = Regulator(due, plan, replace(state, slow=slow.keep()))
                n = int(min(pace.steps, (steps if done >= 0 else 0) - done, slow.left, playing.left(done)))
                before = time.perf_counter()
                state, raster = kernel.advance(slow.network, state, n)
                pace.saw(n, time.perf_counter() - before)
                slow.see(raster, state.step - n)
                done += n
                learning.window(slow, state.step, done, dt)
                if done > 0:
                    wall += time.perf_counter() - before
                    tape.write(raster, done - n)
                if progress is not None:
                    progress((done + silent_steps) / (steps + silent_steps))
                ctrl_c.answer()
    except KeyboardInterrupt:  # between two slices: raster, meters and tape are in step
        if done <= 0:
            raise
    state = replace(state, slow=slow.keep())
    return _run(playing.stages, tape, state, wall, (done, steps), learning.rows)


def _check_times(duration: float, warmup: float) -> None:
    check("spiking.duration", duration, _TIME)
    check("spiking.warmup", warmup, _WARMUP)


@dataclass
class _Slow:
    """The slow windows of a run, and what is written down of them."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def window(self, slow: Regulator, now: int, done: int, dt: float) -> None:
        """At the end of a window move the slow variables; windows of the warm-up end with it and move nothing."""
        if done == 0 or (done < 0 and slow.left == 0):
            slow.forget(now)
        elif slow.left == 0:
            h = slow.window * dt
            slow.step(slow.measure(now), h)
            self.rows.append(row_of(slow, done * dt))
            slow.forget(now)


@dataclass
class _Pace:
    """How many steps to take at once."""

    network: Network
    steps: int = FIRST_SLICE

    def saw(self, steps: int, seconds: float) -> None:
        most = RASTER_BYTES // (8 * WORDS * self.network.layout.columns)
        self.steps = int(np.clip(steps * SLICE / max(seconds, 1e-6), 1, max(1, min(most, 4 * self.steps))))


@dataclass
class _Tape:
    """What is written down slice by slice."""

    unit_of: NDArray[np.int64]  # of each place, -1 where nothing is recorded
    population_of: NDArray[np.int64]
    recorded: tuple[int, ...]
    bin_steps: int
    counts: NDArray[np.int64]
    steps: list[NDArray[np.int64]] = field(default_factory=list)
    units: list[NDArray[np.int64]] = field(default_factory=list)

    @classmethod
    def blank(cls, network: Network, record: Record, bin_steps: int, steps: int) -> "_Tape":
        layout = network.layout
        recorded = tuple(int(min(n, record.cells)) for n in layout.sizes)
        unit_of, population_of = np.full(layout.places, -1), np.zeros(layout.places, np.int64)
        for k, n in enumerate(recorded):
            first = layout.neurons(k).start
            unit_of[first : first + n] = sum(recorded[:k]) + np.arange(n)
            population_of[layout.padded(k)] = k
        if bin_steps < 1:
            raise ValueError(f"Record.bin must be at least dt={network.dt / ms:g} ms, got {record.bin / ms:g} ms.")
        counts = np.zeros((len(recorded), -(-steps // bin_steps)), np.int64)
        return cls(unit_of, population_of, recorded, bin_steps, counts)

    def write(self, raster: NDArray[np.uint64], first_step: int) -> None:
        steps, places = kernel.spikes_in(raster)
        step = steps.astype(np.int64) + first_step
        cell = self.population_of[places] * self.counts.shape[1] + step // self.bin_steps
        self.counts += np.bincount(cell, minlength=self.counts.size).reshape(self.counts.shape)
        unit = self.unit_of[places]
        kept = unit >= 0
        self.steps.append(step[kept])
        self.units.append(unit[kept])


def _run(stages: Stages, tape: _Tape, state: State, wall: float, steps: tuple[int, int], slow: list) -> Run:
    from equipoise import __version__

    (done, wanted), network = steps, stages.network
    provenance = Provenance(
        seed=network.seed, dt=network.dt, version=__version__, circuit_digest=network.circuit.digest,
        schedule=tuple(map(repr, stages.schedule)),
    )  # fmt: skip
    bins = -(-done // tape.bin_steps)
    return Run(
        circuit=network.circuit, duration=done * network.dt, bin=tape.bin_steps * network.dt, provenance=provenance,
        steps=np.concatenate([np.empty(0, np.int64), *tape.steps]), recorded=tape.recorded,
        units=np.concatenate([np.empty(0, np.int64), *tape.units]), counts=tape.counts[:, :bins], end=state, wall=wall,
        threads=network.layout.threads, slow=tuple(slow), status=Status.OK if done == wanted else Status.INTERRUPTED,
    )  # fmt: skip
