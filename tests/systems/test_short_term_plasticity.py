"""Short-term plasticity and adaptation: the compiled step against its reference, and against theory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from test_inhibitory_plasticity import assert_same, circuit

import equipoise as eq
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV

RULES = {
    "depressing": eq.ShortTermPlasticity(0.5, tau_rec=400 * ms),
    "facilitating": eq.ShortTermPlasticity(0.1, tau_rec=50 * ms, tau_facil=600 * ms),
}


def adapting(**options):
    """E and I with both kinds of plasticity, and neurons that adapt."""
    net = circuit(**options)
    projections = [
        replace(p, short_term=RULES["depressing" if p.source == "E" else "facilitating"]) if p.source in "EI" else p
        for p in net.projections
    ]
    own = eq.Adaptation(0.25, tau=50 * ms)
    populations = [replace(p, adaptation=own if p.name == "E" else None) for p in net.populations]
    return replace(net, projections=projections, populations=populations)


@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(40, 700)),
    delay=st.sampled_from([0.1 * ms, 0.7 * ms, eq.UniformDelay(low=0.3 * ms, high=1.1 * ms)]),
    conductances=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
def test_kernel_and_reference_agree_bit_for_bit(sizes, delay, conductances, threads, seed):
    net = adapting(n_e=sizes[0], n_i=sizes[1], delay=delay, conductances=conductances)
    network = eq.spiking.build(net, seed=seed, threads=threads)
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 120)
    assert_same(compiled, reference.advance(network, start, 120))
    assert compiled[0].learned["0.depleted"].max() > 0.4


def test_kernel_and_reference_agree_on_populations_of_several_blocks():
    """The traces of a projection fade once a step, however many blocks it reaches."""
    network = eq.spiking.build(adapting(n_e=1100, n_i=600), seed=4, threads=3)
    assert len(network.releasing.places) > len(dict(network.releasing.places))
    start = kernel.begin(network)
    assert_same(kernel.advance(network, start, 120), reference.advance(network, start, 120))


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2])
def test_threads_and_instructions_change_nothing(instructions):
    one, other = (eq.spiking.build(adapting(), seed=3, threads=n) for n in (1, 3))
    wanted = kernel.advance(one, kernel.begin(one), 400)
    assert_same(kernel.advance(other, kernel.begin(other), 400, instruction_set=instructions), wanted)


# --- short-term plasticity --------------------------------------------------------------------------------------------
RELAY = eq.PIF(v_threshold=1 * mV, v_reset=0.0, v_bound=0.0)
"""Fires with every train that reaches it."""


def relayed(rule, rate, *, n=400, cells=2, tau=5 * ms):
    """Cells under `n` Poisson neurons each, whose synapses have short-term plasticity."""
    return eq.Circuit(
        populations=[
            eq.Population("P", size=n, neuron=RELAY),
            eq.Population("cell", size=cells, neuron=eq.LIF(v_threshold=1.0, v_reset=0.0)),
            eq.Source("X", rate=rate),
        ],
        projections=[
            eq.Projection(source="X", target="P", weight=1.5 * mV, connectivity=eq.FixedInDegree(1)),
            eq.Projection(
                source="P", target="cell", weight=0.01 * mV, synapse=eq.ExponentialSynapse(tau), short_term=rule,
                connectivity=eq.FixedInDegree(n), delay=1.5 * ms,
            ),
        ],
    )  # fmt: skip


@pytest.mark.parametrize("kind", RULES)
def test_each_spike_brings_what_the_recursion_says(kind):
    """u_n = U + u_{n-1} (1 - U) e^{-T/tau_facil}, x_n = 1 - (1 - x_{n-1} (1 - u_{n-1})) e^{-T/tau_rec}."""
    rule = RULES[kind]
    record = eq.spiking.Record(membrane={"cell": 1})
    run = eq.spiking.simulate(relayed(rule, 30 * Hz, n=3), duration=1.0, seed=4, warmup=0, record=record)
    t, current = run.membrane.time.values, np.zeros(10_000)
    for k in range(3):
        trains = run.spikes_of("P")
        for time, share in shares(rule, trains.times[trains.units == k]):
            since = t - time - 1.5 * ms
            current += np.where(since > -0.05 * ms, 0.01 * mV / (5 * ms) * share * np.exp(-since / (5 * ms)), 0.0)
    np.testing.assert_allclose(run.membrane.excitation[:, 0], current, rtol=1e-4, atol=1e-4 * current.max())


def shares(rule, times):
    """Each spike and what it brings."""
    u, x, last = 0.0, 1.0, -np.inf
    for time in times:
        gone = time - last
        u = rule.U + u * (1 - rule.U) * (np.exp(-gone / rule.tau_facil) if rule.tau_facil else 0.0)
        x = 1.0 - (1.0 - x) * np.exp(-gone / rule.tau_rec)
        yield time, u * x
        x, last = x * (1 - u), time


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("depressing", (0.5, 0.26219, 0.14467, 0.12728, 0.06473, 0.21565, 0.12695)),
        ("facilitating", (0.1, 0.17451, 0.21691, 0.27518, 0.23129, 0.34444, 0.30708)),
    ],
)
def test_the_recursion_is_that_of_nest(kind, wanted):
    """What tsodyks2_synapse of NEST 3 brings at these times."""
    times = np.array([10, 30, 45, 100, 101, 300, 320]) * ms
    np.testing.assert_allclose([share for _, share in shares(RULES[kind], times)], wanted, atol=6e-6)


@pytest.mark.parametrize("rate", [2 * Hz, 20 * Hz, 80 * Hz])
def test_depression_reaches_its_steady_state(rate):
    """x = 1/(1 + U tau_rec r) is exact for Poisson trains; within four standard errors of 400 trains."""
    rule = RULES["depressing"]
    run = eq.spiking.run(
        network := eq.spiking.build(relayed(rule, rate), seed=5), duration=6.0, warmup=2.0,
        record=eq.spiking.Record(membrane={"cell": 1}, every=1 * ms),
    )  # fmt: skip
    assert network.releasing.sizes == (400,)
    mean = run.membrane.excitation.values[:, 0].reshape(6, -1).mean(axis=1)
    after_arrivals = 0.02 / -np.expm1(-0.02)  # currents are seen at the end of steps of 0.02 of their time constant
    wanted = 400 * run.rates[0] * 0.01 * mV * rule.steady(run.rates[0]) * after_arrivals
    assert abs(mean.mean() - wanted) < 4.0 * mean.std(ddof=1) / np.sqrt(6) + 1e-3 * wanted


def test_facilitation_grows_towards_its_mean_field():
    """Mean field neglects that u and x vary together: 5 % at 20 Hz."""
    rule = RULES["facilitating"]
    record = eq.spiking.Record(membrane={"cell": 1}, every=1 * ms)
    run = eq.spiking.simulate(relayed(rule, 20 * Hz), duration=5.0, seed=5, warmup=3.0, record=record)
    share = float(run.membrane.excitation.mean()) / (400 * 20 * Hz * 0.01 * mV)
    np.testing.assert_allclose(share, rule.steady(20 * Hz), rtol=0.05)
    assert share > 3.0 * rule.U


# --- adaptation -------------------------------------------------------------------------------------------------------
def period(neuron, drive, adaptation):
    """The interval at which a noiseless leaky neuron that adapts fires: v_th at the end of it, from v_reset."""
    tau, tau_w = neuron.tau_m, adaptation.tau

    def reached(t):
        a = adaptation.increment * np.exp(-neuron.tau_ref / tau_w) / -np.expm1(-(t + neuron.tau_ref) / tau_w)
        pull = tau * tau_w / (tau_w - tau) * (np.exp(-t / tau_w) - np.exp(-t / tau))
        start = neuron.v_reset - neuron.v_leak
        return (
            start * np.exp(-t / tau)
            + drive * tau * -np.expm1(-t / tau)
            - a * pull
            - (neuron.v_threshold - neuron.v_leak)
        )

    return neuron.tau_ref + brentq(reached, 1e-4, 5.0)


@pytest.mark.parametrize("neuron", [eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV), eq.ConductanceLIF()])
@pytest.mark.parametrize("tau", [30 * ms, 500 * ms])
def test_adapting_neurons_fire_at_the_exact_interval(neuron, tau):
    """Within the grid: each spike comes up to one step late. (NEST's aeif_psc_exp: 10.18 and 59.236 ms.)"""
    own, drive = eq.Adaptation(0.3 * mV / ms, tau=tau), 3 * mV / ms
    net = eq.Circuit(
        populations=[eq.Population("E", size=1, neuron=neuron, drive=drive, adaptation=own)], projections=[]
    )
    run = eq.spiking.simulate(net, duration=4.0, seed=1, warmup=4.0, dt=0.02 * ms)
    intervals = np.diff(run.spikes.times)
    exact = period(neuron, drive, own)
    assert intervals.size > 20
    assert -0.01 * ms < intervals.mean() - exact < 0.03 * ms
    assert period(neuron, drive, eq.Adaptation(1e-9, tau=tau)) < 0.9 * exact


def test_noisy_neurons_that_adapt_slowly_fire_at_the_self_consistent_rate():
    """r = f(mu - b tau r) with the exact rate f of the neuron; slow adaptation hardly varies: 2 %."""
    lif = eq.LIF(tau_m=20 * ms, v_threshold=20 * mV, v_reset=10 * mV)
    own = eq.Adaptation(0.02 * mV / ms, tau=1.0)
    k, rate, weight = 500, 10 * Hz, 0.25 * mV
    net = eq.Circuit(
        populations=[eq.Population("E", size=512, neuron=lif, adaptation=own), eq.Source("X", rate=rate)],
        projections=[eq.Projection(source="X", target="E", weight=weight, connectivity=eq.FixedInDegree(k))],
    )
    run = eq.spiking.simulate(net, duration=5.0, seed=1, warmup=5.0, dt=0.05 * ms)
    mu, sigma = k * rate * weight, weight * np.sqrt(k * rate)

    def off(r):
        return float(eq.renewal.rate(lif, mu=mu - own.increment * own.tau * r, sigma=sigma)) - r

    wanted = brentq(off, 0.1, 60.0)
    assert wanted < 0.6 * off(0.0)
    np.testing.assert_allclose(run.rates[0], wanted, rtol=0.02)


# --- files and bad input ----------------------------------------------------------------------------------------------
def test_circuits_are_read_back_as_they_were_written():
    net = adapting()
    text = net.to_toml()
    assert 'short_term = { U = 0.5, tau_rec = "400 ms", tau_facil = "0 ms" }' in text
    assert 'adaptation = { increment = "250 mV/s", tau = "50 ms" }' in text
    assert eq.Circuit.from_toml(text) == net


def one_kind(**changes):
    net = circuit(n_e=100, n_i=40)
    projections = [replace(p, plasticity=None, **changes) for p in net.projections]
    return replace(net, projections=projections)


def only_adapting():
    net = eq.Circuit.example("brunel_2000")
    return replace(net, populations=[replace(p, adaptation=eq.Adaptation(1.0)) for p in net.populations])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: eq.ShortTermPlasticity(1.5, tau_rec=0.1), ValueError, r"ShortTermPlasticity.U \(use of resources\)"),
        (lambda: eq.ShortTermPlasticity(0.5, tau_rec=800), ValueError, r"Did you mean tau_rec=800 \* ms"),
        (lambda: eq.Adaptation(-1.0), ValueError, "Adaptation.increment .* must be above 0"),
        (lambda: eq.Adaptation(1.0, tau=100), ValueError, r"Did you mean tau=100 \* ms"),
        (lambda: eq.Population("E", neuron=eq.LIF(), adaptation=3), TypeError, r"must be eq.Adaptation\(increment"),
        (lambda: eq.Population("E", neuron=eq.ThresholdLinear(), adaptation=eq.Adaptation(1.0)), TypeError,
         "driven by spikes, which ThresholdLinear neurons do not have"),
        (lambda: one_kind(short_term=0.5), TypeError, "must be eq.ShortTermPlasticity"),
        (lambda: one_kind(short_term=RULES["depressing"]), ValueError, "short_term: needs presynaptic neurons"),
        (lambda: eq.theory.mean_field(only_adapting()), TypeError, "mean_field: 'E' has adaptation"),
        (lambda: eq.theory.mean_field(relayed(RULES["depressing"], 5 * Hz)), TypeError, "ShortTermPlasticity"),
        (lambda: RULES["depressing"].steady(-1.0), ValueError, "rate must be finite and at least 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()
