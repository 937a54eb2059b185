"""Homeostatic rules that move thresholds and gains: by the input a neuron requires or receives, or by its rate.

All are on the circuit's own slow time; theta is in the unit of the input, h_set and s_set too. With "population" scope
the units of a population move alike by the average of what they sense, with "unit" each by its own.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from equipoise.model.slow_variables import (
    ExcitatoryInput,
    Gain,
    InhibitoryInput,
    InputFrom,
    Rate,
    RequiredInput,
    Scope,
    Sensed,
    SlowVariable,
    SquaredRate,
    Threshold,
    check_choice,
)
from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import hour

Reading = Literal["A", "B"]
_SIGN = {"A": 1.0, "B": -1.0}


class _Rule:
    """Checks that all rules of this module share."""

    def __post_init__(self):
        check_fields(self)
        check_choice(self, "scope", ("population", "unit"))
        if hasattr(self, "reading"):
            check_choice(self, "reading", ("A", "B"))


@dataclass(frozen=True)
class InputCentricThreshold(_Rule):
    """The threshold follows the required input f^-1(r) (input-centric homeostasis).

    Reading "A", excitability: too much input raises the threshold, tau dtheta/dt = f^-1(r) - h_set. Reading "B", the
    required input is brought to its set point by the threshold in it: tau dtheta/dt = h_set - f^-1(r). With D the net
    recurrence of a threshold-linear E-I pair, A is stable where 0 < D < 1/g_E, B where D < 0. `set_point` is in the
    unit of the input, tau [s].
    """

    population: str
    _: KW_ONLY
    set_point: float = quantity("required input to be held", symbol="h_set")
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    reading: Reading = "A"
    scope: Scope = "population"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The required input."""
        return (RequiredInput(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-(f^-1(r) - h_set)/tau."""
        return (_SIGN[self.reading] * (np.asarray(sensed[0]) - self.set_point) / self.tau,)


@dataclass(frozen=True)
class InputCentricGain(_Rule):
    """The gain follows the required input f^-1(r): input-centric homeostasis by gain.

    Reading "A": too much input lowers the gain, tau dg/dt = -span (f^-1(r) - h_set); "B" the opposite. The signs are
    stable where those of `InputCentricThreshold` are, with the slow eigenvalue -+span D E/(g_E (1 - g_E D) tau) at a
    threshold-linear E-I pair, and a gain exists only for h_set > theta_E. `span` is how far the gain moves within tau
    per unit of input [the gain's unit by the input's].
    """

    population: str
    _: KW_ONLY
    set_point: float = quantity("required input to be held", symbol="h_set")
    span: float = quantity("movement of the gain per unit of input", default=1.0, low=0.0, open_low=True)
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    reading: Reading = "A"
    scope: Scope = "population"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The gain."""
        return (Gain(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The required input."""
        return (RequiredInput(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """-+span (f^-1(r) - h_set)/tau."""
        return (-_SIGN[self.reading] * self.span * (np.asarray(sensed[0]) - self.set_point) / self.tau,)


@dataclass(frozen=True)
class DriveCentricThreshold(_Rule):
    """The threshold follows the excitatory drive: tau dtheta/dt = s - s_set, s = W_EE E + X_E - kappa W_EI I.

    kappa = `inhibition` is the part of the inhibitory input that is sensed too: 0 (default) leaves it out, 1 is the net
    input. At 0 it is stable at every state that is stable by itself, but the rate it holds, (s_set - X_E)/W_EE, depends
    on nothing inhibitory. A threshold-linear E-I pair is stable where kappa < W_EE/(W_IE W_EI gamma).
    """

    population: str
    _: KW_ONLY
    set_point: float = quantity("drive to be held", symbol="s_set")
    inhibition: float = quantity("sensed part of inhibition", default=0.0, low=0.0, symbol="kappa")
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    scope: Scope = "population"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """Excitatory and inhibitory input."""
        return (ExcitatoryInput(self.population), InhibitoryInput(self.population))

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """(s - s_set)/tau."""
        drive = np.asarray(sensed[0]) - self.inhibition * np.asarray(sensed[1])
        return ((drive - self.set_point) / self.tau,)


@dataclass(frozen=True)
class OutputCentricThreshold(_Rule):
    """The threshold follows the rate: tau dtheta/dt = span (r/r* - 1), the classic rate set point.

    `rate` = r* [Hz]; `span` is how far the threshold moves within tau where the rate is twice its target [unit of the
    input].
    """

    population: str
    _: KW_ONLY
    rate: float = quantity("target rate", unit="Hz", low=0.0, open_low=True, symbol="r*")
    span: float = quantity("movement at twice the target", default=1.0, low=0.0, open_low=True)
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    scope: Scope = "population"

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rate."""
        return (Rate(self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """span (r/r* - 1)/tau."""
        return (self.span * (np.asarray(sensed[0]) / self.rate - 1.0) / self.tau,)


@dataclass(frozen=True)
class NMDARThreshold(_Rule):
    """The threshold of an interneuron follows the drive it receives through its NMDA receptors, N = W_IE E.

    `more_drive` "lowers" its excitability: tau dtheta_I/dt = N - N_set, the rule proposed for PV cells beside the
    input-centric rule of the excitatory ones. "raises": the opposite, the sign of cross-homeostasis. By itself the
    first is never stable: its slow eigenvalue is W_IE G w/tau > 0 at a threshold-linear E-I pair.
    """

    population: str
    source: str
    _: KW_ONLY
    set_point: float = quantity("drive to be held", symbol="N_set")
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    more_drive: Literal["lowers", "raises"] = "lowers"
    scope: Scope = "population"

    def __post_init__(self):
        super().__post_init__()
        check_choice(self, "more_drive", ("lowers", "raises"))

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """The interneurons' threshold."""
        return (Threshold(self.population),)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The input from the excitatory population."""
        return (InputFrom(self.source, self.population),)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """+-(N - N_set)/tau."""
        sign = 1.0 if self.more_drive == "lowers" else -1.0
        return (sign * (np.asarray(sensed[0]) - self.set_point) / self.tau,)


@dataclass(frozen=True)
class DualControl(_Rule):
    """Threshold and gain hold mean and root mean square of the rates: dual control of mean and variance.

    tau dtheta/dt = span (<r>/r* - 1), tau dg/dt = -gain_span (<r^2>/rms^2 - 1). Rates have to vary, over the units of a
    population (`scope` "population"); the equilibrium has mean r* = `rate` and root mean square `rms` whatever the
    input is (Cannon & Miller 2017; Miller 2018).
    """

    population: str
    _: KW_ONLY
    rate: float = quantity("target of the mean", unit="Hz", low=0.0, open_low=True, symbol="r*")
    rms: float = quantity("target of the root mean square", unit="Hz", low=0.0, open_low=True)
    span: float = quantity("movement of the threshold at twice the mean", default=1.0, low=0.0, open_low=True)
    gain_span: float = quantity("movement of the gain at twice the mean square", default=1.0, low=0.0, open_low=True)
    tau: float = quantity("time scale", default=2 * hour, unit="hour", low=0.0, open_low=True)
    scope: Scope = "population"

    def __post_init__(self):
        super().__post_init__()
        if self.rms <= self.rate:
            raise ValueError(
                f"DualControl.rms (root mean square) must exceed rate = {self.rate:g} Hz, got {self.rms:g} Hz: "
                "the variance is rms^2 - rate^2."
            )

    @property
    def moves(self) -> tuple[SlowVariable, ...]:
        """Threshold and gain."""
        return Threshold(self.population), Gain(self.population)

    @property
    def senses(self) -> tuple[Sensed, ...]:
        """The rate and its square."""
        return Rate(self.population), SquaredRate(self.population)

    def rhs(self, values: Sequence[Array], sensed: Sequence[Array]) -> Sequence[Array]:  # noqa: ARG002
        """span (<r>/r* - 1)/tau and -gain_span (<r^2>/rms^2 - 1)/tau."""
        mean, square = np.asarray(sensed[0]), np.asarray(sensed[1])
        return (
            self.span * (mean / self.rate - 1.0) / self.tau,
            -self.gain_span * (square / self.rms**2 - 1.0) / self.tau,
        )
