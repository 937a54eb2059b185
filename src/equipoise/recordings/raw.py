"""What every reader shares: what a source says before it is checked, and how it is refused."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array, suggest
from equipoise.results import Epoch, Signals

LABELS = ("region", "type", "population")
"""Texts of units that a file may hold without saying so in its header."""


class Refused(ValueError):
    """A recording that is not read, with the place and the reason."""


def refuse(source: str, reason: str) -> Refused:
    """The error for a source that is not read."""
    return Refused(f"recordings.load: {source}{reason if reason[:1] in ':,' else ' ' + reason}")


@dataclass(kw_only=True)
class Raw:
    """What a source says, before checking.

    `times` (n_spikes,) in the source's unit; `unit` (n_spikes,) names the unit of each, or `offsets` (n_units + 1,)
    say where each of the units `names` begins. `fs` [Hz] where times are samples; `seconds` where the format fixes the
    unit of time. `lines` are the places of spikes in a table, `spans` [s] what signals cover that are not read yet.
    """

    source: str
    times: Array = field(default_factory=lambda: np.empty(0))
    unit: NDArray | None = None
    offsets: NDArray[np.int64] | None = None
    names: NDArray | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    epochs: tuple[Epoch, ...] = ()
    signals: Mapping[str, Signals] = field(default_factory=dict)
    spans: tuple[tuple[float, float], ...] = ()
    window: tuple[float | None, float | None] = (None, None)
    fs: float | None = None
    seconds: bool = False
    trusted: bool = False
    lines: NDArray | None = None


class OnDemand(Mapping[str, Signals]):
    """Signals that are read from their file when somebody asks for them, and then kept."""

    def __init__(self, readers: Mapping[str, Callable[[], Signals]]):
        self._readers = dict(readers)
        self._read: dict[str, Signals] = {}

    def __getitem__(self, name: str) -> Signals:
        if name not in self._read:
            self._read[name] = self._readers[name]()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@contextmanager
def reading(source: str, what: str) -> Iterator[None]:
    """Whatever a parser of somebody else's raises on a damaged file leaves as a refusal that says `what` is broken.

    Parsers of binary formats raise nearly anything on damage; our own refusals and missing packages pass.
    """
    try:
        yield
    except (Refused, ImportError, FileNotFoundError):
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "no more is known"
        raise refuse(source, f"is no readable {what}: {type(error).__name__}: {said[:200]}") from error


def package(name: str, extra: str, purpose: str) -> Any:
    """An optional package, or ImportError that names the extra which brings it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        top = name.partition(".")[0]
        raise ImportError(
            f"recordings: {purpose} needs {top}, which is not installed. Use pip install 'equipoise[{extra}]'."
        ) from None


def known_names(source: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse a name that nobody reads: it may be a misspelt one that is needed."""
    known = set(known)
    for name in names:
        if name not in known:
            raise refuse(source, f": unknown {what} {name!r}.{suggest(name, known)} Rename or remove it.")


def need(source: str, names: Iterable[str], wanted: Sequence[str], what: str) -> None:
    """Refuse a source without one of the wanted parts."""
    names = list(names)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise refuse(source, f"has no {what} {missing[0]!r}; it has {', '.join(names) or 'none'}.")


def numbers(source: str, name: str, array: NDArray) -> Array:
    """A 1-D array of numbers as float64."""
    if array.dtype.kind not in "iuf" or array.ndim != 1:
        raise refuse(source, f": {name} must be a 1-D array of numbers, got {array.dtype} {array.shape}.")
    return array.astype(np.float64, copy=False)


def one_number(source: str, name: str, value: NDArray) -> float:
    """A single finite number."""
    if value.dtype.kind not in "iuf" or value.size != 1 or not np.isfinite(value).all():
        raise refuse(source, f": {name} must be one finite number, got {value.tolist()!r}.")
    return float(value.item())


def positive(source: str, name: str, value: NDArray) -> float:
    """A single positive number [Hz]."""
    number = one_number(source, name, value)
    if not number > 0:
        raise refuse(source, f": {name} must be one positive number (Hz), got {number:g}.")
    return number


def integers(source: str, name: str, array: NDArray, high: int) -> NDArray[np.int64]:
    """A 1-D array of integers in [0, high]."""
    fits = array.ndim == 1 and array.dtype.kind in "iu"
    if not fits or (array.size and (array.min() < 0 or array.max() > high)):
        got = f"{array.dtype} {array.shape}"
        got += f" from {array.min()} to {array.max()}" if array.dtype.kind in "iuf" and array.size else ""
        raise refuse(source, f": {name} must hold integers in [0, {high}], got {got}.")
    return array.astype(np.int64, copy=False)


def even_rate(source: str, name: str, times: Array) -> float:
    """The sampling rate [Hz] of evenly spaced times [s]; refuses gaps."""
    steps = np.diff(times)
    if not times.size > 1 or not np.isfinite(times).all() or not (steps > 0).all():
        raise refuse(source, f": the sample times of {name} must be two or more, finite and rising.")
    step = float(np.median(steps))
    off = int(np.argmax(np.abs(steps - step)))
    if abs(steps[off] - step) > 0.01 * step:
        raise refuse(
            source,
            f": the samples of {name} must be evenly spaced, got a step of {steps[off]:g} s after {times[off]:g} s "
            f"among steps of {step:g} s. Cut the recording at its gaps.",
        )
    # Times in binary are rounded: 1000.0000000001 Hz is 1000 Hz.
    rate = steps.size / (times[-1] - times[0])
    return float(round(rate)) if abs(rate - round(rate)) < 1e-6 * rate and round(rate) else float(rate)


_VOLTS = {"V": 1.0, "volt": 1.0, "volts": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "μV": 1e-6, "nV": 1e-9}


def in_volts(unit: str) -> tuple[float, str]:
    """The factor to V and "V" for a unit of potential; 1 and the unit itself for any other."""
    return (_VOLTS[unit], "V") if unit in _VOLTS else (1.0, unit)


def differing(names: Iterable[str]) -> tuple[str, ...]:
    """Names of which each stands once: a second "sleep" becomes "sleep 2"."""
    seen: dict[str, int] = {}
    out: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(out) if len(set(out)) == len(out) else tuple(f"{name} ({i})" for i, name in enumerate(out))


def epochs_of(names: Iterable[Any], starts: Iterable[Any], stops: Iterable[Any]) -> tuple[Epoch, ...]:
    """Epochs from three columns of one length without instants, those of equal names told apart by number."""
    rows = [(str(name), float(a), float(b)) for name, a, b in zip(names, starts, stops, strict=True) if a != b]
    return tuple(Epoch(name, a, b) for name, (_, a, b) in zip(differing(row[0] for row in rows), rows, strict=True))
