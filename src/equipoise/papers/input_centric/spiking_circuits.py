"""What the figures in spikes share: circuits of LIF neurons, rules with a target of each cell's own, and counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import ErdosRenyi, FixedInDegree
from equipoise.model.neurons import LIF
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.model.slow_variables import RequiredInput, Scope, Sensed, SlowRule, SlowVariable, Threshold
from equipoise.model.synaptic_rules import InhibitoryScaling
from equipoise.quantities import Array
from equipoise.rate.fixed_points import fixed_points
from equipoise.rate.network import network as rate_network
from equipoise.spiking import Homeostasis, Network, Run, build, run
from equipoise.spiking.kernel import State
from equipoise.units import Hz, ms, second

NEURON = LIF(tau_m=10 * ms, tau_ref=2 * ms, v_threshold=1.0, v_reset=0.0, v_leak=0.0)
STRONG = {
    ("E", "E"): 0.09,
    ("I", "E"): -0.18,
    ("X", "E"): 0.09,
    ("E", "I"): 0.09,
    ("I", "I"): -0.162,
    ("X", "I"): 0.072,
}
"""Weights of a network that inhibition dominates: its net recurrence D is negative."""
WEAK = {
    ("E", "E"): 0.012,
    ("I", "E"): -0.012,
    ("X", "E"): 0.085,
    ("E", "I"): 0.012,
    ("I", "I"): -0.012,
    ("X", "I"): 0.08,
}
"""Weights of a network with weak recurrence, where excitation outweighs the inhibition that it recruits: D > 0."""
K = 100
WINDOW = 2 * second


def circuit(
    weights: dict[tuple[str, str], float], size: int = 1000, *, alike: bool = False, name: str = "spikes"
) -> Circuit:
    """`size` excitatory and half as many inhibitory neurons with K inputs of each kind, and a source of 10 Hz.

    In-degrees vary from cell to cell as in a random graph, or are all K where cells are to be `alike`.
    """
    wiring = FixedInDegree(K) if alike else ErdosRenyi(in_degree=K)
    return Circuit(
        name=name,
        populations=[
            Population("E", size=size, neuron=NEURON),
            Population("I", size=size // 2, neuron=NEURON),
            Source("X", rate=10 * Hz),
        ],
        projections=[
            Projection(source=s, target=t, weight=w, connectivity=wiring, delay=0.1 * ms)
            for (s, t), w in weights.items()
        ],
    )


# --- the level of rates -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Point:
    """Where rates rest: rates [Hz] and net inputs [V/s] of E and I, and the net recurrence D = dh_E/dE [V]."""

    rates: Array
    inputs: Array
    recurrence: float


def rest(of: Circuit) -> Point:
    """The stable state of the circuit at the level of rates.

    A threshold moves the rates by dr = -(1 - F)^-1 f_h dtheta, with F the slopes of f(h, s) by the rates: D is how the
    net input of E goes along with its rate.
    """
    net = rate_network(of)
    rates = next(one.rates for one in reversed(fixed_points(net)) if one.stable)
    h, s = net.inputs(rates)
    by_h = net.fired(h, s)[1]
    kick = np.zeros(net.n)
    kick[0] = by_h[0]
    answer = np.linalg.solve(np.eye(net.n) - net.slopes(rates), kick)
    return Point(rates, h, float((net.coupling @ answer)[0] / answer[0]))


# --- targets of each cell's own ---------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False, kw_only=True)
class OwnSetPoints:
    """Every cell brings the input that it requires to a set point of its own (n,): reading B, unit by unit."""

    population: str
    set_points: Array
    tau: float
    scope: Scope = "unit"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The thresholds."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The required inputs."""
        return (RequiredInput(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """(h_set - f^-1(r))/tau."""
        return ((self.set_points - np.asarray(sensed[0])) / self.tau,)


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnRates:
    """Inhibitory scaling of every cell with a target of its own: `rates` (n,) [Hz] in place of that of `common`."""

    common: InhibitoryScaling
    rates: Array
    scope: Scope = "unit"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The inhibitory weights."""
        return self.common.moves

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rates."""
        return self.common.senses

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """speed (r - r0)."""
        return (self.common.speed * (np.asarray(sensed[0]) - self.rates),)


# --- spikes -----------------------------------------------------------------------------------------------------------
def built(of: Circuit, seed: int = 1) -> Network:
    """The network, its inhibitory weights onto E in an array of their own."""
    return build(of, seed=seed, threads=1, apart=[("I", "E")])


def played(
    network: Network, rules: Sequence[SlowRule], duration: float, start: State | None = None, warmup: float = 0.0
) -> Run:
    """A run under rules that act once per window."""
    plan = Homeostasis(rules=tuple(rules), window=WINDOW)
    return run(network, duration=duration, warmup=warmup, start=start, homeostasis=plan)


def mean_required(network: Network, duration: float) -> tuple[Run, Array]:
    """A run at rest, and the mean input that each cell requires as the rule senses it [V/s] (n,).

    The rule itself takes the mean: with a time scale of ages its thresholds are the integral and move nothing.
    """
    ages = 1e9 * second
    listening = OwnSetPoints(population="E", set_points=np.zeros(1), tau=ages)
    found = played(network, [listening], duration, warmup=WINDOW)
    return found, -found.slow_variables["E"]["theta"] * ages / duration


def rates_of(of: Run, start: float = 0.0, stop: float | None = None, population: str = "E") -> Array:
    """The rate of every cell between two times [Hz] (n,)."""
    trains = of.spikes_of(population)
    stop = of.duration if stop is None else stop
    inside = (trains.times > start) & (trains.times <= stop)
    return np.bincount(trains.units[inside], minlength=trains.n_units) / (stop - start)


def correlation(a: Array, b: Array) -> float:
    """Correlation of the rates of cells at two times."""
    return float(np.corrcoef(a, b)[0, 1])
