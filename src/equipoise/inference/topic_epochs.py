"""What topics of an analysis share: epochs, types of units, and the phases of a manipulation."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference.fit_data import epochs_of
from equipoise.inference.settings import STAGES, AnalysisSettings
from equipoise.measures import cell_types
from equipoise.quantities import Array, suggest
from equipoise.results import Epoch, Recording

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]
WIDTHS = "trough_to_peak"
"""Label of the units that holds the width of their spikes [s] as text."""


def units_missing(recording: Recording, least: int = 1) -> str:
    """Why there are too few units, or nothing."""
    n = recording.spikes.n_units
    if n == 0:
        return "the recording has no units"
    return "" if n >= least else f"{n} units; {least} are needed"


def part_of(recording: Recording, epoch: Epoch) -> Recording:
    """The spikes of one epoch with the names and labels of their units."""
    return Recording(recording.during(epoch), recording.unit_names, (epoch,), recording.source, recording.labels)


def ordered(recording: Recording) -> tuple[Epoch, ...]:
    """All epochs by their start; the whole recording where it has none."""
    return tuple(sorted(epochs_of(recording, None), key=lambda epoch: (epoch.start, epoch.stop)))


def typed(recording: Recording) -> Recording:
    """The recording with types of units from labels, or else from the widths of their spikes."""
    types = tuple(str(t) for t in cell_types(recording, trough_to_peak=widths(recording))["type"].values)
    return replace(recording, labels={**recording.labels, "type": types}) if any(types) else recording


def putative(recording: Recording) -> bool:
    """Whether types of units are known from the widths of their spikes only."""
    return "waveform" in cell_types(recording, trough_to_peak=widths(recording))["source"].values


def widths(recording: Recording) -> Array | None:
    """Trough-to-peak widths [s] (units,) from the label of that name, NaN where it holds no number."""
    if WIDTHS not in recording.labels:
        return None
    return np.array([_number(text) for text in recording.labels[WIDTHS]])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def labelled(dataset: "xr.Dataset", recording: Recording) -> "xr.Dataset":
    """The dataset with the labels of the units as coordinates."""
    return dataset.assign_coords({key: ("unit", list(values)) for key, values in recording.labels.items()})


def phases_of(recording: Recording, settings: AnalysisSettings) -> dict[str, Epoch]:
    """The epochs that are "before" and the phases of a manipulation: those of these names, and those of the settings.

    Raises ValueError for an epoch that the recording does not have.
    """
    known = {epoch.name: epoch for epoch in recording.epochs}
    found = {phase: known[phase] for phase in STAGES if phase in known}
    for phase, name in settings.phases.items():
        if name not in known:
            raise ValueError(
                f"analyze: settings.phases[{phase!r}] must name an epoch of the recording, got {name!r}."
                + (suggest(name, known) or f" Epochs: {', '.join(known) or 'none'}.")
            )
        found[phase] = known[name]
    return {phase: found[phase] for phase in STAGES if phase in found}
