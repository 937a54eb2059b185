"""Homeostatic fixed points reached by moving the set points, and why some cannot be reached.

At the set points that a network meets as it is, its own weights are the fixed point. From there the set points are
moved to those wanted, with Newton's method at each step; where that ends says what is in the way: a weight that would
have to be negative, too few inputs, or conserved differences of weights that leave balance undetermined.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise import dynamics
from equipoise.model.homeostasis import CalciumSetPoint, targets_of
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory.network_loop import NetworkLoop, joint, sense

Held = tuple[dynamics.Invariant, ...]
SMALLEST_STEP = 2e-3
SHORT = 15
"""Newton steps allowed where the start is near."""
FACTORS = (4.0, 32.0)
"""Multiples of K tried where no fixed point is found."""
ILL = 100.0
"""Condition number of the balance equations from which a remark is due; 43 in the standard network."""


@dataclass(frozen=True)
class Approach:
    """y = (x, J) at the last set points met, their share of the way to those wanted, and J where one is negative."""

    y: Array
    share: float
    negative: Array | None = None

    @property
    def arrived(self) -> bool:
        """Whether the set points are met."""
        return self.share == 1.0


def solve(
    loop: NetworkLoop, held: Held, levels: Array, guess: Array, *, signed: bool = False, max_steps: int = 100
) -> dynamics.FixedPoint:
    """Newton on rates and weights together at given levels of what is held; `signed` lets weights turn negative."""
    n2 = 2 * loop.wiring.n
    lower = np.where(np.arange(guess.size) < n2, 0.0, -np.inf if signed else 0.0)
    return dynamics.fixed_point(
        *dynamics.together(lambda y: joint(loop, y)),
        guess,
        constraints=(
            lambda y: np.array([q(y[n2:]) for q in held]) - levels,
            lambda y: np.array([np.concatenate([np.zeros(n2), q.gradient(y[n2:])]) for q in held]),
        ),
        lower=lower,
        tolerance=1e-11,
        max_steps=max_steps,
    )


def approach(loop: NetworkLoop, held: Held, start: Array) -> Approach:
    """From the network state `start` (2 n,) of the weights as they are towards the set points of the rules."""
    levels = np.array([q(loop.weights) for q in held])
    now = sense(loop, loop.wiring, start).values
    y, share, step = np.concatenate([start, loop.weights]), 0.0, 0.25
    while share < 1.0 and step > SMALLEST_STEP:
        following = min(1.0, share + step)
        found = solve(_towards(loop, now, following), held, levels, y, max_steps=SHORT)
        if found.status is Status.OK:
            y, share, step = found.x, following, 2.0 * step
        else:
            step /= 8.0
    if share == 1.0:
        return Approach(y, share)
    return Approach(y, share, _negative(_towards(loop, now, min(1.0, share + 10 * SMALLEST_STEP)), held, levels, y))


def _negative(loop: NetworkLoop, held: Held, levels: Array, y: Array) -> Array | None:
    """The weights a little further on, where one of them is negative."""
    if any("log" in term for q in held for term in q.terms):
        return None  # ratios of weights are held, so that none of these can change its sign
    found = solve(loop, held, levels, y, signed=True, max_steps=SHORT)
    weights = found.x[2 * loop.wiring.n :]
    return weights if found.status is Status.OK and (weights < 0.0).any() else None


def _towards(loop: NetworkLoop, now: Array, share: float) -> NetworkLoop:
    """The loop with set points at a share of the way from what is sensed `now` (n, 2) to its own."""
    rules = []
    for rule, sensed in zip(loop.rules, now, strict=True):
        if rule is None or share == 1.0:
            rules.append(rule)
            continue
        mean, second = (1.0 - share) * sensed + share * np.array(targets_of(rule.target))
        rules.append(replace(rule, target=CalciumSetPoint(mean=float(mean), second_moment=float(second))))
    return replace(loop, rules=tuple(rules))


def scaled(loop: NetworkLoop, factor: float) -> NetworkLoop:
    """The loop with `factor` times the inputs and weights times factor^-1/2."""
    w = loop.wiring
    return replace(loop, wiring=replace(w, K=factor * w.K, V=factor * w.V, J=w.J / np.sqrt(factor)))


def conditioning(loop: NetworkLoop, weights: Array) -> float:
    """Condition number of the balance equations K J r = 0 for the rates, rows scaled to one."""
    w = loop.with_weights(weights)
    inside = (w.K * w.J)[:, : w.n]
    size = np.linalg.norm(inside, axis=1, keepdims=True)
    return float(np.linalg.cond(inside / size)) if (size > 0.0).all() else np.inf


def singular(loop: NetworkLoop, *, tolerance: float = 1e-6) -> str:
    """Names the conserved combinations that leave the balance rates undetermined, or "" where none do.

    With J_AX = rho J_AE in every population A, K J r = 0 asks for (r_E + rho r_X, r_I) only: homogeneous, so that it
    has a solution only where its determinant vanishes, and then any. At absolute scale J_AE = J_AX does that.
    """
    pairs = [_outer_and_inner(loop, a) for a in range(loop.wiring.n)]
    if any(rule is None for rule in loop.rules) or any(p is None for p in pairs) or len(pairs) < 2:
        return ""
    outer, inner = np.array(pairs, dtype=np.float64).T
    absolute = [getattr(rule, "scale", "") == "absolute" for rule in loop.rules]
    names, source = loop.wiring.names, loop.sources[0]
    if all(absolute) and (np.abs(outer - inner) <= tolerance * inner).all():
        text = " and ".join(f"J_{a}{names[_excitatory(loop)[0]]} = J_{a}{source}" for a in names)
        return f"{text}, conserved at absolute scale"
    ratio = outer / inner
    if not any(absolute) and (np.abs(ratio / ratio[0] - 1.0) <= tolerance).all():
        text = " = ".join(f"J_{a}{source}/J_{a}{names[_excitatory(loop)[0]]}" for a in names)
        return f"{text} = {ratio[0]:.4g}, conserved at relative scale"
    return ""


def _excitatory(loop: NetworkLoop) -> NDArray[np.intp]:
    """Populations whose weights are all excitatory."""
    inside = loop.wiring.J[:, : loop.wiring.n]
    return np.flatnonzero((inside >= 0.0).all(0) & (inside > 0.0).any(0))


def _outer_and_inner(loop: NetworkLoop, a: int) -> tuple[float, float] | None:
    """K-weighted J_AX and J_AE of population a in a network of one excitatory population and one source."""
    n, J = loop.wiring.n, loop.wiring.J
    excitatory = _excitatory(loop)
    if excitatory.size != 1 or J.shape[1] != n + 1 or J[a, n] <= 0.0 or J[a, excitatory[0]] <= 0.0:
        return None
    return float(J[a, n]), float(J[a, excitatory[0]])
