"""Input from sources: K trains of rate r onto a neuron, as Poisson counts per step or as white noise.

Counts: m = K r dt arrivals per step on average, at its end, drawn by inversion (`equipoise.spiking.counts`); neurons
whose K differs have laws of their own. A Fano factor F other than 1 is had by counts of variance F m, independent from
step to step. Noise: what the leak makes of mu + sigma xi(t) within a step, exactly,

    mean mu tau (1 - e^{-dt/tau}),   variance sigma^2 (tau/2) (1 - e^{-2 dt/tau}),   mu = K J r, sigma^2 = K J^2 F r

and mu dt, sigma^2 dt without a leak. Through exponential synapses counts and noise enter the current (tau is then that
of the synapse), and the mean the potential. Conductances take counts only: noise could make them negative. The spikes
of volleys are drawn beforehand, and are counts in the steps at whose ends they arrive (`equipoise.spiking.volleys`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.populations import Source, Volleys
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking import volleys
from equipoise.spiking.cells import Receptors, jump, noise_of_step
from equipoise.spiking.counts import NO_COUNTS, CountLaws, laws_of
from equipoise.spiking.layout import COLUMN, Layout
from equipoise.spiking.neurons import Neurons
from equipoise.spiking.randomness import Words
from equipoise.spiking.wiring import source_in_degrees

POISSON, GAUSSIAN, GIVEN = 0, 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """One input of one population: for each of its n places an amplitude, and the laws of counts.

    The amplitude is in V, in V/s where the sink is a current, and in 1/s where it is a conductance over capacitance.
    """

    population: int
    noise: int
    stream: int
    sink: int
    amplitude: NDArray[np.float32]
    laws: CountLaws


@dataclass(frozen=True)
class Trains:
    """A projection from a source: the summed rate of its trains onto each place of the target [Hz].

    `jump`: what one spike adds to its sink.
    """

    projection: Projection
    fano: float
    rates: Array
    jump: float


@dataclass(frozen=True)
class Timed:
    """A projection from volleys: what arrives in which step at which neuron; `jump` as of `Trains`."""

    projection: Projection
    events: NDArray[np.int64]
    jump: float


def trains_onto(circuit: Circuit, layout: Layout, population: int, how: tuple[Words, float]) -> list[Trains | Timed]:
    """All projections from sources and volleys onto a population; `how` is the key of the network and dt [s]."""
    name, size, (key, dt) = layout.names[population], layout.sizes[population], how
    neuron = circuit.populations[population].neuron
    out: list[Trains | Timed] = []
    for index, p in enumerate(circuit.projections):
        source = circuit.node(p.source)
        if p.target == name and isinstance(source, Volleys):
            number = source_in_degrees(p, size, key, index).astype(np.int64)
            events = volleys.arrivals(p, source, number, (key, index), dt)
            out.append(Timed(p, events, jump(p.weight, p.synapse, neuron)))
        elif p.target == name and isinstance(source, Source):
            padded = layout.padded(population)
            rates = np.zeros(padded.stop - padded.start)
            rates[:size] = source.rate * source_in_degrees(p, size, key, index)
            out.append(Trains(p, source.fano, rates, jump(p.weight, p.synapse, neuron)))
    return out


def counted(
    trains: Iterable[Trains | Timed], population: int, receptors: Receptors, layout: Layout, dt: float
) -> Iterator[External]:
    """Counts, one input for each projection; places without trains are left alone."""
    for x in trains:
        if isinstance(x, Timed):
            padded = layout.padded(population)
            noise, amplitude = GIVEN, np.zeros(padded.stop - padded.start)
            amplitude[np.unique(x.events[:, 1])] = x.jump
            laws = volleys.laws_of(x.events, amplitude.size // COLUMN)
        else:
            noise, amplitude = POISSON, np.where(x.rates > 0.0, x.jump, 0.0)
            laws = laws_of(x.rates * dt, x.fano, x.projection.source)
        yield External(
            population=population, noise=noise, stream=0, sink=receptors.sink(x.projection.synapse),
            amplitude=amplitude.astype(np.float32), laws=laws,
        )  # fmt: skip


def gaussian(trains: list[Trains], of: Neurons, population: int, receptors: Receptors, dt: float) -> Iterator[External]:
    """White noise, one input for each kind of synapse; the mean is not in it. TypeError for conductances."""
    if trains and isinstance(of.neuron, ConductanceLIF):
        raise TypeError(
            f"spiking: noise='gaussian' would give {trains[0].projection.target!r} negative conductances. "
            "Take noise='poisson'."
        )
    for synapse in dict.fromkeys(x.projection.synapse for x in trains):
        variance = np.sum([x.jump**2 * x.fano * x.rates for x in trains if x.projection.synapse == synapse], axis=0)
        tau_s = synapse.time_constant
        noise = noise_of_step(np.asarray(1.0 / tau_s) if tau_s else of.leak, dt)
        amplitude = np.sqrt(variance)
        amplitude[: noise.size if noise.ndim else None] *= noise
        yield External(
            population=population, noise=GAUSSIAN, stream=0, sink=receptors.sink(synapse),
            amplitude=amplitude.astype(np.float32), laws=NO_COUNTS,
        )  # fmt: skip
