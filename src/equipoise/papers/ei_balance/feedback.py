"""Feedback inhibition: it cuts bursts short and makes rhythms whose period is set by the delay of the loop."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import motifs, plotting
from equipoise.motifs import FeedbackInhibition
from equipoise.papers.ei_balance.regime_map import draw_regimes
from equipoise.papers.framework import Claim
from equipoise.units import kHz, ms, nS, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

SEED = 1
DRIVE = 4 * kHz
MOTIF = FeedbackInhibition(recruitment=60 * nS, strength=150 * nS)
RECURRENT = replace(MOTIF, recurrence=40 * nS)
LOOP = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0]) * ms
STRENGTHS, DELAYS = np.array([0, 10, 20, 40, 150, 400]) * nS, np.array([0.5, 1.0, 1.5, 4.0, 8.0, 16.0]) * ms
SIZES = np.array([0.5, 1.0, 1.25, 1.5, 2.0, 3.0])
SHOWN = 0.3 * second
STACKED = 300.0
"""Distance of the courses in the figure [Hz]."""


def compute() -> "xr.Dataset":
    """Bursts with and without inhibition, the rhythm against the delay, and the map."""
    import xarray as xr

    kinds = {
        "inhibited": RECURRENT,
        "late": replace(RECURRENT, delay=15 * ms),
        "free": replace(RECURRENT, strength=0.0),
    }
    bursts = [motifs.gain(motif, SIZES, seed=SEED)["spikes"] for motif in kinds.values()]
    rhythms = [motifs.rhythm(replace(MOTIF, delay=float(d)), drive=DRIVE, seed=SEED) for d in LOOP]
    names = ("frequency", "coherence", "rate", "synapses", "membranes", "trace")
    by_delay = xr.concat([one[list(names)] for one in rhythms], "loop", combine_attrs="drop")
    regimes = motifs.regimes(RECURRENT, strength=STRENGTHS, delay=DELAYS, seed=SEED, drive=DRIVE)
    data = by_delay.rename({n: f"loop_{n}" for n in names if n != "trace"})
    data = data.assign_coords(loop=("loop", LOOP, {"units": "s"}))
    data["trace"] = data["trace"].isel(loop=[0, -1]).rename(loop="shown")
    data = data.assign_coords(shown=("shown", LOOP[[0, -1]], {"units": "s"}))
    data["burst"] = (("kind", "size"), np.array(bursts), {"units": "1"})
    data = data.assign_coords(kind=list(kinds), size=("size", SIZES))
    return data.assign(regime=regimes["regime"])


def claims(data: "xr.Dataset") -> list[Claim]:
    """Bursts are curtailed, rhythms follow the delay between two bounds, and weak or late inhibition fails."""
    burst = data["burst"].sel(size=3.0)
    on, late, off = (float(burst.sel(kind=k)) for k in ("inhibited", "late", "free"))
    f, low, high = (data[f"loop_{n}"].values for n in ("frequency", "membranes", "synapses"))
    period = 1.0 / f
    slope = float(np.polyfit(LOOP, period, 1)[0])
    regime = data["regime"]
    return [
        Claim(
            "Feedback inhibition curtails bursts",
            "Orchestrating the Symphony",
            f"{on:.2f} spikes of a cell after a large volley, {late:.1f} where inhibition comes 15 ms late, {off:.0f} "
            "without it, when cells excite each other",
            bool(on < 1.5 < late < off),
        ),
        Claim(
            "It generates rhythms",
            "Orchestrating the Symphony",
            f"under a sustained drive the rate oscillates at {f[-1]:.0f} to {f[0]:.0f} Hz, coherence "
            f"{data['loop_coherence'].values.min():.2f} or more",
            bool((data["loop_coherence"] > 0.5).all()),
        ),
        Claim(
            "The delay of the loop sets the frequency",
            "derived",
            f"the period grows by {slope:.1f} times what is added to the delay",
            bool((np.diff(f) < 0).all() and 1.0 < slope < 6.0),
        ),
        Claim(
            "It lies between the onsets of oscillations in delayed rate loops without and with membranes",
            "derived",
            f"theory {low[0]:.0f} to {high[0]:.0f} Hz at {LOOP[0] / ms:g} ms and {low[-1]:.0f} to {high[-1]:.0f} Hz at "
            f"{LOOP[-1] / ms:g} ms, spikes {f[0]:.0f} and {f[-1]:.0f} Hz",
            bool(((low < f) & (f < high)).all()),
        ),
        Claim(
            "Without feedback inhibition cells that excite each other run away; with weak or late one they burst",
            "Orchestrating the Symphony",
            f"{regime.sel(strength=0.0).values[0]} at 0 nS, {regime.sel(strength=10 * nS).values[0]} at 10 nS, "
            f"{regime.sel(strength=150 * nS, delay=1.5 * ms).item()} at 150 nS and 1.5 ms, "
            f"{regime.sel(strength=150 * nS, delay=16 * ms).item()} at 150 nS and 16 ms",
            bool(
                (regime.sel(strength=0.0) == "runaway").all()
                and (regime.sel(strength=10 * nS)[:-1] == "bursts").all()
                and regime.sel(strength=150 * nS, delay=1.5 * ms) == "rhythm"
                and regime.sel(strength=150 * nS, delay=16 * ms) == "bursts"
            ),
        ),
    ]


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Bursts, the rate under sustained drive, the frequency against the delay, and the map."""
    titles = ("Bursts", "Rhythms", "set by the delay", "Weak or late")
    bursts, course, frequency, regimes = canvas.subplots(1, 4)
    for letter, ax, title in zip("ABCD", (bursts, course, frequency, regimes), titles, strict=True):
        ax.set_title(f"{letter}  {title}")
    looks = {"inhibited": plotting.LOOK["i"], "late": {"color": plotting.QUIET, "ls": ":"}, "free": plotting.LOOK["e"]}
    labels = {"inhibited": "with inhibition", "late": "15 ms late", "free": "without"}
    for kind, look in looks.items():
        bursts.plot(data["size"], data["burst"].sel(kind=kind), marker="o", ms=3, label=labels[kind], **look)
    bursts.set(xlabel="size of the volley", ylabel="spikes of a cell", yscale="symlog", ylim=(0, 300))
    bursts.legend(loc="upper left")
    time = data["time"].values
    for k, (one, shade) in enumerate(zip(data["trace"], (1.0, 0.5), strict=True)):
        keep = time < SHOWN
        course.plot(
            time[keep] / ms, one.values[keep] + STACKED * k, color=plotting.EXCITATION, alpha=shade, lw=0.8,
            label=f"{float(one['shown']) / ms:g} ms",
        )  # fmt: skip
    course.set(xlabel="time (ms)", ylabel="E rate, shifted (Hz)", ylim=(-20, 2.6 * STACKED))
    course.legend(loc="upper right", ncols=2)
    delay = data["loop"] / ms
    frequency.fill_between(
        delay, data["loop_membranes"], data["loop_synapses"], color=plotting.GRID, label="onset in rate loops"
    )
    frequency.plot(delay, data["loop_frequency"], "o-", ms=3.5, color=plotting.INK, label="spikes")
    frequency.set(xlabel="delay of inhibition (ms)", ylabel="frequency (Hz)", ylim=(0, None))
    frequency.legend(loc="upper right")
    draw_regimes(regimes, data)
