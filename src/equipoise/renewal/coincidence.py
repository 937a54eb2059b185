"""Integrator or coincidence detector: how long a membrane remembers a volley, and how precisely it answers one.

A volley is n spikes at once on synapses of one receptor, with the summed peak conductance `weight`. The potential obeys

    C dV/dt = g_total (V_0 - V) + weight k(t) o(V) (E - V)

around the operating point (V_0, g_total) of the other conductances. In a high-conductance state tau = C/g_total is
short: postsynaptic potentials are brief, two volleys add up within a narrow window only, and the potential rises
steeply to threshold, so that the noise of the other conductances moves the spike less (Destexhe, Rudolph & Pare 2003,
Nat. Rev. Neurosci. 4:739).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.model.conductances import Conductance, Membrane, checked, membrane
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.receptors import Receptor
from equipoise.model.synapses import AMPA
from equipoise.quantities import Array, Quantity, check
from equipoise.units import ms, mV, nS, uS

STEPS = 800
"""Steps over the response to a volley; second order."""
AT_ONCE, ROUNDS = 32, 5
"""Brackets are divided so often at once, and so often again: to 1e-7 of the first."""

_WEIGHT = Quantity("peak conductance", unit="nS", low=0.0, high=100 * uS, open_low=True)
_SHARE = Quantity("each of two volleys over the one that just reaches threshold", low=0.51, high=0.99)
_STRENGTH = Quantity("volley over the one that just reaches threshold", low=1.01, high=100.0)


@dataclass(frozen=True)
class Coincidence:
    """What a membrane makes of volleys.

    `psp` [V] and `psp_width` [s]: height, and width at half of it, of the answer to the volley asked for.
    `threshold_weight` [S]: the smallest volley that reaches threshold. `window` [s]: the largest lag at which two
    volleys of `share` times that reach it together. `latency`, `slope` [V/s] and `jitter` [s]: when a volley of
    `strength` times that reaches threshold, how fast, and the standard deviation of when: the SD of the potential there
    over the slope.
    """

    membrane: Membrane
    psp: float
    psp_width: float
    threshold_weight: float
    window: float
    latency: float
    slope: float
    jitter: float

    def __str__(self) -> str:
        return (
            f"{self.membrane}: PSP {self.psp / mV:.3g} mV, {self.psp_width / ms:.3g} ms wide; window "
            f"{self.window / ms:.3g} ms; spikes after {self.latency / ms:.3g} ± {self.jitter / ms:.2g} ms"
        )


def coincidence(
    neuron: ConductanceLIF,
    conductances: Iterable[Conductance],
    *,
    receptor: Receptor = AMPA,
    weight: float = 1 * nS,
    share: float = 0.6,
    strength: float = 1.5,
    drive: float = 0.0,
) -> Coincidence:
    """The answer of a neuron under `conductances` and a current I/C = `drive` [V/s] to volleys of a receptor.

    See `Coincidence` for `weight` [S], `share` and `strength`. The jitter is to first order in the noise. Raises
    ValueError where the neuron fires without a volley, or no volley can make it fire.
    """
    given = checked("coincidence", neuron, conductances)
    at = membrane(neuron, given, drive=drive)
    weight = check("coincidence.weight", weight, _WEIGHT)
    share, strength = check("coincidence.share", share, _SHARE), check("coincidence.strength", strength, _STRENGTH)
    _check_reachable(neuron, at, receptor)
    cell = _Cell(neuron, at, receptor)
    psp, width = cell.shape(weight)
    least = _boundary(lambda w: cell.peaks(w) < neuron.v_threshold, 0.0, cell.enough(weight))
    window = _boundary(lambda lag: cell.peaks_of_two(share * least, lag) >= neuron.v_threshold, 0.0, cell.horizon)
    latency, slope, sd = cell.crossing(strength * least, given)
    return Coincidence(at, psp, width, least, window, latency, slope, sd / slope)


@dataclass(frozen=True)
class _Cell:
    """Deterministic answers to volleys, one a row."""

    neuron: ConductanceLIF
    at: Membrane
    receptor: Receptor

    @property
    def horizon(self) -> float:
        """Time in which the answer to a volley is over [s]."""
        return 8.0 * max(self.at.tau, self.receptor.area, self.receptor.covariance_time)

    def evolve(self, v: Array, weights: Array, start: Array, dt: Array | float, lags: Array | None = None) -> Array:
        """Potentials (steps + 1, rows) [V] from `start` [s] in steps `dt`; a second volley comes at `lags`.

        The conductance is held at its value in the middle of each step, and the rest solved exactly.
        """
        g_total, c, r = self.at.g_total, self.neuron.capacitance, self.receptor
        middle = start + (np.arange(STEPS) + 0.5)[:, None] * dt
        volley = weights * (r.kernel(middle) + (0.0 if lags is None else r.kernel(middle - lags)))
        trace = [v]
        for closed in volley:
            g = closed * r.open(trace[-1])
            end = (g_total * self.at.v + g * r.reversal) / (g_total + g)
            trace.append(end + (trace[-1] - end) * np.exp(-dt * (g_total + g) / c))
        return np.array(trace)

    def response(self, weights: Array) -> Array:
        """Answers to one volley each."""
        rest = np.full(weights.shape, self.at.v)
        return self.evolve(rest, weights, np.zeros(weights.shape), self.horizon / STEPS)

    def peaks(self, weights: Array) -> Array:
        """Highest potentials after one volley [V]."""
        return self.response(weights).max(0)

    def peaks_of_two(self, weight: float, lags: Array) -> Array:
        """Highest potentials after two volleys `lags` [s] apart; steps end where the second one comes."""
        weights = np.full(lags.shape, weight)
        first = self.evolve(np.full(lags.shape, self.at.v), weights, np.zeros(lags.shape), lags / STEPS)
        second = self.evolve(first[-1], weights, lags, self.horizon / STEPS, lags)
        return np.maximum(first.max(0), second.max(0))

    def enough(self, weight: float) -> float:
        """A volley beyond threshold [S]."""
        weights = np.array([weight * 2.0**k for k in range(60)])
        return float(weights[np.argmax(self.peaks(weights) >= self.neuron.v_threshold)])

    def shape(self, weight: float) -> tuple[float, float]:
        """Height [V] and width at half height [s] of the answer to one volley."""
        away = np.abs(self.response(np.array([weight]))[:, 0] - self.at.v)
        top = int(away.argmax())
        t = np.arange(away.size) * self.horizon / STEPS
        half = 0.5 * away[top]
        rise = float(np.interp(half, away[: top + 1], t[: top + 1]))
        fall = float(np.interp(-half, -away[top:], t[top:]))
        return float(away[top]), fall - rise

    def crossing(self, weight: float, given: tuple[Conductance, ...]) -> tuple[float, float, float]:
        """When [s] and how steeply [V/s] the answer to a volley reaches threshold, and the SD of the potential then."""
        v = self.response(np.array([weight]))[:, 0]
        dt = self.horizon / STEPS
        after = int(np.argmax(v >= self.neuron.v_threshold))
        rise = v[after] - v[after - 1]
        share = (self.neuron.v_threshold - v[after - 1]) / rise
        sd = self.noise(weight, v[: after + 1], given)
        return float((after - 1 + share) * dt), float(rise / dt), float(sd[-2] + share * (sd[-1] - sd[-2]))

    def noise(self, weight: float, v: Array, given: tuple[Conductance, ...]) -> Array:
        """SD [V] of the potential along the answer v to a volley, to first order in the noise.

        With P = <dV^2> and c_k = <dV dg_k>, each dg_k of variance s_k^2 and exponential correlation:

            dc_k/dt = f_k(t) s_k^2 - (a(t) + 1/tau_k) c_k,    dP/dt = 2 sum_k f_k c_k - 2 a P

        a = (g_total + volley)/C damps and f_k = o_k (E_k - V)/C drives; both begin at their stationary values.
        """
        noisy = [x for x in given if x.sd > 0.0]
        capacitance, dt = self.neuron.capacitance, self.horizon / STEPS
        rates, variances = (np.array(x) for x in ([1.0 / x.covariance_time for x in noisy], [x.sd**2 for x in noisy]))
        reversals = np.array([x.receptor.reversal for x in noisy])
        o = np.array([float(x.receptor.open(self.at.v)) for x in noisy])
        f, a = o * (reversals - v[0]) / capacitance, self.at.g_total / capacitance
        c = f * variances / (a + rates)
        p = [float(f @ c) / a]
        middles = 0.5 * (v[1:] + v[:-1])
        volleys = weight * (self.receptor.kernel((np.arange(middles.size) + 0.5) * dt) * self.receptor.open(middles))
        for middle, volley in zip(middles.tolist(), volleys.tolist(), strict=True):
            f, a = o * (reversals - middle) / capacitance, (self.at.g_total + volley) / capacitance
            goal = f * variances / (a + rates)
            before, c = c, goal + (c - goal) * np.exp(-dt * (a + rates))
            level = float(f @ (before + c)) / (2.0 * a)
            p.append(level + (p[-1] - level) * np.exp(-2.0 * dt * a))
        return np.sqrt(p)


def _boundary(holds: Callable[[Array], NDArray[np.bool_]], low: float, high: float) -> float:
    """Where something that holds at `low` and not at `high` ceases to."""
    for _ in range(ROUNDS):
        grid = np.linspace(low, high, AT_ONCE)
        first = int(np.argmin(holds(grid)))  # of those where it does not
        low, high = grid[max(first - 1, 0)], grid[max(first, 1)]
    return float(0.5 * (low + high))


def _check_reachable(neuron: ConductanceLIF, at: Membrane, receptor: Receptor) -> None:
    if not isinstance(receptor, Receptor):
        raise TypeError(f"coincidence: receptor must be a receptor such as eq.AMPA, got {receptor!r}.")
    if at.v >= neuron.v_threshold:
        raise ValueError(
            f"coincidence: the mean potential must lie below v_threshold={neuron.v_threshold / mV:g} mV, got "
            f"{at.v / mV:.2f} mV; the neuron fires without a volley. Take more inhibition or less drive."
        )
    if receptor.reversal <= neuron.v_threshold:
        raise ValueError(
            f"coincidence: receptor must have a reversal above v_threshold={neuron.v_threshold / mV:g} mV, got "
            f"{receptor.reversal / mV:g} mV, which no volley crosses. Take eq.AMPA."
        )
