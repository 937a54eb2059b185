"""Homeostatic rules on many circuits at once: what they sense, what they move, and where that leads.

Rules are those of `model`: on weights by `AttachedRule`, whose two gains multiply excitatory and inhibitory weights of
a population, here as logarithms; on thresholds by what the circuit senses. Rates are at their fast fixed point always.
Slow variables z (n, k) are followed by ROS2 (Verwer, Spee, Blom & Hundsdorfer 1999, SIAM J. Sci. Comput. 20:1456), of
second order and L-stable, in steps that grow with the time since the last change of the circuit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.batch import Circuits, turned
from equipoise.model.attached_rules import AttachedRule
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumMean, CalciumSecondMoment, FiringRate
from equipoise.model.slow_variables import Rate, RequiredInput, SlowRule, Threshold
from equipoise.quantities import Array

GAMMA = 1.0 + np.sqrt(0.5)
"""Of ROS2, where it damps the most."""
STEPS = 32
FIRST = 1e-3
"""Steps of a phase, and the first one in units of the fastest recovery time."""
NUDGE = 1e-5
"""Of slow variables, beside their own scale, for slopes."""
WIDEST = 20.0
"""Logarithm of a gain at which a weight that runs away, up or to 0, is cut off."""
FLAT = 1e-6
"""Slow growth, relative to the fastest recovery, below which a direction is neutral."""
Rule = AttachedRule | SlowRule
C = TypeVar("C", bound=Circuits)


@dataclass(frozen=True, eq=False, kw_only=True)
class SlowBatch(Generic[C]):
    """Circuits `batch` under `rules`; `speed` (n, k) multiplies how fast each slow variable moves.

    Where circuits differ in their set points, `sets` has the rules of each kind, `rules` the first of them, and `which`
    (n,) says whose are whose. The slow variables z are the logarithms of both gains of a population with a rule on its
    weights, and the shift of the threshold [V/s] of one with a rule on it, in the order of `rules`.
    """

    batch: C
    names: tuple[str, ...]
    rules: tuple[Rule, ...]
    speed: Array
    sets: tuple[tuple[Rule, ...], ...] = ()
    which: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @cached_property
    def kinds(self) -> tuple[tuple[tuple[Rule, ...], Any], ...]:
        """The rules of each kind and the circuits (rows) that have them."""
        if not self.sets:
            return ((self.rules, slice(None)),)
        rows = ((rules, np.flatnonzero(self.which == k)) for k, rules in enumerate(self.sets))
        return tuple((rules, some) for rules, some in rows if some.size)

    def told(self, number: int, sensed: Array) -> Array:
        """What the rule of this number says of what each circuit senses, `sensed` (..., n): (n, variables)."""
        parts = [(rows, _said(rules[number], sensed[..., rows])) for rules, rows in self.kinds]
        out = np.empty((sensed.shape[-1], parts[0][1].shape[0]))
        for rows, said in parts:
            out[rows] = said.T
        return out

    def moved(self, z: Array) -> C:
        """The circuits at slow variables z."""
        log_gains, threshold = self.parts(z)
        return self.batch.moved(np.exp(np.clip(log_gains, -WIDEST, WIDEST)), threshold)

    def take(self, rows: Any) -> "SlowBatch[C]":
        """Some of the circuits, each with its own set points."""
        which = self.which[rows] if self.sets else self.which
        return replace(self, batch=self.batch.take(rows), speed=self.speed[rows], which=which)

    def parts(self, z: Array) -> tuple[Array, Array]:
        """Logarithms of excitatory and inhibitory gains (n, P, 2), and shifts of thresholds (n, P) [V/s]."""
        n, P = self.batch.drive.shape
        log_gains, threshold, at = np.zeros((n, P, 2)), np.zeros((n, P)), 0
        for rule in self.rules:
            if isinstance(rule, AttachedRule):
                log_gains[:, self.names.index(rule.population)] = z[:, at : at + 2]
                at += 2
            else:
                threshold[:, self.names.index(_moved(rule).population)] = z[:, at]
                at += 1
        return log_gains, threshold

    def rhs(self, z: Array, r: Array) -> tuple[Array, Array]:
        """dz/dt (n, k) [1/s or V/s^2] with rates at rest, and those rates (n, P), found near r."""
        here = self.moved(z)
        r = here.settled(r)
        columns = []
        for number, rule in enumerate(self.rules):
            one = _sensed_by_weights if isinstance(rule, AttachedRule) else _sensed_by_threshold
            columns.append(self.told(number, one(rule, self, here, r)))  # pyright: ignore[reportArgumentType]
        out = np.concatenate(columns, axis=1) if columns else np.zeros((len(r), 0))
        return out * self.speed, r

    def slopes(self, z: Array, r: Array, at: Array | None = None) -> Array:
        """d(dz/dt)/dz (n, k, k): central differences, or one-sided ones from the given dz/dt `at` z."""
        out = np.zeros((*z.shape, z.shape[1]))
        for j, wide in enumerate(self.scale):
            step = np.zeros_like(z)
            step[:, j] = NUDGE * wide
            up = self.rhs(z + step, r)[0]
            change = up - at if at is not None else 0.5 * (up - self.rhs(z - step, r)[0])
            out[:, :, j] = change / (NUDGE * wide)
        return out

    @property
    def scale(self) -> Array:
        """How far slow variables move: 1 for logarithms, 100 (v_threshold - v_reset)/s for thresholds (k,)."""
        cell = self.batch.neurons[0]
        wide = 100.0 * (cell.v_threshold - cell.v_reset)
        parts = [[1.0, 1.0] if isinstance(rule, AttachedRule) else [wide] for rule in self.rules]
        return np.concatenate([np.zeros(0), *parts])


def check_rules(rules: Sequence[Rule]) -> None:
    """TypeError for a rule that batches do not represent."""
    for rule in rules:
        if isinstance(rule, AttachedRule):
            known = all(isinstance(s, FiringRate | CalciumMean | CalciumSecondMoment) for s in rule.rule.senses)
            two = rule.rule.variables == ("j_e", "j_i") and getattr(rule.rule, "scale", "") == "relative"
            if rule.scope == "population" and known and two:
                continue
        elif isinstance(rule.moves[0], Threshold) and all(isinstance(s, Rate | RequiredInput) for s in rule.senses):
            continue
        raise TypeError(
            "inference: a rule must move weights at relative scale and population scope by rate or calcium, or a "
            f"threshold by rate or required input, got {rule!r}."
        )


def _said(rule: Rule, sensed: Array) -> Array:
    """d log g/dt = rhs(1, 1) of weights that move in proportion to themselves, or dtheta/dt of a threshold (k, n)."""
    if isinstance(rule, AttachedRule):
        return np.asarray(rule.rule.rhs(np.ones((2, sensed.shape[-1])), sensed))
    return np.asarray(rule.rhs([sensed[0]], list(sensed[1:]))[0])[None]


def _sensed_by_weights(rule: AttachedRule, system: SlowBatch, here: Circuits, r: Array) -> Array:
    """What a rule on weights senses (senses, n)."""
    a = system.names.index(rule.population)
    moments: dict[Calcium, tuple[Array, Array]] = {}
    sensed = []
    for sense in rule.rule.senses:
        if isinstance(sense, CalciumMean | CalciumSecondMoment):
            if sense.sensor not in moments:
                moments[sense.sensor] = here.calcium(sense.sensor, a, r)
            sensed.append(moments[sense.sensor][isinstance(sense, CalciumSecondMoment)])
        else:
            sensed.append(r[:, a])
    return np.array(sensed)


def _moved(rule: SlowRule) -> Threshold:
    """The threshold that a rule moves."""
    variable = rule.moves[0]
    assert isinstance(variable, Threshold)
    return variable


def _sensed_by_threshold(rule: SlowRule, system: SlowBatch, here: Circuits, r: Array) -> Array:
    """The shift of a threshold and what its rule senses (1 + senses, n); at rest the required input is the net one."""
    a = system.names.index(_moved(rule).population)
    mu, _ = here.inputs(r)
    before = system.batch.drive[:, a] - here.drive[:, a]
    sensed = [r[:, a] if isinstance(s, Rate) else mu[:, a] + before for s in rule.senses]
    return np.array([before, *sensed])


# --- in time ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """Circuits in time: `time` (t,) [s], slow variables `z` (t, n, k), rates `r` (t, n, P) [Hz]; NaN once lost."""

    time: Array
    z: Array
    r: Array


def held(system: SlowBatch, r: Array) -> NDArray[np.bool_]:
    """Whether the rules hold the circuits where they are, up to neutral directions (n,)."""
    if system.speed.shape[1] == 0:
        return np.asarray(np.isfinite(r).all(axis=1))
    slopes = system.slopes(np.zeros_like(system.speed), r)
    known = np.isfinite(slopes).all(axis=(1, 2))
    out = np.zeros(len(r), bool)
    values = np.linalg.eigvals(slopes[known]).real
    out[known] = (values <= FLAT * np.abs(values).max(axis=1, keepdims=True)).all(axis=1)
    return out


def follow(system: SlowBatch, z: Array, r: Array, span: float, *, steps: int = STEPS) -> Course:
    """The course over `span` [s] from slow variables z with rates near r, in `steps` that grow geometrically."""
    edges = grid(system, span, steps)
    zs, rs = [z], [system.moved(z).settled(r)]
    for h in np.diff(edges):
        z, r = step(system, zs[-1], rs[-1], float(h))
        zs.append(z)
        rs.append(r)
    return Course(time=edges, z=np.array(zs), r=np.array(rs))


def grid(system: SlowBatch, span: float, steps: int = STEPS) -> Array:
    """Moments (steps + 1,) [s] from 0 to `span`, dense at first."""
    return np.concatenate([[0.0], np.geomspace(FIRST * _fastest(system), span, steps)])


def _fastest(system: SlowBatch) -> float:
    """The shortest time scale that any rule has of its own [s]."""
    taus = [getattr(getattr(rule, "rule", rule), name, np.inf) for rule in system.rules for name in TAUS]
    return float(min(taus, default=1.0)) / float(system.speed.max(initial=1.0))


TAUS = ("tau", "tau_e", "tau_i")


def step(system: SlowBatch, z: Array, r: Array, h: float) -> tuple[Array, Array]:
    """One step of ROS2 over h [s], and the rates after it; NaN where a circuit has no state on the way."""
    k = z.shape[1]
    if k == 0:
        return z, r
    first, r = system.rhs(z, r)
    matrix = np.eye(k) - GAMMA * h * system.slopes(z, r, first)
    bad = np.asarray(~(np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(first).all(axis=1)))
    matrix = np.where(bad[:, None, None], np.eye(k), matrix)
    k1 = np.linalg.solve(matrix, first[..., None])[..., 0]
    second, _ = system.rhs(z + h * k1, r)
    k2 = np.linalg.solve(matrix, (second - 2.0 * k1)[..., None])[..., 0]
    z = np.where(bad[:, None], np.nan, z + h * (1.5 * k1 + 0.5 * k2))
    known = np.asarray(np.isfinite(z).all(axis=1))
    return z, system.moved(np.nan_to_num(z)).settled(np.where(known[:, None], r, np.nan))


def changed(system: SlowBatch[C], batch: C, z: Array, r: Array) -> tuple[SlowBatch[C], Array]:
    """The rules on other circuits, and the rates there at once, with slow variables z as they are."""
    other = replace(system, batch=batch)
    return other, turned(system.moved(z), other.moved(z), r)
