"""The verb: a circuit run on NEST."""

import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from equipoise.backends.nest import homeostasis, kernel, regulation
from equipoise.backends.nest.homeostasis import Outcome
from equipoise.backends.nest.network import Network, build, check_memory, checked_cells
from equipoise.backends.nest.recording import together
from equipoise.backends.nest.run import Provenance, Run
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, Quantity, check, seed_sequence, steps_of
from equipoise.results import Status
from equipoise.units import ms, second

Seed = int | np.random.SeedSequence

STRETCH = 10 * second
"""Spikes of neurons that are not recorded are held no longer than this."""

_DURATION = Quantity("biological time to run", unit="second", low=kernel.TIC)
_WARMUP = Quantity("biological time before the run", unit="second", low=0.0)
_THREADS = Quantity("number of threads", low=1.0, high=1024.0)
_RECORD = Quantity("recorded neurons of each population", low=1.0)


def simulate(
    circuit: Circuit,
    *,
    duration: float,
    seed: Seed,
    dt: float = 0.1 * ms,
    warmup: float = 0.5 * second,
    threads: int = 1,
    record: int | None = None,
) -> Run:
    """Run a circuit on NEST for `duration` [s] after `warmup` [s], in steps of `dt` [s].

    Rules of the circuit are at work after the warm-up, which then lasts ten sensor time constants at least. `record` is
    the number of neurons of each population whose spikes are kept, by default all. The kernel is reset: there is one in
    each process. Results depend on `seed` (an integer or a SeedSequence) and, on NEST, on the number of threads.
    Raises TypeError or ValueError for what NEST cannot represent, by name, MemoryError with the number of bytes, and
    ImportError where NEST is missing. Status: OK, WEIGHT_AT_ZERO, or RUNAWAY, which ends a run before its time.
    """
    settings = _Settings(duration=duration, seed=seed, dt=dt, warmup=warmup, threads=threads, record=record)
    cells, rules = checked_cells(circuit, settings.dt, seed), regulation.checked(circuit)
    nest = kernel.load()
    check_memory(circuit, nest.num_processes)
    kernel.reset(nest, dt=settings.dt, seed=settings.kernel_seed, threads=settings.threads)
    network = build(nest, circuit, dt=settings.dt, cells=cells, rng=settings.rng(), keep=settings.record)
    start = settings.warmup_steps
    if rules:
        start = max(start, int(np.ceil(homeostasis.history_needed(rules) / settings.dt)))
    stop = start + settings.steps
    network.advance(0, start)
    outcome = homeostasis.regulate(network, rules, start, stop) if rules else None
    if outcome is None:
        _straight(network, start, stop)
    return _run(network, settings, start, stop if outcome is None else outcome.stop, outcome)


@dataclass(kw_only=True)
class _Settings:
    """How to run, checked; `words` are made from the seed."""

    duration: float
    seed: Seed
    dt: float
    warmup: float
    threads: int
    record: int | None
    words: Any = field(init=False)
    begun: float = field(init=False, default_factory=time.perf_counter)

    def __post_init__(self):
        self.dt, self.threads = kernel.checked_dt(self.dt), kernel.whole("threads", self.threads, _THREADS)
        self.duration = check("backends.nest: duration", self.duration, _DURATION)
        self.warmup = check("backends.nest: warmup", self.warmup, _WARMUP)
        self.steps = steps_of("backends.nest", "duration", self.duration, self.dt)
        self.warmup_steps = steps_of("backends.nest", "warmup", self.warmup, self.dt)
        if self.record is not None:
            self.record = kernel.whole("record", self.record, _RECORD)
        self.words = seed_sequence(self.seed).generate_state(5)

    @property
    def kernel_seed(self) -> int:
        """NEST takes seeds from 1 to 2^32 - 1."""
        return 1 + int(self.words[0]) % (2**32 - 1)

    def rng(self) -> np.random.Generator:
        """Potentials at the start, in-degrees from sources."""
        return np.random.default_rng(self.words[1:])


def _seed_text(seed: Seed) -> str:
    return f"{seed.entropy} {seed.spawn_key}" if isinstance(seed, np.random.SeedSequence) else str(seed)


def _straight(network: Network, start: int, stop: int) -> None:
    """Run the steps (start, stop], with spikes taken over from NEST now and then."""
    most = max(1, round(STRETCH / network.dt))
    for first in range(start, stop, most):
        last = min(first + most, stop)
        network.advance(first, last)
        network.forget(last)


def _run(network: Network, settings: _Settings, start: int, stop: int, outcome: Outcome | None) -> Run:
    recorders, duration = network.recorders, (stop - start) * settings.dt
    weights, own = _weights(network.circuit, outcome)
    return Run(
        circuit=network.circuit, duration=duration, spikes=together(recorders, start, stop, settings.dt),
        recorded=tuple(r.keep for r in recorders.values()),
        rates=np.array([r.count(start) / (r.n * duration) for r in recorders.values()]),
        weights=weights, own_weights=own, history=None if outcome is None else outcome.history,
        provenance=_provenance(network, settings), wall=time.perf_counter() - settings.begun,
        status=outcome.status if outcome else Status.OK, message=outcome.message if outcome else "",
    )  # fmt: skip


def _weights(circuit: Circuit, outcome: Outcome | None) -> tuple[Array, dict[tuple[str, str], Array]]:
    """Signed weights at the end: means (post, pre), and those of each neuron where they have their own."""
    means, own = circuit.weights(), {}
    for cells in outcome.cells if outcome else ():
        for p, size in zip(cells.projections, cells.sizes, strict=True):
            means[circuit.names.index(p.target), circuit.names.index(p.source)] = circuit.sign_of(p) * size.mean()
            if size.ndim:
                own[p.source, p.target] = circuit.sign_of(p) * size
    return means, own


def _provenance(network: Network, settings: _Settings) -> Provenance:
    return Provenance(
        seed=_seed_text(settings.seed), dt=settings.dt, version=version("equipoise"),
        circuit_digest=network.circuit.digest,
        nest_version=network.nest.__version__, threads=settings.threads, processes=network.nest.num_processes,
    )  # fmt: skip
