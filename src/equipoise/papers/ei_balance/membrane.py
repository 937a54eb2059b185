"""The tug-of-war inside a neuron: conductances that cancel, scale together, and make it a coincidence detector.

The cell of the article: 20 ms at rest, reversals 0 and -75 mV, held at -60 mV by four times more inhibitory than
excitatory conductance. It rests there, too; elsewhere the leak would take part in the balance. Its background
fluctuates alike at every mean, or, beside it, in proportion to the mean.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.conductances import PointConductance, SteadyConductance, balance_ratio, membrane
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.synapses import AMPA, GABA_A
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.renewal import coincidence
from equipoise.units import ms, mV

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

CELL = ConductanceLIF(v_leak=-60 * mV)
V0, RATIO = -60 * mV, 4.0
VOLTAGES = np.linspace(-72 * mV, -45 * mV, 55)
SHARE = 0.2
"""SD of the background over its mean, at low conductance or at every one."""
LOADS = np.linspace(0.1, 7.0, 14)
"""Synaptic conductance over the leak."""
MORE = np.linspace(1.0, 1.5, 11)
STATES = (0.5, 4.0)
"""Low and high conductance, over the leak; at 4 the membrane has five times its leak."""


def background(load: float, noise: float) -> tuple[PointConductance, PointConductance]:
    """Balanced conductances of `load` times the leak in all, that fluctuate as a fifth of `noise` times the leak."""
    unit = CELL.g_leak / (1.0 + RATIO)
    of_e, of_i = (
        PointConductance(mean=load * g, sd=SHARE * noise * g, tau=s.tau, reversal=s.reversal)
        for g, s in ((unit, AMPA), (RATIO * unit, GABA_A))
    )
    return of_e, of_i


def compute() -> "xr.Dataset":
    """Balance over the potential, what more excitation does alone and together, and volleys over the conductance."""
    import xarray as xr

    g = STATES[1] * CELL.g_leak / (1.0 + RATIO)

    def potential(e: float, i: float) -> float:
        return membrane(CELL, [SteadyConductance(e * g, AMPA), SteadyConductance(RATIO * i * g, GABA_A)]).v

    volleys = [coincidence(CELL, background(load, STATES[0])) for load in LOADS]
    low, high = (coincidence(CELL, background(load, STATES[0])) for load in STATES)
    grown = coincidence(CELL, background(STATES[1], STATES[1]))
    names = {"tau": "s", "window": "s", "jitter": "s", "psp_width": "s"}
    values = {n: [x.membrane.tau if n == "tau" else getattr(x, n) for x in volleys] for n in names}
    states = {n: [x.membrane.tau if n == "tau" else getattr(x, n) for x in (low, high)] for n in names}
    return xr.Dataset(
        {
            "ratio": ("potential", balance_ratio(VOLTAGES)),
            "alone": ("more", [potential(m, 1.0) for m in MORE], {"units": "V"}),
            "together": ("more", [potential(m, m) for m in MORE], {"units": "V"}),
            **{n: ("load", values[n], {"units": names[n]}) for n in names},
            **{f"{n}_of": ("state", states[n], {"units": names[n]}) for n in names},
        },
        coords={
            "potential": ("potential", VOLTAGES, {"units": "V"}),
            "more": MORE,
            "load": LOADS,
            "state": list(STATES),
        },
        attrs={"at_v0": float(balance_ratio(V0)), "jitter_grown": grown.jitter},
    )


def claims(data: "xr.Dataset") -> list[Claim]:
    """4:1, co-scaling, 20 -> 4 ms, coincidence detection."""
    alone, together = (float(data[n].sel(more=1.25)) - V0 for n in ("alone", "together"))
    tau_rest, tau = CELL.tau_m, float(data["tau_of"][1])
    window, jitter, width = (data[f"{n}_of"].values / ms for n in ("window", "jitter", "psp_width"))
    return [
        Claim("At -60 mV inhibitory conductance must be four times the excitatory one", "Tug-of-War",
              f"g_I/g_E = {data.attrs['at_v0']:.12g}", bool(abs(data.attrs["at_v0"] - 4.0) < 1e-12)),
        Claim("25 % more excitation needs 25 % more inhibition", "Tug-of-War",
              f"the potential moves by {alone / mV:.3f} mV with excitation alone, by {together / mV:.1e} mV with both",
              bool(abs(together) < 1e-12 and alone > 1 * mV)),
        Claim("A passive time constant of 20 ms becomes 4 ms", "High-Conductance State",
              f"{tau_rest / ms:.4g} -> {tau / ms:.4g} ms at synaptic conductance of four times the leak",
              bool(abs(tau_rest - 20 * ms) < 1e-12 and abs(tau - 4 * ms) < 1e-12)),
        Claim("The neuron turns from an integrator into a coincidence detector", "High-Conductance State",
              f"two volleys add up within {window[0]:.2f} ms at low and {window[1]:.2f} ms at high conductance; "
              f"potentials last {width[0]:.1f} and {width[1]:.1f} ms",
              bool(window[1] < 0.6 * window[0] and width[1] < 0.6 * width[0])),
        Claim("It hears timing: under the same noise spikes are less jittered at high conductance",
              "High-Conductance State", f"jitter {jitter[0]:.3f} ms at low and {jitter[1]:.3f} ms at high conductance",
              bool(jitter[1] < jitter[0])),
        Claim("They are so, too, where the noise grows in proportion to the conductance", "derived",
              f"jitter {jitter[0]:.3f} and {data.attrs['jitter_grown'] / ms:.3f} ms: the noise outweighs the slope",
              bool(data.attrs["jitter_grown"] / ms < jitter[0]), expected=False),
    ]  # fmt: skip


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Ratio over potential, co-scaling, time constant, and window and jitter over conductance."""
    ratio, scaling, tau, volleys = panels(canvas, "Balance", "Co-scaling", "Time constant", "Coincidence")
    ratio.plot(data["potential"] / mV, data["ratio"], color=plotting.INK)
    ratio.plot([V0 / mV], [data.attrs["at_v0"]], "o", color=plotting.INHIBITION)
    ratio.set(xlabel="potential (mV)", ylabel="balancing $g_I/g_E$", ylim=(0, 12))
    scaling.plot(data["more"], data["alone"] / mV, **plotting.LOOK["e"], label="E alone")
    scaling.plot(data["more"], data["together"] / mV, color=plotting.INK, label="E and I")
    scaling.set(xlabel="factor of conductance", ylabel="potential (mV)")
    scaling.legend()
    tau.plot(data["load"], data["tau"] / ms, color=plotting.INK)
    tau.plot(data["state"], data["tau_of"] / ms, "o", color=plotting.INHIBITION)
    tau.set(ylabel="$\\tau_{eff}$ (ms)", ylim=(0, 20))
    volleys.plot(data["load"], data["window"] / ms, color=plotting.INK, label="window of two volleys")
    volleys.plot(data["load"], data["jitter"] / ms, color=plotting.QUIET, ls="--", label="jitter")
    volleys.set(ylabel="ms", yscale="log")
    volleys.legend()
    for ax in (tau, volleys):
        ax.set_xlabel("synaptic conductance/leak")
