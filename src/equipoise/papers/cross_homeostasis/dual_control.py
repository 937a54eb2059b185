"""Cannon & Miller 2017, Miller 2018: threshold and gain together hold mean and variance of the rate.

    tau dtheta/dt = span (<r>/10 - 1),   tau dg/dt = -gain_span (<r^2>/15^2 - 1)

The averages run over the inputs that a cell hears in time; here over units that hear one input each, which is the same
average where inputs are slow beside the rates and fast beside the rule.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.circuit import Circuit
from equipoise.model.intrinsic_rules import DualControl, OutputCentricThreshold
from equipoise.model.populations import Population
from equipoise.model.rate_neurons import ThresholdLinear
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.units import Hz, hour, ms

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

MEAN, RMS = 10 * Hz, 15 * Hz
UNITS, SEED = 2000, 3
TAU, SPAN = 1 * hour, 120 * hour
GAIN = 10.0
"""Gain at the start [Hz per unit of input], the threshold being zero."""
INPUTS = ("normal, 0.5 ± 0.25", "normal, 2.5 ± 0.75", "uniform, 0 to 4", "log-normal", "two values")
STEPS = 241


def compute() -> "xr.Dataset":
    """Mean, root mean square, threshold and gain over time for each input; a rate rule alone on the first two."""
    import xarray as xr

    times = np.concatenate([[0.0], np.geomspace(0.02 * hour, SPAN, STEPS - 1)])
    drives = _drives()
    runs = [_run(drive, _dual(), times) for drive in drives]
    single = [_run(drive, OutputCentricThreshold("E", rate=MEAN, span=1.0, tau=TAU), times) for drive in drives[:2]]
    halves = _run(np.where(np.arange(UNITS) % 2 == 0, 3.0, 1.0), _dual(), times)
    start = [GAIN * np.maximum(drive, 0.0) for drive in drives]
    return xr.Dataset(
        {
            "moments": (("input", "time", "moment"), [r[0] for r in runs], {"units": "Hz"}),
            "slow": (("input", "time", "variable"), [r[1] for r in runs]),
            "end": (("input", "unit"), [r[2] for r in runs], {"units": "Hz"}),
            "start": (("input", "unit"), start, {"units": "Hz"}),
            "halves": ("moment", halves[0][-1], {"units": "Hz"}),
            "halves_gain": ("time", halves[1][:, 1]),
            "single": (("first", "moment"), [r[0][-1] for r in single], {"units": "Hz"}),
        },
        coords={
            "input": list(INPUTS), "time": ("time", times, {"units": "s"}), "moment": ["mean", "rms"],
            "variable": ["threshold", "gain"],
        },
    )  # fmt: skip


def _dual() -> DualControl:
    return DualControl("E", rate=MEAN, rms=RMS, span=1.0, gain_span=GAIN, tau=TAU)


def _drives() -> list[np.ndarray]:
    """The inputs of all units, in the order of INPUTS."""
    rng = np.random.default_rng(SEED)
    z = rng.standard_normal(UNITS)
    uniform, two = rng.uniform(0.0, 4.0, UNITS), np.where(np.arange(UNITS) % 4 == 0, 3.0, 1.0)
    return [0.5 + 0.25 * z, 2.5 + 0.75 * z, uniform, np.exp(0.6 * z), two]


def _run(drive: np.ndarray, rule, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and rms of the rates (time, 2), threshold and gain (time, 2), and the last rates of all units."""
    neuron = ThresholdLinear(gain=GAIN, threshold=0.0, tau=10 * ms)
    alone = Circuit(populations=[Population("E", size=UNITS, neuron=neuron)], projections=[])
    net = rate.units(alone, seed=SEED).variant(drive=drive)
    path = rate.evolve(net, rules=[rule], duration=SPAN, times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    mean, sd = path["rate"].values[at, 0], path["rate_sd"].values[at, 0]
    return np.stack([mean, np.hypot(mean, sd)], axis=1), path["slow"].values[at], path["unit_rate"].values[-1]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Mean and variance are held for every input; one controller does not do it."""
    ends = data["moments"].isel(time=-1).values
    off = np.abs(ends / [MEAN, RMS] - 1.0)
    sd = np.sqrt(ends[:, 1] ** 2 - ends[:, 0] ** 2)
    single = data["single"].values
    start = data["moments"].isel(time=0).values
    halves, gain = data["halves"].values, data["halves_gain"].values
    silent = (data["end"].values == 0.0).mean(axis=1)
    return [
        Claim("Two inputs, 0.5 ± 0.25 and 2.5 ± 0.75, end with the same mean and variance of the rate",
              "Cannon & Miller 2017",
              f"mean {ends[0, 0]:.3f} and {ends[1, 0]:.3f} Hz, SD {sd[0]:.3f} and {sd[1]:.3f} Hz, from "
              f"{start[0, 0]:.1f} and {start[1, 0]:.1f} Hz", bool((off[:2] < 1e-3).all())),
        Claim("Mean 10 and rms 15 Hz are reached whatever the law of the input", "Miller 2018",
              "; ".join(f"{n}: {a:.2f}, {b:.2f}" for n, (a, b) in zip(INPUTS, ends, strict=True)),
              bool((off < 5e-3).all())),
        Claim("Every input that varies can be brought to these targets", "derived",
              f"not if two values are equally likely: rms is at most sqrt(2) times the mean, here {halves[1]:.2f} and "
              f"{halves[0]:.2f} Hz; the gain has grown to {gain[-1]:.0f} and still grows",
              abs(halves[1] / RMS - 1.0) < 5e-3, expected=False),
        Claim("A threshold alone holds the mean and leaves the variance to the input", "derived",
              f"mean {single[0, 0]:.2f} and {single[1, 0]:.2f} Hz, rms {single[0, 1]:.2f} and {single[1, 1]:.2f} Hz",
              bool(np.abs(single[:, 0] / MEAN - 1.0).max() < 1e-3 and abs(single[0, 1] / single[1, 1] - 1.0) > 0.1)),
        Claim("So wide a target silences a part of the inputs", "derived",
              "rates of 10 ± 11.2 Hz leave " + ", ".join(f"{100 * s:.0f} %" for s in silent) + " of the units silent",
              bool((silent > 0.05).any())),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Both moments over time, the path of threshold and gain, and the rates before and after."""
    moments, plane, before, after = panels(
        canvas, "Mean and rms of the rate", "Threshold and gain", "Rates before", "Rates after"
    )
    hours = np.maximum(data["time"] / hour, 0.01)
    edges = np.linspace(0.0, 60.0, 41)
    for k, name in enumerate(INPUTS):
        colour = plotting.EPOCHS[k]
        moments.plot(hours, data["moments"].isel(input=k).sel(moment="mean"), color=colour)
        moments.plot(hours, data["moments"].isel(input=k).sel(moment="rms"), color=colour, ls="--", lw=1)
        threshold, gain = (data["slow"].isel(input=k).sel(variable=v) for v in ("threshold", "gain"))
        plane.plot(threshold, gain, color=colour, lw=1.2, label=name)
        plane.plot(threshold[-1], gain[-1], "o", color=colour, ms=5, mec="white")
        for ax, rates in ((before, data["start"]), (after, data["end"])):
            sizes, _ = np.histogram(rates.isel(input=k), edges)
            ax.step(edges[1:], np.cumsum(sizes) / rates.sizes["unit"], where="post", color=colour, lw=1.3)
    for level in (MEAN, RMS):
        moments.axhline(level, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
    moments.set(xscale="log", xlabel="time (h)", ylabel="mean (solid), rms (dashed) (Hz)", ylim=(0, 30))
    moments.xaxis.set_major_formatter(lambda v, _: f"{v:g}")
    plane.plot(0.0, GAIN, "o", color=plotting.INK, mfc="white", ms=5)
    plane.set(ylim=(0, None), xlabel=r"threshold $\theta$", ylabel="gain $g$ (Hz per unit)")
    plane.legend(fontsize=7.5)
    for ax in (before, after):
        ax.set(xlabel="rate (Hz)", ylabel="part of the units below", ylim=(0, 1.02), xlim=(0, 60))
