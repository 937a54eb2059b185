"""The slow verbs: evolve a circuit of rates under its rules over hours and days, and where they take it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During, edges, manipulated
from equipoise.model.slow_variables import SlowRule
from equipoise.quantities import Array, finite
from equipoise.rate import slow_path
from equipoise.rate.fixed_points import MOST_UNITS, fixed_points, resting, settled
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.rate.slow_path import Path
from equipoise.rate.slow_state import SlowSystem, name_of, slow_system
from equipoise.results import NumericalFailure, Status

if TYPE_CHECKING:
    import xarray as xr

REPORTS = 200


def evolve(
    circuit: Circuit | RateNetwork,
    *,
    rules: Sequence[SlowRule] = (),
    duration: float,
    start: ArrayLike | None = None,
    schedule: Sequence[During] = (),
    times: ArrayLike | None = None,
    full: bool = False,
) -> "xr.Dataset":
    """Thresholds, gains and weights over `duration` [s] under `rules`, the rates at their fast fixed point all along.

    Without `rules` those of the circuit act.
    The rates first settle from `start` [Hz] (default: the highest stable state of few populations that is neither
    silent nor saturated; of many units from silence). Where the fast state ends they jump to where they relax.
    `schedule` holds manipulations and when they act; slow variables go on through each change. `full` integrates both
    time scales together instead, for at most 40 units. Returns a Dataset over `time` (`times` [s], default 200) with
    `rate` of each population and `slow`, each moved variable; of many units their means, with `rate_sd` and `slow_sd`
    over units. attrs: status, message and the times of `jumps`.
    """
    return dataset(*followed(circuit, rules, duration, start=start, schedule=schedule, times=times, full=full))


def followed(
    circuit: Circuit | RateNetwork,
    rules: Sequence[SlowRule],
    duration: float,
    *,
    start: ArrayLike | None = None,
    schedule: Sequence[During] = (),
    times: ArrayLike | None = None,
    full: bool = False,
) -> tuple[SlowSystem, Path]:
    """The path that `evolve` reports, and the rules in the network at its end."""
    net = as_network(circuit)
    system = slow_system(net, rules)
    span = float(finite("rate.evolve", "duration", duration, low=0.0, open_low=True))
    asked = np.linspace(0.0, span, REPORTS + 1) if times is None else finite("rate.evolve", "times", times, low=0.0)
    if full and net.n > MOST_UNITS:
        raise ValueError(f"rate.evolve: full=True is for at most {MOST_UNITS} units, got {net.n:,}. Leave it out.")
    r = _first(net) if start is None else rates_from("rate.evolve", net, start)
    z, whole, engine = system.start, Path([], [], [], []), _both if full else slow_path.evolve
    for begin, end, here in _epochs(system, schedule, span):
        z = system.moved_to(here, z)
        r = settled(here.at(z), r)[0] if not full else r
        grid = np.unique(np.concatenate([[begin], asked[(asked > begin) & (asked < end)], [end]]))
        piece = engine(here, z, r, grid)
        _append(whole, piece)
        if piece.status is not Status.OK:
            break
        system, z, r = here, piece.z[-1], piece.r[-1]
    return system, whole


def _first(net: RateNetwork) -> Array:
    """Where rates start: the resting state of few populations, of many silence."""
    return np.zeros(net.n) if net.n > MOST_UNITS else resting(fixed_points(net)).rates


def _epochs(system: SlowSystem, schedule: Sequence[During], span: float) -> Iterator[tuple[float, float, SlowSystem]]:
    for i, during in enumerate(schedule):
        if not isinstance(during, During):
            raise TypeError(f"rate: schedule[{i}] must be an eq.During(manipulation, start), got {during!r}.")
    for begin, end in pairwise(edges(list(schedule), span)):
        net = system.net
        changed = net.remake(manipulated(net.circuit, schedule, begin)) if schedule else net
        yield begin, end, SlowSystem(changed, system.rules)


def _append(whole: Path, piece: Path) -> None:
    for name in ("t", "z", "r", "jumps"):
        getattr(whole, name).extend(getattr(piece, name))
    whole.status, whole.message = piece.status, piece.message


def _both(system: SlowSystem, z: Array, r: Array, times: Array) -> Path:
    """Rates and slow variables integrated together."""
    n = r.size

    def rhs(y: Array) -> Array:
        net = system.at(y[n:])
        return np.concatenate([net.rhs(y[:n]), system.rhs(y[n:], net, np.maximum(y[:n], 0.0))])

    lower = np.concatenate([np.full(n, -np.inf), system.lower])
    found = dynamics.evolve(
        rhs, np.concatenate([r, z]), times, names=(*system.net.unit_names, *system.names), lower=lower, tolerance=1e-9,
        stop=lambda y: ENDLESS - float(np.abs(y).max()),
    )  # fmt: skip
    message = "" if found.status is Status.OK else found.message
    return Path(list(found.t), list(found.x[n:].T), list(found.x[:n].T), [], found.status, message)


def dataset(system: SlowSystem, path: Path) -> "xr.Dataset":
    """A path as `evolve` returns it."""
    import xarray as xr

    net, dims = system.net, ("time", "population")
    z, r = np.array(path.z).reshape(-1, system.start.size), np.array(path.r).reshape(-1, net.n)
    data = {
        "rate": (dims, net.mean(r), {"units": "Hz"}),
        "slow": (("time", "variable"), np.array([z[:, p].mean(axis=1) for p in system.places.values()]).T),
    }
    if not net.whole:
        data["rate_sd"] = (dims, np.array([r[:, here].std(axis=1) for here in net.places]).T, {"units": "Hz"})
        spread = np.array([z[:, p].std(axis=1) for p in system.places.values()]).T
        data["slow_sd"] = (("time", "variable"), spread)
        data["end"] = (("unit",), r[-1] if len(r) else np.zeros(0), {"units": "Hz"})
    coords = {
        "time": ("time", path.t, {"units": "s"}), "population": list(net.names),
        "variable": [name_of(v) for v, _ in system.variables],
    }  # fmt: skip
    told = {"status": path.status.name, "message": path.message or "the end was reached.", "jumps": path.jumps}
    return xr.Dataset(data, coords, told | {"circuit": net.circuit.digest})


# --- where it leads ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False, repr=False)
class SlowPoint:
    """A joint fixed point of rates and rules: rates (n,) [Hz], slow variables z (k,), spectra [1/s] and status.

    `slow` is the spectrum of the slow variables with the rates at their fixed point, -C A^-1 B + D of the blocks of the
    full Jacobian (A fast on fast, B fast on slow, C slow on fast, D slow on slow); `full` is that of both together.
    """

    system: SlowSystem
    rates: Array
    z: Array
    slow: dynamics.Spectrum
    full: dynamics.Spectrum
    status: Status
    message: str

    @property
    def values(self) -> dict[str, float]:
        """The slow variables by name."""
        return dict(zip(self.system.names, self.z.tolist(), strict=True))

    @property
    def stable(self) -> bool:
        """Whether rates and slow variables return together."""
        return bool((self.full.eigenvalues.real < 0.0).all())

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

    Without `rules` those of the circuit act. `start` [Hz] chooses the fast state to begin with. Status UNSTABLE where
    it is not stable, with the time scale that fails; NumericalFailure where no such point with active populations is
    found. For circuits of few populations.
    """
    net = as_network(circuit)
    system = slow_system(net, rules)
    if net.n + system.start.size > 2 * MOST_UNITS:
        raise ValueError(f"rate.equilibrium: {net.n:,} units are too many for a joint spectrum. Use eq.rate.evolve.")
    r = _first(net) if start is None else rates_from("rate.equilibrium", net, start)
    joint = _joint(system)
    y = np.concatenate([r, system.start])
    found = dynamics.fixed_point(joint, lambda x: dynamics.differences(joint, x), y, tolerance=1e-9)
    good = found.status is Status.OK and bool((found.x[: net.n] >= 0.0).all())
    if not good and throw:
        raise NumericalFailure(Status.NOT_CONVERGED, "rate.equilibrium: no joint fixed point found near the start.")
    return _described(system, np.asarray(found.x), good)


def _joint(system: SlowSystem):
    """(f - r, dz/dt in units of its own speed) of y = (r, z)."""
    n = system.net.n

    def residual(y: Array) -> Array:
        net = system.at(y[n:])
        r = np.maximum(y[:n], 0.0)
        return np.concatenate([net.steady(r) - y[:n], system.rhs(y[n:], net, r)])

    return residual


def _described(system: SlowSystem, y: Array, good: bool) -> SlowPoint:
    n = system.net.n
    if not good:
        nothing = dynamics.spectrum(np.zeros((0, 0)), ())
        lost = np.full(n, np.nan), np.full(y.size - n, np.nan), nothing, nothing
        message = "no joint fixed point found near the start."
        return SlowPoint(system, *lost, Status.NOT_CONVERGED, message)
    slopes = dynamics.differences(_joint(system), y)
    slopes[:n] /= system.net.tau[:, None]
    A, B, C, D = slopes[:n, :n], slopes[:n, n:], slopes[n:, :n], slopes[n:, n:]
    slow = dynamics.spectrum(D - C @ np.linalg.solve(A, B), system.names)
    full = dynamics.spectrum(slopes, (*system.net.unit_names, *system.names))
    fast = bool((np.linalg.eigvals(A).real < 0.0).all())
    status, message = Status.OK, ""
    if not fast:
        status, message = Status.UNSTABLE, "the fast dynamics is unstable there."
    elif (full.eigenvalues.real >= 0.0).any():
        zero = bool(slow.zero.any()) and bool(slow.stable)
        status = Status.MARGINAL if zero else Status.UNSTABLE
        message = "neutral in a slow direction." if zero else "the rules drive the slow variables away from it."
    return SlowPoint(system, y[:n], y[n:], slow, full, status, message)
