"""Below, at and above the critical point: avalanches of branching processes, and homeostasis that steers to it or away.

Always beside: independent Poisson counts, whose avalanches have no heavy tails and a crackling exponent of exactly 1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise import branching, measures, plotting
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.results import Avalanches

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

RATIOS = (0.9, 1.0, 1.1)
TIMES = np.unique(np.geomspace(1, 1000, 25).astype(int))
EDGES = np.unique(np.geomspace(1, 2**20, 41).astype(int))
"""Of the bins of sizes: each holds the sizes from one edge to below the next."""
TARGET = 10.0
DRIVES = np.array([0.03, 0.1, 0.3, 1.0, 2.0, 4.0, 7.0, 9.0, 15.0])
"""Of homeostasis [units active in a step]."""
NULL_MEAN = 2.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many avalanches of each kind, and steps of each driven process."""

    avalanches: int = 1_000_000
    steps: int = 400_000


PLAN = Plan()


def compute(progress: Progress = lambda _: None, plan: Plan = PLAN) -> "xr.Dataset":
    """Avalanches at three branching ratios with their exact laws, of chance, and homeostasis under nine drives."""
    import xarray as xr

    laws = [branching.GeometricOffspring(ratio) for ratio in RATIOS]
    found = []
    for law in laws:
        found.append(branching.avalanches(law, plan.avalanches, seed=1, max_generations=10**5, max_size=10**9))
        progress(len(found) / 5)
    counts = np.random.default_rng(2).poisson(NULL_MEAN, 8 * plan.avalanches)
    chance = measures.avalanches(counts)
    progress(0.8)
    steered = [_steered(drive, plan.steps) for drive in DRIVES]
    crackling = [measures.crackling(found[1], low=30, high=300), measures.crackling(chance)]
    return xr.Dataset(
        {
            "size_density": (("ratio", "size"), [_density(x) for x in found]),
            "size_law": (("ratio", "size"), [_law(law) for law in laws]),
            "chance_size_density": ("size", _density(chance)),
            "lasting": (("ratio", "time"), [_lasting(x) for x in found]),
            "lasting_law": (("ratio", "time"), [branching.duration_survival(law, TIMES) for law in laws]),
            "chance_lasting": ("time", _lasting(chance)),
            "mean_size": ("time", _mean_sizes(found[1])),
            "mean_size_law": ("time", branching.mean_size_of_duration(laws[1], TIMES)),
            "chance_mean_size": ("time", _mean_sizes(chance)),
            "crackling": (("kind", "estimate"), [[float(c), float(c.low), float(c.high)] for c in crackling]),
            "subcritical_mean": float(found[0].sizes.mean()),
            "capped": ("ratio", [float(x.capped.mean()) for x in found]),
            "lasting_forever": ("ratio", [float(branching.duration_survival(law, 100_001)) for law in laws]),
            "steered": ("drive", [m for m, _ in steered]),
            "steered_activity": ("drive", [a for _, a in steered]),
        },
        coords={
            "ratio": list(RATIOS),
            "size": np.sqrt(EDGES[:-1] * (EDGES[1:] - 1.0)),
            "time": TIMES,
            "kind": ["critical", "chance"],
            "estimate": ["value", "low", "high"],
            "drive": DRIVES,
        },
        attrs={"avalanches": plan.avalanches},
    )


def _density(found: Avalanches) -> Array:
    """Mean probability of a size in each bin; NaN where none was seen."""
    counts = np.histogram(found.sizes, bins=EDGES)[0].astype(float)
    return np.where(counts > 0, counts, np.nan) / (len(found) * np.diff(EDGES))


def _law(law: branching.Offspring) -> Array:
    total = np.concatenate([[0.0], np.cumsum(np.exp(branching.log_size_law(law, np.arange(1, EDGES[-1]))))])
    return np.diff(total[EDGES - 1]) / np.diff(EDGES)


def _lasting(found: Avalanches) -> Array:
    """P(T >= t), NaN where none lasted so long."""
    longest = np.sort(np.where(found.capped, np.iinfo(np.int64).max, found.durations))
    left = (len(found) - np.searchsorted(longest, TIMES)) / len(found)
    return np.where(left > 0, left, np.nan)


def _mean_sizes(found: Avalanches) -> Array:
    data = measures.size_of_duration(found)
    return data["size"].reindex(duration=TIMES).values


def _steered(drive: float, steps: int) -> tuple[float, float]:
    """Branching ratio and activity to which homeostasis brings a process that begins at m = 0.5."""
    process = branching.DrivenBranching(
        offspring=branching.PoissonOffspring(0.5), drive=drive, target=TARGET, tau=max(steps / 20, 1.0)
    )
    found = branching.simulate(process, steps, seed=3, warmup=steps)
    return float(found.branching_ratio.mean()), float(found.counts.mean())


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """What the article says of sigma below, at and above 1, the exact laws, and where homeostasis leads."""
    return [*_claims_on_avalanches(data), *_claims_on_laws(data), _claim_on_homeostasis(data)]


def _claims_on_avalanches(data: "xr.Dataset") -> list[Claim]:
    capped, forever, n = data["capped"].values, data["lasting_forever"].values, data.attrs["avalanches"]
    mean, exact = float(data["subcritical_mean"]), 1.0 / (1.0 - RATIOS[0])
    error = np.sqrt(RATIOS[0] * (1 + RATIOS[0]) * exact**3 / n)  # Var S = v/(1 - sigma)^3
    return [
        Claim(
            "sigma < 1: any activity quickly dies out",
            "Living on the Edge",
            f"mean size {mean:.3f}, theory 1/(1 - sigma) = {exact:.3f}; none lasts 10^5 generations",
            bool(capped[0] == 0.0 and abs(mean - exact) < 4 * error),
        ),
        Claim(
            "sigma > 1: activity explodes",
            "Living on the Edge",
            f"{100 * capped[2]:.2f} % never end at sigma = {RATIOS[2]:g}, theory {100 * forever[2]:.2f} %",
            bool(abs(capped[2] - forever[2]) < 4 * np.sqrt(forever[2] / n)),
        ),
    ]


def _claims_on_laws(data: "xr.Dataset") -> list[Claim]:
    lasting, time, n = data["lasting"].sel(ratio=1.0).values, data["time"].values, data.attrs["avalanches"]
    off = (lasting * time - 1.0) / np.sqrt((time - 1.0 + 1e-300) / n)
    off = off[np.isfinite(off) & (time > 1)]
    seen, law = data["size_density"].sel(ratio=1.0).values, data["size_law"].sel(ratio=1.0).values
    many = n * law * np.diff(EDGES) > 100
    slope = np.polyfit(np.log(data["size"].values[10:]), np.log(law[10:]), 1)[0]
    (value, low, high), (null, null_low, null_high) = data["crackling"].values
    return [
        Claim(
            "sigma = 1: avalanches of all sizes, P(S) ~ S^(-3/2)",
            "Living on the Edge",
            f"exponent of the exact law {-slope:.3f}; the simulated one is off by "
            f"{100 * np.abs(seen / law - 1)[many].max():.1f} % at most where a bin holds more than 100",
            bool(
                abs(slope + 1.5) < 0.01 and (np.abs(seen / law - 1) < 5 / np.sqrt(n * law * np.diff(EDGES)))[many].all()
            ),
        ),
        Claim(
            "sigma = 1: avalanches of all durations, P(T >= t) = 1/t",
            "Living on the Edge",
            f"largest deviation {np.abs(off).max():.1f} standard errors up to t = {time[-1]:,}",
            bool(np.abs(off).max() < 4.5),
        ),
        Claim(
            "Crackling: at sigma = 1 the mean size of avalanches of duration T grows as T^2",
            "derived",
            f"exponent {value:.2f} [{low:.2f}, {high:.2f}] over 30 to 300 generations; exactly (T^2 + T + 1)/3",
            bool(abs(value - 2.0) < max(3 * (high - low) / 4, 0.05)),
        ),
        Claim(
            "Chance has avalanches, too, with a crackling exponent of exactly 1",
            "derived",
            f"independent Poisson counts: exponent {null:.4f} [{null_low:.4f}, {null_high:.4f}]",
            bool(abs(null - 1.0) < 4 * (null_high - null_low) / 3.92),
        ),
    ]


def _claim_on_homeostasis(data: "xr.Dataset") -> Claim:
    exact = np.maximum(1.0 - data["drive"].values / TARGET, 0.0)
    off = np.abs(data["steered"].values - exact).max()
    return Claim(
        "The drive decides whether homeostasis steers to the critical point or away from it: m = 1 - h/r*",
        "Zierenberg et al. 2018",
        f"m = {float(data['steered'][0]):.3f} at h/r* = {DRIVES[0] / TARGET:g} and {float(data['steered'][-1]):.3f} at "
        f"{DRIVES[-1] / TARGET:g}; largest error {off:.4f}",
        bool(off < 0.01),
    )


# --- drawing ----------------------------------------------------------------------------------------------------------
COLOURS = dict(zip(RATIOS, (plotting.EPOCHS[0], plotting.INK, plotting.EPOCHS[1]), strict=True))


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Sizes, durations and crackling with their laws and with chance, and where homeostasis leads."""
    sizes, durations, crackling, homeostasis = panels(
        canvas, "Sizes of avalanches", "Durations", "Crackling", "Homeostasis under drive"
    )
    for ratio, colour in COLOURS.items():
        row = data.sel(ratio=ratio)
        _points_and_law(sizes, data["size"], row["size_density"], row["size_law"], colour)
        _points_and_law(durations, data["time"], row["lasting"], row["lasting_law"], colour, rf"$\sigma$ = {ratio:g}")
    sizes.plot(data["size"], data["chance_size_density"], "x", ms=4, color=plotting.QUIET)
    durations.plot(data["time"], data["chance_lasting"], "x", ms=4, color=plotting.QUIET, label="chance")
    _points_and_law(crackling, data["time"], data["mean_size"], data["mean_size_law"], plotting.INK)
    crackling.plot(data["time"], data["chance_mean_size"], "x", ms=4, color=plotting.QUIET)
    crackling.plot(TIMES[:10], NULL_MEAN / -np.expm1(-NULL_MEAN) * TIMES[:10], color=plotting.QUIET, lw=0.8)
    for ax in (sizes, durations, crackling):
        ax.set(xscale="log", yscale="log")
    sizes.set(xlabel="size S", ylabel="P(S)", ylim=(1e-12, 2))
    durations.set(xlabel="generations t", ylabel=r"P(T $\geq$ t)", ylim=(5e-7, 2))
    durations.legend(loc="lower left")
    crackling.set(xlabel="duration T", ylabel="mean size")
    _draw_homeostasis(homeostasis, data)


def _points_and_law(ax: "Axes", x, seen, law, colour: str, label: str | None = None) -> None:
    ax.plot(x, law, color=colour, lw=0.9)
    ax.plot(x, seen, "o", ms=3, color=colour, label=label)


def _draw_homeostasis(ax: "Axes", data: "xr.Dataset") -> None:
    share = np.geomspace(2e-3, 2.0, 200)
    ax.plot(share, np.maximum(1.0 - share, 0.0), color=plotting.INK, lw=0.9, label="1 - h/r*")
    ax.plot(data["drive"] / TARGET, data["steered"], "o", ms=4, color=plotting.INK, label="simulated")
    ax.axhline(1.0, color=plotting.QUIET, lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="drive h / target r*", ylabel="branching ratio m", ylim=(-0.03, 1.08))
    ax.legend(loc="lower left")
