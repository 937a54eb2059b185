"""One cell end to end: membrane, spikes, calcium and weights together in one compiled event loop.

Nothing is averaged and nothing lives on a time grid: the membrane is stepped as in `equipoise.renewal.sampling`,
calcium decays exactly, and the weights move in closed form between spikes, from which the input follows by Eq. 1. The
rules are those of `equipoise.model.homeostasis`, read at the momentary calcium C(t) or at single spikes S(t):

    calcium, absolute:  tau_E dJ_E/dt = nu* - C^2,   tau_I dJ_I/dt = C - mu*              (Eqs. 10, 16), J >= 0
    calcium, relative:  tau_E dJ_E/dt = J_E (nu* - C^2)/nu*,   tau_I dJ_I/dt = J_I (C - mu*)/mu*
    rate:               the same with r_E* - S and S - r_I*                               (Eqs. 2-3)

`begin` sets a cell up and `advance` runs it; a run in pieces equals the run in one piece bit by bit. `follow_spikes`
moves the weights along given spike times.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from equipoise import _core
from equipoise.model.homeostasis import AdaptiveCalciumHomeostasis, CalciumHomeostasis, RateHomeostasis, targets_of
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array, finite
from equipoise.renewal.cell_run import CellRun, EventRule, LoopSamples, LoopState, Watch, positive_time
from equipoise.renewal.sampling import BUDGET, StepControl, membrane, random_words
from equipoise.results import NumericalFailure, SpikeTrains, Status

# Places in the flat state of the core; the rest is its own business.
TIME, ELAPSED, POTENTIAL, CALCIUM, J_E, J_I, TARGET_E, TARGET_I, SPIKES, SAMPLES = range(10)
PLACES = 14
COLUMNS = 8  # of a sample
DONE, BUDGET_SPENT, NOT_FINITE, INTERRUPTED = range(4)  # how a call ended; the first three are the core's

# By exact type: a rule derived from one of these has equations of its own.
SENSED = {CalciumHomeostasis: 1.0, AdaptiveCalciumHomeostasis: 1.0, RateHomeostasis: 2.0}


def begin(
    cell: DrivenNeuron,
    rule: EventRule | None,
    *,
    start: Weights | ArrayLike,
    seed: int | np.random.SeedSequence,
    watch: Watch | None = None,
    steps: StepControl | None = None,
) -> CellRun:
    """A cell at reset, without calcium, about to run under a rule (None: the weights stay).

    `start` is the weights, or all slow variables of the rule; the seed decides everything that follows. Raises
    TypeError for a neuron or a rule that the loop does not run, or a set point that still needs a neuron.
    """
    steps = steps or StepControl()
    check_runs(cell, rule)
    state = _initial_state("begin", start, rule)
    state[POTENTIAL] = cell.neuron.v_reset
    end, samples = _loop_state(state[CALCIUM : TARGET_I + 1]), _samples(np.empty(0), 0)
    return CellRun(
        cell=cell, rule=rule, watch=watch or Watch(), steps=steps, end=end, samples=samples, spike_times=np.empty(0),
        state=state, words=random_words(seed),
    )  # fmt: skip


def advance(before: CellRun, *, until: float, progress: Callable[[float], None] | None = None) -> CellRun:
    """Go on from where a run stopped to the time `until` [s]; the new run holds the new samples and spikes only.

    `progress` is called with the finished fraction several times a second. Ctrl-C ends the piece early: status
    INTERRUPTED, with all that is done.
    """
    start, until = before.stop, positive_time("advance.until", until, "time to stop at")
    if until <= start:
        raise ValueError(f"advance: until must lie after {start:g} s, where the run stopped, got {until:g} s.")
    state, words, now = before.state.copy(), before.words.copy(), before.state[CALCIUM : TARGET_I + 1].copy()
    first_spike, first_sample = state[SPIKES], state[SAMPLES]
    samples = np.empty(COLUMNS * _rows(int(first_sample), until, before.watch.every))
    spikes = np.empty(before.watch.keep_spikes)
    fixed, most_steps = _description(before, until), before.steps.max_steps
    outcome, spent = BUDGET_SPENT, 0
    try:
        while outcome == BUDGET_SPENT and spent < most_steps:
            budget = int(min(BUDGET, most_steps - spent))
            rows = samples[COLUMNS * int(state[SAMPLES] - first_sample) :]
            places = spikes[int(min(state[SPIKES] - first_spike, spikes.size)) :]
            outcome = _core.cell_run(*fixed, state, words, rows, places, now, budget)
            spent += budget
            if progress is not None:
                progress(1.0 if outcome == DONE else float((state[TIME] - start) / (until - start)))
    except KeyboardInterrupt:  # falls between two calls of the core, which leaves its arrays whole
        outcome = DONE if outcome == DONE else INTERRUPTED
    n_spikes = int(state[SPIKES] - first_spike)
    return replace(
        before,
        start=start,
        stop=until if outcome == DONE else max(start, float(state[TIME])),
        end=_loop_state(now),
        samples=_samples(samples, int(state[SAMPLES] - first_sample)),
        spike_times=spikes[:n_spikes].copy(),
        n_spikes=n_spikes,
        status=_status(outcome, now),
        state=state,
        words=words,
    )


def follow_spikes(
    rule: EventRule,
    spike_times: ArrayLike,
    *,
    t_stop: float,
    start: Weights | ArrayLike,
    sample_every: float | None = None,
) -> tuple[LoopState, LoopSamples]:
    """Move the weights along given spike times (n,) [s] in (0, t_stop], from C = 0 at t = 0; no membrane is involved.

    Returns the state at t_stop and the samples. Raises ValueError for unsorted, non-finite or outlying times, and
    NumericalFailure where weights overflow.
    """
    stop = positive_time("follow_spikes.t_stop", t_stop, "end of the spike train")
    train = SpikeTrains.single(spike_times, t_start=0.0, t_stop=stop)
    check_rule(rule)
    watch, state, now = Watch(sample_every=sample_every), _initial_state("follow_spikes", start, rule), np.empty(5)
    samples = np.empty(COLUMNS * _rows(0, stop, watch.every))
    # A silence of many tau_adapt at once would cost the set points their digits.
    times = np.array([stop, getattr(rule, "tau_adapt", np.inf), watch.every])
    _core.rule_run(train.times, _sensor(rule, watch), _rule(rule), times, state, samples, now)
    if not np.isfinite(now).all():
        raise NumericalFailure(Status.RUNAWAY, "follow_spikes: the weights grew beyond all numbers. Raise tau_e.")
    return _loop_state(now), _samples(samples, int(state[SAMPLES]))


def check_runs(cell: DrivenNeuron, rule: object) -> None:
    """Raise TypeError that names what to use instead, unless the loop runs this cell under this rule."""
    if not isinstance(cell, DrivenNeuron):
        raise TypeError(f"cell must be an eq.DrivenNeuron(neuron, excitation=..., inhibition=...), got {cell!r}.")
    membrane(cell.neuron, StepControl())
    if rule is not None:
        check_rule(rule)


def check_rule(rule: object) -> None:
    """Raise TypeError that names what to use instead, unless the loop knows the rule's closed form."""
    if type(rule) not in SENSED:
        known = ", ".join(kind.__name__ for kind in SENSED)
        raise TypeError(
            f"The event loop runs {known}, got {type(rule).__name__}. Use equipoise.theory.evolve for other rules, "
            "or equipoise.renewal.kinetics for proteins along a spike train."
        )


# --- descriptions as the core reads them ------------------------------------------------------------------------------
def _description(run: CellRun, until: float) -> tuple[Array, Array, Array, Array, Array]:
    flush = np.inf if run.rule is None else run.steps.flush
    times = np.array([until, flush, run.watch.every])
    return membrane(run.cell.neuron, run.steps), _inputs(run.cell), _sensor(run.rule, run.watch), _rule(run.rule), times


def _inputs(cell: DrivenNeuron) -> Array:
    e, i = cell.excitation, cell.inhibition
    return np.array([e.total_rate, i.total_rate, cell.drive, e.noise_rate, i.noise_rate])


def _sensor(rule: EventRule | None, watch: Watch) -> Array:
    sensor = rule.sensor if isinstance(rule, CalciumHomeostasis) else watch.sensor
    return np.array([sensor.tau, sensor.influx, sensor.retention])


def _rule(rule: EventRule | None) -> Array:
    if rule is None:
        return np.array([0.0, 0.0, 1.0, 1.0, 0.0])
    tau_adapt = rule.tau_adapt if isinstance(rule, AdaptiveCalciumHomeostasis) else 0.0
    return np.array([SENSED[type(rule)], float(rule.scale == "relative"), rule.tau_e, rule.tau_i, tau_adapt])


def _initial_state(function: str, start: Weights | ArrayLike, rule: EventRule | None) -> Array:
    given = finite(function, "start", np.array(tuple(start)) if isinstance(start, Weights) else start, low=0.0)
    names = ("j_e", "j_i") if rule is None else rule.variables
    if given.shape not in ((2,), (len(names),)):
        raise ValueError(
            f"{function}: start must be the weights (j_e, j_i) or all of {', '.join(names)}, got {start!r}."
        )
    state = np.zeros(PLACES)
    if isinstance(rule, RateHomeostasis):
        state[TARGET_E : TARGET_I + 1] = rule.target_e, rule.target_i
    elif rule is not None:
        state[TARGET_E : TARGET_I + 1] = targets_of(rule.target)[::-1]
    state[J_E : J_E + given.size] = given
    return state


def _rows(done: int, stop: float, every: float) -> int:
    return max(0, int(stop / every) + 1 - done)


# --- results ----------------------------------------------------------------------------------------------------------
def _status(outcome: int, now: Array) -> Status:
    if outcome == DONE:
        return Status.WEIGHT_AT_ZERO if min(now[1], now[2]) == 0.0 else Status.OK
    return {BUDGET_SPENT: Status.NOT_CONVERGED, NOT_FINITE: Status.RUNAWAY, INTERRUPTED: Status.INTERRUPTED}[outcome]


def _loop_state(now: Array) -> LoopState:
    return LoopState(**dict(zip(("calcium", "j_e", "j_i", "target_e", "target_i"), now.tolist(), strict=True)))


def _samples(buffer: Array, n: int) -> LoopSamples:
    t, j_e, j_i, target_e, target_i, mean, second, count = buffer[: COLUMNS * n].reshape(n, COLUMNS).T.copy()
    return LoopSamples(
        t=t, j_e=j_e, j_i=j_i, target_e=target_e, target_i=target_i, calcium_mean=mean, calcium_second_moment=second,
        spike_count=count,
    )  # fmt: skip
