"""A run on disk while it goes on: columns in a zarr directory, chunk by chunk.

Rows are gathered in memory and written about every five seconds, with all that the run needs to go on; then the
attributes of the directory say how many rows of each column are whole and how far the run is. zarr replaces files
whole, so that after a kill the columns up to the last such statement are there, whatever came behind them, and two
places take turns for what is kept, so that the one before stays until the new one counts.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.columns import DIMS, RUNNING, Column, Keep, blank, joined
from equipoise.spiking.kernel import State
from equipoise.spiking.packing import Arrays, as_bytes, from_bytes, packed, unpacked

Bytes = NDArray[np.uint8]

SETTLE_EVERY = 5.0
"""Wall time between two writings [s]."""
BUFFER_BYTES = 2**26
CHUNK_ROWS, CHUNK_VALUES, SLOW_COLUMNS = 2**14, 2**20, 64
RUN, SO_FAR, KEPT, END = "equipoise", "so_far", "kept", "end"
"""Attributes: what the run is, how far it has come, and from where it can go on; and where the network ended."""


class Store:
    """A sheet on disk, made with its first rows."""

    def __init__(self, path: str | Path, widths: Mapping[str, int], about: Mapping[str, Any]):
        self._set(path, widths, about, zarr_package())
        if self.path.exists():
            raise FileExistsError(
                f"Record.to: {str(path)!r} exists. Give resume=True to go on, remove it, or give another directory."
            )

    def _set(self, path: str | Path, widths: Mapping[str, int], about: Mapping[str, Any], zarr: Any) -> None:
        self.path, self.widths, self.about, self.zarr = Path(path), dict(widths), dict(about), zarr
        self.group: Any = None
        self.turn = 0
        self.rows = dict.fromkeys(widths, 0)
        self.blocks: dict[str, list[NDArray]] = {name: [] for name in widths}
        self.bytes, self.last = 0, time.perf_counter()

    @classmethod
    def reopened(
        cls, path: str | Path, widths: Mapping[str, int], about: Mapping[str, Any]
    ) -> tuple["Store", dict[str, Any], Arrays]:
        """The store of a run that was stopped, how far it is, and what it kept; ValueError if it is another run."""
        zarr = zarr_package()
        group: Any = zarr.open_group(Path(path), mode="r+")
        kept = group.attrs.get(KEPT)
        if group.attrs.get(RUN) != json.loads(json.dumps(about)) or kept is None:
            raise ValueError(
                f"Record.to: {str(path)!r} holds another run, or nothing to go on from (circuit, seed, dt, schedule, "
                "duration, record, threads and version must be the same). Remove it, or give another directory."
            )
        store = cls.__new__(cls)
        store._set(path, widths, about, zarr)
        store.group, store.rows, store.turn = group, dict(kept["rows"]), kept["turn"] + 1
        return store, kept, from_bytes(np.asarray(group[_place(kept["turn"])][:]))

    def add(self, blocks: Mapping[str, NDArray]) -> None:
        """Append rows to columns."""
        for name, block in blocks.items():
            self.blocks[name].append(block)
            self.bytes += block.nbytes

    def settle(self, facts: Mapping[str, Any], kept: Keep, *, now: bool = False) -> None:
        """Write what has gathered, if it is time or must be `now`; OSError where the disk takes no more."""
        if now or self.bytes > BUFFER_BYTES or time.perf_counter() - self.last > SETTLE_EVERY:
            self._write(facts, kept=as_bytes(kept()))

    def close(self, facts: Mapping[str, Any], end: State) -> Mapping[str, Column]:
        """Write the rest and where the network stands; the columns, which read from disk."""
        self._write(facts, end=as_bytes(packed(end)))
        return columns_of(self.group, self.rows)

    def _group(self) -> Any:
        """The directory, made when it is first needed; what an interrupted attempt left is replaced."""
        if self.group is None:
            group = self.zarr.create_group(self.path, attributes={RUN: self.about}, overwrite=True)
            for name, width in self.widths.items():
                _create(group, name, width)
            self.group = group
        return self.group

    def _write(self, facts: Mapping[str, Any], *, end: Bytes | None = None, kept: Bytes | None = None) -> None:
        """Rows go behind those that are whole; only when all are there do the attributes count them."""
        try:
            group, rows = self._group(), dict(self.rows)
            for name, blocks in self.blocks.items():
                if blocks:
                    rows[name] = _put(group[name], rows[name], joined(blocks))
            news = {SO_FAR: {**facts, "rows": rows}}
            if end is not None:
                group.create_array(END, data=end, dimension_names=("byte",), overwrite=True)
            if kept is not None:
                _keep(group, _place(self.turn), kept)
                news[KEPT] = {**news[SO_FAR], "turn": self.turn}
            group.attrs.update(news)
            self.turn += kept is not None
        except OSError as error:
            raise OSError(
                f"Record.to: {str(self.path)!r} takes no more ({error.strerror or error}). What was written before "
                "can be read with eq.spiking.load."
            ) from error
        self.rows, self.blocks = rows, {name: [] for name in self.widths}
        self.bytes, self.last = 0, time.perf_counter()


def _place(turn: int) -> str:
    """Where the state of a turn is kept."""
    return f"kept_{turn % 2}"


def _keep(group: Any, place: str, kept: Bytes) -> None:
    group.create_array(place, data=kept, dimension_names=(f"{place}_byte",), overwrite=True)


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
    end = None if so_far["status"] == RUNNING else unpacked(from_bytes(np.asarray(group[END][:])))
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
