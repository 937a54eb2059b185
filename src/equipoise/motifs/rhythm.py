"""The rhythm of feedback inhibition: where a delayed loop begins to oscillate, and what spikes do.

Excitation and inhibition pass once around a loop of gain -G, total delay D and first-order elements of time constants
tau_k (synapses, membranes). Rates at its fixed point follow e^{st} with

    prod_k (1 + s tau_k) = -G e^{-s D}.

On the border of stability s = i omega, hence

    omega D + sum_k arctan(omega tau_k) = pi,   G = prod_k sqrt(1 + (omega tau_k)^2),

whose left side grows with omega: one lowest frequency. Without elements it is 1/(2 D), at G = 1; for one element and
D >> tau it tends to 1/(2 (D + tau)); three equal elements without delay have omega tau = sqrt 3 at G = 8. Two elements
without delay never oscillate.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise import spiking
from equipoise.model.neurons import ConductanceLIF
from equipoise.motifs.circuits import FeedbackInhibition
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.units import Hz, kHz, ms, second

if TYPE_CHECKING:
    import xarray as xr

_DELAY = Quantity("delay once around the loop", unit="ms", low=0.0, high=1 * second)
_DRIVE = Quantity("excitatory background", unit="Hz", low=0.0, high=100 * kHz, open_low=True)
WARMUP = 200 * ms
BIN = 0.5 * ms
SLOWEST, FASTEST = 5 * Hz, 400 * Hz
"""Rhythms that are looked for."""


@dataclass(frozen=True, kw_only=True)
class LoopOnset:
    """Where a delayed loop begins to oscillate: `frequency` [Hz] and loop `gain`, both infinite where it never does."""

    frequency: float
    gain: float


def loop_onset(*, delay: float, time_constants: ArrayLike = ()) -> LoopOnset:
    """The lowest frequency and the loop gain at which a loop of this delay [s] and elements [s] begins to oscillate."""
    from scipy.optimize import brentq

    D = check("loop_onset.delay", delay, _DELAY)
    taus = np.atleast_1d(finite("loop_onset", "time_constants", time_constants, low=0.0))
    taus = taus[taus > 0.0]

    def excess(omega: float) -> float:
        return omega * D + float(np.arctan(omega * taus).sum()) - np.pi

    if D == 0.0 and taus.size <= 2:
        return LoopOnset(frequency=np.inf, gain=np.inf)
    top = np.pi / D if D > 0.0 else np.tan(np.pi / taus.size) / taus.min()
    omega = top if excess(top) <= 0.0 else float(brentq(excess, 0.0, top, xtol=1e-12 * top))  # pyright: ignore[reportArgumentType]
    return LoopOnset(frequency=float(omega / (2 * np.pi)), gain=float(np.prod(np.hypot(1.0, omega * taus))))


def rhythm(
    motif: FeedbackInhibition, *, drive: float, seed: int, duration: float = 1 * second, dt: float = 0.1 * ms
) -> "xr.Dataset":
    """The rhythm of a feedback motif under a sustained `drive` [Hz], which replaces its excitatory background onto E.

    `frequency` [Hz] and `coherence`: of the population rate of E, one over the delay of the first high peak of its
    autocorrelation, and that peak, 0 to 1. `rate` and `interneuron_rate` [Hz]. `synapses` and `membranes` [Hz]: the
    frequencies of `loop_onset` with synapses alone, which is what cells that answer at once would do, and with the
    membranes of both cells, at the mean conductance of their background, as well. `fano`: variance over mean of all
    spikes of E in 0.5 ms.
    """
    import xarray as xr

    nu = check("rhythm.drive", drive, _DRIVE)
    if not isinstance(motif, FeedbackInhibition):
        raise TypeError(f"rhythm: motif must be an eq.motifs.FeedbackInhibition(), got {motif!r}.")
    circuit = motif.circuit(drive=nu)
    record = spiking.Record(bin=BIN)
    run = spiking.simulate(circuit, duration=duration, seed=seed, dt=dt, warmup=WARMUP, record=record)
    trace = run.rate_trace()
    counts = trace.sel(population="E").values * motif.size * BIN
    frequency, coherence = peak(counts, BIN)
    rate = float(trace.sel(population="E").mean())
    synapses, membranes = (loop_onset(delay=motif.loop_delay, time_constants=t).frequency for t in _elements(motif, nu))
    values = {
        "frequency": (frequency, "Hz"), "coherence": (coherence, "1"), "rate": (rate, "Hz"),
        "interneuron_rate": (float(trace.sel(population="I").mean()), "Hz"), "synapses": (synapses, "Hz"),
        "membranes": (membranes, "Hz"), "fano": (float(counts.var() / counts.mean()) if rate else np.nan, "1"),
    }  # fmt: skip
    data: dict[str, Any] = {name: ((), value, {"units": unit}) for name, (value, unit) in values.items()}
    data["trace"] = ("time", trace.sel(population="E").values, {"units": "Hz"})
    return xr.Dataset(
        data,
        coords={"time": ("time", trace["time"].values, {"units": "s"})},
        attrs={"status": run.status.name, "seed": seed, "motif": repr(motif)},
    )


def peak(counts: Array, width: float) -> tuple[float, float]:
    """Frequency [Hz] and coherence of a rhythm in counts per `width` [s]: NaN and 0 of silence.

    The autocorrelation of the counts, at delays of rhythms between 5 and 400 Hz, is highest after whole periods. The
    period is the shortest delay of a local maximum that reaches 0.8 of the highest, refined by a parabola; the
    coherence is its height.
    """
    x = counts - counts.mean()
    first, last = max(2, round(1.0 / (FASTEST * width))), min(round(1.0 / (SLOWEST * width)), x.size // 2)
    if not x.any() or last - first < 3:
        return np.nan, 0.0
    power = np.abs(np.fft.rfft(x, 2 * x.size)) ** 2
    own = np.fft.irfft(power)[: last + 2] / (x.size - np.arange(last + 2)) / x.var()
    left, mid, right = own[first - 1 : last], own[first : last + 1], own[first + 1 : last + 2]
    summit = (mid >= left) & (mid > right)
    if not summit.any():
        return np.nan, 0.0
    k = int(np.flatnonzero(summit & (mid >= 0.8 * mid[summit].max()))[0])
    shift = 0.5 * (left[k] - right[k]) / (left[k] - 2 * mid[k] + right[k])
    return float(1.0 / ((first + k + shift) * width)), max(0.0, float(mid[k]))


def _elements(motif: FeedbackInhibition, drive: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Time constants of the loop without and with the membranes, each at the mean conductance of its background."""
    rates = {"E": (drive, motif.inhibitory), "I": (motif.excitatory, 0.0)}
    membranes = []
    for name, neuron in (("E", motif.principal), ("I", motif.interneuron)):
        tau = neuron.tau_m
        if isinstance(neuron, ConductanceLIF):
            g = motif.quantum * np.dot(rates[name], motif.synaptic_times)
            tau = neuron.capacitance / (neuron.g_leak + g)
        membranes.append(float(tau))
    return motif.synaptic_times, (*motif.synaptic_times, *membranes)
