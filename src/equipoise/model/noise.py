"""Fluctuating input to a population."""

from dataclasses import dataclass

from equipoise.quantities import check_fields, quantity
from equipoise.units import ms, second


@dataclass(frozen=True, kw_only=True)
class OrnsteinUhlenbeck:
    """Gaussian input with mean 0, standard deviation `sigma` and correlation exp(-|t|/tau), independent in each unit.

    tau d eta/dt = -eta + sigma sqrt(2 tau) xi(t); `sigma` is in the unit of the input that it is added to.
    """

    tau: float = quantity("correlation time", default=50 * ms, unit="ms", low=0.01 * ms, high=1000 * second)
    sigma: float = quantity("standard deviation", low=0.0)

    def __post_init__(self):
        check_fields(self)
