"""Where neurons stand: populations padded to columns of 512, and which thread owns which columns.

A column has its own random words at each step, so that results do not depend on who computes it.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

COLUMN = 512
WORDS = COLUMN // 64
LARGEST_BLOCK = 2**16 // COLUMN
"""Columns of a block at most, so that 16 bits number its neurons."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Columns `first` to `last` (exclusive) of one population, owned by one thread."""

    population: int
    first: int
    last: int
    thread: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Populations side by side, each from a new column on; `threads` own about equally many columns."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    threads: int

    @cached_property
    def first_columns(self) -> NDArray[np.int64]:
        """First column of each population, and the number of all columns (P + 1,)."""
        return np.concatenate([[0], np.cumsum([-(-n // COLUMN) for n in self.sizes])]).astype(np.int64)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.first_columns[-1])

    @property
    def places(self) -> int:
        """Number of places for neurons, padding included."""
        return self.columns * COLUMN

    def neurons(self, population: int) -> slice:
        """Places of the neurons of a population."""
        first = int(self.first_columns[population]) * COLUMN
        return slice(first, first + self.sizes[population])

    def padded(self, population: int) -> slice:
        """Places of a population with its padding."""
        return slice(*(int(c) * COLUMN for c in self.first_columns[population : population + 2]))

    def population_of(self, places: NDArray[np.integer]) -> NDArray[np.int64]:
        """The population that each place belongs to."""
        return np.searchsorted(self.first_columns, places // COLUMN, side="right") - 1

    @cached_property
    def occupied(self) -> NDArray[np.int64]:
        """Places that hold a neuron, in order (N,)."""
        return np.concatenate([np.arange(s.start, s.stop) for s in map(self.neurons, range(len(self.sizes)))])

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Each population cut into equal blocks, as many for each thread; who gets the larger ones alternates."""
        out = []
        for p, (first, last) in enumerate(pairwise(self.first_columns)):
            rounds = -(-int(last - first) // (LARGEST_BLOCK * self.threads))
            edges = np.linspace(first, last, rounds * self.threads + 1).astype(int).tolist()
            for k, (a, b) in enumerate(pairwise(edges)):
                if b > a:
                    out.append(Block(population=p, first=a, last=b, thread=(k + p) % self.threads))
        return tuple(out)
