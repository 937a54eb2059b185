"""One circuit at several levels, side by side: what theory says, what the spikes do, and why they differ.

Levels: "theory", mean field under white noise; "spectral", mean field with the spectrum of its own spikes; "spiking",
the network itself. All take the graph that is drawn: in-degrees of populations of finite size vary by K (1 - K/N).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, renewal, spiking, theory
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.connectivity import ErdosRenyi
from equipoise.model.neurons import LIF
from equipoise.model.populations import Population
from equipoise.quantities import Array, finite, suggest
from equipoise.results import SpikeTrains
from equipoise.spiking.run import MIN_INTERVALS
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr

LEVELS = ("theory", "spectral", "spiking")
GRID = 0.5826
"""A threshold looked at every dt acts as one higher by this times sigma sqrt(dt) (Chang & Peres 1997)."""
CELLS = 2000
BLOCKS = 20
"""Stretches of a run whose means give the standard error of its rate, slow fluctuations included."""
QUANTITIES = {
    "rate": "Hz", "rate_error": "Hz", "rate_sd": "Hz", "cv": "1", "cv_error": "1", "calcium_mean": "uM",
    "calcium_second_moment": "uM^2",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What all levels need to know."""

    circuit: Circuit
    duration: float
    seed: int
    dt: float
    sensor: Calcium
    progress: Callable[[float], None] | bool


def levels(
    circuit: Circuit,
    *,
    levels: Sequence[str] = ("theory", "spiking"),
    seed: int,
    duration: float = 10 * second,
    dt: float = 0.1 * ms,
    sensor: Calcium | None = None,
    progress: Callable[[float], None] | bool = False,
) -> "xr.Dataset":
    """Rate, spread of rates, C_v and calcium moments of every population at every level, with standard errors.

    `duration` [s] of spikes after a warm-up of 0.5 s, in steps `dt` [s]; `sensor` measures calcium (default Calcium()).
    `progress` is that of `spiking.simulate`.
    Returns a Dataset over `level` and `population`; `reason` holds, in words and numbers, what makes levels differ.
    Raises what the levels raise for circuits that they cannot represent.
    """
    for name in levels:
        if name not in LEVELS:
            raise ValueError(f"compare.levels: unknown level {name!r}.{suggest(str(name), LEVELS)}")
    span = float(finite("compare.levels", "duration", duration, low=0.0, open_low=True))
    asked = Request(_as_drawn(circuit), span, seed, dt, sensor or Calcium(), progress)
    found = {name: _LEVELS[name](asked) for name in levels}
    return _dataset(asked, found)


def _as_drawn(circuit: Circuit) -> Circuit:
    """The circuit with Erdos-Renyi projections as finite graphs, which simulation draws without multiple contacts."""

    def drawn(p):
        n, wiring = circuit.node(p.source).size, p.connectivity
        if isinstance(wiring, ErdosRenyi) and math.isfinite(n):
            return replace(p, connectivity=ErdosRenyi(probability=min(1.0, wiring.mean(n) / n)))
        return p

    return replace(circuit, projections=[drawn(p) for p in circuit.projections])


@dataclass(frozen=True)
class Level:
    """Columns (n,) by name, and what else the reasons need."""

    columns: dict[str, Array]
    facts: dict[str, Array]


def _theory(asked: Request) -> Level:
    circuit = asked.circuit
    state = theory.mean_field(circuit)
    cells = [theory.neuron_sample(circuit, state, p.name, CELLS, seed=asked.seed) for p in circuit.populations]
    sigma = np.array([p.sigma for p in state.populations])
    return Level(_from_cells(asked, state, cells), {"sigma": sigma, "grid_rate": _on_the_grid(asked, sigma)})


def _from_cells(asked: Request, state: theory.NetworkState, cells: Sequence["xr.Dataset"]) -> dict[str, Array]:
    spread = np.sqrt(np.maximum(state.second_moments - state.rates**2, 0.0))
    moments = []
    for population, sample in zip(asked.circuit.populations, cells, strict=True):
        moments.append(_calcium(asked.sensor, population, sample))
    mean, second = np.array(moments).T
    nothing = np.zeros(len(cells))
    return {
        "rate": state.rates, "rate_error": nothing, "rate_sd": spread,
        "cv": np.array([float(c["cv"].mean()) for c in cells]), "cv_error": nothing,
        "calcium_mean": mean, "calcium_second_moment": second,
    }  # fmt: skip


def _calcium(sensor: Calcium, population: Population, sample: "xr.Dataset") -> list[float]:
    """Means over a sample of neurons, each with its own parameters where they differ."""
    mu, sigma, own = sample["mu"].values, sample["sigma"].values, population.spread.varying
    if not own:
        law = renewal.NeuronISI(population.neuron, mu=mu, sigma=sigma)
        return [float(np.mean(m)) for m in renewal.calcium_moments(sensor, law)]
    rows = zip(*(sample[name].values.tolist() for name in own), strict=True)
    neurons = [replace(population.neuron, **dict(zip(own, row, strict=True))) for row in rows]
    laws = [renewal.NeuronISI(n, mu=m, sigma=s) for n, m, s in zip(neurons, mu, sigma, strict=True)]
    return np.mean([renewal.calcium_moments(sensor, law) for law in laws], axis=0).tolist()


def _on_the_grid(asked: Request, sigma: Array) -> Array:
    """Rates with thresholds raised as by a look at every dt; NaN where neurons are not LIF or no state is found."""
    circuit = asked.circuit
    raised = []
    for population, s in zip(circuit.populations, sigma, strict=True):
        neuron = population.neuron
        if not isinstance(neuron, LIF):
            return np.full(sigma.size, np.nan)
        higher = neuron.v_threshold + GRID * float(s) * math.sqrt(asked.dt)
        raised.append(replace(population, neuron=replace(neuron, v_threshold=higher)))
    moved = replace(circuit, populations=raised)
    state = theory.mean_field(moved, throw=False)
    return state.rates


def _spectral(asked: Request) -> Level:
    state = theory.spectral_mean_field(asked.circuit, seed=asked.seed, dt=asked.dt)
    nan = np.full(len(state.names), np.nan)
    second = np.array([f.second_moment for f in state.firing])
    columns = {
        "rate": state.rates, "rate_error": np.array([f.rate_error for f in state.firing]),
        "rate_sd": np.sqrt(np.maximum(second - state.rates**2, 0.0)), "cv": state.cv,
        "cv_error": np.array([f.cv_error for f in state.firing]), "calcium_mean": nan, "calcium_second_moment": nan,
    }  # fmt: skip
    return Level(columns, {})


def _spiking(asked: Request) -> Level:
    run = spiking.simulate(
        asked.circuit, duration=asked.duration, seed=asked.seed, dt=asked.dt, progress=asked.progress
    )
    trains = [run.spikes_of(name) for name in run.names]
    rows = [_of_trains(asked, one) for one in trains]
    trace = run.rate_trace()
    bins = trace.sizes["time"] // BLOCKS
    blocks = trace.values[:, : bins * BLOCKS].reshape(len(rows), BLOCKS, bins).mean(2) if bins else trace.values
    error = blocks.std(1, ddof=1) / math.sqrt(blocks.shape[1]) if blocks.shape[1] > 1 else np.full(len(rows), np.nan)
    sizes = np.array([p.size for p in asked.circuit.populations])
    counts = trace.values * sizes[:, None] * run.bin
    fano = counts.var(1) / np.maximum(counts.mean(1), 1e-12)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Level(columns | {"rate": run.rates, "rate_error": error}, {"fano": fano})


def _of_trains(asked: Request, trains: SpikeTrains) -> dict[str, float]:
    """Spread of rates without that of counting, C_v, and calcium once its start is forgotten."""
    counts = np.bincount(trains.units, minlength=trains.n_units)
    cvs = measures.cv(trains).values[counts > MIN_INTERVALS]
    cv = float(cvs.mean()) if cvs.size else math.nan
    irregular = cv * cv if cvs.size else 1.0
    variance = (counts.var() - irregular * counts.mean()) / trains.duration**2
    discard = min(10.0 * asked.sensor.tau, 0.5 * trains.duration)
    mean, second = renewal.calcium_moments_of(asked.sensor, trains, discard=discard)
    return {
        "rate_sd": math.sqrt(max(float(variance), 0.0)), "cv": cv,
        "cv_error": float(cvs.std() / math.sqrt(cvs.size)) if cvs.size else math.nan,
        "calcium_mean": float(np.mean(mean)), "calcium_second_moment": float(np.mean(second)),
    }  # fmt: skip


_LEVELS: dict[str, Callable[[Request], Level]] = {"theory": _theory, "spectral": _spectral, "spiking": _spiking}


def _dataset(asked: Request, found: dict[str, Level]) -> "xr.Dataset":
    import xarray as xr

    names = [p.name for p in asked.circuit.populations]
    return xr.Dataset(
        {
            name: (("level", "population"), np.array([f.columns[name] for f in found.values()]), {"units": unit})
            for name, unit in QUANTITIES.items()
        },
        coords={"level": list(found), "population": names},
        attrs={"reasons": list(_reasons(asked, found)), "seed": asked.seed, "duration": asked.duration, "dt": asked.dt},
    )


def _reasons(asked: Request, found: dict[str, Level]) -> Iterator[str]:
    """Why theory and spikes differ, each with the number that says how much."""
    names = [p.name for p in asked.circuit.populations]
    if "theory" in found:
        white = found["theory"].columns
        grid = 100 * (found["theory"].facts["grid_rate"] / white["rate"] - 1.0)
        if np.isfinite(grid).all():
            yield f"time grid of {asked.dt / ms:g} ms: {_listed(names, grid, '{:+.1f} %')} of the rate, by theory"
        jumps = [
            100 * max(abs(p.weight) for p in asked.circuit.projections if p.target == one.name)
            / (one.neuron.v_threshold - one.neuron.v_reset)
            for one in asked.circuit.populations
        ]  # fmt: skip
        yield f"shot noise: largest jumps are {_listed(names, np.array(jumps), '{:.2g} %')} of the way to threshold"
    if {"theory", "spectral"} <= set(found):
        colour = found["spectral"].columns["cv"] - found["theory"].columns["cv"]
        yield f"colour of recurrent input: C_v changes by {_listed(names, colour, '{:+.2f}')}"
    if "spiking" in found:
        fano = found["spiking"].facts["fano"]
        yield f"synchrony: Fano factor of population counts in 1 ms {_listed(names, fano, '{:.3g}')} (independent: 1)"
        before = "spectral" if "spectral" in found else "theory" if "theory" in found else ""
        if before:
            left = found["spiking"].columns["cv"] - found[before].columns["cv"]
            rest = "correlations between cells and the rest" if before == "spectral" else "colour, correlations, rest"
            yield f"{rest}: C_v of the spikes differs by {_listed(names, left, '{:+.2f}')}"


def _listed(names: Sequence[str], values: Array, form: str) -> str:
    return ", ".join(f"{form.format(v)} ({n})" for n, v in zip(names, values, strict=True))
