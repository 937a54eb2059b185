"""The calcium sensor: what a spike does to somatic calcium (Theorem 1)."""

from dataclasses import dataclass

from equipoise.quantities import Quantity, check, check_fields, quantity
from equipoise.units import ms, second


@dataclass(frozen=True, kw_only=True)
class Calcium:
    """Calcium that decays with `tau` and at each spike jumps C -> (1 - buffering) C + influx.

    `buffering` is the paper's alpha in the reading that reproduces its Fig. 1: the fraction of calcium removed at a
    spike, 0 for no buffering. The other reading, alpha as the fraction *kept* (1 for no buffering), is
    `Calcium.from_retention`. Source: van Vreeswijk & Farkhooi 2025, Sec. 2.3.1 and Theorem 1.
    """

    tau: float = quantity(
        "calcium decay time", default=300 * ms, unit="ms", low=1 * ms, high=100 * second, symbol="tau_Ca"
    )
    influx: float = quantity(
        "calcium influx per spike", default=1.0, unit="uM", low=0.0, open_low=True, symbol="eta_Ca"
    )
    buffering: float = quantity(
        "fraction of calcium removed at a spike", default=0.1, low=0.0, high=1.0, symbol="alpha"
    )

    def __post_init__(self):
        check_fields(self)

    @classmethod
    def from_retention(cls, *, tau: float, influx: float, retention: float) -> "Calcium":
        """The sensor that keeps the fraction `retention` of its calcium at a spike (1 means no buffering)."""
        kept = check("Calcium.retention", retention, Quantity("fraction of calcium kept at a spike", low=0.0, high=1.0))
        return cls(tau=tau, influx=influx, buffering=1.0 - kept)

    @property
    def retention(self) -> float:
        """Fraction of calcium kept at a spike, p = 1 - alpha."""
        return 1.0 - self.buffering
