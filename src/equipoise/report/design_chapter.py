"""The page's chapter on how many cells and recordings tell rules apart."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference.design import ASSUMES, SEEN, foremost, percent, when
from equipoise.plotting.design import draw_effects, draw_power
from equipoise.report.chapters import Chapter, Grid
from equipoise.report.parts import subplots

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

COLUMNS = 3
METHODS = (
    "A rule is refused where the mean over recordings of the mean log change of their units lies outside what the rule "
    "predicts of all circuits and strengths of the priors, by more than chance (t-test over recordings). A quarter of "
    "α is left out of the predictions at either end and given to chance on either side, so that the rate of wrong "
    "refusals is α at most, given enough draws (Berger &amp; Boos 1994, J. Am. Stat. Assoc. 89:1012).",
    "Recordings are the independent samples, cells are nested in them (Aarts et al. 2014, Nat. Neurosci. 17:491): the "
    "variance of the mean over n cells of R recordings is (between² + within²/n)/R.",
    "Numbers needed differ from draw to draw of the rule that is right; the mean power over draws is the assurance of "
    "O'Hagan, Stevens &amp; Campbell (2005, Pharm. Stat. 4:187).",
    "What is unknown: in_degree_E and _I, the numbers of inputs; recurrent_E and _I, the recurrent shares of "
    "excitation; speed_1 of rules on excitation or thresholds, speed_2 on inhibition; rate and cv of E and I before, "
    "which are the set points; and the strength of the manipulation.",
)
POWER = (
    "Power",
    "One panel per rule to be refused, one line per rule that may be right: mean power over the priors of the best "
    "test of that pair, against the number of recordings. A line that levels off below 1 does so because the rest of "
    "the draws lie in what the other rule predicts. Dotted: the power asked for.",
)
EFFECTS = (
    "What each observable tells",
    "For the pairs that are told apart best: mean power of every test with the chosen number of recordings, by "
    "observable. Circles compare with the state before the manipulation, triangles with the acute one. The full mark "
    "is the test that is recommended, with its phase.",
)


def design_chapter(data: "xr.Dataset", rules: Sequence[str] = ()) -> Chapter:
    """What the page says about a design; `data` is `Design.dataset()`, or the same read from netCDF.

    `rules` are all rules of the page, in the order of their colours; left out, those of the design.
    """
    assumed, known = data.attrs["recommendation"].partition(ASSUMES)[2], "best" in data
    return Chapter(
        title="How many cells and recordings",
        glance=[escape(line) for line in foremost(data)],
        figures=[(power_figure(data, rules), *POWER), (effects_figure(data), *EFFECTS)] if known else [],
        tables=[*_needed(data), *_sensitivity(data), _variability(data)] if known else [],
        caveats=[escape(line.removeprefix("- ")) for line in assumed.splitlines()],
        methods=METHODS,
    )


def power_figure(data: "xr.Dataset", rules: Sequence[str] = ()) -> "Figure":
    """Power curves, a panel for every rule that is to be refused; `rules` in the order of their colours."""
    known = list(rules) or list(dict.fromkeys(map(str, data["truth"].values)))
    refuted = [name for name in known if name in data["refuted"].values]
    columns = min(COLUMNS, len(refuted))
    rows = -(-len(refuted) // columns)
    figure, axes = subplots(rows, columns, 0.6 + 2.5 * rows, sharex=True, sharey=True)
    for k, ax in enumerate(axes.flat):
        if k < len(refuted):
            draw_power(ax, data, [d for d, name in enumerate(data["refuted"].values) if name == refuted[k]], known)
            ax.set_title(f"to refuse {plotting.plain(refuted[k])}")
            ax.tick_params(labelbottom=True)
        else:
            ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("mean power")
    found = {h.get_label(): h for ax in axes.flat for h in ax.get_legend_handles_labels()[0]}
    shown = {name: found[name] for name in map(plotting.plain, known) if name in found}
    figure.legend(shown.values(), [f"if {name} is right" for name in shown], loc="outside lower center", ncols=3)
    return figure


def effects_figure(data: "xr.Dataset") -> "Figure":
    """All tests of the directions with the most power, by observable."""
    order = np.argsort(-data["stated_power"].values, kind="stable")[:COLUMNS]
    figure, axes = subplots(1, len(order), 3.2, sharey=True)
    for ax, d in zip(axes[0], order, strict=True):
        draw_effects(ax, data, int(d))
        truth, refuted = (plotting.plain(data[name].values[d]) for name in ("truth", "refuted"))
        ax.set_title(f"if {truth} is right:\nrefuse {refuted}")
    return figure


def _needed(data: "xr.Dataset") -> list[Grid]:
    """Every direction with its test and the numbers it needs, those that are told apart best first."""
    tests, numbers = [], []
    for d in np.argsort(-data["stated_power"].values, kind="stable"):
        best = data.isel(direction=d, contrast=int(data["best"].values[d]))
        observable, phase, beside = (str(best[name].values) for name in ("observable", "phase", "beside"))
        pair = [str(best[name].values) for name in ("truth", "refuted")]
        power, never = f"{float(best['stated_power']):.2f}", f"{float(best['never']):.0%}"
        place = f"{observable}, {when(phase)} beside {beside}"
        tests.append([*pair, place, _numbers(best["recordings_needed"].values), power, never])
        expected = f"{percent(float(best['low']))} to {percent(float(best['high']))}"
        cells = (_numbers(best[name].values) for name in ("cells_each", "cells_alone"))
        numbers.append([*pair, expected, percent(float(best["effect"])), *cells])
    R, pair = data.attrs["chosen_recordings"], ["if right", "refuse"]
    first = [*pair, "by", f"recordings of {data.attrs['cells']} cells", f"mean power of {R}", "never"]
    second = [*pair, "it predicts", "difference", f"cells in each of {R}", "cells in one recording"]
    return [
        Grid(title="Recordings needed: median, and the middle eight of ten draws", head=first, rows=tests),
        Grid(title="What the rule to be refused predicts, and cells needed", head=second, rows=numbers),
    ]


def _sensitivity(data: "xr.Dataset") -> list[Grid]:
    """On which unknowns the number of recordings depends; none where nothing is unknown."""
    rho = data["sensitivity"].values
    columns, rows = np.isfinite(rho).any(axis=0), np.isfinite(rho).any(axis=1)
    if not columns.any():
        return []
    names = [str(name) for name in data["unknown"].values[columns]]
    lines = [
        [str(data["truth"].values[d]), str(data["refuted"].values[d]),
         *("–" if not np.isfinite(x) else f"{x:+.2f}" for x in rho[d, columns])]
        for d in np.flatnonzero(rows)
    ]  # fmt: skip
    fewest = int(data["draws"].min())
    title = (
        f"What the number of recordings depends on: rank correlation over {fewest} draws or more; beyond "
        f"{SEEN / np.sqrt(fewest):.2f} it is no chance"
    )
    return [Grid(title=title, head=["if right", "refuse", *names], rows=lines)]


def _variability(data: "xr.Dataset") -> Grid:
    """Standard deviations of the log change of each observable."""
    columns = ("between", "within", "intraclass")
    first = [list(data["observable"].values).index(name) for name in dict.fromkeys(data["observable"].values)]
    rows = [
        [str(data["observable"].values[c]), *(f"{float(data[name].values[c]):.3f}" for name in columns)] for c in first
    ]
    head = ["observable", "sd between recordings", "sd of units within one", "intraclass correlation"]
    return Grid(title="Variability of log changes", head=head, rows=rows)


def _numbers(quantiles: np.ndarray) -> str:
    low, middle, high = (f"{x:.0f}" if np.isfinite(x) else "∞" for x in quantiles)
    return f"{middle} [{low}, {high}]"
