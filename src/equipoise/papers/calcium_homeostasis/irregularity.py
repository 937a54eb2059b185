"""The paper's central experiment: input irregularity changed at fixed mean rate, and smooth tonic drive."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise import plotting
from equipoise.model.inputs import DrivenNeuron, RenewalInputs
from equipoise.papers.calcium_homeostasis.common import LIF_NEURON, PIF_NEURON, RATE, driven, rule
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.theory import equilibrium, evolve
from equipoise.theory.closed_loop import close
from equipoise.units import day, hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

FANO = np.array([0.2, 0.35, 0.5, 0.8, 1.0, 1.25, 2.0, 3.0, 5.0])
DRIVE = np.array([0.0, 0.1, 0.3, 1.0, 3.0])
"""Tonic drive in units of the input noise sigma*/sqrt(1 s)."""
SHOWN = 5.0
NAMES = ["j_e", "j_i", "rate", "cv"]


@dataclass(frozen=True)
class Subject:
    """A cell with 1000 + 1000 inputs at rest, and the irregularity it is held at."""

    neuron: object
    cv: float

    def cell(self, *, fano: float = 1.0, drive: float = 0.0) -> DrivenNeuron:
        """The cell under changed input."""
        trains = RenewalInputs(K=1000, rate=RATE, fano=fano)
        return DrivenNeuron(self.neuron, excitation=trains, inhibition=trains, drive=drive)  # type: ignore[arg-type]


SUBJECTS = {"PIF": Subject(PIF_NEURON, 0.8), "LIF": Subject(LIF_NEURON, 0.95)}


def compute() -> "xr.Dataset":
    """First and last change of both weights after a step of Fano factor or drive, and trajectories at Fano factor 5."""
    import xarray as xr

    irregular = [[_response(s, s.cell(fano=f)) for f in FANO] for s in SUBJECTS.values()]
    tonic = [[_response(s, s.cell(drive=d * _noise(s))) for d in DRIVE] for s in SUBJECTS.values()]
    times = np.concatenate([[0.0], np.geomspace(1.0, 30 * day, 300)])
    paths = [_path(s, times) for s in SUBJECTS.values()]
    few = equilibrium(driven(200), rule()).state
    lost = evolve(driven(200, fano=5.0), rule(), duration=30 * day, start=few, times=times)
    return xr.Dataset(
        {
            "irregular": (("neuron", "fano", "when", "synapse"), np.array(irregular)),
            "tonic": (("neuron", "drive", "when", "synapse"), np.array(tonic)),
            "path": (("neuron", "variable", "time"), np.array(paths)),
        },
        coords={
            "neuron": list(SUBJECTS), "fano": FANO, "drive": DRIVE, "when": ["first", "last"], "synapse": ["e", "i"],
            "variable": NAMES, "time": ("time", times, {"units": "s"}),
        },
        attrs={
            "first": "relative change per hour at the step", "last": "relative change at the new equilibrium",
            "few_inputs": lost.attrs["status"], "few_inputs_hours": float(lost["time"][-1]) / hour,
        },
    )  # fmt: skip


def _noise(subject: Subject) -> float:
    return equilibrium(subject.cell(), rule(subject.cv)).sigma


def _response(subject: Subject, changed: DrivenNeuron) -> np.ndarray:
    """Relative speed of both weights at the step [1/h] and their relative change in the end, shape (2, 2)."""
    law = rule(subject.cv)
    before = equilibrium(subject.cell(), law).state
    first = hour * close(changed, law).rhs(before) / before
    return np.array([first, equilibrium(changed, law).state / before - 1.0])


def _path(subject: Subject, times: np.ndarray) -> np.ndarray:
    """Weights relative to their start, rate and C_v after a step to Fano factor 5, shape (4, times)."""
    law = rule(subject.cv)
    before = equilibrium(subject.cell(), law).state
    path = evolve(subject.cell(fano=SHOWN), law, duration=times[-1], start=before, times=times, throw=True)
    return np.array([path[n].values / scale for n, scale in zip(NAMES, (*before, 1.0, 1.0), strict=True)])


def claims(data: "xr.Dataset") -> list[Claim]:
    """Signs of the first and the last response."""
    more = data["irregular"].where(data["fano"] > 1, drop=True)
    less = data["irregular"].where(data["fano"] < 1, drop=True)
    tonic = data["tonic"].where(data["drive"] > 0, drop=True)
    five = {n: 100 * data["irregular"].sel(neuron=n, fano=SHOWN, when="last").values for n in SUBJECTS}
    at_five = "; ".join(f"{n}: dJ_E {e:+.0f} %, dJ_I {i:+.0f} %" for n, (e, i) in five.items()) + " at Fano factor 5"
    e: dict[str, Any] = {"synapse": "e"}
    i: dict[str, Any] = {"synapse": "i"}
    return [
        _signed("More irregular input at the same rate scales excitation down: first response", "Discussion",
                more.sel(when="first", **e), -1),
        _signed("... while inhibition grows at first (the rate has risen)", "derived", more.sel(when="first", **i), 1),
        replace(_signed("More irregular input scales excitation down: final state", "Discussion",
                        more.sel(when="last", **e), -1), found=at_five),
        _signed("... and inhibition with it, by about the same factor, near 1/sqrt(F)", "derived",
                more.sel(when="last", **i), -1),
        Claim("Irregular input affects excitation and inhibition differentially in the end", "Discussion", at_five,
              all(abs(a - b) > 0.2 * abs(a) for a, b in five.values()), expected=False),
        _signed("More regular input scales excitation up, first and last", "Discussion, reversed", less.sel(**e), 1),
        _signed("Smooth tonic drive makes inhibition grow: first response", "Discussion",
                tonic.sel(when="first", **i), 1),
        _signed("Smooth tonic drive makes inhibition grow: final state", "Discussion",
                tonic.sel(when="last", **i), 1),
        _signed("... and excitation shrink", "derived", tonic.sel(when="last", **e), -1),
        Claim("A large step can leave the basin of the equilibrium: inhibitory noise then raises the rate", "derived",
              f"PIF, K = 200, step to Fano factor 5: {data.attrs['few_inputs']} within "
              f"{data.attrs['few_inputs_hours']:.1f} h, though the new equilibrium exists and is stable",
              data.attrs["few_inputs"] == "RUNAWAY"),
    ]  # fmt: skip


def _signed(text: str, source: str, values: "xr.DataArray", sign: int) -> Claim:
    flat = values.values.ravel()
    found = f"{int((flat < 0).sum())} negative, {int((flat > 0).sum())} positive of {flat.size} (PIF and LIF)"
    return Claim(text, source, found, bool((sign * flat > 0).all()))


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """First response and final state of the LIF cell, and its path after a step to Fano factor 5."""
    first, last, path = panels(canvas, "First response", "Final state", f"Path, Fano factor {SHOWN:g}")
    lif = data.sel(neuron="LIF")
    for key, label in (("e", "$J_E$"), ("i", "$J_I$")):
        look = plotting.LOOK[key]
        values = lif["irregular"].sel(synapse=key)
        first.plot(data["fano"], values.sel(when="first"), marker="o", ms=4, **look, label=label)
        last.plot(data["fano"], 100 * values.sel(when="last"), marker="o", ms=4, **look)
        path.plot(data["time"] / hour, lif["path"].sel(variable=f"j_{key}"), **look)
    for ax in (first, last):
        ax.axhline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)
        ax.set(xscale="log", xlabel="Fano factor of the inputs")
        ax.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
        ax.minorticks_off()
    first.set(ylabel="relative change per hour")
    first.legend()
    last.set(ylabel="change at equilibrium (%)")
    path.axhline(1.0, color=plotting.QUIET, lw=0.8, zorder=0)
    path.set(xscale="log", xlim=(1e-3, None), ylim=(0, None), xlabel="time (h)", ylabel="weight / weight before")
