"""States as flat dictionaries of arrays, and back: what files hold."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from equipoise.spiking.kernel import State
from equipoise.spiking.meter import Gathered
from equipoise.spiking.slow_state import SlowState

Arrays = dict[str, NDArray]

PARTS = ("v", "silent", "currents", "recent")


def packed(state: State) -> Arrays:
    """All arrays of a state by name, those of homeostasis under "slow/"."""
    out = {"state/step": np.array(state.step)} | {f"state/{k}": np.asarray(getattr(state, k)) for k in PARTS}
    out |= {f"state/learned/{k}": x for k, x in state.learned.items()}
    if state.slow is None:
        return out
    gathered = {name: vars(g) for name, g in state.slow.gathered.items()}
    out |= {"slow/at": np.array(state.slow.at)} | {f"slow/values/{k}": v for k, v in flat(state.slow.values).items()}
    return out | {f"slow/gathered/{k}": v for k, v in flat(gathered).items()}


def unpacked(arrays: Mapping[str, NDArray]) -> State:
    """The state that was packed."""
    slow = None
    if "slow/at" in arrays:
        gathered = {name: Gathered(**parts) for name, parts in nested(part(arrays, "slow/gathered/")).items()}
        slow = SlowState(values=nested(part(arrays, "slow/values/")), gathered=gathered, at=int(arrays["slow/at"]))
    parts = {k: arrays[f"state/{k}"] for k in PARTS}
    return State(step=int(arrays["state/step"]), slow=slow, learned=part(arrays, "state/learned/"), **parts)


def as_bytes(arrays: Arrays) -> NDArray[np.uint8]:
    """Arrays by name as one array of bytes."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # pyright: ignore[reportArgumentType]
    return np.frombuffer(stream.getvalue(), np.uint8)


def from_bytes(data: NDArray[np.uint8]) -> Arrays:
    """The arrays of such bytes."""
    with np.load(io.BytesIO(data.tobytes())) as arrays:
        return {name: arrays[name] for name in arrays.files}


def part(arrays: Mapping[str, NDArray], start: str) -> Arrays:
    """Those whose names begin so, without the beginning."""
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def flat(tree: Mapping[str, Mapping[str, NDArray]]) -> Arrays:
    """Two levels of names as one."""
    return {f"{a}/{b}": np.asarray(x) for a, inner in tree.items() for b, x in inner.items()}


def nested(arrays: Mapping[str, NDArray]) -> dict[str, dict[str, NDArray]]:
    """One level of names as two."""
    out: dict[str, dict[str, NDArray]] = {}
    for key, x in arrays.items():
        a, b = key.split("/")
        out.setdefault(a, {})[b] = x
    return out
