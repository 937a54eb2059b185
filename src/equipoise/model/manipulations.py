"""What an experiment does to a circuit: frozen descriptions that turn a circuit into the manipulated one.

Each has ``apply(circuit) -> circuit`` and touches the description only, so that every level of study can use it;
`During` and `Ramp` say when. Weights that homeostasis has moved are a state of the network, which a manipulation does
not reset.
"""

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Protocol, runtime_checkable

from equipoise.model.circuit import Circuit
from equipoise.model.populations import Population, Source, Volleys
from equipoise.model.projections import Projection
from equipoise.model.rate_neurons import FICurve, RateNeuron
from equipoise.quantities import check_fields, quantity, suggest
from equipoise.units import kHz, second

SILENT_GAIN = 1e-6
"""What is left of the gain of a silenced rate, whose required input then stays finite."""
SILENCING_DRIVE = -9000.0
"""Drive of silenced spiking neurons, in v_threshold - v_reset per second: nearly the largest that circuits take."""


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
        node = _population(self, circuit)
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
class ThresholdShift:
    """The thresholds of a population move by `shift` [unit of its input]; < 0 raises excitability.

    Of spiking neurons it is the f-I curve that moves, along its input in V/s: the same as a tonic drive of -shift.
    """

    population: str
    shift: float = quantity("shift of the threshold", symbol="Delta theta")

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the threshold moved."""
        node = _population(self, circuit)
        if isinstance(node.neuron, RateNeuron | FICurve):
            moved = replace(node.neuron, threshold=node.neuron.threshold + self.shift)
            return circuit.with_node(node.name, neuron=moved)
        return TonicDrive(node.name, -self.shift).apply(circuit)


@dataclass(frozen=True)
class GainChange:
    """The gain of a population is multiplied by `factor`; more than 1 raises excitability. For rate neurons only."""

    population: str
    factor: float = quantity("factor of the gain", low=0.0, open_low=True)

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with the gain changed; TypeError for spiking neurons."""
        neuron = _population(self, circuit).neuron
        if not isinstance(neuron, RateNeuron | FICurve):
            raise TypeError(
                f"GainChange.population must have a gain, {self.population!r} has {type(neuron).__name__} neurons. "
                "Give it the rate eq.FICurve(neuron=...), or use eq.ThresholdShift."
            )
        return circuit.with_node(self.population, neuron=replace(neuron, gain=neuron.gain * self.factor))


@dataclass(frozen=True)
class Silencing:
    """A `fraction` of the neurons of a population cannot spike, all of them by default.

    Of a rate, the mean over all neurons falls to (1 - fraction) f(h), at least a millionth of it. Spiking neurons can
    be silenced together, by a tonic drive of -9000 (v_threshold - v_reset)/s, but not a part of them.
    """

    population: str
    fraction: float = quantity("fraction of neurons silenced", default=1.0, low=0.0, high=1.0)

    def __post_init__(self):
        check_fields(self)

    def apply(self, circuit: Circuit) -> Circuit:
        """The circuit with neurons silenced; TypeError for a part of a spiking population."""
        node = _population(self, circuit)
        if isinstance(node.neuron, RateNeuron | FICurve):
            return GainChange(node.name, max(1.0 - self.fraction, SILENT_GAIN)).apply(circuit)
        if self.fraction < 1.0:
            raise TypeError(
                f"Silencing.fraction must be 1 for spiking neurons, which are of one kind in {node.name!r}, got "
                f"{self.fraction:g}. Split it into two populations and silence one."
            )
        span = node.neuron.v_threshold - node.neuron.v_reset
        return circuit.with_node(node.name, drive=SILENCING_DRIVE * span)


@dataclass(frozen=True)
class During:
    """A manipulation from `start` to `stop` [s], or to the end where stop is left out."""

    manipulation: Manipulation
    start: float = quantity("start", default=0.0, unit="second", low=0.0)
    stop: float = math.inf

    def __post_init__(self):
        check_fields(self)
        _check_manipulation(self)
        object.__setattr__(self, "stop", _time_after(self, "stop", "start"))

    def acts_at(self, time: float) -> bool:
        """Whether the manipulation is there at `time` [s]; it is at its start, and is not at its stop."""
        return self.start <= time < self.stop

    def strength_at(self, time: float) -> float:
        """The part of the manipulation that is there at `time` [s]: all or nothing."""
        return float(self.acts_at(time))

    @property
    def changes(self) -> tuple[float, ...]:
        """The times at which the circuit changes [s]."""
        return self.start, self.stop

    def applied(self, circuit: Circuit, time: float) -> Circuit:
        """The circuit at `time` [s]."""
        return self.manipulation.apply(circuit) if self.acts_at(time) else circuit


@dataclass(frozen=True)
class Ramp:
    """A manipulation that grows linearly from nothing at `start` to all of it at `stop` [s], and stays to `until` [s].

    A staircase of `steps` equal steps, each as strong as the line is in its middle. What it changes of source rates,
    Fano factors, drives, weights and mean in-degrees is had in proportion; TypeError for a manipulation that changes
    anything else.
    """

    manipulation: Manipulation
    start: float = quantity("start", unit="second", low=0.0)
    stop: float = quantity("time of full strength", unit="second", low=0.0)
    _: KW_ONLY
    until: float = math.inf
    steps: int = 20

    def __post_init__(self):
        check_fields(self)
        _check_manipulation(self)
        _time_after(self, "stop", "start")
        object.__setattr__(self, "until", _time_after(self, "until", "stop"))
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= 10_000:
            raise ValueError(f"Ramp.steps must be a whole number from 1 to 10000, got {self.steps!r}.")

    def acts_at(self, time: float) -> bool:
        """Whether any of the manipulation is there at `time` [s]."""
        return self.start <= time < self.until

    @property
    def changes(self) -> tuple[float, ...]:
        """The times at which the circuit changes [s]."""
        return (*(self._edge(k) for k in range(self.steps)), self.stop, self.until)

    def strength_at(self, time: float) -> float:
        """The part of the manipulation that is there at `time` [s], 0 to 1."""
        if not self.acts_at(time):
            return 0.0
        if time >= self.stop:
            return 1.0
        return (sum(self._edge(k) <= time for k in range(self.steps)) - 0.5) / self.steps

    def applied(self, circuit: Circuit, time: float) -> Circuit:
        """The circuit at `time` [s]."""
        strength = self.strength_at(time)
        if strength == 0.0:
            return circuit
        full = self.manipulation.apply(circuit)
        return full if strength == 1.0 else _between(circuit, full, strength, self.manipulation)

    def _edge(self, k: int) -> float:
        return self.start + k * ((self.stop - self.start) / self.steps)


Timed = During | Ramp


def manipulated(circuit: Circuit, schedule: Iterable[Timed], time: float) -> Circuit:
    """The circuit at `time` [s]: all manipulations of the schedule that act then, applied in its order."""
    for timed in schedule:
        circuit = timed.applied(circuit, time)
    return circuit


def edges(schedule: Iterable[Timed], duration: float) -> list[float]:
    """0, all times in between at which the circuit changes, and `duration` [s]."""
    inner = {t for timed in schedule for t in timed.changes if 0.0 < t < duration}
    return [0.0, *sorted(inner), duration]


def checked_schedule(function: str, circuit: Circuit, schedule: Iterable[Timed]) -> tuple[Timed, ...]:
    """The schedule, each manipulation of which fits the circuit; the error names function and entry."""
    if isinstance(schedule, During | Ramp) or not isinstance(schedule, Iterable):
        raise TypeError(f"{function}: schedule must be a list such as [eq.During(manipulation, start)].")
    for i, timed in enumerate(plan := tuple(schedule)):
        if not isinstance(timed, During | Ramp):
            raise TypeError(
                f"{function}: schedule[{i}] must be an eq.During(manipulation, start) or an eq.Ramp, got {timed!r}."
            )
        changed = timed.manipulation.apply(circuit)
        if [_ends(p) for p in changed.projections] != [_ends(p) for p in circuit.projections] or (
            changed.names != circuit.names
        ):
            raise ValueError(
                f"{function}: schedule[{i}] must keep all populations, sources and projections; "
                f"{type(timed.manipulation).__name__} removes or adds some."
            )
    return plan


# --- parts of a manipulation ------------------------------------------------------------------------------------------
def _between(circuit: Circuit, full: Circuit, strength: float, manipulation: Manipulation) -> Circuit:
    """The circuit on the straight line from `circuit` to `full`."""

    def mixed(a: Any, b: Any, names: tuple[str, ...]) -> dict[str, float]:
        return {name: getattr(a, name) + strength * (getattr(b, name) - getattr(a, name)) for name in names}

    def node(a: Any, b: Any) -> Any:
        if isinstance(a, Volleys):
            return b
        return replace(a, **mixed(a, b, ("rate", "fano") if isinstance(a, Source) else ("drive",)))

    def projection(a: Projection, b: Projection) -> Projection:
        size = circuit.node(a.source).size
        old, new = a.connectivity.mean(size), b.connectivity.mean(size)
        kind = a.connectivity if old == new else a.connectivity.with_mean(old + strength * (new - old), size)
        return replace(a, connectivity=kind, **mixed(a, b, ("weight",)))

    _check_divisible(circuit, full, manipulation)
    populations = [node(a, b) for a, b in zip(circuit.populations, full.populations, strict=True)]
    sources = [node(a, b) for a, b in zip(circuit.sources, full.sources, strict=True)]
    projections = [projection(a, b) for a, b in zip(circuit.projections, full.projections, strict=True)]
    return replace(circuit, populations=populations, sources=sources, projections=projections)


def _check_divisible(circuit: Circuit, full: Circuit, manipulation: Manipulation) -> None:
    """TypeError where more changes than numbers that can be interpolated."""
    rest = replace(
        full,
        populations=[replace(b, drive=a.drive) for a, b in zip(circuit.populations, full.populations, strict=True)],
        sources=[
            b if isinstance(a, Volleys) or isinstance(b, Volleys) else replace(b, rate=a.rate, fano=a.fano)
            for a, b in zip(circuit.sources, full.sources, strict=True)
        ],
        projections=[
            replace(b, weight=a.weight, connectivity=a.connectivity)
            for a, b in zip(circuit.projections, full.projections, strict=True)
        ],
    )
    if rest != circuit:
        raise TypeError(
            f"Ramp: {type(manipulation).__name__} changes more than rates, Fano factors, drives, weights and "
            "in-degrees; there are no parts of it. Take eq.During."
        )


def _ends(projection: Projection) -> tuple[str, str]:
    return projection.source, projection.target


def _check_manipulation(timed: Timed) -> None:
    if isinstance(timed.manipulation, type) or not isinstance(timed.manipulation, Manipulation):
        raise TypeError(
            f"{type(timed).__name__}.manipulation must be a manipulation such as eq.TonicDrive('E', 50.0), got "
            f"{timed.manipulation!r}."
        )


def _time_after(timed: Timed, name: str, before: str) -> float:
    """A time that may be left out, and lies after another one."""
    value, least, owner = getattr(timed, name), getattr(timed, before), type(timed).__name__
    value = math.inf if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{owner}.{name} must be a time [s], or be left out, got {value!r}.")
    if not value > least and not (owner == "Ramp" and name == "until" and value == least):
        raise ValueError(f"{owner}.{name} must be above {before} = {least:g} s, got {value / second:g} s.")
    return float(value)


def _source(manipulation: SourceRate | Irregularity, circuit: Circuit) -> Source:
    node = circuit.node(manipulation.source)
    if not isinstance(node, Source):
        known = [s.name for s in circuit.sources]
        name = type(manipulation).__name__
        raise ValueError(
            f"{name}.source must be a source, got the population {node.name!r}.{suggest(node.name, known)}"
        )
    return node


def _population(manipulation: TonicDrive | ThresholdShift | GainChange | Silencing, circuit: Circuit) -> Population:
    node = circuit.node(manipulation.population)
    if not isinstance(node, Population):
        name = type(manipulation).__name__
        raise ValueError(f"{name}.population must be a population, got the source {node.name!r}.")
    return node


def _below_one(manipulation: Deafferentation | WeightBlock) -> None:
    if manipulation.fraction >= 1.0:
        raise ValueError(
            f"{type(manipulation).__name__}.fraction must lie in [0, 1), got {manipulation.fraction:g}. To remove all "
            "of a projection, leave it out of the circuit."
        )
