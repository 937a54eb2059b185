"""Neurons that are a rate: tau dr/dt = -r + f(h), with a transfer function f of the summed input h.

All are f(h) = gain * shape(h - threshold), at most `max_rate`. Rates are in Hz; the input h is in the neuron's own
unit, whichever the weights are in, and the gain in Hz per that unit (per its power where the shape is one). A new one
subclasses `RateNeuron` and gives `shape`, `shape_slope` and `shape_inverse`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.neurons import IntegrateAndFire
from equipoise.quantities import Array, check_fields, quantity
from equipoise.units import ms, second


@dataclass(frozen=True, kw_only=True)
class RateNeuron:
    """A neuron or population with a transfer function; subclass it to add one of your own.

    `tau` is the time constant of the rate [s], `max_rate` a ceiling [Hz], without one where it is left out.
    """

    gain: float = quantity("gain", default=1.0, low=0.0, open_low=True, symbol="g")
    threshold: float = quantity("threshold", default=0.0, symbol="theta")
    tau: float = quantity("time constant", default=10 * ms, unit="ms", low=0.01 * ms, high=10 * second)
    max_rate: float | None = quantity("largest rate", default=None, unit="Hz", low=0.0, open_low=True, symbol="r_max")

    def __post_init__(self):
        check_fields(self)

    @property
    def ceiling(self) -> float:
        """The largest rate [Hz], infinite without one."""
        return math.inf if self.max_rate is None else self.max_rate

    # --- what a new neuron gives --------------------------------------------------------------------------------------
    def shape(self, x: Array) -> Array:
        """What the gain multiplies, at inputs x above threshold."""
        raise NotImplementedError(f"{type(self).__name__} must define shape(self, x), which the gain multiplies.")

    def shape_slope(self, x: Array) -> Array:
        """d shape/dx."""
        raise NotImplementedError(f"{type(self).__name__} must define shape_slope(self, x), the derivative of shape.")

    def shape_inverse(self, y: Array) -> Array:
        """The x at which shape(x) = y; at y = 0 the largest one."""
        raise NotImplementedError(f"{type(self).__name__} must define shape_inverse(self, y).")

    # --- the transfer function ----------------------------------------------------------------------------------------
    def transfer(self, h: ArrayLike, *, gain: ArrayLike | None = None, threshold: ArrayLike | None = None) -> Array:
        """f(h) [Hz] at inputs of any shape; `gain` and `threshold` stand in for the neuron's own, and broadcast."""
        g, x = self._at(h, gain, threshold)
        return np.minimum(g * self.shape(x), self.ceiling)

    def slope(self, h: ArrayLike, *, gain: ArrayLike | None = None, threshold: ArrayLike | None = None) -> Array:
        """df/dh [Hz per unit of input]; 0 at the ceiling."""
        g, x = self._at(h, gain, threshold)
        return self.fired(x, g)[1]

    def fired(self, x: Array, gain: Array) -> tuple[Array, Array]:
        """f and df/dh at inputs x above threshold, both at once."""
        free = gain * self.shape(x)
        return np.minimum(free, self.ceiling), np.where(free < self.ceiling, gain * self.shape_slope(x), 0.0)

    def required_input(
        self, rate: ArrayLike, *, gain: ArrayLike | None = None, threshold: ArrayLike | None = None
    ) -> Array:
        """f^-1(r), the input that sustains rates r [Hz]; infinite above `max_rate`.

        A silent neuron requires no input in particular: at r = 0 it is the threshold, the largest input without firing.
        """
        g = np.asarray(self.gain if gain is None else gain, dtype=np.float64)
        theta = np.asarray(self.threshold if threshold is None else threshold, dtype=np.float64)
        r = np.asarray(rate, dtype=np.float64)
        return np.where(r <= self.ceiling, theta + self.shape_inverse(r / g), math.inf)

    def _at(self, h: ArrayLike, gain: ArrayLike | None, threshold: ArrayLike | None) -> tuple[Array, Array]:
        g = np.asarray(self.gain if gain is None else gain, dtype=np.float64)
        theta = np.asarray(self.threshold if threshold is None else threshold, dtype=np.float64)
        return g, np.asarray(h, dtype=np.float64) - theta


@dataclass(frozen=True, kw_only=True)
class ThresholdLinear(RateNeuron):
    """f(h) = g [h - theta]_+, at most max_rate."""

    def shape(self, x: Array) -> Array:
        """[x]_+."""
        return np.maximum(x, 0.0)

    def shape_slope(self, x: Array) -> Array:
        """1 above threshold, else 0."""
        return np.where(x > 0.0, 1.0, 0.0)

    def shape_inverse(self, y: Array) -> Array:
        """y."""
        return y


@dataclass(frozen=True, kw_only=True)
class PowerLaw(RateNeuron):
    """f(h) = k [h - theta]_+^n with k = `gain` and n = `exponent` >= 1: the supralinear neuron.

    Sources: Ahmadian, Rubin & Miller 2013, Neural Comput. 25:1994; Rubin, Van Hooser & Miller 2015, Neuron 85:402
    (k = 0.04, n = 2, h in mV).
    """

    gain: float = quantity("gain", default=0.04, low=0.0, open_low=True, symbol="k")
    exponent: float = quantity("exponent", default=2.0, low=1.0, high=10.0, symbol="n")

    def shape(self, x: Array) -> Array:
        """[x]_+^n."""
        return np.maximum(x, 0.0) ** self.exponent

    def shape_slope(self, x: Array) -> Array:
        """n [x]_+^(n - 1)."""
        above = np.maximum(x, 0.0)
        return np.where(above > 0.0, self.exponent * above ** (self.exponent - 1.0), 0.0)

    def shape_inverse(self, y: Array) -> Array:
        """y^(1/n)."""
        return y ** (1.0 / self.exponent)


@dataclass(frozen=True, kw_only=True)
class Softplus(RateNeuron):
    """f(h) = g w log(1 + exp((h - theta)/w)): threshold-linear with its corner rounded over `width` w."""

    width: float = quantity("width of the corner", default=1.0, low=0.0, open_low=True, symbol="w")

    def shape(self, x: Array) -> Array:
        """w log(1 + e^(x/w))."""
        return self.width * np.logaddexp(0.0, x / self.width)

    def shape_slope(self, x: Array) -> Array:
        """1/(1 + e^(-x/w))."""
        return np.exp(-np.logaddexp(0.0, -x / self.width))

    def shape_inverse(self, y: Array) -> Array:
        """w log(e^(y/w) - 1); -inf at 0, for it never falls silent."""
        z = y / self.width
        safe = np.where(z > 0.0, z, 1.0)
        return np.where(z > 0.0, self.width * (safe + np.log(-np.expm1(-safe))), -math.inf)


@dataclass(frozen=True, kw_only=True)
class AbbottChance(RateNeuron):
    """f(h) = g x/(1 - exp(-x/w)), x = h - theta: the rate of a noisy integrate-and-fire neuron, `width` w its noise.

    Source: Abbott & Chance 2005, Prog. Brain Res. 149:147. A neuron of capacitance C, leak g_L and noise sigma_V that
    fires from V_reset to V_th has g = 1/(C (V_th - V_reset)), theta = g_L (V_th - V_L) and w = g_L sigma_V.
    """

    width: float = quantity("width of the corner", default=1.0, low=0.0, open_low=True, symbol="w")

    def shape(self, x: Array) -> Array:
        """x/(1 - e^(-x/w))."""
        q, E = self._parts(x)
        return np.where(x >= 0.0, 1.0, q) * self.width * _over(np.abs(x) / self.width, E)

    def shape_slope(self, x: Array) -> Array:
        """(1 - (1 + x/w) e^(-x/w))/(1 - e^(-x/w))^2; near its middle the series 1/2 + u/6 - u^3/180."""
        u, (q, E) = x / self.width, self._parts(x)
        ratio = _over(np.abs(u), E)
        far = np.where(u >= 0.0, 1.0 - q * ratio, q * (ratio - 1.0)) / np.where(E > 0.0, E, 1.0)
        near = np.where(np.abs(u) < 1e-2, u, 0.0)
        return np.where(np.abs(u) < 1e-2, 0.5 + near / 6.0 - near**3 / 180.0, far)

    def shape_inverse(self, y: Array) -> Array:
        """w (v + W(-v e^-v)), v = y/w, with Lambert's W on the branch other than -v; -inf at 0."""
        from scipy.special import lambertw

        v = np.asarray(y, dtype=np.float64) / self.width
        safe = np.where(v > 0.0, v, 1.0)
        w = -safe * np.exp(-safe)
        u = safe + np.where(safe >= 1.0, lambertw(w, 0).real, lambertw(w, -1).real)
        for _ in range(2):  # the branch point at v = 1 costs W half its digits
            x = self.width * u
            u = u - (self.shape(x) / self.width - safe) / self.shape_slope(x)
        return np.where(v > 0.0, self.width * u, -math.inf)

    def _parts(self, x: Array) -> tuple[Array, Array]:
        """q = e^-|x/w| and 1 - q."""
        p = np.abs(x) / self.width
        return np.exp(-p), -np.expm1(-p)


def _over(p: Array, E: Array) -> Array:
    """p/(1 - e^-p), 1 at 0."""
    return np.where(E > 0.0, p / np.where(E > 0.0, E, 1.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class FICurve:
    """A spiking neuron as a rate: tau dr/dt = -r + r(mu - threshold, sigma), its exact rate under white noise.

    mu [V/s] is the mean input and sigma [V/sqrt(s)] its noise: fixed where it is given, else that of the circuit's own
    input, sigma^2 = sum K J^2 F r. `gain` multiplies the rate, `threshold` [V/s] shifts it: the two intrinsic
    properties that homeostasis moves, without effect as they stand. `tau` [s] is the time constant of the rate, which a
    spiking neuron does not define; that of the membrane is the usual choice.
    """

    neuron: IntegrateAndFire
    sigma: float | None = quantity("noise of the input", default=None, low=0.0, open_low=True)
    tau: float = quantity("time constant", default=10 * ms, unit="ms", low=0.01 * ms, high=10 * second)
    gain: float = quantity("factor of the rate", default=1.0, low=0.0, open_low=True, symbol="g")
    threshold: float = quantity("shift of the mean input", default=0.0, symbol="theta")

    def __post_init__(self):
        check_fields(self)
        if not isinstance(self.neuron, IntegrateAndFire):
            raise TypeError(f"FICurve.neuron must be a spiking neuron such as eq.LIF(), got {self.neuron!r}.")
