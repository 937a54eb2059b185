"""Where a given network of unequal cells rests, and what of it is not known."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from equipoise.inference.at_rest import AtRest, check_populations
from equipoise.inference.networks import Networks, networks_of
from equipoise.inference.operating import POPULATIONS
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, check_fields, quantity
from equipoise.results import NumericalFailure, Status
from equipoise.theory.fluctuations import Fluctuations, fluctuations_of, refusal
from equipoise.theory.network import mean_field
from equipoise.units import hour


@dataclass(frozen=True, kw_only=True)
class Unknowns:
    """Within which factor, either way, numbers of a circuit and its rules are known, log-uniform; 1 is exactly.

    `in_degree` is that of all inputs of E, and of I; `speed` that of rules beside their tau; `rate` and `cv` are those
    of E and I before a manipulation, which are the set points. These factors are assumptions.
    """

    in_degree: float = quantity("factor of in-degrees", default=2.0, low=1.0, high=100.0)
    speed: float = quantity("factor of the speed of rules", default=3.0, low=1.0, high=100.0)
    rate: float = quantity("factor of rates before", default=1.25, low=1.0, high=10.0)
    cv: float = quantity("factor of C_v before", default=1.05, low=1.0, high=2.0)

    def __post_init__(self):
        check_fields(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Resting(AtRest):
    """Where a network of unequal cells rests by mean field: the `network` and its state `x`; how well it is known."""

    network: Networks
    x: Array
    unknowns: Unknowns = field(default_factory=Unknowns)

    @property
    def names(self) -> tuple[str, ...]:
        """All populations."""
        return self.network.wirings[0].names

    @property
    def pair(self) -> list[int]:
        """The numbers of E and I among all populations."""
        return [self.names.index(name) for name in POPULATIONS]

    @cached_property
    def fluctuations(self) -> Fluctuations | None:
        """What linear response needs beside the wiring; None where it is not known, see `fluctuations.refusal`."""
        return None if refusal(self.circuit) else fluctuations_of(self.circuit, self.network.wirings[0])

    @property
    def unit(self) -> Array:
        """sigma/sqrt(tau_m) (2,) [V/s] of the mean cells, the unit of drives; TypeError for neurons without a leak."""
        neurons = [self.network.neurons[a] for a in self.pair]
        if not all(hasattr(neuron, "tau_m") for neuron in neurons):
            raise TypeError(
                "predict: strengths of drives are in units of sigma/sqrt(tau_m), which neurons without a leak do not "
                "have. Give a protocol in V/s, such as eq.OpticalDrive(drive=20.0)."
            )
        return self.input[1] / np.sqrt([getattr(neuron, "tau_m") for neuron in neurons])  # noqa: B009

    @property
    def tau_m(self) -> float:
        """Membrane time constant of E [s]."""
        return float(getattr(self.neuron, "tau_m", np.nan))


def resting(
    circuit: Circuit, *, sensor: Calcium | None = None, tau: float = 1 * hour, unknowns: Unknowns | None = None
) -> Resting:
    """The state of rest of a circuit without its rules, and what is not known of it.

    `sensor` is what rules sense calcium by, `tau` [s] their time scale. Raises TypeError for circuits that mean field
    does not represent, ValueError without populations E and I, NumericalFailure where there is no stable state.
    """
    check_populations(circuit)
    names, plain = [p.name for p in circuit.populations], circuit.with_rules([])
    network = networks_of([plain])
    found = mean_field(plain)
    if not (found.status.usable and found.stable):
        raise NumericalFailure(Status.UNSTABLE, f"predict: the circuit has no stable state to set out from. {found}")
    x = network.settled(found.x[None])
    pair, kind = [names.index(name) for name in POPULATIONS], sensor or Calcium()
    moments, means, cv = sensed(network, x, pair, kind)
    first = circuit.populations[pair[0]].neuron
    return Resting(
        rate=(float(x[0, pair[0]]), float(x[0, pair[1]])), cv=(float(cv[0, 0]), float(cv[0, 1])),
        neuron=first, sensor=kind, tau=tau, circuit=plain, moments=moments[0],  # pyright: ignore[reportArgumentType]
        means=means[0], network=network, x=x[0], unknowns=unknowns or Unknowns(),
    )  # fmt: skip


def sensed(network: Networks, x: Array, pair: list[int], sensor: Calcium) -> tuple[Array, Array, Array]:
    """Calcium moments and inputs (mu, sigma), each (n, 2, 2) with E and I last, and C_v of E and I (n, 2)."""
    mu, s = network.inputs(x)
    moments = np.array([network.calcium(sensor, a, x) for a in pair])  # (2, 2, n): population, moment
    means = np.stack([mu[:, pair], np.sqrt(s[:, pair])], axis=1)
    return moments.transpose(2, 1, 0), means, network.irregularity(x)[:, pair]
