"""Slow evolution: stiff trajectories between lower and upper bounds, to hours and weeks.

A bounded variable that reaches a bound is pinned there until its derivative points inwards again: the integration is
cut at both events, so that no step straddles the kink. The solver switches between stiff and non-stiff methods (SciPy's
LSODA), so that minutes and weeks cost alike; with a sparse Jacobian, as for hundreds of variables, it is SciPy's BDF.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.dynamics.spectra import duration_text
from equipoise.quantities import Array
from equipoise.results import Status

Function = Callable[[Array], Array]


@dataclass(frozen=True, repr=False)
class Trajectory:
    """Times (t,) [s], states (n, t) of the named variables, and when, where and how the integration ended."""

    t: Array
    x: Array
    names: tuple[str, ...]
    status: Status
    message: str
    end: tuple[float, Array]

    def __repr__(self) -> str:
        ends = ", ".join(
            f"{n} {a:.6g} -> {b:.6g}" for n, a, b in zip(self.names, self.x[:, 0], self.x[:, -1], strict=True)
        )
        return f"Trajectory({self.t[-1]:g} s; {ends}; {self.status.name})"


def evolve(
    f: Function,
    start: Array,
    times: Array,
    *,
    names: tuple[str, ...],
    lower: Array | float = -np.inf,
    upper: Array | float = np.inf,
    stop: Callable[[Array], float] | None = None,
    jacobian: Callable[[Array], Any] | None = None,
    tolerance: float = 1e-9,
) -> Trajectory:
    """Integrate dx/dt = f(x) from `start` and return the states at `times` (t,), which begin at the start.

    `jacobian(x)` is df/dx (n, n), dense or sparse, and saves the solver from differencing an expensive f.
    Ends early with Status.RUNAWAY when stop(x) falls to zero (runaway), returning what was reached.
    """
    x = np.array(start, dtype=np.float64)
    times = np.asarray(times, dtype=np.float64)
    floor, ceiling = (np.array(np.broadcast_to(np.asarray(b, dtype=np.float64), x.shape)) for b in (lower, upper))
    states, push = np.full((x.size, times.size), np.nan), f(x)
    t, pinned = float(times[0]), ((x >= ceiling) & (push > 0.0)).astype(int) - ((x <= floor) & (push < 0.0))
    states[:, times == t] = x[:, None]
    for _ in range(MAX_SEGMENTS):
        atol = tolerance * np.maximum(np.abs(x), 1e-6 * (np.max(np.abs(x)) or 1.0))
        segment = _Segment(f, (floor, ceiling), stop, pinned, atol, tolerance, jacobian)
        t, x, pinned, status, message = segment.run(t, x, times, states)
        if status is not None:
            done = ~np.isnan(states[0])
            end = (float(times[-1]), states[:, -1]) if status is Status.OK else (t, x)
            return Trajectory(times[done], states[:, done], tuple(names), status, message, end)
    done = ~np.isnan(states[0])
    message = f"more than {MAX_SEGMENTS} encounters with a bound; the dynamics chatters there."
    return Trajectory(times[done], states[:, done], tuple(names), Status.NOT_CONVERGED, message, (t, x))


MAX_SEGMENTS = 500
SLACK = 1e-2
"""How far, in tolerances, a variable may pass its bound before it counts as there."""


@dataclass(frozen=True)
class _Segment:
    """A stretch of the trajectory on which the same variables are pinned: -1 to their lower bound, +1 to the upper."""

    f: Function
    bounds: tuple[Array, Array]
    stop: Callable[[Array], float] | None
    pinned: np.ndarray
    atol: Array
    rtol: float
    jacobian: Callable[[Array], Any] | None

    def full(self, free: Array) -> Array:
        """The whole state, pinned variables at their bounds."""
        low, high = self.bounds
        if free.size == self.pinned.size:
            return np.minimum(np.maximum(free, low), high)
        x = np.where(self.pinned > 0, high, low)
        there = self.pinned == 0
        x[there] = np.clip(free, low[there], high[there])
        return x

    def hits(self) -> list[tuple[int, int]]:
        """(variable, side) of each bound that a free variable can reach."""
        free = self.pinned == 0
        return [(int(k), side) for side, b in zip((-1, 1), self.bounds, strict=True)
                for k in np.flatnonzero(free & np.isfinite(b))]  # fmt: skip

    def events(self) -> list[Callable[[float, Array], float]]:
        """A free variable reaches its bound; a pinned one is pushed off it; one runs away."""
        place = np.cumsum(self.pinned == 0) - 1
        hits = [self._hit(int(place[k]), k, side) for k, side in self.hits()]
        speeds = _kept(lambda z: self.f(self.full(z)))
        frees = [self._release(int(k), speeds) for k in np.flatnonzero(self.pinned)]
        stop = self.stop
        away = [lambda _t, z: stop(self.full(z))] if stop is not None else []
        for event in (*hits, *frees, *away):
            event.terminal, event.direction = True, -1.0  # type: ignore[attr-defined]
        return [*hits, *frees, *away]

    def _hit(self, place: int, k: int, side: int) -> Callable[[float, Array], float]:
        # A variable that has just been pushed off its bound may return to it by rounding: far below the tolerance.
        bound, slack = self.bounds[side > 0][k], SLACK * self.atol[k]
        return lambda _t, z: side * (bound - z[place]) + slack

    def _release(self, k: int, speeds: Function) -> Callable[[float, Array], float]:
        # The tiny offset keeps a bound where the derivative is exactly zero from counting as a push off it.
        return lambda _t, z: 1e-300 + self.pinned[k] * speeds(z)[k]

    def method(self, x: Array) -> dict[str, Any]:
        """The solver: LSODA, or BDF where the Jacobian is sparse, which LSODA does not take."""
        jacobian, free = self.jacobian, self.pinned == 0
        if jacobian is None:
            return {"method": "LSODA"}
        dense = isinstance(jacobian(x), np.ndarray)
        return {"method": "LSODA" if dense else "BDF", "jac": lambda _t, z: jacobian(self.full(z))[np.ix_(free, free)]}

    def run(
        self, t: float, x: Array, times: Array, states: Array
    ) -> tuple[float, Array, np.ndarray, Status | None, str]:
        """Integrate to the next event or the end, filling `states`; the status is None at a change of pinned set."""
        from scipy.integrate import solve_ivp

        free = self.pinned == 0
        if not free.any():
            states[:, times >= t] = x[:, None]
            return float(times[-1]), x, self.pinned, Status.OK, "every variable rests at its bound."
        ahead = times[times > t]
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "lsoda:", UserWarning)  # its failure comes back as a status
                result = solve_ivp(
                    lambda _t, z: self.f(self.full(z))[free], (t, times[-1]), x[free], t_eval=ahead,
                    events=self.events(), rtol=self.rtol, atol=self.atol[free], **self.method(x),
                )  # fmt: skip
        except ValueError:  # SciPy could not bracket an event
            message = f"the solver lost its way after {duration_text(t)}: the dynamics jumps or ends there."
            return t, x, self.pinned, Status.NOT_CONVERGED, message
        for t_k, z in zip(result.t, np.transpose(result.y), strict=True):
            states[:, times == t_k] = self.full(z)[:, None]
        if result.status == 0:
            return float(times[-1]), x, self.pinned, Status.OK, "the end was reached."
        if result.status < 0:
            message = (
                f"the solver could go no further than {duration_text(float(result.t[-1]) if result.t.size else t)}."
            )
            return t, x, self.pinned, Status.NOT_CONVERGED, message
        which = next(k for k, at in enumerate(result.t_events) if at.size)
        return float(result.t_events[which][0]), *self._after(which, self.full(result.y_events[which][0]))

    def _after(self, which: int, x: Array) -> tuple[Array, np.ndarray, Status | None, str]:
        """State, pinned set and fate behind event number `which`."""
        hits, releases = self.hits(), np.flatnonzero(self.pinned)
        pinned = self.pinned.copy()
        if which < len(hits):
            k, side = hits[which]
            bound = self.bounds[side > 0]
            there = (pinned == 0) & (side * (bound - x) <= self.atol)  # several may arrive together
            there[k] = True
            x[there] = bound[there]
            pinned[there] = side * (side * self.f(x)[there] >= 0.0)
        elif which < len(hits) + releases.size:
            push = self.f(x)
            pinned[pinned * push <= 1e-6 * np.max(np.abs(push))] = 0  # several may leave together
            pinned[releases[which - len(hits)]] = 0
        else:
            return x, pinned, Status.RUNAWAY, "a variable runs away without end."
        return x, pinned, None, ""


def _kept(f: Function) -> Function:
    """f with its last value kept, for many events that look at one state."""
    last: list = [None, np.empty(0)]

    def call(z: Array) -> Array:
        key = z.tobytes()
        if last[0] != key:
            last[:] = key, f(z)
        return last[1]

    return call
