"""Branches of states of a network along any parameter of its circuit, with their folds, Hopf points and ends.

Without rules the network is free: its weights are those of the circuit, and stability is that of the fast dynamics.
With rules its weights are those of the homeostatic fixed point on the level set of the circuit's own weights, and slow
stability counts as well. Unknown are log r and log q, and for each group of weights that one rule moves together (all
excitatory, or all inhibitory, weights onto a population) how far it has moved: by an equal amount a w0 for all at
absolute scale, by an equal factor 1 + a at relative scale. What is conserved is so kept exactly, without zero modes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.populations import refuse_volleys
from equipoise.quantities import Array, finite
from equipoise.results import NumericalFailure, Status
from equipoise.theory import balanced, network_homeostasis
from equipoise.theory import network_state as states
from equipoise.theory.network import _rates, loop_of, scopes_of, wiring_of
from equipoise.theory.network_loop import NetworkLoop, joint, slow_jacobian
from equipoise.theory.network_path import relative
from equipoise.theory.wiring import Wiring
from equipoise.units import kHz

if TYPE_CHECKING:
    import xarray as xr

WAYS, MOST_STATES = (0.2, 3.0), 20
"""How far the sources' rates are taken to find relatives of a state, and how many states are enough."""
NODES, COARSE = 181, 91
"""Quadrature nodes, and those for derivatives by the parameter."""
FARTHEST = 50.0
"""Of |log r| over its scale of 2, and of |log q| over 4: rates of 1e-43 to 1e43 Hz, whose powers are numbers."""
DIFFERENCE = 1e-5
"""Step for derivatives by the parameter, as a part of its range: central differences, relative error about 1e-8."""


def branch(
    vary: Callable[[float], Circuit],
    start: float,
    stop: float,
    *,
    log: bool = False,
    rates: ArrayLike | None = None,
    step: float = 0.05,
    max_points: int = 400,
) -> "xr.Dataset":
    """Follow a state of the circuit vary(p) from p = start towards stop, round folds (pseudo-arclength continuation).

    A circuit with rules is followed with homeostasis, one without as it is. `log` walks in log p; `rates` (n,) [Hz]
    choose the first state of a free network among several; `step` is in units of the range of p and of log rates.
    Returns a Dataset over `point` with the parameter, rates, weights, stability and eigenvalues (with homeostasis in
    1/s, else in units of the fast time constant) and over `special` the folds, Hopf points and where a weight reaches
    zero; attrs say how the branch ended. Raises NumericalFailure where there is no first state.
    """
    ends = finite("branch", "start and stop", [start, stop])
    if ends[0] == ends[1]:
        raise ValueError(f"branch: stop must differ from start, got {stop:g} for both.")
    if log and (ends <= 0.0).any():
        raise ValueError(f"branch: start and stop must be above 0 with log=True, got {start:g} and {stop:g}.")
    first = vary(float(start))
    if not isinstance(first, Circuit):
        raise TypeError(f"branch: vary(p) must return an eq.Circuit, got {first!r} at p = {start:g}.")
    axis = _Axis(float(ends[0]), float(ends[1]), log)
    system = _Held(axis, vary) if first.rules else _Free(axis, lambda p: wiring_of(vary(p)))
    given = None if rates is None else _rates("branch", first, rates)
    return _dataset(system, _followed(system, given, step=step, max_points=max_points))


def _followed(system: "_Free | _Held", rates: Array | None, *, step: float, max_points: int) -> dynamics.Branch:
    axis = system.axis
    ends = axis.u(axis.start), axis.u(axis.stop)
    scale = np.append(system.scale, abs(ends[1] - ends[0]))
    return dynamics.continuation(
        system.residual, system.jacobian, system.first(rates), ends, step=step, max_points=max_points,
        spectra=system.spectra, domain=dynamics.Domain(scale, system.margin),
    )  # fmt: skip


def and_their_relatives(circuit: Circuit, found: list[states.NetworkState]) -> list[states.NetworkState]:
    """The states, and those that branches through them reach again at the same circuit; sorted by the mean rate."""
    given = refuse_volleys("fixed_points", circuit.sources)
    if not any(source.rate > 0.0 for source in given):
        return found

    known, waiting, wiring = list(found), list(found), wiring_of(circuit)
    full = wiring.source_rates

    def vary(factor: float) -> Wiring:
        return wiring.with_source_rates(np.minimum(factor * full, 1 * kHz))

    while waiting and len(known) < MOST_STATES:
        state = waiting.pop()
        for stop in WAYS:
            end = _return(vary, state.rates, stop)
            other = None if end is None else states.from_start(wiring, end)
            if other is not None and other.status.usable and all(_differ(other, one) for one in known):
                known.append(other)
                waiting.append(other)
    return sorted(known, key=lambda one: float(one.rates.mean()))


def _return(vary: Callable[[float], Wiring], rates: Array, stop: float) -> Array | None:
    """(r, q) where the branch through `rates` comes back to where it began, if it turns before `stop`.

    None, too, from a population whose rate is no number above 0, as branches are walked in log rates.
    """
    if (rates <= 0.0).any():
        return None
    axis = _Axis(1.0, stop, True)
    try:
        path = _followed(_Free(axis, vary), rates, step=0.2, max_points=120)
    except NumericalFailure:
        return None
    came_back = path.p.size >= 3 and abs(axis.p(float(path.p[-1])) - 1.0) <= 1e-9
    return np.exp(path.x[-1]) if came_back else None


def _differ(one: states.NetworkState, other: states.NetworkState) -> bool:
    return not np.allclose(one.rates, other.rates, rtol=1e-6, atol=1e-9)


@dataclass(frozen=True)
class _Axis:
    """The parameter p along the branch, or its logarithm u."""

    start: float
    stop: float
    log: bool

    def u(self, p: float) -> float:
        return math.log(p) if self.log else float(p)

    def p(self, u: float) -> float:
        """The parameter, never beyond the range, where there may be no circuit."""
        low, high = sorted((self.u(self.start), self.u(self.stop)))
        if u <= low or u >= high:  # the ends themselves, without rounding
            return min(self.start, self.stop) if u <= low else max(self.start, self.stop)
        return math.exp(u) if self.log else u

    def neighbours(self, u: float) -> tuple[float, float]:
        """Two values of u around this one, inside the range."""
        low, high = sorted((self.u(self.start), self.u(self.stop)))
        h = DIFFERENCE * (high - low)
        return max(u - h, low), min(u + h, high)


class _Free:
    """The network as it is; unknown y = log (r, q)."""

    def __init__(self, axis: _Axis, wiring: Callable[[float], Wiring]):
        self.axis = axis
        self.wiring = lru_cache(maxsize=8)(wiring)
        self.full = lru_cache(maxsize=8)(lambda p: dynamics.together(states.Equations(self.wiring(p), NODES).full))
        here = self.wiring(axis.start)
        self.names, self.populations = (), here.names
        self.scale = np.repeat([2.0, 4.0], here.n)

    def first(self, rates: Array | None) -> Array:
        """y of the first state."""
        here = self.wiring(self.axis.start)
        x = states.solve(here, balanced.starts(here) if rates is None else [rates]).x
        y = np.log(np.maximum(x, np.finfo(np.float64).tiny))
        if self.margin(y, self.axis.u(self.axis.start)) < 0.0:
            raise NumericalFailure(
                Status.SILENT, "branch: a population is silent at the start, and branches are walked in log rates."
            )
        return y

    def state(self, y: Array, u: float) -> tuple[Array, Array]:  # noqa: ARG002
        """(r, q) and the weights (none here)."""
        return np.exp(y), np.zeros(0)

    def residual(self, y: Array, u: float, *, coarse: bool = False) -> Array:
        """E(x)/x - 1."""
        x, p = np.exp(y), self.axis.p(u)
        return states.Equations(self.wiring(p), COARSE).residual(x) / x if coarse else self.full(p)[0](x) / x

    def jacobian(self, y: Array, u: float) -> tuple[Array, Array]:
        """Derivatives of the residual by y and by u."""
        x, (residual, slopes) = np.exp(y), self.full(self.axis.p(u))
        return slopes(x) * x / x[:, None] - np.diag(residual(x) / x), _by_parameter(self, y, u)

    def spectra(self, y: Array, u: float) -> tuple[NDArray[np.complex128], ...]:
        """Eigenvalues of the fast dynamics dx/dt = E(x) - x."""
        return (np.linalg.eigvals(self.full(self.axis.p(u))[1](np.exp(y))).astype(complex),)

    def margin(self, y: Array, u: float) -> float:  # noqa: ARG002
        """Everywhere inside, as long as no power of the rates overflows."""
        return 1.0 if (np.abs(y) < FARTHEST * self.scale).all() else -1.0


class _Held:
    """The network under its rules; unknown y = (log r, log q, a), one a for each group of weights."""

    def __init__(self, axis: _Axis, vary: Callable[[float], Circuit]):
        self.axis = axis
        self.loop = lru_cache(maxsize=8)(lambda p: _fixed_targets(vary(p)))
        here = self.loop(axis.start)
        self.names, self.populations, self.n2 = here.names, here.wiring.names, 2 * here.wiring.n
        self.groups = _groups(here)
        self.scale = np.concatenate([np.repeat([2.0, 4.0], here.wiring.n), np.ones(self.groups.shape[1])])
        self.joint = lru_cache(maxsize=8)(lambda p: _joint(self.loop(p)))
        self.coarse = lru_cache(maxsize=8)(lambda p: _joint(replace(self.loop(p), nodes=COARSE)))

    def first(self, rates: Array | None) -> Array:
        """y of the homeostatic fixed point at the start."""
        if rates is not None:
            raise ValueError("branch: rates choose a state of a free network; the circuit has rules, leave rates out.")
        here = self.loop(self.axis.start)
        point = network_homeostasis.fixed_point(here, start=next(balanced.starts(here.wiring)))
        if point.status is Status.WEIGHT_AT_ZERO:
            raise NumericalFailure(point.status, f"branch: there is no branch to follow at the start. {point.message}")
        moved = np.linalg.lstsq(self._shape(here), point.weights - here.weights, rcond=None)[0]
        return np.concatenate([np.log(point.state.x), np.asarray(moved, dtype=np.float64)])

    def state(self, y: Array, u: float) -> tuple[Array, Array]:
        """(r, q) and the weights (k,)."""
        here = self.loop(self.axis.p(u))
        return np.exp(y[: self.n2]), here.weights + self._shape(here) @ y[self.n2 :]

    def residual(self, y: Array, u: float, *, coarse: bool = False) -> Array:
        """E(x)/x - 1 and the relative errors of the set points."""
        x, weights = self.state(y, u)
        value = (self.coarse if coarse else self.joint)(self.axis.p(u))[0](np.concatenate([x, weights]))
        return np.concatenate([value[: self.n2] / x, value[self.n2 :]])

    def jacobian(self, y: Array, u: float) -> tuple[Array, Array]:
        """Derivatives of the residual by y and by u."""
        x, weights = self.state(y, u)
        (residual, slopes), z = self.joint(self.axis.p(u)), np.concatenate([x, weights])
        full, value = slopes(z), residual(z)[: self.n2]
        by_y = np.hstack([full[:, : self.n2] * x, full[:, self.n2 :] @ self._shape(self.loop(self.axis.p(u)))])
        by_y[: self.n2] /= x[:, None]
        by_y[: self.n2, : self.n2] -= np.diag(value / x)
        return by_y, _by_parameter(self, y, u)

    def spectra(self, y: Array, u: float) -> tuple[NDArray[np.complex128], ...]:
        """Eigenvalues of the slow dynamics [1/s] without its neutral directions, and of the fast one."""
        (x, weights), here = self.state(y, u), self.loop(self.axis.p(u))
        shape = self._shape(here)
        slow = np.linalg.pinv(shape) @ slow_jacobian(here, x, weights) @ shape
        fast = states.Equations(here.with_weights(weights), here.nodes).jacobian(x)
        return np.linalg.eigvals(slow).astype(complex), np.linalg.eigvals(fast).astype(complex)

    def margin(self, y: Array, u: float) -> float:
        """The smallest weight, in units of that of the circuit."""
        if (
            not (np.abs(y[: self.n2]) < FARTHEST * self.scale[: self.n2]).all()
            or not (np.abs(y[self.n2 :]) < 600.0).all()
        ):
            return -1.0
        return float(np.min(self.state(y, u)[1] / self.loop(self.axis.p(u)).weights))

    def _shape(self, here: NetworkLoop) -> Array:
        """dJ/da (k, groups)."""
        w, sizes = here.weights, self.groups.sum(axis=0)
        equal = self.groups * (self.groups.T @ w / sizes)
        return np.where(relative(here)[:, None], self.groups * w[:, None], equal)


def _fixed_targets(circuit: Circuit) -> NetworkLoop:
    """The closed loop of a circuit whose rules can be followed: population scope and set points that stay."""
    loop = loop_of(circuit)
    if any(scopes_of(circuit)) or loop.adapting:
        what = "adaptive set points" if loop.adapting else "neuron scope"
        raise TypeError(f"branch: rules must act at population scope with fixed set points, got {what}.")
    return loop


def _groups(loop: NetworkLoop) -> Array:
    """Which weights (k,) belong to which group, as a matrix of zeros and ones; ValueError where a group is missing."""
    kinds = [(a, bool(loop.wiring.J[a, b] < 0.0)) for a, b in loop.places]
    for a, rule in enumerate(loop.rules):
        for inhibitory in (False, True):
            if rule is not None and (a, inhibitory) not in kinds:
                word = "inhibitory" if inhibitory else "excitatory"
                name = loop.wiring.names[a]
                raise ValueError(
                    f"branch: the rule of {name!r} holds two calcium moments, but {name!r} has no {word} inputs."
                )
    known = sorted(set(kinds))
    return np.array([[float(kind == one) for one in known] for kind in kinds])


def _joint(loop: NetworkLoop) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Residual and Jacobian of rates and weights together, evaluated once for both."""
    return dynamics.together(lambda y: joint(loop, y))


def _by_parameter(system: "_Free | _Held", y: Array, u: float) -> Array:
    low, high = system.axis.neighbours(u)
    return (system.residual(y, high, coarse=True) - system.residual(y, low, coarse=True)) / (high - low)


def _dataset(system: "_Free | _Held", found: dynamics.Branch) -> "xr.Dataset":
    import xarray as xr

    n = len(system.populations)
    points = [system.state(y, u) for y, u in zip(found.x, found.p, strict=True)]
    special = [(s.kind, system.axis.p(s.p), *system.state(s.x, s.p)) for s in found.special]
    chosen = np.array([s[0] for s in found.spectra])
    fast = np.array([bool((s[-1].real < 0.0).all()) for s in found.spectra])
    unit = {"units": "1/s"} if system.names else {"units": "1/tau"}
    data = xr.Dataset(
        {
            "parameter": ("point", [system.axis.p(u) for u in found.p]),
            "rate": (("point", "population"), [x[:n] for x, _ in points], {"units": "Hz"}),
            "second_moment": (("point", "population"), [x[n:] for x, _ in points], {"units": "Hz^2"}),
            "weight": (("point", "weight_name"), [w for _, w in points], {"units": "V"}),
            "stable": ("point", found.stable),
            "fast_stable": ("point", fast),
            "eigenvalue_real": (("point", "mode"), chosen.real, unit),
            "eigenvalue_imag": (("point", "mode"), chosen.imag, unit),
            "special_kind": ("special", np.array([s[0] for s in special], dtype="U8")),
            "special_parameter": ("special", np.array([s[1] for s in special], dtype=float)),
            "special_rate": (("special", "population"), np.array([s[2][:n] for s in special]).reshape(-1, n)),
            "special_weight": (
                ("special", "weight_name"),
                np.array([s[3] for s in special]).reshape(len(special), len(system.names)),
            ),
        },
        coords={"population": list(system.populations), "weight_name": list(system.names)},
    )
    return data.assign_attrs(_ending(system, found, data))


def _ending(system: "_Free | _Held", found: dynamics.Branch, data: "xr.Dataset") -> dict[str, str]:
    """Status, message and advice: how the branch ended."""
    at = f"{float(data['parameter'][-1]):.6g}"
    status, message = found.status, f"the branch was followed to {at}."
    if found.special and found.special[-1].kind == "border":
        small = int(np.argmin(data["special_weight"].values[-1] / data["weight"].values[0]))
        status = Status.WEIGHT_AT_ZERO
        message = f"{system.names[small]} reaches zero at {float(data['special_parameter'][-1]):.6g}."
    elif status is Status.NOT_CONVERGED:
        message = f"the branch was lost at {at}; try a smaller step."
    return {"status": status.name, "message": message, "advice": status.advice}
