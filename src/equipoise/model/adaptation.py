"""Adaptation: a current that a neuron's own spikes build up."""

from dataclasses import KW_ONLY, dataclass

from equipoise.quantities import check_fields, quantity
from equipoise.units import ms, second


@dataclass(frozen=True)
class Adaptation:
    """A current -a of the neuron's own: a grows by `increment` at each of its spikes and decays with `tau`.

    dV/dt = ... - a, with a in the unit of the drive [V/s], also where synapses are conductances; in the mean
    a = increment tau r. It stands for spike-triggered potassium currents such as the M-current and the AHP.
    """

    increment: float = quantity("what a spike adds to the adaptation current", low=0.0, open_low=True, symbol="b")
    _: KW_ONLY
    tau: float = quantity(
        "decay of adaptation", default=100 * ms, unit="ms", low=0.0, high=60 * second, open_low=True, symbol="tau_w"
    )

    def __post_init__(self):
        check_fields(self)
