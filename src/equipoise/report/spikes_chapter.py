"""The page's chapter on what spikes say unit by unit and together."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report import figures
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.parts import subplots
from equipoise.report.tables import number
from equipoise.report.topic_tables import estimated, probability, ranged, rendered
from equipoise.report.topic_words import CAPTIONS, CAVEATS, LAWS, METHODS
from equipoise.results import Recording

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import RenderableType

LONG = 1.0
"""Longest counting window [s] of the Fano factor at a glance."""
REJECTED = 0.01
"""p of a law below which the intervals are said not to follow it."""


def spikes_chapter(dataset: "xr.Dataset", recording: Recording, settings: AnalysisSettings) -> Chapter:  # noqa: ARG001
    """What the page says about spikes."""
    made = {"laws": _law_figure(dataset), "counts": _count_figure(dataset)}
    if bool((dataset["jittered_copies"] > 0).any()) and dataset.sizes["unit"] > 1:
        made["coincidences"] = _coincidence_figure(dataset)
    return Chapter(
        title="Spikes: intervals, counts, correlations",
        glance=[*_types(dataset), *(_glance(dataset.isel(epoch=i)) for i in range(dataset.sizes["epoch"]))],
        figures=[(drawn, *CAPTIONS[name]) for name, drawn in made.items()],
        tables=[*_together(dataset), *_units(dataset)],
        flags=flags(dataset),
        caveats=CAVEATS["spikes"],
        methods=METHODS["spikes"],
    )


def render_spikes(dataset: "xr.Dataset") -> "RenderableType":
    """Laws and correlations on the screen."""
    return rendered(_together(dataset), flags(dataset))


def flags(dataset: "xr.Dataset") -> list[Flag]:
    """What is missing, and why."""
    found: list[Flag] = []
    if dataset.attrs["short_epochs"]:
        why = f"shorter than 20 windows of {dataset.attrs['count_window']:g} s"
        found.append((dataset.attrs["short_epochs"], "", "left out", why))
    for i, epoch in enumerate(dataset["epoch"].values):
        one = dataset.isel(epoch=i)
        few = [str(unit) for unit in dataset["unit"].values[one["best_law"].values == ""]]
        if few:
            found.append((str(epoch), ", ".join(few), "no law of intervals", "too few intervals, or all are equal"))
        if not int(one["jittered_copies"]) and dataset.sizes["unit"] > 1:
            found.append((str(epoch), "", "no correlogram", "there are too many spikes to jitter them 20 times"))
    if "waveform" in dataset["type_source"].values:
        found.append(("", "", "putative types", "some types of units are from the widths of their spikes"))
    return found


def _types(dataset: "xr.Dataset") -> list[str]:
    """How many units of each type there are, and how that is known."""
    source = dataset["type_source"].values
    if not (source != "").any():
        return []
    kinds = dataset["type"].values
    words = {"label": "from labels", "waveform": "putative, from the widths of their spikes"}
    known = " and ".join(f"{int((source == key).sum())} {text}" for key, text in words.items() if (source == key).any())
    counts = f"{int((kinds == 'E').sum())} E, {int((kinds == 'I').sum())} I, {int((source == '').sum())} unknown"
    return [f"<b>Types of cells</b>: {counts} ({known})."]


def _glance(one: "xr.Dataset") -> str:
    """One epoch in a few sentences."""
    best, n = np.unique(one["best_law"].values.astype(str), return_counts=True)
    laws = ", ".join(f"{LAWS[law]} in {count}" for law, count in sorted(zip(best, n, strict=True), key=lambda x: -x[1]))
    rejected = int((one["best_p"] < REJECTED).sum())
    factors = one["fano"].sel(window=slice(None, LONG)).median("unit").dropna("window")
    text = (
        f"<b>{escape(str(one['epoch'].item()))}</b>: best law of intervals {laws} of {one.sizes['unit']} units; even "
        f"the best is rejected in {rejected}."
    )
    if factors.size:
        text += f" Fano factor at {float(factors['window'][-1]):g} s: median {number(float(factors[-1]))}."
    pair = one.sel(pair="all")
    if not np.isfinite(float(pair["correlation"])):
        return text
    width = one.attrs["count_window"] * 1e3
    return text + (
        f" Mean count correlation in windows of {width:g} ms {estimated(pair, 'correlation')} "
        f"(by chance {ranged(pair, 'correlation_null')}); synchrony χ² {number(float(one['synchrony']))} "
        f"(by chance {ranged(one, 'synchrony_null')}), {_timing(pair)}."
    )


def _timing(pair: "xr.Dataset") -> str:
    p = float(pair["coincidence_p"])
    if not np.isfinite(p):
        return "timing not tested"
    width = pair.attrs["coincidence_window"] * 1e3
    verdict = "are timed" if p < 0.05 else "are not seen to be timed"
    return f"spikes of different units {verdict} more finely than {5 * width:g} ms (p {probability(p)})"


def _law_figure(dataset: "xr.Dataset") -> "Figure":
    n = dataset.sizes["epoch"]
    drawn, axes = subplots(1, n, min(1.6 + 0.2 * dataset.sizes["unit"], 9.0), sharey=True)
    labels = figures.unit_labels(dataset)
    for i, name in enumerate(dataset["epoch"].values):
        one = dataset.isel(epoch=i)
        plotting.draw_law_weights(axes[0, i], one["law_weight"], one["best_p"] < REJECTED, labels)
        axes[0, i].set_title(plotting.plain(name))
    axes[0, 0].set_ylabel("unit")
    drawn.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return drawn


def _count_figure(dataset: "xr.Dataset") -> "Figure":
    known = np.isfinite(dataset["correlation"].values).any(axis=0)
    drawn, axes = subplots(1, 2 if known.any() else 1, 3.7)
    plotting.draw_fano(axes[0, 0], dataset["fano"])
    axes[0, 0].set_title("Fano factor of each unit")
    if known.any():
        plotting.draw_correlations(axes[0, 1], dataset.isel(pair=known))
        axes[0, 1].set_title(f"Counts in {dataset.attrs['count_window'] * 1e3:g} ms")
    return drawn


def _coincidence_figure(dataset: "xr.Dataset") -> "Figure":
    known = np.isfinite(dataset["coincidence"].transpose("pair", ...).values).any(axis=(1, 2))
    pairs = [str(pair) for pair in dataset["pair"].values[known]] or ["all"]
    drawn, axes = subplots(len(pairs), dataset.sizes["epoch"], 0.8 + 1.9 * len(pairs), sharex=True, sharey="row")
    for i, name in enumerate(dataset["epoch"].values):
        for k, pair in enumerate(pairs):
            one = dataset.isel(epoch=i).sel(pair=pair)
            plotting.draw_coincidences(axes[k, i], one, color=plotting.epoch_look(i)["color"])
            axes[k, i].set_title(f"{plotting.plain(name)}, {pair}")
            axes[k, i].label_outer()
    return drawn


def _together(dataset: "xr.Dataset") -> list[Grid]:
    """Correlations, synchrony and timing, a row per epoch and kind of pairs."""
    rows = []
    for i, epoch in enumerate(dataset["epoch"].values):
        for pair in dataset["pair"].values:
            one = dataset.isel(epoch=i).sel(pair=pair)
            if np.isfinite(float(one["correlation"])):
                rows.append([str(epoch), str(pair), *_pair_row(one)])
    head = ["epoch", "pairs", "number", "correlation", "by chance", "p of timing", "synchrony", "by chance"]
    return [Grid(title="Correlation, timing and synchrony", head=head, rows=rows)] if rows else []


def _pair_row(one: "xr.Dataset") -> list[str]:
    whole = str(one["pair"].item()) == "all"
    together = [estimated(one, "synchrony"), ranged(one, "synchrony_null")] if whole else ["", ""]
    shares = [estimated(one, "correlation"), ranged(one, "correlation_null"), probability(float(one["coincidence_p"]))]
    return [f"{int(one['correlation_n']):,}", *shares, *together]


def _units(dataset: "xr.Dataset") -> list[Grid]:
    """Law of intervals and Fano factors, a table per epoch."""
    windows = [float(w) for w in dataset["window"].values]
    head = ["unit", "intervals", "best law", "its weight", "its p", *(f"Fano, {w:g} s" for w in windows)]
    labels, grids = figures.unit_labels(dataset), []
    for i, epoch in enumerate(dataset["epoch"].values):
        one = dataset.isel(epoch=i)
        rows = [[label, *_unit_row(one.isel(unit=u), windows)] for u, label in enumerate(labels)]
        grids.append(Grid(title=f"{escape(str(epoch))}: laws of intervals and Fano factors", head=head, rows=rows))
    return grids


def _unit_row(one: "xr.Dataset", windows: Sequence[float]) -> list[str]:
    law = str(one["best_law"].item())
    weight = float(one["law_weight"].max()) if law else np.nan
    factors = [number(float(one["fano"].sel(window=w))) for w in windows]
    return [f"{int(one['n_intervals']):,}", LAWS[law], number(weight), probability(float(one["best_p"])), *factors]
