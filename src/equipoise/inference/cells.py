"""From recorded spikes to the homeostasis of one cell: `cells`.

Per unit and epoch: rate and irregularity; both calcium moments of the actual spikes beside what simpler descriptions of
the same spikes predict; the input that makes the model neuron fire like the unit; and the weights at which calcium
homeostasis would hold it there.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.implied import about, implied
from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.surrogates import calcium_of, surrogate_calcium
from equipoise.measures import group
from equipoise.measures.nulls import displaced, shuffled
from equipoise.quantities import Array
from equipoise.recordings import digest
from equipoise.renewal.calcium import calcium_moments
from equipoise.renewal.laws import EmpiricalISI, ExponentialISI, NeuronISI
from equipoise.results import Epoch, Recording, Status

if TYPE_CHECKING:
    import xarray as xr

SHORTEST = 30.0  # time constants of calcium; in a shorter epoch its unknown start still weighs on the averages
MOMENTS = ("mean", "second_moment")
SOURCES = {
    "actual": "the spikes as recorded",
    "renewal": "renewal process with the unit's own intervals (Theorem 1)",
    "shuffled": "the unit's own intervals in random order",
    "inhomogeneous": "Poisson process with the unit's smoothed rate",
    "poisson": "Poisson process with the unit's mean rate",
    "model": "the model neuron under the inferred input",
}
GAPS = {
    "serial_gap": ("actual", "shuffled", "serial correlation of intervals"),
    "interval_gap": ("renewal", "poisson", "shape of the interval distribution"),
    "modulation_gap": ("inhomogeneous", "poisson", "slow modulation of the rate"),
    "remaining_gap": ("actual", "inhomogeneous", "what the smoothed rate leaves unexplained"),
}
Progress = Callable[[float], None]


def cells(
    recording: Recording, settings: AnalysisSettings | None = None, *, progress: Progress | None = None
) -> "xr.Dataset":
    """Every unit in every epoch; a Dataset over (unit, epoch), with `source`, `moment` and `k` beside.

    Holds all of `implied`: `measures.summary`, set points, the model neuron's input with the mean and sd of its
    membrane without threshold [V], and weights for each in-degree `k`; `calcium_mean` [µM] and `calcium_second_moment`
    [µM^2] per `source` (see `SOURCES`), with `_low` and `_high`, the central 95 % of the surrogates; the gaps between
    the sources as fractions of the actual moment (see `GAPS`). `input_status`, `calcium_status` and `weight_status`
    say what is missing, `input_reason` and `weight_reason` why. `progress` is called with the fraction done. Raises
    TypeError for other arguments and ValueError for a recording without units or epochs.
    """
    import xarray as xr

    settings = checked("cells", recording, settings)
    if recording.spikes.n_units == 0 or not recording.epochs:
        raise ValueError(f"cells: the recording must have at least one unit and one epoch, got {recording!r}.")
    parts = []
    for i, epoch in enumerate(recording.epochs):
        n = recording.spikes.n_units
        here = _Steps(progress, i * n, len(recording.epochs) * n)
        parts.append(_epoch(recording, epoch, i, settings, here))
    dataset = xr.concat(parts, dim="epoch", data_vars="all", coords="minimal", compat="override", join="override")
    labels = {key: ("unit", list(values)) for key, values in recording.labels.items()}
    return dataset.assign_coords(labels).assign_attrs(provenance(recording, settings))


def checked(function: str, recording: Recording, settings: AnalysisSettings | None) -> AnalysisSettings:
    """The settings, after a look at what was given."""
    settings = AnalysisSettings() if settings is None else settings
    if not isinstance(recording, Recording):
        raise TypeError(f"{function}: recording must be a Recording, got {recording!r}. Use eq.recordings.load(path).")
    if not isinstance(settings, AnalysisSettings):
        raise TypeError(f"{function}: settings must be an AnalysisSettings, got {settings!r}.")
    return settings


class _Steps:
    """Counts finished units and reports the fraction done."""

    def __init__(self, report: Progress | None, done: int, total: int):
        self.report, self.done, self.total = report, done, total

    def step(self) -> None:
        self.done += 1
        if self.report:
            self.report(self.done / self.total)


def _epoch(recording: Recording, epoch: Epoch, index: int, settings: AnalysisSettings, steps: _Steps) -> "xr.Dataset":
    spikes = recording.during(epoch)
    part = Recording(spikes, recording.unit_names, (epoch,))
    dataset = implied(part, settings)
    dataset = dataset.assign(_calcium(part, dataset, index, settings, steps))
    dataset = dataset.assign_coords(source=list(SOURCES), moment=list(MOMENTS))
    dataset.attrs.clear()  # those of one epoch
    return dataset.expand_dims(epoch=[epoch.name]).assign_coords(
        start=("epoch", [epoch.start]), stop=("epoch", [epoch.stop])
    )


# Calcium and its predictions -----------------------------------------------------------------------------------------


def _calcium(
    recording: Recording, dataset: "xr.Dataset", epoch: int, settings: AnalysisSettings, steps: _Steps
) -> dict[str, tuple]:
    """Calcium moments by source and the gaps between sources; units without enough spikes are labelled."""
    spikes, grouped = recording.spikes, group(recording)
    window = (spikes.t_start, spikes.t_stop)
    values = np.full((3, spikes.n_units, len(SOURCES), 2), np.nan)  # value, low, high
    enough = (dataset["status"] == Status.OK.name).values
    for u in range(spikes.n_units):
        model = (float(dataset["mu"][u]), float(dataset["sigma"][u]))
        values[:, u] = _sources(grouped.unit(u), window, bool(enough[u]), model, (epoch, u), settings)
        steps.step()
    variables = _calcium_variables(values)
    variables |= {name: _gap(values, *pair) for name, pair in GAPS.items()}
    variables["serial_order_matters"] = (("unit", "moment"), _outside(values, "actual", "shuffled"))
    known = enough & (spikes.duration >= SHORTEST * settings.sensor.tau)
    text = np.where(known, Status.OK.name, Status.INSUFFICIENT_DATA.name)
    return variables | {"calcium_status": ("unit", text)}


def _sources(times: Array, window, enough: bool, model, place: tuple[int, int], settings: AnalysisSettings) -> Array:
    """Both moments (value, low, high) of every source; sources that need intervals are NaN without enough of them."""
    sensor, n = settings.sensor, settings.surrogates
    values = np.full((3, len(SOURCES), 2), np.nan)
    values[:, 0] = calcium_of(times, sensor, window)
    if enough:
        # A generator per unit, epoch and kind: no unit's surrogates depend on the other units of the file.
        one, two = (np.random.default_rng([settings.seed, *place, kind]) for kind in (0, 1))
        mixed = surrogate_calcium(lambda: shuffled(times, one), n, sensor, window)
        moved = surrogate_calcium(
            lambda: displaced(times, width=settings.smoothing, window=window, rng=two), n, sensor, window
        )
        values[:, 1] = calcium_moments(sensor, EmpiricalISI(intervals=np.diff(times)))
        values[:, 2] = mixed.mean, mixed.low, mixed.high
        values[:, 3] = moved.mean, moved.low, moved.high
        values[:, 4] = calcium_moments(sensor, ExponentialISI(rate=times.size / (window[1] - window[0])))
    if np.isfinite(model).all():
        values[:, 5] = np.squeeze(calcium_moments(sensor, NeuronISI(settings.neuron, mu=model[0], sigma=model[1])))
    return values


def _calcium_variables(values: Array) -> dict[str, tuple]:
    variables = {}
    for m, (name, unit) in enumerate(zip(MOMENTS, ("uM", "uM^2"), strict=True)):
        for e, end in enumerate(("", "_low", "_high")):
            meaning = about(f"calcium {name.replace('_', ' ')}{end.replace('_', ', ')}", unit)
            variables[f"calcium_{name}{end}"] = (("unit", "source"), values[e, :, :, m], meaning)
    return variables


def _gap(values: Array, first: str, second: str, meaning: str) -> tuple:
    """(first - second)/actual for both moments."""
    names = list(SOURCES)
    difference = values[0, :, names.index(first)] - values[0, :, names.index(second)]
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = difference / values[0, :, 0]
    return (("unit", "moment"), fraction, about(f"({first} - {second})/actual: {meaning}", "1"))


def _outside(values: Array, first: str, second: str) -> NDArray[np.bool_]:
    """Whether a source lies outside the central 95 % of the surrogates of another (False where unknown)."""
    a, b = list(SOURCES).index(first), list(SOURCES).index(second)
    return (values[0, :, a] < values[1, :, b]) | (values[0, :, a] > values[2, :, b])


def provenance(recording: Recording, settings: AnalysisSettings) -> dict[str, str]:
    """Where an analysis comes from and what it assumes, as text."""
    from equipoise import __version__

    return {
        "title": "equipoise analyze",
        "source": recording.source or "unnamed recording",
        "digest": digest(recording),
        "equipoise_version": __version__,
        "settings": json.dumps(settings.table(), ensure_ascii=False),
        "irregularity": settings.irregularity,
        "confidence": f"{settings.confidence:g}",
        "neuron": repr(settings.neuron),
    }
