"""The set point formula E_ss = (h_set - b)/D against the network with both time scales, and where it fails.

While both populations fire and the fast dynamics is stable, the rule has one equilibrium, at the formula. Reading B
reaches it where D < 0, reading A where D > 0. Outside these assumptions there is nothing for the formula to describe.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import InputCentricThreshold, Reading
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, RECURRENT, Pair

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

CASES: dict[str, tuple[Pair, float, Reading]] = {"D < 0": (PUBLISHED, 9.8, "B"), "D > 0": (RECURRENT, 13.8, "A")}
"""Pair, set point and the reading that is stable there; both hold 5 and 14 Hz at theta_I = 25, g_I = 4."""
SWEEPS = {"threshold": np.linspace(16.0, 34.0, 181), "gain": np.linspace(1.0, 9.0, 161)}
DOTS = {
    "threshold": {"D < 0": (21.0, 27.0, 33.0), "D > 0": (18.0, 22.0, 26.5)},
    "gain": {"D < 0": (3.0, 5.0, 8.0), "D > 0": (2.5, 4.5, 7.0)},
}
TAU, SPAN, DISTURBED = 2.0, 100.0, 0.2
"""Time constant of the rule, length of a simulation [s], and how far from its equilibrium the threshold starts."""
PLANE = np.linspace(0.3, 1.6, 131), np.linspace(5.0, 40.0, 141)
"""W_EI and theta_I of the map, both readings on the published pair."""
KINDS = ("holds, reading B", "holds, reading A", "I silent", "E silent", "fast dynamics unstable")
SHADES = ("#9CC7E8", "#F2C9A1", "#E4E7EA", "#B9BDC2", "#5B6470")
SAMPLES, SEED, FAR = 12, 5, 0.02
"""Places of the map that are simulated, under both readings, and the rate [Hz] from which a place is not reached."""


def compute() -> "xr.Dataset":
    """E_ss by formula and by simulation along theta_I and g_I; the map of assumptions, and simulations on it."""
    import xarray as xr

    data: dict = {}
    for name, values in SWEEPS.items():
        lines = [[_held(_changed(pair, name, v), h, reading) for v in values] for pair, h, reading in CASES.values()]
        data[f"{name}_formula"] = (("case", name), lines, {"units": "Hz"})
        dots = [[_simulated(_changed(CASES[c][0], name, v), *CASES[c][1:]) for v in DOTS[name][c]] for c in CASES]
        data[f"{name}_simulated"] = (("case", "dot"), dots, {"units": "Hz"})
        data[f"{name}_dot"] = (("case", "dot"), [DOTS[name][c] for c in CASES])
    weight, threshold = PLANE
    data["kind"] = (("w_ei", "theta_i"), _kind(*np.meshgrid(weight, threshold, indexing="ij")))
    places, found = _sampled()
    data |= {"place": (("sample", "axis"), places), "reached": (("sample", "reading"), found)}
    coords = {"case": list(CASES), "reading": ["A", "B"], "w_ei": weight, "theta_i": threshold, **SWEEPS}
    return xr.Dataset(data, coords)


def _changed(pair: Pair, name: str, value: float) -> Pair:
    return pair.with_inhibition(**{name: value})


def _held(pair: Pair, h: float, reading: Reading) -> float:
    """E_ss where every assumption holds for this reading, else NaN."""
    E, I = pair.set_point(h)  # noqa: E741
    wanted = (pair.D > 0.0) == (reading == "A")
    return E if E > 0.0 and I > 0.0 and pair.fast_stable and wanted else np.nan


def _simulated(pair: Pair, h: float, reading: Reading) -> float:
    """E [Hz] at the end of a simulation of both time scales that starts off the equilibrium; NaN without an end."""
    E, I = pair.set_point(h)  # noqa: E741
    start = replace(pair, thresholds=(h - E / pair.gains[0] + DISTURBED, pair.thresholds[1]))
    rule = InputCentricThreshold("E", set_point=h, tau=TAU, reading=reading)
    path = rate.evolve(start.circuit(), rules=[rule], duration=SPAN, start=[E, I], times=[0.0, SPAN], full=True)
    return float(path["rate"][-1, 0]) if path.attrs["status"] == "OK" else np.nan


def _kind(weight: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Index into KINDS of each place of the map."""
    pair, h = _place(weight, threshold), CASES["D < 0"][1]
    E, I = pair.set_point(h)  # noqa: E741
    kind = np.where(pair.D < 0.0, 0, 1)
    kind = np.where(~pair.fast_stable, 4, kind)
    return np.where(E <= 0.0, 3, np.where(I <= 0.0, 2, kind))


def _place(weight, threshold) -> Pair:
    W = PUBLISHED.weights
    return replace(PUBLISHED, weights=(W[0], weight, *W[2:]), thresholds=(PUBLISHED.thresholds[0], threshold))


def _sampled() -> tuple[np.ndarray, np.ndarray]:
    """Random places of the map at which the formula gives rates, and whether each reading leads to them."""
    rng, h = np.random.default_rng(SEED), CASES["D < 0"][1]
    places, found = [], []
    while len(places) < SAMPLES:
        place = rng.uniform([PLANE[0][0], PLANE[1][0]], [PLANE[0][-1], PLANE[1][-1]])
        pair = _place(*place)
        E, I = pair.set_point(h)  # noqa: E741
        if E > 0.2 and I > 0.2 and abs(pair.D) > 0.25:
            places.append(place)
            found.append([abs(_simulated(pair, h, reading) - E) < FAR for reading in ("A", "B")])
    return np.array(places), np.array(found)


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Formula against simulation, where it holds, and what inhibition does to the set point."""
    error = max(_error(data, name) for name in SWEEPS)
    kinds = _kind(*data["place"].values.T)
    predicted = np.stack([kinds == 1, kinds == 0], axis=1)
    agree = int((predicted == data["reached"].values).all(axis=1).sum())
    slopes = {c: np.nanmean(np.diff(data["gain_formula"].sel(case=c))) > 0.0 for c in CASES}
    rise = {c: np.nanmean(np.diff(data["threshold_formula"].sel(case=c))) > 0.0 for c in CASES}
    count = data.sizes["dot"] * 2 * len(SWEEPS)
    return [
        Claim("E_ss = (h_set - b)/D is where both time scales together come to rest", "note, derivation",
              f"{count} simulations within {error:.1e} Hz", error < 1e-4),
        Claim("Where one assumption fails the network does not rest at the formula, and only there", "derived",
              f"at {agree} of {len(kinds)} random places of the map both readings do as predicted; "
              f"{int(predicted.any(axis=1).sum())} of them are stable for one reading, none for both",
              agree == len(kinds)),
        Claim("A larger gain of inhibition generally acts to lower E_ss", "note, derivation",
              f"it {_words(slopes)}", not any(slopes.values()), expected=False),
        Claim("More excitable interneurons lower E_ss where D < 0, and raise it where D > 0", "derived",
              f"a larger g_I {_words(slopes)}; a higher theta_I {_words(rise)}",
              slopes == {"D < 0": False, "D > 0": True} and rise == {"D < 0": True, "D > 0": False}),
    ]  # fmt: skip


def _error(data: "xr.Dataset", name: str) -> float:
    """Largest distance [Hz] of simulations from the formula."""
    worst = 0.0
    for case, (pair, h, _) in CASES.items():
        for value, found in zip(
            data[f"{name}_dot"].sel(case=case), data[f"{name}_simulated"].sel(case=case), strict=True
        ):
            worst = max(worst, abs(_changed(pair, name, float(value)).set_point(h)[0] - float(found)))
    return worst


def _words(rises: Mapping[str, object]) -> str:
    return ", ".join(f"{'raises' if up else 'lowers'} E_ss at {case}" for case, up in rises.items())


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """E_ss along theta_I and g_I, and the map of assumptions."""
    threshold, gain, plane = panels(canvas, "Threshold of inhibition", "Gain of inhibition", "Where the formula holds")
    _draw_sweep(threshold, data, "threshold", r"$\theta_I$")
    _draw_sweep(gain, data, "gain", "$g_I$ (Hz per unit)")
    threshold.legend(loc="upper left")
    _draw_map(plane, data)


def _draw_sweep(ax: "Axes", data: "xr.Dataset", name: str, label: str) -> None:
    for k, case in enumerate(CASES):
        colour, marker = plotting.EPOCHS[k], plotting.epoch_look(k)["marker"]
        words = f"${case}$, reading {CASES[case][2]}"
        ax.plot(data[name], data[f"{name}_formula"].sel(case=case), color=colour, ls=("-", "--")[k])
        ax.plot(
            data[f"{name}_dot"].sel(case=case), data[f"{name}_simulated"].sel(case=case), marker, color=colour, ms=5,
            mec="white", mew=0.6, label=words,
        )  # fmt: skip
    ax.axhline(5.0, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
    ax.set(xlabel=label, ylabel="$E_{ss}$ (Hz)", ylim=(0, 14))


def _draw_map(ax: "Axes", data: "xr.Dataset") -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    ax.pcolormesh(
        data["w_ei"], data["theta_i"], data["kind"].T, cmap=ListedColormap(SHADES), vmin=-0.5, vmax=4.5,
        rasterized=True,
    )  # fmt: skip
    for place, reached in zip(data["place"].values, data["reached"].values, strict=True):
        mark = "A" if reached[0] else "B" if reached[1] else "x"
        colour = "white" if mark == "x" else plotting.INK
        x, y = place
        ax.text(x, y, mark, ha="center", va="center", fontsize=8, color=colour)
    ax.set(xlabel="$W_{EI}$", ylabel=r"$\theta_I$")
    used = np.unique(data["kind"].values)
    handles = [Patch(fc=SHADES[k], ec=plotting.QUIET, label=KINDS[k]) for k in used]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))
