"""The slow verb: evolve a circuit of rates under its rules over hours and days."""

from collections.abc import Iterator, Sequence
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
from equipoise.rate.fixed_points import MOST_UNITS, settled
from equipoise.rate.network import ENDLESS, RateNetwork, as_network, rates_from
from equipoise.rate.sensors import Sensors
from equipoise.rate.slow_path import Path
from equipoise.rate.slow_point import first_rates
from equipoise.rate.slow_state import SlowSystem, name_of, slow_system
from equipoise.results import Status

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

    Without `rules` those of the circuit act. The rates first settle from `start` [Hz] (default: the state of rest of
    few populations, of many units silence). Where the fast state ends they jump to where they relax. `schedule` holds
    manipulations and when they act; slow variables go on through each change. `full` integrates both time scales
    together instead, for at most 40 units. Returns a Dataset over `time` (`times` [s], default 200) with `rate` of each
    population and `slow`, each moved variable; of many units their means, with `rate_sd` and `slow_sd` over units, and
    `unit_rate` of each unit. attrs: status, message and the times of `jumps`.
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
    r = first_rates(net) if start is None else rates_from("rate.evolve", net, start)
    sensors = Sensors.of(system)
    if full and sensors.each:
        raise ValueError("rate.evolve: full=True takes no noise of sensors. Leave it out.")
    z, whole = system.within(system.start), Path([], [], [], [])
    for begin, end, here in _epochs(system, schedule, span):
        z = system.moved_to(here, z)
        r = settled(here.at(z), r)[0] if not full else r
        grid = np.unique(np.concatenate([[begin], asked[(asked > begin) & (asked < end)], [end]]))
        piece = _both(here, z, r, grid) if full else slow_path.evolve(here, z, r, grid, sensors)
        _append(whole, piece)
        if piece.status is not Status.OK:
            break
        system, z, r = here, piece.z[-1], piece.r[-1]
    return system, whole


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

    free = np.full(n, np.inf)
    found = dynamics.evolve(
        rhs, np.concatenate([r, z]), times, names=(*system.net.unit_names, *system.names), tolerance=1e-9,
        lower=np.concatenate([-free, system.lower]), upper=np.concatenate([free, system.upper]),
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
        data["unit_rate"] = (("time", "unit"), r, {"units": "Hz"})
    coords = {
        "time": ("time", path.t, {"units": "s"}), "population": list(net.names),
        "variable": [name_of(v) for v, _ in system.variables],
    }  # fmt: skip
    if not net.whole:
        coords["unit_population"] = ("unit", np.repeat(net.names, net.sizes))
    told = {"status": path.status.name, "message": path.message or "the end was reached.", "jumps": path.jumps}
    return xr.Dataset(data, coords, told | {"circuit": net.circuit.digest})
