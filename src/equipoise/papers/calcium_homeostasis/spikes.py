"""What the figures played out in spikes share: the network, where homeostasis takes it, and runs side by side.

The standard balanced network with as many inhibitory as excitatory neurons and delays of one time step: a long delay
that all synapses share would synchronise it. In-degrees vary by K (1 - K/N), in spikes as in theory.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import TypeVar

import numpy as np

from equipoise.model.circuit import AttachedRule, Circuit
from equipoise.model.connectivity import ErdosRenyi
from equipoise.model.homeostasis import CalciumHomeostasis
from equipoise.papers.calcium_homeostasis.common import SENSOR
from equipoise.papers.framework import Progress
from equipoise.quantities import Array
from equipoise.results import SpikeTrains, Status
from equipoise.spiking import Pace, evolve
from equipoise.spiking.evolution import Evolution
from equipoise.spiking.network import processors
from equipoise.theory import network_set_points
from equipoise.units import day, hour, ms

DELAY = 0.1 * ms
T = TypeVar("T")

POPULATIONS = ["E", "I"]
WEIGHTS = ["J_EE", "J_EX", "J_EI", "J_IE", "J_IX", "J_II"]
LATE = 2.0 / 3.0
"""Weights and rates that have come to rest are averaged from this part of a path on."""


@dataclass(frozen=True, kw_only=True)
class Net:
    """`size` excitatory and as many inhibitory neurons, K inputs of each kind; `days` of homeostasis at `speed`.

    `seed` decides which graph is drawn; where `graphs` are wanted they are those of this seed and the next ones.
    """

    K: int
    size: int
    days: float
    speed: float = 20_000.0
    seed: int = 1
    graphs: int = 1

    def circuit(self) -> Circuit:
        """The network with the weights j K^-1/2 of the balanced limit, and the paper's rules."""
        plain = Circuit.example("balanced_network")
        targets = network_set_points(plain.infinite(), SENSOR)
        rules = [
            AttachedRule(n, CalciumHomeostasis(SENSOR, t, tau_e=2 * hour, tau_i=1 * hour)) for n, t in targets.items()
        ]
        sources = {s.name for s in plain.sources}
        sparse, finite = ErdosRenyi(in_degree=self.K), ErdosRenyi(probability=self.K / self.size)
        scale = np.sqrt(plain.in_degrees().max() / self.K)
        projections = [
            replace(p, weight=scale * p.weight, delay=DELAY, connectivity=sparse if p.source in sources else finite)
            for p in plain.projections
        ]
        populations = [replace(p, size=self.size) for p in plain.populations]
        return replace(plain, populations=populations, projections=projections, rules=rules)


STANDARD = Net(K=400, size=2000, days=6)
"""The network of most figures."""


def sizes_of(circuit: Circuit) -> dict[str, float]:
    """The sizes of all weights by name, J_<post><pre>."""
    return {f"J_{p.target}{p.source}": abs(p.weight) for p in circuit.projections}


def with_sizes(circuit: Circuit, sizes: Mapping[str, float]) -> Circuit:
    """The circuit with these sizes of its weights."""
    projections = [
        replace(p, weight=float(np.copysign(sizes[f"J_{p.target}{p.source}"], p.weight))) for p in circuit.projections
    ]
    return replace(circuit, projections=projections)


def silently(_: float) -> None:
    """Progress that nobody is told."""


# --- homeostasis in spikes --------------------------------------------------------------------------------------------
def walk(circuit: Circuit, net: Net, progress: Progress) -> Evolution:
    """Homeostasis of a circuit at the pace of `net`, on one thread; RuntimeError where it does not reach its end."""
    days = evolve(
        circuit, duration=net.days * day, seed=net.seed, speed=net.speed, pace=Pace(threads=1), progress=progress
    )
    if days.status is not Status.OK:
        raise RuntimeError(f"spikes: K = {net.K}, N = {net.size}: {days.status.name}, {days.message}")
    return days


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Weights that came to rest, with their errors, and the rates [Hz] and calcium moments that they hold."""

    weights: dict[str, float]
    errors: dict[str, float]
    rates: tuple[float, ...]
    moments: tuple[tuple[float, float], ...]


def at_rest(days: Evolution, weights: Sequence[str] = WEIGHTS) -> Settled:
    """Averages over the last third of a path."""
    late = days.data.isel(time=days.data["time"].values > LATE * float(days.data["time"][-1])).mean("time")
    return Settled(
        weights={name: float(late[name]) for name in weights},
        errors={name: float(late[f"{name}_error"]) for name in weights},
        rates=tuple(late["rate"].values.tolist()),
        moments=tuple(
            zip(late["calcium_mean"].values.tolist(), late["calcium_second_moment"].values.tolist(), strict=True)
        ),
    )


def weights_along(path: Evolution, start: Circuit, times: Array) -> Array:
    """The sizes of all weights at `times` [s], straight lines between moves (name, time)."""
    first, data = sizes_of(start), path.data
    moved = np.append(0.0, data["time"].values)
    return np.array([np.interp(times, moved, np.append(first[w], data[w].values)) for w in WEIGHTS])


def rates_along(path: Evolution, times: Array) -> Array:
    """Rates at `times` [s] (population, time); what a window sensed stands at the time before the move after it."""
    before = np.append(0.0, path.data["time"].values[:-1])
    return np.array([np.interp(times, before, row) for row in path.data["rate"].values])


_settled: dict[Net, Settled] = {}


def settled(net: Net, progress: Progress) -> Settled:
    """Where homeostasis takes a network from the balanced limit's weights; figures that share it simulate it once."""
    if net not in _settled:
        _settled[net] = at_rest(walk(net.circuit(), net, progress))
    progress(1.0)
    return _settled[net]


def settled_graphs(nets: Sequence[Net], progress: Progress) -> list[list[Settled]]:
    """Where homeostasis takes all graphs of all networks, the largest first, one on each processor."""
    each = [replace(net, graphs=1, seed=net.seed + k) for net in nets for k in range(net.graphs)]
    order = sorted(each, key=lambda net: -net.K * net.size)
    found = dict(zip(order, side_by_side([partial(settled, net) for net in order], progress), strict=True))
    return [[found[replace(net, graphs=1, seed=net.seed + k)] for k in range(net.graphs)] for net in nets]


def over_graphs(nets: Sequence[Net], found: Sequence[Sequence[Settled]]) -> tuple[Array, Array]:
    """Weights averaged over graphs and their standard errors (net, name), those of a graph of N neurons included.

    Which graph is drawn moves the weights by c N^-1/2 (relative SD); c is pooled over all networks with several graphs.
    """
    logs = [np.log([[one.weights[w] for w in WEIGHTS] for one in group]) for group in found]
    stated = [np.array([[one.errors[w] / one.weights[w] for w in WEIGHTS] for one in group]) for group in found]
    freedom = sum(net.graphs - 1 for net in nets)
    squares = sum(net.size * ((x - x.mean(0)) ** 2).sum(0) for net, x in zip(nets, logs, strict=True))
    scatter = squares / max(freedom, 1)
    mean = np.exp([x.mean(0) for x in logs])
    error = [
        np.sqrt((e**2).mean(0) / net.graphs + scatter / (net.size * net.graphs))
        for net, e in zip(nets, stated, strict=True)
    ]
    return mean, mean * np.array(error)


def held(net: Net, found: Settled) -> Circuit:
    """The network with the weights that came to rest, and no rules."""
    return with_sizes(net.circuit(), found.weights).with_rules(())


# --- many at once -----------------------------------------------------------------------------------------------------
def side_by_side(jobs: Sequence[Callable[[Progress], T]], progress: Progress) -> list[T]:
    """Independent simulations, one for each processor; the core lets go of Python's lock while it simulates."""
    done, stop = [0.0] * len(jobs), Event()

    def work(k: int) -> T:
        def tell(fraction: float) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            done[k] = fraction
            progress(sum(done) / len(jobs))

        return jobs[k](tell)

    with ThreadPoolExecutor(processors()) as pool:
        futures = [pool.submit(work, k) for k in range(len(jobs))]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            raise
    return [future.result() for future in futures]


# --- measures ---------------------------------------------------------------------------------------------------------
def mean_correlation(trains: SpikeTrains, bin_width: float, *, blocks: int = 10) -> tuple[float, float]:
    """Mean pairwise correlation of spike counts in bins [s], and its standard error from blocks of the run.

    (Var(sum n) - sum Var(n)) / ((sum SD(n))^2 - sum Var(n)), with n (bin,) the counts of one neuron.
    """
    bins = round(trains.duration / bin_width) // blocks * blocks
    index = np.minimum((trains.times / bin_width).astype(np.int64), bins)
    counts = np.bincount(trains.units * (bins + 1) + index, minlength=trains.n_units * (bins + 1))
    counts = counts.reshape(trains.n_units, bins + 1)[:, :bins].reshape(trains.n_units, blocks, -1)
    own = counts.var(axis=2, ddof=1)
    shared = counts.sum(axis=0).var(axis=1, ddof=1) - own.sum(axis=0)
    values = shared / (np.sqrt(own).sum(axis=0) ** 2 - own.sum(axis=0))
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(blocks))


def own_spread(trains: SpikeTrains, *, blocks: int = 10) -> tuple[float, float]:
    """SD of the neurons' rates [Hz] without that of counting, and its standard error from the two halves of `blocks`.

    Counts in even and in odd stretches of a run share the rates alone, so that their covariance over neurons is the
    variance of rates. A negative covariance counts as none.
    """
    stretch = np.minimum((trains.times / trains.duration * 2 * blocks).astype(np.int64), 2 * blocks - 1)
    counts = np.bincount(trains.units * 2 * blocks + stretch, minlength=trains.n_units * 2 * blocks)
    halves = counts.reshape(trains.n_units, blocks, 2).sum(axis=1) * (2.0 / trains.duration)
    even, odd = halves.T - halves.mean(axis=0)[:, None]
    products = even * odd
    variance, error = float(products.mean()), float(products.std() / np.sqrt(products.size))
    sd = float(np.sqrt(max(variance, 0.0)))
    return sd, error / (2.0 * max(sd, np.sqrt(error)))
