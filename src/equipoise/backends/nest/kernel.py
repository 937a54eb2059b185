"""The NEST kernel: loaded quietly on first use, reset for every run; one in each process."""

import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Quantity, check, steps_of
from equipoise.units import ms, us

OLDEST = (3, 10)
TIC = 1 * us
"""NEST counts time in these."""

_DT = Quantity("time step", unit="ms", low=TIC, high=1 * ms)

Indices = NDArray[np.int64]


def load() -> Any:
    """The module of NEST; ImportError that says how to get it."""
    spoke = "PYNEST_QUIET" not in os.environ
    os.environ.setdefault("PYNEST_QUIET", "1")
    try:
        nest = importlib.import_module("nest")
    except ModuleNotFoundError as error:
        if error.name != "nest":
            raise
        raise ImportError(
            "backends.nest: NEST is not installed. Use pip install 'equipoise[nest]', or your cluster's NEST module."
        ) from None
    finally:
        if spoke:
            del os.environ["PYNEST_QUIET"]
    _check_version(getattr(nest, "__version__", "unknown"))
    return nest


def _check_version(found: str) -> None:
    numbers = found.split(".")[:2]
    if not all(n.isdigit() for n in numbers) or tuple(map(int, numbers)) < OLDEST:
        raise ImportError(f"backends.nest: needs NEST {OLDEST[0]}.{OLDEST[1]} or newer, found {found}.")


def reset(nest: Any, *, dt: float, seed: int, threads: int) -> None:
    """An empty kernel that keeps silent; whatever it held before is gone."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=in_ms(dt), rng_seed=seed, total_num_virtual_procs=threads * nest.num_processes)


def checked_dt(dt: float) -> float:
    """The time step [s], a multiple of NEST's 1 µs."""
    step = check("backends.nest: dt", dt, _DT)
    steps_of("backends.nest", "dt", step, TIC, of="NEST's resolution")
    return step


def whole(name: str, value: float, about: Quantity) -> int:
    """A whole number within its range."""
    number = check(f"backends.nest: {name}", value, about)
    if number != int(number):
        raise ValueError(f"backends.nest: {name} must be a whole number, got {value!r}.")
    return int(number)


def in_ms(time: float) -> float:
    """A time in ms, without the rounding error of the division."""
    return round(time / ms, 9)


def spikes_of(nest: Any, recorder: Any) -> tuple[Indices, Indices]:
    """Step and node of every spike since the last call, from all processes; the recorder is emptied."""
    events = recorder.events
    found = [np.asarray(events[key]).astype(np.int64) for key in ("times", "senders")]
    recorder.n_events = 0
    if nest.num_processes > 1:
        found = gathered(found)
    return found[0], found[1]


def gathered(arrays: Sequence[Indices]) -> list[Indices]:
    """Each array with those of all other processes behind it, through mpi4py."""
    communicator = importlib.import_module("mpi4py.MPI").COMM_WORLD
    parts = communicator.allgather(list(arrays))
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
