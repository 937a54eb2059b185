"""Single cells under rules of their own: which of their combinations are held, which drift, and which take over.

In a random network both readings leave growing modes, in a network of rank one all modes but the mean are neutral: the
population is held and single rates walk. A leak faster than the fastest growth holds every mode.
"""

from typing import TYPE_CHECKING

import numpy as np

from equipoise import plotting, rate
from equipoise.model.circuit import Circuit
from equipoise.model.intrinsic_rules import DriveCentricThreshold, InputCentricThreshold, OutputCentricThreshold
from equipoise.model.noise import OrnsteinUhlenbeck
from equipoise.model.remedies import Leak, NoisySensing
from equipoise.model.slow_variables import Threshold
from equipoise.papers.framework import Claim
from equipoise.papers.layout import panels
from equipoise.papers.pairs import PUBLISHED
from equipoise.rate import RateNetwork
from equipoise.units import day, hour, minute

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SIZES = {"E": 80, "I": 20}
SPREAD, SEED = 0.04, 1
"""SD of single weights, of which the mean is W/N."""
TAU = 1 * hour
RULES = {
    "A": InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="A", scope="unit"),
    "B": InputCentricThreshold("E", set_point=9.8, tau=TAU, reading="B", scope="unit"),
    "rate": OutputCentricThreshold("E", rate=5.0, tau=TAU, scope="unit"),
}
LEAKS = np.linspace(0.0, 1.2, 25)
"""Speed of the leak in units of the fastest growth."""
TIMES = np.linspace(0.0, 2 * day, 49)
NOISE = OrnsteinUhlenbeck(tau=10 * minute, sigma=0.2)
MANY = {"E": 400, "I": 100}
SHOWN = 12


def compute() -> "xr.Dataset":
    """Spectra of each rule, the long run in a random network, and noisy cells in a network of rank one."""
    import xarray as xr

    net = _network(SPREAD)
    at = rate.settle(net, start=[5.0, 14.0]).rates
    spectra = {name: rate.modes(net, [rule], at=at) for name, rule in RULES.items()}
    growth = spectra["B"].growth
    leaks = [Leak(Threshold("E"), rest=4.8, tau=1.0 / (x * growth)) for x in LEAKS[1:]]
    held = [rate.modes(net, [RULES["B"], leak], at=at).growing for leak in leaks]
    quiet = _network(0.5 * SPREAD)
    drive = DriveCentricThreshold("E", set_point=22.0, tau=TAU, scope="unit")
    start = rate.settle(quiet, start=[5.0, 14.0]).rates
    takeover = rate.evolve(quiet, rules=[drive], duration=TIMES[-1], start=start, times=TIMES)
    alike = rate.units(_sized(MANY), seed=SEED)
    free = rate.modes(alike, [RULES["B"]], at=[5.0, 14.0])
    noisy = NoisySensing(RULES["B"], NOISE, seed=SEED)
    walk = rate.evolve(alike, rules=[noisy], duration=TIMES[-1], start=[5.0, 14.0], times=TIMES)
    return xr.Dataset(
        {
            "growth": (("rule", "mode"), [s.eigenvalues.real * TAU for s in spectra.values()]),
            "growing": (("leak",), [spectra["B"].growing, *held]),
            "free": (("what",), [free.growing, int(free.neutral.sum()), free.held]),
            "takeover": (("time", "unit"), _excitatory(takeover), {"units": "Hz"}),
            "walk": (("time", "many"), _excitatory(walk), {"units": "Hz"}),
        },
        coords={
            "rule": list(RULES), "leak": LEAKS, "what": ["growing", "neutral", "held"],
            "time": ("time", TIMES, {"units": "s"}),
        },
    )  # fmt: skip


def _sized(sizes: dict[str, int]) -> Circuit:
    circuit = PUBLISHED.circuit()
    for name, size in sizes.items():
        circuit = circuit.with_node(name, size=size)
    return circuit


def _network(spread: float) -> RateNetwork:
    """Units with random weights and none onto themselves, whose sums are those of the pair on average."""
    rng, circuit = np.random.default_rng(SEED), _sized(SIZES)
    links = {}
    for p in circuit.projections:
        shape = SIZES[p.target], SIZES[p.source]
        weights = np.maximum(abs(p.weight) / shape[1] + spread * rng.standard_normal(shape), 0.0)
        if p.source == p.target:
            np.fill_diagonal(weights, 0.0)
        links[p.source, p.target] = weights / abs(p.weight)
    return rate.units(circuit, seed=SEED, links=links)


def _excitatory(path: "xr.Dataset") -> np.ndarray:
    """Rates of the excitatory units at TIMES (time, unit); the last ones go on where the path ends."""
    at = np.searchsorted(path["time"].values, TIMES, side="right") - 1
    return path["unit_rate"].values[at][:, path["unit_population"].values == "E"]


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """What rules of single cells hold, and what becomes of the rest."""
    growing = {str(n): int((data["growth"].sel(rule=n) > 1e-8).sum()) for n in data["rule"].values}
    neutral = int((np.abs(data["growth"].sel(rule="rate")) <= 1e-8).sum())
    free = dict(zip(data["what"].values, data["free"].values.astype(int), strict=True))
    walk, takeover = data["walk"].values, data["takeover"].values
    drift, mean = walk[-1].std(), np.abs(walk.mean(axis=1) / walk[0].mean() - 1.0).max()
    first, day_one, last = takeover[0], takeover[24], takeover[-1]
    enough = float(data["leak"][int(np.argmax(data["growing"].values == 0))])
    return [
        Claim("Network homeostasis can emerge from cell-autonomous rules that are stable", "note, derivation",
              f"of {SIZES['E']} modes of a random network {growing['A']} grow under A, {growing['B']} under B",
              min(growing["A"], growing["B"]) == 0, expected=False),
        Claim("A rate set point of every cell lets no mode grow", "derived",
              f"{growing['rate']} modes grow, {neutral} are neutral: cells that are silent", growing["rate"] == 0),
        Claim("In a network of rank one the population is held and single cells are free", "derived",
              f"{free['held']} mode held, {free['neutral']} neutral, {free['growing']} growing",
              (free["held"], free["growing"]) == (1, 0)),
        Claim("Single rates drift while the population stays", "note, constraints",
              f"rank one, noisy sensing, two days: SD over cells {walk[0].std():.2f} to {drift:.2f} Hz, the mean "
              f"within {100 * mean:.1f} %", bool(drift > 0.3 and mean < 0.05)),
        Claim("In a random network the drift ends: a few cells take over", "derived",
              f"SD over cells {first.std():.1f}, then {day_one.std():.1f} and {last.std():.1f} Hz after one and two "
              f"days; {int((last < 1e-6).sum())} of {last.size} cells are silent by then",
              bool((last < 1e-6).mean() > 0.5)),
        Claim("A leak holds every mode if and only if it is faster than the fastest growth", "derived",
              f"none grows from {enough:.2f} of it on", 0.99 < enough < 1.06),
    ]  # fmt: skip


# --- figure -----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Spectra, single cells in both networks, and what a leak holds."""
    spectra, walk, takeover, leak = panels(
        canvas, "Modes of single cells", "Rank one, noisy sensing", "Random network", "Leak, reading B"
    )
    for k, rule in enumerate(data["rule"].values):
        values = data["growth"].sel(rule=rule)
        spectra.plot(np.arange(1, values.size + 1), values, ls="", ms=2.5, label=rule, **plotting.epoch_look(k))
    spectra.axhline(0.0, color=plotting.QUIET, lw=0.8, zorder=0)
    spectra.set(xlabel="mode", ylabel=r"growth $(1/\tau)$")
    spectra.legend(title="rule", markerscale=2)
    _draw_cells(walk, data["time"], data["walk"].values)
    _draw_cells(takeover, data["time"], data["takeover"].values)
    takeover.set_yscale("symlog", linthresh=1.0)
    takeover.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    takeover.set_yticks([], minor=True)
    takeover.set_ylim(-0.15, 400)
    leak.plot(data["leak"], data["growing"], "o-", color=plotting.EPOCHS[1], ms=4)
    leak.axvline(1.0, color=plotting.INK, lw=0.8, ls=":")
    leak.set(xlabel="leak (fastest growth)", ylabel="growing modes", ylim=(0, None))


def _draw_cells(ax: "Axes", time: "xr.DataArray", rates: np.ndarray) -> None:
    """A few cells, and the mean of all."""
    some = np.argsort(rates[-1])[np.linspace(0, rates.shape[1] - 1, SHOWN).astype(int)]
    ax.plot(time / hour, rates[:, some], color=plotting.EXCITATION, lw=0.8, alpha=0.6)
    ax.plot(time / hour, rates.mean(axis=1), color=plotting.INK, lw=1.8, label="mean of all")
    ax.set(xlabel="time (h)", ylabel="rate of E cells (Hz)", xlim=(0, time[-1] / hour))
    ax.legend(loc="upper left")
