"""The shipped circuits are the published ones: their parameters, and the published rates as fixed points of them."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import zeta

import equipoise as eq
from equipoise.model.circuit import examples_folder
from equipoise.units import hour, ms, mV, pA, pF

SIZES = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948]
EXTERNAL = [1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100]
# Potjans & Diesmann (2014), Table 5: connection probabilities (post, pre).
PROBABILITIES = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
# Mean-field rates [Hz] with the boundaries shifted for the synaptic time constant.
MICROCIRCUIT_RATES = np.array([0.75275, 2.78881, 4.42856, 5.81588, 7.12545, 8.46121, 1.15824, 7.75192])


def rates_given(circuit, rates):
    """Rates of all populations under Poisson input of `rates`, no disorder; first order in sqrt(tau_s/tau_m)."""
    r = np.concatenate([rates, [s.rate for s in circuit.sources]])
    J, K = circuit.weights(), circuit.in_degrees()
    mu, sigma = (K * J) @ r, np.sqrt((K * J**2) @ r)
    shift = sigma * np.sqrt(2) * abs(zeta(0.5)) / 2 * np.sqrt(circuit.synaptic_times().max())
    return np.array(
        [
            eq.renewal.rate(shifted(p.neuron, by), mu=m, sigma=s)
            for p, m, s, by in zip(circuit.populations, mu, sigma, shift, strict=True)
        ]
    )


def shifted(neuron, by):
    return eq.LIF(
        tau_m=neuron.tau_m,
        tau_ref=neuron.tau_ref,
        v_leak=neuron.v_leak,
        v_threshold=neuron.v_threshold + by,
        v_reset=neuron.v_reset + by,
    )


def symmetric_rate(circuit):
    """The rate at which populations of equal statistics drive themselves [Hz]."""
    n = len(circuit.populations)
    return brentq(lambda r: rates_given(circuit, np.full(n, r))[0] - r, 1.0, 200.0, xtol=1e-12)


@pytest.mark.parametrize("name", sorted(path.stem for path in examples_folder().glob("*.toml")))
def test_every_example_round_trips(name):
    circuit = eq.Circuit.example(name)
    assert eq.Circuit.from_toml(circuit.to_toml()) == circuit
    assert circuit.name
    assert circuit.description


def test_the_examples_are_these():
    assert {path.stem for path in examples_folder().glob("*.toml")} == {
        "balanced_homeostasis",
        "balanced_network",
        "brunel_2000",
        "conductance_network",
        "inhibition_stabilised",
        "inhibitory_plasticity",
        "microcircuit",
        "pv_sst_vip",
    }


# --- the balanced network ---------------------------------------------------------------------------------------------
def test_balanced_network_is_the_standard_one_and_balances_at_ten_hertz():
    circuit = eq.Circuit.example("balanced_network")
    np.testing.assert_allclose(circuit.weights() * 1000**0.5, [[1, -2, 1], [1, -1.8, 0.8]], rtol=1e-14)
    np.testing.assert_array_equal(circuit.in_degrees(), 1000)
    np.testing.assert_array_equal(circuit.in_degree_variances(), 1000)
    assert [p.neuron for p in circuit.populations] == 2 * [eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)]
    A = circuit.weights() * circuit.in_degrees()
    np.testing.assert_allclose(np.linalg.solve(A[:, :2], -A[:, 2] * circuit.sources[0].rate), [10, 10], rtol=1e-13)


@pytest.mark.parametrize("k", [50, 400, 1e6])
def test_balance_does_not_depend_on_scale(k):
    circuit = eq.Circuit.example("balanced_network").infinite().scaled(k)
    A = circuit.weights() * circuit.in_degrees()
    np.testing.assert_allclose(np.linalg.solve(A[:, :2], -A[:, 2] * 10.0), [10, 10], rtol=1e-12)


# --- Brunel 2000 ------------------------------------------------------------------------------------------------------
def test_brunel_2000_is_model_a():
    circuit = eq.Circuit.example("brunel_2000")
    np.testing.assert_array_equal(circuit.in_degrees(), 2 * [[1000, 250, 1000]])
    np.testing.assert_allclose(circuit.weights(), np.array(2 * [[0.1, -0.5, 0.1]]) * mV, rtol=1e-15)
    np.testing.assert_array_equal(circuit.in_degree_variances(), 0)
    neuron = circuit.populations[0].neuron
    threshold_rate = neuron.v_threshold / (circuit.weights()[0, 0] * 1000 * neuron.tau_m)
    assert circuit.sources[0].rate == pytest.approx(2 * threshold_rate, rel=1e-14)


@pytest.mark.parametrize(("g", "ratio", "rate"), [(5, 2, 37.9496971), (6, 4, 55.8412624), (4.5, 0.9, 6.5167023)])
def test_brunel_rates(g, ratio, rate):
    """Brunel 2000 prints 38.0, 55.8 and 6.5 Hz for these (g, nu_ext/nu_thr)."""
    circuit = eq.Circuit.example("brunel_2000")
    weights = circuit.weights()
    weights[:, 1] = -g * weights[:, 0]
    source = eq.Source("X", rate=10.0 * ratio)
    circuit = eq.Circuit(
        populations=circuit.populations, sources=[source], projections=circuit.with_weights(weights).projections
    )
    assert symmetric_rate(circuit) == pytest.approx(rate, abs=6e-8)


def test_scaled_brunel_network_approaches_its_balanced_rate():
    """J ~ K^-1/2 at fixed ratios of in-degrees: the rate tends to nu_ext/(g gamma - 1) = 80 Hz."""
    circuit = eq.Circuit.example("brunel_2000").infinite()
    rates = [symmetric_rate(circuit.scaled(k)) for k in (1e3, 1e4, 1e5, 1e6)]
    np.testing.assert_allclose(rates, [37.95, 62.93, 74.01, 78.04], atol=0.005)


# --- the microcircuit -------------------------------------------------------------------------------------------------
def test_microcircuit_sizes_and_neurons():
    circuit = eq.Circuit.example("microcircuit")
    assert [p.size for p in circuit.populations] == SIZES
    assert sum(p.size for p in circuit.populations) == 77_169
    neuron = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms, v_threshold=-50 * mV, v_reset=-65 * mV, v_leak=-65 * mV)
    for p in circuit.populations:
        assert vars(p.neuron) == pytest.approx(vars(neuron), rel=1e-15)
    assert [(s.name, s.rate) for s in circuit.sources] == [("X", 8.0)]


def test_microcircuit_in_degrees_follow_from_its_connection_probabilities():
    """To one synapse in all S = log(1 - p)/log(1 - 1/(N_pre N_post)) = K N_post synapses of a projection, but for one.

    More cannot be asked of the printed in-degrees, which come from rounded S (and from logarithms near 0).
    """
    circuit = eq.Circuit.example("microcircuit")
    sizes = np.array(SIZES, dtype=float)
    synapses = np.log1p(-PROBABILITIES) / np.log1p(-1 / np.outer(sizes, sizes))
    in_degrees = circuit.in_degrees()
    np.testing.assert_array_equal(in_degrees[:, 8], EXTERNAL)
    assert in_degrees[2, 3] == 795  # the value of the published rates
    assert synapses[2, 3] / sizes[2] == pytest.approx(794.596, abs=5e-4)
    in_degrees[2, 3] = synapses[2, 3] / sizes[2]
    assert np.abs(in_degrees[:, :8] * sizes[:, None] - synapses).max() < 1.0
    assert 0.29e9 < synapses.sum() < 0.30e9  # "about 0.3 billion synapses"


def test_microcircuit_weights_delays_and_synapses():
    circuit = eq.Circuit.example("microcircuit")
    charge = 87.8 * pA * 0.5 * ms / (250 * pF)
    expected = charge * np.tile([1, -4, 1, -4, 1, -4, 1, -4, 1], (8, 1))
    expected[0, 2] *= 2
    on = circuit.connected()
    np.testing.assert_array_equal(on, np.column_stack([PROBABILITIES > 0, np.full(8, True)]))
    np.testing.assert_allclose(circuit.weights(), np.where(on, expected, 0), rtol=1e-14)
    np.testing.assert_array_equal(circuit.synaptic_times(), np.where(on, 0.5 * ms, 0))
    np.testing.assert_array_equal(circuit.delays(), np.where(on, np.where(expected > 0, 1.5, 0.75), 0) * ms)


def test_published_rates_of_the_microcircuit_are_its_fixed_point():
    """Newton's step from the published rates stays within their printed digits."""
    circuit = eq.Circuit.example("microcircuit")
    residual = rates_given(circuit, MICROCIRCUIT_RATES) - MICROCIRCUIT_RATES
    h = 1e-5
    columns = [
        (rates_given(circuit, MICROCIRCUIT_RATES + h * e) - rates_given(circuit, MICROCIRCUIT_RATES - h * e)) / (2 * h)
        for e in np.eye(8)
    ]
    step = np.linalg.solve(np.eye(8) - np.column_stack(columns), residual)
    assert np.abs(step).max() < 0.6e-5


# --- PV, SST and VIP --------------------------------------------------------------------------------------------------
LOW, HIGH = np.array([1.0, 10.0, 3.0, 2.0]), np.array([30.0, 50.0, 30.0, 20.0])
HIGH_DRIVE = (147.25143348, 386.73190395, 40.26618620, 98.43487272)


def high(circuit):
    for p, drive in zip(circuit.populations, HIGH_DRIVE, strict=True):
        circuit = circuit.with_node(p.name, drive=drive)
    return circuit


def test_the_drives_of_pv_sst_and_vip_sustain_the_published_baselines():
    """Garcia del Molino et al. (2017) print 115.03, 233.66, 94.31 and 89.91 pA for the low one."""
    circuit = eq.Circuit.example("pv_sst_vip")
    drives = np.array([p.drive for p in circuit.populations])
    assert (np.abs(drives - [115.03, 233.66, 94.31, 89.91]) < 0.01).all()
    for one, rates in ((circuit, LOW), (high(circuit), HIGH)):
        state = eq.rate.settle(one, start=rates)
        np.testing.assert_allclose(state.rates, rates, rtol=1e-7)
        assert state.stable


def test_vip_drive_disinhibits_and_its_effect_on_sst_reverses_at_the_high_baseline():
    """The response reversal of the paper: 10 pA to VIP lower SST at the low and raise it at the high baseline."""
    circuit = eq.Circuit.example("pv_sst_vip")
    changes = []
    for one, rates in ((circuit, LOW), (high(circuit), HIGH)):
        vip = one.node("VIP")
        driven = one.with_node("VIP", drive=vip.drive + 10.0)
        changes.append(eq.rate.settle(driven, start=rates).rates - rates)
    low, up = changes
    assert low[3] > 0.0 > low[2]
    assert low[0] > 0.0
    assert up[3] > 0.0
    assert up[2] > 0.0
    assert up[0] > low[0]


def rate_rules(rates):
    """A threshold rule on every class, that holds its rate."""
    names = ("E", "PV", "SST", "VIP")
    return {n: eq.OutputCentricThreshold(n, rate=r, span=5.0) for n, r in zip(names, rates, strict=True)}


def slow_matrix(circuit, rates, chosen):
    """-span/(r* tau) dr/dI among the chosen classes: thresholds act as input does."""
    names = ["E", "PV", "SST", "VIP"]
    state = eq.rate.settle(circuit, start=rates)
    index = [names.index(n) for n in chosen]
    return -5.0 / (2 * hour) * state.response.values[np.ix_(index, index)] / rates[index, None]


@pytest.mark.parametrize("chosen", [("E",), ("E", "SST"), ("E", "PV"), ("E", "PV", "SST", "VIP")])
@pytest.mark.parametrize("baseline", ["low", "high"])
def test_rules_per_class_have_the_spectrum_of_the_response_matrix(baseline, chosen):
    circuit, rates = eq.Circuit.example("pv_sst_vip"), LOW
    if baseline == "high":
        circuit, rates = high(circuit), HIGH
    point = eq.rate.equilibrium(circuit, [rate_rules(rates)[n] for n in chosen], start=rates)
    wanted = np.linalg.eigvals(slow_matrix(circuit, rates, chosen))
    np.testing.assert_allclose(np.sort_complex(point.slow.eigenvalues), np.sort_complex(wanted), rtol=1e-4)
    # at the high baseline SST is paradoxical, and holding its rate beside that of E alone is unstable
    assert point.stable == ((baseline, chosen) != ("high", ("E", "SST")))


def test_at_the_high_baseline_the_circuit_is_inhibition_stabilised_and_sst_paradoxical():
    circuit = eq.Circuit.example("pv_sst_vip")
    low, up = eq.rate.settle(circuit, start=LOW), eq.rate.settle(high(circuit), start=HIGH)
    assert (low.isn, up.isn) == (False, True)
    assert not any(low.paradoxical.values())
    assert [name for name, x in up.paradoxical.items() if x] == ["SST"]


@pytest.mark.parametrize("chosen", [("E",), ("E", "PV", "SST", "VIP")])
def test_under_days_of_vip_drive_rules_restore_the_classes_that_have_one(chosen):
    circuit, rules = eq.Circuit.example("pv_sst_vip"), rate_rules(LOW)
    drive = [eq.During(eq.TonicDrive("VIP", 10.0), 0.0)]
    data = eq.rate.evolve(
        circuit, rules=[rules[n] for n in chosen], duration=200 * hour, start=LOW, schedule=drive, times=[0.0]
    )
    first, last = data.rate.values[[0, -1]]
    assert first[0] > 1.2  # disinhibited
    assert last[0] == pytest.approx(1.0, rel=1e-3)
    if len(chosen) == 4:
        np.testing.assert_allclose(last, LOW, rtol=1e-2)
    else:
        assert last[2] < 0.5 * LOW[2]  # SST stays down, VIP and PV up
        assert (last[[1, 3]] > first[[1, 3]] * 0.95).all()
        assert (last[[1, 3]] > LOW[[1, 3]]).all()
