"""The verb: a circuit run on NEST."""

import hashlib
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from equipoise.backends.nest import homeostasis, kernel, regulation
from equipoise.backends.nest.homeostasis import Outcome
from equipoise.backends.nest.network import Network, build, check_memory, checked_cells
from equipoise.backends.nest.run import Run
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, Quantity, check
from equipoise.results import Status
from equipoise.units import ms, second

Seed = int | np.random.SeedSequence

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
    cells, rules = checked_cells(circuit, settings.dt), regulation.checked(circuit)
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
        network.advance(start, stop)
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

    def __post_init__(self):
        self.dt, self.threads = kernel.checked_dt(self.dt), kernel.whole("threads", self.threads, _THREADS)
        self.duration = check("backends.nest: duration", self.duration, _DURATION)
        self.warmup = check("backends.nest: warmup", self.warmup, _WARMUP)
        self.steps = kernel.steps_of("duration", self.duration, self.dt)
        self.warmup_steps = kernel.steps_of("warmup", self.warmup, self.dt)
        if self.record is not None:
            self.record = kernel.whole("record", self.record, _RECORD)
        self.words = _words(self.seed)

    @property
    def kernel_seed(self) -> int:
        """NEST takes seeds from 1 to 2^32 - 1."""
        return 1 + int(self.words[0]) % (2**32 - 1)

    def rng(self) -> np.random.Generator:
        """Potentials at the start, in-degrees from sources."""
        return np.random.default_rng(self.words[1:])

    def text(self) -> dict[str, str]:
        """Everything but the circuit that decides a run."""
        names = ("duration", "dt", "warmup", "threads")
        return {name: repr(getattr(self, name)) for name in names} | {"seed": _seed_text(self.seed)}


def _words(seed: Seed) -> Any:
    if isinstance(seed, np.random.SeedSequence):
        return seed.generate_state(5)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or a numpy SeedSequence, got {seed!r}. Use seed=1, for example.")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}.")
    return np.random.SeedSequence(int(seed)).generate_state(5)


def _seed_text(seed: Seed) -> str:
    return f"{seed.entropy} {seed.spawn_key}" if isinstance(seed, np.random.SeedSequence) else str(seed)


def _run(network: Network, settings: _Settings, start: int, stop: int, outcome: Outcome | None) -> Run:
    spikes = {name: r.kept(start, stop, settings.dt) for name, r in network.recorders.items()}
    weights, own = _weights(network.circuit, outcome)
    return Run(
        circuit=network.circuit, spikes=spikes, duration=(stop - start) * settings.dt, weights=weights, own_weights=own,
        history=None if outcome is None else outcome.history, status=outcome.status if outcome else Status.OK,
        message=outcome.message if outcome else "", provenance=_provenance(network, settings),
    )  # fmt: skip


def _weights(circuit: Circuit, outcome: Outcome | None) -> tuple[Array, dict[tuple[str, str], Array]]:
    """Signed weights at the end: means (post, pre), and those of each neuron where they have their own."""
    means, own = circuit.weights(), {}
    for cells in outcome.cells if outcome else ():
        for p, size in zip(cells.projections, cells.sizes, strict=True):
            means[circuit.names.index(p.target), circuit.names.index(p.source)] = p.sign * size.mean()
            if size.ndim:
                own[p.source, p.target] = p.sign * size
    return means, own


def _provenance(network: Network, settings: _Settings) -> dict[str, str]:
    about = {
        "circuit": _text(network.circuit), "equipoise_version": version("equipoise"),
        "nest_version": network.nest.__version__, "processes": str(network.nest.num_processes), **settings.text(),
    }  # fmt: skip
    text = "\n".join(f"{key} {value}" for key, value in about.items())
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), **about}


def _text(circuit: Circuit) -> str:
    """The circuit as TOML, or as Python text where it holds rules or neurons of the user's own."""
    try:
        return circuit.to_toml()
    except TypeError:
        return repr((circuit.populations, circuit.sources, circuit.projections, circuit.rules))
