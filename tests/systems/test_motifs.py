"""Feedforward and feedback inhibition against circuits whose windows, rhythms and weights are known exactly."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import equipoise as eq
from equipoise import motifs
from equipoise.motifs import Endocannabinoids, FeedbackInhibition, FeedforwardInhibition, Volley
from equipoise.motifs.rhythm import peak
from equipoise.spiking.functions import SensedByNeurons
from equipoise.units import Hz, kHz, ms, nS, second

SHARP = {
    "principal": eq.LIF(tau_m=10 * ms, tau_ref=2 * ms),
    "interneuron": eq.LIF(tau_m=10 * ms, tau_ref=1 * ms),
    "excitation": eq.DeltaSynapse(),
    "inhibition": eq.DeltaSynapse(),
    "volley": 0.7, "recruitment": 1.5, "afferents": 1, "excitatory": 0.0, "inhibitory": 0.0, "size": 60,
    "interneurons": 30,
}  # fmt: skip
"""Cells whose potentials jump, without noise: each answers in the same way."""


# --- windows ----------------------------------------------------------------------------------------------------------
def test_without_inhibition_the_window_is_that_of_the_leak():
    exact = 2 * 10 * ms * np.log(0.7 / 0.3)  # a e^{-lag/tau} + a = 1
    lags = exact / 2 + np.array([-2.0, -0.1, 0.1, 2.0]) * ms
    data = motifs.window(FeedforwardInhibition(strength=0.0, **SHARP), lags, seed=1, dispersion=0.0)
    assert data["probability"].values.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert float(data["window"]) == pytest.approx(exact, abs=0.2 * ms)


@pytest.mark.parametrize("delay", [2 * ms, 5 * ms])
def test_strong_inhibition_closes_the_window_after_its_delay(delay):
    lags = delay + np.array([-1.0, -0.2, 0.2, 4.0]) * ms
    motif = FeedforwardInhibition(strength=1.0, delay=delay, **SHARP)
    data = motifs.window(motif, lags, seed=1, dispersion=0.0)
    assert data["probability"].values.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert float(data["window"]) == pytest.approx(2 * delay, abs=0.4 * ms)
    assert (data["interneuron_spikes"] >= 1).all()


def test_the_latency_is_the_lag_of_the_second_volley_and_nobody_jitters():
    lags = np.array([1.0, 3.0]) * ms
    data = motifs.window(FeedforwardInhibition(strength=0.0, **SHARP), lags, seed=1, dispersion=0.0)
    assert data["latency"].values == pytest.approx(lags, abs=1e-9)
    assert data["jitter"].values == pytest.approx([0.0, 0.0], abs=1e-12)


def test_windows_that_never_open_or_never_close():
    weak = FeedforwardInhibition(strength=0.0, **{**SHARP, "volley": 0.4})
    strong = FeedforwardInhibition(strength=0.0, **{**SHARP, "volley": 1.2})
    widths = [float(motifs.window(m, [0.0, 4 * ms], seed=1, dispersion=0.0)["window"]) for m in (weak, strong)]
    assert widths == [0.0, np.inf]


def test_conductances_narrow_the_window_and_sharpen_timing():
    lags = np.array([0, 2, 4, 8, 16, 24, 32]) * ms
    on, off = (motifs.window(FeedforwardInhibition(strength=g), lags, seed=3) for g in (40 * nS, 0.0))
    assert 2 * ms < float(on["window"]) < 10 * ms < 30 * ms < float(off["window"])
    near = [motifs.gain(FeedforwardInhibition(strength=g), [x], seed=3) for g, x in ((40 * nS, 1.5), (0.0, 1.25))]
    assert all(0.2 < float(one["probability"][0]) < 0.8 for one in near)
    jitter, error = (np.array([float(one[k][0]) for one in near]) for k in ("jitter", "jitter_se"))
    assert jitter[0] + 5 * error[0] < jitter[1] - 5 * error[1]


def test_dispersed_volleys_are_stopped():
    at = np.array([0.5, 4.0]) * ms
    on, off = (motifs.jitter(FeedforwardInhibition(strength=g), at, size=2.5, seed=2) for g in (40 * nS, 0.0))
    assert (on["probability"].values[0], off["probability"].values.min()) == (1.0, 1.0)
    assert on["probability"].values[1] < 0.05


# --- rhythms ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("delay", "taus", "frequency", "gain"),
    [
        (5 * ms, [], 100.0, 1.0),
        (0.0, [10 * ms] * 3, np.sqrt(3) / (2 * np.pi * 10 * ms), 8.0),
        (0.0, [5 * ms] * 4, 1 / (2 * np.pi * 5 * ms), 4.0),
        (0.0, [5 * ms, 10 * ms], np.inf, np.inf),
        (50 * ms, [0.1 * ms], 1 / (2 * 50.1 * ms), 1.0),
    ],
)
def test_onsets_in_closed_form(delay, taus, frequency, gain):
    onset = motifs.loop_onset(delay=delay, time_constants=taus)
    assert onset.frequency == pytest.approx(frequency, rel=1e-5)
    assert onset.gain == pytest.approx(gain, rel=1e-4)


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_a_delayed_loop_grows_beyond_the_onset_and_oscillates_at_its_frequency(factor):
    D, taus = 3 * ms, np.array([4 * ms, 6 * ms])
    onset = motifs.loop_onset(delay=D, time_constants=taus)
    h, n = 0.02 * ms, 15_000
    x, back = np.zeros((n, 2)), round(D / h)
    x[0] = 1.0
    for k in range(n - 1):  # the heard value is old, so that Euler's step is all there is to it
        heard = -factor * onset.gain * x[k - back, 1] if k >= back else 0.0
        x[k + 1] = x[k] + h / taus * (np.array([heard, x[k, 0]]) - x[k])
    y = x[:, 1]
    early, late = np.abs(y[n // 3 : 2 * n // 3]).max(), np.abs(y[2 * n // 3 :]).max()
    assert (late > early) == (factor > 1)
    rises = np.flatnonzero((y[n // 3 : -1] < 0) & (y[n // 3 + 1 :] >= 0))
    assert 1 / (np.diff(rises).mean() * h) == pytest.approx(onset.frequency, rel=0.02)


@pytest.mark.parametrize("frequency", [12.0, 33.0, 80.0])
def test_rhythms_are_found_at_their_period_not_at_a_harmonic(frequency):
    rng, t = np.random.default_rng(1), np.arange(2000) * 0.5 * ms
    pulses = np.exp(20 * (np.cos(2 * np.pi * frequency * t) - 1))
    found, coherence = peak(rng.poisson(40 * pulses), 0.5 * ms)
    assert found == pytest.approx(frequency, rel=0.01)
    assert coherence > 0.8


def test_noise_and_silence_have_no_rhythm():
    noise = np.random.default_rng(2).poisson(5.0, 4000)
    assert peak(noise, 0.5 * ms)[1] < 5 / np.sqrt(4000 - 400)  # five standard deviations
    assert np.isnan(peak(np.zeros(1000), 0.5 * ms)[0])


def test_feedback_oscillates_between_the_onsets_and_slower_with_delay():
    motif = FeedbackInhibition(recruitment=60 * nS, strength=150 * nS)
    fast, slow = (motifs.rhythm(replace(motif, delay=d), drive=4 * kHz, seed=1) for d in (1 * ms, 6 * ms))
    for one in (fast, slow):
        assert float(one["membranes"]) < float(one["frequency"]) < float(one["synapses"])
        assert float(one["coherence"]) > 0.5
    assert float(slow["frequency"]) < float(fast["frequency"])


# --- endocannabinoids -------------------------------------------------------------------------------------------------
RULE = Endocannabinoids(source="B", target="E")


def sensed(calcium):
    calcium = np.atleast_1d(np.asarray(calcium, dtype=float))
    return SensedByNeurons(np.zeros_like(calcium), calcium, calcium**2)


def test_their_concentration_is_the_solution_of_its_equation():
    def slope(_, e):
        return -e / RULE.tau + RULE.production * max(7.5 - RULE.threshold, 0.0)

    exact = solve_ivp(slope, (0, 8), [0.3], rtol=1e-10, atol=1e-12).y[0, -1]
    assert RULE.after(np.array(0.3), np.array(7.5), 8 * second) == pytest.approx(exact, rel=1e-8)
    assert RULE.after(np.array(0.3), np.array(1.0), 20 * second) == pytest.approx(0.3 / np.e)


def test_weights_follow_the_concentration_and_come_back():
    state = {"J_EB": np.full(3, 2.0), "J_EF": np.full(3, 1.0)}
    for calcium in [[1.0, 6.0, 9.0]] * 20 + [[1.0, 1.0, 1.0]] * 400:
        state |= RULE(state, sensed(calcium), 0.1 if max(calcium) > 1.0 else 1.0)
        assert state["J_EB"] == pytest.approx(2.0 * RULE.left(state["endocannabinoids"]), rel=1e-9)
    assert state["J_EB"] == pytest.approx(2.0, rel=1e-6)
    assert set(RULE(state, sensed([1.0] * 3), 0.1)) == {"J_EB", "endocannabinoids"}


def test_full_suppression_leaves_something_to_come_back_from():
    rule = Endocannabinoids(source="B", target="E", depth=1.0)
    high = rule({"J_EB": np.array([1.0])}, sensed([1e9]), 10.0)
    low = rule({**high}, sensed([0.0]), 2000.0)
    assert 0.0 < high["J_EB"][0] < 1e-6
    assert low["J_EB"][0] == pytest.approx(1.0, rel=1e-3)


def test_the_feedforward_branch_is_spared():
    few = motifs.Depolarisation(start=1 * second, length=1 * second)
    data = motifs.disinhibition(RULE, seed=1, duration=5 * second, depolarisation=few)
    time = data["time"].values
    assert (data["feedforward"] == 1.0).all()
    assert (data["feedback"].values[time < 1.0] == 1.0).all()
    assert data["feedback"].values[-1] < 0.7
    before, after = (time > 0.5) & (time <= 1.0), time > 3.5
    assert data["rate"].values[after].mean() > 1.1 * data["rate"].values[before].mean()


def test_a_rule_for_weights_that_are_not_there():
    with pytest.raises(ValueError, match="Endocannabinoids: 'E' has no weights 'J_EB'; it has J_EI"):
        RULE({"J_EI": np.ones(1)}, sensed([1.0]), 0.1)


# --- maps and circuits ------------------------------------------------------------------------------------------------
def test_a_map_of_feedforward_inhibition():
    motif = FeedforwardInhibition(recurrence=55 * nS)
    data = motifs.regimes(motif, strength=[0.0, 160 * nS], delay=[0.5 * ms, 1.5 * ms, 16 * ms], seed=1)
    assert data["regime"].values.tolist() == [["runaway"] * 3, ["silent", "precise", "runaway"]]
    assert data["regime"].dims == ("strength", "delay")


def test_a_map_of_feedback_inhibition():
    motif = FeedbackInhibition(recurrence=40 * nS, recruitment=60 * nS)
    data = motifs.regimes(motif, strength=[0.0, 150 * nS], delay=[1.5 * ms, 16 * ms], seed=1)
    assert data["regime"].values.tolist() == [["runaway"] * 2, ["rhythm", "bursts"]]
    silent = motifs.regimes(motif, strength=[40 * nS], delay=[1.5 * ms], seed=1, drive=100 * Hz)
    assert silent["regime"].item() == "silent"


def test_who_excites_the_interneurons_tells_the_motifs_apart():
    volleys = [eq.Volleys("X", times=[0.1])]
    pairs = [
        {(p.source, p.target) for p in kind(recurrence=1 * nS).circuit(volleys).projections}
        for kind in (FeedforwardInhibition, FeedbackInhibition)
    ]
    assert pairs[0] - pairs[1] == {("X", "I")}
    assert pairs[1] - pairs[0] == {("E", "I")}


def test_circuits_hold_the_weights_that_were_asked_for():
    motif = FeedbackInhibition(strength=50 * nS, recruitment=30 * nS, recurrence=10 * nS)
    circuit = motif.circuit([eq.Volleys("X", times=[0.1])], sizes=[1.5])
    totals = {str(p): p.weight * p.connectivity.mean(np.inf) / nS for p in circuit.projections}
    wanted = {"X -> E": 1.5 * 23, "E -> E": 10.0, "E -> I": 30.0, "I -> E": 50.0}
    assert {k: totals[k] for k in wanted} == pytest.approx(wanted)
    assert circuit.sign_of(circuit.projection("I", "E")) == -1.0
    assert eq.Circuit.from_toml(circuit.to_toml()) == circuit
    free = replace(motif, strength=0.0).circuit()
    assert ("I", "E") not in {(p.source, p.target) for p in free.projections}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FeedforwardInhibition(delay=2), r"FeedforwardInhibition.delay .*Did you mean delay=2 \* ms\?"),
        (lambda: FeedbackInhibition(size=0), "FeedbackInhibition.size must be a whole number of at least 1, got 0"),
        (lambda: FeedbackInhibition(contacts=100), "contacts must be fewer than the 100 cells"),
        (lambda: motifs.window(FeedforwardInhibition(), [-1 * ms], seed=1), "window: lags must be finite and at least"),
        (lambda: motifs.responses(FeedforwardInhibition(), [], seed=1), "trials must hold at least one trial"),
        (
            lambda: motifs.responses(FeedforwardInhibition(), [[Volley(lag=70 * ms)]], seed=1, apart=100 * ms),
            r"trials\[0\] has a volley 70 ms after its beginning, .* lags must be at most 60 ms. Take apart=270 \* ms",
        ),
        (
            lambda: motifs.window(FeedforwardInhibition(), [20 * ms, 30 * ms], seed=1),
            "window: lags must begin inside of the window, got 20 ms, at which fewer than half of the cells fire",
        ),
        (
            lambda: motifs.regimes(FeedforwardInhibition(), strength=[], delay=[1 * ms], seed=1),
            r"regimes: strength must be a list of at least one number, got \[\]",
        ),
        (lambda: motifs.jitter(FeedforwardInhibition(), [50 * ms], seed=1), r"Volley.dispersion .* \[0, 20\] ms"),
        (lambda: motifs.loop_onset(delay=5), r"loop_onset.delay .* Did you mean delay=5 \* ms\?"),
        (lambda: motifs.rhythm(FeedbackInhibition(), drive=-1.0, seed=1), "rhythm.drive"),
        (lambda: Endocannabinoids(source="B", target="E", depth=2.0), "Endocannabinoids.depth"),
        (
            lambda: motifs.disinhibition(RULE, seed=1, duration=2 * second),
            r"depolarisation must end before duration=2 s, got 7 s. Take duration=37 \* second",
        ),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: motifs.rhythm(FeedforwardInhibition(), drive=1 * kHz, seed=1), "must be an eq.motifs.FeedbackInhib"),
        (lambda: FeedbackInhibition(principal=eq.PIF()), "FeedbackInhibition.principal must be an eq.LIF, EIF or Cond"),
        (lambda: motifs.responses(3, [(Volley(),)], seed=1), "motif must be an eq.motifs.FeedforwardInhibition"),
        (
            lambda: motifs.responses(FeedforwardInhibition(), [Volley()], seed=1),
            r"trials\[0\] must be a list of eq.mot",
        ),
        (
            lambda: motifs.disinhibition(Endocannabinoids(source="Q", target="E"), seed=1),
            "disinhibition: rule must be an eq.motifs.Endocannabinoids",
        ),
        (lambda: motifs.disinhibition(RULE, seed=1, depolarisation=5.0), "depolarisation must be an eq.motifs.Depol"),
        (lambda: motifs.regimes("E", strength=[1], delay=[1 * ms], seed=1), "regimes: motif must be"),
    ],
)
def test_bad_objects(call, message):
    with pytest.raises(TypeError, match=message):
        call()
