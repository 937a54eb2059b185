"""Archives of plain arrays, as `numpy.savez` writes them.

`times` and `unit` (n_spikes,), or `sample`, `unit` and `fs`; optional are `unit_names`, the per-unit labels `region`,
`type` and `population`, the window `t_start`, `t_stop`, and epochs as `epoch`, `epoch_start`, `epoch_stop`. Continuous
signals are `signals` (n_channels, n_samples) or (n_samples,) with `sampling_rate` [Hz] and, if wanted, `signal_name`,
`signal_unit`, `signal_start` [s] and `channel_names`; a file may hold signals alone.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.recordings.raw import (
    LABELS,
    Raw,
    integers,
    known_names,
    need,
    numbers,
    one_number,
    positive,
    reading,
    refuse,
)
from equipoise.results import Epoch, Signals

_NAMES = {"times", "time", "sample", "fs", "unit", "unit_names", "t_start", "t_stop"}
_NAMES |= {"epoch", "epoch_start", "epoch_stop", *LABELS}
_NAMES |= {"signals", "sampling_rate", "signal_name", "signal_unit", "signal_start", "channel_names"}


def read_npz(path: Path) -> Raw:
    """What an archive says."""
    name = path.name
    with (
        reading(name, ".npz file of plain arrays (damaged, cut short, or with Python objects, which are never loaded)"),
        path.open("rb") as stream,
        np.load(stream, allow_pickle=False) as file,
    ):
        data = {key: np.asarray(file[key]) for key in file.files}
    known_names(name, data, _NAMES, "array")
    raw = Raw(source=name)
    if "signals" in data:
        raw.signals = _signals(name, data)
    if "signals" not in data or "unit" in data:
        _add_spikes(raw, data)
    raw.epochs = _epochs(name, data)
    start, stop = (one_number(name, key, data[key]) if key in data else None for key in ("t_start", "t_stop"))
    raw.window = (start, stop)
    return raw


def _add_spikes(raw: Raw, data: Mapping[str, NDArray]) -> None:
    where = "sample" if "sample" in data else "time" if "time" in data else "times"
    need(raw.source, data, ("unit", where, *(("fs",) if where == "sample" else ())), "array")
    raw.times, raw.unit = numbers(raw.source, where, data[where]), data["unit"]
    if where == "sample":
        raw.fs = positive(raw.source, "fs", data["fs"])
    raw.labels = {key: _texts(raw.source, key, data[key]) for key in LABELS if key in data}
    raw.names = _unit_names(raw, data)


def _texts(source: str, name: str, array: NDArray) -> tuple[str, ...]:
    if array.ndim != 1:
        raise refuse(source, f": {name} must be 1-D, got shape {array.shape}.")
    return tuple(str(value) for value in array)


def _unit_names(raw: Raw, data: Mapping[str, NDArray]) -> NDArray | None:
    """Names of all units: given, or counted by a label, in which case `unit` is an index."""
    names = np.array(_texts(raw.source, "unit_names", data["unit_names"])) if "unit_names" in data else None
    for key, values in raw.labels.items():
        names = np.arange(len(values)) if names is None else names
        if len(values) != len(names):
            raise refuse(raw.source, f": {key} must have one entry per unit, {len(names)}, got {len(values)}.")
    if names is not None and raw.unit is not None:
        raw.unit = names[integers(raw.source, "unit", raw.unit, len(names) - 1)]
    elif data["unit"].dtype.kind not in "iuSU" or data["unit"].ndim != 1:
        got = f"{data['unit'].dtype} {data['unit'].shape}"
        raise refuse(raw.source, f": unit must be a 1-D array of integers or names, got {got}.")
    return names


def _epochs(source: str, data: Mapping[str, NDArray]) -> tuple[Epoch, ...]:
    keys = ("epoch", "epoch_start", "epoch_stop")
    if not any(key in data for key in keys):
        return ()
    need(source, data, keys, "array")
    starts, stops = (numbers(source, key, data[key]) for key in keys[1:])
    names = _texts(source, "epoch", data["epoch"])
    if not len(names) == starts.size == stops.size:
        raise refuse(source, f": {', '.join(keys)} must have one length.")
    return tuple(Epoch(n, float(a), float(b)) for n, a, b in zip(names, starts, stops, strict=True))


def _signals(source: str, data: Mapping[str, NDArray]) -> dict[str, Signals]:
    need(source, data, ("sampling_rate",), "array")
    values = data["signals"]
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2):
        raise refuse(source, f": signals must be numbers (n_channels, n_samples), got {values.dtype} {values.shape}.")
    text = {key: str(data[key]) for key in ("signal_name", "signal_unit") if key in data}
    start = one_number(source, "signal_start", data["signal_start"]) if "signal_start" in data else 0.0
    names = _texts(source, "channel_names", data["channel_names"]) if "channel_names" in data else ()
    rate = positive(source, "sampling_rate", data["sampling_rate"])
    unit = text.get("signal_unit", "")
    with reading(source, "archive of signals"):
        signals = Signals(values=values, sampling_rate=rate, t_start=start, names=names, unit=unit)
    return {text.get("signal_name", "signals"): signals}
