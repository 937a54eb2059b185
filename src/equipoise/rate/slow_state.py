"""Slow variables of a network of rates as one vector, and what its rules sense.

A variable at population scope is one number: the mean of the units' thresholds, gains or weights, which move together
(thresholds by the same amount, gains and weights by the same factor). At unit scope it is one number a unit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from equipoise.model.remedies import Bounds, check_bounds
from equipoise.model.slow_variables import (
    ExcitatoryInput,
    Gain,
    InhibitoryInput,
    InputFrom,
    NetInput,
    Pooled,
    Rate,
    RequiredInput,
    Sensed,
    SlowRule,
    SlowVariable,
    SquaredRate,
    Threshold,
    Weight,
)
from equipoise.quantities import Array
from equipoise.rate.contacts import Link
from equipoise.rate.network import RateNetwork

LEAST_GAIN = 1e-9


# --- places in the network --------------------------------------------------------------------------------------------
def read(net: RateNetwork, variable: SlowVariable) -> Array:
    """The values of a variable in all units of its population (n,)."""
    if isinstance(variable, Weight):
        link = net.link(variable.source, variable.target)
        return np.broadcast_to(np.abs(link.weight), (link.post.stop - link.post.start,)).copy()
    return (net.threshold if isinstance(variable, Threshold) else net.gain)[net.place(variable.population)].copy()


def written(net: RateNetwork, variable: SlowVariable, value: Array) -> RateNetwork:
    """The network with these values (n,)."""
    if isinstance(variable, Weight):
        sign = np.sign(net.link(variable.source, variable.target).weight[0])
        value = value[:1] if net.whole else value
        return net.with_weight(variable.source, variable.target, sign * value)
    name = "threshold" if isinstance(variable, Threshold) else "gain"
    array = getattr(net, name).copy()
    array[net.place(variable.population)] = value
    return net.variant(**{name: array})


def lowest(variable: SlowVariable) -> float:
    """The least value that a variable can have."""
    if isinstance(variable, Weight):
        return 0.0
    return LEAST_GAIN if isinstance(variable, Gain) else -np.inf


def name_of(variable: SlowVariable) -> str:
    """Such as "threshold_E" or "weight_EI" (target, then source, as in W_EI)."""
    if isinstance(variable, Weight):
        return f"weight_{variable.target}{variable.source}"
    return f"{type(variable).__name__.lower()}_{variable.population}"


def owner(variable: SlowVariable) -> str:
    """The population whose units a variable belongs to."""
    return variable.target if isinstance(variable, Weight) else variable.population


# --- what is sensed ---------------------------------------------------------------------------------------------------
def _input_from(net: RateNetwork, r: Array, what: InputFrom) -> Array:
    link = net.link(what.source, what.target)
    sums = link.contacts.sums(r[link.pre]) if isinstance(link, Link) else link.rates
    return np.broadcast_to(np.abs(link.weight) * sums, (link.post.stop - link.post.start,))


def _required(net: RateNetwork, r: Array, what: RequiredInput) -> Array:
    return net.required(r)[net.place(what.population)]


def input_by_sign(net: RateNetwork, r: Array, population: str, sign: float) -> Array:
    """The size of the input from all projections of one sign."""
    place = net.place(population)
    out = np.zeros(place.stop - place.start)
    for one in (*net.links, *net.feeds):
        if one.target == population and sign * one.weight[0] > 0.0:
            out += _input_from(net, r, InputFrom(one.source, population))
    return out


def _excitatory_input(net: RateNetwork, r: Array, what: ExcitatoryInput) -> Array:
    return net.drive[net.place(what.population)] + input_by_sign(net, r, what.population, 1.0)


SENSES: dict[type, Callable[[RateNetwork, Array, Any], Array]] = {
    Rate: lambda net, r, what: r[net.place(what.population)],
    SquaredRate: lambda net, r, what: r[net.place(what.population)] ** 2,
    NetInput: lambda net, r, what: net.inputs(r)[0][net.place(what.population)],
    RequiredInput: _required,
    ExcitatoryInput: _excitatory_input,
    InhibitoryInput: lambda net, r, what: input_by_sign(net, r, what.population, -1.0),
    InputFrom: _input_from,
    Pooled: lambda net, r, what: sensed(net, r, what.of).mean(keepdims=True),
}
"""How each sensed quantity is read: a new one is a noun and an entry here."""


def sensed(net: RateNetwork, r: Array, what: Sensed) -> Array:
    """A sensed quantity in all units of its population (n,), alone where it is pooled."""
    return SENSES[type(what)](net, r, what)


# --- the slow system --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class SlowSystem:
    """A network and its rules; the slow state z (k,) holds all moved variables one after the other."""

    net: RateNetwork
    rules: tuple[SlowRule, ...]

    @cached_property
    def variables(self) -> tuple[tuple[SlowVariable, str], ...]:
        """Every moved variable, once, with the scope it moves at; ValueError for one that two scopes move."""
        found: dict[SlowVariable, str] = {}
        for rule in (one for one in self.rules if not isinstance(one, Bounds)):
            for variable in rule.moves:
                if found.setdefault(variable, rule.scope) != rule.scope:
                    raise ValueError(f"rate: {name_of(variable)} is moved at both scopes, population and unit.")
        return tuple(found.items())

    @cached_property
    def places(self) -> dict[SlowVariable, slice]:
        """Where each variable stands in z."""
        out, end = {}, 0
        for variable, scope in self.variables:
            size = read(self.net, variable).size if scope == "unit" else 1
            out[variable], end = slice(end, end + size), end + size
        return out

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of z."""
        return tuple(
            f"{name_of(v)}[{i}]" if p.stop - p.start > 1 else name_of(v)
            for v, p in self.places.items()
            for i in range(p.stop - p.start)
        )

    @cached_property
    def start(self) -> Array:
        """z of the network as it is."""
        values = [(read(self.net, v), scope) for v, scope in self.variables]
        return np.concatenate([x if scope == "unit" else [x.mean()] for x, scope in values])

    @cached_property
    def bases(self) -> dict[SlowVariable, tuple[Array, float]]:
        """Each variable in the units of the network as it is, and its mean over them."""
        values = {variable: read(self.net, variable) for variable in self.places}
        return {variable: (value, float(value.mean())) for variable, value in values.items()}

    @cached_property
    def lower(self) -> Array:
        """Lower bounds (k,)."""
        out = np.concatenate([np.full(p.stop - p.start, lowest(v)) for v, p in self.places.items()])
        for place, bounds in self._bounds():
            out[place] = np.maximum(out[place], bounds.lower)
        return out

    @cached_property
    def upper(self) -> Array:
        """Upper bounds (k,)."""
        out = np.full(self.start.size, np.inf)
        for place, bounds in self._bounds():
            out[place] = np.minimum(out[place], bounds.upper)
        return out

    def _bounds(self) -> Iterator[tuple[slice, Bounds]]:
        return ((self.places[rule.variable], rule) for rule in self.rules if isinstance(rule, Bounds))

    def within(self, z: Array) -> Array:
        """z, or the nearest slow state that the bounds allow."""
        return np.clip(z, self.lower, self.upper)

    def at(self, z: Array) -> RateNetwork:
        """The network with slow state z."""
        net = self.net
        for variable, place in self.places.items():
            value, (base, mean) = z[place], self.bases[variable]
            if value.size != base.size:
                value = base + (value - mean) if isinstance(variable, Threshold) else base * (value / mean)
            net = written(net, variable, value)
        return net

    def rhs(self, z: Array, net: RateNetwork, r: Array, errors: Mapping[int, Array] | None = None) -> Array:
        """dz/dt at rates r of the network at z; several rules on one variable add up.

        `errors` are those of the sensors of rules of single units, by the number of the rule.
        """
        out = np.zeros(z.size)
        for i, rule in enumerate(self.rules):
            seen, unit = [sensed(net, r, what) for what in rule.senses], rule.scope == "unit"
            if not unit:
                seen = [x if x.size == 1 else x.mean(keepdims=True) for x in seen]
            elif errors and i in errors:
                own = [not isinstance(what, Pooled) for what in rule.senses]
                seen = [x + errors[i] if mine else x for x, mine in zip(seen, own, strict=True)]
            moved = [self.places[v] for v in rule.moves]
            for place, speed in zip(moved, rule.rhs([z[p] for p in moved], seen), strict=True):
                out[place] += speed
        return out

    def moved_to(self, other: "SlowSystem", z: Array) -> Array:
        """z as it stands in the same rules on a manipulated network: what the manipulation adds comes on top."""
        out = z.copy()
        for variable, place in self.places.items():
            before, after = self.start[place], other.start[place]
            shift = isinstance(variable, Threshold)
            factor = after / np.where(before == 0.0, 1.0, before)
            out[place] = z[place] + (after - before) if shift else z[place] * np.where(before == 0.0, 1.0, factor)
        return out


def slow_system(net: RateNetwork, rules: Sequence[SlowRule]) -> SlowSystem:
    """The rules at work in a network, by default the circuit's; TypeError or ValueError for what does not fit."""
    if hasattr(rules, "rhs"):
        raise TypeError(f"rate: rules must be a list, such as rules=[{type(rules).__name__}(...)], got one rule alone.")
    rules = tuple(rules) or net.circuit.slow_rules
    if not rules:
        raise ValueError(
            "rate: no rules to evolve under. Give rules=[eq.InputCentricThreshold('E', set_point=...)], here or in the "
            "circuit."
        )
    if net.circuit.rules:
        raise TypeError("rate: rules attached to the circuit act on calcium, which rates do not have. Use rules=[...].")
    for i, rule in enumerate(rules):
        missing = [m for m in ("moves", "senses", "scope", "rhs") if not hasattr(rule, m)]
        if isinstance(rule, type) or missing:
            raise TypeError(f"rate: rules[{i}] must be a rule such as eq.InputCentricThreshold(...), got {rule!r}.")
        _check_fits(net, i, rule)
    check_bounds("rate", rules)
    system = SlowSystem(net, tuple(rules))
    assert system.places is not None  # complains about scopes
    return system


def _check_fits(net: RateNetwork, i: int, rule: SlowRule) -> None:
    for variable in rule.moves:
        read(net, variable)  # KeyError with a suggestion
    for what in rule.senses:
        pooled = isinstance(what, Pooled)
        where = _place_of(net, i, what.of if isinstance(what, Pooled) else what)
        moved = [owner(v) for v in rule.moves]
        if rule.scope == "unit" and not (net.whole or pooled) and any(name != where for name in moved):
            raise ValueError(
                f"rate: rules[{i}] moves units of {moved[0]!r} by what units of {where!r} sense; single units cannot. "
                "Use scope='population', or sense it Pooled."
            )


def _place_of(net: RateNetwork, i: int, what: Sensed) -> str:
    """The population in which something is sensed, once it is known to exist."""
    if type(what) not in SENSES or isinstance(what, Pooled):
        known = ", ".join(kind.__name__ for kind in SENSES)
        raise TypeError(f"rate: rules[{i}] senses {what!r}, which is not known here. Known: {known}.")
    if isinstance(what, InputFrom):
        net.link(what.source, what.target)
        return what.target
    net.place(what.population)
    return what.population
