"""The page's chapter on fitted populations."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.parts import subplots
from equipoise.report.tables import STATUS_WORDS, number
from equipoise.report.topic_tables import estimated, rendered
from equipoise.report.topic_words import CAPTIONS, CAVEATS, METHODS
from equipoise.results import Recording, Status

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import RenderableType

TIED = 0.9
"""Correlation of the errors of mu and sigma beyond which the data fix a combination of them only."""
WIDE = 1.0
"""Width of the interval of Delta or sigma, in units of its value, beyond which it is hardly known."""


def populations_chapter(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> Chapter:  # noqa: ARG001
    """What the page says about populations."""
    return Chapter(
        title="Populations: inputs that explain their rates",
        glance=[_glance(one) for one in _each(dataset)],
        figures=[(_figure(dataset), *CAPTIONS["fitted"])],
        tables=[_numbers(dataset), *_kept(dataset)],
        flags=flags(dataset),
        caveats=CAVEATS["populations"],
        methods=METHODS["populations"],
    )


def render_populations(dataset: "xr.Dataset") -> "RenderableType":
    """The fit on the screen."""
    return rendered([_numbers(dataset), *_kept(dataset)], flags(dataset))


def flags(dataset: "xr.Dataset") -> list[Flag]:
    """Populations whose fit is not to be trusted, and why."""
    return [
        (str(one["epoch"].item()), str(one["population"].item()), STATUS_WORDS[status], str(one["message"].item()))
        for one in _each(dataset)
        if (status := str(one["status"].item())) != Status.OK.name
    ]


def identified(one: "xr.Dataset") -> str:
    """What the data of one population tell of mu, Delta and sigma, in words."""
    tie = float(one["mu_sigma_correlation"])
    parts = []
    for name, words in (("delta", "Δ"), ("sigma", "σ")):
        value, low, high = (float(one[name + end]) for end in ("", "_low", "_high"))
        if high - low > WIDE * value:
            parts.append(f"{words} is hardly known")
    if abs(tie) > TIED:
        parts.append(f"μ and σ are known together rather than each (errors correlate by {number(tie, 2)})")
    return "; ".join(parts) or "the data fix μ, Δ and σ"


def _each(dataset: "xr.Dataset") -> list["xr.Dataset"]:
    """Every population in every epoch."""
    sizes = dataset.sizes
    return [dataset.isel(population=p, epoch=e) for p in range(sizes["population"]) for e in range(sizes["epoch"])]


def _usable(one: "xr.Dataset") -> bool:
    return Status[str(one["status"].item())].usable


def _glance(one: "xr.Dataset") -> str:
    name = f"<b>{escape(str(one['population'].item()))}, {escape(str(one['epoch'].item()))}</b>"
    status, message = STATUS_WORDS[str(one["status"].item())], escape(str(one["message"].item()))
    if not _usable(one):
        return f"{name}: {status}. {message}"
    fit = (
        f"μ {estimated(one, 'mu')} V/s, spread over units Δ {estimated(one, 'delta')} V/s, noise σ "
        f"{estimated(one, 'sigma')} V/√s; {identified(one)}."
    )
    return f"{name} ({status}): {fit} {message}".strip()


def _figure(dataset: "xr.Dataset") -> "Figure":
    names = dataset["population"].values
    columns = min(len(names), 3)
    lines = -(-len(names) // columns)
    drawn, axes = subplots(lines, columns, 0.5 + 3.0 * lines, sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        rates = dataset["rate"].isel(unit=np.flatnonzero(dataset["member"].values == name))
        plotting.draw_fitted_rates(ax, rates, dataset["fitted_rate"].sel(population=name))
        ax.set_title(f"{plotting.plain(name)}, {rates.sizes['unit']} units")
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for line in axes:
        line[0].set_ylabel("share of units")
    return drawn


def _numbers(dataset: "xr.Dataset") -> Grid:
    head = ["population", "epoch", "units", "silent", "μ (V/s)", "Δ (V/s)", "σ (V/√s)", "ρ(μ, σ)"]
    head += ["p of rates", "p of C_v", "fit"]
    rows = []
    for one in _each(dataset):
        counts = [f"{int(one[name])}" for name in ("n_units", "n_silent")]
        values = [estimated(one, name) for name in ("mu", "delta", "sigma")]
        rest = [number(float(one[k]), 2) for k in ("mu_sigma_correlation", "rates_agree", "irregularities_agree")]
        status = STATUS_WORDS[str(one["status"].item())]
        rows.append([str(one["population"].item()), str(one["epoch"].item()), *counts, *values, *rest, status])
    return Grid(title="Fitted inputs", head=head, rows=rows)


def _kept(dataset: "xr.Dataset") -> list[Grid]:
    """How far units keep their places from one epoch to the next."""
    if "persistence" not in dataset:
        return []
    rows = []
    for p, name in enumerate(dataset["population"].values):
        for k in range(dataset.sizes["change"]):
            one = dataset.isel(population=p, change=k)
            rows.append([str(name), f"{one['from'].item()} to {one['to'].item()}", estimated(one, "persistence")])
    return [
        Grid(
            title="Places kept by units (correlation of μ between epochs)",
            head=["population", "epochs", "correlation"],
            rows=rows,
        )
    ]
