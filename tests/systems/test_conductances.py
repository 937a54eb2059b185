"""Conductances of a membrane: exact integrals, linear systems, published numbers, simulations."""

import mpmath as mp
import numpy as np
import pytest
from conductance_cells import Noise, membrane_step, spikes
from scipy.integrate import quad, solve_ivp
from scipy.linalg import solve_continuous_lyapunov

import equipoise as eq
from equipoise.units import Hz, mM, ms, mV, nS, pF

CELL = eq.ConductanceLIF(
    capacitance=200 * pF, g_leak=10 * nS, v_leak=-65 * mV, v_threshold=-50 * mV, v_reset=-60 * mV, tau_ref=2 * ms
)
SLOW = eq.DoubleExponentialConductance(tau_rise=2 * ms, tau_decay=9 * ms, reversal=-80 * mV)
RECEPTORS = [eq.AMPA, eq.NMDA, eq.GABA_B, eq.AlphaConductance(3 * ms, reversal=0.0), SLOW]


def shots(tau, reversal, mean, weight):
    """Exponential shot noise of this mean."""
    receptor = eq.ConductanceSynapse(tau, reversal=reversal)
    inputs = eq.PoissonInputs(K=mean / (weight * tau * 10), rate=10 * Hz)
    return eq.ShotConductance(receptor, weight=weight, inputs=inputs)


def pair(g_e, g_i, tau_e, tau_i, w_e=2 * nS, w_i=4 * nS):
    return [shots(tau_e, 0.0, g_e, w_e), shots(tau_i, -75 * mV, g_i, w_i)]


def point(mean, sd, tau, reversal):
    return eq.PointConductance(mean=mean, sd=sd, tau=tau, reversal=reversal)


# --- kernels ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("receptor", RECEPTORS, ids=lambda r: type(r).__name__)
def test_integrals_of_the_kernels(receptor):
    end, unit = 60 * receptor.covariance_time, receptor.covariance_time

    def integral(f):
        return quad(f, 0.0, end, points=[unit, 4 * unit, 12 * unit], epsabs=1e-16, epsrel=1e-11, limit=400)[0]

    assert receptor.area == pytest.approx(integral(receptor.kernel), rel=1e-9)
    assert receptor.square_area == pytest.approx(integral(lambda t: receptor.kernel(t) ** 2), rel=1e-9)
    assert receptor.kernel(np.linspace(0, end, 400001)).max() == pytest.approx(1.0, abs=1e-7)
    assert receptor.kernel(-1 * ms) == 0.0


@pytest.mark.parametrize("receptor", RECEPTORS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("tau", [1 * ms, 20 * ms])
def test_what_a_low_pass_leaves_of_the_variance(receptor, tau):
    """The variance of the filtered kernel is int (k * h)^2, beside int k^2: by a fine grid."""
    dt = min(tau, 1 * ms) / 50
    t = np.arange(0, 25 * (receptor.covariance_time + tau), dt)
    decay, k = np.exp(-dt / tau), receptor.kernel(t)
    from scipy.signal import lfilter

    # y' = (k - y)/tau with k linear in each step
    mean = 1.0 - tau / dt * (1.0 - decay)
    filtered = lfilter([mean, 1.0 - decay - mean], [1.0, -decay], np.r_[k[:1] * 0, k][1:])
    assert receptor.passed(tau) == pytest.approx((filtered**2).sum() * dt / receptor.square_area, rel=2e-2)


@pytest.mark.parametrize("receptor", [eq.AlphaConductance(3 * ms, reversal=0.0), SLOW], ids=["alpha", "double"])
def test_campbell_against_poisson_spikes(receptor):
    """Mean, variance and covariance time of sampled shot noise within 4 standard errors (false alarm 2e-4)."""
    conductance = eq.ShotConductance(receptor, weight=2 * nS, inputs=eq.PoissonInputs(K=50, rate=8 * Hz))
    rng, dt, n, blocks = np.random.default_rng(3), 0.1 * ms, 2**15, 80
    counts = rng.poisson(conductance.inputs.total_rate * dt, (blocks, n))
    kernel = 2 * nS * receptor.kernel((np.arange(n) + 0.5) * dt)
    g = np.fft.irfft(np.fft.rfft(counts) * np.fft.rfft(kernel))  # circular: stationary from the start
    for measured, theory in ((g.mean(1), conductance.mean), (((g - g.mean()) ** 2).mean(1), conductance.sd**2)):
        assert measured.mean() == pytest.approx(theory, abs=4 * measured.std() / np.sqrt(blocks))
    power = (np.abs(np.fft.rfft(g - g.mean())) ** 2)[:, 1:6].mean(1) * dt / n  # near frequency 0
    expected = 2.0 * conductance.sd**2 * conductance.covariance_time
    assert power.mean() == pytest.approx(expected, abs=4 * power.std() / np.sqrt(blocks) + 1e-2 * expected)


# --- the tug-of-war ---------------------------------------------------------------------------------------------------
def test_four_times_as_much_inhibition():
    assert eq.balance_ratio(-60 * mV) == pytest.approx(4.0, rel=1e-12)
    cell = eq.ConductanceLIF(v_leak=-60 * mV)
    for factor in (1.0, 1.25):  # co-scaling keeps the balance
        drawn = [eq.SteadyConductance(20 * factor * nS, eq.AMPA), eq.SteadyConductance(80 * factor * nS, eq.GABA_A)]
        leak, e, i = eq.currents(cell, drawn, -60 * mV)
        assert leak == 0.0
        assert e + i == pytest.approx(0.0, abs=1e-12 * e)
    uneven = [eq.SteadyConductance(25 * nS, eq.AMPA), eq.SteadyConductance(80 * nS, eq.GABA_A)]
    assert eq.currents(cell, uneven, -60 * mV).sum() > 0.0


def test_the_example_of_the_effective_time_constant():
    """Leak, E, I of 10, 20, 80 nS and 200 pF with reversals -65, 0, -75 mV."""
    at = eq.membrane(CELL, [eq.SteadyConductance(20 * nS, eq.AMPA), eq.SteadyConductance(80 * nS, eq.GABA_A)])
    assert at.tau == pytest.approx(200 / 110 * ms, rel=1e-12)
    assert at.v == pytest.approx(-(650 + 6000) / 110 * mV, rel=1e-12)
    assert f"{at.tau / ms:.3f} {at.v / mV:.2f}" == "1.818 -60.45"
    four = eq.membrane(CELL, [eq.SteadyConductance(8 * nS, eq.AMPA), eq.SteadyConductance(32 * nS, eq.GABA_A)])
    assert four.tau == pytest.approx(4 * ms, rel=1e-12)
    assert CELL.tau_m == pytest.approx(20 * ms, rel=1e-12)


def test_the_state_in_vivo():
    """Destexhe et al. 2001: total conductance about five times the leak, near -65 mV."""
    pyramidal = eq.ConductanceLIF(capacitance=346 * pF, g_leak=15.7 * nS, v_leak=-80 * mV)
    at = eq.membrane(pyramidal, eq.IN_VIVO)
    assert at.g_total / pyramidal.g_leak == pytest.approx(5.42, abs=0.01)
    assert at.v == pytest.approx(-65 * mV, abs=0.5 * mV)


def test_the_free_potential_of_gaussian_conductances():
    """Linear system of potential and conductances: its covariance by the Lyapunov equation."""
    given = [point(12 * nS, 3 * nS, 2.7 * ms, 0.0), point(57 * nS, 6 * nS, 10 * ms, -75 * mV)]
    at, n = eq.membrane(CELL, given, drive=0.2), 3
    A, D = np.zeros((n, n)), np.zeros((n, n))
    A[0, 0] = -1.0 / at.tau
    for k, x in enumerate(given, start=1):
        A[0, k], A[k, k] = (x.reversal - at.v) / CELL.capacitance, -1.0 / x.tau
        D[k, k] = 2.0 * x.sd**2 / x.tau
    assert at.sd**2 == pytest.approx(solve_continuous_lyapunov(A, -D)[0, 0], rel=1e-9)


def test_point_conductance_of_shot_noise():
    given = shots(5 * ms, 0.0, 10 * nS, 1 * nS)
    process = eq.PointConductance.of(given)
    assert process.mean == pytest.approx(10 * nS, rel=1e-12)
    assert process.sd == pytest.approx(np.sqrt(10 / 2) * nS, rel=1e-12)  # g sqrt(rate tau/2) with rate tau = 10
    assert process.tau == 5 * ms
    a, b = eq.membrane(CELL, [given]), eq.membrane(CELL, [process])
    assert (a.v, a.tau) == (b.v, b.tau)
    assert a.sd == pytest.approx(b.sd, rel=1e-12)


# --- magnesium --------------------------------------------------------------------------------------------------------
def test_block_of_jahr_and_stevens():
    for v in (-80, -60, -20, 0, 40):
        exact = 1 / (1 + mp.mpf(1) / mp.mpf("3.57") * mp.exp(mp.mpf("-0.062") * v))
        assert float(eq.NMDA.open(v * mV)) == pytest.approx(float(exact), rel=1e-13)
        h = 1e-7
        slope = (eq.NMDA.open(v * mV + h) - eq.NMDA.open(v * mV - h)) / (2 * h)
        assert float(eq.NMDA.open_slope(v * mV)) == pytest.approx(float(slope), rel=1e-6)
    assert eq.NMDAConductance(magnesium=0 * mM).open(-70 * mV) == 1.0


def test_a_membrane_with_nmda_is_linear_around_its_zero():
    given = [eq.SteadyConductance(30 * nS, eq.NMDA), eq.SteadyConductance(15 * nS, eq.GABA_A)]
    at, h = eq.membrane(CELL, given), 1e-7
    assert eq.currents(CELL, given, at.v).sum() == pytest.approx(0.0, abs=1e-20)
    slope = (eq.currents(CELL, given, at.v + h).sum() - eq.currents(CELL, given, at.v - h).sum()) / (2 * h)
    assert at.g_total == pytest.approx(-slope, rel=1e-6)
    assert at.g_total < sum(g.mean for g in given) + CELL.g_leak


@pytest.mark.parametrize("leak", [-78 * mV, -48 * mV, -38 * mV])
def test_a_membrane_at_rest_is_found_wherever_it_rests(leak):
    """Also at a node of the grid on which zeros are looked for, where the current is 0 itself."""
    cell = eq.ConductanceLIF(v_leak=leak, v_reset=-90 * mV, v_threshold=10 * mV)
    assert eq.membrane(cell, [eq.SteadyConductance(0 * nS, eq.NMDA)]).v == pytest.approx(leak, abs=1e-12)


def test_too_much_nmda_is_bistable_and_said_so():
    cell = eq.ConductanceLIF(v_leak=-90 * mV, g_leak=10 * nS)
    given = [eq.SteadyConductance(160 * nS, eq.NMDA), eq.SteadyConductance(15 * nS, eq.GABA_B)]
    with pytest.raises(ValueError, match=r"bistable, the currents cancel at -\d.*, -\d.*, -\d.* mV"):
        eq.membrane(cell, given)


# --- the neuron in its place ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "dt", "cv_error"),
    [(pair(22 * nS, 45 * nS, 0.5 * ms, 0.5 * ms), 0.04 * ms, 0.04),
     (pair(8 * nS, 12 * nS, 0.2 * ms, 0.8 * ms), 0.05 * ms, 0.04)],
    ids=["alike", "different"],
)  # fmt: skip
def test_the_effective_neuron_fires_as_the_simulated_one(given, dt, cv_error):
    """Within 12 % of the rate, which the white-noise limit misses by far more."""
    lif, mu, sigma = at = eq.renewal.effective(CELL, given)
    assert at.status is eq.Status.OK
    rate, error, cv = spikes(CELL, given, n=400, duration=1.5, dt=dt, seed=5)
    assert eq.renewal.rate(lif, mu=mu, sigma=sigma) == pytest.approx(rate, rel=0.12, abs=3 * error)
    assert eq.renewal.cv(lif, mu=mu, sigma=sigma) == pytest.approx(cv, abs=cv_error)
    white = eq.renewal.effective(CELL, given, filtered=False)
    assert eq.renewal.rate(white.neuron, mu=white.mu, sigma=white.sigma) > 1.3 * rate


def test_slow_synapses_are_averaged_over():
    """5 and 10 ms beside 2.9 ms: the quasi-static rate within 6 %; the effective neuron says that it is far off."""
    given = pair(20 * nS, 40 * nS, 5 * ms, 10 * ms)
    slow, fast = eq.renewal.quasi_static_rate(CELL, given), eq.renewal.effective(CELL, given)
    rate, error, _ = spikes(CELL, given, n=800, duration=1.0, dt=0.1 * ms, seed=6)
    assert slow.rate == pytest.approx(rate, rel=0.06, abs=3 * error)
    assert slow.status is eq.Status.OK
    assert fast.status is eq.Status.APPROXIMATE
    assert "synapses of 7.82 ms are not fast beside the membrane's 2.86 ms" in fast.message
    assert eq.renewal.rate(fast.neuron, mu=fast.mu, sigma=fast.sigma) < 0.5 * rate


def test_fast_excitation_is_noise_beside_slow_inhibition():
    """0.5 and 10 ms beside 2.7 ms: within 6 %; neither of the two alone would be near."""
    given = pair(20 * nS, 45 * nS, 0.5 * ms, 10 * ms)
    found = eq.renewal.quasi_static_rate(CELL, given)
    rate, error, _ = spikes(CELL, given, n=500, duration=1.0, dt=0.05 * ms, seed=7)
    assert found.status is eq.Status.OK
    assert found.rate == pytest.approx(rate, rel=0.06, abs=3 * error)
    frozen = [given[0], eq.SteadyConductance(45 * nS, eq.GABA_A)]
    assert eq.renewal.quasi_static_rate(CELL, frozen).rate < 0.5 * rate


def test_all_fast_it_is_the_effective_neuron():
    given = pair(20 * nS, 45 * nS, 0.5 * ms, 0.8 * ms)
    lif, mu, sigma = eq.renewal.effective(CELL, given, drive=0.1)
    expected = eq.renewal.rate(lif, mu=mu, sigma=sigma)
    assert eq.renewal.quasi_static_rate(CELL, given, drive=0.1).rate == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            pair(20 * nS, 45 * nS, 2 * ms, 10 * ms),
            "synapses of 2 ms are neither slow nor fast beside the membrane's 2.67",
        ),
        (
            pair(16 * nS, 45 * nS, 1 * ms, 6 * ms, 1 * nS, 2 * nS),
            "spikes are rarer than one in 10 correlation times of 6 ms",
        ),
    ],
)
def test_where_the_average_over_slow_conductances_fails_is_named(given, words):
    found = eq.renewal.quasi_static_rate(CELL, given)
    assert found.status is eq.Status.APPROXIMATE
    assert words in str(found)


def test_the_limit_of_fast_synapses():
    """At constant noise the filtered neuron approaches the white one as the root of the synaptic time."""

    def rates(tau):
        given = [point(20 * nS, 10 * nS * np.sqrt(0.1 * ms / tau), tau, 0.0), eq.SteadyConductance(45 * nS, eq.GABA_A)]
        both = (eq.renewal.effective(CELL, given, filtered=f) for f in (True, False))
        return [eq.renewal.rate(x.neuron, mu=x.mu, sigma=x.sigma) for x in both]

    gaps = [np.subtract(*rates(tau)[::-1]) for tau in (1e-3 * ms, 0.25e-3 * ms)]
    assert gaps[0] / gaps[1] == pytest.approx(2.0, abs=0.05)


def test_without_fluctuations_it_is_a_clock():
    given, drive = [eq.SteadyConductance(15 * nS, eq.AMPA), eq.SteadyConductance(10 * nS, eq.GABA_A)], 0.6
    at = eq.renewal.effective(CELL, given, drive=drive)
    tau, v = 200 / 35 * ms, (-650 - 750) / 35 * mV + drive * 200 / 35 * ms
    exact = 1.0 / (2 * ms + tau * np.log((v + 60 * mV) / (v + 50 * mV)))
    assert v > CELL.v_threshold
    assert eq.renewal.rate(at.neuron, mu=at.mu, sigma=at.sigma) == pytest.approx(exact, rel=1e-10)
    assert eq.renewal.quasi_static_rate(CELL, given, drive=drive).rate == pytest.approx(exact, rel=1e-10)


def test_the_quasi_static_rate_is_a_double_integral():
    """Against 10^6 Gaussian draws of three conductances, within 4 standard errors."""
    given = [point(20 * nS, 4 * nS, 6 * ms, 0.0), point(10 * nS, 2 * nS, 9 * ms, -20 * mV),
             point(60 * nS, 9 * nS, 12 * ms, -75 * mV)]  # fmt: skip
    rng = np.random.default_rng(8)
    g = [x.mean + x.sd * rng.standard_normal(10**6) for x in given]
    total = CELL.g_leak + sum(g)
    v = (CELL.g_leak * CELL.v_leak + sum(a * x.reversal for a, x in zip(g, given, strict=True))) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        time = CELL.capacitance / total * np.log((v - CELL.v_reset) / (v - CELL.v_threshold))
    rates = np.where(v > CELL.v_threshold, 1.0 / (CELL.tau_ref + time), 0.0)
    found = eq.renewal.quasi_static_rate(CELL, given)
    assert found.rate == pytest.approx(rates.mean(), abs=4 * rates.std() / 1e3)
    assert rates.mean() > 5.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([point(30 * nS, 15 * nS, 0.2 * ms, 0.0)], "conductances fluctuate by 38 % of their sum"),
        (pair(8 * nS, 12 * nS, 1 * ms, 1 * ms, w_e=20 * nS), "one input moves the potential by 5.2 mV"),
    ],
)
def test_what_is_out_of_range_is_named(given, words):
    at = eq.renewal.effective(CELL, given)
    assert at.status is eq.Status.APPROXIMATE
    assert words in at.message
    assert words in str(at)


# --- coincidence detection --------------------------------------------------------------------------------------------
def background(factor):
    """Balanced at the leak potential: the mean stays where it is."""
    e = factor * 10 * nS / (1.0 + eq.balance_ratio(-65 * mV))
    i = factor * 10 * nS - e
    return [point(e, 0.05 * e, 5 * ms, 0.0), point(i, 0.03 * i, 10 * ms, -75 * mV)]


def answer(weight, times, g_total):
    """The potential after volleys at `times`, by an adaptive solver."""

    def rhs(t, v):
        g = sum(weight * np.exp(-(t - at) / (5 * ms)) for at in times if t >= at)
        return (g_total * (-65 * mV - v) - g * v) / CELL.capacitance

    v, trace = [-65 * mV], []
    for a, b in zip(times, [*times[1:], times[-1] + 60 * ms], strict=True):
        piece = solve_ivp(rhs, (a, b - 1e-12), v, rtol=1e-9, atol=1e-12, max_step=0.1 * ms)
        v = piece.y[:, -1]
        trace.append((piece.t, piece.y[0]))
    return [np.concatenate(part) for part in zip(*trace, strict=True)]


def test_volleys_by_an_adaptive_solver():
    x = eq.renewal.coincidence(CELL, background(4.0))
    assert x.membrane.tau == pytest.approx(4 * ms, rel=1e-12)
    assert x.psp == pytest.approx(answer(1 * nS, [0.0], 50 * nS)[1].max() + 65 * mV, rel=1e-3)
    top = answer(x.threshold_weight, [0.0], 50 * nS)[1].max()
    assert top == pytest.approx(-50 * mV, abs=0.01 * mV)
    for lag, reaches in ((0.99 * x.window, True), (1.01 * x.window, False)):
        assert (answer(0.6 * x.threshold_weight, [0.0, lag], 50 * nS)[1].max() >= -50 * mV) is np.bool_(reaches)
    t, v = answer(1.5 * x.threshold_weight, [0.0], 50 * nS)
    rising = slice(0, int(v.argmax()) + 1)
    assert x.latency == pytest.approx(np.interp(-50 * mV, v[rising], t[rising]), abs=2e-3 * ms)


def test_jitter_of_simulated_volleys():
    """4000 cells under fluctuating conductances; first order in the noise, so within 4 %."""
    given, dt, n = background(4.0), 0.02 * ms, 4000
    x = eq.renewal.coincidence(CELL, given)
    rng = np.random.default_rng(11)
    inputs = [Noise(g, n, dt, rng) for g in given]
    v = np.full(n, -65 * mV)
    for _ in range(round(40 * ms / dt)):
        v = membrane_step(CELL, v, inputs, dt)
    assert v.std() == pytest.approx(x.membrane.sd, rel=0.05)
    inputs.append(Volley(1.5 * x.threshold_weight, dt))
    first = np.full(n, np.nan)
    for k in range(round(12 * ms / dt)):
        new = membrane_step(CELL, v, inputs, dt)
        hit = np.isnan(first) & (new >= CELL.v_threshold)
        first[hit] = dt * (k + (CELL.v_threshold - v[hit]) / (new[hit] - v[hit]))
        v = new
    assert np.isfinite(first).all()
    assert first.mean() == pytest.approx(x.latency, abs=0.02 * ms)
    assert first.std() == pytest.approx(x.jitter, rel=0.04)


class Volley:
    """The conductance that a volley opens."""

    reversal = 0.0

    def __init__(self, weight, dt):
        self.weight, self.dt, self.k = weight, dt, 0

    def step(self):
        """Its value in the middle of the step."""
        self.k += 1
        return self.weight * np.exp(-(self.k - 0.5) * self.dt / (5 * ms))


def test_from_integrator_to_coincidence_detector():
    low, high = (eq.renewal.coincidence(CELL, background(f)) for f in (0.0, 8.0))
    assert high.psp_width < 0.4 * low.psp_width
    assert high.window < 0.4 * low.window
    assert high.latency < 0.4 * low.latency
    assert high.slope > 2.5 * low.slope
    assert high.psp < low.psp


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eq.balance_ratio(-80 * mV), ValueError, "v must lie between the reversals, -75 and 0 mV, got -80"),
        (lambda: eq.membrane(eq.LIF(), []), TypeError, r"membrane: neuron must be an eq.ConductanceLIF.* got LIF"),
        (lambda: eq.membrane(CELL, eq.SteadyConductance(1 * nS)), TypeError, "conductances must be a list such as"),
        (lambda: eq.membrane(CELL, [1.0]), TypeError, r"conductances\[0\] must be an eq.SteadyConductance.* got 1.0"),
        (lambda: eq.SteadyConductance(20), ValueError, r"SteadyConductance.mean .* Did you mean mean=20 \* nS"),
        (lambda: eq.SteadyConductance(20 * nS, eq.DeltaSynapse()), TypeError, "receptor must be a receptor such as"),
        (lambda: eq.ShotConductance(eq.AMPA, weight=1 * nS, inputs=eq.RenewalInputs(K=1, rate=1, fano=0.5)), TypeError,
         "Campbell's theorem is about Poisson trains"),
        (lambda: eq.PointConductance.of(eq.SteadyConductance(1 * nS)), TypeError, "must be an eq.ShotConductance"),
        (lambda: eq.PointConductance.of(
            eq.ShotConductance(eq.NMDA, weight=1 * nS, inputs=eq.PoissonInputs(K=1, rate=1))),
         TypeError, "that the potential blocks"),
        (lambda: eq.DoubleExponentialConductance(tau_rise=5 * ms, tau_decay=5 * ms, reversal=0.0), ValueError,
         "tau_rise .* must be below tau_decay=5 ms, got 5 ms. Where both are equal take eq.AlphaConductance"),
        (lambda: eq.NMDAConductance(magnesium=1e6), ValueError, r"magnesium .* must lie in \[0, 100\] mM"),
        (lambda: eq.renewal.coincidence(CELL, [], drive=1.0), ValueError, "mean potential must lie below v_thr"),
        (lambda: eq.renewal.coincidence(CELL, [], receptor=eq.GABA_A), ValueError, "which no volley crosses"),
        (lambda: eq.renewal.coincidence(CELL, [], receptor=3), TypeError, "coincidence: receptor must be a receptor"),
        (lambda: eq.balance_ratio(-60 * mV, excitatory=3), TypeError, "balance_ratio: excitatory must be a receptor"),
        (lambda: eq.renewal.coincidence(CELL, [], share=0.4), ValueError, r"coincidence.share .* \[0.51, 0.99\]"),
        (lambda: eq.renewal.effective(CELL, [], drive=np.nan), ValueError, "membrane: drive must be finite, got nan"),
    ],
)  # fmt: skip
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
