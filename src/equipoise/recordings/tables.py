"""Tables of spikes with the columns `time`, `unit` and, if wanted, labels: CSV (or TSV) and Parquet, in and out.

What a table has no column for (window, silent units, epochs) is written beside a CSV file, as `name.recording.json`,
and into the metadata of a Parquet file; both are optional when loading.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array
from equipoise.recordings.raw import LABELS, Raw, known_names, need, numbers, package, reading, refuse
from equipoise.results import Epoch, Recording, write_whole

_KEY = b"equipoise_recording"
_GAPS = {"", "nan", "NaN", "NA"}


def read_csv(path: Path) -> Raw:
    """What a text table says; spikes may be ordered by time or unit after unit."""
    facts = _facts_beside(path)
    lines = _text(path).splitlines()
    header = lines[0].strip() if lines else ""
    delimiter = max(",;\t", key=header.count)
    columns = _header(path.name, header, delimiter, facts)
    table, places = _cells(path.name, lines, delimiter, columns)
    raw = Raw(source=path.name, times=_csv_times(path.name, table["time"], places), lines=places)
    labels = {key: table[key] for key in columns if key not in ("time", "unit")}
    # Names saved with the table are what they are: "007" is not 7.
    unit = np.array(table["unit"], dtype=str) if facts else _units(path.name, table["unit"], places)
    return _with_facts(raw, unit, labels, facts)


def read_parquet(path: Path) -> Raw:
    """What a Parquet table says."""
    name, parquet = path.name, package("pyarrow.parquet", "data", "a Parquet file")
    with reading(name, "Parquet file"):
        table = parquet.read_table(path)
        facts = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
        columns = {key: table[key].to_numpy() for key in table.column_names}
    known_names(name, columns, {"time", "unit", *LABELS, *_labels_in(facts)}, "column")
    need(name, columns, ("time", "unit"), "column")
    raw = Raw(source=name, times=numbers(name, "time", columns.pop("time")))
    unit = _whole(columns.pop("unit"))
    if unit.dtype.kind == "f" or any(value is None for value in (unit if unit.dtype.kind == "O" else ())):
        raise refuse(name, f": unit must hold integers or names, got {unit.dtype} with or without gaps.")
    unit = unit if unit.dtype.kind in "iu" else unit.astype(str)
    return _with_facts(raw, unit, {key: [str(v) for v in cells] for key, cells in columns.items()}, facts)


def write_csv(recording: Recording, path: Path) -> None:
    """One line a spike, in order of time; numbers in full, so that reading gives the same bits."""
    columns = _columns(recording)
    beside = _beside(path)

    def write(place: Path) -> None:
        with place.open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n")
            table.writerow(columns)
            table.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))

    write_whole(path, write)
    write_whole(beside, lambda place: place.write_text(json.dumps(_facts(recording), indent=1) + "\n", "utf-8"))


def write_parquet(recording: Recording, path: Path) -> None:
    """The table of `write_csv` with the rest of the recording in its metadata."""
    parquet, arrow = package("pyarrow.parquet", "data", "a Parquet file"), package("pyarrow", "data", "a Parquet file")
    table = arrow.table(_columns(recording)).replace_schema_metadata({_KEY: json.dumps(_facts(recording)).encode()})
    write_whole(path, lambda place: parquet.write_table(table, place))


def _columns(recording: Recording) -> dict[str, NDArray]:
    if recording.signals:
        raise ValueError("recordings.save: tables hold spikes, not signals; save as .nwb or .nc.")
    spikes = recording.spikes
    columns = {"time": spikes.times, "unit": np.array(recording.unit_names)[spikes.units]}
    return columns | {key: np.array(texts)[spikes.units] for key, texts in recording.labels.items()}


def _facts(recording: Recording) -> dict[str, Any]:
    """What the columns do not say."""
    return {
        "t_start": recording.spikes.t_start, "t_stop": recording.spikes.t_stop, "units": recording.unit_names,
        "labels": dict(recording.labels), "epochs": [[e.name, e.start, e.stop] for e in recording.epochs],
    }  # fmt: skip


def _beside(path: Path) -> Path:
    return path.with_name(path.stem + ".recording.json")


def _facts_beside(path: Path) -> dict[str, Any]:
    beside = _beside(path)
    if not beside.is_file():
        return {}
    with reading(beside.name, "JSON file of a recording"):
        return json.loads(beside.read_text("utf-8"))


def _labels_in(facts: Mapping[str, Any]) -> list[str]:
    return (
        list(facts.get("labels", {})) if isinstance(facts, dict) and isinstance(facts.get("labels", {}), dict) else []
    )


def _with_facts(raw: Raw, unit: NDArray, label_cells: Mapping[str, Sequence[str]], facts: Mapping[str, Any]) -> Raw:
    """The table with what is written beside it, which must fit."""
    raw.unit = unit
    raw.labels = {key: _label_of_units(raw.source, key, unit, cells) for key, cells in label_cells.items()}
    if not facts:
        return raw
    with reading(raw.source, "table, as what was saved with it is damaged"):
        raw.names = np.array([str(name) for name in facts["units"]], dtype=str)
        raw.window = (float(facts["t_start"]), float(facts["t_stop"]))
        raw.epochs = tuple(Epoch(str(name), float(start), float(stop)) for name, start, stop in facts["epochs"])
        raw.labels = {str(key): tuple(map(str, texts)) for key, texts in facts["labels"].items()}
    strangers = {str(name) for name in np.unique(unit)} - set(raw.names)
    if strangers:
        raise refuse(raw.source, f": unit {min(strangers)!r} is not among those that were saved with the table.")
    for key, texts in raw.labels.items():
        if len(texts) != len(raw.names):
            raise refuse(raw.source, f": {key} must have one entry per unit, {len(raw.names)}, got {len(texts)}.")
    return raw


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(
            path.name,
            f"must be plain text in UTF-8, got the byte 0x{error.object[error.start]:02x} at {error.start}. "
            "Save it as CSV in UTF-8.",
        ) from None


def _header(source: str, line: str, delimiter: str, facts: Mapping[str, Any]) -> list[str]:
    """The column names, which must be known and complete."""
    columns = [name.strip() for row in csv.reader([line], delimiter=delimiter) for name in row] or [""]
    if columns == [""] or re.fullmatch(r"[-+.\d]*", columns[0]):
        raise refuse(source, f": the first line must name the columns, such as 'time,unit', got {line[:80]!r}.")
    known_names(source, columns, {"time", "unit", *LABELS, *_labels_in(facts)}, "column")
    need(source, columns, ("time", "unit"), "column")
    if len(set(columns)) != len(columns):
        raise refuse(source, f": columns must have different names, got {', '.join(columns)}.")
    return columns


def _cells(
    source: str, lines: list[str], delimiter: str, columns: list[str]
) -> tuple[dict[str, list[str]], NDArray[np.int64]]:
    """The cells of each column, and the line of each row."""
    width = len(columns)
    body = [(n, line) for n, line in enumerate(lines[1:], start=2) if line and not line.isspace()]
    flat = delimiter.join(line for _, line in body)
    if '"' in flat:
        body = _quoted(source, lines, delimiter)
        fields = [(n, len(row)) for n, row in body]
    else:
        fields = [(n, line.count(delimiter) + 1) for n, line in body]
    wrong = next(((n, found) for n, found in fields if found != width), None)
    if wrong is not None:
        raise refuse(source, f", line {wrong[0]}: needs {width} fields, got {wrong[1]}.")
    cells = [cell for _, row in body for cell in row] if '"' in flat else flat.split(delimiter) if body else []
    table = {name: [cell.strip() for cell in cells[i::width]] for i, name in enumerate(columns)}
    return table, np.array([n for n, _ in fields], dtype=np.int64)


def _quoted(source: str, lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """The rows of a table with quotes, and their lines."""
    try:
        return [(n, row) for n, row in enumerate(csv.reader(lines[1:], delimiter=delimiter), start=2) if any(row)]
    except csv.Error as error:
        raise refuse(source, f"is no readable table ({error}). Is a quote left open?") from None


def _csv_times(source: str, cells: list[str], lines: NDArray) -> Array:
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        n, cell = next((n, cell) for n, cell in zip(lines, cells, strict=True) if not _is_number(cell))
    hint = " Write decimals with a point." if re.fullmatch(r"[-+]?\d+,\d+", cell) else ""
    raise refuse(source, f", line {n}: time must be a number, got {cell[:80]!r}.{hint}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _units(source: str, cells: list[str], lines: NDArray) -> NDArray:
    """Unit names as integers where all are, so that unit 10 follows unit 9; refuses a spike without a unit."""
    gaps = _GAPS & set(cells)
    if gaps:
        at = min(cells.index(gap) for gap in gaps)
        raise refuse(source, f", line {lines[at]}: every spike needs a unit, got {cells[at]!r}.")
    try:
        numbers_ = _whole(np.array(cells, dtype=np.float64))
    except ValueError:
        return np.array(cells, dtype=str)
    return numbers_ if numbers_.dtype.kind == "i" else np.array(cells, dtype=str)


def _whole(unit: NDArray) -> NDArray:
    """Whole numbers that came as floats as integers, since a column with a gap once had no others; the rest as is."""
    if unit.dtype.kind != "f" or not (np.abs(unit) < 2.0**53).all() or (unit != np.floor(unit)).any():
        return unit
    return unit.astype(np.int64)


def _label_of_units(source: str, key: str, unit: NDArray, cells: Sequence[str]) -> tuple[str, ...]:
    values = np.array(cells, dtype=str)
    names, first, index = np.unique(unit, return_index=True, return_inverse=True)
    clash = values != values[first][index]
    if clash.any():
        at = int(np.argmax(clash))
        raise refuse(
            source,
            f": {key} must be one per unit, unit {names[index[at]]} has both {str(values[first][index[at]])!r} and "
            f"{str(values[at])!r}.",
        )
    return tuple(str(v) for v in values[first])
