"""A population of a spiking network under the slow rules of circuits of rates: thresholds, gains and weights.

A threshold theta [V/s] shifts the mean input as it does in an f-I curve,

    dV/dt = (v_leak - V)/tau_m + g (synapses + sources + drive - theta),

which for a LIF is to move v_threshold and v_reset up together by tau_m theta. The gain g multiplies all input. A
variable that no rule moves unit by unit moves alike in all neurons; several rules on one variable add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.model.attached_rules import Scope
from equipoise.model.slow_variables import (
    Gain as GainOf,
)
from equipoise.model.slow_variables import (
    Rate,
    SlowRule,
    SlowVariable,
    Weight,
)
from equipoise.model.slow_variables import (
    Threshold as ThresholdOf,
)
from equipoise.quantities import Array, suggest
from equipoise.spiking.cells import gain_of_step
from equipoise.spiking.functions import FunctionGroup, by_differences
from equipoise.spiking.meter import Gathered, Meter
from equipoise.spiking.network import Network
from equipoise.spiking.rule_senses import LEAST_COUNT, Senses, plain_of, senses_of
from equipoise.spiking.slow import (
    UNIT_DRIVE,
    ChannelWeight,
    Drive,
    Gain,
    RuleGroup,
    Slot,
    SourceWeight,
    Values,
    weights_of,
)
from equipoise.units import Hz, ms, second

PROMPT, COUNTING = 20 * ms, 2 * second
"""How long rates take to answer a population's move, and for how long the spikes of one cell are counted."""
SPAN = 10.0
"""A threshold that matters, in `UNIT_DRIVE`: the size of what excites a neuron in a balanced network."""
LEAST_GAIN = 1e-9
QUIET = 0.1 * Hz
"""A rate whose relative change is of no interest."""


@dataclass(frozen=True, eq=False)
class Shift:
    """The thresholds theta [V/s] of the neurons, a drive taken away; `tonic` [V/s] is there without them."""

    name: str
    population: int
    drive: Drive
    tonic: float
    unit: float

    def read(self, network: Network) -> Array:
        """As `Slot.read`."""
        return self.tonic - self.drive.read(network)

    def write(self, network: Network, value: Array) -> None:
        """As `Slot.write`."""
        self.drive.write(network, self.tonic - value)


@dataclass(frozen=True, kw_only=True, eq=False)
class SlowRuleGroup:
    """A population under slow rules: the variables that they move, and what is sensed of spikes."""

    name: str
    rules: tuple[SlowRule, ...]
    meter: Meter
    meters: Mapping[str, Meter]
    slots: tuple[Slot, ...]
    senses: Senses
    shared: bool
    relative: bool = False
    extras: tuple[str, ...] = ()
    nothing: float = QUIET

    @property
    def scope(self) -> Scope:
        """Whether all variables are shared."""
        return "population" if self.shared else "neuron"

    @property
    def memory(self) -> float:
        """Time over which something is sensed at least [s]."""
        return PROMPT if self.shared else COUNTING

    @property
    def width(self) -> int:
        """How many rows are sensed."""
        return self.senses.rows + 1

    @property
    def directions(self) -> tuple[dict[str, float], ...]:
        """Each variable moves by itself."""
        return tuple({slot.name: 1.0} for slot in self.slots)

    def begin(self, network: Network) -> dict[str, Array]:
        """The slow variables at the start (n,)."""
        return {slot.name: slot.read(network).copy() for slot in self.slots}

    def sensed(self, gathered: Mapping[str, Gathered], steps: int) -> Array:
        """The rows of all neurons (k, n), or of their population (k, 1); the last is the rate of one who was silent."""
        rates = {name: meter.rates(gathered[name], steps) for name, meter in self.meters.items()}
        rows = self.senses.gathered(rates)
        number = self.meter.size if self.shared else 1
        least = np.full((1, rows.shape[1]), LEAST_COUNT / (steps * self.meter.dt * number))
        rows = np.concatenate([rows, least])
        return rows.mean(axis=1, keepdims=True) if self.shared else rows

    def settled(self, values: Values, sensed: Array) -> dict[str, NDArray]:  # noqa: ARG002
        """The variables: none are found in the first window."""
        return dict(values)

    def speeds(self, values: Values, sensed: Array) -> dict[str, Array]:
        """dx/dt of all variables, summed over the rules."""
        out = {slot.name: np.zeros(1) for slot in self.slots}
        for rule in self.rules:
            x, rows = values, sensed
            if rule.scope == "population":
                x = {k: np.mean(v, keepdims=True) for k, v in values.items()}
                rows = sensed.mean(axis=1, keepdims=True)
            seen = [self.senses.sensed(what, rows[:-1], x, float(rows[-1, 0])) for what in rule.senses]
            names = [slot_name(v) for v in rule.moves]
            for name, speed in zip(names, rule.rhs([x[k] for k in names], seen), strict=True):
                out[name] = out[name] + speed
        return out

    def step(self, values: Values, sensed: Array, h: float) -> dict[str, Array]:
        """The variables after h seconds; weights and gains stop at their bounds."""
        lowest = self._lowest()
        return {k: np.maximum(values[k] + h * speed, lowest[k]) for k, speed in self.speeds(values, sensed).items()}

    def rate(self, name: str, values: Values, sensed: NDArray) -> NDArray:
        """dx/dt of one variable, all neurons alike; small imaginary parts come along by differences."""
        names = tuple(values)

        def speed(x: Array) -> float:
            here = {k: np.array([v]) for k, v in zip(names, x, strict=False)}
            return float(self.speeds(here, x[len(names) :, None])[name][0])

        return by_differences(speed, np.concatenate([np.ravel([values[k][0] for k in names]), np.ravel(sensed)]))

    def _lowest(self) -> dict[str, float]:
        out: dict[str, float] = {}
        for variable in (v for rule in self.rules for v in rule.moves):
            bound = variable.lower if isinstance(variable, Weight) else -np.inf
            out[slot_name(variable)] = LEAST_GAIN if isinstance(variable, GainOf) else bound
        return out


Group = RuleGroup | FunctionGroup | SlowRuleGroup


def slot_name(variable: SlowVariable) -> str:
    """The name of a variable within its population: theta, gain, or J_<target><source>."""
    if isinstance(variable, Weight):
        return f"J_{variable.target}{variable.source}"
    return "theta" if isinstance(variable, ThresholdOf) else "gain"


def owner(rule: SlowRule) -> str:
    """The population whose variables a rule moves."""
    first = rule.moves[0]
    return first.target if isinstance(first, Weight) else first.population


def listened(rules: Sequence[SlowRule], network: Network) -> tuple[str, ...]:
    """All populations whose spikes rules need: those that fire onto ruled ones, these, and whose rates are sensed."""
    ruled = {owner(rule) for rule in rules}
    onto = {p.source for p in network.circuit.projections if p.target in ruled}
    plain = [plain_of(w) for rule in rules for w in rule.senses]
    sensed = {w.population for w in plain if isinstance(w, Rate)}
    return tuple(name for name in network.layout.names if name in ruled | onto | sensed)


def group_of(rules: Sequence[SlowRule], name: str, network: Network, meters: Mapping[str, Meter]) -> SlowRuleGroup:
    """The group of one population under its rules; TypeError or ValueError for what does not fit, by name."""
    k, own = network.layout.names.index(name), tuple(rule for rule in rules if owner(rule) == name)
    moved = dict.fromkeys(v for rule in own for v in rule.moves)
    return SlowRuleGroup(
        name=name, rules=own, meter=meters[name], meters=meters, slots=tuple(_slot(network, k, v) for v in moved),
        senses=senses_of(network, k, [w for rule in own for w in rule.senses]),
        shared=all(rule.scope == "population" for rule in own),
    )  # fmt: skip


def checked(rules: Sequence[SlowRule], network: Network) -> tuple[SlowRule, ...]:
    """The rules; TypeError or ValueError for what is none, or is of no population here."""
    for i, rule in enumerate(rules):
        missing = [m for m in ("moves", "senses", "scope", "rhs") if not hasattr(rule, m)]
        if isinstance(rule, type) or missing:
            raise TypeError(f"spiking: rules[{i}] must be a rule such as eq.InputCentricThreshold(...), got {rule!r}.")
        name = owner(rule)
        if name not in network.layout.names:
            raise ValueError(
                f"spiking: rules[{i}] moves {name!r}, which is no population.{suggest(name, network.layout.names)}"
            )
    return tuple(rules)


def _slot(network: Network, population: int, variable: SlowVariable) -> Slot:
    name = slot_name(variable)
    if isinstance(variable, Weight):
        return _weight_slot(network, population, variable)
    if isinstance(variable, GainOf):
        return Gain(name, population)
    now, first = (c.populations[population] for c in (network.circuit, network.origin))
    unit = UNIT_DRIVE * (now.neuron.v_threshold - now.neuron.v_reset)
    step = gain_of_step(network.neurons[population].leak, network.dt)
    tonic = first.drive + network.choices.drive.get(first.name, 0.0)
    drive = Drive("drive", population, step, now.drive - first.drive, unit)
    return Shift(name, population, drive, tonic, SPAN * unit)


def _weight_slot(network: Network, population: int, variable: Weight) -> ChannelWeight | SourceWeight:
    network.circuit.projection(variable.source, variable.target)  # KeyError with a suggestion
    found = {slot.name: slot for slot in weights_of(network, population)}
    name = slot_name(variable)
    if name not in found:
        raise ValueError(
            f"spiking: {name} shares one array with another projection of equal weight, so that it cannot move alone. "
            f"Keep it apart: eq.spiking.build(..., apart=[({variable.source!r}, {variable.target!r})])."
        )
    return found[name]
