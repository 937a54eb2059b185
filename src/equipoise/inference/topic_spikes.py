"""What spikes say unit by unit and together: laws of intervals, variability of counts, correlations, synchrony.

Every number that compares units has a null beside it: for correlations and synchrony each unit is moved in time by an
amount of its own, for correlograms spikes are drawn anew within short blocks.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.topic_epochs import Progress, labelled, ordered, part_of, typed, units_missing, widths
from equipoise.measures import Jitter, cell_types, fano, group, isi_laws, mean_correlation, mean_correlogram, synchrony
from equipoise.quantities import seed_sequence
from equipoise.results import Epoch, Recording, Status

if TYPE_CHECKING:
    import xarray as xr

WINDOWS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Counting windows of Fano factors [s]."""
LAGS, BLOCK = 20, 5
"""Bins of a correlogram to either side, and of a block of its null."""
LEAST_WINDOWS = 20
LEAST_PAIRS = 10
"""Pairs of units below which drawing units again says nothing about the error of their mean."""
FEWEST, MOST = 20, 1.5e9
"""Least number of jittered copies, and coincidences that are counted in all of them."""
LAW = {"weight": "law_weight", "p_value": "law_p", "cv": "law_cv", "status": "law_status"}
ENDS = ("low", "high", "null_low", "null_high")


def too_short(recording: Recording, settings: AnalysisSettings) -> str:
    """Why the recording does not allow this topic, or nothing."""
    missing = units_missing(recording)
    if missing or _usable(recording, settings):
        return missing
    return f"no epoch holds {LEAST_WINDOWS} windows of {settings.count_window:g} s"


def spikes(recording: Recording, settings: AnalysisSettings, progress: Progress) -> "xr.Dataset":
    """Interval laws (epoch, unit, law), Fano factors (epoch, window, unit), correlations (epoch, pair), synchrony.

    `coincidence` (epoch, pair, lag) are pairs of spikes beside what jitter leaves, 1 where nothing is timed, with the
    range `coincidence_null_low` to `_high` that a correlogram without fine timing leaves anywhere with probability 1 -
    `confidence` at most, and `coincidence_p`. Labels of units are coordinates; `type_source` (unit,) says how `type` is
    known. Epochs that are too short are left out, see attrs["short_epochs"].
    """
    import xarray as xr

    given, recording, epochs = recording, typed(recording), _usable(recording, settings)
    seeds, parts = seed_sequence(settings.seed).spawn(len(epochs)), []
    for i, epoch in enumerate(epochs):
        parts.append(_epoch(part_of(recording, epoch), settings, seeds[i]))
        progress((i + 1) / len(epochs))
    times = {"start": ("epoch", [e.start for e in epochs]), "stop": ("epoch", [e.stop for e in epochs])}
    found = xr.concat(parts, dim="epoch", data_vars="all", coords="minimal", compat="override", join="override")
    types = cell_types(given, trough_to_peak=widths(given))
    found["type_source"] = types["source"]
    short = [e.name for e in ordered(recording) if e not in epochs]
    attrs = {"count_window": settings.count_window, "coincidence_window": settings.coincidence_window}
    found = labelled(found.assign_coords(epoch=[e.name for e in epochs], **times), recording)
    return found.assign_attrs(**attrs, short_epochs=", ".join(short))


def _usable(recording: Recording, settings: AnalysisSettings) -> tuple[Epoch, ...]:
    least = LEAST_WINDOWS * max(settings.count_window, settings.coincidence_window) * (1.0 - 1e-9)
    return tuple(e for e in ordered(recording) if e.stop - e.start >= least)


def _epoch(part: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence) -> "xr.Dataset":
    import xarray as xr

    laws, correlations, jitter, together = seed.spawn(4)
    variables = _laws(part, settings, laws) | _fano(part, settings) | _correlations(part, settings, correlations)
    found = xr.Dataset(variables | _synchrony(part, settings, together))
    return found.merge(_coincidences(part, settings, jitter))


def _laws(part: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence) -> "dict[Any, xr.DataArray]":
    """How well each law describes the intervals of each unit, and which describes them best."""
    found = isi_laws(part, seed=seed, samples=settings.surrogates, confidence=settings.confidence)
    columns = {new: found[old] for old, new in LAW.items()}
    best = found["law"] == found["best"]
    return columns | {
        "best_law": found["best"],
        "best_p": found["p_value"].where(best).max("law"),
        "n_intervals": found["n"],
    }


def _fano(part: Recording, settings: AnalysisSettings) -> "dict[Any, xr.DataArray]":
    found = fano(part, window=WINDOWS, confidence=settings.confidence)
    return {"fano": _bare(found)} | {f"fano_{end}": _bare(found[end]) for end in (*ENDS, "status")}


def _correlations(
    part: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence
) -> "dict[Any, xr.DataArray]":
    window, repeats = settings.count_window, settings.surrogates
    found = mean_correlation(part, window=window, seed=seed, samples=repeats, confidence=settings.confidence)
    columns = {f"correlation_{name}": found[name] for name in (*ENDS, "n", "status")}
    for end in ("low", "high"):
        columns[f"correlation_{end}"] = found[end].where(found["n"] >= LEAST_PAIRS)
    return {"correlation": found["value"]} | columns


def _synchrony(part: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence) -> "dict[Any, Any]":
    width, repeats = settings.coincidence_window, settings.surrogates
    found = synchrony(part, width=width, seed=seed, samples=repeats, confidence=settings.confidence)
    names = (*ENDS, "p_value", "independent")
    return {"synchrony": float(found)} | {
        f"synchrony_{name}": float(found[name]) if name in found.coords else np.nan for name in names
    }


def _coincidences(part: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence) -> "xr.Dataset":
    """Correlograms beside those of jittered spikes; without a null where there are too many spikes for one."""
    width, repeats = settings.coincidence_window, _copies(part, settings)
    jitter = Jitter(width=BLOCK * width, seed=seed, samples=repeats) if repeats else None
    found = mean_correlogram(part, bin=width, max_lag=LAGS * width, jitter=jitter, confidence=settings.confidence)
    if jitter is None:
        nothing = found["covariance"] * np.nan
        ratios = dict.fromkeys(("coincidence", "coincidence_null_low", "coincidence_null_high"), nothing)
        found = found.drop_vars(found.data_vars).assign(ratios)
        return found.assign(coincidence_p=nothing.isel(lag=0, drop=True), jittered_copies=0)
    known = (found["status"] == Status.OK.name) & (found["null_mean"] > 0.0)
    expected = found["null_mean"].where(known)
    return (
        (found[["counts", "band_low", "band_high"]] / expected)
        .rename(counts="coincidence", band_low="coincidence_null_low", band_high="coincidence_null_high")
        .assign(coincidence_p=found["p_value"].where(found["status"] == Status.OK.name), jittered_copies=repeats)
    )


def _copies(part: Recording, settings: AnalysisSettings) -> int:
    """How many jittered copies there is time for; none below `FEWEST`."""
    grouped = group(part)
    n = float(grouped.times.size)
    # "all" and E-E, E-I and I-I together look at each pair of spikes about twice.
    once = 2.0 * n * (1.0 + n * (2 * LAGS + 1) * settings.coincidence_window / grouped.duration)
    copies = min(settings.surrogates, int(MOST / max(once, 1.0)))
    return copies if copies >= FEWEST else 0


def _bare(array: "xr.DataArray") -> "xr.DataArray":
    """Without coordinates other than its axes."""
    return array.reset_coords(drop=True)
