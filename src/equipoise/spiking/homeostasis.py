"""Homeostasis beside the step: the raster goes into the meters, and once per slow window the slow variables move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from equipoise import renewal
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.slow_variables import SlowRule, Weight
from equipoise.quantities import Array, Quantity, check, steps_of, suggest
from equipoise.spiking import rule_group, slow
from equipoise.spiking.external import GAUSSIAN
from equipoise.spiking.functions import Function, FunctionGroup
from equipoise.spiking.kernel import State
from equipoise.spiking.layout import WORDS
from equipoise.spiking.meter import Gathered, Meter, sensor_of
from equipoise.spiking.network import Network
from equipoise.spiking.randomness import Words
from equipoise.spiking.rule_group import Group, SlowRuleGroup
from equipoise.spiking.slow import RuleGroup
from equipoise.spiking.slow_state import SlowState
from equipoise.units import ms, second

_WINDOW = Quantity("slow window", unit="ms", low=0.0, high=60 * second, open_low=True)
_NO_HALF = (np.nan, np.nan)
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
    dt seconds; `changed` maps names to new values. `sensor` is the calcium they see. `rules` are slow rules such as
    `InputCentricThreshold`, by default the circuit's, which act on what they sense in spikes; they take a window of 2 s
    by default, since they count the spikes of single neurons in it.
    """

    window: float | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    rules: Sequence[SlowRule] = ()
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
        self.groups, self.meters, self.window = _groups(network, plan)
        self.network = slow.own_arrays(network) if self.groups else network
        before = state.slow
        self.at = before.at if before else 0
        self.gathered: dict[str, Gathered] = {
            k: before.gathered[k].copy() if before else m.blank(state.step) for k, m in self.meters.items()
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
        for name, meter in self.meters.items():
            meter.gather(self.gathered[name], raster, first_step, flush=False)
        self.at += raster.shape[0]

    def measure(self, now: int) -> dict[str, object]:
        """What each group sensed since the window began, up to the end of step `now`."""
        self._flush(now)
        return {g.name: self._sensed(g) for g in self.groups}

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

    def _sensed(self, group: Group) -> object:
        if isinstance(group, SlowRuleGroup):
            return group.sensed(self.gathered, self.at)
        return group.sensed(self.gathered[group.name], self.at)

    def _begin(self) -> dict[str, dict[str, Array]]:
        return {g.name: g.begin(self.network) for g in self.groups}

    def _flush(self, now: int) -> None:
        nothing = np.empty((0, self.network.layout.columns * WORDS), np.uint64)
        for name, meter in self.meters.items():
            meter.gather(self.gathered[name], nothing, now, flush=True)

    def _write(self) -> None:
        for group in self.groups:
            for slot in group.slots:
                slot.write(self.network, self.values[group.name][slot.name])


def slow_rules(circuit: Circuit, plan: Homeostasis) -> tuple[SlowRule, ...]:
    """The slow rules that are given, by default those of the circuit."""
    return tuple(plan.rules) or circuit.slow_rules


def moved_by(circuit: Circuit, plan: Homeostasis | None = None) -> frozenset[tuple[str, str]]:
    """Projections whose weights slow rules move (source, target), for `build`."""
    moved = [v for rule in slow_rules(circuit, plan or Homeostasis()) for v in rule.moves]
    return frozenset((v.source, v.target) for v in moved if isinstance(v, Weight))


def _groups(network: Network, plan: Homeostasis) -> tuple[tuple[Group, ...], dict[str, Meter], int]:
    """The groups of rules and of functions, the meters of all populations that are sensed, and the window in steps."""
    names, circuit = network.layout.names, network.circuit
    slower = rule_group.checked(slow_rules(circuit, plan), network)
    attached = {r.population: r.rule for r in circuit.rules}
    _check_who(names, attached, plan, slower)
    if (attached or plan.functions or slower) and any(x.noise == GAUSSIAN for x in network.externals):
        raise ValueError("spiking: homeostasis moves the weights of sources one by one. Take noise='poisson'.")
    rules = {
        k: renewal.resolved(attached[name], circuit.populations[k].neuron)
        for k, name in enumerate(names)
        if name in attached
    }
    sensors = {k: sensor_of(names[k], rule.senses) for k, rule in rules.items()}
    sensors |= {names.index(name): (plan.sensor, _NO_HALF) for name in plan.functions}
    window = _window(network, plan, [sensor for sensor, _ in sensors.values()], bool(slower))
    sensors |= {names.index(k): (plan.sensor, _NO_HALF) for k in rule_group.listened(slower, network)} | sensors
    meters = {
        names[k]: Meter.of(network.layout, k, *sensor, time=(network.dt, window)) for k, sensor in sensors.items()
    }
    groups: list[Group] = [_rule_group(network, k, rules[k], meters[names[k]]) for k in rules]
    for name, function in plan.functions.items():
        k = names.index(name)
        slots = (*slow.weights_of(network, k), *slow.intrinsic_of(network, k))
        groups.append(FunctionGroup(name=name, function=function, meter=meters[name], slots=slots))
    ruled = dict.fromkeys(rule_group.owner(rule) for rule in slower)
    groups += [rule_group.group_of(slower, name, network, meters) for name in ruled]
    return tuple(groups), meters, window


def _check_who(
    names: Sequence[str], attached: Mapping[str, object], plan: Homeostasis, slower: Sequence[SlowRule]
) -> None:
    """One kind of rule for each population."""
    for name in plan.functions:
        if name not in names:
            raise ValueError(f"Homeostasis.functions: no population is named {name!r}.{suggest(name, names)}")
        if name in attached:
            raise ValueError(f"Homeostasis.functions: population {name!r} has a rule in the circuit. Leave one out.")
    for rule in slower:
        name = rule_group.owner(rule)
        if name in attached or name in plan.functions:
            kind = "a calcium rule" if name in attached else "a function"
            raise ValueError(
                f"spiking: population {name!r} has {kind} and {type(rule).__name__}. Take slow rules for both, such as "
                "eq.InhibitoryScaling for its weights."
            )


def _rule_group(network: Network, population: int, rule: slow.Rule, meter: Meter) -> RuleGroup:
    name = network.layout.names[population]
    attached = network.circuit.rule_of(name)
    assert attached is not None
    slots = slow.weights_of(network, population)
    if not slots:
        raise ValueError(f"spiking: population {name!r} has a rule but no inputs whose weights could move.")
    return RuleGroup(name=name, rule=rule, scope=attached.scope, meter=meter, slots=slots)


def _window(network: Network, plan: Homeostasis, sensors: list[Calcium], counting: bool) -> int:
    if plan.window is not None:
        return max(1, steps_of("spiking", "Homeostasis.window", plan.window, network.dt))
    default = rule_group.COUNTING if counting else DEFAULT_WINDOW
    return max(1, round(min((s.tau for s in sensors), default=default) / network.dt))
