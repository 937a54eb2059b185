"""A circuit studied in theory: all that a report shows, in one Dataset from which it can be redrawn.

The network with its weights as they are, its other states, its balanced limit; and, where rules are attached, where
they take the weights, how fast, and what that does to the rates.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.quantities import Array, finite
from equipoise.results import NumericalFailure, Status
from equipoise.theory import distributions, network
from equipoise.theory.balanced import BalancedLimit
from equipoise.theory.network_homeostasis import NetworkEquilibrium
from equipoise.theory.network_state import NetworkState
from equipoise.theory.wiring import Wiring
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]

AS_GIVEN, REGULATED = "as given", "regulated"
NOT_TREATED = "NOT_TREATED"
"""Status of a part that this level does not compute for these rules."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
POINTS = 400
DEFAULT, LONG = 48 * hour, 5.0
"""Length of a trajectory where nothing is known of its end; and where it is, in slowest recovery times."""
ALIKE = 1e-9
"""CV^2 of rates below which the neurons of a population count as all alike."""
FIRST = 1e-5
"""First sample of the trajectory as a fraction of its duration; samples are even on a logarithmic axis."""


@dataclass(frozen=True)
class _Part:
    """How one part of the study ended."""

    name: str
    status: str
    message: str

    @classmethod
    def of(cls, name: str, result: Any) -> "_Part":
        return cls(name, result.status.name, result.message)


@dataclass(frozen=True)
class _Homeostasis:
    """What the rules of a circuit do to it, as far as it is treated."""

    fixed_point: NetworkEquilibrium | None = None
    path: "xr.Dataset | None" = None
    parts: list[_Part] = field(default_factory=list)


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
    rules = _homeostasis(circuit, span, samples)
    tell(0.9)
    conditions = {AS_GIVEN: (wiring, free)}
    if rules.fixed_point is not None and rules.fixed_point.status.usable:
        conditions[REGULATED] = (_with_weights(wiring, circuit, rules.fixed_point), rules.fixed_point.state)
    pieces = [
        *_network(circuit, wiring), *(_condition(name, *it, neurons, seed) for name, it in conditions.items())
    ]  # fmt: skip
    parts = [_Part.of("network state", free), _Part.of("balanced limit", limit), *rules.parts]
    if REGULATED in conditions:
        parts.append(_Part.of("regulated state", conditions[REGULATED][1]))
    data = _merged(pieces, [_states(others, wiring), _limit(limit), *_slow(rules), _parts(parts)])
    tell(1.0)
    return data.assign_attrs(_provenance(circuit, samples=samples, neurons=neurons, seed=seed))


def _count(name: str, given: float, least: int) -> int:
    number = float(finite("study", name, given))
    if number != int(number) or number < least:
        raise ValueError(f"study: {name} must be a whole number of at least {least}, got {number:g}.")
    return int(number)


def failed(data: "xr.Dataset") -> list[str]:
    """Names of the parts of a study that ended without a usable result; that balance is impossible is a result."""
    names = zip(data["part"].values, data["part_status"].values, strict=True)
    bad = {s.name for s in Status if not s.usable}
    return [str(name) for name, status in names if status in bad and name != "balanced limit"]


# --- homeostasis ------------------------------------------------------------------------------------------------------
def _homeostasis(circuit: Circuit, duration: float | None, samples: int) -> _Homeostasis:
    if not circuit.rules:
        return _Homeostasis()
    name = "homeostatic fixed point"
    try:
        found = network.network_equilibrium(circuit, throw=False)
    except (TypeError, ValueError, NumericalFailure) as error:
        return _Homeostasis(parts=[_not_found(name, error)])
    if not isinstance(found, NetworkEquilibrium):
        message = f"these rules give a {type(found).__name__}, which is not shown here; use network_equilibrium."
        return _Homeostasis(parts=[_Part(name, NOT_TREATED, message)])
    path, part = _trajectory(circuit, duration or _long_enough(found), samples)
    return _Homeostasis(found, path, [_Part.of(name, found), part])


def _long_enough(found: NetworkEquilibrium) -> float:
    """`LONG` times the slowest recovery [s], so that the weights come to rest."""
    times = found.spectrum.recovery_times if found.status.usable else np.zeros(0)
    slowest = max(times[np.isfinite(times) & (times > 0.0)], default=DEFAULT / LONG)
    return float(LONG * slowest)


def _trajectory(circuit: Circuit, duration: float, samples: int) -> "tuple[xr.Dataset | None, _Part]":
    times = np.concatenate([[0.0], np.geomspace(FIRST * duration, duration, samples - 1)])
    try:
        path = network.network_evolve(circuit, duration=duration, times=times)
    except (TypeError, ValueError, NumericalFailure) as error:
        return None, _not_found("trajectory", error)
    if not {"weight", "rate"} <= set(path.data_vars):
        return None, _Part("trajectory", NOT_TREATED, "the path of these rules is not shown here; use network_evolve.")
    return path, _Part("trajectory", path.attrs["status"], path.attrs["message"])


def _not_found(name: str, error: Exception) -> _Part:
    if isinstance(error, NumericalFailure):
        return _Part(name, error.status.name, error.reason)
    return _Part(name, NOT_TREATED, str(error))


def _with_weights(wiring: Wiring, circuit: Circuit, found: NetworkEquilibrium) -> Wiring:
    """The wiring with the weights of the fixed point, by name; signs stay."""
    sizes, J = dict(zip(found.names, found.weights, strict=True)), wiring.J.copy()
    for (a, b), name in _weight_names(circuit).items():
        if name in sizes:
            J[a, b] = np.copysign(sizes[name], J[a, b])
    return replace(wiring, J=J)


def _weight_names(circuit: Circuit) -> dict[tuple[int, int], str]:
    """Names J_post,pre of all weights, by place."""
    names = circuit.names
    return {(int(a), int(b)): f"J_{names[a]}{names[b]}" for a, b in np.argwhere(circuit.connected())}


# --- pieces -----------------------------------------------------------------------------------------------------------
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


def _slow(rules: _Homeostasis) -> "Iterator[xr.Dataset]":
    """Spectrum, conserved quantities and trajectory of the weights under their rules."""
    import xarray as xr

    found = rules.fixed_point
    if found is not None and found.status.usable:
        spectrum = found.spectrum
        zero: NDArray[np.bool_] = spectrum.zero
        yield xr.Dataset(
            {
                "eigenvalue_real": ("mode", np.where(zero, 0.0, spectrum.eigenvalues.real), {"units": "1/s"}),
                "eigenvalue_imag": ("mode", np.where(zero, 0.0, spectrum.eigenvalues.imag), {"units": "1/s"}),
                "recovery_time": ("mode", spectrum.recovery_times, {"units": "s"}),
                "loading": (("mode", "slow_variable"), _loadings(found), {"units": "1"}),
                "fixed_weight": ("slow_variable", found.weights, {"units": "V"}),
                "conserved": ("quantity", np.array([_formula(q) for q in found.conserved], dtype=object)),
            },
            coords={"slow_variable": list(found.names)},
        )
    if rules.path is not None:
        names = {"rate": "path_rate", "weight": "path_weight", "weight_name": "path_name"}
        yield rules.path[["rate", "weight"]].rename(names)


def _loadings(found: NetworkEquilibrium) -> Array:
    """Relative change of every slow variable in every mode, the largest 1; its real part in phase with the largest."""
    relative = found.spectrum.eigenvectors.T / np.where(found.weights > 0.0, found.weights, 1.0)
    largest = relative[np.arange(len(relative)), np.abs(relative).argmax(axis=1)]
    return np.real(relative / largest[:, None])


def _formula(quantity) -> str:
    """A conserved quantity in words, "log J_EE − log J_EX"."""
    terms = sorted(zip(quantity.coefficients, quantity.terms, strict=True), key=lambda term: -term[0])
    signs = ["− " if c < 0 else "+ " for c, _ in terms]
    sizes = ["" if abs(abs(c) - 1.0) < 1e-9 else f"{abs(c):.4g} " for c, _ in terms]
    text = " ".join(s + size + name for s, size, (_, name) in zip(signs, sizes, terms, strict=True))
    return text.removeprefix("+ ")


def _parts(parts: list[_Part]) -> "xr.Dataset":
    import xarray as xr

    columns = {"part_status": [p.status for p in parts], "part_message": [p.message for p in parts]}
    data = {key: ("part", np.array(values, dtype=object)) for key, values in columns.items()}
    return xr.Dataset(data, coords={"part": [p.name for p in parts]})


def _merged(network_and_conditions: "list[xr.Dataset]", rest: "list[xr.Dataset]") -> "xr.Dataset":
    import xarray as xr

    given, *conditions = network_and_conditions
    stacked = xr.concat(
        conditions, dim="condition", data_vars="all", coords="minimal", compat="override", join="override"
    )
    data = xr.merge([given, stacked, *rest], compat="no_conflicts", join="outer")
    return data.assign_coords(level=list(LEVELS))


def _provenance(circuit: Circuit, **settings: float) -> dict[str, Any]:
    from equipoise.model.toml_writer import in_volts

    text, release = circuit.to_toml(), version("equipoise")
    return {
        "title": circuit.name or "Circuit",
        "description": circuit.description,
        "circuit": text,
        "digest": hashlib.sha256(f"{text}\nequipoise {release}\n".encode()).hexdigest(),
        "equipoise_version": release,
        "potential_unit": "mV" if in_volts(circuit) else "threshold",
        **settings,
    }
