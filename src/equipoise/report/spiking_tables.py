"""The numbers of a circuit's study by spikes, as text for the page and the screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.studies import NOT_TREATED
from equipoise.plotting.circuits import input_unit, potential_scale
from equipoise.report.circuit_tables import rate_text
from equipoise.report.tables import NONE, number
from equipoise.units import ms, nS

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

    Cell = Callable[["xr.Dataset"], str]


def firing_table(data: "xr.Dataset") -> tuple[list[str], list[list[str]]]:
    """Head and rows: how each population fires, and what the theory of one cell says."""
    columns: dict[str, Cell] = {
        "rate (Hz)": _with_interval("rate", rate_text),
        "SD (Hz)": lambda row: rate_text(float(row["rate_sd"])),
        "C_v": _of("cv_median"),
        "synchrony χ²": lambda row: number(float(row["synchrony"]), 2),
        "independent": lambda row: number(float(row["synchrony_chance"]), 2),
    }
    if "theory_rate" in data and np.isfinite(data["theory_rate"]).any():
        columns["theory (Hz)"] = lambda row: rate_text(float(row["theory_rate"]))
    return _by_population(data, columns)


def balance_table(data: "xr.Dataset") -> tuple[list[str], list[list[str]]]:
    """Head and rows: what neurons of each population feel."""
    unit, scale = data.attrs["potential_unit"], potential_scale(data.attrs["potential_unit"])
    columns: dict[str, Cell] = {
        f"E ({input_unit(unit)})": _of("mean_excitation"),
        f"I ({input_unit(unit)})": _of("mean_inhibition"),
        "index": _of("mean_index"),
        "tracking": _of("mean_tracking"),
        f"potential ({unit})": _of("mean_potential", scale),
    }
    if "mean_tau" in data:
        columns |= {
            "g_E (nS)": _of("mean_g_excitatory", nS), "g_I (nS)": _of("mean_g_inhibitory", nS),
            "g_I/g_E": _of("mean_g_ratio"), "τ (ms)": _of("mean_tau", ms),
        }  # fmt: skip
    return _by_population(data, columns)


def _by_population(data: "xr.Dataset", columns: "dict[str, Cell]") -> tuple[list[str], list[list[str]]]:
    rows = [data.sel(population=name) for name in data["population"].values]
    return ["", *columns], [[str(row["population"].item()), *(text(row) for text in columns.values())] for row in rows]


def _of(name: str, scale: float = 1.0) -> "Cell":
    return lambda row: number(float(row[name]) / scale)


def _with_interval(name: str, text: Callable[[float], str]) -> "Cell":
    def cell(row: "xr.Dataset") -> str:
        value, half = float(row[name]), 0.5 * float(row[f"{name}_high"] - row[f"{name}_low"])
        return f"{text(value)} ± {number(half, 1)}" if half > 0.0 else text(value)

    return cell


PROJECTION_HEAD = ["projection", "K", "weight", "τ (ms)", "its synapses"]


def projection_rows(data: "xr.Dataset") -> list[list[str]]:
    """The projections as given."""
    unit, scale = data.attrs["potential_unit"], potential_scale(data.attrs["potential_unit"])
    out = []
    for k in range(data.sizes["projection"]):
        row = data.isel(projection=k)
        conducts = bool(row["projection_conductance"])
        weight = float(row["projection_weight"]) / (nS if conducts else scale)
        tau = float(row["projection_tau"])
        out.append(
            [
                f"{row['projection_source'].item()} → {row['projection_target'].item()}",
                number(float(row["projection_degree"])), f"{number(weight)} {'nS' if conducts else unit}",
                number(tau / ms) if tau > 0.0 else "delta", str(row["projection_moves"].item()) or "stay",
            ]
        )  # fmt: skip
    return out


COLLECTIVE_HEAD = ["measure", "spikes", "chance"]


def collective_rows(data: "xr.Dataset") -> list[list[str]]:
    """Avalanches, branching ratio and field, beside chance where it has a value."""
    out = []
    if "survival" in data:
        for name, words in (("branching", "branching ratio"), ("crackling", "crackling exponent")):
            out.append([words, *(_bracketed(data.sel(of=k), name) for k in data["of"].values)])
        out.append(["avalanches", *(f"{int(n):,}" for n in data["avalanche_number"].values)])
    if "exponent" in data:
        span = f"{data.attrs['line_low']:g} to {data.attrs['line_high']:g} Hz"
        out.append([f"aperiodic exponent, {span}", _bracketed(data, "exponent"), NONE])
        peak = float(data["rhythm"])
        words = (
            f"{number(peak)} Hz, {number(float(data['rhythm_factor']))} times the line" if np.isfinite(peak) else NONE
        )
        out.append(["rhythm of the LFP proxy", words, NONE])
    return out


def _bracketed(data: "xr.Dataset", name: str) -> str:
    value, low, high = (float(data[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{number(value)} [{number(low)}, {number(high)}]" if np.isfinite(value) else NONE


ANSWER_HEAD = ["volleys of", "population", "before (Hz)", "peak (Hz)", "after (ms)", "spikes more in 50 ms"]


def answer_rows(data: "xr.Dataset") -> list[list[str]]:
    """What volleys do to each population."""
    out = []
    for source in data["volleys"].values:
        for name in data["population"].values:
            row = data.sel(volleys=source, population=name)
            latency = float(row["answer_latency"]) / ms if float(row["answer_peak"]) > 0.0 else np.nan
            values = (float(row["answer_before"]), float(row["answer_peak"]), latency, float(row["answer_spikes"]))
            out.append([f"{source} ({int(row['volleys_number'])})", str(name), *(number(v) for v in values)])
    return out


LEARNED_HEAD = ["projection", "aims at (Hz)", "rate (Hz)", "mean weight over its start", "central 98 %"]


def learned_rows(data: "xr.Dataset") -> list[list[str]]:
    """Weights of synapses that learn at the end of the run, and the rate beside that at which they aim."""
    out = []
    for name in data["plastic"].values:
        row = data.sel(plastic=name)
        rate = float(data["rate"].sel(population=row["learned_of"].item()))
        span = row["learned_quantile"].values
        out.append(
            [
                str(name).replace("->", "→"), number(float(row["learned_target"])), rate_text(rate),
                number(float(row["learned_mean"].values[-1])), f"{number(span[0])} to {number(span[-1])}",
            ]
        )  # fmt: skip
    return out


RULE_HEAD = ["slow variable", "first", "last", "error"]


def rule_rows(data: "xr.Dataset") -> list[list[str]]:
    """Slow variables at both ends of the path under the rules."""
    units = {"S": (nS, "nS"), "V": (potential_scale(data.attrs["potential_unit"]), data.attrs["potential_unit"])}
    out = []
    for k, name in enumerate(data["variable"].values):
        scale, word = units.get(str(data["path_unit"].values[k]), (1.0, str(data["path_unit"].values[k])))
        ends = (data["path_slow"].values[0, k], data["path_slow"].values[-1, k], data["path_error"].values[-1, k])
        out.append([f"{name} ({word})", *(number(float(v) / scale) for v in ends)])
    return out


def tables_of(data: "xr.Dataset") -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table that applies."""
    out = [("Firing", *firing_table(data)), ("Balance", *balance_table(data))]
    if rows := collective_rows(data):
        out.append(("Together", COLLECTIVE_HEAD, rows))
    if "learned_mean" in data:
        out.append(("Learned weights", LEARNED_HEAD, learned_rows(data)))
    if "answer" in data:
        out.append(("Answers to volleys", ANSWER_HEAD, answer_rows(data)))
    if "path_slow" in data:
        out.append(("Under the rules", RULE_HEAD, rule_rows(data)))
    return [*out, ("Projections as given", PROJECTION_HEAD, projection_rows(data))]


def remarks(data: "xr.Dataset") -> list[list[str]]:
    """The parts that did not end well: part, status, why."""
    rows = zip(data["part"].values, data["part_status"].values, data["part_message"].values, strict=True)
    return [[str(p), _status(str(s)), str(m)] for p, s, m in rows if s != "OK"]


def _status(name: str) -> str:
    return "not treated" if name == NOT_TREATED else name.lower().replace("_", " ")


def who(data: "xr.Dataset") -> str:
    """The populations in words."""
    parts = zip(data["population"].values, data["size"].values, data["neuron_model"].values, strict=True)
    nodes = [f"{name} ({int(size):,} {model})" for name, size, model in parts]
    volleys = set(data["volleys"].values) if "volleys" in data.coords else set()
    rates = zip(data["pre"].values, data["source_rate"].values, data["is_source"].values, strict=True)
    told = [(name, "volleys" if name in volleys else f"{number(float(r))} Hz") for name, r, source in rates if source]
    return ", ".join([*nodes, *(f"{name} ({words})" for name, words in told)])


def length_words(data: "xr.Dataset") -> str:
    """What was simulated."""
    a = data.attrs
    words = f"{a['duration']:g} s of spikes"
    words += f" after {a['warmup']:g} s of warm-up" if a["warmup"] else ""
    words += f", settled from {a['settled']:g} s on" if a["settled"] else ""
    return f"{words}, seed {a['seed']}"


def render(data: "xr.Dataset") -> "RenderableType":
    """Tables for the screen; print with `rich`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(data.attrs["title"], style="bold"), Text(who(data)), Text(length_words(data))]
    for title, head, rows in tables_of(data)[:-1]:
        parts += [Text(), Text(title, style="bold"), _table(head, rows)]
    noted = [Text(f"{p}: {s}. {why}") for p, s, why in remarks(data)]
    return Group(*parts, *([Text(), *noted] if noted else []))


def _table(head: list[str], rows: list[list[str]]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="dim")
    for k, title in enumerate(head):
        shown.add_column(title.replace(" (", "\n("), justify="left" if k < 1 else "right", no_wrap=True)
    for row in rows:
        shown.add_row(*map(Text, row))
    return shown
