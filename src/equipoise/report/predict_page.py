"""The page of a prediction, from the saved data alone: table, trajectories, and why some entries are missing."""

from html import escape
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise.dynamics import duration_text
from equipoise.inference import Prediction
from equipoise.inference.prediction import changes
from equipoise.plotting import predictions, style
from equipoise.report.design_chapter import METHODS as DESIGN_METHODS
from equipoise.report.design_chapter import design_chapter
from equipoise.report.parts import bullets, circuit_section, figure, head, page, section, subplots, table
from equipoise.report.tables import NONE, number, percent
from equipoise.results import write_whole

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import RenderableType

PANELS = ("rate_E", "rate_I", "cv_E", "calcium_mean_E", "calcium_second_E", "J_E_E", "J_I_E", "threshold_E")
NAMED = 6
"""Entries named at a glance."""
METHODS = (
    "Every rule has its set points where the circuit rests. The manipulation begins at time 0 and ends where the "
    "shading does; <i>acute</i> is its beginning, <i>during</i> its end, <i>rebound</i> the moment after, <i>after</i> "
    "the end of the washout.",
    "Theory is mean field with quenched disorder: rates are at their fixed point and averaged over cells that differ "
    "in their in-degrees, while the rule moves its slow variables.",
    "Spikes by themselves have their set points from the simulated network at rest, and rules follow what its spikes "
    "make them sense (spiking.evolve). Beside theory the network is simulated at the slow states of theory, unless "
    "rules were followed by spikes too: the notes on J and threshold say which. Errors are standard errors, of rules "
    "that were followed with those of set points. A sign needs a change of more than 1 % and of two errors.",
    "Changes are in per cent of the value before, those of thresholds (V/s), branching ratio and aperiodic exponent "
    "are differences. J_E and J_I of a population are the excitatory and inhibitory weights onto it.",
)
CAVEATS = (
    "These are predictions of rules in one circuit with one time constant. Another circuit, or set points elsewhere, "
    "predict otherwise.",
    "Theory takes input as white noise, and knows neither delays nor synchrony. Where spikes differ by more than their "
    "errors, it is spikes that are right about the circuit at that slow state.",
    "Where slow states of spikes are those of theory, a rule that would be somewhere else by the spikes' own calcium "
    "or rates is not followed there. Where they are their own, a network that fluctuates as one moves its set points "
    "and weights with it; the errors say by how much.",
    "A line that ends is a state that ends, or weights that leave the range of factors 1/100 to 100.",
)


def write_predict_html(found: Prediction, path: str | Path) -> Path:
    """Write the page of a prediction to `path`."""
    text = predict_html(found)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def predict_html(found: Prediction) -> str:
    """The page of a prediction."""
    data = found.data
    sections = [
        _head(data),
        section("At a glance", bullets([*_both(_glance(found), _advice(found)), *_levels(found)])),
        section(
            "What became of each rule",
            table(["manipulation", "rule", "level", "status", "why"], _ends(data), words=True),
        ),
        section("Trajectories", _figures(found)),
        *_designs(found),
        section("The table", _tables(found)),
        section(
            "What an entry is, and why one is missing", table(["level", "observable", "note"], _notes(data), words=True)
        ),
        section("What these numbers do not mean", bullets(CAVEATS)),
        section("Methods", bullets([*METHODS, *(DESIGN_METHODS if found.designs else ())])),
        circuit_section(data.attrs["circuit"]),
    ]
    return page(f"{data.attrs['title']}: planning an experiment", sections)


def _head(data: "xr.Dataset") -> str:
    a = data.attrs
    lasts, after, tau = (duration_text(float(a[name])) for name in ("duration", "washout", "tau"))
    facts = (
        f"{escape(a['manipulation'])}, for {lasts}, followed for {after} after it; rules with a time constant of {tau}."
        f" equipoise {escape(a['equipoise_version'])}, digest <code>{a['digest'][:16]}</code>."
        + (f" By spikes, since {escape(a['level_reason'])}" if a["level_reason"] else "")
    )
    return head(a["title"], a["description"], facts)


def _glance(found: Prediction) -> list[str]:
    """For each dose: which rules bring the rate of E back, and which do not."""
    out = []
    change = found.change.isel(level=0)
    if "rate_E" not in change["observable"].values:
        return ["The rate of E is not among the observables."]
    for dose in found.data["dose"].values:
        here = change.sel(dose=dose, observable="rate_E")
        words = [
            f"{escape(str(rule))} {percent(float(here.sel(rule=rule, phase='during')))} %"
            for rule in found.data["rule"].values
            if np.isfinite(here.sel(rule=rule, phase="during"))
        ]
        acute = here.sel(phase="acute").values
        first = percent(float(acute[np.isfinite(acute)][0])) + " %" if np.isfinite(acute).any() else "no state"
        out.append(
            f"<b>{escape(str(dose))}</b>: the rate of E changes by {first} at once; at the end, {'; '.join(words)}."
        )
    return out


def _levels(found: Prediction) -> list[str]:
    """Where theory and spikes differ in sign, of all that both tell."""
    if found.data.sizes["level"] < 2:
        return []
    theory, spikes = (found.sign.sel(level=level) for level in ("theory", "spiking"))
    told = (found.change_error.sel(level="spiking") > 0.0) & theory.notnull() & spikes.notnull()
    other = (theory * spikes < 0.0) & told
    places = np.argwhere(other.transpose("rule", "phase", "dose", "observable").values)
    axes = [found.data[name].values for name in ("rule", "phase", "observable")]
    rows = dict.fromkeys(f"{axes[2][o]} ({axes[0][r]}, {axes[1][f]})" for r, f, _, o in places)
    named = f"; they do in {', '.join(list(rows)[:NAMED])}{' and others' if len(rows) > NAMED else ''}" if rows else ""
    return [f"Theory and spikes have opposite signs in {int(other.sum())} of {int(told.sum())} entries{escape(named)}."]


def _advice(found: Prediction) -> list[str]:
    """What to record under each dose, in a sentence or two."""
    return [
        f"<b>{escape(one.attrs['dose'])}</b>, to tell the rules apart: "
        f"{escape(one.attrs['recommendation'].splitlines()[0])}"
        for one in found.designs
    ]


def _both(seen: list[str], advice: list[str]) -> list[str]:
    """What happens under each dose, followed by what to record."""
    if len(seen) != len(advice):
        return [*seen, *advice]
    return [line for pair in zip(seen, advice, strict=True) for line in pair]


def _ends(data: "xr.Dataset") -> list[list[str]]:
    rows = []
    for dose, rule, level in product(*(data[name].values for name in ("dose", "rule", "level"))):
        here = data.sel(dose=dose, rule=rule, level=level)
        status = str(here["status"].item()).lower().replace("_", " ")
        rows.append([str(dose), str(rule), str(level), status, str(here["reason"].item()) or "followed to the end"])
    return rows


def _notes(data: "xr.Dataset") -> list[list[str]]:
    rows = []
    for level in data["level"].values:
        for name in data["observable"].values:
            note = str(data["note"].sel(level=level, observable=name).item())
            if note:
                rows.append([str(level), str(name), note])
    return rows


# --- figures ----------------------------------------------------------------------------------------------------------
def _figures(found: Prediction) -> str:
    one = len(found.data["level"]) == 1
    caption = (
        "Changes beside before under each rule; time is stretched after both onsets. "
        f"Lines: {found.data['level'].values[0]}. "
        + (
            "Open dots, where there are any: runs of the network."
            if one
            else "Open dots: runs of the network; thin lines, where there are any: rules followed by spikes."
        )
    )
    with style():
        drawn = [(str(dose), predict_figure(found, str(dose))) for dose in found.data["dose"].values]
        return "\n".join(figure(i, one, escape(dose), caption) for i, (dose, one) in enumerate(drawn, start=1))


def predict_figure(found: Prediction, dose: str) -> "Figure":
    """Trajectories of one dose under all rules, one panel an observable."""
    data = found.data.sel(dose=dose)
    course = changes(data["course"], data)
    shown = [name for name in PANELS if name in data["observable"].values] or [str(data["observable"].values[0])]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    drawn, axes = subplots(rows, columns, 0.5 + 2.2 * rows, sharex=True)
    for ax, name in zip(axes.flat, shown, strict=False):
        absolute = bool(data["absolute"].sel(observable=name))
        factor, unit = (1.0, str(data["unit"].sel(observable=name).item())) if absolute else (100.0, "%")
        predictions.draw_manipulation(ax, *(float(data.attrs[name]) for name in ("duration", "washout", "tau")))
        for k, level in enumerate(data["level"].values):
            time, change = data["time"].sel(level=level), course.sel(level=level, observable=name)
            predictions.draw_courses(ax, time, factor * change, faint=k > 0)
        if "spiking" in data["level"].values:
            here = {"dose": dose, "level": "spiking", "observable": name}
            at = data["phase_time"]
            predictions.draw_spikes(ax, at, factor * found.change.sel(here), factor * found.change_error.sel(here))
        ax.set_title(f"{name} ({unit})")
        if ax.get_subplotspec().is_first_row() and rows > 1:
            ax.set_xlabel("")
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    drawn.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return drawn


# --- the design -------------------------------------------------------------------------------------------------------
def _designs(found: Prediction) -> list[str]:
    """The recommended experiment under each dose; nothing where none was asked for."""
    if not found.designs:
        return []
    parts, number = [], found.data.sizes["dose"] + 1
    with style():
        for data in found.designs:
            chapter = design_chapter(data, [str(name) for name in found.data["rule"].values])
            drawn = [figure(number + i, *one) for i, one in enumerate(chapter.figures)]
            number += len(drawn)
            grids = "\n".join(grid.html() for grid in chapter.tables)
            folded = f"<details open><summary>Tables</summary>{grids}</details>" if grids else ""
            assumed = f"<h4>This assumes</h4>{bullets(chapter.caveats)}" if chapter.caveats else ""
            title = f"<h3>{escape(data.attrs['dose'])}</h3>"
            parts += [title, bullets(chapter.glance), *drawn, folded, assumed]
    return [section("The experiment that tells the rules apart", "\n".join(parts))]


# --- tables -----------------------------------------------------------------------------------------------------------
def _tables(found: Prediction) -> str:
    parts = []
    for dose in found.data["dose"].values:
        titles, rows = table_of(found, str(dose))
        parts.append(f"<h3>{escape(str(dose))}</h3>" + table(titles, rows))
    return "\n".join(parts)


def table_of(found: Prediction, dose: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of one dose: rule, phase and level, then the change of every observable."""
    data = found.data
    titles = ["rule", "phase", "level"]
    for name in data["observable"].values:
        absolute = bool(data["absolute"].sel(observable=name))
        unit = str(data["unit"].sel(observable=name).item()) if absolute else "%"
        titles.append(f"{name}" if unit == "1" else f"{name} ({unit})")
    rows = []
    for level in data["level"].values:
        rows.append(["(before)", "", str(level), *(number(float(v)) for v in data["baseline"].sel(level=level).values)])
    for rule in data["rule"].values:
        for phase in data["phase"].values:
            rows += [
                [str(rule), str(phase), str(level), *_cells(found, dose, str(rule), str(phase), str(level))]
                for level in data["level"].values
            ]
            if data.sizes["level"] > 1:
                rows.append([str(rule), str(phase), "difference", *_apart(found, dose, str(rule), str(phase))])
    return titles, rows


def _apart(found: Prediction, dose: str, rule: str, phase: str) -> list[str]:
    """How far changes by spikes are from those by theory; nothing where spikes have the slow state of theory."""
    here = {"dose": dose, "rule": rule, "phase": phase}
    apart, error = found.difference.sel(here).values, found.change_error.sel(here | {"level": "spiking"}).values
    return [
        NONE if not spread > 0.0 else number(float(x)) if absolute else percent(float(x))
        for x, spread, absolute in zip(apart, error, found.data["absolute"].values, strict=True)
    ]


def _cells(found: Prediction, dose: str, rule: str, phase: str, level: str) -> list[str]:
    here = {"dose": dose, "rule": rule, "phase": phase, "level": level}
    change, error = found.change.sel(here), found.change_error.sel(here)
    out = []
    for value, spread, absolute in zip(change.values, error.values, found.data["absolute"].values, strict=True):
        text = number(float(value)) if absolute else percent(float(value))
        if text != NONE and spread > 0.0:
            text += " ± " + (number(float(spread), 1) if absolute else f"{100.0 * float(spread):.1f}")
        out.append(text)
    return out


def render_prediction(found: Prediction) -> "RenderableType":
    """What became of each rule and how the populations fire, for the screen; print with `rich`."""
    from rich.text import Text

    return Text(repr(found))
