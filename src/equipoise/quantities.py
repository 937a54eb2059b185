"""What a parameter is: meaning, unit, plausible range; and the one place where bad input becomes a clear message.

A frozen dataclass declares its fields with `quantity` and calls `check_fields(self)` in ``__post_init__``. Arrays
given to functions go through `finite`. A value out of range is usually a forgotten unit, so the message tries the unit
on it.
"""

import difflib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import units

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quantity:
    """Meaning, unit and allowed range of a parameter; `unit` is a name of `equipoise.units` or free text.

    `also`: classes whose objects may stand in place of the number.
    """

    meaning: str
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    open_low: bool = False
    symbol: str = ""
    also: tuple[type, ...] = ()

    @property
    def scale(self) -> float:
        """SI value of one `unit`; 1 for units that are not in `equipoise.units`."""
        return getattr(units, self.unit, 1.0) if self.unit else 1.0

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        above = value > self.low if self.open_low else value >= self.low
        return bool(above and value <= self.high and np.isfinite(value))

    def range_text(self) -> str:
        """The range as words, in the quantity's own unit."""
        unit = f" {self.unit}" if self.unit else ""
        low, high = self.low / self.scale, self.high / self.scale
        if np.isinf(low) and np.isinf(high):
            return "must be finite"
        if np.isinf(high):
            return f"must be {'above' if self.open_low else 'at least'} {low:g}{unit}"
        if np.isinf(low):
            return f"must be at most {high:g}{unit}"
        return f"must lie in {'(' if self.open_low else '['}{low:g}, {high:g}]{unit}"


def quantity(
    meaning: str,
    *,
    default: Any = MISSING,
    unit: str = "",
    low: float = -np.inf,
    high: float = np.inf,
    open_low: bool = False,
    symbol: str = "",
    also: tuple[type, ...] = (),
) -> Any:
    """Declare a dataclass field that knows its meaning, unit and plausible range (all in SI)."""
    about = Quantity(meaning, unit, low, high, open_low, symbol, also)
    return field(default=default, metadata={"quantity": about})


def check_fields(owner: Any) -> None:
    """Check every `quantity` field of a dataclass instance; raises TypeError or ValueError that names the field.

    A field whose default is None may be left out.
    """
    for f in fields(owner):
        about = f.metadata.get("quantity")
        given = getattr(owner, f.name)
        left_out = f.default is None and given is None
        if about is not None and not left_out and not isinstance(given, about.also):
            number = check(type(owner).__name__ + "." + f.name, getattr(owner, f.name), about)
            object.__setattr__(owner, f.name, number)


def check(name: str, value: Any, about: Quantity) -> float:
    """Return `value` as a float if it fits `about`; raises TypeError or ValueError with a suggestion."""
    label = f"{name} ({about.meaning})"
    try:
        if isinstance(value, str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        wanted = " or ".join(["a number", *(kind.__name__ for kind in about.also)])
        raise TypeError(f"{label} must be {wanted}, got {value!r}.") from None
    if about.holds(number):
        return number
    unit = f" {about.unit}" if about.unit else ""
    message = f"{label} {about.range_text()}, got {number / about.scale:g}{unit}."
    if about.scale != 1.0 and about.holds(number * about.scale):
        message += f" Did you mean {name.rsplit('.', 1)[-1]}={number:g} * {about.unit}?"
    raise ValueError(message)


def finite(function: str, name: str, value: ArrayLike, *, low: float = -np.inf, open_low: bool = False) -> Array:
    """Return `value` as a float64 array of finite numbers above `low`; the error names function, argument and place."""
    try:
        given = np.asarray(value)
        array = given.astype(np.float64) if given.dtype.kind in "biuf" or given.size == 0 else _numbers(given)
    except (TypeError, ValueError):
        raise TypeError(f"{function}: {name} must be a number or an array of numbers, got {value!r}.") from None
    if not np.isfinite(array).all() or (low > -np.inf and (array <= low if open_low else array < low).any()):
        bad = ~np.isfinite(array) | (array <= low if open_low else array < low)
        wanted = "finite" if np.isinf(low) else f"finite and {'above' if open_low else 'at least'} {low:g}"
        where = "" if array.ndim == 0 else f" at index {tuple(int(i) for i in np.argwhere(bad)[0])}"
        raise ValueError(f"{function}: {name} must be {wanted}, got {array[bad][0]:g}{where}.")
    return array


def _numbers(given: NDArray[Any]) -> Array:
    """Numbers kept as objects (such as None, which becomes NaN) as float64; text and complex numbers are none."""
    if given.dtype.kind != "O" or any(isinstance(x, str) for x in given.flat):
        raise TypeError
    return given.astype(np.float64)


def whole(label: str, value: Any, *, low: int = 0, high: float = np.inf) -> int:
    """Return `value` as an int between `low` and `high`; TypeError or ValueError that says what `label` must be."""
    wanted = f"a whole number of at least {low}" if np.isinf(high) else f"a whole number in [{low}, {high:,}]"
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{label} must be {wanted}, got {value!r}.")
    if not (np.isfinite(value) and value == int(value) and low <= value <= high):
        raise ValueError(f"{label} must be {wanted}, got {value:,}.")
    return int(value)


def together(function: str, **arrays: Array) -> tuple[Array, ...]:
    """Broadcast arrays against each other; the error names function and shapes."""
    if len({array.shape for array in arrays.values()}) == 1:
        return tuple(arrays.values())
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        got = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(
            f"{function}: {' and '.join(arrays)} must have shapes that broadcast, got {got}. "
            "Use x[:, None] to combine every x with every y."
        ) from None


def steps_of(owner: str, name: str, time: float, dt: float, *, of: str = "dt") -> int:
    """A time [s] as a number of steps dt [s]; ValueError with the nearest one where it is none."""
    steps, ms = round(time / dt), units.ms
    if abs(time / dt - steps) > 1e-6 * max(1, steps):
        raise ValueError(
            f"{owner}: {name} must be a multiple of {of}={dt / ms:g} ms, got {time / ms:g} ms. "
            f"Take {steps * dt / ms:g} ms{'' if of != 'dt' else ', or another dt'}."
        )
    return steps


def seed_sequence(seed: Any) -> np.random.SeedSequence:
    """The SeedSequence of an integer of at least 0, or the one given; TypeError or ValueError for anything else."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer or a numpy SeedSequence, got {seed!r}. Use seed=1, for example.")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}.")
    return np.random.SeedSequence(int(seed))


def suggest(name: str, known: Iterable[str]) -> str:
    """A sentence "Did you mean ...?" for a misspelt name, with the known names behind it."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(known)}."
