"""Modes of slow variables about a state: which combinations of thresholds, gains or weights rules hold, and which grow.

With the rates r at their fast fixed point r = f(r, z) and rules dz/dt = F(z, r) the slow matrix is

    S = F_z + F_r (1 - M)^-1 f_z,    M = df/dr

about any state r, whether the rules rest there or not. For a threshold-linear network with D the net recurrence of its
excitatory units (W_EE - W_EI (1/g_I + W_II)^-1 W_IE) a rule of every unit by itself has tau S =

    -D (1/g - D)^-1     required or net input, reading "A"; the opposite for "B"
    -W_EE (1/g - D)^-1  excitatory input
    -(1/g - D)^-1       rate

A mode of D at equal gains, D v = d v, has tau times its growth -d/(1/g - d), which decays exactly where
Re 1/(g d) > 1: inside a circle. A random D has eigenvalues on all sides of 0, so that part of the modes grow under
either sign. D of rank k leaves all but k modes neutral.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.dynamics import ComplexArray, duration_text
from equipoise.model.circuit import Circuit
from equipoise.model.slow_variables import Pooled, SlowRule
from equipoise.quantities import Array
from equipoise.rate import large
from equipoise.rate.network import RateNetwork, as_network, rates_from
from equipoise.rate.slow_state import SlowSystem, owner, slow_system
from equipoise.rate.state import DENSE, KRYLOV

FEW = 6
"""Modes given of more than `DENSE` units."""
NEUTRAL = 1e-8
"""Size of an eigenvalue, beside the largest, below which its mode counts as neutral."""
STEP = 1e-6
"""Step of differences, beside the largest entry of what is moved."""


@dataclass(frozen=True, eq=False, repr=False)
class Modes:
    """Eigenvalues (m,) [1/s] of the slow matrix, fastest growth first, with their vectors (k, m) of slow variables.

    `complete` says whether these are all modes; of more than 2000 units they are the six leading ones.
    """

    system: SlowSystem
    eigenvalues: ComplexArray
    vectors: ComplexArray
    complete: bool

    @cached_property
    def neutral(self) -> np.ndarray:
        """Which modes neither grow nor decay (m,)."""
        size = np.abs(self.eigenvalues)
        return size <= NEUTRAL * size.max(initial=0.0)

    @property
    def growing(self) -> int:
        """Number of growing modes among those given."""
        return int(((self.eigenvalues.real > 0.0) & ~self.neutral).sum())

    @property
    def held(self) -> int:
        """Number of decaying modes: combinations of slow variables that rules hold."""
        return int(((self.eigenvalues.real < 0.0) & ~self.neutral).sum())

    @property
    def growth(self) -> float:
        """The fastest growth [1/s]; negative where all modes decay. A leak faster than that holds every mode."""
        return float(self.eigenvalues[0].real)

    @property
    def participation(self) -> Array:
        """How many slow variables take part in each mode, (sum |v|^2)^2/sum |v|^4 (m,)."""
        weight = np.abs(self.vectors) ** 2
        return weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0)

    def __repr__(self) -> str:
        of = "" if self.complete else f" among the first {self.eigenvalues.size} of {self.system.start.size:,}"
        rows = [f"Modes: {self.growing} growing, {int(self.neutral.sum())} neutral, {self.held} held{of}"]
        if self.growing:
            rows.append(
                f"  fastest e-fold in {duration_text(1.0 / self.growth)}, {self.participation[0]:.0f} variables"
            )
        return "\n".join(rows)


def modes(circuit: Circuit | RateNetwork, rules: Sequence[SlowRule] = (), *, at: ArrayLike) -> Modes:
    """The modes of the slow variables of `rules`, by default the circuit's, about the fast fixed point `at`.

    `at` [Hz] holds a rate a population or a unit. Given are all modes of at most 2000 units; of more the six that grow
    fastest, by Arnoldi's method. Rules need not rest there. ValueError for rates that are no fixed point of the network
    as it is.
    """
    net = as_network(circuit)
    system, r = slow_system(net, rules), rates_from("rate.modes", net, at)
    _check_rest(net, r)
    k = system.start.size
    if max(net.n, k) <= DENSE:
        values, vectors = np.linalg.eig(_matrix(system, r))
        order = np.argsort(-np.real(values))
        return Modes(system, values[order].astype(complex), vectors[:, order].astype(complex), complete=True)
    start = np.random.default_rng(0).standard_normal(k)
    values, vectors = dynamics.leading(_product(system, r), start, steps=min(KRYLOV, k))
    return Modes(system, values[:FEW], vectors[:, :FEW], complete=False)


def _check_rest(net: RateNetwork, r: Array) -> None:
    error = float(np.abs(net.steady(r) - r).max())
    if error > 1e-4 * max(float(r.max()), 1e-3):
        raise ValueError(
            f"rate.modes: at must be a fixed point of the network, but the rates are off by up to {error:.3g} Hz. "
            "Use eq.rate.settle(...).rates."
        )


def _slope(f: Callable[[Array], Array], x: Array, v: Array) -> Array:
    """The derivative of f at x along v, by central differences; exact between kinks of linear f."""
    h = STEP * max(float(np.abs(x).max()), 1e-3) / max(float(np.abs(v).max()), 1e-300)
    return (f(x + h * v) - f(x - h * v)) / (2.0 * h)


def _by_rates(system: SlowSystem) -> Callable[[Array], Array]:
    net, z = system.at(system.start), system.start
    return lambda x: system.rhs(z, net, x)


def _matrix(system: SlowSystem, r: Array) -> Array:
    """S, from the dense blocks F_z, F_r, M and f_z."""
    net, z = system.net, system.start
    F_r = _columns(_by_rates(system), r)
    F_z = _columns(lambda x: system.rhs(x, system.at(x), r), z) if _shared(system) else _own(system, r)
    response = np.linalg.solve(np.eye(net.n) - net.slopes(r), _moved(system, r))
    return F_z + F_r @ response


def _shared(system: SlowSystem) -> bool:
    """Whether, at fixed rates, the speed of one variable may depend on those of other units."""
    return any(rule.scope != "unit" or any(isinstance(what, Pooled) for what in rule.senses) for rule in system.rules)


def _own(system: SlowSystem, r: Array) -> Array:
    """F_z of rules of single units that pool nothing: at fixed rates units depend on their own variables only."""
    out = np.zeros((system.start.size,) * 2)
    for variable, place in system.places.items():
        slope = _slope(lambda x: system.rhs(x, system.at(x), r), system.start, _mask(out.shape[0], place))
        for other, there in system.places.items():
            if owner(other) == owner(variable):
                np.fill_diagonal(out[there, place], slope[there])
    return out


def _moved(system: SlowSystem, r: Array) -> Array:
    """f_z: a variable of the population moves the rates of all its units, one of a unit its own."""
    out = np.zeros((system.net.n, system.start.size))
    for variable, place in system.places.items():
        slope = _slope(lambda x: system.at(x).steady(r), system.start, _mask(out.shape[1], place))
        here = system.net.place(owner(variable))
        if place.stop - place.start == 1:
            out[here, place] = slope[here, None]
        else:
            np.fill_diagonal(out[here, place], slope[here])
    return out


def _mask(size: int, place: slice) -> Array:
    out = np.zeros(size)
    out[place] = 1.0
    return out


def _columns(f: Callable[[Array], Array], x: Array) -> Array:
    return np.stack([_slope(f, x, e) for e in np.eye(x.size)], axis=-1)


def _product(system: SlowSystem, r: Array) -> Callable[[Array], Array]:
    """v -> S v, without the matrix."""
    net, z, by_rates = system.net, system.start, _by_rates(system)

    def both(x: Array) -> Array:
        here = system.at(x)
        return np.concatenate([here.steady(r), system.rhs(x, here, r)])

    def apply(v: Array) -> Array:
        slopes = _slope(both, z, v)
        dr = large.solved(net, r, slopes[: net.n], 0.0, 1e-10)
        return slopes[net.n :] + _slope(by_rates, r, dr)

    return apply
