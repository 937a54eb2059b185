"""How far single units and their population drift between epochs, and how rates come back after a change."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.topic_epochs import Progress, labelled, ordered, part_of, phases_of, units_missing
from equipoise.measures import SetPointRecovery, drift, rate, set_point_recovery
from equipoise.measures.drift import Drift
from equipoise.quantities import seed_sequence
from equipoise.results import Epoch, Recording

if TYPE_CHECKING:
    import xarray as xr

LEAST_UNITS = 3
LEAST_HALF = 60.0
"""Seconds of each half of an epoch that stands alone."""
BINS = 20
"""Bins in which rates are followed after a change."""
ESTIMATES = {
    "unit": "unit_change",
    "population": "population_change",
    "excess": "excess",
    "correlation": "rank_correlation",
    "turnover": "turnover",
}
UNNAMED = "no epochs are named before and during"
RECOVERY = ("baseline", "displacement", "time_constant", "completeness", "overshoot", "responders")
_UNITS = {"unit_change": "log2", "population_change": "log2", "excess": "log2", "baseline": "Hz", "displacement": "Hz"}
_UNITS |= {"time_constant": "s"}


def nothing_to_compare(recording: Recording, settings: AnalysisSettings) -> str:
    """Why the recording does not allow this topic, or nothing; ValueError for an epoch that it does not have."""
    phases_of(recording, settings)
    missing = units_missing(recording, LEAST_UNITS)
    if missing or compared(recording):
        return missing
    return f"there are no two epochs after each other, and none of {2 * LEAST_HALF:g} s to compare its halves"


def compared(recording: Recording) -> list[tuple[Epoch, Epoch]]:
    """Epochs and those that follow them; the halves of the longest where none follows another."""
    epochs = ordered(recording)
    pairs = [(a, b) for a, b in pairwise(epochs) if b.start >= a.stop - 1e-9]
    if pairs:
        return pairs
    longest = max(epochs, key=lambda epoch: epoch.stop - epoch.start)
    middle = 0.5 * (longest.start + longest.stop)
    if middle - longest.start < LEAST_HALF:
        return []
    halves = ((longest.start, middle), (middle, longest.stop))
    first, second = (Epoch(f"{longest.name}, half {i}", *ends) for i, ends in enumerate(halves, 1))
    return [(first, second)]


def stability(recording: Recording, settings: AnalysisSettings, progress: Progress) -> "xr.Dataset":
    """Drift over (comparison, unit) and of the population, with both nulls of `measures.drift`.

    `unit_change` and `population_change` [log2], `excess`, `rank_correlation` and `turnover` (comparison,) with
    `_low` and `_high`; the counting null of `unit_change`, `counting_low` to `counting_high`, with `p_counting`, and
    `p_independent`. Where epochs are named before and during: `trace` (time,) [Hz] after the change, and what
    `measures.set_point_recovery` makes of it; attrs["recovery"] says why there is none.
    """
    import xarray as xr

    pairs = compared(recording)
    seeds, parts = seed_sequence(settings.seed).spawn(len(pairs) + 1), []
    for k, pair in enumerate(pairs):
        parts.append(_comparison(recording, pair, settings, seeds[k]))
        progress((k + 1) / len(pairs))
    found = xr.concat(parts, dim="comparison").assign_coords(
        first=("comparison", [a.name for a, _ in pairs]), second=("comparison", [b.name for _, b in pairs])
    )
    return _with_recovery(labelled(found, recording), recording, settings, seeds[-1])


def _comparison(
    recording: Recording, pair: tuple[Epoch, Epoch], settings: AnalysisSettings, seed: np.random.SeedSequence
) -> "xr.Dataset":
    parts = [part_of(recording, epoch) for epoch in pair]
    found = drift(parts[0], parts[1], confidence=settings.confidence, seed=_number(seed))
    rates = {f"rate_{name}": _bare(rate(part)) for name, part in zip(("first", "second"), parts, strict=True)}
    return found.dataset().assign(rates).assign(_numbers(found))


def _numbers(found: Drift) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, new in ESTIMATES.items():
        columns |= _estimate(new, getattr(found, name))
    low, high = found.null
    nulls = {"counting_low": ((), low, {"units": "log2"}), "counting_high": ((), high, {"units": "log2"})}
    return columns | nulls | {"p_counting": found.p_counting, "p_independent": found.p_independent}


def _estimate(name: str, found: Any) -> dict[str, Any]:
    about = {"units": _UNITS.get(name, "1")}
    ends = {"": found.value, "_low": found.low, "_high": found.high}
    return {name + end: ((), value, about) for end, value in ends.items()} | {f"{name}_status": found.status.name}


def _with_recovery(
    dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings, seed: np.random.SeedSequence
) -> "xr.Dataset":
    """The course of rates after the manipulation began, or why there is none."""
    phases = phases_of(recording, settings)
    window, why = _followed(phases)
    if window is None:
        return dataset.assign_attrs(recovery=why)
    start, change, stop = window
    width = min((stop - change) / BINS, change - start)
    part = part_of(recording, Epoch("followed", start, stop))
    found = set_point_recovery(part, change=change, width=width, confidence=settings.confidence, seed=_number(seed))
    return dataset.assign(_course(found)).assign_attrs(recovery="", bin_width=width)


def _followed(phases: dict[str, Epoch]) -> tuple[tuple[float, float, float] | None, str]:
    """Start, change and stop of the stretch around the onset of a manipulation [s], or None and why."""
    lasting = [phases[name] for name in ("acute", "during") if name in phases]
    if "before" not in phases or not lasting:
        return None, UNNAMED
    before, stretches = phases["before"], [phases["before"], *lasting]
    if any(abs(b.start - a.stop) > 1e-6 for a, b in pairwise(stretches)):
        return None, "the epochs before and during do not follow each other without a gap"
    change, stop = lasting[0].start, lasting[-1].stop
    return (before.start, change, stop), ""


def _course(found: SetPointRecovery) -> dict[str, Any]:
    columns: dict[str, Any] = {"trace": ("time", found.trace, {"units": "Hz"})}
    for name in RECOVERY:
        columns |= _estimate(name, getattr(found, name))
    units = {"unit_baseline": found.unit_baseline, "unit_overshoot": found.unit_overshoot, "responds": found.responds}
    columns |= {name: ("unit", values) for name, values in units.items()}
    return columns | {"time": ("time", found.time, {"units": "s"})}


def _number(seed: np.random.SeedSequence) -> int:
    return int(seed.generate_state(1)[0])


def _bare(array: "xr.DataArray") -> "xr.DataArray":
    return array.reset_coords(drop=True)
