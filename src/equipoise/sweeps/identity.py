"""A digest of a function and its arguments, the same in every process and on every day."""

import dataclasses
import enum
import hashlib
import os
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from equipoise.sweeps.axes import Axes


def digests_of(function: str, grid: Axes) -> list[str]:
    """SHA-256 of a function's own digest and the arguments of each point; every value is read once."""
    constants = {name: _canonical(value) for name, value in grid.constants.items()}
    rows = {name: [_canonical(value) for value in values] for name, values in grid.values.items()}
    return [_digest(function, {**constants, **grid.among(rows, point)}) for point in grid]


def _digest(function: str, arguments: Mapping[str, str]) -> str:
    return _sha(function, *(text for name in sorted(arguments) for text in (name, arguments[name])))


def digest_of_function(function: Callable[..., Any]) -> str:
    """SHA-256 of a function: its code, defaults, what it closes over, and the functions and values of its own module.

    The package's version is in it. Another change in what it calls from other modules is not seen: sweep into another
    store then.
    """
    from equipoise import __version__

    return _sha(__version__, _canonical(function, ()))


def _sha(*parts: str) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(f"{len(part)}:{part}".encode())
    return sha.hexdigest()


def _canonical(value: Any, within: tuple[Any, ...] = ()) -> str:
    """A text that is the same for equal values only; `within` are the functions that it is a part of."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, np.generic):
        return _canonical(value.item())
    if isinstance(value, np.ndarray) and value.dtype != object:
        whole = np.ascontiguousarray(value)
        return f"array {whole.dtype} {whole.shape} {hashlib.sha256(whole.tobytes()).hexdigest()}"
    if isinstance(value, enum.Enum):
        return f"enum {_name(type(value))}.{value.name}"
    if isinstance(value, os.PathLike):
        return f"path {os.fspath(value)!r}"
    if isinstance(value, list | tuple | set | frozenset | range | Mapping):
        return _canonical_many(value, within)
    if isinstance(value, type):
        return _canonical_class(value, within)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return f"{_name(type(value))} {_canonical_many(fields, within)}"
    if callable(value):
        return _canonical_callable(value, within)
    raise TypeError(
        f"sweep: a stored sweep needs arguments that can be told apart on another day: numbers, text, arrays, "
        f"collections and dataclasses, got {type(value).__name__}. Pass its parameters and build it in the function."
    )


def _canonical_many(value: Any, within: tuple[Any, ...]) -> str:
    if isinstance(value, Mapping):
        parts = sorted(f"{_canonical(k, within)}: {_canonical(v, within)}" for k, v in value.items())
    else:
        parts = [_canonical(part, within) for part in value]
        parts = sorted(parts) if isinstance(value, set | frozenset) else parts
    return f"{'mapping' if isinstance(value, Mapping) else type(value).__name__} ({', '.join(parts)})"


def _canonical_callable(value: Any, within: tuple[Any, ...]) -> str:
    if any(value is outer for outer in within):
        return f"again {_name(value)}"
    inside = (*within, value)
    if isinstance(value, partial):
        parts = (value.func, value.args, value.keywords)
        return f"partial {' '.join(_canonical(part, inside) for part in parts)}"
    if isinstance(value, types.MethodType):
        return f"method {_canonical(value.__self__, inside)} {_canonical(value.__func__, inside)}"
    if hasattr(value, "__wrapped__") and not isinstance(value, types.FunctionType):  # as of a cache
        return f"wrapped {_name(type(value))} {_canonical(value.__wrapped__, inside)}"
    if not isinstance(value, types.FunctionType):
        if not (state := getattr(value, "__dict__", None)) or hasattr(value, "__qualname__"):
            return f"callable {_name(value if hasattr(value, '__qualname__') else type(value))}"
        return f"callable {_canonical(type(value).__call__, inside)} {_canonical(state, inside)}"
    parts = (value.__defaults__, value.__kwdefaults__, _closed_over(value), _globals(value, inside))
    return f"function {_code(value.__code__)} {' '.join(_canonical(part, inside) for part in parts)}"


def _canonical_class(value: type, within: tuple[Any, ...]) -> str:
    """A class of a function's own module by what stands in it, any other by its name."""
    own = any(value.__module__ == getattr(outer, "__module__", None) for outer in within)
    if not own or any(value is outer for outer in within):
        return f"type {_name(value)}"
    inside = (*within, value)
    body = {name: _in_class(part, value.__module__, inside) for name, part in vars(value).items() if _written(name)}
    return f"type {_name(value)} {_canonical([list(value.__bases__), body], inside)}"


def _in_class(part: Any, module: str, within: tuple[Any, ...]) -> list[str]:
    """Methods by content, whatever makes them a property or a method of the class."""
    names = ("__func__", "fget", "fset", "func")
    inner = [found for name in names if isinstance(found := getattr(part, name, None), types.FunctionType)]
    return [type(part).__name__, *(_in_module(one, module, within) for one in inner or [part])]


def _written(name: str) -> bool:
    """Whether a name of a class comes from what its author wrote, and not from its making."""
    return name not in ("__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__static_attributes__")


def _closed_over(function: types.FunctionType) -> dict[str, Any]:
    """Values of the names that a function closes over."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells}


def _globals(function: types.FunctionType, within: tuple[Any, ...]) -> dict[str, Any]:
    """What a function uses of its module: functions and values by content, what comes from elsewhere by name."""
    used = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    return {name: _in_module(value, function.__module__, within) for name, value in used.items()}


def _in_module(value: Any, module: str, within: tuple[Any, ...]) -> str:
    if callable(value) and not dataclasses.is_dataclass(value) and getattr(value, "__module__", module) != module:
        return _name(value) if hasattr(value, "__qualname__") else type(value).__name__
    try:
        return _canonical(value, within)
    except TypeError:
        return type(value).__name__


def _names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(_names(c) for c in inner))


def _code(code: types.CodeType) -> str:
    """Instructions, constants and names, without the file and the line."""
    constants = [_code(c) if isinstance(c, types.CodeType) else _canonical(c) for c in code.co_consts]
    return _sha(code.co_code.hex(), *constants, *code.co_names, *code.co_varnames)


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
