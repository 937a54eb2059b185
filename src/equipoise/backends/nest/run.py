"""What a run on NEST leaves: spikes, statistics, weights, and from what it can be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array
from equipoise.results import SpikeTrains, Status
from equipoise.spiking.run import OfPopulations
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """From what a run can be repeated: seed, time step, digest of the circuit's text, versions, threads, processes."""

    seed: str
    dt: float
    circuit_digest: str
    version: str
    nest_version: str
    threads: int
    processes: int


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run(OfPopulations):
    """A run of a circuit on NEST over `duration` [s], time counted from the end of the warm-up.

    `spikes` are those of the `recorded` neurons of each population, one unit a neuron, population after population;
    `rates` (P,) the mean rates of all neurons [Hz]. `weights` (post, pre) are the signed weights at the end [V],
    averaged over neurons; `own_weights` by (source, target) those of each neuron (n,) at neuron scope. `history` is the
    slow path of weights, rates and calcium, None without rules. `wall` [s] is what it took, building included.
    """

    circuit: Circuit
    duration: float
    spikes: SpikeTrains
    recorded: tuple[int, ...]
    rates: Array
    weights: Array
    own_weights: Mapping[tuple[str, str], Array]
    history: "xr.Dataset | None"
    provenance: Provenance
    wall: float
    status: Status
    message: str

    def spikes_of(self, population: str) -> SpikeTrains:
        """The recorded spikes of one population."""
        here, all_ = self.units_of(population), self.spikes
        mine = (all_.units >= here.start) & (all_.units < here.stop)
        units = all_.units[mine] - here.start
        return SpikeTrains(all_.times[mine], units, here.stop - here.start, all_.t_start, all_.t_stop)

    @cached_property
    def cvs(self) -> Array:
        """C_v of the intervals, mean over the recorded neurons with ten intervals or more (P,); NaN without any."""
        return np.array([_mean_known(measures.cv(self.spikes_of(name)).values) for name in self.names])

    def __repr__(self) -> str:
        n, p = sum(int(p.size) for p in self.circuit.populations), self.provenance
        name = self.circuit.name or "unnamed"
        rows = [f"Run({name} on NEST: {self.duration:g} s of {n:,} neurons, dt {p.dt / ms:g} ms; {self.status.name})"]
        for population, rate, cv in zip(self.names, self.rates, self.cvs, strict=True):
            rows.append(f"  {population:<6} {rate:8.3f} Hz" + ("" if np.isnan(cv) else f", C_v {cv:.3f}"))
        rows += [f"  {self.message}"] if self.message else []
        rows.append(f"  seed {p.seed}, equipoise {p.version}, NEST {p.nest_version}, circuit {p.circuit_digest[:12]}")
        return "\n".join(rows)


def _mean_known(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan
