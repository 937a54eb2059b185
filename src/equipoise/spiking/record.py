"""What a simulation writes down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from equipoise.quantities import Quantity, check, check_fields, quantity
from equipoise.units import ms, second

Cells = Mapping[str, int | Sequence[int]]

_EVERY = Quantity("time between samples of the membrane", unit="ms", low=0.0, high=60 * second, open_low=True)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a simulation writes down: spikes of the first `cells` neurons of each population, counts per `bin` [s].

    `membrane` names neurons by population, the first n or those of a list, whose potential and input are written down
    once per `every` [s], by default in every step. `to` is a new directory to which all of this goes while the run goes
    on, as zarr, instead of staying in memory (extra `[zarr]`); with `resume` a run that was stopped there goes on, and
    ends bit by bit as if it had not been.
    """

    cells: float = np.inf
    bin: float = quantity(
        "bin of the population rates", default=1 * ms, unit="ms", low=0.0, high=60 * second, open_low=True
    )
    membrane: Cells = field(default_factory=dict)
    every: float | None = None
    to: str | Path | None = None
    resume: bool = False

    def __post_init__(self):
        check_fields(self)
        if isinstance(self.cells, bool) or not (
            self.cells == np.inf or (self.cells >= 0 and self.cells == int(self.cells))
        ):
            raise ValueError(f"Record.cells must be a whole number of neurons, or infinite, got {self.cells!r}.")
        if self.every is not None:
            object.__setattr__(self, "every", check("Record.every", self.every, _EVERY))
        if not isinstance(self.membrane, Mapping):
            raise TypeError(
                f"Record.membrane must be a mapping such as {{'E': 10, 'I': [3, 5]}}, got {self.membrane!r}."
            )
        for name, which in self.membrane.items():
            _check_chosen(name, which)


def _check_chosen(name: str, which: int | Sequence[int]) -> None:
    whole = (int, np.integer)
    numbers = [which] if isinstance(which, whole) else which
    if (
        isinstance(numbers, str)
        or not hasattr(numbers, "__iter__")
        or any(isinstance(i, bool) or not isinstance(i, whole) for i in numbers)
    ):
        raise TypeError(
            f"Record.membrane[{name!r}] must be a number of neurons or a list of neurons such as [3, 5], got {which!r}."
        )
