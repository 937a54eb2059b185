"""How homeostasis is played out faster than life."""

from dataclasses import dataclass

from equipoise.quantities import check_fields, quantity
from equipoise.units import hour, ms, second


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How `evolve` walks: what a stretch of spikes sensed moves the slow variables over a longer time.

    At population scope a move is `window` seconds of spikes, after up to `settle` seconds that are not looked at where
    calcium still changes, and no weight moves by more than `stride`, no population's calcium by more than five times
    that (both relative). At neuron scope a move is one tau of calcium long. `warmup` seconds come before all, on time
    steps of `dt`; `threads` as in `build`.
    """

    window: float = quantity("sensing window", default=1 * second, unit="ms", low=10 * ms, high=60 * second)
    settle: float = quantity("longest time to settle", default=500 * ms, unit="ms", low=0.0, high=60 * second)
    stride: float = quantity("largest move of a weight", default=0.02, low=0.0, high=0.2, open_low=True)
    warmup: float = quantity("time before homeostasis", default=2 * second, unit="ms", low=0.0, high=1 * hour)
    dt: float = quantity("time step", default=0.1 * ms, unit="ms", low=0.0, high=1 * ms, open_low=True)
    threads: int | None = None

    def __post_init__(self):
        check_fields(self)
