"""The threshold-linear pair of an excitatory and an inhibitory population, in closed form.

While both are active, r = (E, I) = R (X - theta) with R = (1/g - W)^-1, and with

    gamma = g_I/(1 + g_I W_II),  w = W_EI gamma,  D = W_EE - W_IE w,  b = w (theta_I - X_I) + X_E

the net input of E is h = D E + b: D is the net recurrence of the circuit as E feels it. The fast dynamics is stable
where g_E D < 1 and (1 + g_I W_II) tau_E > (g_E W_EE - 1) tau_I; it is inhibition-stabilised where g_E W_EE > 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array
from equipoise.rate import curves
from equipoise.rate.network import RateNetwork
from equipoise.rate.slow_state import input_by_sign


@dataclass(frozen=True, eq=False)
class Pair:
    """Threshold-linear E-I pairs, the excitatory population first; leading axes are those of a map.

    `W` (..., 2, 2) are signed couplings (post, pre), `gain`, `threshold`, `drive` (all external input X), `inhibited`
    (the size of its inhibitory part), `tau` [s] and `ceiling` [Hz] are (..., 2). `names` are those of E and I.
    """

    W: Array
    gain: Array
    threshold: Array
    drive: Array
    inhibited: Array
    tau: Array
    ceiling: Array
    names: tuple[str, str]

    @property
    def gamma(self) -> Array:
        """g_I/(1 + g_I W_II), the gain of I with its own inhibition."""
        return self.gain[..., 1] / (1.0 - self.gain[..., 1] * self.W[..., 1, 1])

    @property
    def w(self) -> Array:
        """W_EI gamma."""
        return -self.W[..., 0, 1] * self.gamma

    @property
    def D(self) -> Array:  # noqa: N802 - its symbol
        """Net recurrence W_EE - W_IE w."""
        return self.W[..., 0, 0] - self.W[..., 1, 0] * self.w

    @property
    def G(self) -> Array:  # noqa: N802 - its symbol
        """g_E/(1 - g_E D), the gain of E in the circuit: dE/dX_E."""
        return self.gain[..., 0] / (1.0 - self.gain[..., 0] * self.D)

    @property
    def stiffness(self) -> Array:
        """R^-1 = 1/g - W (..., 2, 2): the external input x = R^-1 r that a change r of the rates takes."""
        out = -self.W.copy()
        out[..., [0, 1], [0, 1]] += 1.0 / self.gain
        return out

    @property
    def held_excitation(self) -> NDArray[np.bool_]:
        """g_E D < 1: no runaway."""
        return np.asarray(self.gain[..., 0] * self.D < 1.0)

    @property
    def slack(self) -> Array:
        """(1 + g_I W_II) tau_E - (g_E W_EE - 1) tau_I [s], positive where inhibition is fast enough."""
        own = self.gain * self.W[..., [0, 1], [0, 1]]
        return (1.0 - own[..., 1]) * self.tau[..., 0] - (own[..., 0] - 1.0) * self.tau[..., 1]

    @property
    def rates(self) -> Array:
        """The fixed point (..., 2) [Hz] of the equations with both active, whether or not it is; NaN without one."""
        return solved(self.stiffness, self.drive - self.threshold)

    def inputs(self, r: Array) -> Array:
        """Net inputs h (..., 2) at rates r."""
        return (self.W @ r[..., None])[..., 0] + self.drive

    def active(self, r: Array) -> NDArray[np.bool_]:
        """Whether both rates are positive and below their ceilings."""
        return np.asarray(((r > 0.0) & (r < self.ceiling)).all(axis=-1))


def solved(matrix: Array, right: Array) -> Array:
    """matrix^-1 right for (..., 2, 2) and (..., 2); NaN where it is singular up to rounding."""
    p, q, r, s = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    det = p * s - q * r
    flat = np.abs(det) <= 1e-14 * (np.abs(p * s) + np.abs(q * r))
    det = np.where(flat, np.nan, det)
    x, y = right[..., 0], right[..., 1]
    return np.stack([(s * x - q * y) / det, (p * y - r * x) / det], axis=-1)


def pair_of(net: RateNetwork) -> Pair | str:
    """The network as a pair, or what it lacks."""
    if len(net.names) != 2 or not net.whole:
        return "the circuit must have two populations, each as a whole"
    if not all(map(curves.is_piecewise_linear, net.curves)):
        return "both populations must be threshold-linear"
    W = net.coupling
    order = [0, 1] if (W[:, 0] >= 0.0).all() and (W[:, 1] <= 0.0).all() else [1, 0]
    W = W[np.ix_(order, order)]
    if not ((W[:, 0] >= 0.0).all() and (W[:, 1] <= 0.0).all() and W[1, 0] > 0.0 and W[0, 1] < 0.0):
        return "one population must excite and the other inhibit, each the other"
    names = (net.names[order[0]], net.names[order[1]])
    inhibited = np.array([input_by_sign(net, np.zeros(2), name, -1.0)[0] for name in names])
    return Pair(
        W, net.gain[order], net.threshold[order], net.external[0][order], inhibited, net.tau[order],
        net.ceilings[order], names,
    )  # fmt: skip
