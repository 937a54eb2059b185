"""Walks on disk: written whole, the one before kept, so that a run that was killed goes on where it was."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from equipoise.results import Status, write_whole
from equipoise.spiking.fluctuations import Noise
from equipoise.spiking.packing import Arrays, flat, nested, packed, part, unpacked
from equipoise.spiking.response import Response
from equipoise.spiking.walk import Walk

SAVE_EVERY = 5.0
"""Wall time between checkpoints [s]."""
NUMBERS = ("speed", "share", "until", "t", "simulated")
UNREADABLE = (OSError, zipfile.BadZipFile, EOFError, KeyError, ValueError)


def previous(path: Path) -> Path:
    """Where the checkpoint before the last one is kept."""
    return path.with_name(path.name + ".previous")


def save(path: str | Path, walks: Sequence[Walk], settings: tuple) -> None:
    """Write both walks; at every moment either this checkpoint or the one before is whole."""
    path = Path(path)
    arrays: Arrays = {"fingerprint": np.array(fingerprint(walks[0], settings))}
    for k, walk in enumerate(walks):
        arrays |= {f"{k}/{name}": x for name, x in _packed(walk).items()}

    def write(place: Path) -> None:
        with place.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]

    fresh = write_whole(path.with_name(path.name + ".new"), write)
    if path.exists():
        path.replace(previous(path))
    fresh.replace(path)


def load(path: str | Path, blank: Walk, settings: tuple) -> list[Walk] | None:
    """Both walks from the last whole checkpoint, None where there is none; ValueError if it is one of another run."""
    path = Path(path)
    for place in (path, previous(path)):
        if not place.exists():
            continue
        try:
            with place.open("rb") as file, np.load(file) as data:
                arrays = {name: data[name] for name in data.files}
        except UNREADABLE:
            continue
        if str(arrays["fingerprint"]) != fingerprint(blank, settings):
            raise ValueError(
                f"evolve: {place} is the checkpoint of another run (circuit, schedule, seed, duration, speed, pace and "
                "version must be the same). Remove it, or give another file."
            )
        return [_unpacked(blank, part(arrays, f"{k}/")) for k in range(2)]
    return None


def fingerprint(walk: Walk, settings: tuple) -> str:
    """A digest of all that decides how a run goes on; functions are known by name."""
    from equipoise import __version__

    functions = [f"{k}={getattr(f, '__qualname__', type(f).__name__)}" for k, f in walk.plan.functions.items()]
    facts = [
        __version__,
        walk.network.origin.digest,
        repr(walk.until),
        repr(walk.plan.sensor),
        repr(tuple(walk.plan.rules)),
        *functions,
    ]
    facts += map(repr, settings)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


# --- walks as arrays --------------------------------------------------------------------------------------------------
def _packed(walk: Walk) -> Arrays:
    out: Arrays = {name: np.array(getattr(walk, name)) for name in NUMBERS}
    out |= {"status": np.array(walk.status.name), "message": np.array(walk.message)}
    out |= {"at": walk.at, "limits": walk.limits, "acting": walk.acting, "answer": walk.answer}
    names = list(dict.fromkeys(k for row in walk.rows for k in row))
    out["row_names"] = np.array(json.dumps(names))
    out["rows"] = np.array([[row.get(k, np.nan) for k in names] for row in walk.rows]).reshape(
        len(walk.rows), len(names)
    )
    out |= packed(walk.state) | {f"start/{k}": v for k, v in flat(walk.start).items()}
    if walk.response is not None:
        out |= {"response/z": walk.response.z, "response/S": walk.response.S}
    if walk.noise is not None:
        out |= {f"noise/{k}": np.array(v) for k, v in vars(walk.noise).items()}
    return out


def _unpacked(blank: Walk, arrays: Arrays) -> Walk:
    response, noise = part(arrays, "response/"), part(arrays, "noise/")
    names = json.loads(str(arrays["row_names"]))
    rows = [{k: float(v) for k, v in zip(names, row, strict=True) if not np.isnan(v)} for row in arrays["rows"]]
    return replace(
        blank, state=unpacked(arrays), rows=rows,
        status=_status(str(arrays["status"])), message=str(arrays["message"]),
        start=nested(part(arrays, "start/")), at=arrays["at"], acting=arrays["acting"],
        answer=arrays["answer"], limits=arrays["limits"], stale=False,
        response=Response(blank.coordinates, response["z"], response["S"]) if response else None,
        noise=Noise(**(noise | {"seen": int(noise["seen"])})) if noise else None,  # pyright: ignore[reportArgumentType]
        **{name: float(arrays[name]) for name in NUMBERS},
    )  # fmt: skip


def _status(name: str) -> Status:
    """An interrupted run goes on."""
    return Status.OK if name == Status.INTERRUPTED.name else Status[name]
