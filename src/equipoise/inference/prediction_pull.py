"""Where a rule moves its weights and thresholds next, by the rates and calcium of any level.

Set points are those of the level itself: what is sensed counts beside the level's own state of rest. So the direction
in which a rule sets out can be had from spikes, without following it for days.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.inference.slow_batch import Rule
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.homeostasis import CalciumMean, CalciumSecondMoment
from equipoise.model.slow_variables import Rate
from equipoise.quantities import Array
from equipoise.units import hour


def pulls(rules: Sequence[Rule], relative: Mapping[str, float], rest: Mapping[str, float]) -> dict[str, float]:
    """Speeds of slow variables by name, [1/h] of weights beside themselves and [V/s/h] of thresholds.

    `relative` holds observables beside rest, and `rest` those that the rules' set points were taken from. NaN for a
    rule that senses what is no observable, such as the required input.
    """
    out: dict[str, float] = {}
    for rule in rules:
        if isinstance(rule, AttachedRule):
            names = [f"{_kind(sense)}_{rule.population}" for sense in rule.rule.senses]
            moved = rule.rule.rhs(np.ones(2), np.array([relative[n] * rest[n] for n in names]))
            out |= dict(
                zip((f"J_E_{rule.population}", f"J_I_{rule.population}"), hour * np.asarray(moved), strict=True)
            )
        else:
            speed = _threshold(rule, relative, rest)
            out[f"threshold_{rule.moves[0].population}"] = hour * speed  # pyright: ignore[reportAttributeAccessIssue]
    return {name: float(value) for name, value in out.items()}


def _kind(sense: object) -> str:
    if isinstance(sense, CalciumMean):
        return "calcium_mean"
    return "calcium_second" if isinstance(sense, CalciumSecondMoment) else "rate"


def _threshold(rule, relative: Mapping[str, float], rest: Mapping[str, float]) -> float:
    """dtheta/dt [V/s^2] of a rule on a threshold that senses rates."""
    if not all(isinstance(sense, Rate) for sense in rule.senses):
        return float("nan")
    sensed = [np.array([relative[n] * rest[n]]) for n in (f"rate_{sense.population}" for sense in rule.senses)]
    return float(np.ravel(rule.rhs([np.zeros(1)], sensed)[0])[0])


def filled(values: Array, baseline: Array, rest: Array, names: list[str], rules: Sequence[Rule]) -> Array:
    """`pulls` in the order of observables `names`; NaN elsewhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = dict(zip(names, values / baseline, strict=True))
    found = pulls(rules, relative, dict(zip(names, rest, strict=True)))
    return np.array([found.get(name, np.nan) for name in names])
