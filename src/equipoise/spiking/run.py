"""What a simulation returns: spikes, population rates, where it came from, and the state to go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, check_fields, quantity, suggest
from equipoise.results import SpikeTrains, Status
from equipoise.spiking.history import dataset_of
from equipoise.spiking.kernel import State
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr

MIN_INTERVALS = 10
"""Intervals that a neuron needs to enter the mean C_v."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a simulation writes down: spikes of the first `cells` neurons of each population, counts per `bin` [s]."""

    cells: float = np.inf
    bin: float = quantity(
        "bin of the population rates", default=1 * ms, unit="ms", low=0.0, high=60 * second, open_low=True
    )

    def __post_init__(self):
        check_fields(self)
        if isinstance(self.cells, bool) or not (
            self.cells == np.inf or (self.cells >= 0 and self.cells == int(self.cells))
        ):
            raise ValueError(f"Record.cells must be a whole number of neurons, or infinite, got {self.cells!r}.")


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """From what a run can be repeated: seed, time step, digest of the circuit's text, package version and schedule."""

    seed: str
    dt: float
    circuit_digest: str
    version: str
    schedule: tuple[str, ...] = ()


class OfPopulations:
    """Spikes of populations side by side: `spikes` holds the `recorded` neurons of each, one unit a neuron."""

    circuit: Circuit
    recorded: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(p.name for p in self.circuit.populations)

    def units_of(self, population: str) -> slice:
        """The units of `spikes` that belong to a population."""
        if population not in self.names:
            raise KeyError(f"Run: no population is named {population!r}.{suggest(population, self.names)}")
        k = self.names.index(population)
        return slice(sum(self.recorded[:k]), sum(self.recorded[: k + 1]))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run(OfPopulations):
    """A simulated stretch of `duration` [s], time counted from the end of the warm-up.

    `steps`, `units` (n,) hold the recorded spikes in order: the step at whose end each fell, and the neuron, numbered
    through the recorded neurons of all populations. `counts` (population, bin) are the spikes of all neurons in bins of
    `bin` [s]; `recorded` neurons of each population; `slow` a row for each slow window. `wall` [s] is what it took,
    `end` the state to go on from. Status OK, or INTERRUPTED with all that was done.
    """

    circuit: Circuit
    duration: float
    bin: float
    steps: NDArray[np.int64]
    units: NDArray[np.int64]
    recorded: tuple[int, ...]
    counts: NDArray[np.int64]
    provenance: Provenance
    end: State
    slow: tuple[Mapping[str, float], ...]
    wall: float
    threads: int
    status: Status

    @property
    def rates(self) -> Array:
        """Mean rate of each population, all neurons and the whole run [Hz] (P,)."""
        sizes = np.array([p.size for p in self.circuit.populations])
        return self.counts.sum(axis=1) / (sizes * self.duration)

    @cached_property
    def spikes(self) -> SpikeTrains:
        """The recorded spikes of all populations, one unit a neuron; `units_of` says whose is which."""
        return SpikeTrains(self._times(self.steps), self.units, sum(self.recorded), 0.0, self.duration)

    def _times(self, steps: NDArray[np.int64]) -> Array:
        """The ends of steps, in the same arithmetic as the duration."""
        return (steps + 1).astype(np.float64) * self.provenance.dt

    def spikes_of(self, population: str) -> SpikeTrains:
        """The recorded spikes of one population."""
        here = self.units_of(population)
        mine = (self.units >= here.start) & (self.units < here.stop)
        return SpikeTrains(
            self._times(self.steps[mine]), self.units[mine] - here.start, here.stop - here.start, 0.0, self.duration
        )

    def rate_trace(self) -> "xr.DataArray":
        """Population rates over time [Hz], dims (population, time); time is the middle of each bin [s]."""
        import xarray as xr

        edges = np.minimum(np.arange(self.counts.shape[1] + 1) * self.bin, self.duration)
        sizes = np.array([p.size for p in self.circuit.populations])
        rates = self.counts / (sizes[:, None] * np.diff(edges))
        coords = {"population": list(self.names), "time": ("time", 0.5 * (edges[1:] + edges[:-1]), {"units": "s"})}
        return xr.DataArray(rates, dims=("population", "time"), coords=coords, name="rate", attrs={"units": "Hz"})

    @cached_property
    def homeostasis(self) -> "xr.Dataset":
        """Slow variables, rates and calcium moments over time, each as mean and SD (`_sd`) over neurons.

        A row stands at the end of each slow window: slow variables as they left it, rates and calcium as they were in
        it. The SD of rates holds the fluctuation of counts in one window. Whole arrays at the end are in
        `slow_variables`. ValueError without rules.
        """
        if not self.slow:
            raise ValueError(
                "Run.homeostasis: nothing moved; the circuit has no rules, or no slow window was finished."
            )
        return dataset_of(self.slow, {"status": self.status.name, "seed": self.provenance.seed})

    @property
    def slow_variables(self) -> dict[str, dict[str, Array]]:
        """Slow variables at the end, by population and name, for all neurons (n,) or shared by them (1,)."""
        return {} if self.end.slow is None else self.end.slow.values

    @cached_property
    def cvs(self) -> Array:
        """C_v of the intervals, mean over the recorded neurons with ten intervals or more (P,); NaN without any."""
        return np.array([_mean_cv(self.spikes_of(name)) for name in self.names])

    def __repr__(self) -> str:
        n, p = sum(int(p.size) for p in self.circuit.populations), self.provenance
        name = self.circuit.name or "unnamed"
        rows = [f"Run({name}: {self.duration:g} s of {n:,} neurons, dt {p.dt / ms:g} ms; {self.status.name})"]
        for population, rate, cv in zip(self.names, self.rates, self.cvs, strict=True):
            rows.append(f"  {population:<6} {rate:8.3f} Hz" + ("" if np.isnan(cv) else f", C_v {cv:.3f}"))
        if self.slow:
            last = self.slow[-1]
            weights = (f"{k} {v:.4g}" for k, v in last.items() if k.startswith("J_") and not k.endswith("_sd"))
            rows.append("  " + ", ".join(weights))
        rows.append(f"  {self.wall / self.duration:.3g} s per simulated second on {self.threads} threads")
        rows.append(f"  seed {p.seed}, equipoise {p.version}, circuit {p.circuit_digest[:12]}")
        return "\n".join(rows)


def _mean_cv(trains: SpikeTrains) -> float:
    times, offsets = np.empty(trains.times.size), np.zeros(trains.n_units + 1, np.int64)
    _core.group_by_unit(trains.times, trains.units, times, offsets)
    values, variances = np.empty(5 * trains.n_units), np.empty(5 * trains.n_units)
    _core.interval_statistics(times, offsets, 0.0, values, variances)
    cv = values.reshape(5, -1)[1][np.diff(offsets) > MIN_INTERVALS]
    return float(cv.mean()) if cv.size else np.nan
