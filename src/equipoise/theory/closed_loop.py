"""The closed loop of one cell, weights -> input -> firing -> calcium -> weights: a plain function and its Jacobian."""

from dataclasses import dataclass

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.homeostasis import (
    AdaptiveCalciumHomeostasis,
    KineticHomeostasis,
    Rule,
    targets_of,
)
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array
from equipoise.theory import sensing


@dataclass(frozen=True)
class ClosedLoop:
    """A cell under a rule (its set point resolved), on the slow variables `names`."""

    cell: DrivenNeuron
    rule: Rule

    @property
    def names(self) -> tuple[str, ...]:
        """The slow variables."""
        return self.rule.variables

    def sensed(self, x: Array) -> Array:
        """What the rule senses in state x (n,)."""
        mu, s = self.input(x)
        return np.array([sensing.value(q, self.cell.neuron, mu, s) for q in self.rule.senses])

    def input(self, x: Array) -> tuple[float, float]:
        """Input mean [V/s] and variance [V^2/s] in state x (Eq. 1)."""
        return float(self.cell.input_mean(x[0], x[1])), float(self.cell.input_variance(x[0], x[1]))

    def rhs(self, x: Array) -> Array:
        """dx/dt [per s]."""
        x = np.asarray(x, dtype=np.float64)
        return np.asarray(self.rule.rhs(x, self.sensed(x)), dtype=np.float64)

    def jacobian(self, x: Array) -> Array:
        """d(dx/dt)/dx (n, n): the rule's own derivatives are exact, the sensed ones closed forms where they exist."""
        x = np.asarray(x, dtype=np.float64)
        mu, s = self.input(x)
        sensed = self.sensed(x)
        by_state = dynamics.complex_step(lambda z: self.rule.rhs(z, sensed), x)
        by_sensed = dynamics.complex_step(lambda q: self.rule.rhs(x, q), sensed)
        by_input = np.array([sensing.gradient(q, self.cell.neuron, mu, s) for q in self.rule.senses])
        by_state[:, :2] += by_sensed @ by_input @ self._input_jacobian(x)
        return by_state

    def _input_jacobian(self, x: Array) -> Array:
        """d(mu, sigma^2)/d(j_e, j_i), shape (2, 2)."""
        e, i = self.cell.excitation, self.cell.inhibition
        return np.array([
            [e.total_rate, -i.total_rate],
            [2.0 * x[0] * e.noise_rate, 2.0 * x[1] * i.noise_rate],
        ])  # fmt: skip

    def state(self, start: Weights | Array) -> Array:
        """A full state from weights alone: targets start at the set point, proteins at their equilibrium."""
        start = np.array(tuple(start), dtype=np.float64)
        if start.size == len(self.names):
            return start
        if start.size != 2:
            raise ValueError(
                f"theory: start must be the weights (j_e, j_i) or all of {', '.join(self.names)}, "
                f"got {start.size} numbers."
            )
        if isinstance(self.rule, KineticHomeostasis):
            occupancy = self.sensed(start)
            k = self.rule.proteins
            return np.array([*start, k.K_D * occupancy[1], k.K_M * occupancy[0]])
        if isinstance(self.rule, AdaptiveCalciumHomeostasis):
            mean, second = targets_of(self.rule.target)
            return np.array([*start, second, mean])
        raise ValueError(f"theory: start must give all of {', '.join(self.names)}, got the weights only.")


def close(cell: DrivenNeuron, rule: Rule) -> ClosedLoop:
    """The closed loop of a cell under a rule; TypeError for anything else."""
    if not isinstance(cell, DrivenNeuron):
        raise TypeError(f"theory: cell must be an eq.DrivenNeuron, a neuron with its inputs, got {cell!r}.")
    if not all(hasattr(rule, name) for name in ("variables", "senses", "rhs")):
        raise TypeError(f"theory: rule must be a rule such as eq.CalciumHomeostasis(...), got {rule!r}.")
    return ClosedLoop(cell, resolve(cell, rule))


def resolve(cell: DrivenNeuron, rule: Rule) -> Rule:
    """The rule with a SetPoint(rate, cv) turned into the calcium moments this cell's neuron has there.

    Raises NumericalFailure where the neuron cannot fire at that rate and C_v (a PIF needs C_v < 1).
    """
    return renewal.resolved(rule, cell.neuron)
