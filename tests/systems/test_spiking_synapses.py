"""Delays and weights of single synapses in spikes: the laws they follow, when and how they act, what they change."""

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from spiking_circuits import EIF, LIF, PIF, two_populations

import equipoise as eq
from equipoise import _core
from equipoise.spiking import kernel, reference, tables
from equipoise.units import Hz, ms, mV

BUILD = eq.spiking.build
UNIFORM = eq.UniformDelay(low=0.2 * ms, high=1.7 * ms)
LOG_NORMAL = eq.LogNormalSpread(0.5)
NORMAL = eq.NormalDelay(mean=0.8 * ms, sd=0.4 * ms)
Z = 4.0


def spread(circuit, delay_e=UNIFORM, delay_i=NORMAL, onto_e=LOG_NORMAL, onto_i=None):
    """Delays by source, spreads of weights by target."""
    return replace(
        circuit,
        projections=[
            p
            if p.source == "X"
            else replace(
                p, delay=delay_e if p.source == "E" else delay_i, weight_spread=onto_e if p.target == "E" else onto_i
            )
            for p in circuit.projections
        ],
    )


def pair(n_pre, n_post, connectivity, **changes):
    """A to B, and nothing else."""
    return eq.Circuit(
        populations=[eq.Population("A", size=n_pre, neuron=LIF), eq.Population("B", size=n_post, neuron=LIF)],
        projections=[eq.Projection(source="A", target="B", weight=2 * mV, connectivity=connectivity, **changes)],
    )


def assert_same(one, other):
    (a, spikes_a), (b, spikes_b) = one, other
    assert np.array_equal(spikes_a, spikes_b)
    for name in ("step", "v", "silent", "currents", "recent"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name


# --- one step, several engines ----------------------------------------------------------------------------------------
@given(
    sizes=st.tuples(st.integers(101, 1300), st.integers(26, 700)),
    delays=st.tuples(*[st.sampled_from([0.3 * ms, UNIFORM, NORMAL])] * 2),
    spreads=st.tuples(*[st.sampled_from([None, eq.LogNormalSpread(0.8), eq.NormalSpread(0.3)])] * 2),
    neuron=st.sampled_from([LIF, PIF, EIF]),
    tau_s=st.tuples(*[st.sampled_from([0, 2])] * 3),
    multapses=st.booleans(),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=8, deadline=None, derandomize=True)
def test_kernel_and_reference_agree_bit_for_bit(sizes, delays, spreads, neuron, tau_s, multapses, threads, seed):
    circuit = spread(two_populations(*sizes, neuron, tau_s=tau_s), *delays, *spreads)
    drive = {"E": 0.3 * mV / ms, "I": 0.3 * mV / ms}
    wiring = eq.spiking.Wiring(multapses=multapses)
    network = BUILD(circuit, seed=seed, threads=threads, wiring=wiring, drive=drive)
    start = kernel.begin(network)
    compiled = kernel.advance(network, start, 60)
    assert_same(compiled, reference.advance(network, start, 60))
    assert _core.spiking_count(compiled[1].ravel()) > 10


@pytest.fixture(scope="module")
def one_thread():
    circuit = spread(two_populations(1800, 900), onto_i=eq.NormalSpread(0.3))
    network = BUILD(circuit, seed=3, threads=1)
    return circuit, network, kernel.advance(network, kernel.begin(network), 400)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_and_their_blocks_change_nothing(one_thread, threads):
    circuit, _, whole = one_thread
    network = BUILD(circuit, seed=3, threads=threads)
    assert_same(kernel.advance(network, kernel.begin(network), 400), whole)


@pytest.mark.parametrize("instructions", [kernel.BASELINE, kernel.AVX2, kernel.AVX512])
def test_the_instruction_set_changes_nothing(one_thread, instructions):
    if instructions > _core.spiking_instruction_set():
        pytest.skip("this machine does not have it")
    _, network, whole = one_thread
    assert_same(kernel.advance(network, kernel.begin(network), 400, instruction_set=instructions), whole)


def test_a_run_in_pieces_remembers_spikes_as_long_as_the_longest_delay(one_thread):
    _, network, whole = one_thread
    assert network.delays == (1, max(t.delay for t in network.tables.parts))
    state, rasters = kernel.begin(network), []
    for steps in (1, 2, 7, 13, 77, 300):
        state, raster = kernel.advance(network, state, steps)
        rasters.append(raster)
    assert_same((state, np.concatenate(rasters)), whole)


# --- what is drawn ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("law", [UNIFORM, NORMAL, eq.NormalDelay(mean=0.3 * ms, sd=2 * ms, low=0.2 * ms)])
@pytest.mark.parametrize("p", [0.02, 0.6])
def test_synapses_have_the_delays_of_the_law_on_the_grid(law, p):
    """As lists and, where that is smaller, as one bitmap a delay; chi^2 at 1e-3 over all steps that are expected."""
    network = BUILD(pair(900, 2500 if p < 0.1 else 300, eq.ErdosRenyi(probability=p), delay=law), seed=5, threads=2)
    steps = np.rint(network.synaptic_delays("A", "B") / network.dt).astype(int)
    grid = np.arange(steps.max() + 2)
    expected = steps.size * np.diff(law.cdf((grid + 0.5) * network.dt), prepend=0.0)
    often = expected > 5
    found = np.bincount(steps, minlength=grid.size)
    assert found[expected == 0.0].sum() == 0
    chi2 = ((found - expected)[often] ** 2 / expected[often]).sum()
    assert stats.chi2(often.sum() - 1).sf(chi2) > 1e-3


def test_dense_projections_with_few_delays_are_bitmaps():
    few = eq.UniformDelay(low=0.2 * ms, high=0.4 * ms)
    network = BUILD(pair(700, 600, eq.ErdosRenyi(probability=0.9), delay=few), seed=1, threads=1)
    assert [t.form for t in network.tables.parts] == [tables.BITMAP] * 3
    start = kernel.begin(network)
    start.v[:] = 30 * mV
    assert_same(kernel.advance(network, start, 30), reference.advance(network, start, 30))


@pytest.mark.parametrize("law", [eq.LogNormalSpread(0.5), eq.NormalSpread(0.2), eq.NormalSpread(1.0)])
def test_synapses_have_the_weights_of_the_law(law):
    network = BUILD(pair(900, 2500, eq.FixedInDegree(40), weight_spread=law), seed=7, threads=2)
    x = network.synaptic_weights("A", "B") / (2 * mV)
    if isinstance(law, eq.LogNormalSpread):
        exact = stats.lognorm(law.log_sd, scale=math.exp(-0.5 * law.log_sd**2))
    else:
        exact = stats.truncnorm(-1 / law.cv, np.inf, law.scale, law.scale * law.cv)
    assert x.size == 100_000
    assert stats.kstest(x, exact.cdf).pvalue > 1e-3
    second, _, fourth = law.moments
    assert abs(x.mean() - 1) < Z * math.sqrt((second - 1) / x.size)
    assert abs((x**2).mean() - second) < Z * math.sqrt((fourth - second**2) / x.size)


def test_partners_delays_and_weights_of_a_synapse_are_independent():
    how = {"delay": UNIFORM, "weight_spread": eq.LogNormalSpread(0.5)}
    network = BUILD(pair(900, 2500, eq.FixedInDegree(40), **how), seed=7)
    pre, post = network.synapses("A", "B")
    columns = np.array([pre, post, network.synaptic_delays("A", "B"), network.synaptic_weights("A", "B")])
    correlations = np.corrcoef(columns)[np.triu_indices(4, 1)]
    assert (np.abs(correlations) < Z / math.sqrt(pre.size)).all()


def synapses(circuit, *, source="A", target="B", **options):
    """(pre, post, delay, weight) of all synapses, in one order."""
    network = BUILD(circuit, **options)
    columns = (
        *network.synapses(source, target),
        network.synaptic_delays(source, target),
        network.synaptic_weights(source, target),
    )
    order = np.lexsort(columns[::-1])
    return np.array(columns)[:, order]


@pytest.mark.parametrize("multapses", [False, True])
def test_what_is_drawn_depends_on_the_seed_alone(multapses):
    how = {"delay": NORMAL, "weight_spread": eq.NormalSpread(0.3)}
    circuit, wiring = pair(300, 3000, eq.ErdosRenyi(in_degree=20), **how), eq.spiking.Wiring(multapses=multapses)
    first, *others = (synapses(circuit, seed=9, threads=t, wiring=wiring) for t in (1, 2, 5))
    for other in others:
        assert np.array_equal(first, other)
    assert not np.array_equal(first, synapses(circuit, seed=10, wiring=wiring))


def test_spreads_leave_the_graph_as_it_is():
    plain, delayed, both = (
        synapses(pair(300, 3000, eq.ErdosRenyi(in_degree=20), **how), seed=9)
        for how in ({}, {"delay": NORMAL}, {"delay": NORMAL, "weight_spread": eq.NormalSpread(0.3)})
    )
    assert np.array_equal(plain[:2], delayed[:2])
    assert np.array_equal(delayed[:3], both[:3])


# --- what it costs ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("weighted", "each"), [(False, 2.0), (True, 6.0)])
def test_memory_is_what_was_expected(weighted, each):
    how = {"weight_spread": eq.LogNormalSpread(0.3)} if weighted else {}
    network = BUILD(pair(3000, 4000, eq.FixedInDegree(50), delay=UNIFORM, **how), seed=1, threads=2)
    routes = {t.route for t in network.tables.parts}
    expected = tables.expected_bytes(routes, network.layout, eq.spiking.Wiring())
    offsets = 4 * 2 * (3000 * 16 + 1)
    assert network.tables.nbytes == expected == each * 200_000 + offsets


def test_fifty_thousand_neurons_with_twenty_delays_stay_near_two_bytes_a_synapse():
    delay = eq.UniformDelay(low=0.1 * ms, high=2 * ms)
    circuit = eq.Circuit(
        populations=[eq.Population("E", size=50_000, neuron=LIF)],
        projections=[eq.Projection(source="E", target="E", weight=0.1 * mV, in_degree=1000, delay=delay)],
    )
    layout = tables.Layout(names=("E",), sizes=(50_000,), threads=2)
    (p,) = circuit.projections
    route = tables.Route(
        projection=p, index=0, source=0, target=0, channel=0, delays=tuple(range(1, 21)), delay_law=tuple(range(19))
    )
    assert tables.expected_bytes([route], layout, eq.spiking.Wiring()) / 5e7 == pytest.approx(2.16, abs=1e-3)


# --- when and how it acts ---------------------------------------------------------------------------------------------
def test_every_synapse_acts_after_its_delay_with_its_weight():
    """A 3 x 2 network by hand: one spike of each source, and each potential jumps when and as far as it must."""
    counts = np.array([[1, 1], [0, 2], [1, 0]])
    delays = np.array([[0.3, 1.1], [0.0, 0.7], [0.1, 0.0]]) * ms
    weights = np.array([[2.0, 0.5], [0.0, 3.0], [7.0, 0.0]]) * mV
    given = {name: {("A", "B"): m} for name, m in (("explicit", counts), ("delays", delays), ("weights", weights))}
    network = BUILD(pair(2, 3, eq.FixedInDegree(1)), seed=1, threads=2, wiring=eq.spiking.Wiring(**given))
    assert network.delays == (1, 11)
    state = kernel.begin(network)
    state.v[:] = 0.0
    state.v[:2] = 0.1  # both fire at the end of the first step
    jumps, decay = np.zeros((14, 3)), math.exp(-0.1 / 20)
    for k in range(14):
        before = state.v[512:515].astype(np.float64) * decay
        state, _ = kernel.advance(network, state, 1)
        jumps[k] = state.v[512:515] - before
    wanted = np.zeros((14, 3))
    for post, pre in np.argwhere(counts):
        wanted[round(delays[post, pre] / (0.1 * ms)), post] += counts[post, pre] * weights[post, pre]
    assert jumps == pytest.approx(wanted, abs=1e-9)


def test_given_delays_and_weights_come_back_as_they_were():
    rng = np.random.default_rng(2)
    counts = (rng.random((700, 300)) < 0.05).astype(int)
    delays, weights = rng.integers(1, 12, counts.shape) * 0.1 * ms, rng.gamma(2.0, 1 * mV, counts.shape)
    sparse = scipy.sparse.csr_array
    given = {
        "explicit": {("A", "B"): sparse(counts)},
        "delays": {("A", "B"): sparse(delays * counts)},
        "weights": {("A", "B"): sparse(weights * counts)},
    }
    pre, post, delay, weight = synapses(
        pair(300, 700, eq.FixedInDegree(1)), seed=1, threads=2, wiring=eq.spiking.Wiring(**given)
    )
    pre, post = pre.astype(int), post.astype(int)
    assert pre.size == counts.sum()
    assert counts[post, pre].all()
    assert delay == pytest.approx(delays[post, pre], rel=1e-12)
    assert weight == pytest.approx(weights[post, pre], rel=1e-6)


def test_a_given_graph_draws_what_is_not_given():
    counts = np.ones((500, 400))
    circuit = pair(400, 500, eq.FixedInDegree(1), delay=UNIFORM, weight_spread=eq.NormalSpread(0.2))
    found = synapses(circuit, seed=1, wiring=eq.spiking.Wiring(explicit={("A", "B"): counts}))
    assert found.shape[1] == counts.size
    assert abs(found[2].mean() - UNIFORM.expectation) < Z * math.sqrt(1 / 12) * 1.5 * ms / math.sqrt(counts.size)
    assert abs(found[3].std() / found[3].mean() - 0.2) < 0.002


def test_homeostasis_moves_the_weights_of_a_neuron_in_proportion():
    """The kernel weighs the sum by the neuron's own weight: twice the weight, twice the jumps."""
    network = BUILD(pair(300, 600, eq.FixedInDegree(40), weight_spread=eq.LogNormalSpread(0.5)), seed=1, threads=2)
    doubled = replace(network, weights=network.weights.copy())
    doubled.weights[0, 512 : 512 + 300] *= 2
    ends = []
    for n in (network, doubled):
        state = kernel.begin(n)
        state.v[:] = 0.0
        state.v[:300] = 0.1
        ends.append(kernel.advance(n, replace(state, v=state.v), 16)[0].v[512 : 512 + 600].astype(np.float64))
    quiet = ends[1] < 20 * mV
    ratio = np.where(np.arange(600) < 300, 2.0, 1.0)
    assert quiet.sum() > 0
    fired = (ends[0] == np.float32(10 * mV)) | (ends[1] == np.float32(10 * mV))
    assert ends[1][~fired] == pytest.approx((ratio * ends[0])[~fired], rel=1e-6)


def test_cells_with_unequal_synapses_find_their_set_points():
    """Rules at neuron scope on sums of weights: all cells come to one rate, which they did not share before."""
    rule = eq.RateHomeostasis(target_e=15 * Hz, target_i=15 * Hz, tau_e=4.0, tau_i=4.0)
    circuit = spread(two_populations(500, 300), onto_i=eq.NormalSpread(0.3))
    ruled = replace(circuit, rules=[eq.AttachedRule("E", rule, scope="neuron")])

    def rates(c, warmup):
        run = eq.spiking.simulate(c, duration=warmup + 3.0, seed=4)
        late = run.steps * run.provenance.dt > warmup
        return np.bincount(run.units[late], minlength=800)[:500] / 3.0

    before, after = rates(circuit, 0.5), rates(ruled, 14.0)
    assert abs(after.mean() - 15) < 0.5
    assert abs(before.mean() - 15) > 1.0
    assert after.std() < 0.4 * before.std()


# --- what it changes --------------------------------------------------------------------------------------------------
def test_a_spread_of_delays_takes_synchrony_from_a_strongly_coupled_network():
    """Fano factor of population counts in 1 ms: 190 with 1.5 ms for all, 90 with 0.1 to 2.9 ms."""
    lif, k, n = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms), 200, 2000
    weights = {"E": {"E": 1.0, "I": -2.0, "X": 1.0}, "I": {"E": 1.0, "I": -1.8, "X": 0.8}}

    def fano(delay):
        circuit = eq.Circuit(
            populations=[*(eq.Population(p, size=n, neuron=lif) for p in "EI"), eq.Source("X", rate=10 * Hz)],
            projections=[
                eq.Projection(source=s, target=t, weight=j / math.sqrt(k), in_degree=k, delay=delay)
                for t, row in weights.items()
                for s, j in row.items()
            ],
        )
        run = eq.spiking.simulate(circuit, duration=1.0, seed=1, record=eq.spiking.Record(cells=0, bin=1 * ms))
        count = run.counts.sum(axis=0)
        return count.var() / count.mean()

    common, spread_out = fano(1.5 * ms), fano(eq.UniformDelay(low=0.1 * ms, high=2.9 * ms))
    assert common > 120
    assert spread_out < 0.65 * common
