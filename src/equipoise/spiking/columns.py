"""What a run wrote down, as columns that grow with time: in memory, or read from disk part by part."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.kernel import State

DIMS = {
    "spike_step": ("spike",), "spike_unit": ("spike",), "count": ("bin", "population"), "potential": ("sample", "cell"),
    "excitation": ("sample", "cell"), "inhibition": ("sample", "cell"), "drive": ("sample", "cell"),
    "g_excitatory": ("sample", "cell"), "g_inhibitory": ("sample", "cell"),
    "slow": ("window", "variable"),
}  # fmt: skip
"""The columns and their axes; the first one is time."""
TRACES = {
    "potential": "V", "excitation": "V/s", "inhibition": "V/s", "drive": "V/s", "g_excitatory": "S",
    "g_inhibitory": "S",
}  # fmt: skip
"""What is known of a membrane, in the order of a probe's values; the last two only where there are conductances."""
RUNNING = "RUNNING"
"""What a store says of a run that has not ended; no Status, as nobody gets it as a result."""
TYPES = {"spike_step": np.int64, "spike_unit": np.int64, "count": np.int64, "slow": np.float64}


Keep = Callable[[], dict[str, NDArray]]
"""Gives the arrays from which a run can go on."""


class Column(Protocol):
    """Something that can be cut, and then is an array."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> Any: ...


class Sheet(Protocol):
    """Where columns grow."""

    def add(self, blocks: Mapping[str, NDArray]) -> None:
        """Append rows to columns."""

    def settle(self, facts: Mapping[str, Any], kept: Keep, *, now: bool = False) -> None:
        """All that was added up to here is whole; `facts` say how far the run is, and from `kept` it can go on."""

    def close(self, facts: Mapping[str, Any], end: State) -> Mapping[str, Column]:
        """Nothing more comes, and the network stands here; the columns."""
        ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is written down of a network.

    `recorded` neurons of each population, steps of a `bin` of counts, and the `cells` (population, neuron) whose
    membrane is looked at `every` so many steps; `conductances`: some of them have these.
    """

    recorded: tuple[int, ...]
    bin: int
    every: int
    cells: tuple[tuple[str, int], ...]
    conductances: bool

    @property
    def traces(self) -> tuple[str, ...]:
        """The columns of each membrane; none where no neurons were chosen."""
        return tuple(TRACES)[: 0 if not self.cells else 6 if self.conductances else 4]

    @property
    def widths(self) -> dict[str, int]:
        """The columns that there are, and how wide they are at first."""
        traces = dict.fromkeys(self.traces, len(self.cells))
        return {"spike_step": 1, "spike_unit": 1, "count": len(self.recorded), **traces, "slow": 0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Written:
    """The columns of a run by name, what they are about, and the names of the columns of the slow history."""

    columns: Mapping[str, Column]
    plan: Plan
    slow_names: tuple[str, ...]


class Memory:
    """A sheet in memory."""

    def __init__(self, widths: Mapping[str, int]):
        self.blocks = {name: [blank(name, width)] for name, width in widths.items()}

    def add(self, blocks: Mapping[str, NDArray]) -> None:
        """Append rows to columns."""
        for name, block in blocks.items():
            self.blocks[name].append(block)

    def settle(self, facts: Mapping[str, Any], kept: Keep, *, now: bool = False) -> None:
        """Memory is always whole."""

    def close(self, facts: Mapping[str, Any], end: State) -> Mapping[str, Column]:  # noqa: ARG002
        """The columns as arrays."""
        return {name: joined(blocks) for name, blocks in self.blocks.items()}


def joined(blocks: Sequence[NDArray]) -> NDArray:
    """Blocks below each other; those that lack the last columns have NaN there."""
    if blocks[0].ndim == 1:
        return np.concatenate(blocks)
    width = max(b.shape[1] for b in blocks)
    fill = [b if b.shape[1] == width else _widened(b, width) for b in blocks]
    return np.concatenate(fill)


def blank(name: str, width: int) -> NDArray:
    """No rows of a column."""
    return np.empty((0,) if len(DIMS[name]) == 1 else (0, width), TYPES.get(name, np.float32))


def _widened(block: NDArray, width: int) -> NDArray:
    out = np.full((block.shape[0], width), np.nan)
    out[:, : block.shape[1]] = block
    return out


def rows_between(column: Column, first: int, last: int) -> slice:
    """The rows of a rising column whose values lie in [first, last)."""
    return slice(bisect_left(column, first), bisect_left(column, last))
