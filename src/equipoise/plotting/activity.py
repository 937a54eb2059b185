"""Figures of a circuit studied spike by spike; `data` is the Dataset of `spiking.study`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.plotting.schematic import node_looks
from equipoise.plotting.style import EPOCHS, GRID, INK, LOOK, QUIET, plain_log
from equipoise.units import day, hour, minute, ms, mV, nS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

BURST = 10.0
"""How far above their median rates go before their axis is logarithmic."""
MOST_NAMES = 4
CHANCE = {"color": QUIET, "ls": ":", "lw": 1.3}


def draw_raster(ax: "Axes", data: "xr.Dataset") -> None:
    """Spikes of some neurons of each population, a row each."""
    looks, first = node_looks(data), 0
    for a, name in enumerate(data["population"].values):
        mine, rows = data["raster_population"].values == a, int(data["raster_rows"].values[a])
        x, y = data["raster_time"].values[mine], data["raster_row"].values[mine]
        ax.plot(x, y, ".", ms=3.4, mew=0, color=looks[str(name)]["color"])
        ax.text(1.006, first + rows / 2, str(name), transform=ax.get_yaxis_transform(), va="center", weight="bold",
                color=looks[str(name)]["color"])  # fmt: skip
        first += rows
    ax.set_ylim(first, -1)
    ax.set_yticks([])
    ax.set_ylabel("neurons")


def draw_shown_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Population rates beside the raster."""
    looks, x = node_looks(data), data["moment"].values
    for a, name in enumerate(data["population"].values):
        ax.plot(x, data["shown_rate"].values[a], lw=1.1, label=str(name), **looks[str(name)])
    half = 0.5 * (x[1] - x[0]) if x.size > 1 else 0.0
    ax.set_xlim(x[0] - half, x[-1] + half)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("rate (Hz)")
    ax.set_xlabel("time (s)")
    ax.grid(axis="y", color=GRID)


def draw_theory(ax: "Axes", data: "xr.Dataset", rows: np.ndarray) -> None:
    """The rate of the theory of one cell as a mark across the row of its population."""
    for y, value in zip(rows, data["theory_rate"].values, strict=True):
        if np.isfinite(value):
            ax.vlines(value, y - 0.24, y + 0.24, color=INK, lw=1.2, ls=":")


def draw_currents(ax: "Axes", data: "xr.Dataset", population: int) -> None:
    """Excitatory and inhibitory current of one neuron, and what is left of both."""
    x = _instants(data)
    e, i = data["trace_excitation"].values[population], data["trace_inhibition"].values[population]
    ax.plot(x, e, lw=1.0, label="excitation", **LOOK["e"])
    ax.plot(x, i, lw=1.0, label="inhibition", **LOOK["i"])
    ax.plot(x, e + i, lw=0.8, color=INK, label="both")
    ax.axhline(0.0, color=QUIET, lw=0.6)
    unit = "mV/ms" if data.attrs["potential_unit"] == "mV" else "threshold/s"
    ax.set_ylabel(f"current/C ({unit})")
    _instant_axis(ax, data)


def draw_conductances(ax: "Axes", data: "xr.Dataset", population: int) -> None:
    """Excitatory and inhibitory conductance of one neuron."""
    x = _instants(data)
    ax.plot(x, data["trace_g_excitatory"].values[population] / nS, lw=1.0, label="excitatory", **LOOK["e"])
    ax.plot(x, data["trace_g_inhibitory"].values[population] / nS, lw=1.0, label="inhibitory", **LOOK["i"])
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("conductance (nS)")
    _instant_axis(ax, data)


def draw_potential(ax: "Axes", data: "xr.Dataset", population: int) -> None:
    """Membrane potential of one neuron."""
    in_mv = data.attrs["potential_unit"] == "mV"
    ax.plot(_instants(data), data["trace_potential"].values[population] / (mV if in_mv else 1.0), lw=0.9, color=INK)
    ax.set_ylabel(f"potential ({'mV' if in_mv else 'threshold'})")
    _instant_axis(ax, data)


def _instants(data: "xr.Dataset") -> np.ndarray:
    return (data["instant"].values - data["instant"].values[0]) / ms


def _instant_axis(ax: "Axes", data: "xr.Dataset") -> None:
    ax.set_xlim(0.0, max(_instants(data)[-1], 1.0))
    ax.set_xlabel("time (ms)")


def draw_cells(ax: "Axes", data: "xr.Dataset") -> None:
    """Balance index and tracking of every neuron that was followed."""
    looks, whose = node_looks(data), data["cell_population"].values
    for name in data["population"].values:
        here, look = whose == name, looks[str(name)]
        marker = "s" if look["linestyle"] != "-" else "o"
        x, y = data["cell_index"].values[here], data["cell_tracking"].values[here]
        ax.scatter(x, y, s=11, marker=marker, color=look["color"], alpha=0.7, lw=0, label=str(name))
    ax.axvline(0.0, color=QUIET, lw=0.8, ls=":")
    ax.set_xlabel("balance index (E + I)/E")
    ax.set_ylabel("tracking of E by I")
    ax.grid(color=GRID)
    _legend(ax, "best", handletextpad=0.2)


def _legend(ax: "Axes", loc: Any, **more: Any) -> None:
    """Names of the populations, as far as there is room; the raster has all of them."""
    if len(ax.get_legend_handles_labels()[1]) <= MOST_NAMES:
        ax.legend(loc=loc, **more)


# --- together ---------------------------------------------------------------------------------------------------------
def draw_power(ax: "Axes", data: "xr.Dataset") -> None:
    """Spectra of the population rates; dotted: independent Poisson neurons of the same rates."""
    looks, f = node_looks(data), data["frequency"].values
    for a, name in enumerate(data["population"].values):
        power = data["power"].values[a]
        if power[1:].any():
            ax.loglog(f[1:], _positive(power)[1:], lw=1.1, label=str(name), **looks[str(name)])
            ax.axhline(data["power_chance"].values[a], color=looks[str(name)]["color"], lw=0.9, ls=":")
    ax.set_ylabel("power (Hz²/Hz)")
    _legend(ax, "lower left")
    _frequencies(ax, data)


def _positive(values: np.ndarray) -> np.ndarray:
    """What has a place on a logarithmic axis."""
    return np.where(values > 0.0, values, np.nan)


def draw_field(ax: "Axes", data: "xr.Dataset") -> None:
    """Spectrum of the LFP proxy, and the aperiodic line in its range."""
    f = data["frequency"].values
    ax.loglog(f[1:], data["field"].values[1:], lw=1.1, color=EPOCHS[0])
    if np.isfinite(data["line"].values).any():
        words = f"$f^{{{-float(data['exponent']):.2f}}}$".replace("-", "−")
        ax.loglog(f, data["line"].values, lw=2.4, color=EPOCHS[1], label=words)
        ax.legend(loc="lower left")
    unit = "(mV/ms)²" if data.attrs["potential_unit"] == "mV" else "(threshold/s)²"
    ax.set_ylabel(f"power ({unit}/Hz)")
    _frequencies(ax, data)


def _frequencies(ax: "Axes", data: "xr.Dataset") -> None:
    f = data["frequency"].values
    ax.set_xlim(f[1], min(250.0, f[-1]))
    plain_log(ax.xaxis, steps=(1.0,) if f[1] < 2.0 else (1.0, 2.0, 5.0))
    ax.set_xlabel("frequency (Hz)")
    ax.grid(color=GRID)


def draw_avalanches(ax: "Axes", data: "xr.Dataset") -> None:
    """Share of avalanches of a size or more; dotted: Poisson counts of the same mean."""
    x = data["avalanche_size"].values
    for name, look in (("spikes", {"color": EPOCHS[0], "lw": 1.6}), ("chance", CHANCE)):
        y = data["survival"].sel(of=name).values
        ax.loglog(x, _positive(y), label=name, **look)
    plain_log(ax.xaxis, steps=(1.0, 2.0, 5.0) if x[-1] < 500 else (1.0,))
    ax.set_xlabel("size of avalanches (spikes)")
    ax.set_ylabel("share of this size or more")
    ax.grid(color=GRID)
    ax.legend(loc="lower left")


# --- over time --------------------------------------------------------------------------------------------------------
def draw_course_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Rates all along the run; dotted: what synapses that learn aim at. Grey: not yet taken as settled."""
    looks = node_looks(data)
    for a, name in enumerate(data["population"].values):
        ax.plot(data["course"].values, data["course_rate"].values[a], lw=1.1, label=str(name), **looks[str(name)])
    for of, target in {(str(n), float(t)) for n, t in zip(*_targets(data), strict=True)}:
        ax.axhline(target, color=looks[of]["color"], lw=1.0, ls=":")
    rates = data["course_rate"].values
    if rates.max() > BURST * np.median(rates) > 0.0:
        ax.set_yscale("log")
        plain_log(ax.yaxis, steps=(1.0,))
    else:
        ax.set_ylim(bottom=0.0)
    ax.set_ylabel("rate (Hz)")
    _legend(ax, "best")
    _course_axis(ax, data)


def _targets(data: "xr.Dataset") -> tuple[np.ndarray, np.ndarray]:
    if "plastic" not in data.sizes:
        return np.empty(0), np.empty(0)
    return data["learned_of"].values, data["learned_target"].values


def draw_course_ratio(ax: "Axes", data: "xr.Dataset") -> None:
    """Inhibitory over excitatory current, mean over the neurons that were followed; 1 cancels."""
    looks = node_looks(data)
    for a, name in enumerate(data["population"].values):
        ax.plot(data["course"].values, data["course_ratio"].values[a], lw=1.1, label=str(name), **looks[str(name)])
    ax.axhline(1.0, color=QUIET, lw=0.8, ls=":")
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("currents I/E")
    _course_axis(ax, data)


def _course_axis(ax: "Axes", data: "xr.Dataset") -> None:
    settled, end = data.attrs["settled"], data.attrs["duration"]
    if settled > 0.0:
        ax.axvspan(0.0, settled, color=GRID, alpha=0.45, lw=0, zorder=-2)
    ax.set_xlim(0.0, end)
    ax.set_xlabel("time (s)")


def draw_learned_means(ax: "Axes", data: "xr.Dataset") -> None:
    """Mean weight of synapses that learn, over that from which they start."""
    for k, name in enumerate(data["plastic"].values):
        x, y = data["window"].values, data["learned_mean"].values[k]
        ax.plot(np.append(0.0, x), np.append(1.0, y), lw=1.8, color=EPOCHS[k % len(EPOCHS)], label=_arrow(name))
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("mean weight over its start")
    ax.legend(loc="best")
    _course_axis(ax, data)


def draw_learned_spread(ax: "Axes", data: "xr.Dataset") -> None:
    """Share of synapses below a weight at the end of the run; dotted: where all started."""
    for k, name in enumerate(data["plastic"].values):
        ax.plot(data["learned_quantile"].values[k], data["learned_level"].values, lw=1.8,
                color=EPOCHS[k % len(EPOCHS)], label=_arrow(name))  # fmt: skip
    ax.axvline(1.0, **CHANCE)
    ax.set_ylim(0.0, 1.0)
    ax.set_xlim(left=0.0)
    ax.set_xlabel("weight over its start")
    ax.set_ylabel("share of synapses below")
    ax.grid(color=GRID)


def _arrow(name: object) -> str:
    return str(name).replace("->", "→")


def draw_answer(ax: "Axes", data: "xr.Dataset", source: int) -> None:
    """Rates around the volleys of one source, mean over its volleys."""
    looks, x = node_looks(data), data["lag"].values / ms
    for a, name in enumerate(data["population"].values):
        ax.plot(x, data["answer"].values[source, a], lw=1.3, label=str(name), **looks[str(name)])
    ax.axvline(0.0, color=QUIET, lw=0.8, ls=":")
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(f"time from a volley of {data['volleys'].values[source]} (ms)")
    ax.set_ylabel("rate (Hz)")
    ax.legend(loc="upper right")


def draw_rule_rates(ax: "Axes", data: "xr.Dataset") -> None:
    """Rates while the rules act."""
    looks, (scale, word) = node_looks(data), _slow_time(data)
    for a, name in enumerate(data["path_population"].values):
        ax.plot(
            data["path_time"].values / scale, data["path_rate"].values[a], lw=1.5, label=str(name), **looks[str(name)]
        )
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel("rate (Hz)")
    ax.set_xlabel(f"time under the rules ({word})")
    ax.legend(loc="best")


def draw_rule_variables(ax: "Axes", data: "xr.Dataset") -> None:
    """Slow variables over where they start, with their errors."""
    scale, word = _slow_time(data)
    for k, name in enumerate(data["variable"].values):
        x, start = data["path_time"].values / scale, data["path_slow"].values[0, k]
        if start != 0.0:
            y, error = data["path_slow"].values[:, k] / start, np.abs(data["path_error"].values[:, k] / start)
            color = EPOCHS[k % len(EPOCHS)]
            line = ("-", "--", ":")[k // len(EPOCHS) % 3]
            ax.plot(x, y, lw=1.5, color=color, ls=line, label=str(name))
            ax.fill_between(x, y - error, y + error, color=color, alpha=0.15, lw=0)
    ax.set_ylabel("slow variable over its first value")
    ax.set_xlabel(f"time under the rules ({word})")
    ax.legend(loc="best", ncols=2)


def _slow_time(data: "xr.Dataset") -> tuple[float, str]:
    """A unit that suits the time under the rules."""
    end = float(data["path_time"].values[-1])
    return next(((u, w) for u, w in ((day, "days"), (hour, "h"), (minute, "min")) if end >= 3 * u), (1.0, "s"))
