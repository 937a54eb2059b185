"""What a circuit that was watched shows: rates, conductances and currents, and how they change. Each a Dataset."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import measures
from equipoise.model.neurons import ConductanceLIF
from equipoise.model.populations import Population, Source, Volleys
from equipoise.model.projections import Projection
from equipoise.model.synapses import ConductanceSynapse
from equipoise.quantities import Array
from equipoise.spiking.watch import BIN, LEARNED, Watched, learning, volleys_of
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
COURSE = 250
"""Points of the course of a run."""
SHOWN, ROWS, MOST_ROWS = 1000 * ms, 60, 240
"""Length of the raster [s], and neurons of each population and of all in it."""
TRACE = 300 * ms
ROUND_VOLLEY = (-50 * ms, 150 * ms)
SYNCHRONY = 5 * ms


def wiring(seen: Watched) -> "xr.Dataset":
    """What is given: who is there, which sign they have, and how they are wired."""
    import xarray as xr

    circuit = seen.circuit
    pre, n = list(circuit.names), len(circuit.populations)
    rates = [np.nan] * n + [source_rate(s, seen) for s in circuit.sources]
    rows = {
        "weight": (("post", "pre"), circuit.weights()),
        "in_degree": (("post", "pre"), circuit.in_degrees(), {"units": "1"}),
        "sign": ("pre", np.sign(circuit.weights()).sum(axis=0), {"long_name": "above 0 excites, below 0 inhibits"}),
        "is_source": ("pre", np.arange(len(pre)) >= n),
        "source_rate": ("pre", rates, {"units": "Hz"}),
        "size": ("population", [float(p.size) for p in circuit.populations], {"units": "1"}),
        "neuron_model": ("population", [_model(p) for p in circuit.populations]),
    }
    kinds = [isinstance(p.synapse, ConductanceSynapse) for p in circuit.projections]
    more = {
        "projection_source": [p.source for p in circuit.projections],
        "projection_target": [p.target for p in circuit.projections],
        "projection_weight": [p.weight for p in circuit.projections],
        "projection_conductance": kinds,
        "projection_tau": [p.synapse.time_constant for p in circuit.projections],
        "projection_degree": [p.connectivity.mean(circuit.node(p.source).size) for p in circuit.projections],
        "projection_moves": [_motion(p) for p in circuit.projections],
    }
    data = xr.Dataset(rows | {k: ("projection", np.array(v, dtype=object if k == "projection_moves" else None))
                              for k, v in more.items()})  # fmt: skip
    names = [p.name for p in circuit.populations]
    return data.assign_coords(pre=pre, post=names, population=names)


def _model(p: Population) -> str:
    """The neuron of a population, in words."""
    return type(p.neuron).__name__ + (" with adaptation" if p.adaptation is not None else "")


def _motion(p: Projection) -> str:
    """How synapses change, in words."""
    words = []
    if p.plasticity is not None:
        words.append(f"learn towards {p.plasticity.rate:g} Hz")
    if p.short_term is not None:
        words.append("facilitate" if p.short_term.tau_facil > p.short_term.tau_rec else "depress")
    return ", ".join(words)


def firing(seen: Watched) -> "xr.Dataset":
    """Rates with their intervals, how neurons differ in rate and C_v, and synchrony, in the settled state."""
    import xarray as xr

    n = max(seen.recorded)
    rate, cv = np.full((2, len(seen.names), n), np.nan)
    chi = []
    for a, name in enumerate(seen.names):
        trains = seen.spikes_of(name)
        rate[a, : trains.n_units], cv[a, : trains.n_units] = measures.rate(trains).values, measures.cv(trains).values
        chi.append(float(measures.synchrony(trains, width=SYNCHRONY)))
    mean, error = _rates(seen)
    along = ("population", "level")
    return xr.Dataset(
        {
            "rate": ("population", mean, {"units": "Hz"}),
            "rate_low": ("population", np.maximum(mean - 1.96 * error, 0.0), {"units": "Hz"}),
            "rate_high": ("population", mean + 1.96 * error, {"units": "Hz"}),
            "rate_sd": ("population", np.nanstd(rate, axis=1), {"units": "Hz"}),
            "quantile": (along, np.nanquantile(rate, LEVELS, axis=1).T, {"units": "Hz"}),
            "cv_median": ("population", _medians(cv), {"units": "1"}),
            "cv_quantile": (along, _quantiles(cv), {"units": "1"}),
            "neuron_rate": (("population", "neuron"), rate, {"units": "Hz"}),
            "neuron_cv": (("population", "neuron"), cv, {"units": "1"}),
            "synchrony": ("population", chi, {"long_name": "chi squared of counts in 5 ms"}),
            "synchrony_chance": ("population", 1.0 / np.array(seen.recorded)),
        },
        coords={"level": list(LEVELS)},
    )


def _rates(seen: Watched) -> tuple[Array, Array]:
    """Mean rates of all neurons and their standard errors, from up to 20 blocks of the run."""
    rates = seen.late / (sizes_of(seen)[:, None] * BIN)
    blocks = [b.mean(axis=1) for b in np.array_split(rates, min(20, rates.shape[1]), axis=1)]
    return rates.mean(axis=1), np.std(blocks, axis=0, ddof=1) / np.sqrt(len(blocks))


def sizes_of(seen: Watched) -> Array:
    """Neurons of each population (P,)."""
    return np.array([float(p.size) for p in seen.circuit.populations])


def _medians(values: Array) -> Array:
    return np.array([np.median(v[np.isfinite(v)]) if np.isfinite(v).any() else np.nan for v in values])


def _quantiles(values: Array) -> Array:
    nothing = np.full(len(LEVELS), np.nan)
    return np.array([np.quantile(v[np.isfinite(v)], LEVELS) if np.isfinite(v).any() else nothing for v in values])


# --- what neurons feel ------------------------------------------------------------------------------------------------
def balance(seen: Watched) -> "xr.Dataset":
    """Currents, conductances, index and tracking of the cells that were followed, in the settled state."""
    import xarray as xr

    late = seen.edges[:-1] >= seen.settled - 0.5 * BIN
    tracking = np.array([w.tracking for w in seen.windows])[late]
    e, i = seen.felt("excitation") + seen.felt("drive"), seen.felt("inhibition")
    with np.errstate(invalid="ignore", divide="ignore"):
        index = np.where(e != 0.0, (e + i) / e, np.nan)
    cells = {
        "excitation": (e, "V/s"), "inhibition": (i, "V/s"), "index": (index, "1"),
        "tracking": (_mean(tracking), "1"), "potential": (seen.felt("potential"), "V"),
    }  # fmt: skip
    if seen.has_conductances:
        cells |= _conductances(seen)
    data = {f"cell_{k}": ("cell", v, {"units": u}) for k, (v, u) in cells.items()}
    means = {f"mean_{k}": ("population", _by_population(seen, v), {"units": u}) for k, (v, u) in cells.items()}
    return xr.Dataset(data | means | {"cell_population": ("cell", seen.cells)})


def _conductances(seen: Watched) -> dict[str, tuple[Array, str]]:
    """Conductances, their ratio, and the time constant C/(g_L + g_E + g_I), of cells that have them."""
    neurons = [p.neuron for name in seen.cells for p in seen.circuit.populations if p.name == name]
    own = [(x.capacitance, x.g_leak) if isinstance(x, ConductanceLIF) else (np.nan, np.nan) for x in neurons]
    (capacitance, leak), e, i = np.array(own).T, seen.felt("g_excitatory"), seen.felt("g_inhibitory")
    e, i = (np.where(np.isnan(leak), np.nan, g) for g in (e, i))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(e > 0.0, i / e, np.nan)
    return {
        "g_excitatory": (e, "S"), "g_inhibitory": (i, "S"), "g_ratio": (ratio, "1"),
        "tau": (capacitance / (leak + e + i), "s"),
    }  # fmt: skip


def _mean(rows: Array) -> Array:
    """Over rows, without those that are not known; NaN where none is."""
    known = np.isfinite(rows)
    total = np.where(known, rows, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _by_population(seen: Watched, values: Array) -> Array:
    return np.array([_mean(values[seen.cells == name]) for name in seen.names])


def flow(
    seen: Watched, rates: Mapping[str, float], potential: Array, of: Mapping[str, tuple[float, float]]
) -> "xr.Dataset":
    """`input` (post, pre) [V/s]: what each population and source gives on average, at the mean potential of its target.

    K J <x> r of currents, K g <x> r tau (E - V)/C of conductances; `of`: moments of the relative weights x.
    """
    import xarray as xr

    circuit = seen.circuit
    places = {name: k for k, name in enumerate(circuit.names)}
    out = np.zeros((len(seen.names), len(places)))
    for p in circuit.projections:
        a, K = places[p.target], p.connectivity.mean(circuit.node(p.source).size)
        each = p.weight * of[str(p)][0]
        if isinstance(p.synapse, ConductanceSynapse):
            neuron = circuit.populations[a].neuron
            each *= p.synapse.area * (p.synapse.reversal - potential[a]) / neuron.capacitance
        out[a, places[p.source]] += K * each * rates[p.source]
    return xr.Dataset({"input": (("post", "pre"), out, {"units": "V/s"})})


def source_rate(source: Source | Volleys, seen: Watched) -> float:
    """Of each train of a source; of volleys, how many come in the run over its length [Hz]."""
    if not isinstance(source, Volleys):
        return source.rate
    return sum(0.0 <= t - seen.span.warmup < seen.duration for t in source.times) / seen.duration


# --- over time --------------------------------------------------------------------------------------------------------
def course(seen: Watched) -> "xr.Dataset":
    """Rates, currents and the ratio of inhibition to excitation all along the run."""
    import xarray as xr

    edges = np.unique(np.rint(np.linspace(0, seen.counts.shape[1], COURSE + 1)).astype(int))
    width = np.diff(edges)

    def binned(values: Array | NDArray[np.int64]) -> Array:
        return np.add.reduceat(values, edges[:-1], axis=1) / width

    e = binned(seen.trace("excitation")) + binned(seen.trace("drive"))
    i = binned(seen.trace("inhibition"))
    ratio = np.where(e > 0.0, -i / np.where(e > 0.0, e, 1.0), np.nan)
    data = {
        "course_rate": (binned(seen.counts) / (sizes_of(seen)[:, None] * BIN), "Hz"),
        "course_excitation": (e, "V/s"), "course_inhibition": (i, "V/s"), "course_ratio": (ratio, "1"),
    }  # fmt: skip
    rows = {k: (("population", "course"), v, {"units": u}) for k, (v, u) in data.items()}
    return xr.Dataset(rows, coords={"course": ("course", 0.5 * (edges[1:] + edges[:-1]) * BIN, {"units": "s"})})


def shown(seen: Watched) -> "xr.Dataset":
    """The last second: spikes of some neurons of each population as rows, and rates in bins of 5 ms."""
    import xarray as xr

    stop = seen.duration
    start = max(0.0, stop - SHOWN)
    most = max(1, min(ROWS, MOST_ROWS // len(seen.names)))
    times, rows, whose, base = [], [], [], 0
    for a, name in enumerate(seen.names):
        here, n = seen.units_of(name), min(most, seen.recorded[a])
        part = seen.spikes.between(start, seen.spikes.t_stop)
        mine = (part.units >= here.start) & (part.units < here.start + n)
        times.append(part.times[mine])
        rows.append(part.units[mine] - here.start + base)
        whose.append(np.full(int(mine.sum()), a))
        base += n
    width = max(1, round(5 * ms / BIN))
    counts = seen.counts[:, round(start / BIN) :]
    bins = counts.shape[1] // width
    rate = counts[:, : bins * width].reshape(len(counts), bins, width).sum(2) / (sizes_of(seen)[:, None] * width * BIN)
    return xr.Dataset(
        {
            "raster_time": ("spike", np.concatenate(times), {"units": "s"}),
            "raster_row": ("spike", np.concatenate(rows)),
            "raster_population": ("spike", np.concatenate(whose)),
            "raster_rows": ("population", [min(most, n) for n in seen.recorded]),
            "shown_rate": (("population", "moment"), rate, {"units": "Hz"}),
        },
        coords={"moment": ("moment", start + (np.arange(bins) + 0.5) * width * BIN, {"units": "s"})},
    )


def traces(seen: Watched) -> "xr.Dataset":
    """What the first neuron of each population felt in the last 0.3 s."""
    import xarray as xr

    last = seen.last.isel(time=slice(-round(TRACE / BIN), None))
    first = [int(np.flatnonzero(seen.cells == name)[0]) for name in seen.names]
    names = [str(k) for k in last if str(k) != "drive"]
    data = {k: last[k].values.astype(np.float64)[:, first].T for k in names}
    data["excitation"] = data["excitation"] + last["drive"].values[:, first].T
    rows = {f"trace_{k}": (("population", "instant"), v, dict(last[k].attrs)) for k, v in data.items()}
    return xr.Dataset(rows, coords={"instant": ("instant", last["time"].values, {"units": "s"})})


def learned(seen: Watched) -> "Iterator[xr.Dataset]":
    """Weights of synapses that learn, relative to that of their projection: means over time, quantiles at the end."""
    import xarray as xr

    plastic = learning(seen.circuit)
    if not plastic:
        return
    shapes = np.array([[w.learned[str(p)] for w in seen.windows] for p in plastic])
    rules = [p.plasticity for p in plastic if p.plasticity is not None]
    yield xr.Dataset(
        {
            "learned_mean": (("plastic", "window"), shapes[:, :, 0], {"units": "1"}),
            "learned_square": ("plastic", shapes[:, -1, 1], {"units": "1"}),
            "learned_quantile": (("plastic", "learned_level"), shapes[:, -1, 2:], {"units": "1"}),
            "learned_target": ("plastic", [r.rate for r in rules], {"units": "Hz"}),
            "learned_of": ("plastic", [p.target for p in plastic]),
        },
        coords={
            "plastic": [str(p) for p in plastic], "learned_level": LEARNED,
            "window": ("window", seen.edges[1:], {"units": "s"}),
        },
    )  # fmt: skip


def answers(seen: Watched) -> "Iterator[xr.Dataset]":
    """Rates aligned to the volleys of each source, means over those that the run holds whole."""
    import xarray as xr

    sources, low, high = volleys_of(seen.circuit), *(round(t / BIN) for t in ROUND_VOLLEY)
    if not sources:
        return
    rates = seen.counts / (sizes_of(seen)[:, None] * BIN)
    mean, number = [], []
    for source in sources:
        at = [int(np.floor((t - seen.span.warmup) / BIN + 1e-9)) for t in source.times]
        whole = [k for k in at if k + low >= 0 and k + high <= rates.shape[1]]
        parts = [rates[:, k + low : k + high] for k in whole]
        mean.append(np.mean(parts, axis=0) if parts else np.full((len(rates), high - low), np.nan))
        number.append(len(whole))
    answer = np.array(mean)
    before, after = answer[..., :-low].mean(-1), answer[..., -low : -low + 50]
    lag = (np.arange(low, high) + 0.5) * BIN
    per = ("volleys", "population")
    yield xr.Dataset(
        {
            "answer": ((*per, "lag"), answer, {"units": "Hz"}),
            "answer_before": (per, before, {"units": "Hz"}),
            "answer_peak": (per, after.max(-1), {"units": "Hz"}),
            "answer_latency": (per, lag[-low + np.argmax(after, axis=-1)], {"units": "s"}),
            "answer_spikes": (per, (after - before[..., None]).sum(-1) * BIN, {"units": "spikes a neuron"}),
            "volleys_number": ("volleys", number),
        },
        coords={"volleys": [s.name for s in sources], "lag": ("lag", lag, {"units": "s"})},
    )
