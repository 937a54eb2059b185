"""Who is in a circuit: populations of neurons, and sources that fire without being driven."""

import keyword
import math
import re
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from equipoise.model.adaptation import Adaptation, MCurrent
from equipoise.model.neurons import ConductanceLIF, IntegrateAndFire
from equipoise.model.rate_neurons import FICurve, RateNeuron
from equipoise.model.spread import Spread, check_spread
from equipoise.quantities import check_fields, finite, quantity
from equipoise.units import kHz, second


@dataclass(frozen=True)
class Population:
    """`size` neurons, infinitely many where only theory is wanted, under a tonic `drive` I [V/s].

    They are equal, or differ as `spread` says around `neuron`, whose parameters are then the means. The drive adds to
    dV/dt of every neuron, as an optical or chemogenetic current does (I_opt, Discussion); like weights it is in the
    unit of the potentials. It does not change with the number of inputs. The `neuron` is a spiking one (`LIF`, ...), or
    a rate (`ThresholdLinear`, ..., `FICurve`), whose drive adds to its input in its own unit. Spiking neurons may have
    an `adaptation`.
    """

    name: str
    _: KW_ONLY
    neuron: Any
    size: float = math.inf
    drive: float = quantity("tonic drive", default=0.0, symbol="I_opt")
    spread: Spread = Spread()  # noqa: RUF009 - it is frozen
    adaptation: Adaptation | MCurrent | None = None

    def __post_init__(self):
        check_name("Population", self.name)
        check_fields(self)
        object.__setattr__(self, "size", _checked_size(f"Population.size of {self.name!r}", self.size))
        if not isinstance(self.neuron, IntegrateAndFire | RateNeuron | FICurve):
            raise TypeError(
                f"Population.neuron of {self.name!r} must be a neuron such as eq.LIF(), got {self.neuron!r}."
            )
        if not isinstance(self.adaptation, Adaptation | MCurrent | None):
            raise TypeError(
                f"Population.adaptation of {self.name!r} must be eq.Adaptation(increment, tau=...), an "
                f"eq.MCurrent(...) or None, got {self.adaptation!r}."
            )
        if self.adaptation is not None and not isinstance(self.neuron, IntegrateAndFire):
            raise TypeError(
                f"Population.adaptation of {self.name!r} is driven by spikes, which {type(self.neuron).__name__} "
                "neurons do not have. Give it to spiking neurons such as eq.LIF()."
            )
        check_spread(f"Population.spread of {self.name!r}", self.neuron, self.spread)


def spiking_neuron(function: str, population: Population) -> IntegrateAndFire:
    """The neuron of a population where it spikes; TypeError that says who does not, for levels that need spikes."""
    if isinstance(population.neuron, IntegrateAndFire):
        return population.neuron
    raise TypeError(
        f"{function}: {population.name!r} has {type(population.neuron).__name__} neurons, which are rates and do not "
        "spike. Study the circuit with eq.rate, or give it spiking neurons such as eq.LIF()."
    )


def refuse_adaptation(function: str, populations: Iterable[Population]) -> None:
    """TypeError for neurons that adapt, for levels that do not know this."""
    for p in populations:
        if p.adaptation is not None:
            raise TypeError(
                f"{function}: {p.name!r} has adaptation, which this level does not know. Use eq.spiking.simulate; in "
                "the mean, eq.Adaptation lowers the drive by increment * tau * rate."
            )


def refuse_conductances(function: str, population: Population) -> None:
    """TypeError for neurons whose synapses are conductances, for levels that know white-noise currents alone."""
    if isinstance(population.neuron, ConductanceLIF):
        raise TypeError(
            f"{function}: {population.name!r} has ConductanceLIF neurons, whose time constant depends on their input; "
            "this level takes synaptic currents only. Use eq.spiking, or one cell at a time "
            "eq.renewal.effective(neuron, conductances)."
        )


@dataclass(frozen=True)
class Source:
    """Independent stationary trains of `rate` [Hz] each, Poisson unless their Fano factor `fano` differs from 1.

    A source has as many trains as its projections ask for.
    """

    name: str
    _: KW_ONLY
    rate: float = quantity("rate of each train", unit="Hz", low=0.0, high=1 * kHz, symbol="r_X")
    fano: float = quantity("Fano factor of each train", default=1.0, low=0.0, symbol="F")

    def __post_init__(self):
        check_name("Source", self.name)
        check_fields(self)

    @property
    def size(self) -> float:
        """Infinite."""
        return math.inf

    def __str__(self) -> str:
        return f"{self.name} ({self.rate:g} Hz)"


@dataclass(frozen=True)
class Volleys:
    """Trains that fire once at each of `times` [s], each spike off by a normal variate of SD `jitter` [s].

    As of a `Source`, every neuron has trains of its own, as many as its in-degree says, here after the delay of the
    projection. Times count from the beginning of a network, warm-up included. With a jitter of 0 and a fixed in-degree
    of 1 this is input of given spike times. For the spiking level only.
    """

    name: str
    _: KW_ONLY
    times: tuple[float, ...]
    jitter: float = quantity("SD of spike times in a volley", default=0.0, unit="ms", low=0.0, high=1 * second)

    def __post_init__(self):
        check_name("Volleys", self.name)
        check_fields(self)
        times = finite("Volleys", "times", self.times, low=0.0)  # pyright: ignore[reportArgumentType]
        if times.ndim != 1 or times.size == 0:
            raise ValueError(f"Volleys.times must be a list of times [s], got {self.times!r}. Write times=[20 * ms].")
        object.__setattr__(self, "times", tuple(times.tolist()))

    @property
    def size(self) -> float:
        """Infinite."""
        return math.inf

    def __str__(self) -> str:
        return f"{self.name} ({len(self.times)} volleys)"


def refuse_volleys(function: str, sources: Iterable[Source | Volleys]) -> tuple[Source, ...]:
    """The sources, where there are no volleys; TypeError for levels that know stationary trains alone."""
    known = []
    for source in sources:
        if isinstance(source, Volleys):
            raise TypeError(
                f"{function}: {source.name!r} fires in volleys, and this level takes stationary trains only. Use "
                "eq.spiking, or a source such as eq.Source('X', rate=10 * Hz)."
            )
        known.append(source)
    return tuple(known)


def check_name(owner: str, name: object) -> None:
    """Names are Python identifiers, so that they can be columns, keywords and TOML keys; the error offers one."""
    if not isinstance(name, str):
        raise TypeError(f"{owner}.name must be text such as 'E', got {name!r}.")
    if name.isidentifier() and not keyword.iskeyword(name):
        return
    offer = re.sub(r"\W", "_", name) or "E"
    offer = f"P{offer}" if offer[0].isdigit() else f"{offer}_" if keyword.iskeyword(offer) else offer
    raise ValueError(
        f"{owner}.name must be letters, digits and underscores and not begin with a digit, got {name!r}. "
        f"Did you mean {offer!r}?"
    )


def _checked_size(label: str, size: object) -> float:
    """A positive whole number (int), or infinity."""
    if isinstance(size, bool) or not isinstance(size, int | float):
        item = getattr(size, "item", None)  # a NumPy number
        if item is None or getattr(size, "ndim", 1) != 0:
            raise TypeError(f"{label} must be a whole number, got {size!r}.")
        return _checked_size(label, item())
    if size == math.inf:
        return math.inf
    if not (size >= 1 and size == int(size)):
        raise ValueError(f"{label} must be a whole number of at least 1, or infinite, got {size!r}.")
    return int(size)
