"""The page's chapter on how far units and their population drift."""

from html import escape
from typing import TYPE_CHECKING

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.inference.topic_stability import UNNAMED
from equipoise.report import figures
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.parts import subplots
from equipoise.report.tables import number
from equipoise.report.topic_tables import estimated, probability, ranged, rendered
from equipoise.report.topic_words import CAPTIONS, CAVEATS, METHODS
from equipoise.results import Recording, Status

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import RenderableType

HELD = 0.05
"""p of independent drift below which a population is said to be held."""


def stability_chapter(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> Chapter:  # noqa: ARG001
    """What the page says about drift and recovery."""
    made = {"drift": _drift_figure(dataset)}
    if "trace" in dataset:
        made["recovery"] = _recovery_figure(dataset)
    return Chapter(
        title="Stability: single units and their population",
        glance=[_glance(dataset.isel(comparison=k)) for k in range(dataset.sizes["comparison"])] + _recovered(dataset),
        figures=[(drawn, *CAPTIONS[name]) for name, drawn in made.items()],
        tables=[*_numbers(dataset), *_units(dataset)],
        flags=flags(dataset),
        caveats=CAVEATS["stability"],
        methods=METHODS["stability"],
    )


def render_stability(dataset: "xr.Dataset") -> "RenderableType":
    """Drift and recovery on the screen."""
    return rendered(_numbers(dataset), flags(dataset))


def flags(dataset: "xr.Dataset") -> list[Flag]:
    """What is not known, and why."""
    found: list[Flag] = []
    for k in range(dataset.sizes["comparison"]):
        one = dataset.isel(comparison=k)
        if str(one["rank_correlation_status"].item()) != Status.OK.name:
            found.append((_named(one), "", "rank correlation", "all rates are equal, or too few units"))
    if dataset.attrs["recovery"] == UNNAMED:
        return found  # nothing was asked for
    if dataset.attrs["recovery"]:
        found.append(("", "", "recovery not followed", dataset.attrs["recovery"]))
    elif str(dataset["time_constant_status"].item()) != Status.OK.name:
        why = "rates were not displaced, or do not return within the epoch"
        found.append(("", "", "no time constant of recovery", why))
    return found


def _named(one: "xr.Dataset") -> str:
    return f"{one['first'].item()} to {one['second'].item()}"


def _glance(one: "xr.Dataset") -> str:
    p, factor = float(one["p_independent"]), 2.0 ** float(one["unit_change"])
    held = (
        "less than independent drift of the same units would move it: the population is held"
        if p < HELD
        else "no less than independent drift of the same units would move it"
    )
    return (
        f"<b>{escape(_named(one))}</b>: rates of single units change by {estimated(one, 'unit_change')} log2 (median; "
        f"a factor of {number(factor)}), by counting alone {ranged(one, 'counting')}. The population changes by "
        f"{estimated(one, 'population_change')}, {held} (p {probability(p)})."
    )


def _recovered(dataset: "xr.Dataset") -> list[str]:
    if "trace" not in dataset:
        return []
    return [
        f"<b>After the change</b>: mean rate displaced by {estimated(dataset, 'displacement')} Hz from "
        f"{estimated(dataset, 'baseline')} Hz; time constant of return {_known(dataset, 'time_constant', ' s')}, "
        f"completeness {_known(dataset, 'completeness')}, overshoot {_known(dataset, 'overshoot')}; "
        f"{int(dataset['responds'].sum())} of {dataset.sizes['unit']} units are first responders."
    ]


def _known(dataset: "xr.Dataset", name: str, unit: str = "") -> str:
    return estimated(dataset, name) + unit if dataset[f"{name}_status"].item() == Status.OK.name else "not known"


def _drift_figure(dataset: "xr.Dataset") -> "Figure":
    drawn, axes = subplots(1, 2, 3.8, width_ratios=[1, 1.15])
    plotting.draw_rate_pairs(axes[0, 0], dataset)
    axes[0, 0].set_title("Rate of each unit")
    plotting.draw_drift(axes[0, 1], dataset)
    axes[0, 1].set_title("Change of units and of their sum")
    return drawn


def _recovery_figure(dataset: "xr.Dataset") -> "Figure":
    drawn, axes = subplots(1, 1, 3.0)
    plotting.draw_recovery(axes[0, 0], dataset)
    return drawn


def _numbers(dataset: "xr.Dataset") -> list[Grid]:
    head = [
        "stretches",
        "units, |log2|",
        "by counting",
        "p",
        "population",
        "p independent",
        "excess sd",
        "rank corr.",
        "turnover",
    ]
    rows = []
    for k in range(dataset.sizes["comparison"]):
        one = dataset.isel(comparison=k)
        p = [probability(float(one[name])) for name in ("p_counting", "p_independent")]
        rest = [estimated(one, name) for name in ("excess", "rank_correlation", "turnover")]
        change = [estimated(one, name) for name in ("unit_change", "population_change")]
        rows.append([_named(one), change[0], ranged(one, "counting"), p[0], change[1], p[1], *rest])
    return [Grid(title="Drift", head=head, rows=rows)]


def _units(dataset: "xr.Dataset") -> list[Grid]:
    labels, grids = figures.unit_labels(dataset), []
    for k in range(dataset.sizes["comparison"]):
        one = dataset.isel(comparison=k)
        names = ("rate_first", "rate_second", "change", "error")
        rows = [[label, *(number(float(one[name][u])) for name in names)] for u, label in enumerate(labels)]
        head = ["unit", "rate before (Hz)", "rate after (Hz)", "change (log2)", "error of counting"]
        grids.append(Grid(title=f"{escape(_named(one))}: every unit", head=head, rows=rows))
    return grids
