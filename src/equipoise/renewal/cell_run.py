"""What the event loop of one cell takes and returns: `Watch`, `CellRun` and its parts; no solver."""

from dataclasses import dataclass, field

import numpy as np

from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumHomeostasis, RateHomeostasis
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array, Quantity, check
from equipoise.renewal.sampling import StepControl, Words, whole_number
from equipoise.results import Status

EventRule = RateHomeostasis | CalciumHomeostasis


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a run writes down; nothing of it disturbs the run.

    Samples every `sample_every` [s] (None: no samples), the first `keep_spikes` spike times of each piece, and the
    calcium that `sensor` sees where the rule has no sensor of its own.
    """

    sample_every: float | None = None
    keep_spikes: int = 0
    sensor: Calcium = field(default_factory=Calcium)

    def __post_init__(self):
        object.__setattr__(self, "keep_spikes", whole_number("Watch", "keep_spikes", self.keep_spikes))
        if self.sample_every is not None:
            object.__setattr__(
                self, "sample_every", positive_time("Watch.sample_every", self.sample_every, "time between samples")
            )

    @property
    def every(self) -> float:
        """Time between samples, infinite if there are none [s]."""
        return np.inf if self.sample_every is None else self.sample_every


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopSamples:
    """What was recorded at times t (n,) [s], each the end of a window.

    Weights and set points at t; over the window that ends at t the means of C [µM] and C^2 [µM^2] and the number of
    spikes; all (n,). `target_e`, `target_i` are nu* [µM^2] and mu* [µM], or r_E* and r_I* [Hz].
    """

    t: Array
    j_e: Array
    j_i: Array
    target_e: Array
    target_i: Array
    calcium_mean: Array
    calcium_second_moment: Array
    spike_count: Array


@dataclass(frozen=True, kw_only=True)
class LoopState:
    """Calcium, weights and set points at one moment."""

    calcium: float
    j_e: float
    j_i: float
    target_e: float
    target_i: float


@dataclass(frozen=True, kw_only=True, eq=False)
class CellRun:
    """A run of one cell over (start, stop] [s]: its end state, samples, spikes, and how it ended.

    `n_spikes` counts all spikes, `spike_times` holds the first of them, as many as were asked for. Status: OK,
    WEIGHT_AT_ZERO (a weight ended at its bound), or before its time INTERRUPTED, NOT_CONVERGED (steps used up) or
    RUNAWAY (weights grew beyond all numbers).
    """

    cell: DrivenNeuron
    rule: EventRule | None
    watch: Watch
    steps: StepControl
    start: float = 0.0
    stop: float = 0.0
    end: LoopState
    samples: LoopSamples
    spike_times: Array
    n_spikes: int = 0
    status: Status = Status.OK
    state: Array
    words: Words

    @property
    def rate(self) -> float:
        """Spikes per second over the run [Hz]."""
        return self.n_spikes / (self.stop - self.start)

    @property
    def weights(self) -> Weights:
        """The weights (J_E, J_I) at the end."""
        return Weights(self.end.j_e, self.end.j_i)

    def __repr__(self) -> str:
        cell = type(self.cell.neuron).__name__
        spikes = f"{self.n_spikes} spikes, {self.rate:.4g} Hz" if self.stop > self.start else "not begun"
        weights = f"J_E={self.end.j_e:.6g}, J_I={self.end.j_i:.6g}"
        return f"CellRun({cell}, {self.start:g} to {self.stop:g} s: {spikes}; {weights}; {self.status.name})"


def positive_time(name: str, value: float, meaning: str) -> float:
    """A time above zero [s]; the error names the argument and its meaning."""
    return check(name, value, Quantity(meaning, unit="second", low=0.0, open_low=True))
