"""What each level makes of all rules: mean field, spikes at its slow states, and spikes by themselves."""

from collections.abc import Sequence

import numpy as np

from equipoise.inference.candidates import Candidate
from equipoise.inference.doses import Dose
from equipoise.inference.prediction_follow import told_by_spikes
from equipoise.inference.prediction_observables import SLOW, kind_of, observables_of
from equipoise.inference.prediction_path import Journey
from equipoise.inference.prediction_spikes import Runs, Spikes, circuit_at
from equipoise.inference.prediction_table import AGAINST, LEFT, Level, Told
from equipoise.inference.prediction_theory import Foreseen, Refused, Resting, observed
from equipoise.inference.slow_batch import SlowBatch
from equipoise.quantities import Array
from equipoise.results import Status

Found = Foreseen | Refused


def by_theory(at: Resting, doses: Sequence[Dose], found: Sequence[Found], *, field: bool) -> Level:
    """Mean field, with the course of its slow states, and of the `field` where asked for."""
    baseline = _baseline(at, field)
    told = [_blank(one, len(doses), baseline) for one in found]
    for one, out in zip(found, told, strict=True):
        if isinstance(one, Foreseen):
            out.course[:], out.time[:] = _course(one, at, field)
            out.value[:] = out.course[:, AGAINST]
            out.error[np.isfinite(out.value)] = 0.0
    return Level(baseline=baseline, error=np.where(np.isfinite(baseline), 0.0, np.nan), told=told, followed=True)


def by_spikes_at_theory(at: Resting, doses: Sequence[Dose], found: Sequence[Found], how: Spikes) -> Level:
    """Spikes at the slow states of theory; a circuit that recurs is simulated once."""
    rest, slow = _baseline(at, field=False), np.array([kind_of(o.name) in SLOW for o in observables_of(at.names)])
    runs = Runs(how, {})
    value, error = runs.of(at.circuit)
    told = [_blank(one, len(doses), rest) for one in found]
    try:
        for one, out in zip(found, told, strict=True):
            if isinstance(one, Foreseen):
                for i, dose in enumerate(doses):
                    _measured_at(out, i, (one, at, dose), runs, slow)
    except KeyboardInterrupt:
        _stopped(told)
    return Level(
        baseline=np.where(slow, rest, value), error=np.where(slow, 0.0, error), told=told, followed=False,
    )  # fmt: skip


def by_spikes(asked: Sequence[Candidate], journey: Journey) -> Level:
    """Spikes by themselves."""
    slow = np.array([kind_of(o.name) in SLOW for o in observables_of(journey.names)])
    still = np.array([0.0 if o.name.startswith("threshold") else 1.0 for o in observables_of(journey.names)])
    value, error = np.where(slow, still, journey.at.value), np.where(slow, 0.0, journey.at.error)
    return Level(baseline=value, error=error, told=told_by_spikes(asked, journey), followed=True)


def _blank(one: Found, doses: int, rest: Array) -> Told:
    """What is known of a rule before its values: its rules, and how each dose ended."""
    refused = isinstance(one, Refused)
    out = Told.blank(one.rule, () if refused else one.system.rules, doses, rest.size)
    out.rest[:] = rest
    for i in range(doses):
        out.ends(i, *((one.status, one.reason) if refused else (one.status[i], one.reason[i])))
    return out


def _stopped(told: Sequence[Told]) -> None:
    """After Ctrl-C: rules without all their values are INTERRUPTED."""
    for one in told:
        for i, status in enumerate(one.status):
            if status in (Status.OK, Status.MARGINAL) and not np.isfinite(one.value[i, -1]).any():
                one.ends(i, Status.INTERRUPTED, LEFT)


def _measured_at(
    out: Told,
    i: int,
    of: tuple[Foreseen, Resting, Dose],
    runs: Runs,
    slow: Array,
) -> None:
    """Spikes of one rule at the slow states that theory reached under dose i."""
    one, at, dose = of
    under = dose.apply(at.circuit, at)
    for k, (net, z, r) in enumerate(one.phases()):
        if np.isfinite(r[i]).all():
            (logs,), (threshold,) = one.system.parts(z[i][None])
            value, error = runs.of(circuit_at(under if k < 2 else at.circuit, logs, threshold))
            theory = observed(net, z, r, one.system, at, field=False)[i]
            out.value[i, k], out.error[i, k] = np.where(slow, theory, value), np.where(slow, 0.0, error)


def _course(one: Foreseen, at: Resting, field: bool) -> tuple[Array, Array]:
    """Observables (dose, moment, observable) and the times of a rule, through the manipulation and after it.

    The exponent of the `field` is told at the ends only.
    """
    out = []
    for net, course in ((one.under, one.during), (one.system.batch, one.after)):
        last = len(course.time) - 1
        for k, (z, r) in enumerate(zip(course.z, course.r, strict=True)):
            out.append(observed(net, z, r, one.system, at, field=field and k in (0, last)))
    times = np.concatenate([one.during.time, one.during.time[-1] + one.after.time])
    return np.stack(out, axis=1), times


def _baseline(at: Resting, field: bool) -> Array:
    """The state of rest; no rule has moved."""
    system = SlowBatch(batch=at.network, names=at.names, rules=(), speed=np.zeros((1, 0)))
    return observed(at.network, np.zeros((1, 0)), at.x[None], system, at, field=field)[0]
