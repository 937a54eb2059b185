"""The neurons of a network, equal or each with parameters of its own.

What differs is drawn by the spread of the population: it depends on the seed, the population and the neuron's place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from equipoise.model import spread
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import EIF, LIF, IntegrateAndFire
from equipoise.model.populations import Population
from equipoise.quantities import Array
from equipoise.spiking.randomness import NEURONS, Words, uniform


@dataclass(frozen=True, eq=False)
class Neurons:
    """The neurons of one population: the circuit's, and by name what each of them has of its own (n,)."""

    neuron: IntegrateAndFire
    own: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        """A parameter, () or (n,); 0 where the model has none of that name."""
        return np.asarray(self.own.get(name, getattr(self.neuron, name, 0.0)), np.float64)

    @property
    def leak(self) -> Array:
        """1/tau_m, or 0 without a leak [Hz]; that of the ConductanceLIF is one of its conductances and not counted."""
        return 1.0 / self["tau_m"] if isinstance(self.neuron, LIF | EIF) else np.zeros(())


def drawn(circuit: Circuit, key: Words) -> tuple[Neurons, ...]:
    """The neurons of each population."""
    return tuple(Neurons(p.neuron, _own(p, k, key)) for k, p in enumerate(circuit.populations))


def _own(p: Population, k: int, key: Words) -> dict[str, Array]:
    names = [f.name for f in fields(p.spread)]  # a parameter's stream does not depend on what else varies
    streams = {name: NEURONS + k * len(names) + names.index(name) for name in p.spread.varying}
    return {
        name: spread.drawn(p.neuron, p.spread, name, uniform(key, stream, int(p.size)))
        for name, stream in streams.items()
    }
