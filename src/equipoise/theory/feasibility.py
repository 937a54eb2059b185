"""Whether a cell can be held at its set point: how many inputs, how much drive, how slow excitation may be."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from equipoise import renewal
from equipoise.model.homeostasis import CalciumHomeostasis, SetPoint
from equipoise.model.inputs import DrivenNeuron, weights_for
from equipoise.results import NumericalFailure
from equipoise.theory.closed_loop import close
from equipoise.theory.equilibrium import target_input
from equipoise.theory.optical import critical_drive, drive_branch


@dataclass(frozen=True, repr=False)
class Feasibility:
    """Limits of the set point and which of its assumptions fail.

    mu [V/s] and sigma [V/sqrt(s)]: the input at the set point; K_min: fewest inputs (excitatory and inhibitory scaled
    together, `limiting` names the population it counts) with positive weights; I_crit: drive at which J_E reaches zero;
    I_fold: drive beyond which inhibition runs away [V/s]; max_tau_ratio: largest tau_E/tau_I that is stable (infinite
    where every ratio is; only for rules whose slow variables are the weights alone). `failures` says in words what
    fails and what to change; empty if nothing does. Entries that a failure leaves undefined are None.
    """

    mu: float | None
    sigma: float | None
    K_min: float | None
    limiting: str
    I_crit: float | None
    I_fold: float | None
    max_tau_ratio: float | None
    failures: tuple[str, ...] = field(default_factory=tuple)

    @property
    def feasible(self) -> bool:
        """Whether nothing fails."""
        return not self.failures

    def __repr__(self) -> str:
        def show(value: float | None, unit: str) -> str:
            return "undefined" if value is None else f"{value:.6g}{unit}"

        rows = [
            f"Feasibility: {'feasible' if self.feasible else 'not feasible'}",
            f"  input at the set point   mu* = {show(self.mu, ' V/s')}, sigma* = {show(self.sigma, ' V/sqrt(s)')}",
            f"  fewest inputs            K_min = {show(self.K_min, '')} ({self.limiting})",
            f"  drive, J_E reaches zero  I_crit = {show(self.I_crit, ' V/s')}",
            f"  drive, runaway           I_fold = {show(self.I_fold, ' V/s')}",
            f"  slowest excitation       tau_E/tau_I < {show(self.max_tau_ratio, '')}",
        ]
        return "\n".join(rows + [f"  fails: {text}" for text in self.failures])


def feasibility(cell: DrivenNeuron, rule: CalciumHomeostasis) -> Feasibility:
    """Check every assumption behind the equilibrium of a calcium rule on this cell.

    Returns K_min, I_crit and I_fold [V/s], the largest tau_E/tau_I, and in words which assumptions fail; a set point
    out of the neuron's reach is among them. Raises TypeError for other rules.

    For a rule with more slow variables than the weights (kinetic, adaptive) it is the calcium rule behind it that is
    checked: its set point, weights and drives; ask `stability` for the spectrum.
    """
    if not isinstance(rule, CalciumHomeostasis):
        raise TypeError(f"feasibility: rule must be a calcium rule such as eq.CalciumHomeostasis, got {rule!r}.")
    try:
        loop = close(cell, rule)
        mu, sigma = target_input(loop, rule)
    except NumericalFailure as failure:
        return Feasibility(None, None, None, "none", None, None, None, (f"set point: {failure}",))
    failures = _set_point_failures(cell, rule)
    k_min, limiting = _fewest_inputs(cell, mu, sigma)
    i_crit, _ = critical_drive(cell, mu, sigma)
    i_fold = _fold(cell, rule)
    failures += _weight_failures(cell, k_min, limiting, i_crit, i_fold)
    ratio = _max_tau_ratio(cell, rule, mu, sigma)
    if ratio is not None and rule.tau_e / rule.tau_i >= ratio:
        failures.append(
            f"trace condition: tau_E/tau_I = {rule.tau_e / rule.tau_i:g} exceeds {ratio:.4g}, so the equilibrium is "
            "unstable. Slow inhibition down, speed excitation up, raise K or lower C_v*."
        )
    return Feasibility(mu, sigma, k_min, limiting, i_crit, i_fold, ratio, tuple(failures))


def _set_point_failures(cell: DrivenNeuron, rule: CalciumHomeostasis) -> list[str]:
    if not isinstance(rule.target, SetPoint):
        return []
    found = renewal.input_for(cell.neuron, rate=rule.target.rate, cv=rule.target.cv, throw=False)
    return [f"set point: {found.message}"] if found.message else []


def _fewest_inputs(cell: DrivenNeuron, mu: float, sigma: float) -> tuple[float, str]:
    """K > F m^2/(lam sigma*^2): of the excitatory inputs for m = mu* - I > 0, of the inhibitory ones for m < 0."""
    m = mu - cell.drive
    side, limiting = (cell.excitation, "excitatory inputs") if m >= 0.0 else (cell.inhibition, "inhibitory inputs")
    fano = side.noise_rate / side.total_rate
    return fano * m * m / (side.rate * sigma * sigma), limiting


def _weight_failures(cell, k_min: float, limiting: str, i_crit: float, i_fold: float | None) -> list[str]:
    drive = f"the drive {cell.drive:g} V/s exceeds"
    if i_fold is not None and cell.drive > i_fold:
        return [f"fold: {drive} I_fold = {i_fold:.6g} V/s, so inhibition runs away. Weaken the drive."]
    if cell.drive >= i_crit:
        what = "so J_E = 0 and the second moment is not held. Weaken the drive or raise K."
        return [f"positive weights: {drive} I_crit = {i_crit:.6g} V/s, {what}"]
    given = cell.excitation.K if limiting.startswith("exc") else cell.inhibition.K
    if given <= k_min:
        return [f"positive weights: {given:g} {limiting} are too few, more than {k_min:.4g} are needed. Raise K."]
    return []


def _fold(cell: DrivenNeuron, rule: CalciumHomeostasis) -> float | None:
    try:
        return drive_branch(cell, rule).fold_drive
    except NumericalFailure:
        return None


def _max_tau_ratio(cell: DrivenNeuron, rule: CalciumHomeostasis, mu: float, sigma: float) -> float | None:
    """Largest tau_E/tau_I with a negative trace: tr J = A/tau_E + B/tau_I, so -A/B where B > 0."""
    weights = weights_for(cell, mu=mu, sigma=sigma)
    if weights is None or min(weights) <= 0.0 or len(rule.variables) > 2:
        return None
    loop = close(cell, replace(rule, tau_e=1.0, tau_i=1.0))
    jacobian = loop.jacobian(loop.state(np.array(tuple(weights))))
    a, b = float(jacobian[0, 0]), float(jacobian[1, 1])
    return -a / b if b > 0.0 else math.inf
