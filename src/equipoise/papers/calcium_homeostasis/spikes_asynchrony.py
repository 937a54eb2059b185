"""Irregular, asynchronous firing where homeostasis took a spiking network, and inhibition that tracks excitation."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, plotting
from equipoise.model.circuit import Circuit
from equipoise.model.delays import expected
from equipoise.papers.calcium_homeostasis.common import LIF_NEURON
from equipoise.papers.calcium_homeostasis.spikes import (
    POPULATIONS,
    STANDARD,
    Net,
    held,
    mean_correlation,
    settled,
    silently,
)
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.spiking import Network, Run, build, run, simulate
from equipoise.theory import mean_field, neuron_sample
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

STEP = 0.2 * ms
"""Resolution of the inputs."""
SHOWN, CELLS_SHOWN = 0.3 * second, {"E": 60, "I": 20}
LAGS = np.arange(-40, 41)
WINDOWS = np.array([1, 2, 5, 10, 25, 50, 100, 250, 500])
"""In steps."""
DELAYS = [0.1 * ms, 0.5 * ms, 1.5 * ms]
BIN = 50 * ms
ENOUGH = 20
"""Spikes that a neuron needs for its C_v to enter."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The network, how long it is measured, and of how many E cells the inputs are taken."""

    net: Net = STANDARD
    measured: float = 20 * second
    cells: int = 50


PLAN = Plan()


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Spikes, C_v, correlations and the inputs of single cells at the weights that came to rest; longer delays too."""
    import xarray as xr

    circuit = held(plan.net, settled(plan.net, lambda f: progress(0.7 * f)))
    network = build(circuit, seed=plan.net.seed)
    found = run(network, duration=plan.measured, warmup=1 * second)
    progress(0.85)
    cvs = [_cvs(found, name) for name in POPULATIONS]
    inputs = _inputs(network, found, plan.cells)
    tracking = np.array([_cross(e, -i) for e, i in zip(*inputs, strict=True)])
    shared = _cross(inputs[0].mean(0), -inputs[1].mean(0))
    state = mean_field(circuit)
    theory = [float(neuron_sample(circuit, state, n, 2000, seed=1)["cv"].mean()) for n in POPULATIONS]
    correlation = [mean_correlation(found.spikes_of(name), BIN) for name in POPULATIONS]
    fano = [_fano(_at_delay(circuit, delay)) for delay in DELAYS]
    progress(1.0)
    raster = [_shown(found, name) for name in POPULATIONS]
    trace = _filtered(np.array([inputs[0][0], inputs[1][0]]), LIF_NEURON.tau_m)
    source = next(p for p in circuit.projections if p.source == "X" and p.target == "E")
    tau_m = LIF_NEURON.tau_m
    bins = round(SHOWN / STEP)
    return xr.Dataset(
        {
            "cv": (("cell", "population"), np.array(_padded(cvs)).T),
            "theory_cv": ("population", theory),
            "rate": ("population", found.rates, {"units": "Hz"}),
            "correlation": (("population", "estimate"), correlation),
            "fano": (("delay", "population"), fano),
            "noise": ("window", _noise(inputs, network)),
            "tracking": (("neuron", "lag"), tracking),
            "shared_tracking": ("lag", shared),
            "trace": (("part", "time"), trace[:, -bins:], {"units": "threshold"}),
            "spike_time": ("spike", np.concatenate([t for t, _ in raster]), {"units": "s"}),
            "spike_unit": ("spike", np.concatenate([u + k * CELLS_SHOWN["E"] for k, (_, u) in enumerate(raster)])),
        },
        coords={
            "population": POPULATIONS,
            "estimate": ["value", "error"],
            "delay": ("delay", DELAYS, {"units": "s"}),
            "lag": ("lag", LAGS * STEP, {"units": "s"}),
            "window": ("window", WINDOWS * STEP, {"units": "s"}),
            "part": ["excitation", "inhibition"],
            "time": ("time", np.arange(bins) * STEP, {"units": "s"}),
        },
        attrs={"K": plan.net.K, "size": plan.net.size, "external": source.weight * plan.net.K * 10.0 * tau_m},
    )


def _cvs(found: Run, name: str) -> Array:
    grouped = measures.group(found.spikes_of(name))
    return measures.cv(found.spikes_of(name)).values[grouped.n_spikes > ENOUGH]


def _padded(rows: list[Array]) -> list[Array]:
    longest = max(len(row) for row in rows)
    return [np.pad(row, (0, longest - len(row)), constant_values=np.nan) for row in rows]


def _shown(found: Run, name: str) -> tuple[Array, np.ndarray]:
    trains = found.spikes_of(name)
    kept = (trains.units < CELLS_SHOWN[name]) & (trains.times > found.duration - SHOWN)
    return trains.times[kept] - (found.duration - SHOWN), trains.units[kept]


def _inputs(network: Network, found: Run, cells: int) -> tuple[Array, Array]:
    """What the network's spikes add to the first E cells in each bin, from E and from I [threshold] (cells, bin)."""
    return _input(network, found, "E", cells), _input(network, found, "I", cells)


def _input(network: Network, found: Run, source: str, cells: int) -> Array:
    """Spikes of the presynaptic cells, delayed, counted and weighed: one sparse product."""
    from scipy.sparse import csr_array

    pre, post = network.synapses(source, "E")
    mine = post < cells
    trains, projection = found.spikes_of(source), network.circuit.projection(source, "E")
    bins = int(found.duration / STEP)
    at = ((trains.times + expected(projection.delay)) / STEP).astype(np.int64)
    inside = at < bins
    spikes = csr_array((np.ones(inside.sum()), (trains.units[inside], at[inside])), shape=(trains.n_units, bins))
    contacts = csr_array((np.ones(mine.sum()), (post[mine], pre[mine])), shape=(cells, trains.n_units))
    return projection.weight * csr_array(contacts @ spikes).toarray()


def _noise(inputs: tuple[Array, Array], network: Network) -> Array:
    """Variance of the recurrent input in windows, relative to that of independent Poisson trains (window,)."""
    weights = [network.circuit.projection(s, "E").weight for s in POPULATIONS]
    poisson = sum(w * x.mean() for w, x in zip(weights, inputs, strict=True))  # J^2 times the rate of arrivals
    total, out = inputs[0] + inputs[1], []
    for bins in WINDOWS:
        whole = total[:, : total.shape[1] // bins * bins].reshape(len(total), -1, bins).sum(2)
        out.append(whole.var(axis=1).mean() / (bins * poisson))
    return np.array(out)


def _cross(x: Array, y: Array) -> Array:
    """Correlation of x(t) and y(t + lag) over LAGS."""
    x, y, edge = (x - x.mean()) / x.std(), (y - y.mean()) / y.std(), int(LAGS[-1])
    return np.array([float(np.mean(x[edge:-edge] * np.roll(y, -lag)[edge:-edge])) for lag in LAGS])


def _filtered(inputs: Array, tau: float) -> Array:
    """What an input adds to a membrane that decays with tau."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -np.exp(-STEP / tau)], inputs, axis=1), np.float64)


def _at_delay(circuit: Circuit, delay: float) -> Circuit:
    return replace(circuit, projections=[replace(p, delay=delay) for p in circuit.projections])


def _fano(circuit: Circuit) -> Array:
    """Fano factor of population counts in 1 ms."""
    counts = simulate(circuit, duration=3 * second, seed=4).counts
    return np.asarray(counts.var(1) / counts.mean(1), np.float64)


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Irregular, weakly correlated, tracking, and only so with short delays."""
    return [*_claims_on_spikes(data), *_claims_on_inputs(data)]


def _claims_on_spikes(data: "xr.Dataset") -> list[Claim]:
    cv, theory = data["cv"].mean("cell").values, data["theory_cv"].values
    value, error = data["correlation"].values.T
    fano = data["fano"].values
    return [
        Claim(
            "Cells fire irregularly",
            "Sec. 2.4.2",
            f"mean C_v {cv[0]:.2f} (E), {cv[1]:.2f} (I); theory {theory[0]:.2f}, {theory[1]:.2f}",
            bool((cv > 0.8).all() and (cv < 1.2).all()),
        ),
        Claim(
            "Cells fire asynchronously: pairs are almost uncorrelated",
            "Sec. 2.4.2",
            f"mean correlation of counts in {BIN / ms:.0f} ms {value[0]:.5f} ± {error[0]:.5f} (E), "
            f"{value[1]:.5f} ± {error[1]:.5f} (I)",
            bool((np.abs(value) < 0.01).all()),
        ),
        Claim(
            "Counts of the whole population are those of independent cells",
            "theory against spikes",
            f"Fano factor in 1 ms {fano[0, 0]:.1f} (E), {fano[0, 1]:.1f} (I), where independent cells have 1",
            bool((fano[0] < 1.5).all()),
            expected=False,
        ),
        Claim(
            "One long common delay synchronises the network",
            "derived",
            "Fano factor of E counts "
            + ", ".join(f"{f:.0f} at {1e3 * d:.1f} ms" for d, f in zip(data["delay"].values, fano[:, 0], strict=True)),
            bool(fano[-1, 0] > 3 * fano[0, 0]),
        ),
    ]


def _claims_on_inputs(data: "xr.Dataset") -> list[Claim]:
    peak = data["tracking"].max("lag").values
    shared, lag = (
        float(data["shared_tracking"].max()),
        float(data["lag"].values[np.argmax(data["shared_tracking"].values)]),
    )
    largest = int(np.argmax(data["tracking"].mean("neuron").values))
    return [
        Claim(
            "Inhibition tracks the excitation of the population within a millisecond or two",
            "Sec. 1",
            f"correlation {shared:.2f} of mean recurrent excitation and inhibition in {STEP / ms:g} ms, inhibition "
            f"{lag / ms:.1f} ms later",
            bool(shared > 0.7 and 0.0 <= lag <= 2 * ms),
        ),
        Claim(
            "Recurrent input is as noisy as that of independent Poisson trains, as white-noise theory takes it",
            "theory against spikes",
            "variance of E and I input together, relative to independent trains: "
            + ", ".join(
                f"{v:.2f} in {w / ms:g} ms"
                for w, v in zip(data["window"].values[[2, 4, 6]], data["noise"].values[[2, 4, 6]], strict=True)
            ),
            bool((np.abs(data["noise"].values[2:7] - 1.0) < 0.05).all()),
            expected=False,
        ),
        Claim(
            "Single cells see it through the noise of their own inputs",
            "derived",
            f"correlation {peak.mean():.2f} (mean over {peak.size} cells) at {data['lag'].values[largest] / ms:.1f} ms",
            bool(peak.mean() > 0.1),
        ),
    ]


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """A raster, the inputs of one cell, how they are correlated, and how much noise their sum has left."""
    raster, inputs, tracking, noise = panels(
        canvas, "Spikes", "Inputs of an E cell", "Inhibition tracks", "Noise of the net input"
    )
    exc = data["spike_unit"].values < CELLS_SHOWN["E"]
    for mask, key in ((exc, "e"), (~exc, "i")):
        raster.plot(
            data["spike_time"][mask] / ms,
            data["spike_unit"][mask],
            "|",
            ms=2.6,
            mew=0.8,
            color=plotting.LOOK[key]["color"],
        )
    raster.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, SHOWN / ms), ylim=(-1, sum(CELLS_SHOWN.values())))
    _draw_inputs(inputs, data)
    tracking.plot(data["lag"] / ms, data["shared_tracking"], color=plotting.INK, label="population")
    tracking.plot(data["lag"] / ms, data["tracking"].mean("neuron"), color=plotting.QUIET, label="single cells")
    tracking.axvline(0.0, color=plotting.GRID, zorder=0)
    tracking.set(xlabel="inhibition later by (ms)", ylabel="correlation of E and I input")
    tracking.legend(loc="upper right")
    noise.plot(data["window"] / ms, data["noise"], "o-", ms=4, color=plotting.INK)
    noise.axhline(1.0, color=plotting.QUIET, lw=0.8, ls=":")
    noise.set(xscale="log", xlabel="window (ms)", ylabel="variance (independent trains = 1)", ylim=(0, None))
    noise.set_xticks([1, 10, 100], ["1", "10", "100"])


def _draw_inputs(ax: "Axes", data: "xr.Dataset") -> None:
    """Excitation with the mean of the external input, inhibition, and what is left."""
    t = data["time"] / ms
    excitation = data["trace"].sel(part="excitation") + data.attrs["external"]
    inhibition = data["trace"].sel(part="inhibition")
    ax.plot(t, excitation, **plotting.LOOK["e"], lw=1.0, label="E + X")
    ax.plot(t, inhibition, color=plotting.INHIBITION, lw=1.0, label="I")
    ax.plot(t, excitation + inhibition, color=plotting.INK, lw=1.0, label="net")
    ax.axhline(1.0, color=plotting.QUIET, lw=0.8, ls=":")
    ax.set(xlabel="time (ms)", ylabel="input (threshold)", xlim=(0, SHOWN / ms))
    ax.margins(y=0.25)
    ax.legend(loc="upper center", ncols=3, handlelength=1.2, columnspacing=1.0)
