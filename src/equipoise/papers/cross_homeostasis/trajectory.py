"""The population demonstration of Soldado-Magraner et al. 2022: an ISN that develops from a network that cannot fire.

A trial is a brief pulse to E from silence and the activity that it leaves; the weights move once a trial, by running
means of the rates that count as at least 1 Hz, so that silent networks learn. In continuous time (`rate.evolve`) the
rates are at their fixed point all along, which a silent network does not leave: its path starts at the lit state.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.manipulations import During, TonicDrive
from equipoise.model.slow_variables import SlowRule
from equipoise.model.synaptic_rules import CrossHomeostasis, HomeostaticWeights
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED, Pair
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SET_POINTS = 5.0, 14.0
ALPHA, TRIALS, FLOOR = 5e-4, 500, 0.1
CEILINGS = 100.0, 250.0
MEMORY, LEAST = 2.0, 1.0
"""Trials over which rates are averaged, and the rate [Hz] that they count as at least."""
PULSE, LENGTH, AFTER, DT = 7.0, 101, 1000, 0.1 * ms
"""The pulse to E: its size, its length and the time after it in Euler steps DT, all of the authors' program."""
YOUNG, THERE = (2.1, 3.0, 4.0, 1.5), (5.0, 1.08, 10.0, 1.53)
"""Weights at the start, and weights close to the fixed point."""
STARTS = (YOUNG, (3.0, 2.0, 5.0, 1.0), (4.0, 0.8, 9.0, 2.0), (6.0, 2.0, 14.0, 4.0))
"""Weights at which continuous paths start."""
RELIT = 100
"""Every so many trials a lit network is lit anew, to see that the pulse still does so."""
KNOWN = {"E": 5.2957, "I": 13.9765, "W_EE": 4.5028, "W_EI": 0.9836, "W_IE": 5.6453, "W_II": 0.1}


def compute() -> "xr.Dataset":
    """Rates and weights by trial under both rules, and continuous paths under cross-homeostasis."""
    import xarray as xr

    runs = {
        "cross": _trials(YOUNG, CrossHomeostasis), "homeostatic": _trials(YOUNG, HomeostaticWeights),
        "homeostatic, near": _trials(THERE, HomeostaticWeights),
    }  # fmt: skip
    dark = runs["cross"][1][runs["cross"][0][:, 0] == 0.0]
    times = np.concatenate([[0.0], np.geomspace(5.0, 40.0 * TRIALS, 60)])
    paths = [_continuous(W, times) for W in STARTS]
    return xr.Dataset(
        {
            "rate": (("run", "trial", "population"), [r[0] for r in runs.values()], {"units": "Hz"}),
            "weights": (("run", "trial", "weight"), [r[1] for r in runs.values()]),
            "dark": ((), len(dark)),
            "dark_exactly": ((), sum(not _lit_exactly(W) for W in dark)),
            "path_rate": (("start", "time", "population"), [p[0] for p in paths], {"units": "Hz"}),
            "path_weights": (("start", "time", "weight"), [p[1] for p in paths]),
        },
        coords={
            "run": list(runs), "trial": np.arange(TRIALS + 1), "population": ["E", "I"],
            "weight": ["W_EE", "W_EI", "W_IE", "W_II"], "time": ("time", times, {"units": "trials"}),
        },
    )  # fmt: skip


def _pair(W) -> Pair:
    return replace(PUBLISHED, weights=tuple(float(w) for w in W), ceilings=CEILINGS)


def _rules(kind: type[CrossHomeostasis] | type[HomeostaticWeights]) -> list[SlowRule]:
    """The rule onto E and onto I; a trial counts as a second."""
    targets = SET_POINTS[::-1] if kind is CrossHomeostasis else SET_POINTS
    return [kind(name, rate=t, speed=ALPHA, lower=FLOOR) for name, t in zip("EI", targets, strict=True)]


def _trials(start, kind) -> tuple[np.ndarray, np.ndarray]:
    """Rates left by each trial (trial, population) and the weights before it (trial, weight)."""
    W, mean, r = np.array(start), np.zeros(2), np.zeros(2)
    rates, weights = [], []
    for trial in range(TRIALS + 1):
        r = _lit(W) if r[0] == 0.0 or trial % RELIT == 0 else _settled(_pair(W), r)
        rates.append(r)
        weights.append(W)
        mean = mean + (r - mean) / MEMORY
        W = np.maximum(W + _movement(kind, W, np.maximum(mean, LEAST)), FLOOR)
    return np.array(rates), np.array(weights)


def _movement(kind, W: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Change of (W_EE, W_EI, W_IE, W_II) after a trial with mean rates r."""
    out = []
    for k, rule in enumerate(_rules(kind)):
        own = r[1 - k] if kind is CrossHomeostasis else r[k]
        out += list(rule.rhs([W[2 * k], W[2 * k + 1]], [r[0], r[1], own]))
    return np.array(out)


def _lit(W: np.ndarray) -> np.ndarray:
    """The rates (E, I) to which the network settles after a pulse to E from silence, in the authors' Euler steps."""
    pair, r = _pair(W), (0.0, 0.0)
    pulsed = replace(pair, drives=(PULSE, 0.0))
    for step in range(LENGTH + AFTER):
        r = _stepped(pulsed if step < LENGTH else pair, *r)
        if step >= LENGTH and W[0] * r[0] <= pair.thresholds[0]:
            return np.zeros(2)  # E cannot sustain itself, even without inhibition
    return _settled(pair, np.array(r))


def _lit_exactly(W: np.ndarray) -> bool:
    """Whether the pulse lights the network when its equations are integrated without error of the step."""
    pulse = During(TonicDrive("E", PULSE), 0.0, LENGTH * DT)
    path = rate.simulate(_pair(W).circuit(), duration=(LENGTH + AFTER) * DT, schedule=[pulse])
    return float(path["rate"][-1, 0]) > 1.0


def _stepped(pair: Pair, E: float, I: float) -> tuple[float, float]:  # noqa: E741
    """One Euler step of the pair's equations; I hears E of the same step."""
    W_EE, W_EI, W_IE, W_II = pair.weights
    (g_E, g_I), (theta_E, theta_I) = pair.gains, pair.thresholds
    E += DT / pair.taus[0] * (g_E * max(W_EE * E - W_EI * I + pair.drives[0] - theta_E, 0.0) - E)
    I += DT / pair.taus[1] * (g_I * max(W_IE * E - W_II * I - theta_I, 0.0) - I)  # noqa: E741
    return min(E, CEILINGS[0]), min(I, CEILINGS[1])


def _settled(pair: Pair, start: np.ndarray) -> np.ndarray:
    """The lit state, by its closed form where both populations fire below their ceilings."""
    r = np.array(pair.rates)
    inside = pair.fast_stable and (r > 0.0).all() and (r < CEILINGS).all()
    return r if inside else rate.settle(pair.circuit(), start=start).rates


def _continuous(W, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rates and weights at `times` [trials] under cross-homeostasis in continuous time, from the lit state."""
    pair = _pair(W)
    rules, span = _rules(CrossHomeostasis), float(times[-1]) * second
    path = rate.evolve(pair.circuit(), rules=rules, duration=span, start=pair.rates, times=times)
    at = np.searchsorted(path["time"].values, times, side="right") - 1
    return path["rate"].values[at], path["slow"].values[at]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """The demonstration to its digits, the failure of the homeostatic rule, and what continuous time says."""
    rates, weights = data["rate"], data["weights"]
    last, W = rates.sel(run="cross", trial=TRIALS - 1).values, weights.sel(run="cross", trial=TRIALS).values
    found = dict(zip(KNOWN, [*last, *W], strict=True))
    silent = rates.sel(run="homeostatic", population="E").values
    active = np.flatnonzero(silent > 0.0)
    near = rates.sel(run="homeostatic, near", population="E").values
    lit = int(np.argmax(rates.sel(run="cross", population="E").values > 0.0))
    ends = data["path_rate"].isel(time=-1).values
    final = data["path_weights"].isel(time=-1).values
    free = int((final > FLOOR * 1.001).all(axis=1).sum())
    return [
        Claim("Cross-homeostasis leads from a silent network to a self-sustained ISN", "Soldado-Magraner et al. 2022",
              f"the pulse first lights it in trial {lit + 1}; after {TRIALS} trials E = {last[0]:.2f} and "
              f"I = {last[1]:.2f} Hz, W_EE = {W[0]:.2f} > 1", 0 < lit < TRIALS and last[0] > 4.0 and W[0] > 1.0),
        Claim("Their program ends at E = 5.2957, I = 13.9765, W = 4.5028, 0.9836, 5.6453, 0.1000",
              "recomputed, noise-free", ", ".join(f"{n} {v:.4f}" for n, v in found.items()),
              all(abs(found[n] - v) < 1e-4 for n, v in KNOWN.items())),
        Claim("Its first trials depend on the Euler step", "derived",
              f"in steps of {DT / ms:g} ms the pulse fails {int(data['dark'])} times, "
              f"{int(data['dark_exactly'])} times when integrated exactly",
              int(data["dark_exactly"]) < int(data["dark"])),
        Claim(f"{TRIALS} trials reach the set points", "Soldado-Magraner et al. 2022",
              f"E is {100 * (last[0] / 5.0 - 1):.1f} % above: W_II is on its floor, and the rest is slow",
              abs(last[0] / 5.0 - 1.0) < 0.01, expected=False),
        Claim("Homeostatic rules leave the young network silent", "Soldado-Magraner et al. 2022",
              f"the pulse lights it in {active.size} of {TRIALS} trials, the last time in trial {active.max() + 1}",
              bool((silent[TRIALS // 2 :] == 0.0).all())),
        Claim("They lead away from the fixed point", "Soldado-Magraner et al. 2022",
              f"E begins at {near[0]:.2f} Hz, 5 is its target, and ranges from {near.min():.2f} to {near.max():.2f} Hz",
              abs(near[0] - 5.0) < 0.3 and float(np.abs(near - 5.0).max()) > 3.0),
        Claim("In continuous time every lit start ends at 5 and 14 Hz", "derived",
              f"{len(ends)} starts within {np.abs(ends - SET_POINTS).max():.1e} Hz",
              bool((np.abs(ends - SET_POINTS) < 0.01).all())),
        Claim("The weights end on the lines that hold the set points, elsewhere for each start", "derived",
              f"W_EE from {final[:, 0].min():.2f} to {final[:, 0].max():.2f}; off the line by {_off(final):.1e}; "
              f"{free} of {len(final)} off the floor",
              _off(final) < 1e-2 and float(np.ptp(final[:, 0])) > 1.0),
    ]  # fmt: skip


def _off(W: np.ndarray) -> float:
    """How far the weights (start, weight) are from net inputs that give the set points."""
    (E, I), (g_E, g_I), (theta_E, theta_I) = SET_POINTS, PUBLISHED.gains, PUBLISHED.thresholds  # noqa: E741
    onto_e, onto_i = W[:, 0] * E - W[:, 1] * I - theta_E - E / g_E, W[:, 2] * E - W[:, 3] * I - theta_I - I / g_I
    return float(np.abs([onto_e, onto_i]).max())


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Rates and weights by trial, and the weights of continuous paths on their way to the lines."""
    rates, weights, homeostatic, onto_e, onto_i = panels(
        canvas, "Cross-homeostatic", "Its weights", "Homeostatic", "Onto E, over time", "Onto I, over time"
    )
    for name in "EI":
        look, values = plotting.LOOK[name.lower()], data["rate"].sel(population=name)
        rates.plot(data["trial"], values.sel(run="cross"), **look, label=name)
        homeostatic.plot(data["trial"], values.sel(run="homeostatic, near"), **look)
    for ax in (rates, homeostatic):
        for target in SET_POINTS:
            ax.axhline(target, color=plotting.QUIET, lw=0.8, ls=":", zorder=0)
        ax.set(xlabel="trial", ylabel="rate (Hz)")
    rates.legend(loc="center right")
    young = data["rate"].sel(run="homeostatic", population="E")
    homeostatic.plot(data["trial"], young, color=plotting.INK, lw=1, label="E of the young network")
    homeostatic.set_ylim(0, 25)
    homeostatic.legend(loc="upper right", bbox_to_anchor=(1.02, 0.85), fontsize=7.5)
    _draw_weights(weights, data)
    _draw_plane(onto_e, data, ("W_EE", "W_EI"))
    _draw_plane(onto_i, data, ("W_IE", "W_II"))


def _draw_weights(ax: "Axes", data: "xr.Dataset") -> None:
    for name in data["weight"].values:
        look = plotting.LOOK["e" if name.endswith("E") else "i"]
        values = data["weights"].sel(run="cross", weight=name)
        ax.plot(data["trial"], values, color=look["color"], ls="-" if name[2] == "E" else (0, (4, 1.6)))
        ax.annotate(
            f"${name[0]}_{{{name[2:]}}}$", (TRIALS, values[-1]), (3, 0), textcoords="offset points", va="center"
        )
    ax.set(xlabel="trial", ylabel="weight", ylim=(0, None))


def _draw_plane(ax: "Axes", data: "xr.Dataset", names: tuple[str, str]) -> None:
    (E, I), k = SET_POINTS, 0 if names[0] == "W_EE" else 1  # noqa: E741
    for start in range(data.sizes["start"]):
        x, y = (data["path_weights"].isel(start=start).sel(weight=n) for n in names)
        ax.plot(x, y, color=plotting.EPOCHS[start], lw=1.2)
        ax.plot(x[0], y[0], "o", color=plotting.EPOCHS[start], mfc="white", ms=4.5)
        ax.plot(x[-1], y[-1], "o", color=plotting.EPOCHS[start], ms=4.5)
    own = (E, I)[k] / PUBLISHED.gains[k] + PUBLISHED.thresholds[k]
    (left, right), top = ax.get_xlim(), ax.get_ylim()[1]
    ax.plot([left, right], [(left * E - own) / I, (right * E - own) / I], color=plotting.QUIET, lw=1, ls="--", zorder=0)
    ax.set(xlabel=f"$W_{{{names[0][2:]}}}$", ylabel=f"$W_{{{names[1][2:]}}}$", xlim=(left, right), ylim=(0, top))
