"""Graphs: in-degrees, partners, forms and memory of the tables."""

import math

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import equipoise as eq
from equipoise.spiking import tables, wiring
from equipoise.spiking.layout import Layout
from equipoise.units import Hz

Z = 4.0


def circuit(n_pre, n_post, connectivity, *, recurrent=False):
    populations = [eq.Population("A", size=n_pre, neuron=eq.LIF())]
    if not recurrent:
        populations.append(eq.Population("B", size=n_post, neuron=eq.LIF()))
    target = "A" if recurrent else "B"
    projection = eq.Projection(source="A", target=target, weight=0.01, connectivity=connectivity)
    return eq.Circuit(populations=populations, projections=[projection])


def matrix(network, target="B"):
    """The adjacency matrix (post, pre)."""
    pre, post = network.synapses("A", target)
    sizes = dict(zip(network.layout.names, network.layout.sizes, strict=True))
    out = np.zeros((sizes[target], sizes["A"]), np.int64)
    np.add.at(out, (post, pre), 1)
    return out


def built(*arguments, seed=1, threads=2, recurrent=False, **options):
    graph = circuit(*arguments, recurrent=recurrent)
    return eq.spiking.build(graph, seed=seed, threads=threads, wiring=eq.spiking.Wiring(**options))


@pytest.mark.parametrize("k", [1, 20, 130, 400, 700])
def test_fixed_in_degree_is_fixed_and_its_partners_differ(k):
    found = matrix(built(700, 1100, eq.FixedInDegree(k)))
    assert (found.sum(axis=1) == k).all()
    assert found.max() == 1
    out_degree = found.sum(axis=0)
    assert out_degree.sum() == 1100 * k
    # Hypergeometric: each partner is as likely as any other.
    variance = 1100 * (k / 700) * (1 - k / 700)
    if variance > 0:
        chi2 = ((out_degree - out_degree.mean()) ** 2).sum() / variance
        assert abs(chi2 - 699) < Z * math.sqrt(2 * 699)


@pytest.mark.parametrize("p", [0.004, 0.05, 0.3, 0.9])
def test_erdos_renyi_pairs_are_independent(p):
    found = matrix(built(800, 1500, eq.ErdosRenyi(probability=p)))
    assert found.max() == 1
    for axis, n, m in ((1, 800, 1500), (0, 1500, 800)):  # in- and out-degrees are both binomial
        degree, variance = found.sum(axis=axis), n * p * (1 - p)
        assert abs(degree.mean() - n * p) < Z * math.sqrt(800 * 1500 * p * (1 - p)) / m
        fourth = 2 + (1 - 6 * p * (1 - p)) / variance
        assert abs(degree.var() / variance - 1) < Z * math.sqrt(fourth / m)
    shared = (found[:700] * found[700:1400]).sum()  # two neurons share partners by chance alone
    assert abs(shared - 700 * 800 * p * p) < Z * math.sqrt(700 * 800 * p * p)


def test_in_degree_of_an_erdos_renyi_graph_is_its_mean_whether_or_not_autapses_are_allowed():
    for autapses in (False, True):
        found = matrix(built(1500, 0, eq.ErdosRenyi(in_degree=300), recurrent=True, autapses=autapses), "A")
        assert abs(found.sum(axis=1).mean() - 300) < Z * math.sqrt(300 * 0.8 / 1500)
        loops = np.trace(found)
        assert loops == 0 if not autapses else abs(loops - 300) < Z * math.sqrt(300 * 0.8)


def test_multapses_are_drawn_with_replacement():
    found = matrix(built(500, 2000, eq.FixedInDegree(100), multapses=True))
    assert (found.sum(axis=1) == 100).all()
    expected = 2000 * 500 * (1 - (1 - 1 / 500) ** 100)
    assert abs((found > 0).sum() - expected) < 0.005 * expected
    poisson = matrix(built(500, 4000, eq.ErdosRenyi(in_degree=100), multapses=True)).sum(axis=1)
    assert abs(poisson.mean() - 100) < Z * math.sqrt(100 / 4000)
    assert abs(poisson.var() / 100 - 1) < Z * math.sqrt(2.01 / 4000)


def test_all_to_all():
    assert (matrix(built(600, 0, eq.FixedInDegree(600), recurrent=True, autapses=True), "A") == 1).all()
    others = matrix(built(600, 0, eq.FixedInDegree(599), recurrent=True), "A")
    assert (others == 1 - np.eye(600, dtype=int)).all()


@given(
    sizes=st.tuples(st.integers(30, 900), st.integers(1, 1700)),
    k=st.integers(1, 30),
    seed=st.integers(0, 99),
    multapses=st.booleans(),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_the_graph_does_not_depend_on_the_threads(sizes, k, seed, multapses):
    one, *others = (
        matrix(built(*sizes, eq.ErdosRenyi(in_degree=k), seed=seed, threads=t, multapses=multapses)) for t in (1, 2, 5)
    )
    for other in others:
        assert np.array_equal(one, other)


def test_seeds_and_projections_have_graphs_of_their_own():
    a, b = (matrix(built(600, 600, eq.FixedInDegree(60), seed=s)) for s in (1, 2))
    assert abs((a * b).sum() - 600 * 600 * 0.01) < Z * math.sqrt(3600)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize(("n", "k"), [(12_500, 1250), (12_500, 100), (10_000, 500), (10_000, 640)])
def test_a_synapse_takes_little_more_than_two_bytes(n, k, threads):
    layout = Layout(names=("A",), sizes=(n,), threads=threads)
    projection = eq.Projection(source="A", target="A", weight=0.1, connectivity=eq.FixedInDegree(k))
    route = wiring.Route(projection=projection, index=0, source=0, target=0, channel=0, delays=(1,))
    assert tables.expected_bytes([route], layout, wiring.Wiring()) / (n * k) <= 2.2


def test_the_memory_of_a_network_is_what_was_expected():
    network = built(3000, 4000, eq.FixedInDegree(50))
    routes = {t.route for t in network.tables.parts}
    expected = tables.expected_bytes(routes, network.layout, wiring.Wiring())
    assert network.tables.nbytes == pytest.approx(expected, rel=1e-3)
    assert network.tables.synapses == 200_000
    assert "200,000 synapses, 2.1" in repr(network)


def test_blocks_of_many_neurons_stay_within_16_bits():
    layout = Layout(names=("A", "B"), sizes=(400_000, 1000), threads=3)
    assert all(b.last - b.first <= 128 for b in layout.blocks)
    columns = sorted(c for b in layout.blocks for c in range(b.first, b.last))
    assert columns == list(range(layout.columns))
    shares = [sum(b.last - b.first for b in layout.blocks if b.thread == t) for t in range(3)]
    assert max(shares) - min(shares) <= 3


@pytest.mark.parametrize("sparse", [False, True])
def test_a_given_matrix_is_taken_as_it_is(sparse):
    rng = np.random.default_rng(1)
    given = (rng.random((1100, 700)) < 0.05) * rng.integers(1, 4, (1100, 700))
    explicit = {("A", "B"): scipy.sparse.csr_array(given) if sparse else given}
    network = built(700, 1100, eq.FixedInDegree(1), explicit=explicit)
    assert np.array_equal(matrix(network), given)


def test_a_network_of_a_given_graph_runs_as_if_it_had_been_drawn():
    drawn = built(900, 0, eq.FixedInDegree(90), recurrent=True)
    explicit = {("A", "A"): matrix(drawn, "A")}
    given = built(900, 0, eq.FixedInDegree(90), recurrent=True, explicit=explicit)
    runs = [eq.spiking.run(n, duration=0.05) for n in (drawn, given)]
    assert np.array_equal(runs[0].end.v, runs[1].end.v)


def test_trains_of_a_source_are_as_many_as_its_connectivity_says():
    source = eq.Source("X", rate=10 * Hz)
    neurons = eq.Population("E", size=5000, neuron=eq.LIF())

    def trains(connectivity):
        p = eq.Projection(source="X", target="E", weight=0.01, connectivity=connectivity)
        network = eq.spiking.build(eq.Circuit(populations=[neurons, source], projections=[p]), seed=1)
        return wiring.source_in_degrees(p, 5000, network.key, 0)

    assert (trains(eq.FixedInDegree(400)) == 400).all()
    random = trains(eq.ErdosRenyi(in_degree=400))
    assert abs(random.mean() - 400) < Z * math.sqrt(400 / 5000)
    assert abs(random.var() / 400 - 1) < Z * math.sqrt(2 / 5000)
