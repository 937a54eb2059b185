"""Quantities as text, "10 ms": exact in both directions.

The number and the unit are multiplied as decimals and rounded once, so that any float written in a unit of
`equipoise.units` is read back as the same float.
"""

import re
from decimal import Context, Decimal

from equipoise import units
from equipoise.quantities import suggest

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d].*?)\s*")
_ARITHMETIC = Context(prec=60)

# What a kind of quantity may be written in, the preferred unit first; None marks what may be a plain number too.
KINDS: dict[str, tuple[str, ...]] = {
    "time": ("ms", "us", "second", "minute", "hour", "day"),
    "rate": ("Hz", "kHz"),
    "voltage": ("mV", "uV", "V"),
    "conductance": ("nS", "uS", "siemens"),
    "capacitance": ("pF", "nF", "uF", "farad"),
    "potential": ("mV", "uV", "V"),
    "potential per second": ("mV/s", "uV/s", "V/s"),
    "concentration": ("uM", "nM"),
    "squared concentration": ("uM^2", "nM^2"),
}
_ALIASES = {
    "s": "second", "min": "minute", "h": "hour", "µs": "us", "µV": "uV", "µV/s": "uV/s", "µM": "uM", "µM^2": "uM^2",
    "µS": "uS", "S": "siemens", "µF": "uF", "F": "farad",
}  # fmt: skip


def scale_of(unit: str) -> Decimal:
    """The SI value of a unit as a decimal; "nM^2" is a power, "mV/s" a speed."""
    base, _, power = unit.removesuffix("/s").partition("^")
    return Decimal(repr(float(getattr(units, base)))) ** int(power or 1)


def parse(text: str, kind: str) -> float:
    """The SI value of "10 ms"; raises ValueError that says what a quantity of this `kind` looks like."""
    known = KINDS[kind]
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"must be {describe(kind)}, got {text!r}.")
    number, unit = match.groups()
    unit = unit.replace("μ", "µ")  # the Greek letter for the micro sign
    unit = _ALIASES.get(unit, unit)
    if unit not in known:
        raise ValueError(f"must be {describe(kind)}, got unit {unit!r} in {text!r}.{suggest(unit, known)}")
    return float(_ARITHMETIC.multiply(Decimal(number), scale_of(unit)))


def write(value: float, unit: str, kind: str) -> str:
    """A float as text in `unit` if that reads back exactly, else in the first unit of its kind that does."""
    for name in (unit, *(u for u in KINDS[kind] if u != unit)):
        number = _ARITHMETIC.divide(Decimal(repr(value)), scale_of(name))
        text = f"{_plain(number)} {name}"
        if len(text) < 40 and parse(text, kind) == value:
            return text
    raise AssertionError(f"no unit of {kind} writes {value!r}")  # the SI unit always does


def describe(kind: str) -> str:
    """What a quantity looks like, for messages: a time such as "10 ms"."""
    return f'a {kind} such as "10 {KINDS[kind][0]}"'


def _plain(number: Decimal) -> str:
    number = number.normalize(_ARITHMETIC)
    return format(number, "f") if -7 < number.adjusted() < 16 else str(number)
