"""The report on a circuit as one HTML file, from the Dataset of `theory.study` alone."""

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.report import circuit_figures, circuit_tables
from equipoise.report.circuit_words import CAPTIONS, CAVEATS, METHODS
from equipoise.report.levels import levels_section
from equipoise.report.parts import bullets, closing, figure, head, known, page, section, table
from equipoise.results import write_whole
from equipoise.theory.study import LEVELS

if TYPE_CHECKING:
    import xarray as xr


def write_circuit_html(data: "xr.Dataset", path: str | Path, *, levels: "xr.Dataset | None" = None) -> Path:
    """Write the page of a study, and of a comparison of levels if there is one, to `path`."""
    text = circuit_html(data, levels=levels)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def circuit_html(data: "xr.Dataset", *, levels: "xr.Dataset | None" = None) -> str:
    """The page of a study, and of a comparison of levels if there is one."""
    noted = circuit_tables.remarks(data)
    sections = [
        _head(data),
        section("At a glance", _glance(data)),
        *known(noted),
        section("Figures", _figures(data)),
        *([levels_section(levels, 1 + len(circuit_figures.figures_of(data)))] if levels is not None else []),
        section("Tables", _tables(data)),
        *closing(CAVEATS, METHODS, data.attrs["circuit"]),
    ]
    return page(f"{data.attrs['title']}: excitatory-inhibitory balance in theory", sections)


def _head(data: "xr.Dataset") -> str:
    a = data.attrs
    facts = (
        f"{escape(circuit_tables.who(data))}. equipoise {escape(a['equipoise_version'])}, "
        f"digest of circuit and version <code>{a['digest'][:16]}</code>."
    )
    return head(a["title"], a["description"], facts)


def _glance(data: "xr.Dataset") -> str:
    points = [_condition_words(data, i) for i in range(data.sizes["condition"])]
    points.append(f"<b>States</b> with the weights as given: {escape(circuit_tables.state_words(data))}.")
    points.append(f"<b>Balanced limit</b>: {escape(circuit_tables.limit_words(data))}")
    if "recovery_time" in data:
        points.append(f"<b>Homeostasis</b> {_indexed(circuit_tables.recovery_words(data))}.")
    if not np.isfinite(data["density"]).any() and np.isfinite(data["rate"]).all():
        points.append("Every neuron of a population has the same number of inputs, so that their rates do not differ.")
    return bullets(points)


def _condition_words(data: "xr.Dataset", index: int) -> str:
    """One condition in a sentence: rates, and how much of the excitation is cancelled."""
    part = data.isel(condition=index)
    name = str(part["condition"].item()).capitalize()
    if not np.isfinite(part["rate"]).all():
        return f"<b>{name}</b>: no state found."
    words = []
    for population in data["population"].values:
        inputs = part["input"].sel(post=population).values
        exciting = inputs[inputs > 0].sum()
        cancelled = (
            f", inhibition {100 * abs(inputs[inputs < 0].sum()) / exciting:.0f} % of excitation" if exciting else ""
        )
        rate = float(part["rate"].sel(population=population))
        words.append(f"{escape(str(population))} {escape(circuit_tables.rate_text(rate))} Hz{cancelled}")
    return f"<b>{name}</b>: {'; '.join(words)}.{_distance_words(part)}"


def _distance_words(part: "xr.Dataset") -> str:
    """How far the rates are from the balanced limit."""
    if not np.isfinite(part["limit_second_moment"]).all():
        return ""
    off = 100.0 * float(np.abs(part["rate"] / part["limit_rate"] - 1.0).max())
    return f" Rates are within {circuit_tables.number(off)} % of the balanced limit."


def _indexed(text: str) -> str:
    """Weights J_EI as they are printed."""
    return re.sub(r"\bJ_(\w+)", r"J<sub>\1</sub>", escape(text))


def _labelled(rows: list[list[str]]) -> list[list[str]]:
    """Rows that begin with one label instead of condition and population."""
    several = len({row[0] for row in rows}) > 1
    return [[f"{row[1]}, {row[0]}" if several else row[1], *row[2:]] for row in rows]


def _figures(data: "xr.Dataset") -> str:
    with plotting.style():
        made = circuit_figures.figures_of(data)
        return "\n".join(figure(i, made[name], *CAPTIONS[name]) for i, name in enumerate(made, start=1))


def _tables(data: "xr.Dataset") -> str:
    unit = data.attrs["potential_unit"]
    heads = [c.title + (f" ({c.unit})" if c.unit else "") for c in circuit_tables.columns(data)]
    conditions = [f"J {c} ({unit})" for c in data["condition"].values]
    change = ["change (%)"] if len(conditions) > 1 else []
    parts = [
        ("State", ["population", *heads], _labelled(circuit_tables.state_rows(data))),
        (
            "Rates over neurons",
            ["population", "CV²", *_quantile_heads()],
            _labelled(circuit_tables.quantile_rows(data)),
        ),
        ("Weights", ["projection", "K", *conditions, *change], circuit_tables.weight_rows(data)),
    ]
    if "recovery_time" in data:
        rows = circuit_tables.mode_rows(data)
        parts.append(("Slow modes", ["mode", "recovery", "period", "eigenvalue (1/h)"], rows))
    text = "\n".join(f"<h3>{title}</h3>" + table(head, rows) for title, head, rows in parts)
    if "conserved" in data and data.sizes["quantity"]:
        held = bullets([_indexed(str(v)) for v in data["conserved"].values])
        text += f"<h3>Conserved by the rules</h3>{held}"
    return text


def _quantile_heads() -> list[str]:
    return [f"{100 * level:g} % (Hz)" for level in LEVELS]
