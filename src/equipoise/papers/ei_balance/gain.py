"""Balanced is not safe: all weights scaled at a fixed ratio of inhibition to excitation raise the gain, then oscillate.

The pair of Murphy & Miller 2009, W = w [[1, -k], [1, -k]] with k = 1.1: inhibition is 1.1 times excitation whatever w.
With inhibition as fast as excitation the eigenvalues are -1 and -1 - (k - 1) w, the state is stable at any w, and the
gain of excitation (1 + k w)/(1 + (k - 1) w) and transient amplification grow with w. With inhibition twice as slow the
trace of the Jacobian vanishes at w = (1 + tau_E/tau_I)/(1 - k tau_E/tau_I), where oscillations begin.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import AllToAll
from equipoise.model.manipulations import During, TonicDrive
from equipoise.model.populations import Population
from equipoise.model.projections import Projection
from equipoise.model.rate_neurons import ThresholdLinear
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

RATIO = 1.1
TAU, SLOWER = 10 * ms, 20 * ms
DRIVE = 10.0
SCALES = np.linspace(0.1, 6.0, 25)
SHOWN = (0.5, 2.0, 6.0)
"""Weights whose answers to a pulse are drawn."""
KICK, PULSE = 2.0, 2 * ms
BEFORE, AFTER = 20 * ms, 100 * ms
BEYOND = (3.2, 3.5, 5.0)
"""Weights below and beyond the onset of oscillations."""


def pair(w: float, *, tau_i: float = TAU) -> Circuit:
    """E and I with W = w [[1, -k], [1, -k]], inhibition with the time constant tau_i [s]."""
    taus = {"E": TAU, "I": tau_i}
    populations = [
        Population(name, neuron=ThresholdLinear(gain=1.0, threshold=0.0, tau=tau), drive=DRIVE)
        for name, tau in taus.items()
    ]
    weights = {"E": w, "I": -RATIO * w}
    projections = [
        Projection(source=s, target=t, weight=weights[s], connectivity=AllToAll()) for s in taus for t in taus
    ]
    return Circuit(populations=populations, projections=projections)


def compute() -> "xr.Dataset":
    """Gain and amplification along the weights, answers to a pulse, and where slower inhibition oscillates."""
    import xarray as xr

    states = [rate.fixed_points(pair(w))[-1] for w in SCALES]
    growth = [rate.amplification(one) for one in states]
    path = rate.branch(lambda w: pair(w, tau_i=SLOWER), float(SCALES[0]), float(SCALES[-1]))
    hopf = path["special_parameter"].values[path["special_kind"].values == "hopf"]
    beyond = np.linspace(1.0, 1.5, 6) * hopf[0]
    pulses = [_pulse(w) for w in SHOWN]
    courses = [_course(w) for w in BEYOND]
    return xr.Dataset(
        {
            "gain": ("weight", [float(one.response.sel(population="E", stimulated="E")) for one in states]),
            "common_gain": ("weight", [float(one.response.sel(population="E").sum()) for one in states]),
            "amplification": ("weight", [one.peak for one in growth]),
            "henrici": ("weight", [one.henrici for one in growth], {"units": "1/s"}),
            "slowest": ("weight", [one.spectral_abscissa for one in growth], {"units": "1/s"}),
            "pulse": (("shown", "time"), np.array([x for _, x in pulses]), {"units": "Hz"}),
            "path": ("point", path["parameter"].values),
            "growth": ("point", path["eigenvalue_real"].values.max(axis=1), {"units": "1/s"}),
            "hopf": ("onset", hopf),
            "swing": ("beyond", [_swing(w) for w in beyond], {"units": "Hz"}),
            "course": (("course_weight", "course_time"), np.array([x for _, x in courses]), {"units": "Hz"}),
        },
        coords={
            "weight": SCALES,
            "shown": list(SHOWN),
            "time": ("time", pulses[0][0], {"units": "s"}),
            "beyond": beyond,
            "course_weight": list(BEYOND),
            "course_time": ("course_time", courses[0][0], {"units": "s"}),
        },
    )


def _pulse(w: float) -> tuple[Array, Array]:
    """Time after, and change of the excitatory rate by, a short push of excitation up and inhibition down."""
    state = rate.fixed_points(pair(w))[-1]
    push = [During(TonicDrive(n, x), BEFORE, BEFORE + PULSE) for n, x in (("E", KICK), ("I", -KICK))]
    data = rate.simulate(pair(w), duration=BEFORE + AFTER, start=state.rates, schedule=push)
    time = np.linspace(0.0, BEFORE + AFTER, 481)
    moved = np.interp(time, data["time"].values, data["rate"].sel(population="E").values - state.rates[0])
    return time - BEFORE, moved


def _course(w: float) -> tuple[Array, Array]:
    """Excitatory rate from a start 1 % off the fixed point, inhibition slow."""
    circuit = pair(w, tau_i=SLOWER)
    start = rate.fixed_points(circuit)[-1].rates * np.array([1.01, 1.0])
    data = rate.simulate(circuit, duration=1 * second, start=start)
    time = np.linspace(0.0, 1 * second, 1001)
    return time, np.interp(time, data["time"].values, data["rate"].sel(population="E").values)


def _swing(w: float) -> float:
    """Peak to trough of the excitatory rate once it oscillates [Hz]."""
    x = _course(w)[1][500:]
    return float(x.max() - x.min())


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Gain and amplification grow at a fixed ratio, stable with fast inhibition; slower inhibition oscillates."""
    weak, strong = data.isel(weight=0), data.isel(weight=-1)
    onset, exact = float(data["hopf"][0]), (1 + TAU / SLOWER) / (1 - RATIO * TAU / SLOWER)
    gains = (1 + RATIO * SCALES) / (1 + (RATIO - 1) * SCALES)
    before, after = (float(np.ptp(data["course"].sel(course_weight=w).values[500:])) for w in (BEYOND[0], BEYOND[-1]))
    return [
        Claim(
            "Strong balanced connections have a large gain, with the same ratio of inhibition to excitation",
            "Living on the Edge",
            f"gain of excitation {float(weak['gain']):.2f} -> {float(strong['gain']):.2f} as all weights grow "
            f"{SCALES[-1] / SCALES[0]:.0f} times; (1 + k w)/(1 + (k - 1) w) within "
            f"{np.abs(data['gain'].values / gains - 1).max():.0e}",
            bool((np.diff(data["gain"].values) > 0).all() and np.allclose(data["gain"].values, gains)),
        ),
        Claim(
            "An input is amplified before inhibition squelches it",
            "Living on the Edge",
            f"disturbances grow {float(strong['amplification']):.2f} times before they decay, "
            f"{float(weak['amplification']):.2f} times with weak weights",
            bool(strong["amplification"] > 3.0 and weak["amplification"] == 1.0),
        ),
        Claim(
            "Amplification is no matter of eigenvalues: the slowest does not move",
            "derived",
            f"slowest mode {float(weak['slowest']):.1f} and {float(strong['slowest']):.1f} 1/s, departure from "
            f"normality {float(weak['henrici']):.0f} and {float(strong['henrici']):.0f} 1/s",
            bool(np.allclose(data["slowest"].values, -1.0 / TAU) and (np.diff(data["henrici"].values) > 0).all()),
        ),
        Claim(
            "The gain for input common to both populations grows with the weights, too",
            "derived",
            f"{float(weak['common_gain']):.2f} -> {float(strong['common_gain']):.2f}: balance cancels it",
            bool(strong["common_gain"] > weak["common_gain"]),
            expected=False,
        ),
        Claim(
            "Balanced is not safe: with slow inhibition strong weights oscillate",
            "Living on the Edge",
            f"oscillations from w = {onset:.6f}, theory {exact:.6f}; swing {before:.3f} Hz at w = {BEYOND[0]:g}, "
            f"{after:.1f} Hz at {BEYOND[-1]:g}",
            bool(abs(onset / exact - 1) < 1e-6 and before < 0.1 < 5.0 < after),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Gain and amplification, answers to a pulse, the Hopf point, and rates below and beyond it."""
    gain, pulse, onset, course = panels(
        canvas, "Gain at fixed balance", "A pulse is amplified", "With slow inhibition", "rates oscillate"
    )
    gain.plot(data["weight"], data["gain"], **plotting.LOOK["e"], label="E to input of E")
    gain.plot(data["weight"], data["common_gain"], color=plotting.QUIET, label="E to common input")
    gain.plot(data["weight"], data["amplification"], color=plotting.INK, ls="--", label="transient")
    gain.set(xlabel="weight w", ylabel="gain, amplification", ylim=(0, None))
    gain.legend(loc="upper left")
    _draw_courses(pulse, data["time"] / ms, data["pulse"], (0.35, 0.65, 1.0))
    pulse.set(xlabel="time after the pulse (ms)", ylabel="change of E rate (Hz)")
    onset.plot(data["path"], data["growth"], color=plotting.INK)
    onset.axhline(0.0, color=plotting.GRID, zorder=0)
    onset.axvline(float(data["hopf"][0]), color=plotting.QUIET, ls=":")
    onset.set(xlabel="weight w", ylabel="growth of the slowest mode (1/s)")
    swing = onset.twinx()
    swing.plot(data["beyond"], data["swing"], "o-", ms=3.5, color=plotting.EXCITATION)
    swing.set(ylabel="swing of E (Hz)", ylim=(0, None))
    swing.spines["right"].set_visible(True)
    _draw_courses(course, data["course_time"] / ms, data["course"], (0.35, 0.65, 1.0))
    course.set(xlabel="time (ms)", ylabel="E rate (Hz)", xlim=(0, 500))


def _draw_courses(ax: "Axes", time: "xr.DataArray", rows: "xr.DataArray", shades: tuple[float, ...]) -> None:
    for row, shade in zip(rows, shades, strict=True):
        weight = float(row[rows.dims[0]])
        ax.plot(time, row, color=plotting.EXCITATION, alpha=shade, label=f"w = {weight:g}")
    ax.set_ylim(top=1.25 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper right", ncols=len(shades), handlelength=1.0, columnspacing=0.8)
