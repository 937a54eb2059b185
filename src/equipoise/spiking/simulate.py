"""The verbs: simulate a circuit, or run a network that is built already."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed
from equipoise.quantities import Quantity, check, steps_of
from equipoise.results import Status
from equipoise.spiking import kernel
from equipoise.spiking.columns import Memory
from equipoise.spiking.estimates import check_room
from equipoise.spiking.files import about
from equipoise.spiking.history import row_of
from equipoise.spiking.homeostasis import Homeostasis, Regulator, moved_by
from equipoise.spiking.interrupts import Deferred
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import WORDS
from equipoise.spiking.network import Network, build
from equipoise.spiking.packing import Arrays, packed, unpacked
from equipoise.spiking.probes import Probes, probes_at
from equipoise.spiking.progress import Progress, telling
from equipoise.spiking.record import Record
from equipoise.spiking.run import Provenance, Run
from equipoise.spiking.stages import Playing, Stages, apart_of
from equipoise.spiking.store import Store
from equipoise.spiking.tape import Tape, plan_of
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
    progress: Progress | bool = False,
) -> Run:
    """Simulate a circuit spike by spike for `duration` [s] after a `warmup` [s] that is not recorded.

    LIF, PIF and EIF neurons on a time grid `dt` [s]: leak and synaptic currents are integrated exactly, arrivals and
    spikes fall on the grid. Sources are counts per step. Rules of the circuit move its weights (see `Homeostasis`);
    `schedule` holds manipulations and when they act, counted from the end of the warm-up. The result depends on
    circuit, schedule, seed and dt, and neither on `threads` nor on the machine's instruction set. Ctrl-C returns what
    is done, status INTERRUPTED. With `progress=True` a line on the terminal shows speed and time left. For other
    graphs, Gaussian noise or a tonic drive see `build`. Raises ValueError or TypeError for what cannot be represented,
    by name, and MemoryError or OSError, before the run, for what would not fit (see `estimate`).
    """
    _check_times(duration, warmup)
    network = build(circuit, seed=seed, dt=dt, threads=threads, apart=apart_of(circuit, schedule) | moved_by(circuit))
    return run(network, duration=duration, warmup=warmup, record=record, schedule=schedule, progress=progress)


def run(
    network: Network,
    *,
    duration: float,
    warmup: float = 0.0,
    start: State | None = None,
    record: Record | None = None,
    homeostasis: Homeostasis | None = None,
    schedule: Sequence[Timed] = (),
    progress: Progress | bool = False,
) -> Run:
    """Run a network that is built, from its random start or from where an earlier run ended (`start=run.end`).

    A run in pieces equals the run in one piece bit by bit. Weights stay during the warm-up and then follow the rules of
    the circuit and the functions of `homeostasis`. `schedule` counts from the end of the warm-up. `progress` is a
    function of the finished fraction, or True for a line on the terminal. MemoryError or OSError where memory or disk
    would not suffice, before anything is written.
    """
    _check_times(duration, warmup)
    record, dt = record or Record(), network.dt
    silent_steps, steps = (steps_of("spiking", n, t, dt) for n, t in (("warmup", warmup), ("duration", duration)))
    plan, playing = homeostasis or Homeostasis(), Playing.of(network, schedule, duration)
    state, tape, probes, wall = _begin(playing.stages, record, steps, start)
    check_room(network, tape.plan, record.to, steps, state)
    slow, ctrl_c = Regulator(network, plan, state), Deferred()
    pace, done = _Pace(8 * WORDS * network.layout.columns + probes.row_bytes), tape.done or -silent_steps

    def kept() -> Arrays:
        return packed(replace(state, slow=slow.keep())) | {"split": probes.split}

    try:
        with telling(progress, warmup + duration) as tell, ctrl_c:
            while done < steps:
                if due := playing.turn(done):
                    slow = Regulator(due, plan, replace(state, slow=slow.keep()))
                n = int(min(pace.steps, (steps if done >= 0 else 0) - done, slow.left, playing.left(done)))
                before, looked = time.perf_counter(), probes.along(n)
                state, raster = kernel.advance(slow.network, state, n, probes=looked)
                pace.saw(n, time.perf_counter() - before)
                slow.see(raster, state.step - n)
                done += n
                if done > 0:
                    tape.write(raster, looked, slow.network)
                    wall += time.perf_counter() - before
                _end_window(slow, state.step, tape, done)
                if done > 0:
                    tape.settle(wall, kept)
                tell((done + silent_steps) / (steps + silent_steps))
                ctrl_c.answer()
    except KeyboardInterrupt:  # between two slices: raster, meters and tape are in step
        if done <= 0:
            raise
    tape.settle(wall, kept, now=True)
    return _run(playing.stages, tape, replace(state, slow=slow.keep()), wall, steps)


def _check_times(duration: float, warmup: float) -> None:
    check("spiking.duration", duration, _TIME)
    check("spiking.warmup", warmup, _WARMUP)


def _end_window(slow: Regulator, now: int, tape: Tape, done: int) -> None:
    """At the end of a window move the slow variables; windows of the warm-up end with it and move nothing."""
    if done == 0 or (done < 0 and slow.left == 0):
        slow.forget(now)
    elif slow.left == 0:
        dt = slow.network.dt
        slow.step(slow.measure(now), slow.window * dt)
        tape.row(row_of(slow, done * dt))
        slow.forget(now)


@dataclass
class _Pace:
    """How many steps to take at once: as many as `bytes` of each in memory and the wish for Ctrl-C allow."""

    bytes: int
    steps: int = FIRST_SLICE

    def saw(self, steps: int, seconds: float) -> None:
        most = RASTER_BYTES // self.bytes
        self.steps = int(np.clip(steps * SLICE / max(seconds, 1e-6), 1, max(1, min(most, 4 * self.steps))))


def _begin(stages: Stages, record: Record, wanted: int, start: State | None) -> tuple[State, Tape, Probes, float]:
    """Where a run begins: state, tape, probes and wall time so far; or goes on, if it was stopped in its directory."""
    network = stages.network
    plan, state = plan_of(network.circuit, network.layout, network.dt, record), start or kernel.begin(network)
    if record.to is None:
        tape = Tape.blank(network, plan, Memory(plan.widths))
        return state, tape, probes_at(network, record.membrane, state.currents), 0.0
    static = about(network.circuit, _provenance(stages), plan, threads=network.layout.threads, wanted=wanted)
    if not (record.resume and Path(record.to).exists()):
        tape = Tape.blank(network, plan, Store(record.to, plan.widths, static))
        return state, tape, probes_at(network, record.membrane, state.currents), 0.0
    store, facts, arrays = Store.reopened(record.to, plan.widths, static)
    state, tape = unpacked(arrays), Tape.blank(network, plan, store)
    tape.go_on(facts, arrays)
    probes = replace(probes_at(network, record.membrane, state.currents), split=arrays["split"])
    return state, tape, probes, facts["wall"]


def _provenance(stages: Stages) -> Provenance:
    from equipoise import __version__

    network = stages.network
    return Provenance(
        seed=network.seed, dt=network.dt, version=__version__, circuit_digest=network.circuit.digest,
        schedule=tuple(map(repr, stages.schedule)),
    )  # fmt: skip


def _run(stages: Stages, tape: Tape, state: State, wall: float, wanted: int) -> Run:
    network, status = stages.network, Status.OK if tape.done == wanted else Status.INTERRUPTED
    return Run(
        circuit=network.circuit, duration=tape.done * network.dt, bin=tape.plan.bin * network.dt,
        recorded=tape.plan.recorded, written=tape.close(wall, status, state), provenance=_provenance(stages),
        final=state, wall=wall, threads=network.layout.threads, status=status,
    )  # fmt: skip
