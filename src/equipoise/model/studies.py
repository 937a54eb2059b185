"""What studies of a circuit at all levels share: where their numbers come from, and how their parts ended."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

NOT_TREATED = "NOT_TREATED"
"""Status of a part that a level does not compute for a circuit."""


@dataclass(frozen=True)
class Part:
    """How one part of a study ended: a status by name, and why."""

    name: str
    status: str
    message: str

    @classmethod
    def of(cls, name: str, result: Any) -> "Part":
        """The part that a result with status and message is."""
        return cls(name, result.status.name, result.message)


def told(parts: Iterable[Part]) -> "xr.Dataset":
    """`part_status` and `part_message` over `part`, as every study carries them."""
    import xarray as xr

    given = list(parts)
    columns = {"part_status": [p.status for p in given], "part_message": [p.message for p in given]}
    data = {key: ("part", np.array(values, dtype=object)) for key, values in columns.items()}
    return xr.Dataset(data, coords={"part": [p.name for p in given]})


def failed(data: "xr.Dataset") -> list[str]:
    """Names of the parts of a study that did not come to their end.

    That balance is impossible, or that a run is too short for some estimate, is a result.
    """
    bad = {s.name for s in Status if not s.usable and s is not Status.INSUFFICIENT_DATA} | {Status.INTERRUPTED.name}
    names = zip(data["part"].values, data["part_status"].values, strict=True)
    return [str(name) for name, status in names if status in bad and name != "balanced limit"]


def provenance(circuit: Circuit, **settings: Any) -> dict[str, Any]:
    """Attributes from which a study can be repeated: the circuit as TOML, digest, version, and its settings."""
    from equipoise.model.toml_writer import in_volts

    text, release = circuit.to_toml(), version("equipoise")
    return {
        "title": circuit.name or "Circuit",
        "description": circuit.description,
        "circuit": text,
        "digest": hashlib.sha256(f"{text}\nequipoise {release}\n".encode()).hexdigest(),
        "equipoise_version": release,
        "potential_unit": "mV" if in_volts(circuit) else "threshold",
        **settings,
    }
