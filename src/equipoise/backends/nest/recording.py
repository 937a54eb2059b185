"""Spikes of a running network, stretch by stretch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from equipoise.backends.nest.kernel import Indices, in_ms, spikes_of
from equipoise.backends.nest.synapses import SHARED
from equipoise.results import SpikeTrains


class Stretch(NamedTuple):
    """Spikes up to the step `stop`: how many, and step and neuron of those that are kept."""

    stop: int
    total: int
    steps: Indices
    units: Indices


class Recorder:
    """Spikes of a population of `n` neurons: all of the recent ones, and of the first `keep` neurons those before.

    Spikes are recorded when fired, but NEST takes `delay` [s] for one of the network's: it should be none shorter.
    """

    def __init__(self, nest: Any, neurons: Any, *, keep: int, delay: float):
        self.n, self.keep = len(neurons), keep
        self._nest, self._first = nest, int(neurons[0].global_id)
        self._device = nest.Create("spike_recorder", params={"time_in_steps": True})
        nest.Connect(neurons, self._device, "all_to_all", {"synapse_model": SHARED, "delay": in_ms(delay)})
        self._kept: list[Stretch] = []
        self._recent: list[Stretch] = []

    def read(self, stop: int) -> None:
        """Take over from NEST what was fired up to the step `stop`."""
        steps, nodes = spikes_of(self._nest, self._device)
        self._recent.append(Stretch(stop, steps.size, steps, nodes - self._first))

    def forget(self, before: int) -> None:
        """Of the stretches up to step `before` only the spikes of the first `keep` neurons are still wanted."""
        while self._recent and self._recent[0].stop <= before:
            stretch = self._recent.pop(0)
            mine = stretch.units < self.keep
            self._kept.append(stretch._replace(steps=stretch.steps[mine], units=stretch.units[mine]))

    def recent(self, start: int, stop: int, dt: float) -> SpikeTrains:
        """What all neurons fired in the steps (start, stop], none of which is forgotten yet."""
        steps, units = _joined(self._recent, start, stop, self.n)
        return SpikeTrains(steps.astype(np.float64) * dt, units, self.n, start * dt, stop * dt)

    def count(self, start: int) -> int:
        """Number of all spikes after the step `start`, with which a stretch ended."""
        return sum(s.total for s in (*self._kept, *self._recent) if s.stop > start)

    def kept(self, start: int, stop: int) -> tuple[Indices, Indices]:
        """Step and neuron of what the first `keep` neurons fired in the steps (start, stop], in order."""
        return _joined([*self._kept, *self._recent], start, stop, self.keep)


def record(nest: Any, nodes: Mapping[str, Any], *, keep: int | None, delay: float) -> dict[str, Recorder]:
    """A recorder of each population that keeps the spikes of its first `keep` neurons, or of all."""
    return {
        name: Recorder(nest, neurons, keep=len(neurons) if keep is None else min(keep, len(neurons)), delay=delay)
        for name, neurons in nodes.items()
    }


def together(recorders: Mapping[str, Recorder], start: int, stop: int, dt: float) -> SpikeTrains:
    """What is kept of all populations in the steps (start, stop], timed from `start`, population after population."""
    steps, units, first = [], [], 0
    for r in recorders.values():
        step, unit = r.kept(start, stop)
        steps.append(step)
        units.append(unit + first)
        first += r.keep
    step, unit = _ordered(np.concatenate(steps), np.concatenate(units))
    return SpikeTrains((step - start).astype(np.float64) * dt, unit, first, 0.0, (stop - start) * dt)


def _joined(parts: list[Stretch], start: int, stop: int, n: int) -> tuple[Indices, Indices]:
    steps = np.concatenate([np.empty(0, np.int64), *(p.steps for p in parts if p.stop > start)])
    units = np.concatenate([np.empty(0, np.int64), *(p.units for p in parts if p.stop > start)])
    mine = (steps > start) & (steps <= stop) & (units < n)
    return _ordered(steps[mine], units[mine])


def _ordered(steps: Indices, units: Indices) -> tuple[Indices, Indices]:
    order = np.lexsort((units, steps))
    return steps[order], units[order]
