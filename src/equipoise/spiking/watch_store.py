"""Windows of a watched run on disk, so that a run that was stopped goes on and ends bit by bit the same."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.results import write_whole
from equipoise.spiking.checkpoint import UNREADABLE
from equipoise.spiking.kernel import State
from equipoise.spiking.network import Network
from equipoise.spiking.packing import Arrays, packed, part, unpacked

if TYPE_CHECKING:
    import xarray as xr

    from equipoise.spiking.watch import Span, Window

PLAIN, NAMED = ("counts", "steps", "units", "tracking"), ("felt", "traces", "learned")


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """The windows that are done, where the network stands after them, and the membrane in the last of them."""

    windows: "tuple[Window, ...]"
    state: State | None
    last: "xr.Dataset | None"


def save(path: Path, network: Network, span: "Span", kept: Kept) -> None:
    """Write what is done, whole or not at all."""
    if kept.state is None or kept.last is None:
        return
    arrays: Arrays = {"fingerprint": np.array(fingerprint(network, span)), "windows": np.array(len(kept.windows))}
    arrays |= packed(kept.state) | {f"last/{k}": v.values for k, v in kept.last.variables.items()}
    for k, window in enumerate(kept.windows):
        arrays |= {f"{k}/{name}": getattr(window, name) for name in PLAIN}
        arrays |= {f"{k}/{name}/{key}": x for name in NAMED for key, x in getattr(window, name).items()}

    def write(place: Path) -> None:
        with place.open("wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]

    write_whole(path, write)


def load(path: Path, network: Network, span: "Span") -> Kept | None:
    """What an earlier run left, None where there is nothing to read; ValueError if it is of another run."""
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file) as data:
            arrays = {name: data[name] for name in data.files}
    except UNREADABLE:
        return None
    if str(arrays["fingerprint"]) != fingerprint(network, span):
        raise ValueError(
            f"spiking.study: {path} is the checkpoint of another run (circuit, seed, duration and version must be the "
            "same). Remove it, or give another file."
        )
    windows = tuple(_window(part(arrays, f"{k}/")) for k in range(int(arrays["windows"])))
    return Kept(windows=windows, state=unpacked(arrays), last=_membrane(part(arrays, "last/")))


def fingerprint(network: Network, span: "Span") -> str:
    """A digest of all that decides how a run goes on."""
    from equipoise import __version__

    facts = (__version__, network.circuit.digest, network.seed, repr(network.dt), repr(span))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _window(arrays: Arrays) -> "Window":
    from equipoise.spiking.watch import Window

    named: dict[str, Mapping] = {name: part(arrays, f"{name}/") for name in NAMED}
    return Window(**{name: arrays[name] for name in PLAIN}, **named)  # pyright: ignore[reportArgumentType]


def _membrane(arrays: Arrays) -> "xr.Dataset":
    import xarray as xr

    of_cells = ("population", "neuron")
    coords = {"time": ("time", arrays["time"], {"units": "s"})} | {k: ("cell", arrays[k]) for k in of_cells}
    data = {k: (("time", "cell"), v) for k, v in arrays.items() if k not in coords}
    return xr.Dataset(data, coords=coords)
