"""Neuron scope: a sample of cells against mean field, the closed form against time, spectra against dense ones."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status, dynamics
from equipoise.theory import cells, network, neuron_scope
from equipoise.theory.neuron_scope import NeuronScopeEquilibrium
from equipoise.units import Hz, hour, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
ONE_CELL = eq.SetPoint(rate=10 * Hz, cv=0.9)
MEANS = eq.CalciumSetPoint(mean=2.0737, second_moment=6.4956)  # of the standard network's balanced limit, over cells


def standard(K=1000):
    return eq.Circuit.example("balanced_network").infinite().scaled(K)


def regulated(circuit, scopes="nn", target=ONE_CELL, *, scale="relative", start=1.0, goals=None):
    """The circuit with weights off by `start`; scopes by letter: n neuron, p population, - no rule."""
    hours = 1.0 if scale == "relative" else 20.0
    rules = [
        eq.AttachedRule(
            name,
            eq.CalciumHomeostasis(
                SENSOR, (goals or {}).get(name, target), tau_e=2 * hours * hour, tau_i=hours * hour, scale=scale
            ),
            scope={"n": "neuron", "p": "population"}[letter],
        )
        for name, letter in zip("EI", scopes, strict=True)
        if letter != "-"
    ]
    nodes = [*circuit.populations, *circuit.sources]
    moved = circuit.with_weights(circuit.weights() * start)
    return eq.Circuit(populations=nodes, projections=moved.projections, rules=rules)


def cell_loop(circuit, m):
    loop = network.loop_of(circuit)
    return cells.CellLoop(loop.wiring, loop.rules, network.scopes_of(circuit), cells.labels(m, loop.wiring.J.shape[1]))


# --- the sample of cells ----------------------------------------------------------------------------------------------
def test_labels_are_symmetric_and_of_unit_covariance():
    xi = cells.labels(128, 5)
    np.testing.assert_allclose(xi.mean(0), 0.0, atol=1e-14)
    np.testing.assert_allclose(xi.T @ xi / 128, np.eye(5), atol=1e-12)
    assert np.abs(np.median(np.abs(xi), axis=0) - 0.6745).max() < 0.06  # normal, not merely standardised


@pytest.mark.parametrize("finite", [False, True], ids=["sparse", "finite-p"])
def test_the_sample_has_the_quenched_statistics_of_mean_field(finite):
    circuit = standard()
    if finite:
        populations = eq.Circuit.example("balanced_network")
        circuit = populations.with_projection("E", "E", connectivity=eq.ErdosRenyi(probability=0.125))
    here = cell_loop(regulated(circuit), 256)
    x = np.array([12.0, 11.0, 250.0, 220.0])
    m = here.wiring.moments(x[:2], x[2:])
    for a in range(2):
        given = here.inputs(a, np.zeros(here.places[-1].stop), x)
        covariance = np.cov(given.mu, given.s, bias=True)
        assert (given.mu.mean(), given.s.mean()) == pytest.approx((m.mu[a], m.s[a]), rel=1e-12)
        assert covariance.ravel()[[0, 1, 3]] == pytest.approx((m.beta[a], m.gamma[a], m.eta[a]), rel=1e-10)


@pytest.mark.parametrize("K", [100, 1000])
def test_cells_with_equal_weights_agree_with_mean_field_up_to_the_sampling_error(K):
    state, here = eq.theory.mean_field(standard(K)), network.wiring_of(standard(K))
    errors = {}
    for m in (64, 256, 1024):
        sample = cells.CellLoop(here, (None, None), (False, False), cells.labels(m, 3))
        found = sample.state(np.zeros(0), state.x)
        assert found.status is Status.OK
        errors[m] = np.abs(found.x / state.x - 1.0)
    assert errors[64].max() < 0.03
    assert errors[1024][:2].max() < 1e-4
    assert errors[1024].max() < 2e-3
    assert errors[1024].max() < errors[64].max() / 4.0


@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_slow_jacobian_and_fast_derivatives_against_differences(scale):
    here = cell_loop(regulated(standard(), scale=scale), 32)
    x0 = eq.theory.mean_field(standard()).x
    size = 0.02 if scale == "relative" else 5e-4
    u = size * np.random.default_rng(1).standard_normal(here.places[-1].stop)
    x = here.state(u, x0).x
    slopes = cells.slow_slopes(here, u, x)
    fast = dynamics.differences(lambda z: here.averages(u, z)[0], x)
    np.testing.assert_allclose(slopes.fast, fast, rtol=1e-6, atol=1e-8)
    numeric = dynamics.differences(lambda v: here.rhs(v, here.state(v, x).x), u, relative_step=0.02)
    np.testing.assert_allclose(slopes.dense(), numeric, atol=1e-6 * np.abs(numeric).max())
    whole = slopes.sparse(0.5).toarray()
    np.testing.assert_allclose(whole[u.size :, u.size :], slopes.fast / 0.5, rtol=1e-14)
    reduced = whole[: u.size, : u.size] - whole[: u.size, u.size :] @ np.linalg.solve(
        slopes.fast / 0.5, whole[u.size :, : u.size]
    )
    np.testing.assert_allclose(reduced, slopes.dense(), atol=1e-12 * np.abs(numeric).max())


# --- where it ends ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_every_cell_ends_at_the_set_point_and_evolution_goes_there(scale):
    circuit = regulated(standard(), scale=scale, start=0.8)
    point = eq.theory.network_equilibrium(circuit)
    assert isinstance(point, NeuronScopeEquilibrium)
    assert point.status is Status.OK
    assert point.state.rates == pytest.approx([10.0, 10.0], rel=1e-5)
    assert point.state.second_moments == pytest.approx([100.0, 100.0], rel=1e-5)
    path = eq.theory.network_evolve(circuit, duration=100 * 24 * hour, times=[0.0, 3600.0, 8.64e6], cells=64)
    assert path.attrs["status"] == "OK"
    assert path["cell_rate_sd"].values[0].min() > 8.0
    assert path["cell_rate_sd"].values[-1].max() < 1e-6
    assert np.abs(path["cell_rate"].values[-1] / 10.0 - 1.0).max() < 1e-5
    assert np.abs(path["cell_cv"].values[-1] / 0.9 - 1.0).max() < 1e-5
    np.testing.assert_allclose(path["weight"].values[:, -1], point.weights, rtol=2e-4)
    for k, population in enumerate(point.cells):
        spread = path["cell_gain_sd"].values[-1, k]
        assert spread == pytest.approx(population.gains.std(1), rel=5e-3)


def test_cells_without_disorder_meet_the_closed_form_of_one_cell():
    # One population, driven only, with equal in-degrees: every cell is the driven neuron of Eqs. 30-31.
    neuron = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=neuron), eq.Source("X", rate=5 * Hz), eq.Source("Y", rate=5 * Hz)],
        projections=[
            eq.Projection(source="X", target="E", weight=0.4, connectivity=eq.FixedInDegree(200)),
            eq.Projection(source="Y", target="E", weight=-0.6, connectivity=eq.FixedInDegree(200)),
        ],
        rules=[
            eq.AttachedRule("E", eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.8)), scope="neuron"),
        ],
    )
    point = eq.theory.network_equilibrium(circuit)
    trains = eq.PoissonInputs(K=200, rate=5 * Hz)
    cell = eq.DrivenNeuron(neuron, trains, trains)
    alone = eq.theory.equilibrium(cell, circuit.rules[0].rule)
    assert point.weights == pytest.approx([alone.j_e, alone.j_i], rel=1e-9)
    assert isinstance(point, NeuronScopeEquilibrium)
    assert np.ptp(point.cells[0].gains, axis=1).max() < 1e-12
    recovery = np.sort(eq.theory.stability(cell, circuit.rules[0].rule, at=alone).recovery_times)
    assert point.cells[0].recovery[:, 0] == pytest.approx(recovery, rel=1e-6)


@pytest.mark.parametrize("K", [300, 1000])
@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_gains_solve_the_two_equations_of_every_cell(K, scale):
    circuit = regulated(standard(K), scale=scale)
    loop = network.loop_of(circuit)
    mu, sigma = eq.renewal.input_for(loop.wiring.neurons[0], rate=10 * Hz, cv=0.9)
    here, x = cell_loop(circuit, 256), np.array([10.0, 10.0, 100.0, 100.0])
    point = neuron_scope.operating_point(loop, 0)
    changes = [neuron_scope.changes_for(here, a, x, point) for a in range(2)]
    for a in range(2):
        given = here.inputs(a, np.concatenate([c.ravel() for c in changes]), x)
        assert given.mu == pytest.approx(np.full(256, float(mu)), rel=1e-9)
        assert given.s == pytest.approx(np.full(256, float(sigma) ** 2), rel=1e-9)


# --- stability --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("K", "cv"), [(1000, 0.9), (1000, 0.7), (10000, 0.9)])
def test_collective_modes_are_eigenvalues_of_the_whole_and_cells_fill_bands(K, cv):
    circuit = regulated(standard(K), target=eq.SetPoint(rate=10 * Hz, cv=cv))
    point = eq.theory.network_equilibrium(circuit)
    assert isinstance(point, NeuronScopeEquilibrium)
    here, x = cell_loop(circuit, 64), np.array([10.0, 10.0, 100.0, 100.0])
    one = neuron_scope.operating_point(network.loop_of(circuit), 0)
    u = np.concatenate([neuron_scope.changes_for(here, a, x, one).ravel() for a in range(2)])
    values = np.linalg.eigvals(cells.slow_slopes(here, u, x).dense())
    assert point.spectrum.eigenvalues.size == 2  # one oscillating pair
    for found in point.spectrum.eigenvalues:
        assert np.abs(values / found - 1.0).min() < 1e-3
    band = np.sort(np.abs(values))[: values.size // 2]  # the slow half: one mode of every cell
    slowest = max(c.recovery.max() for c in point.cells)
    assert 1.0 / band[0] == pytest.approx(slowest, rel=0.05)


def test_a_single_cell_off_its_set_point_recovers_with_its_own_times():
    circuit = regulated(standard())
    point = eq.theory.network_equilibrium(circuit)
    assert isinstance(point, NeuronScopeEquilibrium)
    here, x = cell_loop(circuit, 64), np.array([10.0, 10.0, 100.0, 100.0])
    one = neuron_scope.operating_point(network.loop_of(circuit), 0)
    u = np.concatenate([neuron_scope.changes_for(here, a, x, one).ravel() for a in range(2)])
    off = u.copy()
    off[0] += 1e-3
    # With the network held, one cell is its own 2 x 2 system; its rate returns within the fast time.
    fast, slow = (np.mean(t) for t in point.cells[0].recovery)
    path = dynamics.evolve(
        lambda v: here.rhs(v, x), off, np.array([0.0, 5 * fast]), names=tuple(map(str, range(u.size))), tolerance=1e-10
    )
    rates = [float(eq.renewal.rate(here.wiring.neurons[0], mu=g.mu[0], sigma=np.sqrt(g.s[0])))
             for g in (here.inputs(0, v, x) for v in path.x.T)]  # fmt: skip
    assert abs(rates[1] - 10.0) < 0.02 * abs(rates[0] - 10.0)
    assert slow > 100 * fast


def test_too_regular_a_set_point_is_unstable_at_few_inputs():
    circuit = regulated(standard(400), target=eq.SetPoint(rate=10 * Hz, cv=0.7))
    point = eq.theory.network_equilibrium(circuit)
    assert point.status is Status.UNSTABLE
    assert point.spectrum.eigenvalues.real.max() > 0.0
    assert "small disturbances grow" in point.message


# --- set points that do not fit ---------------------------------------------------------------------------------------
def test_population_means_are_named_as_no_set_point_of_one_cell():
    point = eq.theory.network_equilibrium(regulated(standard(), target=MEANS))
    assert point.status is Status.IMPLAUSIBLE
    assert "each would have to fire at 10.21 Hz with C_v 2.12" in point.message
    assert "not those of one cell" in point.message
    assert point.weights[0] > 7 * 0.0316  # 7.6 times the balanced weight
    held = eq.theory.network_equilibrium(regulated(standard(), "pp", MEANS))
    assert held.status is Status.MARGINAL
    assert held.state.populations[0].rate_cv2 > 0.5


def test_moments_of_no_cell_at_all_are_infeasible():
    circuit = regulated(standard(), target=eq.CalciumSetPoint(mean=0.2, second_moment=60.0))
    with pytest.raises(eq.NumericalFailure, match="set point of 'E' fits no single cell") as caught:
        eq.theory.network_equilibrium(circuit)
    found = eq.theory.network_equilibrium(circuit, throw=False)
    assert found.status is caught.value.status
    assert not found.status.usable
    assert np.isnan(found.weights).all()
    assert repr(found).startswith(f"NetworkEquilibrium: {found.status.name}")
    assert "nan" not in repr(found)


def test_too_few_inputs_say_how_many_would_do():
    circuit = regulated(standard(50), target=eq.SetPoint(rate=10 * Hz, cv=0.7))
    with pytest.raises(eq.NumericalFailure, match=r"100 % of the cells of 'E'.*About 6.2 times as many") as caught:
        eq.theory.network_equilibrium(circuit)
    assert caught.value.status is Status.INFEASIBLE
    enough = regulated(standard(50 * 6.2), target=eq.SetPoint(rate=10 * Hz, cv=0.7))
    assert eq.theory.network_equilibrium(enough, throw=False).status.usable


def test_a_small_lost_share_is_told_and_does_not_matter():
    circuit = regulated(standard(245), target=eq.SetPoint(rate=10 * Hz, cv=0.7))
    point = eq.theory.network_equilibrium(circuit)
    assert isinstance(point, NeuronScopeEquilibrium)
    assert 0.0 < point.cells[0].lost < neuron_scope.MATTERS
    assert "cannot reach their set point" in point.message
    assert np.isnan(point.cells[0].gains).any(0).mean() == point.cells[0].lost


def test_absolute_weights_never_turn_negative():
    # Too few inputs for so regular a set point: every cell gives inhibition up.
    neuron = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)
    rule = eq.CalciumHomeostasis(
        SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.05), tau_e=20 * hour, tau_i=10 * hour, scale="absolute"
    )
    circuit = eq.Circuit(
        populations=[eq.Population("E", neuron=neuron), eq.Source("X", rate=5 * Hz), eq.Source("Y", rate=5 * Hz)],
        projections=[
            eq.Projection(source="X", target="E", weight=0.4, in_degree=40),
            eq.Projection(source="Y", target="E", weight=-0.1, in_degree=40),
        ],
        rules=[eq.AttachedRule("E", rule, scope="neuron")],
    )
    path = eq.theory.network_evolve(circuit, duration=2000 * hour, times=[0.0, 2000 * hour], cells=32)
    assert path.attrs["status"] == "OK"
    inhibition = path["cell_gain"].values[-1, 0, 1] + 0.1
    assert inhibition.min() > -1e-7
    assert inhibition.max() < 1e-3
    assert (path["cell_cv"].values[-1] > 0.05).all()


# --- mixed scopes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scopes", ["np", "pn", "n-"])
def test_mixed_scopes_by_direct_solution_and_in_time(scopes):
    goals = eq.theory.network_set_points(standard(), SENSOR)
    own = {name: ONE_CELL for name, letter in zip("EI", scopes, strict=True) if letter == "n"}
    circuit = regulated(standard(), scopes, goals=goals | own)
    point = eq.theory.network_equilibrium(circuit)
    assert isinstance(point, NeuronScopeEquilibrium)
    assert point.status is Status.OK
    assert (point.spectrum.eigenvalues.real < 0.0).all()
    at = 0 if scopes[0] == "n" else 1
    assert point.state.rates[at] == pytest.approx(10.0, rel=1e-5)
    assert point.state.populations[at].rate_cv2 == pytest.approx(0.0, abs=1e-12)
    assert point.state.populations[1 - at].rate_cv2 > 0.3
    path = eq.theory.network_evolve(circuit, duration=100 * 24 * hour, times=[0.0, 100 * 24 * hour], cells=256)
    np.testing.assert_allclose(path["rate"].values[-1], point.state.rates, rtol=2e-3)
    np.testing.assert_allclose(path["second_moment"].values[-1], point.state.second_moments, rtol=1e-2)
    np.testing.assert_allclose(path["weight"].values[:, -1], point.weights, rtol=1e-2)


def test_excitation_escapes_when_only_inhibitory_cells_regulate():
    # Inhibitory cells that hold their own rate stop answering, on slow scales, to E, which no rule holds.
    circuit = regulated(standard(), "-n")
    point = eq.theory.network_equilibrium(circuit)
    path = eq.theory.network_evolve(circuit, duration=100 * 24 * hour, times=[0.0, 100 * 24 * hour], cells=64)
    assert point.state.rates == pytest.approx(path["rate"].values[-1], rel=1e-4)
    assert point.state.rates[0] > 0.9 / (2 * ms)  # near the refractory limit
    assert point.state.rates[1] == pytest.approx(10.0, rel=1e-5)


# --- words ------------------------------------------------------------------------------------------------------------
def test_results_speak():
    text = repr(eq.theory.network_equilibrium(regulated(standard())))
    for words in (
        "NeuronScopeEquilibrium: OK",
        "E: every cell 10.0000 Hz, C_v 0.9000",
        "Collective modes: stable",
        "min",
    ):
        assert words in text


def test_bad_input_is_named():
    circuit = regulated(standard())
    with pytest.raises(ValueError, match=r"cells must be a power of two of at least 32, got 100\. Try 256"):
        eq.theory.network_evolve(circuit, duration=hour, cells=100)
    adaptive = eq.AttachedRule("I", eq.AdaptiveCalciumHomeostasis(SENSOR, ONE_CELL))
    mixed = replace(circuit, rules=[circuit.rules[0], adaptive])
    with pytest.raises(TypeError, match="population 'I' has adaptive set points, and the circuit has rules at neuron"):
        eq.theory.network_equilibrium(mixed)
    excited = eq.Circuit(
        populations=[*circuit.populations, *circuit.sources],
        projections=[p for p in circuit.projections if p.source != "I"],
        rules=circuit.rules,
    )
    with pytest.raises(ValueError, match=r"cells of 'E' need excitatory and inhibitory inputs.*got no inhibitory ones"):
        eq.theory.network_equilibrium(excited)
