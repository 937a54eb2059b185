"""Circuits from TOML: every complaint names its place, and all that can be found are reported at once."""

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, NoReturn

from equipoise.model.attached_rules import AttachedRule
from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import IN_DEGREE, PROBABILITY, AllToAll, Connectivity, ErdosRenyi, FixedInDegree
from equipoise.model.populations import Population, Source, Volleys
from equipoise.model.projections import Projection
from equipoise.model.quantity_text import KINDS, describe, parse
from equipoise.model.slow_variables import SlowRule, SlowVariable, variable_of
from equipoise.model.toml_schema import (
    DRIVE,
    IN_POTENTIALS,
    IN_VOLTS,
    SECTIONS,
    SLOTS,
    SLOW_RULES,
    VOLLEY_TIME,
    Slot,
    is_variable,
    kind_of,
    potentials_with_default,
    required,
    slot_of,
    weight_of,
)
from equipoise.quantities import Quantity, check, suggest

_LISTS = ("populations", "sources", "projections", "rules")
_CONNECTIVITY = {
    "in_degree": (IN_DEGREE, lambda k: ErdosRenyi(in_degree=k)),
    "probability": (PROBABILITY, lambda p: ErdosRenyi(probability=p)),
    "fixed_in_degree": (IN_DEGREE, FixedInDegree),
}
_DEFAULTS = ("delay", "synapse", "weight_spread", "plasticity", "short_term")


class _Broken(Exception):
    """A part could not be read; what is wrong stands in the reader's list."""


def read_circuit(source: str | Path) -> Circuit:
    """Read a file or TOML text; raises ValueError that lists every located error, FileNotFoundError."""
    text, name = _text_of(source)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not TOML: {error}.") from None
    reader = _Reader(tree)
    try:
        circuit = reader.circuit()
    except _Broken:
        circuit = None
    if circuit is None or reader.errors:
        found = list(dict.fromkeys(reader.errors))
        head = f"{name}: " if len(found) == 1 else f"{name} has {len(found)} errors:\n  "
        raise ValueError(head + "\n  ".join(found))
    return circuit


def _text_of(source: str | Path) -> tuple[str, str]:
    if isinstance(source, str) and "\n" in source:
        return source, "The circuit"
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"Circuit.from_toml: no file {str(path)!r}. Text of a circuit has more than one line; "
            "the shipped circuits are read by Circuit.example(name)."
        )
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not TOML: it must be text in UTF-8.") from None


class _Reader:
    """Walks the tree; collects errors, and remembers which potentials were given in volts and which as numbers."""

    def __init__(self, tree: dict[str, Any]):
        self.tree = tree
        self.errors: list[str] = []
        self.volts: list[str] = []
        self.numbers: dict[str, tuple[float, str]] = {}
        self.unset: list[str] = []
        self.named: dict[tuple[str, str], Any] = {}

    # --- the whole ----------------------------------------------------------------------------------------------------
    def circuit(self) -> Circuit:
        """The circuit, once nothing has been complained about."""
        self.keys("", self.tree, ("name", "description", "defaults", *SECTIONS, *_LISTS))
        self.sections()
        self.defaults = self.table("defaults", self.tree.get("defaults", {}))
        self.keys("defaults", self.defaults, _DEFAULTS)
        parts = {
            "populations": self.rows("populations", self.population),
            "sources": self.rows("sources", self.source),
            "projections": self.rows("projections", self.projection),
            "rules": self.rows("rules", self.rule),
        }
        self.one_unit()
        if self.errors:
            raise _Broken
        texts = {key: self.tree.get(key, "") for key in ("name", "description")}
        try:
            return Circuit(**parts, **texts)
        except (TypeError, ValueError) as error:
            self.fail(str(error).removeprefix("Circuit."))

    def sections(self) -> None:
        """Read the named neurons, synapses, sensors and rules, used or not."""
        for section, slot in SECTIONS.items():
            for name in self.table(section, self.tree.get(section, {})):
                try:
                    self.component(section, name, slot)
                except _Broken:
                    continue

    def rows(self, name: str, read) -> list:
        """Every table of a list, without those that could not be read."""
        given = self.tree.get(name, [])
        if not isinstance(given, list):
            self.errors.append(f"{name}: must be a list of tables [[{name}]], got {_short(given)}.")
            return []
        out = []
        for i, row in enumerate(given):
            place = f"{name}[{i}]"
            try:
                out.append(read(place, self.table(place, row)))
            except _Broken:
                continue
        return out

    # --- rows ---------------------------------------------------------------------------------------------------------
    def population(self, place: str, row: Mapping[str, Any]) -> Population:
        """One [[populations]] table."""
        self.keys(place, row, ("name", "size", "neuron", "drive", "spread", "adaptation"), needed=("name", "neuron"))
        neuron = self.component(f"{place}.neuron", row["neuron"], SLOTS["neuron"])
        drive = self.value(f"{place}.drive", DRIVE, row.get("drive", 0))
        spread = self.component(f"{place}.spread", row.get("spread", {}), SLOTS["spread"])
        rest = _present(row, "size")
        if "adaptation" in row:
            rest["adaptation"] = self.component(f"{place}.adaptation", row["adaptation"], SLOTS["adaptation"])
        return self.make(place, Population, name=row["name"], neuron=neuron, drive=drive, spread=spread, **rest)

    def source(self, place: str, row: Mapping[str, Any]) -> Source | Volleys:
        """One [[sources]] table: a rate, or the times of volleys."""
        if "times" not in row:
            return self.make(place, Source, **self.values(place, Source, row))
        if not isinstance(row["times"], list):
            self.fail(f"{place}.times: must be a list of times, got {_short(row['times'])}.")
        times = [self.number(f"{place}.times[{i}]", t, "time", VOLLEY_TIME) for i, t in enumerate(row["times"])]
        rest = self.values(place, Volleys, row)
        return self.make(place, Volleys, **{**rest, "times": times})

    def projection(self, place: str, row: Mapping[str, Any]) -> Projection:
        """One [[projections]] table, completed by [defaults]."""
        added = {k: v for k, v in self.defaults.items() if k not in row}
        row = {**row, **added}
        wirings = (*_CONNECTIVITY, "all_to_all")
        known = ("source", "target", "weight", *wirings, *_DEFAULTS)
        self.keys(place, row, known, needed=("source", "target", "weight"))
        given = [key for key in wirings if key in row]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            self.fail(f"{place}: must have one of {', '.join(wirings[:-1])} and {wirings[-1]}, got {got}.")
        connectivity = self.connectivity(f"{place}.{given[0]}", given[0], row[given[0]])
        rest = {k: v for k, v in row.items() if k not in wirings}
        own = {"weight": weight_of(self.synapse_class(row.get("synapse")))}
        values = self.values(place, Projection, rest, added, own)
        return self.make(place, Projection, connectivity=connectivity, **values)

    def synapse_class(self, given: Any) -> type | None:
        """The class of a synapse, which says what the weight is; complaints come where it is read."""
        named = self.tree.get("synapses", {})
        table = named.get(given) if isinstance(given, str) and isinstance(named, dict) else given
        model = table.get("model") if isinstance(table, dict) else None
        return SLOTS["synapse"].models.get(model) if isinstance(model, str) else None

    def connectivity(self, place: str, key: str, value: Any) -> Connectivity:
        """What one of the keys of connectivity says."""
        if key in _CONNECTIVITY:
            about, wire = _CONNECTIVITY[key]
            return wire(self.number(place, value, "number", about))
        if value is not True:
            self.fail(f"{place}: must be true, got {_short(value)}. Leave it out where another connectivity is given.")
        return AllToAll()

    def rule(self, place: str, row: Mapping[str, Any]) -> AttachedRule | SlowRule:
        """One [[rules]] table: a calcium rule by its name, or a rule on slow variables with its `model`."""
        if "model" in row:
            return self.build(place, row, SLOW_RULES)
        self.keys(place, row, ("population", "rule", "scope"), needed=("population", "rule"))
        rule = self.component(f"{place}.rule", row["rule"], SLOTS["rule"])
        return self.make(place, AttachedRule, population=row["population"], rule=rule, **_present(row, "scope"))

    # --- parts --------------------------------------------------------------------------------------------------------
    def component(self, place: str, given: Any, slot: Slot) -> Any:
        """A neuron, synapse, sensor, rule or target: the name of one in its section, or a table of its own."""
        if not isinstance(given, str):
            return self.build(place, self.table(place, given), slot)
        known = self.table(slot.section, self.tree.get(slot.section, {})) if slot.section else {}
        if given not in known:
            where = f"a name in [{slot.section}] or a table" if slot.section else "a table"
            self.fail(f"{place}: must be {where}, got {given!r}.{suggest(given, known) if known else ''}")
        key = slot.section, given
        if key not in self.named:
            self.named[key] = None  # stays so if it is broken, or refers to itself
            inside = f"{slot.section}.{given}"
            self.named[key] = self.build(inside, self.table(inside, known[given]), slot)
        if self.named[key] is None:
            raise _Broken
        return self.named[key]

    def build(self, place: str, table: Mapping[str, Any], slot: Slot) -> Any:
        """The object a table describes."""
        cls = self.model(place, table, slot)
        rest = {k: v for k, v in table.items() if k != "model"}
        self.unset += [f"{place}.{name}" for name in potentials_with_default(cls) if name not in rest]
        return self.make(place, cls, **self.values(place, cls, rest))

    def model(self, place: str, table: Mapping[str, Any], slot: Slot) -> type:
        """The class a table names, or the one whose fields it fills where only that is possible."""
        models = slot.models
        if "model" in table:
            name = table["model"]
            if not isinstance(name, str) or name not in models:
                hint = suggest(str(name), models)
                self.fail(f"{place}.model: must be one of the known models, got {_short(name)}.{hint}")
            return models[name]
        fitting = slot.fitting(table)
        if len(slot.classes) > 1 and (slot.section or len(fitting) > 1):
            self.fail(f"{place}.model: must be given, one of {', '.join(models)}.")
        return fitting[0]

    def values(
        self,
        place: str,
        cls: type,
        table: Mapping[str, Any],
        defaults: Iterable[str] = (),
        own: Mapping[str, Field] | None = None,
    ) -> dict[str, Any]:
        """Checked values of the fields of a class; those among `defaults` stand in that table, `own` replace others."""
        known = {f.name: f for f in fields(cls)} | dict(own or {})
        self.keys(place, table, known, needed=[n for n, f in known.items() if required(f) and n != "connectivity"])
        out, broken = {}, False
        for name, value in table.items():
            try:
                where = "defaults" if name in defaults else place
                out[name] = self.value(f"{where}.{name}", known[name], value)
            except _Broken:
                broken = True
        if broken:
            raise _Broken
        return out

    def value(self, place: str, f, value: Any) -> Any:
        """One field: a quantity, a part, or something that its class checks."""
        slot = slot_of(f)
        kind = kind_of(f)
        if is_variable(f):
            return self.variable(place, value)
        if slot is not None and (kind == "plain" or isinstance(value, dict)):
            return self.component(place, value, slot)
        return value if kind == "plain" else self.number(place, value, kind, f.metadata["quantity"])

    def variable(self, place: str, value: Any) -> SlowVariable:
        """A slow variable in words."""
        try:
            return variable_of(str(value))
        except ValueError as error:
            self.fail(f"{place}: {error}")

    def number(self, place: str, value: Any, kind: str, about: Quantity) -> float:
        """A number with its unit, in SI; potentials may be plain numbers (of thresholds)."""
        if isinstance(value, str) and kind != "number":
            try:
                number = parse(value, kind)
            except ValueError as error:
                self.fail(f"{place}: {error}")
            if kind in (*IN_POTENTIALS, *IN_VOLTS):
                self.volts.append(place)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{place}: must be {'a number' if kind == 'number' else describe(kind)}, got {_short(value)}.")
        elif kind in ("number", *IN_POTENTIALS):
            number = float(value)
            if kind in IN_POTENTIALS and number != 0.0:
                self.numbers[place] = number, KINDS[kind][0]
        else:
            self.fail(f"{place}: must be {describe(kind)}, got {value!r}.{_with_unit(value, kind, about)}")
        try:
            return check(place, number, about)
        except ValueError as error:
            complaint = str(error).removeprefix(f"{place} ({about.meaning})").strip()
            self.fail(f"{place}: {complaint.split(' Did you mean')[0]}")

    def one_unit(self) -> None:
        """Potentials are all in volts or all in thresholds; a plain number among volts is a forgotten unit."""
        if not self.volts:
            return
        for place, (number, unit) in self.numbers.items():
            self.errors.append(
                f"{place}: must have a unit, as {self.volts[0]} has, got {number:g}. Did you mean '{number:g} {unit}'?"
            )
        for place in self.unset:
            self.errors.append(f"{place}: must be given, since potentials are in volts here ({self.volts[0]}).")

    # --- tools --------------------------------------------------------------------------------------------------------
    def fail(self, message: str) -> NoReturn:
        """Note an error and give up the part at hand."""
        self.errors.append(message)
        raise _Broken

    def table(self, place: str, given: Any) -> Mapping[str, Any]:
        """`given` if it is a table."""
        if not isinstance(given, dict):
            self.fail(f"{place}: must be a table, got {_short(given)}.")
        return given

    def keys(self, place: str, table: Mapping[str, Any], known: Iterable[str], needed: Iterable[str] = ()) -> None:
        """Complain about every unknown and every missing key."""
        known, dot = list(known), f"{place}." if place else ""
        unknown = [k for k in table if k not in known]
        self.errors += [f"{dot}{key}: unknown key.{suggest(key, known)}" for key in unknown]
        # A misspelt key is one error, not two.
        missing = [k for k in needed if k not in table and not difflib.get_close_matches(k, unknown, n=1)]
        self.errors += [f"{dot}{key}: must be given." for key in missing]
        if unknown or any(k not in table for k in needed):
            raise _Broken

    def make(self, place: str, cls: type, **values: Any) -> Any:
        """An object of the class; what it complains about is located here."""
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            self.fail(_located(place, cls, str(error)))


def _located(place: str, cls: type, complaint: str) -> str:
    """Turn "LIF.v_reset (reset potential) must ..." into "neurons.lif.v_reset: must ..."."""
    field = re.match(rf"{cls.__name__}\.(\w+)( \([^)]*\))?( of '\w+')?:? ", complaint)
    return f"{place}.{field[1]}: {complaint[field.end() :]}" if field else f"{place}: {complaint}"


def _present(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:56]} ..."


def _with_unit(value: float, kind: str, about: Quantity) -> str:
    """The number with the unit it probably lacks."""
    if not math.isfinite(value):
        return ""
    unit = about.unit if about.unit in KINDS[kind] else KINDS[kind][0]
    return f" Did you mean '{value:g} {unit}'?"
