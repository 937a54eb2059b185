"""Joint fixed points of rates and rules, and their linear response on both time scales.

Rules on weights leave directions free: a pair of them holds two rates with four weights, so that fixed points form a
manifold. The one found is then near the start, and the free directions are zero modes of its spectra.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.slow_variables import SlowRule, Threshold
from equipoise.quantities import Array
from equipoise.rate import slow_path
from equipoise.rate.fixed_points import MOST_UNITS, fixed_points, resting, settled
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.rate.slow_state import SlowSystem, slow_system
from equipoise.rate.state import SILENCE
from equipoise.results import NumericalFailure, Status

FINE = 1e-4
"""Relative step of differences: small beside the distance to most corners of f, and 1e-11 of rounding."""
LONG = 300.0
"""How many times their first time scale slow variables are followed in search of a fixed point."""
GUESSES = (1.0, 5.0, 20.0, 80.0)
"""Rates [Hz] from which the search goes on where the circuit's own states lead nowhere."""
FAINT = 1e-6
"""Rates [Hz] that stand for silence where the required input of a silent neuron is without bound."""
LOST = "no joint fixed point found near the start."


@dataclass(frozen=True, eq=False, repr=False)
class SlowPoint:
    """A joint fixed point of rates and rules: rates (n,) [Hz], slow variables z (k,), spectra [1/s] and status.

    `slow` is the spectrum of the slow variables with the rates at their fixed point, D - C A^-1 B of the blocks of the
    full Jacobian (A fast on fast, B fast on slow, C slow on fast, D slow on slow); `fast` that of A, `full` that of
    both together. `held` names variables at their lower bound that the rules push against it; spectra leave them out.
    """

    system: SlowSystem
    rates: Array
    z: Array
    fast: dynamics.Spectrum
    slow: dynamics.Spectrum
    full: dynamics.Spectrum
    held: tuple[str, ...]
    status: Status
    message: str

    @property
    def values(self) -> dict[str, float]:
        """The slow variables by name."""
        return dict(zip(self.system.names, self.z.tolist(), strict=True))

    @property
    def stable(self) -> bool:
        """Whether rates and slow variables return together, up to neutral directions."""
        return self.status.usable and self.full.stable

    def __repr__(self) -> str:
        rates = ", ".join(f"{n} {x:.4f} Hz" for n, x in zip(self.system.net.unit_names, self.rates, strict=True))
        slow = ", ".join(f"{n} {x:.6g}" for n, x in self.values.items())
        rows = [f"SlowPoint: {self.status.name}; {rates}; {slow}", *str(self.slow).split("\n")[1:]]
        return "\n".join(rows + ([f"  {self.message}"] if self.message else []))


def equilibrium(
    circuit: Circuit | RateNetwork,
    rules: Sequence[SlowRule] = (),
    *,
    start: ArrayLike | None = None,
    throw: bool = True,
) -> SlowPoint:
    """The joint fixed point of the fast dynamics and the rules near the circuit's own state, with its stability.

    Without `rules` those of the circuit act. `start` [Hz] are rates to begin with (default: the resting state); from
    there the search goes on to the circuit's other states, and prefers a point with all populations active unless
    `start` is silent. Weights may end at their lower bound. Status UNSTABLE names the time scale that fails, MARGINAL
    means neutral directions, SILENT a silent population; NumericalFailure where no joint fixed point is found. For
    circuits of few populations.
    """
    net = as_network(circuit)
    system = slow_system(net, rules)
    check_few("rate.equilibrium", system)
    given = None if start is None else rates_from("rate.equilibrium", net, start)
    active = given is None or bool(given.min() > 0.0)
    first = [] if given is None else [given]
    y = found(system, chain(first, _starts(net)) if active else first, active=active)
    y = _followed(system, first_rates(net) if given is None else given) if y is None else y
    if y is None and throw:
        raise NumericalFailure(Status.NOT_CONVERGED, f"rate.equilibrium: {LOST}")
    return _lost(system) if y is None else described(system, y)


def check_few(function: str, system: SlowSystem) -> None:
    """ValueError for more units than a joint spectrum is made for."""
    n = system.net.n
    if n + system.start.size > 2 * MOST_UNITS:
        raise ValueError(f"{function}: {n:,} units are too many for a joint spectrum. Use eq.rate.evolve.")


# --- search -----------------------------------------------------------------------------------------------------------
def first_rates(net: RateNetwork) -> Array:
    """Where rates start: the resting state of few populations, of many silence."""
    states = [] if net.n > MOST_UNITS else fixed_points(net)
    return resting(states).rates if states else np.zeros(net.n)


def _starts(net: RateNetwork) -> Iterator[Array]:
    """Rates to search from: those of the circuit's own states, the resting one first, then guesses."""
    states = fixed_points(net)
    order = sorted(states, key=lambda one: (one.stable, one.status is Status.OK, float(one.rates.mean())), reverse=True)
    yield from (one.rates for one in order)
    yield from guesses(net.n)


def guesses(n: int) -> Iterator[Array]:
    """Equal rates of all units (n,)."""
    return (np.full(n, x) for x in GUESSES)


def found(system: SlowSystem, starts: Iterable[Array], *, active: bool) -> Array | None:
    """The first joint fixed point (n + k,) near any start, with every population active if `active` asks for it.

    Where only points with a silent population are found it is the first of them.
    """
    silent = None
    for r in starts:
        for by_input in (False, True) if r.min() > 0.0 else (False,):
            y = _nearest(system, np.concatenate([r, system.start]), by_input=by_input)
            if y is not None and not (active and y[: system.net.n].min() < SILENCE):
                return y
            silent = y if silent is None else silent
    return silent


def _nearest(system: SlowSystem, y: Array, *, by_input: bool = False) -> Array | None:
    """The joint fixed point near y, by the equations as they are, or for active populations by those of inputs.

    The latter have a slope where a population would not fire, so that weights find the way from a silent circuit.
    """
    n, unit = system.net.n, _units(system, y)
    lower = np.concatenate([np.zeros(n), system.lower])
    joint = _joint(system, by_input)
    found = dynamics.nearest_point(joint, lambda x: _slopes(joint, x, unit), y, unit=unit, lower=lower)
    if found.status is not Status.OK or not np.abs(found.x).max() < ENDLESS:
        return None
    x = found.x.copy()
    fired = system.at(x[n:]).steady(x[:n])
    x[:n][fired == 0.0] = 0.0
    return x if np.allclose(fired, x[:n], rtol=1e-6, atol=1e-9) else None


def _slopes(joint: Callable[[Array], Array], y: Array, unit: Array) -> Array:
    """Jacobian of the joint residual (n + k, n + k)."""
    return dynamics.differences(lambda u: joint(unit * u), y / unit, relative_step=FINE) / unit


def _units(system: SlowSystem, y: Array) -> Array:
    """How much each variable moves where it moves by as much as it is (n + k,)."""
    net, n = system.net, system.net.n
    out = np.where(y == 0.0, 1.0, np.abs(y))
    out[:n] = max(float(y[:n].max(initial=0.0)), 1.0)
    inputs = float(np.abs(net.inputs(y[:n])[0]).max()) + float(np.abs(net.threshold).max())
    for variable, place in system.places.items():
        if isinstance(variable, Threshold):
            out[n:][place] = max(inputs, 1e-3)
    return out


def _followed(system: SlowSystem, r: Array) -> Array | None:
    """The joint fixed point near where the slow variables are after a long time."""
    if system.net.n > MOST_UNITS:
        return None
    r, status, _ = settled(system.net, r)
    speed = float(np.abs(system.rhs(system.start, system.at(system.start), r)).max())
    if status is not Status.OK or speed == 0.0:
        return None
    span = LONG * max(float(np.abs(system.start).max()), 1.0) / speed
    path = slow_path.evolve(system, system.start, r, np.array([0.0, span]))
    return _nearest(system, np.concatenate([path.r[-1], path.z[-1]])) if path.z else None


def _joint(system: SlowSystem, by_input: bool = False) -> Callable[[Array], Array]:
    """(f - r, dz/dt) of y = (r, z), or (h - f^-1(r), dz/dt)."""
    n = system.net.n

    def residual(y: Array) -> Array:
        net = system.at(y[n:])
        r = np.maximum(y[:n], FAINT if by_input else 0.0)
        rates = net.inputs(r)[0] - net.required(r) if by_input else net.steady(r) - y[:n]
        return np.concatenate([rates, system.rhs(y[n:], net, r)])

    return residual


# --- what is there ----------------------------------------------------------------------------------------------------
def _lost(system: SlowSystem) -> SlowPoint:
    nothing = dynamics.spectrum(np.zeros((0, 0)), ())
    lost = np.full(system.net.n, np.nan), np.full(system.start.size, np.nan), nothing, nothing, nothing
    return SlowPoint(system, *lost, (), Status.NOT_CONVERGED, LOST)


def described(system: SlowSystem, y: Array) -> SlowPoint:
    """The joint fixed point y (n + k,) with its spectra and status."""
    n = system.net.n
    net, r, z = system.at(y[n:]), y[:n], y[n:]
    free = np.flatnonzero(~dynamics.held(system.rhs(z, net, r), z, system.lower))
    slopes = _slopes(_joint(system), y, _units(system, y))
    slopes[:n, :n] = net.slopes(r) - np.eye(n)
    slopes[:n] /= net.tau[:, None]
    kept = np.concatenate([np.arange(n), n + free])
    slopes = slopes[np.ix_(kept, kept)]
    names = tuple(system.names[k] for k in free)
    A, B, C, D = slopes[:n, :n], slopes[:n, n:], slopes[n:, :n], slopes[n:, n:]
    fast = dynamics.spectrum(A, net.unit_names)
    slow = dynamics.spectrum(D - C @ np.linalg.solve(A, B), names)
    full = _with_zeros(dynamics.spectrum(slopes, (*net.unit_names, *names)), int(slow.zero.sum()))
    status, message = _judged(net, r, (fast, slow, full))
    held = tuple(name for k, name in enumerate(system.names) if k not in free)
    if held and status is Status.OK:
        status = Status.WEIGHT_AT_ZERO
    message += f" {', '.join(held)} at the lower bound." if held else ""
    return SlowPoint(system, r, z, fast, slow, full, held, status, message.strip())


def _with_zeros(whole: dynamics.Spectrum, zeros: int) -> dynamics.Spectrum:
    """The full spectrum with as many zeros as the slow one has: (r, z) is neutral exactly where z is."""
    sizes = np.abs(whole.eigenvalues)
    level = float(sizes[zeros - 1]) if zeros else -1.0
    return dynamics.Spectrum(whole.eigenvalues, whole.eigenvectors, whole.names, level)


def _judged(
    net: RateNetwork, r: Array, spectra: tuple[dynamics.Spectrum, dynamics.Spectrum, dynamics.Spectrum]
) -> tuple[Status, str]:
    fast, slow, full = spectra
    if not bool((fast.eigenvalues.real < 0.0).all()):
        return Status.UNSTABLE, "the fast dynamics is unstable there."
    if not slow.stable:
        return Status.UNSTABLE, "the rules drive the slow variables away from it."
    if not full.stable:
        return Status.UNSTABLE, "unstable though each time scale is stable by itself: the rules are too fast."
    silent = [name for name, x in zip(net.names, net.mean(r), strict=True) if x < SILENCE]
    if silent:
        return Status.SILENT, f"{', '.join(silent)} silent; what a silent neuron requires is its threshold."
    if slow.zero.any():
        return Status.MARGINAL, f"neutral in {int(slow.zero.sum())} slow direction(s)."
    return Status.OK, ""
