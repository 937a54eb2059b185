"""Slow windows: a stretch of spikes, what the rules sense in it, weights moved, and on.

A window lasts a fiftieth of the time in which the fastest weight would change by its own size, and one second at most;
weights are constant within it. Calcium is exact, event by event, and remembers ten sensor time constants before it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.backends.nest.network import Network
from equipoise.backends.nest.regulation import LEAST_MEMORY, Regulated, begun, check_separation, set_point
from equipoise.backends.nest.sensing import memory
from equipoise.model.circuit_checks import LARGEST_WEIGHT
from equipoise.model.homeostasis import CalciumMean, CalciumSecondMoment
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr

FRACTION, LONGEST, SHORTEST = 50.0, 1 * second, 20 * ms
SMALL = 0.1
"""Weights below this part of their start do not shorten the windows."""
FORGETTING = 10.0
"""Sensor time constants after which calcium does not know its start."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Where rules took a network: its step, the slow state, its path, and how it ended."""

    stop: int
    cells: tuple[Regulated, ...]
    history: "xr.Dataset"
    status: Status
    message: str


@dataclass(frozen=True)
class _Row:
    time: float
    sizes: list[Array]
    spread: list[Array]
    rates: Array
    calcium: Array


def history_needed(rules: Sequence[Regulated]) -> float:
    """How long spikes have to be followed before the first window [s]."""
    return FORGETTING * max(LEAST_MEMORY, *(memory(c.rule) for c in rules))


def regulate(network: Network, rules: Sequence[Regulated], start: int, stop: int) -> Outcome:
    """Run the steps (start, stop] under the rules; the second half of those before is sensed first."""
    sensed = [_sense(network, c, start // 2, start) for c in rules]
    cells = [begun(c, x) for c, x in zip(rules, sensed, strict=True)]
    for c, x in zip(cells, sensed, strict=True):
        if set_point(c.rule) is None:
            check_separation(c, x)
    smallest = [SMALL * c.sizes.reshape(len(c.projections), -1).mean(axis=1) for c in cells]
    rows, step, status, message = [_row(network, cells, sensed, start, start // 2, start)], start, Status.OK, ""
    while step < stop and status is Status.OK:
        last = step
        step = min(stop, step + _window(cells, sensed, smallest, network.dt))
        network.advance(last, step)
        sensed = [_sense(network, c, last, step) for c in cells]
        cells = [_moved(network, c, x, (step - last) * network.dt) for c, x in zip(cells, sensed, strict=True)]
        rows.append(_row(network, cells, sensed, start, last, step))
        network.forget(step - max(_steps(network, c) for c in cells))
        status, message = _judged(network, cells, (step - start) * network.dt)
    status, message = _at_zero(cells) if status is Status.OK else (status, message)
    return Outcome(
        stop=step, cells=tuple(cells), history=_dataset(network, cells, rows, status, message), status=status,
        message=message,
    )  # fmt: skip


def _steps(network: Network, cells: Regulated) -> int:
    """History of calcium in steps."""
    return math.ceil(FORGETTING * memory(cells.rule) / network.dt)


def _sense(network: Network, cells: Regulated, start: int, stop: int) -> Array:
    """What a rule senses in the steps (start, stop]."""
    begin = max(0, start - _steps(network, cells))
    trains = network.recorders[cells.name].recent(begin, stop, network.dt)
    return cells.sensed(trains, (start - begin) * network.dt)


def _window(cells: Sequence[Regulated], sensed: Sequence[Array], smallest: Sequence[Array], dt: float) -> int:
    """Length of the next window in steps."""
    fastest = min(c.time_scale(x, s) for c, x, s in zip(cells, sensed, smallest, strict=True))
    return max(1, round(min(max(fastest / FRACTION, SHORTEST), LONGEST) / dt))


def _moved(network: Network, cells: Regulated, sensed: Array, duration: float) -> Regulated:
    new = cells.stepped(sensed, duration)
    for projection, size in zip(new.projections, new.sizes, strict=True):
        network.routes[projection.source, projection.target].set_weight(network.nest, size)
    return new


# --- how it went ------------------------------------------------------------------------------------------------------
def _judged(network: Network, cells: Sequence[Regulated], time: float) -> tuple[Status, str]:
    for c in cells:
        neuron = network.circuit.node(c.name).neuron  # pyright: ignore[reportAttributeAccessIssue]
        if (c.sizes > LARGEST_WEIGHT * (neuron.v_threshold - neuron.v_reset)).any():
            which = c.projections[int(np.argmax(c.sizes.reshape(len(c.projections), -1).max(axis=1)))]
            return Status.RUNAWAY, f"the weight of {which} outgrew the threshold at {time:.4g} s."
    return Status.OK, ""


def _at_zero(cells: Sequence[Regulated]) -> tuple[Status, str]:
    for c in cells:
        for projection, size in zip(c.projections, c.sizes, strict=True):
            if (size == 0.0).any():
                return Status.WEIGHT_AT_ZERO, f"the weight of {projection} ended at 0."
    return Status.OK, ""


# --- the path ---------------------------------------------------------------------------------------------------------
def _row(
    network: Network, cells: Sequence[Regulated], sensed: Sequence[Array], start: int, first: int, last: int
) -> _Row:
    """What is kept of a window (first, last], at its end, timed from `start`."""
    names = list(network.recorders)
    trains = [r.recent(first, last, network.dt) for r in network.recorders.values()]
    calcium = np.full((2, len(names)), np.nan)
    for c, x in zip(cells, sensed, strict=True):
        for quantity, value in zip(c.rule.senses, x, strict=True):
            if isinstance(quantity, CalciumMean | CalciumSecondMoment):
                calcium[int(isinstance(quantity, CalciumSecondMoment)), names.index(c.name)] = np.mean(value)
    rates = np.array([t.times.size / (t.n_units * t.duration) for t in trains])
    sizes = [c.sizes.reshape(len(c.projections), -1) for c in cells]
    time = (last - start) * network.dt
    return _Row(time, [s.mean(axis=1) for s in sizes], [s.std(axis=1) for s in sizes], rates, calcium)


def _dataset(
    network: Network, cells: Sequence[Regulated], rows: Sequence[_Row], status: Status, message: str
) -> "xr.Dataset":
    import xarray as xr

    calcium = np.array([r.calcium for r in rows])
    time_by = ("time", "population")
    return xr.Dataset(
        {
            "weight": (("weight_name", "time"), np.array([np.concatenate(r.sizes) for r in rows]).T, {"units": "V"}),
            "weight_sd": (("weight_name", "time"), np.array([np.concatenate(r.spread) for r in rows]).T),
            "rate": (time_by, np.array([r.rates for r in rows]), {"units": "Hz"}),
            "calcium_mean": (time_by, calcium[:, 0], {"units": "uM"}),
            "calcium_second_moment": (time_by, calcium[:, 1], {"units": "uM^2"}),
        },
        coords={
            "time": ("time", [r.time for r in rows], {"units": "s"}),
            "weight_name": [f"J_{c.name}{p.source}" for c in cells for p in c.projections],
            "population": list(network.recorders),
        },
        attrs={"status": status.name, "message": message, "advice": status.advice},
    )  # fmt: skip
