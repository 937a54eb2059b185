"""Rules followed by what spikes make them sense: through the manipulation and its washout by `spiking.evolve`."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics import duration_text
from equipoise.inference.candidates import Candidate, rules_of
from equipoise.inference.doses import Dose
from equipoise.inference.operating import POPULATIONS, Operating
from equipoise.inference.prediction_observables import SLOW, kind_of, observables_of
from equipoise.inference.prediction_rest import PIECES, SpikingRest
from equipoise.inference.prediction_spikes import Spikes, circuit_at, forgotten, measured
from equipoise.inference.prediction_table import Told, silence
from equipoise.inference.predictions import PHASES
from equipoise.inference.slow_batch import STEPS, Rule
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During
from equipoise.model.slow_variables import RequiredInput
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.spiking import evolve
from equipoise.spiking.progress import telling
from equipoise.units import minute

if TYPE_CHECKING:
    import xarray as xr

GONE = math.log(100.0)
"""Logarithm of a gain beyond which a weight counts as gone."""
FULL = 0.9
"""Share of 1/tau_ref above which a population counts as saturated."""
LATE, FEWEST = 0.25, 4
"""The part of a stretch whose moves say where it ends, and how many these are at least."""
POWER = {"rate": 1.0, "calcium_mean": 1.0, "calcium_second": 2.0}
"""How these go with the rate."""
SENSED = {"rate": "rate", "calcium_mean": "calcium_mean", "calcium_second": "calcium_second_moment"}
"""Observables that an evolution has, under its own names."""


@dataclass(frozen=True)
class Acting:
    """A dose in a schedule, its strengths in units of the state `at` rest."""

    dose: Dose
    at: Operating

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit under the dose."""
        return self.dose.apply(circuit, self.at)

    def __repr__(self) -> str:
        """What it does to the circuit at rest, the same in every process."""
        assert self.at.circuit is not None
        return f"Acting({self.dose.label}: {self.apply(self.at.circuit).digest})"


@dataclass(frozen=True, kw_only=True)
class Journey:
    """What all paths share: where they set out, doses with the state `unit` that gives their strengths, and times."""

    at: SpikingRest
    unit: Operating
    doses: tuple[Dose, ...]
    spans: tuple[float, float]
    how: Spikes

    @property
    def circuit(self) -> Circuit:
        """The circuit without rules."""
        assert self.at.circuit is not None
        return self.at.circuit

    @property
    def names(self) -> list[str]:
        """All populations."""
        return [p.name for p in self.circuit.populations]

    @property
    def moments(self) -> Array:
        """Times of a course [s], dense after each change (2 (STEPS + 1),)."""
        parts = [np.geomspace(min(minute, 1e-2 * span), span, STEPS) for span in self.spans]
        return np.concatenate([[0.0], parts[0], self.spans[0] + np.concatenate([[0.0], parts[1]])])


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """Slow variables of all populations at several times, with errors.

    `logs` (t, P, 2) of the gains of excitatory and inhibitory weights, `threshold` (t, P) [V/s].
    """

    logs: Array
    logs_error: Array
    threshold: Array
    threshold_error: Array


def told_by_spikes(asked: Sequence[Candidate], journey: Journey) -> list[Told]:
    """All rules under all doses; what Ctrl-C left undone has the status INTERRUPTED."""
    ruled = [(rule, *_ruled(rule, journey.at)) for rule in asked]
    paths = sum(bool(rules) for _, rules, _ in ruled) * len(journey.doses)
    out = [Told.blank(rule, rules, len(journey.doses), len(journey.at.value), why) for rule, rules, why in ruled]
    runs = Runs(journey)
    with telling(journey.how.progress, max(1, paths) * sum(journey.spans)) as tell:
        done = 0
        try:
            for one in (one for one in out if one.status[0] is Status.INTERRUPTED):
                one.rest[:], one.time[:] = journey.at.value, journey.moments
                for i in range(len(journey.doses)):
                    _tell(one, i, runs, lambda part: tell((done + part) / max(1, paths)))  # noqa: B023
                    done += bool(one.rules)
        except KeyboardInterrupt:
            pass
    return out


def _ruled(rule: Candidate, at: SpikingRest) -> tuple[tuple[Rule, ...], str]:
    """The rules of a candidate with their set points, and why there are none."""
    try:
        return rules_of(rule, at), ""
    except TypeError as error:
        return (), str(error)


class Runs:
    """Circuits simulated and measured, each once."""

    def __init__(self, journey: Journey):
        self.journey = journey
        self.done = {journey.circuit.digest: (journey.at.value, journey.at.error)}

    def of(self, circuit: Circuit) -> tuple[Array, Array]:
        """Observables and their standard errors (observable,)."""
        if circuit.digest not in self.done:
            self.done[circuit.digest] = measured(circuit, self.journey.how)
        return self.done[circuit.digest]


def _tell(one: Told, i: int, runs: Runs, tell: Callable[[float], None]) -> None:
    """Fill in one rule under dose i."""
    journey = runs.journey
    dose = journey.doses[i]
    under, still = dose.apply(journey.circuit, journey.unit), _still(len(journey.names))
    _measure(one, (i, 0), runs, under, still)
    why = _blind(one, i, journey)
    if why:
        one.ends(i, Status.INFEASIBLE, why)
        return
    if not one.rules:
        _stays(one, i, runs, under)
        return
    try:
        path = _path(one.rules, dose, journey, tell)
    except (TypeError, ValueError) as error:
        one.ends(i, Status.FAILED, str(error))
        return
    one.course[i] = course_of(path.data, journey)
    end = float(path.data["time"][-1])
    for k, at in enumerate((None, journey.spans[0], journey.spans[0], sum(journey.spans))):
        if at is not None and end >= at:
            stretch = (0.0 if k < 3 else journey.spans[0], at)
            _measure(one, (i, k), runs, under if k == 1 else journey.circuit, state_at(path.data, journey, stretch))
            _add_scatter(one, (i, k), path.data, journey, stretch)
    one.ends(i, *_end(one, i, path.status, path.message, journey))
    if path.status is Status.INTERRUPTED:
        raise KeyboardInterrupt


def _path(rules: tuple[Rule, ...], dose: Dose, journey: Journey, tell: Callable[[float], None]):
    """The evolution of the circuit under rules and dose."""
    how, circuit = journey.how, journey.circuit.with_rules(rules)
    schedule = [During(Acting(dose, journey.unit), 0.0, journey.spans[0])]
    return evolve(
        circuit, duration=sum(journey.spans), seed=how.seed, schedule=schedule, speed=how.speed, pace=how.pace,
        checkpoint=_file(how, circuit, schedule[0], journey.spans), progress=tell,
    )  # fmt: skip


def _file(how: Spikes, circuit: Circuit, acting: During, spans: tuple[float, float]) -> Path | None:
    """Where a path is kept: a name that holds for this circuit, dose and pace alone."""
    if how.store is None:
        return None
    from equipoise import __version__

    Path(how.store).mkdir(parents=True, exist_ok=True)
    facts = (__version__, circuit.digest, acting, spans, how.seed, how.speed, how.pace)
    return Path(how.store) / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:20]}.npz"


def _measure(one: Told, at: tuple[int, int], runs: Runs, circuit: Circuit, states: States) -> None:
    """Observables in the phase `at` (dose, phase): of spikes, and the slow variables themselves."""
    i, k = at
    value, error = runs.of(circuit_at(circuit, states.logs[0], states.threshold[0]))
    one.value[i, k], one.error[i, k] = value, error
    slow = [kind_of(o.name) in SLOW for o in observables_of(runs.journey.names)]
    one.value[i, k, slow], one.error[i, k, slow] = _columns(states)


def _columns(states: States) -> tuple[Array, Array]:
    """J_E, J_I and threshold of all populations and their errors, in the order of observables, at the first time."""
    gains = np.exp(states.logs[0])
    value = np.concatenate([gains[:, 0], gains[:, 1], states.threshold[0]])
    errors = gains * states.logs_error[0]
    return value, np.concatenate([errors[:, 0], errors[:, 1], states.threshold_error[0]])


def _still(P: int) -> States:
    pair, one = np.zeros((1, P, 2)), np.zeros((1, P))
    return States(logs=pair, logs_error=pair, threshold=one, threshold_error=one)


def _stays(one: Told, i: int, runs: Runs, under: Circuit) -> None:
    """Nothing moves: what is acute stays while the manipulation does."""
    still = _still(len(runs.journey.names))
    for k, circuit in enumerate((under, runs.journey.circuit, runs.journey.circuit), start=1):
        _measure(one, (i, k), runs, circuit, still)
    half = STEPS + 1
    one.course[i, :half], one.course[i, half:] = one.value[i, 0], one.value[i, 2]
    one.ends(i, *_end(one, i, Status.OK, "", runs.journey))


# --- along an evolution -----------------------------------------------------------------------------------------------
def states_at(data: "xr.Dataset", journey: Journey, times: Array) -> States:
    """The slow variables of an evolution at `times` [s]; weights beside those of the circuit."""
    circuit = journey.circuit
    P, t = len(circuit.populations), times.size
    out = States(logs=np.zeros((t, P, 2)), logs_error=np.zeros((t, P, 2)), threshold=np.zeros((t, P)),
                 threshold_error=np.zeros((t, P)))  # fmt: skip
    for a, p in enumerate(circuit.populations):
        for k, sign in enumerate((1.0, -1.0)):
            found = [q for q in circuit.projections if q.target == p.name and circuit.sign_of(q) == sign
                     and f"J_{p.name}{q.source}" in data]  # fmt: skip
            if found:
                key, first = f"J_{p.name}{found[0].source}", abs(found[0].weight)
                gain, error = (x / first for x in _along(data, key, journey, times, first))
                out.logs[:, a, k], out.logs_error[:, a, k] = np.log(np.maximum(gain, 1e-12)), error / gain
        if f"theta_{p.name}" in data:
            out.threshold[:, a], out.threshold_error[:, a] = _along(data, f"theta_{p.name}", journey, times, 0.0)
    return out


def _along(data: "xr.Dataset", key: str, journey: Journey, times: Array, first: float) -> tuple[Array, Array]:
    """A slow variable at `times`, `first` at time 0, and its error with that of the set points."""
    t, none = np.concatenate([[0.0], data["time"].values]), np.full(data["time"].size, np.nan)
    own, aim = (data[f"{key}_{kind}"].values if f"{key}_{kind}" in data else none for kind in ("error", "aim_error"))
    error = np.hypot(own, aim / math.sqrt(PIECES * (journey.how.duration - forgotten(journey.how))))
    value = np.interp(times, t, np.concatenate([[first], data[key].values]))
    return value, np.interp(times, t, np.concatenate([[0.0], error]))


def state_at(data: "xr.Dataset", journey: Journey, stretch: tuple[float, float]) -> States:
    """The slow variables at the end of a stretch of time [s], by the line through its last moves.

    Each single move follows the fluctuations of one window, which hours do not.
    """
    rows, at = _last(data, stretch), np.array([stretch[1]])
    exact = states_at(data, journey, at)
    if rows.size < FEWEST:
        return exact
    along = states_at(data, journey, data["time"].values[rows])
    t = data["time"].values[rows] - stretch[1]
    logs, threshold = (np.polyfit(t, x.reshape(t.size, -1), 1)[1] for x in (along.logs, along.threshold))
    return replace(exact, logs=logs.reshape(exact.logs.shape), threshold=threshold.reshape(exact.threshold.shape))


def _last(data: "xr.Dataset", stretch: tuple[float, float]) -> NDArray[np.int64]:
    """The moves in the last quarter of a stretch, at least the last few."""
    t, (start, stop) = data["time"].values, stretch
    late = np.flatnonzero((t > stop - LATE * (stop - start)) & (t <= stop))
    return late if late.size >= FEWEST else np.flatnonzero((t > start) & (t <= stop))[-FEWEST:]


def _add_scatter(
    one: Told, at: tuple[int, int], data: "xr.Dataset", journey: Journey, stretch: tuple[float, float]
) -> None:
    """Add to errors what is uncertain in rates since the slow state is: the scatter of windows about their line."""
    rows, names = _last(data, stretch), [o.name for o in observables_of(journey.names)]
    if rows.size < FEWEST:
        return
    t, i, k = data["time"].values[rows] - stretch[1], *at
    for p in data["population"].values:
        seen = data["rate"].sel(population=p).values[rows]
        rest = seen - np.polyval(np.polyfit(t, seen, 1), t)
        relative = 2.0 * rest.std(ddof=2) / max(seen.mean(), 1e-12) / math.sqrt(rows.size)
        for kind, power in POWER.items():
            j = names.index(f"{kind}_{p}")
            one.error[i, k, j] = math.hypot(one.error[i, k, j], power * relative * one.value[i, k, j])


def course_of(data: "xr.Dataset", journey: Journey) -> Array:
    """Observables along an evolution (moment, observable), NaN where it has none or has ended.

    What is sensed belongs to the beginning of each move, slow variables to its end.
    """
    names, moments = [o.name for o in observables_of(journey.names)], journey.moments
    out, half, edge = np.full((moments.size, len(names)), np.nan), STEPS + 1, journey.spans[0]
    states = states_at(data, journey, moments)
    gains = np.exp(states.logs)
    for a, p in enumerate(journey.names):
        slow = {"J_E": gains[:, a, 0], "J_I": gains[:, a, 1], "threshold": states.threshold[:, a]}
        for kind, values in slow.items():
            out[:, names.index(f"{kind}_{p}")] = values
    ends = data["time"].values
    begins = np.concatenate([[0.0], ends[:-1]])
    for part, mine in ((slice(half), ends <= edge), (slice(half, None), ends > edge)):
        for kind, p in ((kind, p) for kind in SENSED for p in data["population"].values if mine.any()):
            seen = data[SENSED[kind]].sel(population=p).values[mine]
            out[part, names.index(f"{kind}_{p}")] = np.interp(moments[part], begins[mine], seen)
    out[moments > ends[-1]] = np.nan
    return out


# --- how it ended -----------------------------------------------------------------------------------------------------
def _blind(one: Told, i: int, journey: Journey) -> str:
    """Why a rule has nothing to sense under a dose: a population whose required input it senses is silent."""
    senses = [s for rule in one.rules for s in getattr(rule, "senses", ()) if isinstance(s, RequiredInput)]
    rates = _rates(one, i, 0, journey)
    quiet = [s.population for s in senses if rates[s.population] == 0.0]
    return silence(quiet[0], "into the manipulation") if quiet else ""


def _rates(one: Told, i: int, k: int, journey: Journey) -> dict[str, float]:
    names = [o.name for o in observables_of(journey.names)]
    return {p: float(one.value[i, k, names.index(f"rate_{p}")]) for p in journey.names}


def _end(one: Told, i: int, status: Status, message: str, journey: Journey) -> tuple[Status, str]:
    """How a path ended: as the evolution did, or with weights or populations that are out of range."""
    if status is not Status.OK:
        return status, message
    gone = _gone(one, i, journey)
    if gone:
        return Status.WEIGHT_AT_ZERO, gone
    for k, phase in enumerate(PHASES):
        for p, rate in _rates(one, i, k, journey).items():
            if rate == 0.0 and p in POPULATIONS:
                return Status.SILENT, f"{p} does not fire ({phase})."
            share = rate * journey.circuit.node(p).neuron.tau_ref  # pyright: ignore[reportAttributeAccessIssue]
            if share > FULL:
                return Status.SATURATED, f"{p} fires at {share:.0%} of 1/tau_ref ({phase})."
    return Status.OK, ""


def _gone(one: Told, i: int, journey: Journey) -> str:
    """Weights that came to zero, in words."""
    names = [o.name for o in observables_of(journey.names)]
    for rule in one.rules:
        for kind, words in (("J_E", "excitatory"), ("J_I", "inhibitory")) if isinstance(rule, AttachedRule) else ():
            course = one.course[i, :, names.index(f"{kind}_{rule.population}")]
            out = np.flatnonzero(course < math.exp(-GONE))
            if out.size:
                when = duration_text(float(one.time[out[0]]))
                return f"{words} weights onto {rule.population} come to zero, {when} from the beginning."
    return ""
