"""What a run on NEST leaves: spikes, statistics, weights, and what is needed to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array
from equipoise.results import SpikeTrains, Status

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run:
    """A run of a circuit on NEST over `duration` [s] after its warm-up.

    `spikes` holds the recorded neurons of each population, time 0 at the end of the warm-up. `weights` (post, pre) are
    the signed weights at the end [V], averaged over neurons; `own_weights` by (source, target) those of each neuron
    (n,) at neuron scope. `history` is the slow path of weights, rates and calcium, None without rules. `provenance`
    says what was run: circuit as TOML, digest, versions, seed and settings.
    """

    circuit: Circuit
    spikes: Mapping[str, SpikeTrains]
    duration: float
    weights: Array
    own_weights: Mapping[tuple[str, str], Array]
    history: "xr.Dataset | None"
    status: Status
    message: str
    provenance: Mapping[str, str]

    @property
    def rates(self) -> Array:
        """Mean rate of each population [Hz], over its recorded neurons (n,)."""
        return np.array([s.times.size / (s.n_units * s.duration) for s in self.spikes.values()])

    @cached_property
    def cv(self) -> Array:
        """Mean C_v of each population (n,), over the neurons with enough intervals; NaN where none has."""
        return np.array([_mean_known(measures.cv(s).values) for s in self.spikes.values()])

    def __repr__(self) -> str:
        rows = [f"Run on NEST: {self.circuit.name or 'unnamed'}, {self.duration:g} s, {self.status.name}"]
        columns = zip(self.spikes.items(), self.rates, self.cv, strict=True)
        rows += [f"  {name:<6} {r:9.4f} Hz, C_v {c:.3f}, {s.n_units:,} neurons" for (name, s), r, c in columns]
        return "\n".join(rows + ([f"  {self.message}"] if self.message else []))


def _mean_known(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan
