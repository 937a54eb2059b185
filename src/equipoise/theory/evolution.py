"""The slow path to equilibrium: averaged over firing (`evolve`), or spike by spike (`simulate`)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics, renewal
from equipoise.model.homeostasis import CalciumHomeostasis, Rule
from equipoise.model.inputs import DrivenNeuron, Weights
from equipoise.quantities import Array, finite
from equipoise.results import NumericalFailure, Status
from equipoise.theory.closed_loop import ClosedLoop, close
from equipoise.theory.equilibrium import equilibrium

if TYPE_CHECKING:
    import xarray as xr

RUNAWAY = 1e4
"""A weight above this many threshold distances counts as run away."""


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
    loop = close(cell, rule)
    x0 = loop.state(_start(cell, rule) if start is None else np.array(tuple(start)))  # type: ignore[arg-type]
    _check_start(loop, x0)
    limit = RUNAWAY * (cell.neuron.v_threshold - cell.neuron.v_reset)
    path = dynamics.evolve(loop.rhs, x0, grid, names=loop.names, lower=_floors(loop), upper=limit)
    if throw and path.status is not Status.OK:
        raise NumericalFailure(path.status, f"evolve: {path.message}")
    return _dataset(loop, path)


def _start(cell: DrivenNeuron, rule: Rule) -> Array:
    from dataclasses import replace

    if not isinstance(rule, CalciumHomeostasis):
        raise ValueError(f"evolve: {type(rule).__name__} needs start, the weights (j_e, j_i) to set out from.")
    plain = CalciumHomeostasis(rule.sensor, rule.target, tau_e=rule.tau_e, tau_i=rule.tau_i, scale=rule.scale)
    return equilibrium(replace(cell, drive=0.0), plain).state


def _check_start(loop: ClosedLoop, x0: Array) -> None:
    for name, value in zip(loop.names, x0, strict=True):
        if not np.isfinite(value) or value < 0.0:
            raise ValueError(f"evolve: start.{name} must be finite and at least 0, got {value:g}.")


def _floors(loop: ClosedLoop) -> Array:
    """Weights are never negative (J >= 0 reflects); the other slow variables are positive by their own dynamics."""
    return np.array([0.0 if k < 2 else -np.inf for k in range(len(loop.names))])


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
    "p_e": "uM^2", "p_i": "uM",
}  # fmt: skip
"""Units of the variables of a trajectory."""


def simulate(*_args, **_kwargs):
    """Not here yet."""
    raise NotImplementedError("simulate: the event loop is not linked yet.")
