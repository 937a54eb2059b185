"""The slow path to equilibrium, averaged over firing; `equipoise.theory.simulate` takes it spike by spike."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics, renewal
from equipoise.model.homeostasis import CalciumHomeostasis, Rule
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array, finite
from equipoise.results import NumericalFailure, Status
from equipoise.theory.closed_loop import ClosedLoop, close
from equipoise.theory.equilibrium import RUNAWAY, equilibrium

if TYPE_CHECKING:
    import xarray as xr


def evolve(
    cell: DrivenNeuron,
    rule: Rule,
    *,
    duration: float,
    start: Weights | ArrayLike | None = None,
    times: ArrayLike | None = None,
    throw: bool = False,
) -> "xr.Dataset":
    """Trajectory of the slow variables over `duration` [s], firing and calcium at equilibrium all along.

    `start` is the weights or the whole slow state (default: the equilibrium of the cell without drive); `times` (t,)
    are the moments to report (default 200, evenly spaced). Returns a Dataset over `time` with the slow variables, rate,
    cv, calcium_mean and calcium_second_moment; attrs carry the status and its message.
    """
    span = finite("evolve", "duration", duration, low=0.0, open_low=True)
    grid = np.linspace(0.0, float(span), 200) if times is None else finite("evolve", "times", times, low=0.0)
    loop, x0 = starting_state("evolve", cell, rule, start)
    path = _integrate(loop, x0, grid)
    if throw and path.status is not Status.OK:
        raise NumericalFailure(path.status, f"evolve: {path.message}")
    return _dataset(loop, path)


def starting_state(
    function: str, cell: DrivenNeuron, rule: Rule, start: Weights | ArrayLike | None
) -> tuple[ClosedLoop, Array]:
    """The closed loop and the slow state `start` (default: the equilibrium of the cell without drive) in it."""
    loop = close(cell, rule)
    x0 = loop.state(_start(function, cell, rule) if start is None else np.array(tuple(start)))  # type: ignore[arg-type]
    for name, value in zip(loop.names, x0, strict=True):
        if not np.isfinite(value) or value < 0.0:
            raise ValueError(f"{function}: start.{name} must be finite and at least 0, got {value:g}.")
    return loop, x0


def _start(function: str, cell: DrivenNeuron, rule: Rule) -> Array:
    if not isinstance(rule, CalciumHomeostasis):
        raise ValueError(f"{function}: {type(rule).__name__} needs start, the weights (j_e, j_i) to set out from.")
    plain = CalciumHomeostasis(rule.sensor, rule.target, tau_e=rule.tau_e, tau_i=rule.tau_i, scale=rule.scale)
    return equilibrium(replace(cell, drive=0.0), plain).state


def _integrate(loop: ClosedLoop, x0: Array, grid: Array) -> dynamics.Trajectory:
    """The slow equations; at relative scale in log J, where a weight decays without ever reaching zero.

    At absolute scale J >= 0 reflects. The other slow variables stay positive by their own dynamics.
    """
    limit = RUNAWAY * (loop.cell.neuron.v_threshold - loop.cell.neuron.v_reset)
    weight = np.arange(x0.size) < 2
    logs = weight & (getattr(loop.rule, "scale", "absolute") == "relative") & (x0 > 0.0)

    def back(z: Array) -> Array:
        # Below e^-600 a weight has long stopped to act; the floors keep error/x from becoming 0/0.
        return np.where(logs, np.exp(np.where(logs, np.clip(z, -600.0, 300.0), 0.0)), np.where(weight, z, floor(z)))

    def floor(z: Array) -> Array:
        return np.maximum(z, 1e-200)

    def rhs(z: Array) -> Array:
        x = back(z)
        return loop.rhs(x) / np.where(logs, x, 1.0)

    with np.errstate(all="ignore"):  # a trial step far out may overflow; the solver refuses it
        path = dynamics.evolve(
            rhs, np.where(logs, np.log(np.where(logs, x0, 1.0)), x0), grid, names=loop.names,
            lower=np.where(weight & ~logs, 0.0, -np.inf), stop=lambda z: limit - float(np.max(back(z)[:2])),
        )  # fmt: skip
    return replace(path, x=np.stack([back(z) for z in path.x.T], axis=-1))


def _dataset(loop: ClosedLoop, path: dynamics.Trajectory) -> "xr.Dataset":
    import xarray as xr

    mu = loop.cell.input_mean(path.x[0], path.x[1])
    sigma = np.sqrt(loop.cell.input_variance(path.x[0], path.x[1]))
    firing = renewal.NeuronISI(loop.cell.neuron, mu=mu, sigma=sigma)
    data = {name: ("time", values) for name, values in zip(loop.names, path.x, strict=True)}
    data |= {"mu": ("time", mu), "sigma": ("time", sigma)}
    data |= {"rate": ("time", renewal.rate(firing)), "cv": ("time", renewal.cv(firing))}
    if isinstance(loop.rule, CalciumHomeostasis):
        mean, second = renewal.calcium_moments(loop.rule.sensor, firing)
        data |= {"calcium_mean": ("time", mean), "calcium_second_moment": ("time", second)}
    dataset = xr.Dataset(data, coords={"time": path.t})
    for name, unit in UNITS.items():
        if name in dataset.variables:
            dataset[name].attrs["units"] = unit
    dataset.attrs |= {"status": path.status.name, "message": path.message, "advice": path.status.advice}
    return dataset


UNITS = {
    "time": "s", "j_e": "V", "j_i": "V", "mu": "V/s", "sigma": "V/sqrt(s)", "rate": "Hz", "cv": "1",
    "calcium_mean": "uM", "calcium_second_moment": "uM^2", "target_mean": "uM", "target_second_moment": "uM^2",
    "p_e": "uM^2", "p_i": "uM", "spike_times": "s",
}  # fmt: skip
"""Units of the variables of a trajectory."""
