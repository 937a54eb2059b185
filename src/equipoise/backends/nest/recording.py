"""Spikes of a running network, stretch by stretch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from equipoise.backends.nest.kernel import Indices, in_ms, spikes_of
from equipoise.backends.nest.synapses import SHARED
from equipoise.results import SpikeTrains


class Stretch(NamedTuple):
    """Spikes up to the step `stop`: step and index of the neuron of each."""

    stop: int
    steps: Indices
    units: Indices


class Recorder:
    """Spikes of the first `n` neurons of a population: all of the recent ones, and of the first `keep` those before."""

    def __init__(self, nest: Any, neurons: Any, *, n: int, keep: int, delay: float):
        self.n, self.keep = n, keep
        self._nest, self._first = nest, int(neurons[0].global_id)
        self._device = nest.Create("spike_recorder", params={"time_in_steps": True})
        nest.Connect(neurons[:n], self._device, "all_to_all", {"synapse_model": SHARED, "delay": in_ms(delay)})
        self._kept: list[Stretch] = []
        self._recent: list[Stretch] = []

    def read(self, stop: int) -> None:
        """Take over from NEST what was fired up to the step `stop`."""
        steps, nodes = spikes_of(self._nest, self._device)
        self._recent.append(Stretch(stop, steps, nodes - self._first))

    def recent(self, start: int, stop: int, dt: float) -> SpikeTrains:
        """What all `n` neurons fired in the steps (start, stop], none of which is forgotten yet."""
        return _trains(self._recent, self.n, (start, stop), dt)

    def kept(self, start: int, stop: int, dt: float) -> SpikeTrains:
        """What the first `keep` neurons fired in the steps (start, stop], with time 0 at `start`."""
        return _trains([*self._kept, *self._recent], self.keep, (start, stop), dt, zero=start)

    def forget(self, before: int) -> None:
        """Of the stretches up to step `before` only the spikes of the first `keep` neurons are still wanted."""
        while self._recent and self._recent[0].stop <= before:
            stop, steps, units = self._recent.pop(0)
            mine = units < self.keep
            self._kept.append(Stretch(stop, steps[mine], units[mine]))


def record(
    nest: Any, nodes: Mapping[str, Any], *, keep: int | None, whole: set[str], delay: float
) -> dict[str, Recorder]:
    """A recorder of each population, of the `whole` ones with all neurons.

    Spikes are recorded when fired, but NEST takes `delay` [s] for one of the network's: it should be none shorter.
    """
    out = {}
    for name, neurons in nodes.items():
        kept = len(neurons) if keep is None else min(keep, len(neurons))
        out[name] = Recorder(nest, neurons, n=len(neurons) if name in whole else kept, keep=kept, delay=delay)
    return out


def _trains(parts: list[Stretch], n: int, window: tuple[int, int], dt: float, zero: int = 0) -> SpikeTrains:
    steps = np.concatenate([np.empty(0, np.int64), *(p.steps for p in parts)])
    units = np.concatenate([np.empty(0, np.int64), *(p.units for p in parts)])
    mine = (steps > window[0]) & (steps <= window[1]) & (units < n)
    steps, units = steps[mine], units[mine]
    order = np.lexsort((units, steps))
    start, stop = ((step - zero) * dt for step in window)
    times = ((steps[order] - zero) * dt).astype(np.float64)
    return SpikeTrains(times, units[order], n, start, stop)
