"""Runs of the package as recordings: the object, its netCDF file, and the directory of a run on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.recordings.hdf5 import text
from equipoise.recordings.raw import Raw, integers, package, reading, refuse
from equipoise.results import SpikeTrains

_ABOUT, _SO_FAR = "equipoise", "so_far"


def is_run(source: Any) -> bool:
    """Whether an object is a run: a circuit, and spikes of recorded neurons of its populations."""
    return (
        isinstance(getattr(source, "circuit", None), Circuit)
        and hasattr(source, "recorded")
        and hasattr(source, "spikes")
    )


def from_run(run: Any) -> Raw:
    """The recorded spikes of a run with population and type of each unit."""
    return _raw(run.circuit.name or "run", run.circuit, run.recorded, run.spikes)


def is_saved_run(attrs: Mapping) -> bool:
    """Whether these are the attributes of a run in a file."""
    return _ABOUT in attrs and _SO_FAR in attrs


def from_saved(source: str, data: Any) -> Raw:
    """The recorded spikes of a run in a netCDF file."""
    none = np.zeros(0, np.int64)
    columns = {name: data[name].values if name in data else none for name in ("spike_step", "spike_unit")}
    about, so_far = (json.loads(text(data.attrs[key])) for key in (_ABOUT, _SO_FAR))
    return _saved(source, about, so_far, columns)


def read_store(path: Path) -> Raw:
    """The recorded spikes of a run on disk, as far as they are whole."""
    zarr = package("zarr", "zarr", "a run on disk")
    with reading(path.name, "run on disk (zarr)"):
        group = zarr.open_group(path, mode="r")
        if not is_saved_run(group.attrs):
            raise refuse(path.name, "is a zarr directory, but no run that spiking wrote.")
        about, so_far = group.attrs[_ABOUT], group.attrs[_SO_FAR]
        columns = {name: np.asarray(group[name][: so_far["rows"][name]]) for name in ("spike_step", "spike_unit")}
        return _saved(path.name, about, so_far, columns)


def _saved(source: str, about: Mapping[str, Any], so_far: Mapping[str, Any], columns: Mapping[str, Any]) -> Raw:
    circuit, recorded = Circuit.from_toml(about["circuit"]), tuple(about["plan"]["recorded"])
    dt, units = float(about["provenance"]["dt"]), sum(recorded)
    index = integers(source, "spike_unit", columns["spike_unit"], units - 1)
    # As in a run itself: a spike falls at the end of its step.
    times = (columns["spike_step"] + 1).astype(np.float64) * dt
    return _raw(source, circuit, recorded, SpikeTrains(times, index, units, 0.0, so_far["done"] * dt))


def _raw(source: str, circuit: Circuit, recorded: Sequence[int], spikes: SpikeTrains) -> Raw:
    times, offsets = spikes.grouped()
    whose = [p.name for p, n in zip(circuit.populations, recorded, strict=True) for _ in range(n)]
    names = [f"{p.name} {i}" for p, n in zip(circuit.populations, recorded, strict=True) for i in range(n)]
    kind = {p.name: _type(circuit, p.name) for p in circuit.populations}
    labels = {"type": tuple(kind[name] for name in whose), "population": tuple(whose)}
    return Raw(
        source=source, times=times, offsets=offsets, names=np.array(names, dtype=str), labels=labels, seconds=True,
        trusted=True, window=(spikes.t_start, spikes.t_stop),
    )  # fmt: skip


def _type(circuit: Circuit, population: str) -> str:
    """E or I by the sign of all projections from a population; empty where it has none, or both."""
    signs = {circuit.sign_of(p) for p in circuit.projections if p.source == population}
    return {frozenset({1.0}): "E", frozenset({-1.0}): "I"}.get(frozenset(signs), "")
