"""Where homeostasis takes a network, how it answers disturbances, and its slow path there (Sec. 2.4.2, Eqs. 33-35)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import dynamics, renewal
from equipoise.model.calcium import Calcium
from equipoise.model.homeostasis import CalciumSetPoint
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network_state, quenched
from equipoise.theory.balanced import BalancedLimit
from equipoise.theory.network_loop import Joint, NetworkLoop, sense, slow_jacobian
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
    held, n2 = conserved(loop), 2 * loop.wiring.n
    levels = np.array([q(loop.weights) for q in held])
    guess = _guess(loop, start, near)
    joint = Joint(loop)
    found = dynamics.fixed_point(
        joint.residual,
        joint.jacobian,
        guess,
        constraints=(
            lambda y: np.array([q(y[n2:]) for q in held]) - levels,
            lambda y: np.array([np.concatenate([np.zeros(n2), q.gradient(y[n2:])]) for q in held]),
        ),
        lower=0.0,
        tolerance=1e-11,
    )
    if found.status is Status.OK:
        return _describe(loop, found.x, held)
    message = (
        "no homeostatic fixed point found from here: K may be below the feasible minimum, or the set points may not "
        "fit this network. Raise K, or start from weights nearer to balance."
    )
    if throw:
        raise NumericalFailure(found.status, f"network homeostasis: {message}")
    return _nowhere(loop, held, found.status, message)


def _guess(loop: NetworkLoop, start: Array, near: "NetworkEquilibrium | None") -> Array:
    """Rates and weights to begin with: those of a neighbour, its weights scaled by K^-1/2, or the network as it is."""
    if near is not None:
        degrees = np.array([loop.wiring.K[place] for place in loop.places])
        return np.concatenate([near.state.x, near.weights * np.sqrt(near.degrees / degrees)])
    before = network_state.from_start(loop.wiring, start)
    return np.concatenate([before.x if before.status.usable else start, loop.weights])


def _describe(loop: NetworkLoop, y: Array, held: tuple[dynamics.Invariant, ...]) -> NetworkEquilibrium:
    n2 = 2 * loop.wiring.n
    x, weights = y[:n2], y[n2:]
    state = network_state.from_start(loop.with_weights(weights), x)
    spectrum = dynamics.spectrum(slow_jacobian(loop, x, weights), loop.names)
    stable = spectrum.stable and state.stable
    message = "" if stable else "the fixed point exists, but small disturbances of the weights grow."
    status = Status.UNSTABLE if not stable else Status.MARGINAL if spectrum.zero.any() else Status.OK
    degrees = np.array([loop.wiring.K[place] for place in loop.places])
    return NetworkEquilibrium(state, weights, degrees, loop.names, spectrum, held, status, message)


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
        for start in (lambda: self.x, lambda: network_state.relaxed(wiring, self.x[: wiring.n])):
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
