"""Finished points of a sweep on disk: one SQLite file, whole after any interruption."""

import io
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.results import Status
from equipoise.sweeps.outcome import Outcome, Variable

_TABLE = """create table if not exists points
(digest text primary key, status text, message text, seconds real, content blob) without rowid"""
_SOME = 500
"""Digests asked for at once."""


class Store:
    """Outcomes by digest; a point is written as soon as it is known, in a transaction of its own."""

    def __init__(self, path: str | Path):
        import sqlite3

        self.path = Path(path)
        self._full, self._error = False, sqlite3.DatabaseError
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=60.0, isolation_level=None)
            # The journal of a killed process is played back by the next that opens the file.
            self._database.execute("pragma journal_mode=wal")
            self._database.execute("pragma synchronous=normal")
            self._database.execute(_TABLE)
        except (sqlite3.DatabaseError, OSError) as error:
            raise ValueError(
                "sweep: store must be a file that a sweep has written, or a new one where one can be written, got "
                f"{str(path)!r} ({error})."
            ) from None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def found(self, digests: Iterable[str]) -> dict[str, Outcome]:
        """The outcomes that are there."""
        wanted, rows = list(digests), []
        for i in range(0, len(wanted), _SOME):
            some = wanted[i : i + _SOME]
            places = ", ".join("?" * len(some))
            rows += self._database.execute(f"select * from points where digest in ({places})", some).fetchall()
        return {row[0]: _outcome(*row[1:]) for row in rows}

    def put(self, digest: str, outcome: Outcome) -> None:
        """Keep an outcome; once that fails, as on a full disk, warn and keep no more, as the sweep has its results."""
        if self._full:
            return
        row = (digest, outcome.status.name, outcome.message, outcome.seconds, _content(outcome))
        try:
            self._database.execute("insert or replace into points values (?, ?, ?, ?, ?)", row)
        except self._error as error:
            self._full = True
            words = (
                f"sweep: {str(self.path)!r} cannot be written ({error}); from here on results are in the table alone."
            )
            warnings.warn(words, RuntimeWarning, stacklevel=3)


def _content(outcome: Outcome) -> bytes:
    """Values and coordinates as plain arrays, with a text of their labels."""
    arrays: dict[str, Any] = {}
    labels: dict[str, list] = {"values": [], "coords": []}
    for kind, variables in (("values", outcome.values), ("coords", outcome.coords)):
        for name, (dims, values, attrs) in variables.items():
            arrays[str(len(arrays))] = values
            labels[kind].append((name, dims, attrs))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, labels=np.array(json.dumps(labels)), **arrays)
    return buffer.getvalue()


def _outcome(status: str, message: str, seconds: float, content: bytes) -> Outcome:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        labels = json.loads(file["labels"].item())
        arrays = iter([file[str(i)] for i in range(len(file.files) - 1)])
    values, coords = (_read(labels[kind], arrays) for kind in ("values", "coords"))
    return Outcome(values=values, coords=coords, status=Status[status], message=message, seconds=seconds)


def _read(labels: list, arrays: Any) -> Mapping[str, Variable]:
    return {name: (tuple(dims), next(arrays), attrs) for name, dims, attrs in labels}
