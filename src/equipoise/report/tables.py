"""The numbers of a report as text: columns shared by the page and the screen, flags in words, a summary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.results import Status
from equipoise.units import mV

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

NONE = "–"
MOST_NOTES = 40  # lines on the screen; the page shows all
STATUS_WORDS = {
    "OK": "ok",
    "APPROXIMATE": "approximate",
    "IMPLAUSIBLE": "implausible",
    "INFEASIBLE": "infeasible",
    "INSUFFICIENT_DATA": "too few spikes",
    "NOT_CONVERGED": "not converged",
    "DOUBTFUL": "doubtful",
    "OUT_OF_BAND": "beyond the band",
    "NOT_COMPARABLE": "not comparable",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: its heading, its unit, and the text of a cell given one unit in one epoch."""

    title: str
    unit: str = ""
    text: Callable[["xr.Dataset"], str]


def number(value: float, digits: int = 3) -> str:
    """A number to `digits` significant digits without exponents, a dash where there is none."""
    value = float(value)
    if not np.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # after rounding: 9.999 is 10.0
    decimals = max(0, digits - 1 - exponent)
    return f"{value:,.{decimals}f}".replace("-", "−")


def percent(value: float) -> str:
    """A fraction in per cent with its sign."""
    if not np.isfinite(float(value)):
        return NONE
    tenths = round(100 * float(value), 1) + 0.0  # no negative zero
    return f"{tenths:+.1f}".replace("-", "−")


def interval(value: float, low: float, high: float) -> str:
    """A value with the ends of its interval, a dash where there is none."""
    if not np.isfinite(float(value)):
        return NONE
    ends = ("∞" if np.isposinf(float(end)) else number(end) for end in (low, high))
    return f"{number(value)} [{', '.join(ends)}]"


def _value(name: str, scale: float = 1.0, **where: object) -> Callable[["xr.Dataset"], str]:
    return lambda row: number(float(row[name].sel(where)) / scale)


def _with_interval(name: str) -> Callable[["xr.Dataset"], str]:
    return lambda row: interval(*(float(row[name + end]) for end in ("", "_low", "_high")))


def _count(name: str) -> Callable[["xr.Dataset"], str]:
    return lambda row: f"{int(row[name]):,}"


def _short(row: "xr.Dataset") -> str:
    count, fraction = int(row["short_intervals"]), float(row["refractory_violations"])
    return f"{count} ({100 * fraction:.2f} %)" if np.isfinite(fraction) else f"{count}"


def _gap(name: str, moment: str) -> Callable[["xr.Dataset"], str]:
    return lambda row: percent(float(row[name].sel(moment=moment)))


def _serial(moment: str) -> Callable[["xr.Dataset"], str]:
    def text(row: "xr.Dataset") -> str:
        mark = "*" if bool(row["serial_order_matters"].sel(moment=moment)) else ""
        return percent(float(row["serial_gap"].sel(moment=moment))) + mark

    return text


def _pair(K: int) -> Callable[["xr.Dataset"], str]:
    def text(row: "xr.Dataset") -> str:
        j_e, j_i = (float(row[name].sel(k=K)) / mV for name in ("j_e", "j_i"))
        return f"{number(j_e)} / {number(j_i)}" if np.isfinite(j_e) else NONE

    return text


UNIT = Column(title="unit", text=lambda row: str(row["unit"].item()))
SPIKES = Column(title="spikes", text=_count("n_spikes"))
STATUS = Column(title="model input", text=lambda row: STATUS_WORDS[str(row["input_status"].item())])
MEAN = Column(title="mean", unit="mV", text=_value("membrane_mean", mV))
SD = Column(title="sd", unit="mV", text=_value("membrane_sd", mV))


def firing_columns() -> list[Column]:
    """Rate and irregularity."""
    return [
        SPIKES,
        Column(title="rate", unit="Hz", text=_with_interval("rate")),
        Column(title="global C_v", text=_with_interval("cv")),
        Column(title="C_v,local", text=_with_interval("cv_local")),
        Column(title="CV2", text=_value("cv2")),
        Column(title="LV", text=_value("lv")),
        Column(title="LvR", text=_value("lvr")),
        Column(title="intervals < tau_ref", text=_short),
    ]


def calcium_columns(moment: str) -> list[Column]:
    """One calcium moment by source, and the gaps."""
    name, unit = f"calcium_{moment}", "µM" if moment == "mean" else "µM²"
    words = {"actual": "actual", "renewal": "renewal", "shuffled": "shuffled"}
    words |= {"inhomogeneous": "Poisson, smoothed rate", "poisson": "Poisson, mean rate", "model": "model neuron"}
    columns = [Column(title=w, unit=unit, text=_value(name, source=source)) for source, w in words.items()]
    return [
        *columns,
        Column(title="serial gap", unit="%", text=_serial(moment)),
        Column(title="modulation gap", unit="%", text=_gap("modulation_gap", moment)),
        Column(title="remaining gap", unit="%", text=_gap("remaining_gap", moment)),
    ]


def model_columns(in_degrees: Sequence[int]) -> list[Column]:
    """The model neuron's input and the weights of the rule."""
    weights = [Column(title=f"J_E / J_I at K = {K:,}", unit="mV", text=_pair(K)) for K in in_degrees]
    return [STATUS, MEAN, SD, Column(title="least K", text=_value("k_min")), *weights]


def screen_columns() -> list[Column]:
    """The few columns that fit a terminal."""
    nu = "calcium_second_moment"
    return [
        Column(title="rate", unit="Hz", text=_value("rate")),
        Column(title="C_v", text=_value("cv")),
        Column(title="C_v,loc", text=_value("cv_local")),
        Column(title="<Ca²>", unit="µM²", text=_value(nu, source="actual")),
        Column(title="serial", unit="%", text=_serial("second_moment")),
        Column(title="modul.", unit="%", text=_gap("modulation_gap", "second_moment")),
        MEAN,
        SD,
        STATUS,
    ]


def rows(dataset: "xr.Dataset", epoch: int, columns: Sequence[Column]) -> list[list[str]]:
    """The cells of a table, one list per unit."""
    part = dataset.isel(epoch=epoch)
    units = [part.isel(unit=u) for u in range(dataset.sizes["unit"])]
    return [[c.text(unit) for c in columns] for unit in units]


def flags(dataset: "xr.Dataset") -> list[tuple[str, str, str, str]]:
    """(epoch, unit, kind, reason) of everything that is missing or not to be trusted, in words."""
    found = []
    for e, epoch in enumerate(dataset["epoch"].values):
        for u, unit in enumerate(dataset["unit"].values):
            cell = dataset.isel(epoch=e, unit=u)
            found += [(str(epoch), str(unit), kind, reason) for kind, reason in _unit_flags(cell)]
    return found


def _unit_flags(cell: "xr.Dataset") -> list[tuple[str, str]]:
    status = str(cell["input_status"].item())
    found = []
    if status != Status.OK.name:
        found.append((STATUS_WORDS[status], str(cell["input_reason"].item())))
    few = Status.INSUFFICIENT_DATA.name
    if status != few and str(cell["calcium_status"].item()) == few:
        found.append(("calcium", "the epoch is too short for calcium to forget its unknown start"))
    bad = [int(K) for K in cell["k"].values if str(cell["weight_status"].sel(k=K).item()) == Status.INFEASIBLE.name]
    if bad:
        which = ", ".join(f"{K:,}" for K in bad)
        found.append(("no positive weights", f"at K = {which}; they need K > {float(cell['k_min']):,.0f}"))
    if float(cell["refractory_violations"]) > 0.01:
        share = 100 * float(cell["refractory_violations"])
        found.append(("isolation", f"{share:.1f} % of intervals are shorter than the refractory period"))
    return found


def counts(part: "xr.Dataset") -> dict[str, int]:
    """Units per status of the model input in one epoch."""
    status, n = np.unique(part["input_status"].values.astype(str), return_counts=True)
    return {STATUS_WORDS[s]: int(i) for s, i in zip(status, n, strict=True)}


def render_table(dataset: "xr.Dataset") -> "RenderableType":
    """Tables for the screen, one per epoch, with what is flagged below; print with `rich`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_screen_table(dataset, e) for e in range(dataset.sizes["epoch"])]
    found = flags(dataset)
    notes = [f"  {epoch}, unit {unit}, {kind}: {reason}" for epoch, unit, kind, reason in found[:MOST_NOTES]]
    if len(found) > MOST_NOTES:
        notes.append(f"  and {len(found) - MOST_NOTES} more, see the report")
    parts.append(Text("Flagged" if notes else "No unit is flagged.", style="bold"))
    parts.append(Text("\n".join(notes)))
    legend = (
        "serial, modul.: second moment of calcium, actual − shuffled and smoothed-rate − mean-rate Poisson, in % of "
        "the actual; * outside 95 % of the shuffles. mean, sd: membrane of the model neuron without threshold."
    )
    return Group(*parts, Text(legend, style="dim"))


def _screen_table(dataset: "xr.Dataset", epoch: int) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    columns = [UNIT, *screen_columns()]
    span = float(dataset["stop"][epoch]) - float(dataset["start"][epoch])
    # Text, since a name such as "[tt1] 3" in a str would be read as markup.
    title = Text(f"{dataset['epoch'].values[epoch]}, {span:g} s")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        heading = column.title + (f"\n{column.unit}" if column.unit else "\n")
        table.add_column(heading, justify="left" if column in (UNIT, STATUS) else "right", no_wrap=column is not STATUS)
    for cells in rows(dataset, epoch, columns):
        table.add_row(*map(Text, cells), style="" if cells[-1] == "ok" else "yellow")
    return table
