"""A circuit studied as rates: all that a report shows, in one Dataset from which it can be redrawn.

Every fixed point with its stability and response, where the populations' own balance lies in the plane of two rates,
and, where the circuit has rules, where they lead and the path there.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.populations import refuse_volleys
from equipoise.model.rate_neurons import RateNeuron
from equipoise.model.studies import Part, provenance, told
from equipoise.quantities import Array, finite
from equipoise.rate.fixed_points import fixed_points, resting
from equipoise.rate.network import RateNetwork, network
from equipoise.rate.slow import evolve
from equipoise.rate.slow_point import SlowPoint, equilibrium
from equipoise.rate.state import RateState
from equipoise.results import NumericalFailure, Status
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

LONG, DEFAULT = 6.0, 2 * day
"""A path lasts this many times the slowest recovery, or two days where there is none."""
GRID = 121
"""Points along each axis of the plane of two rates."""
WIDE = 1.6
"""How far the plane of two rates reaches, as a multiple of the resting state."""


def is_rate_circuit(circuit: Circuit) -> bool:
    """Whether a circuit is one of rates: it has rate neurons, or rules on slow variables."""
    return bool(circuit.slow_rules) or any(isinstance(p.neuron, RateNeuron) for p in circuit.populations)


def study(
    circuit: Circuit, *, duration: float | None = None, samples: int = 240, progress: Progress | None = None
) -> "xr.Dataset":
    """Everything this level says about a circuit of few populations.

    Over `state` and `population`: rates, inputs, gains, whether driving a population lowers its own rate (paradoxical),
    and the response dr/dI by `stimulated` population; `state_stable`, `state_isn`. With two populations the residuals
    f - r over the plane of rates, whose zeros are the nullclines. With rules on slow variables: the joint fixed point,
    the eigenvalues of each slow `mode`, and the path over `duration` [s] in `samples` reports, by default six times the
    slowest recovery. `part_status` and `part_message` say how each part ended. attrs carry the circuit as TOML.
    """
    span = None if duration is None else float(finite("rate.study", "duration", duration, low=0.0, open_low=True))
    net, tell = network(circuit), progress or (lambda _: None)
    states = fixed_points(net)
    tell(0.4)
    pieces = [_states(net, states), *_plane(net, states)]
    parts = [Part("states", "OK" if any(s.stable for s in states) else "UNSTABLE", _words(states))]
    if circuit.slow_rules:
        for data, part in _rules(circuit, states, span, samples):
            pieces += [] if data is None else [data]
            parts.append(part)
    tell(1.0)
    return _together(pieces, parts).assign_attrs(provenance(circuit))


# --- states -----------------------------------------------------------------------------------------------------------
def _words(states: list[RateState]) -> str:
    stable = sum(s.stable for s in states)
    return f"{len(states)} found, {stable} stable."


def _states(net: RateNetwork, states: list[RateState]) -> "xr.Dataset":
    import xarray as xr

    names, along = list(net.names), ("state", "population")

    def each(value: Callable[[RateState], Any], dtype: Any = float) -> Array:
        return np.array([value(s) for s in states], dtype=dtype)

    data = {
        "rate": (along, each(lambda s: s.rates).reshape(-1, net.n), {"units": "Hz"}),
        "mean_input": (along, each(lambda s: s.inputs).reshape(-1, net.n)),
        "gain": (along, each(lambda s: s.gains).reshape(-1, net.n), {"units": "Hz per unit of input"}),
        "paradoxical": (along, each(lambda s: list(s.paradoxical.values()), bool).reshape(-1, net.n)),
        "response": (
            (*along, "stimulated"), each(lambda s: s.response.values).reshape(-1, net.n, net.n),
            {"units": "Hz per unit of input"},
        ),
        "state_stable": ("state", each(lambda s: s.stable, bool)),
        "state_isn": ("state", each(lambda s: s.isn, bool)),
        "state_status": ("state", each(lambda s: s.status.name, object)),
        "state_message": ("state", each(lambda s: s.message, object)),
        "slowest": ("state", each(lambda s: s.eigenvalues[0].real), {"units": "1/s"}),
        "frequency": ("state", each(lambda s: abs(s.eigenvalues[0].imag) / (2 * np.pi)), {"units": "Hz"}),
        "neuron_model": ("population", [type(p.neuron).__name__ for p in net.circuit.populations]),
    }  # fmt: skip
    out = xr.Dataset(data, {"population": names, "stimulated": names})
    rest = resting(states)
    return out.assign_attrs(chosen=states.index(rest)).merge(_wiring(net, rest))


def _wiring(net: RateNetwork, state: RateState) -> "xr.Dataset":
    """Weights, and what each population receives from each other in one state."""
    import xarray as xr

    circuit, pre = net.circuit, list(net.circuit.names)
    sources = refuse_volleys("rate", circuit.sources)
    rates = {s.name: s.rate for s in sources} | dict(zip(net.names, state.rates, strict=True))
    flow = circuit.weights() * circuit.in_degrees() * np.array([rates[name] for name in pre])
    sign = np.sign(circuit.weights().sum(axis=0))
    is_source = np.arange(len(pre)) >= net.n
    data = {
        "weight": (("post", "pre"), circuit.weights()), "input": (("post", "pre"), flow), "sign": ("pre", sign),
        "is_source": ("pre", is_source),
        "source_rate": ("pre", np.where(is_source, [rates[name] for name in pre], np.nan), {"units": "Hz"}),
        "drive": ("post", net.drive),
    }  # fmt: skip
    return xr.Dataset(data, {"post": list(net.names), "pre": pre})


def _plane(net: RateNetwork, states: list[RateState]) -> "Iterator[xr.Dataset]":
    """f - r of two populations over the plane of their rates."""
    import xarray as xr

    if net.n != 2:
        return
    top = WIDE * np.maximum(resting(states).rates, 1.0)
    axes = [np.linspace(0.0, float(t), GRID) for t in top]
    residual = np.array([[net.steady(np.array([x, y])) - (x, y) for y in axes[1]] for x in axes[0]])
    yield xr.Dataset(
        {"residual": (("plane_0", "plane_1", "population"), residual, {"units": "Hz"})},
        {"plane_0": axes[0], "plane_1": axes[1], "population": list(net.names)},
    )


# --- rules ------------------------------------------------------------------------------------------------------------
def _rules(
    circuit: Circuit, states: list[RateState], span: float | None, samples: int
) -> "Iterator[tuple[xr.Dataset | None, Part]]":
    """Where the rules lead, and the path."""
    start = resting(states).rates
    found = equilibrium(circuit, start=start, throw=False)
    yield _joint(found)
    times = np.linspace(0.0, span or _long_enough(found), samples + 1)
    try:
        path = evolve(circuit, duration=float(times[-1]), start=start, times=times)
    except NumericalFailure as error:
        yield None, Part("path", error.status.name, str(error))
        return
    kept = path.rename({"time": "path_time", "rate": "path_rate", "slow": "path_slow"})
    yield kept.drop_attrs(), Part("path", path.attrs["status"], path.attrs["message"])


def _long_enough(found: SlowPoint) -> float:
    real = found.slow.eigenvalues.real
    slow = np.abs(real[np.abs(real) > 1e-12])
    return LONG / float(slow.min()) if found.status is not Status.NOT_CONVERGED and slow.size else DEFAULT


def _joint(found: SlowPoint) -> "tuple[xr.Dataset | None, Part]":
    import xarray as xr

    part = Part("joint fixed point", found.status.name, found.message or "stable.")
    if found.status is Status.NOT_CONVERGED:
        return None, part
    values = found.slow.eigenvalues
    data = {
        "joint_rate": ("population", found.rates, {"units": "Hz"}),
        "joint_slow": ("variable", found.z),
        "mode_growth": ("mode", values.real, {"units": "1/s"}),
        "mode_turning": ("mode", values.imag, {"units": "1/s"}),
        "mode_neutral": ("mode", np.asarray(found.slow.zero, dtype=bool)),
    }
    names = {"population": list(found.system.net.names), "variable": list(found.system.names)}
    return xr.Dataset(data, names), part


def _together(pieces: "list[xr.Dataset]", parts: list[Part]) -> "xr.Dataset":
    import xarray as xr

    data = xr.merge(pieces, compat="no_conflicts", join="outer", combine_attrs="drop_conflicts")
    return data.merge(told(parts)).assign_attrs(data.attrs)
