"""The verb: homeostasis over hours and days, at two speeds and without losing what is done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.quantities import Quantity, check
from equipoise.results import Status
from equipoise.spiking import checkpoint as store
from equipoise.spiking.evolution import RATIO, Evolution, together
from equipoise.spiking.network import Network, build
from equipoise.spiking.pace import Pace
from equipoise.spiking.progress import Progress, telling
from equipoise.spiking.walk import Walk
from equipoise.units import day, ms

Schedule = Sequence[tuple[float, Circuit]]

SHARED_SPEED = 1000.0
SEPARATION = 0.05
"""Largest product of the fastest rate of the rules, sped up or not, and tau of calcium."""

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
    progress: Progress | bool = False,
) -> Evolution:
    """Homeostasis of a spiking circuit over `duration` [s], sped up by at most `speed`, with estimated errors.

    `circuit` may be a schedule of (time [s], circuit), the first at 0; slow variables go on when a later one takes over
    (same populations, sources and projections).
    With a `checkpoint` file a run that was stopped, even by force, goes on where it was and ends bit by bit the same;
    Ctrl-C keeps what is done, status INTERRUPTED. `progress` is a function of the finished fraction, or True for a
    line on the terminal.

    By default `speed` is 1000 where populations share their weights, whose fast modes are stepped over implicitly;
    where neurons have their own it is what keeps the fastest mode slow against calcium, and ValueError refuses more.
    """
    started, span = time.perf_counter(), check("evolve.duration", duration, _DURATION)
    order = _Order(plan=_plan(circuit, span), span=span, seed=seed, speed=speed, pace=pace or Pace())
    walks = _begin(order, checkpoint)
    saver = _Saver(order, checkpoint)
    try:
        with telling(progress, span) as tell:
            for k, walk in enumerate(walks):
                while walk.t < span and all(w.status is Status.OK for w in walks):
                    _next(walk, order)
                    saver.sometimes(walks)
                    tell(_done(walks, k, span))
    except KeyboardInterrupt:
        saver.interrupted(walks)
    else:
        saver.save(walks)
    if not walks[0].rows:
        raise KeyboardInterrupt("evolve: interrupted before the first move.")
    return together(walks, started)


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
        if time.perf_counter() - self.last > store.SAVE_EVERY:
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
    """The speed of the faster walk; ValueError where the weights would move as fast as calcium."""
    given = None if wanted is None else check("evolve.speed", wanted, _SPEED)
    rate, tau = walk.fastest_rate(), max(g.meter.sensor.tau for g in walk.coordinates.groups)
    most = SEPARATION / (rate * tau)
    if most < 1.0:
        raise ValueError(
            f"evolve: the rules act within {1.0 / rate:.3g} s, near tau = {tau / ms:g} ms of calcium; there is no slow "
            "time to speed up. Take slower rules (larger tau), or eq.spiking.simulate."
        )
    if walk.shared:
        return SHARED_SPEED if given is None else given
    if given is not None and given > most:
        raise ValueError(
            f"evolve.speed must be at most {most:.3g}: the fastest mode of the rules takes {1.0 / rate:.3g} s, "
            f"and sped up by {given:g} it would come near tau = {tau / ms:g} ms of calcium."
        )
    return most if given is None else given


def _done(walks: list[Walk], k: int, span: float) -> float:
    """Finished fraction of all work, the slower walk being the longer."""
    faster, slower = (w.t / span for w in walks)
    return (faster + RATIO * slower) / (1.0 + RATIO) if k or faster < 1.0 else 1.0 / (1.0 + RATIO)
