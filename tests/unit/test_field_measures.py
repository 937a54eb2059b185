"""Proxies of fields, the closed forms of their spectra, synchrony and bursts: exact cases, and what is refused."""

import numpy as np
import pytest

import equipoise as eq
from equipoise.units import Hz, ms, mV, nS

M = eq.measures
DT, FS = 1 * ms, 1000 * Hz


def test_excitation_counts_six_milliseconds_later():
    e, i = -np.arange(20.0), 2.0 * np.arange(20.0)
    field = M.lfp(e, i, sampling_rate=FS)
    np.testing.assert_allclose(field.values[0], np.arange(14.0) + 1.65 * 2.0 * np.arange(6.0, 20.0))
    assert field.t_start == pytest.approx(6 * ms)
    plain = M.lfp(e, i, sampling_rate=FS, delay=0.0, weight=1.0)
    np.testing.assert_allclose(plain.values[0], 3.0 * np.arange(20.0))
    assert M.lfp(np.ones((20, 3)), np.ones((20, 3)), sampling_rate=FS).values.shape == (3, 14)


def test_the_low_pass_of_the_eeg_has_the_gain_of_its_order():
    """|H| = a/|1 - (1 - a) e^{-i w dt}| with 1 - a = e^{-2 pi cutoff dt}: half the power at the cut-off."""
    dt, f = 0.05 * ms, 100 * Hz
    t = np.arange(8_000) * dt
    passed = M.eeg(3.0 + np.sin(2 * np.pi * f * t), sampling_rate=1 / dt, cutoff=f).values[0, 4_000:]
    assert passed.mean() == pytest.approx(3.0, abs=1e-3)
    assert 2.0 * passed.var() == pytest.approx(0.5, rel=0.02)


def trains(counts, width):
    """Spikes evenly within each bin, from counts (unit, bin)."""
    times, units = [], []
    for unit, row in enumerate(counts):
        for k, n in enumerate(row):
            times += list((k + (np.arange(n) + 0.5) / max(n, 1)) * width)
            units += [unit] * n
    order = np.argsort(times, kind="stable")
    return eq.SpikeTrains(np.array(times)[order], np.array(units)[order], len(counts), 0.0, len(counts[0]) * width)


def test_synchrony_is_the_ratio_of_variances():
    counts = np.random.default_rng(3).poisson(0.3, (40, 500))
    width = 5 * ms
    expected = counts.mean(axis=0).var() / counts.var(axis=1).mean()
    assert float(M.synchrony(trains(counts, width))) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(1 / 40, rel=0.3)
    assert float(M.synchrony(trains(np.tile(counts[0], (40, 1)), width))) == pytest.approx(1.0, rel=1e-12)
    silent = M.synchrony(eq.SpikeTrains(np.array([]), np.array([], int), 3, 0.0, 1.0))
    assert np.isnan(silent)
    assert silent.status == "INSUFFICIENT_DATA"


def test_bursts_are_joined_across_short_gaps():
    rate = np.zeros(1000)
    rate[100:110], rate[130:140], rate[500:520], rate[999] = 80.0, 100.0, 200.0, 60.0
    rate[300] = 20.0
    found = M.bursts(rate, dt=DT)
    np.testing.assert_allclose(found["start"], [0.1, 0.5, 0.999])
    np.testing.assert_allclose(found["duration"], [0.04, 0.02, 0.001])
    np.testing.assert_allclose(found["peak"], [100.0, 200.0, 60.0])
    np.testing.assert_allclose(found["spikes"], [1.8, 4.0, 0.06])
    assert found.attrs["rate"] == pytest.approx(3.0)
    assert found.attrs["share"] == pytest.approx(5.86 / 5.88)
    assert M.bursts(rate, dt=DT, gap=0.0).sizes["burst"] == 4
    quiet = M.bursts(np.zeros(10), dt=DT)
    assert quiet.sizes["burst"] == 0
    assert quiet.attrs == {"rate": 0.0, "share": 0.0}


def test_tone_is_the_ratio_of_means():
    tone = M.tone([1 * nS, 3 * nS], [4 * nS, 12 * nS])
    assert tone.ratio == pytest.approx(4.0)
    assert str(tone) == "g_E 2 nS, g_I 8 nS, g_I/g_E 4"
    assert np.isnan(M.tone([0.0], [1 * nS]).ratio)


# --- closed forms -----------------------------------------------------------------------------------------------------
SHOTS = [
    eq.ShotConductance(receptor, weight=0.5 * nS, inputs=eq.PoissonInputs(K=100, rate=5 * Hz))
    for receptor in (
        eq.AMPA,
        eq.AlphaConductance(3 * ms, reversal=0.0),
        eq.DoubleExponentialConductance(tau_rise=1 * ms, tau_decay=6 * ms, reversal=-75 * mV),
    )
]


def _overlap(kernel, wave, f):
    from scipy.integrate import quad

    return quad(lambda t: wave(2 * np.pi * f * t) * float(kernel(t)), 0.0, 0.2, limit=400)[0]


@pytest.mark.parametrize("shot", SHOTS)
def test_the_spectrum_is_that_of_the_kernel_and_holds_the_variance(shot):
    """2 g^2 K lambda |FT k|^2 by quadrature, and its integral over frequency against Campbell's variance."""
    from scipy.integrate import quad

    for f in (0.0, 20.0, 150.0):
        even, odd = (_overlap(shot.receptor.kernel, wave, f) for wave in (np.cos, np.sin))
        expected = 2.0 * shot.weight**2 * shot.inputs.total_rate * (even**2 + odd**2)
        assert eq.theory.conductance_spectrum(f, shot) == pytest.approx(expected, rel=1e-6)
    variance = quad(lambda f: float(eq.theory.conductance_spectrum(f, shot)) / shot.sd**2, 0.0, np.inf, limit=400)[0]
    assert variance == pytest.approx(1.0, rel=1e-6)


def test_the_exponent_is_the_slope_of_the_spectrum():
    f, h = np.array([3.0, 30.0, 300.0]), 1e-5
    up, down = (eq.theory.field_spectrum(f * np.exp(s * h), SHOTS)[0] for s in (1, -1))
    np.testing.assert_allclose(eq.theory.field_spectrum(f, SHOTS)[1], -np.log(up / down) / (2 * h), rtol=1e-7)
    assert eq.theory.field_spectrum(1e6, SHOTS[:1])[1] == pytest.approx(2.0, abs=1e-6)


def test_more_inhibition_is_steeper():
    """Gao, Peterson & Voytek 2017, Fig. 1: where the excitatory spectrum is still flat."""
    fast, slow = (eq.ConductanceSynapse(t, reversal=e) for t, e in ((2 * ms, 0.0), (10 * ms, -80 * mV)))
    inputs = eq.PoissonInputs(K=1000, rate=5 * Hz)
    e = eq.ShotConductance(fast, weight=1 * nS, inputs=inputs)
    found = [
        float(eq.theory.field_spectrum(40 * Hz, [e, eq.ShotConductance(slow, weight=w * nS, inputs=inputs)])[1])
        for w in (0.2, 0.5, 1.0, 2.0)
    ]
    assert found == sorted(found)
    assert found[-1] - found[0] > 0.3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: M.lfp([1.0, 2.0], [1.0], sampling_rate=FS), ValueError, r"one shape .* got \(2,\) and \(1,\)"),
        (lambda: M.lfp(np.ones(5), np.ones(5), sampling_rate=FS), ValueError, r"longer than delay=6 ms, got 5 samples"),
        (lambda: M.lfp(np.ones(5), np.ones(5), sampling_rate=250 * Hz), ValueError, r"a multiple of dt=4 ms"),
        (lambda: M.eeg(np.ones((5, 2, 2)), sampling_rate=FS), ValueError, r"must be \(time,\) or \(channels, time\)"),
        (lambda: M.synchrony(trains([[1, 0]], 5 * ms), width=6 * ms), ValueError, r"20 bins of 6 ms or more"),
        (lambda: M.bursts([[1.0]], dt=DT), ValueError, r"rate must be 1-D over time, got shape \(1, 1\)"),
        (lambda: M.bursts([1.0], dt=DT, threshold=0.0), ValueError, r"threshold .* must be above 0 Hz"),
        (lambda: M.tone([-1.0], [1.0]), ValueError, r"g_excitatory must be finite and at least 0, got -1"),
        (lambda: eq.theory.conductance_spectrum(1.0, eq.AMPA), TypeError, r"must be an eq.ShotConductance"),
        (lambda: eq.theory.field_spectrum(1.0, []), ValueError, r"one eq.ShotConductance\(...\) or more, got none"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
