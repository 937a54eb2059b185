"""The threshold-linear E-I pair that figures of several papers share, with its closed forms.

    tau_E dE/dt = -E + g_E [W_EE E - W_EI I + X_E - theta_E]_+
    tau_I dI/dt = -I + g_I [W_IE E - W_II I + X_I - theta_I]_+

Closed forms hold while both populations are active; they take arrays in place of numbers, for many pairs at once.
"""

from dataclasses import dataclass, replace
from typing import Any

from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import AllToAll
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.model.rate_neurons import RateNeuron, ThresholdLinear
from equipoise.units import ms

Two = tuple[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Weights (W_EE, W_EI, W_IE, W_II) as sizes; of E and I gains, thresholds, drives, time constants and ceilings.

    The default is the network of Soldado-Magraner et al. 2022 (printed weights 5, 1.0857, 10, 1.5357), which fires at 5
    and 14 Hz.
    """

    weights: tuple[Any, Any, Any, Any] = (5.0, 15.2 / 14.0, 10.0, 21.5 / 14.0)
    gains: Two = (1.0, 4.0)
    thresholds: Two = (4.8, 25.0)
    drives: Two = (0.0, 0.0)
    taus: Two = (10 * ms, 2 * ms)
    ceilings: tuple[float | None, float | None] = (None, None)

    # --- closed forms -------------------------------------------------------------------------------------------------
    @property
    def gamma(self) -> Any:
        """g_I/(1 + g_I W_II), the gain of I with its own inhibition [Hz per unit of input]."""
        return self.gains[1] / (1.0 + self.gains[1] * self.weights[3])

    @property
    def w(self) -> Any:
        """W_EI gamma."""
        return self.weights[1] * self.gamma

    @property
    def D(self) -> Any:  # noqa: N802 - its symbol
        """W_EE - W_IE w, the net recurrence of E."""
        return self.weights[0] - self.weights[2] * self.w

    @property
    def b(self) -> Any:
        """w (theta_I - X_I) + X_E: the net input of E is h = D E + b."""
        return self.w * (self.thresholds[1] - self.drives[1]) + self.drives[0]

    @property
    def G(self) -> Any:  # noqa: N802 - its symbol
        """g_E/(1 - g_E D) = dE/dX_E [Hz per unit of input]."""
        return self.gains[0] / (1.0 - self.gains[0] * self.D)

    def inhibition(self, E: Any) -> Any:
        """I = gamma (W_IE E - theta_I + X_I) [Hz]."""
        return self.gamma * (self.weights[2] * E - self.thresholds[1] + self.drives[1])

    @property
    def rates(self) -> tuple[Any, Any]:
        """E = G (b - theta_E) and I [Hz]."""
        E = self.G * (self.b - self.thresholds[0])
        return E, self.inhibition(E)

    def set_point(self, h: Any) -> tuple[Any, Any]:
        """E_ss = (h_set - b)/D and I_ss [Hz], at which the net input of E is h_set."""
        E = (h - self.b) / self.D
        return E, self.inhibition(E)

    @property
    def fast_stable(self) -> Any:
        """g_E D < 1 and (1 + g_I W_II) tau_E > (g_E W_EE - 1) tau_I."""
        slow_inhibition = (1.0 + self.gains[1] * self.weights[3]) * self.taus[0]
        return (self.gains[0] * self.D < 1.0) & (
            slow_inhibition > (self.gains[0] * self.weights[0] - 1.0) * self.taus[1]
        )

    # --- the circuit --------------------------------------------------------------------------------------------------
    def circuit(self, kind: type[RateNeuron] = ThresholdLinear, **more: Any) -> Circuit:
        """The pair as a circuit; `kind` and `more` are the neurons' type and its other parameters."""
        nodes = [
            Population(
                name, drive=self.drives[i],
                neuron=kind(gain=gain, threshold=threshold, tau=self.taus[i], max_rate=self.ceilings[i], **more),
            )
            for i, (name, gain, threshold) in enumerate(zip("EI", self.gains, self.thresholds, strict=True))
        ]  # fmt: skip
        signed = {"EE": 1.0, "EI": -1.0, "IE": 1.0, "II": -1.0}
        projections = [
            Projection(source=name[1], target=name[0], weight=sign * float(weight), connectivity=AllToAll())
            for (name, sign), weight in zip(signed.items(), self.weights, strict=True)
        ]
        return Circuit(populations=nodes, projections=projections)

    def with_inhibition(self, *, gain: Any = None, threshold: Any = None) -> "Pair":
        """The pair with another gain or threshold of I."""
        gains, thresholds = self.gains, self.thresholds
        return replace(
            self,
            gains=gains if gain is None else (gains[0], gain),
            thresholds=thresholds if threshold is None else (thresholds[0], threshold),
        )


PUBLISHED = Pair()
"""E = 5, I = 14 Hz; D = -1.08, h = 9.8: inhibition-stabilised and dominated by inhibition."""
RECURRENT = Pair(weights=(5.0, 0.8, 10.0, 21.5 / 14.0), thresholds=(8.8, 25.0))
"""The same rates with less inhibition of E: D = 0.52, h = 13.8."""
