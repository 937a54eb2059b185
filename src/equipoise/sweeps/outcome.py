"""What one point of a sweep gives: labelled values, or why there are none."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.results import NumericalFailure, Status

Variable = tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]
"""Dimensions, values and attributes."""
NAME = "value"
"""The variable of a function that returns a bare number or array."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The values of one point by name, their coordinates, how it ended, in what words, and the seconds it took."""

    values: Mapping[str, Variable] = field(default_factory=dict)
    coords: Mapping[str, Variable] = field(default_factory=dict)
    status: Status = Status.OK
    message: str = ""
    seconds: float = 0.0


def outcome_of(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Outcome:
    """Call the function; an exception becomes the point's status and message."""
    began = time.perf_counter()
    try:
        values, coords = _labelled(function(**arguments))
    except NumericalFailure as failure:
        return Outcome(status=failure.status, message=str(failure), seconds=time.perf_counter() - began)
    except (Exception, SystemExit) as error:
        words = f"{type(error).__name__}: {error}"
        return Outcome(status=Status.FAILED, message=words, seconds=time.perf_counter() - began)
    return Outcome(values=values, coords=coords, seconds=time.perf_counter() - began)


def _labelled(result: Any) -> tuple[dict[str, Variable], dict[str, Variable]]:
    """The result as variables and coordinates."""
    import xarray as xr

    if isinstance(result, xr.DataArray):
        result = result.to_dataset(name=result.name or NAME, promote_attrs=False)
    if isinstance(result, xr.Dataset):
        return _variables(result.data_vars), _variables(result.coords)
    if isinstance(result, Mapping):
        values, coords = {}, {}
        for name, part in result.items():
            inner = part.rename(name) if isinstance(part, xr.DataArray) else {name: part}
            more = _labelled(inner) if isinstance(part, xr.DataArray) else ({str(name): _bare(str(name), part)}, {})
            values |= more[0]
            coords |= more[1]
        return values, coords
    return {NAME: _bare(NAME, result)}, {}


def _variables(mapping: Mapping[Any, Any]) -> dict[str, Variable]:
    return {
        str(name): (tuple(map(str, v.dims)), _plain(str(name), np.asarray(v.values)), _attributes(v.attrs))
        for name, v in mapping.items()
    }


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Those that a store keeps: numbers, text and lists of them."""
    plain = {str(k): v.tolist() if isinstance(v, np.generic | np.ndarray) else v for k, v in attrs.items()}
    return {k: v for k, v in plain.items() if isinstance(v, str | int | float | list)}


def _bare(name: str, part: Any) -> Variable:
    """A number, text, status or array without labels; its dimensions are named after it."""
    values = _plain(name, part.name if isinstance(part, Status) else part)
    return tuple(f"{name}_dim_{i}" for i in range(values.ndim)), values, {}


def _plain(name: str, part: Any) -> NDArray[Any]:
    """Numbers, text or times."""
    values = np.asarray(part)
    if values.dtype.kind == "O" and values.size and all(isinstance(v, str) for v in values.flat):
        values = values.astype(np.str_)
    if values.dtype.kind not in "biufcUmM":
        raise TypeError(
            f"sweep: the function must return numbers, text, arrays, xarray objects or a mapping of those, got "
            f"{type(part).__name__}{'' if values.ndim == 0 else f' of {values.dtype}'} for {name!r}. Return the "
            "attributes that you want."
        )
    return values
