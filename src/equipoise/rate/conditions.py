"""Conditions of stability of a threshold-linear pair under its rules, in closed form.

With the fast dynamics stable, Delta = det R^-1 > 0, and rules that move one population have the slow eigenvalue
M = N_p . R_p + T_p. Rules that move both have a 2 x 2 slow matrix M, stable where det M > 0 and tr M < 0. With n the
rules' rows N_p + T_p R^-1_p, and R = ((1/g_I + W_II, -W_EI), (W_IE, 1/g_E - W_EE))/Delta,

    det M = det n/Delta,
    tr M = (n_EE (1/g_I + W_II) + n_EI W_IE - n_IE W_EI + n_II (1/g_E - W_EE))/Delta.

So for the weight rules, with q = E^2 + I^2: homeostatic rules n = -q diag(a_E, a_I) have det n > 0 and are stable where
a_E (1/g_I + W_II) > a_I (W_EE - 1/g_E); cross-homeostatic ones n = q ((0, -a_E), (a_I, 0)) have det n > 0 and
tr M = -q (a_E W_IE + a_I W_EI)/Delta < 0 and are stable at every state that the fast dynamics holds; sums of them,
the two-term rule, add their traces. Scaling is homeostatic with q_E = E W_EE + I W_EI and q_I = E W_IE + I W_II.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.model import intrinsic_rules as intrinsic
from equipoise.model import synaptic_rules as synaptic
from equipoise.rate.pair import Pair
from equipoise.rate.pair_rules import Form, Loop

FLAT = 1e-12
"""Determinants below this part of their terms are zero."""


@dataclass(frozen=True)
class Condition:
    """A condition by name: its value, whether it holds, and what it says."""

    name: str
    value: float
    holds: bool
    sentence: str

    def __repr__(self) -> str:
        value = "" if np.isnan(self.value) else f" ({self.value:.4g})"
        return f"{'holds' if self.holds else 'FAILS'}: {self.name}{value}. {self.sentence}"


def fast_conditions(pair: Pair) -> tuple[Condition, Condition]:
    """The two conditions of the fast dynamics with both populations active."""
    held = float(pair.gain[0] * pair.D)
    return (
        Condition("excitation is held", held, bool(pair.held_excitation), "g_E D < 1, else the rates run away."),
        Condition(
            "inhibition is fast enough", float(pair.slack), bool(pair.slack > 0.0),
            "(1 + g_I W_II) tau_E > (g_E W_EE - 1) tau_I, else the rates oscillate.",
        ),
    )  # fmt: skip


def slow_conditions(pair: Pair, found: Sequence[Form], loop: Loop) -> tuple[Condition, ...]:
    """Those of the rules, where the fast ones hold."""
    if len(loop.moved) == 2:
        return _of_two(pair, found, loop)
    alone = ALONE.get((found[0].kind, found[0].population)) if len(found) == 1 else None
    if alone is not None:
        return (alone(pair, found[0]),)
    value = float(loop.slow[0, 0])
    return (Condition("slow eigenvalue", value, value < 0.0, "N_p . R_p + T_p < 0 [1/s]."),)


# --- one population moves ---------------------------------------------------------------------------------------------
def recurrence(pair: Pair, reading_a: bool) -> Condition:
    """The sign of D for the input-centric rules of E."""
    D = float(pair.D)
    wanted = "A: the net recurrence D must be positive" if reading_a else "B: the net recurrence D must be negative"
    return Condition("net recurrence", D, D > 0.0 if reading_a else D < 0.0, f"Reading {wanted}.")


def sensed_inhibition(pair: Pair, kappa: float) -> Condition:
    """kappa < kappa_c for the drive-centric rule of E."""
    most = float(pair.W[0, 0] / (pair.W[1, 0] * pair.w))
    say = f"kappa < kappa_c = W_EE/(W_IE W_EI gamma) = {most:.4g}, so that W_EE - kappa W_IE W_EI gamma > 0."
    return Condition("sensed inhibition", kappa, kappa < most, say)


def _input(pair: Pair, form: Form) -> Condition:
    return recurrence(pair, reading_a=bool(form.T > 0.0))


def _drive(pair: Pair, form: Form) -> Condition:
    most = pair.W[0, 0]
    share = float(form.a[1] / pair.W[0, 1]) / float(form.a[0] / most) if most > 0.0 else np.inf
    return sensed_inhibition(pair, share)


def _nmdar(pair: Pair, form: Form) -> Condition:
    value = float(-form.N[0] * pair.G * pair.w)
    say = "W_IE G w/tau, positive where more drive lowers excitability: never stable by itself; the opposite always is."
    return Condition("sign of the rule", value, value < 0.0, say)


def _always(pair: Pair, form: Form) -> Condition:
    value = float(form.N[0] * pair.G)
    return Condition("rate of the excitatory population", value, value < 0.0, "Stable at every state that rates hold.")


def _not_isn(pair: Pair, form: Form) -> Condition:  # noqa: ARG001
    value = float(pair.gain[0] * pair.W[0, 0])
    say = "g_E W_EE < 1: in an inhibition-stabilised circuit I answers its own drive paradoxically."
    return Condition("no paradox", value, value < 1.0, say)


ALONE: dict[tuple[type, int], Callable[[Pair, Form], Condition]] = {
    (intrinsic.InputCentricThreshold, 0): _input,
    (intrinsic.InputCentricGain, 0): _input,
    (intrinsic.DriveCentricThreshold, 0): _drive,
    (intrinsic.NMDARThreshold, 1): _nmdar,
    **{
        (kind, place): condition
        for kind in (
            intrinsic.OutputCentricThreshold, synaptic.InhibitoryScaling, synaptic.HomeostaticWeights,
            synaptic.SynapticScaling,
        )
        for place, condition in ((0, _always), (1, _not_isn))
    },
}  # fmt: skip
"""What a rule that acts alone needs, by its population."""


# --- both move --------------------------------------------------------------------------------------------------------
def _of_two(pair: Pair, found: Sequence[Form], loop: Loop) -> tuple[Condition, Condition]:
    rows = loop.N + loop.T[:, None] * pair.stiffness
    det, terms = float(np.linalg.det(rows)), float(abs(rows[0, 0] * rows[1, 1]) + abs(rows[0, 1] * rows[1, 0]))
    det = 0.0 if abs(det) <= FLAT * terms else det
    delta = float(np.linalg.det(pair.stiffness))
    first, second = (tuple({f.kind for f in found if f.population == p}) for p in (0, 1))
    said = TOGETHER.get((frozenset(first), frozenset(second)), (ANY_DET, ANY_TRACE))
    trace = float(np.trace(loop.slow))
    det_says = said[0] if det else "Zero: the rules sense one and the same quantity, and one direction is neutral."
    return (
        Condition("determinant", det / delta, det > 0.0, det_says),
        Condition("trace", trace, trace < 0.0, said[1] + _limit(pair, found)),
    )


def _limit(pair: Pair, found: Sequence[Form]) -> str:
    """The ratio of speeds and its threshold, for input-centric thresholds of E beside the NMDAR rule of I."""
    E, other = sorted(found, key=lambda form: form.population)[:2]
    if len(found) != 2 or {E.kind, other.kind} != INPUT_AND_NMDAR or pair.D <= 0.0:
        return ""
    ratio, limit = pair.W[1, 0] * abs(float(E.T / other.N[0])), float(pair.W[1, 0] * pair.w / pair.D)
    return f" Here tau_2/tau_1 = {ratio:.4g}, and W_IE w/D = {limit:.4g}."


INPUT_AND_NMDAR = {intrinsic.InputCentricThreshold, intrinsic.NMDARThreshold}
ANY_DET, ANY_TRACE = "det M > 0.", "tr M < 0."
_A_NMDAR = (
    "det M > 0: reading A beside 'lowers', or B beside 'raises'; other signs are a saddle at every pair of speeds.",
    "tr M < 0: tau_2/tau_1 > W_IE w/D for A beside 'lowers', W_IE w/tau_2 > D/tau_1 for B beside 'raises'.",
)
_DRIVE_NMDAR = (
    "kappa W_EI W_IE > 0 beside 'lowers', a saddle beside 'raises'; neutral where no inhibition is sensed.",
    "(W_EE - kappa W_IE w)/tau_1 > W_IE w/tau_2 beside 'lowers'.",
)
_HELD = "det M > 0: so it is wherever the rates are stable."
_BALANCE = "a_E (1/g_I + W_II) > a_I (W_EE - 1/g_E): in an ISN inhibition must be the slower to learn."
_kind = frozenset
TOGETHER: dict[tuple[frozenset[type], frozenset[type]], tuple[str, str]] = {
    (_kind({intrinsic.InputCentricThreshold}), _kind({intrinsic.NMDARThreshold})): _A_NMDAR,
    (_kind({intrinsic.DriveCentricThreshold}), _kind({intrinsic.NMDARThreshold})): _DRIVE_NMDAR,
    (_kind({intrinsic.OutputCentricThreshold}), _kind({intrinsic.OutputCentricThreshold})): (_HELD, _BALANCE),
    (_kind({synaptic.HomeostaticWeights}), _kind({synaptic.HomeostaticWeights})): (_HELD, _BALANCE),
    (_kind({synaptic.SynapticScaling}), _kind({synaptic.SynapticScaling})): (
        _HELD, "a_E q_E (1/g_I + W_II) > a_I q_I (W_EE - 1/g_E), q_E = E W_EE + I W_EI, q_I = E W_IE + I W_II.",
    ),
    (_kind({synaptic.CrossHomeostasis}), _kind({synaptic.CrossHomeostasis})): (
        _HELD, "a_E W_IE + a_I W_EI > 0: so it is wherever the rates are stable.",
    ),
    (
        _kind({synaptic.CrossHomeostasis, synaptic.HomeostaticWeights}),
        _kind({synaptic.CrossHomeostasis, synaptic.HomeostaticWeights}),
    ): (
        _HELD,
        "b_E (1/g_I + W_II) + a_E W_IE + a_I W_EI > b_I (W_EE - 1/g_E), a of the cross, b of the homeostatic rules.",
    ),
}  # fmt: skip
"""What is said of the determinant and the trace, by the kinds of rules of E and of I."""
