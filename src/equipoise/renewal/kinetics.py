"""Proteins along a spike train: the full chemistry and its two reductions, side by side.

Between spikes calcium decays as an exponential, and the stiff equations of `equipoise.model.kinetics` are integrated by
SciPy (LSODA), started anew at each spike, where calcium jumps. The reductions replace the complex by its quasi-steady
value (binding faster than calcium) or by its linear part (calcium far below saturation); only for the last do the
proteins read the two calcium moments, <P_I> = c_I mu_Ca and <P_E> = c_E nu_Ca.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.model.calcium import Calcium
from equipoise.model.kinetics import Pathway, ProteinKinetics
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.results import NumericalFailure, SpikeTrains, Status

# x_I, x_E, P_I, P_E at calcium C -> their derivatives
Chemistry = Callable[[Array, float], Array]

RTOL = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class ProteinTrace:
    """Calcium [µM], occupied enzymes and proteins [µM] of both pathways at times t (n,) [s].

    At a spike time the values are those just before the spike.
    """

    t: Array
    calcium: Array
    x_i: Array
    x_e: Array
    p_i: Array
    p_e: Array


def integrate(
    kinetics: ProteinKinetics,
    sensor: Calcium,
    spike_times: ArrayLike,
    *,
    t_stop: float,
    t: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> ProteinTrace:
    """Integrate binding and synthesis along spike times (n,) [s] in [0, t_stop] (Sec. 2.2).

    `t` (m,) are the times of output, sorted; the spikes and t_stop if it is None. `initial` is (C, x_I, x_E, P_I, P_E)
    at t = 0, zero if None. Raises ValueError for a bad train, grid or start.
    """

    def chemistry(y: Array, calcium: float) -> Array:
        i, e = kinetics.inhibitory, kinetics.excitatory
        return np.array(
            [i.binding(y[0], calcium), e.binding(y[1], calcium), i.synthesis(y[2], y[0]), e.synthesis(y[3], y[1])]
        )

    grid, train, start = _checked("kinetics.integrate", spike_times, t_stop, t, initial)
    calcium, states = _march(chemistry, sensor, train, grid, start, _scales(kinetics))
    return ProteinTrace(t=grid, calcium=calcium, x_i=states[0], x_e=states[1], p_i=states[2], p_e=states[3])


def integrate_quasi_steady(
    kinetics: ProteinKinetics,
    sensor: Calcium,
    spike_times: ArrayLike,
    *,
    t_stop: float,
    t: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> ProteinTrace:
    """As `integrate`, with x = E0 C^n/(K + C^n) at every moment; the initial x_I, x_E are ignored (Sec. 2.2)."""
    return _reduced(
        kinetics,
        sensor,
        _checked("kinetics.integrate_quasi_steady", spike_times, t_stop, t, initial),
        Pathway.quasi_steady,
    )


def integrate_linear(
    kinetics: ProteinKinetics,
    sensor: Calcium,
    spike_times: ArrayLike,
    *,
    t_stop: float,
    t: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> ProteinTrace:
    """As `integrate`, with x = E0 C^n/K at every moment; the initial x_I, x_E are ignored (Sec. 2.2)."""
    return _reduced(
        kinetics, sensor, _checked("kinetics.integrate_linear", spike_times, t_stop, t, initial), Pathway.linear
    )


def _reduced(
    kinetics: ProteinKinetics, sensor: Calcium, checked, occupancy: Callable[[Pathway, Array | float], Array]
) -> ProteinTrace:
    i, e = kinetics.inhibitory, kinetics.excitatory

    def chemistry(y: Array, calcium: float) -> Array:
        return np.array([i.synthesis(y[0], occupancy(i, calcium)), e.synthesis(y[1], occupancy(e, calcium))])

    grid, train, start = checked
    kept = np.concatenate([start[:1], start[3:]])
    calcium, states = _march(chemistry, sensor, train, grid, kept, _scales(kinetics)[2:])
    x_i, x_e = occupancy(i, calcium), occupancy(e, calcium)
    return ProteinTrace(t=grid, calcium=calcium, x_i=x_i, x_e=x_e, p_i=states[0], p_e=states[1])


def _march(
    chemistry: Chemistry, sensor: Calcium, train: Array, grid: Array, start: Array, scale: Array
) -> tuple[Array, Array]:
    """Calcium (m,) and the other states (k, m) on the grid; the solver starts anew after each spike."""
    calcium, y = float(start[0]), start[1:].copy()
    out_c, out_y = np.empty(grid.size), np.empty((y.size, grid.size))
    now, done = 0.0, 0
    for edge in [*train.tolist(), math.inf]:
        stop = min(edge, float(grid[-1]))
        last = int(np.searchsorted(grid, stop, side="right"))
        wanted = grid[done:last]
        values, y = _segment(chemistry, sensor, calcium, y, np.append(wanted, stop) - now, scale)
        out_c[done:last] = calcium * np.exp(-(wanted - now) / sensor.tau)
        out_y[:, done:last] = values[:, : wanted.size]
        done = last
        if done == grid.size:
            break
        calcium = sensor.retention * calcium * math.exp(-(stop - now) / sensor.tau) + sensor.influx
        now = stop
    return out_c, out_y


def _segment(
    chemistry: Chemistry, sensor: Calcium, calcium: float, y: Array, times: Array, scale: Array
) -> tuple[Array, Array]:
    """The states at times since the last spike, and at the last of them."""
    from scipy.integrate import solve_ivp

    if times[-1] <= 0.0:
        return np.repeat(y[:, None], times.size, axis=1), y
    solution = solve_ivp(
        lambda t, state: chemistry(state, calcium * math.exp(-t / sensor.tau)),
        (0.0, float(times[-1])),
        y,
        method="LSODA",
        t_eval=np.unique(times),
        rtol=RTOL,
        atol=RTOL * scale,
    )
    if not solution.success:
        raise NumericalFailure(Status.NOT_CONVERGED, f"kinetics: {solution.message}")
    where = np.searchsorted(solution.t, times)
    return solution.y[:, where], solution.y[:, -1]


def _scales(kinetics: ProteinKinetics) -> Array:
    """Sizes of x_I, x_E, P_I, P_E at 1 µM of calcium, for the absolute tolerance."""
    paths = (kinetics.inhibitory, kinetics.excitatory)
    x = [p.enzyme / (1.0 + p.half_saturation) for p in paths]
    return np.array([*x, *(p.turnover * at / (p.gamma + 1.0) for p, at in zip(paths, x, strict=True))])


def _checked(
    name: str, spike_times: ArrayLike, t_stop: float, t: ArrayLike | None, initial: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Output times, spike times and the start as arrays."""
    stop = check(f"{name}.t_stop", t_stop, Quantity("end of the spike train", unit="second", low=0.0, open_low=True))
    train = SpikeTrains.single(spike_times, t_start=0.0, t_stop=stop).times
    grid = np.append(train, stop) if t is None else np.atleast_1d(finite(name, "t", t, low=0.0))
    if grid.size == 0 or (np.diff(grid) < 0).any() or grid[-1] > stop:
        got = f"{grid.size} of them, the last {grid[-1]:g} s" if grid.size else "none"
        raise ValueError(f"{name}: t must be sorted times in [0, {stop:g}] s, got {got}. Sort them, or raise t_stop.")
    start = np.zeros(5) if initial is None else finite(name, "initial", initial, low=0.0)
    if start.shape != (5,):
        raise ValueError(f"{name}: initial must be (C, x_I, x_E, P_I, P_E), got shape {start.shape}.")
    return grid, train, start
