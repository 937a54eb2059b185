"""Rules at work on weights: the slow state of each regulated population, its step, and how fast it may move.

Every plastic projection follows the excitatory or inhibitory rule of its target with a weight of its own, as in theory:
at population scope one number and population averages of what is sensed, at neuron scope an array over neurons.

How fast weights move is judged by the time in which a weight changes by its own size,

    T = J/(|dJ/dt| + sum over sensed x of |d(dJ/dt)/d log x|)

which at the set point is tau at relative scale and tau J/target at absolute scale.
"""

from dataclasses import dataclass, replace

import numpy as np

from equipoise.backends.nest.sensing import memory, sense
from equipoise.model.attached_rules import Scope
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import (
    AdaptiveCalciumHomeostasis,
    CalciumHomeostasis,
    KineticHomeostasis,
    RateHomeostasis,
    Rule,
    targets_of,
)
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.renewal import resolved
from equipoise.results import SpikeTrains

SEPARATION = 20.0
"""T in sensor time constants, at least."""
LEAST_MEMORY = 0.05
"""What counts as the sensor's time constant where rates are sensed [s]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Regulated:
    """A population under its rule (set point resolved): sizes of its plastic weights, and other slow variables.

    `sizes` (k,) or (k, n) [V] in the order of `projections`; `others` (m,) or (m, n).
    """

    name: str
    rule: Rule
    scope: Scope
    projections: tuple[Projection, ...]
    sizes: Array
    others: Array

    def sensed(self, trains: SpikeTrains, discard: float) -> Array:
        """What the rule senses, (m,) population averages or (m, n)."""
        values = sense(self.rule, trains, discard)
        return values.mean(axis=1) if self.scope == "population" else values

    def stepped(self, sensed: Array, duration: float) -> "Regulated":
        """The slow state after `duration` [s] of what was sensed; weights stop at 0."""
        speeds = np.array([self._speed(k, sensed, self.others) for k in range(len(self.projections))])
        others = self.others
        if others.size:
            others = others + duration * self.rule.rhs(self._state(0, others), sensed)[2:]
        return replace(self, sizes=np.maximum(self.sizes + duration * speeds, 0.0), others=others)

    def time_scale(self, sensed: Array, smallest: Array) -> float:
        """T [s] of the fastest weight at the population mean of all; weights count as `smallest` at least."""
        cell = self if self.scope == "population" else self._mean_cell()
        x = sensed if sensed.ndim == 1 else sensed.mean(axis=1)
        sizes = np.maximum(cell.sizes, smallest)
        return min(float(size / cell._answer(k, x)) for k, size in enumerate(sizes))

    def _mean_cell(self) -> "Regulated":
        return replace(self, scope="population", sizes=self.sizes.mean(axis=1), others=self.others.mean(axis=1))

    def _answer(self, k: int, sensed: Array) -> float:
        """|dJ/dt| and its derivatives by the logarithms of what it depends on, summed [V/s]; never 0."""
        x, m, h = np.concatenate([sensed, self.others]), sensed.size, 1e-30
        steps = x + 1j * h * np.diag(x)
        slopes = [np.imag(self._speed(k, step[:m], step[m:])) / h for step in steps]
        return float(abs(self._speed(k, sensed, self.others)) + np.abs(slopes).sum()) + np.finfo(float).tiny

    def _speed(self, k: int, sensed: Array, others: Array) -> Array:
        """dJ/dt [V/s] of one projection."""
        return self.rule.rhs(self._state(k, others), sensed)[0 if self.projections[k].weight > 0.0 else 1]

    def _state(self, k: int, others: Array) -> Array:
        return np.array([self.sizes[k], self.sizes[k], *others])


def regulated(circuit: Circuit, name: str) -> Regulated:
    """A population's rule with its weights as the circuit has them; raises where its set point cannot be resolved."""
    attached, population = circuit.rule_of(name), circuit.node(name)
    assert attached is not None
    if isinstance(population.neuron, ConductanceLIF):  # type: ignore[union-attr]
        raise TypeError(
            f"backends.nest: the rule of {name!r} would move conductances, which is not done here. Use eq.spiking."
        )
    mine = tuple(p for p in circuit.projections if p.target == name)
    if not mine:
        raise ValueError(f"backends.nest: the rule of {name!r} has no weights to move; nothing projects there.")
    sizes = np.array([abs(p.weight) for p in mine])
    if attached.scope == "neuron":
        sizes = np.repeat(sizes[:, None], int(population.size), axis=1)
    rule = resolved(attached.rule, population.neuron)  # pyright: ignore[reportAttributeAccessIssue]
    return Regulated(
        name=name,
        rule=rule,
        scope=attached.scope,
        projections=mine,
        sizes=sizes,
        others=np.empty((0, *sizes.shape[1:])),
    )


def begun(cells: Regulated, sensed: Array) -> Regulated:
    """With its other slow variables: set points where the rule has them, proteins at their equilibrium."""
    rule, like = cells.rule, np.ones(sensed.shape[1:])
    if isinstance(rule, KineticHomeostasis):
        k = rule.proteins
        return replace(cells, others=np.array([k.K_D * sensed[1], k.K_M * sensed[0]]))
    if isinstance(rule, AdaptiveCalciumHomeostasis):
        mean, second = targets_of(rule.target)
        return replace(cells, others=np.array([second * like, mean * like]))
    if len(rule.variables) > 2:
        raise TypeError(
            f"backends.nest: {type(rule).__name__} has slow variables {', '.join(rule.variables[2:])} whose start is "
            "not known here; rules of your own may have the weights only."
        )
    return cells


def checked(circuit: Circuit) -> tuple[Regulated, ...]:
    """All rules of a circuit; raises where a set point cannot be met or weights would move within a sensor's memory."""
    cells = tuple(regulated(circuit, a.population) for a in circuit.rules)
    for c in cells:
        at = set_point(c.rule)
        if at is not None:
            sensed = at if c.scope == "population" else np.repeat(at[:, None], c.sizes.shape[1], axis=1)
            check_separation(begun(c, sensed), sensed)
    return cells


def set_point(rule: Rule) -> Array | None:
    """What a rule senses at its set point (m,), where it has one that is known here."""
    if isinstance(rule, RateHomeostasis):
        return np.array([max(rule.target_e, rule.target_i)])
    if not isinstance(rule, CalciumHomeostasis):
        return None
    mean, second = targets_of(rule.target)
    if isinstance(rule, KineticHomeostasis):
        return np.array([mean / rule.proteins.K_M, second / rule.proteins.K_D])
    return np.array([mean, second])


def check_separation(cells: Regulated, sensed: Array) -> None:
    """Raise ValueError where, at what is sensed, weights move within the sensor's memory."""
    needed = SEPARATION * max(memory(cells.rule), LEAST_MEMORY)
    found = cells.time_scale(sensed, np.zeros(len(cells.projections)))
    if found < needed:
        raise ValueError(
            f"backends.nest: the rule of {cells.name!r} moves a weight by its own size in {found:.2g} s; that must be "
            f"at least {needed:g} s, {SEPARATION:g} sensor time constants. Make its time constants "
            f"{needed / found:.2g} times longer. (At scale='absolute' the time is tau J/target, not tau.)"
        )
