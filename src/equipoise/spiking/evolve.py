"""The verb: homeostasis over hours and days, at two speeds and without losing what is done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed
from equipoise.model.projections import refuse_plasticity
from equipoise.model.slow_variables import SlowRule
from equipoise.quantities import Quantity, check
from equipoise.results import Status
from equipoise.spiking import checkpoint as store
from equipoise.spiking.evolution import RATIO, Evolution, together
from equipoise.spiking.homeostasis import Homeostasis, moved_by
from equipoise.spiking.network import build
from equipoise.spiking.pace import Pace
from equipoise.spiking.progress import Progress, telling
from equipoise.spiking.stages import Stages, apart_of
from equipoise.spiking.walk import SEPARATION, Walk
from equipoise.units import day, ms

SHARED_SPEED = 1500.0
FASTEST = 1e4
"""The speed where nothing moves by itself."""

_DURATION = Quantity("slow time", unit="hour", low=0.0, high=3650 * day, open_low=True)
_SPEED = Quantity("slow seconds per simulated second", low=1.0)


def evolve(
    circuit: Circuit,
    *,
    duration: float,
    seed: int | np.random.SeedSequence,
    rules: Sequence[SlowRule] = (),
    schedule: Sequence[Timed] = (),
    homeostasis: Homeostasis | None = None,
    speed: float | None = None,
    pace: Pace | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | bool = False,
) -> Evolution:
    """Homeostasis of a spiking circuit over `duration` [s], sped up by at most `speed`, with estimated errors.

    `schedule` holds manipulations and when they act [s]; weights are those without what it blocks. `homeostasis` gives
    rules that are functions, which are called with longer times and at neuron scope. `rules` are slow rules such as
    `InputCentricThreshold`, by default those of the circuit.
    With a `checkpoint` file a run that was stopped, even by force, goes on where it was and ends bit by bit the same;
    Ctrl-C keeps what is done, status INTERRUPTED. `progress` is a function of the finished fraction, or True for a
    line on the terminal.

    By default `speed` is 1500 where populations share their weights, whose fast modes are stepped over implicitly;
    where neurons have their own it is what keeps the fastest mode slow against calcium, and ValueError refuses more.
    """
    started = time.perf_counter()
    plan = replace(homeostasis or Homeostasis(), rules=(*getattr(homeostasis, "rules", ()), *rules))
    order = ordered(circuit, duration, seed, (schedule, plan, speed, pace))
    walks = _begin(order, checkpoint)
    saver, span = _Saver(order, checkpoint), order.span
    try:
        with telling(progress, span) as tell:
            for k, walk in enumerate(walks):
                while walk.t < span and all(w.status is Status.OK for w in walks):
                    walk.limits = walks[0].limits
                    _next(walk, order.stages)
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
class Order:
    """What was asked for, with the network drawn."""

    stages: Stages
    span: float
    seed: int | np.random.SeedSequence
    homeostasis: Homeostasis
    speed: float | None
    pace: Pace

    @property
    def settings(self) -> tuple:
        """All that decides about a run beside circuit and functions."""
        pace = replace(self.pace, threads=None)
        return self.seed, self.speed, pace, self.stages.schedule


def ordered(
    circuit: Circuit,
    duration: float,
    seed: int | np.random.SeedSequence,
    how: tuple[Sequence[Timed], Homeostasis | None, float | None, Pace | None],
) -> Order:
    """Check what is wanted, and draw the network."""
    schedule, homeostasis, speed, pace = how
    span, pace, homeostasis = (
        check("evolve.duration", duration, _DURATION),
        pace or Pace(),
        homeostasis or Homeostasis(),
    )
    if speed is not None:
        speed = check("evolve.speed", speed, _SPEED)
    if not (circuit.rules or circuit.slow_rules or homeostasis.functions or homeostasis.rules):
        raise ValueError(
            "evolve: the circuit has no rules; attach some with Circuit(..., rules=[...]), or give rules=."
        )
    refuse_plasticity("evolve", [p for p in circuit.projections if p.plasticity is not None])
    if homeostasis.window is not None:
        raise ValueError("evolve: Homeostasis.window is for simulations; give Pace(window=...) instead.")
    apart = apart_of(circuit, schedule) | moved_by(circuit, homeostasis)
    stages = Stages.of(build(circuit, seed=seed, dt=pace.dt, threads=pace.threads, apart=apart), schedule, span)
    return Order(stages=stages, span=span, seed=seed, homeostasis=homeostasis, speed=speed, pace=pace)


@dataclass
class _Saver:
    """Writes checkpoints, where a file is given."""

    order: Order
    path: str | Path | None
    last: float = field(default_factory=time.perf_counter)

    def save(self, walks: list[Walk]) -> None:
        if self.path is not None:
            store.save(self.path, walks, self.order.settings)
            self.last = time.perf_counter()

    def sometimes(self, walks: list[Walk]) -> None:
        if time.perf_counter() - self.last > store.SAVE_EVERY:
            self.save(walks)

    def interrupted(self, walks: list[Walk]) -> None:
        """A move that was interrupted in its middle is not kept: the last checkpoint is from before it."""
        for walk in walks:
            if walk.t < self.order.span and walk.status is Status.OK:
                walk.status = Status.INTERRUPTED


# --- walking ----------------------------------------------------------------------------------------------------------
def blank(order: Order) -> Walk:
    """A walk before its warm-up, at the pace of its scope."""
    network, pace = order.stages.network, order.pace
    first = Walk.blank(network, pace, order.span, order.homeostasis)
    if not first.shared:
        pace = replace(pace, window=_whole(_fastest_sensor(first), pace.dt), settle=0.0)
        first = Walk.blank(network, pace, order.span, order.homeostasis)
    first.acting = np.zeros(len(order.stages.schedule))
    return first


def _begin(order: Order, checkpoint: str | Path | None) -> list[Walk]:
    """Both walks at their start, the faster first, or where the checkpoint left them."""
    first = blank(order)
    found = None if checkpoint is None else store.load(checkpoint, first, order.settings)
    for walk in found or ():
        walk.network = order.stages.network_before(walk.t)
    return found or started_from(first, order.speed)


def started_from(first: Walk, speed: float | None) -> list[Walk]:
    """Both walks after the warm-up, speeds chosen."""
    first.warm_up()
    first.speed = _speed(first, speed)
    first.limits = np.array([[0.0, first.speed]])
    return [first, replace(first, speed=max(1.0, first.speed / RATIO), share=1.0 / RATIO, rows=[], simulated=0.0)]


def _next(walk: Walk, stages: Stages) -> None:
    """One move with the circuit that is due."""
    if stages.circuit_at(walk.t) != walk.network.circuit:
        walk.enter(stages.network_at(walk.t, walk.network), stages.strengths_at(walk.t))
    walk.move(stages.end_at(walk.t))


def _fastest_sensor(walk: Walk) -> float:
    return min(g.memory for g in walk.coordinates.groups)


def _whole(time: float, dt: float) -> float:
    return max(1, round(time / dt)) * dt


def _speed(walk: Walk, given: float | None) -> float:
    """The speed of the faster walk; ValueError where the weights would move as fast as calcium."""
    most, tau = walk.most_speed(), max(g.memory for g in walk.coordinates.groups)
    takes = most * tau / SEPARATION
    if most < 1.0:
        raise ValueError(
            f"evolve: the rules act within {takes:.3g} s, near the {tau / ms:g} ms that what they sense takes; "
            "there is no slow time to speed up. Take slower rules (larger tau), or eq.spiking.simulate."
        )
    if walk.shared:
        return SHARED_SPEED if given is None else given
    if given is not None and given > most:
        raise ValueError(
            f"evolve.speed must be at most {most:.3g}: the fastest mode of the rules takes {takes:.3g} s, "
            f"and sped up by {given:g} it would come near the {tau / ms:g} ms that what they sense takes."
        )
    return min(most, FASTEST) if given is None else given


def _done(walks: list[Walk], k: int, span: float) -> float:
    """Finished fraction of all work, the slower walk being the longer."""
    faster, slower = (w.t / span for w in walks)
    return (faster + RATIO * slower) / (1.0 + RATIO) if k or faster < 1.0 else 1.0 / (1.0 + RATIO)
