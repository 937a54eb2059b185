"""xarray Datasets of recordings, in and out, and the netCDF files that hold them; DataArrays over time as signals."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.recordings.hdf5 import Arrays, number, opened, text
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
        channel = f"channel_{i}"
        about = {"sampling_rate": signals.sampling_rate, "t_start": signals.t_start, "units": signals.unit}
        data[_SIGNAL + name] = ((channel, f"sample_{i}"), signals.values, about | {"channels": channel})
        coords[channel] = np.array(signals.names, dtype=object)
    attrs = {_FORMAT: 1, "t_start": spikes.t_start, "t_stop": spikes.t_stop, "source": recording.source}
    return xr.Dataset(data, coords, attrs)


def read_netcdf(path: Path) -> Raw:
    """What a netCDF file says: a saved recording or run, or arrays over time."""
    with opened(path, "netCDF-4 file") as file:
        if is_saved_run(file.attrs):
            return from_saved(path.name, Arrays(path.name, file))
        if _FORMAT in file.attrs:
            return _read_own(path.name, Arrays(path.name, file))
    with reading(path.name, "netCDF-4 file"):
        return read_dataset(load_dataset(path), path.name)


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


def _read_own(source: str, data: Any) -> Raw:
    """What `to_xarray` wrote, as a Dataset or as the arrays of a file."""
    variables = [str(name) for name in data.variables]
    need(source, variables, ("spike_time", "spike_unit", "epoch_start", "epoch_stop", "unit", "epoch"), "variable")
    names = np.array([str(name) for name in data["unit"].values], dtype=str)
    times = numbers(source, "spike_time", data["spike_time"].values)
    index = integers(source, "spike_unit", data["spike_unit"].values, len(names) - 1)
    starts, stops = (numbers(source, name, data[name].values) for name in ("epoch_start", "epoch_stop"))
    epochs = zip(data["epoch"].values, starts, stops, strict=True)
    labels = {n[len(_LABEL) :]: tuple(map(str, data[n].values)) for n in variables if n.startswith(_LABEL)}
    signals = {n[len(_SIGNAL) :]: _own_signals(data, n) for n in variables if n.startswith(_SIGNAL)}
    return Raw(
        source=text(data.attrs.get("source", "")) or source, seconds=True, trusted=True, times=times,
        unit=names[index], names=names, labels=labels, signals=signals,
        epochs=tuple(Epoch(str(n), float(a), float(b)) for n, a, b in epochs),
        window=(number(data.attrs["t_start"]), number(data.attrs["t_stop"])),
    )  # fmt: skip


def _own_signals(data: Any, name: str) -> Signals:
    about = data[name].attrs
    return Signals(
        values=data[name].values, sampling_rate=number(about["sampling_rate"]), t_start=number(about["t_start"]),
        names=tuple(map(str, data[text(about["channels"])].values)), unit=text(about["units"]),
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
