"""Chronic drive: what homeostasis does as a tonic current grows (Discussion of the paper, corrected by its fold).

Up to I_crit = mu* + sigma* b/sqrt(d) (b = K_I lam_I, d = b F_I) both moments are held. Beyond it J_E = 0 and only the
calcium mean is held; rate and C_v rise, until at the fold dm/dJ_I = 0 no inhibition is enough.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics
from equipoise.model.homeostasis import CalciumHomeostasis, CalciumMean, targets_of
from equipoise.model.inputs import DrivenNeuron
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import sensing
from equipoise.theory.closed_loop import ClosedLoop, close
from equipoise.theory.equilibrium import target_input


@dataclass(frozen=True)
class DriveBranch:
    """The branch J_E = 0: where it begins, where it folds, and the states (J_I, drive) between [V], [V/s]."""

    critical_drive: float
    critical_j_i: float
    fold_drive: float
    fold_j_i: float
    j_i: Array
    drive: Array


def critical_drive(cell: DrivenNeuron, mu: float, sigma: float) -> tuple[float, float]:
    """Drive [V/s] at which J_E* reaches zero, and J_I there: mu* + sigma* b/sqrt(d), sigma*/sqrt(d)."""
    b, d = cell.inhibition.total_rate, cell.inhibition.noise_rate
    return mu + sigma * b / math.sqrt(d), sigma / math.sqrt(d)


def drive_branch(cell: DrivenNeuron, rule: CalciumHomeostasis) -> DriveBranch:
    """Follow J_E = 0 from the critical drive through its fold.

    Raises NumericalFailure where no fold is found within 50 times the input at the critical drive.
    """
    loop = close(cell, rule)
    drive, j_i = critical_drive(cell, *target_input(loop, rule))
    reach = 50.0 * max(abs(drive), cell.inhibition.total_rate * j_i)
    with np.errstate(all="ignore"):  # wild trial points overflow and are refused
        branch = dynamics.continuation(
            lambda x, p: np.array([_excess(loop, float(x[0]), p)]),
            lambda x, p: _excess_jacobian(loop, float(x[0]), p),
            np.array([j_i]),
            (drive, drive + reach),
            step=0.02,
            max_points=400,
        )
    if not branch.folds:
        raise NumericalFailure(
            Status.NOT_CONVERGED,
            f"drive_branch: no fold found from the critical drive {drive:g} to {drive + reach:g} V/s.",
        )
    fold = branch.folds[0]
    upto = int(np.argmax(branch.p)) + 1
    return DriveBranch(drive, j_i, fold.p, float(fold.x[0]), branch.x[:upto, 0], branch.p[:upto])


def _input(loop: ClosedLoop, j_i: float, drive: float) -> tuple[float, float]:
    return replace(loop, cell=replace(loop.cell, drive=drive)).input(np.array([0.0, j_i]))


def _excess(loop: ClosedLoop, j_i: float, drive: float) -> float:
    """Relative excess of the calcium mean; falls with J_I on the stable part."""
    assert isinstance(loop.rule, CalciumHomeostasis)
    mean, _ = targets_of(loop.rule.target)
    return sensing.value(CalciumMean(loop.rule.sensor), loop.cell.neuron, *_input(loop, j_i, drive)) / mean - 1.0


def _excess_jacobian(loop: ClosedLoop, j_i: float, drive: float) -> tuple[Array, Array]:
    assert isinstance(loop.rule, CalciumHomeostasis)
    mean, _ = targets_of(loop.rule.target)
    sense = CalciumMean(loop.rule.sensor)
    m_mu, m_s = sensing.gradient(sense, loop.cell.neuron, *_input(loop, j_i, drive)) / mean
    inhibition = loop.cell.inhibition
    by_j = -inhibition.total_rate * m_mu + 2.0 * j_i * inhibition.noise_rate * m_s
    return np.array([[by_j]]), np.array([m_mu])
