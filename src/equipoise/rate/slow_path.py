"""The slow path of thresholds, gains and weights, the rates at their fast fixed point all along.

The fixed point is followed by Newton's method from its last place, while it is stable. Where it ends in a fold or loses
its stability the path is cut, the rates relax to where they go, and the slow variables move on from there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from equipoise import dynamics
from equipoise.dynamics import duration_text
from equipoise.quantities import Array
from equipoise.rate import large
from equipoise.rate.fixed_points import MOST_UNITS, near, settled
from equipoise.rate.network import ENDLESS, RateNetwork
from equipoise.rate.sensors import Sensors
from equipoise.rate.slow_state import SlowSystem
from equipoise.results import Status

MOST_JUMPS = 8
"""Jumps after which a path counts as a relaxation oscillation."""
BEYOND = 1e-4
"""How far behind the end of a state the rates are taken to jump, as a part of the slow variables."""
SLOW_ACCURACY, CLOSE = 1e-4, 1e-5
"""Of many units: relative accuracy of a step of the slow variables, and residual of the rates beside the largest."""
STEEP = 0.5
"""Largest relative change of the rates that one step of the follower may make."""
MOST_RATE = 1e6
"""A rate [Hz] at which a state counts as gone: it diverges where the gain of its loop reaches 1."""
NEWTON_STEPS = 10
PLAIN_STEPS = 6
"""Newton steps of few units taken without damping, which from the place before is hardly ever needed."""
SHARP = 1e-12
"""Relative size of the last of them."""
TOO_FAST = 0.5
"""Largest relative change of the speeds over one step under noise."""


@dataclass
class Path:
    """Reports of a path: times (t,), slow states (t, k), rates (t, n), the times of jumps, and how it ended.

    A jump is reported twice, before and after it.
    """

    t: list[float]
    z: list[Array]
    r: list[Array]
    jumps: list[float]
    status: Status = Status.OK
    message: str = ""


def evolve(system: SlowSystem, z: Array, r: Array, times: Array, sensors: Sensors | None = None) -> Path:
    """The quasi-static path from slow state z and rates r near its fixed point, reported at `times` [s].

    `sensors` add noise to what rules sense (default: new ones). Ctrl-C keeps what is reported, status INTERRUPTED.
    """
    where, path = _Follower(system, z, r, sensors or Sensors.of(system)), Path([], [], [], [])
    try:
        if where.start():
            _walk(where, times, path)
        else:
            path.status, path.message = Status.NOT_CONVERGED, "the rates do not come to rest at the start."
    except KeyboardInterrupt:
        path.status, path.message = Status.INTERRUPTED, Status.INTERRUPTED.advice
    return path


def _walk(where: "_Follower", times: Array, path: Path) -> None:
    """From jump to jump."""
    steps = _steps if where.z.size <= MOST_UNITS and where.small else _large_steps
    if where.sensors.each:
        steps = _noisy_steps
    while len(path.jumps) < MOST_JUMPS:
        end = steps(where, times, path)
        if end is None:
            return
        path.jumps.append(end)
        problem = where.jump()
        if problem is not None:
            path.status, path.message = problem[0], f"after {duration_text(end)} {problem[1]}"
            return
        times = np.concatenate([[end], times[times > end]])
    path.status = Status.UNSTABLE
    path.message = f"the rates keep jumping between states, a relaxation oscillation; followed for {MOST_JUMPS} jumps."


def _steps(where: "_Follower", times: Array, path: Path) -> float | None:
    """Integrate to the end of `times` (None), or to where the fast state is lost (that time)."""
    system = where.system
    found = dynamics.evolve(
        where.speed, where.z, times, names=system.names, lower=system.lower, upper=system.upper, tolerance=1e-8,
        stop=lambda z: min(where.left(z), _margin(z)),
    )  # fmt: skip
    for t, z in zip(found.t, found.x.T, strict=True):
        if where.back_to(z):
            _report(path, t, where)
    away = _margin(found.end[1]) < 1e-6 * ENDLESS  # up to rounding
    if found.status is Status.RUNAWAY and not away:
        where.back_to(found.end[1])
        _report(path, found.end[0], where)
        return found.end[0]
    path.status = found.status
    path.message = "" if found.status is Status.OK else "a slow variable grows without end." if away else found.message
    return None


def _large_steps(where: "_Follower", times: Array, path: Path) -> float | None:
    """The same for many units, by an explicit method: slow rules of single units are not stiff.

    The end of a state is located to a step.
    """
    from scipy.integrate import RK45

    within, low, high = where.system.within, where.system.lower, where.system.upper

    def speed(_t: float, z: Array) -> Array:
        out = where.speed(within(z))
        return np.where((z <= low) & (out < 0.0) | (z >= high) & (out > 0.0), 0.0, out)

    first = min(_first_step(where), float(times[-1] - times[0]))
    solver = RK45(speed, float(times[0]), where.z, float(times[-1]), rtol=SLOW_ACCURACY, first_step=first)
    _report(path, float(times[0]), where)
    while solver.status == "running":
        before = solver.t
        solver.step()
        y = within(solver.y)
        if solver.status == "failed" or _margin(y) <= 0.0:
            path.status, path.message = Status.RUNAWAY, "a slow variable grows without end."
            return None
        for t in times[(times > before) & (times <= solver.t)]:
            if where.follow(within(solver.dense_output()(t))):
                _report(path, float(t), where)
        if not where.follow(y):
            _report(path, float(solver.t), where)
            return float(solver.t)
    return None


def _noisy_steps(where: "_Follower", times: Array, path: Path) -> float | None:
    """The same under noise, by Heun's method in fixed steps, in each of which the noise is its own average."""
    within, sensors = where.system.within, where.sensors
    _report(path, float(times[0]), where)
    for begin, end in pairwise(times.tolist()):
        steps = math.ceil((end - begin) / sensors.step * (1.0 - 1e-12))
        dt = (end - begin) / steps
        for k in range(steps):
            errors = sensors.averaged(dt)
            first = where.speed(where.z, errors)
            z = where.z
            second = where.speed(within(z + dt * first), errors)
            if np.linalg.norm(second - first) > TOO_FAST * np.linalg.norm(first):
                path.status = Status.NOT_CONVERGED
                path.message = "the rules are too fast for the steps of the noise: give NoisySensing a shorter step."
                return None
            z = within(z + 0.5 * dt * (first + second))
            if _margin(z) <= 0.0:
                path.status, path.message = Status.RUNAWAY, "a slow variable grows without end."
                return None
            if not where.follow(z):
                t = begin + (k + 1) * dt
                _report(path, t, where)
                return t
        _report(path, end, where)
    return None


def _first_step(where: "_Follower") -> float:
    """A time in which no slow variable moves by more than about a hundredth."""
    speed = where.speed(where.z)
    return float(1e-2 * (np.abs(where.z).max() + 1e-3) / max(np.abs(speed).max(), 1e-300))


def _margin(z: Array) -> float:
    return ENDLESS - float(np.abs(z).max())


def _report(path: Path, t: float, where: "_Follower") -> None:
    path.t.append(t)
    path.z.append(where.z.copy())
    path.r.append(where.r.copy())


class _Follower:
    """The fast fixed point for a slowly moving z."""

    def __init__(self, system: SlowSystem, z: Array, r: Array, sensors: Sensors):
        self.system, self.z, self.r, self.sensors = system, z, r, sensors
        self.net = system.at(z)
        self.lost: Array | None = None
        self.passed: list[tuple[Array, Array]] = []

    @property
    def small(self) -> bool:
        """Whether fixed points are found by dense matrices."""
        return self.net.n <= MOST_UNITS

    def start(self) -> bool:
        """Settle from the rates given."""
        r, status, _ = settled(self.net, self.r)
        self.r = r
        self.passed = [(self.z, r)]
        return status is Status.OK

    def speed(self, z: Array, errors: Mapping[int, Array] | None = None) -> Array:
        """dz/dt at the fixed point; behind the end of a state, with its last rates."""
        if self.follow(z):
            return self.system.rhs(z, self.net, self.r, errors)
        return self.system.rhs(z, self.system.at(z), self.r, errors)

    def follow(self, z: Array) -> bool:
        """Go to slow state z, in small steps where one is too long; False, without moving, where the state ends."""
        if np.array_equal(z, self.z):
            return True
        # Up to rounding, so that the search for the end of a state sees the same twice.
        if self.lost is not None and np.allclose(z, self.lost, rtol=1e-10, atol=0.0):
            return False
        for parts in (1, 8) if self.small else (1,):
            found = self._go(z, parts)
            if found is not None:
                self.z, (self.net, self.r) = z.copy(), found
                self.passed = self.passed if self.small else self.passed[-1:]
                self.passed.append((self.z, self.r))
                self.lost = None
                return True
        self.lost = z.copy()
        return False

    def left(self, z: Array) -> float:
        """1 where the state is there, towards 0 where it diverges, -1 where it has ended."""
        return min(1.0, 2.0 - 2.0 * float(self.r.max(initial=0.0)) / MOST_RATE) if self.follow(z) else -1.0

    def back_to(self, z: Array) -> bool:
        """Go to a slow state on the way, from the nearest one that was passed."""
        states = np.array([one for one, _ in self.passed])
        closest = int(np.argmin(np.abs(states - z).max(axis=1)))
        self.z, self.r = self.passed[closest]
        self.net = self.system.at(self.z)
        return self.follow(z)

    def jump(self) -> tuple[Status, str] | None:
        """Go where the rates relax just behind the end of the state; a status and reason where they do not arrive."""
        z = self.z if self.lost is None else self.lost
        speed = self.system.rhs(z, self.system.at(z), self.r)
        size = np.abs(z).max() + 1e-12
        z = self.system.within(z + speed * (BEYOND * size / max(float(np.abs(speed).max()), 1e-300)))
        net = self.system.at(z)
        r, status, message = settled(net, self.r * (1.0 + 1e-6) + 1e-9)
        if status is Status.RUNAWAY:
            return (
                status,
                f"{message} Rules as fast as the rates may hold them: see full=True." if self.small else message,
            )
        if status is not Status.OK:
            return Status.UNSTABLE, message
        if self.small and not _stable(net, net.residual(r)[1]):
            return Status.UNSTABLE, "the rates find no stable state."
        self.z, self.net, self.r, self.lost = z, net, r, None
        self.passed = [(z, r)]
        return None

    def _go(self, z: Array, parts: int) -> tuple[RateNetwork, Array] | None:
        r, net = self.r, self.net
        for part in range(1, parts + 1):
            net = self.system.at(self.z + (z - self.z) * part / parts)
            found, slopes = _few(net, r) if self.small else (self._many(net, z), None)
            if found is None or _leaps(r, found, self.small) or (slopes is not None and not _stable(net, slopes)):
                return None
            r = found
        return net, r

    def _many(self, net: RateNetwork, z: Array) -> Array | None:
        """The fixed point of many units by Newton's method, or where that fails by relaxing."""
        found = _newton(net, self._predicted(z))
        if found is None:
            r, status, _ = settled(net, self.r)
            return r if status is Status.OK else None
        return found

    def _predicted(self, z: Array) -> Array:
        """Rates at z on the line through the last two places, as far as z lies along it."""
        (z0, r0), (z1, r1) = self.passed[0], self.passed[-1]
        along = float((z1 - z0) @ (z1 - z0))
        part = float((z - z1) @ (z1 - z0)) / along if along > 0.0 else 0.0
        return np.maximum(r1 + part * (r1 - r0), 0.0) if abs(part) <= 3.0 else r1


def _leaps(before: Array, after: Array, small: bool) -> bool:
    """Whether rates changed by so much that they may belong to another state: of units, as a whole."""
    if small:
        return bool((np.abs(after - before) > STEEP * np.maximum(after, before) + 0.1).any())
    return bool(np.linalg.norm(after - before) > STEEP * max(float(np.linalg.norm(before)), 0.1 * before.size**0.5))


def _stable(net: RateNetwork, slopes: Array) -> bool:
    """Whether rates come back, from the derivatives of f - r."""
    jacobian = slopes / net.tau[:, None]
    if net.n == 2:  # by trace and determinant
        (a, b), (c, d) = jacobian.tolist()
        return a + d < 0.0 < a * d - b * c
    return bool((np.linalg.eigvals(jacobian).real < 0.0).all())


def _few(net: RateNetwork, r: Array) -> tuple[Array | None, Array | None]:
    """The fixed point of few units near r and the derivatives of f - r there, or None."""
    x = r
    with np.errstate(all="ignore"):  # steps that go astray are taken again with damping
        for _ in range(PLAIN_STEPS):
            value, slopes = net.residual(x)
            try:
                step = np.linalg.solve(slopes, value)
            except np.linalg.LinAlgError:
                break
            if not (np.abs(step) < ENDLESS).all():
                break
            last, x = x, x - step
            if (np.abs(step) < SHARP * np.maximum(np.abs(last), SHARP)).all():
                return (np.maximum(x, 0.0), slopes) if x.min() > -1e-9 else (None, None)
    found = near(net, r, max_steps=12)
    return (None, None) if found is None else (found, net.residual(found)[1])


def _newton(net: RateNetwork, r: Array) -> Array | None:
    """The fixed point near r of a network of many units, by inexact Newton steps."""
    for _ in range(NEWTON_STEPS):
        error = net.steady(r) - r
        if float(np.abs(error).max()) <= CLOSE * max(float(r.max()), 1e-3):
            return r
        r = np.maximum(r + large.solved(net, r, error, 0.0, 1e-2), 0.0)
        if not r.max() < ENDLESS:
            return None
    return None
