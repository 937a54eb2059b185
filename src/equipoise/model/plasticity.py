"""Synapses that move by themselves, spike by spike: what a projection may carry beside its weight."""

from dataclasses import KW_ONLY, dataclass

from numpy.typing import ArrayLike

from equipoise.quantities import Array, check_fields, finite, quantity
from equipoise.units import kHz, ms, second


@dataclass(frozen=True)
class InhibitoryPlasticity:
    """Inhibitory synapses that bring their targets to `rate` rho0 (Vogels et al. 2011, Science 334:1569).

    A spike that arrives moves its synapse by dw = eta (x_post - alpha), a spike of the target all synapses onto it by
    dw = eta x_pre. The traces x rise by 1 at each spike and decay with `tau`; alpha = 2 rho0 tau makes independent
    spikes at rho0 move nothing: <dw/dt> = eta r_pre (2 tau r_post - alpha). `eta` and the `largest` weight are relative
    to the weight of the projection, from which synapses start; none falls below 0. Arrivals count after their delay.
    """

    rate: float = quantity("target rate", unit="Hz", low=0.0, high=1 * kHz, open_low=True, symbol="rho0")
    _: KW_ONLY
    tau: float = quantity(
        "decay of the traces", default=20 * ms, unit="ms", low=0.0, high=1 * second, open_low=True, symbol="tau_STDP"
    )
    eta: float = quantity("learning rate, relative to the weight", default=0.01, low=0.0, high=1.0, open_low=True)
    largest: float = quantity("largest weight, relative to the weight", default=100.0, low=1.0)

    def __post_init__(self):
        check_fields(self)

    @property
    def alpha(self) -> float:
        """2 rho0 tau, what each arrival costs a synapse [1]."""
        return 2.0 * self.rate * self.tau


@dataclass(frozen=True)
class ShortTermPlasticity:
    """Synapses whose effect depends on the spikes before (Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821).

    At a spike u = f + U (1 - f), and it brings u x of the weight; then f = u and x loses u x. Between spikes f decays
    with `tau_facil` and x recovers to 1 with `tau_rec`; without tau_facil u is always U. They depend on the presynaptic
    train alone, and the first spike brings U.
    """

    U: float = quantity("use of resources", low=0.0, high=1.0, open_low=True, symbol="U")
    _: KW_ONLY
    tau_rec: float = quantity(
        "recovery of resources", unit="ms", low=0.0, high=60 * second, open_low=True, symbol="tau_rec"
    )
    tau_facil: float = quantity(
        "decay of facilitation", default=0.0, unit="ms", low=0.0, high=60 * second, symbol="tau_facil"
    )

    def __post_init__(self):
        check_fields(self)

    def steady(self, rate: ArrayLike) -> Array:
        """Mean share u x of the weight under Poisson trains of a rate [Hz] in mean field, the same shape.

        u = U (1 + tau_facil r)/(1 + U tau_facil r), x = 1/(1 + u tau_rec r); exact without facilitation, where u does
        not vary.
        """
        r = finite("ShortTermPlasticity.steady", "rate", rate, low=0.0)
        u = self.U * (1.0 + self.tau_facil * r) / (1.0 + self.U * self.tau_facil * r)
        return u / (1.0 + u * self.tau_rec * r)
