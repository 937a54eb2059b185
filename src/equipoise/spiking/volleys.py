"""Volleys on the time grid: which neuron receives how many of their spikes in which step.

A train fires once in every volley, its time drawn anew; a spike that is sent at t arrives at t + delay, at the end of
the step that ends there.
"""

import numpy as np
from numpy.typing import NDArray

from equipoise.model.delays import DelayLaw
from equipoise.model.populations import Volleys
from equipoise.model.projections import Projection
from equipoise.spiking.counts import NO_COUNTS, CountLaws
from equipoise.spiking.layout import COLUMN
from equipoise.spiking.randomness import VOLLEYS, Words
from equipoise.units import second

LAST_STEP, MOST_COUNTS = 2**31 - 1, 2**16 - 1


def arrivals(
    p: Projection, source: Volleys, trains: NDArray[np.int64], stream: tuple[Words, int], dt: float
) -> NDArray[np.int64]:
    """Step, neuron and count of all that arrives through a projection, one row each (n, 3), sorted by step.

    `trains` (n,) onto each neuron; `stream`: the key of the network and the number of the projection. Spikes that
    would come before the first step are lost. ValueError for delays that are a law, times that are too late, or more
    spikes at once than are counted.
    """
    if isinstance(p.delay, DelayLaw):
        raise ValueError(
            f"spiking: {p} comes from volleys, whose spikes are counted together; it must have one delay, got "
            f"{p.delay!r}. Spread the spikes with eq.Volleys(..., jitter=...)."
        )
    key, index = stream
    rng = np.random.default_rng([*map(int, key), VOLLEYS, index])
    to = np.repeat(np.arange(trains.size), trains)
    times = np.asarray(source.times)[:, None] + source.jitter * rng.standard_normal((len(source.times), to.size))
    steps = np.rint((times + p.delay) / dt).astype(np.int64) - 1
    if steps.max(initial=0) > LAST_STEP:
        raise ValueError(
            f"spiking: volleys of {source.name!r} must come before {LAST_STEP * dt / second:g} s at this dt, got "
            f"{max(source.times) / second:g} s."
        )
    codes, counts = np.unique((steps * trains.size + to)[steps >= 0], return_counts=True)
    if counts.max(initial=0) > MOST_COUNTS:
        raise ValueError(
            f"spiking: volleys of {source.name!r} bring {counts.max():,} spikes to a neuron in one step, and at most "
            f"{MOST_COUNTS:,} are counted. Take fewer trains of larger weight, or a jitter."
        )
    return np.column_stack([*np.divmod(codes, trains.size), counts])


def laws_of(events: NDArray[np.int64], columns: int) -> CountLaws:
    """Events (n, 3) as the step reads them: where each column's begin and end, then step, neuron in its column, count.

    Within a column they are sorted by step.
    """
    column = events[:, 1] // COLUMN
    order = np.argsort(column, kind="stable")
    begins = np.searchsorted(column[order], np.arange(columns + 1))
    rows = events[order] - np.outer(column[order], [0, COLUMN, 0])
    rest = np.concatenate([begins, rows.ravel()]).astype(np.int32)
    return CountLaws(least=NO_COUNTS.least, thresholds=NO_COUNTS.thresholds, rest=rest[None], law=NO_COUNTS.law)
