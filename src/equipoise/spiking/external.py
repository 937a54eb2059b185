"""Input from sources: K trains of rate r onto a neuron, as Poisson counts per step or as white noise.

Counts: K r dt arrivals per step on average, at its end, drawn by inversion from half a random word: of the 2^16 numbers
the count k has as many as fit into 2^16 P(k), and the few that are left choose with another word among the counts by
what the rounding left out. Laws are exact to 2^-32 of that rest; neurons whose K differs have thresholds of their own.
Noise: what the leak makes of mu + sigma xi(t) within a step, exactly,

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
from equipoise.spiking.cells import Receptors, jump, noise_of_step
from equipoise.spiking.layout import Layout
from equipoise.spiking.neurons import Neurons
from equipoise.spiking.randomness import Words
from equipoise.spiking.wiring import source_in_degrees

Halves = NDArray[np.int16]
Ints = NDArray[np.int32]

POISSON, GAUSSIAN = 0, 1
MOST_COUNTS = 256
LEAST_PROBABILITY = 2.0**-44
"""Below it a count is left out: what half a word and a word resolve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CountLaws:
    """Poisson laws of n places as thresholds.

    A number of 16 bits, read as signed, reaches as many of the thresholds as it counts; `least` (J,) are the lowest of
    all places, `thresholds` (J, n) those of each where they differ, else (0, n). Who reaches all J counts instead the
    thresholds in `rest` (law, R) that another 32 bits reach; `law` (n,) says whose law is which, empty if there is one.
    """

    least: Halves
    thresholds: Halves
    rest: Ints
    law: Ints


NO_COUNTS = CountLaws(
    least=np.empty(0, np.int16), thresholds=np.empty((0, 1), np.int16), rest=np.empty((0, 0), np.int32),
    law=np.empty(0, np.int32),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class External:
    """One input of one population: for each of its n places an amplitude, and the laws of counts.

    The amplitude is in V, or in V/s where the sink is a current.
    """

    population: int
    noise: int
    stream: int
    sink: int
    amplitude: NDArray[np.float32]
    laws: CountLaws


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
        amplitude = np.where(x.rates > 0.0, x.jump, 0.0).astype(np.float32)
        yield External(
            population=population, noise=POISSON, stream=0, sink=receptors.sink(x.tau_s), amplitude=amplitude,
            laws=laws_of(x.rates * dt),
        )  # fmt: skip


def gaussian(trains: list[Trains], of: Neurons, population: int, receptors: Receptors, dt: float) -> Iterator[External]:
    """White noise, one input for each synaptic time constant; the mean is not in it."""
    for tau_s in dict.fromkeys(x.tau_s for x in trains):
        variance = np.sum([x.jump**2 * x.fano * x.rates for x in trains if x.tau_s == tau_s], axis=0)
        noise = noise_of_step(np.asarray(1.0 / tau_s) if tau_s else of.leak, dt)
        amplitude = np.sqrt(variance)
        amplitude[: noise.size if noise.ndim else None] *= noise
        yield External(
            population=population, noise=GAUSSIAN, stream=0, sink=receptors.sink(tau_s),
            amplitude=amplitude.astype(np.float32), laws=NO_COUNTS,
        )  # fmt: skip


def laws_of(mean: Array) -> CountLaws:
    """The laws of counts of these means (n,)."""
    means, which = np.unique(mean, return_inverse=True)
    pmf = poisson_pmf(means, number_of_counts(float(means[-1])))
    halves, rest = thresholds_of_halves(pmf)
    if np.unique(mean[mean > 0.0]).size <= 1:
        none = NO_COUNTS.law
        return CountLaws(least=halves[-1], thresholds=np.empty((0, mean.size), np.int16), rest=rest[-1:], law=none)
    own = np.ascontiguousarray(halves.T[:, which])
    return CountLaws(least=halves.min(axis=0), thresholds=own, rest=rest, law=which.astype(np.int32))


def number_of_counts(largest_mean: float) -> int:
    """How many counts are told from those that never happen."""
    from scipy.special import pdtrc

    more = pdtrc(np.arange(MOST_COUNTS), largest_mean) >= LEAST_PROBABILITY
    if more.all():
        raise ValueError(
            f"spiking: a source gives {largest_mean:.4g} spikes to a neuron in one step, more than are counted. "
            "Shorten dt, or take noise='gaussian'."
        )
    return int(np.count_nonzero(more)) + 1


def poisson_pmf(means: Array, n: int) -> Array:
    """P(count = k), k = 0 ... n - 1, of each mean (law, n)."""
    from scipy.special import gammaln, xlogy

    k, m = np.arange(n), means[:, None]
    return np.exp(xlogy(k, m) - m - gammaln(k + 1.0))


def thresholds_of_halves(pmf: Array) -> tuple[Halves, Ints]:
    """Laws (law, n) as thresholds of 16 bits (law, J), and those of 32 bits for the rest (law, n)."""
    cells = np.floor(pmf * 2.0**16)
    cells[cells.sum(axis=1) == 2.0**16, 0] -= 1.0  # so that there is a rest
    used = 1 + int(np.flatnonzero(cells.any(axis=0))[-1])
    halves = np.cumsum(cells, axis=1)[:, :used] - 2.0**15
    left = np.cumsum(pmf * 2.0**16 - cells, axis=1)
    rest = np.rint(left[:, :-1] / left[:, -1:] * 2.0**32)
    return halves.astype(np.int16), (np.minimum(rest, 2.0**32 - 1.0) - 2.0**31).astype(np.int32)
