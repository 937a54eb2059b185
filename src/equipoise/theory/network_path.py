"""The slow path of a network's weights and adaptive set points, the rates at their fixed point all along (Sec. 2.4.2).

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
from equipoise.theory.network_loop import NetworkLoop, calcium_means, slow_jacobian
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

MAX_JUMPS = 8
"""Jumps after which a path counts as a relaxation oscillation, which the mean-field path does not resolve further."""
NEAR = 12
"""Newton steps from the last place; more are spent where the state has come to its end only."""
BEYOND = 1e-3
"""How far behind a fold the rates are taken to jump, as a relative change of the weights."""


@dataclass(frozen=True)
class Piece:
    """A stretch without jumps: times (t,), slow states (k, t), network states (2 n, t)."""

    t: Array
    slow: Array
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
        """The last slow state (k,) and network state (2 n,)."""
        return self.pieces[-1].slow[:, -1], self.pieces[-1].x[:, -1]

    @property
    def slow(self) -> Array:
        """All slow states (k, t)."""
        return np.concatenate([p.slow for p in self.pieces], axis=1)

    @property
    def states(self) -> Array:
        """All network states (t, 2 n)."""
        return np.concatenate([p.x for p in self.pieces], axis=1).T

    def speeds(self) -> Array:
        """d(slow)/dt (k, t)."""
        loop, pairs = self.loop, zip(self.slow.T, self.states, strict=True)
        return np.array([loop.rhs(z, calcium_means(loop, loop.with_weights(z), x)) for z, x in pairs]).T


def evolve(loop: NetworkLoop, *, start: Array, times: Array, slow: Array | None = None) -> Path:
    """The path from `slow` (k,), by default the state of the loop, reported at `times` [s] and at both sides of jumps.

    `start` (2 n,) is near the first network state. At relative scale log J is integrated, where a weight decays without
    ever reaching zero; at absolute scale J >= 0 reflects.
    """
    where = _Follower(loop, loop.slow if slow is None else slow, start)
    pieces: list[Piece] = []
    while len(pieces) < MAX_JUMPS:
        piece, path = _until_jump(loop, where, times)
        pieces.append(piece)
        if path.status is not Status.RUNAWAY or _margin(loop, piece.slow[:, -1]) <= 0.0:
            return Path(loop, tuple(pieces), path.status, path.message, path.status is Status.OK)
        if not where.jump(piece.slow[:, -1]):
            message = f"at {path.end[0]:g} s the rates lost their state, and no other was found."
            return Path(loop, tuple(pieces), Status.NOT_CONVERGED, message, False)
        times = np.concatenate([[path.end[0]], times[times > path.end[0]]])
    message = f"the rates keep jumping between two states, a relaxation oscillation; followed for {MAX_JUMPS} jumps."
    return Path(loop, tuple(pieces), Status.UNSTABLE, message, False)


def relative(loop: NetworkLoop) -> np.ndarray:
    """Which slow variables (k,) are weights under a rule at relative scale."""
    scales = [getattr(rule, "scale", "absolute") for rule in loop.rules]
    weights = [scales[a] == "relative" for a, _ in loop.places]
    return np.array(weights + [False] * (len(loop.names) - len(weights)))


def jacobian(loop: NetworkLoop, x: Array, slow: Array) -> Array:
    """The slow Jacobian (k, k) in the coordinates of the path: log J at relative scale, the variables themselves else.

    What is conserved is linear in them, so that its directions are neutral away from fixed points too.
    """
    logs = relative(loop)
    unit = np.where(logs, slow, 1.0)
    sensed = calcium_means(loop, loop.with_weights(slow), x)
    drift = np.where(logs, loop.rhs(slow, sensed) / unit, 0.0)
    return slow_jacobian(loop, x, slow) * unit / unit[:, None] - np.diag(drift)


def dataset(path: Path) -> "xr.Dataset":
    """A path as a Dataset over `time`: weights, rates, second moments, sensed calcium, and set points that move."""
    import xarray as xr

    loop, n, slow, states = path.loop, path.loop.wiring.n, path.slow, path.states
    sensed = np.array([calcium_means(loop, loop.with_weights(z), x) for z, x in zip(slow.T, states, strict=True)])
    data = {
        "weight": (("weight_name", "time"), slow[: len(loop.places)], {"units": "V"}),
        "rate": (("time", "population"), states[:, :n], {"units": "Hz"}),
        "second_moment": (("time", "population"), states[:, n:], {"units": "Hz^2"}),
        "calcium_mean": (("time", "population"), sensed[..., 0], {"units": "uM"}),
        "calcium_second_moment": (("time", "population"), sensed[..., 1], {"units": "uM^2"}),
    }
    if loop.adapting:
        moves = np.isin(np.arange(n), loop.adapting)[:, None]
        targets = np.where(moves, np.array([loop.targets(z) for z in slow.T]), np.nan)
        data["target_mean"] = (("time", "population"), targets[..., 0], {"units": "uM"})
        data["target_second_moment"] = (("time", "population"), targets[..., 1], {"units": "uM^2"})
    return xr.Dataset(
        data,
        coords={
            "time": ("time", np.concatenate([p.t for p in path.pieces]), {"units": "s"}),
            "weight_name": list(loop.weight_names), "population": list(loop.wiring.names),
        },
    )  # fmt: skip


def settle(wiring: Wiring, x: Array) -> Array | None:
    """The network state to which the rates relax from x = (r, q), or None where none is reached."""
    near = network_state.relaxed(wiring, x[: wiring.n])
    return _newton(wiring, 91, near.x) if near.status.usable else None


def _until_jump(loop: NetworkLoop, where: "_Follower", times: Array) -> tuple[Piece, dynamics.Trajectory]:
    """Integrate from where the follower stands to the end of `times`, or to where its state cannot be followed."""
    logs, first = relative(loop), where.slow
    weight = np.arange(logs.size) < len(loop.places)

    def back(z: Array) -> Array:
        # Below e^-600 a weight has long stopped to act.
        return np.where(logs, np.exp(np.where(logs, np.clip(z, -600.0, 300.0), 0.0)), z)

    def rhs(z: Array) -> Array:
        slow = back(z)
        return loop.rhs(slow, where.sensed(slow)) / np.where(logs, slow, 1.0)

    def slopes(z: Array) -> Array:
        where.follow(back(z))
        return jacobian(loop, where.x, back(z))

    path = dynamics.evolve(
        rhs, np.where(logs, np.log(np.where(logs, np.maximum(first, 1e-260), 1.0)), first), times, names=loop.names,
        lower=np.where(weight & ~logs, 0.0, -np.inf), jacobian=slopes, tolerance=1e-7,
        stop=lambda z: min(_margin(loop, back(z)), 1.0 if where.follow(back(z)) else -1.0),
    )  # fmt: skip
    t, z = path.t, path.x
    if path.end[0] > t[-1]:
        t, z = np.append(t, path.end[0]), np.column_stack([z, path.end[1]])
    slow = np.stack([back(column) for column in z.T], axis=-1)
    states = [where.near(column) for column in slow.T]
    return Piece(t, slow, np.array(states).T), path


def _margin(loop: NetworkLoop, slow: Array) -> float:
    """How far the weights are from having run away; negative behind."""
    spans = [loop.wiring.neurons[a].v_threshold - loop.wiring.neurons[a].v_reset for a, _ in loop.places]
    return float(np.min(1.0 - slow[: len(spans)] * (1.0 + 1e-9) / (RUNAWAY * np.array(spans))))


class _Follower:
    """The network state for a slowly changing slow state, by Newton's method from its last place."""

    def __init__(self, loop: NetworkLoop, slow: Array, x: Array):
        self.loop, self.slow, self.x = loop, slow, x
        self._lost: Array | None = None
        here = _newton(loop.with_weights(slow), loop.nodes, x)
        self.x = x if here is None else here
        self.passed = [(self.slow, self.x)]

    def near(self, slow: Array) -> Array:
        """The network state (2 n,) at a slow state on the way, from the nearest one that was passed."""
        states = np.array([z for z, _ in self.passed])
        closest = int(np.argmin(np.max(np.abs(states - slow) / np.maximum(states.max(axis=0), 1e-300), axis=1)))
        self.slow, self.x = self.passed[closest]
        self.follow(slow)
        return self.x

    def follow(self, slow: Array) -> bool:
        """Go to this slow state, in small steps where one is too long; False, without moving, where the state ends."""
        if np.array_equal(slow, self.slow):
            return True
        # Up to rounding, so that the search for the end of a state sees the same twice.
        if self._lost is not None and np.allclose(slow, self._lost, rtol=1e-9, atol=0.0):
            return False
        for parts in (1, 8):
            x = self._go(slow, parts)
            if x is not None:
                self.slow, self.x = slow.copy(), x
                self.passed.append((self.slow, x))
                return True
        self._lost = slow.copy()
        return False

    def jump(self, slow: Array) -> bool:
        """Go where the rates relax just behind this slow state; whether they arrive."""
        speed = self.loop.rhs(slow, self.sensed(slow))
        fastest = float(np.max(np.abs(speed) / np.maximum(slow, 1e-300)))
        beyond = np.maximum(slow + speed * BEYOND / max(fastest, 1e-300), 0.0)
        found = settle(self.loop.with_weights(beyond), self.x)
        if found is None:
            return False
        self.slow, self.x, self._lost = beyond, found, None
        self.passed = [(beyond, found)]
        return True

    def sensed(self, slow: Array) -> Array:
        """What every population senses (n, 2); behind the end of a state, with its last rates."""
        self.follow(slow)
        return calcium_means(self.loop, self.loop.with_weights(slow), self.x)

    def _go(self, slow: Array, parts: int) -> Array | None:
        x = self.x
        for part in range(1, parts + 1):
            between = self.slow + (slow - self.slow) * part / parts
            found = _newton(self.loop.with_weights(between), self.loop.nodes, x, max_steps=NEAR)
            # Newton's method may end at another state than the one that is followed.
            if found is None or (np.abs(found - x) > 0.6 * np.maximum(found, x) + 1e-3).any():
                return None
            x = found
        return x


def _newton(wiring: Wiring, nodes: int, x: Array, *, max_steps: int = 60) -> Array | None:
    """The network state near x."""
    found = network_state.newton(network_state.Equations(wiring, nodes), x, max_steps=max_steps)
    return found.x if found.status is Status.OK else None
