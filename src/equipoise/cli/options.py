"""Options with units, and what several commands do with their arguments."""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from equipoise import units
from equipoise.quantities import suggest

TIME = {"s": 1.0, "ms": units.ms, "us": units.us, "min": units.minute, "h": units.hour, "day": units.day}
POTENTIAL = {"V": 1.0, "mV": units.mV, "uV": units.uV}
RATE = {"Hz": 1.0, "kHz": units.kHz}
CALCIUM = {"uM": 1.0, "nM": units.nM}
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s]*)\s*")


def parse_quantity(text: str, known: dict[str, float], default: str) -> float:
    """The SI value of a text such as "20 ms", "20ms" or "20" (then in the `default` unit); raises ValueError."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"must be a number with a unit such as '20 {default}', got {text!r}.")
    unit = match[2].replace("µ", "u").replace("μ", "u") or default
    if unit not in known:
        raise ValueError(f"has the unknown unit {match[2]!r}.{suggest(unit, known)}")
    return float(match[1]) * known[unit]


def parser_of(known: dict[str, float], default: str) -> Callable[[str | float], float]:
    """What turns the text of an option into SI; a bare number is in the `default` unit."""

    def parse(text: str | float) -> float:
        try:
            return parse_quantity(str(text), known, default)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    parse.__name__ = default
    return parse


in_ms, in_s, in_h, in_day = (parser_of(TIME, unit) for unit in ("ms", "s", "h", "day"))
in_mV, in_Hz, in_uM = parser_of(POTENTIAL, "mV"), parser_of(RATE, "Hz"), parser_of(CALCIUM, "uM")


def numbers_of(text: str) -> tuple[int, ...]:
    """The whole numbers of "100,1000"."""
    try:
        return tuple(int(part) for part in str(text).replace(" ", "").split(","))
    except ValueError:
        raise typer.BadParameter(f"must be whole numbers with commas such as '100,1000', got {text!r}.") from None


numbers_of.__name__ = "K,K,..."


def hours_of(text: str) -> tuple[float, ...]:
    """Times [s] from "3,12", in hours, or with units of their own; none of an empty text."""
    return tuple(parse_quantity(part, TIME, "h") for part in str(text).split(",") if part.strip())


hours_of.__name__ = "h,h,..."


def option(panel: str, text: str, name: str, parser: Callable | None = None, unit: str = ""):
    """An option of a panel of the help, with a unit where it has a parser."""
    more = {"parser": parser, "metavar": f"<{unit}>"} if parser else {}
    return typer.Option(name, help=text, rich_help_panel=panel, **more)


def must_be_writable(out: Path) -> None:
    """Find out before the work, not after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ValueError(f"--out must be a directory that can be written to, got {str(out)!r} ({why}).") from None


@contextmanager
def errors(debug: bool) -> Iterator[None]:
    """Turn the package's errors into one line on stderr and exit code 2, unless `debug` asks for the traceback."""
    from equipoise.results import NumericalFailure

    try:
        yield
    except (ValueError, TypeError, OSError, MemoryError, NumericalFailure) as error:
        if debug:
            raise
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say what was wrong and end with exit code 2."""
    print(f"equipoise: {message}", file=sys.stderr)
    raise typer.Exit(2)
