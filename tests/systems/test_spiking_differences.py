"""Neurons that differ: the laws they are drawn from, the step with values of each neuron, rates neuron by neuron."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from spiking_circuits import EIF, LIF, PIF, alone, two_populations

import equipoise as eq
from equipoise import _core
from equipoise.model.spread import CUT
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV, second

BUILD, WITH = eq.spiking.build, eq.spiking.with_neurons
WIDE = {
    LIF: eq.Spread(v_threshold=1 * mV, v_reset=1 * mV, tau_m=6 * ms, tau_ref=0.7 * ms),
    PIF: eq.Spread(v_threshold=1 * mV, v_reset=1 * mV, tau_ref=0.3 * ms),
    EIF: eq.Spread(v_onset=1 * mV, v_reset=1 * mV, tau_m=6 * ms, tau_ref=0.7 * ms),
}


def differing(neuron=LIF, **settings):
    circuit = two_populations(neuron_i=neuron, **settings)
    return circuit.with_node("E", spread=WIDE[LIF]).with_node("I", spread=WIDE[neuron])


def assert_same(one, other):
    (a, spikes_a), (b, spikes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


# --- the step ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("neuron", [LIF, PIF, EIF])
@pytest.mark.parametrize(("tau_s", "noise"), [((0, 0, 0), "gaussian"), ((2, 5, 0), "poisson"), ((0, 5, 2), "gaussian")])
def test_kernel_and_reference_agree_where_neurons_differ(neuron, tau_s, noise):
    network = BUILD(differing(neuron, tau_s=tau_s), seed=4, threads=2, noise=noise, drive={"E": 0.4 * mV / ms})
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 40)
    assert_same(compiled, reference.advance(network, start, 40))
    assert _core.spiking_count(compiled[1].ravel()) > 100


def test_neither_threads_nor_instruction_sets_change_anything():
    networks = [BUILD(differing(EIF, tau_s=(2, 5, 0)), seed=3, threads=n) for n in (1, 2, 3)]
    best = kernel.advance(networks[0], kernel.begin(networks[0]), 300)
    for network in networks[1:]:
        assert_same(kernel.advance(network, kernel.begin(network), 300), best)
    for instructions in range(kernel.BASELINE, _core.spiking_instruction_set() + 1):
        network = networks[0]
        assert_same(kernel.advance(network, kernel.begin(network), 300, instruction_set=instructions), best)


def test_every_noiseless_neuron_fires_on_the_grid_when_it_must():
    """tau_ref + tau log((v_inf - v_r)/(v_inf - v_th)), rounded up to whole steps, for 600 neurons of their own."""
    circuit = alone(600).with_node("E", spread=WIDE[LIF])
    v_inf, dt = 150 * mV, 0.1 * ms
    network = BUILD(circuit, seed=2, threads=1, drive={"E": v_inf / LIF.tau_m})
    own = network.neurons[0]
    asymptote = own["tau_m"] * v_inf / LIF.tau_m
    exact = own["tau_m"] / dt * np.log((asymptote - own["v_reset"]) / (asymptote - own["v_threshold"]))
    clear = np.abs(exact - np.rint(exact)) > 0.01  # single precision may tip the others
    wanted = np.rint(own["tau_ref"] / dt) + np.ceil(exact)
    steps, places = kernel.spikes_in(kernel.advance(network, kernel.begin(network), 2000)[1])
    assert clear.sum() > 500
    for i in np.flatnonzero(clear):
        intervals = np.diff(steps[places == i])
        assert intervals.size > 3
        assert (intervals == wanted[i]).all()


def test_a_drawn_network_is_the_one_that_is_given_the_same_neurons():
    network = BUILD(differing(EIF, tau_s=(2, 5, 0)), seed=3, threads=1)
    given = BUILD(two_populations(neuron_i=EIF, tau_s=(2, 5, 0)), seed=3, threads=1)
    for name, of in zip("EI", network.neurons, strict=True):
        given = WITH(given, name, **of.own)
    assert_same(*(kernel.advance(n, kernel.begin(n), 200) for n in (network, given)))


def test_membranes_of_their_own_take_drive_and_noise_as_built():
    """Drive and noise of a step are rescaled from those of equal membranes: the same up to a rounding."""
    spread = eq.Spread(tau_m=6 * ms)
    circuit = alone(700, weight=0.1 * mV, in_degree=500)
    built = BUILD(circuit.with_node("E", spread=spread), seed=5, noise="gaussian", drive={"E": 0.1})
    given = WITH(BUILD(circuit, seed=5, noise="gaussian", drive={"E": 0.1}), "E", tau_m=built.neurons[0]["tau_m"])
    np.testing.assert_allclose(given.drive, built.drive, rtol=2.0**-22)
    np.testing.assert_allclose(given.externals[0].amplitude, built.externals[0].amplitude, rtol=2.0**-22)


# --- the laws ---------------------------------------------------------------------------------------------------------
def test_parameters_follow_their_laws():
    """Kolmogorov-Smirnov at 1e-4 for each of four, 20,000 neurons; variates are cut at four SDs."""
    n, spread = 20_000, WIDE[LIF]
    own = BUILD(alone(n).with_node("E", spread=spread), seed=8).neurons[0]
    cut = stats.truncnorm(-CUT, CUT)
    variates = {name: (own[name] - getattr(LIF, name)) / getattr(spread, name) for name in ("v_threshold", "v_reset")}
    for name in ("tau_m", "tau_ref"):
        mean, sd = getattr(LIF, name), getattr(spread, name)
        s = math.sqrt(math.log1p((sd / mean) ** 2))
        variates[name] = (np.log(own[name] / mean) + 0.5 * s * s) / s
        assert own[name].mean() == pytest.approx(mean, abs=4 * sd / math.sqrt(n) + 1e-3 * sd)
        assert own[name].std() == pytest.approx(sd, rel=0.03)
    assert min(stats.kstest(z, cut.cdf).pvalue for z in variates.values()) > 1e-4
    correlations = np.corrcoef(np.array(list(variates.values()))) - np.eye(4)
    assert np.abs(correlations).max() < 4.5 / math.sqrt(n)


def test_a_neuron_depends_on_seed_and_place_alone():
    spread = WIDE[LIF]
    own = BUILD(alone(900).with_node("E", spread=spread), seed=1, threads=3).neurons[0]
    fewer = BUILD(alone(600).with_node("E", spread=eq.Spread(tau_m=spread.tau_m)), seed=1, threads=1).neurons[0]
    other = BUILD(alone(900).with_node("E", spread=spread), seed=2).neurons[0]
    assert np.array_equal(own["tau_m"][:600], fewer["tau_m"])
    assert list(fewer.own) == ["tau_m"]
    assert not np.isclose(own["tau_m"], other["tau_m"]).any()


# --- rates neuron by neuron -------------------------------------------------------------------------------------------
KINDS = [(theta * mV, tau * ms) for theta in (18, 19.5, 21) for tau in (18, 20, 24)]
EACH = 300


@pytest.mark.parametrize("noise", ["gaussian", "poisson"])
def test_every_kind_of_neuron_fires_at_the_rate_of_its_own(noise):
    """Nine thresholds and time constants under one white noise: the theory of each, with the threshold of the grid.

    Poisson counts come at the ends of steps; with them mean and noise of a step are those of the other convention.
    """
    dt, weight, k, rate = 0.02 * ms, 0.02 * mV, 50_000, 20 * Hz
    sigma, mu = weight * math.sqrt(k * rate), 18 * mV / (20 * ms)
    circuit = alone(EACH * len(KINDS), LIF, weight=weight, connectivity=eq.FixedInDegree(k))
    network = BUILD(circuit, seed=6, dt=dt, noise=noise, drive={"E": mu - k * weight * rate})
    theta, tau = np.repeat(KINDS, EACH, axis=0).T
    run = eq.spiking.run(WITH(network, "E", v_threshold=theta, tau_m=tau), duration=8 * second, warmup=200 * ms)
    counts = np.bincount(run.units, minlength=theta.size).reshape(len(KINDS), EACH)
    for (v_threshold, tau_m), found in zip(KINDS, counts, strict=True):
        x, late = dt / tau_m, noise == "poisson"
        mean = mu + late * k * weight * rate * (x / -math.expm1(-x) - 1.0)
        sd = sigma * (math.sqrt(2.0 * x / -math.expm1(-2.0 * x)) if late else 1.0)
        own = replace(LIF, v_threshold=v_threshold + 0.5826 * sd * math.sqrt(dt), tau_m=tau_m)
        wanted, cv = eq.renewal.rate(own, mu=mean, sigma=sd), eq.renewal.cv(own, mu=mean, sigma=sd)
        # 3.5 standard errors; what is left of the grid, and of the skewness of counts
        assert abs(found.sum() / (EACH * 8 * second) / wanted - 1) < 3.5 * cv / math.sqrt(found.sum()) + 0.003


def test_filtered_noise_moves_every_membrane_as_its_time_constant_has_it():
    """sigma^2 tau/2 times tau/(tau + tau_s), the mean mu tau, for four time constants."""
    tau_s, k, weight, each = 3 * ms, 100, 1.0, 6000
    circuit = alone(4 * each, eq.LIF(v_threshold=1e4), weight=weight, connectivity=eq.FixedInDegree(k),
                    synapse=eq.ExponentialSynapse(tau_s))  # fmt: skip
    tau = np.repeat([1 * ms, 3 * ms, 5 * ms, 10 * ms], each)
    network = WITH(BUILD(circuit, seed=7, dt=0.05 * ms, noise="gaussian"), "E", tau_m=tau)
    state, _ = kernel.advance(network, kernel.begin(network), 3000)
    v = state.v[network.layout.neurons(0)].astype(np.float64).reshape(4, each)
    tau = tau[::each]
    variance = k * weight**2 * 20 * Hz * tau / 2 * tau / (tau + tau_s)
    assert (
        np.abs(v.mean(1) / (k * weight * 20 * Hz * tau) - 1) < 4 * np.sqrt(variance / each) / v.mean(1) + 1e-4
    ).all()
    assert (np.abs(v.var(1) / variance - 1) < 4 * math.sqrt(2 / each) + 1e-3).all()


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"v_treshold": 1.0},
            "LIF neurons cannot differ in 'v_treshold'. Did you mean 'v_threshold'. Known: tau_m, tau_r",
        ),
        ({"v_onset": 1.0}, "LIF neurons cannot differ in 'v_onset'"),
        ({"tau_m": np.ones(7)}, r"tau_m of 'E' must have shape \(600,\), got \(7,\)"),
        ({"tau_m": np.full(600, np.nan)}, r"tau_m must be finite, got nan at index \(0,\)"),
        ({"tau_m": 20.0}, r"neuron 0 of 'E': LIF.tau_m .* must lie in \[0.1, 1000\] ms, got 20000 ms. Did you mean"),
        (
            {"v_threshold": np.where(np.arange(600) == 41, 9 * mV, 20 * mV)},
            r"neuron 41 of 'E': LIF.v_reset \(reset potential\) must lie below v_threshold=0.009, got 0.01",
        ),
    ],
)
def test_impossible_neurons_are_refused(values, message):
    with pytest.raises(ValueError, match="with_neurons: " + message):
        WITH(BUILD(alone(600), seed=1), "E", **values)


def test_unknown_populations_are_refused():
    with pytest.raises(ValueError, match=r"with_neurons: no population is named 'F'\. Known: E"):
        WITH(BUILD(alone(600), seed=1), "F", tau_m=10 * ms)


@pytest.mark.parametrize(
    ("neuron", "spread", "error", "message"),
    [
        (LIF, {"v_threshold": 1 * mV}, TypeError, r"must be an eq.Spread\(v_threshold=..., tau_m=...\), got {"),
        (
            PIF,
            eq.Spread(tau_m=1 * ms),
            ValueError,
            "tau_m of PIF neurons cannot vary. Those that can: v_threshold, v_re",
        ),
        (
            EIF,
            eq.Spread(v_threshold=1 * mV),
            ValueError,
            "v_threshold of EIF neurons cannot vary. .*: v_onset, v_reset",
        ),
        (eq.LIF(tau_ref=0.0), eq.Spread(tau_ref=1 * ms), ValueError, "tau_ref is 0, and times vary in proportion"),
        (
            LIF,
            eq.Spread(v_threshold=3 * mV),
            ValueError,
            "neurons 4 SDs from the mean .* v_threshold=0.008, got 0.01. Ta",
        ),
    ],
)
def test_impossible_spreads_are_refused(neuron, spread, error, message):
    with pytest.raises(error, match="Population.spread of 'E'.* " + message):
        eq.Population("E", neuron=neuron, spread=spread)


def test_a_spread_with_a_forgotten_unit_is_named():
    with pytest.raises(ValueError, match=r"Spread.tau_m .* got 2000 ms. Did you mean tau_m=2 \* ms"):
        eq.Spread(tau_m=2)
