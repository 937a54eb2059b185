"""The rules that are compared, each with its set points where a circuit was before the manipulation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.inference.operating import POPULATIONS, Operating
from equipoise.inference.slow_batch import Rule, check_rules
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.homeostasis import CalciumHomeostasis, CalciumSetPoint, RateHomeostasis
from equipoise.model.intrinsic_rules import InputCentricThreshold, OutputCentricThreshold
from equipoise.quantities import suggest


@dataclass(frozen=True)
class Candidate:
    """A rule by name; ``rules(operating)`` are those that hold circuits at the operating point."""

    name: str
    rules: Callable[[Operating], tuple[Rule, ...]]


def _none(at: Operating) -> tuple[Rule, ...]:  # noqa: ARG001
    return ()


def _single_loop(at: Operating) -> tuple[Rule, ...]:
    return tuple(
        AttachedRule(name, RateHomeostasis(target_e=r, target_i=r, tau_e=at.tau, tau_i=at.tau))
        for name, r in zip(POPULATIONS, at.rate, strict=True)
    )


def _calcium(at: Operating) -> tuple[Rule, ...]:
    rules = []
    for name, mean, second in zip(POPULATIONS, *at.calcium, strict=True):
        target = CalciumSetPoint(mean=float(mean), second_moment=float(second))
        rules.append(AttachedRule(name, CalciumHomeostasis(at.sensor, target, tau_e=at.tau, tau_i=at.tau)))
    return tuple(rules)


def _input_centric_a(at: Operating) -> tuple[Rule, ...]:
    return (InputCentricThreshold("E", set_point=float(at.input[0][0]), tau=at.tau, reading="A"),)


def _input_centric_b(at: Operating) -> tuple[Rule, ...]:
    return (InputCentricThreshold("E", set_point=float(at.input[0][0]), tau=at.tau, reading="B"),)


def _output_centric(at: Operating) -> tuple[Rule, ...]:
    return (OutputCentricThreshold("E", rate=at.rate[0], span=at.span, tau=at.tau),)  # a cell alone recovers with tau


CANDIDATES = {
    "no homeostasis": Candidate("no homeostasis", _none),
    "single-loop": Candidate("single-loop", _single_loop),
    "calcium": Candidate("calcium", _calcium),
    "input-centric A": Candidate("input-centric A", _input_centric_a),
    "input-centric B": Candidate("input-centric B", _input_centric_b),
    "output-centric": Candidate("output-centric", _output_centric),
}
"""Nothing that moves; rate rules on both weights of both populations (Eqs. 2-3); calcium rules on them (Eqs. 10, 16);
the threshold of E by its required input, in both readings, or by its rate."""


FAMILIES = {"input-centric": ("input-centric A", "input-centric B")}
"""Names that stand for several rules."""


def candidates_of(rules: Sequence[str | Candidate] | None) -> tuple[Candidate, ...]:
    """Candidates by name, of a family or as given, all by default; ValueError for unknown or repeated names."""
    given = CANDIDATES if rules is None else [rules] if isinstance(rules, str) else rules
    out = []
    for rule in (one for r in given for one in (FAMILIES.get(r, (r,)) if isinstance(r, str) else (r,))):
        if not isinstance(rule, Candidate) and rule not in CANDIDATES:
            raise ValueError(f"rules must name candidates, got {rule!r}." + suggest(str(rule), CANDIDATES))
        out.append(rule if isinstance(rule, Candidate) else CANDIDATES[rule])
    names = [one.name for one in out]
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"rules must be different candidates, at least one, got {names}.")
    return tuple(out)


def rules_of(candidate: Candidate, at: Operating) -> tuple[Rule, ...]:
    """The rules of a candidate, checked."""
    rules = tuple(candidate.rules(at))
    check_rules(rules)
    return rules


def columns(rules: Sequence[Rule]) -> np.ndarray:
    """Which speed each slow variable has: 0 of excitatory weights and thresholds, 1 of inhibitory weights (k,)."""
    return np.array([c for rule in rules for c in ((0, 1) if isinstance(rule, AttachedRule) else (0,))], dtype=int)
