"""The protein chemistry behind the calcium rules: enzymes that calcium switches on, and what they make (Sec. 2.2).

An enzyme E binds n calcium ions (n = 1 in the inhibitory pathway, 2, cooperatively, in the excitatory one), the complex
x turns substrate into the protein P that scales synapses, and P decays:

    dx/dt = k_on (E0 - x) C^n - (k_off + k_cat S) x
    dP/dt = k_cat S x - gamma P

Right-hand sides only; `equipoise.renewal.kinetics` integrates them along a spike train.
"""

from dataclasses import dataclass, field

import numpy as np

from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import hour


@dataclass(frozen=True, kw_only=True)
class Pathway:
    """One enzyme and its protein; concentrations in µM, `order` calcium ions per enzyme.

    `k_on` [µM^-order/s], `k_off` [1/s], `k_cat` [1/(µM s)], `substrate` S [µM] (X or Y in the paper, held constant),
    `enzyme` E0 [µM], `gamma` [1/s], the turnover of the protein. The defaults bind fast (within 2 ms), turn over within
    an hour, and give a Michaelis constant of 50 µM, far above calcium, as the linear rule needs.
    """

    order: int = 1
    k_on: float = quantity("binding rate", default=10.0, low=0.0, open_low=True, symbol="k_1")
    k_off: float = quantity("unbinding rate", default=499.0, unit="Hz", low=0.0, symbol="k_-1")
    k_cat: float = quantity("catalytic rate", default=1.0, low=0.0, open_low=True, symbol="k_cat")
    substrate: float = quantity("substrate concentration", default=1.0, unit="uM", low=0.0, open_low=True, symbol="X")
    enzyme: float = quantity("total enzyme", default=0.1, unit="uM", low=0.0, open_low=True, symbol="E_0")
    gamma: float = quantity("protein turnover rate", default=1 / hour, unit="Hz", low=0.0, open_low=True)

    def __post_init__(self):
        check_fields(self)
        if self.order not in (1, 2):
            raise ValueError(f"Pathway.order (calcium ions per enzyme) must be 1 or 2, got {self.order!r}.")

    @property
    def turnover(self) -> float:
        """k_cat S [1/s]: proteins made per second by one occupied enzyme."""
        return self.k_cat * self.substrate

    @property
    def half_saturation(self) -> float:
        """K = (k_off + k_cat S)/k_on [µM^order], the C^order at which half the enzyme is occupied."""
        return (self.k_off + self.turnover) / self.k_on

    @property
    def gain(self) -> float:
        """c = k_cat S E0/(K gamma) [µM^(1 - order)]: P = c C^order while C^order << K (Sec. 2.2)."""
        return self.turnover * self.enzyme / (self.half_saturation * self.gamma)

    def binding(self, x: Array, calcium: Array | float) -> Array:
        """dx/dt [µM/s] of the complex x [µM] at the calcium concentration [µM]."""
        return self.k_on * (self.enzyme - x) * calcium**self.order - (self.k_off + self.turnover) * x

    def synthesis(self, p: Array, x: Array) -> Array:
        """dP/dt [µM/s] of the protein P [µM] at the complex x [µM]."""
        return self.turnover * x - self.gamma * p

    def quasi_steady(self, calcium: Array | float) -> Array:
        """The complex x = E0 C^n/(K + C^n) [µM] when binding is faster than calcium (Michaelis-Menten, Hill)."""
        power = np.asarray(calcium) ** self.order
        return self.enzyme * power / (self.half_saturation + power)

    def linear(self, calcium: Array | float) -> Array:
        """The complex x = E0 C^n/K [µM] far from saturation."""
        return self.enzyme * np.asarray(calcium) ** self.order / self.half_saturation


@dataclass(frozen=True, kw_only=True)
class ProteinKinetics:
    """Both pathways: the inhibitory one senses C, the excitatory one C^2."""

    inhibitory: Pathway = field(default_factory=Pathway)
    excitatory: Pathway = field(default_factory=lambda: Pathway(order=2, k_on=0.2))

    def __post_init__(self):
        for name, order in (("inhibitory", 1), ("excitatory", 2)):
            if getattr(self, name).order != order:
                raise ValueError(
                    f"ProteinKinetics.{name} must have order={order}, got {getattr(self, name).order}. "
                    "The inhibitory pathway binds one calcium ion, the excitatory one two."
                )

    @property
    def K_M(self) -> float:  # noqa: N802
        """Michaelis constant of the inhibitory pathway [µM]."""
        return self.inhibitory.half_saturation

    @property
    def K_D(self) -> float:  # noqa: N802
        """Half-saturation of the excitatory pathway [µM^2]."""
        return self.excitatory.half_saturation

    @property
    def c_I(self) -> float:  # noqa: N802
        """<P_I> = c_I mu_Ca, c_I without unit (Eq. 7)."""
        return self.inhibitory.gain

    @property
    def c_E(self) -> float:  # noqa: N802
        """<P_E> = c_E nu_Ca, c_E in 1/µM (Sec. 2.2.2)."""
        return self.excitatory.gain
