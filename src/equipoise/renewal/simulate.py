"""One cell end to end: membrane, spikes, calcium and weights together in one compiled event loop.

Nothing is averaged and nothing lives on a time grid: the membrane is stepped as in `equipoise.renewal.sampling`,
calcium decays exactly, and the weights move in closed form between spikes, from which the input follows:

    mu = k_e J_E rate_e - k_i J_I rate_i + drive,    sigma^2 = k_e F_e J_E^2 rate_e + k_i F_i J_I^2 rate_i   (Eq. 1)

`run_cell` runs for a time and returns everything needed to go on; `resume_cell` goes on, and a run in pieces equals the
run in one piece bit by bit. `run_rule_on_spikes` moves the weights along given spike times.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from equipoise import _core
from equipoise.model.calcium import Calcium
from equipoise.model.neurons import LIF, PIF
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, suggest
from equipoise.renewal.sampling import BUDGET, StepControl, Words, membrane, random_words, whole_number
from equipoise.results import NumericalFailure, SpikeTrains, Status

# Places in the flat state of the core; the rest is its own business.
TIME, ELAPSED, POTENTIAL, CALCIUM, J_E, J_I, TARGET_E, TARGET_I, SPIKES, SAMPLES = range(10)
PLACES = 14

SENSED = {"calcium": 1.0, "rate": 2.0}
DURATION = Quantity("simulated time", unit="second", low=0.0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class CellInputs:
    """Inputs of one cell: their numbers, rates [Hz], Fano factors (1: Poisson), and a steady drive [V/s]."""

    k_e: float = quantity("number of excitatory inputs", default=200.0, low=0.0)
    rate_e: float = quantity("rate of an excitatory input", default=5.0, unit="Hz", low=0.0, high=1000.0)
    fano_e: float = quantity("Fano factor of an excitatory input", default=1.0, low=0.0)
    k_i: float = quantity("number of inhibitory inputs", default=200.0, low=0.0)
    rate_i: float = quantity("rate of an inhibitory input", default=5.0, unit="Hz", low=0.0, high=1000.0)
    fano_i: float = quantity("Fano factor of an inhibitory input", default=1.0, low=0.0)
    drive: float = quantity("steady drive", default=0.0)

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class LoopRule:
    """How the weights move, as the event loop applies it to the momentary calcium C(t) or to single spikes S(t).

    calcium, absolute:  tau_E dJ_E/dt = nu* - C^2,   tau_I dJ_I/dt = C - mu*              (Eqs. 10, 16), J >= 0
    calcium, relative:  tau_E dJ_E/dt = J_E (nu* - C^2)/nu*,   tau_I dJ_I/dt = J_I (C - mu*)/mu*
    rate:               the same with r_E* - S and S - r_I*                               (Eqs. 2-3)

    `target_e`, `target_i` are nu* [µM^2] and mu* [µM], or r_E* and r_I* [Hz]. `tau_adapt` [s] lets calcium set points
    follow, tau_adapt dnu*/dt = C^2 - nu* and tau_adapt dmu*/dt = C - mu* (Eq. 35); without it they are fixed. Relative
    times are seconds; absolute ones carry the unit of the error times seconds per weight.
    """

    kind: Literal["calcium", "rate"] = "calcium"
    tau_e: float = quantity("time constant of excitation", low=0.0, open_low=True)
    tau_i: float = quantity("time constant of inhibition", low=0.0, open_low=True)
    target_e: float = quantity("set point of the excitatory rule", low=0.0, open_low=True)
    target_i: float = quantity("set point of the inhibitory rule", low=0.0, open_low=True)
    relative: bool = True
    tau_adapt: float | None = None

    def __post_init__(self):
        check_fields(self)
        if self.kind not in SENSED:
            raise ValueError(
                f"LoopRule.kind must be 'calcium' or 'rate', got {self.kind!r}.{suggest(self.kind, SENSED)}"
            )
        if self.tau_adapt is None:
            return
        about = Quantity("time constant of the set points", unit="second", low=0.0, open_low=True)
        object.__setattr__(self, "tau_adapt", check("LoopRule.tau_adapt", self.tau_adapt, about))
        if self.kind == "rate":
            raise ValueError("LoopRule.tau_adapt applies to kind='calcium' only; leave it out for kind='rate'.")


@dataclass(frozen=True, kw_only=True)
class CellLoop:
    """A cell with its inputs, its calcium sensor and its rule (None: the weights stay)."""

    neuron: PIF | LIF
    inputs: CellInputs
    sensor: Calcium
    rule: LoopRule | None
    steps: StepControl = field(default_factory=StepControl)

    def __post_init__(self):
        membrane(self.neuron, self.steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopSamples:
    """What was recorded at times t (n,) [s], each the end of a window.

    The weights `j_e`, `j_i` at t; over the window that ends at t the means of C [µM] and C^2 [µM^2] and the number of
    spikes; all (n,).
    """

    t: Array
    j_e: Array
    j_i: Array
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
    WEIGHT_AT_ZERO (a weight ended at its bound), NOT_CONVERGED (steps used up at `stop`) or UNSTABLE (weights grew
    beyond all numbers).
    """

    loop: CellLoop
    start: float
    stop: float
    end: LoopState
    samples: LoopSamples
    spike_times: Array
    n_spikes: int
    status: Status
    sample_every: float
    keep_spikes: int
    state: Array
    words: Words

    @property
    def rate(self) -> float:
        """Spikes per second over the run [Hz]."""
        return self.n_spikes / (self.stop - self.start)

    @property
    def weights(self) -> tuple[float, float]:
        """The weights (J_E, J_I) at the end."""
        return self.end.j_e, self.end.j_i

    def __repr__(self) -> str:
        cell = type(self.loop.neuron).__name__
        spikes = f"{self.n_spikes} spikes, {self.rate:.4g} Hz" if self.stop > self.start else "not begun"
        weights = f"J_E={self.end.j_e:.6g}, J_I={self.end.j_i:.6g}"
        return f"CellRun({cell}, {self.start:g} to {self.stop:g} s: {spikes}; {weights}; {self.status.name})"


def run_cell(
    loop: CellLoop,
    *,
    weights: tuple[float, float],
    duration: float,
    seed: int | np.random.SeedSequence,
    sample_every: float | None = None,
    keep_spikes: int = 0,
    progress: Callable[[float], None] | None = None,
) -> CellRun:
    """Run a cell for `duration` [s] from reset, without calcium, from the weights (J_E, J_I).

    Samples are taken every `sample_every` [s], none if it is None; they do not disturb the run. `progress` is called
    with the finished fraction several times a second. The seed decides everything.
    """
    state = _initial_state("run_cell", weights, loop.rule)
    state[POTENTIAL] = loop.neuron.v_reset
    every = np.inf if sample_every is None else _positive("run_cell.sample_every", sample_every, "time of a sample")
    keep = whole_number("run_cell", "keep_spikes", keep_spikes)
    total = _positive("run_cell.duration", duration, "simulated time")
    return _run(_blank(loop, state, random_words(seed), every, keep), total, progress)


def resume_cell(run: CellRun, *, duration: float, progress: Callable[[float], None] | None = None) -> CellRun:
    """Go on for `duration` [s] from where a run stopped; the new run holds the new samples and spikes only."""
    return _run(run, _positive("resume_cell.duration", duration, "simulated time"), progress)


def run_rule_on_spikes(
    rule: LoopRule,
    sensor: Calcium,
    *,
    spike_times: ArrayLike,
    t_stop: float,
    weights: tuple[float, float],
    sample_every: float | None = None,
) -> tuple[LoopState, LoopSamples]:
    """Move the weights along given spike times (n,) [s] in (0, t_stop], from C = 0 at t = 0; no membrane is involved.

    Returns the state at t_stop and the samples. Raises ValueError for unsorted, non-finite or outlying times, and
    NumericalFailure where weights overflow.
    """
    stop = _positive("run_rule_on_spikes.t_stop", t_stop, "end of the spike train")
    train = SpikeTrains.single(spike_times, t_start=0.0, t_stop=stop)
    every = np.inf if sample_every is None else _positive("run_rule_on_spikes.sample_every", sample_every, "a time")
    state, now = _initial_state("run_rule_on_spikes", weights, rule), np.empty(5)
    buffer = np.empty(6 * _rows(0, stop, every))
    longest = rule.tau_adapt or np.inf  # a silence of many tau_adapt at once would cost the set points their digits
    _core.rule_run(train.times, _sensor(sensor), _rule(rule), np.array([stop, longest, every]), state, buffer, now)
    if not np.isfinite(now).all():
        raise NumericalFailure(Status.UNSTABLE, "run_rule_on_spikes: the weights grew beyond all numbers. Raise tau_e.")
    return _loop_state(now), _samples(buffer, int(state[SAMPLES]))


def _run(before: CellRun, duration: float, progress: Callable[[float], None] | None) -> CellRun:
    """Call the core piece by piece until `duration` is over."""
    loop, start = before.loop, before.stop
    stop = start + duration
    state, words, now = before.state.copy(), before.words.copy(), np.empty(5)
    buffer = np.empty(6 * _rows(int(state[SAMPLES]), stop, before.sample_every))
    kept, first_spike, first_sample = np.empty(before.keep_spikes), state[SPIKES], state[SAMPLES]
    fixed = membrane(loop.neuron, loop.steps), _inputs(loop.inputs), _sensor(loop.sensor), _rule(loop.rule)
    flush = np.inf if loop.rule is None else loop.steps.flush
    times = np.array([stop, flush, before.sample_every])
    outcome, spent = 1, 0
    while outcome == 1 and spent < loop.steps.max_steps:
        budget = int(min(BUDGET, loop.steps.max_steps - spent))
        rows = buffer[6 * int(state[SAMPLES] - first_sample) :]
        spikes = kept[int(min(state[SPIKES] - first_spike, kept.size)) :]
        outcome = _core.cell_run(*fixed, times, state, words, rows, spikes, now, budget)
        spent += budget
        if progress is not None:
            progress(1.0 if outcome == 0 else float((state[TIME] - start) / duration))
    n_spikes = int(state[SPIKES] - first_spike)
    return replace(
        before,
        start=start,
        stop=stop if outcome == 0 else float(state[TIME]),
        end=_loop_state(now),
        samples=_samples(buffer, int(state[SAMPLES] - first_sample)),
        spike_times=kept[: min(n_spikes, kept.size)].copy(),
        n_spikes=n_spikes,
        status=_status(outcome, now),
        state=state,
        words=words,
    )


def _status(outcome: int, now: Array) -> Status:
    if outcome == 0:
        return Status.WEIGHT_AT_ZERO if min(now[1], now[2]) == 0.0 else Status.OK
    return Status.NOT_CONVERGED if outcome == 1 else Status.UNSTABLE


def _blank(loop: CellLoop, state: Array, words: Words, every: float, keep: int) -> CellRun:
    """The run of length zero from which the first one resumes."""
    nothing = np.empty(0)
    return CellRun(
        loop=loop,
        start=0.0,
        stop=0.0,
        end=_loop_state(state[CALCIUM : TARGET_I + 1]),
        samples=_samples(nothing, 0),
        spike_times=nothing,
        n_spikes=0,
        status=Status.OK,
        sample_every=every,
        keep_spikes=keep,
        state=state,
        words=words,
    )


def _initial_state(function: str, weights: tuple[float, float], rule: LoopRule | None) -> Array:
    pair = finite(function, "weights", weights, low=0.0)
    if pair.shape != (2,):
        raise ValueError(f"{function}: weights must be the pair (J_E, J_I), got shape {pair.shape}.")
    state = np.zeros(PLACES)
    state[J_E : J_I + 1] = pair
    if rule is not None:
        state[TARGET_E], state[TARGET_I] = rule.target_e, rule.target_i
    return state


def _positive(name: str, value: float, meaning: str) -> float:
    return check(name, value, replace(DURATION, meaning=meaning))


def _rows(done: int, stop: float, every: float) -> int:
    return max(0, int(stop / every) + 1 - done)


def _inputs(inputs: CellInputs) -> Array:
    mean_e, mean_i = inputs.k_e * inputs.rate_e, inputs.k_i * inputs.rate_i
    return np.array([mean_e, mean_i, inputs.drive, mean_e * inputs.fano_e, mean_i * inputs.fano_i])


def _sensor(sensor: Calcium) -> Array:
    return np.array([sensor.tau, sensor.influx, sensor.retention])


def _rule(rule: LoopRule | None) -> Array:
    if rule is None:
        return np.array([0.0, 0.0, 1.0, 1.0, 0.0])
    return np.array([SENSED[rule.kind], float(rule.relative), rule.tau_e, rule.tau_i, rule.tau_adapt or 0.0])


def _loop_state(now: Array) -> LoopState:
    calcium, j_e, j_i, target_e, target_i = (float(x) for x in now)
    return LoopState(calcium=calcium, j_e=j_e, j_i=j_i, target_e=target_e, target_i=target_i)


def _samples(buffer: Array, n: int) -> LoopSamples:
    t, j_e, j_i, mean, second, count = buffer[: 6 * n].reshape(n, 6).T.copy()
    return LoopSamples(t=t, j_e=j_e, j_i=j_i, calcium_mean=mean, calcium_second_moment=second, spike_count=count)
