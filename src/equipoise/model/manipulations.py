"""What an experiment does to a circuit: frozen descriptions that turn a circuit into the manipulated one.

Each has ``apply(circuit) -> circuit`` and touches the description only, so that every level of study can use it, and
`During` says when. Weights that homeostasis has moved are a state of the network, which a manipulation does not reset.
"""

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Protocol, runtime_checkable

from equipoise.model.circuit import Circuit
from equipoise.model.populations import Population, Source
from equipoise.quantities import check_fields, quantity, suggest
from equipoise.units import kHz, second


@runtime_checkable
class Manipulation(Protocol):
    """What a schedule needs of a manipulation; one of your own is a frozen class with this method."""

    def apply(self, circuit: Circuit) -> Circuit:
        """The manipulated circuit, with the same populations, sources and projections."""
        ...


@dataclass(frozen=True)
class SourceRate:
    """Every train of a source fires at `rate` [Hz]: sensory deprivation or stimulation."""

    source: str
    _: KW_ONLY
    rate: float = quantity("rate of each train", unit="Hz", low=0.0, high=1 * kHz, symbol="r_X")

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the new rate."""
        return circuit.with_node(_source(self, circuit).name, rate=self.rate)


@dataclass(frozen=True)
class Irregularity:
    """The trains of a source have Fano factor `fano` at the same rate."""

    source: str
    _: KW_ONLY
    fano: float = quantity("Fano factor of each train", low=0.0, symbol="F")

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the new Fano factor."""
        return circuit.with_node(_source(self, circuit).name, fano=self.fano)


@dataclass(frozen=True)
class TonicDrive:
    """`drive` [V/s] is added to the tonic drive of a population: chronic light, a chemogenetic ligand; < 0 inhibits."""

    population: str
    drive: float = quantity("added tonic drive", symbol="I_opt")

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the drive added."""
        node = circuit.node(self.population)
        if not isinstance(node, Population):
            raise ValueError(f"TonicDrive.population must be a population, got the source {self.population!r}.")
        return circuit.with_node(node.name, drive=node.drive + self.drive)


@dataclass(frozen=True, kw_only=True)
class Deafferentation:
    """Neurons of `target` lose a `fraction` of their inputs from `source`: the mean in-degree falls to (1 - f) K.

    Inputs are lost at random, so an Erdos-Renyi projection remains one; with a fixed in-degree every neuron loses the
    same number. The remaining weights stay as they are.
    """

    source: str
    target: str
    fraction: float = quantity("fraction of inputs lost", low=0.0)

    def __post_init__(self):
        check_fields(self)
        _below_one(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with fewer inputs in this projection."""
        projection = circuit.projection(self.source, self.target)
        left = (1.0 - self.fraction) * projection.connectivity.mean(circuit.node(self.source).size)
        return circuit.with_projection(self.source, self.target, in_degree=left)


@dataclass(frozen=True, kw_only=True)
class WeightBlock:
    """A `fraction` of the receptors of a projection is blocked: its acting weight falls to (1 - f) J.

    Homeostasis moves the acting weight; when the block is lifted the weight is divided by 1 - f.
    """

    source: str
    target: str
    fraction: float = quantity("fraction of receptors blocked", low=0.0)

    def __post_init__(self):
        check_fields(self)
        _below_one(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with a smaller weight in this projection."""
        weight = circuit.projection(self.source, self.target).weight
        return circuit.with_projection(self.source, self.target, weight=(1.0 - self.fraction) * weight)


@dataclass(frozen=True)
class During:
    """A manipulation from `start` to `stop` [s], or to the end where stop is left out."""

    manipulation: Manipulation
    start: float = quantity("start", default=0.0, unit="second", low=0.0)
    stop: float = math.inf

    def __post_init__(self):
        check_fields(self)
        if isinstance(self.manipulation, type) or not isinstance(self.manipulation, Manipulation):
            raise TypeError(
                "During.manipulation must be a manipulation such as eq.TonicDrive('E', 50.0), got "
                f"{self.manipulation!r}."
            )
        stop = math.inf if self.stop is None else self.stop
        if isinstance(stop, bool) or not isinstance(stop, int | float):
            raise TypeError(f"During.stop must be a time [s], or be left out, got {self.stop!r}.")
        if not stop > self.start:
            raise ValueError(f"During.stop must be above start = {self.start:g} s, got {stop / second:g} s.")
        object.__setattr__(self, "stop", float(stop))

    def acts_at(self, time: float) -> bool:
        """Whether the manipulation is there at `time` [s]; it is at its start, and is not at its stop."""
        return self.start <= time < self.stop


def manipulated(circuit: Circuit, schedule: Iterable[During], time: float) -> Circuit:
    """The circuit at `time` [s]: all manipulations of the schedule that act then, applied in its order."""
    for during in schedule:
        if during.acts_at(time):
            circuit = during.manipulation.apply(circuit)
    return circuit


def edges(schedule: Iterable[During], duration: float) -> list[float]:
    """0, all times in between at which the circuit changes, and `duration` [s]."""
    inner = {t for d in schedule for t in (d.start, d.stop) if 0.0 < t < duration}
    return [0.0, *sorted(inner), duration]


def _source(manipulation: SourceRate | Irregularity, circuit: Circuit) -> Source:
    node = circuit.node(manipulation.source)
    if not isinstance(node, Source):
        known = [s.name for s in circuit.sources]
        name = type(manipulation).__name__
        raise ValueError(
            f"{name}.source must be a source, got the population {node.name!r}.{suggest(node.name, known)}"
        )
    return node


def _below_one(manipulation: Deafferentation | WeightBlock) -> None:
    if manipulation.fraction >= 1.0:
        raise ValueError(
            f"{type(manipulation).__name__}.fraction must lie in [0, 1), got {manipulation.fraction:g}. To remove all "
            "of a projection, leave it out of the circuit."
        )
