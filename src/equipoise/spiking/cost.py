"""What days of homeostasis will cost, before they are run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed
from equipoise.spiking.evolve import Order, blank, ordered, started_from
from equipoise.spiking.homeostasis import Homeostasis
from equipoise.spiking.layout import WORDS
from equipoise.spiking.network import Network
from equipoise.spiking.pace import Pace
from equipoise.spiking.walk import FAR, SLICE_STEPS, Walk
from equipoise.units import hour, minute

GB = 1e9


@dataclass(frozen=True, kw_only=True, repr=False)
class EvolutionCost:
    """An estimate: `simulated` [s] of spikes at two `speeds`, `wall` [s] and `memory` [bytes] for `duration` [s]."""

    duration: float
    speeds: tuple[float, float]
    simulated: float
    wall: float
    memory: float

    def __repr__(self) -> str:
        speeds = " and ".join(f"{s:.4g}" for s in self.speeds)
        wall = f"{self.wall:.0f} s" if self.wall < 3 * minute else f"{self.wall / minute:.0f} min"
        return (
            f"EvolutionCost({self.duration / hour:.4g} h at speeds {speeds}: {self.simulated:.0f} s of spikes, "
            f"about {wall} and {self.memory / GB:.2g} GB)"
        )


def evolve_cost(
    circuit: Circuit,
    *,
    duration: float,
    seed: int | np.random.SeedSequence,
    schedule: Sequence[Timed] = (),
    homeostasis: Homeostasis | None = None,
    speed: float | None = None,
    pace: Pace | None = None,
) -> EvolutionCost:
    """What `evolve` with these arguments would take: it is begun, timed and left.

    The warm-up and the measurement of the fastest mode are simulated, which gives both speeds and the wall time per
    simulated second. Where weights are shared, they are taken to move by 20 % in every stage of the schedule; further
    ways cost more. Refuses what `evolve` refuses.
    """
    order = ordered(circuit, duration, seed, (schedule, homeostasis, speed, pace))
    first, started = blank(order), time.perf_counter()
    walks = started_from(first, order.speed)
    per_second = (time.perf_counter() - started) / first.simulated
    simulated = first.simulated + sum(_ahead(walk, order) for walk in walks)
    return EvolutionCost(
        duration=order.span, speeds=(walks[0].speed, walks[1].speed), simulated=simulated,
        wall=per_second * simulated, memory=_memory(order.stages.network),
    )  # fmt: skip


def _ahead(walk: Walk, order: Order) -> float:
    """Seconds of spikes of one walk: windows, and with shared weights transients and responses of each stage."""
    steady = order.span / walk.speed
    if not walk.shared:
        return steady
    strengths = np.array([order.stages.strengths_at(t) for t in (*order.stages.edges[:-1], order.span)])
    stages = 1.0 + float(np.sum(np.abs(np.diff(strengths, axis=0)).max(axis=1, initial=0.0)))
    transient = FAR / (walk.pace.stride * walk.share) * walk.pace.window
    return steady + stages * transient + (2.0 * stages - 1.0) * walk.cost_of_response


def _memory(network: Network) -> float:
    """Synapses, two states with their slow arrays, and the raster of one slice [bytes]."""
    places = network.layout.places
    inputs = sum(x.amplitude.nbytes + x.laws.thresholds.nbytes for x in network.externals)
    arrays = network.weights.nbytes + 8 * places + inputs
    states = places * (16 + 4 * network.most_currents + 14 * 8)
    return network.tables.nbytes + 4.0 * arrays + 3.0 * states + 8 * WORDS * network.layout.columns * SLICE_STEPS
