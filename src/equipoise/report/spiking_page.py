"""The report on a circuit studied spike by spike as one HTML file, from the Dataset of `spiking.study` alone."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.report import spiking_figures, spiking_tables
from equipoise.report.circuit_tables import rate_text
from equipoise.report.parts import bullets, closing, figure, head, known, page, section, table
from equipoise.report.spiking_words import CAPTIONS, CAVEATS, METHODS
from equipoise.report.tables import number
from equipoise.results import write_whole
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr


def write_spiking_html(data: "xr.Dataset", path: str | Path) -> Path:
    """Write the page of a study by spikes to `path`."""
    text = spiking_html(data)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def spiking_html(data: "xr.Dataset") -> str:
    """The page of a study by spikes."""
    noted = [*_refused(data), *spiking_tables.remarks(data)]
    sections = [
        _head(data),
        section("At a glance", _glance(data)),
        *known(noted),
        section("Figures", _figures(data)),
        section("Tables", _tables(data)),
        *closing(CAVEATS, METHODS, data.attrs["circuit"]),
    ]
    return page(f"{data.attrs['title']}: spikes", sections)


def _head(data: "xr.Dataset") -> str:
    a = data.attrs
    facts = (
        f"{escape(spiking_tables.who(data))}. {escape(spiking_tables.length_words(data))}. equipoise "
        f"{escape(a['equipoise_version'])}, digest of circuit and version <code>{a['digest'][:16]}</code>."
    )
    return head(a["title"], a["description"], facts)


def _refused(data: "xr.Dataset") -> list[list[str]]:
    """Why the circuit was not studied in theory, where that is known."""
    refusal = data.attrs.get("refusal", "")
    return [["theory of the network", "not possible", refusal]] if refusal else []


def _glance(data: "xr.Dataset") -> str:
    points = [
        f"<b>{escape(str(name))}</b>: {_population(data.sel(population=name))}" for name in data["population"].values
    ]
    if "survival" in data:
        spikes, chance = (number(float(v), 2) for v in data["branching"].values)
        points.append(f"<b>Together</b>: branching ratio {spikes}, by chance {chance}{_exponent(data)}.")
    points += [f"<b>Volleys</b> of {words}" for words in _answers(data)]
    points += [f"<b>Learned</b>: {words}" for words in _learned(data)]
    return bullets(points)


def _population(row: "xr.Dataset") -> str:
    """Rate, irregularity and balance of one population in a sentence."""
    words = f"{rate_text(float(row['rate']))} Hz"
    if np.isfinite(row["cv_median"]):
        words += f", C<sub>v</sub> {number(float(row['cv_median']))}"
    index, tracking = float(row["mean_index"]), float(row["mean_tracking"])
    if np.isfinite(index):
        words += f"; inhibition cancels {100.0 * (1.0 - index):.0f} % of the mean excitation"
    if np.isfinite(tracking):
        words += f" and follows it with correlation {number(tracking, 2)}"
    if "mean_tau" in row and np.isfinite(row["mean_tau"]):
        ratio = f"g<sub>I</sub>/g<sub>E</sub> {number(float(row['mean_g_ratio']))}, "
        words += f"; {ratio}time constant {number(float(row['mean_tau']) / ms)} ms"
    return f"{words}."


def _exponent(data: "xr.Dataset") -> str:
    if "exponent" not in data or not np.isfinite(data["exponent"]):
        return ""
    return f"; aperiodic exponent of the LFP proxy {number(float(data['exponent']))}"


def _answers(data: "xr.Dataset") -> list[str]:
    """What each population makes of the volleys."""
    if "answer" not in data:
        return []
    return [
        f"{escape(source)}: {escape(name)} answers with {more} spikes a neuron in 50 ms, most {after} ms after."
        for source, name, _, _, after, more in spiking_tables.answer_rows(data)
    ]


def _learned(data: "xr.Dataset") -> list[str]:
    if "learned_mean" not in data:
        return []
    return [
        f"{escape(name)} weigh {weight} times what they did at first; {rate} Hz for a target of {target} Hz."
        for name, target, rate, weight, _ in spiking_tables.learned_rows(data)
    ]


def _figures(data: "xr.Dataset") -> str:
    with plotting.style():
        made = spiking_figures.figures_of(data)
        return "\n".join(figure(i, made[name], *CAPTIONS[name]) for i, name in enumerate(made, start=1))


def _tables(data: "xr.Dataset") -> str:
    return "\n".join(f"<h3>{title}</h3>" + table(head, rows) for title, head, rows in spiking_tables.tables_of(data))
