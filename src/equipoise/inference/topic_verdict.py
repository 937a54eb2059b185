"""Which homeostatic rules a recording before, during and after a named manipulation is compatible with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.inference.observations import Observations, observe
from equipoise.inference.operating import Operating
from equipoise.inference.perturbations import perturbation_of
from equipoise.inference.predictions import OBSERVABLES, Predictions
from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.topic_epochs import Progress, phases_of, putative, typed, units_missing
from equipoise.inference.verdict import Verdict, VerdictSettings, predicted_for, unmatched, verdict
from equipoise.model.neurons import LIF
from equipoise.results import NumericalFailure, Recording

if TYPE_CHECKING:
    import xarray as xr

PUTATIVE = "Types of units are putative, from the widths of their spikes."
ENDS = (0.025, 0.25, 0.5, 0.75, 0.975)
"""Quantiles of predictions that are kept."""


def not_asked(recording: Recording, settings: AnalysisSettings) -> str:
    """Why there is no verdict to give, or nothing; ValueError for a manipulation or an epoch that is not known."""
    if settings.manipulation is None:
        return "no manipulation is named"
    perturbation_of(settings.manipulation)
    phases = phases_of(recording, settings)
    if "before" not in phases or len(phases) < 2:
        return "no epochs are named before the manipulation and during or after it"
    if not isinstance(settings.neuron, LIF):
        return "predictions of rules are for LIF neurons"
    return units_missing(recording)


def judged(recording: Recording, settings: AnalysisSettings, progress: Progress) -> "xr.Dataset":
    """The verdict: numbers over rules, what was observed and what each rule predicts over (phase, observable).

    `observed` and its `error` are logarithms beside before; `predicted` (rule, phase, observable, quantile). attrs:
    the `decision`, the `reason`, caveats, the manipulation, and which epochs are its phases.
    """
    assert settings.manipulation is not None
    assert isinstance(settings.neuron, LIF)
    phases = phases_of(recording, settings)
    how = VerdictSettings(
        operating=Operating(neuron=settings.neuron, sensor=settings.sensor),
        draws=settings.draws, duration=settings.manipulated, washout=settings.washout,
    )  # fmt: skip
    seen = observe(typed(recording), phases, sensor=settings.sensor, seed=settings.seed)
    progress(0.1)
    try:
        predicted = predicted_for(seen, settings.manipulation, how, seed=settings.seed)
        found = verdict(seen, predicted=predicted, settings=how)
    except NumericalFailure as failure:
        predicted, found = (), unmatched(seen, failure)
    named = ", ".join(phase if phase == epoch.name else f"{phase}: {epoch.name}" for phase, epoch in phases.items())
    caveats = (*found.caveats, *((PUTATIVE,) if putative(recording) else ()))
    facts = {"manipulation": settings.manipulation, "phases": named, "caveats": "\n".join(caveats)}
    limits = {"threshold": how.threshold, "least_p": how.least_p}
    return _dataset(seen, predicted, found).assign_attrs(facts | limits)


def _dataset(seen: Observations, predicted: Sequence[Predictions], found: Verdict) -> "xr.Dataset":
    dims, about = ("phase", "observable"), {"units": "1", "long_name": "log of the observable beside before"}
    error = np.sqrt(np.diag(seen.covariance)).reshape(seen.values.shape)
    variables: dict[str, Any] = {"observed": (dims, seen.values, about), "error": (dims, error, about)}
    by_name = {one.name: one for one in predicted}
    rows = [np.quantile(by_name[rule].at(seen.phases), ENDS, axis=0) for rule in found.rules]
    if rows:
        variables["predicted"] = (("rule", "quantile", *dims), np.array(rows), about)
    coords = {"phase": list(seen.phases), "observable": list(OBSERVABLES), "quantile": list(ENDS)}
    units = {"units_E": seen.units[0], "units_I": seen.units[1]}
    return found.dataset().assign(variables).assign_coords(coords).assign_attrs(units)
