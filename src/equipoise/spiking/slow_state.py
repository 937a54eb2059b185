"""Where homeostasis stands between two steps."""

from dataclasses import dataclass

from equipoise.quantities import Array
from equipoise.spiking.meter import Gathered


@dataclass(frozen=True, kw_only=True, eq=False)
class SlowState:
    """Slow variables by population and name, what the meters have gathered, and how many steps the window is old."""

    values: dict[str, dict[str, Array]]
    gathered: dict[str, Gathered]
    at: int
