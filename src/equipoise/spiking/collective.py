"""What the neurons of a circuit that was watched do together: spectra, a field proxy, avalanches beside chance."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise import measures
from equipoise.model.studies import Part
from equipoise.quantities import Array
from equipoise.results import SpikeTrains, Status
from equipoise.spiking.findings import sizes_of
from equipoise.spiking.watch import BIN, Watched
from equipoise.units import Hz, ms, second

if TYPE_CHECKING:
    import xarray as xr

SEGMENT = 1 * second
"""Of a spectrum, shorter where the run is short."""
LEAST_SEGMENT = 200 * ms
RANGE = (30 * Hz, 50 * Hz)
"""Of the aperiodic slope (Gao, Peterson & Voytek 2017)."""
WIDE = (5 * Hz, 200 * Hz)
"""Over which rhythms are looked for, above a line of their own."""
FACTOR = 4.0
"""How far above that line a rhythm reaches."""
SAMPLED = 500 * Hz
"""Rate of the sample of neurons whose avalanches are counted: as many as fire so often together."""
BRANCHING = 4 * ms
OF = ("spikes", "chance")
NAMES = {"crackling": "crackling exponent", "branching": "branching ratio"}
POINTS = 60

Found = tuple["xr.Dataset | None", list[Part]]


def spectra(seen: Watched) -> Found:
    """Power of the population rates with the level of independent Poisson neurons, and of the LFP proxy with its line.

    The proxy is that of the largest excitatory population.
    """
    import xarray as xr

    rates = seen.late / (sizes_of(seen)[:, None] * BIN)
    length = min(SEGMENT, np.floor(0.25 * rates.shape[1]) * BIN)
    if length < LEAST_SEGMENT:
        words = f"a run of {4 * LEAST_SEGMENT:g} s or more in the settled state is needed for spectra."
        return None, [Part("spectra", Status.INSUFFICIENT_DATA.name, words)]
    method = measures.Welch(window=length)
    power = measures.power_spectrum(rates, sampling_rate=1.0 / BIN, method=method)
    whose, field = _field(seen, method)
    line, wide = (measures.aperiodic(field, low=low, high=high) for low, high in (RANGE, WIDE))
    peaks = [peak for peak in measures.rhythms(field, wide) if peak.factor >= FACTOR]
    best = (peaks[0].frequency, peaks[0].factor) if peaks else (np.nan, np.nan)
    inside = (RANGE[0] <= field.frequency.values) & (field.frequency.values <= RANGE[1])
    fitted = np.full(field.size, np.nan)
    fitted[inside] = measures.aperiodic_power(line, field.frequency.values[inside]).values
    number = {name: line[name].item() for name in ("exponent", "exponent_low", "exponent_high", "r2")}
    data = xr.Dataset(
        {
            "power": (("population", "frequency"), power.values, {"units": "Hz^2/Hz"}),
            "power_chance": ("population", 2.0 * rates.mean(axis=1) / sizes_of(seen), {"units": "Hz^2/Hz"}),
            "field": ("frequency", field.values, {"units": "(V/s)^2/Hz"}),
            "line": ("frequency", fitted),
            "exponent": number["exponent"], "exponent_low": number["exponent_low"],
            "exponent_high": number["exponent_high"], "exponent_r2": number["r2"],
            "rhythm": best[0], "rhythm_factor": best[1], "field_of": whose,
        },
        coords={"frequency": ("frequency", field.frequency.values, {"units": "Hz"})},
        attrs={"segments": field.attrs["segments"], "line_low": RANGE[0], "line_high": RANGE[1]},
    )  # fmt: skip
    return data, [_part_of(line)]


def _part_of(line: "xr.Dataset") -> Part:
    status = Status[line["status"].item()]
    return Part("aperiodic slope", status.name, "" if status is Status.OK else status.advice)


def _field(seen: Watched, method: measures.Welch) -> "tuple[str, xr.DataArray]":
    """Whose LFP proxy it is, and its spectrum."""
    exciting = {p.source for p in seen.circuit.projections if seen.circuit.sign_of(p) > 0.0}
    sizes = sizes_of(seen)
    candidates = [a for a, name in enumerate(seen.names) if name in exciting] or list(range(len(sizes)))
    whose = max(candidates, key=lambda a: sizes[a])
    first = round(seen.settled / BIN)
    e, i = (seen.trace(name)[whose, first:] for name in ("excitation", "inhibition"))
    proxy = measures.lfp(e, i, sampling_rate=1.0 / BIN)
    return seen.names[whose], measures.power_spectrum(proxy, method=method).isel(channel=0)


def avalanches(seen: Watched, rng: np.random.SeedSequence) -> Found:
    """Sizes of avalanches, crackling exponent and branching ratio, of spikes and of Poisson counts of the same mean."""
    import xarray as xr

    sampling, chance, chance_all = rng.spawn(3)
    some = _sample(seen, sampling)
    if some.times.size < 100:
        words = f"{some.times.size} spikes were recorded; avalanches want 100 at least."
        return None, [Part("avalanches", Status.INSUFFICIENT_DATA.name, words)]
    width = _mean_interval(some, seen.network.dt)
    counts = measures.activity(some, bin=width)
    of_some = [counts, measures.poisson_null(counts, seed=chance)]
    together = _together(seen)
    of_all = [together, measures.poisson_null(together, seed=chance_all)]
    found = [measures.avalanches(c) for c in of_some]
    estimates = {
        "crackling": [measures.crackling(f) for f in found],
        "branching": [measures.branching_ratio(c, kmax=1) for c in of_all],
    }
    size = np.unique(np.geomspace(1, max(int(f.sizes.max(initial=1)) for f in found), POINTS).astype(int))
    data = xr.Dataset(
        {
            "survival": (("of", "avalanche_size"), np.array([_survival(f.sizes, size) for f in found])),
            "avalanche_number": ("of", [len(f) for f in found]),
        },
        coords={"of": list(OF), "avalanche_size": size},
        attrs={"avalanche_bin": width, "avalanche_units": some.n_units, "branching_bin": BRANCHING},
    )
    for name, both in estimates.items():
        data[name] = ("of", [float(x) for x in both])
        for end in ("low", "high"):
            data[f"{name}_{end}"] = ("of", [float(getattr(x, end)) for x in both])
    status = Status[str(estimates["crackling"][0]["status"].item())]
    told = [(NAMES["crackling"], status, "" if status is Status.OK else status.advice)]
    m = estimates["branching"][0]
    told.append((NAMES["branching"], m.status, "; ".join(m.reasons)))
    return data, [Part(name, s.name, words) for name, s, words in told]


def _sample(seen: Watched, rng: np.random.SeedSequence) -> SpikeTrains:
    """Settled spikes of recorded neurons, drawn until they fire SAMPLED together."""
    late = seen.spikes.between(seen.settled, seen.spikes.t_stop)
    order = np.random.default_rng(rng).permutation(late.n_units)
    total = np.cumsum(np.bincount(late.units, minlength=late.n_units)[order]) / late.duration
    taken = order[: 1 + int(np.searchsorted(total, SAMPLED))]
    mine = np.isin(late.units, taken)
    names = np.searchsorted(np.sort(taken), late.units[mine])
    return SpikeTrains(late.times[mine], names, taken.size, late.t_start, late.t_stop)


def _mean_interval(trains: SpikeTrains, dt: float) -> float:
    """Mean time between spikes of all units together, in whole steps."""
    return max(1, round(trains.duration / trains.times.size / dt)) * dt


def _together(seen: Watched) -> NDArray[np.int64]:
    """Spikes of all neurons in bins of BRANCHING."""
    width, counts = round(BRANCHING / BIN), seen.late.sum(axis=0)
    bins = counts.size // width
    return counts[: bins * width].reshape(bins, width).sum(axis=1)


def _survival(sizes: NDArray[np.int64], at: NDArray[np.int64]) -> Array:
    """P(size >= s)."""
    return 1.0 - np.searchsorted(np.sort(sizes), at) / max(sizes.size, 1)
