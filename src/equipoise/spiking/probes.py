"""What chosen neurons feel: potential and excitatory, inhibitory and noisy input, step by step.

Spikes count as excitation or inhibition by the sign of their weight; Gaussian input, which has no sign, is a kind of
its own. Through delta synapses the input of a step is the sum of its jumps over dt, through exponential ones the
synaptic currents themselves, at the end of the step. Conductances g count by their reversal E, as currents
g (E - V)/C, and are shown themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import suggest
from equipoise.spiking.cells import CURRENT, Floats, gain_of_step
from equipoise.spiking.layout import Layout
from equipoise.spiking.network import Network
from equipoise.spiking.record import Cells

VALUES = 6
"""Potential, excitation, inhibition, noise, and the two conductances of a probe in a step."""
KINDS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Probes:
    """Where the step looks: `places` (n,) rising, the currents of each by kind `split` (n, current, 3) [V/s].

    `trace` (steps, n, 6) receives the potential [V] from the leak potential after each step, the input of the three
    kinds [V/s] in it, and the excitatory and inhibitory conductance over the capacitance [1/s]. The step moves `split`
    and writes `trace` in place.
    """

    places: NDArray[np.int64]
    split: Floats
    trace: Floats

    @property
    def row_bytes(self) -> int:
        """Memory of the trace of one step."""
        return 4 * VALUES * self.places.size

    def along(self, steps: int) -> "Probes":
        """The same probes with room for so many steps."""
        trace = np.empty((steps, self.places.size, VALUES), np.float32)
        return Probes(places=self.places, split=self.split, trace=trace)


def probes_at(network: Network, cells: Cells, currents: Floats) -> Probes:
    """Probes in chosen neurons; what flows already counts as excitation or inhibition by its own sign."""
    places = np.array([network.layout.neurons(k).start + i for k, i in chosen(cells, network.layout)], np.int64)
    split = np.zeros((places.size, network.most_currents, KINDS), np.float32)
    now = currents[:, places].T * _synaptic(network, places)
    split[..., 0], split[..., 1] = np.maximum(now, 0.0), np.minimum(now, 0.0)
    return Probes(places=places, split=split, trace=np.empty((0, places.size, VALUES), np.float32))


def _synaptic(network: Network, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the currents at some places are synaptic (n, current); the others are adaptation."""
    out = np.ones((len(network.layout.sizes), network.most_currents), bool)
    for population in range(out.shape[0]):
        rows = network.currents[network.currents[:, 0] == population]
        own = rows[:, [CURRENT.index("jump"), CURRENT.index("strength")]]
        out[population, : rows.shape[0]] = (own == 0.0).all(axis=1)
    return out[network.layout.population_of(places)]


def chosen(cells: Cells, layout: Layout) -> list[tuple[int, int]]:
    """Population and number of each chosen neuron, in order; ValueError or TypeError for neurons that do not exist."""
    out = []
    for name, which in cells.items():
        if name not in layout.names:
            raise ValueError(f"Record.membrane names an unknown population {name!r}.{suggest(name, layout.names)}")
        k = layout.names.index(name)
        n = layout.sizes[k]
        count = isinstance(which, int | np.integer)
        numbers = range(which) if count else sorted({int(i) for i in which})
        if (count and which < 0) or any(not 0 <= i < n for i in numbers):
            raise ValueError(
                f"Record.membrane[{name!r}] must choose among the {n:,} neurons 0 to {n - 1}, got {which!r}."
            )
        out += [(k, i) for i in numbers]
    return sorted(out)


def tonic(network: Network, places: NDArray[np.int64]) -> Floats:
    """The constant input [V/s] at some places, which the potential gains without any spikes (n,)."""
    gains = np.ones(network.layout.places)
    for k, of in enumerate(network.neurons):
        gains[network.layout.neurons(k)] = gain_of_step(of.leak, network.dt)
    return (network.acting().drive[places] / gains[places]).astype(np.float32)


def leaks(network: Network, places: NDArray[np.int64]) -> Floats:
    """The leak potentials [V], from which the step measures, at some places (n,)."""
    return _shared(network, places, "v_leak")


def capacitances(network: Network, places: NDArray[np.int64]) -> Floats:
    """Capacitances [F] at some places (n,); 0 where synapses are no conductances."""
    return _shared(network, places, "capacitance")


def _shared(network: Network, places: NDArray[np.int64], name: str) -> Floats:
    values = np.array([of[name] for of in network.neurons], np.float32)
    return values[network.layout.population_of(places)]
