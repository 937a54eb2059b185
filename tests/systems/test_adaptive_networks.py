"""Adaptive set points (Eq. 35) in networks: invariants, where paths end, and how much of a disturbance is lost."""

from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise import Status
from equipoise.theory import balanced, network, network_approach, network_homeostasis, network_loop
from equipoise.theory.network_loop import NetworkLoop
from equipoise.theory.wiring import Wiring
from equipoise.units import Hz, hour, ms

SENSOR = eq.Calcium(tau=300 * ms, buffering=0.1)
PIF = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)


def circuit(K=1000, *, scale, tau_adapt=10 * hour, start=1.0, drive=10 * Hz, weights=None, targets=None, tau=None):
    """The standard network under adaptive rules (plain ones where tau_adapt is None)."""
    plain = eq.Circuit.example("balanced_network").infinite().scaled(K)
    goals = targets or eq.theory.network_set_points(plain, SENSOR)
    unit = (1.0 if scale == "relative" else 20.0) * hour
    options = {"tau_e": tau or 2 * unit, "tau_i": tau or unit, "scale": scale}
    if tau_adapt is not None:
        options["tau_adapt"] = tau_adapt
    kind = eq.CalciumHomeostasis if tau_adapt is None else eq.AdaptiveCalciumHomeostasis
    moved = plain.with_weights(start * plain.weights() if weights is None else weights)
    return eq.Circuit(
        populations=[*plain.populations, *(replace(s, rate=drive) for s in plain.sources)],
        projections=moved.projections,
        rules=[eq.AttachedRule(name, kind(SENSOR, goal, **options)) for name, goal in goals.items()],
    )


@pytest.mark.parametrize(("tau", "rate", "cv"), [(10.0, 5.0070, 0.7964), (100.0, 5.0008, 0.7994)])
def test_one_driven_cell_as_a_network_loses_as_much_as_derived(tau, rate, cv):
    trains = eq.PoissonInputs(K=200, rate=5 * Hz)
    cell = eq.DrivenNeuron(PIF, trains, trains)
    fixed = eq.CalciumHomeostasis(SENSOR, eq.SetPoint(rate=5 * Hz, cv=0.8))
    before = eq.theory.equilibrium(cell, fixed)
    target = eq.theory.resolve(cell, fixed).target
    rule = eq.AdaptiveCalciumHomeostasis(SENSOR, target, tau_e=1.0, tau_i=1.0, scale="absolute", tau_adapt=tau)
    here = Wiring(
        (PIF,), ("A",), np.array([[0.0, before.j_e, -before.j_i]]), np.array([[0.0, 200.0, 200.0]]), np.zeros((1, 3)),
        np.zeros((1, 3)), np.array([5.0, 5.0]), np.ones(2), np.array([50.0]), np.zeros(1),
    )  # fmt: skip
    point = network_homeostasis.fixed_point(NetworkLoop(here, (rule,), ("X", "Y")), start=np.array([8.7, 8.7**2]))
    state = point.state.populations[0]
    assert state.rate == pytest.approx(rate, abs=6e-5)
    assert eq.renewal.cv(PIF, mu=state.mu, sigma=state.sigma) == pytest.approx(cv, abs=6e-5)
    alone = eq.theory.equilibrium(replace(cell, drive=50.0), rule, start=before.state)
    assert point.weights == pytest.approx([alone.j_e, alone.j_i], rel=1e-9)
    assert point.set_points["A"].second_moment == pytest.approx(alone.state[2], rel=1e-9)


def held_pairs(scale):
    """Coefficients of the conserved pairs of a weight and a target, by their names."""
    found = network_approach.conserved(network.loop_of(circuit(scale=scale)))
    assert len(found) == 6
    return {q.terms: q.coefficients for q in found if any("target" in term for term in q.terms)}


def test_invariants_of_the_absolute_rule_are_those_derived():
    pairs = held_pairs("absolute")
    for name in "EI":
        # tau_adapt mu* - tau_I J_AI and tau_adapt nu* + tau_E J_AE, with tau_adapt 10 h, tau_I 20 h, tau_E 40 h
        weight, target = pairs[f"J_{name}I", f"target_mean_{name}"]
        assert target / weight == pytest.approx(-10.0 / 20.0)
        excitation = [c for (w, t), c in pairs.items() if w[2] == name and t == f"target_second_moment_{name}"]
        assert excitation
        assert [target / weight for weight, target in excitation] == pytest.approx([10.0 / 40.0] * len(excitation))


def test_invariants_of_the_relative_rule_are_logarithmic():
    pairs = held_pairs("relative")
    assert all(w.startswith("log J") and t.startswith("log target") for w, t in pairs)
    for name in "EI":
        weight, target = pairs[f"log J_{name}I", f"log target_mean_{name}"]
        assert target / weight == pytest.approx(-10.0 / 1.0)


@pytest.mark.parametrize("scale", ["relative", "absolute"])
def test_evolution_ends_where_the_invariants_say(scale):
    here = circuit(400, scale=scale, start=0.9)
    point = eq.theory.network_equilibrium(here)
    assert point.status is Status.MARGINAL
    assert len(point.spectrum.zero_modes) == len(point.conserved) == 6
    path = eq.theory.network_evolve(here, duration=1000 * hour, times=[0.0, 1 * hour, 1000 * hour])
    assert path["weight"].values[:, -1] == pytest.approx(point.weights, rel=1e-6)
    assert path["rate"].values[-1] == pytest.approx(point.state.rates, rel=1e-6)
    for k, name in enumerate("EI"):
        assert float(path["target_mean"][-1, k]) == pytest.approx(point.set_points[name].mean, rel=1e-6)
    slow = np.vstack([path["weight"].values, *(path[f"target_{kind}"].values[:, [k]].T for k in range(2)
                                                for kind in ("second_moment", "mean"))])  # fmt: skip
    for held in point.conserved:
        values = [held(z) for z in slow.T]
        assert np.ptp(values) < 1e-6 * max(1.0, np.abs(values).max())


def test_the_end_depends_on_the_path_and_on_nothing_else():
    ends = [eq.theory.network_equilibrium(circuit(scale="relative", start=f)) for f in (0.9, 1.0, 1.1)]
    rates = np.array([e.state.rates for e in ends])
    assert np.ptp(rates, axis=0).min() > 0.02
    again = eq.theory.network_equilibrium(circuit(scale="relative", start=0.9, weights=None), near=ends[1])
    assert again.weights == pytest.approx(ends[0].weights, rel=1e-8)


@pytest.mark.parametrize(
    ("scale", "tau_adapt", "small"),
    [("relative", 10 * hour, True), ("relative", 100 * hour, True), ("absolute", 10 * hour, False)],
)
def test_every_mode_loses_the_fraction_one_over_one_plus_gain_times_ratio(scale, tau_adapt, small):
    tau = hour if scale == "relative" else 20 * hour
    held = eq.theory.network_equilibrium(circuit(scale=scale, tau_adapt=None, tau=tau))
    at = network.loop_of(circuit(scale=scale, tau_adapt=None, tau=tau))
    weights = at.with_weights(held.weights).J
    loop = network.loop_of(circuit(scale=scale, tau_adapt=None, tau=tau, weights=weights))
    before = np.array([(t.second_moment, t.mean) for t in held.set_points.values()]).ravel()
    unhelped, left = np.zeros(4), np.zeros(4)
    for sign in (1.0, -1.0):  # the difference of both signs is linear to second order
        changed = {"scale": scale, "weights": weights, "targets": held.set_points, "tau": tau}
        changed["drive"] = (1.0 + 1e-3 * sign) * 10 * Hz
        free = network.loop_of(circuit(tau_adapt=None, **changed))
        x = eq.theory.mean_field(circuit(tau_adapt=None, **changed), start=held.state.rates).x
        after = eq.theory.network_equilibrium(circuit(tau_adapt=tau_adapt, **changed))
        unhelped += sign * network_loop.calcium_means(free, free.wiring, x)[:, ::-1].ravel()
        left += sign * np.array([(t.second_moment, t.mean) for t in after.set_points.values()]).ravel()
    # A left eigenvector w of the weights' slow Jacobian S C/tau sees the errors through S: w S is one of C S.
    signs = np.zeros((len(at.places), 4))
    for k, (a, b) in enumerate(at.places):
        inhibitory = weights[a, b] < 0.0
        size = held.weights[k] / before[2 * a + inhibitory] if scale == "relative" else 1.0
        signs[k, 2 * a + inhibitory] = size if inhibitory else -size
    jacobian = network_loop.slow_jacobian(loop, held.state.x, held.weights)
    values, vectors = np.linalg.eig(jacobian.T)
    gains = []
    for value, w in zip(values, vectors.T, strict=True):
        gain = -value * tau
        if abs(value) < 1e-9 * np.abs(values).max():
            continue
        gains.append(abs(gain))
        lost = (w @ signs @ left) / (w @ signs @ unhelped)
        assert lost == pytest.approx(1.0 / (1.0 + gain * tau_adapt / tau), rel=2e-3)
    assert len(gains) == 4
    assert (min(gains) < 0.2) == small


def test_one_population_may_adapt_while_the_other_holds():
    both = circuit(scale="relative")
    mixed = replace(both, rules=[both.rules[0], circuit(scale="relative", tau_adapt=None).rules[1]])
    point = eq.theory.network_equilibrium(mixed)
    goals = eq.theory.network_set_points(circuit(scale="relative"), SENSOR)
    assert point.set_points["I"].mean == goals["I"].mean
    assert point.set_points["E"].mean != pytest.approx(goals["E"].mean, rel=1e-4)
    assert len(point.spectrum.zero_modes) == 4
    path = eq.theory.network_evolve(mixed, duration=hour, times=[0.0, hour])
    assert np.isnan(path["target_mean"].sel(population="I")).all()
    assert np.isfinite(path["target_mean"].sel(population="E")).all()


def test_the_joint_jacobian_against_differences():
    loop = network.loop_of(circuit(scale="relative"))
    y = np.concatenate([[11.0, 12.0, 250.0, 240.0], 1.02 * loop.slow])
    numeric = eq.dynamics.differences(lambda y: network_loop.joint(loop, y)[0], y)
    np.testing.assert_allclose(network_loop.joint(loop, y)[1], numeric, rtol=1e-5, atol=1e-7 * np.abs(numeric).max())
    assert next(balanced.starts(loop.wiring)).shape == (4,)
