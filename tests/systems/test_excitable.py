"""Excitable networks: against a NumPy reference, exact laws of small networks, mean field and each other."""

import numpy as np
import pytest
from scipy import stats

import equipoise as eq
from equipoise import _core
from equipoise import branching as br

WORDS = np.arange(1, 5, dtype=np.uint64) * 2**60 + 99


def reference(built, steps, drive, clocks, words):
    """The step in NumPy, drawing the same numbers in the same order."""
    clocks, words, counts = clocks.copy(), words.copy(), []
    n, r = built.model.size, built.model.refractory
    fired = np.flatnonzero(clocks == (r or -1))
    for _ in range(steps):
        x = np.zeros(n)
        for j in fired:
            np.add.at(x, built.targets[built.starts[j] : built.starts[j + 1]], built.weights[j])
        new = []
        for i in range(n):
            if clocks[i] > 0:
                clocks[i] -= 1
                continue
            clocks[i] = 0
            if drive + x[i] > 0.0:
                bits = np.empty(1, np.uint64)
                _core.random_bits(words, bits)
                if (float(bits[0] >> np.uint64(11)) + 0.5) * 2.0**-53 < drive + x[i]:
                    clocks[i] = r or -1
                    new.append(i)
        fired = np.array(new, int)
        counts.append(len(new))
    return np.array(counts), clocks


@pytest.mark.parametrize("refractory", [0, 1, 3])
def test_equal_to_the_reference(refractory):
    built = br.build(br.ExcitableNetwork(size=60, in_degree=8, coupling=2.0, g=0.7, refractory=refractory), seed=1)
    clocks = np.where(np.arange(60) % 5 == 0, refractory or -1, 0).astype(np.int32)
    expected = reference(built, 40, 0.02, clocks, WORDS)
    words, mine, counts = WORDS.copy(), clocks.copy(), np.empty(40, np.int64)
    for part in (counts[:15], counts[15:]):  # in pieces
        _core.excitable_run(words, built.starts, built.targets, built.weights, 0.02, refractory, mine, part)
    assert counts.tolist() == expected[0].tolist()
    assert mine.tolist() == expected[1].tolist()
    assert counts.sum() > 50


def test_each_unit_has_k_inputs():
    built = br.build(br.ExcitableNetwork(size=300, in_degree=7, coupling=1.0, g=2.0), seed=2)
    assert (np.bincount(built.targets, minlength=300) == 7).all()
    assert built.weights[:240].tolist() == [1.0 / 7] * 240
    assert built.weights[240:] == pytest.approx(-2.0 / 7)


@pytest.mark.parametrize(("g", "sigma"), [(0.0, 1.6), (1.0, 1.2), (1.5, 1.0), (2.0, 0.8)])
def test_sigma_is_the_largest_eigenvalue(g, sigma):
    model = br.ExcitableNetwork(size=2000, in_degree=400, coupling=2.0, g=g)
    assert model.sigma == pytest.approx(sigma)
    assert br.build(model, seed=3).largest_eigenvalue == pytest.approx(sigma, rel=0.01)
    assert model.critical_g == pytest.approx(1.5)


def test_from_one_spike_the_offspring_are_binomial():
    """Excitation alone at no drive, every unit at rest but one: the second count is binomial (N, J)."""
    n, draws = 200, 20_000
    network, words = np.array([n, 0.0, 0.9 / n, 0.0]), WORDS.copy()
    found = np.empty(draws, np.int64)
    for i in range(draws):
        state = np.array([1, 0, 0, 0], np.int64)
        _core.excitable_run_all_to_all(words, network, 0.0, state, found[i : i + 1])
    k = np.arange(7)
    expected = draws * stats.binom.pmf(k, n - 1, 0.9 / n)  # the one that fired is refractory
    seen = np.array([(found == x).sum() for x in k])
    assert stats.chi2.sf(np.sum((seen - expected) ** 2 / expected), k.size - 1) > 1e-3


@pytest.mark.parametrize(("refractory", "coupling"), [(0, 1.0), (2, 1.5)])
def test_numbers_of_units_suffice_where_all_act_on_all(refractory, coupling):
    """The same network unit by unit and by numbers: mean, variance and slope of the counts agree."""
    n, what = 150, {"coupling": coupling, "g": 0.5, "refractory": refractory}
    by_numbers = br.ExcitableNetwork(size=n, **what)
    model = br.ExcitableNetwork(size=n, in_degree=n, **what)
    each = np.tile(np.arange(n, dtype=np.int32), n)
    weights = by_numbers.weight * np.where(np.arange(n) < by_numbers.excitatory_units, 1.0, -0.5)
    by_unit = br.BuiltNetwork(model, np.arange(0, n * n + 1, n), each, weights)
    steps = 40_000
    a, b = (
        br.run(network, steps, drive=0.01, seed=s, warmup=200).astype(float)
        for network, s in ((by_numbers, 4), (by_unit, 5))
    )
    m = float(eq.measures.branching_ratio(a, kmax=1))
    error = np.sqrt(2.0 * a.var() * (1 + m) / (1 - m) / steps)
    assert abs(a.mean() - b.mean()) < 4 * error
    assert b.var() == pytest.approx(a.var(), rel=0.06)
    assert float(eq.measures.branching_ratio(b, kmax=1)) == pytest.approx(m, abs=0.02)


@pytest.mark.parametrize("g", [0.0, 1.0, 1.4, 1.6, 2.5])
@pytest.mark.parametrize("drive", [1e-3, 1e-2, 0.3])
def test_mean_field_of_a_large_network(g, drive):
    model = br.ExcitableNetwork(size=10**7, coupling=2.0, g=g, refractory=2)
    counts = br.run(model, 300, drive=drive, seed=6, warmup=700, active=0.05)
    assert counts.mean() / model.size == pytest.approx(float(model.density(drive)), rel=4e-3)


def test_density_at_its_limits():
    net = br.ExcitableNetwork(size=1000, coupling=2.0, g=1.5, refractory=2)
    assert net.density([1e-8, 1.0]) == pytest.approx([np.sqrt(1e-8 / 2.0), 1.0 / 3.0], rel=1e-3)  # rho ~ h^(1/2)
    assert br.ExcitableNetwork(size=1000, coupling=0.5, inhibitory=0.0, refractory=0).density(0.1) == pytest.approx(0.2)
    assert br.ExcitableNetwork(size=1000, coupling=2.0, inhibitory=0.0, refractory=0).density(0.1) == 1.0
    assert br.ExcitableNetwork(size=1000, coupling=1.0).density(0.0) == 0.0


def test_everything_peaks_at_the_critical_ratio():
    """Branching ratio, susceptibility and dynamic range along g, and none of it in Poisson counts of the same mean."""
    g, drives = np.array([0.5, 1.0, 1.3, 1.5, 1.7, 2.0, 3.0]), np.geomspace(1e-6, 1.0, 19)
    found = []
    for value in g:
        net = br.ExcitableNetwork(size=100_000, coupling=2.0, g=float(value), refractory=2)
        counts = br.run(net, 20_000, drive=1e-5, seed=7, warmup=1000, active=0.1)
        answer = [br.run(net, 1500, drive=h, seed=8, warmup=500, active=0.1).mean() / net.size for h in drives]
        null = eq.measures.poisson_null(counts, seed=9)
        found.append(
            [
                float(eq.measures.branching_ratio(counts, kmax=1)),
                eq.measures.susceptibility(counts, net.size) / (counts.mean() / net.size),
                eq.measures.dynamic_range(drives, answer),
                eq.measures.dynamic_range(drives, net.density(drives)),
                float(eq.measures.branching_ratio(null, kmax=1)),
                eq.measures.susceptibility(null, net.size) / (counts.mean() / net.size),
            ]
        )
    ratio, fano, decibels, theory, null_ratio, null_fano = np.array(found).T
    for one in (ratio, fano, decibels, theory):
        assert g[np.argmax(one)] == 1.5
    assert 0.95 < ratio.max() < 1.0
    np.testing.assert_allclose(decibels, theory, atol=0.25)
    assert np.abs(null_ratio).max() < 4 / np.sqrt(20_000)
    np.testing.assert_allclose(null_fano, 1.0, atol=0.05)


def test_inhibition_alone_cannot_silence_a_sparse_network():
    """Ceaseless activity (Larremore et al. 2014) at sigma = 0.96 with 100 inputs; excitation alone at 0.96 ends."""
    with_g = br.ExcitableNetwork(size=5000, in_degree=100, coupling=2.0, g=1.6, refractory=2)
    without = br.ExcitableNetwork(size=5000, in_degree=100, coupling=1.2, g=0.0, refractory=2)
    assert with_g.sigma == pytest.approx(without.sigma)
    ceaseless, ends = (br.run(n, 400, drive=0.0, seed=10, active=0.1) for n in (with_g, without))
    assert ceaseless[-100:].mean() > 0.02 * 5000
    assert ends[-1] == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: br.ExcitableNetwork(size=1, coupling=1.0), ValueError, r"size must be a whole number in \[2, .*got 1"),
        (lambda: br.ExcitableNetwork(size=10, coupling=1.0, in_degree=11), ValueError, r"in_degree .* got 11"),
        (lambda: br.ExcitableNetwork(size=10, coupling=-1.0), ValueError, "ExcitableNetwork.coupling .* got -1"),
        (lambda: br.ExcitableNetwork(size=10, coupling=1.0, refractory=0.5), ValueError, "refractory .* got 0.5"),
        (
            lambda: br.ExcitableNetwork(size=10**7, in_degree=1000, coupling=1.0),
            ValueError,
            "10,000,000,000 synapses are too many, .* Leave in_degree out",
        ),
        (lambda: br.build(br.ExcitableNetwork(size=10, coupling=1.0), seed=1), ValueError, "all units act on all"),
        (
            lambda: br.BuiltNetwork(
                br.ExcitableNetwork(size=2, in_degree=1, coupling=1.0),
                np.array([0, 1, 2]),
                np.array([0, 2], np.int32),
                np.ones(2),
            ),
            ValueError,
            "2 units need 2 weights, and 3 starts .* units from 0 to 1. Use branching.build",
        ),
        (lambda: br.build(3, seed=1), TypeError, "model must be an ExcitableNetwork, got 3"),
        (lambda: br.run(3, 10, drive=0.1, seed=1), TypeError, "network must be an ExcitableNetwork or a built one"),
        (
            lambda: br.run(br.ExcitableNetwork(size=10, coupling=1.0), 1.5, drive=0.1, seed=1),
            ValueError,
            "branching.run: steps must be a whole number of at least 0, got 1.5",
        ),
        (
            lambda: br.run(br.ExcitableNetwork(size=10, coupling=1.0), 10, drive=1.5, seed=1),
            ValueError,
            r"drive .* must lie in \[0, 1\], got 1.5",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
