"""Proxies of field potentials from the synaptic currents of a simulated network.

The membranes of point neurons make no field: a proxy is a sum of currents that was found to resemble the field of
neurons with dendrites. It has no unit of a field, and its size means nothing across circuits; its shape over time and
frequency does.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.channels import SAMPLING_RATE, channels
from equipoise.quantities import Quantity, check, finite, steps_of
from equipoise.results import Signals
from equipoise.units import Hz, kHz, ms, nS, second

DELAY = 6 * ms
INHIBITION = 1.65

_DELAY = Quantity("how much later excitation counts", unit="ms", low=0.0, high=1 * second)
_WEIGHT = Quantity("weight of inhibition", low=0.0)
_CUTOFF = Quantity("cut-off frequency", unit="Hz", low=0.0, high=10 * kHz, open_low=True)


def lfp(
    excitation: ArrayLike,
    inhibition: ArrayLike,
    *,
    sampling_rate: float,
    delay: float = DELAY,
    weight: float = INHIBITION,
) -> Signals:
    """LFP proxy, |E(t - delay)| + weight |I(t)|: the reference weighted sum, one channel a column.

    `excitation` and `inhibition` are synaptic currents (time,) or (time, cells) as in `Run.membrane`, of any unit and
    either sign, at `sampling_rate` [Hz]; means over pyramidal neurons. The first `delay` is cut off, so that the result
    is shorter. delay=0 and weight=1 give the plain sum of absolute currents. Source: Mazzoni et al. 2015, PLoS Comput.
    Biol. 11:e1004584 (6 ms, 1.65).
    Caveat: fitted to the field of layer-5 pyramidal cells with AMPA and GABA_A synapses on their places on the tree;
    other morphologies and places move both numbers, and spikes are not in it.
    """
    e, i = finite("measures.lfp", "excitation", excitation), finite("measures.lfp", "inhibition", inhibition)
    if e.shape != i.shape or e.ndim not in (1, 2):
        raise ValueError(
            f"measures.lfp: excitation and inhibition must have one shape (time,) or (time, cells), got {e.shape} and "
            f"{i.shape}."
        )
    fs = check("measures.lfp.sampling_rate", sampling_rate, SAMPLING_RATE)
    late = steps_of("measures.lfp", "delay", check("measures.lfp.delay", delay, _DELAY), 1.0 / fs)
    if late >= len(e):
        raise ValueError(f"measures.lfp: the record must be longer than delay={delay / ms:g} ms, got {len(e)} samples.")
    field = np.abs(e[: len(e) - late]) + check("measures.lfp.weight", weight, _WEIGHT) * np.abs(i[late:])
    return Signals(values=field.T, sampling_rate=fs, t_start=late / fs)


@dataclass(frozen=True)
class Tone:
    """Mean excitatory and inhibitory conductance [S] of a population, and `ratio`, inhibition over excitation."""

    excitation: float
    inhibition: float

    @property
    def ratio(self) -> float:
        """g_I/g_E; NaN without excitation."""
        return self.inhibition / self.excitation if self.excitation > 0.0 else float("nan")

    def __str__(self) -> str:
        return f"g_E {self.excitation / nS:.3g} nS, g_I {self.inhibition / nS:.3g} nS, g_I/g_E {self.ratio:.3g}"


def tone(g_excitatory: ArrayLike, g_inhibitory: ArrayLike) -> Tone:
    """Total excitatory and inhibitory conductance [S], means over time and cells: the coarse proxy of spectroscopy.

    Takes `g_excitatory` and `g_inhibitory` of `Run.membrane`, any shape. Caveat: MRS measures glutamate and
    GABA of a volume of centimetres, most of it metabolic or inside cells; that its ratio follows synaptic conductance
    is an assumption of its readers, and no rate and no synchrony is in it.
    """
    e = finite("measures.tone", "g_excitatory", g_excitatory, low=0.0)
    i = finite("measures.tone", "g_inhibitory", g_inhibitory, low=0.0)
    return Tone(float(e.mean()), float(i.mean()))


def eeg(field: Signals | ArrayLike, *, sampling_rate: float | None = None, cutoff: float = 100 * Hz) -> Signals:
    """EEG proxy: an LFP proxy behind a low-pass of first order, dx/dt = 2 pi cutoff (field - x), channel by channel.

    `field`: Signals, or an array (time,) or (channels, time) with `sampling_rate` [Hz]. Starts at the mean, so that the
    first 1/(2 pi cutoff) or two tell of the start. Caveat: skull and scalp attenuate and mix sources over centimetres,
    which one local field has no part in; only the loss of fast frequencies is here.
    """
    from scipy.signal import lfilter

    given, _ = channels("measures.eeg", field, sampling_rate)
    kept = np.exp(-2.0 * np.pi * check("measures.eeg.cutoff", cutoff, _CUTOFF) / given.sampling_rate)
    mean = given.values.mean(axis=1, keepdims=True)
    return replace(given, values=mean + np.asarray(lfilter([1.0 - kept], [1.0, -kept], given.values - mean)))
