"""Soldado-Magraner et al. 2022: which weight rules hold an inhibition-stabilised network at its set points.

Weights move the rates only through the inputs a = E dW_EE - I dW_EI to E and c = E dW_IE - I dW_II to I. Four weights
thus have two zero modes, and with R = d(rates)/d(inputs) the other two eigenvalues are those of the 2 x 2 matrix

    -(E^2 + I^2) C R,   C = diag(alpha_E, alpha_I) homeostatic;   C = [[0, alpha_E], [-alpha_I, 0]] cross-homeostatic

(scaling: diag(alpha_E (W_EE E + W_EI I), alpha_I (W_IE E + W_II I)) R in place of (E^2 + I^2) C R). As R_EI < 0 < R_IE
and det R > 0, cross-homeostasis is stable wherever the fast dynamics is.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from equipoise import plotting, rate
from equipoise.model.synaptic_rules import CrossHomeostasis, HomeostaticWeights, SynapticScaling
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

E, I = 5.0, 14.0  # noqa: E741
ALPHA = 0.02
Kind = Literal["homeostatic", "cross", "two-term", "scaling"]
CLASSES = {
    "homeostatic": (HomeostaticWeights, E, I), "cross": (CrossHomeostasis, I, E), "scaling": (SynapticScaling, E, I),
}  # fmt: skip
"""Each rule, and the targets of what its excitatory and inhibitory half sense."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule with its speeds onto E and onto I; `also` are those of a homeostatic term beside it."""

    kind: Kind
    speeds: tuple[float, float] = (ALPHA, ALPHA)
    also: tuple[float, float] | None = None


CASES = {
    "homeostatic": Case(kind="homeostatic"),
    "homeostatic, slow I": Case(kind="homeostatic", speeds=(ALPHA, 0.01 * ALPHA)),
    "cross": Case(kind="cross"),
    "two-term, 4 : 1": Case(kind="cross", also=(0.25 * ALPHA, 0.25 * ALPHA)),
    "two-term, 1 : 1": Case(kind="cross", also=(ALPHA, ALPHA)),
    "two-term, 1 : 100": Case(kind="cross", speeds=(0.01 * ALPHA, 0.01 * ALPHA), also=(ALPHA, ALPHA)),
    "scaling": Case(kind="scaling"),
    "scaling, slow I": Case(kind="scaling", speeds=(ALPHA, 0.01 * ALPHA)),
}
KNOWN = {
    "homeostatic": ("1.3175", "1.3175"), "homeostatic, slow I": ("-0.02564", "-2.0518"),
    "cross": ("-0.41155", "-12.7805"), "two-term, 4 : 1": ("-0.4630", "-12.070"),
    "two-term, 1 : 1": ("-1.114", "-9.443"), "two-term, 1 : 100": ("1.2515", "1.2515"), "scaling": ("0.7286", "0.4248"),
}  # fmt: skip
"""Real parts of the two eigenvalues that are not zero, from an independent calculation, to the digits known."""
SHOWN = ("homeostatic", "homeostatic, slow I", "cross", "two-term, 1 : 1", "scaling")
PLANE = np.linspace(2.0, 9.0, 141), np.linspace(5.8, 16.0, 137)
"""W_EE and W_IE; W_EI and W_II hold the set points."""
CHECKED = (2.5, 5.0, 8.0), (6.0, 10.0, 14.0)
SHADES = ("#B9BDC2", "#F2C9A1", "#9CC7E8")
KINDS = ("fast dynamics unstable", "rule unstable", "stable")


def compute() -> "xr.Dataset":
    """Spectra at the published network, stability over the plane (W_EE, W_IE), and spectra of circuits on it."""
    import xarray as xr

    found = [_spectrum(PUBLISHED, case) for case in CASES.values()]
    plane = _holding(*np.meshgrid(*PLANE, indexing="ij"))
    maps = [_kind(plane, CASES[name]) for name in SHOWN]
    checks = [[[_found(_holding(a, b), CASES[name]) for b in CHECKED[1]] for a in CHECKED[0]] for name in SHOWN]
    return xr.Dataset(
        {
            "real": (("rule", "mode"), np.real(found), {"units": "1/s"}),
            "imaginary": (("rule", "mode"), np.imag(found), {"units": "1/s"}),
            "kind": (("shown", "w_ee", "w_ie"), maps),
            "found": (("shown", "w_ee_checked", "w_ie_checked"), checks),
        },
        coords={
            "rule": list(CASES), "shown": list(SHOWN), "w_ee": PLANE[0], "w_ie": PLANE[1],
            "w_ee_checked": list(CHECKED[0]), "w_ie_checked": list(CHECKED[1]),
        },
    )  # fmt: skip


def _holding(w_ee, w_ie) -> Pair:
    """The pair with these weights onto both populations from E, the others such that it fires at 5 and 14 Hz."""
    (g_E, g_I), (theta_E, theta_I) = PUBLISHED.gains, PUBLISHED.thresholds
    w_ei, w_ii = (w_ee * E - E / g_E - theta_E) / I, (w_ie * E - I / g_I - theta_I) / I
    return replace(PUBLISHED, weights=(w_ee, w_ei, w_ie, w_ii))


def rules_of(case: Case) -> list:
    """The rules of a case, onto E and onto I."""
    rule, *targets = CLASSES[case.kind]
    rules = [rule(name, rate=t, speed=s) for name, t, s in zip("EI", targets, case.speeds, strict=True)]
    if case.also is not None:
        rules += [HomeostaticWeights(n, rate=t, speed=s) for n, t, s in zip("EI", (E, I), case.also, strict=True)]
    return rules


def _spectrum(pair: Pair, case: Case) -> np.ndarray:
    """All four eigenvalues of the weights [1/s], the two largest last."""
    slow = rate.equilibrium(pair.circuit(), rules_of(case), start=[E, I]).slow.eigenvalues
    order = np.argsort(np.abs(slow))
    return np.concatenate([slow[order[:2]], np.sort_complex(slow[order[2:]])[::-1]])


def _closed_form(pair: Pair, case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Trace and determinant of the 2 x 2 matrix, for pairs that may be arrays."""
    W_EE, W_EI, W_IE, W_II = pair.weights
    (g_E, g_I), one = pair.gains, E**2 + I**2
    det = (1 / g_E - W_EE) * (1 / g_I + W_II) + W_EI * W_IE
    R = np.array([[1 / g_I + W_II, -W_EI], [W_IE, 1 / g_E - W_EE]]) / np.where(det == 0.0, np.nan, det)
    a, b = case.speeds
    if case.kind == "scaling":
        C = np.array([[a * (W_EE * E + W_EI * I), 0 * det], [0 * det, b * (W_IE * E + W_II * I)]])
    else:
        own = case.speeds if case.kind == "homeostatic" else case.also or (0.0, 0.0)
        crossed = (0.0, 0.0) if case.kind == "homeostatic" else (a, b)
        C = one * np.array([[own[0] + 0 * det, crossed[0] + 0 * det], [-crossed[1] + 0 * det, own[1] + 0 * det]])
    M = -np.einsum("ij...,jk...->ik...", C, R)
    return M[0, 0] + M[1, 1], M[0, 0] * M[1, 1] - M[0, 1] * M[1, 0]


def _kind(pair: Pair, case: Case) -> np.ndarray:
    """Index into KINDS; NaN where no positive weights hold the set points."""
    trace, det = _closed_form(pair, case)
    fast = pair.fast_stable & np.isfinite(trace)
    kind = np.where(np.logical_not(fast), 0, np.where((trace < 0.0) & (det > 0.0), 2, 1)).astype(float)
    return np.where(np.minimum(pair.weights[1], pair.weights[3]) < 0.0, np.nan, kind)


def _found(pair: Pair, case: Case) -> float:
    """The same by the spectrum of the circuit."""
    if not pair.fast_stable:
        return 0.0
    return 2.0 if np.real(_spectrum(pair, case)[2:]).max() < 0.0 else 1.0


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """The spectra to their digits, and where each rule is stable."""
    real = data["real"]
    zeros = float(np.hypot(data["real"][:, :2], data["imaginary"][:, :2]).max())
    digits = [
        _agrees(float(x), text) for n, v in KNOWN.items() for x, text in zip(real.sel(rule=n)[2:], v, strict=True)
    ]
    places = _holding(*np.meshgrid(*map(np.array, CHECKED), indexing="ij"))
    predicted = np.array([_kind(places, CASES[n]) for n in SHOWN])
    share = {n: _share(data["kind"].sel(shown=n).values) for n in SHOWN}
    top = {str(n): float(real.sel(rule=n)[2:].max()) for n in data["rule"].values}
    return [
        Claim("Homeostatic rules on all four weights are unstable at the ISN", "Soldado-Magraner et al. 2022",
              f"largest real part {top['homeostatic']:+.4f}/s at alpha = {ALPHA}", top["homeostatic"] > 0.0),
        Claim("Cross-homeostatic rules are stable there", "Soldado-Magraner et al. 2022",
              "{:+.5f} and {:+.4f}/s".format(*real.sel(rule="cross").values[2:]), top["cross"] < 0.0),
        Claim("Two-term rules are stable if the cross term is strong enough", "Soldado-Magraner et al. 2022",
              f"{top['two-term, 4 : 1']:+.4f} (4 : 1), {top['two-term, 1 : 1']:+.4f} (1 : 1), "
              f"{top['two-term, 1 : 100']:+.4f}/s (1 : 100)",
              max(top["two-term, 4 : 1"], top["two-term, 1 : 1"]) < 0.0 < top["two-term, 1 : 100"]),
        Claim("Homeostatic rules are stable if those onto I are slow", "Soldado-Magraner et al. 2022",
              f"{top['homeostatic, slow I']:+.5f}/s with alpha_I = {0.01 * ALPHA:g}", top["homeostatic, slow I"] < 0.0),
        Claim("Synaptic scaling is unstable at equal speeds", "Soldado-Magraner et al. 2022",
              f"{top['scaling']:+.4f}/s", top["scaling"] > 0.0),
        Claim("All spectra have two zeros, and the other eigenvalues of the independent calculation", "derived",
              f"zeros within {zeros:.0e}/s; {sum(digits)} of {len(digits)} eigenvalues agree to the digits known",
              zeros < 1e-6 and all(digits)),
        Claim("Cross-homeostasis is stable wherever the fast dynamics is", "derived",
              f"{100 * share['cross']:.0f} % of the plane; two-term 1 : 1 {100 * share['two-term, 1 : 1']:.0f} %, "
              f"homeostatic {100 * share['homeostatic']:.0f} %, scaling {100 * share['scaling']:.0f} %",
              share["cross"] == 1.0 and share["homeostatic"] < 1.0),
        Claim("The 2 x 2 closed forms decide stability", "derived",
              f"the spectra of {predicted.size} circuits agree in {int((predicted == data['found'].values).sum())}",
              bool((predicted == data["found"].values).all())),
    ]  # fmt: skip


def _agrees(value: float, text: str) -> bool:
    """Whether a value is the number written, to its last digit."""
    return abs(value - float(text)) < 0.6 * 10.0 ** -len(text.split(".")[1])


def _share(kind: np.ndarray) -> float:
    """Part of the fast-stable plane on which the rule is stable."""
    return float((kind == 2.0).sum() / (kind >= 1.0).sum())


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Largest real part of each rule, and stability over the plane."""
    from matplotlib.patches import Patch

    bars, *maps = panels(canvas, "Largest real part", *(n.capitalize() for n in SHOWN if n != "homeostatic, slow I"))
    _draw_bars(bars, data)
    for ax, name in zip(maps, (n for n in SHOWN if n != "homeostatic, slow I"), strict=True):
        _draw_map(ax, data, name)
    maps[0].set_ylabel("$W_{IE}$")
    handles = [Patch(fc=c, ec=plotting.QUIET, label=k) for c, k in zip(SHADES, KINDS, strict=True)]
    canvas.legend(handles=handles, loc="outside lower right", ncol=3)


def _draw_bars(ax: "Axes", data: "xr.Dataset") -> None:
    top = data["real"].isel(mode=[2, 3]).max("mode").values
    rows = np.arange(top.size)[::-1]
    ax.axvline(0.0, color=plotting.QUIET, lw=0.8)
    ax.hlines(rows, 0.0, top, color=plotting.QUIET, lw=1)
    for row, value in zip(rows, top, strict=True):
        ax.plot(value, row, "o", ms=6, color=plotting.EPOCHS[1] if value > 0.0 else plotting.EPOCHS[0])
    ax.set_yticks(rows, [str(n) for n in data["rule"].values])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(xlabel=r"Re(eigenvalue) (1/s), $\alpha$ = 0.02", xlim=(-1.4, 1.6))


def _draw_map(ax: "Axes", data: "xr.Dataset", name: str) -> None:
    from matplotlib.colors import ListedColormap

    here = data.sel(shown=name)
    ax.pcolormesh(
        data["w_ee"], data["w_ie"], here["kind"].T, cmap=ListedColormap(SHADES), vmin=-0.5, vmax=2.5, rasterized=True
    )
    for i, a in enumerate(data["w_ee_checked"].values):
        for j, b in enumerate(data["w_ie_checked"].values):
            ax.plot(a, b, "o", ms=4.5, mfc=SHADES[int(here["found"][i, j])], mec=plotting.INK, mew=0.7)
    ax.plot(PUBLISHED.weights[0], PUBLISHED.weights[2], "o", ms=8, mfc="none", mec=plotting.INK, mew=1.2)
    ax.set(xlabel="$W_{EE}$")
