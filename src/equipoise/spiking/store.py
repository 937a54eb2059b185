"""A run on disk while it goes on: columns in a zarr directory, chunk by chunk.

Rows are gathered in memory and written about every five seconds; then the attributes of the directory say how many rows
of each column are whole and how far the run is. zarr replaces files whole, so that after a kill the columns up to the
last such statement are there, whatever came behind them.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.columns import DIMS, RUNNING, Column, blank, joined
from equipoise.spiking.kernel import State
from equipoise.spiking.packing import as_bytes, from_bytes

SETTLE_EVERY = 5.0
"""Wall time between two writings [s]."""
BUFFER_BYTES = 2**26
CHUNK_ROWS, CHUNK_VALUES, SLOW_COLUMNS = 2**14, 2**20, 64
RUN, SO_FAR, END = "equipoise", "so_far", "end"
"""Attributes: what the run is, and how far it has come; and the array that holds where the network ended."""


class Store:
    """A sheet on disk, made with its first rows."""

    def __init__(self, path: str | Path, widths: Mapping[str, int], about: Mapping[str, Any]):
        self.path, self.widths, self.about = Path(path), dict(widths), dict(about)
        self.zarr = zarr_package()
        if self.path.exists():
            raise FileExistsError(f"Record.to: {str(path)!r} exists. Remove it, or give another directory.")
        self.group: Any = None
        self.rows = dict.fromkeys(widths, 0)
        self.blocks: dict[str, list[NDArray]] = {name: [] for name in widths}
        self.bytes, self.last = 0, time.perf_counter()

    def add(self, blocks: Mapping[str, NDArray]) -> None:
        """Append rows to columns."""
        for name, block in blocks.items():
            self.blocks[name].append(block)
            self.bytes += block.nbytes

    def settle(self, facts: Mapping[str, Any]) -> None:
        """Write what has gathered, if it is time; OSError where the disk takes no more."""
        if self.bytes > BUFFER_BYTES or time.perf_counter() - self.last > SETTLE_EVERY:
            self._write(facts)

    def close(self, facts: Mapping[str, Any], end: State) -> Mapping[str, Column]:
        """Write the rest and where the network stands; the columns, which read from disk."""
        self._write(facts, as_bytes(end))
        return columns_of(self.group, self.rows)

    def _group(self) -> Any:
        """The directory, made when it is first needed; what an interrupted attempt left is replaced."""
        if self.group is None:
            group = self.zarr.create_group(self.path, attributes={RUN: self.about}, overwrite=True)
            for name, width in self.widths.items():
                _create(group, name, width)
            self.group = group
        return self.group

    def _write(self, facts: Mapping[str, Any], end: NDArray[np.uint8] | None = None) -> None:
        """Rows go behind those that are whole; only when all are there do the attributes count them."""
        try:
            group, rows = self._group(), dict(self.rows)
            for name, blocks in self.blocks.items():
                if blocks:
                    rows[name] = _put(group[name], rows[name], joined(blocks))
            if end is not None:
                group.create_array(END, data=end, dimension_names=("byte",), overwrite=True)
            group.attrs.update({SO_FAR: {**facts, "rows": rows}})
        except OSError as error:
            raise OSError(
                f"Record.to: {str(self.path)!r} takes no more ({error.strerror or error}). What was written before "
                "can be read with eq.spiking.load."
            ) from error
        self.rows, self.blocks = rows, {name: [] for name in self.widths}
        self.bytes, self.last = 0, time.perf_counter()


def _create(group: Any, name: str, width: int) -> None:
    """A column without rows."""
    empty = blank(name, width)
    chunks = (CHUNK_VALUES,)
    if empty.ndim == 2:
        wide = SLOW_COLUMNS if name == "slow" else max(1, width)
        chunks = (max(1, min(CHUNK_ROWS, CHUNK_VALUES // wide)), wide)
    fill = np.nan if empty.dtype.kind == "f" else 0
    group.create_array(
        name, shape=empty.shape, chunks=chunks, dtype=empty.dtype, fill_value=fill, dimension_names=DIMS[name]
    )


def _put(column: Any, begin: int, block: NDArray) -> int:
    """Write a block from a row on, widening the column if need be; the row behind it."""
    end = begin + len(block)
    widths = [max(pair) for pair in zip(column.shape[1:], block.shape[1:], strict=True)]
    column.resize((end, *widths))
    column[(slice(begin, end), *(slice(0, n) for n in block.shape[1:]))] = block
    return end


class Part:
    """The whole rows of a column on disk, read when they are asked for."""

    def __init__(self, array: Any, rows: int):
        self.array, self.rows = array, rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: int | slice) -> Any:
        if isinstance(rows, slice):
            first, last, _ = rows.indices(self.rows)
            return np.asarray(self.array[first:last])
        return np.asarray(self.array[rows]).item()


def columns_of(group: Any, rows: Mapping[str, int]) -> dict[str, Column]:
    """The columns of a directory as far as they are whole."""
    return {name: Part(group[name], n) for name, n in rows.items()}


def opened(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Column], State | None]:
    """What a directory holds: what the run is, how far it is, its columns, and its end where it has ended."""
    zarr = zarr_package()
    try:
        group: Any = zarr.open_group(path, mode="r")
        about, so_far = group.attrs[RUN], group.attrs.get(SO_FAR)
    except (KeyError, FileNotFoundError, ValueError):
        raise ValueError(f"spiking.load: {str(path)!r} is not a run that Record(to=...) wrote.") from None
    if so_far is None:
        raise ValueError(f"spiking.load: {str(path)!r} holds nothing yet; its run was stopped too early.")
    end = None if so_far["status"] == RUNNING else from_bytes(np.asarray(group[END][:]))
    return about, so_far, columns_of(group, so_far["rows"]), end


def zarr_package() -> Any:
    """The zarr package, or ImportError in words."""
    try:
        import zarr
    except ImportError:
        raise ImportError(
            "spiking: runs on disk need zarr, which is not installed. Use pip install 'equipoise[zarr]', "
            "or leave out Record.to."
        ) from None
    return zarr
