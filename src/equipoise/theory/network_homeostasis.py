"""Where homeostasis takes a network, and how it answers disturbances there (Sec. 2.4.2, Eqs. 33-35)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from equipoise import dynamics
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network_approach, network_border, network_loop, network_state, quenched
from equipoise.theory.balanced import BalancedLimit
from equipoise.theory.network_loop import NetworkLoop, calcium, slow_jacobian
from equipoise.theory.wiring import Wiring


@dataclass(frozen=True, repr=False)
class NetworkEquilibrium:
    """A homeostatic fixed point: its network state, the plastic weights, and how it answers.

    `weights` [V] are the sizes and `degrees` the mean in-degrees of the plastic projections `names` (k,). `set_points`
    are those that are met, by population; adaptive ones (Eq. 35) where they came to rest. `spectrum` is that of the
    slow variables with the rates at their fixed point; `conserved` lists what the start fixed.
    """

    state: network_state.NetworkState
    weights: Array
    degrees: Array
    names: tuple[str, ...]
    set_points: dict[str, CalciumSetPoint]
    spectrum: dynamics.Spectrum
    conserved: tuple[dynamics.Invariant, ...]
    status: Status
    message: str

    def __repr__(self) -> str:
        if not self.status.usable:
            return f"NetworkEquilibrium: {self.status.name} {self.message}"
        weights = "  ".join(f"{n} {w:.6g}" for n, w in zip(self.names, self.weights, strict=True))
        rows = [f"NetworkEquilibrium: {self.status.name} {self.message}".rstrip(), f"  {weights}"]
        rows += [repr(self.state).replace("\n", "\n  "), repr(self.spectrum).replace("\n", "\n  ")]
        return "\n".join(rows + [f"  {q!r}" for q in self.conserved])


def set_points(wiring: Wiring, limit: BalancedLimit, sensor: Calcium, *, nodes: int = 721) -> list[CalciumSetPoint]:
    """Population means of both calcium moments in the balanced limit, one set point per population (Eq. 34)."""
    targets = []
    for a, neuron in enumerate(wiring.neurons):
        points = quenched.sample(limit.mu[a], limit.s[a], limit.beta[a], 0.0, 0.0, nodes=nodes)
        moments = calcium(sensor, neuron, float(wiring.tau_s[a]), points.mu, points.s) @ points.weights
        targets.append(CalciumSetPoint(mean=float(moments[0]), second_moment=float(moments[1])))
    return targets


def fixed_point(
    loop: NetworkLoop, *, start: Array, near: "NetworkEquilibrium | None" = None, throw: bool = True
) -> NetworkEquilibrium:
    """The homeostatic fixed point on the level set of the wiring's own weights: Newton on rates and weights together.

    `start` (2 n,) is a network state near that of the weights as they are, `balanced.expansion` for example; the state
    itself is found first, and starts Newton's method; `near`, the fixed point of a similar network (another K, say),
    starts it better. NumericalFailure where it does not converge.
    """
    held = network_approach.conserved(loop)
    here, guess = _guess(loop, start, near)
    found = network_approach.solve(loop, held, network_approach.levels(held, loop.slow), guess)
    y, way = found.x, None
    if found.status is not Status.OK:
        way = network_approach.approach(loop, held, here)
        y = way.y
    if way is None or way.arrived:
        point = _describe(loop, y, held)
        if point.status.usable:
            return point
    border = None if way is None else network_border.solve(loop, way)
    point = None if border is None else _at_border(loop, *border)
    if point is not None and point.status is Status.WEIGHT_AT_ZERO:
        return point
    status, message = _why_not(loop, held, here, way)
    if throw:
        raise NumericalFailure(status, f"network homeostasis: {message}")
    return nowhere(loop, held, status, message)


def _guess(loop: NetworkLoop, start: Array, near: "NetworkEquilibrium | None") -> tuple[Array, Array]:
    """The network state as it is, and (x, slow) to begin with: those of a neighbour (weights ~ K^-1/2) or as is."""
    if near is not None:
        scaled = near.weights * np.sqrt(near.degrees / _degrees(loop))
        targets = [near.set_points[loop.wiring.names[a]] for a in loop.adapting]
        return start, np.concatenate([near.state.x, scaled, *((t.second_moment, t.mean) for t in targets)])
    before = network_state.from_start(loop.wiring, start)
    here = before.x if before.status.usable else start
    return here, np.concatenate([here, loop.slow])


def _why_not(
    loop: NetworkLoop, held: tuple[dynamics.Invariant, ...], here: Array, way: network_approach.Approach | None
) -> tuple[Status, str]:
    """Status and words for a fixed point that is not found: singular balance, negative weight, too few inputs."""
    same = network_approach.singular(loop)
    if same:
        return Status.INFEASIBLE, (
            f"no fixed point: {same}, so the balance equations are homogeneous in the excitatory rate and that of the "
            "source together and do not determine the rates (singular). Give the populations different values."
        )
    way = way or network_approach.Approach(np.concatenate([here, loop.slow]), 0.0)
    words = [f"the set points can be followed for {100 * way.share:.3g} % of the way from what is sensed now."]
    if way.negative is not None:
        signs = zip(loop.weight_names, way.negative, strict=True)
        needed = ", ".join(f"{name} < 0" for name, w in signs if w < 0.0)
        share = f"{100 * way.share:.3g} % of the way from what is sensed now"
        words = [f"the set points ask for a negative weight: {needed} beyond {share}."]
    factor = _least_inputs(loop, held, here)
    if factor is not None:
        least = factor * float(np.min(loop.wiring.K[loop.wiring.K > 0.0]))
        words.append(f"K is below the feasible minimum, K = {least:.3g} (found numerically). Raise K above it.")
    else:
        tried = ", ".join(f"{f:g}" for f in network_approach.FACTORS)
        words.append(f"More inputs do not help ({tried} times K tried): the set points do not fit this network.")
    known = factor is not None or way.negative is not None
    return (Status.INFEASIBLE if known else Status.NOT_CONVERGED), f"no homeostatic fixed point: {' '.join(words)}"


def _least_inputs(loop: NetworkLoop, held: tuple[dynamics.Invariant, ...], here: Array) -> float | None:
    """Multiple of K from which on a fixed point exists, to 1 %; None where none does at the multiples tried."""
    for high in network_approach.FACTORS:
        more = network_approach.scaled(loop, high)
        y = _with_more_inputs(more, held, here)
        if y is not None:
            return _bisect_inputs(loop, held, y, high)
    return None


def _with_more_inputs(more: NetworkLoop, held: tuple[dynamics.Invariant, ...], here: Array) -> Array | None:
    """The fixed point y of a loop with more inputs, at once or by moving the set points; None where there is none."""
    before = network_state.from_start(more.wiring, here)
    start = before.x if before.status.usable else here
    levels = network_approach.levels(held, more.slow)
    guess = np.concatenate([start, more.slow])
    found = network_approach.solve(more, held, levels, guess, max_steps=2 * network_approach.SHORT)
    if found.status is Status.OK:
        return found.x
    way = network_approach.approach(more, held, start) if before.status.usable else None
    return way.y if way is not None and way.arrived else None


def _bisect_inputs(loop: NetworkLoop, held: tuple[dynamics.Invariant, ...], y: Array, high: float) -> float:
    """The least multiple of K at which the fixed point y of `high` times K is still found, in steps that shrink."""
    n2, step = 2 * loop.wiring.n, 0.25
    while step > 0.005:
        less = network_approach.scaled(loop, high * (1.0 - step))
        guess = y.copy()
        guess[n2 : n2 + len(loop.places)] /= np.sqrt(1.0 - step)
        levels = network_approach.levels(held, less.slow)
        found = network_approach.solve(less, held, levels, guess, max_steps=network_approach.SHORT)
        if found.status is Status.OK:
            y, high = found.x, high * (1.0 - step)
        else:
            step /= 2.0
    return high


def _degrees(loop: NetworkLoop) -> Array:
    """Mean in-degrees of the plastic projections (k,)."""
    return np.array([loop.wiring.K[place] for place in loop.places])


def _describe(loop: NetworkLoop, y: Array, held: tuple[dynamics.Invariant, ...]) -> NetworkEquilibrium:
    n2 = 2 * loop.wiring.n
    x, slow = y[:n2], y[n2:]
    state = network_state.from_start(loop.with_weights(slow), x)
    spectrum = dynamics.spectrum(slow_jacobian(loop, x, slow), loop.names)
    stable = spectrum.stable and state.stable
    remarks = [*_no_weights(loop, x, slow), *_remarks(loop, slow, state, stable)]
    remarks += [] if spectrum.stable else _reversed(loop, x, slow)
    message = " ".join(remarks)
    status = Status.UNSTABLE if not stable else Status.MARGINAL if spectrum.zero.any() else Status.OK
    status = status if state.status.usable else state.status
    return NetworkEquilibrium(
        state, slow[: len(loop.places)], _degrees(loop), loop.weight_names, goals(loop, slow), spectrum, held, status,
        message,
    )  # fmt: skip


def _at_border(loop: NetworkLoop, part: NetworkLoop, y: Array) -> NetworkEquilibrium:
    """The fixed point of what is left of the loop where some weights are at zero."""
    left = _describe(part, y, network_approach.conserved(part))
    sizes = np.array([left.weights[part.places.index(p)] if p in part.places else 0.0 for p in loop.places])
    n2 = 2 * loop.wiring.n
    words = network_border.words(loop, part, y[:n2], y[n2:])
    message = " ".join([words, *_remarks(part, y[n2:], left.state, left.spectrum.stable and left.state.stable)])
    status = Status.WEIGHT_AT_ZERO if left.status in (Status.OK, Status.MARGINAL) else left.status
    names, degrees = loop.weight_names, _degrees(loop)
    return replace(left, weights=sizes, degrees=degrees, names=names, status=status, message=message)


def _no_weights(loop: NetworkLoop, x: Array, slow: Array) -> Iterator[str]:
    for text in network_border.not_held(loop, x, slow):
        yield f"{text}: there are no weights to hold it."


def _reversed(loop: NetworkLoop, x: Array, slow: Array) -> Iterator[str]:
    """Populations whose averages do not tell excitation from inhibition as the rules need it."""
    signs = network_loop.encoding(loop, x, slow)
    names = [name for name, sign in zip(loop.wiring.names, signs, strict=True) if sign < 0.0]
    if names:
        yield (
            f"Averaged over the unequal cells of {' and of '.join(names)} the second moment falls where excitation and "
            "inhibition grow together at a fixed mean, the reverse of what the rules need (divergent encoding); cells "
            "that regulate themselves, scope='neuron', do not average."
        )


def _remarks(loop: NetworkLoop, weights: Array, state: network_state.NetworkState, stable: bool) -> Iterator[str]:
    if not stable:
        yield "the fixed point exists, but small disturbances of the weights grow."
    same, condition = network_approach.singular(loop), network_approach.conditioning(loop, weights)
    if state.status in (Status.SILENT, Status.SATURATED):
        yield state.message
    if same:
        yield f"{same}: balance does not determine the rates (singular), and at large K no fixed point is left."
    if network_approach.ILL < condition < np.inf:
        yield (
            f"the balance equations are nearly singular (condition number {condition:.0f}): rates are held by the "
            "corrections of order 1/sqrt(K) and are sensitive. Make J_AX/J_AE differ more between populations."
        )


def goals(loop: NetworkLoop, slow: Array) -> dict[str, CalciumSetPoint]:
    """The set point of every regulated population in a slow state."""
    named = zip(loop.wiring.names, loop.rules, loop.targets(slow), strict=True)
    return {
        name: CalciumSetPoint(mean=float(mean), second_moment=float(second))
        for name, rule, (mean, second) in named
        if rule is not None
    }


def nowhere(loop: NetworkLoop, held, status: Status, message: str) -> NetworkEquilibrium:
    """The labelled absence of a fixed point."""
    k, nothing = len(loop.names), np.full(2 * loop.wiring.n, np.nan)
    state = network_state.NetworkState((), nothing, np.nan, nothing.astype(complex), loop.nodes, status, message)
    empty = dynamics.Spectrum(np.full(k, complex(np.nan)), np.full((k, k), complex(np.nan)), loop.names, 0.0)
    weights = np.full(len(loop.places), np.nan)
    return NetworkEquilibrium(state, weights, weights, loop.weight_names, {}, empty, held, status, message)
