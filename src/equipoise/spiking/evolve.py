"""Homeostasis over hours and days: two runs at two speeds, and what they say about no speed-up at all.

Every run errs in proportion to its speed f, and neurons with weights of their own scatter in proportion to sqrt(f). So
means and variances of runs at f and f/2.5 are extrapolated to f = 0, x = x_s + (x_s - x_f)/1.5 with s the slower and f
the faster run, and their difference is the error. Where what fluctuations do explains the difference of the means, the
slower run is kept in the same measure.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, Quantity, check
from equipoise.results import Status
from equipoise.spiking import checkpoint as store
from equipoise.spiking.history import dataset_of, label
from equipoise.spiking.network import Network, build
from equipoise.spiking.pace import Pace
from equipoise.spiking.slow import RuleGroup
from equipoise.spiking.walk import Walk
from equipoise.units import day, ms

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]
Schedule = Sequence[tuple[float, Circuit]]

RATIO = 2.5
SHARED_SPEED = 500.0
SEPARATION = 0.1
"""Largest product of the fastest rate of the sped-up rules and tau of calcium, where neurons have their own weights."""
SAVE_EVERY = 5.0
"""Wall time between checkpoints [s]."""
OFF, GROWING = 0.03, 0.05

_DURATION = Quantity("slow time", unit="hour", low=0.0, high=3650 * day, open_low=True)
_SPEED = Quantity("slow seconds per simulated second", low=1.0)


def evolve(
    circuit: Circuit | Schedule,
    *,
    duration: float,
    seed: int | np.random.SeedSequence,
    speed: float | None = None,
    pace: Pace | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> "xr.Dataset":
    """Homeostasis of a spiking circuit over `duration` [s], sped up by at most `speed`, with estimated errors.

    `circuit` may be a schedule of (time [s], circuit), the first at 0: slow variables go on when a later one takes over.
    Returns a Dataset over `time` [s]: the slow variables, extrapolated from two runs at two speeds, each with its spread
    over neurons (`_sd`) and the errors of both (`_error`, `_sd_error`); rates and calcium moments of the slower run.
    attrs carry status, message, advice, speeds, simulated and wall time. Ctrl-C keeps what is done, status INTERRUPTED.
    With a `checkpoint` file a run that was stopped, even by force, goes on where it was and ends bit by bit the same.

    By default `speed` is 500 where populations share their weights, whose fast modes are stepped over implicitly; where
    neurons have their own it is what keeps the fastest mode slow against calcium, and ValueError refuses more.
    """
    started, span = time.perf_counter(), check("evolve.duration", duration, _DURATION)
    order = _Order(plan=_plan(circuit, span), span=span, seed=seed, speed=speed, pace=pace or Pace())
    walks = _begin(order, checkpoint)
    saver = _Saver(order, checkpoint)
    try:
        for k, walk in enumerate(walks):
            while walk.t < span and walk.status is Status.OK:
                _next(walk, order)
                saver.sometimes(walks)
                if progress is not None:
                    progress(_done(walks, k, span))
    except KeyboardInterrupt:
        saver.interrupted(walks)
    else:
        saver.save(walks)
    return _dataset(walks, started)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What was asked for."""

    plan: tuple[tuple[float, Circuit], ...]
    span: float
    seed: int | np.random.SeedSequence
    speed: float | None
    pace: Pace

    @property
    def settings(self) -> tuple:
        return (
            self.seed,
            self.speed,
            self.pace.window,
            self.pace.settle,
            self.pace.stride,
            self.pace.warmup,
            self.pace.dt,
        )

    def network(self, circuit: Circuit) -> Network:
        return build(circuit, seed=self.seed, dt=self.pace.dt, threads=self.pace.threads)


@dataclass
class _Saver:
    """Writes checkpoints, where a file is given."""

    order: _Order
    path: str | Path | None
    last: float = field(default_factory=time.perf_counter)

    def save(self, walks: list[Walk]) -> None:
        if self.path is not None:
            store.save(self.path, walks, self.order.plan, self.order.settings)
            self.last = time.perf_counter()

    def sometimes(self, walks: list[Walk]) -> None:
        if time.perf_counter() - self.last > SAVE_EVERY:
            self.save(walks)

    def interrupted(self, walks: list[Walk]) -> None:
        """A move that was interrupted in its middle is not kept: the last checkpoint is from before it."""
        for walk in walks:
            if walk.t < self.order.span and walk.status is Status.OK:
                walk.status = Status.INTERRUPTED


def _plan(circuit: Circuit | Schedule, span: float) -> tuple[tuple[float, Circuit], ...]:
    plan = ((0.0, circuit),) if isinstance(circuit, Circuit) else tuple((float(t), c) for t, c in circuit)
    times = [t for t, _ in plan]
    if not times or times[0] != 0.0 or sorted(set(times)) != times or times[-1] >= span:
        raise ValueError(
            f"evolve: the times of a schedule must rise from 0 and end before duration={span:g} s, got {times}."
        )
    if not plan[0][1].rules:
        raise ValueError("evolve: the circuit has no rules; attach some with Circuit(..., rules=[...]).")
    return plan


# --- walking ----------------------------------------------------------------------------------------------------------
def _begin(order: _Order, checkpoint: str | Path | None) -> list[Walk]:
    """Both walks at their start, the faster first, or where the checkpoint left them."""
    network, pace = order.network(order.plan[0][1]), order.pace
    first = Walk.blank(network, pace, order.span)
    if not first.shared:
        pace = replace(pace, window=_whole(_fastest_sensor(first), pace.dt), settle=0.0)
        first = Walk.blank(network, pace, order.span)
    found = None if checkpoint is None else store.load(checkpoint, first, order.plan, order.settings)
    if found is not None:
        return found
    first.warm_up()
    first.speed = _speed(first, order.speed)
    return [first, replace(first, speed=max(1.0, first.speed / RATIO), share=1.0 / RATIO, rows=[], simulated=0.0)]


def _next(walk: Walk, order: _Order) -> None:
    """One move with the circuit that is due."""
    due = [c for t, c in order.plan if t <= walk.t][-1]
    if due is not walk.network.circuit:
        walk.network = order.network(due)
        walk.response = walk.noise = None
    ends = [t for t, _ in order.plan if t > walk.t]
    walk.move(min([*ends, walk.until]))


def _fastest_sensor(walk: Walk) -> float:
    return min(g.meter.sensor.tau for g in walk.coordinates.groups)


def _whole(time: float, dt: float) -> float:
    return max(1, round(time / dt)) * dt


def _speed(walk: Walk, wanted: float | None) -> float:
    """The speed of the faster walk; ValueError where neurons would not tell weights from calcium."""
    given = None if wanted is None else check("evolve.speed", wanted, _SPEED)
    if walk.shared:
        return SHARED_SPEED if given is None else given
    rate, tau = fastest_rate(walk), max(g.meter.sensor.tau for g in walk.coordinates.groups)
    most = SEPARATION / (rate * tau)
    if most < 1.0:
        raise ValueError(
            f"evolve: the rules act within {1.0 / rate:.3g} s, near tau = {tau / ms:g} ms of calcium; there is no slow "
            "time to speed up. Take slower rules (larger tau), or eq.spiking.simulate."
        )
    if given is not None and given > most:
        raise ValueError(
            f"evolve.speed must be at most {most:.3g}: the fastest mode of the rules takes {1.0 / rate:.3g} s, and sped "
            f"up by {given:g} it would come near tau = {tau / ms:g} ms of calcium. Got {given:g}."
        )
    return most if given is None else given


def fastest_rate(walk: Walk) -> float:
    """Largest rate of the slow dynamics [1/s] where the walk stands, all neurons of a population moving alike."""
    regulator = walk.regulator()
    response, q = walk.measured(regulator), walk.coordinates
    kept = walk.state
    sensed = q.sensed(walk.sense(regulator, walk.pace.window))
    walk.state = kept
    return float(np.max(np.abs(np.linalg.eigvals(response.matrix(response.z, sensed)))))


def _done(walks: list[Walk], k: int, span: float) -> float:
    """Finished fraction of all work, the slower walk being the longer."""
    faster, slower = (w.t / span for w in walks)
    return (faster + RATIO * slower) / (1.0 + RATIO) if k or faster < 1.0 else 1.0 / (1.0 + RATIO)


# --- what both say ----------------------------------------------------------------------------------------------------
def _dataset(walks: list[Walk], started: float) -> "xr.Dataset":
    faster, slower = walks
    whole = slower if slower.rows else faster
    if not whole.rows:
        raise KeyboardInterrupt("evolve: interrupted before the first move.")
    status, message = _verdict(walks)
    attrs = {
        "status": status.name, "message": message, "advice": status.advice, "seed": whole.network.seed,
        "speeds": [w.speed for w in walks], "simulated": sum(w.simulated for w in walks),
        "wall": time.perf_counter() - started,
    }  # fmt: skip
    data = dataset_of([{k: v for k, v in row.items() if "_noise_" not in k} for row in whole.rows], attrs)
    if faster.rows and slower.rows:
        for group, name in whole.coordinates.places:
            _extrapolate(data, walks, group, name)
    return data


def _extrapolate(data: "xr.Dataset", walks: list[Walk], group: RuleGroup, name: str) -> None:
    """Put the limit of no speed-up and its errors in place of the slower run."""
    key, t = label(name, group.name), data["time"].values
    (fast, fast_noise, fast_sd), (slow, slow_noise, slow_sd) = (_along(w, group, name, t) for w in walks)
    difference, expected = fast - slow, np.hypot(fast_noise, slow_noise)
    real = 1.0
    if (power := float(np.mean(difference**2))) > 0.0:
        real = max(0.0, 1.0 - float(np.mean(expected**2)) / power)
    correction = -real * difference / (RATIO - 1.0)
    variance = np.maximum(slow_sd**2 + (slow_sd**2 - fast_sd**2) / (RATIO - 1.0), 0.0)
    units = data[key].attrs
    data[key] = ("time", slow + correction, units)
    data[f"{key}_error"] = ("time", np.hypot(correction, slow_noise), units)
    data[f"{key}_sd"] = ("time", np.sqrt(variance), units)
    data[f"{key}_sd_error"] = ("time", np.abs(np.sqrt(variance) - slow_sd), units)


def _along(walk: Walk, group: RuleGroup, name: str, t: Array) -> tuple[Array, Array, Array]:
    """Mean, its SD by fluctuations, and SD over neurons at the times t; straight lines between moves."""
    key, start = label(name, group.name), walk.start[group.name][name]
    times = np.array([0.0, *(row["time"] for row in walk.rows)])
    mean = np.array([np.nanmean(start), *(row[key] for row in walk.rows)])
    sd = np.array([start.std(), *(row[f"{key}_sd"] for row in walk.rows)])
    noise = np.array([0.0, *(row.get(f"{name}_noise_{group.name}", 0.0) for row in walk.rows)])
    scale = mean if group.relative and name not in group.extras else 1.0
    return tuple(np.interp(t, times, x) for x in (mean, noise * scale, sd))  # pyright: ignore[reportReturnType]


def _verdict(walks: list[Walk]) -> tuple[Status, str]:
    """How it ended: the first failure of a walk, or weights that grow while calcium stays off its targets."""
    for walk in walks:
        if walk.status is not Status.OK:
            words = f"interrupted at {walk.t:.4g} s; a checkpoint goes on." if walk.status is Status.INTERRUPTED else ""
            return walk.status, walk.message or words
    slower = walks[-1]
    for group in slower.coordinates.groups:
        if (told := _growing(slower, group)) is not None:
            return Status.RUNAWAY, told
    return Status.OK, "the end was reached."


def _growing(walk: Walk, group: RuleGroup) -> str | None:
    """Whether the weights of a population kept growing over the last quarter while a calcium moment stayed off target."""
    target = getattr(group.rule, "target", None)
    if target is None or group.extras:
        return None
    late = [row for row in walk.rows if row["time"] >= 0.75 * walk.t]
    wanted = {"calcium_mean": target.mean, "calcium_second_moment": target.second_moment}
    off = {k: float(np.mean([row[f"{k} {group.name}"] for row in late])) / v - 1.0 for k, v in wanted.items()}
    worst = max(off, key=lambda k: abs(off[k]))
    growth = {s.name: late[-1][s.name] / late[0][s.name] - 1.0 for s in group.slots}
    name = max(growth, key=lambda k: growth[k])
    if len(late) < 2 or abs(off[worst]) < OFF or growth[name] < GROWING:
        return None
    text = (
        f"population {group.name!r} at {group.scope} scope: {worst.replace('_', ' ')} stays {off[worst]:+.1%} off its "
        f"target while {name} grew by {growth[name]:.1%} in the last quarter."
    )
    return text + " No cell can have these moments; take a SetPoint(rate, cv)." if group.scope == "neuron" else text
