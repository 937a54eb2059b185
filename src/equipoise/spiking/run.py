"""What a simulation returns: spikes, population rates, where it came from, and the state to go on from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, suggest
from equipoise.results import SpikeTrains, Status
from equipoise.spiking.columns import TRACES, Written, rows_between
from equipoise.spiking.history import dataset_of
from equipoise.spiking.kernel import State
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr

MIN_INTERVALS = 10
"""Intervals that a neuron needs to enter the mean C_v."""
MANY_SPIKES = 10**7
"""From so many recorded spikes on a run prints itself without C_v, which would read them all."""


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

    `written` holds what was recorded, in memory or on disk: spikes of `recorded` neurons of each population, counts of
    all neurons in bins of `bin` [s], membranes and the slow history. `wall` [s] is what it took, `final` where the
    network stood at its end (None in what a killed run left). Status OK, or INTERRUPTED with all that was done;
    `message` says more.
    """

    circuit: Circuit
    duration: float
    bin: float
    recorded: tuple[int, ...]
    written: Written
    provenance: Provenance
    final: State | None
    wall: float
    threads: int
    status: Status
    message: str = ""

    @property
    def end(self) -> State:
        """The state to go on from; ValueError where the run did not come to an end."""
        if self.final is None:
            raise ValueError(
                f"Run.end: the directory does not hold where the network stood. {self.message.capitalize()}"
            )
        return self.final

    @property
    def steps(self) -> NDArray[np.int64]:
        """The step at whose end each recorded spike fell, in order (n,)."""
        return self.written.columns["spike_step"][:]

    @property
    def units(self) -> NDArray[np.int64]:
        """Whose it was (n,), numbered through the recorded neurons of all populations."""
        return self.written.columns["spike_unit"][:]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Spikes of all neurons (population, bin)."""
        return self.written.columns["count"][:].T

    @property
    def slow(self) -> tuple[Mapping[str, float], ...]:
        """A row for each slow window: slow variables, rates and calcium."""
        return self._slow(slice(None))

    def _slow(self, rows: slice) -> tuple[Mapping[str, float], ...]:
        names = self.written.slow_names
        return tuple(dict(zip(names, map(float, row), strict=False)) for row in self.written.columns["slow"][rows])

    @property
    def rates(self) -> Array:
        """Mean rate of each population, all neurons and the whole run [Hz] (P,)."""
        sizes = np.array([p.size for p in self.circuit.populations])
        return self.counts.sum(axis=1) / (sizes * self.duration)

    @cached_property
    def spikes(self) -> SpikeTrains:
        """The recorded spikes of all populations, one unit a neuron; `units_of` says whose is which."""
        return self.spikes_between(0.0, self.duration)

    def spikes_between(self, start: float, stop: float) -> SpikeTrains:
        """The recorded spikes from `start` to `stop` [s], no more of a run on disk being read."""
        dt, columns = self.provenance.dt, self.written.columns
        first, last = self._steps_between(start, stop)
        rows = rows_between(columns["spike_step"], first, last)
        times = self._times(columns["spike_step"][rows])
        return SpikeTrains(times, columns["spike_unit"][rows], sum(self.recorded), first * dt, last * dt)

    def _steps_between(self, start: float, stop: float) -> tuple[int, int]:
        if not 0.0 <= start < stop <= self.duration:
            raise ValueError(
                f"Run: start and stop must satisfy 0 <= start < stop <= {self.duration:g} s, "
                f"got start={start:g}, stop={stop:g}."
            )
        return tuple(round(t / self.provenance.dt) for t in (start, stop))  # pyright: ignore[reportReturnType]

    @cached_property
    def membrane(self) -> "xr.Dataset":
        """Potential and input of the chosen neurons, dims (time, cell); ValueError where none were chosen.

        `potential` [V] at the end of each sample, `v_reset` at a spike. `excitation` and `inhibition` [V/s],
        the spikes that arrive by the sign of their weight, and `drive` [V/s], tonic input and sources given as Gaussian
        noise, are means over the sample. Delta synapses bring J per spike, exponential ones their current, conductances
        g (E - V)/C by the side of the threshold on which E is. Where a chosen neuron has these, `g_excitatory` and
        `g_inhibitory` [S] are their means, without the leak, and 0 for neurons without conductances. `population`
        and `neuron` say whose they are, `time` [s] is the end of the sample.
        """
        return self.membrane_between(0.0, self.duration)

    def membrane_between(self, start: float, stop: float) -> "xr.Dataset":
        """`membrane` from `start` to `stop` [s], no more of a run on disk being read."""
        import xarray as xr

        plan, columns, dt = self.written.plan, self.written.columns, self.provenance.dt
        if not plan.cells:
            raise ValueError("Run.membrane: no neurons were chosen. Take record=Record(membrane={'E': 10}).")
        rows = slice(*(step // plan.every for step in self._steps_between(start, stop)))
        data = {name: (("time", "cell"), columns[name][rows], {"units": TRACES[name]}) for name in plan.traces}
        samples = np.arange(rows.start, rows.start + len(data["potential"][1]))
        coords = {
            "time": ("time", (samples + 1) * plan.every * dt, {"units": "s"}),
            "population": ("cell", [name for name, _ in plan.cells]),
            "neuron": ("cell", [i for _, i in plan.cells]),
        }
        return xr.Dataset(data, coords=coords)

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
        rows = self.slow
        if not rows:
            raise ValueError(
                "Run.homeostasis: nothing moved; the circuit has no rules, or no slow window was finished."
            )
        return dataset_of(rows, self.circuit, {"status": self.status.name, "seed": self.provenance.seed})

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
        status = f"{self.status.name}: {self.message}" if self.message else self.status.name
        rows = [f"Run({name}: {self.duration:g} s of {n:,} neurons, dt {p.dt / ms:g} ms; {status})"]
        cvs = self.cvs if len(self.written.columns["spike_step"]) < MANY_SPIKES else np.full(len(self.names), np.nan)
        for population, rate, cv in zip(self.names, self.rates, cvs, strict=True):
            rows.append(f"  {population:<6} {rate:8.3f} Hz" + ("" if np.isnan(cv) else f", C_v {cv:.3f}"))
        if windows := len(self.written.columns["slow"]):
            (last,) = self._slow(slice(windows - 1, windows))
            kinds = "J_", "theta_", "gain_"
            weights = (f"{k} {v:.4g}" for k, v in last.items() if k.startswith(kinds) and not k.endswith("_sd"))
            rows.append("  " + ", ".join(weights))
        rows.append(f"  {self.wall / self.duration:.3g} s per simulated second on {self.threads} threads")
        rows.append(f"  seed {p.seed}, equipoise {p.version}, circuit {p.circuit_digest[:12]}")
        return "\n".join(rows)


def _mean_cv(trains: SpikeTrains) -> float:
    times, offsets = trains.grouped()
    values, variances = np.empty(5 * trains.n_units), np.empty(5 * trains.n_units)
    _core.interval_statistics(times, offsets, 0.0, 1 << 1, values, variances)  # the second row, C_v
    cv = values.reshape(5, -1)[1][np.diff(offsets) > MIN_INTERVALS]
    return float(cv.mean()) if cv.size else np.nan
