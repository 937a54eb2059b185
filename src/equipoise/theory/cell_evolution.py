"""The slow path of a network whose cells regulate themselves: rates homogenise while gains part.

Gains u and network state x = (r, q) are followed together, x by its own fast dynamics dx/dt = (E - x)/T with T far
below the time scales of homeostasis. That makes every equation local but for x, so the Jacobian is sparse and hundreds
of cells cost little. The states reported are the fixed points x = E at the gains of their time.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import dynamics, renewal
from equipoise.quantities import Array
from equipoise.renewal.firing import firing, shift
from equipoise.results import NumericalFailure, Status
from equipoise.theory.cells import CellLoop, fewest, labels, slow_slopes
from equipoise.theory.network_loop import NetworkLoop

if TYPE_CHECKING:
    import xarray as xr

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
FAST = 0.01
"""Time constant of the network state [s]: that of the membrane, as good as immediate for homeostasis."""
RUNAWAY = 1e4
"""Factor by which a gain, or times the largest threshold distance by which a weight, may grow."""


def evolve(loop: NetworkLoop, own: Sequence[bool], *, start: Array, times: Array, cells: int) -> "xr.Dataset":
    """Every sample cell over `times` [s] from the weights of the wiring; the network is at its fixed point all along.

    `start` (2 n,) is near the first state. Dataset over `time` with rates, second moments, mean weights, and mean, SD
    and quantiles over cells of rate, C_v and gains (factors at relative scale, changes [V] at absolute scale).
    """
    least = fewest(loop.wiring.J.shape[1])
    if not isinstance(cells, (int, np.integer)) or cells < least or cells & (cells - 1):
        raise ValueError(f"network_evolve: cells must be a power of two of at least {least}, got {cells!r}. Try 256.")
    sample = CellLoop(loop.wiring, loop.rules, tuple(own), labels(int(cells), loop.wiring.J.shape[1]))
    first, size = _state(sample, np.zeros(sample.places[-1].stop), start), sample.places[-1].stop

    def split(z: Array) -> tuple[Array, Array]:
        return z[:size], np.maximum(z[size:], 1e-9)

    brake = _Brake(sample.lower())

    def rhs(z: Array) -> Array:
        u, x = split(z)
        return np.concatenate([brake.speed(u, sample.rhs(u, x)), sample.averages(u, x)[0] / FAST])

    def jacobian(z: Array):
        u, x = split(z)
        return brake.slopes(u, sample.rhs(u, x), slow_slopes(sample, u, x).sparse(FAST))

    with np.errstate(over="ignore"):  # a trial step far out may overflow; the solver refuses it
        path = dynamics.evolve(
            rhs, np.concatenate([np.zeros(size), first]), times, names=tuple(f"z{k}" for k in range(size + first.size)),
            stop=_room(sample), tolerance=1e-6, jacobian=jacobian,
        )  # fmt: skip
    return _dataset(loop, sample, path)


class _Brake:
    """Falling weights slow down within a thousandth of their size above zero: hundreds of bounds without events."""

    def __init__(self, floor: Array):
        self.bounded = np.isfinite(floor)
        self.floor = np.where(self.bounded, floor, 0.0)
        self.width = np.where(self.bounded, 1e-3 * np.abs(floor), 1.0)

    def speed(self, u: Array, speed: Array) -> Array:
        """The braked speed."""
        return np.where(self._near(u, speed), speed * self._room(u), speed)

    def slopes(self, u: Array, speed: Array, jacobian: Any) -> Any:
        """Its Jacobian, from that of the speed; rows behind those of u stay."""
        from scipy.sparse import diags_array

        if not self.bounded.any():
            return jacobian
        near, room, rest = self._near(u, speed), self._room(u), jacobian.shape[0] - u.size
        factor = np.where(near, room, 1.0)
        own = np.where(near & (room > 0.0), speed / self.width, 0.0)
        scaled, added = (diags_array(np.append(v, np.full(rest, w))) for v, w in ((factor, 1.0), (own, 0.0)))
        return (scaled @ jacobian + added).tocsc()

    def _room(self, u: Array) -> Array:
        return np.clip((u - self.floor) / self.width, 0.0, 1.0)

    def _near(self, u: Array, speed: Array) -> np.ndarray:
        return self.bounded & (speed < 0.0) & (u < self.floor + self.width)


def _state(sample: CellLoop, u: Array, start: Array) -> Array:
    """x = (r, q) at the slow state u; NumericalFailure where the network has no state there."""
    found = sample.state(u, start)
    if found.status is not Status.OK:
        raise NumericalFailure(Status.NOT_CONVERGED, "network homeostasis: the rates were lost along the way.")
    return found.x


def _room(sample: CellLoop):
    """How far the largest change is from counting as a runaway."""
    span = max(n.v_threshold - n.v_reset for n in sample.wiring.neurons)
    absolute = np.zeros(sample.places[-1].stop, dtype=bool)
    for a, place in enumerate(sample.places):
        absolute[place] = sample.absolute(a)
    limit = np.where(absolute, RUNAWAY * span, np.log(RUNAWAY))
    return lambda z: float(np.min(1.0 - z[: limit.size] / limit))


def _dataset(loop: NetworkLoop, sample: CellLoop, path: dynamics.Trajectory) -> "xr.Dataset":
    import xarray as xr

    n, (slow, near) = loop.wiring.n, np.split(path.x.T, [sample.places[-1].stop], axis=1)
    states = np.array([_state(sample, u, x) for u, x in zip(slow, near, strict=True)])
    firing_of = np.array([[_firing(sample, a, u, x) for a in range(n)] for u, x in zip(slow, states, strict=True)])
    gains = np.array([[_gains(sample, a, u) for a in range(n)] for u in slow])
    weights = np.array([[np.abs(sample.weights(a, u)[0][:, b]).mean() for a, b in loop.places] for u in slow])
    unit = "V" if any(sample.absolute(a) for a in range(n)) else "1"
    over_cells = {"cell_rate": (firing_of[:, :, 0], (), "Hz"), "cell_cv": (firing_of[:, :, 1], (), "1"),
                  "cell_gain": (gains, ("kind",), unit)}  # fmt: skip
    data = {
        "rate": (("time", "population"), states[:, :n], {"units": "Hz"}),
        "second_moment": (("time", "population"), states[:, n:], {"units": "Hz^2"}),
        "weight": (("weight_name", "time"), weights.T, {"units": "V"}),
    }
    for name, (values, extra, units) in over_cells.items():
        data |= _spread(name, values, ("time", "population", *extra), units)
    return xr.Dataset(
        data,
        coords={
            "time": ("time", path.t, {"units": "s"}), "population": list(loop.wiring.names), "kind": ["e", "i"],
            "weight_name": list(loop.weight_names), "level": LEVELS,
        },
        attrs={"status": path.status.name, "message": path.message, "advice": path.status.advice,
               "cells": len(sample.labels)},
    )  # fmt: skip


def _spread(name: str, values: Array, dims: tuple[str, ...], units: str) -> dict:
    """The cells themselves (last axis), and their mean, SD and quantiles."""
    about = {"units": units}
    return {
        name: ((*dims, "cell"), values, about),
        f"{name}_mean": (dims, values.mean(-1), about),
        f"{name}_sd": (dims, values.std(-1), about),
        f"{name}_quantile": (("level", *dims), np.quantile(values, LEVELS, axis=-1), about),
    }


def _firing(sample: CellLoop, a: int, u: Array, x: Array) -> Array:
    """Rate and C_v of the cells of population a, (2, M)."""
    neuron, tau_s = sample.wiring.neurons[a], float(sample.wiring.tau_s[a])
    given = sample.inputs(a, u, x)
    sigma = np.sqrt(given.s)
    cv = renewal.cv(neuron, mu=given.mu - shift(neuron, tau_s) * sigma, sigma=sigma)
    return np.array([firing(neuron, tau_s, given.mu, given.s)[0], cv])


def _gains(sample: CellLoop, a: int, u: Array) -> Array:
    """Gains of the cells of population a, (2, M): factors, or changes at absolute scale."""
    change = np.broadcast_to(sample.change(a, u), (2, len(sample.labels)))
    return change if sample.absolute(a) else np.exp(change)
