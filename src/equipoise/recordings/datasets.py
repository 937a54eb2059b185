"""xarray Datasets of recordings, in and out, and the netCDF files that hold them; DataArrays over time as signals."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.recordings.raw import Raw, even_rate, in_volts, integers, need, numbers, reading, refuse
from equipoise.recordings.runs import from_saved, is_saved_run
from equipoise.results import Epoch, Recording, Signals, load_dataset

if TYPE_CHECKING:
    import xarray as xr

_FORMAT = "equipoise_recording"
_LABEL, _SIGNAL = "label_", "signal_"


def to_xarray(recording: Recording) -> "xr.Dataset":
    """The recording as a Dataset, which `load` reads back.

    `spike_time` [s] and `spike_unit` (index) over `spike`, in order of time; coordinate `unit`, `label_...` over it;
    `epoch_start` and `epoch_stop` [s] over `epoch`; each signal as `signal_...` over its channels and samples.
    """
    import xarray as xr

    spikes, epochs = recording.spikes, recording.epochs
    seconds = {"units": "s"}
    data: dict[str, Any] = {
        "spike_time": ("spike", spikes.times, seconds), "spike_unit": ("spike", spikes.units),
        "epoch_start": ("epoch", np.array([e.start for e in epochs], dtype=float), seconds),
        "epoch_stop": ("epoch", np.array([e.stop for e in epochs], dtype=float), seconds),
    }  # fmt: skip
    data |= {_LABEL + key: ("unit", np.array(texts, dtype=object)) for key, texts in recording.labels.items()}
    coords = {
        "unit": np.array(recording.unit_names, dtype=object),
        "epoch": np.array([e.name for e in epochs], dtype=object),
    }
    for i, (name, signals) in enumerate(recording.signals.items()):
        about = {"sampling_rate": signals.sampling_rate, "t_start": signals.t_start, "units": signals.unit}
        data[_SIGNAL + name] = ((f"channel_{i}", f"sample_{i}"), signals.values, about)
        coords[f"channel_{i}"] = np.array(signals.names, dtype=object)
    attrs = {_FORMAT: 1, "t_start": spikes.t_start, "t_stop": spikes.t_stop, "source": recording.source}
    return xr.Dataset(data, coords, attrs)


def read_netcdf(path: Path) -> Raw:
    """What a netCDF file says: a saved recording or run, or arrays over time."""
    with reading(path.name, "netCDF-4 file"):
        data = load_dataset(path)
        return from_saved(path.name, data) if is_saved_run(data.attrs) else read_dataset(data, path.name)


def read_dataset(data: Any, source: str = "") -> Raw:
    """What a Dataset or DataArray says."""
    source = source or f"xarray.{type(data).__name__}"
    with reading(source, "xarray object of a recording"):
        if type(data).__name__ == "DataArray":
            return Raw(source=source, seconds=True, signals={str(data.name or "signals"): _over_time(source, data)})
        if _FORMAT in data.attrs:
            return _read_own(source, data)
        signals = {
            str(name): _over_time(source, array) for name, array in data.data_vars.items() if "time" in array.dims
        }
        if not signals:
            raise refuse(source, "is no saved recording and has no array over the dimension 'time'.")
        return Raw(source=source, seconds=True, signals=signals)


def _read_own(source: str, data: "xr.Dataset") -> Raw:
    need(
        source,
        [str(name) for name in data.variables],
        ("spike_time", "spike_unit", "epoch_start", "epoch_stop"),
        "variable",
    )
    names = np.array([str(name) for name in _coordinate(data, "unit")])
    times = numbers(source, "spike_time", data["spike_time"].values)
    index = integers(source, "spike_unit", data["spike_unit"].values, len(names) - 1)
    starts, stops = (numbers(source, name, data[name].values) for name in ("epoch_start", "epoch_stop"))
    epochs = zip(_coordinate(data, "epoch"), starts, stops, strict=True)
    variables = {str(name): array for name, array in data.data_vars.items()}
    labels = {n[len(_LABEL) :]: tuple(map(str, v.values)) for n, v in variables.items() if n.startswith(_LABEL)}
    signals = {n[len(_SIGNAL) :]: _own_signals(v) for n, v in variables.items() if n.startswith(_SIGNAL)}
    return Raw(
        source=data.attrs.get("source") or source, seconds=True, trusted=True, times=times, unit=names[index],
        names=names, labels=labels, signals=signals,
        epochs=tuple(Epoch(str(n), float(a), float(b)) for n, a, b in epochs),
        window=(float(data.attrs["t_start"]), float(data.attrs["t_stop"])),
    )  # fmt: skip


def _coordinate(data: "xr.Dataset", name: str) -> list:
    return list(data[name].values) if name in data.coords else []


def _own_signals(array: "xr.DataArray") -> Signals:
    about = array.attrs
    return Signals(
        values=array.values, sampling_rate=float(about["sampling_rate"]), t_start=float(about["t_start"]),
        names=tuple(map(str, array[array.dims[0]].values)), unit=str(about["units"]),
    )  # fmt: skip


def _over_time(source: str, array: "xr.DataArray") -> Signals:
    """An array over `time` [s] and, if wanted, one more dimension, the channels."""
    name = str(array.name or "the array")
    if "time" not in array.dims or array.ndim > 2 or "time" not in array.coords:
        raise refuse(
            source,
            f": {name} must have the dimension and coordinate 'time' [s] and at most one more, got {array.dims}.",
        )
    array = array.transpose(..., "time")
    times = numbers(source, f"time of {name}", array["time"].values)
    factor, unit = in_volts(str(array.attrs.get("units", "")))
    others = [dim for dim in array.dims if dim != "time"]
    channels = tuple(map(str, array[others[0]].values)) if others else ()
    rate = even_rate(source, name, times)
    return Signals(values=array.values * factor, sampling_rate=rate, t_start=float(times[0]), names=channels, unit=unit)
