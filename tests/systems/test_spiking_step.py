"""The compiled step against its NumPy reference and against systems with exact answers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_circuits import EIF, LIF, PIF, alone, two_populations

import equipoise as eq
from equipoise import _core
from equipoise.spiking import kernel, reference
from equipoise.units import Hz, ms, mV

BUILD = eq.spiking.build


def assert_same(one, other):
    (a, spikes_a), (b, spikes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("step", "v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 0), (0x531C7E4F, 0x39491EE5, 0x2C855A92, 0x3D6ABF9A)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 4, (0xC4189358, 0x1C9CC83A, 0xD5881C67, 0x6A0A89E0)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0, 0x082EFA98, 0xEC4E6C89),
            (0x4AA71D8F, 0x734738C2, 0x431FC6A8, 0xAE6DEBF1),
        ),
    ],
)
def test_random_words_are_the_published_answers_of_threefry(counter, key, wanted):
    column, lane = divmod(counter[0], 128)
    words = np.empty(512, np.uint32)
    step = np.array([counter[1], counter[2]], np.uint32).view(np.int64)[0]
    keys = np.array(key, np.uint32).view(np.uint64)
    _core.spiking_words(keys, counter[3], int(step), column, words)
    assert tuple(words[lane::128].tolist()) == wanted
    blocks = reference.threefry(keys, [np.array([c], np.uint32) for c in counter])
    assert tuple(int(b[0]) for b in blocks) == wanted


@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(26, 700)),
    delays=st.tuples(*[st.sampled_from([0.1, 0.2, 0.7, 1.5])] * 4),
    neuron=st.sampled_from([LIF, PIF, EIF]),
    tau_s=st.tuples(*[st.sampled_from([0, 2, 5])] * 3),
    noise=st.sampled_from(["poisson", "gaussian"]),
    wiring=st.builds(eq.spiking.Wiring, autapses=st.booleans(), multapses=st.booleans()),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_kernel_and_reference_agree_spike_for_spike(sizes, delays, neuron, tau_s, noise, wiring, threads, seed):
    circuit = two_populations(*sizes, neuron, delays, tau_s)
    drive = {"E": 0.3 * mV / ms, "I": 0.3 * mV / ms}
    network = BUILD(circuit, seed=seed, threads=threads, noise=noise, wiring=wiring, drive=drive)
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 90)
    assert_same(compiled, reference.advance(network, start, 90))
    assert _core.spiking_count(compiled[1].ravel()) > 10


@pytest.fixture(scope="module")
def one_thread():
    network = BUILD(two_populations(), seed=3, threads=1)
    return network, kernel.advance(network, kernel.begin(network), 400)


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_number_of_threads_changes_nothing(one_thread, threads):
    network = BUILD(two_populations(), seed=3, threads=threads)
    assert_same(kernel.advance(network, kernel.begin(network), 400), one_thread[1])


@pytest.mark.parametrize("noise", ["poisson", "gaussian"])
@pytest.mark.parametrize(("tau_s", "neuron"), [((0, 0, 0), LIF), ((2, 5, 0), EIF)])
@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_changes_nothing(noise, tau_s, neuron, instructions):
    if instructions > _core.spiking_instruction_set():
        pytest.skip("this machine does not have it")
    network = BUILD(two_populations(neuron_i=neuron, tau_s=tau_s), seed=5, threads=1, noise=noise)
    start = kernel.begin(network)
    best = kernel.advance(network, start, 200)
    assert_same(kernel.advance(network, start, 200, instruction_set=instructions), best)


def test_a_run_in_pieces_equals_the_run_in_one_piece(one_thread):
    network, whole = one_thread
    state, rasters = kernel.begin(network), []
    for steps in (1, 2, 7, 13, 77, 300):  # below and above the shortest and longest delay
        state, raster = kernel.advance(network, state, steps)
        rasters.append(raster)
    assert_same((state, np.concatenate(rasters)), whole)


def intervals(network, steps):
    _, raster = kernel.advance(network, kernel.begin(network), steps)
    at, place = kernel.spikes_in(raster)
    return [np.diff(at[place == p]) for p in network.layout.occupied]


@pytest.mark.parametrize("v_inf", [20.5, 25.0, 40.0, 150.0])
def test_a_noiseless_leaky_neuron_fires_on_the_grid_when_it_must(v_inf):
    drive = v_inf * mV / LIF.tau_m
    network = BUILD(alone(5), seed=1, threads=1, drive={"E": drive})
    updates = math.ceil(LIF.tau_m / (0.1 * ms) * math.log((v_inf - 10.0) / (v_inf - 20.0)))
    for found in intervals(network, 10_000):
        assert found.size > 5
        assert (found == 20 + updates).all()


@pytest.mark.parametrize("slope", [0.03, 0.77, 30.0])
def test_a_noiseless_perfect_neuron_fires_on_the_grid_when_it_must(slope):
    network = BUILD(alone(5, PIF), seed=1, threads=1, drive={"E": slope * mV / (0.1 * ms)})
    for found in intervals(network, 10_000):
        assert (found == 10 + math.ceil(10.0 / slope)).all()


def test_a_perfect_neuron_does_not_fall_below_its_bound():
    network = BUILD(alone(600, PIF), seed=1, threads=1, drive={"E": -1.0})
    state, raster = kernel.advance(network, kernel.begin(network), 1000)
    assert (state.v[network.layout.neurons(0)] == np.float32(PIF.v_bound)).all()
    assert not raster.any()


@pytest.mark.parametrize(
    "wiring",
    [eq.spiking.Wiring(), eq.spiking.Wiring(autapses=True), eq.spiking.Wiring(multapses=True, autapses=True)],
)
@pytest.mark.parametrize(("k", "form"), [(5, 0), (100, 1), (500, 1)])
def test_arrivals_are_the_adjacency_matrix_times_the_spikes(wiring, k, form):
    """Perfect integrators that never fire hold the number of their arrivals, exactly."""
    weight, n_pre, n_post, steps, delay = 2.0**-10, 600, 1100, 300, 7
    integrator = eq.PIF(v_threshold=900.0, v_reset=0.0, v_bound=0.0)
    circuit = eq.Circuit(
        populations=[
            eq.Population("A", size=n_pre, neuron=eq.LIF()),
            eq.Population("B", size=n_post, neuron=integrator),
        ],
        projections=[eq.Projection(source="A", target="B", weight=weight, in_degree=k, delay=delay * 0.1 * ms)],
    )
    network = BUILD(circuit, seed=2, threads=2, wiring=wiring, drive={"A": 400.0})
    assert {t.form for t in network.tables.parts} == {0 if wiring.multapses else form}
    start = kernel.begin(network)
    start.v[network.layout.neurons(1)] = 0.0
    end, raster = kernel.advance(network, start, steps)
    sent = reference.unpacked(raster)[: steps - delay, network.layout.neurons(0)].sum(axis=0)
    pre, post = network.synapses("A", "B")
    matrix = np.zeros((n_post, n_pre), np.int64)
    np.add.at(matrix, (post, pre), 1)
    assert sent.sum() > 3000
    assert np.array_equal(end.v[network.layout.neurons(1)] / weight, (matrix @ sent).astype(np.float32))


def test_spikes_wait_for_their_delay_and_refractory_neurons_lose_them():
    """A fires at one step; B jumps `delay` steps later, unless it is silent then."""
    circuit = eq.Circuit(
        populations=[eq.Population(n, size=1, neuron=eq.PIF(tau_ref=1 * ms)) for n in "AB"],
        projections=[eq.Projection(source="A", target="B", weight=1.0, in_degree=1, delay=0.5 * ms)],
    )
    network = BUILD(circuit, seed=1, threads=1)
    a, b = (network.layout.neurons(k).start for k in range(2))
    for silent, jump in ((0, 1.0), (4, 1.0), (5, 1.0), (6, 0.0)):
        state = kernel.begin(network)
        state.v[[a, b]] = 10.0, 3.0  # A is at threshold: it fires in the first step
        state.silent[b] = silent
        values = []
        for _ in range(8):
            state, _ = kernel.advance(network, state, 1)
            values.append(float(state.v[b]))
        assert values == [3.0] * 5 + [3.0 + jump] * 3


@pytest.mark.parametrize(
    ("neuron", "tau_s"),
    [(eq.LIF(tau_m=10 * ms), 5), (eq.LIF(tau_m=10 * ms), 10), (eq.LIF(tau_m=2 * ms), 50), (eq.PIF(), 5)],
)
def test_an_exponential_synapse_moves_the_potential_as_the_solution_does(neuron, tau_s):
    """u(t) = (J/tau_s) tau tau_s/(tau_s - tau) (e^{-t/tau_s} - e^{-t/tau}) from the arrival on; the PIF keeps J."""
    synapse, quiet = eq.ExponentialSynapse(tau_s * ms), replace(neuron, v_threshold=1e3)
    circuit = eq.Circuit(
        populations=[
            eq.Population("A", size=1, neuron=eq.PIF(tau_ref=50 * ms)),
            eq.Population("B", size=1, neuron=quiet),
        ],
        projections=[eq.Projection(source="A", target="B", weight=3.0, in_degree=1, delay=0.5 * ms, synapse=synapse)],
    )
    network = BUILD(circuit, seed=1, threads=1)
    state, values = kernel.begin(network), []
    state.v[[0, 512]] = 10.0, 0.0  # A fires at the end of the first step
    for _ in range(300):
        state, _ = kernel.advance(network, state, 1)
        values.append(float(state.v[512]))
    t, tau_s = np.maximum(np.arange(300) - 5, 0) * 0.1 * ms, tau_s * ms
    leak = 1 / neuron.tau_m if isinstance(neuron, eq.LIF) else 0.0
    difference = leak - 1 / tau_s
    stretch = np.expm1(difference * t) / difference if difference else t
    assert values == pytest.approx(3.0 / tau_s * np.exp(-leak * t) * stretch, rel=3e-6, abs=1e-9)


@pytest.mark.parametrize("noise", ["poisson", "gaussian"])
def test_filtered_noise_gives_the_membrane_its_known_variance(noise):
    """sigma^2 tau/2 times tau/(tau + tau_s), and the same mean as without a filter; the grid adds O(dt^2)."""
    neuron, tau_s, n, k = eq.LIF(tau_m=5 * ms, v_threshold=1e4), 3 * ms, 20_000, 100
    synapse = eq.ExponentialSynapse(tau_s)
    circuit = alone(n, neuron, weight=1.0, connectivity=eq.FixedInDegree(k), synapse=synapse)
    dt = 0.05 * ms
    network = BUILD(circuit, seed=7, threads=2, noise=noise, dt=dt)
    state, _ = kernel.advance(network, kernel.begin(network), 3000)
    v = state.v[network.layout.neurons(0)].astype(np.float64)
    variance = k * 20 * Hz * neuron.tau_m / 2 * neuron.tau_m / (neuron.tau_m + tau_s)
    assert abs(v.mean() / (k * 20 * Hz * neuron.tau_m) - 1) < 4 * math.sqrt(variance / n) / v.mean() + 1e-4
    assert abs(v.var() / variance - 1) < 4 * math.sqrt(2 / n) + 1e-3


def test_membrane_under_poisson_input_has_the_moments_of_the_grid():
    """v' = P v + J n: mean J lam/(1 - P), variance J^2 lam/(1 - P^2), third cumulant J^3 lam/(1 - P^3)."""
    neuron = eq.LIF(tau_m=5 * ms, v_threshold=1e4)
    n, weight, rate = 20_000, 1.0, 20 * Hz
    for k in (50, 1000, 20_000):
        circuit = alone(n, neuron, weight=weight, connectivity=eq.FixedInDegree(k))
        network = BUILD(circuit, seed=7, threads=2)
        state, _ = kernel.advance(network, kernel.begin(network), 1500)
        v = state.v[network.layout.neurons(0)].astype(np.float64)
        lam, p = k * rate * 0.1 * ms, math.exp(-0.1 / 5)
        second, third, fourth = (weight**m * lam / (1 - p**m) for m in (2, 3, 4))
        assert abs(v.mean() - weight * lam / (1 - p)) < 4 * math.sqrt(second / n)
        assert abs(v.var() / second - 1) < 4 * math.sqrt((2 + fourth / second**2) / n)
        assert abs(((v - v.mean()) ** 3).mean() - third) < 4 * math.sqrt(6 * second**3 * 1.5 / n) + 0.05 * third


def test_membrane_under_gaussian_input_has_the_exact_moments_of_the_process():
    neuron = eq.LIF(tau_m=5 * ms, v_threshold=1000.0)
    n, k, rate = 20_000, 100, 20 * Hz
    circuit = alone(n, neuron, weight=1.0, connectivity=eq.FixedInDegree(k))
    network = BUILD(circuit, seed=7, threads=2, noise="gaussian", dt=0.5 * ms)
    state, _ = kernel.advance(network, kernel.begin(network), 300)
    v = state.v[network.layout.neurons(0)].astype(np.float64)
    variance = k * rate * neuron.tau_m / 2
    assert abs(v.mean() - k * rate * neuron.tau_m) < 4 * math.sqrt(variance / n)
    assert abs(v.var() / variance - 1) < 4 * math.sqrt(2 / n)


@pytest.mark.parametrize("mean", [0.0, 1e-4, 0.3, 1.2, 40.0])
def test_thresholds_and_their_rest_are_the_poisson_law(mean):
    from scipy import stats

    from equipoise.spiking import counts

    laws = counts.laws_of(np.array([mean]), 1.0, "X")
    edges = np.concatenate([[0.0], laws.least + 2.0**15, [2.0**16]])
    finer = np.concatenate([[0.0], laws.rest[0] + 2.0**31, [2.0**32]])
    *cells, rest = np.diff(edges)  # of 2^16 numbers, for each count, and those at the top
    p = np.diff(finer) * 2.0**-32 * rest
    p[: len(cells)] += cells
    assert rest < 64
    assert np.abs(p * 2.0**-16 - stats.poisson.pmf(np.arange(p.size), mean)).max() < 2.0**-41


def test_counts_in_every_part_of_the_law_have_their_frequency():
    """3 million counts of mean 1.2 against the law, tail and rest included; chi square, error rate 1e-3."""
    from scipy import stats

    neuron = eq.LIF(tau_m=5 * ms, v_threshold=1e4)
    circuit = alone(30_000, neuron, weight=1.0, connectivity=eq.FixedInDegree(600))
    network = BUILD(circuit, seed=3, threads=1)
    (x,) = network.externals
    drawn = np.concatenate([reference.external_input(network, x, step)[:30_000] for step in range(100)])
    seen = np.bincount(drawn.astype(int), minlength=9)
    expected = drawn.size * stats.poisson.pmf(np.arange(9), 1.2)
    tail = drawn.size * stats.poisson.sf(8, 1.2)
    chi = ((seen[:9] - expected) ** 2 / expected).sum() + (seen[9:].sum() - tail) ** 2 / tail
    assert stats.chi2.sf(chi, 9) > 1e-3


def test_normal_variates_are_normal():
    from scipy import stats

    key = eq.spiking.build(alone(1), seed=1).key
    words = reference.column_words(key, 0, 5, np.arange(2000), reference.BLOCKS_OF_WORDS)
    z = reference.normals(words).ravel().astype(np.float64)
    assert stats.kstest(z, "norm").pvalue > 0.01
    moments = np.array([(z**m).mean() for m in (1, 2, 3, 4)])
    spread = np.sqrt(np.array([1, 2, 15, 96]) / z.size)
    assert (np.abs(moments - [0, 1, 0, 3]) < 4 * spread).all()
    pairs = z.reshape(-1, 4, 128)
    for a, b in ((0, 1), (0, 2), (2, 3)):  # a pair of one radius, and neighbours
        assert abs((pairs[:, a] * pairs[:, b]).mean()) < 4 / math.sqrt(pairs[:, a].size)


def test_logarithm_and_exponential_are_accurate():
    x = np.concatenate([(np.arange(1 << 16) + 0.5) * 2.0**-24, np.linspace(1e-3, 1 - 2**-24, 200_001)]).astype(
        np.float32
    )
    exponents = np.linspace(-87, 88, 300_001).astype(np.float32)
    assert np.abs(reference.exp32(exponents) / np.exp(exponents.astype(np.float64)) - 1).max() < 3e-7
    error = np.abs(reference.log32(x) - np.log(x.astype(np.float64)))
    assert (error <= 1.5e-7 * (1 + np.abs(np.log(x.astype(np.float64))))).all()


def test_the_longest_refractory_period_is_kept():
    """24,575 steps, the end of which is counted in 16 bits, from spikes anywhere in a turn."""
    dt = 1e-3 * ms
    cell = replace(LIF, tau_ref=24_575 * dt)
    net = eq.Circuit(populations=[eq.Population("E", size=20, neuron=cell, drive=20.0)], projections=[])
    trains = eq.spiking.simulate(net, duration=0.15, seed=1, dt=dt, warmup=0.0).spikes
    intervals = [np.diff(trains.times[trains.units == k]) for k in range(20)]
    goal = 20.0 * cell.tau_m
    passage = cell.tau_m * math.log((goal - cell.v_reset) / (goal - cell.v_threshold))
    assert min(x.size for x in intervals) >= 4
    np.testing.assert_allclose(np.concatenate(intervals), cell.tau_ref + passage, rtol=0, atol=2 * dt)
