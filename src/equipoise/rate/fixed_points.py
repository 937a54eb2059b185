"""All fast fixed points of a network of rates.

Threshold-linear networks of few populations: each population is silent, active or at its ceiling, and each of these
patterns is a linear system, so that all fixed points are found exactly (Hahnloser et al. 2000, Nature 405:947; Curto &
Morrison 2016). Other networks: Newton's method from many starts, and every state followed as all populations together
and each alone receive more or less input; a branch that turns at a fold comes back to the network in another state.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.rate_neurons import FICurve
from equipoise.quantities import Array
from equipoise.rate import curves
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.rate.state import RateState, state_at
from equipoise.results import NumericalFailure, Status

MOST_PATTERNS = 20_000
MOST_UNITS = 40
"""Units beyond which no search from many starts covers the space."""
LINE = 1e-12
"""Determinant, relative to Hadamard's bound, of a pattern with a line of fixed points."""
SLACK = 1e-10
"""How far a pattern may be broken by rounding, relative to the terms of the input."""
SILENT, ACTIVE, FULL = 0, 1, 2
TURNS = 60
"""Points of a branch followed in search of another state."""


def fixed_points(circuit: Circuit | RateNetwork, *, starts: Sequence[ArrayLike] = ()) -> list[RateState]:
    """All fast fixed points, sorted by the mean rate, each with its stability and status.

    For threshold-linear populations (at most 20,000 patterns of silent, active and full ones) they are all there are;
    otherwise all that are found, also from `starts`, rates [Hz] of your own. ValueError for more than 40 units: those
    settle (`settle`) in one state.
    """
    net = as_network(circuit)
    given = [rates_from("rate.fixed_points", net, start) for start in starts]
    linear = all(map(curves.is_piecewise_linear, net.curves))
    if linear and _kinds(net).prod() <= MOST_PATTERNS:
        return _in_order(list(_by_patterns(net)))
    if net.n > MOST_UNITS:
        raise ValueError(
            f"rate.fixed_points: {net.n:,} units are too many to find all their states, at most {MOST_UNITS} are "
            "searched. Use eq.rate.settle for the state that one start leads to."
        )
    return _in_order(_by_search(net, given))


def resting(states: Sequence[RateState]) -> RateState:
    """Where a circuit is taken to rest: the highest stable state that is neither silent nor saturated.

    Without one the highest stable state, without any the first. `states` as `fixed_points` sorts them; NumericalFailure
    where there are none.
    """
    if not states:
        raise NumericalFailure(
            Status.NOT_CONVERGED, "rate: no fixed point is found, so that there is no state of rest."
        )
    stable = [one for one in states if one.stable]
    active = [one for one in stable if one.status is Status.OK]
    return (active or stable or list(states[:1]))[-1]


def settle(circuit: Circuit | RateNetwork, *, start: ArrayLike | None = None, throw: bool = True) -> RateState:
    """The state in which the rates settle from `start` (default: silence), following the fast dynamics.

    NumericalFailure where they run away or keep oscillating; with throw=False the state then holds the last rates and
    says so.
    """
    net = as_network(circuit)
    first = np.zeros(net.n) if start is None else rates_from("rate.settle", net, start)
    r, status, message = settled(net, first)
    if status is Status.OK:
        return state_at(net, r)
    if throw:
        raise NumericalFailure(status, f"rate.settle: {message}")
    return RateState(net, r, *net.inputs(r), status, message)


def settled(net: RateNetwork, start: Array) -> tuple[Array, Status, str]:
    """The rates in which the fast dynamics comes to rest, and how that went; units by `large.settled`."""
    if net.n > MOST_UNITS:
        from equipoise.rate import large

        return large.settled(net, start)
    speed = float(net.tau.max()) / net.tau

    def scaled(r: Array) -> tuple[Array, Array]:
        value, slopes = net.residual(r)
        return speed * value, speed[:, None] * slopes

    system = dynamics.together(scaled)
    found = dynamics.relaxation(*system, start, lower=-1e-9, tolerance=1e-7)
    r = np.maximum(found.x, 0.0)
    if found.status is Status.RUNAWAY or r.max(initial=0.0) > ENDLESS:
        return r, Status.RUNAWAY, "the rates grow without end. Weaken excitation, or give the neurons a max_rate."
    if found.status is Status.NOT_CONVERGED:
        return r, Status.NOT_CONVERGED, "the rates do not come to rest; they may oscillate. See eq.rate.simulate."
    sharp = near(net, r)
    return (r if sharp is None else sharp), Status.OK, ""


def near(net: RateNetwork, r: Array, *, max_steps: int = 60) -> Array | None:
    """The fixed point that Newton's method reaches from r, or None."""
    found = dynamics.fixed_point(*dynamics.together(net.residual), r, tolerance=1e-12, max_steps=max_steps)
    if found.status is not Status.OK or found.x.min(initial=0.0) < -1e-9 * max(1.0, float(np.max(found.x))):
        return None
    return np.maximum(found.x, 0.0)


# --- exactly ----------------------------------------------------------------------------------------------------------
def _kinds(net: RateNetwork) -> Array:
    """In how many ways each unit may be: silent, active, and full where it has a ceiling (n,)."""
    return np.where(np.isfinite(net.ceilings), 3.0, 2.0)


def _by_patterns(net: RateNetwork):
    """The states of all patterns that keep their own conditions."""
    patterns = np.array(list(product(*(range(int(k)) for k in _kinds(net)))))
    active, full = patterns == ACTIVE, patterns == FULL
    tops = np.where(np.isfinite(net.ceilings), net.ceilings, 0.0)
    gains, drive = np.where(active, net.gain, 0.0), net.external[0] - net.threshold
    matrices = np.eye(net.n) - gains[:, :, None] * net.coupling
    right = gains * drive + np.where(full, tops, 0.0)
    line = _singular(matrices)
    rates = np.empty_like(right)
    if (~line).any():
        rates[~line] = np.linalg.solve(matrices[~line], right[~line][..., None])[..., 0]
    for k in np.flatnonzero(line):
        rates[k] = _on_a_line(net, matrices[k], right[k], patterns[k])
    for r, pattern, neutral in zip(rates, patterns, line, strict=True):
        if np.isfinite(r).all() and _holds(net, r, pattern):
            yield state_at(net, np.clip(r, 0.0, net.ceilings), line=bool(neutral))


def _singular(matrices: Array) -> np.ndarray:
    bound = np.linalg.norm(matrices, axis=2).prod(axis=1)
    return np.abs(np.linalg.det(matrices)) <= LINE * np.maximum(bound, 1e-300)


def _on_a_line(net: RateNetwork, matrix: Array, right: Array, pattern: np.ndarray) -> Array:
    """A point of the line of solutions that keeps the pattern's conditions by as much as possible; NaN without one."""
    from scipy.optimize import linprog

    n, nothing = net.n, np.full(net.n, np.nan)
    sign = np.where(pattern == SILENT, -1.0, 1.0)  # of h - threshold
    below = pattern == ACTIVE
    tops = np.where(np.isfinite(net.ceilings), net.ceilings / net.gain, 1e9)
    drive = net.external[0] - net.threshold
    floor = np.where(pattern == FULL, tops, 0.0)
    # unknown (r, margin): sign (W r + drive - floor) >= margin, and W r + drive <= tops - margin where active
    rows = np.vstack([-sign[:, None] * net.coupling, net.coupling[below]])
    limits = np.concatenate([sign * (drive - floor), (tops - drive)[below]])
    found = linprog(
        np.append(np.zeros(n), -1.0), A_ub=np.column_stack([rows, np.ones(rows.shape[0])]), b_ub=limits,
        A_eq=np.column_stack([matrix, np.zeros(n)]), b_eq=right, bounds=[(0.0, None)] * n + [(0.0, 1.0)],
    )  # fmt: skip
    return found.x[:n] if found.status == 0 else nothing


def _holds(net: RateNetwork, r: Array, pattern: np.ndarray) -> bool:
    """Whether rates that solve the equations of a pattern have that pattern, up to rounding."""
    x = net.inputs(r)[0] - net.threshold
    slack = SLACK * (np.abs(net.coupling) @ np.abs(r) + np.abs(net.external[0]) + np.abs(net.threshold) + 1e-12)
    top = net.ceilings / net.gain
    good = [x <= slack, (x >= -slack) & (x <= top + slack), x >= top - slack]
    return bool(np.choose(pattern, good).all())


# --- by search --------------------------------------------------------------------------------------------------------
def _by_search(net: RateNetwork, given: Sequence[Array]) -> list[RateState]:
    highest = float(np.min(np.where(np.isfinite(net.ceilings), 0.999 * net.ceilings, 1e3)))
    costly = any(isinstance(c, FICurve) for c in net.curves)  # tables of rates are made as they are used
    ladder = [np.full(net.n, x) for x in (0.0, *np.geomspace(1e-2, highest, 6 if costly else 13))]
    rng = np.random.default_rng(0)
    mixed = np.exp(rng.uniform(np.log(1e-2), np.log(highest), (8 if costly else 24 + 8 * net.n, net.n)))
    mixed[::4] *= rng.random(mixed[::4].shape) < 0.5  # some of them silent
    states: list[RateState] = []
    for start in (*given, *ladder, *mixed):
        _add(states, net, near(net, start))
    for start in (np.zeros(net.n), np.full(net.n, highest)):
        r, status, _ = settled(net, start)
        _add(states, net, r if status is Status.OK else None)
    waiting = list(states)
    while waiting and len(states) < 3**net.n + 20:
        state = waiting.pop()
        for other in _relatives(net, state.rates):
            if _add(states, net, other):
                waiting.append(states[-1])
    return states


def _add(states: list[RateState], net: RateNetwork, r: Array | None) -> bool:
    """Keep a state that is new."""
    if r is None or any(np.allclose(r, one.rates, rtol=1e-6, atol=1e-9) for one in states):
        return False
    states.append(state_at(net, r))
    return True


def _relatives(net: RateNetwork, r: Array):
    """Rates at which branches through r come back to the network, if they turn."""
    h = net.inputs(r)[0]
    size = float(np.max(np.abs(h) + np.abs(net.threshold)) + 1.0)
    alone = 1 < net.n <= 4 and not any(isinstance(c, FICurve) for c in net.curves)
    ways = [np.ones(net.n), *(np.eye(net.n) if alone else ())]
    for way in ways:
        for span in (2.0 * size, -2.0 * size):
            yield _return(net, r, way, span)


def _return(net: RateNetwork, r: Array, way: Array, span: float) -> Array | None:
    def moved(p: float) -> RateNetwork:
        return net.variant(drive=net.drive + p * way)

    def slopes(x: Array, p: float) -> tuple[Array, Array]:
        here = moved(p)
        return here.slopes(x) - np.eye(net.n), here.fired(*here.inputs(x))[1] * way

    scale = np.append(np.maximum(r, 1.0) * 2.0, abs(span))
    path = dynamics.continuation(
        lambda x, p: moved(p).steady(x) - x, slopes, r, (0.0, span), step=0.1, max_points=TURNS,
        domain=dynamics.Domain(scale, lambda x, _p: 1.0 if np.abs(x).max() < ENDLESS else -1.0),
    )  # fmt: skip
    came_back = path.p.size > 2 and abs(float(path.p[-1])) <= 1e-9 * abs(span)
    return near(net, np.maximum(path.x[-1], 0.0)) if came_back else None


def _in_order(states: list[RateState]) -> list[RateState]:
    out: list[RateState] = []
    for state in sorted(states, key=lambda one: float(one.rates.mean())):
        if not any(np.allclose(state.rates, one.rates, rtol=1e-8, atol=1e-9) for one in out):
            out.append(state)
    return out
