"""Recorded spikes from files: `load`, the shipped `example`, and a digest that identifies a recording.

Two kinds of file are read.

`.npz` holds `times` and `unit` (n_spikes,), or `sample`, `unit` and `fs`; optional are `unit_names`, the per-unit
labels `region` and `type`, the window `t_start`, `t_stop`, and epochs as `epoch`, `epoch_start`, `epoch_stop`.

`.csv` (also `.tsv`, `.txt`) has a header line with the columns `time`, `unit` and, if wanted, `type` or `region`.

Spikes may be ordered by time or unit after unit; within a unit they must be sorted. Units that a file names survive
without spikes.
"""

import csv
import difflib
import hashlib
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise import units as unit_values
from equipoise.quantities import Array, suggest
from equipoise.results import Epoch, Recording, SpikeTrains

MAX_RATE = 1000.0  # Hz; no neuron fires faster for long, so that a higher mean rate is a forgotten unit
FAR = 10.0  # an epoch that ends later than this many times the last spike is a forgotten unit
MIN_INTERVAL = 0.5  # s; a recording without any shorter interval is taken to have a forgotten unit too

_TIME_UNITS = ("s", "second", "ms", "us", "minute", "hour")
_LABELS = ("region", "type")
_NPZ_NAMES = {"times", "time", "sample", "fs", "unit", "unit_names", "t_start", "t_stop"}
_NPZ_NAMES |= {"epoch", "epoch_start", "epoch_stop", *_LABELS}


@dataclass(kw_only=True)
class _Raw:
    """What a file says, before checking: times [file's unit], unit of each spike, names of all units."""

    times: Array
    unit: NDArray
    names: NDArray | None = None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    epochs: tuple[Epoch, ...] = ()
    fs: float | None = None
    window: tuple[float | None, float | None] = (None, None)
    lines: NDArray | None = None


def load(
    path: str | Path,
    *,
    time_unit: str | float = "s",
    t_start: float | None = None,
    t_stop: float | None = None,
    units: Sequence[str] | None = None,
    epochs: Sequence[Epoch] | None = None,
    check_units: bool = True,
) -> Recording:
    """Read a recording from `.npz` or `.csv`.

    `time_unit` is "s", "ms", "us", "minute", "hour", or the seconds per tick, such as 1/20000 for samples at 20 kHz;
    a file with `sample` and `fs` brings its own. The window defaults to the file's, else to [0, last spike] s, wider if
    epochs reach further; give `t_stop` if the recording went on. `units` names all units, silent ones included.
    `epochs` replaces the file's.
    Raises FileNotFoundError or ValueError that says what is wrong and what to do; `check_units=False` accepts rates
    that look like a forgotten unit.
    """
    path = Path(path)
    raw = _read(path)
    names, index = _index(path, raw, units)
    times, order = _sorted(path, raw, index, names)
    times = times / (_ticks_per_second(time_unit) if raw.fs is None else raw.fs)
    epochs = tuple(epochs) if epochs is not None else raw.epochs
    start, stop = _window(path, times, epochs, (t_start, t_stop), raw.window)
    spikes = SpikeTrains(times, index[order], len(names), start, stop)
    if check_units:
        _plausible(path, spikes, names)
    epochs = _checked_epochs(path, epochs or (Epoch("all", start, stop),), start, stop)
    return Recording(spikes, tuple(str(n) for n in names), epochs, path.name, raw.labels)


def example(**options: Any) -> Recording:
    """The recording shipped with the package: 15 units of a mouse, 600 s asleep and 600 s awake (see data/README.md).

    Options as for `load`; the recording ends at 1200 s.

    >>> from equipoise import recordings
    >>> recordings.example()
    Recording(a2929_spikes.npz: SpikeTrains(15 units, 98794 spikes, 0 to 1200 s); epochs: sleep 600 s, wake 600 s)
    """
    with resources.as_file(resources.files("equipoise") / "data" / "a2929_spikes.npz") as path:
        window: dict[str, Any] = {"t_stop": 1200.0}
        return load(path, **(window | options))


def digest(recording: Recording) -> str:
    """SHA-256 of spikes, units, window and epochs, whatever file they came from."""
    spikes = recording.spikes
    sha = hashlib.sha256()
    for array in (spikes.times, spikes.units):
        sha.update(np.ascontiguousarray(array).tobytes())
    facts = (spikes.n_units, spikes.t_start, spikes.t_stop, recording.unit_names, recording.epochs)
    sha.update(repr(facts).encode())
    return sha.hexdigest()


def _read(path: Path) -> _Raw:
    if not path.is_file():
        raise FileNotFoundError(_missing(path))
    kind = path.suffix.lower()
    if kind == ".npz":
        return _read_npz(path)
    if kind in (".csv", ".tsv", ".txt"):
        return _read_csv(path)
    raise ValueError(f"recordings.load: {path.name} must end in .npz or .csv, got {path.suffix or 'no suffix'!r}.")


def _missing(path: Path) -> str:
    if path.is_dir():
        return f"recordings.load: {path} is a directory; give the recording in it."
    if not path.parent.is_dir():
        return f"recordings.load: {path} does not exist, and neither does its directory."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir() if p.is_file()], n=1)
    return f"recordings.load: {path} does not exist." + (f" Did you mean {near[0]!r}?" if near else "")


def _read_npz(path: Path) -> _Raw:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            data = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
        raise ValueError(
            f"recordings.load: {path.name} is no readable .npz file of plain arrays: it is damaged or cut short, not "
            "written by numpy.savez, or holds Python objects, which are never loaded."
        ) from None
    _known_names(path, data, _NPZ_NAMES, "array")
    where = "sample" if "sample" in data else "times" if "times" in data else "time"
    _need(path, data, ("unit", where if where != "time" else "times"), "array")
    if where == "sample":
        _need(path, data, ("fs",), "array")
    raw = _Raw(times=_numbers(path, where, data[where]), unit=data["unit"])
    if where == "sample":
        raw.fs = _positive(path, "fs", data["fs"])
    raw.labels = {key: tuple(str(v) for v in data[key]) for key in _LABELS if key in data}
    raw.names = _names(path, raw, data)
    raw.epochs = _epochs(path, data)
    start, stop = (_one_number(path, key, data[key]) if key in data else None for key in ("t_start", "t_stop"))
    raw.window = (start, stop)
    return raw


def _names(path: Path, raw: _Raw, data: Mapping[str, NDArray]) -> NDArray | None:
    """Names of all units: given, or counted by a label, in which case `unit` is an index."""
    names = data.get("unit_names")
    for key, values in raw.labels.items():
        names = np.arange(len(values)) if names is None else names
        if len(values) != len(names):
            raise ValueError(
                f"recordings.load: {path.name}: {key} must have one entry per unit, {len(names)}, got {len(values)}."
            )
    if names is None:
        return None
    unit = raw.unit
    if unit.dtype.kind not in "iu" or (unit.size and (unit.min() < 0 or unit.max() >= len(names))):
        raise ValueError(
            f"recordings.load: {path.name}: unit must hold integers in [0, {len(names) - 1}], one for each name, "
            f"got {unit.dtype} from {unit.min()} to {unit.max()}."
        )
    raw.unit = np.asarray(names)[unit]
    return np.asarray(names)


def _epochs(path: Path, data: Mapping[str, NDArray]) -> tuple[Epoch, ...]:
    keys = ("epoch", "epoch_start", "epoch_stop")
    if not any(key in data for key in keys):
        return ()
    _need(path, data, keys, "array")
    if len({data[key].shape for key in keys}) != 1:
        raise ValueError(f"recordings.load: {path.name}: {', '.join(keys)} must have one length.")
    return tuple(Epoch(str(n), float(a), float(b)) for n, a, b in zip(*(data[key] for key in keys), strict=True))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"recordings.load: {path.name} must be plain text in UTF-8, got the byte 0x{error.object[error.start]:02x} "
            f"at {error.start}. Save it as CSV in UTF-8."
        ) from None


def _header(path: Path, line: str, delimiter: str) -> list[str]:
    """The column names, which must be known and complete."""
    columns = [name.strip() for name in line.split(delimiter)]
    if columns == [""] or re.fullmatch(r"[-+.\d]*", columns[0]):
        raise ValueError(
            f"recordings.load: {path.name}: the first line must name the columns, such as 'time,unit', got {line!r}."
        )
    _known_names(path, columns, {"time", "unit", *_LABELS}, "column")
    _need(path, columns, ("time", "unit"), "column")
    if len(set(columns)) != len(columns):
        raise ValueError(f"recordings.load: {path.name}: columns must have different names, got {', '.join(columns)}.")
    return columns


def _read_csv(path: Path) -> _Raw:
    lines = _text(path).splitlines()
    header = lines[0].strip() if lines else ""
    delimiter = max(",;\t", key=header.count)
    columns = _header(path, header, delimiter)
    try:
        rows = [(n, row) for n, row in enumerate(csv.reader(lines[1:], delimiter=delimiter), start=2) if row]
    except csv.Error as error:
        raise ValueError(
            f"recordings.load: {path.name} is no readable table ({error}). Is a quote left open?"
        ) from None
    for n, row in rows:
        if len(row) != len(columns):
            raise ValueError(f"recordings.load: {path.name}, line {n}: needs {len(columns)} fields, got {len(row)}.")
    table = {name: [row[i].strip() for _, row in rows] for i, name in enumerate(columns)}
    places = np.array([n for n, _ in rows], dtype=np.int64)
    raw = _Raw(times=_csv_times(path, table["time"], places), unit=_as_numbers(table["unit"]), lines=places)
    labels = {key: _label_of_units(path, key, raw.unit, table[key]) for key in _LABELS if key in table}
    raw.labels = labels
    return raw


def _csv_times(path: Path, cells: list[str], lines: NDArray) -> Array:
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        for n, cell in zip(lines, cells, strict=True):
            try:
                float(cell)
            except ValueError:
                hint = " Write decimals with a point." if re.fullmatch(r"[-+]?\d+,\d+", cell) else ""
                message = f"recordings.load: {path.name}, line {n}: time must be a number, got {cell!r}.{hint}"
                raise ValueError(message) from None
        raise


def _as_numbers(cells: list[str]) -> NDArray:
    """Unit names as integers where all are, so that unit 10 follows unit 9."""
    try:
        return np.array([int(c) for c in cells], dtype=np.int64)
    except ValueError:
        return np.array(cells, dtype=str)


def _label_of_units(path: Path, key: str, unit: NDArray, cells: list[str]) -> tuple[str, ...]:
    values = np.array(cells, dtype=str)
    names, first, index = np.unique(unit, return_index=True, return_inverse=True)
    clash = values != values[first][index]
    if clash.any():
        at = int(np.argmax(clash))
        raise ValueError(
            f"recordings.load: {path.name}: {key} must be one per unit, unit {names[index[at]]} has both "
            f"{str(values[first][index[at]])!r} and {str(values[at])!r}."
        )
    return tuple(str(v) for v in values[first])


def _known_names(path: Path, names, known: set[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(
                f"recordings.load: {path.name}: unknown {what} {name!r}.{suggest(name, known)} Rename or remove it."
            )


def _need(path: Path, names, wanted: Sequence[str], what: str) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"recordings.load: {path.name} has no {what} {missing[0]!r}; it has {', '.join(names)}.")


def _numbers(path: Path, name: str, array: NDArray) -> Array:
    if array.dtype.kind not in "iuf" or array.ndim != 1:
        raise ValueError(
            f"recordings.load: {path.name}: {name} must be a 1-D array of numbers, got {array.dtype} {array.shape}."
        )
    return array.astype(np.float64)


def _one_number(path: Path, name: str, value: NDArray) -> float:
    if value.dtype.kind not in "iuf" or value.size != 1 or not np.isfinite(value).all():
        raise ValueError(f"recordings.load: {path.name}: {name} must be one finite number, got {value.tolist()!r}.")
    return float(value.item())


def _positive(path: Path, name: str, value: NDArray) -> float:
    number = _one_number(path, name, value)
    if not number > 0:
        raise ValueError(f"recordings.load: {path.name}: {name} must be one positive number (Hz), got {number:g}.")
    return number


def _ticks_per_second(time_unit: str | float) -> float:
    if isinstance(time_unit, str):
        if time_unit not in _TIME_UNITS:
            raise ValueError(f"recordings.load: unknown time_unit {time_unit!r}.{suggest(time_unit, _TIME_UNITS)}")
        return 1.0 if time_unit == "s" else 1.0 / getattr(unit_values, time_unit)
    if not (np.isfinite(time_unit) and time_unit > 0):
        raise ValueError(f"recordings.load: time_unit must be a name or the seconds per tick (> 0), got {time_unit}.")
    return 1.0 / float(time_unit)


def _index(path: Path, raw: _Raw, units: Sequence[str] | None) -> tuple[NDArray, NDArray[np.int64]]:
    """Names of all units and the index of the unit of each spike."""
    if raw.unit.shape != raw.times.shape:
        raise ValueError(
            f"recordings.load: {path.name}: every spike needs a unit, got {raw.times.size} times and "
            f"{raw.unit.size} units."
        )
    found = np.unique(raw.unit)
    known = found if raw.names is None else raw.names
    names = known if units is None else _given_names(path, found, raw, units)
    position = {str(name): i for i, name in enumerate(names)}
    if len(position) != len(names):
        raise ValueError(f"recordings.load: {path.name}: unit names must differ, got {', '.join(map(str, names))}.")
    if not position:
        raise ValueError(f"recordings.load: {path.name} holds no spikes; name its units with units=[...].")
    lookup = np.array([position[str(name)] for name in found], dtype=np.int64)
    return names, lookup[np.searchsorted(found, raw.unit)] if raw.unit.size else np.zeros(0, np.int64)


def _given_names(path: Path, found: NDArray, raw: _Raw, units: Sequence[str]) -> NDArray:
    given = [str(name) for name in units]
    for name in found:
        if str(name) not in given:
            raise ValueError(
                f"recordings.load: {path.name}: unit {str(name)!r} is not in units.{suggest(str(name), given)}"
            )
    known = [str(n) for n in (found if raw.names is None else raw.names)]
    for key, values in raw.labels.items():
        label = dict(zip(known, values, strict=True))
        raw.labels = {**raw.labels, key: tuple(label.get(name, "") for name in given)}
    return np.array(given, dtype=str)


def _sorted(path: Path, raw: _Raw, index: NDArray[np.int64], names: NDArray) -> tuple[Array, NDArray[np.int64]]:
    """Times in order; the spikes of one unit must already be, since disorder there is damage, not layout."""
    times = raw.times

    def place(i: int) -> str:
        return f"line {raw.lines[i]}" if raw.lines is not None else f"spike {i}"

    bad = ~np.isfinite(times)
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"recordings.load: {path.name}, {place(at)}: times must be finite, got {times[at]}.")
    by_unit = np.argsort(index, kind="stable")
    backwards = (np.diff(times[by_unit]) < 0) & (np.diff(index[by_unit]) == 0)
    if backwards.any():
        at = int(by_unit[int(np.argmax(backwards)) + 1])
        raise ValueError(
            f"recordings.load: {path.name}, {place(at)}: the times of a unit must be sorted, unit {names[index[at]]} "
            f"goes back to {times[at]:g}. Sort the file, or check that two recordings are not joined."
        )
    order = np.argsort(times, kind="stable")
    return times[order], order


def _window(
    path: Path, times: Array, epochs: Sequence[Epoch], given: tuple, from_file: tuple[float | None, float | None]
) -> tuple[float, float]:
    """The window: as given, else the file's, else around its epochs, else [0, last spike]."""
    start, stop = (a if a is not None else b for a, b in zip(given, from_file, strict=True))
    if start is None:
        start = min([0.0, *(e.start for e in epochs)])
    if stop is None:
        last = float(times[-1]) if times.size else -np.inf
        stop = max([last, *(e.stop for e in epochs)])
        _within_reach(path, epochs, last)
    if not np.isfinite(stop) or not stop > start:
        raise ValueError(
            f"recordings.load: {path.name}: the window must have a length, got {start:g} to {stop:g} s. "
            "Give t_start and t_stop in s."
        )
    if times.size and times[0] < start:
        raise ValueError(
            f"recordings.load: {path.name}: times must not lie before t_start={start:g} s, got {times[0]:g} s. "
            "If the clock starts earlier, give t_start."
        )
    if times.size and times[-1] > stop:
        raise ValueError(
            f"recordings.load: {path.name}: times must lie in [{start:g}, {stop:g}] s, got {times[-1]:g} s. "
            "Give t_stop, or the time_unit of the file."
        )
    return float(start), float(stop)


def _within_reach(path: Path, epochs: Sequence[Epoch], last: float) -> None:
    """Without a stated end, epochs far past the last spike are taken for a mistake, not for silence."""
    for e in epochs:
        if np.isfinite(last) and (e.start >= last or e.stop > FAR * last):
            raise ValueError(
                f"recordings.load: {path.name}: epoch {e.name!r} goes from {e.start:g} to {e.stop:g} s, but the last "
                f"spike is at {last:g} s. Give the epoch in s, or t_stop if the recording went on in silence."
            )


def _plausible(path: Path, spikes: SpikeTrains, names: NDArray) -> None:
    """Refuse rates that no recording has; they are a forgotten unit of time."""
    rates = np.bincount(spikes.units, minlength=spikes.n_units) / spikes.duration
    fast = int(np.argmax(rates)) if rates.size else 0
    if rates.size and rates[fast] > MAX_RATE:
        raise ValueError(
            f"recordings.load: {path.name}: unit {names[fast]} would fire at {rates[fast]:g} Hz over "
            f"{spikes.duration:g} s. Is time_unit too small, or the window given in other units? "
            "(check_units=False accepts it.)"
        )
    by_unit = np.argsort(spikes.units, kind="stable")
    intervals = np.diff(spikes.times[by_unit])[np.diff(spikes.units[by_unit]) == 0]
    if intervals.size >= 100 and np.quantile(intervals, 0.01) >= MIN_INTERVAL:
        whole = not np.mod(spikes.times, 1.0).any()
        hint = "sample numbers (time_unit=1/fs) or ms (time_unit='ms')" if whole else "ms (time_unit='ms')"
        raise ValueError(
            f"recordings.load: {path.name}: hardly an interval between spikes is below {MIN_INTERVAL:g} s and the "
            f"recording would last {spikes.duration:g} s. Are the times {hint}? (check_units=False accepts it.)"
        )


def _checked_epochs(path: Path, epochs: Sequence[Epoch], start: float, stop: float) -> tuple[Epoch, ...]:
    for e in epochs:
        if not start <= e.start < e.stop <= stop:
            raise ValueError(
                f"recordings.load: {path.name}: epoch {e.name!r} must lie in [{start:g}, {stop:g}] s with start before "
                f"stop, got {e.start:g} to {e.stop:g} s."
            )
    if len({e.name for e in epochs}) != len(epochs):
        names = ", ".join(repr(e.name) for e in epochs)
        raise ValueError(f"recordings.load: {path.name}: epochs must have different names, got {names}.")
    return tuple(epochs)
