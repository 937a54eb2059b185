"""What is done to a circuit, in one dose or several: named perturbations, protocols, manipulations, or all at once.

A mapping gives strengths by name, {"optical": 0.3, "input irregularity": 3.0}, one number or several each; several walk
together, one dose after another. A list acts at once, each part at its own strength. A perturbation without a strength
has the geometric mean of its range.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.inference.operating import Operating
from equipoise.inference.perturbations import PERTURBATIONS, Perturbation, perturbation_of
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Manipulation
from equipoise.model.protocols import TTX, Protocol
from equipoise.quantities import suggest

MANIPULATIONS = PERTURBATIONS | {
    "TTX": Perturbation(name="TTX", apply=lambda circuit, _, __: TTX().perturbed(circuit), low=1.0, high=1.0)
}
"""Those known by name to `predict`: the ones of `PERTURBATIONS`, and silence."""
Single = str | Perturbation | Protocol | Manipulation
What = Single | Mapping[str, float | Sequence[float]] | Iterable["What"]


@dataclass(frozen=True)
class Dose:
    """Perturbations that act at once, each with its strength."""

    parts: tuple[tuple[Perturbation, float], ...]

    @property
    def label(self) -> str:
        """In words: each part, with its strength where it is one of a range."""
        return " + ".join(p.name if p.low == p.high == x else f"{p.name} {x:.4g}" for p, x in self.parts)

    def apply(self, circuit: Circuit, at: Operating, factor: float = 1.0) -> Circuit:
        """The circuit under the dose, or under a factor of it: of those parts that have a strength."""
        for part, x in self.parts:
            circuit = part.apply(circuit, at, part.vary(x, factor) if part.low < part.high else x)
        return circuit

    def within(self, factor: float) -> Perturbation:
        """The dose with strengths known within a factor either way; 1 where it has none."""
        wide = factor if any(part.low < part.high for part, _ in self.parts) else 1.0
        return Perturbation(name=self.label, apply=self.apply, low=1.0 / wide, high=wide)


def doses_of(what: What) -> tuple[Dose, ...]:
    """The doses of a manipulation, at least one; TypeError or ValueError for what is none."""
    if isinstance(what, Mapping):
        return _walked([(_named(name), np.atleast_1d(np.asarray(x, dtype=float))) for name, x in what.items()])
    if isinstance(what, str | Perturbation | Protocol) or _acts(what):
        part = _single(what)
        return (Dose(((part, float(np.sqrt(part.low * part.high))),)),)
    if not isinstance(what, Iterable):
        raise TypeError(f"predict: manipulation must be a name, a protocol, a manipulation or a list, got {what!r}.")
    series = [doses_of(part) for part in what]
    return _together(series)


def _acts(what: object) -> bool:
    return isinstance(what, Manipulation) and not isinstance(what, type)


def _named(name: Any) -> Perturbation:
    if name not in MANIPULATIONS:
        raise ValueError(f"predict: no manipulation is named {name!r}.{suggest(str(name), MANIPULATIONS)}")
    return MANIPULATIONS[name]


def _single(what: Any) -> Perturbation:
    if isinstance(what, str):
        return _named(what)
    if isinstance(what, Perturbation | Protocol):
        return perturbation_of(what)
    return Perturbation(name=repr(what), apply=lambda circuit, _, __: what.apply(circuit), low=1.0, high=1.0)


def _walked(strengths: Sequence[tuple[Perturbation, np.ndarray]]) -> tuple[Dose, ...]:
    for part, values in strengths:
        if values.ndim != 1 or not values.size or not (np.isfinite(values) & (values > 0.0)).all():
            raise ValueError(f"predict: strengths of {part.name!r} must be positive numbers, got {values.tolist()}.")
    return _together([tuple(Dose(((part, float(x)),)) for x in values) for part, values in strengths])


def _together(series: Sequence[Sequence[Dose]]) -> tuple[Dose, ...]:
    """Doses that act at once; a single one goes with each of a series."""
    sizes = {len(one) for one in series} - {1}
    if not series or len(sizes) > 1:
        got = ", ".join(str(len(one)) for one in series) or "nothing"
        raise ValueError(f"predict: manipulations that act at once must have one dose or equally many, got {got}.")
    n = max(len(one) for one in series)
    rows = zip(*(one * n if len(one) == 1 else one for one in (tuple(s) for s in series)), strict=True)
    return tuple(Dose(tuple(part for dose in row for part in dose.parts)) for row in rows)
