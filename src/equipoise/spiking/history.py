"""What homeostasis did: slow variables, rates and calcium moments window by window, as a labelled Dataset."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.quantities import Array
from equipoise.spiking.homeostasis import Regulator
from equipoise.spiking.rule_group import Group

if TYPE_CHECKING:
    import xarray as xr

Row = Mapping[str, float]

SENSED = ("rate", "calcium_mean", "calcium_second_moment")
UNITS = {
    "time": "s", "threshold": "V", "theta": "V/s", "drive": "V/s", "rate": "Hz", "calcium_mean": "uM",
    "calcium_second_moment": "uM^2", "target_mean": "uM", "target_second_moment": "uM^2", "p_e": "uM^2", "p_i": "uM",
}  # fmt: skip


def label(name: str, population: str) -> str:
    """The name of a slow variable among those of all populations."""
    return name if name.startswith("J_") else f"{name}_{population}"


def row_of(regulator: Regulator, time: float) -> dict[str, float]:
    """Mean and SD over neurons of all slow variables as they are, and of what was sensed in the window that ends."""
    row = {"time": time}
    for group in regulator.groups:
        columns = {label(k, group.name): v for k, v in regulator.values[group.name].items()}
        columns |= {f"{k} {group.name}": v for k, v in _sensed(regulator, group).items()}
        for name, values in columns.items():
            row[name], row[f"{name}_sd"] = float(values.mean()), float(values.std())
    return row


def _sensed(regulator: Regulator, group: Group) -> dict[str, Array]:
    gathered = regulator.gathered[group.name]
    averages = group.meter.averages(gathered, regulator.at)
    return dict(zip(SENSED, (group.meter.rates(gathered, regulator.at), *averages[:2]), strict=True))


def dataset_of(rows: Sequence[Row], attrs: Mapping[str, object]) -> "xr.Dataset":
    """Rows as a Dataset over `time` [s]: slow variables, and over `population` what was sensed; means and SDs."""
    import xarray as xr

    names = list(dict.fromkeys(k for row in rows for k in row if k != "time"))
    column = {k: np.array([row.get(k, np.nan) for row in rows]) for k in (*names, "time")}
    populations = list(dict.fromkeys(k.removesuffix("_sd").split(" ")[1] for k in names if " " in k))
    data = {k: ("time", column[k], {"units": _unit(k)}) for k in names if " " not in k}
    for quantity in SENSED if populations else ():
        for end in ("", "_sd"):
            values = np.array([column[f"{quantity} {p}{end}"] for p in populations])
            data[quantity + end] = (("population", "time"), values, {"units": UNITS[quantity]})  # pyright: ignore[reportArgumentType]
    coords = {"time": ("time", column["time"], {"units": "s"}), "population": populations}
    return xr.Dataset(data, coords=coords, attrs=dict(attrs))


def _unit(name: str) -> str:
    if name.startswith("J_"):
        return "V"
    stem = name.removesuffix("_sd").rpartition("_")[0]
    return UNITS.get(stem, "1")
