"""Figures of a circuit studied in theory; `data` is the Dataset of `theory.study`, or one condition of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from equipoise.plotting.schematic import SILENT, node_looks, tint
from equipoise.plotting.style import EXCITATION, GRID, INHIBITION, INK, QUIET, plain_log
from equipoise.quantities import Array
from equipoise.units import day, hour, mV

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

TIMES = {
    1.0: "1 s", 10.0: "10 s", 60.0: "1 min", 600.0: "10 min", hour: "1 h", 6 * hour: "6 h", day: "1 day",
    2 * day: "2 days",
    7 * day: "1 week", 30 * day: "1 month", 365 * day: "1 year", 3650 * day: "10 years",
}  # fmt: skip


def draw_input_matrix(ax: "Axes", data: "xr.Dataset") -> None:
    """Mean input K J r of every projection of one condition (post, pre) as numbers on colours."""
    from matplotlib.colors import LinearSegmentedColormap

    values = np.nan_to_num(data["input"].values)  # V/s are mV/ms
    largest = max(float(np.nanmax(np.abs(values), initial=0.0)), 1e-300)
    shown = np.sign(values) * np.sqrt(np.abs(values) / largest)  # the root keeps weak projections visible
    colors = LinearSegmentedColormap.from_list("input", [INHIBITION, "white", EXCITATION])
    ax.imshow(shown, cmap=colors, vmin=-1.6, vmax=1.6, aspect="auto")
    for (a, b), value in np.ndenumerate(values):
        if value != 0.0:
            ax.text(b, a, _short(value), ha="center", va="center", fontsize=8)
    ax.set_xticks(range(values.shape[1]), [str(n) for n in data["pre"].values])
    ax.set_yticks(range(values.shape[0]), [str(n) for n in data["post"].values])
    ax.set_xticks(np.arange(values.shape[1] - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("from")
    ax.set_ylabel("to")


def _short(value: float) -> str:
    """Two or three digits, a true minus."""
    digits = 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2 if abs(value) >= 0.0995 else 3
    return f"{value:.{digits}f}".replace("-", "−")


def potential_scale(unit: str) -> float:
    """Size of the unit in which the figures show potentials."""
    return mV if unit == "mV" else 1.0


def input_unit(unit: str) -> str:
    """The unit of mean inputs, in words."""
    return "mV/ms" if unit == "mV" else "threshold/s"


# --- the state --------------------------------------------------------------------------------------------------------
def rows_of(data: "xr.Dataset") -> tuple[Array, list[str]]:
    """Height and label of each row of the figures of the state: conditions within populations, from the top."""
    names, conditions = [str(n) for n in data["population"].values], [str(c) for c in data["condition"].values]
    heights = [[a + 0.38 * c for a in range(len(names))] for c in range(len(conditions))]
    labels = [f"{n}  {c}" if len(conditions) > 1 else n for n in names for c in conditions]
    return np.array(heights), labels


def draw_inputs(ax: "Axes", data: "xr.Dataset", unit: str) -> None:
    """Mean inputs of every population and condition: what excites, what inhibits, and what is left of both.

    Bars are stacked by presynaptic population; the diamond is the net input, its line one SD over neurons.
    """
    looks, (heights, labels) = node_looks(data), rows_of(data)
    for c in range(data.sizes["condition"]):
        part, at = data.isel(condition=c), heights[c]
        left, right = np.zeros(len(at)), np.zeros(len(at))
        for b, name in enumerate(data["pre"].values):
            values = np.nan_to_num(part["input"].values[:, b])
            start = np.where(values < 0, left, right)
            ax.barh(at, values, 0.3, start, color=looks[str(name)]["color"], edgecolor="white", lw=0.5)
            left, right = left + np.minimum(values, 0.0), right + np.maximum(values, 0.0)
        net, sd = part["mu"].values, part["mu_sd"].values
        ax.errorbar(net, at, xerr=sd, fmt="D", color=INK, ms=4, mec="white", mew=0.6, lw=1.2, zorder=4)
    ax.axvline(0.0, color=INK, lw=0.8)
    _rows(ax, heights, labels)
    ax.set_xlabel(f"mean input ({input_unit(unit)})")


def input_key(data: "xr.Dataset") -> list[Any]:
    """Handles of a legend of `draw_inputs`."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Any] = [Patch(color=look["color"], label=f"from {name}") for name, look in node_looks(data).items()]
    return [*marks, Line2D([], [], color=INK, marker="D", ms=4, mec="white", lw=1.2, label="net ± SD over neurons")]


def draw_spread(ax: "Axes", data: "xr.Dataset", mean: str, quantile: str) -> None:
    """A mean of every population and condition, with the central 50 and 90 % of its neurons."""
    looks, (heights, labels) = node_looks(data), rows_of(data)
    for c, a in np.ndindex(heights.shape):
        part, color, y = (
            data.isel(condition=c, population=a),
            looks[str(data["population"].values[a])]["color"],
            heights[c, a],
        )
        value, q = part[mean].item(), part[quantile].values
        ax.hlines(y, 0.0, value, color=GRID, lw=0.8, zorder=0)
        ax.hlines(y, q[0], q[4], color=tint(color, 0.55), lw=1.4)
        ax.hlines(y, q[1], q[3], color=tint(color, 0.55), lw=4.0)
        ax.plot(value, y, "o", color=color, ms=6, mec="white", mew=0.8, zorder=3)
        ax.annotate(_short(value), (value, y), (4, 4), textcoords="offset points", fontsize=7.5)
    _rows(ax, heights, labels)
    ax.set_xlim(0.0, 1.12 * max(ax.get_xlim()[1], 0.1))


def draw_state_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Mean rate of every population and condition, with the spread over neurons; dotted: the balanced limit."""
    draw_spread(ax, data, "rate", "quantile")
    heights, _ = rows_of(data)
    for a, limit in enumerate(data["limit_rate"].values if np.isfinite(data["limit_second_moment"]).all() else ()):
        ax.vlines(limit, heights[0, a] - 0.24, heights[-1, a] + 0.24, color=INK, lw=1.2, ls=":")
    ax.set_xlabel("rate (Hz)")


def draw_state_cv(ax: "Axes", data: "xr.Dataset") -> None:
    """Median C_v of every population and condition, with the spread over neurons."""
    draw_spread(ax, data, "cv_median", "cv_quantile")
    ax.set_xlabel("$C_v$ of intervals")


def _rows(ax: "Axes", heights: Array, labels: Sequence[str]) -> None:
    ax.set_yticks(heights.T.ravel(), labels)
    ax.set_ylim(heights.max() + 0.45, heights.min() - 0.45)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


# --- neurons ----------------------------------------------------------------------------------------------------------
def draw_densities(ax: "Axes", data: "xr.Dataset") -> None:
    """How the rates of each population are spread over its neurons, one row a population; dotted: balanced limit.

    The last condition is filled, an earlier one is a grey outline behind it.
    """
    looks, n = node_looks(data), data.sizes["population"]
    highest = data["density"].max(skipna=True).item()
    for a, name in enumerate(data["population"].values):
        base, color = n - 1 - a, looks[str(name)]["color"]
        for c in range(data.sizes["condition"]):
            part, last = data.isel(condition=c, population=a), c == data.sizes["condition"] - 1
            x, y = part["density_rate"].values, base + 0.86 * part["density"].values / (highest or 1.0)
            if not np.isfinite(x).any():
                ax.plot(part["rate"].values, base, "|", ms=16, color=color if last else QUIET)
                continue
            if last:
                ax.fill_between(x, base, y, color=tint(color, 0.28), lw=0)
            ax.plot(x, y, color=color if last else QUIET, lw=1.6 if last else 1.1)
        ax.axhline(base, color=GRID, lw=0.8, zorder=0)
        limit = data["limit_rate"].values[a]
        if np.isfinite(data["limit_second_moment"].values[a]):
            ax.vlines(limit, base, base + 0.9, color=INK, lw=1.0, ls=":")
    ax.set_yticks(range(n), [str(v) for v in data["population"].values[::-1]])
    ax.set_ylim(-0.08, n)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    _rate_axis(ax, data)


def draw_neurons(ax: "Axes", data: "xr.Dataset") -> None:
    """A sample of neurons by rate and C_v; an earlier condition is grey behind the last."""
    looks, last = node_looks(data), data.sizes["condition"] - 1
    for c in range(last + 1):
        for a, name in enumerate(data["population"].values):
            part, look = data.isel(condition=c, population=a), looks[str(name)]
            marker = "s" if look["linestyle"] != "-" else "o"
            color, words = (look["color"], str(name)) if c == last else (QUIET, None)
            alpha = 0.55 if c == last else 0.22
            rate, cv = part["neuron_rate"].values, part["neuron_cv"].values
            ax.scatter(rate, cv, s=8, marker=marker, color=color, alpha=alpha, lw=0, label=words)
    if last:
        ax.scatter([], [], s=8, color=QUIET, alpha=0.6, label=str(data["condition"].values[0]))
    _cv_axis(ax, data["neuron_cv"].values)
    _rate_axis(ax, data)
    ax.legend(loc="lower left", markerscale=1.6, handletextpad=0.2)


def _cv_axis(ax: "Axes", values: Array) -> None:
    """From a quarter below the smallest value, or zero."""
    known = values[np.isfinite(values)]
    if known.size:
        ax.set_ylim(max(0.0, known.min() - 0.25), known.max() + 0.1)
    ax.set_ylabel("$C_v$ of the intervals")


def _rate_axis(ax: "Axes", data: "xr.Dataset") -> None:
    """A logarithmic axis over the rates that neurons have, from 0.1 Hz or what holds 90 % of them."""
    shown = data["quantile"].values[np.isfinite(data["quantile"].values)]
    if shown.size:
        low, high = max(np.nanmin(shown), SILENT), max(np.nanmax(shown), 10 * SILENT)
        ax.set_xlim(max(low / 3.0, min(0.05, low)), 2.2 * high)
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    plain_log(ax.xaxis, steps=(1.0, 2.0, 5.0) if high < 500 * low else (1.0,))
    ax.set_xlabel("firing rate (Hz)")


# --- homeostasis ------------------------------------------------------------------------------------------------------
def draw_recovery(ax: "Axes", data: "xr.Dataset") -> None:
    """Recovery time of every slow mode that is not neutral, fastest at the bottom; triangles grow instead."""
    shown = data.isel({"mode": visible_modes(data)})
    times, turning = shown["recovery_time"].values, shown["eigenvalue_imag"].values
    rows = np.arange(times.size)
    for y, time, w in zip(rows, times, turning, strict=True):
        grows = time < 0
        ax.hlines(y, 0.0, abs(time), color=GRID, lw=3.0)
        ax.plot(abs(time), y, ">" if grows else "o", color=EXCITATION if grows else INK, ms=7)
        words = ("grows in " if grows else "") + duration_text(abs(time))
        words += f", turns in {duration_text(2 * np.pi / abs(w))}" if w else ""
        ax.annotate(
            words, (0.0, y), (4, 5), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=8.5
        )
    ax.set_ylim(rows.size - 0.4, -0.75)
    ax.set_yticks(rows, [f"mode {k + 1}" for k in rows])
    ax.tick_params(axis="y", length=0)
    ax.set_xscale("log")
    ax.set_xlim(np.abs(times).min() / 8.0, np.abs(times).max() * 1.8)
    _time_axis(ax)
    ax.set_xlabel("recovery time")


def visible_modes(data: "xr.Dataset") -> NDArray[np.intp]:
    """Places of the modes that are not neutral, one of each complex pair, slowest first."""
    times, turning = data["recovery_time"].values, data["eigenvalue_imag"].values
    return np.flatnonzero(np.isfinite(times) & (turning >= 0.0))


def draw_loadings(ax: "Axes", data: "xr.Dataset") -> None:
    """Relative change of every weight in the modes of `draw_recovery`, the largest of each mode 1."""
    from matplotlib.colors import LinearSegmentedColormap

    values = data["loading"].values[visible_modes(data)]
    colors = LinearSegmentedColormap.from_list("loading", ["#7B5AA6", "white", "#2A8C6E"])
    ax.imshow(values, cmap=colors, vmin=-1.3, vmax=1.3, aspect="auto")
    names = [_symbol(str(v)) for v in data["slow_variable"].values]
    many = len(names) > 12
    ax.set_xticks(range(len(names)), names, rotation=90 if many else 0)
    for (k, j), value in np.ndenumerate(values):
        if not many:
            ax.text(j, k, f"{value:+.2f}".replace("-", "−"), ha="center", va="center", fontsize=8)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("relative change of each weight")


def _symbol(name: str) -> str:
    """J_EI with its index, as printed."""
    letter, _, index = name.partition("_")
    return f"${letter}_{{\\mathrm{{{index}}}}}$" if index.isalnum() else name


def draw_path_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Rates over the time since the rules began; dotted: balanced limit."""
    looks = node_looks(data)
    time, ends = data["time"].values[1:], {}  # time 0 has no place on a logarithmic axis
    for name in data["population"].values:
        values = data["path_rate"].sel(population=name).values[1:]
        ax.plot(time, values, lw=1.8, **looks[str(name)])
        ends[str(name)] = (float(values[-1]), looks[str(name)]["color"])
    if np.isfinite(data["limit_second_moment"]).all():
        for limit in np.unique(data["limit_rate"].values.round(6)):
            ax.axhline(limit, color=INK, lw=1.0, ls=":", zorder=0)
    _end_labels(ax, time[-1], ends)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("rate (Hz)")
    _path_axis(ax, time)


def draw_path_calcium(ax: "Axes", data: "xr.Dataset") -> None:
    """Both calcium moments over their set points, mean thin and second moment thick."""
    looks, time = node_looks(data), data["time"].values[1:]
    for name in data["population"].values:
        for moment, width in (("mean", 1.0), ("second moment", 2.0)):
            values = data["path_calcium"].sel(population=name, moment=moment).values[1:]
            ax.plot(time, values, lw=width, **looks[str(name)])
    for moment, width in (("mean", 1.0), ("second moment", 2.0)):
        ax.plot([], [], color=INK, lw=width, label=moment)
    ax.axhline(1.0, color=INK, lw=1.0, ls=":", zorder=0)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("calcium / set point")
    ax.legend(loc="lower right")
    _path_axis(ax, time)


def draw_path_weights(ax: "Axes", data: "xr.Dataset", unit: str) -> None:
    """Sizes of the weights over the time since the rules began, in the colours of the presynaptic population.

    Dots are the fixed point, found without following the path.
    """
    looks, names = node_looks(data), _places_of(data)
    time, ends = data["time"].values[1:], {}
    for name in data["path_name"].values:
        if str(name) not in names:
            continue  # a slow variable that is no weight
        pre = names[str(name)]
        values = data["path_weight"].sel(path_name=name).values[1:] / potential_scale(unit)
        ax.plot(time, values, lw=1.6, **looks[pre])
        ends[_symbol(str(name))] = (float(values[-1]), looks[pre]["color"])
        if "fixed_weight" in data and name in data["slow_variable"].values:
            end = data["fixed_weight"].sel(slow_variable=name).item() / potential_scale(unit)
            ax.plot(time[-1], end, "o", color=looks[pre]["color"], ms=5, clip_on=False)
    _end_labels(ax, time[-1], ends)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel(f"weight |J| ({unit})")
    _path_axis(ax, time)


def _places_of(data: "xr.Dataset") -> dict[str, str]:
    """Presynaptic name of every possible weight, by its name J_post,pre."""
    return {f"J_{a}{b}": str(b) for a in data["post"].values for b in data["pre"].values}


def _end_labels(ax: "Axes", x: float, ends: dict[str, tuple[float, Any]]) -> None:
    """Names at the ends of lines; those that would overlap share a label."""
    step = 0.055 * max(value for value, _ in ends.values())
    groups: list[list[tuple[float, str, Any]]] = []
    for name, (value, color) in sorted(ends.items(), key=lambda item: item[1][0]):
        if groups and value - groups[-1][0][0] < step:
            groups[-1].append((value, name, color))
        else:
            groups.append([(value, name, color)])
    for group in groups:
        y = float(np.mean([value for value, _, _ in group]))
        one_kind = len({color for _, _, color in group}) == 1
        words, color = ", ".join(sorted(name for _, name, _ in group)), group[0][2] if one_kind else INK
        ax.annotate(words, (x, y), (7, 0), textcoords="offset points", va="center", fontsize=8.5, color=color)


def _path_axis(ax: "Axes", time: Array) -> None:
    ax.set_xscale("log")
    ax.set_xlim(time[0], time[-1])
    _time_axis(ax)
    ax.set_xlabel("time under the rules")


def _time_axis(ax: "Axes") -> None:
    """Round times as ticks of a logarithmic axis in s, the longest first, none so near to another that they touch."""
    low, high = ax.get_xlim()
    least = 0.17 * np.log(high / low)
    shown: list[float] = []
    for t in sorted(TIMES, reverse=True):
        if low <= t <= high and (not shown or np.log(shown[-1] / t) > least):
            shown.append(t)
    ax.set_xticks(shown, [TIMES[t] for t in shown])
    ax.minorticks_off()


def duration_text(seconds: float) -> str:
    """A time in the unit that suits it."""
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (1.5 * day, hour, "h"), (np.inf, day, "days")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return "for ever"
