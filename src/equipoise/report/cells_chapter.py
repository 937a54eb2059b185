"""The page's chapter on single cells."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise.inference import AnalysisSettings
from equipoise.report import figures, tables
from equipoise.report.chapters import Chapter, Grid
from equipoise.report.words import CAPTIONS, CAVEATS, METHODS
from equipoise.results import Recording

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def cells_chapter(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> Chapter:
    """What the page says about every unit."""
    names = [escape(str(name)) for name in dataset["epoch"].values]
    return Chapter(
        title="Single cells: rates, irregularity, calcium, weights",
        glance=[_glance_at(dataset.isel(epoch=i), name) for i, name in enumerate(names)],
        figures=_figures(dataset, recording, settings),
        tables=[grid for i, name in enumerate(names) for grid in _tables(dataset, i, name)],
        flags=tables.flags(dataset),
        caveats=CAVEATS,
        methods=METHODS,
    )


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


def _figures(
    dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings
) -> list[tuple["Figure", str, str]]:
    made = {
        "raster": figures.raster_figure(recording, dataset),
        "rates": figures.rate_figure(dataset),
        "calcium_second_moment": figures.calcium_figure(dataset, "second_moment"),
        "calcium_mean": figures.calcium_figure(dataset, "mean"),
        "operating": figures.operating_figure(dataset, settings),
        "weights": figures.weight_figure(dataset),
    }
    return [(drawn, *CAPTIONS[name]) for name, drawn in made.items()]


def _tables(dataset: "xr.Dataset", epoch: int, name: str) -> list[Grid]:
    in_degrees = [int(K) for K in dataset["k"].values]
    parts = [
        ("Rate and irregularity, with confidence intervals", tables.firing_columns()),
        ("Mean calcium", tables.calcium_columns("mean")),
        ("Second moment of calcium", tables.calcium_columns("second_moment")),
        ("Model neuron and weights of the rule", tables.model_columns(in_degrees)),
    ]
    labels = figures.unit_labels(dataset)
    return [
        Grid(
            title=f"{name}: {title}",
            head=["unit", *(_heading(c) for c in columns)],
            rows=[[label, *cells] for label, cells in zip(labels, tables.rows(dataset, epoch, columns), strict=True)],
        )
        for title, columns in parts
    ]


def _heading(column: tables.Column) -> str:
    return column.title + (f" ({column.unit})" if column.unit else "")


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else np.nan


def _smallest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else np.nan


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else np.nan
