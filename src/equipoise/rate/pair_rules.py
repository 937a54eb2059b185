"""Rules at work in a threshold-linear pair, linearised in closed form.

Whatever a rule moves in population p acts on the rates as an external input x_p does: x_p = -theta_p for a threshold,
dx_p = r_p dg_p/g_p^2 for a gain, dx_p = r_E dW_pE - r_I dW_pI for weights. Around a joint fixed point a rule is then

    dx_p/dt = N_p . r + T_p x_p,

and with r = R x the slow matrix of all rules is M = N R + diag(T); four weights have two further modes, which leave
x alone and are neutral. At the fixed point a rule asks for a . r = c, which is linear in the rates as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from equipoise.model import intrinsic_rules as intrinsic
from equipoise.model import synaptic_rules as synaptic
from equipoise.model.slow_variables import SlowRule
from equipoise.quantities import Array
from equipoise.rate.pair import Pair, solved


@dataclass(frozen=True, eq=False)
class Form:
    """One rule in a pair: the population p (0 for E, 1 for I), N_p (..., 2), T_p, and its demand a . r = c.

    `moves` is "threshold", "gain", "weights", ...
    """

    kind: type
    population: int
    moves: str
    N: Array
    T: Array
    a: Array
    c: Array


@dataclass(frozen=True, eq=False)
class Given:
    """A rule as its kind and the values of its fields, which may be arrays over a map."""

    kind: type
    values: Any


def given(rule: SlowRule) -> Given:
    """A rule as it is; one of your own has no closed form, and none of its fields is read."""
    known: Any = rule
    names = [f.name for f in fields(known)] if type(rule) in FORMS else []
    return Given(type(rule), SimpleNamespace(**{name: getattr(rule, name) for name in names}))


def forms(rules: Sequence[Given], pair: Pair, r: Array) -> list[Form] | str:
    """The rules in closed form at rates r (..., 2), or why there is none."""
    unknown = [one.kind.__name__ for one in rules if one.kind not in FORMS]
    if unknown:
        return f"no closed form is known for {unknown[0]}"
    found = []
    for one in rules:
        place = pair.names.index(one.values.population)
        form = FORMS[one.kind](one, pair, place, r)
        if form is None:
            return f"{one.kind.__name__} of {one.values.population!r} senses or moves what a pair does not have"
        found.append(form)
    for p in (0, 1):
        moved = {form.moves for form in found if form.population == p}
        if len(moved) > 1 and not moved <= WEIGHTS:
            return f"{' and '.join(sorted(moved))} of one population move together"
    return found


WEIGHTS = {"weights", "scaled weights", "inhibitory weight"}


# --- the rules --------------------------------------------------------------------------------------------------------
def _row(pair: Pair, place: int, value: Array | float) -> Array:
    """A row (..., 2) with one entry."""
    value = np.asarray(value) + 0.0 * pair.gain[..., 0]
    out = np.zeros((*value.shape, 2))
    out[..., place] = value
    return out


def _form(one: Given, p: int, moves: str, N: Array, a: Array, c: Any, **more: Any) -> Form:
    return Form(one.kind, p, moves, N, more.pop("T", np.zeros(N.shape[:-1])), a, c + np.zeros(a.shape[:-1]), **more)


def _signed(rule: Any) -> Any:
    return np.where(np.asarray(rule.reading) == "A", 1.0, -1.0) / rule.tau


def _input_threshold(one: Given, pair: Pair, p: int, r: Array) -> Form:  # noqa: ARG001
    """dtheta/dt = k (theta + r/g - h_set): dx/dt = k x - (k/g) r."""
    k = np.asarray(_signed(one.values))
    N = _row(pair, p, -k / pair.gain[..., p])
    return _asked(one, pair, p, "threshold", (N, k + 0.0 * N[..., 0]), k)


def _input_gain(one: Given, pair: Pair, p: int, r: Array) -> Form:
    """dg/dt = -k (theta + r/g - h_set): dx/dt = k (r/g^2) (x - r/g) in small quantities."""
    k = np.asarray(_signed(one.values) * one.values.span)
    T = k * r[..., p] / pair.gain[..., p] ** 2
    return _asked(one, pair, p, "gain", (_row(pair, p, -T / pair.gain[..., p]), T + 0.0 * pair.gain[..., p]), k)


def _asked(one: Given, pair: Pair, p: int, moves: str, move: tuple[Array, Array], k: Array) -> Form:
    """The demand W_p . r + X_p = h_set, in units of the rule's speed k."""
    a = k[..., None] * pair.W[..., p, :]
    c = k * (one.values.set_point - pair.drive[..., p])
    return _form(one, p, moves, move[0], a, c, T=move[1])


def _drive(one: Given, pair: Pair, p: int, r: Array) -> Form:  # noqa: ARG001
    """dtheta/dt = k (s - s_set), s = W_pE E + X_p - kappa W_pI I."""
    rule, k = one.values, np.asarray(1.0 / one.values.tau)
    kappa = np.asarray(rule.inhibition)
    S = pair.W[..., p, :] * np.stack([np.ones_like(kappa), kappa], axis=-1)
    beside = pair.drive[..., p] + (1.0 - kappa) * pair.inhibited[..., p]
    a = k[..., None] * S
    return _form(one, p, "threshold", -a, a, k * (rule.set_point - beside))


def _output(one: Given, pair: Pair, p: int, r: Array) -> Form:  # noqa: ARG001
    """dtheta/dt = k (r - r*), k = span/(tau r*)."""
    k = one.values.span / (one.values.tau * one.values.rate)
    a = _row(pair, p, k)
    return _form(one, p, "threshold", -a, a, k * one.values.rate)


def _nmdar(one: Given, pair: Pair, p: int, r: Array) -> Form | None:  # noqa: ARG001
    """dtheta/dt = +-k (W_ps r_s - N_set)."""
    rule = one.values
    if rule.source not in pair.names:
        return None
    source = pair.names.index(rule.source)
    k = np.where(np.asarray(rule.more_drive) == "lowers", 1.0, -1.0) / rule.tau
    a = _row(pair, source, k * np.abs(pair.W[..., p, source]))
    return _form(one, p, "threshold", -a, a, k * rule.set_point)


def _inhibitory_scaling(one: Given, pair: Pair, p: int, r: Array) -> Form | None:
    """dW_pI/dt = k (r - r0): dx/dt = -k r_I (r - r0)."""
    if one.values.inhibition != pair.names[1]:
        return None
    a = _row(pair, p, one.values.speed)
    N = -r[..., 1, None] * a
    return _form(one, p, "inhibitory weight", N, a, one.values.speed * one.values.rate)


def _pair_rule(moves: str, sensed_other: bool) -> Callable[[Given, Pair, int, Array], Form | None]:
    """Both weights of a population: dx/dt = q k (r* - r), q = E^2 + I^2, or the sum of E W_pE and I W_pI if scaled."""

    def form(one: Given, pair: Pair, p: int, r: Array) -> Form | None:
        rule = one.values
        if (rule.excitation, rule.inhibition) != pair.names:
            return None
        place, sign = (1 - p, 1.0 - 2.0 * p) if sensed_other else (p, 1.0)
        size = np.abs(pair.W[..., p, :]) if moves == "scaled weights" else r
        q = (size * r).sum(axis=-1)
        a = _row(pair, place, sign * rule.speed)
        return _form(one, p, moves, -q[..., None] * a, a, sign * rule.speed * rule.rate)

    return form


FORMS: dict[type, Callable[[Given, Pair, int, Array], Form | None]] = {
    intrinsic.InputCentricThreshold: _input_threshold,
    intrinsic.InputCentricGain: _input_gain,
    intrinsic.DriveCentricThreshold: _drive,
    intrinsic.OutputCentricThreshold: _output,
    intrinsic.NMDARThreshold: _nmdar,
    synaptic.InhibitoryScaling: _inhibitory_scaling,
    synaptic.HomeostaticWeights: _pair_rule("weights", sensed_other=False),
    synaptic.CrossHomeostasis: _pair_rule("weights", sensed_other=True),
    synaptic.SynapticScaling: _pair_rule("scaled weights", sensed_other=False),
}
"""How each rule is linearised: a new one is an entry here."""


# --- all of them ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Loop:
    """All rules of a pair together: N (..., 2, 2), T (..., 2) and which populations they move."""

    pair: Pair
    N: Array
    T: Array
    moved: tuple[int, ...]

    @property
    def slow(self) -> Array:
        """M = N R + diag(T) of what is moved (..., m, m) [1/s]."""
        R = np.stack([solved(self.pair.stiffness, _unit(self.pair, k)) for k in self.moved], axis=-1)
        M = self.N[..., list(self.moved), :] @ R
        M[..., range(len(self.moved)), range(len(self.moved))] += self.T[..., list(self.moved)]
        return M

    @property
    def full(self) -> Array:
        """The Jacobian of rates and x together (..., 2 + m, 2 + m) [1/s]."""
        pair, m, moved = self.pair, len(self.moved), list(self.moved)
        out = np.zeros((*pair.gain.shape[:-1], 2 + m, 2 + m))
        speed = (pair.gain / pair.tau)[..., None]
        out[..., :2, :2] = -speed * pair.stiffness
        for k, p in enumerate(moved):
            out[..., p, 2 + k] = speed[..., p, 0]
            out[..., 2 + k, 2 + k] = self.T[..., p]
        out[..., 2:, :2] = self.N[..., moved, :]
        return out


def _unit(pair: Pair, k: int) -> Array:
    out = np.zeros(pair.gain.shape)
    out[..., k] = 1.0
    return out


def loop(pair: Pair, found: Sequence[Form]) -> Loop:
    """The linearised rules added up."""
    N = np.zeros(pair.W.shape)
    T = np.zeros(pair.gain.shape)
    for form in found:
        N[..., form.population, :] += form.N
        T[..., form.population] += form.T
    return Loop(pair, N, T, tuple(sorted({form.population for form in found})))
