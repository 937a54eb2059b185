"""Circuits to TOML, exactly: what `toml_reader` reads back is equal."""

import math
from collections.abc import Iterable
from dataclasses import Field, fields
from typing import Any

from equipoise.model.circuit import Circuit
from equipoise.model.circuit_checks import LARGEST_SPAN_IN_VOLTS, span_of
from equipoise.model.connectivity import AllToAll, Connectivity, FixedInDegree
from equipoise.model.neurons import IntegrateAndFire
from equipoise.model.projections import Projection
from equipoise.model.quantity_text import KINDS, write
from equipoise.model.rate_neurons import FICurve
from equipoise.model.slow_variables import text_of
from equipoise.model.toml_schema import (
    DRIVE,
    IN_POTENTIALS,
    SECTIONS,
    SLOTS,
    SLOW_RULES,
    VOLLEY_TIME,
    Slot,
    is_variable,
    kind_of,
    slot_of,
    weight_of,
)


def in_volts(circuit: Circuit) -> bool:
    """Whether potentials and weights of a circuit are in volts; else they are in units of the threshold."""
    own = [p.neuron.neuron if isinstance(p.neuron, FICurve) else p.neuron for p in circuit.populations]
    spans = [span_of(n) for n in own if isinstance(n, IntegrateAndFire)]
    return max(spans, default=math.inf) < LARGEST_SPAN_IN_VOLTS


def write_circuit(circuit: Circuit) -> str:
    """TOML text with named neurons, synapses, sensors and rules, every field written out."""
    return _Writer(circuit).text()


class _Writer:
    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.volts = in_volts(circuit)
        self.named: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}

    def text(self) -> str:
        """The whole; parts are named while the rows are written, and stand before them."""
        c = self.circuit
        head = [f"{key} = {_string(getattr(c, key))}" for key in ("name", "description") if getattr(c, key)]
        rows = [self.population(p) for p in c.populations]
        rows += [self.row("sources", self.fields(s)) for s in c.sources]
        rows += [self.row("projections", self.projection(p)) for p in c.projections]
        rows += [self.attached(r) for r in c.rules]
        rows += [self.slow_rule(r) for r in c.slow_rules]
        return "\n\n".join(["\n".join(head), *self.sections(), *rows]).strip() + "\n"

    # --- rows ---------------------------------------------------------------------------------------------------------
    def population(self, p) -> str:
        """A [[populations]] table."""
        lines = [f"name = {_string(p.name)}"]
        lines += [] if math.isinf(p.size) else [f"size = {p.size}"]
        lines += [f"drive = {self.value(DRIVE, p.drive)}"] if p.drive else []
        lines += [f"neuron = {self.refer(p.neuron, SLOTS['neuron'])}"]
        same = [f.name for f in fields(p.spread) if f.name not in p.spread.varying]
        spread = ", ".join(self.fields(p.spread, skip=tuple(same)))
        lines += [f"adaptation = {self.refer(p.adaptation, SLOTS['adaptation'])}"] if p.adaptation else []
        return self.row("populations", [*lines, *([f"spread = {{ {spread} }}"] if spread else [])])

    def projection(self, p: Projection) -> list[str]:
        """Lines of a [[projections]] table."""
        ends = self.fields(p, skip=tuple(f.name for f in fields(p) if f.name not in ("source", "target")))
        weight = f"weight = {self.value(weight_of(type(p.synapse)), p.weight)}"
        rest = self.fields(p, skip=("source", "target", "weight", "connectivity"))
        return [*ends, weight, _connectivity(p.connectivity), *rest]

    def attached(self, r) -> str:
        """A [[rules]] table."""
        lines = [f"population = {_string(r.population)}", f"scope = {_string(r.scope)}"]
        return self.row("rules", [*lines, f"rule = {self.refer(r.rule, SLOTS['rule'])}"])

    def slow_rule(self, r) -> str:
        """A [[rules]] table of a rule on slow variables."""
        if type(r) not in SLOW_RULES.classes:
            known = ", ".join(SLOW_RULES.models)
            raise TypeError(f"Circuit.to_toml: {type(r).__name__} has no TOML form. Those that have one: {known}.")
        return self.row("rules", [f"model = {_string(type(r).__name__)}", *self.fields(r)])

    def row(self, name: str, lines: Iterable[str]) -> str:
        """One table of a list."""
        return "\n".join([f"[[{name}]]", *lines])

    # --- parts --------------------------------------------------------------------------------------------------------
    def refer(self, item: Any, slot: Slot) -> str:
        """The name of a part in its section, which it is given there if it is new; or an inline table."""
        if type(item) not in slot.classes:
            known = ", ".join(slot.models)
            raise TypeError(f"Circuit.to_toml: {type(item).__name__} has no TOML form. Those that have one: {known}.")
        if not slot.section:
            lines = self.fields(item)
            if len(slot.fitting(f.name for f in fields(item))) > 1:
                lines = [f"model = {_string(type(item).__name__)}", *lines]
            return "{ " + ", ".join(lines) + " }"
        named = self.named[slot.section]
        for name, (other, _) in named.items():
            if other == item:
                return _string(name)
        base = type(item).__name__.removesuffix("Synapse").removesuffix("Homeostasis").lower()
        name = base if base not in named else f"{base}_{len(named) + 1}"
        lines = [f"model = {_string(type(item).__name__)}"] if len(slot.classes) > 1 else []
        named[name] = item, [*lines, *self.fields(item)]
        return _string(name)

    def sections(self) -> list[str]:
        """All named parts; those that others refer to have been named with them."""
        return [
            "\n".join([f"[{section}.{name}]", *lines])
            for section, named in self.named.items()
            for name, (_, lines) in named.items()
        ]

    def fields(self, item: Any, skip: tuple[str, ...] = ()) -> list[str]:
        """`name = value` of every field that is given; TOML has no word for None."""
        given = [(f, getattr(item, f.name)) for f in fields(item) if f.name not in skip]
        return [f"{f.name} = {self.value(f, value)}" for f, value in given if value is not None]

    def value(self, f: Field, value: Any) -> str:
        """One value as TOML."""
        slot = slot_of(f)
        if slot is not None and not isinstance(value, float):
            return self.refer(value, slot)
        kind = kind_of(f)
        if is_variable(f):
            return _string(text_of(value))  # pyright: ignore[reportArgumentType]
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, tuple):  # the times of volleys
            return f"[{', '.join(_string(write(t, VOLLEY_TIME.unit, 'time')) for t in value)}]"
        if kind in ("plain", "number") or (kind in IN_POTENTIALS and not self.volts):
            return _number(value)
        unit = f.metadata["quantity"].unit
        return _string(write(value, unit if unit in KINDS[kind] else KINDS[kind][0], kind))


def _connectivity(c: Connectivity) -> str:
    if isinstance(c, AllToAll):
        return "all_to_all = true"
    if isinstance(c, FixedInDegree):
        return f"fixed_in_degree = {_number(c.in_degree)}"
    key = "in_degree" if c.probability is None else "probability"
    return f"{key} = {_number(getattr(c, key))}"


def _number(value: float) -> str:
    """A float in full, whole ones without their point."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _string(text: str) -> str:
    """A TOML basic string."""
    short = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(short.get(c, f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c) for c in text) + '"'
