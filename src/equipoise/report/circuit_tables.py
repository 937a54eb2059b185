"""The numbers of a circuit's study as text: columns shared by the page and the screen, and what to know about them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.studies import NOT_TREATED
from equipoise.plotting.circuits import duration_text, input_unit, potential_scale, visible_modes
from equipoise.plotting.schematic import SILENT
from equipoise.report.tables import NONE, Column, number
from equipoise.results import Status
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

PART_WORDS = {NOT_TREATED: "not treated", "NOT_CONVERGED": "not found", "INFEASIBLE": "impossible"}
FEW, MOST = 12, 4
"""Weights up to which the screen lists them, and how many modes or conserved quantities; the page lists all."""


def columns(data: "xr.Dataset") -> list[Column]:
    """One row per condition and population."""
    unit = input_unit(data.attrs["potential_unit"])
    shown = [
        Column(title="rate", unit="Hz", text=lambda row: rate_text(float(row["rate"]))),
        Column(title="SD", unit="Hz", text=lambda row: rate_text(float(row["rate_sd"]))),
        Column(title="C_v", text=_of("cv_median")),
        Column(title="excitation", unit=unit, text=lambda row: number(_signed(row, 1.0))),
        Column(title="inhibition", unit=unit, text=lambda row: number(_signed(row, -1.0))),
        Column(title="net", unit=unit, text=_of("mu")),
    ]
    if np.isfinite(data["limit_second_moment"]).all():
        shown.insert(1, Column(title="vs limit", unit="%", text=_off_balance))
    return shown


def rate_text(rate: float) -> str:
    """A rate in Hz; that of a silent population is not spelt out."""
    return f"< {SILENT:g}" if 0.0 < rate < SILENT else number(rate)


def _of(name: str) -> Callable[["xr.Dataset"], str]:
    return lambda row: number(float(row[name]))


def _signed(row: "xr.Dataset", sign: float) -> float:
    """Sum of the inputs of one sign."""
    values = row["input"].sel(post=row["population"].item()).values
    return float(values[values * sign > 0].sum()) if np.isfinite(values).all() else np.nan


def _off_balance(row: "xr.Dataset") -> str:
    """Distance of a rate from its balanced limit in per cent."""
    off = 100.0 * (float(row["rate"]) / float(row["limit_rate"]) - 1.0)
    return f"{off + 0.0:+.1f}".replace("-", "−") if np.isfinite(off) else NONE


def state_rows(data: "xr.Dataset") -> list[list[str]]:
    """Condition, population and the cells of `columns`, the conditions one after the other."""
    shown = columns(data)
    return [
        [str(row["condition"].item()), str(row["population"].item()), *(c.text(row) for c in shown)]
        for i in range(data.sizes["condition"])
        for row in (data.isel(condition=i, population=a) for a in range(data.sizes["population"]))
    ]


def quantile_rows(data: "xr.Dataset") -> list[list[str]]:
    """Condition, population, CV^2 and the quantiles of the rates over neurons."""
    rows = []
    for i, condition in enumerate(data["condition"].values):
        for a, name in enumerate(data["population"].values):
            row = data.isel(condition=i, population=a)
            rows.append(
                [
                    str(condition),
                    str(name),
                    number(float(row["rate_cv2"])),
                    *(rate_text(float(q)) for q in row["quantile"].values),
                ]
            )
    return rows


def weight_rows(data: "xr.Dataset") -> list[list[str]]:
    """Projection, number of inputs, and the weight in every condition with its change."""
    scale = potential_scale(data.attrs["potential_unit"])
    weights, degrees = data["weight"].values / scale, data["in_degree"].values
    rows = []
    for a, b in np.argwhere(weights[0] != 0.0):
        values = [number(w) for w in weights[:, a, b]]
        if len(values) > 1:
            change = 100.0 * (weights[-1, a, b] / weights[0, a, b] - 1.0)
            values.append(f"{change + 0.0:+.1f}".replace("-", "−"))
        pair = f"{data['pre'].values[b]} → {data['post'].values[a]}"
        rows.append([pair, f"{degrees[a, b]:,.6g}", *values])
    return rows


def mode_rows(data: "xr.Dataset") -> list[list[str]]:
    """Recovery time, turning and eigenvalue of every slow mode that is not neutral."""
    rows = []
    for k, mode in enumerate(visible_modes(data), start=1):
        time, real, turning = (
            float(data[name][mode]) for name in ("recovery_time", "eigenvalue_real", "eigenvalue_imag")
        )
        value = number(real * hour) + (f" ± {number(turning * hour)} i" if turning else "")
        turns = duration_text(2 * np.pi / turning) if turning else NONE
        fate = "recovers in" if time > 0 else "grows in"
        rows.append([str(k), f"{fate} {duration_text(abs(time))}", turns, value])
    return rows


def state_words(data: "xr.Dataset") -> str:
    """How many fixed points there are with the weights as given."""
    n, stable = data.sizes["state"], int(data["state_stable"].sum())
    if n == 0:
        return "no fixed point found"
    if n == 1:
        return f"one fixed point found, {'stable' if stable else 'unstable'}"
    rates = "; ".join(
        ", ".join(rate_text(r) for r in row) + (" Hz" if good else " Hz (unstable)")
        for row, good in zip(data["state_rate"].values, data["state_stable"].values, strict=True)
    )
    return f"{n} fixed points found, {stable} stable: {rates}"


def limit_words(data: "xr.Dataset") -> str:
    """The balanced limit, or why there is none."""
    conditions = " ".join(str(v) for v in data["inequality"].values)
    if np.isfinite(data["limit_second_moment"]).all():
        rates = zip(data["population"].values, data["limit_rate"].values, strict=True)
        return (", ".join(f"{name} {number(r)} Hz" for name, r in rates) + f". {conditions}").strip()
    message = str(data["part_message"].sel(part="balanced limit").item())
    return message if not conditions or conditions in message else f"{message} {conditions}"


def recovery_words(data: "xr.Dataset") -> str:
    """Recovery times of the weights, slowest first, and what the rules conserve."""
    rows = mode_rows(data)
    words = [fate + (f" (turning in {turns})" if turns != NONE else "") for _, fate, turns, _ in rows]
    text = ", ".join(words[:MOST]).replace(", recovers in", ",")
    if len(words) > MOST:
        text += f", and {len(words) - MOST} faster modes"
    held = [str(v) for v in data["conserved"].values]
    if not held:
        return text
    return f"{text}; conserved: {', '.join(held)}" if len(held) <= MOST else f"{text}; {len(held)} conserved quantities"


def remarks(data: "xr.Dataset") -> list[tuple[str, str, str]]:
    """(part, status, message) of every part that has something to say beyond being there."""
    found = []
    columns_ = (data[name].values for name in ("part", "part_status", "part_message"))
    for name, status, message in zip(*columns_, strict=True):
        if name == "balanced limit" or (status in ("OK", "MARGINAL") and (not message or name == "trajectory")):
            continue
        known = Status.__members__.get(str(status))
        advice = known.advice if known is not None and not message else ""
        words = PART_WORDS.get(str(status), str(status).lower().replace("_", " ") if status != "OK" else "note")
        found.append((str(name), words, f"{message} {advice}".strip()))
    return found


def render(data: "xr.Dataset") -> "RenderableType":
    """Everything for the screen; print with `rich`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(data.attrs["title"], style="bold"),
        Text(who(data)),
        Text(),
        _state_table(data),
        Text(),
    ]
    facts = [("states", state_words(data)), ("balanced limit", limit_words(data))]
    if "recovery_time" in data:
        facts.append(("homeostasis", recovery_words(data)))
    parts.append(_facts_table(facts))
    if "regulated" in data["condition"].values and len(weight_rows(data)) <= FEW:
        parts += [Text(), _weight_table(data)]
    noted = remarks(data)
    if noted:
        parts += [Text(), Text("Noted", style="bold"), *(Text(f"  {a}, {b}: {c}") for a, b, c in noted)]
    return Group(*parts)


def who(data: "xr.Dataset") -> str:
    """Populations with their size and neuron, and sources with their rate."""
    sizes = [f"{int(s):,} " if np.isfinite(s) else "" for s in data["size"].values]
    kinds = zip(data["population"].values, sizes, data["neuron_model"].values, strict=True)
    nodes = [f"{name} ({size}{model})" for name, size, model in kinds]
    outer = data.isel(pre=data["is_source"].values)
    nodes += [f"{n} ({r:g} Hz)" for n, r in zip(outer["pre"].values, outer["source_rate"].values, strict=True)]
    return ", ".join(nodes)


def _state_table(data: "xr.Dataset") -> "RenderableType":
    rows, shown = state_rows(data), columns(data)
    several = data.sizes["condition"] > 1
    head = [("", ""), *((c.title, c.unit) for c in shown)]
    table = _screen_table([("", ""), *head] if several else head, left=2 if several else 1)
    for k, row in enumerate(rows):
        first = k % data.sizes["population"] == 0
        table.add_row(*_texts([row[0] if first else "", *row[1:]] if several else row[1:]))
    return table


def _weight_table(data: "xr.Dataset") -> "RenderableType":
    unit = data.attrs["potential_unit"]
    conditions = [(f"J {c}", unit) for c in data["condition"].values]
    table = _screen_table([("projection", ""), ("K", ""), *conditions, ("change", "%")], left=1)
    for row in weight_rows(data):
        table.add_row(*_texts(row))
    return table


def _facts_table(facts: Sequence[tuple[str, str]]) -> "RenderableType":
    table = _screen_table([("", ""), ("", "")], left=2, header=False)
    for name, words in facts:
        table.add_row(*_texts([name, words]))
    return table


def _screen_table(head: Sequence[tuple[str, str]], *, left: int, header: bool = True):
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=header)
    for k, (title, unit) in enumerate(head):
        table.add_column(f"{title}\n{unit}", justify="left" if k < left else "right", no_wrap=header)
    return table


def _texts(cells: Sequence[str]) -> list:
    """Names from a file are shown letter by letter, brackets included."""
    from rich.text import Text

    return [Text(cell) for cell in cells]
