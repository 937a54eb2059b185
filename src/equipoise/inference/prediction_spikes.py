"""The observables of a prediction from spikes: the network simulated at given slow states."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise import measures
from equipoise.inference.prediction_observables import KINDS, OF_NETWORK, SLOW
from equipoise.inference.prediction_theory import BAND, BRANCHING_BIN, FOLLOWED
from equipoise.model.calcium import Calcium
from equipoise.model.circuit import Circuit
from equipoise.model.populations import refuse_volleys
from equipoise.model.projections import refuse_plasticity
from equipoise.quantities import Array
from equipoise.renewal import calcium_moments_of
from equipoise.results import SpikeTrains, Status
from equipoise.spiking import Network, Pace, Record, Run, build, run
from equipoise.spiking.kernel import State
from equipoise.units import ms, second

SAMPLE = 1 * ms
FEWEST = 10
"""Intervals of a cell whose C_v counts."""
BLOCKS = 20
"""Stretches of a run whose means give the standard error of its rate."""
WARMUP = 500 * ms
SEGMENT = 1 * second


@dataclass(frozen=True, kw_only=True)
class Spikes:
    """How spikes are had: `duration` [s] of each run, five of them at rest, with `seed`.

    `follow`: at level "both" rules are followed by what spikes make them sense, as they always are at level "spiking",
    instead of taking the slow states of theory. `speed` and `pace` are those of `spiking.evolve`. In the directory
    `store` every path is kept as far as it came, so that the same call goes on where it was stopped. `progress` is a
    function of the finished fraction of all paths, or True for a line on the terminal.
    """

    duration: float = 10 * second
    seed: int = 0
    sensor: Calcium = field(default_factory=Calcium)
    follow: bool = False
    speed: float | None = None
    pace: Pace = field(default_factory=Pace)
    store: str | Path | None = None
    progress: Callable[[float], None] | bool = False


def refuse_unfit(circuit: Circuit) -> None:
    """ValueError where a population has no finite size, TypeError for what stretched time cannot show."""
    for p in circuit.populations:
        if not math.isfinite(p.size):
            raise ValueError(f"predict: level='spiking' needs finite populations, {p.name!r} is infinite. Give a size.")
    refuse_volleys("predict", circuit.sources)
    refuse_plasticity("predict", [p for p in circuit.projections if p.plasticity is not None])


def circuit_at(circuit: Circuit, logs: Array, threshold: Array) -> Circuit:
    """The circuit with excitation and inhibition times exp(`logs`) (P, 2), thresholds up by `threshold` (P,) [V/s]."""
    weights = circuit.weights()
    moved = circuit.with_weights(weights * np.exp(np.where(weights >= 0.0, logs[:, :1], logs[:, 1:])))
    for p, theta in zip(circuit.populations, threshold, strict=True):
        moved = moved.with_node(p.name, drive=p.drive - float(theta))
    return moved


def played(network: Network, how: Spikes, *, start: State | None = None, cells: tuple[str, ...] = ("E",)) -> Run:
    """A run of a network, settled or from a state, with membranes of some `cells`; KeyboardInterrupt where stopped."""
    sizes = {p.name: int(p.size) for p in network.circuit.populations}
    record = Record(membrane={name: min(FOLLOWED, sizes[name]) for name in cells}, every=SAMPLE)
    warmup = warmup_of(network.circuit) if start is None else 0.0
    done = run(network, duration=how.duration, warmup=warmup, start=start, record=record)
    if done.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return done


def warmup_of(circuit: Circuit) -> float:
    """Half a second [s], or three times what adaptation and depression take to settle."""
    times = [p.adaptation.tau for p in circuit.populations if p.adaptation]
    times += [t for p in circuit.projections if p.short_term for t in (p.short_term.tau_rec, p.short_term.tau_facil)]
    return max([WARMUP, *(math.ceil(3.0 * t / SAMPLE) * SAMPLE for t in times)])


def forgotten(how: Spikes) -> float:
    """The beginning of a run that does not count for calcium, which starts at zero [s]."""
    return min(10.0 * how.sensor.tau, 0.5 * how.duration)


def measured(circuit: Circuit, how: Spikes) -> tuple[Array, Array]:
    """Observables (observable,) of a simulated circuit and their standard errors; NaN for slow variables."""
    return observed_in(played(build(circuit, seed=how.seed, dt=how.pace.dt, threads=how.pace.threads), how), how)


class Runs:
    """Circuits simulated and measured, each once; some may be `done`, by digest."""

    def __init__(self, how: Spikes, done: dict[str, tuple[Array, Array]]):
        self.how, self.done = how, done

    def of(self, circuit: Circuit) -> tuple[Array, Array]:
        """Observables and their standard errors (observable,)."""
        if circuit.digest not in self.done:
            self.done[circuit.digest] = measured(circuit, self.how)
        return self.done[circuit.digest]


def observed_in(seen: Run, how: Spikes) -> tuple[Array, Array]:
    """Observables (observable,) of a run and their standard errors; NaN for slow variables."""
    columns = [_of_population(seen, name, how) for name in seen.names]
    out = [np.stack([c[kind] for c in columns]) for kind in KINDS]
    whole = {"branching_ratio": _branching(seen.spikes_of("E")), "aperiodic_exponent": _exponent(seen)}
    both = np.concatenate([*out, np.array([whole[name] for name in OF_NETWORK])])
    return both[:, 0], both[:, 1]


def _of_population(seen: Run, name: str, how: Spikes) -> dict[str, tuple[float, float]]:
    """(value, standard error) of each kind; calcium errs as the rate does, its second moment twice as much."""
    trains = seen.spikes_of(name)
    counts = np.bincount(trains.units, minlength=trains.n_units)
    enough = counts > FEWEST
    cvs, local = (of(trains).values[enough] for of in (measures.cv, measures.cv_local))
    trace = seen.rate_trace().sel(population=name).values
    blocks = trace[: trace.size // BLOCKS * BLOCKS].reshape(BLOCKS, -1).mean(1)
    rate_error = float(blocks.std(ddof=1)) / math.sqrt(BLOCKS)
    discard = forgotten(how)
    mean, second_moment = calcium_moments_of(how.sensor, trains, discard=discard)
    relative = rate_error / max(float(trace.mean()), 1e-12)
    known = {
        "rate": (float(trace.mean()), rate_error), "rate_sd": _spread(counts, cvs, trains.duration),
        "cv": _mean(cvs), "cv_local": _mean(local),
        "calcium_mean": (float(np.mean(mean)), relative * float(np.mean(mean))),
        "calcium_second": (float(np.mean(second_moment)), 2.0 * relative * float(np.mean(second_moment))),
    }  # fmt: skip
    return known | dict.fromkeys(SLOW, (math.nan, math.nan))


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


def _exponent(seen: Run) -> tuple[float, float]:
    """The aperiodic exponent of the LFP proxy of E."""
    felt = seen.membrane
    felt = felt.isel(cell=felt["population"].values == "E").mean("cell")
    excitation = (felt["excitation"] + felt["drive"]).values
    proxy = measures.lfp(excitation, felt["inhibition"].values, sampling_rate=1.0 / SAMPLE)
    window = min(SEGMENT, 0.2 * seen.duration)
    spectrum = measures.power_spectrum(proxy, method=measures.Welch(window=window)).isel(channel=0)
    line = measures.aperiodic(spectrum, low=BAND[0], high=BAND[1])
    return float(line["exponent"]), 0.25 * float(line["exponent_high"] - line["exponent_low"])
