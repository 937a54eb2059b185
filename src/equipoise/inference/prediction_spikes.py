"""The observables of a prediction from spikes: the network simulated at the slow states that theory reached."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise import measures, spiking
from equipoise.inference.networks import Networks
from equipoise.inference.prediction_observables import KINDS, OF_NETWORK
from equipoise.inference.prediction_theory import BAND, BRANCHING_BIN, FOLLOWED
from equipoise.inference.slow_batch import SlowBatch
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.quantities import Array
from equipoise.renewal import calcium_moments_of
from equipoise.results import SpikeTrains, Status
from equipoise.units import ms, second

SAMPLE = 1 * ms
FEWEST = 10
"""Intervals of a cell whose C_v counts."""
BLOCKS = 20
"""Stretches of a run whose means give the standard error of its rate."""
SEGMENT = 1 * second
OUTSIDE = ("J_E", "J_I", "threshold")
"""Kinds that are slow variables, not measured."""


@dataclass(frozen=True, kw_only=True)
class Spikes:
    """How spikes are had: `duration` [s] of each run after half a second, with `seed`."""

    duration: float = 10 * second
    seed: int = 0
    sensor: Calcium = field(default_factory=Calcium)


def refuse_endless(circuit: Circuit) -> None:
    """ValueError where a population has no finite size."""
    for p in circuit.populations:
        if not math.isfinite(p.size):
            raise ValueError(f"predict: level='spiking' needs finite populations, {p.name!r} is infinite. Give a size.")


def circuit_at(circuit: Circuit, system: SlowBatch[Networks], z: Array) -> Circuit:
    """The circuit with its weights and thresholds at slow variables z (k,)."""
    (logs,), (threshold,) = system.parts(z[None])
    weights = circuit.weights()
    moved = circuit.with_weights(weights * np.exp(np.where(weights >= 0.0, logs[:, :1], logs[:, 1:])))
    for p, theta in zip(circuit.populations, threshold, strict=True):
        moved = moved.with_node(p.name, drive=p.drive - float(theta))
    return moved


def measured(circuit: Circuit, how: Spikes) -> tuple[Array, Array]:
    """Observables (observable,) of a simulated circuit and their standard errors; NaN for slow variables."""
    membrane = {"E": min(FOLLOWED, int(circuit.node("E").size))}
    record = spiking.Record(membrane=membrane, every=SAMPLE)
    run = spiking.simulate(circuit, duration=how.duration, seed=how.seed, record=record)
    columns = [_of_population(run, name, how) for name in run.names]
    out = [np.stack([c[kind] for c in columns]) for kind in KINDS]
    whole = {"branching_ratio": _branching(run.spikes_of("E")), "aperiodic_exponent": _exponent(run)}
    both = np.concatenate([*out, np.array([whole[name] for name in OF_NETWORK])])
    return both[:, 0], both[:, 1]


def _of_population(run: spiking.Run, name: str, how: Spikes) -> dict[str, tuple[float, float]]:
    """(value, standard error) of each kind; calcium errs as the rate does, its second moment twice as much."""
    trains = run.spikes_of(name)
    counts = np.bincount(trains.units, minlength=trains.n_units)
    enough = counts > FEWEST
    cvs, local = (of(trains).values[enough] for of in (measures.cv, measures.cv_local))
    trace = run.rate_trace().sel(population=name).values
    blocks = trace[: trace.size // BLOCKS * BLOCKS].reshape(BLOCKS, -1).mean(1)
    rate_error = float(blocks.std(ddof=1)) / math.sqrt(BLOCKS)
    discard = min(10.0 * how.sensor.tau, 0.5 * trains.duration)
    mean, second_moment = calcium_moments_of(how.sensor, trains, discard=discard)
    relative = rate_error / max(float(trace.mean()), 1e-12)
    known = {
        "rate": (float(trace.mean()), rate_error), "rate_sd": _spread(counts, cvs, trains.duration),
        "cv": _mean(cvs), "cv_local": _mean(local),
        "calcium_mean": (float(np.mean(mean)), relative * float(np.mean(mean))),
        "calcium_second": (float(np.mean(second_moment)), 2.0 * relative * float(np.mean(second_moment))),
    }  # fmt: skip
    return known | dict.fromkeys(OUTSIDE, (math.nan, math.nan))


def _spread(counts: NDArray, cvs: Array, duration: float) -> tuple[float, float]:
    """SD of rates over cells without that of counting, F <counts> with F = <C_v^2>; NaN where counting explains it."""
    irregular = float(np.mean(cvs**2)) if cvs.size else 1.0
    variance, error = counts.var() - irregular * counts.mean(), counts.var() * math.sqrt(2.0 / counts.size)
    if variance <= 2.0 * error:
        return math.nan, math.nan
    sd = math.sqrt(variance) / duration
    return sd, 0.5 * sd * error / variance


def _mean(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if known.size < 2:
        return math.nan, math.nan
    return float(known.mean()), float(known.std(ddof=1)) / math.sqrt(known.size)


def _branching(trains: SpikeTrains) -> tuple[float, float]:
    """The branching ratio of the spikes of E, or NaN where it is doubtful; its interval is four standard errors."""
    found = measures.branching_ratio(trains, bin=BRANCHING_BIN)
    if found.status is not Status.OK:
        return math.nan, math.nan
    return found.value, 0.25 * (found.high - found.low)


def _exponent(run: spiking.Run) -> tuple[float, float]:
    """The aperiodic exponent of the LFP proxy of E."""
    felt = run.membrane.mean("cell")
    excitation = (felt["excitation"] + felt["drive"]).values
    proxy = measures.lfp(excitation, felt["inhibition"].values, sampling_rate=1.0 / SAMPLE)
    window = min(SEGMENT, 0.2 * run.duration)
    spectrum = measures.power_spectrum(proxy, method=measures.Welch(window=window)).isel(channel=0)
    line = measures.aperiodic(spectrum, low=BAND[0], high=BAND[1])
    return float(line["exponent"]), 0.25 * float(line["exponent_high"] - line["exponent_low"])
