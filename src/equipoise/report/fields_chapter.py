"""The page's chapter on fields: spectra of continuous signals, and what is measured in them."""

import json
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report import tables
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.fields_words import CAPTIONS, CAVEATS, METHODS
from equipoise.report.parts import subplots
from equipoise.results import Recording, Status

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MOST_CHANNELS = 40
"""Channels of which every row is in the tables of the screen."""
COLUMNS = 4


def fields_chapter(dataset: "xr.Dataset", _recording: Recording, _settings: AnalysisSettings) -> Chapter:
    """What the page says about continuous signals."""
    facts = _facts(dataset)
    return Chapter(
        title="Fields: spectra, slopes and rhythms",
        glance=_glances(dataset),
        figures=_figures(dataset, facts),
        tables=[*_condition_grids(dataset), *_shift_grids(dataset)],
        flags=_flags(dataset),
        caveats=CAVEATS,
        methods=[words.format(**facts) for words in METHODS],
    )


def fields_grids(dataset: "xr.Dataset") -> list[Grid]:
    """The tables for the screen."""
    part = dataset.isel(channel=slice(MOST_CHANNELS))
    grids = [*_condition_grids(part, few=True), *_shift_grids(part)]
    if dataset.sizes["channel"] > MOST_CHANNELS:
        rest = dataset.sizes["channel"] - MOST_CHANNELS
        grids.append(Grid(title="", head=[f"and {rest} more channels, see the report"], rows=[]))
    return grids


def _facts(dataset: "xr.Dataset") -> dict[str, str]:
    """Numbers that the fixed words need."""
    band = dataset.attrs["band"]
    pairs = zip(dataset["signal"].values, dataset["range"].values, strict=True)
    ranges = {f"{escape(str(signal))} {escape(str(words))}" for signal, words in pairs}
    slopes = "over the range of slopes"
    if "shift" in dataset:
        slopes = f"from {np.nanmin(dataset['shift_range_low']):g} to {np.nanmax(dataset['shift_range_high']):.3g}"
    few = int(dataset["shown"].sum()) < dataset.sizes["channel"]
    shown = f"{int(dataset['shown'].sum())} of {dataset.sizes['channel']} channels are drawn." if few else ""
    seconds = {key: f"{float(dataset.attrs[key]):.3g}" for key in ("length", "step", "window")}
    return {"band": f"{band[0]:g} to {band[1]:g}", "ranges": "; ".join(sorted(ranges)), "slopes": slopes,
            "shown": shown, **seconds}  # fmt: skip


# Words and tables -----------------------------------------------------------------------------------------------------


def _glances(dataset: "xr.Dataset") -> list[str]:
    """A sentence for each signal and condition, medians over channels."""
    out = []
    for signal in dict.fromkeys(str(s) for s in dataset["signal"].values):
        part = dataset.isel(channel=dataset["signal"].values == signal)
        for c, condition in enumerate(dataset["condition"].values):
            out.append(_glance(part.isel(condition=c), signal, str(condition)))
    return [sentence for sentence in out if sentence]


def _glance(here: "xr.Dataset", signal: str, condition: str) -> str:
    if not np.isfinite(here["exponent"].values).any():
        return ""
    first = here.isel(rank=0)
    exponent = tables.number(_median(here["exponent"]))
    rhythm = ""
    if np.isfinite(first["rhythm_frequency"].values).any():
        rhythm = (
            f"; highest rhythm at {tables.number(_median(first['rhythm_frequency']))} Hz, "
            f"{tables.number(_median(first['rhythm_factor']))} times the line"
        )
    bent = here["status"].values == Status.APPROXIMATE.name
    if bent.mean() > 0.5:
        knee = _median(here["knee"])
        exponent += " on average over a range that bends" + (
            f", with a knee at {tables.number(knee)} Hz" if np.isfinite(knee) else ""
        )
    many = f" (medians over {here.sizes['channel']} channels)" if here.sizes["channel"] > 1 else ""
    return f"<b>{escape(condition)}</b>, {escape(signal)}: aperiodic exponent {exponent}{rhythm}{many}."


def _median(array: "xr.DataArray") -> float:
    finite = array.values[np.isfinite(array.values)]
    return float(np.median(finite)) if finite.size else np.nan


def _condition_grids(dataset: "xr.Dataset", *, few: bool = False) -> list[Grid]:
    grids = []
    for i, name in enumerate(dataset["condition"].values):
        here = dataset.isel(condition=i)
        columns = _columns(here, few=few)
        rows = [[str(channel), *(cell(here.isel(channel=c)) for cell in columns.values())]
                for c, channel in enumerate(dataset["channel"].values)]  # fmt: skip
        stretches = json.loads(dataset.attrs["stretches"])[str(name)]
        seconds = sum(stop - start for start, stop in stretches)
        many = f"{len(stretches)} stretches, {seconds:.4g} s" if len(stretches) > 1 else f"{seconds:.4g} s"
        grids.append(Grid(title=f"{escape(str(name))}: fields ({many})", head=["channel", *columns], rows=rows))
    return grids


def _columns(here: "xr.Dataset", *, few: bool) -> dict:
    """Text of each column given one channel in one condition."""
    columns = {
        "exponent": lambda one: _three(one, "exponent"),
        "bend": lambda one: tables.number(float(one["bend"]), 2),
        "R²": lambda one: tables.number(float(one["r2"])),
        "knee (Hz)": lambda one: _three(one, "knee"),
        "rhythms (Hz)": _rhythms,
    }
    if not few:
        columns["used / in peaks"] = lambda one: f"{int(one['n'])} / {int(one['left_out'])}"
        columns["exponent with the knee"] = lambda one: _three(one, "exponent_with_knee")
        if "exponent_specparam" in here:
            columns["by specparam"] = lambda one: tables.number(float(one["exponent_specparam"]))
        columns["roll-off (Hz)"] = lambda one: tables.number(float(one["roll_off"]))
    if "band_power" in here:
        columns[f"band power ({_square(here)})"] = lambda one: _scientific(one, "band_power")
    return columns | {"status": lambda one: _word(str(one["status"].item()))}


def _square(here: "xr.Dataset") -> str:
    units = sorted({str(u) for u in here["unit"].values})
    return " or ".join(f"{u}²" for u in units)


def _three(one: "xr.Dataset", name: str) -> str:
    return tables.interval(*(float(one[name + end]) for end in ("", "_low", "_high")))


def _scientific(one: "xr.Dataset", name: str) -> str:
    """Powers range over many decades."""
    value, low, high = (float(one[name + end]) for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return tables.NONE
    return f"{value:.3g} [{low:.3g}, {high:.3g}]".replace("-", "−")


def _rhythms(one: "xr.Dataset") -> str:
    """Centre and factor of the rhythms, "10.9 (12 times)"."""
    pairs = zip(one["rhythm_frequency"].values, one["rhythm_factor"].values, strict=True)
    found = [f"{tables.number(f)} ({tables.number(x, 2)}×)" for f, x in pairs if np.isfinite(f)]
    return ", ".join(found) or tables.NONE


def _word(status: str) -> str:
    return "too few data" if status == Status.INSUFFICIENT_DATA.name else tables.STATUS_WORDS.get(status, tables.NONE)


def _shift_grids(dataset: "xr.Dataset") -> list[Grid]:
    if "shift" not in dataset:
        return []
    head = ["channel", "condition", "change", "exponent before", "after", "bend before", "after", "status"]
    rows = [_shift(dataset.isel(channel=c, other=o)) for o in range(dataset.sizes["other"])
            for c in range(dataset.sizes["channel"])]  # fmt: skip
    title = f"Change of slope against {escape(str(dataset['condition'].values[0]))}, {_facts(dataset)['slopes']} Hz"
    return [Grid(title=title, head=head, rows=rows)]


def _shift(one: "xr.Dataset") -> list[str]:
    texts = [_three(one, "shift")]
    for side in ("before", "after"):
        texts.append(tables.interval(*(float(one[f"exponent{end}_{side}"]) for end in ("", "_low", "_high"))))
    bends = [tables.number(float(one[f"bend_{side}"]), 2) for side in ("before", "after")]
    return [
        str(one["channel"].item()),
        str(one["other"].item()),
        *texts,
        *bends,
        _word(str(one["shift_status"].item())),
    ]


def _flags(dataset: "xr.Dataset") -> list[Flag]:
    found: list[Flag] = [("", name, "fields: left out", why)
                         for name, why in json.loads(dataset.attrs["left_out"]).items()]  # fmt: skip
    for name in ("status", "shift_status"):
        if name not in dataset:
            continue
        dim, kind = ("condition", "fields") if name == "status" else ("other", "change of slope")
        for status in sorted({str(s) for s in dataset[name].values.ravel()} - {Status.OK.name, ""}):
            for i, condition in enumerate(dataset[dim].values):
                some = dataset["channel"].values[dataset[name].isel({dim: i}).values == status]
                if some.size:
                    which = ", ".join(map(str, some[:5])) + (f" and {some.size - 5} more" if some.size > 5 else "")
                    found.append((str(condition), which, f"{kind}: {_word(status)}", _reason(name, status)))
    return found


def _reason(name: str, status: str) -> str:
    if status == Status.APPROXIMATE.name:
        return "the spectrum bends within the range: no one exponent describes it"
    if status == Status.NOT_COMPARABLE.name and name == "shift_status":
        return "a range bends by more than 0.5 beyond chance, or peaks fill more than a fifth of it"
    return Status[status].advice


# Figures --------------------------------------------------------------------------------------------------------------


def _figures(dataset: "xr.Dataset", facts: dict[str, str]) -> list[tuple["Figure", str, str]]:
    shown = dataset.isel(channel=dataset["shown"].values)
    made = {"spectra": _spectra(shown)}
    if dataset.sizes["channel"] > shown.sizes["channel"]:
        made["median"] = _spectra(_medians(dataset))
    if dataset.sizes["channel"] > 1:
        made["channels"] = _channels(dataset)
    if "exponent_over_time" in dataset:
        made["course"] = _course(shown)
    words = {name: (CAPTIONS[name][0], CAPTIONS[name][1].format(**facts)) for name in made}
    return [(drawn, *words[name]) for name, drawn in made.items()]


def _spectra(part: "xr.Dataset") -> "Figure":
    """A panel per channel."""
    n = part.sizes["channel"]
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    figure, axes = subplots(rows, columns, 3.6 if n == 1 else 0.7 + 2.4 * rows, sharex=True)
    for c, ax in enumerate(axes.flat):
        if c < n:
            one = part.isel(channel=c)
            plotting.draw_spectra(ax, one, unit=str(one["unit"].item()), small=n > 2)
            ax.set_title(plotting.plain(one["channel"].item()))
        else:
            ax.set_axis_off()
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=COLUMNS)
    return figure


def _medians(dataset: "xr.Dataset") -> "xr.Dataset":
    """Medians over the channels of each signal, as if each were a channel."""
    import xarray as xr

    names = list(dict.fromkeys(str(s) for s in dataset["signal"].values))
    each = []
    for name in names:
        part = dataset.isel(channel=dataset["signal"].values == name)
        median = part[["power", "power_low", "power_high", "line"]].median("channel")
        each.append(median.assign_coords(unit=str(part["unit"].values[0])))
    return xr.concat(each, dim="channel", coords="different", compat="equals").assign_coords(
        channel=names, unit=("channel", [str(one["unit"].item()) for one in each])
    )


def _channels(dataset: "xr.Dataset") -> "Figure":
    height = float(np.clip(1.2 + 0.22 * dataset.sizes["channel"], 2.0, 11.0))
    names = {"exponent": "aperiodic exponent"}
    if "band_power" in dataset:
        names["band_power"] = f"power of the band ({plotting.plain(_square(dataset))})"
    figure, axes = subplots(1, len(names), height, sharey=True)
    for ax, (key, words) in zip(axes[0], names.items(), strict=True):
        value, low, high = (dataset[key + end].transpose("channel", "condition") for end in ("", "_low", "_high"))
        plotting.draw_channels(ax, value, low, high)
        ax.set_title(words)
    if "band_power" in dataset and bool((dataset["band_power"] > 0).any()):
        axes[0, 1].set_xscale("log")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=COLUMNS)
    return figure


def _course(part: "xr.Dataset") -> "Figure":
    spans = [(i, np.array(stretches)) for i, stretches in enumerate(json.loads(part.attrs["stretches"]).values())]
    names = {"exponent_over_time": "aperiodic exponent"}
    if "band_over_time" in part:
        names["band_over_time"] = "power of the band"
    figure, axes = subplots(len(names), 1, 1.0 + 2.0 * len(names), sharex=True)
    for ax, (key, words) in zip(axes[:, 0], names.items(), strict=True):
        plotting.draw_course(ax, part[key], part[f"{key}_low"], part[f"{key}_high"], spans)
        ax.set_ylabel(words if key == "exponent_over_time" else f"{words} ({plotting.plain(_square(part))})")
    axes[-1, 0].set_xlabel("time (s)")
    if part.sizes["channel"] > 1:
        axes[0, 0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
