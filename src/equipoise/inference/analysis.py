"""A recording analysed as far as it allows: `analyze`, and the `Analysis` that it gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.inference.cells import cells, checked, provenance
from equipoise.inference.settings import AnalysisSettings
from equipoise.inference.topic_criticality import criticality_of, why_no_criticality
from equipoise.inference.topic_fields import fields_of, why_no_fields
from equipoise.inference.topic_populations import populations, too_small
from equipoise.inference.topic_spikes import spikes, too_short
from equipoise.inference.topic_stability import nothing_to_compare, stability
from equipoise.inference.topic_verdict import judged, not_asked
from equipoise.quantities import suggest
from equipoise.results import Epoch, Recording, write_whole

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One kind of result: what it tells, why a recording does not allow it ("" if it does), and the work."""

    about: str
    refusal: Callable[[Recording, AnalysisSettings], str]
    compute: Callable[[Recording, AnalysisSettings, Progress], "xr.Dataset"]
    share: float
    """Of the whole time, roughly."""


def _no_units(recording: Recording, _: AnalysisSettings) -> str:
    return "" if recording.spikes.n_units else "the recording has no units"


TOPICS: dict[str, Topic] = {
    "cells": Topic(
        about="rate, irregularity, calcium, model input and predicted weights of every unit",
        refusal=_no_units,
        compute=lambda recording, settings, tell: cells(recording, settings, progress=tell),
        share=1.0,
    ),
    "spikes": Topic(
        about="laws of intervals, Fano factors, correlations, synchrony and types of cells",
        refusal=too_short,
        compute=spikes,
        share=1.0,
    ),
    "stability": Topic(
        about="drift of single units beside that of their population, and recovery after a change",
        refusal=nothing_to_compare,
        compute=stability,
        share=0.1,
    ),
    "populations": Topic(
        about="mean-field inputs of each population, fitted to the rates and irregularities of its units",
        refusal=too_small,
        compute=populations,
        share=0.5,
    ),
    "verdict": Topic(
        about="which homeostatic rules are compatible with what a manipulation did",
        refusal=not_asked,
        compute=judged,
        share=1.0,
    ),
    "criticality": Topic(
        about="avalanches, their exponents and the branching ratio, each beside chance",
        refusal=why_no_criticality,
        compute=criticality_of,
        share=0.3,
    ),
    "fields": Topic(
        about="spectra of continuous signals, their aperiodic part and rhythms",
        refusal=why_no_fields,
        compute=fields_of,
        share=0.3,
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Analysis:
    """One Dataset per topic, why topics are `left_out`, and `attrs` with source, digest, settings and version."""

    topics: Mapping[str, "xr.Dataset"]
    left_out: Mapping[str, str]
    attrs: Mapping[str, str]

    def __getitem__(self, topic: str) -> "xr.Dataset":
        if topic in self.topics:
            return self.topics[topic]
        why = f"; it was left out: {self.left_out[topic]}." if topic in self.left_out else "."
        raise KeyError(f"Analysis: no topic {topic!r} among {', '.join(self.topics) or 'none'}{why}")

    def __contains__(self, topic: object) -> bool:
        return topic in self.topics

    def __iter__(self) -> Iterator[str]:
        return iter(self.topics)

    def __repr__(self) -> str:
        rows = [f"Analysis({self.attrs.get('source', '')})"]
        rows += [f"  {name:<12} {TOPICS[name].about}" for name in self.topics]
        rows += [f"  {name:<12} left out: {why}" for name, why in self.left_out.items()]
        return "\n".join(rows)

    def save(self, path: str | Path) -> Path:
        """Write all topics to one netCDF-4 file, a group each, whole or not at all."""
        import xarray as xr

        root = xr.Dataset(attrs={**self.attrs, **{f"left_out_{name}": why for name, why in self.left_out.items()}})
        tree = xr.DataTree.from_dict({"/": root, **{f"/{name}": data for name, data in self.topics.items()}})
        return write_whole(path, lambda place: tree.to_netcdf(place, engine="h5netcdf"))

    @classmethod
    def load(cls, path: str | Path) -> "Analysis":
        """Read a saved analysis into memory."""
        import xarray as xr

        with xr.open_datatree(path, engine="h5netcdf") as tree:
            attrs = {str(key): str(value) for key, value in tree.attrs.items()}
            topics = {name: child.to_dataset(inherit=False).load() for name, child in tree.children.items()}
        left_out = {k.removeprefix("left_out_"): v for k, v in attrs.items() if k.startswith("left_out_")}
        kept = {k: v for k, v in attrs.items() if not k.startswith("left_out_")}
        order = [name for name in TOPICS if name in topics]
        return cls(topics={name: topics[name] for name in order}, left_out=left_out, attrs=kept)


def analyze(
    recording: Recording,
    settings: AnalysisSettings | None = None,
    *,
    topics: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Everything that `recording` allows, or the `topics` asked for, as an Analysis.

    A topic that the recording does not allow (no units, one epoch only, no signals, ...) is left out with the reason.
    A recording without epochs is one epoch, "all".
    `progress` is called with the fraction done. Raises TypeError or ValueError for bad arguments, and ValueError for a
    recording that allows none.
    """
    settings = checked("analyze", recording, settings)
    if not recording.epochs:
        whole = Epoch("all", recording.spikes.t_start, recording.spikes.t_stop)
        recording = replace(recording, epochs=(whole,))
    wanted = _wanted(topics)
    refusals = {name: TOPICS[name].refusal(recording, settings) for name in wanted}
    left_out = {name: why for name, why in refusals.items() if why}
    todo = [name for name in wanted if not refusals[name]]
    if not todo:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise ValueError(f"analyze: the recording allows no topic asked for ({reasons}), got {recording!r}.")
    found, done, total = {}, 0.0, sum(TOPICS[name].share for name in todo)
    for name in todo:
        topic = TOPICS[name]
        found[name] = topic.compute(recording, settings, _within(progress, done / total, topic.share / total))
        done += topic.share
    return Analysis(topics=found, left_out=left_out, attrs=provenance(recording, settings))


def _wanted(topics: Sequence[str] | None) -> list[str]:
    for name in topics or ():
        if name not in TOPICS:
            raise ValueError(f"analyze: topics must be of {', '.join(TOPICS)}, got {name!r}.{suggest(name, TOPICS)}")
    return [name for name in TOPICS if topics is None or name in topics]


def _within(progress: Progress | None, start: float, share: float) -> Progress:
    """Progress of a part as progress of the whole."""
    return (lambda fraction: progress(start + share * fraction)) if progress else lambda _: None
