"""The report on recorded units as one HTML file."""

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report import figures, tables
from equipoise.report.parts import bullets, figure, page, section, table
from equipoise.report.words import CAPTIONS, CAVEATS, METHODS
from equipoise.results import Recording, write_whole

if TYPE_CHECKING:
    import xarray as xr


def write_html(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings, path: str | Path) -> Path:
    """Write the page of an analysis to `path`."""
    text = html(dataset, recording, settings)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def html(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> str:
    """The page of an analysis."""
    title = f"{recording.source or 'Recording'}: excitatory-inhibitory homeostasis of recorded units"
    sections = [
        _head(dataset, recording, title),
        section("At a glance", _glance(dataset)),
        section("Figures", _figures(dataset, recording, settings)),
        section("What is flagged, and why", _flags(dataset)),
        *(section(f"Tables: {name}", _tables(dataset, i)) for i, name in enumerate(_epochs(dataset))),
        section("What these numbers do not mean", bullets(CAVEATS)),
        section("Methods", _methods(dataset)),
    ]
    return page(title, sections)


def _epochs(dataset: "xr.Dataset") -> list[str]:
    return [escape(str(name)) for name in dataset["epoch"].values]


def _head(dataset: "xr.Dataset", recording: Recording, title: str) -> str:
    spikes = recording.spikes
    epochs = ", ".join(f"{escape(e.name)} {e.stop - e.start:g} s" for e in recording.epochs)
    facts = (
        f"{spikes.n_units} units, {spikes.times.size:,} spikes; {epochs}. "
        f"equipoise {escape(dataset.attrs['equipoise_version'])}, "
        f"digest of the spikes <code>{dataset.attrs['digest'][:16]}</code>."
    )
    return f"<header><h1>{escape(title)}</h1><p class='facts'>{facts}</p></header>"


def _glance(dataset: "xr.Dataset") -> str:
    return bullets([_glance_at(dataset.isel(epoch=i), name) for i, name in enumerate(_epochs(dataset))])


def _glance_at(part: "xr.Dataset", name: str) -> str:
    """One epoch in a sentence or two."""
    low, high, local_low, local_high = (
        tables.number(f(part[cv].values)) for cv in ("cv", "cv_local") for f in (_smallest, _largest)
    )
    gaps = ("serial_gap", "modulation_gap", "remaining_gap")
    serial, modulation, remaining = (
        tables.percent(_median(part[gap].sel(moment="second_moment").values)) for gap in gaps
    )
    order = int(part["serial_order_matters"].sel(moment="second_moment").sum())
    status = ", ".join(f"{n} {words}" for words, n in tables.counts(part).items())
    return (
        f"<b>{name}</b>: median rate {tables.number(_median(part['rate'].values))} Hz; global C<sub>v</sub> {low} to "
        f"{high}, local {local_low} to {local_high}. Second moment of calcium: slow rate modulation contributes "
        f"{modulation} %, the order of the intervals {serial} %, and {remaining} % are beyond a Poisson process with "
        f"the smoothed rate (medians over units; the order matters in {order} of {part.sizes['unit']} units). "
        f"Model input: {status}."
    )


def _figures(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> str:
    with plotting.style():
        made = {
            "raster": figures.raster_figure(recording, dataset),
            "rates": figures.rate_figure(dataset),
            "calcium_second_moment": figures.calcium_figure(dataset, "second_moment"),
            "calcium_mean": figures.calcium_figure(dataset, "mean"),
            "operating": figures.operating_figure(dataset, settings),
            "weights": figures.weight_figure(dataset),
        }
        return "\n".join(figure(i, made[name], *CAPTIONS[name]) for i, name in enumerate(made, start=1))


def _flags(dataset: "xr.Dataset") -> str:
    found = tables.flags(dataset)
    if not found:
        return "<p>Nothing is flagged.</p>"
    rows = [[epoch, unit, kind, reason] for epoch, unit, kind, reason in found]
    return table(["epoch", "unit", "flag", "reason"], rows, words=True)


def _tables(dataset: "xr.Dataset", epoch: int) -> str:
    in_degrees = [int(K) for K in dataset["k"].values]
    parts = [
        ("Rate and irregularity, with confidence intervals", tables.firing_columns()),
        ("Mean calcium", tables.calcium_columns("mean")),
        ("Second moment of calcium", tables.calcium_columns("second_moment")),
        ("Model neuron and weights of the rule", tables.model_columns(in_degrees)),
    ]
    labels = figures.unit_labels(dataset)
    return "\n".join(
        f"<h3>{title}</h3>"
        + table(
            ["unit", *(_heading(c) for c in columns)],
            [[label, *cells] for label, cells in zip(labels, tables.rows(dataset, epoch, columns), strict=True)],
        )
        for title, columns in parts
    )


def _heading(column: tables.Column) -> str:
    return column.title + (f" ({column.unit})" if column.unit else "")


def _methods(dataset: "xr.Dataset") -> str:
    rows = json.loads(dataset.attrs["settings"])
    facts = [["neuron", type_name(dataset.attrs["neuron"]), "model neuron"], *rows]
    return bullets(METHODS) + "<h3>Parameters</h3>" + table(["parameter", "value", "meaning"], facts, words=True)


def type_name(text: str) -> str:
    """The class in a repr, "LIF" of "LIF(tau_m=...)"."""
    return text.split("(", 1)[0]


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def _smallest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else np.nan


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else np.nan
