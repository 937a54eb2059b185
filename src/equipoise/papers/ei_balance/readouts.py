"""What of the balance shows from outside: aperiodic slope, rhythms, paired pulses, total conductances.

Excitation is fast and inhibition slow, so that a field with more inhibition has a steeper spectrum (Gao, Peterson &
Voytek 2017, NeuroImage 158:70): in closed form for Poisson spikes, and for the currents of a simulated patch whose
inhibitory weights are scaled. Volleys in pairs are answered as by short- and long-interval inhibition.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from equipoise import measures, plotting, spiking
from equipoise.model.circuit import Circuit
from equipoise.model.conductances import ShotConductance
from equipoise.model.inputs import PoissonInputs
from equipoise.model.manipulations import WeightBlock
from equipoise.model.receptors import DoubleExponentialConductance
from equipoise.papers.calcium_homeostasis.spikes import side_by_side, silently
from equipoise.papers.ei_balance.circuits import EXCITATORY, FAST, SIZES, SYNAPSES, patch
from equipoise.papers.framework import Claim, Progress
from equipoise.papers.layout import panels
from equipoise.quantities import Array
from equipoise.spiking import PairedPulses, Record
from equipoise.theory import field_spectrum
from equipoise.units import Hz, ms, mV, nS, second

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as Canvas

AMPA = DoubleExponentialConductance(tau_rise=0.1 * ms, tau_decay=2 * ms, reversal=0 * mV)
GABA_A = DoubleExponentialConductance(tau_rise=0.5 * ms, tau_decay=10 * ms, reversal=-80 * mV)
"""Synapses of Gao, Peterson & Voytek 2017, with 8000 inputs at 2 Hz and 2000 at 5 Hz."""
RATIOS = np.geomspace(1.0, 8.0, 25)
FREQUENCIES = np.arange(1.0, 151.0)
MIDDLE = 40 * Hz
FACTORS = (0.7, 1.0, 1.5, 2.5, 4.0)
"""Of the weights of I onto E and I."""
SHORT, LONG = (2 * ms, 3 * ms, 5 * ms, 10 * ms), (50 * ms, 100 * ms, 150 * ms, 250 * ms, 400 * ms)
WEAK, STRONG, TEST = 80 * Hz, 500 * Hz, 300 * Hz
BLOCKED = {"intact": 0.0, "GABA_A halved": 0.5}
CELLS, EVERY = 80, 0.5 * ms


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long fields are recorded, trials of paired pulses, and the seed."""

    look: float = 8 * second
    trials: int = 4
    seed: int = 1


PLAN = Plan()


def compute(progress: Progress = silently, plan: Plan = PLAN) -> "xr.Dataset":
    """Slopes in theory and in spikes against g_I/g_E, and answers to paired pulses."""
    import xarray as xr

    jobs = [partial(_field, factor, plan) for factor in FACTORS]
    fields = side_by_side(jobs, lambda f: progress(0.4 * f))
    pulses = [partial(_pulsed, name, slow, plan) for name in BLOCKED for slow in (False, True)]
    answers = side_by_side(pulses, lambda f: progress(0.4 + 0.6 * f))
    theory = np.array([_poisson(r) for r in RATIOS])
    spectrum = xr.concat([one["spectrum"] for one in fields], "factor")
    return xr.Dataset(
        {
            "theory": ("theory_ratio", theory),
            "spectrum": (("factor", "frequency"), spectrum.values),
            **{k: ("factor", [one[k] for one in fields]) for k in ("ratio", "exponent", "low", "high", "r2", "rate")},
            **{k: ("factor", [one[k] for one in fields]) for k in ("g_e", "g_i", "poisson", "eeg_exponent")},
            "short": (("block", "short_interval"), [x["ratio"].values for x in answers[::2]]),
            "short_error": (("block", "short_interval"), [_error(x) for x in answers[::2]]),
            "long": (("block", "long_interval"), [x["ratio"].values for x in answers[1::2]]),
            "long_error": (("block", "long_interval"), [_error(x) for x in answers[1::2]]),
        },
        coords={
            "theory_ratio": RATIOS, "factor": list(FACTORS), "block": list(BLOCKED),
            "frequency": ("frequency", spectrum["frequency"].values, {"units": "Hz"}),
            "short_interval": ("short_interval", list(SHORT), {"units": "s"}),
            "long_interval": ("long_interval", list(LONG), {"units": "s"}),
        },
    )  # fmt: skip


def _error(answer: "xr.Dataset") -> Array:
    return 0.5 * (answer["high"] - answer["low"]).values


def _poisson(ratio: float) -> float:
    """Exponent at 40 Hz of the synapses of Gao et al. at a ratio g_I/g_E of means."""
    e = ShotConductance(AMPA, weight=1 * nS, inputs=PoissonInputs(K=8000, rate=2 * Hz))
    i = ShotConductance(GABA_A, weight=1 * nS, inputs=PoissonInputs(K=2000, rate=5 * Hz))
    scaled = ShotConductance(GABA_A, weight=ratio * e.mean / i.mean * nS, inputs=i.inputs)
    return float(field_spectrum(MIDDLE, [e, scaled], v=-65 * mV)[1])


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
    field = measures.lfp(seen["excitation"].mean("cell"), seen["inhibition"].mean("cell"), dt=EVERY)
    spectrum = measures.power_spectrum(field, dt=EVERY, window=0.5 * second)
    line = measures.aperiodic(spectrum)
    scalp = measures.aperiodic(measures.power_spectrum(measures.eeg(field, dt=EVERY), dt=EVERY, window=0.5 * second))
    tone = measures.tone(seen["g_excitatory"], seen["g_inhibitory"])
    return {
        "spectrum": spectrum.sel(frequency=slice(1.0, 200.0)), "ratio": tone.ratio, "exponent": line.exponent,
        "low": line.exponent_low, "high": line.exponent_high, "r2": line.r2, "rate": float(run.rates[0]),
        "g_e": tone.excitation, "g_i": tone.inhibition, "eeg_exponent": scalp.exponent,
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


def _pulsed(name: str, slow: bool, plan: Plan, progress: Progress) -> "xr.Dataset":
    """Answers to a weak volley just before, or to a strong one long before, the test volley."""
    circuit = patch()
    if BLOCKED[name]:
        circuit = WeightBlock(source="I", target="E", fraction=BLOCKED[name]).apply(circuit)
    intervals, first = (LONG, STRONG) if slow else (SHORT, WEAK)
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
    last = LONG[-1] / ms
    return [
        Claim("The aperiodic slope is steeper the more of the conductance is inhibition", "Gao et al. 2017",
              f"Poisson spikes, closed form: exponent at 40 Hz {float(data['theory'][0]):.2f} at g_I/g_E = 1, "
              f"{float(data['theory'][-1]):.2f} at 8", bool((np.diff(data["theory"].values) > 0).all())),
        Claim("So it is in the simulated patch", "derived",
              f"exponent 30 to 50 Hz {exponent[0]:.2f} -> {exponent[-1]:.2f} as g_I/g_E grows {ratio[0]:.1f} -> "
              f"{ratio[-1]:.1f}; Poisson and independent {float(data['poisson'][0]):.2f} -> "
              f"{float(data['poisson'][-1]):.2f}", bool(exponent[-1] > exponent[0])),
        Claim("The slope of a patch is that of independent Poisson spikes, within 0.3", "derived",
              f"largest difference {np.abs(exponent - data['poisson'].values).max():.2f}",
              bool(np.abs(exponent - data["poisson"].values).max() < 0.3), expected=False),
        Claim("Total conductance tells of inhibition, not of activity", "derived",
              f"g_I/g_E {ratio[0]:.1f} -> {ratio[-1]:.1f} while E fires at {rates[0]:.2f} -> {rates[-1]:.2f} Hz",
              bool((np.diff(ratio) > 0).all() and rates[-1] < rates[0])),
        Claim("A weak volley inhibits a test volley milliseconds later, by GABA_A", "paired pulses",
              f"least ratio {short[0].min():.2f}, with half of GABA_A {short[1].min():.2f}",
              bool(short[0].min() < 0.8 and short[1].min() > short[0].min())),
        Claim("A strong volley inhibits for some 100 ms, by GABA_B", "paired pulses",
              f"ratio {long[0][0]:.2f} after {LONG[0] / ms:.0f} ms, {long[0][1]:.2f} after {LONG[1] / ms:.0f} ms, "
              f"{long[0][-1]:.2f} after {last:.0f} ms", bool(long[0][1] < 0.5 < long[0][-1])),
    ]  # fmt: skip


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw(canvas: "Canvas", data: "xr.Dataset") -> None:
    """Spectra, exponents over the ratio, and paired pulses at short and long intervals."""
    spectra, slopes, short, long = panels(canvas, "LFP proxy", "Aperiodic slope", "Short intervals", "Long intervals")
    for row, shade in zip(data["spectrum"], np.linspace(0.3, 1.0, data.sizes["factor"]), strict=True):
        ratio = float(data["ratio"].sel(factor=float(row["factor"])))
        power = row / row.sel(frequency=slice(2, 10)).mean()
        spectra.loglog(data["frequency"], power, color=plotting.INHIBITION, alpha=shade, label=f"{ratio:.1f}")
    spectra.axvspan(30, 50, color=plotting.GRID, zorder=0)
    spectra.set(xlabel="frequency (Hz)", ylabel="relative power", xlim=(2, 200))
    spectra.legend(title="$g_I/g_E$", loc="lower left")
    slopes.plot(data["theory_ratio"], data["theory"], color=plotting.QUIET, label="Gao et al., closed form")
    slopes.plot(data["ratio"], data["poisson"], "--", color=plotting.INK, label="patch, independent")
    error = np.abs(data["exponent"].values - np.array([data["low"].values, data["high"].values]))
    slopes.errorbar(
        data["ratio"], data["exponent"], error, fmt="o", color=plotting.INHIBITION, label="patch, simulated"
    )
    slopes.set(xlabel="$g_I/g_E$", ylabel="exponent, 30-50 Hz")
    slopes.legend()
    for ax, kind in ((short, "short"), (long, "long")):
        for block, mark in zip(data["block"].values, ("o-", "s--"), strict=True):
            row = data.sel(block=block)
            x = row[f"{kind}_interval"] / ms
            ax.errorbar(x, row[kind], row[f"{kind}_error"], fmt=mark, ms=4, color=plotting.INK, label=str(block))
        ax.axhline(1.0, color=plotting.GRID, zorder=0)
        ax.set(xlabel="interval (ms)", ylabel="test, conditioned/alone", ylim=(0, None))
    short.legend()
