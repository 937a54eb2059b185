"""Rules followed by what spikes make them sense: through the manipulation and its washout by `spiking.evolve`."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.dynamics import duration_text
from equipoise.inference.candidates import Candidate, rules_of
from equipoise.inference.operating import POPULATIONS
from equipoise.inference.prediction_observables import SLOW, kind_of, observables_of
from equipoise.inference.prediction_path import FEWEST, Journey, States, course_of, evolved, last_moves, state_at, still
from equipoise.inference.prediction_rest import SpikingRest
from equipoise.inference.prediction_spikes import Runs, circuit_at
from equipoise.inference.prediction_table import Told, required, silence
from equipoise.inference.predictions import PHASES
from equipoise.inference.slow_batch import STEPS, Rule
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.spiking.evolution import Evolution
from equipoise.spiking.progress import telling

if TYPE_CHECKING:
    import xarray as xr

GONE = math.log(100.0)
"""Logarithm of a gain beyond which a weight counts as gone."""
FULL = 0.9
"""Share of 1/tau_ref above which a population counts as saturated."""
POWER = {"rate": 1.0, "calcium_mean": 1.0, "calcium_second": 2.0}
"""How these go with the rate."""


def told_by_spikes(asked: Sequence[Candidate], journey: Journey) -> list[Told]:
    """All rules under all doses; what Ctrl-C left undone has the status INTERRUPTED."""
    ruled = [(rule, *_ruled(rule, journey.at)) for rule in asked]
    paths = sum(bool(rules) for _, rules, _ in ruled) * len(journey.doses)
    out = [Told.blank(rule, rules, len(journey.doses), len(journey.at.value), why) for rule, rules, why in ruled]
    runs = Runs(journey.how, {journey.circuit.digest: (journey.at.value, journey.at.error)})
    with telling(journey.how.progress, max(1, paths) * sum(journey.spans)) as tell:
        done = 0
        try:
            for one in (one for one in out if one.status[0] is Status.INTERRUPTED):
                one.rest[:], one.time[:] = journey.at.value, journey.moments
                for i in range(len(journey.doses)):
                    _tell(one, i, runs, journey, lambda part: tell((done + part) / max(1, paths)))  # noqa: B023
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


def _tell(one: Told, i: int, runs: Runs, journey: Journey, tell: Callable[[float], None]) -> None:
    """Fill in one rule under dose i."""
    dose = journey.doses[i]
    under = dose.apply(journey.circuit, journey.unit)
    _measure(one, (i, 0), runs, under, still(len(journey.names)))
    rates = _rates(one, i, 0, journey)
    quiet = [name for name in required(one.rules) if rates[name] == 0.0]
    if quiet:
        one.ends(i, Status.INFEASIBLE, silence(quiet[0], "into the manipulation"))
    elif not one.rules:
        _stays(one, i, runs, journey, under)
    else:
        try:
            path = evolved(one.rules, dose, journey, tell)
        except (TypeError, ValueError) as error:
            one.ends(i, Status.FAILED, str(error))
            return
        _along(one, i, runs, journey, (path, under))


def _along(one: Told, i: int, runs: Runs, journey: Journey, of: tuple[Evolution, Circuit]) -> None:
    """Fill in the course of a path and the phases that it reached; KeyboardInterrupt where it was stopped."""
    path, under = of
    one.course[i] = course_of(path.data, journey)
    first, last = journey.spans[0], sum(journey.spans)
    for k, circuit, stretch in (
        (1, under, (0.0, first)), (2, journey.circuit, (0.0, first)), (3, journey.circuit, (first, last)),
    ):  # fmt: skip
        if float(path.data["time"][-1]) >= stretch[1]:
            _measure(one, (i, k), runs, circuit, state_at(path.data, journey, stretch))
            _add_scatter(one, (i, k), path.data, journey, stretch)
    one.ends(i, *_end(one, i, path.status, path.message, journey))
    if path.status is Status.INTERRUPTED:
        raise KeyboardInterrupt


def _measure(one: Told, at: tuple[int, int], runs: Runs, circuit: Circuit, states: States) -> None:
    """Observables in the phase `at` (dose, phase): of spikes, and the slow variables themselves."""
    i, k = at
    value, error = runs.of(circuit_at(circuit, states.logs[0], states.threshold[0]))
    one.value[i, k], one.error[i, k] = value, error
    slow = [kind_of(o.name) in SLOW for o in observables_of([p.name for p in circuit.populations])]
    one.value[i, k, slow], one.error[i, k, slow] = _columns(states)


def _columns(states: States) -> tuple[Array, Array]:
    """J_E, J_I and threshold of all populations and their errors, in the order of observables, at the first time."""
    gains = np.exp(states.logs[0])
    value = np.concatenate([gains[:, 0], gains[:, 1], states.threshold[0]])
    errors = gains * states.logs_error[0]
    return value, np.concatenate([errors[:, 0], errors[:, 1], states.threshold_error[0]])


def _stays(one: Told, i: int, runs: Runs, journey: Journey, under: Circuit) -> None:
    """Nothing moves: what is acute stays while the manipulation does."""
    for k, circuit in enumerate((under, journey.circuit, journey.circuit), start=1):
        _measure(one, (i, k), runs, circuit, still(len(journey.names)))
    half = STEPS + 1
    one.course[i, :half], one.course[i, half:] = one.value[i, 0], one.value[i, 2]
    one.ends(i, *_end(one, i, Status.OK, "", journey))


def _add_scatter(
    one: Told, at: tuple[int, int], data: "xr.Dataset", journey: Journey, stretch: tuple[float, float]
) -> None:
    """Add to errors what is uncertain in rates since the slow state is.

    That is the scatter of windows about the line through the last of them, and how far a run at the state that was
    extrapolated from them differs from where that line ends.
    """
    rows, names = last_moves(data, stretch), [o.name for o in observables_of(journey.names)]
    if rows.size < FEWEST:
        return
    t, i, k = data["time"].values[rows] - stretch[1], *at
    for p in data["population"].values:
        seen = data["rate"].sel(population=p).values[rows]
        line = np.polyfit(t, seen, 1)
        scatter = 2.0 * (seen - np.polyval(line, t)).std(ddof=2) / math.sqrt(rows.size)
        apart = one.value[i, 1 if k == 2 else k, names.index(f"rate_{p}")] - line[1]
        relative = math.hypot(scatter, apart) / max(seen.mean(), 1e-12)
        for kind, power in POWER.items():
            j = names.index(f"{kind}_{p}")
            one.error[i, k, j] = math.hypot(one.error[i, k, j], power * relative * one.value[i, k, j])


# --- how it ended -----------------------------------------------------------------------------------------------------
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
    for rule in (r for r in one.rules if isinstance(r, AttachedRule)):
        for kind, words in (("J_E", "excitatory"), ("J_I", "inhibitory")):
            course = one.course[i, :, names.index(f"{kind}_{rule.population}")]
            out = np.flatnonzero(course < math.exp(-GONE))
            if out.size:
                when = duration_text(float(one.time[out[0]]))
                return f"{words} weights onto {rule.population} come to zero, {when} from the beginning."
    return ""
