"""The rule proposed for PV cells, by the NMDA-receptor drive N = W_IE E, beside the input-centric rule of E.

The note proposes that more drive lowers the excitability of PV cells ("NMDA"), by analogy with cross-homeostasis, whose
sign is the opposite ("cross"). With s_A = +-1 for readings A and B and s_N = +-1 for NMDA and cross the slow matrix has

    det = s_A s_N W_IE G w/(tau_1 tau_2),   tr = G (-s_A D/tau_1 + s_N W_IE w/tau_2)

so that only A with NMDA (tau_2/tau_1 > W_IE w/D > 0) and B with cross (tau_2/tau_1 < W_IE w/D, or D <= 0) can be
stable.
"""

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import InputCentricThreshold, NMDARThreshold, Reading
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair
from equipoise.units import hour

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Second = Literal["NMDA", "cross"]
COMBINATIONS: tuple[tuple[Reading, Second], ...] = (("B", "NMDA"), ("A", "NMDA"), ("B", "cross"), ("A", "cross"))
RATES = 5.0, 14.0
RECURRENCE, RATIO = np.linspace(-2.5, 0.95, 139), np.geomspace(0.3, 100.0, 121)
"""D (by W_EI) and tau_2/tau_1 of the maps."""
CHECKED = (-2.0, -1.08, -0.3, 0.2, 0.52, 0.8), (1.0, 5.0, 30.0)
TAU = 1 * hour
KINDS = ("stable", "unstable", "saddle")
SHADES = ("#9CC7E8", "#F2C9A1", "#B9BDC2")
SHOWN: dict[str, tuple[Reading, Second, float, float]] = {
    "B, NMDA: saddle": ("B", "NMDA", -1.08, 5.0),
    "A, NMDA, fast PV": ("A", "NMDA", 0.52, 6.0),
    "A, NMDA, slow PV": ("A", "NMDA", 0.52, 30.0),
    "B, cross": ("B", "cross", -1.08, 5.0),
}
"""Trajectories: reading, second rule, D, tau_2/tau_1."""
KICK = 0.5
SPANS = 24 * hour


def compute() -> "xr.Dataset":
    """Maps of the sign of the slow spectrum, spectra of circuits on them, and trajectories of both thresholds."""
    import xarray as xr

    names = [f"{reading} + {second}" for reading, second in COMBINATIONS]
    plane = np.meshgrid(RECURRENCE, RATIO, indexing="ij")
    maps = [_kind(_with_recurrence(plane[0]), plane[1], *c) for c in COMBINATIONS]
    checks = [[[_found(D, ratio, *c) for ratio in CHECKED[1]] for D in CHECKED[0]] for c in COMBINATIONS]
    times = np.linspace(0.0, SPANS, 241)
    paths = [_path(*case, times) for case in SHOWN.values()]
    border = _with_recurrence(RECURRENCE)
    return xr.Dataset(
        {
            "kind": (("rules", "recurrence", "ratio"), maps),
            "found": (("rules", "checked", "checked_ratio"), checks),
            "border": ("recurrence", border.weights[2] * border.w / np.where(RECURRENCE > 0.0, RECURRENCE, np.nan)),
            "path": (("shown", "time", "population"), paths, {"units": "Hz"}),
        },
        coords={
            "rules": names, "recurrence": RECURRENCE, "ratio": RATIO, "checked": list(CHECKED[0]),
            "checked_ratio": list(CHECKED[1]), "shown": list(SHOWN), "time": ("time", times, {"units": "s"}),
            "population": ["E", "I"],
        },
    )  # fmt: skip


def _with_recurrence(D) -> Pair:
    """The published pair with W_EI such that its net recurrence is D, and thresholds that keep 5 and 14 Hz."""
    W, gamma = PUBLISHED.weights, PUBLISHED.gamma
    pair = replace(PUBLISHED, weights=(W[0], (W[0] - D) / (W[2] * gamma), *W[2:]))
    return replace(pair, thresholds=(D * RATES[0] + pair.b - RATES[0] / pair.gains[0], PUBLISHED.thresholds[1]))


def _kind(pair: Pair, ratio, reading: Reading, second: Second) -> np.ndarray:
    """Index into KINDS by the closed forms of determinant and trace, tau_1 = 1."""
    s_a, s_n = (1.0 if reading == "A" else -1.0), (1.0 if second == "NMDA" else -1.0)
    drive = pair.weights[2] * pair.w
    det = s_a * s_n * drive * pair.G / ratio
    trace = pair.G * (-s_a * pair.D + s_n * drive / ratio)
    return np.where(det < 0.0, 2, np.where(trace < 0.0, 0, 1))


def _rules(pair: Pair, ratio: float, reading: Reading, second: Second) -> list:
    """Both rules, at rest where the pair is."""
    E, h = RATES[0], float(pair.D * RATES[0] + pair.b)
    more = "lowers" if second == "NMDA" else "raises"
    return [
        InputCentricThreshold("E", set_point=h, tau=TAU, reading=reading),
        NMDARThreshold("I", "E", set_point=pair.weights[2] * E, tau=ratio * TAU, more_drive=more),
    ]


def _found(D: float, ratio: float, reading: Reading, second: Second) -> int:
    """Index into KINDS by the spectrum of the circuit."""
    pair = _with_recurrence(D)
    point = rate.equilibrium(pair.circuit(), _rules(pair, ratio, reading, second), start=RATES)
    growing = int((point.slow.eigenvalues.real > 0.0).sum())
    return {0: 0, 2: 1, 1: 2}[growing]


def _path(reading: Reading, second: Second, D: float, ratio: float, times: np.ndarray) -> np.ndarray:
    """Rates (time, population) from a slightly raised threshold of E; the last ones go on where the path ends."""
    pair = _with_recurrence(D)
    rules = _rules(pair, ratio, reading, second)
    start = replace(pair, thresholds=(pair.thresholds[0] + KICK, pair.thresholds[1]))
    path = rate.evolve(start.circuit(), rules=rules, duration=SPANS, start=start.rates, times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Which combinations can be stable, and the sign of the analogy."""
    predicted = np.array([
        [[int(_kind(_with_recurrence(D), ratio, *c)) for ratio in CHECKED[1]] for D in CHECKED[0]]
        for c in COMBINATIONS
    ])  # fmt: skip
    found = data["found"].values.astype(int)
    share = {name: np.bincount(data["kind"].sel(rules=name).values.ravel().astype(int), minlength=3)
             / (RECURRENCE.size * RATIO.size) for name in data["rules"].values}  # fmt: skip
    ends = {name: float(data["path"].sel(shown=name, population="E")[-1]) for name in SHOWN}
    negative = found[2][np.array(CHECKED[0]) <= 0.0]
    return [
        Claim("The closed forms of determinant and trace decide stability", "derived",
              f"the spectra of {found.size} circuits agree in {int((predicted == found).sum())}",
              bool((predicted == found).all())),
        Claim("The proposed NMDA-receptor rule of PV cells is stable beside the note's rule (B)",
              "note, inhibitory homeostasis",
              f"a saddle on {100 * share['B + NMDA'][2]:.0f} % of the map, at every pair of speeds; E ends at "
              f"{ends['B, NMDA: saddle']:.2f} Hz after a disturbance of {KICK}",
              bool((found[0] == 0).any()), expected=False),
        Claim("Beside reading A it is stable if and only if D > 0 and tau_2/tau_1 > W_IE w/D", "derived",
              f"D = 0.52: {ends['A, NMDA, slow PV']:.2f} Hz with PV cells 30 times slower, "
              f"{ends['A, NMDA, fast PV']:.2f} Hz with 6 times; the border is "
              f"{float(data['border'].interp(recurrence=0.52)):.2f}",
              abs(ends["A, NMDA, slow PV"] - 5.0) < 0.05 and abs(ends["A, NMDA, fast PV"] - 5.0) > 0.5),
        Claim("Cross-homeostasis is a similar mechanism to the proposed rule", "note, inhibitory homeostasis",
              "its sign is the opposite: too much E raises inhibition there and lowers it here; with B the spectra are "
              f"{_words(found[2])} for cross, {_words(found[0])} for NMDA", bool((found[0] == found[2]).all()),
              expected=False),
        Claim("The opposite sign is stable beside B at every pair of speeds where D <= 0", "derived",
              f"{int((negative == 0).sum())} of {negative.size} circuits; E returns to {ends['B, cross']:.2f} Hz",
              bool((negative == 0).all()) and abs(ends["B, cross"] - 5.0) < 0.01),
    ]  # fmt: skip


def _words(kinds: np.ndarray) -> str:
    counts = np.bincount(kinds.ravel(), minlength=3)
    return ", ".join(f"{n} {kind}" for n, kind in zip(counts, KINDS, strict=True) if n)


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """The three maps that differ, and trajectories."""
    from matplotlib.patches import Patch

    *maps, path = panels(canvas, "B with NMDA", "A with NMDA", "B with cross", "After a disturbance")
    for ax, name in zip(maps, ("B + NMDA", "A + NMDA", "B + cross"), strict=True):
        _draw_map(ax, data, name)
    maps[0].set_ylabel(r"$\tau_2 / \tau_1$, PV against E")
    handles = [Patch(fc=c, ec=plotting.QUIET, label=k) for c, k in zip(SHADES, KINDS, strict=True)]
    canvas.legend(handles=handles, loc="outside lower left", ncol=3)
    for k, name in enumerate(SHOWN):
        values = data["path"].sel(shown=name, population="E")
        path.plot(data["time"] / hour, values, color=plotting.EPOCHS[k], ls=("-", "--", "-.", "-")[k], label=name)
    path.set(xlabel="time (h)", ylabel="rate of E (Hz)", ylim=(0, 12), xlim=(0, SPANS / hour))
    path.legend(loc="upper right", fontsize=7.5)


def _draw_map(ax: "Axes", data: "xr.Dataset", name: str) -> None:
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(SHADES)
    here = data.sel(rules=name)
    ax.pcolormesh(data["recurrence"], data["ratio"], here["kind"].T, cmap=colours, vmin=-0.5, vmax=2.5, rasterized=True)
    if not name.startswith("B + NMDA"):
        ax.plot(data["recurrence"], data["border"], color=plotting.INK, lw=1)
    for i, j in product(range(data.sizes["checked"]), range(data.sizes["checked_ratio"])):
        colour = SHADES[int(here["found"][i, j])]
        ax.plot(data["checked"][i], data["checked_ratio"][j], "o", ms=4.5, mfc=colour, mec=plotting.INK, mew=0.7)
    ax.axvline(0.0, color=plotting.QUIET, lw=0.8, ls=":")
    ax.set(yscale="log", xlabel="$D$", ylim=(RATIO[0], RATIO[-1]), xlim=(RECURRENCE[0], RECURRENCE[-1]))
