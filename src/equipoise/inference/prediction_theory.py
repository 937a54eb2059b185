"""What rules make of a manipulation of a given circuit, by mean field: slow paths, observables, why some have none."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.dynamics import duration_text
from equipoise.inference.batch import RAMP
from equipoise.inference.candidates import Candidate, rules_of
from equipoise.inference.doses import Dose
from equipoise.inference.networks import SILENT, Networks, networks_of
from equipoise.inference.prediction_table import required, silence
from equipoise.inference.predictions import courses
from equipoise.inference.resting import Resting
from equipoise.inference.slow_batch import FLAT, Course, SlowBatch, follow
from equipoise.model.attached_rules import AttachedRule
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.units import Hz, ms

FAR = np.log(100.0)
"""Logarithm of a gain beyond which a weight counts as gone, or as growing without end."""
BRANCHING_BIN = 4 * ms
BAND = (30 * Hz, 50 * Hz)
"""Of the aperiodic exponent."""
FOLLOWED = 40
"""Neurons of E whose input makes the LFP proxy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreseen:
    """One rule under n doses: the course during (`during`) and after (`after`) the manipulation, and how it ended.

    `system` is the undisturbed network under the rule, `under` the manipulated networks. status and reason (n,).
    """

    rule: Candidate
    system: SlowBatch[Networks]
    under: Networks
    during: Course
    after: Course
    status: tuple[Status, ...]
    reason: tuple[str, ...]

    def phases(self) -> list[tuple[Networks, Array, Array]]:
        """(networks, slow variables, states) as the manipulation begins and ends, and as washout does."""
        parts = ((self.under, self.during), (self.system.batch, self.after))
        return [(net, c.z[k], c.r[k]) for net, c in parts for k in (0, -1)]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A rule that cannot be followed at this level, and why."""

    rule: Candidate
    status: Status
    reason: str


def foreseen(rule: Candidate, at: Resting, doses: tuple[Dose, ...], spans: tuple[float, float]) -> Foreseen | Refused:
    """Follow a rule through all doses; refused where it is not stable, or is one that mean field does not represent."""
    try:
        rules = rules_of(rule, at)
    except TypeError as error:
        return Refused(rule=rule, status=Status.FAILED, reason=str(error))
    n, k = len(doses), sum(2 if isinstance(r, AttachedRule) else 1 for r in rules)
    one = SlowBatch(batch=at.network, names=at.names, rules=rules, speed=np.ones((1, k)))
    held, why = _held(one, at)
    if held is Status.UNSTABLE:
        return Refused(rule=rule, status=held, reason=why)
    system = SlowBatch(batch=Networks(at.network.wirings * n), names=at.names, rules=rules, speed=np.ones((n, k)))
    under = networks_of([dose.apply(at.circuit, at) for dose in doses])
    during, after = courses(system, under, np.tile(at.x, (n, 1)), spans, along=followed)
    ends = [_end(system, under, at, during, after, i) for i in range(n)]
    found = [(s, w) if s is not Status.OK else (held, why) for s, w in ends]
    return Foreseen(
        rule=rule, system=system, under=under, during=during, after=after, status=tuple(s for s, _ in found),
        reason=tuple(w for _, w in found),
    )  # fmt: skip


def _held(system: SlowBatch[Networks], at: Resting) -> tuple[Status, str]:
    """Whether the rule holds the circuit where it rests, and if not, how fast a disturbance grows."""
    if not system.speed.shape[1]:
        return Status.OK, ""
    slopes = system.slopes(np.zeros_like(system.speed), at.x[None])[0]
    values = np.linalg.eigvals(slopes).real
    if values.max() > FLAT * np.abs(values).max():
        grows = duration_text(1.0 / float(values.max()))
        return Status.UNSTABLE, f"the rule does not hold this circuit: a disturbance grows e-fold in {grows}."
    if (np.abs(values) <= FLAT * np.abs(values).max()).any():
        return Status.MARGINAL, "some combinations of weights are held by nothing: noise moves them."
    return Status.OK, ""


def _end(
    system: SlowBatch[Networks], under: Networks, at: Resting, during: Course, after: Course, i: int
) -> tuple[Status, str]:
    """How the course of one dose ended."""
    if not np.isfinite(during.r[0, i]).all():
        return Status.PAST_FOLD, f"the resting state ends at once, at {_reached(at, under, i):.0%} of the dose."
    for words, course in (("into the manipulation", during), ("after the manipulation", after)):
        quiet = [name for name in required(system.rules) if (course.r[:, i, at.names.index(name)] < SILENT).any()]
        if quiet:
            return Status.INFEASIBLE, silence(quiet[0], words)
        far = _far(system, course, i)
        if far is not None:
            return far[0], f"{far[1]}, {duration_text(far[2])} {words}."
        lost = np.flatnonzero(~np.isfinite(course.r[:, i]).all(axis=1))
        if lost.size:
            return _lost(course, i, int(lost[0]), words)
    return Status.OK, ""


def _lost(course: Course, i: int, k: int, words: str) -> tuple[Status, str]:
    """Why the state of the rates was lost at moment k."""
    if not k:
        return Status.PAST_FOLD, "as the manipulation ends the state of the rates does, in a fold or unstable."
    when, P = duration_text(float(course.time[k])), course.r.shape[2] // 2
    if (course.r[k - 1, i, :P] < SILENT).all():
        return Status.RUNAWAY, f"weights grow for as long as all cells are silent; followed for {when}."
    return Status.PAST_FOLD, f"the state of the rates ends, in a fold or unstable, {when} {words}."


def _far(system: SlowBatch[Networks], course: Course, i: int) -> tuple[Status, str, float] | None:
    """The first weight that leaves the range of factors 1/100 to 100, and when."""
    at = 0
    for rule in system.rules:
        if not isinstance(rule, AttachedRule):
            at += 1
            continue
        for k, kind in enumerate(("excitatory", "inhibitory")):
            z = np.nan_to_num(course.z[:, i, at + k])
            out = np.flatnonzero(np.abs(z) > FAR)
            if out.size:
                status = Status.RUNAWAY if z[out[0]] > 0.0 else Status.WEIGHT_AT_ZERO
                words = "grow without end" if z[out[0]] > 0.0 else "come to zero"
                return status, f"{kind} weights onto {rule.population} {words}", float(course.time[out[0]])
        at += 2
    return None


def _reached(at: Resting, under: Networks, i: int) -> float:
    """The part of a dose up to which the resting state can be followed at once."""
    here, last, x = at.network, Networks(under.wirings[i : i + 1]), at.x[None]
    for k in range(RAMP):
        x = here.toward(last, (k + 1) / RAMP).settled(x)
        if not np.isfinite(x).all():
            return k / RAMP
    return 1.0


# --- in time ----------------------------------------------------------------------------------------------------------
def followed(system: SlowBatch[Networks], z: Array, r: Array, span: float) -> Course:
    """The course of each network, until a weight is gone or its state ends."""
    return follow(system, z, r, span, ended=_over)


def _over(system: SlowBatch[Networks], z: Array, x: Array) -> NDArray[np.bool_]:
    """Whether a weight is gone or grows without end, or a population is silent whose required input is sensed (n,)."""
    gone = np.abs(system.parts(z)[0]).max(axis=(1, 2)) > FAR
    blind = [x[:, system.names.index(name)] < SILENT for name in required(system.rules)]
    return np.any([gone, *blind], axis=0)


# --- observables ------------------------------------------------------------------------------------------------------
def observed(
    net: Networks, z: Array, x: Array, system: SlowBatch[Networks], at: Resting, *, field: bool = True
) -> Array:
    """Observables (n, observable) of networks at slow variables z and states x, in the order of `observables`.

    Without `field` the exponent of the field, which takes longest, is left out.
    """
    here = replace(system, batch=net).moved(np.nan_to_num(z))
    P = len(at.names)
    r, q = x[:, :P], x[:, P:]
    calcium = np.array([here.calcium(at.sensor, a, x) for a in range(P)])  # (P, 2, n)
    cv = here.irregularity(x)
    logs, threshold = system.parts(z)
    gains = np.exp(logs)
    growth = here.growth(x)
    columns = [
        r, np.sqrt(np.maximum(q - r * r, 0.0)), cv, cv, calcium[:, 0].T, calcium[:, 1].T, gains[..., 0], gains[..., 1],
        threshold, np.exp(BRANCHING_BIN * growth / at.tau_m)[:, None],
        _exponents(here, x, at, field)[:, None],
    ]  # fmt: skip
    out = np.concatenate(columns, axis=1)
    out[~np.isfinite(x).all(axis=1)] = np.nan
    return out


def _exponents(here: Networks, x: Array, at: Resting, field: bool) -> Array:
    """Exponents of the field of E (n,) at states x; NaN where linear response is not known or does not hold."""
    e, known = at.names.index("E"), at.fluctuations
    if known is None or not field:
        return np.full(len(x), np.nan)
    return np.array(
        [
            replace(known, wiring=w).exponent(y, BAND, target=e, cells=FOLLOWED)
            for w, y in zip(here.wirings, x, strict=True)
        ]
    )
