"""The set point of an E-I pair under a rule that senses inputs: the formula, its derivatives and its assumptions.

A rule that holds s = W_EE E - kappa W_EI I + X_E of a threshold-linear pair at s_set, kappa = 1 for the required input
f_E^-1(E) = h, holds with gamma = g_I/(1 + g_I W_II) and w = W_EI gamma

    E_ss = (s_set - b)/D,  D = W_EE - kappa W_IE w,  b = kappa w (theta_I - X_I) + X_E,
    I_ss = gamma (W_IE E_ss - theta_I + X_I),        theta_E,ss = h_ss - E_ss/g_E  (or g_E,ss = E_ss/(h_ss - theta_E)),

and by implicit differentiation dE_ss/dtheta_I = -kappa w/D, dE_ss/dX_I = kappa w/D, dE_ss/dX_E = -1/D and
dE_ss/dg_I = kappa w I_ss/(g_I^2 D). With I_ss > 0 more inhibitory excitability, a higher gain or lower threshold of I,
therefore lowers E_ss exactly where D < 0.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.intrinsic_rules import DriveCentricThreshold, InputCentricGain, InputCentricThreshold
from equipoise.rate.conditions import Condition, fast_conditions, recurrence, sensed_inhibition
from equipoise.rate.network import RateNetwork, as_network
from equipoise.rate.pair import Pair, pair_of
from equipoise.results import NumericalFailure, Status

InputRule = InputCentricThreshold | InputCentricGain | DriveCentricThreshold


@dataclass(frozen=True, kw_only=True, repr=False)
class RateSetPoint:
    """Where a rule that senses inputs holds a pair, with exact derivatives; NaN throughout where an assumption fails.

    `E`, `I` [Hz]; `adapted` is the threshold or gain of E there, by the name `variable`; `gamma`, `w`, `D`, `b` are
    those of the formula. `E_by_gain_I` = dE_ss/dg_I, `E_by_threshold_I`, `E_by_drive_E` and `E_by_drive_I` are changes
    of the set point, `I_by_drive_I` that of I; the two that end in `_fast` are the responses before the rule acts.
    """

    E: float
    I: float  # noqa: E741 - its symbol
    variable: str
    adapted: float
    gamma: float
    w: float
    D: float
    b: float
    E_by_gain_I: float
    E_by_threshold_I: float
    E_by_drive_E: float
    E_by_drive_I: float
    I_by_drive_I: float
    E_by_drive_I_fast: float
    I_by_drive_I_fast: float
    assumptions: tuple[Condition, ...]
    status: Status
    message: str

    @property
    def statement(self) -> str:
        """What more excitability of the inhibitory population does to the set point."""
        if self.status is not Status.OK:
            return self.message
        if self.E_by_threshold_I == 0.0:
            return "The set point does not depend on any property of inhibition: the rule does not sense it."
        way = "lowers" if self.D < 0.0 else "raises"
        return f"More excitability of inhibition {way} E_ss, for D = {self.D:.4g} {'<' if self.D < 0.0 else '>'} 0."

    def __repr__(self) -> str:
        where = f"E {self.E:.4f} Hz, I {self.I:.4f} Hz, {self.variable} {self.adapted:.6g}"
        rows = [f"RateSetPoint: {self.status.name}; {where}", f"  {self.statement}"]
        return "\n".join(rows + [f"  {one!r}" for one in self.assumptions])


def set_point(circuit: Circuit | RateNetwork, rule: InputRule, *, throw: bool = True) -> RateSetPoint:
    """The rates that an input-centric or drive-centric rule of the excitatory population holds, in closed form.

    Outside its assumptions the formula gives no number: NumericalFailure names the first that fails, and with
    throw=False the result holds NaN and says so. TypeError for other rules.
    """
    if not isinstance(rule, InputRule):
        known = "eq.InputCentricThreshold, eq.InputCentricGain or eq.DriveCentricThreshold"
        raise TypeError(f"rate.set_point: rule must be an {known}, got {rule!r}. Use eq.rate.equilibrium for others.")
    net = as_network(circuit)
    net.place(rule.population)
    pair = pair_of(net)
    shape = Condition("threshold-linear pair", np.nan, not isinstance(pair, str), _shape(pair))
    if isinstance(pair, str):
        return _ended(rule, (shape,), {}, throw)
    own = pair.names.index(rule.population)
    about = "the rule acts on the population that excites."
    if own != 0:
        return _ended(rule, (shape, Condition("rule of E", float(own), False, about)), {}, throw)
    kappa = rule.inhibition if isinstance(rule, DriveCentricThreshold) else 1.0
    formula = _formula(pair, kappa, rule.set_point)
    adapted = _adapted(rule, pair, formula)
    assumptions = (shape, *_assumed(rule, adapted, formula, kappa))
    return _ended(rule, assumptions, formula | _responses(adapted), throw, adapted)


def _shape(pair: Pair | str) -> str:
    return f"{pair}." if isinstance(pair, str) else "Two threshold-linear populations, one excites and one inhibits."


def _formula(pair: Pair, kappa: float, held: float) -> dict[str, float]:
    """E_ss, I_ss and the derivatives, whether or not the assumptions hold."""
    gamma, w, g_I = float(pair.gamma), float(pair.w), float(pair.gain[1])
    W_IE, driven = float(pair.W[1, 0]), float(pair.threshold[1] - pair.drive[1])
    sensed = float(pair.drive[0] + (1.0 - kappa) * pair.inhibited[0])
    D, b = float(pair.W[0, 0]) - kappa * W_IE * w, kappa * w * driven + sensed
    E = (held - b) / D if D != 0.0 else np.nan
    rate = gamma * (W_IE * E - driven)
    slope = kappa * w / D if D != 0.0 else np.nan
    return {
        "E": E, "I": rate, "gamma": gamma, "w": w, "D": D, "b": b,
        "E_by_gain_I": slope * rate / g_I**2, "E_by_threshold_I": -slope, "E_by_drive_I": slope,
        "E_by_drive_E": -1.0 / D if D != 0.0 else np.nan, "I_by_drive_I": gamma * (W_IE * slope + 1.0),
    }  # fmt: skip


def _adapted(rule: InputRule, pair: Pair, formula: dict[str, float]) -> Pair:
    """The pair with the threshold or gain of E that the set point needs."""
    r = np.array([formula["E"], formula["I"]])
    h = float(pair.inputs(r)[0])
    if isinstance(rule, InputCentricGain):
        above = h - pair.threshold[0]
        return replace(pair, gain=np.array([r[0] / above if above > 0.0 else np.nan, pair.gain[1]]))
    return replace(pair, threshold=np.array([h - r[0] / pair.gain[0], pair.threshold[1]]))


def _responses(pair: Pair) -> dict[str, float]:
    """The fast response to drive of I, dE = -w G and dI = gamma (1 - g_E W_EE)/(1 - g_E D)."""
    own = float(pair.gain[0] * pair.W[0, 0])
    return {
        "E_by_drive_I_fast": float(-pair.w * pair.G),
        "I_by_drive_I_fast": float(pair.gamma) * (1.0 - own) / float(1.0 - pair.gain[0] * pair.D),
    }


def _assumed(rule: InputRule, pair: Pair, formula: dict[str, float], kappa: float) -> list[Condition]:
    """All assumptions but the first, in the order in which they are asked."""
    E, other, D = formula["E"], formula["I"], formula["D"]
    tops = pair.ceiling
    found = [
        Condition("net recurrence exists", D, D != 0.0, "D = W_EE - kappa W_IE w is not 0."),
        Condition("E is active", E, bool(0.0 < E < tops[0]), "0 < E_ss < its largest rate."),
        Condition("I is active", other, bool(0.0 < other < tops[1]), "0 < I_ss < its largest rate."),
    ]
    if isinstance(rule, InputCentricGain):
        above = rule.set_point - float(pair.threshold[0])
        found.append(Condition("a gain exists", above, above > 0.0, "h_set > theta_E."))
    slow = (
        sensed_inhibition(pair, kappa)
        if isinstance(rule, DriveCentricThreshold)
        else recurrence(pair, reading_a=rule.reading == "A")
    )
    return [*found, *fast_conditions(pair), slow]


def _ended(
    rule: InputRule,
    assumptions: tuple[Condition, ...],
    numbers: dict[str, float],
    throw: bool,
    pair: Pair | None = None,
) -> RateSetPoint:
    """The result, its numbers only where every assumption holds."""
    failing = [one for one in assumptions if not one.holds]
    gain = isinstance(rule, InputCentricGain)
    variable = f"{'gain' if gain else 'threshold'}_{rule.population}"
    status, message = Status.OK, ""
    if failing:
        first = failing[0]
        value = "" if np.isnan(first.value) else f", {first.value:.4g}"
        status = Status.UNSTABLE if first.name in UNSTABLE else Status.INFEASIBLE
        message = f"the set point formula does not apply: not {first.name!r}{value}. {first.sentence}"
        if throw:
            raise NumericalFailure(status, f"rate.set_point: {message}")
    adapted = np.nan if pair is None else float((pair.gain if gain else pair.threshold)[0])
    known = numbers | {"adapted": adapted}
    told = {f.name: np.nan if failing else known[f.name] for f in fields(RateSetPoint) if f.type is float}
    return RateSetPoint(variable=variable, assumptions=assumptions, status=status, message=message, **told)


UNSTABLE = ("excitation is held", "inhibition is fast enough", "net recurrence", "sensed inhibition")
"""Assumptions that fail by instability, where a set point exists."""
