"""The page's chapter on criticality: avalanches and branching ratios of groups of units, each beside chance."""

import json
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.inference import AnalysisSettings
from equipoise.report import tables
from equipoise.report.chapters import Chapter, Flag, Grid
from equipoise.report.criticality_words import CAPTIONS, CAVEATS, METHODS
from equipoise.report.parts import subplots
from equipoise.results import Recording, Status
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MOST = 4
"""Epochs and groups that are drawn."""
BIN = 4.0
"""Bin of the branching ratio [ms]."""
EXPONENTS = {
    "size_exponent": "size exponent",
    "duration_exponent": "duration exponent",
    "crackling": "crackling exponent",
    "branching_ratio": "branching ratio",
}


def criticality_chapter(dataset: "xr.Dataset", _recording: Recording, _settings: AnalysisSettings) -> Chapter:
    """What the page says about avalanches and branching."""
    return Chapter(
        title="Criticality: avalanches and branching ratio",
        glance=[_glance(dataset.isel(epoch=e), str(name)) for e, name in enumerate(dataset["epoch"].values)],
        figures=_figures(dataset),
        tables=[*_number_grids(dataset), *_law_grids(dataset)],
        flags=_flags(dataset),
        caveats=CAVEATS,
        methods=[words.format(**_facts(dataset)) for words in METHODS],
    )


def criticality_grids(dataset: "xr.Dataset") -> list[Grid]:
    """The table for the screen: the recording's own numbers, with the crackling exponent and m of shifted units."""
    head = ["group", "avalanches", "size exponent", "crackling", "(shifted)", "m of 4 ms", "(shifted)", ""]
    grids = []
    for e, name in enumerate(dataset["epoch"].values):
        rows = []
        for g, group in enumerate(dataset["group"].values):
            here = dataset.isel(epoch=e, group=g)
            ours, chance = here.sel(source="recording"), here.sel(source="shift")
            rows.append([str(group), f"{int(ours['avalanches']):,}", tables.number(float(ours["size_exponent"]))]
                        + [tables.number(float(one[key])) for key in ("crackling", "branching_ratio")
                           for one in (ours, chance)] + [_status(here)])  # fmt: skip
        grids.append(Grid(title=f"{escape(str(name))}: criticality", head=head, rows=rows))
    return grids


def _status(here: "xr.Dataset") -> str:
    status = str(here["status"].item())
    return "too few data" if status == Status.INSUFFICIENT_DATA.name else tables.STATUS_WORDS[status]


def _facts(dataset: "xr.Dataset") -> dict[str, str]:
    attrs = dataset.attrs
    return {"kmax": f"{int(attrs['kmax'])}", "samples": f"{int(attrs['samples'])}",
            "width": f"{float(attrs['null_width']) / ms:g}"}  # fmt: skip


# Words and tables -----------------------------------------------------------------------------------------------------


def _glance(part: "xr.Dataset", name: str) -> str:
    """One epoch in a sentence or two."""
    known = [g for g in range(part.sizes["group"]) if np.isfinite(_ours(part.isel(group=g), "branching_ratio"))]
    if not known:
        return f"<b>{escape(name)}</b>: too little activity for a branching ratio."
    said = "; ".join(_branching(part.isel(group=g)) for g in known)
    like = [g for g in range(part.sizes["group"]) if "null" in str(part["reasons"].isel(group=g).item())]
    words = ", ".join(_named(part.isel(group=g)) for g in like)
    chance = f" The crackling exponent is that of a null in: {words}." if like else ""
    return f"<b>{escape(name)}</b>: branching ratio of 4 ms {said}.{chance}"


def _branching(here: "xr.Dataset") -> str:
    value, low, high, tau = (_ours(here, key) for key in ("branching_ratio", "branching_ratio_low",
                             "branching_ratio_high", "tau"))  # fmt: skip
    shifted = here.sel(source="shift")
    beside = tables.number(float(shifted["branching_ratio"])) if bool(shifted["follows"]) else "none"
    text = tables.interval(value, low, high)
    return f"{text} in {_named(here)} (time constant {tables.number(tau / ms)} ms; units shifted {beside})"


def _named(here: "xr.Dataset") -> str:
    group = str(here["group"].item())
    return "all units" if group == "all" else escape(group)


def _ours(here: "xr.Dataset", key: str) -> float:
    return float(here[key].sel(source="recording"))


def _number_grids(dataset: "xr.Dataset") -> list[Grid]:
    head = ["group", "source", "avalanches", "size exponent", "duration exponent", "crackling exponent", "deviation"]
    head += ["branching ratio", "time constant (ms)", "slope at one bin"]
    grids = []
    for e, name in enumerate(dataset["epoch"].values):
        rows = [
            [str(group), str(source), *_numbers(dataset.isel(epoch=e, group=g, source=s))]
            for g, group in enumerate(dataset["group"].values)
            for s, source in enumerate(dataset["source"].values)
        ]
        grids.append(Grid(title=f"{escape(str(name))}: recording and nulls, with 95 % intervals", head=head, rows=rows))
    return grids


def _numbers(here: "xr.Dataset") -> list[str]:
    def cell(name: str, scale: float = 1.0) -> str:
        return tables.interval(*(float(here[name + end]) / scale for end in ("", "_low", "_high")))

    of_sizes = [cell(name) for name in ("size_exponent", "duration_exponent", "crackling")]
    of_slopes = [cell("branching_ratio"), cell("tau", ms)]
    if np.isfinite(float(here["branching_ratio"])) and not bool(here["follows"]):
        of_slopes = ["no slopes", tables.NONE]
    one_step = tables.number(float(here["one_step"]))
    return [f"{int(here['avalanches']):,}", *of_sizes, cell("deviation"), *of_slopes, one_step]


def _law_grids(dataset: "xr.Dataset") -> list[Grid]:
    """Ranges and alternatives of the power laws of sizes."""
    laws = [str(name) for name in dataset["alternative"].values]
    head = ["epoch", "group", "units", "spikes", "bin (ms)", "sizes from", "durations from", "p of the power law"]
    head += [f"R against {name.replace('_', ' ')} (p)" for name in laws]
    rows = []
    for e, epoch in enumerate(dataset["epoch"].values):
        for g, group in enumerate(dataset["group"].values):
            rows.append([str(epoch), str(group), *_law(dataset.isel(epoch=e, group=g), 1.0 / dataset.attrs["samples"])])
    return [Grid(title="Sizes against other laws", head=head, rows=rows)]


def _law(here: "xr.Dataset", least: float) -> list[str]:
    """The cells of one epoch and group; a p by samples is told no finer than `least`."""
    ratios = zip(here["log_likelihood_ratio"].values, here["p_of_ratio"].values, strict=True)
    return [
        f"{int(here['units'])}", f"{int(here['spikes']):,}", tables.number(float(here["bin"]) / ms),
        _whole(_ours(here, "size_x_min")), _whole(_ours(here, "duration_x_min")),
        _chance(float(here["p"]), least),
        *(f"{tables.number(r)} ({_chance(p, 0.001)})" if np.isfinite(r) else tables.NONE for r, p in ratios),
    ]  # fmt: skip


def _whole(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else tables.NONE


def _chance(p: float, least: float) -> str:
    return f"< {least:g}" if p < least else tables.number(p, 2)


def _flags(dataset: "xr.Dataset") -> list[Flag]:
    found: list[Flag] = []
    for e, epoch in enumerate(dataset["epoch"].values):
        for g, group in enumerate(dataset["group"].values):
            here = dataset.isel(epoch=e, group=g)
            if str(here["status"].item()) != Status.OK.name:
                found.append((str(epoch), str(group), f"criticality: {_status(here)}", str(here["reasons"].item())))
    left_out = json.loads(dataset.attrs["left_out"])
    return found + [("", name, "criticality: left out", why) for name, why in left_out.items()]


# Figures --------------------------------------------------------------------------------------------------------------


def _figures(dataset: "xr.Dataset") -> list[tuple["Figure", str, str]]:
    part = dataset.isel(epoch=slice(MOST), group=slice(MOST))
    made = {
        "sizes": _survivals(part, "size", "size (spikes)"),
        "durations": _survivals(part, "duration", "duration (bins)"),
        "slopes": _slopes(part),
        "chance": _beside_chance(part),
    }
    return [(drawn, *CAPTIONS[name]) for name, drawn in made.items()]


def _panels(part: "xr.Dataset") -> tuple["Figure", np.ndarray]:
    """A panel for every group (rows) and epoch (columns)."""
    rows, columns = part.sizes["group"], part.sizes["epoch"]
    figure, axes = subplots(rows, columns, 0.8 + 2.1 * rows, sharex=True, sharey=True)
    for g, e in np.ndindex((rows, columns)):
        group, epoch = (str(part[key].values[i]) for key, i in (("group", g), ("epoch", e)))
        axes.item(g, e).set_title(plotting.plain(f"{epoch}, {'all units' if group == 'all' else group}"))
    return figure, axes


def _finish(figure: "Figure", axes: np.ndarray) -> "Figure":
    for ax in axes.flat:
        ax.label_outer()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def _survivals(part: "xr.Dataset", name: str, words: str) -> "Figure":
    figure, axes = _panels(part)
    for g, e in np.ndindex(axes.shape):
        here = part.isel(epoch=e, group=g)
        plotting.draw_survival(axes.item(g, e), here[f"{name}_survival"], here[f"{name}_fit"], words=words)
    return _finish(figure, axes)


def _slopes(part: "xr.Dataset") -> "Figure":
    figure, axes = _panels(part)
    for g, e in np.ndindex(axes.shape):
        here = part.isel(epoch=e, group=g)
        m = tables.number(_ours(here, "branching_ratio"))
        plotting.draw_slopes(axes.item(g, e), here["slope"], here["slope_fit"], step=BIN, words=f"$m$ = {m}")
    return _finish(figure, axes)


def _beside_chance(part: "xr.Dataset") -> "Figure":
    import xarray as xr

    flat = part.stack(row=("group", "epoch"), create_index=False)
    names = [f"{e}, {'all' if g == 'all' else g}" for g in part["group"].values for e in part["epoch"].values]
    figure, axes = subplots(1, len(EXPONENTS), 1.2 + 0.55 * len(names), sharey=True)
    for ax, (key, words) in zip(axes[0], EXPONENTS.items(), strict=True):
        ends = xr.concat([flat[f"{key}_low"], flat[f"{key}_high"]], dim="end")
        told = flat["follows"] if key == "branching_ratio" else True  # without slopes, m is any number
        plotting.draw_beside_chance(ax, flat[key].where(told), ends.where(told), names)
        ax.set_title(words)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure
