"""Where homeostasis takes a network, how it answers disturbances, and its slow path there (Sec. 2.4.2, Eqs. 33-35)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network_approach, network_state, quenched
from equipoise.theory.balanced import BalancedLimit
from equipoise.theory.network_loop import NetworkLoop, sense, slow_jacobian
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, repr=False)
class NetworkEquilibrium:
    """A homeostatic fixed point: its network state, the plastic weights, and how it answers.

    `weights` [V] are the sizes and `degrees` the mean in-degrees of the plastic projections `names` (k,). `spectrum` is
    that of the slow weights with the rates at their fixed point; `conserved` lists what the start fixed.
    """

    state: network_state.NetworkState
    weights: Array
    degrees: Array
    names: tuple[str, ...]
    spectrum: dynamics.Spectrum
    conserved: tuple[dynamics.Invariant, ...]
    status: Status
    message: str

    def __repr__(self) -> str:
        weights = "  ".join(f"{n} {w:.6g}" for n, w in zip(self.names, self.weights, strict=True))
        rows = [f"NetworkEquilibrium: {self.status.name} {self.message}".rstrip(), f"  {weights}"]
        rows += [repr(self.state).replace("\n", "\n  "), repr(self.spectrum).replace("\n", "\n  ")]
        return "\n".join(rows + [f"  {q!r}" for q in self.conserved])


def set_points(wiring: Wiring, limit: BalancedLimit, sensor: Calcium, *, nodes: int = 721) -> list[CalciumSetPoint]:
    """Population means of both calcium moments in the balanced limit, one set point per population (Eq. 34)."""
    targets = []
    for a, neuron in enumerate(wiring.neurons):
        points = quenched.sample(limit.mu[a], limit.s[a], limit.beta[a], 0.0, 0.0, nodes=nodes)
        law = renewal.NeuronISI(neuron, mu=points.mu, sigma=np.sqrt(points.s))
        mean, second = renewal.calcium_moments(sensor, law)
        targets.append(CalciumSetPoint(mean=float(points.weights @ mean), second_moment=float(points.weights @ second)))
    return targets


def conserved(loop: NetworkLoop) -> tuple[dynamics.Invariant, ...]:
    """What the rules conserve whatever the network does: invariants under arbitrary sensed values (fixed seed)."""
    rng = np.random.default_rng(33)
    samples = loop.weights * rng.uniform(0.7, 1.3, (6 * len(loop.names), len(loop.names)))
    feedback = {tuple(w): rng.uniform(0.5, 3.0, (loop.wiring.n, 2)) for w in samples}
    return dynamics.invariants(lambda w: loop.rhs(w, feedback[tuple(w)]), samples, loop.names)


def fixed_point(
    loop: NetworkLoop, *, start: Array, near: "NetworkEquilibrium | None" = None, throw: bool = True
) -> NetworkEquilibrium:
    """The homeostatic fixed point on the level set of the wiring's own weights: Newton on rates and weights together.

    `start` (2 n,) is a network state near that of the weights as they are, `balanced.expansion` for example; the state
    itself is found first, and starts Newton's method; `near`, the fixed point of a similar network (another K, say),
    starts it better. NumericalFailure where it does not converge.
    """
    held = conserved(loop)
    levels = np.array([q(loop.weights) for q in held])
    here, guess = _guess(loop, start, near)
    found = network_approach.solve(loop, held, levels, guess)
    y, way = found.x, None
    if found.status is not Status.OK:
        way = network_approach.approach(loop, held, here)
        y = way.y
    if way is None or way.arrived:
        point = _describe(loop, y, held)
        if point.status.usable:
            return point
    status, message = _why_not(loop, held, here, way)
    if throw:
        raise NumericalFailure(status, f"network homeostasis: {message}")
    return _nowhere(loop, held, status, message)


def _guess(loop: NetworkLoop, start: Array, near: "NetworkEquilibrium | None") -> tuple[Array, Array]:
    """The network state as it is, and (x, J) to begin with: those of a neighbour (weights ~ K^-1/2) or as is."""
    if near is not None:
        degrees = np.array([loop.wiring.K[place] for place in loop.places])
        return start, np.concatenate([near.state.x, near.weights * np.sqrt(near.degrees / degrees)])
    before = network_state.from_start(loop.wiring, start)
    here = before.x if before.status.usable else start
    return here, np.concatenate([here, loop.weights])


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
    way = way or network_approach.Approach(np.concatenate([here, loop.weights]), 0.0)
    words = [f"the set points can be followed for {100 * way.share:.2g} % of the way from what is sensed now."]
    if way.negative is not None:
        signs = zip(loop.names, way.negative, strict=True)
        needed = ", ".join(f"{name} < 0" for name, w in signs if w < 0.0)
        share = f"{100 * way.share:.2g} % of the way from what is sensed now"
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
        before = network_state.from_start(more.wiring, here)
        guess = np.concatenate([before.x if before.status.usable else here, more.weights])
        levels = np.array([q(more.weights) for q in held])
        found = network_approach.solve(more, held, levels, guess, max_steps=2 * network_approach.SHORT)
        if found.status is Status.OK:
            return _bisect_inputs(loop, held, found.x, high)
    return None


def _bisect_inputs(loop: NetworkLoop, held: tuple[dynamics.Invariant, ...], y: Array, high: float) -> float:
    """The least multiple of K at which the fixed point y of `high` times K is still found, in steps that shrink."""
    n2, step = 2 * loop.wiring.n, 0.25
    while step > 0.005:
        less = network_approach.scaled(loop, high * (1.0 - step))
        guess = np.concatenate([y[:n2], y[n2:] / np.sqrt(1.0 - step)])
        levels = np.array([q(less.weights) for q in held])
        found = network_approach.solve(less, held, levels, guess, max_steps=network_approach.SHORT)
        if found.status is Status.OK:
            y, high = found.x, high * (1.0 - step)
        else:
            step /= 2.0
    return high


def _describe(loop: NetworkLoop, y: Array, held: tuple[dynamics.Invariant, ...]) -> NetworkEquilibrium:
    n2 = 2 * loop.wiring.n
    x, weights = y[:n2], y[n2:]
    state = network_state.from_start(loop.with_weights(weights), x)
    spectrum = dynamics.spectrum(slow_jacobian(loop, x, weights), loop.names)
    stable = spectrum.stable and state.stable
    message = " ".join(_remarks(loop, weights, state, stable))
    status = Status.UNSTABLE if not stable else Status.MARGINAL if spectrum.zero.any() else Status.OK
    status = status if state.status.usable else state.status
    degrees = np.array([loop.wiring.K[place] for place in loop.places])
    return NetworkEquilibrium(state, weights, degrees, loop.names, spectrum, held, status, message)


def _remarks(loop: NetworkLoop, weights: Array, state: network_state.NetworkState, stable: bool) -> Iterator[str]:
    if not stable:
        yield "the fixed point exists, but small disturbances of the weights grow."
    same, condition = network_approach.singular(loop), network_approach.conditioning(loop, weights)
    if state.status in (Status.SILENT, Status.SATURATED):
        yield state.message
    if same:
        yield f"{same}: balance does not determine the rates (singular), and at large K no fixed point is left."
    if condition > network_approach.ILL:
        yield (
            f"the balance equations are nearly singular (condition number {condition:.0f}): rates are held by the "
            "corrections of order 1/sqrt(K) and are sensitive. Make J_AX/J_AE differ more between populations."
        )


def _nowhere(loop: NetworkLoop, held, status: Status, message: str) -> NetworkEquilibrium:
    k = len(loop.names)
    nothing = np.full(2 * loop.wiring.n, np.nan)
    state = network_state.NetworkState((), nothing, np.nan, nothing.astype(complex), loop.nodes, status, message)
    empty = dynamics.Spectrum(np.full(k, complex(np.nan)), np.full((k, k), complex(np.nan)), loop.names, 0.0)
    return NetworkEquilibrium(state, np.full(k, np.nan), np.full(k, np.nan), loop.names, empty, held, status, message)


def evolve(loop: NetworkLoop, *, start: Array, times: Array) -> "xr.Dataset":
    """The weights over `times` [s] from those of the wiring, rates at their fixed point all along (Newton, warm start).

    `start` (2 n,) is near the first state. Dataset over `time` with the weights, rates, second moments and sensed
    calcium; attrs carry status and message.
    """
    follower = _Follower(loop, start)
    absolute = [getattr(rule, "scale", "absolute") == "absolute" for rule in loop.rules]
    logs = np.array([not absolute[a] for a, _ in loop.places])

    def back(z: Array) -> Array:
        return np.where(logs, np.exp(np.where(logs, z, 0.0)), z)

    def rhs(z: Array) -> Array:
        weights = back(z)
        return loop.rhs(weights, follower.sensed(weights)) / np.where(logs, weights, 1.0)

    weights = loop.weights
    path = dynamics.evolve(
        rhs, np.where(logs, np.log(weights), weights), times, names=loop.names,
        lower=np.where(logs, -np.inf, 0.0), tolerance=1e-8,
    )  # fmt: skip
    return _dataset(loop, replace(path, x=np.stack([back(z) for z in path.x.T], axis=-1)), start)


class _Follower:
    """The network state for slowly changing weights: Newton from the last state, relaxation where that fails."""

    def __init__(self, loop: NetworkLoop, start: Array):
        self.loop, self.x = loop, start

    def state(self, weights: Array) -> Array:
        """x = (r, q) at these weights; NumericalFailure where the network has lost its state."""
        wiring = self.loop.with_weights(weights)
        equations = network_state.Equations(wiring, self.loop.nodes)
        for start in (lambda: self.x, lambda: network_state.relaxed(wiring, self.x[: wiring.n]).x):
            found = dynamics.fixed_point(equations.residual, equations.jacobian, start(), lower=0.0, tolerance=1e-10)
            if found.status is Status.OK:
                self.x = found.x
                return self.x
        raise NumericalFailure(Status.NOT_CONVERGED, "network homeostasis: the rates were lost along the way.")

    def sensed(self, weights: Array) -> Array:
        """What every population senses, (n, 2)."""
        return sense(self.loop, self.loop.with_weights(weights), self.state(weights)).values


def _dataset(loop: NetworkLoop, path: dynamics.Trajectory, start: Array) -> "xr.Dataset":
    import xarray as xr

    follower, n = _Follower(loop, start), loop.wiring.n
    states = np.array([follower.state(w) for w in path.x.T])
    sensed = np.array([sense(loop, loop.with_weights(w), x).values for w, x in zip(path.x.T, states, strict=True)])
    return xr.Dataset(
        {
            "weight": (("weight_name", "time"), path.x, {"units": "V"}),
            "rate": (("time", "population"), states[:, :n], {"units": "Hz"}),
            "second_moment": (("time", "population"), states[:, n:], {"units": "Hz^2"}),
            "calcium_mean": (("time", "population"), sensed[..., 0], {"units": "uM"}),
            "calcium_second_moment": (("time", "population"), sensed[..., 1], {"units": "uM^2"}),
        },
        coords={
            "time": ("time", path.t, {"units": "s"}), "weight_name": list(loop.names),
            "population": list(loop.wiring.names),
        },
        attrs={"status": path.status.name, "message": path.message, "advice": path.status.advice},
    )  # fmt: skip
