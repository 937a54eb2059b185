"""The paper's central experiment: input irregularity changed at fixed mean rate, and smooth tonic drive."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.model.inputs import DrivenNeuron
from equipoise.papers.calcium_homeostasis.common import driven, panels, rule
from equipoise.papers.framework import Claim
from equipoise.theory import equilibrium, evolve
from equipoise.theory.closed_loop import close
from equipoise.units import day

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

FANO = np.array([0.2, 0.5, 0.8, 1.0, 1.25, 2.0, 3.0, 5.0])
DRIVE = np.array([0.0, 10.0, 50.0, 200.0, 600.0])
SHOWN = (0.2, 2.0, 5.0)


def compute() -> "xr.Dataset":
    """First and last change of both weights after a step in Fano factor or drive, and three trajectories."""
    import xarray as xr

    irregular = np.array([_response(driven(fano=f)) for f in FANO])
    tonic = np.array([_response(driven(drive=d)) for d in DRIVE])
    times = np.concatenate([[0.0], np.geomspace(1.0, 60 * day, 300)])
    start = equilibrium(driven(), rule()).state
    paths = [evolve(driven(fano=f), rule(), duration=times[-1], start=start, times=times) for f in SHOWN]
    names = ["j_e", "j_i", "rate", "cv"]
    return xr.Dataset(
        {
            "irregular": (("fano", "when", "synapse"), irregular, {"units": "relative change; first in 1/s"}),
            "tonic": (("drive", "when", "synapse"), tonic, {"units": "relative change; first in 1/s"}),
            "path": (("shown", "variable", "time"), np.array([[p[n].values for n in names] for p in paths])),
        },
        coords={
            "fano": FANO, "drive": ("drive", DRIVE, {"units": "V/s"}), "when": ["first", "last"],
            "synapse": ["e", "i"], "shown": list(SHOWN), "variable": names, "time": ("time", times, {"units": "s"}),
        },
    )  # fmt: skip


def _response(changed: DrivenNeuron) -> np.ndarray:
    """Relative speed of both weights at the step [1/s] and their relative change in the end, shape (2, 2)."""
    before = equilibrium(driven(), rule()).state
    first = close(changed, rule()).rhs(before) / before
    last = equilibrium(changed, rule()).state / before - 1.0
    return np.array([first, last])


def claims(data: "xr.Dataset") -> list[Claim]:
    """Signs of the first and the last response."""
    more = data["irregular"].where(data["fano"] > 1, drop=True)
    less = data["irregular"].where(data["fano"] < 1, drop=True)
    tonic = data["tonic"].where(data["drive"] > 0, drop=True)
    five = data["irregular"].sel(fano=5.0, when="last").values
    return [
        Claim("More irregular input at the same rate scales excitation down (first response)", "Discussion",
              _signs(more.sel(when="first", synapse="e")), bool((more.sel(when="first", synapse="e") < 0).all())),
        Claim("More irregular input scales excitation down (final state)", "Discussion",
              f"dJ_E {100 * five[0]:+.1f} %, dJ_I {100 * five[1]:+.1f} % at Fano factor 5",
              bool((more.sel(when="last", synapse="e") < 0).all())),
        Claim("Irregular input acts on excitation alone ('differentially')", "Discussion",
              f"final dJ_I {100 * five[1]:+.1f} % beside dJ_E {100 * five[0]:+.1f} % at Fano factor 5",
              bool(abs(five[1]) < 0.1 * abs(five[0])), expected=False),
        Claim("More regular input scales excitation up (first and final)", "Discussion, reversed",
              _signs(less.sel(synapse="e").stack(all=("fano", "when"))), bool((less.sel(synapse="e") > 0).all())),
        Claim("Smooth tonic drive makes inhibition grow (first response)", "Discussion",
              _signs(tonic.sel(when="first", synapse="i")), bool((tonic.sel(when="first", synapse="i") > 0).all())),
        Claim("Smooth tonic drive makes inhibition grow (final state)", "Discussion",
              _signs(tonic.sel(when="last", synapse="i")), bool((tonic.sel(when="last", synapse="i") > 0).all())),
    ]  # fmt: skip


def _signs(values: "xr.DataArray") -> str:
    flat = values.values.ravel()
    return f"{int((flat < 0).sum())} negative, {int((flat > 0).sum())} positive of {flat.size}"


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """First response, final state, and the path between."""
    first, last, path = panels(canvas, "First response", "Final state", "Weights after the step")
    for key, label in (("e", "$J_E$"), ("i", "$J_I$")):
        look = plotting.LOOK[key]
        first.plot(data["fano"], 3600 * data["irregular"].sel(when="first", synapse=key), "o", **look, label=label)
        last.plot(data["fano"], 100 * data["irregular"].sel(when="last", synapse=key), "o", **look)
        for fano, alpha in zip(SHOWN, (0.35, 0.65, 1.0), strict=True):
            values = data["path"].sel(shown=fano, variable=f"j_{key}")
            path.plot(data["time"] / 3600, values / values[0], **look, alpha=alpha)
    for ax in (first, last):
        ax.axhline(0.0, color=plotting.GRID, zorder=0)
        ax.set(xscale="log", xlabel="Fano factor of the inputs", xticks=[0.2, 0.5, 1, 2, 5])
        ax.set_xticklabels(["0.2", "0.5", "1", "2", "5"])
        ax.minorticks_off()
    first.set(ylabel="relative change per hour")
    first.legend()
    last.set(ylabel="change at equilibrium (%)")
    path.set(xscale="log", xlim=(1e-2, None), xlabel="time (h)", ylabel="weight / weight before")
    for fano in SHOWN:
        end = data["path"].sel(shown=fano, variable="j_e")
        path.text(1500, float(end[-1] / end[0]), f"F = {fano:g}", va="center", color=plotting.INK)
