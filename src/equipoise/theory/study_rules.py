"""What a study says about the rules of a circuit: fixed point, recovery, what is conserved, and the path there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, targets_of
from equipoise.model.studies import NOT_TREATED, Part
from equipoise.quantities import Array
from equipoise.renewal import resolved
from equipoise.results import NumericalFailure, Status
from equipoise.theory import network, network_evolution
from equipoise.theory.network_homeostasis import NetworkEquilibrium
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr

DEFAULT, LONG = 48 * hour, 5.0
"""Length of a trajectory where nothing is known of its end; and where it is, in slowest recovery times."""
CALCIUM = ("calcium_mean", "calcium_second_moment")
FIRST = 1e-5
"""First sample of the trajectory as a fraction of its duration; samples are even on a logarithmic axis."""


@dataclass(frozen=True)
class Homeostasis:
    """What the rules of a circuit do to it, as far as it is treated."""

    fixed_point: NetworkEquilibrium | None = None
    path: "xr.Dataset | None" = None
    parts: list[Part] = field(default_factory=list)


def homeostasis(circuit: Circuit, duration: float | None, samples: int) -> Homeostasis:
    """Fixed point and path (over `duration` [s], or until the weights rest) of a circuit's rules."""
    if not circuit.rules:
        return Homeostasis()
    name = "homeostatic fixed point"
    try:
        found = network.network_equilibrium(circuit, throw=False)
    except (TypeError, ValueError, NumericalFailure) as error:
        return Homeostasis(parts=[_not_found(name, error)])
    if type(found) is NetworkEquilibrium:
        path, part = _trajectory(circuit, duration or _long_enough(found), samples)
        return Homeostasis(found, path, [Part.of(name, found), part])
    message = f"these rules lead to a {type(found).__name__}, which is not shown here; use network_equilibrium."
    path, part = _trajectory(circuit, duration or DEFAULT, samples)
    return Homeostasis(None, path, [Part(name, NOT_TREATED, message), part])


def _long_enough(found: NetworkEquilibrium) -> float:
    """`LONG` times the slowest recovery [s], so that the weights come to rest."""
    times = found.spectrum.recovery_times if found.status.usable else np.zeros(0)
    slowest = max(times[np.isfinite(times) & (times > 0.0)], default=DEFAULT / LONG)
    return float(LONG * slowest)


def _trajectory(circuit: Circuit, duration: float, samples: int) -> "tuple[xr.Dataset | None, Part]":
    times = np.concatenate([[0.0], np.geomspace(FIRST * duration, duration, samples - 1)])
    try:
        path = network_evolution.network_evolve(circuit, duration=duration, times=times)
    except (TypeError, ValueError, NumericalFailure) as error:
        return None, _not_found("trajectory", error)
    if not {"weight", "rate"} <= set(path.data_vars):
        return None, Part("trajectory", NOT_TREATED, "the path of these rules is not shown here; use network_evolve.")
    return path, Part("trajectory", path.attrs["status"], path.attrs["message"])


def _not_found(name: str, error: Exception) -> Part:
    """What a failure says about a part; TypeErrors are rules and neurons that this level does not treat."""
    if isinstance(error, NumericalFailure):
        return Part(name, error.status.name, error.reason)
    return Part(name, NOT_TREATED if isinstance(error, TypeError) else Status.NOT_CONVERGED.name, str(error))


def _sizes(found: NetworkEquilibrium) -> dict[str, float]:
    """The regulated weights by name; a rule may have other slow variables beside them."""
    return {name: float(size) for name, size in zip(found.names, found.weights, strict=False)}


def slow(rules: Homeostasis, circuit: Circuit) -> "Iterator[xr.Dataset]":
    """Spectrum, conserved quantities and trajectory of the weights under their rules."""
    import xarray as xr

    found = rules.fixed_point
    if found is not None and found.status.usable:
        spectrum, sizes = found.spectrum, _sizes(found)
        zero: NDArray[np.bool_] = spectrum.zero
        yield xr.Dataset(
            {
                "eigenvalue_real": ("mode", np.where(zero, 0.0, spectrum.eigenvalues.real), {"units": "1/s"}),
                "eigenvalue_imag": ("mode", np.where(zero, 0.0, spectrum.eigenvalues.imag), {"units": "1/s"}),
                "recovery_time": ("mode", spectrum.recovery_times, {"units": "s"}),
                "loading": (("mode", "slow_variable"), _loadings(found), {"units": "1"}),
                "fixed_weight": ("slow_variable", [sizes.get(n, np.nan) for n in spectrum.names], {"units": "V"}),
                "conserved": ("quantity", np.array([_formula(q) for q in found.conserved], dtype=object)),
            },
            coords={"slow_variable": list(spectrum.names)},
        )
    if rules.path is not None:
        names = {"rate": "path_rate", "weight": "path_weight", "weight_name": "path_name"}
        yield rules.path[["rate", "weight"]].rename(names)
        if set(CALCIUM) <= set(rules.path.data_vars):
            yield _calcium(rules.path, circuit)


def _calcium(path: "xr.Dataset", circuit: Circuit) -> "xr.Dataset":
    """Sensed calcium over the set point at the start, for every population with a rule."""
    import xarray as xr

    relative = np.stack([path[name].transpose("time", "population").values for name in CALCIUM], axis=-1)
    targets = np.array([_target(circuit, str(name)) for name in path["population"].values])
    about = {"units": "1", "long_name": "population mean of the calcium moment over its set point"}
    return xr.Dataset(
        {"path_calcium": (("time", "population", "moment"), relative / targets, about)},
        coords={"time": path["time"], "population": path["population"], "moment": ["mean", "second moment"]},
    )


def _target(circuit: Circuit, population: str) -> tuple[float, float]:
    """Mean and second moment at which a population is to be held; NaN where it has no such rule."""
    attached = circuit.rule_of(population)
    rule = attached.rule if attached is not None else None
    if not isinstance(rule, CalciumHomeostasis):
        return np.nan, np.nan
    return targets_of(resolved(rule, circuit.node(population).neuron).target)  # type: ignore[union-attr]


def _loadings(found: NetworkEquilibrium) -> Array:
    """Relative change of every slow variable in every mode, the largest 1; its real part in phase with the largest."""
    sizes = _sizes(found)
    relative = found.spectrum.eigenvectors.T / np.array([sizes.get(name) or 1.0 for name in found.spectrum.names])
    largest = relative[np.arange(len(relative)), np.abs(relative).argmax(axis=1)]
    return np.real(relative / largest[:, None])


def _formula(quantity) -> str:
    """A conserved quantity in words, "log J_EE − log J_EX"."""
    terms = sorted(zip(quantity.coefficients, quantity.terms, strict=True), key=lambda term: -term[0])
    signs = ["− " if c < 0 else "+ " for c, _ in terms]
    sizes = ["" if abs(abs(c) - 1.0) < 1e-9 else f"{abs(c):.4g} " for c, _ in terms]
    text = " ".join(s + size + name for s, size, (_, name) in zip(signs, sizes, terms, strict=True))
    return text.removeprefix("+ ")
