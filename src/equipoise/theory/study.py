"""A circuit studied in theory: all that a report shows, in one Dataset from which it can be redrawn.

The network with its weights as they are, its other states, its balanced limit; and, where rules are attached, where
they take the weights, how fast, and what that does to the rates.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.studies import Part, provenance, told
from equipoise.quantities import finite
from equipoise.theory import distributions, network
from equipoise.theory.balanced import BalancedLimit
from equipoise.theory.network_state import NetworkState
from equipoise.theory.study_rules import homeostasis, slow
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

AS_GIVEN, REGULATED = "as given", "regulated"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
POINTS = 400
ALIKE = 1e-9
"""CV^2 of rates below which the neurons of a population count as all alike."""


def study(
    circuit: Circuit,
    *,
    duration: float | None = None,
    samples: int = 120,
    neurons: int = 300,
    seed: int = 1,
    progress: Progress | None = None,
) -> "xr.Dataset":
    """Everything this level says about a circuit.

    Over `condition` ("as given", and "regulated" where rules have a fixed point) and `population`: rates, their spread,
    density and quantiles, mean inputs by presynaptic population, and a sample of `neurons` with rate and C_v. Beside
    them all `state`s found, the balanced limit, and for the rules: recovery times of every `mode`, what is conserved,
    and the trajectory of `samples` points over `duration` [s], by default five times the slowest recovery time.
    `part_status` and `part_message` say how each part ended; nothing is raised for numerical failure. attrs carry the
    circuit as TOML, its digest and the version. Raises TypeError for circuits that mean field cannot represent.
    """
    span = None if duration is None else float(finite("study", "duration", duration, low=0.0, open_low=True))
    samples, neurons = _count("samples", samples, 3), _count("neurons", neurons, 1)
    if not isinstance(circuit, Circuit):
        raise TypeError(f"study: circuit must be an eq.Circuit, got {circuit!r}.")
    wiring, tell = network.wiring_of(circuit), progress or (lambda _: None)
    free = network.mean_field(circuit, throw=False)
    tell(0.1)
    others = network.fixed_points(circuit, starts=[free.rates] if free.status.usable else [])
    limit = network.balanced_limit(circuit, throw=False)
    tell(0.3)
    rules = homeostasis(circuit, span, samples)
    tell(0.9)
    conditions = {AS_GIVEN: (wiring, free)}
    if rules.fixed_point is not None and rules.fixed_point.status.usable:
        conditions[REGULATED] = (
            network.loop_of(circuit).with_weights(rules.fixed_point.weights),
            rules.fixed_point.state,
        )
    pieces = [
        *_network(circuit, wiring), *(_condition(name, *it, neurons, seed) for name, it in conditions.items())
    ]  # fmt: skip
    parts = [Part.of("network state", free), Part.of("balanced limit", limit), *rules.parts]
    if REGULATED in conditions:
        parts.append(Part.of("regulated state", conditions[REGULATED][1]))
    data = _merged(pieces, [_states(others, wiring), _limit(limit), *slow(rules, circuit), told(parts)])
    tell(1.0)
    return data.assign_attrs(provenance(circuit, samples=samples, neurons=neurons, seed=seed))


def _count(name: str, given: float, least: int) -> int:
    number = float(finite("study", name, given))
    if number != int(number) or number < least:
        raise ValueError(f"study: {name} must be a whole number of at least {least}, got {number:g}.")
    return int(number)


def _network(circuit: Circuit, wiring: Wiring) -> "Iterator[xr.Dataset]":
    """What is given: who is there, which sign they have, and how they are wired."""
    import xarray as xr

    pre = list(circuit.names)
    sign = np.sign(wiring.J.sum(axis=0))
    rates = np.concatenate([np.full(wiring.n, np.nan), wiring.source_rates])
    yield xr.Dataset(
        {
            "sign": ("pre", sign, {"long_name": "1 excites, -1 inhibits, 0 projects nowhere"}),
            "is_source": ("pre", np.arange(len(pre)) >= wiring.n),
            "source_rate": ("pre", rates, {"units": "Hz"}),
            "in_degree": (("post", "pre"), wiring.K, {"units": "1"}),
            "size": ("population", [float(p.size) for p in circuit.populations], {"units": "1"}),
            "neuron_model": ("population", [type(p.neuron).__name__ for p in circuit.populations]),
        },
        coords={"pre": pre, "post": list(wiring.names), "population": list(wiring.names)},
    )


def _condition(name: str, wiring: Wiring, state: NetworkState, neurons: int, seed: int) -> "xr.Dataset":
    """The state of the network under one set of weights, and how its neurons differ."""
    import xarray as xr

    r, q = state.rates, state.second_moments
    pre = np.concatenate([r, wiring.source_rates])
    m = wiring.moments(r, q) if state.status.usable else None
    nothing, cv2 = np.full(wiring.n, np.nan), q / r**2 - 1.0
    cv2 = np.where(cv2 < ALIKE, 0.0, cv2)
    mu, s, beta = (m.mu, m.s, m.beta) if m is not None else (nothing,) * 3
    per = {
        "rate": (r, "Hz"), "second_moment": (q, "Hz^2"), "rate_sd": (r * np.sqrt(cv2), "Hz"), "rate_cv2": (cv2, "1"),
        "mu": (mu, "V/s"), "sigma": (np.sqrt(s), "V/sqrt(s)"),
        "mu_sd": (np.sqrt(beta), "V/s"), "drive": (wiring.drive, "V/s"),
    }  # fmt: skip
    data = xr.Dataset({key: ("population", values, {"units": unit}) for key, (values, unit) in per.items()})
    data["weight"] = (("post", "pre"), wiring.J, {"units": "V"})
    data["input"] = (("post", "pre"), wiring.K * wiring.J * pre, {"units": "V/s", "long_name": "mean input K J r"})
    for key, value in _spread(wiring, state, neurons, seed).items():
        data[key] = value
    return data.expand_dims(condition=[name])


def _spread(wiring: Wiring, state: NetworkState, neurons: int, seed: int) -> dict[str, tuple]:
    """Densities, quantiles and a sample of neurons, population by population."""
    n = wiring.n
    grid, density = np.full((2, n, POINTS), np.nan)
    quantile, rate, cv = np.full((n, len(LEVELS)), np.nan), *np.full((2, n, neurons), np.nan)
    for a, name in enumerate(wiring.names if state.status.usable else ()):
        sample = distributions.neurons(wiring, state, name, neurons, seed=seed + a)
        rate[a], cv[a] = sample["rate"].values, sample["cv"].values
        quantile[a] = state.rates[a]
        if state.populations[a].rate_cv2 > ALIKE:
            law = distributions.rate_distribution(wiring, state, name, levels=np.array(LEVELS), points=POINTS)
            grid[a], quantile[a] = law["rate"].values, law["quantile"].values
            density[a] = grid[a] * law["density"].values
    along = ("population", "point")
    return {
        "density_rate": (along, grid, {"units": "Hz"}),
        "density": (along, density, {"units": "1", "long_name": "probability per e-fold of rate, r p(r)"}),
        "quantile": (("population", "level"), quantile, {"units": "Hz"}),
        "cv_median": (
            "population",
            np.median(cv, axis=1),
            {"units": "1", "long_name": "median of the sampled neurons"},
        ),
        "cv_quantile": (("population", "level"), np.quantile(cv, LEVELS, axis=1).T, {"units": "1"}),
        "neuron_rate": (("population", "neuron"), rate, {"units": "Hz"}),
        "neuron_cv": (("population", "neuron"), cv, {"units": "1"}),
    }


def _states(states: list[NetworkState], wiring: Wiring) -> "xr.Dataset":
    """All fixed points found with the weights as given."""
    import xarray as xr

    rates = np.array([s.rates for s in states]).reshape(len(states), wiring.n)
    return xr.Dataset(
        {
            "state_rate": (("state", "population"), rates, {"units": "Hz"}),
            "state_stable": ("state", np.array([s.stable for s in states], dtype=bool)),
            "state_residual": ("state", np.array([s.residual for s in states], dtype=float), {"units": "Hz"}),
        }
    )


def _limit(limit: BalancedLimit) -> "xr.Dataset":
    import xarray as xr

    columns = {"rate": (limit.rates, "Hz"), "second_moment": (limit.second_moments, "Hz^2"), "mu": (limit.mu, "V/s")}
    data = {f"limit_{key}": ("population", values, {"units": unit}) for key, (values, unit) in columns.items()}
    return xr.Dataset(data | {"inequality": ("inequalities", np.array(limit.inequalities, dtype=object))})


def _merged(network_and_conditions: "list[xr.Dataset]", rest: "list[xr.Dataset]") -> "xr.Dataset":
    import xarray as xr

    given, *conditions = network_and_conditions
    stacked = xr.concat(
        conditions, dim="condition", data_vars="all", coords="minimal", compat="override", join="override"
    )
    data = xr.merge([given, stacked, *rest], compat="no_conflicts", join="outer")
    return data.assign_coords(level=list(LEVELS))
