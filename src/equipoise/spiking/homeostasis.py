"""Homeostasis beside the step: the raster goes into the meters, and once per slow window the slow variables move."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from equipoise import renewal
from equipoise.model.calcium import Calcium
from equipoise.quantities import Array, Quantity, check, steps_of, suggest
from equipoise.spiking import slow
from equipoise.spiking.external import GAUSSIAN
from equipoise.spiking.functions import Function, FunctionGroup, Group
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import WORDS
from equipoise.spiking.meter import Gathered, Meter, sensor_of
from equipoise.spiking.network import Network
from equipoise.spiking.randomness import Words
from equipoise.spiking.slow import RuleGroup
from equipoise.spiking.slow_state import SlowState
from equipoise.units import ms, second

_WINDOW = Quantity("slow window", unit="ms", low=0.0, high=60 * second, open_low=True)
DEFAULT_WINDOW = 100 * ms
"""The slow window where nobody senses calcium."""


@dataclass(frozen=True, kw_only=True)
class Homeostasis:
    """How homeostasis runs beside the spikes, and rules that are Python functions.

    Slow variables move once per `window` [s], by what was sensed in it; by default the shortest tau of all calcium
    sensors, since calcium averages over as much anyway. A delay of about one window is added to the loop, which slow
    rules do not feel. `functions` gives populations rules of your own, ``function(state, sensed, dt) -> changed``:
    `state` holds arrays over neurons (n,), the sizes "J_<target><source>" of weights [V], "threshold" [V] (not of the
    EIF), "gain" (1 at first, a factor of all input), "drive" [V/s] and whatever the function returned under other names
    before; `sensed` has rate [Hz], calcium_mean [µM] and calcium_second_moment [µM^2] of each neuron over the window of
    dt seconds; `changed` maps names to new values. `sensor` is the calcium they see.
    """

    window: float | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    sensor: Calcium = field(default_factory=Calcium)

    def __post_init__(self):
        if self.window is not None:
            object.__setattr__(self, "window", check("Homeostasis.window", self.window, _WINDOW))
        for name, function in self.functions.items():
            if not callable(function):
                raise TypeError(f"Homeostasis.functions[{name!r}] must be a function, got {function!r}.")


class Regulator:
    """The slow side of one run: `network` is the one whose arrays it moves, `values` the slow variables.

    Windows count from the step at which it began; meters and variables can be kept (`state`) and taken up again.
    """

    def __init__(self, network: Network, plan: Homeostasis, state: State):
        self.groups, self.window = _groups(network, plan)
        self.network = slow.own_arrays(network) if self.groups else network
        before = state.slow
        self.at = before.at if before else 0
        self.gathered: dict[str, Gathered] = {
            g.name: before.gathered[g.name].copy() if before else g.meter.blank(state.step) for g in self.groups
        }
        self.values = {k: dict(v) for k, v in before.values.items()} if before else self._begin()
        if before:
            self._write()

    @property
    def left(self) -> float:
        """Steps until the window ends; infinite without rules."""
        return self.window - self.at if self.groups else np.inf

    def see(self, raster: Words, first_step: int) -> None:
        """Take in what happened; not past the end of the window."""
        for group in self.groups:
            group.meter.gather(self.gathered[group.name], raster, first_step, flush=False)
        self.at += raster.shape[0]

    def measure(self, now: int) -> dict[str, object]:
        """What each group sensed since the window began, up to the end of step `now`."""
        self._flush(now)
        return {g.name: g.sensed(self.gathered[g.name], self.at) for g in self.groups}

    def step(self, sensed: Mapping[str, object], h: float) -> None:
        """Move the slow variables by h seconds."""
        for group in self.groups:
            self.values[group.name] = group.step(self.values[group.name], sensed[group.name], h)  # pyright: ignore[reportArgumentType]
        self._write()

    def set(self, values: Mapping[str, Mapping[str, Array]]) -> None:
        """Give slow variables other values."""
        self.values = {k: dict(v) for k, v in values.items()}
        self._write()

    def forget(self, now: int) -> None:
        """Begin a new window at the end of step `now`; calcium goes on."""
        self._flush(now)
        for gathered in self.gathered.values():
            gathered.forget()
        self.at = 0

    def keep(self) -> SlowState | None:
        """All that the slow future depends on."""
        if not self.groups:
            return None
        gathered = {name: g.copy() for name, g in self.gathered.items()}
        return SlowState(values={k: dict(v) for k, v in self.values.items()}, gathered=gathered, at=self.at)

    def _begin(self) -> dict[str, dict[str, Array]]:
        return {g.name: g.begin(self.network) for g in self.groups}

    def _flush(self, now: int) -> None:
        nothing = np.empty((0, self.network.layout.columns * WORDS), np.uint64)
        for group in self.groups:
            group.meter.gather(self.gathered[group.name], nothing, now, flush=True)

    def _write(self) -> None:
        for group in self.groups:
            for slot in group.slots:
                slot.write(self.network, self.values[group.name][slot.name])


def _groups(network: Network, plan: Homeostasis) -> tuple[tuple[Group, ...], int]:
    """The groups of a circuit's rules and of functions, and the window in steps."""
    names = network.layout.names
    for name in plan.functions:
        if name not in names:
            raise ValueError(f"Homeostasis.functions: no population is named {name!r}.{suggest(name, names)}")
        if network.circuit.rule_of(name) is not None:
            raise ValueError(f"Homeostasis.functions: population {name!r} has a rule in the circuit. Leave one out.")
    ruled = [k for k, name in enumerate(names) if network.circuit.rule_of(name) is not None]
    if (ruled or plan.functions) and any(x.noise == GAUSSIAN for x in network.externals):
        raise ValueError("spiking: homeostasis moves the weights of sources one by one. Take noise='poisson'.")
    rules = {
        k: renewal.resolved(network.circuit.rule_of(names[k]).rule, network.circuit.populations[k].neuron)  # pyright: ignore[reportOptionalMemberAccess]
        for k in ruled
    }
    sensors = {k: sensor_of(names[k], rule.senses) for k, rule in rules.items()}
    sensors |= {names.index(name): (plan.sensor, (np.nan, np.nan)) for name in plan.functions}
    window = _window(network, plan, [sensor for sensor, _ in sensors.values()])
    meters = {k: Meter.of(network.layout, k, *sensor, time=(network.dt, window)) for k, sensor in sensors.items()}
    groups: list[Group] = [_rule_group(network, k, rules[k], meters[k]) for k in ruled]
    for name, function in plan.functions.items():
        k = names.index(name)
        slots = (*slow.weights_of(network, k), *slow.intrinsic_of(network, k))
        groups.append(FunctionGroup(name=name, function=function, meter=meters[k], slots=slots))
    return tuple(groups), window


def _rule_group(network: Network, population: int, rule: slow.Rule, meter: Meter) -> RuleGroup:
    name = network.layout.names[population]
    attached = network.circuit.rule_of(name)
    assert attached is not None
    slots = slow.weights_of(network, population)
    if not slots:
        raise ValueError(f"spiking: population {name!r} has a rule but no inputs whose weights could move.")
    return RuleGroup(name=name, rule=rule, scope=attached.scope, meter=meter, slots=slots)


def _window(network: Network, plan: Homeostasis, sensors: list[Calcium]) -> int:
    if plan.window is not None:
        return max(1, steps_of("spiking", "Homeostasis.window", plan.window, network.dt))
    return max(1, round(min((s.tau for s in sensors), default=DEFAULT_WINDOW) / network.dt))
