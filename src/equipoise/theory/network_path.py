"""The slow path of a network's weights, the rates at their fixed point all along (Sec. 2.4.2).

The fixed point is followed by Newton's method from its last place. Where it ends in a fold of the fast dynamics the
rates jump: the path is cut there, the rates relax to where they go, and the weights go on from there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import dynamics
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory import network_state
from equipoise.theory.equilibrium import RUNAWAY
from equipoise.theory.network_loop import NetworkLoop, sense, slow_jacobian
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

MAX_JUMPS = 8
"""Jumps after which a path counts as a relaxation oscillation, which the mean-field path does not resolve further."""
BEYOND = 1e-3
"""How far behind a fold the rates are taken to jump, as a relative change of the weights."""


@dataclass(frozen=True)
class Piece:
    """A stretch without jumps: times (t,), weights (k, t), network states (2 n, t)."""

    t: Array
    weights: Array
    x: Array


@dataclass(frozen=True)
class Path:
    """The pieces between jumps, how the path ended, and whether it reached the last time asked for."""

    loop: NetworkLoop
    pieces: tuple[Piece, ...]
    status: Status
    message: str
    complete: bool

    @property
    def end(self) -> tuple[Array, Array]:
        """The last weights (k,) and network state (2 n,)."""
        return self.pieces[-1].weights[:, -1], self.pieces[-1].x[:, -1]


def evolve(loop: NetworkLoop, *, start: Array, times: Array, weights: Array | None = None) -> Path:
    """The path from `weights` (k,) (default: those of the wiring), reported at `times` [s] and at both sides of jumps.

    `start` (2 n,) is near the first network state. At relative scale log J is integrated, where a weight decays without
    ever reaching zero; at absolute scale J >= 0 reflects.
    """
    where = _Follower(loop, loop.weights if weights is None else weights, start)
    pieces: list[Piece] = []
    while len(pieces) < MAX_JUMPS:
        piece, path = _until_jump(loop, where, times)
        pieces.append(piece)
        if path.status is not Status.RUNAWAY or _margin(loop, piece.weights[:, -1]) <= 0.0:
            return Path(loop, tuple(pieces), path.status, path.message, path.status is Status.OK)
        if not where.jump(piece.weights[:, -1]):
            message = f"at {path.end[0]:g} s the rates lost their state, and no other was found."
            return Path(loop, tuple(pieces), Status.NOT_CONVERGED, message, False)
        times = np.concatenate([[path.end[0]], times[times > path.end[0]]])
    message = f"the rates keep jumping between two states, a relaxation oscillation; followed for {MAX_JUMPS} jumps."
    return Path(loop, tuple(pieces), Status.UNSTABLE, message, False)


def relative(loop: NetworkLoop) -> np.ndarray:
    """Which plastic weights (k,) follow a rule at relative scale."""
    scales = [getattr(rule, "scale", "absolute") for rule in loop.rules]
    return np.array([scales[a] == "relative" for a, _ in loop.places])


def jacobian(loop: NetworkLoop, x: Array, weights: Array) -> Array:
    """The slow Jacobian (k, k) in the coordinates of the path: log J at relative scale, J at absolute scale.

    What is conserved is linear in them, so that its directions are neutral away from fixed points too.
    """
    logs = relative(loop)
    unit = np.where(logs, weights, 1.0)
    sensed = sense(loop, loop.with_weights(weights), x).values
    drift = np.where(logs, loop.rhs(weights, sensed) / unit, 0.0)
    return slow_jacobian(loop, x, weights) * unit / unit[:, None] - np.diag(drift)


def dataset(path: Path) -> "xr.Dataset":
    """A path as a Dataset over `time`: weights, their speeds, rates, second moments and sensed calcium."""
    import xarray as xr

    loop, n = path.loop, path.loop.wiring.n
    weights = np.concatenate([p.weights for p in path.pieces], axis=1)
    states = np.concatenate([p.x for p in path.pieces], axis=1).T
    sensed = np.array([sense(loop, loop.with_weights(w), x).values for w, x in zip(weights.T, states, strict=True)])
    speeds = np.array([loop.rhs(w, s) for w, s in zip(weights.T, sensed, strict=True)])
    times = np.concatenate([p.t for p in path.pieces])
    return xr.Dataset(
        {
            "weight": (("weight_name", "time"), weights, {"units": "V"}),
            "weight_speed": (("weight_name", "time"), speeds.T, {"units": "V/s"}),
            "rate": (("time", "population"), states[:, :n], {"units": "Hz"}),
            "second_moment": (("time", "population"), states[:, n:], {"units": "Hz^2"}),
            "calcium_mean": (("time", "population"), sensed[..., 0], {"units": "uM"}),
            "calcium_second_moment": (("time", "population"), sensed[..., 1], {"units": "uM^2"}),
        },
        coords={
            "time": ("time", times, {"units": "s"}), "weight_name": list(loop.names),
            "population": list(loop.wiring.names),
        },
    )  # fmt: skip


def settle(wiring: Wiring, x: Array) -> Array | None:
    """The network state to which the rates relax from x = (r, q), or None where none is reached."""
    near = network_state.relaxed(wiring, x[: wiring.n])
    return _newton(wiring, 91, near.x) if near.status.usable else None


def _until_jump(loop: NetworkLoop, where: "_Follower", times: Array) -> tuple[Piece, dynamics.Trajectory]:
    """Integrate from where the follower stands to the end of `times`, or to where its state cannot be followed."""
    logs, first, x = relative(loop), where.weights, where.x

    def back(z: Array) -> Array:
        # Below e^-600 a weight has long stopped to act.
        return np.where(logs, np.exp(np.where(logs, np.clip(z, -600.0, 300.0), 0.0)), z)

    def rhs(z: Array) -> Array:
        weights = back(z)
        return loop.rhs(weights, where.sensed(weights)) / np.where(logs, weights, 1.0)

    def slopes(z: Array) -> Array:
        where.follow(back(z))
        return jacobian(loop, where.x, back(z))

    path = dynamics.evolve(
        rhs, np.where(logs, np.log(np.where(logs, np.maximum(first, 1e-260), 1.0)), first), times, names=loop.names,
        lower=np.where(logs, -np.inf, 0.0), jacobian=slopes, tolerance=1e-7,
        stop=lambda z: min(_margin(loop, back(z)), 1.0 if where.follow(back(z)) else -1.0),
    )  # fmt: skip
    t, z = path.t, path.x
    if path.end[0] > t[-1]:
        t, z = np.append(t, path.end[0]), np.column_stack([z, path.end[1]])
    weights = np.stack([back(column) for column in z.T], axis=-1)
    again, states = _Follower(loop, first, x), []
    for column in weights.T:
        again.follow(column)
        states.append(again.x)
    return Piece(t, weights, np.array(states).T), path


def _margin(loop: NetworkLoop, weights: Array) -> float:
    """How far the weights are from having run away; negative behind."""
    spans = [loop.wiring.neurons[a].v_threshold - loop.wiring.neurons[a].v_reset for a, _ in loop.places]
    return float(np.min(1.0 - weights * (1.0 + 1e-9) / (RUNAWAY * np.array(spans))))


class _Follower:
    """The network state for slowly changing weights, by Newton's method from its last place."""

    def __init__(self, loop: NetworkLoop, weights: Array, x: Array):
        self.loop, self.weights, self.x = loop, weights, x
        self._lost: bytes | None = None
        here = _newton(loop.with_weights(weights), loop.nodes, x)
        self.x = x if here is None else here

    def follow(self, weights: Array) -> bool:
        """Go to these weights, in small steps where one is too long; False, without moving, where the state ends."""
        key = weights.tobytes()
        if key == self.weights.tobytes():
            return True
        if key == self._lost:
            return False
        for parts in (1, 8):
            x = self._go(weights, parts)
            if x is not None:
                self.weights, self.x = weights.copy(), x
                return True
        self._lost = key
        return False

    def jump(self, weights: Array) -> bool:
        """Go where the rates relax just behind these weights; whether they arrive."""
        speed = self.loop.rhs(weights, self.sensed(weights))
        fastest = float(np.max(np.abs(speed) / np.maximum(weights, 1e-300)))
        beyond = np.maximum(weights + speed * BEYOND / max(fastest, 1e-300), 0.0)
        found = settle(self.loop.with_weights(beyond), self.x)
        if found is None:
            return False
        self.weights, self.x, self._lost = beyond, found, None
        return True

    def sensed(self, weights: Array) -> Array:
        """What every population senses (n, 2); behind the end of a state, with its last rates."""
        self.follow(weights)
        return sense(self.loop, self.loop.with_weights(weights), self.x).values

    def _go(self, weights: Array, parts: int) -> Array | None:
        x = self.x
        for part in range(1, parts + 1):
            between = self.weights + (weights - self.weights) * part / parts
            found = _newton(self.loop.with_weights(between), self.loop.nodes, x)
            # Newton's method may end at another state than the one that is followed.
            if found is None or (np.abs(found - x) > 0.6 * np.maximum(found, x) + 1e-3).any():
                return None
            x = found
        return x


def _newton(wiring: Wiring, nodes: int, x: Array) -> Array | None:
    """The network state near x."""
    found = network_state.newton(network_state.Equations(wiring, nodes), x)
    return found.x if found.status is Status.OK else None
