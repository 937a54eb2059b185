"""Where a given circuit rests before a manipulation, as rules see it, at whichever level that was found."""

from dataclasses import dataclass
from functools import cached_property

from equipoise.inference.operating import POPULATIONS, Operating
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class AtRest(Operating):
    """Where a `circuit` rests: averages over its own cells of E and I.

    `moments` (2, 2): mean [µM] and second moment [µM^2] of calcium; `means` (2, 2): mu [V/s] and sigma [V/sqrt(s)] of
    the mean cells.
    """

    circuit: Circuit
    moments: Array
    means: Array

    def __post_init__(self):
        """Nothing to check: the state was found."""

    @cached_property
    def input(self) -> tuple[Array, Array]:
        """mu [V/s] and sigma [V/sqrt(s)] of the mean cells of E and I (2,)."""
        return self.means[0], self.means[1]

    @property
    def calcium(self) -> Array:
        """Mean [µM] and second moment [µM^2] (2, 2) over the cells of E and I."""
        return self.moments


def check_populations(circuit: Circuit) -> None:
    """ValueError for a circuit without E or I."""
    names = [p.name for p in circuit.populations]
    if not set(POPULATIONS) <= set(names):
        raise ValueError(f"predict: circuit must have populations named 'E' and 'I', got {', '.join(names)}.")
