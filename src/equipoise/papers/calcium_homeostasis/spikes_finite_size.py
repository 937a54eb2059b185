"""Networks of few and of many neurons with the same K: correlations of pairs, and where weights come to rest."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    WEIGHTS,
    Net,
    Settled,
    held,
    mean_correlation,
    over_graphs,
    settled_graphs,
    side_by_side,
    silently,
    sizes_of,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.spiking import build, run
from equipoise.theory import network_equilibrium, regulated
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

BIN = 5 * ms
SPARSE = 0.2
"""The largest K/N at which correlations are fitted."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Networks of one K, the smallest first; sizes at which correlations are measured, in so many seconds of spikes.

    The curves of theory have `points` values of K/N.
    """

    nets: tuple[Net, ...]
    sizes: tuple[int, ...] = (200, 500, 1000, 2000, 4000)
    counted: float = 40 * second
    points: int = 30


PLAN = Plan(
    nets=(
        Net(K=100, size=500, days=6, graphs=4),
        Net(K=100, size=1000, days=8),
        Net(K=100, size=2000, days=6),
        Net(K=100, size=4000, days=6),
    )
)


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Weights at rest over N, and correlations at the weights of the largest network, so that N alone differs."""
    import xarray as xr

    nets, K, shares = plan.nets, plan.nets[0].K, np.linspace(0.0125, 0.5, plan.points)
    found = settled_graphs(nets, lambda f: progress(0.8 * f))
    jobs = [partial(_correlations, replace(nets[-1], size=n), found[-1][0], plan.counted) for n in plan.sizes[::-1]]
    counted = np.array(side_by_side(jobs, lambda f: progress(0.8 + 0.2 * f))[::-1])
    weights, errors = over_graphs(nets, found)
    theory = np.array([[sizes[w] for w in WEIGHTS] for sizes in (_theory(K, share) for share in shares)])
    return xr.Dataset(
        {
            "correlation": (("size", "population", "estimate"), counted[:, :, :2]),
            "fano": (("size", "population"), counted[:, :, 2]),
            "weight": (("net", "name"), np.sqrt(K) * weights, {"units": "threshold"}),
            "weight_error": (("net", "name"), np.sqrt(K) * errors, {"units": "threshold"}),
            "theory_weight": (("share", "name"), np.sqrt(K) * theory, {"units": "threshold"}),
        },
        coords={
            "size": list(plan.sizes),
            "net": [net.size for net in nets],
            "population": POPULATIONS,
            "estimate": ["value", "error"],
            "name": WEIGHTS,
            "share": shares,
        },
        attrs={"K": K},
    )


def _correlations(net: Net, found: Settled, duration: float, progress: Progress) -> list[list[float]]:
    """Mean pairwise correlation with its error, and the Fano factor of population counts, for E and for I."""
    spikes = run(build(held(net, found), seed=6, threads=1), duration=duration, warmup=1 * second, progress=progress)
    fano = spikes.counts.var(1) / spikes.counts.mean(1)
    return [[*mean_correlation(spikes.spikes_of(n), BIN), float(f)] for n, f in zip(POPULATIONS, fano, strict=True)]


def _theory(K: int, share: float) -> dict[str, float]:
    circuit = Net(K=K, size=round(K / share), days=1).circuit()
    return sizes_of(regulated(circuit, network_equilibrium(circuit)))


def _slopes(data: "xr.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """d log correlation/d log N of both populations by weighted least squares, and its standard error."""
    few = data.sel(size=data["size"] >= data.attrs["K"] / SPARSE)
    x, (value, error) = np.log(few["size"].values), np.moveaxis(few["correlation"].values, -1, 0)
    weight = (value / error) ** 2
    centred = x[:, None] - (weight * x[:, None]).sum(0) / weight.sum(0)
    information = (weight * centred**2).sum(0)
    return (weight * centred * np.log(value)).sum(0) / information, information**-0.5


def claims(data: "xr.Dataset") -> list[Claim]:
    """How correlations fall with N, and what a finite connection probability does to the weights."""
    (slope, error), value = _slopes(data), data["correlation"].sel(estimate="value", population="E").values
    names, K = ["J_EE", "J_EI", "J_IE", "J_II"], data.attrs["K"]
    shares = K / data["net"].values[[0, -1]]
    weight, stated = (data[v].sel(name=names).values[[0, -1]] for v in ("weight", "weight_error"))
    bend, uncertain = weight[0] / weight[1], np.hypot(*(stated / weight))
    lines = [data["theory_weight"].sel(name=n).values for n in names]
    white = np.array([np.divide(*np.interp(shares, data["share"].values, line)) for line in lines])
    shown = ", ".join(
        f"{n} {100 * (b - 1):+.0f} ± {196 * u * b:.0f} % (theory {100 * (t - 1):+.0f} %)"
        for n, b, u, t in zip(names, bend, uncertain, white, strict=True)
    )
    return [
        Claim(
            f"At fixed K correlations of pairs fall as 1/N, where K/N is {SPARSE:g} or less",
            "derived",
            f"exponent {slope[0]:.2f} ± {1.96 * error[0]:.2f} (E), {slope[1]:.2f} ± {1.96 * error[1]:.2f} (I), 95 %; "
            f"E: {value[0]:.4f} at N = {data['size'].values[0]}, {value[-1]:.4f} at {data['size'].values[-1]}",
            bool((np.abs(slope + 1.0) < 0.2).all()),
        ),
        Claim(
            "Finite size bends the scaling as theory with in-degrees of variance K (1 - K/N) says, within 10 %",
            "theory against spikes",
            f"from K/N = {shares[1]:.3f} to {shares[0]:.3g}, with 95 % intervals: {shown}",
            bool((np.abs(bend / white - 1.0) < 0.1).all()),
            expected=False,
        ),
    ]


def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Correlations and Fano factors over N, weights over K/N."""
    pairs, counts, weights = panels(canvas, "Correlation of pairs", "Population counts", "Weights at rest")
    sizes, K = data["size"].values, data.attrs["K"]
    for population, key in zip(POPULATIONS, ("e", "i"), strict=True):
        color = plotting.LOOK[key]["color"]
        value, error = (data["correlation"].sel(population=population, estimate=e) for e in ("value", "error"))
        pairs.errorbar(sizes, value, 1.96 * error, fmt="o", ms=4, lw=1.0, color=color, label=population)
        counts.plot(sizes, data["fano"].sel(population=population), "o-", ms=4, lw=1.0, color=color)
    last = float(data["correlation"].sel(estimate="value", population="E")[-1])
    pairs.plot(sizes, last * sizes[-1] / sizes, color=plotting.QUIET, lw=0.8)
    pairs.text(0.05, 0.06, "grey: $1/N$", transform=pairs.transAxes)
    pairs.set(
        xscale="log",
        yscale="log",
        xlabel="neurons of each population $N$",
        ylabel=f"mean correlation, {BIN / ms:.0f} ms",
    )
    pairs.legend()
    counts.set(xscale="log", ylim=(0, None), xlabel="neurons of each population $N$", ylabel="Fano factor, 1 ms")
    for ax in (pairs, counts):  # after the scale, which sets ticks of its own
        ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
        ax.minorticks_off()
    for name in ("J_EE", "J_EI", "J_IE", "J_II"):
        look, pale = plotting.LOOK[name[-1].lower()], 1.0 if name.startswith("J_E") else 0.4
        weights.plot(data["share"], data["theory_weight"].sel(name=name), **look, lw=1.0, alpha=pale)
        value, error = (data[v].sel(name=name) for v in ("weight", "weight_error"))
        weights.errorbar(
            K / data["net"].values, value, 1.96 * error, fmt="o", ms=4, lw=1.0, color=look["color"], alpha=pale
        )
    weights.text(0.03, 0.97, "lines: theory, marks: spikes\npale: onto I", transform=weights.transAxes, va="top")
    weights.set(xscale="log", xlabel="connection probability $K/N$", ylabel=r"$\sqrt{K} J$ (threshold)", ylim=(0, None))
    weights.set_xticks([0.025, 0.05, 0.1, 0.2, 0.5], ["0.025", "0.05", "0.1", "0.2", "0.5"])
    weights.minorticks_off()
