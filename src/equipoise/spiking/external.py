"""Input from sources: K trains of rate r onto a neuron, as Poisson counts per step or as white noise.

Counts: m = K r dt arrivals per step on average, at its end. They are drawn by inversion: the count is the number of
thresholds P(count <= j), j = 0, 1, ..., that a uniform number of 32 bits reaches; neurons whose K differs have
thresholds of their own. A Fano factor F other than 1 is had by counts of variance F m, independent from step to step
(`equipoise.spiking.counts`). Noise: what the leak makes of mu + sigma xi(t) within a step, exactly,

    mean mu tau (1 - e^{-dt/tau}),   variance sigma^2 (tau/2) (1 - e^{-2 dt/tau}),   mu = K J r, sigma^2 = K J^2 F r

and mu dt, sigma^2 dt without a leak. Through exponential synapses counts and noise enter the current (tau is then that
of the synapse), and the mean the potential.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.populations import Source
from equipoise.model.projections import Projection
from equipoise.quantities import Array
from equipoise.spiking.cells import Receptors, jump, leak, noise_of_step
from equipoise.spiking.counts import number_of_thresholds, thresholds
from equipoise.spiking.layout import Layout
from equipoise.spiking.randomness import Words
from equipoise.spiking.wiring import source_in_degrees

Ints = NDArray[np.int32]

POISSON, GAUSSIAN = 0, 1


@dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """One input of one population: for each of its n places an amplitude, and for counts the thresholds.

    The amplitude is in V, or in V/s where the sink is a current. `least` (J,) the lowest thresholds of all neurons;
    `thresholds` (J, n) where neurons differ, else (0, n). They are 2^32 P(count <= j) - 2^31.
    """

    population: int
    noise: int
    stream: int
    sink: int
    amplitude: NDArray[np.float32]
    least: Ints
    thresholds: Ints


@dataclass(frozen=True)
class Trains:
    """A projection from a source: the summed rate of its trains onto each place of the target [Hz]."""

    projection: Projection
    fano: float
    rates: Array

    @property
    def tau_s(self) -> float:
        """Synaptic time constant [s]; 0 for delta synapses."""
        return self.projection.synapse.time_constant

    @property
    def jump(self) -> float:
        """What one spike adds to its sink."""
        return jump(self.projection.weight, self.tau_s)


def trains_onto(circuit: Circuit, layout: Layout, population: int, key: Words) -> list[Trains]:
    """All projections from sources onto a population."""
    name, size = layout.names[population], layout.sizes[population]
    out = []
    for index, p in enumerate(circuit.projections):
        source = circuit.node(p.source)
        if p.target == name and isinstance(source, Source):
            padded = layout.padded(population)
            rates = np.zeros(padded.stop - padded.start)
            rates[:size] = source.rate * source_in_degrees(p, size, key, index)
            out.append(Trains(p, source.fano, rates))
    return out


def poisson(trains: list[Trains], population: int, receptors: Receptors, dt: float) -> Iterator[External]:
    """Counts, one input for each projection; places without trains are left alone."""
    for x in trains:
        least, thresholds = _laws(x, dt)
        amplitude = np.where(x.rates > 0.0, x.jump, 0.0).astype(np.float32)
        yield External(
            population=population, noise=POISSON, stream=0, sink=receptors.sink(x.tau_s), amplitude=amplitude,
            least=least, thresholds=thresholds,
        )  # fmt: skip


def gaussian(
    trains: list[Trains], circuit: Circuit, population: int, receptors: Receptors, dt: float
) -> Iterator[External]:
    """White noise, one input for each synaptic time constant; the mean is not in it."""
    none = np.empty(0, np.int32)
    for tau_s in dict.fromkeys(x.tau_s for x in trains):
        variance = np.sum([x.jump**2 * x.fano * x.rates for x in trains if x.tau_s == tau_s], axis=0)
        rate = 1.0 / tau_s if tau_s else leak(circuit.populations[population].neuron)
        amplitude = (np.sqrt(variance) * noise_of_step(rate, dt)).astype(np.float32)
        yield External(
            population=population, noise=GAUSSIAN, stream=0, sink=receptors.sink(tau_s), amplitude=amplitude,
            least=none, thresholds=none.reshape(0, 1),
        )  # fmt: skip


def _laws(trains: Trains, dt: float) -> tuple[Ints, Ints]:
    """The lowest thresholds, and those of each place where they differ."""
    mean, fano, source = trains.rates * dt, trains.fano, trains.projection.source
    means, which = np.unique(mean, return_inverse=True)
    n = max(number_of_thresholds(float(m), fano, source) for m in {means[0], means[-1]})
    laws = np.array([thresholds(float(m), fano, n, source) for m in means])
    if np.unique(mean[mean > 0.0]).size <= 1:
        return laws[-1], np.empty((0, mean.size), np.int32)
    return laws[-1], np.ascontiguousarray(laws.T[:, which])
