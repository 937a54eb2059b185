"""Runs in files: a netCDF file for one in memory, or the directory that `Record(to=...)` filled."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.results import Status, load_dataset, save_dataset
from equipoise.spiking import store
from equipoise.spiking.columns import DIMS, RUNNING, Column, Plan, Written, blank
from equipoise.spiking.kernel import State
from equipoise.spiking.packing import as_bytes, from_bytes, packed, unpacked
from equipoise.spiking.run import Provenance, Run

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 1


def about(circuit: Circuit, provenance: Provenance, plan: Plan, *, threads: int, wanted: int) -> dict[str, Any]:
    """What a run of `wanted` steps is, as JSON takes it."""
    return {
        "format": FORMAT, "circuit": circuit.to_toml(), "provenance": vars(provenance), "plan": vars(plan),
        "threads": threads, "wanted": wanted,
    }  # fmt: skip


def save(run: Run, path: str | Path) -> Path:
    """Write a run as netCDF-4, whole or not at all; `load` reads it."""
    path = Path(path)
    if path.suffix != ".nc":
        raise ValueError(f"spiking.save: path must end in .nc, got {str(path)!r}.")
    return save_dataset(_dataset(run), path)


def load(path: str | Path) -> Run:
    """A run from the file of `save`, or from a directory of `Record(to=...)`, whose columns are read when asked for.

    A directory whose run goes on or was killed gives what is whole so far: status INTERRUPTED, and `message` says so.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"spiking.load: no file or directory {str(path)!r}.")
    return _run(*(store.opened(path) if path.is_dir() else _from_netcdf(path)))


def _dataset(run: Run) -> "xr.Dataset":
    import xarray as xr

    written, p = run.written, run.provenance
    done = round(run.duration / p.dt)
    static = about(run.circuit, p, written.plan, threads=run.threads, wanted=done)
    so_far = {
        "done": done, "wall": run.wall, "status": run.status.name, "slow_names": written.slow_names,
        "message": run.message,
    }  # fmt: skip
    data: dict[str, Any] = {name: (DIMS[name], np.asarray(column[:])) for name, column in written.columns.items()}
    data = {name: (dims, x) for name, (dims, x) in data.items() if x.size}
    if run.final is not None:
        data[store.END] = ("byte", as_bytes(packed(run.final)))
    return xr.Dataset(data, attrs={store.RUN: json.dumps(static), store.SO_FAR: json.dumps(so_far)})


def _from_netcdf(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Column], State | None]:
    data = load_dataset(path)
    if store.SO_FAR not in data.attrs:
        raise ValueError(f"spiking.load: {str(path)!r} is not a run that spiking.save wrote.")
    static, so_far = json.loads(data.attrs[store.RUN]), json.loads(data.attrs[store.SO_FAR])
    widths = _plan(static).widths
    columns: dict[str, Column] = {
        name: data[name].values if name in data else blank(name, width) for name, width in widths.items()
    }
    end = unpacked(from_bytes(data[store.END].values)) if store.END in data else None
    return static, so_far, columns, end


def _plan(static: dict[str, Any]) -> Plan:
    plan = static["plan"]
    cells = tuple((name, i) for name, i in plan["cells"])
    return Plan(
        recorded=tuple(plan["recorded"]), bin=plan["bin"], every=plan["every"], cells=cells,
        conductances=plan.get("conductances", False),
    )  # fmt: skip


def _run(static: dict[str, Any], so_far: dict[str, Any], columns: dict[str, Column], end: State | None) -> Run:
    given, plan = static["provenance"], _plan(static)
    provenance = Provenance(**(given | {"schedule": tuple(given["schedule"])}))
    done, dt, message = so_far["done"], provenance.dt, so_far.get("message", "")
    running = so_far["status"] == RUNNING
    if running:
        message = f"unfinished: {done * dt:g} of {static['wanted'] * dt:g} s; the run goes on or was killed."
        if so_far["open_counts"]:
            columns["count"] = np.concatenate([columns["count"][:], [so_far["open_counts"]]])
    return Run(
        circuit=Circuit.from_toml(static["circuit"]), duration=done * dt, bin=plan.bin * dt, recorded=plan.recorded,
        written=Written(columns=columns, plan=plan, slow_names=tuple(so_far["slow_names"])), provenance=provenance,
        final=end, wall=so_far["wall"], threads=static["threads"], message=message,
        status=Status.INTERRUPTED if running else Status[so_far["status"]],
    )  # fmt: skip
