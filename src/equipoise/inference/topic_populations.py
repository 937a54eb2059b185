"""What units say as populations: the mean-field fit of each, beside the rates that it was fitted to."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.inference.fit import LEAST_UNITS, FitSettings, fit
from equipoise.inference.fit_data import Indices, populations_of
from equipoise.inference.fit_likelihood import Response
from equipoise.inference.fit_result import Fit, PopulationFit
from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.topic_epochs import Progress, ordered, typed, units_missing
from equipoise.quantities import Array
from equipoise.results import Recording

if TYPE_CHECKING:
    import xarray as xr

QUANTILES = np.linspace(0.005, 0.995, 100)


def too_small(recording: Recording, _: AnalysisSettings) -> str:
    """Why the recording does not allow this topic, or nothing."""
    missing = units_missing(recording, LEAST_UNITS)
    if missing or any(units.size >= LEAST_UNITS for units in groups_of(recording).values()):
        return missing
    return f"no population has {LEAST_UNITS} units"


def groups_of(recording: Recording) -> dict[str, Indices]:
    """Units by type where types are known, else by region, else all as one."""
    recording = typed(recording)
    types = recording.labels.get("type", ())
    regional = any(recording.labels.get("region", ())) and not any(t in ("E", "I") for t in types)
    return populations_of(recording, "region" if regional else None)


def populations(recording: Recording, settings: AnalysisSettings, progress: Progress) -> "xr.Dataset":
    """The table of `fit` over (population, epoch), with `message`, and the rates that it is about.

    `rate` [Hz] (unit, epoch) of each unit and the `population` it counts to (`member`); `fitted_rate` [Hz]
    (population, epoch, quantile) of the fitted population; `mu_sigma_correlation` of the errors of mu and sigma;
    `persistence` (population, change) of mu_i from one epoch to the next, with its interval.
    """
    groups, epochs = groups_of(recording), ordered(recording)
    how = FitSettings(irregularity=settings.irregularity, bootstrap=settings.replicas, confidence=settings.confidence)
    found = fit(recording, how, neuron=settings.neuron, sensor=settings.sensor, populations=groups, seed=settings.seed)
    progress(0.9)
    table = found.table().rename(rate="mean_rate").sel(epoch=[epoch.name for epoch in epochs])
    return table.assign(_of_fits(found, table)).assign(_of_units(recording, groups)).assign(_persistence(found, table))


def _of_fits(found: Fit, table: "xr.Dataset") -> dict[str, Any]:
    """What the table of a fit leaves out."""
    names, epochs = (table[dim].values for dim in ("population", "epoch"))
    fits = [[found[str(name), str(epoch)] for epoch in epochs] for name in names]
    dims, response = ("population", "epoch"), Response(found.neuron)
    columns = {"message": lambda one: one.message, "mu_sigma_correlation": _correlation}
    variables: dict[str, Any] = {key: (dims, [[f(one) for one in row] for row in fits]) for key, f in columns.items()}
    rates = [[_quantiles(response, one) for one in row] for row in fits]
    about = {"units": "Hz"}
    return variables | {"fitted_rate": ((*dims, "quantile"), rates, about), "quantile": ("quantile", QUANTILES)}


def _correlation(one: PopulationFit) -> float:
    """Of the errors of mu and of log sigma; NaN where there are none."""
    mu, sigma = one.covariance[0, 0], one.covariance[2, 2]
    return float(one.covariance[0, 2] / np.sqrt(mu * sigma)) if mu > 0.0 and sigma > 0.0 else np.nan


def _quantiles(response: Response, one: PopulationFit) -> Array:
    """Rates [Hz] of the fitted population at `QUANTILES`."""
    from scipy.special import ndtri

    if not one.status.usable:
        return np.full(QUANTILES.size, np.nan)
    law = one.law
    return np.exp(response.values(law.mu + law.delta * ndtri(QUANTILES), law.sigma)[0])


def _of_units(recording: Recording, groups: dict[str, Indices]) -> dict[str, Any]:
    parts = [recording.during(epoch) for epoch in ordered(recording)]
    rates = [np.bincount(part.units, minlength=part.n_units) / part.duration for part in parts]
    member = np.full(recording.spikes.n_units, "", dtype=object)
    for name, units in groups.items():
        member[units] = name
    return {
        "rate": (("unit", "epoch"), np.array(rates).T, {"units": "Hz"}),
        "member": ("unit", member.astype(str)),
        "unit": ("unit", list(recording.unit_names)),
    }


def _persistence(found: Fit, table: "xr.Dataset") -> dict[str, Any]:
    """Correlation of mu_i between neighbouring epochs, NaN where there is none."""
    epochs = [str(epoch) for epoch in table["epoch"].values]
    changes = list(pairwise(epochs))
    if not changes:
        return {}
    names = [str(name) for name in table["population"].values]
    rows = [
        [found.persistence.get((name, a, b), found.persistence.get((name, b, a))) for a, b in changes] for name in names
    ]
    ends = {"persistence": "value", "persistence_low": "low", "persistence_high": "high"}
    variables: dict[str, Any] = {
        key: (("population", "change"), [[getattr(one, end) if one else np.nan for one in row] for row in rows])
        for key, end in ends.items()
    }
    return variables | {"from": ("change", [a for a, _ in changes]), "to": ("change", [b for _, b in changes])}
