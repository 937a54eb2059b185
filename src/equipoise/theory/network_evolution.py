"""The weights of a network over days, while an experimenter changes the network under them (Sec. 2.4.2).

Between two changes the weights follow their rules with the rates at their fixed point; at a change the weights stay as
they are (a blocked synapse acts with less) and the rates relax from where they were, so that of several states the one
is found that the network would reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import Timed, checked_schedule, edges, manipulated
from equipoise.quantities import Array, finite
from equipoise.results import Status
from equipoise.theory import balanced, cell_evolution, network_path
from equipoise.theory import network_state as states
from equipoise.theory.network import loop_of, scopes_of
from equipoise.theory.network_loop import NetworkLoop

if TYPE_CHECKING:
    import xarray as xr

GONE = 1e-3
"""A weight below this part of its first value no longer acts."""
FIRST_REPORT = 1e-5
"""The first report after a change, as a part of the epoch; reports are evenly spaced in the logarithm of time."""
NODES = 91
"""Quadrature nodes of the averages on the way: 1e-6 of the rates."""


def network_evolve(
    circuit: Circuit,
    *,
    duration: float,
    schedule: Sequence[Timed] = (),
    times: ArrayLike | None = None,
    cells: int = 256,
) -> "xr.Dataset":
    """The weights of a circuit over `duration` [s] under its rules, the rates at their fixed point all along.

    `schedule` holds manipulations and when they act. Every stretch between two changes is an epoch; its first and last
    moments are reported, with `times` [s] in between (default: 60 for each epoch, dense after its beginning). Returns a
    Dataset over `time` with the weights, their speeds, rates, second moments and calcium, and over `epoch` what acted,
    the recovery times of the slow dynamics at its end, and how it ended. Numerical failure ends the path early and is
    told in attrs; NumericalFailure is raised where the circuit has no state to begin with.

    With rules at neuron scope every population is a sample of `cells` cells (a power of two), and the Dataset says how
    rate, C_v and gains are spread over them; schedules are for population scope.
    """
    span = float(finite("network_evolve", "duration", duration, low=0.0, open_low=True))
    plan = checked_schedule("network_evolve", circuit, schedule)
    bounds = edges(plan, span)
    asked = None if times is None else np.unique(finite("network_evolve", "times", times, low=0.0))
    first, own = replace(loop_of(circuit), nodes=NODES), scopes_of(circuit)
    x = states.solve(first.wiring, balanced.starts(first.wiring)).x
    if any(own):
        return _by_cells(first, own, plan, x, np.linspace(0.0, span, 100) if asked is None else asked, cells)
    moment = _Moment(first.slow, x)
    done, facts = [], []
    for begin, end in pairwise(bounds):
        loop = replace(loop_of(manipulated(circuit, plan, begin)), nodes=NODES)
        acting = np.append(loop.weights / first.weights, np.ones(len(loop.names) - len(loop.places)))
        path = _epoch(loop, moment, acting, _grid(begin, end, asked))
        moment = _Moment(path.end[0] / acting, path.end[1])
        done.append(_with_slow_mode(network_path.dataset(path), path))
        facts.append(_facts(path, first.slow * acting) | {"label": _label(plan, begin), "start": begin, "stop": end})
        if not path.complete:
            break
    return _joined(done, facts, _baseline(first, x))


@dataclass(frozen=True)
class _Moment:
    """The slow state (k,) with all synapses free, and the network state (2 n,) that goes with it."""

    slow: Array
    x: Array


def _by_cells(
    loop: NetworkLoop, own: tuple[bool, ...], plan: tuple[Timed, ...], x: Array, times: Array, cells: int
) -> "xr.Dataset":
    if plan:
        raise TypeError(
            "network_evolve: a schedule needs rules at population scope throughout; this circuit has rules at neuron "
            "scope. Evolve the manipulated circuit, eq.manipulated(...), by itself instead."
        )
    return cell_evolution.evolve(replace(loop, nodes=181), own, start=x, times=times, cells=cells)


def _grid(begin: float, end: float, asked: Array | None) -> Array:
    if asked is not None:
        return np.concatenate([[begin], asked[(asked > begin) & (asked < end)], [end]])
    later = begin + (end - begin) * np.geomspace(FIRST_REPORT, 1.0, 60)
    return np.concatenate([[begin], later[:-1], [end]])


def _label(plan: tuple[Timed, ...], time: float) -> str:
    acting = [_part(d, time) + repr(d.manipulation) for d in plan if d.acts_at(time)]
    return ", ".join(acting) or "undisturbed"


def _epoch(loop: NetworkLoop, moment: _Moment, acting: Array, grid: Array) -> network_path.Path:
    """One stretch without changes of the circuit, its weights acting in part where synapses are blocked."""
    slow = moment.slow * acting
    x = network_path.settle(loop.with_weights(slow), moment.x)
    return network_path.evolve(loop, start=moment.x if x is None else x, slow=slow, times=grid)


def _part(timed: Timed, time: float) -> str:
    """How much of a manipulation there is, in words; nothing where all of it is."""
    strength = timed.strength_at(time)
    return "" if strength == 1.0 else f"{strength:.4g} of "


def _end_jacobian(path: network_path.Path) -> tuple[Array, np.ndarray]:
    """The slow Jacobian at the end for the variables that are not at zero, and which those are."""
    slow, x = path.end
    free = slow > 0.0
    return network_path.jacobian(path.loop, x, slow)[np.ix_(free, free)], free


def _with_slow_mode(data: "xr.Dataset", path: network_path.Path) -> "xr.Dataset":
    """The epoch with `slow_speed` [1/s], the speed of the weights along the slowest mode of its end."""
    matrix, free = _end_jacobian(path)
    spectrum = dynamics.spectrum(matrix.T, tuple(np.array(path.loop.names)[free]))
    values, left = spectrum.eigenvalues, spectrum.eigenvectors
    moving = ~spectrum.zero
    if not moving.any():
        return data.assign(slow_speed=("time", np.zeros(data.sizes["time"]), {"units": "1/s"}))
    slowest = np.flatnonzero(moving)[np.argmax(values.real[moving])]
    logs, all_linear = network_path.relative(path.loop)[:, None], path.end[0].max()
    unit = np.where(logs, path.slow, 1.0 if logs.any() else all_linear)
    speed = np.abs(left[:, slowest] @ (path.speeds() / unit)[free])
    return data.assign(slow_speed=("time", speed, {"units": "1/s"}))


def _facts(path: network_path.Path, reference: Array) -> dict[str, Any]:
    """How an epoch ended: slow recovery times, jumps, whether the fast dynamics is stable, status and message."""
    (slow, x), loop, names = path.end, path.loop, np.array(path.loop.names)
    jacobian, free = _end_jacobian(path)
    times = np.full(slow.size, np.nan)
    times[: free.sum()] = dynamics.spectrum(jacobian, tuple(names[free])).recovery_times
    fast = np.linalg.eigvals(states.Equations(loop.with_weights(slow), loop.nodes).jacobian(x))
    stable, small = bool((fast.real < 0.0).all()), slow <= GONE * reference
    status, message, jumps = path.status, path.message, len(path.pieces) - 1
    if status is Status.OK and not stable:
        status = Status.UNSTABLE
        message = "the rates leave the state that was followed: the fast dynamics is unstable at the end."
    elif status is Status.OK and small.any():
        status = Status.WEIGHT_AT_ZERO
        message = f"{', '.join(names[small])} no longer acts."
    return {"recovery_time": times, "fast_stable": stable, "status": status, "message": message, "jumps": jumps}


def _baseline(loop: NetworkLoop, x: Array) -> "xr.Dataset":
    """The undisturbed circuit at the beginning."""
    still = network_path.Piece(np.zeros(1), loop.slow[:, None], x[:, None])
    data = network_path.dataset(network_path.Path(loop, (still,), Status.OK, "", complete=True)).isel(time=0, drop=True)
    return data[["rate", "second_moment", "calcium_mean", "calcium_second_moment"]]


def _joined(epochs: list["xr.Dataset"], facts: list[dict[str, Any]], baseline: "xr.Dataset") -> "xr.Dataset":
    """All epochs in a row, an edge once at the end of one epoch and once at the beginning of the next."""
    import xarray as xr

    data = xr.concat(epochs, "time", data_vars="minimal", coords="minimal", compat="override", combine_attrs="drop")
    for name, unit in (
        ("label", ""),
        ("start", "s"),
        ("stop", "s"),
        ("jumps", ""),
        ("fast_stable", ""),
        ("message", ""),
    ):
        data[name] = ("epoch", [f[name] for f in facts], {"units": unit} if unit else {})
    data["status"] = ("epoch", [f["status"].name for f in facts])
    data["recovery_time"] = (("epoch", "mode"), np.array([f["recovery_time"] for f in facts]), {"units": "s"})
    data = data.merge(baseline.rename({name: f"baseline_{name}" for name in baseline.data_vars}))
    data.coords["epoch_of_time"] = ("time", np.repeat(np.arange(len(epochs)), [d.sizes["time"] for d in epochs]))
    worst = max(range(len(facts)), key=lambda k: _SERIOUS.index(facts[k]["status"]))
    status = facts[worst]["status"]
    message = "the end was reached." if status is Status.OK else f"epoch {worst}: {facts[worst]['message']}"
    return data.assign_attrs(status=status.name, message=message, advice=status.advice)


_SERIOUS = (Status.OK, Status.WEIGHT_AT_ZERO, Status.UNSTABLE, Status.NOT_CONVERGED, Status.RUNAWAY)
