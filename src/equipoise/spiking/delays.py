"""Delays on the time grid: the steps that occur, and the law by which a synapse draws one of them."""

import numpy as np

from equipoise.model.delays import DelayLaw
from equipoise.model.projections import Projection
from equipoise.quantities import steps_of
from equipoise.units import ms

RAREST = 2.0**-32
"""Steps at both ends that are less probable than a random word can tell are left out."""


def on_grid(p: Projection, dt: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Delays of a projection in steps, ascending, and the thresholds of their law (one less).

    A delay is rounded to the nearest step: P(k) = F((k + 1/2) dt) - F((k - 1/2) dt). Thresholds are 2^32 P(delay <=
    that step); the number of thresholds that a random word reaches says which delay is drawn.
    """
    if isinstance(p.delay, DelayLaw):
        return _law(p, p.delay, dt)
    steps = steps_of("spiking", f"the delay of {p}", p.delay, dt)
    return (at_least_one(f"the delay of {p}", steps, p.delay, dt),), ()


def _law(p: Projection, delay: DelayLaw, dt: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first, last = round(delay.low / dt), round(delay.high / dt)
    at_least_one(f"the shortest delay of {p}", first, delay.low, dt)
    steps = np.arange(first, last + 1)
    cumulative = delay.cdf((steps + 0.5) * dt)
    likely = np.diff(cumulative, prepend=0.0) > RAREST
    steps, cumulative = steps[likely], cumulative[likely]
    thresholds = np.minimum(np.rint(cumulative[:-1] * 2.0**32), 2.0**32 - 1.0)
    return tuple(steps.tolist()), tuple(thresholds.astype(np.uint32).tolist())


def at_least_one(what: str, steps: int, time: float, dt: float) -> int:
    """The number of steps; ValueError where there is none."""
    if steps < 1:
        raise ValueError(f"spiking: {what} must be at least dt={dt / ms:g} ms, got {time / ms:g} ms.")
    return steps
