"""Pynapple objects: TsGroup and Ts as spikes, Tsd and TsdFrame as signals, IntervalSet as epochs; all in s."""

from typing import Any

import numpy as np

from equipoise.recordings.raw import Raw, epochs_of, even_rate, reading
from equipoise.results import Epoch, Signals

_NAMES = ("label", "labels", "tags", "name", "epoch")


def read_pynapple(source: Any) -> Raw:
    """What a pynapple object says; its time support is the window, and the epochs if it has several parts."""
    kind = type(source).__name__
    with reading(f"pynapple.{kind}", "pynapple object"):
        if kind == "TsGroup":
            raw = _group(source)
        elif kind == "Ts":
            times = np.asarray(source.t, np.float64)
            raw = Raw(source="pynapple.Ts", times=times, offsets=np.array([0, times.size]), names=np.array(["0"]))
        elif kind in ("Tsd", "TsdFrame"):
            return Raw(source=f"pynapple.{kind}", seconds=True, signals={"signals": _signals(source)})
        else:
            raise TypeError(
                f"recordings.load: give a TsGroup, Ts, Tsd or TsdFrame, got {kind}; epochs= takes IntervalSets."
            )
        support, raw.seconds = source.time_support, True
        raw.window = (float(support.start[0]), float(support.end[-1]))
        raw.epochs = epochs_from(support) if len(support) > 1 else ()
    return raw


def epochs_from(intervals: Any) -> tuple[Epoch, ...]:
    """The parts of an IntervalSet, named by a column of texts if it has one."""
    columns = list(getattr(intervals, "metadata_columns", ()))
    column = next((name for name in _NAMES if name in columns), None)
    names = list(intervals.get_info(column)) if column else ["epoch"] * len(intervals)
    return epochs_of(names, intervals.start, intervals.end)


def _group(group: Any) -> Raw:
    index = list(group.keys())
    times = [np.asarray(group[i].t, dtype=np.float64) for i in index]
    offsets = np.concatenate([[0], np.cumsum([t.size for t in times], dtype=np.int64)])
    columns = {name: list(group.get_info(name)) for name in group.metadata_columns if name != "rate"}
    labels = {name: tuple(values) for name, values in columns.items() if all(isinstance(v, str) for v in values)}
    if "location" in labels:
        labels.setdefault("region", labels["location"])
    every = np.concatenate([np.empty(0), *times])
    return Raw(
        source="pynapple.TsGroup", times=every, offsets=offsets, names=np.array([str(i) for i in index]), labels=labels
    )


def _signals(series: Any) -> Signals:
    times, values = np.asarray(series.t, np.float64), np.asarray(series.values, np.float64)
    columns = tuple(str(name) for name in getattr(series, "columns", ()))
    rate = even_rate(f"pynapple.{type(series).__name__}", "the series", times)
    return Signals(values=values.reshape(times.size, -1).T, sampling_rate=rate, t_start=float(times[0]), names=columns)
