"""The axes of a sweep and the points of their grid."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from equipoise.quantities import suggest

COLUMNS = ("status", "message", "seconds")
"""Variables that every sweep has."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Axes:
    """Values by name, in the order given, and constants that every point shares."""

    values: Mapping[str, tuple[Any, ...]]
    constants: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Values of each axis."""
        return tuple(len(values) for values in self.values.values())

    @property
    def size(self) -> int:
        """Points of the grid."""
        return int(np.prod(self.shape, dtype=np.int64))

    def arguments(self, point: int) -> dict[str, Any]:
        """What the function is called with at a point, numbered in C order."""
        return {**self.constants, **self.place(point)}

    def place(self, point: int) -> dict[str, Any]:
        """The values of the axes there."""
        return self.among(self.values, point)

    def among(self, rows: Mapping[str, Sequence[Any]], point: int) -> dict[str, Any]:
        """At a point, what `rows` has for each value of each axis."""
        place = np.unravel_index(point, self.shape)
        return {name: row[int(i)] for (name, row), i in zip(rows.items(), place, strict=True)}

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.size))

    def coords(self) -> dict[str, Any]:
        """Labels of every axis: numbers and text as they are, other objects by their `name` or their repr.

        Unlike objects of one name are numbered.
        """
        return {name: _labels(name, values) for name, values in self.values.items()}


def axes_of(function: Callable[..., Any], given: Mapping[str, Any]) -> Axes:
    """Sequences are axes, all else is constant; raises where the function cannot be called so."""
    if not callable(function):
        raise TypeError(f"sweep: function must be callable, got {function!r}.")
    values = {name: _values(name, it) for name, it in given.items() if _is_axis(name, it)}
    constants = {name: it for name, it in given.items() if name not in values}
    if not values:
        raise ValueError(f"sweep: give at least one axis, such as K=[100, 1000], got {', '.join(given) or 'none'}.")
    _callable_with(function, given)
    axes = Axes(values=values, constants=constants)
    axes.coords()
    return axes


def _is_axis(name: str, given: Any) -> bool:
    if isinstance(given, Iterator):
        raise TypeError(
            f"sweep: {name} must be a sequence or a constant, got {type(given).__name__}, which can be read only once. "
            f"Give {name}=list(...)."
        )
    if isinstance(given, np.ndarray):
        return given.ndim != 0
    return isinstance(given, Sequence) and not isinstance(given, str | bytes)


def _values(name: str, given: Any) -> tuple[Any, ...]:
    if name in COLUMNS:
        raise ValueError(f"sweep: no axis can be called {name!r}; the table has a variable of that name.")
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ValueError(f"sweep: {name} must be 1-D, got shape {given.shape}.")
    values = tuple(given.tolist() if isinstance(given, np.ndarray) else given)
    if not values:
        raise ValueError(f"sweep: {name} must have at least one value, got none.")
    return values


def _callable_with(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # compiled functions have none
    try:
        signature.bind(**given)
    except TypeError as error:
        known = signature.parameters
        unknown = next((name for name in given if name not in known), "")
        words = getattr(function, "__name__", repr(function))
        hint = suggest(unknown, known) if unknown else ""
        raise TypeError(f"sweep: {words}{signature} cannot be called with {', '.join(given)}: {error}.{hint}") from None


def _labels(name: str, values: tuple[Any, ...]) -> np.ndarray:
    plain = all(isinstance(v, bool | int | float | str | np.generic) for v in values)
    labels = np.asarray(values) if plain else np.array(_names(values))
    if len(np.unique(labels)) != len(values):
        raise ValueError(f"sweep: the values of {name} must differ, got {', '.join(map(str, labels))}.")
    return labels


def _names(values: tuple[Any, ...]) -> list[str]:
    """Names of objects, with a number where objects that are not the same have one name."""
    names = [str(getattr(v, "name", None) or repr(v)) for v in values]
    unlike: dict[str, list[Any]] = {name: [] for name in names}
    numbers = []
    for name, value in zip(names, values, strict=True):
        known = unlike[name]
        numbers.append(next((k for k, other in enumerate(known) if _same(value, other)), len(known)))
        if numbers[-1] == len(known):
            known.append(value)
    return [f"{name} ({k + 1})" if len(unlike[name]) > 1 else name for name, k in zip(names, numbers, strict=True)]


def _same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(np.all(one == other))
    except (TypeError, ValueError):
        return False
