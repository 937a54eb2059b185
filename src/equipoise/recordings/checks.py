"""From what a source says to a Recording: names, order, window, plausible rates, epochs, types of cells."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise import units as unit_values
from equipoise.quantities import Array, suggest
from equipoise.recordings.raw import Raw, refuse
from equipoise.results import Epoch, Recording, SpikeTrains, first_fault

MAX_RATE = 1000.0  # Hz; no neuron fires faster for long, so that a higher mean rate is a forgotten unit
FAR = 10.0  # an epoch that ends later than this many times the last spike is a forgotten unit
MIN_INTERVAL = 0.5  # s; a recording without any shorter interval is taken to have a forgotten unit too

_TIME_UNITS = ("s", "second", "ms", "us", "minute", "hour")
_EXCITATORY = re.compile(r"e|exc|pe|.*(pyr|excit|princip|glut).*")
_INHIBITORY = re.compile(r"i|inh|int|pi|fs|pv|pvalb|sst|som|vip|.*(interneuron|inhib|gaba|fast.?spik).*")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the caller of `load` said about any source."""

    time_unit: str | float = "s"
    t_start: float | None = None
    t_stop: float | None = None
    units: Sequence[str] | None = None
    epochs: Sequence[Epoch] | None = None
    check_units: bool = True


def checked(raw: Raw, wishes: Wishes) -> Recording:
    """The recording that a source describes, or the reason why it describes none."""
    times, offsets, names = _laid_out(raw, wishes.units)
    _in_order(raw, times, offsets, names)
    ticks = _ticks_per_second(raw, wishes.time_unit)
    if ticks != 1.0:
        times = times / ticks
    epochs = tuple(wishes.epochs) if wishes.epochs is not None else raw.epochs
    raw.spans = raw.spans or tuple((s.t_start, s.t_stop) for s in raw.signals.values())
    start, stop = _window(raw, times, offsets, epochs, (wishes.t_start, wishes.t_stop))
    spikes = SpikeTrains.by_unit(times, offsets, t_start=start, t_stop=stop)
    if wishes.check_units and not raw.trusted:
        _plausible(raw.source, times, offsets, names, stop - start)
    epochs = _checked_epochs(raw.source, epochs or (Epoch("all", start, stop),), start, stop)
    return Recording(spikes, names, epochs, raw.source, _typed(raw.labels), raw.signals)


def _laid_out(raw: Raw, units: Sequence[str] | None) -> tuple[Array, NDArray[np.int64], tuple[str, ...]]:
    """Times unit after unit, where each unit begins, and the names of all units."""
    if raw.offsets is not None:
        names = tuple(str(name) for name in (() if raw.names is None else raw.names))
        _different(raw.source, names)
        return raw.times, raw.offsets, names if units is None else _renamed(raw, names, units)
    unit = np.zeros(0, np.int64) if raw.unit is None else raw.unit
    if unit.shape != raw.times.shape:
        raise refuse(raw.source, f": every spike needs a unit, got {raw.times.size} times and {unit.size} units.")
    found, index = np.unique(unit, return_inverse=True)
    names = _given_names(raw, found, units) if units is not None else found if raw.names is None else raw.names
    position = {str(name): i for i, name in enumerate(names)}
    names = tuple(str(name) for name in names)
    _different(raw.source, names)
    if not names and not raw.signals:
        raise refuse(raw.source, "holds no spikes; name its units with units=[...].")
    lookup = np.array([position[str(name)] for name in found], dtype=np.int64)
    grouped, offsets = np.empty(raw.times.size), np.zeros(len(names) + 1, np.int64)
    if names:
        _core.group_by_unit(raw.times, lookup[index.ravel()] if lookup.size else index, grouped, offsets)
    return grouped, offsets, names


def _different(source: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise refuse(source, f": unit names must differ, got {', '.join(twice[:10])} more than once.")


def _renamed(raw: Raw, names: Sequence[str], units: Sequence[str]) -> tuple[str, ...]:
    """A source that lists its units can be loaded whole only: `units` must name the same ones."""
    if tuple(map(str, units)) != tuple(names):
        raise refuse(raw.source, f": it names its units itself ({', '.join(names[:10])}, ...); leave out units=[...].")
    return tuple(names)


def _given_names(raw: Raw, found: NDArray, units: Sequence[str]) -> NDArray:
    given = [str(name) for name in units]
    for name in found:
        if str(name) not in given:
            raise refuse(raw.source, f": unit {str(name)!r} is not in units.{suggest(str(name), given)}")
    known = [str(n) for n in (found if raw.names is None else raw.names)]
    for key, values in raw.labels.items():
        label = dict(zip(known, values, strict=True))
        raw.labels = {**raw.labels, key: tuple(label.get(name, "") for name in given)}
    return np.array(given, dtype=str)


def _in_order(raw: Raw, times: Array, offsets: NDArray[np.int64], names: Sequence[str]) -> None:
    """The spikes of one unit must be in order, since disorder there is damage, not layout."""
    at = first_fault(times, offsets)
    if at is None:
        return
    name = names[int(np.searchsorted(offsets, at, side="right")) - 1]
    place = _place(raw, at)
    if not np.isfinite(times[at]):
        raise refuse(raw.source, f", {place}: times must be finite, got {times[at]} in unit {name}.")
    raise refuse(
        raw.source,
        f", {place}: the times of a unit must be sorted, unit {name} goes back to {times[at]:g}. "
        "Sort the file, or check that two recordings are not joined.",
    )


def _place(raw: Raw, at: int) -> str:
    """Where in the source a spike of the layout by unit stands."""
    if raw.offsets is None and raw.unit is not None:
        position = {str(n): i for i, n in enumerate(np.unique(raw.unit) if raw.names is None else raw.names)}
        at = int(np.argsort([position[str(u)] for u in raw.unit], kind="stable")[at])
    return f"spike {at}" if raw.lines is None else f"line {raw.lines[at]}"


def _ticks_per_second(raw: Raw, time_unit: str | float) -> float:
    if isinstance(time_unit, str):
        if time_unit not in _TIME_UNITS:
            raise ValueError(f"recordings.load: unknown time_unit {time_unit!r}.{suggest(time_unit, _TIME_UNITS)}")
        ticks = 1.0 if time_unit == "s" else 1.0 / getattr(unit_values, time_unit)
    elif not (np.isfinite(time_unit) and time_unit > 0):
        raise ValueError(f"recordings.load: time_unit must be a name or the seconds per tick (> 0), got {time_unit}.")
    else:
        ticks = 1.0 / float(time_unit)
    if raw.seconds and ticks != 1.0:
        raise refuse(raw.source, f": its times are in s by its format, so that time_unit={time_unit!r} does not apply.")
    return ticks if raw.fs is None else raw.fs


def _window(
    raw: Raw, times: Array, offsets: NDArray[np.int64], epochs: Sequence[Epoch], given: tuple
) -> tuple[float, float]:
    """The window: as given, else the source's, else around its epochs and signals, else [0, last spike]."""
    start, stop = (a if a is not None else b for a, b in zip(given, raw.window, strict=True))
    filled = np.diff(offsets) > 0
    first = float(times[offsets[:-1][filled]].min(initial=np.inf))
    last = float(times[offsets[1:][filled] - 1].max(initial=-np.inf))
    spans = [*raw.spans, *((e.start, e.stop) for e in epochs)]
    if stop is None and not raw.signals:
        _within_reach(raw.source, epochs, last)
    zero = [] if offsets.size == 1 and spans else [0.0]  # signals alone begin where they begin
    start = float(min([*zero, *(a for a, _ in spans)]) if start is None else start)
    stop = float(max([last, *(b for _, b in spans)]) if stop is None else stop)
    if not np.isfinite(stop) or not stop > start:
        raise refuse(
            raw.source,
            f": the window must have a length, got {start:g} to {stop:g} s. Give t_start and t_stop in s.",
        )
    if first < start:
        raise refuse(
            raw.source,
            f": times must not lie before t_start={start:g} s, got {first:g} s. "
            "If the clock starts earlier, give t_start.",
        )
    if last > stop:
        raise refuse(
            raw.source,
            f": times must lie in [{start:g}, {stop:g}] s, got {last:g} s. Give t_stop, or the time_unit of the file.",
        )
    return start, stop


def _within_reach(source: str, epochs: Sequence[Epoch], last: float) -> None:
    """Without a stated end, epochs far past the last spike are taken for a mistake, not for silence."""
    for e in epochs:
        if np.isfinite(last) and (e.start >= last or e.stop > FAR * last):
            raise refuse(
                source,
                f": epoch {e.name!r} goes from {e.start:g} to {e.stop:g} s, but the last spike is at {last:g} s. "
                "Give the epoch in s, or t_stop if the recording went on in silence.",
            )


def _plausible(source: str, times: Array, offsets: NDArray[np.int64], names: Sequence[str], duration: float) -> None:
    """Refuse rates that no recording has; they are a forgotten unit of time."""
    counts = np.diff(offsets)
    rates = counts / duration
    fast = int(np.argmax(rates)) if rates.size else 0
    if rates.size and rates[fast] > MAX_RATE:
        raise refuse(
            source,
            f": unit {names[fast]} would fire at {rates[fast]:g} Hz over {duration:g} s. Is time_unit too small, or "
            "the window given in other units? (check_units=False accepts it.)",
        )
    short = np.zeros(counts.size, np.int64)
    _core.count_short_intervals(times, offsets, MIN_INTERVAL, short)
    intervals = np.maximum(counts - 1, 0).sum()
    if intervals >= 100 and short.sum() <= 0.01 * intervals:
        whole = not np.mod(times[:100_000], 1.0).any()
        hint = "sample numbers (time_unit=1/fs) or ms (time_unit='ms')" if whole else "ms (time_unit='ms')"
        raise refuse(
            source,
            f": hardly an interval between spikes is below {MIN_INTERVAL:g} s and the recording would last "
            f"{duration:g} s. Are the times {hint}? (check_units=False accepts it.)",
        )


def _checked_epochs(source: str, epochs: Sequence[Epoch], start: float, stop: float) -> tuple[Epoch, ...]:
    for e in epochs:
        if not start <= e.start < e.stop <= stop:
            raise refuse(
                source,
                f": epoch {e.name!r} must lie in [{start:g}, {stop:g}] s with start before stop, got {e.start:g} to "
                f"{e.stop:g} s.",
            )
    if len({e.name for e in epochs}) != len(epochs):
        names = ", ".join(repr(e.name) for e in epochs)
        raise refuse(source, f": epochs must have different names, got {names}.")
    return tuple(epochs)


def _typed(labels: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Labels of which "type" is E, I or empty; the words that stood there are kept as "cell_type"."""
    said = labels.get("type", labels.get("cell_type"))
    if said is None:
        return dict(labels)
    types = tuple(cell_type(word) for word in said)
    return dict(labels) | {"type": types} | ({} if types == said else {"cell_type": said})


def cell_type(word: str) -> str:
    """E or I for a word such as "pyramidal" or "PV interneuron", empty for one that does not say."""
    word = word.strip().lower()
    return "I" if _INHIBITORY.fullmatch(word) else "E" if _EXCITATORY.fullmatch(word) else ""
