"""What homeostasis moves in a network of spikes, and how far in one slow window.

A slow variable is the size |J| of the weights of a channel or a source, a threshold, an intrinsic gain, a drive, or a
variable of the rule itself (a set point, a protein). At population scope it is one number (1,), at neuron scope one a
neuron (n,). Over a window of h seconds with the sensed values held fixed a variable x moves by

    x + h phi(h a) dx/dt,   phi(z) = (e^z - 1)/z,   a = d(dx/dt)/dx,

which is exact where dx/dt is linear in x: additive rules, multiplicative ones, proteins and set points that relax.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise import dynamics
from equipoise.model.attached_rules import Scope
from equipoise.model.homeostasis import (
    AdaptiveCalciumHomeostasis,
    KineticHomeostasis,
    Rule,
    targets_of,
)
from equipoise.model.neurons import EIF
from equipoise.quantities import Array
from equipoise.spiking.cells import gain_of_step, jump
from equipoise.spiking.meter import Gathered, Meter
from equipoise.spiking.network import Network

Values = Mapping[str, NDArray]

UNIT_DRIVE = 100.0
"""A drive that matters, in v_threshold - v_reset per second."""


# --- places in the network --------------------------------------------------------------------------------------------
class Slot(Protocol):
    """An array of the network that is slow."""

    @property
    def name(self) -> str:
        """Its name within the population."""
        ...

    def read(self, network: Network) -> Array:
        """Its value for each neuron of the population (n,)."""
        ...

    def write(self, network: Network, value: Array) -> None:
        """Set it in place, from one number (1,) or one a neuron (n,)."""
        ...


@dataclass(frozen=True)
class ChannelWeight:
    """The weights of a channel of one population, of size `weight` at first, of which a part is `acting`.

    `unit` is what a weight of size 1 adds to its sink. Projections of equal weight share a channel, under the name of
    the first.
    """

    name: str
    population: int
    sign: float
    channel: int
    weight: float
    unit: float
    acting: float

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        return _sizes(network.weights[self.channel, network.layout.neurons(self.population)], self)

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        network.weights[self.channel, network.layout.neurons(self.population)] = _jumps(value, self)


@dataclass(frozen=True, eq=False)
class SourceWeight:
    """The weights of a source onto one population, as `ChannelWeight`, where it `reaches` a neuron (n,)."""

    name: str
    population: int
    sign: float
    external: int
    weight: float
    unit: float
    acting: float
    reaches: NDArray[np.bool_]

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        amplitude = network.externals[self.external].amplitude[: self.reaches.size]
        return np.where(self.reaches, _sizes(amplitude, self), self.weight)

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        amplitude = np.where(self.reaches, _jumps(value, self), 0.0)
        network.externals[self.external].amplitude[: self.reaches.size] = amplitude


@dataclass(frozen=True, eq=False)
class Threshold:
    """The thresholds of the neurons [V], above their resets (n,)."""

    name: str
    population: int
    leak: float
    reset: Array

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        return network.threshold[network.layout.neurons(self.population)].astype(np.float64) + self.leak

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        network.threshold[network.layout.neurons(self.population)] = value - self.leak


@dataclass(frozen=True)
class Gain:
    """The intrinsic gains of the neurons, factors of all their input; 1 in a network as it is built."""

    name: str
    population: int

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        return network.gain[network.layout.neurons(self.population)].astype(np.float64)

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        network.gain[network.layout.neurons(self.population)] = value


@dataclass(frozen=True, eq=False)
class Drive:
    """The tonic drive of the neurons [V/s] without what is `added` now.

    `gain` [s], () or (n,), is what one step makes of it; `unit` a drive that matters.
    """

    name: str
    population: int
    gain: Array
    added: float
    unit: float

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        return network.drive[network.layout.neurons(self.population)].astype(np.float64) / self.gain - self.added

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        network.drive[network.layout.neurons(self.population)] = (value + self.added) * self.gain


def _sizes(jumps: NDArray[np.float32], slot: ChannelWeight | SourceWeight) -> Array:
    """Sizes of weights behind jumps; without rounding to single precision where they are still those of the circuit."""
    size, first = np.abs(jumps), np.float32(abs(slot.weight * slot.acting * slot.unit))
    return np.where(size == first, slot.weight, size.astype(np.float64) / abs(slot.unit * slot.acting))


def _jumps(value: Array, slot: ChannelWeight | SourceWeight) -> Array:
    """What weights of these sizes add to their sink."""
    return (value * slot.acting) * slot.unit


def weights_of(network: Network, population: int) -> tuple[ChannelWeight | SourceWeight, ...]:
    """The weights onto a population, J_<target><source>, one for each channel and each source."""
    circuit, name, neuron = network.circuit, network.layout.names[population], network.neurons[population].neuron
    channels = {t.route.index: t.route.channel for t in network.tables.parts}
    sources = iter(i for i, x in enumerate(network.externals) if x.population == population)
    out: list[ChannelWeight | SourceWeight] = []
    seen: set[int] = set()
    for index, p in enumerate(circuit.projections):
        if p.target != name:
            continue
        label, free = f"J_{name}{p.source}", network.origin.projections[index].weight
        unit = jump(math.copysign(1.0, free), p.synapse, neuron)
        sign, size, acting = circuit.sign_of(p), (abs(free), unit), p.weight / free
        if index not in channels:
            i = next(sources)
            reaches = network.externals[i].amplitude[: network.layout.sizes[population]] != 0.0
            out.append(SourceWeight(label, population, sign, i, *size, acting, reaches))
        elif channels[index] not in seen:
            seen.add(channels[index])
            out.append(ChannelWeight(label, population, sign, channels[index], *size, acting))
    return tuple(out)


def intrinsic_of(network: Network, population: int) -> tuple[Slot, ...]:
    """Gain and drive of a population, and threshold where that is not a cut-off behind an onset."""
    now, first = (c.populations[population] for c in (network.circuit, network.origin))
    of, distance = network.neurons[population], now.neuron.v_threshold - now.neuron.v_reset
    added, unit = now.drive - first.drive, UNIT_DRIVE * distance
    slots = Gain("gain", population), Drive("drive", population, gain_of_step(of.leak, network.dt), added, unit)
    if isinstance(of.neuron, EIF):
        return slots
    return Threshold("threshold", population, float(of["v_leak"]), of["v_reset"]), *slots


def own_arrays(network: Network) -> Network:
    """The network with arrays of its own where slow variables are written."""
    externals = tuple(replace(x, amplitude=x.amplitude.copy()) for x in network.externals)
    arrays = {name: getattr(network, name).copy() for name in ("weights", "threshold", "gain", "drive")}
    return replace(network, externals=externals, **arrays)


# --- rules of the circuit ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True, eq=False)
class RuleGroup:
    """A population under a rule of the circuit, its set point resolved."""

    name: str
    rule: Rule
    scope: Scope
    meter: Meter
    slots: tuple[ChannelWeight | SourceWeight, ...]
    nothing: float = 1e-12

    @property
    def memory(self) -> float:
        """How long what is sensed takes to follow [s]: tau of calcium."""
        return self.meter.sensor.tau

    @property
    def extras(self) -> tuple[str, ...]:
        """Names of the rule's own variables."""
        return self.rule.variables[2:]

    @property
    def relative(self) -> bool:
        """Whether weights move in proportion to themselves."""
        return getattr(self.rule, "scale", "absolute") == "relative"

    @property
    def width(self) -> int:
        """How many quantities it senses."""
        return len(self.rule.senses)

    @property
    def directions(self) -> tuple[dict[str, float], ...]:
        """Weights that move together, and how much of each: those of one sign, in the coordinates of `Coordinates`."""
        by_sign: dict[float, dict[str, float]] = {}
        for slot in self.slots:
            by_sign.setdefault(slot.sign, {})[slot.name] = 1.0 if self.relative else 1.0 / slot.acting
        return tuple(by_sign.values())

    def begin(self, network: Network) -> dict[str, Array]:
        """The slow variables at the start; proteins are found in the first window."""
        n = 1 if self.scope == "population" else self.meter.size
        values = {slot.name: slot.read(network)[:n].copy() for slot in self.slots}
        return values | {k: np.full(n, v) for k, v in zip(self.extras, _initial(self.rule, self.name), strict=True)}

    def sensed(self, now: Gathered, steps: int) -> Array:
        """What the rule senses: population averages (k, 1), or every neuron's own (k, n)."""
        own = self.meter.sensed(self.rule.senses, now, steps)
        return own.mean(axis=1, keepdims=True) if self.scope == "population" else own

    def settled(self, values: Values, sensed: Array) -> dict[str, NDArray]:
        """The variables with proteins that were not known yet at their equilibrium."""
        if not isinstance(self.rule, KineticHomeostasis):
            return dict(values)
        k = self.rule.proteins
        known = dict(zip(self.extras, (k.K_D * sensed[1], k.K_M * sensed[0]), strict=True))
        return {name: np.where(np.isnan(v), known.get(name, v), v) for name, v in values.items()}

    def rate(self, name: str, values: Values, sensed: NDArray) -> NDArray:
        """dx/dt of one variable, by the weights that act; complex numbers are welcome."""
        extras = [values[k] for k in self.extras]
        if name in self.extras:
            pair = [values[slot.name] * slot.acting for slot in (self._first(sign) for sign in (1.0, -1.0))]
            return self.rule.rhs(_rows(*pair, *extras), sensed)[2 + self.extras.index(name)]
        slot = next(slot for slot in self.slots if slot.name == name)
        weight = values[name] * slot.acting
        return self.rule.rhs(_rows(weight, weight, *extras), sensed)[1 if slot.sign < 0.0 else 0] / slot.acting

    def step(self, values: Values, sensed: Array, h: float) -> dict[str, Array]:
        """The variables after h seconds; weights stop at zero."""
        values = self.settled(values, sensed)
        moved = {name: self._moved(name, values, sensed, h) for name in values}
        return {k: v if k in self.extras else np.maximum(v, 0.0) for k, v in moved.items()}

    def _moved(self, name: str, values: Values, sensed: Array, h: float) -> Array:
        rate = self.rate(name, {**values, name: values[name] + 1e-30j}, sensed)
        return values[name] + h * dynamics.phi_1(h * np.imag(rate) / 1e-30) * np.real(rate)

    def _first(self, sign: float) -> ChannelWeight | SourceWeight:
        return next((slot for slot in self.slots if slot.sign == sign), self.slots[0])


def _initial(rule: Rule, population: str) -> tuple[float, ...]:
    if isinstance(rule, AdaptiveCalciumHomeostasis):
        mean, second = targets_of(rule.target)
        return second, mean
    if isinstance(rule, KineticHomeostasis):
        return np.nan, np.nan
    if len(rule.variables) > 2:
        raise TypeError(
            f"spiking: the rule of {population!r}, a {type(rule).__name__}, has variables {rule.variables[2:]} whose "
            "start is not known. Give it as a function: eq.spiking.Homeostasis(functions={...})."
        )
    return ()


def _rows(*rows: NDArray) -> NDArray:
    return np.array(np.broadcast_arrays(*rows))
