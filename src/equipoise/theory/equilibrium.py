"""Where homeostasis ends: the equilibrium of a cell under a rule, interior or with a weight at zero."""

import math
from dataclasses import dataclass

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import (
    AdaptiveCalciumHomeostasis,
    CalciumHomeostasis,
    CalciumMean,
    CalciumSecondMoment,
    KineticHomeostasis,
    Rule,
    SetPoint,
    targets_of,
)
from equipoise.model.inputs import DrivenNeuron, Weights, weights_for
from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import sensing
from equipoise.theory.closed_loop import ClosedLoop, close

VANISHED, RUNAWAY = 1e-9, 1e4
"""A weight below or above so many threshold distances counts as vanished or run away."""


@dataclass(frozen=True, repr=False)
class Equilibrium:
    """An equilibrium: the slow state, the input and firing it implies, and how sure that is.

    `state` (n,) holds the slow variables `names`; `residual` is the relative size of the last Newton step.
    """

    state: Array
    names: tuple[str, ...]
    mu: float
    sigma: float
    rate: float
    cv: float
    status: Status
    message: str
    residual: float

    @property
    def j_e(self) -> float:
        """Excitatory weight [V]."""
        return float(self.state[0])

    @property
    def j_i(self) -> float:
        """Inhibitory weight [V]."""
        return float(self.state[1])

    def __repr__(self) -> str:
        state = ", ".join(f"{n}={v:.6g}" for n, v in zip(self.names, self.state, strict=True))
        firing = f"rate={self.rate:.6g} Hz, cv={self.cv:.6g}, mu={self.mu:.6g} V/s, sigma={self.sigma:.6g} V/sqrt(s)"
        return f"Equilibrium({state}; {firing}; {self.status.name}: {self.message or self.status.advice})"


def equilibrium(
    cell: DrivenNeuron, rule: Rule, *, start: Weights | Array | None = None, throw: bool = True
) -> Equilibrium:
    """The equilibrium of `cell` under `rule`.

    Calcium rules with fixed set points have one: Eqs. 30-31 give it directly, and where a weight would be negative it
    sits at zero and one moment is given up. Rules that conserve quantities have a line of equilibria; `start` (the
    weights, or the whole slow state) chooses the one that is reached from there. With `throw=False` a failure is
    returned with NaN entries and its Status, otherwise NumericalFailure is raised.
    """
    try:
        found = _find(cell, rule, start)
    except NumericalFailure as failure:
        found = _absent(rule.variables, failure.status, failure.reason)
    if throw and not found.status.usable:
        raise NumericalFailure(found.status, f"equilibrium: {found.message}")
    return found


def _find(cell: DrivenNeuron, rule: Rule, start: Weights | Array | None) -> Equilibrium:
    loop = close(cell, rule)
    fixed = isinstance(loop.rule, CalciumHomeostasis) and not isinstance(loop.rule, AdaptiveCalciumHomeostasis)
    if fixed and not isinstance(loop.rule, KineticHomeostasis) and start is None:
        return _calcium(loop, rule)
    if fixed and start is None:
        return _from(loop, loop.state(_calcium_weights(loop, rule)))
    if start is None:
        raise ValueError(
            f"equilibrium: {type(rule).__name__} has a line of equilibria, so start is needed: the weights "
            "(j_e, j_i) from which the cell sets out, for example start=eq.Weights(0.1, 0.1)."
        )
    x = loop.state(start)
    if not (np.isfinite(x).all() and (x[:2] > 0.0).all() and (x >= 0.0).all()):
        raise ValueError(
            f"equilibrium: start ({', '.join(loop.names)}) must be finite, its weights above 0, got {x.tolist()}. "
            "Start a little above a bound; eq.theory.evolve may start on it."
        )
    return _from(loop, np.maximum(x, 1e-12))


def at_state(loop: ClosedLoop, x: Array, status: Status, message: str = "", residual: float = 0.0) -> Equilibrium:
    """Describe the state x of a loop."""
    mu, s = loop.input(x)
    sigma = math.sqrt(s)
    firing = renewal.NeuronISI(loop.cell.neuron, mu=mu, sigma=sigma)
    return Equilibrium(
        np.asarray(x), loop.names, mu, sigma, float(renewal.rate(firing)), float(renewal.cv(firing)),
        status, message, residual,
    )  # fmt: skip


def nowhere(loop: ClosedLoop, status: Status, message: str) -> Equilibrium:
    """The labelled absence of an equilibrium."""
    return _absent(loop.names, status, message)


def _absent(names: tuple[str, ...], status: Status, message: str) -> Equilibrium:
    nan = math.nan
    return Equilibrium(np.full(len(names), nan), names, nan, nan, nan, nan, status, message, nan)


def target_input(loop: ClosedLoop, rule: CalciumHomeostasis) -> tuple[float, float]:
    """Input (mu*, sigma*) at which the neuron's calcium meets the set point."""
    neuron = loop.cell.neuron
    if isinstance(rule.target, SetPoint):
        mu, sigma = renewal.input_for(neuron, rate=rule.target.rate, cv=rule.target.cv)
        return float(mu), float(sigma)
    assert isinstance(loop.rule, CalciumHomeostasis)
    return input_for_moments(neuron, rule.sensor, *targets_of(loop.rule.target))


def input_for_moments(
    neuron: IntegrateAndFire, sensor: Calcium, mean: float, second_moment: float
) -> tuple[float, float]:
    """Input (mu, sigma) at which the calcium of a neuron has these moments [µM, µM^2]; NumericalFailure where none is.

    Newton on (mu, sigma^2) from the inputs of cells that fire like gamma trains with about these moments.
    """
    targets = np.array([mean, second_moment])
    senses = (CalciumMean(sensor), CalciumSecondMoment(sensor))
    starts, miss = _gamma_trains(sensor, *targets)
    for rate, cv in starts:
        first = renewal.input_for(neuron, rate=rate, cv=cv, throw=False)
        if not np.isfinite(first.mu):
            continue
        found = dynamics.fixed_point(
            lambda x: np.array([sensing.value(q, neuron, x[0], x[1]) for q in senses]) / targets - 1.0,
            lambda x: np.array([sensing.gradient(q, neuron, x[0], x[1]) for q in senses]) / targets[:, None],
            np.array([float(first.mu), float(first.sigma) ** 2]),
            lower=np.array([-np.inf, 0.0]),
        )
        if found.status is Status.OK:
            return float(found.x[0]), math.sqrt(found.x[1])
    far = miss > 0.2  # of log second moment: no train with this mean comes near
    raise NumericalFailure(
        Status.INFEASIBLE if far else Status.NOT_CONVERGED,
        f"no input {'gives' if far else 'was found that gives'} {type(neuron).__name__} the calcium moments "
        f"mean={targets[0]:g} and second_moment={targets[1]:g}; give the target as eq.SetPoint(rate=..., cv=...) to "
        "see the feasible ones.",
    )


def _gamma_trains(sensor: Calcium, mean: float, second: float) -> tuple[list[tuple[float, float]], float]:
    """(rate, C_v) of the gamma trains with this calcium mean that come nearest to the second moment, and the miss."""
    cv = np.linspace(0.05, 1.6, 32)
    low, high = np.full(cv.size, math.log(1e-4)), np.full(cv.size, math.log(1e4))
    for _ in range(50):
        middle = 0.5 * (low + high)
        mean_here, _ = renewal.calcium_moments(sensor, renewal.GammaISI(rate=np.exp(middle), cv=cv))
        low, high = np.where(mean_here > mean, (low, middle), (middle, high))
    moments = renewal.calcium_moments(sensor, renewal.GammaISI(rate=np.exp(low), cv=cv))
    miss = np.abs(np.log(moments.second_moment / second)) + np.abs(np.log(moments.mean / mean))
    return [(math.exp(low[k]), float(cv[k])) for k in np.argsort(miss)[:6]], float(miss.min())


def _calcium_weights(loop: ClosedLoop, rule: Rule) -> Weights:
    assert isinstance(rule, CalciumHomeostasis)
    mu, sigma = target_input(loop, rule)
    weights = weights_for(loop.cell, mu=mu, sigma=sigma)
    return weights if weights is not None and min(weights) > 0 else Weights(0.1, 0.1)


def _calcium(loop: ClosedLoop, rule: Rule) -> Equilibrium:
    """Eqs. 30-31, or the edge on which one weight is zero."""
    assert isinstance(rule, CalciumHomeostasis)
    mu, sigma = target_input(loop, rule)
    weights = weights_for(loop.cell, mu=mu, sigma=sigma)
    if weights is not None and weights.j_e > 0.0 and weights.j_i > 0.0:
        return at_state(loop, np.array([weights.j_e, weights.j_i]), *_plausibility(loop, rule))
    return without_excitation(loop) if mu - loop.cell.drive < 0.0 else without_inhibition(loop)


def _plausibility(loop: ClosedLoop, rule: CalciumHomeostasis) -> tuple[Status, str]:
    """OK, or IMPLAUSIBLE with its reason where the neuron could fire like the set point on paper only."""
    if not isinstance(rule.target, SetPoint):
        return Status.OK, ""
    found = renewal.input_for(loop.cell.neuron, rate=rule.target.rate, cv=rule.target.cv)
    return (Status.IMPLAUSIBLE, found.message) if found.message else (Status.OK, "")


def without_excitation(loop: ClosedLoop) -> Equilibrium:
    """The state with J_E = 0, where inhibition alone holds the calcium mean (strong drive), or its absence."""
    assert isinstance(loop.rule, CalciumHomeostasis)
    mean, second = targets_of(loop.rule.target)
    sense = CalciumMean(loop.rule.sensor)

    def excess(j_i: float) -> float:
        mu, s = loop.input(np.array([0.0, j_i]))
        return sensing.value(sense, loop.cell.neuron, mu, s) / mean - 1.0

    if excess(0.0) <= 0.0:
        return nowhere(loop, Status.INFEASIBLE, _too_few("without excitation the cell stays below its calcium mean"))
    j_i = _first_root(excess, loop.cell.drive / loop.cell.inhibition.total_rate)
    if j_i is None:
        return nowhere(loop, Status.PAST_FOLD, _past_fold(loop))
    x = np.array([0.0, j_i])
    if loop.sensed(x)[1] < second * (1.0 - 1e-8):
        return nowhere(loop, Status.INFEASIBLE, _too_few("excitation would grow again where J_E = 0"))
    given_up = sensing.value(CalciumSecondMoment(loop.rule.sensor), loop.cell.neuron, *loop.input(x))
    message = (
        f"J_E = 0: the drive {loop.cell.drive:g} V/s exceeds the critical one; the second moment is "
        f"{given_up:.4g} µM^2 instead of {second:.4g}."
    )
    return at_state(loop, x, Status.WEIGHT_AT_ZERO, message)


def without_inhibition(loop: ClosedLoop) -> Equilibrium:
    """The state with J_I = 0, where excitation alone holds the second moment (too few inputs), or its absence."""
    assert isinstance(loop.rule, CalciumHomeostasis)
    mean, second = targets_of(loop.rule.target)
    sense = CalciumSecondMoment(loop.rule.sensor)

    def excess(log_j: float) -> float:
        mu, s = loop.input(np.array([math.exp(log_j), 0.0]))
        return math.log(max(sensing.value(sense, loop.cell.neuron, mu, s), 1e-300) / second)

    grid = np.log(np.geomspace(1e-6, 1e3, 60) * loop.cell.neuron.v_threshold)
    values = [excess(g) for g in grid]
    crossing = next((k for k in range(59) if values[k] < 0.0 <= values[k + 1]), None)
    if crossing is None:
        return nowhere(loop, Status.INFEASIBLE, "no excitatory weight gives the target second moment at J_I = 0.")
    j_e = math.exp(dynamics.bracketed_root(excess, grid[crossing], grid[crossing + 1]))
    x = np.array([j_e, 0.0])
    if loop.sensed(x)[0] > mean * (1.0 + 1e-8):
        return nowhere(loop, Status.INFEASIBLE, _too_few("inhibition would grow again where J_I = 0"))
    given_up = sensing.value(CalciumMean(loop.rule.sensor), loop.cell.neuron, *loop.input(x))
    message = (
        f"J_I = 0: too few inputs for positive weights; the calcium mean is {given_up:.4g} µM instead of {mean:.4g}. "
        "Raise K (see eq.theory.feasibility)."
    )
    return at_state(loop, x, Status.WEIGHT_AT_ZERO, message)


def _too_few(why: str) -> str:
    return (
        f"too few inputs for positive weights, and no state with a weight at zero is held: {why}. "
        "Raise K (see eq.theory.feasibility), or lower C_v*."
    )


def _first_root(excess, scale: float) -> float | None:
    """Smallest J_I at which the calcium mean falls through its target; None where inhibition cannot bring it down."""
    grid = scale * np.concatenate([np.linspace(0.02, 2.0, 100), np.geomspace(2.1, 50.0, 30)])
    values = np.array([excess(g) for g in grid])
    below = np.flatnonzero(values <= 0.0)
    if below.size:
        k = int(below[0])
        return dynamics.bracketed_root(excess, grid[k - 1], grid[k]) if k else None
    k = int(np.clip(np.argmin(values), 1, grid.size - 2))
    place, lowest = dynamics.lowest_point(excess, grid[k - 1], grid[k + 1])
    return None if lowest > 0.0 else dynamics.bracketed_root(excess, grid[k - 1], place)


def _past_fold(loop: ClosedLoop) -> str:
    return (
        f"the drive {loop.cell.drive:g} V/s lies beyond the fold: with J_E = 0 no inhibitory weight brings the calcium "
        "mean down to its target, and J_I grows without end. Weaken the drive, add inhibitory inputs or raise the "
        "target."
    )


def _from(loop: ClosedLoop, start: Array) -> Equilibrium:
    """Newton from a start, on the level set of whatever the loop conserves."""
    held = conserved(loop, start)
    drifting = [q for q in held if q.drift != 0.0]
    if drifting:
        return nowhere(loop, Status.INFEASIBLE, f"no equilibrium exists: {drifting[0]!r}. Make the set points equal.")
    levels = np.array([q(start) for q in held])
    constraints = (
        lambda x: np.array([q(x) for q in held]) - levels,
        lambda x: np.array([q.gradient(x) for q in held]),
    )
    # A short relaxation first: Newton alone may leave the basin in which the start lies.
    with np.errstate(all="ignore"):  # wild states on the way overflow and are refused
        near = _relax(loop, start)
        found = dynamics.fixed_point(
            loop.rhs, loop.jacobian, near, constraints=constraints if held else None, lower=0.0
        )
    if found.status is not Status.OK:
        return nowhere(loop, found.status, "the search for an equilibrium did not converge from this start.")
    span = loop.cell.neuron.v_threshold - loop.cell.neuron.v_reset
    if min(found.x[:2]) < VANISHED * span or max(found.x[:2]) > RUNAWAY * span or min(found.x) < 1e-30:
        what = f"j_e={found.x[0]:.3g}, j_i={found.x[1]:.3g}"
        return nowhere(
            loop, Status.NOT_CONVERGED,
            f"from this start a weight or target vanishes or grows without end ({what}). Try another one.",
        )  # fmt: skip
    message = f"one of a line of equilibria, chosen by the start: {held[0]!r}." if held else ""
    return at_state(loop, found.x, Status.MARGINAL if held else Status.OK, message, found.residual)


def _relax(loop: ClosedLoop, start: Array) -> Array:
    fastest = float(np.max(np.abs(np.linalg.eigvals(loop.jacobian(start)))))
    if not np.isfinite(fastest) or fastest == 0.0:
        return start
    times = np.array([0.0, 200.0 / fastest])
    limit = RUNAWAY * (loop.cell.neuron.v_threshold - loop.cell.neuron.v_reset)
    path = dynamics.evolve(
        loop.rhs, start, times, names=loop.names, lower=1e-200, tolerance=1e-6,
        stop=lambda x: limit - float(np.max(x[:2])),
    )  # fmt: skip
    return path.x[:, -1] if (path.x[:, -1] > 0.0).all() else start


def conserved(loop: ClosedLoop, near: Array) -> tuple[dynamics.Invariant, ...]:
    """Invariants of the loop, from 24 states scattered within 30 % of `near` (fixed seed); none if all are silent."""
    scatter = np.random.default_rng(20250904).uniform(0.7, 1.3, (24, near.size))
    samples = scatter * np.where(near > 0.0, near, 0.1)
    here = loop.sensed(samples[0])
    rates = np.array([[loop.rhs(x), loop.rule.rhs(x, here)] for x in samples])
    # What is sensed must matter to the rates: where the cell is silent everything looks like a constant drift.
    if np.abs(rates[:, 0] - rates[:, 1]).max() <= 1e-6 * np.abs(rates).max():
        return ()
    return dynamics.invariants(loop.rhs, samples, loop.names)
