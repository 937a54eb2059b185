"""What mitochondria read from firing: mean uptake and matrix calcium of a law or pattern, and along given spikes.

Matrix calcium is slower than uptake, minutes, and follows its mean.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.bursts import PoissonBursts
from equipoise.model.mitochondria import EnergyCost, Mitochondrion, uptake_of_bursts, uptake_per_burst
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.renewal import statistics
from equipoise.renewal.calcium import four_point
from equipoise.renewal.laws import ISILaw
from equipoise.renewal.traces import calcium_trace
from equipoise.results import SpikeTrains

SHARE = 0.01
"""Largest step of the matrix by its relaxation time."""


def mcu_uptake(mitochondrion: Mitochondrion, firing: ISILaw | PoissonBursts) -> Array:
    """Mean flux into the matrix [µM/s] under a renewal law, in its shape, or bursts; the leak is in it."""
    _is_mitochondrion("mcu_uptake", mitochondrion)
    return (mitochondrion.leak + _by_spikes("mcu_uptake", mitochondrion, firing))[()]


def mcu_sensitivity(mitochondrion: Mitochondrion, firing: PoissonBursts) -> Array:
    """d uptake/d log rate [µM/s]: how the mean uptake rises as bursts of the same form become more frequent.

    The signal per relative change of rate; differences in steps of 1 % leave 1e-7 of it.
    """
    _is_mitochondrion("mcu_sensitivity", mitochondrion)
    if not isinstance(firing, PoissonBursts):
        raise TypeError(f"mcu_sensitivity: firing must be an eq.PoissonBursts, got {firing!r}.")
    h = min(0.01, 0.4 * float(np.log(firing.fastest / firing.rate)))

    def uptake(steps: int) -> Array:
        rate = firing.rate * np.exp(steps * h)
        return mcu_uptake(mitochondrion, PoissonBursts(rate=rate, size=firing.size, interval=firing.interval))

    return four_point(uptake, h)


def matrix_calcium(mitochondrion: Mitochondrion, firing: ISILaw | PoissonBursts) -> Array:
    """Matrix calcium [µM] that balances the mean uptake; inf, overload, where that is beyond what efflux can carry."""
    return mitochondrion.matrix_at(mcu_uptake(mitochondrion, firing))


def _by_spikes(owner: str, m: Mitochondrion, firing: ISILaw | PoissonBursts) -> Array:
    """Mean uptake by spikes [µM/s], the leak apart."""
    if isinstance(firing, PoissonBursts):
        return np.asarray(uptake_of_bursts(m, firing))
    if not isinstance(firing, ISILaw):
        raise TypeError(f"{owner}: firing must be an ISI law or an eq.PoissonBursts, got {firing!r}.")

    def lost(k: int) -> Array:
        return statistics.isi_laplace_complement(firing, s=k / m.tau)

    return statistics.rate(firing) * uptake_per_burst(m, 1, 0.0, lost)


# --- along spikes -----------------------------------------------------------------------------------------------------
def mcu_uptake_of(mitochondrion: Mitochondrion, trains: SpikeTrains, *, discard: float = 0.0) -> Array:
    """Time-averaged flux into the matrix [µM/s] per unit (n_units,), over the window less its first `discard` [s].

    Exact, from spike to spike; calcium starts at 0.
    """
    _is_mitochondrion("mcu_uptake_of", mitochondrion)
    if not isinstance(trains, SpikeTrains):
        raise TypeError(f"mcu_uptake_of: trains must be an eq.SpikeTrains, got {trains!r}.")
    if not 0.0 <= discard < trains.duration:
        raise ValueError(
            f"mcu_uptake_of: discard must lie in [0, {trains.duration:g}) s, the length of the window, got {discard:g}."
        )
    ends = np.array([trains.t_start + discard, trains.t_stop])
    order = np.argsort(trains.units, kind="stable")
    cuts = np.searchsorted(trains.units[order], np.arange(1, trains.n_units))
    taken = [_taken_up(mitochondrion, t, trains.t_start, ends) for t in np.split(trains.times[order], cuts)]
    return mitochondrion.leak + np.array([late - early for early, late in taken]) / (ends[1] - ends[0])


def matrix_trace(
    mitochondrion: Mitochondrion,
    spike_times: ArrayLike,
    *,
    t_start: float,
    t_stop: float,
    at: ArrayLike,
    initial: float | None = None,
) -> Array:
    """Free matrix calcium [µM] at the sorted times `at` (n,) [s]; `initial` [µM] at t_start, by default at rest.

    `spike_times` [s] lie sorted in [t_start, t_stop]. The uptake between two times is exact, the efflux is integrated
    by the classical Runge-Kutta method on m - uptake/(1 + kappa), which has no jumps, in steps of at most 1 % of the
    relaxation time of the matrix.
    """
    _is_mitochondrion("matrix_trace", mitochondrion)
    train = SpikeTrains.single(spike_times, t_start=t_start, t_stop=t_stop)
    times = np.atleast_1d(finite("matrix_trace", "at", at))
    if times.size == 0 or (np.diff(times) < 0.0).any() or times[0] < t_start or times[-1] > t_stop:
        raise ValueError(f"matrix_trace: at must hold sorted times in [{t_start:g}, {t_stop:g}] s.")
    about = Quantity("matrix calcium at the start", unit="uM", low=0.0)
    start = mitochondrion.resting if initial is None else check("matrix_trace.initial", initial, about)
    grid = _finer(np.concatenate([[t_start], times]), SHARE * _fastest(mitochondrion))
    between = np.unique(np.concatenate([grid, 0.5 * (grid[1:] + grid[:-1])]))
    gained = _taken_up(mitochondrion, train.times, t_start, between) + mitochondrion.leak * (between - t_start)
    m = _runge_kutta(mitochondrion, between, gained / (1.0 + mitochondrion.bound_ratio), start)
    return m[np.searchsorted(between[::2], times)]


def _fastest(m: Mitochondrion) -> float:
    """A time [s] below every relaxation time of the matrix: d efflux/dm is nowhere above k V_N/K_N."""
    return (1.0 + m.bound_ratio) * m.half_efflux / (m.efflux_capacity * m.efflux_hill)


def _finer(times: Array, longest: float) -> Array:
    """The times, with others between them so that no step is longer."""
    parts = [
        np.linspace(a, b, max(int(np.ceil((b - a) / longest)), 1), endpoint=False) for a, b in pairwise(times) if b > a
    ]
    return np.concatenate([*parts, times[-1:]])


def _runge_kutta(m: Mitochondrion, t: Array, gained: Array, start: float) -> Array:
    """Matrix calcium at every second time; y = m - gained obeys dy/dt = -efflux(y + gained)/(1 + kappa)."""
    K, k, scale = m.half_efflux, m.efflux_hill, m.efflux_capacity / (1.0 + m.bound_ratio)

    def speed(matrix: float) -> float:
        x = (max(matrix, 0.0) / K) ** k
        return -scale * x / (1.0 + x)

    y, out = start, [start]
    for i in range(0, len(t) - 2, 2):
        h, (a, b, c) = t[i + 2] - t[i], gained[i : i + 3].tolist()
        k1 = speed(y + a)
        k2 = speed(y + 0.5 * h * k1 + b)
        k3 = speed(y + 0.5 * h * k2 + b)
        y += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + speed(y + h * k3 + c))
        out.append(y + c)
    return np.array(out)


def _taken_up(m: Mitochondrion, spikes: Array, t_start: float, times: Array) -> Array:
    """Uptake by spikes from t_start to each time [µM], calcium 0 at first."""
    if spikes.size == 0:
        return np.zeros(np.shape(times))
    peaks = calcium_trace(m.sensor, spikes, t_start=t_start, t_stop=max(spikes[-1], np.max(times)))
    ends = m.uptake_left(peaks[:-1] * np.exp(-np.diff(spikes) / m.tau))
    before = np.concatenate([[0.0], np.cumsum(m.uptake_left(peaks[:-1]) - ends)])
    last = np.searchsorted(spikes, times, side="right") - 1
    i = np.maximum(last, 0)
    now = peaks[i] * np.exp(-np.maximum(times - spikes[i], 0.0) / m.tau)
    return np.where(last >= 0, before[i] + m.uptake_left(peaks[i]) - m.uptake_left(now), 0.0)


def _is_mitochondrion(owner: str, given: object) -> None:
    if not isinstance(given, Mitochondrion):
        raise TypeError(f"{owner}: mitochondrion must be an eq.Mitochondrion, got {given!r}.")


# --- energy -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class EnergyBudget:
    """A cell's demand against its budget, as mitochondrial calcium reads it and in ATP.

    `load` and `sustained` [µM/s]: the mean uptake of the firing and of the set point; `demand` and `budget` [ATP/s]:
    the cost of both, which is approximate. `reading` = sustained - load and `surplus` = budget - demand are negative
    where the cell spends more than it can.
    """

    load: float
    sustained: float
    demand: float
    budget: float

    @property
    def reading(self) -> float:
        """What is left of the sustained uptake [µM/s]."""
        return self.sustained - self.load

    @property
    def surplus(self) -> float:
        """What is left of the budget [ATP/s]."""
        return self.budget - self.demand

    def __repr__(self) -> str:
        return (
            f"EnergyBudget: uptake {self.load:.3g} of {self.sustained:.3g} µM/s, "
            f"about {self.demand:.2g} of {self.budget:.2g} ATP/s"
        )


def energy_budget(
    mitochondrion: Mitochondrion,
    firing: PoissonBursts,
    *,
    set_point: PoissonBursts,
    synaptic_input: float = 1.0,
    cost: EnergyCost | None = None,
) -> EnergyBudget:
    """Demand of a firing pattern, and the budget that its set point sustains.

    Demand [ATP/s]: rest + spike r + input x with the numbers of `cost` and x = `synaptic_input`, by that of the set
    point. The budget is the demand at the set point.
    """
    price = cost or EnergyCost()
    about = Quantity("synaptic input by that of the set point", low=0.0)
    share = check("energy_budget.synaptic_input", synaptic_input, about)
    return EnergyBudget(
        load=float(mcu_uptake(mitochondrion, firing)),
        sustained=float(mcu_uptake(mitochondrion, set_point)),
        demand=price.rest + price.spike * firing.rate + price.input * share,
        budget=price.rest + price.spike * set_point.rate + price.input,
    )
