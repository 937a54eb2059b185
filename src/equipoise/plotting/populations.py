"""Figures of fitted populations and of the verdict on homeostatic rules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from equipoise.plotting.style import EPOCHS, INK, QUIET, epoch_look, plain, plain_log

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

LINEAR = 0.1
"""Logarithms up to which their axis is linear; beyond, it is logarithmic."""
RULE_COLORS = (*EPOCHS[:4], "#56B4E9", "#7A5C3E", QUIET)
OBSERVABLES = {
    "rate_E": "rate, E",
    "rate_I": "rate, I",
    "cv_E": "$C_v$, E",
    "cv_I": "$C_v$, I",
    "calcium_mean_E": "calcium, E",
    "calcium_mean_I": "calcium, I",
    "calcium_second_E": "calcium²,\nE",
    "calcium_second_I": "calcium²,\nI",
}


def draw_fitted_rates(ax: "Axes", rates: "xr.DataArray", fitted: "xr.DataArray") -> None:
    """Cumulative distribution of recorded rates (unit, epoch) as steps, and of `fitted` ones (epoch, quantile) [Hz]."""
    least = 1e-2  # Hz, where silent units stand
    for i, name in enumerate(rates["epoch"].values):
        look = epoch_look(i)
        ordered = np.sort(np.maximum(rates.isel(epoch=i).values, least))
        ax.step(ordered, np.arange(1, ordered.size + 1) / ordered.size, where="post", color=look["color"], lw=1.4)
        ax.plot(
            np.maximum(fitted.isel(epoch=i).values, least), fitted["quantile"], color=look["color"], lw=1.2, ls="--"
        )
        ax.plot([], [], color=look["color"], lw=1.4, label=plain(name))
    ax.plot([], [], color=INK, lw=1.2, ls="--", label="fitted")
    ax.set(xscale="log", ylim=(0.0, 1.02))
    plain_log(ax.xaxis, (1.0,))
    ax.set_xlabel("rate (Hz)")
    ax.legend(loc="upper left")


def draw_posteriors(ax: "Axes", dataset: "xr.Dataset") -> None:
    """`posterior` of each rule as a bar, with its predictive `p`; the line is the posterior that decides."""
    rows = np.arange(dataset.sizes["rule"])
    fits = dataset["p"].values > dataset.attrs["least_p"]
    for k in rows:
        color = RULE_COLORS[k % len(RULE_COLORS)]
        ax.barh(k, float(dataset["posterior"][k]), color=color if fits[k] else "white", edgecolor=color, height=0.7)
        p = float(dataset["p"][k])
        text = ("p < 0.001" if p < 0.001 else f"p {p:.2g}") + ("" if fits[k] else ", refused")
        ax.annotate(
            text, (float(dataset["posterior"][k]), k), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    ax.axvline(dataset.attrs["threshold"], color=INK, lw=1.0, ls=":")
    ax.set_yticks(rows, [plain(name) for name in dataset["rule"].values])
    ax.set(xlim=(0.0, 1.25), ylim=(rows.size - 0.4, -0.6))
    ax.set_xticks([0.0, 0.5, 1.0])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("posterior")


def draw_predictions(ax: "Axes", dataset: "xr.Dataset", names: Sequence[str]) -> None:
    """In one phase: observed logarithms (observable,) over the central 95 % and the median that each rule predicts."""
    x = np.arange(len(names))
    for k, rule in enumerate(dataset["rule"].values):
        color, shift = RULE_COLORS[k % len(RULE_COLORS)], 0.7 * ((k + 1) / (dataset.sizes["rule"] + 1) - 0.5)
        one = dataset["predicted"].isel(rule=k).sel(observable=list(names))
        ax.vlines(x + shift, one.isel(quantile=0), one.isel(quantile=-1), color=color, lw=2.2, alpha=0.65)
        ax.plot(x + shift, one.sel(quantile=0.5), "_", color=color, ms=6, mew=1.6, label=plain(rule))
    seen, error = (dataset[name].sel(observable=list(names)) for name in ("observed", "error"))
    for place, value, one in zip(x, seen.values, error.values, strict=True):
        ax.fill_between([place - 0.42, place + 0.42], value - 2 * one, value + 2 * one, color=INK, alpha=0.25, lw=0)
        ax.plot([place - 0.42, place + 0.42], [value, value], color=INK, lw=1.4)
    ax.plot([], [], color=INK, lw=1.4, label="observed")
    ax.axhline(0.0, color=QUIET, lw=0.8, zorder=0)
    ax.set_xticks(x, [OBSERVABLES[name] for name in names])
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_yscale("symlog", linthresh=LINEAR)
    ax.set_yticks([-1.0, -LINEAR, 0.0, LINEAR, 1.0], ["−1", f"−{LINEAR:g}", "0", f"{LINEAR:g}", "1"])
    ax.minorticks_off()
    ax.set_ylabel("log beside before")
