"""What of the balance shows from outside: aperiodic slope, rhythms, paired pulses, total conductances.

Excitation is fast and inhibition slow, so that a field with more inhibition has a steeper spectrum (Gao, Peterson &
Voytek 2017, NeuroImage 158:70): in closed form for Poisson spikes, and for the currents of cells that are bombarded so.
The loops of a recurrent patch, whose inhibitory weights are scaled, make spectra of their own. Volleys in pairs are
answered as by short- and long-interval inhibition.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, plotting, spiking
from equipoise.model.circuit import Circuit
from equipoise.model.conductances import ShotConductance
from equipoise.model.inputs import PoissonInputs
from equipoise.model.manipulations import WeightBlock
from equipoise.model.populations import Population, Source
from equipoise.model.projections import Projection
from equipoise.papers.calcium_homeostasis.spikes import side_by_side, silently
from equipoise.papers.ei_balance.circuits import EXCITATORY, FAST, PYRAMIDAL, SIZES, SYNAPSES, patch
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.spiking import PairedPulses, Record
from equipoise.theory import field_spectrum
from equipoise.units import Hz, ms, mV, nS, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

HELD = -60 * mV
RATIOS = np.geomspace(1.0, 8.0, 25)
FREQUENCIES = np.arange(1.0, 151.0)
MIDDLE = 40 * Hz
FACTORS = (0.7, 1.0, 1.5, 2.5, 4.0)
"""Of the weights of I onto E and I."""
SHORT, LONG = (2 * ms, 3 * ms, 5 * ms, 10 * ms), (50 * ms, 100 * ms, 150 * ms, 250 * ms, 400 * ms)
WEAK, STRONG, TEST = 80 * Hz, 500 * Hz, 300 * Hz
BLOCKED = {"short": ("I", 0.2), "long": ("G", 0.7)}
"""Whose receptors are blocked, and how many of them: GABA_A so few that the patch does not discharge, GABA_B."""
CELLS, EVERY = 80, 0.5 * ms
SEGMENTS = measures.Welch(window=0.5 * second)
RANGE = (20 * Hz, 100 * Hz)
"""In which the line of a patch is fitted."""
BOMBARDED = (1.0, 2.0, 4.0, 8.0)
"""g_I/g_E of cells under Poisson bombardment."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long fields are recorded, trials of paired pulses, and the seed."""

    look: float = 6 * second
    trials: int = 4
    seed: int = 1


PLAN = Plan()


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Slopes in theory and in spikes against g_I/g_E, and answers to paired pulses."""
    import xarray as xr

    jobs = [partial(_field, factor, plan) for factor in FACTORS]
    fields = side_by_side(jobs, lambda f: progress(0.3 * f))
    lines = side_by_side([partial(_bombarded, r, plan) for r in BOMBARDED], lambda f: progress(0.3 + 0.1 * f))
    pulses = [partial(_pulsed, kind, blocked, plan) for kind in BLOCKED for blocked in (False, True)]
    answers = side_by_side(pulses, lambda f: progress(0.4 + 0.6 * f))
    theory = np.array([_poisson(r) for r in RATIOS])
    spectrum = xr.concat([one["spectrum"] for one in fields], "factor")
    return xr.Dataset(
        {
            "theory": ("theory_ratio", theory),
            "spectrum": (("factor", "frequency"), spectrum.values),
            **{k: ("factor", [one[k] for one in fields]) for k in ("ratio", "exponent", "low", "high", "rate")},
            **{k: ("factor", [one[k] for one in fields]) for k in ("poisson", "eeg_exponent", "rhythm")},
            "cells": (("bombarded", "of"), lines),
            "short": (("block", "short_interval"), [x["ratio"].values for x in answers[:2]]),
            "short_error": (("block", "short_interval"), [_error(x) for x in answers[:2]]),
            "long": (("block", "long_interval"), [x["ratio"].values for x in answers[2:]]),
            "long_error": (("block", "long_interval"), [_error(x) for x in answers[2:]]),
        },
        coords={
            "theory_ratio": RATIOS, "factor": list(FACTORS), "block": ["intact", "blocked"],
            "bombarded": list(BOMBARDED), "of": ["exponent", "low", "high"],
            "frequency": ("frequency", spectrum["frequency"].values, {"units": "Hz"}),
            "short_interval": ("short_interval", list(SHORT), {"units": "s"}),
            "long_interval": ("long_interval", list(LONG), {"units": "s"}),
        },
    )  # fmt: skip


def _error(answer: "xr.Dataset") -> Array:
    return 0.5 * (answer["high"] - answer["low"]).values


def shots(ratio: float) -> tuple[ShotConductance, ShotConductance]:
    """The bombardment of Gao et al. with the synapses of the patch, at a ratio g_I/g_E of means."""
    e = ShotConductance(EXCITATORY, weight=0.5 * nS, inputs=PoissonInputs(K=1600, rate=2 * Hz))
    unit = ShotConductance(FAST, weight=1 * nS, inputs=PoissonInputs(K=400, rate=5 * Hz))
    return e, ShotConductance(FAST, weight=ratio * e.mean / unit.mean * nS, inputs=unit.inputs)


def _poisson(ratio: float) -> float:
    """Exponent at 40 Hz under the bombardment."""
    return float(field_spectrum(MIDDLE, shots(ratio), v=HELD)[1])


def _bombarded(ratio: float, plan: Plan, progress: Progress) -> list[float]:
    """Exponent of the field of simulated cells under the bombardment, and its interval: mean of one spectrum a cell."""
    given = dict(zip("XY", shots(ratio), strict=True))
    quiet = replace(PYRAMIDAL, v_threshold=-1 * mV)
    projections = [
        Projection(source=n, target="E", weight=x.weight, synapse=s, in_degree=x.inputs.K, delay=1 * ms)
        for (n, x), s in zip(given.items(), (EXCITATORY, FAST), strict=True)
    ]
    sources = [Source(n, rate=x.inputs.rate) for n, x in given.items()]
    circuit = Circuit(populations=[Population("E", size=CELLS, neuron=quiet), *sources], projections=projections)
    run = spiking.simulate(
        circuit, duration=plan.look, seed=plan.seed, threads=1, record=Record(membrane={"E": CELLS}, every=EVERY)
    )
    seen = run.membrane  # the force is that of a clamped potential, as in the closed form
    e = seen["g_excitatory"].values * (EXCITATORY.reversal - HELD)
    i = seen["g_inhibitory"].values * (FAST.reversal - HELD)
    field = measures.lfp(e, i, sampling_rate=1.0 / EVERY, delay=0.0, weight=1.0)
    line = measures.aperiodic(measures.averaged(measures.power_spectrum(field, method=SEGMENTS)))
    progress(1.0)
    return [line[name].item() for name in ("exponent", "exponent_low", "exponent_high")]


def scaled_inhibition(factor: float) -> Circuit:
    """The patch with all weights of I multiplied."""
    circuit = patch()
    for target in "EI":
        circuit = circuit.with_projection("I", target, weight=factor * circuit.projection("I", target).weight)
    return circuit


def _field(factor: float, plan: Plan, progress: Progress) -> dict:
    """Slope of the LFP proxy of a patch with scaled inhibition."""
    record = Record(membrane={"E": CELLS}, every=EVERY)
    run = spiking.simulate(
        scaled_inhibition(factor), duration=plan.look, seed=plan.seed, threads=1, record=record, progress=progress
    )
    seen = run.membrane
    field = measures.lfp(seen["excitation"].mean("cell"), seen["inhibition"].mean("cell"), sampling_rate=1.0 / EVERY)
    spectrum = measures.power_spectrum(field, method=SEGMENTS).isel(channel=0)
    line = measures.aperiodic(spectrum, low=RANGE[0], high=RANGE[1])
    blurred = measures.power_spectrum(measures.eeg(field), method=SEGMENTS).isel(channel=0)
    scalp = measures.aperiodic(blurred, low=RANGE[0], high=RANGE[1])
    peaks = measures.rhythms(spectrum, line)
    tone = measures.tone(seen["g_excitatory"], seen["g_inhibitory"])
    return {
        "spectrum": spectrum.sel(frequency=slice(1.0, 200.0)), "ratio": tone.ratio, "exponent": line["exponent"].item(),
        "low": line["exponent_low"].item(), "high": line["exponent_high"].item(), "rate": float(run.rates[0]),
        "eeg_exponent": scalp["exponent"].item(),
        "rhythm": peaks[0].frequency if peaks else np.nan,
        "poisson": _independent(factor, tuple(run.rates), float(seen["potential"].mean())),
    }  # fmt: skip


def _independent(factor: float, rates: tuple[float, ...], v: float) -> float:
    """Exponent that the patch would have if all its spikes were Poisson and independent."""
    of = dict(zip(SIZES, rates, strict=True)) | {"X": 5 * Hz}
    parts = {("E", "E"): (EXCITATORY, 1.0), ("X", "E"): (EXCITATORY, 1.0), ("I", "E"): (FAST, factor)}
    given = [
        ShotConductance(s, weight=f * SYNAPSES[key][0], inputs=PoissonInputs(K=SYNAPSES[key][2], rate=of[key[0]]))
        for key, (s, f) in parts.items()
    ]
    return float(field_spectrum(MIDDLE, given, v=v)[1])


def _pulsed(kind: str, blocked: bool, plan: Plan, progress: Progress) -> "xr.Dataset":
    """Answers to a weak volley just before, or to a strong one long before, the test volley."""
    source, fraction = BLOCKED[kind]
    circuit = WeightBlock(source=source, target="E", fraction=fraction).apply(patch()) if blocked else patch()
    intervals, first = (LONG, STRONG) if kind == "long" else (SHORT, WEAK)
    pulses = PairedPulses(source="S", population="E", intervals=intervals, conditioning=first, test=TEST)
    answer = spiking.paired_pulses(circuit, pulses, seed=plan.seed, trials=plan.trials)
    progress(1.0)
    return answer


# --- claims -----------------------------------------------------------------------------------------------------------
def claims(data: "xr.Dataset") -> list[Claim]:
    """Steeper with more inhibition, in theory and spikes; inhibition by intervals."""
    exponent, ratio = data["exponent"].values, data["ratio"].values
    short, long = data["short"].values, data["long"].values
    rates = data["rate"].values
    cells, known = data["cells"].sel(of="exponent").values, np.interp(BOMBARDED, RATIOS, data["theory"].values)
    last = LONG[-1] / ms
    return [
        Claim("The aperiodic slope is steeper the more of the conductance is inhibition", "Gao et al. 2017",
              f"Poisson spikes, closed form: exponent at 40 Hz {float(data['theory'][0]):.2f} at g_I/g_E = 1, "
              f"{float(data['theory'][-1]):.2f} at 8", bool((np.diff(data["theory"].values) > 0).all())),
        Claim("So it is in simulated cells under such bombardment", "Gao et al. 2017",
              f"30 to 50 Hz {cells[0]:.2f} -> {cells[-1]:.2f}; closed form {known[0]:.2f} -> {known[-1]:.2f}",
              bool((np.diff(cells) > 0).all() and np.abs(cells - known).max() < 0.15)),
        Claim("So it is in a recurrent patch", "derived",
              f"{RANGE[0]:.0f} to {RANGE[1]:.0f} Hz: {', '.join(f'{x:.2f}' for x in exponent)} at g_I/g_E "
              f"{', '.join(f'{x:.1f}' for x in ratio)}; of its EEG {data['eeg_exponent'].values.min():.2f} to "
              f"{data['eeg_exponent'].values.max():.2f}; rhythms at "
              f"{', '.join(f'{x:.0f}' for x in data['rhythm'].values if x > 0) or 'no'} Hz",
              bool((np.diff(exponent) > 0).all()), expected=False),
        Claim("Total conductance tells of inhibition, not of activity", "derived",
              f"g_I/g_E {ratio[0]:.1f} -> {ratio[-1]:.1f} while E fires at {rates.min():.2f} to {rates.max():.2f} Hz",
              bool((np.diff(ratio) > 0).all() and ratio[-1] > 2 * ratio[0] and np.ptp(rates) < 0.25 * rates[0])),
        Claim("A weak volley inhibits a test volley milliseconds later, by GABA_A", "paired pulses",
              f"least ratio {short[0].min():.2f}, with a fifth of GABA_A blocked {short[1].min():.2f}",
              bool(short[0].min() < 0.8 and short[1].min() > short[0].min())),
        Claim("A strong volley inhibits for some 100 ms, by GABA_B", "paired pulses",
              f"ratio {long[0][0]:.2f} after {LONG[0] / ms:.0f} ms, {long[0][1]:.2f} after {LONG[1] / ms:.0f} ms, "
              f"{long[0][-1]:.2f} after {last:.0f} ms; with 70 % of GABA_B blocked {long[1][1]:.2f} after 100 ms",
              bool(long[0][1] < 0.5 < long[0][-1] and long[1][1] > long[0][1])),
    ]  # fmt: skip


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Spectra, exponents over the ratio, and paired pulses at short and long intervals."""
    spectra, slopes, short, long = panels(canvas, "LFP proxy", "Aperiodic slope", "Short intervals", "Long intervals")
    for row, shade in zip(data["spectrum"], np.linspace(0.3, 1.0, data.sizes["factor"]), strict=True):
        ratio = float(data["ratio"].sel(factor=float(row["factor"])))
        power = row / row.sel(frequency=slice(2, 10)).mean()
        spectra.loglog(data["frequency"], power, color=plotting.INHIBITION, alpha=shade, label=f"{ratio:.1f}")
    spectra.axvspan(*RANGE, color=plotting.GRID, zorder=0)
    spectra.set(xlabel="frequency (Hz)", ylabel="relative power", xlim=(2, 200))
    spectra.legend(title="$g_I/g_E$", loc="lower left")
    slopes.plot(data["theory_ratio"], data["theory"], color=plotting.INK, label="Poisson, closed form")
    _bars(slopes, data["bombarded"], data["cells"].values.T, "o", plotting.INK, "Poisson, simulated")
    slopes.plot(data["ratio"], data["poisson"], color=plotting.INHIBITION, ls=":", label="patch, were it Poisson")
    patch_of = np.array([data[k].values for k in ("exponent", "low", "high")])
    _bars(slopes, data["ratio"], patch_of, "s", plotting.INHIBITION, "recurrent patch")
    slopes.set(xlabel="$g_I/g_E$", ylabel="exponent", ylim=(0, 4.4))
    slopes.legend(loc="upper left")
    for ax, kind in ((short, "short"), (long, "long")):
        for block, mark in zip(data["block"].values, ("o-", "s--"), strict=True):
            row = data.sel(block=block)
            x = row[f"{kind}_interval"] / ms
            ax.errorbar(x, row[kind], row[f"{kind}_error"], fmt=mark, ms=4, color=plotting.INK, label=str(block))
        ax.axhline(1.0, color=plotting.GRID, zorder=0)
        ax.set(xlabel="interval (ms)", ylabel="test, conditioned/alone", ylim=(0, None))
    short.legend(title="GABA_A")
    long.legend(title="GABA_B")


def _bars(ax: "Axes", x: "xr.DataArray", found: Array, mark: str, colour: str, label: str) -> None:
    """Values with their intervals (3, n)."""
    value, low, high = found
    ax.errorbar(x, value, [value - low, high - value], fmt=mark, ms=4, color=colour, label=label)
