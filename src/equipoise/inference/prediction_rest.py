"""Where a circuit rests by its own spikes: set points and units of strengths without any theory of networks."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from equipoise.inference.at_rest import AtRest, check_populations
from equipoise.inference.operating import POPULATIONS
from equipoise.inference.prediction_observables import observables_of
from equipoise.inference.prediction_spikes import Spikes, observed_in, played, refuse_unfit
from equipoise.model.circuit import Circuit
from equipoise.model.neurons import ConductanceLIF
from equipoise.quantities import Array
from equipoise.results import NumericalFailure, Status
from equipoise.spiking import Network, Run, build
from equipoise.spiking.rule_senses import input_of

PIECES = 5
"""Runs at rest, one after the other, from which set points are taken: the slow states hang on these."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingRest(AtRest):
    """Where a simulated circuit rests: observables `value` (observable,) with standard errors `error`.

    `means` are required input and noise as rules sense them, unknown where `why` says so; `drives` (2,) [V/s] the unit
    of drives of E and I.
    """

    value: Array
    error: Array
    drives: Array
    why: str = field(default="")

    @cached_property
    def input(self) -> tuple[Array, Array]:
        """Required input [V/s] and sigma [V/sqrt(s)] of E and I (2,); TypeError where spikes do not give them."""
        if self.why:
            raise TypeError(self.why)
        return self.means[0], self.means[1]

    @property
    def unit(self) -> Array:
        """sigma/sqrt(tau_m) (2,) [V/s], of conductances sqrt(2) sd(V) over the membrane's time constant."""
        return self.drives

    @property
    def span(self) -> float:
        """As of `Operating`; the unit of drives of E where no f-I curve is known."""
        return float(self.drives[0]) if self.why else super().span


def spiking_rest(circuit: Circuit, how: Spikes, tau: float) -> SpikingRest:
    """The state of rest of a circuit without its rules; NumericalFailure where E or I does not fire."""
    check_populations(circuit)
    refuse_unfit(circuit)
    plain = circuit.with_rules([])
    network = build(plain, seed=how.seed, dt=how.pace.dt, threads=how.pace.threads)
    value, error, rates, first = _observed(network, how)
    known = {one.name: value[i] for i, one in enumerate(observables_of(network.layout.names))}
    rate, cv, mean, second = (
        np.array([known[f"{kind}_{p}"] for p in POPULATIONS])
        for kind in ("rate", "cv", "calcium_mean", "calcium_second")
    )
    for name, r in zip(POPULATIONS, rate, strict=True):
        if r == 0.0:
            raise NumericalFailure(Status.SILENT, f"predict: {name} does not fire at rest. {Status.SILENT.advice}")
    means, why = _means(network, rates)
    return SpikingRest(
        rate=(float(rate[0]), float(rate[1])), cv=(float(cv[0]), float(cv[1])), sensor=how.sensor, tau=tau,
        neuron=plain.node("E").neuron,  # pyright: ignore[reportAttributeAccessIssue]
        circuit=plain, moments=np.array([mean, second]), means=means, value=value, error=error,
        drives=_units(plain, first, means), why=why,
    )  # fmt: skip


def _observed(network: Network, how: Spikes) -> tuple[Array, Array, dict[str, Array], Run]:
    """Means over several runs of observables (observable,), with errors, and of the rates of cells; the first run.

    Each is as long as the runs of phases: C_v, for one, hangs on the length of what it is taken from.
    """
    first = seen = played(network, how, cells=POPULATIONS)
    columns, rates = [observed_in(seen, how)], [rates_in(seen)]
    for _ in range(PIECES - 1):
        seen = played(network, how, start=seen.end)
        columns, rates = [*columns, observed_in(seen, how)], [*rates, rates_in(seen)]
    values, errors = np.array(columns).swapaxes(0, 1)
    known = np.isfinite(values) & np.isfinite(errors)
    number = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        value = np.where(known, values, 0.0).sum(axis=0) / number
        error = np.sqrt(np.where(known, errors**2, 0.0).sum(axis=0)) / number
    return value, error, {name: np.mean([r[name] for r in rates], axis=0) for name in seen.names}, first


def rates_in(seen: Run) -> dict[str, Array]:
    """Rates [Hz] of the cells (n,) of all populations."""
    trains = {name: seen.spikes_of(name) for name in seen.names}
    return {name: np.bincount(x.units, minlength=x.n_units) / x.duration for name, x in trains.items()}


def _means(network: Network, rates: dict[str, Array]) -> tuple[Array, str]:
    """Required input and sigma of E and I (2, 2), and why they are unknown."""
    try:
        mu, s = np.array([input_of(network, name, rates) for name in POPULATIONS]).T
    except TypeError as error:
        return np.full((2, 2), np.nan), str(error)
    return np.array([mu, np.sqrt(s)]), ""


def _units(circuit: Circuit, seen: Run, means: Array) -> Array:
    """The drives that move the mean of the membrane by sqrt(2) of its standard deviation (2,) [V/s]."""
    felt, out = seen.membrane, np.full(2, np.nan)
    for a, name in enumerate(POPULATIONS):
        neuron = circuit.node(name).neuron  # pyright: ignore[reportAttributeAccessIssue]
        tau = getattr(neuron, "tau_m", np.nan)
        if np.isfinite(means[1, a]):
            out[a] = means[1, a] / np.sqrt(tau)
            continue
        here = felt.isel(cell=felt["population"].values == name)
        if isinstance(neuron, ConductanceLIF):
            tau = neuron.capacitance / (neuron.g_leak + float((here["g_excitatory"] + here["g_inhibitory"]).mean()))
        out[a] = np.sqrt(2.0) * float(here["potential"].std("time").mean()) / tau
    return out
