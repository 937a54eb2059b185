"""Paired pulses: two volleys onto a network, and how much the first takes from the answer to the second.

As in paired-pulse stimulation of the motor cortex. A weak first volley that excites interneurons more than it does
pyramidal cells takes from a second one 2 to 5 ms later by GABA_A (SICI-like); a strong one 50 to 200 ms later by GABA_B
(LICI-like).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.circuit import Circuit
from equipoise.model.manipulations import During, SourceRate
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.spiking.kernel import State
from equipoise.spiking.network import Network, build
from equipoise.spiking.record import Record
from equipoise.spiking.simulate import run
from equipoise.units import Hz, kHz, ms, second

if TYPE_CHECKING:
    import xarray as xr

LATEST = 1 * second
"""No interval is longer."""
_VOLLEY = Quantity("rate of each train of the volley", unit="Hz", low=0.0, high=1 * kHz, open_low=True)
_TIME = Quantity("time", unit="ms", low=0.0, high=LATEST, open_low=True)


@dataclass(frozen=True, kw_only=True)
class PairedPulses:
    """Two volleys of the trains of a `source`, and where and how long the answer is counted.

    For `width` [s] its trains fire at `conditioning` and then at `test` [Hz], one after the other by each of the
    `intervals` [s] from onset to onset. The answer is the spikes of `population` within `window` [s] of the second
    onset. The source should be silent otherwise. `rest` [s] without volleys lies between trials.
    """

    source: str
    population: str
    intervals: Sequence[float]
    conditioning: float = 200 * Hz
    test: float = 500 * Hz
    width: float = 1 * ms
    window: float = 10 * ms
    rest: float = 500 * ms

    def __post_init__(self):
        for name in ("conditioning", "test"):
            check(f"PairedPulses.{name}", getattr(self, name), _VOLLEY)
        for name in ("width", "window", "rest"):
            check(f"PairedPulses.{name}", getattr(self, name), _TIME)
        lags = finite("PairedPulses", "intervals", self.intervals, low=0.0)
        if lags.ndim != 1 or lags.size == 0 or lags.min() < self.width or lags.max() > LATEST:
            raise ValueError(
                f"PairedPulses.intervals must be one or more times from width={self.width / ms:g} ms to "
                f"{LATEST / ms:g} ms, got {self.intervals!r}."
            )


def paired_pulses(
    circuit: Circuit,
    pulses: PairedPulses,
    *,
    seed: int | np.random.SeedSequence,
    trials: int = 10,
    dt: float = 0.1 * ms,
) -> "xr.Dataset":
    """Answers of a spiking network to two volleys against the interval between them, dims (interval,).

    `ratio` = (both - conditioning alone)/(test alone at 0 - none), each the mean number of spikes of a neuron in it,
    over `trials` states of one network; `low` and `high`: 95 %, jackknife over trials. Below 1 the first volley
    inhibits, above it facilitates. `test` and `conditioning`: answers to one alone; all runs of a trial begin in one
    state with the same noise. NaN where the test volley alone has no answer. Caveats: a volley into a patch of
    neurons has no coil, no direction and no descending I-waves, and the answer is of spikes, not of a muscle; ratios
    compare circuits, and their size is none of a patient.
    """
    import xarray as xr

    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 2:
        raise ValueError(f"spiking.paired_pulses: trials must be a whole number of at least 2, got {trials!r}.")
    network, found = build(circuit, seed=seed, dt=dt), []
    state = run(network, duration=pulses.rest).end
    for _ in range(trials):
        found.append(_trial(network, state, pulses))
        state = run(network, duration=pulses.rest, start=state).end
    ratio, error = _ratio(np.array(found))
    none, test, first, _ = np.array(found).mean(axis=0)
    return xr.Dataset(
        {
            "ratio": ("interval", ratio),
            "low": ("interval", ratio - 1.96 * error),
            "high": ("interval", ratio + 1.96 * error),
            "test": ("interval", test - none),
            "conditioning": ("interval", first - none),
        },
        coords={"interval": ("interval", np.asarray(pulses.intervals, float), {"units": "s"})},
        attrs={"trials": trials, "population": pulses.population},
    )


def _trial(network: Network, state: State, pulses: PairedPulses) -> Array:
    """Spikes per neuron in the window: without volleys, with the test, the conditioning one, and both (4, interval)."""
    lags = np.asarray(pulses.intervals, float)
    first = During(SourceRate(pulses.source, rate=pulses.conditioning), 0.0, pulses.width)
    alone = During(SourceRate(pulses.source, rate=pulses.test), 0.0, pulses.width)
    without, tested = (_counted(network, state, pulses, s, 0.0)[0] for s in ([], [alone]))
    after = _counted(network, state, pulses, [first], lags.max())
    out = np.empty((4, lags.size))
    for k, lag in enumerate(lags):
        second = replace(alone, start=lag, stop=lag + pulses.width)
        start = round(lag / network.dt)
        both = _counted(network, state, pulses, [first, second], lag)
        out[:, k] = without, tested, after[start], both[start]
    return out


def _counted(network: Network, state: State, pulses: PairedPulses, schedule: Sequence[During], latest: float) -> Array:
    """Spikes per neuron in windows that begin at each step up to `latest` [s] (step,)."""
    record, width = Record(cells=0, bin=network.dt), round(pulses.window / network.dt)
    span = (round(latest / network.dt) + width) * network.dt
    out = run(network, duration=span, start=state, schedule=schedule, record=record)
    counts = out.counts[out.names.index(pulses.population)] / out.circuit.node(pulses.population).size
    sums = np.append(0.0, np.cumsum(counts))
    return sums[width:] - sums[:-width]


def _ratio(found: Array) -> tuple[Array, Array]:
    """Ratio of the means over trials (trial, 4, interval), and its jackknife error."""

    def ratio(means: Array) -> Array:
        none, test, first, both = means
        answer = test - none
        return np.where(answer > 0.0, (both - first) / np.where(answer > 0.0, answer, 1.0), np.nan)

    n = len(found)
    left_out = np.array([ratio((found.sum(axis=0) - one) / (n - 1)) for one in found])
    return ratio(found.mean(axis=0)), np.sqrt((n - 1) * left_out.var(axis=0))
