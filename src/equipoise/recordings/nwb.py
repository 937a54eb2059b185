"""NWB files, read with h5py alone: spikes unit after unit as they lie in the file, signals when they are asked for.

Read are the units table (`spike_times`, `obs_intervals`, text columns as labels, the region from a column or from the
electrodes), one table of intervals as epochs, and each ElectricalSeries under `acquisition` and `processing` as
signals: data * conversion * channel_conversion + offset [V]. Other numeric TimeSeries are read where they are asked for
by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array, suggest
from equipoise.recordings.hdf5 import dataset, is_text, opened, text, values
from equipoise.recordings.raw import OnDemand, Raw, differing, epochs_of, even_rate, integers, refuse
from equipoise.recordings.signal_text import channel_names
from equipoise.results import Epoch, Signals

UNIT_NAME = "unit_name"
WINDOW = "scratch/window"
_TYPE_COLUMNS = ("type", "cell_type", "putative_cell_type", "neuron_type", "celltype")
_REGION_COLUMNS = ("region", "location", "brain_region", "brain_area")
_EPOCH_NAMES = ("tags", "label", "labels", "epoch_name", "name", "condition")
_UNITS = {"volts": "V", "unknown": ""}
_SERIES = ("ElectricalSeries", "TimeSeries")


@dataclass(frozen=True)
class NWB:
    """An NWB file, its epochs taken from the table `intervals` ("epochs", "trials", ...; None for none) if it has one.

    `signals` names the series to keep, by default the electrical ones; none is read before it is asked for.
    """

    path: str | Path
    intervals: str | None = "epochs"
    signals: tuple[str, ...] | None = None


def read_nwb(wanted: NWB) -> Raw:
    """What an NWB file says; no copy of its spikes is made."""
    path = Path(wanted.path)
    if not path.is_file():
        raise FileNotFoundError(f"recordings.load: {path} does not exist.")
    with opened(path, "NWB file (HDF5)") as file:
        raw = Raw(source=path.name, seconds=True, offsets=np.zeros(1, np.int64))
        found = _series(file)
        if "units" not in file and not found:
            raise refuse(path.name, f"has no units and no series; it has {', '.join(file) or 'nothing'}.")
        if "units" in file:
            _add_units(raw, file)
        observed = _observed(raw, file)
        raw.window = _window(raw, file, observed)
        raw.epochs = () if wanted.intervals is None else _epochs(raw, file, wanted.intervals)
        _tell_gaps(raw, observed)
        raw.signals, raw.spans = _signals(path, file, found, wanted.signals)
    return raw


def _add_units(raw: Raw, file: Any) -> None:
    group = _group(raw, file, "units")
    ids = _array(raw, group, "id")
    n = ids.size
    raw.times, raw.offsets = _ragged(raw, group, "spike_times", n)
    if raw.times.ndim != 1:
        raise refuse(raw.source, f": {group.name}/spike_times must be 1-D, got shape {raw.times.shape}.")
    columns = {name: _texts(raw, group, name, n) for name in group if _is_column(group[name], n)}
    names = columns.pop(UNIT_NAME, None)
    raw.names = np.array(names if names is not None else [str(i) for i in ids.tolist()], dtype=str)
    raw.labels = _labels(raw, file, columns, n)


def _group(raw: Raw, parent: Any, name: str) -> Any:
    import h5py

    found = parent[name]
    if not isinstance(found, h5py.Group):
        raise refuse(raw.source, f": {found.name} must be a group.")
    return found


def _array(raw: Raw, group: Any, name: str) -> NDArray:
    found = dataset(raw.source, group, name)
    if found.ndim != 1:
        raise refuse(raw.source, f": {found.name} must be 1-D, got shape {found.shape}.")
    return found[:]


def _floats(raw: Raw, group: Any, name: str) -> Array:
    """A dataset of floating-point numbers as float64, read into place."""
    found = dataset(raw.source, group, name)
    if found.dtype.kind != "f":
        hint = " Are they sample numbers? The format wants s." if found.dtype.kind in "iu" else ""
        raise refuse(raw.source, f": {found.name} must hold floating-point numbers (s), got {found.dtype}.{hint}")
    out = np.empty(found.shape)
    if out.size:
        found.read_direct(out)
    return out


def _ragged(raw: Raw, group: Any, name: str, n: int) -> tuple[Array, NDArray[np.int64]]:
    """The values of a column of lists, and where the list of each of n rows begins."""
    flat = _floats(raw, group, name)
    ends = integers(raw.source, f"{group.name}/{name}_index", _array(raw, group, f"{name}_index"), len(flat))
    offsets = np.concatenate([[0], ends])
    if ends.size != n:
        raise refuse(raw.source, f": {group.name}/{name}_index must have one entry per unit, {n}, got {ends.size}.")
    if (np.diff(offsets) < 0).any() or offsets[-1] != len(flat):
        got = f"{len(flat)} values and a last entry of {offsets[-1]}"
        raise refuse(raw.source, f": {group.name}/{name}_index must rise to the number of {name}, got {got}.")
    return flat, offsets


def _is_column(item: Any, n: int) -> bool:
    """Whether a column holds one text per row."""
    return is_text(item) and item.shape == (n,)


def _texts(raw: Raw, group: Any, name: str, n: int) -> tuple[str, ...]:
    return tuple(str(value) for value in values(raw.source, group, name)) if n else ()


def _labels(raw: Raw, file: Any, columns: dict[str, tuple[str, ...]], n: int) -> dict[str, tuple[str, ...]]:
    """Text columns as labels, with the type of cell and the region where they can be known."""
    for key, names in (("type", _TYPE_COLUMNS), ("region", _REGION_COLUMNS)):
        said = next((columns[name] for name in names if name in columns), None)
        if said is not None:
            columns.setdefault(key, said)
    if "region" not in columns and (region := _region_of_electrodes(raw, file, n)):
        columns["region"] = region
    return columns


def _region_of_electrodes(raw: Raw, file: Any, n: int) -> tuple[str, ...] | None:
    """Where the first electrode of each unit, or its electrode group, lies."""
    units, table = file["units"], file.get("general/extracellular_ephys/electrodes")
    if "electrodes" in units and "electrodes_index" in units and table is not None and "location" in table:
        places = _texts(raw, table, "location", table["location"].size)
        rows = integers(raw.source, "units/electrodes", _array(raw, units, "electrodes"), len(places) - 1)
        ends = integers(raw.source, "units/electrodes_index", _array(raw, units, "electrodes_index"), rows.size)
        if ends.size != n:
            raise refuse(raw.source, f": units/electrodes_index must have one entry per unit, {n}, got {ends.size}.")
        starts = np.concatenate([[0], ends[:-1]])
        return tuple(places[rows[a]] if a < b else "" for a, b in zip(starts, ends, strict=True))
    if "electrode_group" in units and units["electrode_group"].shape == (n,):
        return tuple(text(file[ref].attrs.get("location", "")) for ref in units["electrode_group"][:])
    return None


def _observed(raw: Raw, file: Any) -> list[Array]:
    """The observed intervals (n, 2) of each unit; none where the file does not say."""
    if "units" not in file or "obs_intervals" not in file["units"]:
        return []
    spans, offsets = _ragged(raw, file["units"], "obs_intervals", len(raw.offsets) - 1)  # type: ignore[arg-type]
    return [spans[a:b] for a, b in pairwise(offsets)]


def _tell_gaps(raw: Raw, observed: Sequence[Array]) -> None:
    """Gaps that all units share make epochs, if there are no others; else a label says when each unit was observed."""
    if all(np.array_equal(spans, observed[0]) for spans in observed):
        if not raw.epochs and observed and len(observed[0]) > 1:
            raw.epochs = epochs_of(["observed"] * len(observed[0]), *observed[0].T)
    else:
        when = tuple(", ".join(f"{a:g} to {b:g} s" for a, b in spans) for spans in observed)
        raw.labels = {"observed": when, **raw.labels}


def _window(raw: Raw, file: Any, observed: Sequence[Array]) -> tuple[float | None, float | None]:
    """From the start of the first observed interval to the end of the last one."""
    if WINDOW in file:
        spans = _floats(raw, file, WINDOW).reshape(-1, 2)
    elif observed:
        spans = np.concatenate(observed)
    else:
        return None, None
    if spans.ndim != 2 or spans.shape[1:] != (2,):
        raise refuse(raw.source, f": obs_intervals must be pairs of start and stop, got shape {spans.shape}.")
    if not np.isfinite(spans).all() or (spans[:, 0] >= spans[:, 1]).any():
        raise refuse(raw.source, ": every interval of obs_intervals must be finite and start before it stops.")
    return (float(spans[:, 0].min()), float(spans[:, 1].max())) if spans.size else (None, None)


def _epochs(raw: Raw, file: Any, table: str) -> tuple[Epoch, ...]:
    """The rows of a table of intervals, cut to the window; those outside it, and instants, are left out."""
    tables = {name: file["intervals"][name] for name in file.get("intervals", ())}
    tables |= {"epochs": file["epochs"]} if "start_time" in file.get("epochs", ()) else {}
    if table not in tables:
        if table != "epochs":
            raise refuse(raw.source, f"has no intervals {table!r}.{suggest(table, tables)}")
        return ()
    group = tables[table]
    starts, stops = _floats(raw, group, "start_time"), _floats(raw, group, "stop_time")
    if starts.shape != stops.shape or starts.ndim != 1:
        raise refuse(raw.source, f": {group.name} must have one start and one stop per row.")
    bad = ~(starts <= stops)
    if bad.any():
        at = int(np.argmax(bad))
        raise refuse(
            raw.source,
            f": {group.name}, row {at}: goes from {starts[at]:g} to {stops[at]:g} s. Choose another table with "
            "recordings.NWB(path, intervals=...), or none with intervals=None.",
        )
    low, high = (end if end is not None else limit for end, limit in zip(raw.window, (-np.inf, np.inf), strict=True))
    inside = (starts < high) & (stops > low)
    names = np.array(_row_names(raw, group, table, starts.size), dtype=object)
    return epochs_of(names[inside], starts[inside].clip(low, high), stops[inside].clip(low, high))


def _row_names(raw: Raw, group: Any, table: str, n: int) -> list[str]:
    """What the rows of a table are called: their tags, joined, or a label; else the table's name."""
    column = next((name for name in _EPOCH_NAMES if name in group), None)
    if column is None:
        return [table] * n
    if f"{column}_index" not in group:
        return list(_texts(raw, group, column, n)) if _is_column(group[column], n) else [table] * n
    tags = group[column].asstr()[:]
    ends = integers(raw.source, f"{group.name}/{column}_index", _array(raw, group, f"{column}_index"), len(tags))
    if ends.size != n:
        raise refuse(raw.source, f": {group.name}/{column}_index must have one entry per row, {n}, got {ends.size}.")
    return ["+".join(tags[a:b]) or table for a, b in zip([0, *ends[:-1]], ends, strict=True)]


# --- signals ----------------------------------------------------------------------------------------------------------
def _series(file: Any) -> dict[str, str]:
    """Where each series lies, by name; by its whole path where two share a name."""
    import h5py

    places: list[str] = []

    def visit(place: str, item: Any) -> None:
        kind = text(item.attrs.get("neurodata_type", ""))
        if kind not in _SERIES or not hasattr(item, "keys"):
            return
        data = item.get("data")
        clocked = "starting_time" in item or ("timestamps" in item and item["timestamps"].size > 1)
        if (
            isinstance(data, h5py.Dataset)
            and data.dtype.kind in "iuf"
            and data.ndim in (1, 2)
            and data.size
            and clocked
        ):
            places.append(f"{top}/{place}")

    for top in ("acquisition", "processing"):
        if top in file:
            file[top].visititems(visit)
    short = [place.rpartition("/")[2] for place in places]
    names = [place if short.count(name) > 1 else name for place, name in zip(places, short, strict=True)]
    return dict(zip(names, places, strict=True))


def _signals(
    path: Path, file: Any, found: dict[str, str], wanted: tuple[str, ...] | None
) -> tuple[Mapping[str, Signals], tuple[tuple[float, float], ...]]:
    """Signals on demand and what they cover."""
    for name in wanted or ():
        if name not in found:
            raise refuse(path.name, f"has no series {name!r}.{suggest(name, found)}")
    chosen = [name for name, place in found.items() if _is_recorded(file[place])] if wanted is None else wanted
    places = {name: found[name] for name in chosen}
    readers: dict[str, Callable[[], Signals]] = {n: partial(_read_series, path, place) for n, place in places.items()}
    return OnDemand(readers), tuple(_span(file[place]) for place in places.values())


def _is_recorded(series: Any) -> bool:
    """Whether a series is electrical, or was saved as one of the signals of a recording."""
    electrical = text(series.attrs["neurodata_type"]) == "ElectricalSeries"
    return electrical or channel_names(text(series.attrs.get("comments", ""))) is not None


def _span(series: Any) -> tuple[float, float]:
    samples = series["data"].shape[0]
    if "timestamps" in series and series["timestamps"].size > 1:
        first, last = float(series["timestamps"][0]), float(series["timestamps"][-1])
        return first, last + (last - first) / (series["timestamps"].size - 1)
    start = series["starting_time"]
    return float(start[()]), float(start[()]) + samples / float(start.attrs["rate"])


def _read_series(path: Path, place: str) -> Signals:
    """One series, in V where it is electrical."""
    with opened(path, f"series {place}") as file:
        raw = Raw(source=path.name)
        series: Any = file[place]
        data = dataset(raw.source, series, "data")
        samples = np.empty(data.shape)
        data.read_direct(samples)
        samples = samples.reshape(len(samples), -1).T * float(data.attrs.get("conversion", 1.0))
        if "channel_conversion" in series:
            samples *= np.asarray(series["channel_conversion"][:], np.float64)[:, None]
        samples += float(data.attrs.get("offset", 0.0))
        start, rate = _clock(raw, series)
        electrical = text(series.attrs["neurodata_type"]) == "ElectricalSeries"
        unit = "V" if electrical else text(data.attrs.get("unit", ""))
        return Signals(
            values=samples, sampling_rate=rate, t_start=start, names=_channels(raw, file, series, len(samples)),
            unit=_UNITS.get(unit, unit),
        )  # fmt: skip


def _clock(raw: Raw, series: Any) -> tuple[float, float]:
    """Start [s] and sampling rate [Hz]."""
    if "timestamps" in series:
        times = _floats(raw, series, "timestamps")
        return float(times[0]), even_rate(raw.source, series.name, times)
    return float(series["starting_time"][()]), float(series["starting_time"].attrs["rate"])


def _channels(raw: Raw, file: Any, series: Any, n: int) -> tuple[str, ...]:
    """Names of the channels: those of the electrodes, or what the series says of itself."""
    said = channel_names(text(series.attrs.get("comments", "")))
    if said is not None and len(said) == n:
        return said
    table = file.get("general/extracellular_ephys/electrodes")
    if "electrodes" not in series or table is None or series["electrodes"].shape != (n,):
        return ()
    rows = integers(raw.source, f"{series.name}/electrodes", series["electrodes"][:], table["id"].size - 1)
    column = next((c for c in ("channel_name", "label") if c in table and _is_column(table[c], table["id"].size)), None)
    names = [str(i) for i in table["id"][:]] if column is None else list(_texts(raw, table, column, table["id"].size))
    return differing(names[row] for row in rows)
