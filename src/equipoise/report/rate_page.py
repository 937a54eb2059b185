"""The report on a circuit of rates as one HTML file, from the Dataset of `rate.study` alone."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise import plotting
from equipoise.plotting import circuits, rates, schematic
from equipoise.report import rate_tables as tables
from equipoise.report.circuit_figures import MOST_NODES
from equipoise.report.parts import bullets, closing, figure, head, known, page, section, subplots, table
from equipoise.report.tables import number
from equipoise.results import write_whole

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

CAPTIONS = {
    "circuit": (
        "The circuit",
        "Arrow heads excite, round ones inhibit; the width of a line is the mean input |W| r in the state of rest. The "
        "numbers are that input with its sign.",
    ),
    "states": (
        "States and responses",
        "Left: where each population is at rest with the other; crossings are the fixed points, full ones stable. "
        "With more than two populations: rates of each state, unstable ones pale. Right: change of each rate per unit "
        "of input to each population, in the state of rest.",
    ),
    "path": (
        "Homeostasis over time",
        "Rates and slow variables under the circuit's rules, the rates at their fast fixed point all along. Dotted: "
        "the joint fixed point, found directly and not by following the path.",
    ),
}
METHODS = (
    "Rates follow τ dr/dt = −r + f(h) with h the summed input. Fixed points of threshold-linear circuits are all there "
    "are (one linear system for each pattern of silent, active and full populations); of others, all that Newton's "
    "method finds from many starts and along branches.",
    "A state is inhibition-stabilised where it is stable though its excitatory part alone is not. A population is "
    "paradoxical where its rate falls as it is driven.",
    "The study goes on from the state of rest: the highest stable state that is neither silent nor saturated.",
    "Rules move thresholds, gains and weights slowly. Eigenvalues are those of the slow variables with the rates at "
    "their fixed point.",
)
CAVEATS = (
    "Rates are means: no spikes, no irregularity, no delays, no time course of synapses.",
    "A silent neuron requires no input in particular; its required input is taken as its threshold.",
    "The path ends where the rates would oscillate; jumps between states are part of it.",
)


def write_rate_html(data: "xr.Dataset", path: str | Path) -> Path:
    """Write the page of a study of rates to `path`."""
    text = rate_html(data)
    return write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def rate_html(data: "xr.Dataset") -> str:
    """The page of a study of rates."""
    noted = tables.notes(data)
    sections = [
        _head(data),
        section("At a glance", _glance(data)),
        *known(noted),
        section("Figures", _figures(data)),
        section("Tables", _tables(data)),
        *closing(CAVEATS, METHODS, data.attrs["circuit"]),
    ]
    return page(f"{data.attrs['title']}: rates and homeostasis", sections)


def _head(data: "xr.Dataset") -> str:
    a = data.attrs
    who = ", ".join(f"{n} ({m})" for n, m in zip(data["population"].values, data["neuron_model"].values, strict=True))
    facts = f"{escape(who)}. equipoise {escape(a['equipoise_version'])}, digest <code>{a['digest'][:16]}</code>."
    return head(a["title"], a["description"], facts)


def _glance(data: "xr.Dataset") -> str:
    chosen = data.attrs["chosen"]
    rates_ = zip(data["population"].values, data["rate"].values[chosen], strict=True)
    at = ", ".join(f"{escape(str(n))} {number(float(r))} Hz" for n, r in rates_)
    points = [
        f"<b>{data.sizes['state']} states</b>, {int(data['state_stable'].sum())} of them stable.",
        f"<b>State of rest</b>: {at}; {tables.state_word(data, chosen)}.",
    ]
    paradox = data["population"].values[data["paradoxical"].values[chosen]]
    if paradox.size:
        points.append(f"<b>Paradoxical</b>: the rate of {escape(', '.join(map(str, paradox)))} falls as it is driven.")
    words = tables.rule_words(data)
    if words:
        points.append(f"<b>Under the rules</b>: {escape(words)}.")
    return bullets(points)


def _figures(data: "xr.Dataset") -> str:
    with plotting.style():
        made = {"circuit": _circuit(data), "states": _states(data)}
        if "path_rate" in data:
            made["path"] = _path(data)
        return "\n".join(figure(i, made[name], *CAPTIONS[name]) for i, name in enumerate(made, start=1))


def _circuit(data: "xr.Dataset") -> "Figure":
    part, n = data.isel(state=data.attrs["chosen"]), data.sizes["population"]
    if n > MOST_NODES:
        drawn, axes = subplots(1, 1, 1.0 + 0.36 * n)
    else:
        drawn, axes = subplots(1, 2, 3.0 if n <= 2 else 4.6, width_ratios=[1.3, 1.0])
        schematic.draw_schematic(axes[0, 0], part)
    circuits.draw_input_matrix(axes[0, -1], part)
    axes[0, -1].set_title("Input at rest")
    return drawn


def _states(data: "xr.Dataset") -> "Figure":
    drawn, axes = subplots(1, 2, 3.8, width_ratios=[1.3, 1.0])
    (rates.draw_plane if "residual" in data else rates.draw_state_bars)(axes[0, 0], data)
    rates.draw_response(axes[0, 1], data, data.attrs["chosen"])
    axes[0, 1].set_title("Response at rest (Hz per unit of input)")
    return drawn


def _path(data: "xr.Dataset") -> "Figure":
    kinds = rates.kinds_of(data)
    drawn, axes = subplots(1, 1 + len(kinds), 3.3)
    rates.draw_path_rates(axes[0, 0], data)
    for ax, kind in zip(axes[0, 1:], kinds, strict=True):
        rates.draw_path_slow(ax, data, kind)
    return drawn


def _tables(data: "xr.Dataset") -> str:
    names = [f"{n} (Hz)" for n in data["population"].values]
    parts = [
        ("States", [*tables.STATE_HEAD, *names], tables.state_rows(data)),
        ("Populations at rest", tables.POPULATION_HEAD, tables.population_rows(data)),
    ]
    if "variable" in data.sizes:
        parts.append(("Slow variables", tables.VARIABLE_HEAD, tables.variable_rows(data)))
        parts.append(("Slow modes", tables.MODE_HEAD, tables.mode_rows(data)))
    return "\n".join(f"<h3>{title}</h3>" + table(head, rows) for title, head, rows in parts)
