"""The page's chapter on which homeostatic rules a manipulation leaves standing."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.parts import subplots
from equipoise.report.tables import number
from equipoise.report.topic_tables import probability, rendered
from equipoise.report.topic_words import CAPTIONS, CAVEATS, METHODS
from equipoise.results import Recording, Status

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import RenderableType


def verdict_chapter(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> Chapter:  # noqa: ARG001
    """What the page says about rules."""
    made = {}
    if dataset.sizes["rule"]:
        made["posterior"] = _posterior_figure(dataset)
        if len(_seen(dataset)):
            made["predictions"] = _prediction_figure(dataset)
    return Chapter(
        title=f"Which rule? {escape(_decision(dataset))}",
        glance=[f"<b>Homeostatic rule: {escape(_decision(dataset))}</b>. {escape(_because(dataset))}"],
        figures=[(drawn, *CAPTIONS[name]) for name, drawn in made.items()],
        tables=_tables(dataset),
        flags=flags(dataset),
        caveats=CAVEATS["verdict"],
        methods=METHODS["verdict"],
    )


def render_verdict(dataset: "xr.Dataset") -> "RenderableType":
    """The verdict on the screen, the decision first."""
    return rendered(_tables(dataset)[:1], flags(dataset), lead=f"{_decision(dataset)}. {_because(dataset)}")


def flags(dataset: "xr.Dataset") -> list[Flag]:
    """What stands in the way of a verdict."""
    found: list[Flag] = [("", "", "verdict", caveat) for caveat in dataset.attrs["caveats"].split("\n") if caveat]
    if dataset.attrs["status"] != Status.OK.name:
        found.append(("", "", "no comparison", dataset.attrs["reason"]))
    return found


def _decision(dataset: "xr.Dataset") -> str:
    decision = str(dataset.attrs["decision"])
    return decision[:1].upper() + decision[1:]


def _because(dataset: "xr.Dataset") -> str:
    """The reason, and what was compared."""
    facts = dataset.attrs
    units = f"{facts['units_E']} E and {facts['units_I']} I units"
    return f"{facts['reason']} Manipulation: {facts['manipulation']}; {units}; epochs {facts['phases']}."


def _seen(dataset: "xr.Dataset") -> list[str]:
    """Observables that are known in all phases."""
    known = np.isfinite(dataset["observed"].transpose("phase", "observable").values).all(axis=0)
    return [str(name) for name in dataset["observable"].values[known]]


def _posterior_figure(dataset: "xr.Dataset") -> "Figure":
    drawn, axes = subplots(1, 1, 1.0 + 0.34 * dataset.sizes["rule"])
    plotting.draw_posteriors(axes[0, 0], dataset)
    axes[0, 0].set_title(plotting.plain(_decision(dataset)))
    return drawn


def _prediction_figure(dataset: "xr.Dataset") -> "Figure":
    phases, names = dataset["phase"].values, _seen(dataset)
    drawn, axes = subplots(len(phases), 1, 0.7 + 2.0 * len(phases), sharex=True)
    for k, phase in enumerate(phases):
        plotting.draw_predictions(axes[k, 0], dataset.sel(phase=phase), names)
        axes[k, 0].set_title(plotting.plain(phase))
    drawn.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return drawn


def _tables(dataset: "xr.Dataset") -> list[Grid]:
    grids = []
    if dataset.sizes["rule"]:
        order = np.argsort(-dataset["posterior"].values, kind="stable")
        head = ["rule", "posterior", "p", "log evidence", "draws near the data", "compatible"]
        grids.append(Grid(title="Rules", head=head, rows=[_rule_row(dataset.isel(rule=int(k))) for k in order]))
        grids.append(_against(dataset))
    return grids


def _rule_row(one: "xr.Dataset") -> list[str]:
    numbers = [probability(float(one[name])) for name in ("posterior", "p")]
    numbers += [number(float(one[name])) for name in ("log_evidence", "draws")]
    return [str(one["rule"].item()), *numbers, "yes" if float(one["p"]) > one.attrs["least_p"] else "no"]


def _against(dataset: "xr.Dataset") -> Grid:
    """Observed beside the median and central 95 % of what each rule predicts."""
    rules = [str(rule) for rule in dataset["rule"].values]
    rows = []
    for phase in dataset["phase"].values:
        for name in _seen(dataset):
            one = dataset.sel(phase=phase, observable=name)
            seen = f"{number(float(one['observed']))} ± {number(float(one['error']), 2)}"
            spans = [[number(float(v), 2) for v in one["predicted"].isel(rule=k).values] for k in range(len(rules))]
            rows.append([str(phase), name, seen, *(f"{s[2]} [{s[0]}, {s[-1]}]" for s in spans)])
    return Grid(title="Observed and predicted logarithms", head=["phase", "observable", "observed", *rules], rows=rows)
