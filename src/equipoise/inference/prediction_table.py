"""What a level says of rules, and the table of all levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference.candidates import Candidate
from equipoise.inference.doses import Dose
from equipoise.inference.prediction_observables import note_of, observables_of
from equipoise.inference.prediction_pull import filled
from equipoise.inference.predictions import PHASES
from equipoise.inference.slow_batch import STEPS, Rule
from equipoise.model.slow_variables import RequiredInput
from equipoise.quantities import Array
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

MOMENTS = 2 * (STEPS + 1)
"""Times of a course: through the manipulation, and after it."""
AGAINST = (0, STEPS, STEPS + 1, -1)
"""Where the four phases are among the moments."""
LEFT = "the call was stopped before this rule was followed to its end; with a store it goes on."


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """What a level says of a rule, filled in dose by dose.

    `value` and `error` (dose, phase, observable), `course` (dose, moment, observable) at `time` (moment,) [s], `status`
    and `reason` of each dose. `rest` (observable,) is the state to which the set points of its `rules` belong.
    """

    rule: Candidate
    rules: tuple[Rule, ...]
    value: Array
    error: Array
    course: Array
    time: Array
    rest: Array
    status: list[Status]
    reason: list[str]

    @classmethod
    def blank(cls, rule: Candidate, rules: tuple[Rule, ...], doses: int, observables: int, why: str = "") -> "Told":
        """Nothing known: INTERRUPTED as long as nothing is, FAILED where there is a reason `why` not."""
        status, reason = (Status.FAILED, why) if why else (Status.INTERRUPTED, LEFT)
        cells = np.full((2, doses, len(PHASES), observables), np.nan)
        return cls(
            rule=rule, rules=rules, value=cells[0], error=cells[1], status=[status] * doses, reason=[reason] * doses,
            course=np.full((doses, MOMENTS, observables), np.nan), time=np.full(MOMENTS, np.nan),
            rest=np.full(observables, np.nan),
        )  # fmt: skip

    def ends(self, dose: int, status: Status, reason: str) -> None:
        """Note how a dose ended."""
        self.status[dose], self.reason[dose] = status, reason


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """All that a level says: the observables at rest (observable,) with errors, and every rule.

    `followed`: whether the slow states are its own.
    """

    baseline: Array
    error: Array
    told: list[Told]
    followed: bool


def required(rules: Sequence[Rule]) -> list[str]:
    """Populations whose required input is sensed."""
    senses = [s for rule in rules for s in getattr(rule, "senses", ())]
    return [s.population for s in senses if isinstance(s, RequiredInput)]


def silence(population: str, when: str) -> str:
    """Why a rule has nothing to sense."""
    return f"{population} falls silent {when}: silent cells have no required input to sense."


def table(
    levels: Mapping[str, Level], populations: Sequence[str], doses: Sequence[Dose], spans: tuple[float, float]
) -> "xr.Dataset":
    """The data of a `Prediction`."""
    import xarray as xr

    known, all_of = observables_of(populations), list(levels.values())
    names = [k.name for k in known]
    cell, end, when = ("level", "dose", "rule", "phase", "observable"), ("level", "dose", "rule"), ("level", "rule")
    return xr.Dataset(
        {
            "value": (cell, _over_rules(all_of, "value")), "error": (cell, _over_rules(all_of, "error")),
            "pull": (cell, np.array([_pulls(x, names) for x in all_of]), {"units": "1/h, V/s/h"}),
            "baseline": (("level", "observable"), np.array([x.baseline for x in all_of])),
            "baseline_error": (("level", "observable"), np.array([x.error for x in all_of])),
            "note": (("level", "observable"), [[note_of(k, n, followed=x.followed) for n in names]
                                               for k, x in levels.items()]),
            "status": (end, [_by_dose([[s.name for s in t.status] for t in x.told]) for x in all_of]),
            "reason": (end, [_by_dose([t.reason for t in x.told]) for x in all_of]),
            "course": (("level", "dose", "rule", "moment", "observable"), _over_rules(all_of, "course")),
            "time": ((*when, "moment"), np.array([[t.time for t in x.told] for x in all_of]), {"units": "s"}),
            "phase_time": ("phase", np.repeat([0.0, spans[0], sum(spans)], [1, 2, 1]), {"units": "s"}),
        },
        coords={
            "level": list(levels), "dose": [d.label for d in doses], "rule": [t.rule.name for t in all_of[0].told],
            "phase": list(PHASES), "observable": names, "unit": ("observable", [k.unit for k in known]),
            "absolute": ("observable", [k.absolute for k in known]),
        },
    )  # fmt: skip


def _over_rules(levels: Sequence[Level], name: str) -> Array:
    """An array of all rules (level, dose, rule, ...)."""
    return np.array([np.stack([getattr(t, name) for t in x.told], axis=1) for x in levels])


def _by_dose(rows: list[list[str]]) -> list[list[str]]:
    """Words of rules by dose."""
    return [list(column) for column in zip(*rows, strict=True)]


def _pulls(level: Level, names: list[str]) -> Array:
    """Where each rule moves its slow variables next (dose, rule, phase, observable)."""
    out = np.stack([np.full_like(t.value, np.nan) for t in level.told], axis=1)
    for j, one in enumerate(level.told):
        for i, k in np.ndindex(one.value.shape[:2]):
            out[i, j, k] = filled(one.value[i, k], level.baseline, one.rest, names, one.rules)
    return out
