"""Feedforward inhibition: a window of opportunity of a few milliseconds, precise spikes, and what weak or late does."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import motifs, plotting
from equipoise.motifs import FeedforwardInhibition
from equipoise.papers.ei_balance.regime_map import draw_regimes
from equipoise.papers.framework import Claim
from equipoise.quantities import Array
from equipoise.units import ms, nS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SEED = 1
INHIBITED = FeedforwardInhibition()
FREE = FeedforwardInhibition(strength=0.0)
LAGS = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 24, 28, 34, 40]) * ms
SIZES = np.array([0.5, 0.75, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.75, 2.0, 2.5, 3.0])
DISPERSIONS = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0]) * ms
RECURRENT = FeedforwardInhibition(recurrence=55 * nS)
STRENGTHS, DELAYS = np.array([0, 10, 20, 40, 80, 160]) * nS, np.array([0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0]) * ms


def compute() -> "xr.Dataset":
    """Windows, gain and answers to dispersed volleys with and without inhibition, and the map of a recurrent motif."""
    import xarray as xr

    kinds = {"inhibited": INHIBITED, "free": FREE}

    def both(study, at, **how) -> "xr.Dataset":
        parts = [study(motif, at, seed=SEED, **how) for motif in kinds.values()]
        joined = xr.concat(parts, xr.Variable("kind", list(kinds)), combine_attrs="drop")
        assert isinstance(joined, xr.Dataset)
        return joined

    lag, size = both(motifs.window, LAGS), both(motifs.gain, SIZES)
    spread = both(motifs.jitter, DISPERSIONS, size=2.5)
    regimes = motifs.regimes(RECURRENT, strength=STRENGTHS, delay=DELAYS, seed=SEED)
    data = xr.Dataset({"window": lag["window"], "lag_probability": lag["probability"], "lag_latency": lag["latency"]})
    data = data.assign({f"size_{n}": size[n] for n in ("probability", "jitter", "jitter_se")})
    data = data.assign({f"spread_{n}": spread[n] for n in ("probability", "jitter", "jitter_se")})
    return data.assign(regime=regimes["regime"], burst=regimes["spikes"])


def claims(data: "xr.Dataset") -> list[Claim]:
    """A window of a few ms against tens, precise spikes, preference for synchrony, and runaway if weak or late."""
    on, off = (data.sel(kind=k) for k in ("inhibited", "free"))
    width = [float(one["window"]) / ms for one in (on, off)]
    sharp = [_jitter_at(one, 0.5) / ms for one in (on, off)]
    half = [float(np.interp(0.5, one["size_probability"], data["size"])) for one in (on, off)]
    loose = [float(np.interp(-0.5, -one["spread_probability"].values, data["dispersion"])) / ms for one in (on, off)]
    regime = data["regime"]
    weak, late = regime.sel(strength=0.0), regime.sel(strength=STRENGTHS[-1], delay=DELAYS[-1])
    intact = regime.sel(strength=40 * nS, delay=1.5 * ms)
    return [
        Claim(
            "Inhibition that follows a few milliseconds later leaves a narrow window of opportunity",
            "Orchestrating the Symphony",
            f"two volleys fire the cell at lags within {width[0]:.1f} ms of each other, {width[1]:.0f} ms without it",
            bool(2.0 < width[0] < 10.0 < 30.0 < width[1]),
        ),
        Claim(
            "Feedforward inhibition sharpens spike timing",
            "Orchestrating the Symphony",
            f"SD of spike times {sharp[0]:.2f} ms, {sharp[1]:.2f} ms without it, at the volley that fires half of the "
            "cells",
            bool(sharp[0] < 0.5 * sharp[1]),
        ),
        Claim(
            "It lets synchronous volleys pass and stops dispersed ones",
            "derived",
            f"a volley 2.5 times as large fires half of the cells up to a dispersion of {loose[0]:.1f} ms, "
            f"{loose[1]:.0f} ms or more without it",
            bool(loose[0] < 0.5 * loose[1]),
        ),
        Claim(
            "It turns the gain down: more afferents are needed for the same response",
            "derived",
            f"half of the cells fire at {half[0]:.2f} times the afferents, at {half[1]:.2f} without it",
            bool(half[0] > 1.1 * half[1]),
        ),
        Claim(
            "If it is too weak or too slow, excitation runs rampant",
            "Orchestrating the Symphony",
            f"cells that excite each other: {intact.item()} at 40 nS and 1.5 ms, {weak[0].item()} without inhibition, "
            f"{late.item()} at {STRENGTHS[-1] / nS:.0f} nS and {DELAYS[-1] / ms:.0f} ms",
            bool((weak == "runaway").all() and late == "runaway" and intact == "precise"),
        ),
    ]


def _jitter_at(one: "xr.Dataset", probability: float) -> float:
    """Jitter at the volley that fires cells with this probability."""
    known = np.isfinite(one["size_jitter"].values)
    return float(np.interp(probability, one["size_probability"].values[known], one["size_jitter"].values[known]))


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Windows, timing, dispersed volleys and the map."""
    titles = ("Window of opportunity", "Timing and gain", "Synchrony", "Weak or late")
    axes = canvas.subplots(1, 4)
    for letter, ax, title in zip("ABCD", axes, titles, strict=True):
        ax.set_title(f"{letter}  {title}")
    _draw_both(axes[0], data["lag"] / ms, data["lag_probability"])
    axes[0].set(xlabel="lag of the second volley (ms)", ylabel="probability of a spike", ylim=(-0.03, 1.25))
    axes[0].legend(loc="upper right")
    _draw_both(axes[1], data["size_probability"].T, data["size_jitter"] / ms, marker="o", ms=3)
    axes[1].set(xlabel="probability of a spike", ylabel="SD of its time (ms)", ylim=(0, None))
    _draw_both(axes[2], data["dispersion"] / ms, data["spread_probability"])
    axes[2].set(xlabel="dispersion of the volley (ms)", ylabel="probability of a spike", ylim=(-0.03, 1.25))
    draw_regimes(axes[3], data)


def _draw_both(ax: "Axes", x: "xr.DataArray | Array", y: "xr.DataArray", **more) -> None:
    for kind, look, label in (("inhibited", "i", "with inhibition"), ("free", "e", "without")):
        at = x.sel(kind=kind) if "kind" in getattr(x, "dims", ()) else x  # pyright: ignore[reportAttributeAccessIssue]
        ax.plot(at, y.sel(kind=kind), **plotting.LOOK[look], label=label, **more)
