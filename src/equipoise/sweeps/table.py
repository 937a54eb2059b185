"""The outcomes of all points as one Dataset over the axes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.results import Status
from equipoise.sweeps.axes import COLUMNS, Axes
from equipoise.sweeps.outcome import Outcome, Variable

if TYPE_CHECKING:
    import xarray as xr

_MISSING = {"U": "", "f": np.nan, "c": np.nan, "m": np.timedelta64("NaT"), "M": np.datetime64("NaT")}
"""What stands for no value, by the kind of array."""


def table(axes: Axes, outcomes: Mapping[int, Outcome]) -> "xr.Dataset":
    """Every variable over the axes and its own dimensions; points without values are NaN, NaT or empty text.

    The first point with values sets names and shapes; one that differs from it is FAILED. Points that were not
    computed are INTERRUPTED.
    """
    import xarray as xr

    known = {point: outcomes[point] for point in axes if point in outcomes}
    pattern = next((known[p] for p in known if known[p].values), Outcome())
    ours = {*COLUMNS, *axes.values}
    inner = _apart(_dims(pattern) | {name: None for name in pattern.coords if name not in axes.values}, ours)
    names = _apart(pattern.values, ours.union(inner.values()))
    checked = {point: _like(outcome, pattern) for point, outcome in known.items()}
    data = {names[name]: _column(axes, checked, name, inner) for name in pattern.values}
    coords = {
        inner[name]: (tuple(inner[d] for d in dims), *rest)
        for name, (dims, *rest) in pattern.coords.items()
        if name in inner
    }
    return xr.Dataset({**data, **_columns(axes, checked)}, coords={**axes.coords(), **coords})


def _dims(outcome: Outcome) -> dict[str, None]:
    return dict.fromkeys(d for part in (outcome.values, outcome.coords) for dims, *_ in part.values() for d in dims)


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
        same = all(_equal(v[1], pattern.coords[k][1]) for k, v in outcome.coords.items() if k in pattern.coords)
        if same:
            return outcome
        words = "coordinates differ from those of the first point"
    else:
        words = f"gives {_words(outcome.values)}, the first point {_words(pattern.values)}; return one shape everywhere"
    return replace(outcome, values={}, coords={}, status=Status.FAILED, message=words)


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fcmM" and other.dtype.kind in "fcmM")


def _forms(values: Mapping[str, Variable]) -> dict[str, tuple]:
    return {name: (dims, array.shape) for name, (dims, array, _) in values.items()}


def _words(values: Mapping[str, Variable]) -> str:
    return ", ".join(f"{name} of shape {array.shape}" for name, (_, array, _) in values.items())


def _column(axes: Axes, outcomes: Mapping[int, Outcome], name: str, inner: Mapping[str, str]) -> tuple:
    """One variable over the grid; only numbers can be missing, so that whole numbers turn into floats if some are."""
    found = {point: o.values[name] for point, o in outcomes.items() if name in o.values}
    dims, array, attrs = next(iter(found.values()))
    kind = np.result_type(*{values.dtype for _, values, _ in found.values()})
    if len(found) < axes.size and kind.kind in "biu":
        kind = np.dtype(np.float64)
    filled = np.full((axes.size, *array.shape), _MISSING.get(kind.kind, 0), kind)
    for point, (_, values, _) in found.items():
        filled[point] = values
    return (*axes.values, *(inner[d] for d in dims)), filled.reshape(*axes.shape, *array.shape), attrs


def _apart(given: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Names by what they are called in the table, where some are taken."""
    used, wanted, out = set(taken), set(given), {}
    for name in given:
        other = name
        while other in used or (other != name and other in wanted):
            other += "_of_point"
        out[name] = other
        used.add(other)
    return out
