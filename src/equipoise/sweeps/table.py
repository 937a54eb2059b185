"""The outcomes of all points as one Dataset over the axes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.results import Status
from equipoise.sweeps.axes import COLUMNS, Axes
from equipoise.sweeps.outcome import Outcome, Variable

if TYPE_CHECKING:
    import xarray as xr


def table(axes: Axes, outcomes: Mapping[int, Outcome]) -> "xr.Dataset":
    """Every variable over the axes and its own dimensions; points without values are NaN, or empty text.

    The first point with values sets names and shapes; one that differs from it is FAILED. Points that were not
    computed are INTERRUPTED.
    """
    import xarray as xr

    known = {point: outcomes[point] for point in axes if point in outcomes}
    pattern = next((known[p] for p in known if known[p].values), Outcome())
    clash = set(pattern.values) & {*COLUMNS, *axes.values}
    names = {name: f"{name}_of_point" if name in clash else name for name in pattern.values}
    checked = {point: _like(outcome, pattern) for point, outcome in known.items()}
    data = {names[name]: _column(axes, checked, name, variable) for name, variable in pattern.values.items()}
    coords = {name: (v[0], v[1], v[2]) for name, v in pattern.coords.items() if name not in axes.values}
    return xr.Dataset({**data, **_columns(axes, checked)}, coords={**axes.coords(), **coords})


def _columns(axes: Axes, outcomes: Mapping[int, Outcome]) -> dict[str, Any]:
    missing = Outcome(status=Status.INTERRUPTED, message="not computed", seconds=np.nan)
    rows = [outcomes.get(point, missing) for point in axes]
    over, shape = tuple(axes.values), axes.shape
    about = {"long_name": "wall time of the point", "units": "s"}
    return {
        "status": (over, np.array([row.status.name for row in rows]).reshape(shape)),
        "message": (over, np.array([row.message for row in rows]).reshape(shape)),
        "seconds": (over, np.array([row.seconds for row in rows]).reshape(shape), about),
    }


def _like(outcome: Outcome, pattern: Outcome) -> Outcome:
    """The outcome, or FAILED where its variables are not those of the pattern."""
    if not outcome.values or _forms(outcome.values) == _forms(pattern.values):
        same = all(np.array_equal(v[1], pattern.coords[k][1]) for k, v in outcome.coords.items() if k in pattern.coords)
        if same:
            return outcome
        words = "coordinates differ from those of the first point"
    else:
        words = f"gives {_words(outcome.values)}, the first point {_words(pattern.values)}; return one shape everywhere"
    return replace(outcome, values={}, coords={}, status=Status.FAILED, message=words)


def _forms(values: Mapping[str, Variable]) -> dict[str, tuple]:
    return {name: (dims, array.shape) for name, (dims, array, _) in values.items()}


def _words(values: Mapping[str, Variable]) -> str:
    return ", ".join(f"{name} of shape {array.shape}" for name, (_, array, _) in values.items())


def _column(axes: Axes, outcomes: Mapping[int, Outcome], name: str, pattern: Variable) -> tuple:
    """One variable over the grid; only numbers can be missing, so that whole numbers turn into floats if some are."""
    dims, array, attrs = pattern
    found = {point: o.values[name][1] for point, o in outcomes.items() if name in o.values}
    kind = np.result_type(*{values.dtype for values in found.values()})
    if len(found) < axes.size and kind.kind in "biu":
        kind = np.dtype(np.float64)
    filled = np.full((axes.size, *array.shape), "" if kind.kind == "U" else np.nan if kind.kind in "fc" else 0, kind)
    for point, values in found.items():
        filled[point] = values
    return (*axes.values, *dims), filled.reshape(*axes.shape, *array.shape), attrs
