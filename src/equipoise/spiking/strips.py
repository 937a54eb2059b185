"""Values of neurons cut into columns, those that are equal stored once: what is uniform stays in the nearest cache."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.layout import COLUMN
from equipoise.spiking.tables import aligned


@dataclass(frozen=True, eq=False)
class Strips:
    """`pool` (strips * 512,), and which strip each column of each row uses (rows, columns)."""

    pool: NDArray[np.float32]
    index: NDArray[np.int64]

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> "Strips":
        """From values (rows, places); neighbours that are equal share a strip."""
        strips = rows.reshape(-1, COLUMN)
        new = np.ones(len(strips), bool)
        new[1:] = (strips[1:].view(np.int32) != strips[:-1].view(np.int32)).any(axis=1)
        pool = aligned(int(new.sum()) * COLUMN, np.float32)
        pool[:] = strips[new].ravel()
        return cls(pool, (np.cumsum(new) - 1).reshape(*rows.shape[:-1], -1))

    def row(self, k: int) -> NDArray[np.float32]:
        """The values of a row (places,)."""
        return self.pool.reshape(-1, COLUMN)[self.index[k]].ravel()
