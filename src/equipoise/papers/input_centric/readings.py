"""Two readings of the note's rule, "tau df_E/dt ~ h_set - f_E^-1(E)", and which sign of D each needs.

A: too much input lowers excitability, slow eigenvalue -G D/tau. B: the required input is brought to its set point by
the threshold in it, +G D/tau. More excitable interneurons lower E_ss if and only if D < 0, where only B is stable.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.intrinsic_rules import InputCentricThreshold, Reading
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, RECURRENT, Pair
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

READINGS: tuple[Reading, ...] = ("A", "B")
DRAWN, SEED, NETWORKS = 400_000, 11, 36
"""Random parameter sets, of which those with both populations active are kept; networks with a spectrum each."""
LARGEST = {"W_EE": 6.0, "W_EI": 3.0, "W_IE": 12.0, "W_II": 3.0, "g_E": 2.0, "g_I": 5.0, "theta_I": 40.0, "h_set": 20.0}
"""Parameters are uniform between a fiftieth of these and these."""
HIGHEST = 500.0
"""Largest rate [Hz] of networks with a spectrum."""
STEP = 1e-20
"""Relative imaginary change of g_I and theta_I: the imaginary part of E_ss is then the derivative, to all digits."""
CURVE = np.concatenate([-np.geomspace(100.0, 0.01, 81), np.geomspace(0.01, 0.9, 41)])
"""g_E D at which the closed form is drawn."""
TAU, SPAN = 2 * hour, 24 * hour
KICK = 0.25
SHOWN_DOTS = 500


def compute() -> "xr.Dataset":
    """Spectra of random networks, the set point under more excitable inhibition, and a day under both readings."""
    import xarray as xr

    pair, h = _random_pairs()
    by_gain = pair.with_inhibition(gain=pair.gains[1] * (1 + STEP * 1j)).set_point(h)[0].imag / STEP
    by_threshold = pair.with_inhibition(threshold=pair.thresholds[1] * (1 + STEP * 1j)).set_point(h)[0].imag / STEP
    chosen = _spread_over(pair, h)
    spectra = [_spectrum(_one(pair, h, k), float(h[k])) for k in chosen]
    times = np.linspace(0.0, SPAN, 121)
    cases = {"D < 0": (PUBLISHED, 9.8), "D > 0": (RECURRENT, 13.8)}
    days = [[_day(p, target, reading, times) for reading in READINGS] for p, target in cases.values()]
    return xr.Dataset(
        {
            "recurrence": ("network", pair.D),
            "by_gain": ("network", by_gain, {"units": "Hz"}),
            "by_threshold": ("network", by_threshold, {"units": "Hz"}),
            "relative": ("few", (pair.gains[0] * pair.D)[chosen]),
            "slow": (("few", "reading"), np.array(spectra)[:, :, 0]),
            "growth": (("few", "reading"), np.array(spectra)[:, :, 1], {"units": "1/s"}),
            "curve": (("x", "reading"), _slow(CURVE)),
            "day": (("case", "reading", "time"), days, {"units": "Hz"}),
        },
        coords={"x": CURVE, "reading": list(READINGS), "case": list(cases), "time": ("time", times, {"units": "s"})},
    )  # fmt: skip


def _random_pairs() -> tuple[Pair, np.ndarray]:
    """Random pairs that are fast stable, both populations active at the set point, and their set points."""
    rng = np.random.default_rng(SEED)
    x = {name: rng.uniform(top / 50, top, DRAWN) for name, top in LARGEST.items()}
    E, I = _pair(x).set_point(x["h_set"])  # noqa: E741
    keep = _pair(x).fast_stable & (E > 0.0) & (I > 0.0)
    kept = {name: values[keep] for name, values in x.items()}
    return _pair(kept), kept["h_set"]


def _spread_over(pair: Pair, h: np.ndarray) -> np.ndarray:
    """Indices of pairs with D < 0 and with D > 0, half of each, evenly by rank; those that fire beyond HIGHEST not."""
    usual = np.flatnonzero(np.max(pair.set_point(h), axis=0) < HIGHEST)
    D = pair.D[usual]
    order, zero, half = usual[np.argsort(D)], int((D < 0.0).sum()), NETWORKS // 2
    return order[np.concatenate([np.linspace(0, zero - 1, half), np.linspace(zero, D.size - 1, half)]).astype(int)]


def _pair(x: dict[str, np.ndarray]) -> Pair:
    weights = (x["W_EE"], x["W_EI"], x["W_IE"], x["W_II"])
    return Pair(weights=weights, gains=(x["g_E"], x["g_I"]), thresholds=(0.0, x["theta_I"]), taus=(10 * ms, 2 * ms))


def _slow(x: np.ndarray) -> np.ndarray:
    """Slow eigenvalues -+x/(1 - x) [1/tau] of readings A and B at x = g_E D."""
    return np.outer(x / (1.0 - x), [-1.0, 1.0])


def _one(many: Pair, h: np.ndarray, k: int) -> Pair:
    """The k-th of many pairs, its threshold of E where the rule rests."""
    W_EE, W_EI, W_IE, W_II, g_E, g_I, theta = (float(v[k]) for v in (*many.weights, *many.gains, many.thresholds[1]))
    pair = Pair(weights=(W_EE, W_EI, W_IE, W_II), gains=(g_E, g_I), thresholds=(0.0, theta))
    return replace(pair, thresholds=(h[k] - pair.set_point(h[k])[0] / pair.gains[0], pair.thresholds[1]))


def _spectrum(pair: Pair, h: float) -> list[tuple[float, float]]:
    """For each reading: slow eigenvalue in units of 1/tau, and the largest real part of the whole spectrum [1/s]."""
    rows = []
    for reading in READINGS:
        rule = InputCentricThreshold("E", set_point=h, tau=TAU, reading=reading)
        point = rate.equilibrium(pair.circuit(), [rule], start=pair.rates)
        rows.append((float(point.slow.eigenvalues[0].real) * TAU, float(point.full.eigenvalues.real.max())))
    return rows


def _day(pair: Pair, h: float, reading: Reading, times: np.ndarray) -> np.ndarray:
    """E [Hz] after the threshold has been raised; the last value goes on where the path ends."""
    raised = replace(pair, thresholds=(pair.thresholds[0] + KICK, pair.thresholds[1]))
    rule = InputCentricThreshold("E", set_point=h, tau=TAU, reading=reading)
    path = rate.evolve(raised.circuit(), rules=[rule], duration=SPAN, start=raised.rates, times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at, 0]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """The sign theorem, and the reading that the note's biology needs."""
    D = data["recurrence"].values
    gain, threshold = data["by_gain"].values, data["by_threshold"].values
    lowers, raises = (gain < 0.0) & (threshold > 0.0), (gain > 0.0) & (threshold < 0.0)
    negative, positive = D < 0.0, D > 0.0
    few, stable = data["relative"].values, data["growth"].values < 0.0
    agree = (stable == np.stack([few > 0.0, few < 0.0], axis=1)).all(axis=1)
    error = float(np.abs(data["slow"].values - _slow(few)).max())
    ends = data["day"].isel(time=-1)
    return [
        Claim("More PV excitability lowers E_ss", "note, set point",
              f"{100 * lowers.mean():.1f} % of {D.size:,} random networks with both populations active",
              bool(lowers.all()), expected=False),
        Claim("It does so if and only if D < 0", "derived",
              f"D < 0: {lowers[negative].sum():,} of {negative.sum():,}; D > 0: {lowers[positive].sum():,} of "
              f"{positive.sum():,}, all others raise it", bool(lowers[negative].all() and raises[positive].all())),
        Claim("The slow eigenvalues are -G D/tau (A) and +G D/tau (B)", "derived",
              f"{few.size} random networks within {error:.1e}/tau", error < 1e-5),
        Claim("A is stable if and only if D > 0, B if and only if D < 0", "derived",
              f"the spectra of both time scales together agree in {int(agree.sum())} of {few.size}", bool(agree.all())),
        Claim("The rule as excitability (A) can hold the set point that PV cells lower", "note, set point",
              "A is unstable in every network with D < 0; its threshold runs away there and E ends at "
              f"{float(ends.sel(case='D < 0', reading='A')):.1f} Hz",
              bool(stable[few < 0.0, 0].any()), expected=False),
        Claim("After the same disturbance one reading returns, the other leaves", "derived",
              "; ".join(f"{c}: A {ends.sel(case=c, reading='A'):.2f}, B {ends.sel(case=c, reading='B'):.2f} Hz"
                        for c in data["case"].values),
              _returns(ends, "D < 0", "B", "A") and _returns(ends, "D > 0", "A", "B")),
    ]  # fmt: skip


def _returns(ends: "xr.DataArray", case: str, back: str, away: str) -> bool:
    one, other = (abs(float(ends.sel(case=case, reading=r)) - 5.0) for r in (back, away))
    return one < 0.02 and other > 1.0


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Slow spectra and the sign theorem over D, and a day under both readings."""
    spectra, sign, negative, positive = panels(
        canvas, "Slow spectra", "More excitable inhibition", "One network, $D < 0$", "Another, $D > 0$"
    )
    for k, reading in enumerate(READINGS):
        look = plotting.epoch_look(k)
        spectra.plot(data["x"], data["curve"].sel(reading=reading), color=look["color"], lw=1, ls=("-", "--")[k])
        dots = data["relative"], data["slow"].sel(reading=reading)
        spectra.plot(*dots, ls="", mec="white", mew=0.5, ms=5, label=reading, **look)
    spectra.set(xlabel="$g_E D$", ylabel=r"slow eigenvalue $(1/\tau)$", ylim=(-3, 3))
    spectra.set_xscale("symlog", linthresh=1.0)
    spectra.set_xticks([-100, -10, -1, 0, 1], ["−100", "−10", "−1", "0", "1"])
    _cross(spectra)
    spectra.legend(title="reading", loc="lower left")
    D, change = data["recurrence"].values, data["by_gain"].values
    for k, chosen in enumerate((change < 0.0, change > 0.0)):
        some = np.flatnonzero(chosen)[:SHOWN_DOTS]
        sign.plot(D[some], change[some], ".", color=plotting.EPOCHS[3 - k], ms=2.5, alpha=0.7)
    sign.set(xscale="symlog", yscale="symlog", xlabel="$D$", ylabel=r"$dE_{ss}/d\ln g_I$ (Hz)")
    _cross(sign)
    for ax, case in ((negative, "D < 0"), (positive, "D > 0")):
        _draw_day(ax, data.sel(case=case))
    negative.legend(title="reading", loc="center right")


def _cross(ax: "Axes") -> None:
    ax.axhline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)
    ax.axvline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)


def _draw_day(ax: "Axes", data: "xr.Dataset") -> None:
    for k, reading in enumerate(READINGS):
        values = data["day"].sel(reading=reading)
        ax.plot(data["time"] / hour, values, color=plotting.EPOCHS[k], ls=("-", "--")[k], label=reading)
    ax.axhline(5.0, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
    ax.set(xlabel="time (h)", ylabel="rate of E (Hz)", xlim=(0, SPAN / hour))
