"""What the theory of one cell says of a conductance population under the rates that were simulated."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.adaptation import Adaptation, MCurrent
from equipoise.model.conductances import ShotConductance
from equipoise.model.inputs import PoissonInputs
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.populations import Population, Volleys
from equipoise.model.projections import Projection
from equipoise.model.studies import NOT_TREATED, Part
from equipoise.model.synapses import ConductanceSynapse
from equipoise.model.weight_spread import moments_of
from equipoise.quantities import Array
from equipoise.renewal import quasi_static_rate
from equipoise.results import Status
from equipoise.spiking.watch import Watched

if TYPE_CHECKING:
    import xarray as xr

Moments = Mapping[str, tuple[float, float]]
"""<x> and <x^2> of the relative weights x of projections, by name."""


def moments(seen: Watched, rates: Mapping[str, float], scales: Mapping[str, float]) -> Moments:
    """Of every projection: as drawn or as learned, and what depression leaves of them at these rates [Hz].

    `scales`: what rules have made of the mean weights.
    """
    out = {}
    for p in seen.circuit.projections:
        mean, square = (1.0, float(moments_of(p.weight_spread)[0]))
        if p.plasticity is not None:
            mean, square = map(float, seen.windows[-1].learned[str(p)][:2])
        share = scales.get(str(p), 1.0)
        share *= 1.0 if p.short_term is None else float(p.short_term.steady(rates[p.source]))
        out[str(p)] = mean * share, square * share**2
    return out


def single_cells(seen: Watched, rates: Mapping[str, float], of: Moments) -> "tuple[xr.Dataset | None, list[Part]]":
    """`theory_rate` of every conductance population [Hz], by `renewal.quasi_static_rate` under Poisson input.

    Inputs come at the `rates` simulated, by population and source, with weights of the moments `of` each projection;
    adaptation lowers the drive by its mean. NaN for other populations, and where the theory says no.
    """
    import xarray as xr

    theory, parts = np.full(len(seen.names), np.nan), []
    for a, population in enumerate(seen.circuit.populations):
        if not isinstance(population.neuron, ConductanceLIF):
            continue
        theory[a], part = _rate_of(seen, population, rates, of)
        parts.append(part)
    if not parts:
        return None, []
    return xr.Dataset({"theory_rate": ("population", theory, {"units": "Hz"})}), parts


def _rate_of(seen: Watched, population: Population, rates: Mapping[str, float], of: Moments) -> tuple[float, Part]:
    name = f"rate of {population.name} by theory"
    onto = [p for p in seen.circuit.projections if p.target == population.name]
    why = _unknown(seen, population, onto)
    if why:
        return float("nan"), Part(name, NOT_TREATED, why)
    given = [_shots(seen, p, rates[p.source], of[str(p)]) for p in onto if rates[p.source] > 0.0]
    own = population.adaptation
    lost = own.increment * own.tau * rates[population.name] if isinstance(own, Adaptation) else 0.0
    try:
        found = quasi_static_rate(population.neuron, [x for x in given if x], drive=population.drive - lost)
    except ValueError as error:
        return float("nan"), Part(name, NOT_TREATED, str(error))
    wrong = "; ".join(filter(None, (found.message, _disorder(seen, population))))
    return found.rate, Part(name, (Status.APPROXIMATE if wrong else Status.OK).name, wrong)


def _disorder(seen: Watched, population: Population) -> str:
    """That neurons differ in their numbers of inputs, in words."""
    a = seen.names.index(population.name)
    if not seen.circuit.in_degree_variances()[a].any():
        return ""
    return "neurons have different numbers of inputs, which is left out"


def _unknown(seen: Watched, population: Population, onto: list[Projection]) -> str:
    """What that theory does not know, in words."""
    sources = {s.name: s for s in seen.circuit.sources}
    for p in onto:
        source = sources.get(p.source)
        if isinstance(source, Volleys):
            return f"{source.name!r} fires in volleys."
        if source is not None and source.fano != 1.0:
            return f"the trains of {source.name!r} are not Poisson."
        if not isinstance(p.synapse, ConductanceSynapse):
            return f"{p} brings currents beside conductances."
    if isinstance(population.adaptation, MCurrent):
        return "its M-current moves with the membrane."
    return "" if not population.spread.varying else "its neurons differ."


def _shots(seen: Watched, p: Projection, rate: float, of: tuple[float, float]) -> ShotConductance | None:
    """Shot noise of the mean and variance that unequal weights make: weight w <x^2>/<x> of K <x>^2/<x^2> inputs."""
    mean, square = of
    K = p.connectivity.mean(seen.circuit.node(p.source).size)
    if mean <= 0.0 or K <= 0.0:
        return None
    inputs = PoissonInputs(K=K * mean**2 / square, rate=rate)
    return ShotConductance(p.synapse, weight=p.weight * square / mean, inputs=inputs)  # pyright: ignore[reportArgumentType]


def state_of(rate: Array, names: tuple[str, ...]) -> Part:
    """Whether all populations fire."""
    silent = [n for n, r in zip(names, rate, strict=True) if r == 0.0]
    if silent:
        return Part("activity", Status.SILENT.name, f"{', '.join(silent)} did not fire. {Status.SILENT.advice}")
    return Part("activity", Status.OK.name, "")
