"""One cell under homeostasis, against numbers derived independently (closed forms and 40-digit arithmetic)."""

from dataclasses import dataclass, replace

import mpmath as mp
import numpy as np
import pytest

import equipoise as eq
from equipoise import Status, dynamics
from equipoise.model.homeostasis import CalciumMean, FiringRate, targets_of
from equipoise.model.inputs import weights_for
from equipoise.theory import sensing
from equipoise.theory.closed_loop import close
from equipoise.units import Hz, hour, ms, uM

SENSOR = eq.Calcium(tau=300 * ms, influx=1 * uM, buffering=0.1)
PIF = eq.PIF(v_threshold=10.0, v_reset=0.0, v_bound=-1.0)
LIF = eq.LIF(tau_m=10 * ms, v_threshold=1.0, v_reset=0.0, tau_ref=2 * ms)


def cell(K=200, *, drive=0.0, fano=1.0, neuron=PIF):
    trains = eq.PoissonInputs(K=K, rate=5 * Hz) if fano == 1.0 else eq.RenewalInputs(K=K, rate=5 * Hz, fano=fano)
    return eq.DrivenNeuron(neuron, excitation=trains, inhibition=trains, drive=drive)


def rule(cv=0.8, *, ratio=1.0, scale="absolute"):
    return eq.CalciumHomeostasis(SENSOR, target=eq.SetPoint(rate=5 * Hz, cv=cv), tau_e=ratio, tau_i=1.0, scale=scale)


def test_equilibrium_weights_of_the_pif():
    point = eq.theory.equilibrium(cell(), rule())
    assert (point.j_e, point.j_i) == pytest.approx((0.515566, 0.505261), abs=5e-7)
    assert (point.rate, point.cv) == pytest.approx((5.0, 0.8), rel=1e-10)
    assert (point.mu, point.sigma) == pytest.approx((10.305, 22.828), abs=5e-4)


@pytest.mark.parametrize(
    ("cv", "K", "exponents"),
    [(0.5, 30, (0.573, 0.309)), (0.5, 100, (0.549, 0.418)), (0.5, 1000, (0.518, 0.478)),
     (0.9, 30, (0.407, 0.553)), (0.9, 100, (0.456, 0.533)), (0.9, 1000, (0.487, 0.511))],
)  # fmt: skip
def test_local_scaling_exponents(cv, K, exponents):
    h = 1e-4
    up, down = (eq.theory.equilibrium(cell(K * np.exp(x)), rule(cv)) for x in (h, -h))
    found = -np.log([up.j_e / down.j_e, up.j_i / down.j_i]) / (2 * h)
    assert found == pytest.approx(exponents, abs=6e-4)


@pytest.mark.parametrize("neuron", [PIF, LIF], ids=["PIF", "LIF"])
@pytest.mark.parametrize("scale", ["absolute", "relative"])
def test_jacobian_against_differences_and_exact_determinant(neuron, scale):
    here, law = cell(neuron=neuron), rule(0.7, ratio=3.0, scale=scale)
    point = eq.theory.equilibrium(here, law)
    loop = close(here, law)
    numeric = dynamics.differences(loop.rhs, point.state)
    np.testing.assert_allclose(loop.jacobian(point.state), numeric, rtol=1e-6)
    if scale == "absolute":
        m = sensing.gradient(CalciumMean(SENSOR), neuron, point.mu, point.sigma**2)
        n = sensing.gradient(eq.model.homeostasis.CalciumSecondMoment(SENSOR), neuron, point.mu, point.sigma**2)
        exact = 2 * 200**2 * 25 * (point.j_e + point.j_i) * (m[0] * n[1] - n[0] * m[1]) / (3.0 * 1.0)
        assert np.linalg.det(loop.jacobian(point.state)) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("K", "cv", "ratio", "growth"), [(10, 0.9, 50, 0.156), (5, 0.9, 10, 0.136), (20, 0.95, 5, 0.025)]
)
def test_unstable_cells_are_found(K, cv, ratio, growth):
    slow, equal = rule(cv, ratio=ratio), rule(cv)
    point = eq.theory.equilibrium(cell(K), slow)
    assert np.max(eq.theory.stability(cell(K), slow, at=point).eigenvalues.real) == pytest.approx(growth, abs=6e-4)
    assert eq.theory.stability(cell(K), slow, at=point).status is Status.UNSTABLE
    assert eq.theory.stability(cell(K), equal, at=point).status is Status.OK
    limits = eq.theory.feasibility(cell(K), slow)
    assert 1.0 < limits.max_tau_ratio < ratio
    assert "trace condition" in limits.failures[0]


def test_slow_and_fast_eigenvalue():
    point = eq.theory.equilibrium(cell(100), rule())
    found = eq.theory.stability(cell(100), rule(), at=point)
    assert found.eigenvalues.real == pytest.approx([-0.078, -31], rel=0.01)


@pytest.mark.parametrize("cv", [0.3, 0.8, 0.95])
def test_critical_inhibition_of_the_trace_condition_against_mpmath(cv):
    point = eq.theory.equilibrium(cell(), rule(cv))
    m_mu, m_s = sensing.gradient(CalciumMean(SENSOR), PIF, point.mu, point.sigma**2)
    by_mu = mp.diff(lambda x: exact_mean(x, point.sigma**2), point.mu)
    by_s = mp.diff(lambda x: exact_mean(point.mu, x), point.sigma**2)
    assert m_mu / (2 * m_s) == pytest.approx(float(by_mu / (2 * by_s)), rel=1e-9)


def exact_mean(mu, s):
    """mu_Ca of the PIF (10, 0, -1) from the literal transform in 40 digits."""
    with mp.workdps(40):
        mu, s, p, u = mp.mpf(mu), mp.mpf(s), mp.mpf("0.9"), 1 / mp.mpf("0.3")
        g, m = mp.sqrt(mu**2 + 2 * s * u) / s, mu / s
        z = mp.exp(10 * m) * (g * mp.cosh(g) + m * mp.sinh(g)) / (g * mp.cosh(11 * g) + m * mp.sinh(11 * g))
        r = mu / (10 + (mp.exp(-22 * m) - mp.exp(-2 * m)) / (2 * m))
        return r / u * (1 - z) / (1 - p * z)


@pytest.mark.parametrize(
    ("K", "critical", "j_i", "fold"),  # the last two from a 60-digit root search on `exact_mean`
    [(50, 371, 2.496635149, 459.1815686), (200, 732.17, 1.932834605, 1258.424957), (1000, 1624, 1.517525, 4572.24536)],
)
def test_drive_branch_and_its_fold(K, critical, j_i, fold):
    found = eq.theory.drive_branch(cell(K), rule())
    assert found.critical_drive == pytest.approx(critical, abs=0.5)
    assert (found.fold_j_i, found.fold_drive) == pytest.approx((j_i, fold), rel=1e-9)


@pytest.mark.parametrize(
    ("drive", "rate", "cv"),
    [(800, 5.0129, 0.8353), (900, 5.0289, 0.8762), (1000, 5.0419, 0.9073), (1200, 5.0623, 0.9530)],
)
def test_strong_drive_gives_up_the_second_moment(drive, rate, cv):
    point = eq.theory.equilibrium(cell(drive=drive), rule())
    assert point.status is Status.WEIGHT_AT_ZERO
    assert point.j_e == 0.0
    assert (point.rate, point.cv) == pytest.approx((rate, cv), abs=6e-5)
    found = eq.theory.stability(cell(drive=drive), rule(), at=point)
    assert found.pinned == ("j_e",)
    assert found.stable


def test_weak_drive_changes_nothing_but_the_weights():
    point = eq.theory.equilibrium(cell(drive=700.0), rule())
    assert (point.rate, point.cv) == pytest.approx((5.0, 0.8), rel=1e-9)
    mu = point.mu - 700.0  # Eq. 30 with mu* - I_opt
    assert point.j_e == pytest.approx(mu / 2000 + np.sqrt(point.sigma**2 / 2000 - mu**2 / 4e6), rel=1e-9)


def test_beyond_the_fold_there_is_nothing_and_it_says_so():
    with pytest.raises(eq.NumericalFailure, match=r"beyond the fold.*Weaken the drive"):
        eq.theory.equilibrium(cell(drive=1260.0), rule())
    point = eq.theory.equilibrium(cell(drive=1260.0), rule(), throw=False)
    assert point.status is Status.PAST_FOLD
    path = eq.theory.evolve(cell(drive=1260.0), rule(scale="relative"), duration=1e5)
    assert path.attrs["status"] == "RUNAWAY"
    assert any("fold" in text for text in eq.theory.feasibility(cell(drive=1260.0), rule()).failures)


def test_a_step_of_drive_without_plasticity_and_what_adaptive_set_points_leave_of_it():
    before = eq.theory.equilibrium(cell(), rule())
    law = eq.renewal.NeuronISI(PIF, mu=before.mu + 50.0, sigma=before.sigma)
    assert (eq.renewal.rate(law), eq.renewal.cv(law)) == pytest.approx((8.726, 0.688), abs=6e-4)
    for tau, rate, cv in ((10.0, 5.0070, 0.7964), (100.0, 5.0008, 0.7994)):
        adaptive = eq.AdaptiveCalciumHomeostasis(
            SENSOR, target=eq.SetPoint(rate=5 * Hz, cv=0.8), tau_e=1.0, tau_i=1.0, scale="absolute", tau_adapt=tau
        )
        after = eq.theory.equilibrium(cell(drive=50.0), adaptive, start=before.state)
        assert (after.rate, after.cv) == pytest.approx((rate, cv), abs=6e-5)
        path = eq.theory.evolve(cell(drive=50.0), adaptive, duration=5000.0, start=before.state)
        np.testing.assert_allclose([path[n][-1] for n in after.names], after.state, rtol=1e-5)


def test_invariants_of_adaptive_set_points_are_found_and_kept():
    adaptive = eq.AdaptiveCalciumHomeostasis(
        SENSOR, target=eq.SetPoint(rate=5 * Hz, cv=0.8), tau_e=1.0, tau_i=2.0, scale="absolute", tau_adapt=10.0
    )
    start = eq.theory.equilibrium(cell(), rule()).state
    point = eq.theory.equilibrium(cell(drive=50.0), adaptive, start=start)
    found = eq.theory.stability(cell(drive=50.0), adaptive, at=point)
    assert len(found.zero_modes) == len(found.conserved_quantities) == 2
    assert found.status is Status.MARGINAL
    by_terms = {frozenset(q.terms): dict(zip(q.terms, q.coefficients, strict=True)) for q in found.conserved_quantities}
    excitatory = by_terms[frozenset(("j_e", "target_second_moment"))]
    inhibitory = by_terms[frozenset(("j_i", "target_mean"))]
    assert excitatory["target_second_moment"] / excitatory["j_e"] == pytest.approx(10.0 / 1.0)
    assert inhibitory["target_mean"] / inhibitory["j_i"] == pytest.approx(-10.0 / 2.0)
    path = eq.theory.evolve(cell(drive=50.0), adaptive, duration=500.0, start=start)
    kept = 10.0 * path["target_second_moment"].values + 1.0 * path["j_e"].values
    assert float(np.ptp(kept) / kept[0]) < 1e-8


def single_loop(mismatch=0.0, scale="absolute"):
    return eq.RateHomeostasis(tau_e=10.0, tau_i=1.0, target_e=5.0 + mismatch, target_i=5.0, scale=scale)


def test_single_loop_rules_have_one_zero_mode_and_conserve_q():
    start = eq.theory.equilibrium(cell(), rule()).state
    point = eq.theory.equilibrium(cell(), single_loop(), start=start)
    found = eq.theory.stability(cell(), single_loop(), at=point)
    assert found.eigenvalues[1].real < 0.0
    (q,) = found.conserved_quantities
    assert dict(zip(q.terms, q.coefficients, strict=True)) == pytest.approx({"j_e": 1.0, "j_i": 0.1})
    (mode,) = found.zero_modes
    # Along the line the rate is constant: f_mu (lam_E dJ_E - lam_I dJ_I) + 2 f_s (...) = 0.
    by_mu, by_s = sensing.gradient(FiringRate(), PIF, point.mu, point.sigma**2)
    change = 1000 * (
        by_mu * (mode["j_e"] - mode["j_i"]) + 2 * by_s * (point.j_e * mode["j_e"] + point.j_i * mode["j_i"])
    )
    assert change == pytest.approx(0.0, abs=1e-9 * 1000 * by_mu)


def test_at_relative_scale_the_single_loop_conserves_logarithms():
    start = eq.theory.equilibrium(cell(), rule()).state
    point = eq.theory.equilibrium(cell(), single_loop(scale="relative"), start=start)
    (q,) = eq.theory.stability(cell(), single_loop(scale="relative"), at=point).conserved_quantities
    assert dict(zip(q.terms, q.coefficients, strict=True)) == pytest.approx({"log j_e": 1.0, "log j_i": 0.1})


def test_unequal_set_points_have_no_equilibrium_and_drift_at_their_difference():
    start = np.array([0.5676482, 0.5])  # Q = 6.176482
    with pytest.raises(eq.NumericalFailure, match=r"drifts at.*Make the set points equal"):
        eq.theory.equilibrium(cell(), single_loop(0.2), start=start)
    path = eq.theory.evolve(cell(), single_loop(0.2), duration=3.0, start=start, times=[0.0, 1.0, 2.0, 3.0])
    q = 10.0 * path["j_e"].values + path["j_i"].values
    np.testing.assert_allclose(q, [6.176482, 6.376482, 6.576482, 6.776482], rtol=1e-7)
    assert float(path["rate"][-1]) == pytest.approx(5.0258, abs=5e-4)


def test_a_line_of_equilibria_needs_a_start():
    with pytest.raises(ValueError, match="line of equilibria, so start is needed"):
        eq.theory.equilibrium(cell(), single_loop())


@pytest.mark.parametrize("K", [50, 200, 1000, 5000])
@pytest.mark.parametrize("offset", [(0.7, 0.9), (1.3, 1.2), (0.9, 1.3)])
def test_evolution_ends_at_the_closed_form(K, offset):
    point = eq.theory.equilibrium(cell(K), rule())
    path = eq.theory.evolve(cell(K), rule(), duration=3000.0, start=point.state * offset)
    assert float(path["j_e"][-1]) == pytest.approx(point.j_e, rel=1e-6)
    assert float(path["j_i"][-1]) == pytest.approx(point.j_i, rel=1e-6)


def test_both_scales_have_the_same_equilibrium_and_honest_hours():
    relative = eq.CalciumHomeostasis(SENSOR, target=eq.SetPoint(rate=5 * Hz, cv=0.8), tau_e=2 * hour, tau_i=1 * hour)
    point = eq.theory.equilibrium(cell(), relative)
    assert point.j_e == pytest.approx(eq.theory.equilibrium(cell(), rule()).j_e, rel=1e-12)
    found = eq.theory.stability(cell(), relative, at=point)
    assert found.recovery_times.min() > 10.0  # the absolute rule with tau of an hour would act within a second
    assert found.recovery_times.max() > 10 * hour


def test_moments_as_set_points_give_the_same_equilibrium():
    resolved = eq.theory.resolve(cell(), rule())
    mean, second = targets_of(resolved.target)
    direct = replace(rule(), target=eq.CalciumSetPoint(mean=mean, second_moment=second))
    assert eq.theory.equilibrium(cell(), direct).state == pytest.approx(
        eq.theory.equilibrium(cell(), rule()).state, rel=1e-8
    )


def test_infeasible_moments_are_refused_in_words():
    law = replace(rule(), target=eq.CalciumSetPoint(mean=1.3, second_moment=30.0))
    with pytest.raises(eq.NumericalFailure, match="no input gives PIF the calcium moments"):
        eq.theory.equilibrium(cell(), law)


def test_pif_cannot_be_more_irregular_than_poisson():
    with pytest.raises(eq.NumericalFailure):
        eq.theory.equilibrium(cell(), rule(1.2))
    assert "set point" in eq.theory.feasibility(cell(), rule(1.2)).failures[0]


def test_irregular_inputs_scale_both_weights_by_the_root_of_their_fano_factor():
    plain, irregular = (eq.theory.equilibrium(cell(5000, fano=f), rule()) for f in (1.0, 4.0))
    # mu* is the same and small beside the noise at K = 5000, so J is nearly sigma*/sqrt(2 lam K F).
    assert irregular.j_e / plain.j_e == pytest.approx(0.5, rel=0.03)
    assert cell(5000, fano=4.0).input_variance(irregular.j_e, irregular.j_i) == pytest.approx(plain.sigma**2, rel=1e-9)


def test_too_few_inputs_leave_no_inhibition():
    limits = eq.theory.feasibility(cell(), rule(0.3))
    point = eq.theory.equilibrium(cell(0.9 * limits.K_min), rule(0.3))
    assert point.status is Status.WEIGHT_AT_ZERO
    assert point.j_i == 0.0
    assert min(eq.theory.equilibrium(cell(1.1 * limits.K_min), rule(0.3)).state) > 0.0


def test_weights_solve_unequal_inputs_exactly():
    here = eq.DrivenNeuron(
        PIF,
        excitation=eq.RenewalInputs(K=800, rate=3.0, fano=1.7),
        inhibition=eq.PoissonInputs(K=200, rate=11.0),
        drive=4.0,
    )
    weights = weights_for(here, mu=10.0, sigma=20.0)
    assert here.input_mean(*weights) == pytest.approx(10.0, rel=1e-12)
    assert here.input_variance(*weights) == pytest.approx(400.0, rel=1e-12)


@pytest.mark.parametrize("neuron", [LIF, eq.EIF()], ids=["LIF", "EIF"])
def test_leaky_neurons_close_their_loop_too(neuron):
    here = cell(1000, neuron=neuron)
    law = eq.CalciumHomeostasis(SENSOR, target=eq.SetPoint(rate=5 * Hz, cv=0.9), tau_e=2 * hour, tau_i=1 * hour)
    point = eq.theory.equilibrium(here, law)
    assert (point.rate, point.cv) == pytest.approx((5.0, 0.9), rel=1e-6)
    assert eq.theory.stability(here, law, at=point).stable


def test_full_kinetics_tends_to_the_calcium_rule():
    from equipoise.model.kinetics import Pathway, ProteinKinetics

    plain = eq.theory.equilibrium(cell(), rule())
    gaps = []
    for half in (500.0, 1000.0):
        fast = {"k_off": 499.0, "k_cat": 1.0, "substrate": 1.0, "gamma": 1.0}
        proteins = ProteinKinetics(
            inhibitory=Pathway(k_on=500 / half, **fast), excitatory=Pathway(order=2, k_on=500 / half**2, **fast)
        )
        full = eq.KineticHomeostasis(
            SENSOR, target=eq.SetPoint(rate=5.0, cv=0.8), tau_e=1.0, tau_i=1.0, proteins=proteins
        )
        gaps.append(eq.theory.equilibrium(cell(), full).j_e / plain.j_e - 1)
    assert gaps[1] / gaps[0] == pytest.approx(0.5, rel=0.05)
    assert abs(gaps[1]) < 0.03


@dataclass(frozen=True)
class Leaky:
    """A rule of a user: excitation follows the rate error and leaks, inhibition is fixed."""

    target: float = 5.0
    variables = ("j_e", "j_i")
    senses = (FiringRate(),)

    def rhs(self, state, sensed):
        return np.array([self.target - sensed[0] - 0.1 * state[0], 0.0 * state[1]])


def test_a_rule_of_the_users_own_needs_three_members():
    start = np.array([0.5, 0.5])
    point = eq.theory.equilibrium(cell(), Leaky(), start=start)
    assert point.rate == pytest.approx(5.0 - 0.1 * point.j_e, rel=1e-9)
    (q, *_) = eq.theory.stability(cell(), Leaky(), at=point).conserved_quantities
    assert set(q.terms) <= {"j_i", "log j_i"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rule(scale="relativ"), "Did you mean 'relative'"),
        (lambda: eq.PoissonInputs(K=100, rate=-5), r"rate \(rate of each input\) must lie in \(0, 1000\] Hz, got -5"),
        (lambda: eq.SetPoint(rate=5, cv=0), r"SetPoint.cv \(target irregularity\) must be above 0, got 0"),
        (lambda: eq.CalciumSetPoint(mean=2.0, second_moment=3.9), "must exceed mean"),
        (lambda: eq.DrivenNeuron("pif", excitation=None, inhibition=None), r"must be a neuron such as eq.LIF\(\)"),
        (lambda: eq.theory.evolve(cell(), rule(), duration=10.0, start=[1.0]), "start must be the weights"),
        (lambda: eq.theory.evolve(cell(), rule(), duration=10.0, start=[-1.0, 0.5]), "start.j_e must be finite"),
        (lambda: eq.theory.evolve(cell(), rule(), duration=-1.0), "duration must be finite and above 0"),
        (lambda: eq.theory.feasibility(cell(), single_loop()), "rule must be a calcium rule"),
    ],
)  # fmt: skip
def test_bad_input_is_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
