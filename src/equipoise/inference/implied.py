"""What a recorded unit implies: the input that makes the model neuron fire like it, and its set points and weights."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference.settings import AnalysisSettings
from equipoise.measures import calcium_moments, summary
from equipoise.measures.irregularity import MIN_INTERVALS
from equipoise.model.inputs import DrivenNeuron, PoissonInputs, weights_for
from equipoise.quantities import Array
from equipoise.renewal.inverse import DEEPEST_MEAN, input_for
from equipoise.results import Recording, SpikeTrains, Status

if TYPE_CHECKING:
    import xarray as xr


def implied(trains: SpikeTrains | Recording, settings: AnalysisSettings | None = None) -> "xr.Dataset":
    """Implied set points, inputs and weights of each unit, were it the model neuron held where it is.

    All of `measures.summary`; `set_point_mean` [µM] and `set_point_second_moment` [µM^2] with `_low` and `_high`, the
    calcium of the unit's own spikes (`measures.calcium_moments`); the input `mu` [V/s] and `sigma` [V/sqrt(s)] that
    gives the neuron the unit's rate and irregularity; `j_e`, `j_i` [V] for each in-degree `k` (Eqs. 30-31). What is
    missing is NaN, with `input_status`, `set_point_status` and `weight_status`, and reasons.
    """
    settings = AnalysisSettings() if settings is None else settings
    dataset = summary(
        trains, refractory=settings.lvr_refractory, tau_ref=settings.neuron.tau_ref, confidence=settings.confidence
    )
    calcium = calcium_moments(trains, settings.sensor, confidence=settings.confidence)
    moments = {
        f"set_point_{name}{end}": ("unit", calcium[f"{name}{end}"].values, calcium[f"{name}{end}"].attrs)
        for name in ("mean", "second_moment")
        for end in ("", "_low", "_high")
    }
    dataset = dataset.assign(moments | {"set_point_status": ("unit", calcium["status"].values)})
    dataset = dataset.assign(inputs_of(dataset, settings))
    rate = float(dataset["rate"].mean()) if dataset.sizes["unit"] else 0.0
    return dataset.assign(weights_of(dataset, settings, rate)).assign_coords(k=list(settings.in_degrees))


# The input of the model neuron ---------------------------------------------------------------------------------------


def inputs_of(dataset: "xr.Dataset", settings: AnalysisSettings) -> dict[str, tuple]:
    """mu and sigma that give the model neuron each unit's rate and irregularity, or the reason why none do."""
    wanted = dataset["cv_local" if settings.irregularity == "local" else "cv"].values
    found = [
        _input(float(r), float(c), int(n), settings)
        for r, c, n in zip(dataset["rate"].values, wanted, dataset["n_intervals"].values, strict=True)
    ]
    mu, sigma, status, reason = (np.array(column) for column in zip(*found, strict=True))
    neuron = settings.neuron
    mean, sd = neuron.v_leak + mu * neuron.tau_m, sigma * np.sqrt(neuron.tau_m / 2.0)
    return {
        "irregularity": ("unit", wanted, about(f"C_v of the model neuron ({settings.irregularity})", "1")),
        "mu": ("unit", mu, about("mean input", "V/s")),
        "sigma": ("unit", sigma, about("noise amplitude of the input", "V/sqrt(s)")),
        "membrane_mean": ("unit", mean, about("mean membrane potential without threshold", "V")),
        "membrane_sd": ("unit", sd, about("sd of the membrane potential without threshold", "V")),
        "input_status": ("unit", status),
        "input_reason": ("unit", reason),
    }


def _input(rate: float, cv: float, n: int, settings: AnalysisSettings) -> tuple[float, float, str, str]:
    if not np.isfinite(cv):
        few = f"{n} intervals; {MIN_INTERVALS} are needed"
        reason = few if n < MIN_INTERVALS else "irregularity is undefined: its spikes coincide; is each stored once?"
        return np.nan, np.nan, Status.INSUFFICIENT_DATA.name, reason
    found = input_for(settings.neuron, rate=rate, cv=cv, throw=False)
    status = found.status if isinstance(found.status, Status) else found.status.item()
    reason = _input_reason(status, float(found.mu), found.message, settings)
    return float(found.mu), float(found.sigma), status.name, reason


def _input_reason(status: Status, mu: float, message: str, settings: AnalysisSettings) -> str:
    """Why an input is missing or implausible, in the words of an experiment."""
    if status is Status.OK:
        return ""
    neuron = settings.neuron
    depth = (neuron.v_reset - neuron.v_leak - mu * neuron.tau_m) / (neuron.v_threshold - neuron.v_reset)
    if status is Status.IMPLAUSIBLE and depth > DEEPEST_MEAN:
        too_deep = f"more than {DEEPEST_MEAN:g} is too deep"
        return f"needs a mean potential {depth:.1f} threshold distances below reset; {too_deep}"
    return message.removeprefix("input_for: ")


# The weights of the rule ---------------------------------------------------------------------------------------------


def minimal_in_degree(mu: Array, sigma: Array, rate_e: float, rate_i: float) -> Array:
    """Both weights of Eqs. 30-31 are positive iff K > mu^2/(lam sigma^2), lam = lamE if mu > 0, else lamI."""
    return mu**2 / (np.where(mu > 0, rate_e, rate_i) * sigma**2)


def weights_of(dataset: "xr.Dataset", settings: AnalysisSettings, population_rate: float) -> dict[str, tuple]:
    """Weights of every unit at every in-degree, with a status and a reason."""
    rate_e, rate_i = (population_rate if r is None else r for r in (settings.rate_e, settings.rate_i))
    mu, sigma = dataset["mu"].values, dataset["sigma"].values
    with np.errstate(invalid="ignore", divide="ignore"):
        least = minimal_in_degree(mu, sigma, rate_e, rate_i)
    rows = [
        [_weight(m, s, k_min, _cell_of(settings, K, rate_e, rate_i)) for K in settings.in_degrees]
        for m, s, k_min in zip(mu, sigma, least, strict=True)
    ]
    j_e, j_i, status, reason = (np.array([[cell[i] for cell in row] for row in rows]) for i in range(4))
    over = ("unit", "k")
    return {
        "input_rate_e": ((), rate_e, about("rate of each excitatory input", "Hz")),
        "input_rate_i": ((), rate_i, about("rate of each inhibitory input", "Hz")),
        "k_min": ("unit", least, about("in-degree above which both weights are positive", "1")),
        "j_e": (over, j_e, about("excitatory weight", "V")),
        "j_i": (over, j_i, about("inhibitory weight", "V")),
        "weight_status": (over, status),
        "weight_reason": (over, reason),
    }


def _cell_of(settings: AnalysisSettings, K: int, rate_e: float, rate_i: float) -> DrivenNeuron | None:
    """The model neuron with K + K Poisson inputs, or None where there is no activity to drive it."""
    if not min(rate_e, rate_i) > 0:
        return None
    return DrivenNeuron(settings.neuron, PoissonInputs(K=K, rate=rate_e), PoissonInputs(K=K, rate=rate_i))


def _weight(mu: float, sigma: float, k_min: float, cell: DrivenNeuron | None) -> tuple[float, float, str, str]:
    """Weights (J_E*, J_I*) [V] that give the input (mu, sigma) (Eqs. 30-31), with status and reason."""
    if cell is None:
        return np.nan, np.nan, Status.INSUFFICIENT_DATA.name, "the recorded population is silent; state input rates"
    if not np.isfinite(mu):
        return np.nan, np.nan, Status.INSUFFICIENT_DATA.name, "no input is known"
    weights = weights_for(cell, mu=mu, sigma=sigma)
    if weights is None or not (weights.j_e > 0 and weights.j_i > 0):
        return np.nan, np.nan, Status.INFEASIBLE.name, f"positive weights need K > {k_min:,.0f}"
    return float(weights.j_e), float(weights.j_i), Status.OK.name, ""


def about(meaning: str, units: str) -> dict[str, str]:
    """Attributes of a variable."""
    return {"long_name": meaning, "units": units}
